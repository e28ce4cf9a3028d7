//! The token endpoint: what it takes, what it says, and the errors it has.

use serde_json::json;
use sloop::paths;

use crate::both;
use crate::support::query::{form, silent_code, token, token_fields};
use crate::support::world::{On, World};

both!(it_takes_a_form_by_post_and_nothing_else, form_only);
async fn form_only(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let (attempt, code) = silent_code(&mut browser, &app).await;
    let uri = app.redirect_uri();
    let fields = token_fields(&app, &attempt, &code, &uri);

    let path = format!("{}?{}", paths::TOKEN, form(&fields));
    assert_eq!(world.get(&path).await.status, 405);
    let body: serde_json::Map<_, _> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let json = serde_json::Value::Object(body).to_string();
    for (kind, path, body) in [
        ("application/json", paths::TOKEN, json.as_str()),
        ("text/plain", paths::TOKEN, &form(&fields)),
        // A form that is empty, with the parameters in the URL.
        ("application/x-www-form-urlencoded", &path, ""),
    ] {
        let answer = world.request("POST", path, &[("content-type", kind)], body).await;
        assert!(answer.status == 400 || answer.status == 401, "{kind}: {}", answer.status);
        assert!(
            ["invalid_request", "invalid_client"]
                .contains(&answer.json()["error"].as_str().unwrap())
        );
    }

    let good = token(&world, &[], &fields).await;
    assert_eq!(good.0.status, 200);
    assert_eq!(good.0.header("cache-control"), Some("no-store"));
    assert_eq!(good.0.header("pragma"), Some("no-cache"));
    assert_eq!(good.0.header("content-type"), Some("application/json"));
    let mut members: Vec<_> = good.json().as_object().unwrap().keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["access_token", "expires_in", "id_token", "scope", "token_type"]);
    assert_eq!(good.json()["token_type"], "Bearer");
    assert_eq!(good.json()["expires_in"], 300);
}

both!(every_fault_has_its_error, faults);
async fn faults(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    world.sign_in(&mut browser, &app, "ada").await;
    let (attempt, code) = silent_code(&mut browser, &app).await;
    let uri = app.redirect_uri();
    let good = token_fields(&app, &attempt, &code, &uri);
    let other = |name: &'static str, value: &'static str| {
        let mut fields = good.clone();
        fields.retain(|(key, _)| *key != name);
        fields.push((name, value));
        fields
    };
    let twice = |name: &str| {
        let mut fields = good.clone();
        fields.push(*good.iter().find(|(key, _)| *key == name).unwrap());
        fields
    };

    for (fields, error) in [
        (other("grant_type", ""), "invalid_request"),
        (other("grant_type", "password"), "unsupported_grant_type"),
        (other("grant_type", "client_credentials"), "unsupported_grant_type"),
        (other("grant_type", "implicit"), "unsupported_grant_type"),
        (other("code", ""), "invalid_request"),
        (other("code", "x"), "invalid_grant"),
        (twice("code"), "invalid_request"),
        (twice("grant_type"), "invalid_request"),
        (twice("redirect_uri"), "invalid_request"),
        (twice("code_verifier"), "invalid_request"),
        (twice("client_id"), "invalid_request"),
        (twice("client_secret"), "invalid_request"),
    ] {
        let answer = token(&world, &[], &fields).await;
        assert_eq!(answer.outcome(), (400, error.to_owned()), "{fields:?}");
        assert_eq!(answer.0.header("cache-control"), Some("no-store"));
        assert_eq!(answer.0.header("www-authenticate"), None);
    }
    // A code and no credentials are not enough to say anything about the code.
    let mut nobody = good.clone();
    nobody.retain(|(name, _)| !name.starts_with("client_"));
    assert_eq!(token(&world, &[], &nobody).await.outcome(), (401, "invalid_client".into()));

    // Unknown parameters are ignored, twice too, and nothing above used the code up.
    let mut odd = good.clone();
    odd.extend([("extra", "1"), ("extra", "2"), ("resource", "")]);
    assert_eq!(token(&world, &[], &odd).await.outcome(), (200, String::new()));
}
