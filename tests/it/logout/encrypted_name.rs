//! The NameID of our LogoutRequest goes encrypted to an IdP that is set so, and never in the clear.

use sloop::mock_idp::{Entry, Options, Slo};
use sloop::paths::API_IDENTITY_PROVIDERS;
use sloop::saml::binding::{post, redirect};
use sloop::saml::{Binding, RawQuery};
use sloop::xml::Limits;

use super::{home, idp_leg, signed_in};
use crate::both;
use crate::support::browser::Page;
use crate::support::document::Document;
use crate::support::forger::{self, Forger, Said};
use crate::support::world::{On, Setting, World};

const ON: &str = "&encrypt_name_id=true";

async fn offering(on: On, slo: Slo) -> World {
    Setting::on(on).idp(Options { slo, ..Options::default() }).begin().await
}

async fn set(world: &World, metadata: &str, settings: &str) {
    let set = world.add_idp("corp", metadata, settings).await;
    assert_eq!(set.status, 200, "{}", set.body);
}

/// This metadata without what could be encrypted for.
fn without_encryption_key(metadata: &str) -> String {
    metadata.replace(&encryption_key(metadata), "")
}

fn encryption_key(metadata: &str) -> String {
    let start = metadata.find("<md:KeyDescriptor use=\"encryption\">").expect("such a key");
    let (before, _) = metadata[start..].split_once("</md:KeyDescriptor>").unwrap();
    format!("{before}</md:KeyDescriptor>")
}

/// The LogoutRequest that a browser is to carry, as it is written.
fn message_in(page: &Page) -> (Binding, String) {
    let (binding, xml) = match page.location() {
        Some(url) => {
            let message = RawQuery::new(url.query().unwrap()).parse().unwrap();
            (Binding::Redirect, message.inflate(Limits::MESSAGE.bytes).unwrap())
        }
        None => {
            let form = page.form();
            let message = form.field("SAMLRequest").unwrap_or_else(|| panic!("{}", page.summary()));
            (Binding::Post, post::decode(message, Limits::MESSAGE.bytes).unwrap())
        }
    };
    (binding, String::from_utf8(xml).unwrap())
}

both!(the_idp_reads_exactly_what_it_asserted_and_nobody_on_the_way_does, through_browser);
async fn through_browser(on: On) {
    for (slo, binding) in [
        (Slo::Redirect, Binding::Redirect),
        (Slo::Post, Binding::Post),
        (Slo::RedirectPost, Binding::Redirect),
    ] {
        let world = offering(on, slo).await;
        let app = world.app("app-one").await;
        // Off by default (SAML2int SDP-SP30).
        let mut bob = signed_in(&world, &app, "bob").await;
        let plain = bob.begin(&world, &app).await;
        assert_eq!(plain.request.name_id, world.idp.sessions()[0].name_id);

        set(&world, &world.idp.metadata(), ON).await;
        let mut ada = signed_in(&world, &app, "ada").await;
        let issued = world.idp.sessions().pop().unwrap();
        let url = world.logout_url(&app, ada.hint(), "the-state").await;
        let page = ada.browser.get(url.as_str()).await;
        let (by, xml) = message_in(&page);
        assert_eq!(by, binding);
        assert!(xml.contains("<saml:EncryptedID") && !xml.contains("<saml:NameID"), "{xml}");
        assert!(!xml.contains(&issued.name_id.value), "{xml}");
        assert!(xml.contains("xmlenc11#aes256-gcm") && xml.contains("rsa-oaep-mgf1p"), "{xml}");
        let end = ada.browser.settle(page).await;

        assert_eq!(end.url.as_str(), home(&app));
        let journal = world.idp.journal();
        let Some(Entry::LogoutRequest {
            name_id,
            name_id_encrypted,
            session_indexes,
            signature_valid,
            ended,
            ..
        }) = journal.last()
        else {
            panic!("{journal:#?}");
        };
        assert!(*name_id_encrypted && *signature_valid);
        assert_eq!((name_id, *ended), (&issued.name_id, 1));
        assert_eq!(*session_indexes, [issued.session_index.unwrap()]);
        assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
        let story = world.settled().await;
        assert!(story.legs[1].channel.ends_with(", its NameID encrypted"), "{story:?}");
        assert!(!ada.is_in(&world, &app).await);

        // And back to the clear, where that is settled.
        set(&world, &world.idp.metadata(), "&encrypt_name_id=false").await;
        let mut carol = signed_in(&world, &app, "carol").await;
        let plain = carol.begin(&world, &app).await;
        assert_eq!(Some(&plain.request.name_id), world.idp.sessions().last().map(|it| &it.name_id));
    }
}

