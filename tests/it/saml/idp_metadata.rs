//! What an administrator is given as an IdP's metadata, good and bad, as it is uploaded.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sloop::keys::{KeyAlgorithm, SigningKey as KeyPair, certificate};
use sloop::paths::API_IDENTITY_PROVIDERS;
use sloop::rng::Rng;
use sloop::saml::Binding;
use sloop::xml::ns;
use sloop::xml::sign::{SigningKey, sign_enveloped};

use super::{ask, forged};
use crate::both;
use crate::support::forger::{Forger, Sign};
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::wire::Response;
use crate::support::world::{On, World};

/// The code and the text of a refusal.
fn refused(answer: &Response) -> (String, String) {
    assert_eq!(answer.status / 100, 4, "{}", answer.body);
    let problem = answer.json();
    let text = |member: &str| problem[member].as_str().unwrap().to_owned();
    (text("code"), text("detail"))
}

async fn show(world: &World, id: &str) -> Value {
    let path = format!("{API_IDENTITY_PROVIDERS}/{id}");
    world.api("GET", &path, "application/json", "").await.json()
}

async fn count(world: &World) -> usize {
    let listed = world.api("GET", API_IDENTITY_PROVIDERS, "application/json", "").await;
    listed.json()["items"].as_array().unwrap().len()
}

fn parameter(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// `<md:KeyDescriptor …>…</md:KeyDescriptor>` of this metadata.
fn key_descriptor(metadata: &str) -> &str {
    let end = "</md:KeyDescriptor>";
    let start = metadata.find("<md:KeyDescriptor").unwrap();
    &metadata[start..metadata.find(end).unwrap() + end.len()]
}

both!(a_url_that_could_harm_a_browser_refuses_the_document_wherever_it_stands, locations);
async fn locations(on: On) {
    let world = World::on(on).await;
    let forger = Forger::at("https://forger.example", &world.clock);
    let good = forger.metadata();
    let before = "<md:SingleSignOnService";
    let slo = format!(
        "<md:SingleLogoutService Binding=\"{}\" Location=\"LOCATION\" ResponseLocation=\"ANSWER\"/>",
        Binding::Redirect.uri()
    );
    let artifact = format!(
        "<md:ArtifactResolutionService Binding=\"{}\" Location=\"ARTIFACT\" index=\"0\"/>",
        Binding::Soap.uri()
    );
    let template = good
        .replacen(before, &format!("{artifact}{slo}{before}"), 1)
        .replace(&forger.sso(), "SIGNIN");
    let filled = |which: &str, bad: &str| {
        ["SIGNIN", "LOCATION", "ANSWER", "ARTIFACT"].iter().fold(template.clone(), |xml, place| {
            let url = if *place == which { bad } else { "https://forger.example/here" };
            xml.replace(place, url)
        })
    };
    for bad in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "&#9;javascript:alert(1)",
        "java&#10;script:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:x",
        "http://forger.example/here",
        "https://u:p@forger.example/",
        "https://forger.example/#x",
        "https://forger.example/?SAMLRequest=x",
        "//forger.example/here",
        "file:///etc/passwd",
    ] {
        for (place, element) in [
            ("SIGNIN", "SingleSignOnService"),
            ("LOCATION", "SingleLogoutService: Location"),
            ("ANSWER", "SingleLogoutService: ResponseLocation"),
            ("ARTIFACT", "ArtifactResolutionService"),
        ] {
            let (code, says) = refused(&world.add_idp("other", &filled(place, bad), "").await);
            assert_eq!(code, "metadata.location", "{place} {bad}: {says}");
            assert!(
                says.starts_with("line 1: ") && says.contains(element),
                "{place} {bad}: {says}"
            );
        }
    }
    assert_eq!(count(&world).await, 1);
    let added = world.add_idp("other", &filled("", ""), "").await;
    assert_eq!(added.status, 201, "{}", added.body);
}

