//! Another IdP answers than the one that was asked (RFC 9700 4.4 on the SAML side).

use serde_json::json;

use super::{ask, forged};
use crate::both;
use crate::support::browser::Browser;
use crate::support::forger::{Forger, Said, Sign};
use crate::support::world::{On, World};

both!(an_idp_of_ours_cannot_answer_for_another, mix_up);
async fn mix_up(on: On) {
    let world = World::on(on).await;
    let (honest, app) = forged(&world).await;
    let other = Forger::at("http://localhost:10", &world.clock);
    assert_eq!(world.add_idp("other", &other.metadata(), "").await.status, 201);
    let mut browser = world.browser();
    let (attempt, asked) = ask(&honest, &mut browser, &app).await;
    let relay_state = asked.relay_state.as_deref();

    let as_itself = other.says(&asked, "ada");
    let as_honest = honest.says(&asked, "ada");
    let mut half: Said = honest.says(&asked, "ada");
    half.issuer = Some(other.entity_id());
    let mut other_half = other.says(&asked, "ada");
    other_half.issuer = Some(honest.entity_id());
    for (what, said, signer) in [
        ("in its own name", &as_itself, &other),
        ("in the name of the one that was asked", &as_honest, &other),
        ("its name around the other's assertion", &half, &other),
        ("its assertion in the other's envelope", &other_half, &other),
        ("a name that is not the signer's", &as_itself, &honest),
        ("half a name", &half, &honest),
    ] {
        for sign in [Sign::Both, Sign::Assertion, Sign::Response] {
            let xml = signer.signed(said, sign);
            let page = honest.post(&world, &mut browser, &xml, relay_state).await;
            assert_eq!(page.status, 400, "{what} {sign:?}: {}", page.summary());
            assert_eq!(page.header("set-cookie"), None);
            assert!(!world.is_signed_in(&mut browser, &app).await, "{what} {sign:?}");
        }
    }
    // The one that was asked is not kept from answering.
    let page = honest.send(&world, &mut browser, &asked, &as_honest).await;
    let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    assert_eq!(tokens.claims["idp"], "forged");
}

both!(a_failure_that_another_idp_reports_ends_nothing, failure);
async fn failure(on: On) {
    let world = World::on(on).await;
    let (honest, app) = forged(&world).await;
    let other = Forger::at("http://localhost:10", &world.clock);
    world.add_idp("other", &other.metadata(), "").await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&honest, &mut browser, &app).await;

    let no = other.fails(&asked, &["Responder", "AuthnFailed"], "no");
    let page = other.send(&world, &mut browser, &asked, &no).await;
    assert_eq!((page.status, page.header("location")), (400, None), "{}", page.summary());

    let page = honest.send(&world, &mut browser, &asked, &honest.says(&asked, "ada")).await;
    app.finish(&attempt, &page.location().unwrap()).await.unwrap();
}

// The mock IdP is one of ours too, and it answers honestly – another request.
both!(the_real_answer_to_another_request_does_not_fit, crossed);
async fn crossed(on: On) {
    let world = World::on(on).await;
    let (forger, only_forged) = forged(&world).await;
    let app = world.app_with("app-two", json!({"idps": ["corp", "forged"]})).await;
    let mut browser: Browser = world.browser();
    let (_, asked) = ask(&forger, &mut browser, &only_forged).await;
    // The test IdP's page that posts its answer, stopped before it is sent.
    let attempt = app.begin(&[("idp", "corp")]).await;
    let named = browser.open(attempt.url.as_str()).await;
    let form = browser.submit(&named, &[("user", "ada")]).await.form();
    let response = form.field("SAMLResponse").unwrap();

    let fields =
        [("SAMLResponse", response), ("RelayState", asked.relay_state.as_deref().unwrap())];
    let page = browser.post(&form.action, &fields, Some(&world.idp_url)).await;
    assert_eq!(page.status, 400, "{}", page.summary());
    assert!(!world.is_signed_in(&mut browser, &app).await);

    let fields = [("SAMLResponse", response), ("RelayState", form.field("RelayState").unwrap())];
    let page = browser.post(&form.action, &fields, Some(&world.idp_url)).await;
    let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    assert_eq!(tokens.claims["idp"], "corp");
    assert!(!world.is_signed_in(&mut browser, &only_forged).await, "that app knows one IdP");
}
