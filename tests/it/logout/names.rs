//! Pages name apps and IdPs as people know them.

use serde_json::json;

use super::signed_in;
use crate::both;
use crate::support::idp_key::Asked;
use crate::support::world::{On, World};

const WIKI: &str = "Wiki & <b>Handbuch</b>";
const ACME: &str = "Acme \"<i>\"";

/// The metadata of the world's IdP, which calls itself so.
fn named(world: &World, name: &str) -> String {
    let escaped = name.replace('&', "&amp;").replace('<', "&lt;");
    let info = format!(
        "<md:Extensions><mdui:UIInfo xmlns:mdui=\"urn:oasis:names:tc:SAML:metadata:ui\">\
         <mdui:DisplayName xml:lang=\"en\">{escaped}</mdui:DisplayName></mdui:UIInfo></md:Extensions>"
    );
    let metadata = world.idp.metadata();
    let at = metadata.find("<md:IDPSSODescriptor").unwrap();
    let end = at + metadata[at..].find('>').unwrap() + 1;
    format!("{}{info}{}", &metadata[..end], &metadata[end..])
}

both!(parties_are_called_by_their_names, names);
async fn names(on: On) {
    let world = World::on(on).await;
    assert_eq!(world.add_idp("corp", &named(&world, ACME), "").await.status, 200);
    let app = world.app_with("wiki", json!({ "name": WIKI })).await;
    let nameless = world.app("app-two").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    world.sign_in(&mut ada.browser, &nameless, "ada").await;

    let parameters = [("client_id", "wiki")];
    let question = ada.browser.open(app.logout_url(&parameters).await.as_str()).await;
    let asks = format!("The app {WIKI} asks to sign you out");
    assert!(question.text().contains(&asks), "{}", question.text());
    let onward = ada.browser.submit(&question, &[("answer", "yes")]).await;
    let asked = Asked::of_url(&onward.refresh().unwrap());
    assert!(!asked.relay_state.is_empty());
    let waiting = ada.browser.get(question.url.as_str()).await;
    assert!(waiting.text().contains(&format!("{ACME} has been asked")), "{}", waiting.text());
    let end = ada.browser.submit(&waiting, &[("answer", "continue")]).await;
    let text = end.text();
    for line in [
        format!("App {WIKI} Signed out."),
        "App app-two Signed out.".to_owned(),
        format!("Organisation {ACME} It did not answer."),
    ] {
        assert!(text.contains(&line), "{line}: {text}");
    }
    for page in [&question, &waiting, &end] {
        assert!(!page.body.contains("<b>") && !page.body.contains("<i>"), "{}", page.body);
    }
    assert!(!ada.is_in(&world, &app).await);
    // An operator reads ids, which is what commands take.
    assert_eq!(world.outcomes().await[2], "IdP corp: no_answer");
}

both!(a_name_is_one_line_of_text, one_line);
async fn one_line(on: On) {
    let world = World::on(on).await;
    for (name, status) in [
        (json!("Löhne"), 201),
        (json!("x".repeat(100)), 201),
        (json!("x".repeat(101)), 400),
        (json!(""), 400),
        (json!("a\nb"), 400),
        (json!("a\u{202e}b"), 400),
        (json!(1), 400),
    ] {
        let id = format!("app-{status}-{}", name.to_string().len());
        let settings = json!({
            "id": id, "name": name, "redirect_uris": ["https://app.example/callback"],
        });
        let answer = world.add_client(settings).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        if status == 201 {
            assert_eq!(answer.json()["name"], name);
        } else if name.is_string() {
            assert!(answer.body.contains("is not a name"), "{}", answer.body);
        }
    }
}