both!(without_a_key_for_signatures_there_is_no_connection, no_key);
async fn no_key(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let good = forger.metadata();
    let key = key_descriptor(&good);
    for (what, xml, code) in [
        ("no key", good.replace(key, ""), "metadata.no_signing_key"),
        (
            "one for encryption alone",
            good.replace("use=\"signing\"", "use=\"encryption\""),
            "metadata.no_signing_key",
        ),
        (
            "white space",
            good.replace(
                key,
                &format!(
                    "{}\n </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                    &key[..key.find("X509Certificate>").unwrap() + 16]
                ),
            ),
            "metadata.certificate",
        ),
        (
            "a cut certificate",
            good.replace("</ds:X509Certificate>", "A</ds:X509Certificate>"),
            "metadata.certificate",
        ),
        ("an empty KeyInfo", good.replace("ds:X509Data", "ds:PGPData"), "metadata.no_signing_key"),
        (
            "another word for signing",
            good.replace("\"signing\"", "\"Signing\""),
            "metadata.key_use",
        ),
    ] {
        let (found, says) = refused(&world.add_idp("forged", &xml, "").await);
        assert_eq!(found, code, "{what}: {says}");
    }
    // What was there goes on to count, and it alone.
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let nobody = forger.signed(&forger.says(&asked, "eve"), Sign::Nothing);
    let page = forger.post(&world, &mut browser, &nobody, asked.relay_state.as_deref()).await;
    assert_eq!(page.status, 400);
    assert!(!world.is_signed_in(&mut browser, &app).await);
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    assert!(app.finish(&attempt, &page.location().unwrap()).await.is_ok());
}

// CVE-2026-16443: a KeyDescriptor without `use` switched the check of signatures off.
both!(a_key_without_use_verifies_and_never_switches_the_check_off, without_use);
async fn without_use(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let stranger = Forger::new(&world.clock);
    let metadata = forger.metadata().replace(" use=\"signing\"", "");
    assert_eq!(world.add_idp("forged", &metadata, "").await.status, 200);
    let keys = show(&world, "forged").await["keys"].clone();
    assert!(keys[0].as_str().unwrap().ends_with("for signing and encryption"), "{keys}");
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let relay_state = asked.relay_state.as_deref();
    let said = forger.says(&asked, "ada");
    for (xml, what) in [
        (forger.signed(&said, Sign::Nothing), "unsigned"),
        (stranger.signed(&said, Sign::Both), "signed by a stranger"),
    ] {
        let page = forger.post(&world, &mut browser, &xml, relay_state).await;
        assert_eq!(page.status, 400, "{what}");
        assert!(!world.is_signed_in(&mut browser, &app).await, "{what}");
    }
    let page = forger.send(&world, &mut browser, &asked, &said).await;
    assert!(app.finish(&attempt, &page.location().unwrap()).await.is_ok());
}

both!(one_of_many_is_chosen_by_its_name, chosen);
async fn chosen(on: On) {
    let world = World::on(on).await;
    let idp = |n: usize| Forger::at(&format!("https://idp{n}.example"), &world.clock);
    let documents: Vec<String> = (0..7).map(|n| idp(n).metadata()).collect();
    let list = |content: &str| {
        format!("<md:EntitiesDescriptor xmlns:md=\"{}\">{content}</md:EntitiesDescriptor>", ns::MD)
    };
    let file =
        list(&format!("{}{}", list(&list(&documents[..3].concat())), documents[3..].concat()));

    let (code, says) = refused(&world.add_idp("one", &file, "").await);
    assert_eq!(code, "metadata.ambiguous");
    assert!(
        says.contains("7 identity providers") && says.contains("https://idp3.example"),
        "{says}"
    );
    let (code, says) = refused(&world.add_idp("one", &file, "&entity_id=https://no.example").await);
    assert_eq!(code, "metadata.other_entity");
    assert!(says.contains("https://no.example") && says.contains(", …"), "{says}");
    assert_eq!(count(&world).await, 1);

    for n in [1, 6] {
        let settings = format!("&entity_id=https://idp{n}.example/metadata");
        let added = world.add_idp(&format!("idp{n}"), &file, &settings).await;
        assert_eq!(added.status, 201, "{}", added.body);
        let sign_in = added.json()["sign_in"].clone();
        assert_eq!(sign_in, serde_json::json!([format!("Redirect https://idp{n}.example/sso")]));
    }
    // More than fits is refused by its size, with the way out.
    let flood = list(&documents.concat().repeat(500));
    assert!(flood.len() > 2 * 1024 * 1024);
    let answer = world.add_idp("one", &flood, "&entity_id=https://idp1.example/metadata").await;
    assert_eq!((answer.status, answer.json()["code"].clone()), (413, "too_large".into()));
}

