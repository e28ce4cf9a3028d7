//! `sloop logout list|show`: what happened, told beside the service that did it.

use serde_json::json;

use super::connected::{Connected, SignedIn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_is_told_with_every_party_and_no_name() {
    let world = Connected::begin().await;
    let Connected { place, serving, idp, app } = &world;
    assert_eq!(place.json(&["logout", "list", "--json"]), json!([]));
    let SignedIn { mut browser, tokens, .. } = world.sign_in("ada").await;
    let session = idp.sessions().remove(0);
    let parameters = [
        ("id_token_hint", tokens.id_token.as_str()),
        ("post_logout_redirect_uri", &app.post_logout_redirect_uri()),
        ("state", "of-the-app-alone"),
    ];
    browser.open(app.logout_url(&parameters).await.as_str()).await;

    let list = place.json(&["logout", "list", "--json"]);
    assert_eq!(list.as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list[0]["outcome"], "complete");
    let id = list[0]["id"].as_str().unwrap();
    let table = place.done(&["logout", "list"]);
    assert!(table.contains(id) && table.contains("settled"), "{table}");
    let story = place.json(&["logout", "show", id, "--json"]);
    let parties: Vec<_> =
        story["legs"].as_array().unwrap().iter().map(|leg| &leg["party"]).collect();
    assert_eq!(parties, ["app wiki", "IdP corp"]);
    let text = place.done(&["logout", "show", id]);
    assert_eq!(story["scope"], "all_apps_and_idp");
    let scope = "Scope all_apps_and_idp";
    for known in ["complete", scope, "app wiki", "IdP corp", &app.post_logout_redirect_uri()] {
        assert!(text.contains(known), "{known}: {text}");
    }
    // The name, the session's index and the app's state are nobody's business here.
    let index = session.session_index.unwrap();
    for told in [text, story.to_string(), list.to_string(), serving.log()] {
        for secret in [session.name_id.value.as_str(), index.as_str(), "of-the-app-alone"] {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
    }
    let unknown = "0198c5a0-0000-7000-8000-000000000000";
    assert!(place.fails(1, &["logout", "show", unknown]).contains(unknown));
}
