//! Who may use the API: whoever holds an admin token.

use serde_json::json;
use sloop::paths::{API_CLIENTS, API_IDENTITY_PROVIDERS};

use super::{ids, problem};
use crate::both;
use crate::support::world::{On, World};

both!(without_a_valid_token_nothing_is_shown_or_changed, refused_without_token);
async fn refused_without_token(on: On) {
    let world = World::on(on).await;
    let token = world.use_cases().issue_admin_token("another").await.unwrap();
    let good = format!("Bearer {}", token.expose());
    let short = &good[..good.len() - 1];
    let client = json!({"id": "intruder", "redirect_uris": ["https://evil.example/callback"]});
    let client = client.to_string();
    let metadata = world.idp.metadata();
    let upload = format!("{API_IDENTITY_PROVIDERS}?id=intruder");
    let corp = format!("{API_IDENTITY_PROVIDERS}/corp");
    let calls: [(&str, &str, &str); 6] = [
        ("GET", API_CLIENTS, ""),
        ("POST", API_CLIENTS, &client),
        ("GET", "/api/v1/clients/app-one", ""),
        ("GET", API_IDENTITY_PROVIDERS, ""),
        ("POST", &upload, &metadata),
        ("GET", &corp, ""),
    ];
    for (method, path, body) in calls {
        for header in
            [None, Some(""), Some("Bearer"), Some("Bearer x"), Some(short), Some("Basic YTpi")]
        {
            let headers: Vec<_> =
                header.map(|value| ("authorization", value)).into_iter().collect();
            let answer = world.request(method, path, &headers, body).await;
            problem(&answer, 401, "unauthorized");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
            assert!(!answer.body.contains("localhost"), "{}", answer.body);
        }
    }
    let get = async |path: &str| {
        world.request("GET", path, &[("authorization", good.as_str())], "").await
    };
    assert!(ids(&get(API_CLIENTS).await).is_empty());
    assert_eq!(ids(&get(API_IDENTITY_PROVIDERS).await), ["corp"]);
    let client_call = [("authorization", good.as_str()), ("content-type", "application/json")];
    assert_eq!(world.request("POST", API_CLIENTS, &client_call, &client).await.status, 201);
    assert_eq!(ids(&get(API_CLIENTS).await), ["intruder"]);
}

both!(a_client_secret_and_an_access_token_are_no_admin_tokens, other_secrets);
async fn other_secrets(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let tokens = world.sign_in(&mut world.browser(), &app, "ada").await;
    let secret = app.client_secret.clone().unwrap();
    for token in [&secret, &tokens.access_token, &tokens.id_token] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        problem(&world.request("GET", API_CLIENTS, &headers, "").await, 401, "unauthorized");
    }
    assert_eq!(ids(&world.api("GET", API_CLIENTS, "application/json", "").await), ["app-one"]);
}