both!(metadata_that_has_expired_is_refused_and_what_was_there_stays, expired);
async fn expired(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let until = |hours: i64| {
        let at = world.clock.now().shifted(hours * 3_600_000_000);
        forger.metadata().replace(" entityID=", &format!(" validUntil=\"{at}\" entityID="))
    };
    let (code, says) = refused(&world.add_idp("forged", &until(-1), "").await);
    assert_eq!(code, "metadata.expired");
    assert!(says.contains("EntityDescriptor"), "{says}");
    assert_eq!(show(&world, "forged").await["valid_until"], Value::Null);
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    assert!(app.finish(&attempt, &page.location().unwrap()).await.is_ok());

    // What is there expires, too: from then on nobody gets in by it.
    assert_eq!(world.add_idp("forged", &until(2), "").await.status, 200);
    let mut browser = world.browser();
    let (_, asked) = ask(&forger, &mut browser, &app).await;
    world.clock.advance(Duration::from_secs(3 * 3600));
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    assert_eq!(page.status, 400, "{}", page.summary());
    assert!(!world.is_signed_in(&mut browser, &app).await);
    assert_eq!(world.add_idp("forged", &until(24), "").await.status, 200);
    let (attempt, asked) = ask(&forger, &mut browser, &app).await;
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    assert!(app.finish(&attempt, &page.location().unwrap()).await.is_ok());
}

both!(new_metadata_is_of_the_same_entity_unless_that_is_said, another_entity);
async fn another_entity(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let other = Forger::at("http://localhost:10", &world.clock);
    let (code, says) = refused(&world.add_idp("forged", &other.metadata(), "").await);
    assert_eq!(code, "entity_id_changed");
    assert!(says.contains(&forger.entity_id()) && says.contains(&other.entity_id()), "{says}");
    let mut browser = world.browser();
    let (_, asked) = ask(&forger, &mut browser, &app).await;
    let mut said = other.says(&asked, "eve");
    said.issuer = Some(forger.entity_id());
    said.assertion_issuer = forger.entity_id();
    let page = other.send(&world, &mut browser, &asked, &said).await;
    assert_eq!(page.status, 400);
    assert!(!world.is_signed_in(&mut browser, &app).await);

    let named = format!("&entity_id={}", other.entity_id());
    assert_eq!(world.add_idp("forged", &other.metadata(), &named).await.status, 200);
    let (attempt, asked) = ask(&other, &mut browser, &app).await;
    let page = other.send(&world, &mut browser, &asked, &other.says(&asked, "ada")).await;
    assert!(app.finish(&attempt, &page.location().unwrap()).await.is_ok());
}

// Every key of the IdP is tried, a new one from the upload on, a removed one no more.
both!(keys_of_an_upload_count_at_once, rollover);
async fn rollover(on: On) {
    let world = World::on(on).await;
    let (old, app) = forged(&world).await;
    let new = Forger::new(&world.clock);
    let both = old.metadata().replacen(
        key_descriptor(&old.metadata()),
        &format!("{}{}", key_descriptor(&new.metadata()), key_descriptor(&old.metadata())),
        1,
    );
    let mut browser = world.browser();
    for (metadata, accepted) in
        [(old.metadata(), [true, false]), (both, [true, true]), (new.metadata(), [false, true])]
    {
        assert_eq!(world.add_idp("forged", &metadata, "").await.status, 200);
        for (signer, accepted) in [&old, &new].into_iter().zip(accepted) {
            let (attempt, asked) = ask(&old, &mut browser, &app).await;
            let page = signer.send(&world, &mut browser, &asked, &signer.says(&asked, "ada")).await;
            match page.location() {
                Some(callback) => {
                    assert!(accepted && app.finish(&attempt, &callback).await.is_ok())
                }
                None => assert!(!accepted && page.status == 400, "{}", page.summary()),
            }
            // A browser of its own each time: who was in stays in.
            browser = world.browser();
        }
    }
}

// The IdP changes its key while somebody is signed in; its answer to the logout has the new one.
both!(a_key_that_came_during_the_session_verifies_the_answer_to_its_logout, during_session);
async fn during_session(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let mut browser = world.browser();
    let tokens = world.sign_in(&mut browser, &app, "ada").await;
    let key = IdpKey::connect(&world).await;
    let url = world.logout_url(&app, &tokens.id_token, "s").await;
    let mut page = browser.get(url.as_str()).await;
    while let Some(next) = page.location().filter(|to| !to.as_str().starts_with(&world.idp_url)) {
        page = browser.get(next.as_str()).await;
    }
    let asked = Asked::of(&page);
    let stranger = IdpKey::stranger(&world);
    asked.answer(&world, &stranger).deliver(&mut browser, By::Redirect).await;
    assert!(!world.outcomes().await.contains(&"IdP corp: confirmed".to_owned()));
    asked.answer(&world, &key).deliver(&mut browser, By::Redirect).await;
    let outcomes = world.outcomes().await;
    assert!(outcomes.contains(&"IdP corp: confirmed".to_owned()), "{outcomes:?}");
}

