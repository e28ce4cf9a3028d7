//! PKCE: the code is for the app that asked for it.

use serde_json::json;

use crate::both;
use crate::support::browser::Browser;
use crate::support::query::{token, token_fields, value, with, without};
use crate::support::rp::{Attempt, RelyingParty};
use crate::support::world::{On, World};

/// A code for a changed request.
async fn code(browser: &mut Browser, url: &url::Url) -> String {
    let page = browser.get(url.as_str()).await;
    let location = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
    value(&location, "code").unwrap_or_else(|| panic!("{location}"))
}

/// What the token endpoint says to this verifier.
async fn redeem(
    world: &World,
    app: &RelyingParty,
    attempt: &Attempt,
    code: &str,
    verifier: Option<&str>,
) -> (u16, String) {
    let uri = app.redirect_uri();
    let mut fields = token_fields(app, attempt, code, &uri);
    fields.retain(|(name, _)| *name != "code_verifier");
    fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
    token(world, &[], &fields).await.outcome()
}

fn challenge(verifier: &str) -> String {
    use base64::Engine as _;
    let hash = openssl::sha::sha256(verifier.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash)
}

both!(only_the_right_verifier_redeems_the_code, verifier);
async fn verifier(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let attempt = app.begin(&[]).await;
    let refused = (400, "invalid_grant".to_owned());

    let own = code(&mut browser, &attempt.url).await;
    let other = "o".repeat(43);
    let hash = challenge(&attempt.verifier);
    for wrong in [None, Some(""), Some(other.as_str()), Some(hash.as_str())] {
        assert_eq!(redeem(&world, &app, &attempt, &own, wrong).await, refused, "{wrong:?}");
    }
    let right = Some(attempt.verifier.as_str());
    assert_eq!(redeem(&world, &app, &attempt, &own, right).await, (200, String::new()));

    // 43 to 128 characters.
    for (length, works) in [(42, false), (43, true), (128, true), (129, false)] {
        let verifier = "v".repeat(length);
        let url = with(&attempt.url, "code_challenge", &challenge(&verifier));
        let code = code(&mut browser, &url).await;
        let outcome = redeem(&world, &app, &attempt, &code, Some(&verifier)).await;
        assert_eq!(outcome.0 == 200, works, "{length}: {outcome:?}");
    }
}

both!(a_verifier_without_a_challenge_is_a_downgrade, downgrade);
async fn downgrade(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let attempt = app.begin(&[]).await;
    let plain = without(&without(&attempt.url, "code_challenge"), "code_challenge_method");

    let code_one = code(&mut browser, &plain).await;
    let with_verifier = redeem(&world, &app, &attempt, &code_one, Some(&attempt.verifier)).await;
    assert_eq!(with_verifier, (400, "invalid_grant".into()));
    // A confidential client may do without both.
    assert_eq!(redeem(&world, &app, &attempt, &code_one, None).await, (200, String::new()));
}

both!(only_s256_is_taken_and_a_public_client_must_send_it, required);
async fn required(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let settings = json!({"public": true, "backchannel_logout_uri": null});
    let public = world.app_with("native-app", settings).await;
    let mut browser = world.browser();
    // A public client redeems with its id and its verifier alone.
    let tokens = world.sign_in(&mut browser, &public, "ada").await;
    assert_eq!(tokens.claims["aud"], "native-app");

    for (app, public) in [(&app, false), (&public, true)] {
        let url = app.begin(&[]).await.url;
        let bare = without(&without(&url, "code_challenge"), "code_challenge_method");
        let mut refused = vec![
            with(&url, "code_challenge_method", "plain"),
            without(&url, "code_challenge_method"),
            without(&url, "code_challenge"),
            with(&url, "code_challenge", "tooshort"),
            with(&url, "code_challenge_method", "s256"),
        ];
        refused.extend(public.then_some(bare));
        for url in refused {
            let location = browser.get(url.as_str()).await.location().unwrap();
            assert_eq!(value(&location, "error").as_deref(), Some("invalid_request"), "{url}");
            assert_eq!(value(&location, "code"), None);
        }
        code(&mut browser, &url).await;
    }
}
