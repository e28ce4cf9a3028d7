mod acs;
mod acs_continue;
mod algorithm;
mod ambush;
mod authn_request;
mod cardinality;
mod ciphertext;
mod decryption;
mod encryption;
mod encryption_key;
mod exclusion;
mod exhaustion;
mod foreign_key;
mod form;
mod golden;
mod idp_metadata;
mod idp_mix_up;
mod max_validity;
mod metadata;
mod metadata_query;
mod mutants;
mod own_keys;
mod parser;
mod post_binding;
mod redirect_binding;
mod refresh;
mod replay;
mod samples;
mod session_end;
mod signature_shape;
mod signing_key;
mod status;
mod switched_user;
mod unsigned_part;
mod value;
mod waiting;
mod wrapping;

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::forger::{Asked, Forger};
use crate::support::rp::{Attempt, RelyingParty};
use crate::support::world::World;

/// Connects an IdP whose key the test holds, as `forged`, and an app that knows no other.
pub(crate) async fn forged(world: &World) -> (Forger, RelyingParty) {
    let forger = match world.issuer.starts_with("https:") {
        true => Forger::at("https://forger.test", &world.clock),
        false => Forger::new(&world.clock),
    };
    let added = world.add_idp("forged", &forger.metadata(), "").await;
    assert_eq!(added.status, 201, "{}", added.body);
    let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
    (forger, app)
}

/// Begins at the app and stops where the browser would go to the IdP.
pub(crate) async fn ask(
    forger: &Forger,
    browser: &mut Browser,
    app: &RelyingParty,
) -> (Attempt, Asked) {
    let attempt = app.begin(&[]).await;
    let page = browser.get(attempt.url.as_str()).await;
    (attempt, forger.asked(&page))
}