/// A key that signs metadata, with its certificate in PEM.
struct Federation {
    key: SigningKey,
    pem: String,
}

impl Federation {
    fn new(world: &World) -> Self {
        let pair = KeyPair::generate(KeyAlgorithm::Rs256, 2048).unwrap();
        // It expired long ago: the key counts.
        let day = Duration::from_secs(86_400);
        let from = world.clock.now().minus(day * 100);
        let bytes = Rng::system().bytes();
        let der =
            certificate::self_signed(pair.private_key(), "federation", from, day, bytes).unwrap();
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(der)
        );
        let key = SigningKey::from_pkcs8_der(&pair.to_pkcs8_der().unwrap()).unwrap();
        Self { key, pem }
    }

    fn signed(&self, metadata: &str) -> String {
        let with_id = metadata.replacen(" entityID=", " ID=\"_metadata\" entityID=", 1);
        sign_enveloped(&with_id, &self.key, None).unwrap()
    }
}

// MD-10: the wrappings themselves are in `saml::metadata::signed::tests`.
both!(with_a_pinned_key_only_what_it_has_signed_is_believed, pinned);
async fn pinned(on: On) {
    let world = World::on(on).await;
    let (federation, stranger) = (Federation::new(&world), Federation::new(&world));
    let idp = Forger::new(&world.clock);
    let evil = Forger::new(&world.clock);
    let pin = format!("&metadata_key={}", parameter(&federation.pem));

    let added = world.add_idp("forged", &federation.signed(&idp.metadata()), &pin).await;
    assert_eq!(added.status, 201, "{}", added.body);
    assert_eq!(added.json()["signature"], "verified");
    let app = world.app_with("app-one", serde_json::json!({"idps": ["forged"]})).await;

    let signed = federation.signed(&idp.metadata());
    let swapped = signed.replace(key_descriptor(&idp.metadata()), key_descriptor(&evil.metadata()));
    assert_ne!(swapped, signed);
    let wrapped = federation.signed(&idp.metadata()).replace(
        "</md:EntityDescriptor>",
        &format!("<md:Extensions>{}</md:Extensions></md:EntityDescriptor>", signed),
    );
    for (what, xml, code) in [
        ("unsigned", evil.metadata(), "metadata.not_signed"),
        ("signed by a stranger", stranger.signed(&evil.metadata()), "metadata.signature"),
        ("its keys swapped", swapped, "metadata.signature"),
        ("wrapped", wrapped, "metadata.signature"),
    ] {
        // The pin stays, whether it is said again or not.
        for settings in ["", pin.as_str()] {
            let (found, says) = refused(&world.add_idp("forged", &xml, settings).await);
            assert_eq!(found, code, "{what}: {says}");
        }
    }
    let mut browser = world.browser();
    let (_, asked) = ask(&idp, &mut browser, &app).await;
    let page = evil.send(&world, &mut browser, &asked, &evil.says(&asked, "eve")).await;
    assert_eq!(page.status, 400);
    assert!(!world.is_signed_in(&mut browser, &app).await);
    let (attempt, asked) = ask(&idp, &mut browser, &app).await;
    let page = idp.send(&world, &mut browser, &asked, &idp.says(&asked, "ada")).await;
    assert!(app.finish(&attempt, &page.location().unwrap()).await.is_ok());

    // The pin can be taken away, on purpose.
    let unsigned = world.add_idp("forged", &idp.metadata(), "&metadata_key=none").await;
    assert_eq!((unsigned.status, unsigned.json()["signature"].clone()), (200, "none".into()));
    let (code, _) =
        refused(&world.add_idp("forged", &idp.metadata(), "&metadata_key=nonsense").await);
    assert_eq!(code, "invalid_query");
}

// MD-13: names from outside are text on our pages, never markup.
both!(the_name_of_an_idp_is_text_on_the_page_where_it_is_chosen, display_name);
async fn display_name(on: On) {
    const EVIL: &str = "<img src=x onerror=alert(1)>\"'&";
    let world = World::on(on).await;
    let mut forger = Forger::new(&world.clock);
    forger.display_name = Some(EVIL.to_owned());
    let added = world.add_idp("forged", &forger.metadata(), "").await;
    assert_eq!(added.json()["display_name"], EVIL);
    let app = world.app("app-one").await;
    let page = world.browser().get(app.begin(&[]).await.url.as_str()).await;
    assert_eq!(page.status, 200, "{}", page.summary());
    assert!(page.body.contains("onerror") && !page.body.contains("<img"), "{}", page.body);
}
