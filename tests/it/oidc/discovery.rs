//! What clients learn by themselves.

use serde_json::{Value, json};
use sloop::paths;

use crate::both;
use crate::support::query::value;
use crate::support::wire;
use crate::support::world::{On, Setting, World};

fn url_members(document: &Value) -> Vec<(String, String)> {
    let members = document.as_object().unwrap().iter();
    let urls = members.filter(|(name, _)| name.ends_with("_endpoint") || name.ends_with("_uri"));
    urls.map(|(name, url)| (name.clone(), url.as_str().unwrap().to_owned())).collect()
}

both!(discovery_lists_what_works_and_nothing_else, members);
async fn members(on: On) {
    let world = Setting::on(on).https().begin().await;

    let answer = world.get(paths::OPENID_CONFIGURATION).await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let document = answer.json();
    assert_eq!(document["issuer"], "https://sloop.test");
    for (name, value) in [
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query"])),
        ("grant_types_supported", json!(["authorization_code"])),
        ("subject_types_supported", json!(["public"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("request_parameter_supported", json!(false)),
        ("request_uri_parameter_supported", json!(false)),
        ("claims_parameter_supported", json!(false)),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("backchannel_logout_supported", json!(true)),
        ("backchannel_logout_session_supported", json!(true)),
        ("frontchannel_logout_supported", json!(true)),
        ("frontchannel_logout_session_supported", json!(true)),
    ] {
        assert_eq!(document[name], value, "{name}");
    }
    let has = |name: &str, value: &str| document[name].as_array().unwrap().contains(&json!(value));
    assert!(has("id_token_signing_alg_values_supported", "RS256"));
    assert!(!has("id_token_signing_alg_values_supported", "none"));
    assert!(has("scopes_supported", "openid") && !has("scopes_supported", "offline_access"));
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        assert!(has("token_endpoint_auth_methods_supported", method));
    }
    // Not built, so not there.
    for absent in [
        "registration_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
        "check_session_iframe",
    ] {
        assert_eq!(document.get(absent), None, "{absent}");
    }
    for (name, member) in document.as_object().unwrap() {
        assert!(member.as_array().is_none_or(|list| !list.is_empty()), "{name} is empty");
    }
    let urls = url_members(&document);
    assert_eq!(urls.len(), 6, "{urls:?}");
    for (name, url) in urls {
        let path = url.strip_prefix("https://sloop.test").unwrap_or_else(|| panic!("{name} {url}"));
        let status = world.get(path).await.status;
        assert_ne!(status, 404, "{name} answers");
        assert!(status < 500, "{name} answers {status}");
    }
    assert_eq!(world.get(paths::OAUTH_AUTHORIZATION_SERVER).await.json(), document);
}

both!(an_issuer_with_a_path_is_found_by_both_rules, with_path);
async fn with_path(on: On) {
    let world = Setting::on(on).path("/t1").begin().await;
    let app = world.app("app-one").await;
    let raw = async |target: &str| {
        let host = world.issuer.trim_start_matches("http://").trim_end_matches("/t1").to_owned();
        let request = wire::Request {
            method: "GET".into(),
            target: target.into(),
            host,
            headers: Vec::new(),
            body: String::new(),
        };
        wire::send(world.address, request).await
    };

    // OpenID Connect puts the well-known part behind the path, RFC 8414 in front of it.
    let document = raw("/t1/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], world.issuer);
    assert_eq!(raw("/.well-known/oauth-authorization-server/t1").await.json(), document);
    assert_eq!(raw("/.well-known/openid-configuration").await.status, 404);
    assert_eq!(raw("/connect/authorize").await.status, 404);
    for (name, url) in url_members(&document) {
        assert!(url.starts_with(&format!("{}/", world.issuer)), "{name} {url}");
    }
    // And the whole way in and out works below it.
    let mut browser = world.browser();
    let attempt = app.begin(&[]).await;
    let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
    assert_eq!(value(&callback, "iss").as_deref(), Some(world.issuer.as_str()));
    let tokens = app.finish(&attempt, &callback).await.unwrap();
    assert_eq!(tokens.claims["iss"], world.issuer);
    let end = world.sign_out(&mut browser, &app, &tokens.id_token).await;
    assert!(end.url.as_str().starts_with(&app.post_logout_redirect_uri()), "{}", end.summary());
    assert!(!world.is_signed_in(&mut browser, &app).await);
}

both!(the_key_set_holds_public_signing_keys_only, jwks);
async fn jwks(on: On) {
    let mut world = World::on(on).await;
    let answer = world.get(paths::JWKS).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("cache-control").unwrap().contains("max-age="));
    let document = answer.json();
    let keys = document["keys"].as_array().unwrap();
    let mut ids: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), keys.len(), "each has a name of its own");
    for key in keys {
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string() && key["kty"] != "oct", "{key}");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert_eq!(key.get(private), None, "{private}");
        }
    }
    // The key of SAML is another one.
    let metadata = world.get(paths::SAML_METADATA).await.body;
    let (_, rest) = metadata.split_once("<ds:X509Certificate>").unwrap();
    let (certificate, _) = rest.split_once('<').unwrap();
    let certificate = sloop::keys::certificate::Certificate::parse_base64(certificate).unwrap();
    let modulus = certificate.public_key().unwrap().rsa().unwrap().n().to_vec();
    use base64::Engine as _;
    let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(modulus);
    assert!(keys.iter().any(|key| key["n"].is_string()));
    assert!(keys.iter().all(|key| key["n"] != json!(modulus)));

    world.restart().await;
    assert_eq!(world.get(paths::JWKS).await.json(), document, "the keys are kept");
}
