//! The `metadata/` folder of a running service: what appears, changes and vanishes there counts.

use serde_json::{Value, json};
use sloop::clock::Clock;
use sloop::keys::{KeyAlgorithm, SigningKey as KeyPair};
use sloop::mock_idp::{Entry, MockIdp, Options, Slo};
use sloop::rng::Rng;
use sloop::xml::sign::{SigningKey, sign_enveloped};

use super::connected::{Connected, SignedIn};
use super::{ISSUER, Place, eventually, metadata_of, open};

/// Waits until `sloop idp show ID --json` says so.
async fn becomes(place: &Place, id: &str, key: &str, value: Value) -> Value {
    let told = eventually(async || {
        let said = place.run(&["idp", "show", id, "--json"]);
        let report: Value = serde_json::from_str(&said.out).ok()?;
        (report[key] == value).then_some(report)
    });
    told.await.unwrap_or_else(|| {
        panic!("{id}: {key} never was {value}: {}", place.run(&["idp", "show", id]).out)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_appears_changes_or_vanishes_is_noticed() {
    let place = Place::new("");
    let serving = place.serve().await;
    assert_eq!(place.json(&["idp", "list", "--json"]), json!([]));

    place.write("metadata/corp.xml", &metadata_of("https://one.example"));
    becomes(&place, "corp", "entity_id", json!("https://one.example/metadata")).await;

    let slo = |slo| {
        let options = Options { slo, ..Options::default() };
        let idp = MockIdp::new("https://one.example", options, Clock::system(), Rng::system());
        idp.unwrap().metadata()
    };
    place.write("metadata/corp.xml", &slo(Slo::None));
    becomes(&place, "corp", "single_logout", json!([])).await;

    // Another IdP under the same name is not what a changed file means.
    place.write("metadata/corp.xml", &metadata_of("https://second.example"));
    let line = serving.says("entity_id").await;
    assert!(line.contains("https://second.example") && line.contains("ERROR"), "{line}");
    let kept = place.json(&["idp", "show", "corp", "--json"]);
    assert_eq!(kept["entity_id"], "https://one.example/metadata");
    place.write("metadata/corp.xml", &slo(Slo::Redirect));
    becomes(&place, "corp", "single_logout", json!(["Redirect https://one.example/slo"])).await;

    std::fs::remove_file(place.path("metadata/corp.xml")).unwrap();
    let gone = becomes(&place, "corp", "disabled", json!(true)).await;
    // Disabled, not deleted.
    assert_eq!(gone["entity_id"], "https://one.example/metadata");
    assert!(place.done(&["idp", "list"]).contains("disabled"));

    place.write("metadata/corp.xml", &metadata_of("https://one.example"));
    becomes(&place, "corp", "disabled", json!(false)).await;
    assert_eq!(serving.get("/readyz", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_is_named_and_stops_nobody_else() {
    let place = Place::new("");
    place.write("metadata/broken.xml", "<a>\n</b>");
    place.write("metadata/good.xml", &metadata_of("https://good.example"));
    place.write("metadata/README", "not metadata");
    place.write("metadata/our idp.xml", &metadata_of("https://third.example"));
    let serving = place.serve().await;

    let line = serving.says("metadata/our idp.xml").await;
    assert!(line.contains("ERROR") && line.contains("rename"), "{line}");
    let line = serving.says("metadata/broken.xml").await;
    assert!(line.contains("metadata/broken.xml") && line.contains("line 2"), "{line}");
    let list = place.json(&["idp", "list", "--json"]);
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    assert_eq!(list[0]["id"], "good");

    // A good file that becomes a bad one keeps what was understood last.
    place.write("metadata/good.xml", "<oops/>");
    serving.says("metadata/good.xml").await;
    let report = place.json(&["idp", "show", "good", "--json"]);
    assert_eq!(report["entity_id"], "https://good.example/metadata");
    assert_eq!(report["disabled"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_added_by_hand_is_not_the_folders_to_disable() {
    let place = Place::new("");
    place.write("other.xml", &metadata_of("https://other.example"));
    place.done(&["idp", "add", "other", "--metadata", "other.xml"]);
    let _serving = place.serve().await;
    place.write("metadata/corp.xml", &metadata_of("https://corp.example"));
    becomes(&place, "corp", "disabled", json!(false)).await;
    std::fs::remove_file(place.path("metadata/corp.xml")).unwrap();
    becomes(&place, "corp", "disabled", json!(true)).await;
    assert_eq!(place.json(&["idp", "show", "other", "--json"])["disabled"], false);
}

/// Who vanished from the metadata is not trusted any more: nobody gets in, open sessions end here,
/// and nothing is sent there. The outcome says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vanished_idp_lets_nobody_in_and_is_not_asked_at_logout() {
    let world = Connected::begin().await;
    let Connected { place, serving, idp, app } = &world;
    let SignedIn { mut browser, tokens, .. } = world.sign_in("ada").await;

    std::fs::remove_file(place.path("metadata/corp.xml")).unwrap();
    becomes(place, "corp", "disabled", json!(true)).await;

    let mut stranger = serving.browser();
    let (attempt, page) = open(&mut stranger, app, "eve").await;
    assert!(app.finish(&attempt, &page.url).await.is_err(), "{}", page.summary());
    assert_eq!(idp.sessions().len(), 1);
    let url = app.logout_url(&[("id_token_hint", &tokens.id_token)]).await;
    let end = browser.open(url.as_str()).await;
    assert!(end.url.as_str().starts_with(ISSUER), "{}", end.summary());
    assert_eq!(idp.sessions().len(), 1, "it was not asked");
    let asked = |entry: &Entry| matches!(entry, Entry::LogoutRequest { .. });
    assert!(!idp.journal().iter().any(asked), "{:?}", idp.journal());
    // Here it is over, the app was told, and nobody claims more.
    assert_eq!(app.userinfo(&tokens.access_token).await.status, 401);
    assert_eq!(app.logouts().await.unwrap().len(), 1);
    let list = place.json(&["logout", "list", "--json"]);
    assert_eq!(list[0]["outcome"], "partial", "{list}");
    let story = place.json(&["logout", "show", list[0]["id"].as_str().unwrap(), "--json"]);
    let outcomes: Vec<_> =
        story["legs"].as_array().unwrap().iter().map(|leg| &leg["outcome"]).collect();
    assert_eq!(outcomes, ["confirmed", "not_possible"], "{story}");

    // The file comes back, and so does the way in.
    place.write("metadata/corp.xml", &idp.metadata());
    becomes(place, "corp", "disabled", json!(false)).await;
    let (attempt, page) = open(&mut browser, app, "ada").await;
    assert!(app.finish(&attempt, &page.url).await.is_ok(), "{}", page.summary());
}

/// `metadata_key` in `sloop.toml` is a file, as `metadata` is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_key_must_have_signed_the_declared_metadata() {
    let declared = "[[identity_providers]]\nid = \"corp\"\nmetadata = \"corp.xml\"\n\
                    metadata_key = \"signer.pem\"\n";
    let place = Place::new(declared);
    let pair = KeyPair::generate(KeyAlgorithm::Rs256, 2048).unwrap();
    let pem = pair.private_key().public_key_to_pem().unwrap();
    place.write("signer.pem", &String::from_utf8(pem).unwrap());
    let plain = metadata_of("https://corp.example");
    let with_id = plain.replacen(" entityID=", " ID=\"_metadata\" entityID=", 1);
    let key = SigningKey::from_pkcs8_der(&pair.to_pkcs8_der().unwrap()).unwrap();
    place.write("corp.xml", &plain);

    let serving = place.serve().await;
    let line = serving.says("corp.xml").await;
    assert!(line.contains("ERROR") && line.contains("not signed"), "{line}");
    assert_eq!(place.json(&["idp", "list", "--json"]), json!([]));
    place.write("corp.xml", &sign_enveloped(&with_id, &key, None).unwrap());
    becomes(&place, "corp", "signature", json!("verified")).await;
    // Nobody else's metadata takes its place.
    let stranger = KeyPair::generate(KeyAlgorithm::Rs256, 2048).unwrap();
    let stranger = SigningKey::from_pkcs8_der(&stranger.to_pkcs8_der().unwrap()).unwrap();
    place.write("corp.xml", &sign_enveloped(&with_id, &stranger, None).unwrap());
    serving.says("does not hold for the pinned key").await;
    assert_eq!(place.json(&["idp", "show", "corp", "--json"])["signature"], "verified");
}
