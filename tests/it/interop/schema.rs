//! Every kind of document that we write, against the schemas of SAML 2.0.

use sloop::change::KeyPurpose;
use sloop::mock_idp::{Options, Slo};
use sloop::use_cases::Begin;

use super::xmlsec1::{leaving_for_the_idp, message, signed_in};
use crate::support::forger::by_redirect;
use crate::support::schema::validate;
use crate::support::world::{On, Setting, World};

/// Valid as it is, and not with this change.
fn is_valid_and_its_twin_is_not(xml: &str, from: &str, to: &str) {
    assert_eq!(validate(&[xml]), Ok(()));
    let changed = xml.replacen(from, to, 1);
    assert_ne!(changed, xml, "{from} is not in it: {xml}");
    assert!(validate(&[&changed]).is_err(), "{changed}");
}

#[tokio::test]
async fn our_metadata_during_a_rollover() {
    let world = World::on(On::Sqlite).await;
    world.use_cases().rotate_keys(KeyPurpose::SamlSigning, Begin::Announced).await.unwrap();
    let xml = world.get("/saml/metadata").await.body;
    assert_eq!(xml.matches(r#"<md:KeyDescriptor use="signing">"#).count(), 2);
    is_valid_and_its_twin_is_not(&xml, r#" index="0""#, "");
}

#[tokio::test]
async fn our_authn_request_and_logout_request() {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(On::Sqlite).idp(idp).begin().await;
    let (app, mut browser, url) = signed_in(&world).await;
    let leaving = leaving_for_the_idp(&world, &mut browser, &url).await;
    let request = message(&leaving, "SAMLRequest");
    is_valid_and_its_twin_is_not(&request, "<samlp:SessionIndex>", "<samlp:SessionIndex ID=\"x\">");

    let attempt = app.begin(&[("prompt", "login")]).await;
    let leaving = leaving_for_the_idp(&world, &mut browser, attempt.url.as_str()).await;
    let (request, _) = by_redirect(&leaving.location().unwrap());
    is_valid_and_its_twin_is_not(&request, r#" Version="2.0""#, "");
}

#[tokio::test]
async fn our_logout_request_that_wants_no_answer() {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(On::Sqlite).idp(idp).begin().await;
    let settings = "&asynchronous_logout=true";
    assert_eq!(world.add_idp("corp", &world.idp.metadata(), settings).await.status, 200);
    let (_, mut browser, url) = signed_in(&world).await;
    let leaving = leaving_for_the_idp(&world, &mut browser, &url).await;
    let request = message(&leaving, "SAMLRequest");
    let places = ["<saml:Issuer>", "<ds:Signature ", "<samlp:Extensions>", "<saml:NameID"]
        .map(|element| request.find(element).unwrap_or_else(|| panic!("{element}: {request}")));
    assert!(places.is_sorted(), "{request}");
    let (extensions, rest) = request.split_once("</samlp:Extensions>").unwrap();
    let (before, extensions) = extensions.split_once("<samlp:Extensions>").unwrap();
    let elsewhere = format!("{before}{rest}");
    let end = "</samlp:LogoutRequest>";
    let last = format!("<samlp:Extensions>{extensions}</samlp:Extensions>{end}");
    assert!(validate(&[&elsewhere.replace(end, &last)]).is_err());
    assert_eq!(validate(&[&request]), Ok(()));
}

#[tokio::test]
async fn our_logout_request_with_an_encrypted_name() {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(On::Sqlite).idp(idp).begin().await;
    let settings = "&encrypt_name_id=true";
    assert_eq!(world.add_idp("corp", &world.idp.metadata(), settings).await.status, 200);
    let (_, mut browser, url) = signed_in(&world).await;
    let leaving = leaving_for_the_idp(&world, &mut browser, &url).await;
    let request = message(&leaving, "SAMLRequest");
    let twice = "<samlp:SessionIndex>x</samlp:SessionIndex><saml:EncryptedID";
    is_valid_and_its_twin_is_not(&request, "<saml:EncryptedID", twice);
    is_valid_and_its_twin_is_not(&request, "<xenc:CipherValue>", "<xenc:CipherValue x=\"y\">");
}
