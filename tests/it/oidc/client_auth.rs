//! How a client proves who it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::both;
use crate::support::query::{silent_code, token, token_fields};
use crate::support::world::{On, World};

fn basic(id: &str, secret: &str) -> String {
    let encode =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
}

both!(by_header_or_by_form_and_never_by_both, methods);
async fn methods(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let secret = app.client_secret.clone().unwrap();
    let header = basic("app-one", &secret);
    let uri = app.redirect_uri();
    let (attempt, code) = silent_code(&mut browser, &app).await;
    let post = token_fields(&app, &attempt, &code, &uri);
    let mut bare = post.clone();
    bare.retain(|(name, _)| !name.starts_with("client_"));

    let both = token(&world, &[("authorization", &header)], &post).await;
    assert_eq!(both.outcome(), (400, "invalid_request".into()));
    let mut other = bare.clone();
    other.push(("client_id", "app-two"));
    let differing = token(&world, &[("authorization", &header)], &other).await;
    assert_eq!(differing.outcome(), (400, "invalid_request".into()));
    let by_header = token(&world, &[("authorization", &header)], &bare).await;
    assert_eq!(by_header.outcome(), (200, String::new()));

    let (attempt, code) = silent_code(&mut browser, &app).await;
    let by_form = token(&world, &[], &token_fields(&app, &attempt, &code, &uri)).await;
    assert_eq!(by_form.outcome(), (200, String::new()));
}

both!(who_cannot_prove_it_is_nobody, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let public = json!({"public": true, "backchannel_logout_uri": null});
    let public = world.app_with("native-app", public).await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let secret = app.client_secret.clone().unwrap();
    let uri = app.redirect_uri();
    let (attempt, code) = silent_code(&mut browser, &app).await;
    let post = token_fields(&app, &attempt, &code, &uri);
    let mut bare = post.clone();
    bare.retain(|(name, _)| !name.starts_with("client_"));
    let nobody = (401, "invalid_client".to_owned());

    for header in [
        basic("app-one", "wrong"),
        basic("app-one", ""),
        basic("app-two", &secret),
        basic("native-app", ""),
        basic("é<>\"", &secret),
        "Basic ???".into(),
        format!("Basic {}", STANDARD.encode("no colon")),
        format!("Bearer {secret}"),
    ] {
        let answer = token(&world, &[("authorization", &header)], &bare).await;
        assert_eq!(answer.outcome(), nobody, "{header}");
        let challenge = answer.0.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Basic "), "{header}: {challenge}");
    }
    for (id, given) in [
        ("app-one", Some("wrong")),
        ("app-one", None),
        ("app-one", Some("")),
        ("app-two", Some(secret.as_str())),
        ("native-app", Some(secret.as_str())),
    ] {
        let mut fields = bare.clone();
        fields.push(("client_id", id));
        fields.extend(given.map(|secret| ("client_secret", secret)));
        let answer = token(&world, &[], &fields).await;
        assert_eq!(answer.outcome(), nobody, "{id} {given:?}");
        assert_eq!(answer.0.header("www-authenticate"), None, "the header was not tried");
    }
    let mut assertion = post.clone();
    assertion.push(("client_assertion", "a.b.c"));
    assert_eq!(token(&world, &[], &assertion).await.outcome(), nobody);

    // The public client is what it says it is, for its own codes.
    let mut fields = bare.clone();
    fields.push(("client_id", "native-app"));
    assert_eq!(token(&world, &[], &fields).await.outcome(), (400, "invalid_grant".into()));
    let (attempt_two, code_two) = silent_code(&mut browser, &public).await;
    public.redeem(&attempt_two, &code_two).await.unwrap();
    // And nobody used the first app's code up.
    assert_eq!(token(&world, &[], &post).await.outcome(), (200, String::new()));
}