both!(by_soap_the_name_is_encrypted_too, by_soap);
async fn by_soap(on: On) {
    let world = offering(on, Slo::Soap).await;
    set(&world, &world.idp.metadata(), ON).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let issued = world.idp.sessions().pop().unwrap();
    let hint = ada.hint().to_owned();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    world.settled().await;
    let last = world.idp.journal().pop();
    let Some(Entry::LogoutRequest { name_id, name_id_encrypted: true, ended: 1, .. }) = last else {
        panic!("{last:#?}");
    };
    assert_eq!(name_id, issued.name_id);
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
}

both!(at_the_login_url_the_name_is_encrypted_too, at_login_url);
async fn at_login_url(on: On) {
    let world = offering(on, Slo::None).await;
    set(&world, &world.idp.metadata(), ON).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let hint = ada.hint().to_owned();
    world.sign_out(&mut ada.browser, &app, &hint).await;
    let last = world.idp.journal().pop();
    let encrypted = |entry: &Entry| {
        matches!(entry, Entry::LogoutRequest { name_id_encrypted: true, at_login_url: true, .. })
    };
    assert!(last.as_ref().is_some_and(encrypted), "{last:#?}");
}

both!(a_message_that_fills_a_url_goes_by_a_form_where_the_idp_takes_one, too_long);
async fn too_long(on: On) {
    let world = World::on(on).await;
    let forger = Forger::new(&world.clock);
    let app = world.app("app-one").await;
    let endpoint = |binding: &Binding| {
        let uri = binding.uri();
        format!("<md:SingleLogoutService Binding=\"{uri}\" Location=\"https://f.example/slo\"/>")
    };
    // A ciphertext cannot be compressed; the name itself could be.
    let long = "é".repeat(2_000);
    for (offered, name, by) in [
        (&[Binding::Redirect, Binding::Post][..], "ada", Binding::Redirect),
        (&[Binding::Redirect, Binding::Post], &long, Binding::Post),
        // What has no other way goes this one.
        (&[Binding::Redirect], &long, Binding::Redirect),
    ] {
        let key = encryption_key(&world.idp.metadata());
        let endpoints: String = offered.iter().map(endpoint).collect();
        let sign_in = "<md:SingleSignOnService";
        let metadata =
            forger.metadata().replacen(sign_in, &format!("{key}{endpoints}{sign_in}"), 1);
        let added = world.add_idp("forged", &metadata, ON).await;
        assert!(matches!(added.status, 200 | 201), "{}", added.body);
        let mut browser = world.browser();
        let attempt = app.begin(&[("idp", "forged")]).await;
        let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
        let said = Said { name_id: Some(name.to_owned()), ..forger.says(&asked, "ada") };
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        let callback = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
        let tokens = app.finish(&attempt, &callback).await.unwrap();

        let url = world.logout_url(&app, &tokens.id_token, "s").await;
        let page = browser.get(url.as_str()).await;
        let (binding, xml) = message_in(&page);
        assert_eq!(binding, by, "{offered:?} {}", name.len());
        assert!(xml.contains("<saml:EncryptedID") && !xml.contains("<saml:NameID"));
        let length = page.location().map_or(0, |url| url.as_str().len());
        assert_eq!(length > redirect::MAX_URL_BYTES, offered.len() == 1, "{length}");
        assert!(!world.is_signed_in(&mut browser, &app).await);
    }
}

both!(a_key_that_vanishes_later_leaves_the_idp_unasked_and_says_so, vanished);
async fn vanished(on: On) {
    let world = World::on(on).await;
    let document = Document::serve(world.idp.metadata()).await;
    let from = format!("{ON}&metadata_url={}", document.url);
    set(&world, "", &from).await;
    let app = world.app("app-one").await;
    let mut ada = signed_in(&world, &app, "ada").await;
    let mut bob = signed_in(&world, &app, "bob").await;
    let mut carol = signed_in(&world, &app, "carol").await;
    // Whoever signs out before is asked about with the key that there was.
    let url = world.logout_url(&app, bob.hint(), "the-state").await;
    let under_way = bob.browser.get(url.as_str()).await;

    document.replace(without_encryption_key(&world.idp.metadata()));
    let refresh = format!("{API_IDENTITY_PROVIDERS}/corp/refresh");
    let refreshed = world.api("POST", &refresh, "application/json", "").await.json();
    assert_eq!(refreshed["result"], "updated", "{refreshed}");
    assert!(refreshed["changes"].as_str().unwrap().contains("no key to encrypt NameIDs for"));
    let report = shown(&world).await;
    assert_eq!(report["settings"]["encrypt_name_id"], true);
    assert!(report["name_id_encryption"].as_str().unwrap().starts_with("on, and not possible: "));
    assert!(report["advice"].to_string().contains("nothing that names a person goes to this IdP"));
    assert!(report["logout"].as_str().unwrap().contains("`encrypt_name_id` is set"), "{report}");

    let end = bob.browser.settle(under_way).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert!(idp_leg(&world).await.starts_with("confirmed"));
    let hint = ada.hint().to_owned();
    let before = world.idp.journal().len();
    let end = world.sign_out(&mut ada.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), home(&app));
    assert_eq!(world.idp.journal().len(), before, "nothing reached the IdP");
    let said = "not_possible (`encrypt_name_id` is set, and the IdP's metadata has no key to \
                encrypt for)";
    assert_eq!(idp_leg(&world).await, said);
    assert_eq!(world.settled().await.outcome.as_str(), "partial");
    assert!(!ada.is_in(&world, &app).await);
    // The IdP still knows her, so her next sign-in is not silent.
    let attempt = app.begin(&[]).await;
    let location = ada.browser.get(attempt.url.as_str()).await.location().unwrap();
    let (xml, _) = forger::by_redirect(&location);
    assert!(xml.contains("ForceAuthn=\"true\""), "{xml}");

    // A URL that takes no message may still be visited.
    let bare = without_encryption_key(&world.idp.metadata());
    document.replace(world.idp.metadata());
    world.api("POST", &refresh, "application/json", "").await;
    set(&world, "", &format!("&metadata_url={}&fallback=url:https://f.example/bye", document.url))
        .await;
    document.replace(bare);
    world.api("POST", &refresh, "application/json", "").await;
    let hint = carol.hint().to_owned();
    let end = world.sign_out(&mut carol.browser, &app, &hint).await;
    assert_eq!(end.url.as_str(), "https://f.example/bye");
    assert!(!carol.is_in(&world, &app).await);
}

both!(without_a_key_for_it_the_setting_is_refused, refused);
async fn refused(on: On) {
    let world = World::on(on).await;
    let bare = without_encryption_key(&world.idp.metadata());
    let answer = world.add_idp("corp", &bare, ON).await;
    let problem = answer.json();
    assert_eq!((answer.status, problem["code"].as_str()), (400, Some("no_encryption_key")));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("its metadata has no RSA key for encryption"), "{detail}");
    // With a key of the wrong kind of use, too.
    let weak = world.idp.metadata().replacen(
        "</ds:KeyInfo></md:KeyDescriptor><md:SingleLogoutService",
        "</ds:KeyInfo><md:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-1_5\"/>\
         </md:KeyDescriptor><md:SingleLogoutService",
        1,
    );
    assert!(weak.contains("rsa-1_5"));
    let answer = world.add_idp("corp", &weak, ON).await;
    assert!(answer.json()["detail"].as_str().unwrap().contains("AES-GCM and RSA-OAEP"));
    assert_eq!(shown(&world).await["settings"]["encrypt_name_id"], serde_json::Value::Null);
    let could = shown(&world).await["name_id_encryption"].as_str().unwrap().to_owned();
    assert!(could.starts_with("off; possible: aes256-gcm and rsa-oaep-mgf1p, key "), "{could}");
    // What was there goes on to count, and a key makes it possible.
    set(&world, &world.idp.metadata(), ON).await;
    assert_eq!(shown(&world).await["settings"]["encrypt_name_id"], true);
    let ladder = shown(&world).await["logout"].as_str().unwrap().to_owned();
    assert!(ladder.starts_with("A signed LogoutRequest with an encrypted NameID goes"), "{ladder}");
    // Other metadata for it is refused as long as it is set.
    let again = world.add_idp("corp", &bare, "").await;
    assert_eq!(again.json()["code"], "no_encryption_key", "{}", again.body);
    let off = world.add_idp("corp", &bare, "&encrypt_name_id=false").await;
    assert_eq!(off.status, 200, "{}", off.body);
}

async fn shown(world: &World) -> serde_json::Value {
    let path = format!("{API_IDENTITY_PROVIDERS}/corp");
    world.api("GET", &path, "", "").await.json()
}
