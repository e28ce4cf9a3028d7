//! Signatures that are not there or do not hold, and IdPs that could not sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::paths;
use sloop::xml::sign::sign_enveloped_at;

use super::ambush::{Ambush, Base};
use crate::both;
use crate::support::attack::{Attack, VICTIM, signature};
use crate::support::forger::{Forger, Sign};
use crate::support::mutation::Xml;
use crate::support::world::On;

both!(what_nobody_signed_signs_nobody_in, exclusions);
async fn exclusions(on: On) {
    Ambush::on(on).await.withstands(signature::exclusions).await;
}

both!(every_signature_that_is_there_must_hold, every_one);
async fn every_one(on: On) {
    let ambush = Ambush::on(on).await;
    let stranger = Forger::new(&ambush.world.clock);
    let mut waiting = ambush.wait().await;
    let said = ambush.says(&waiting);
    let assertion_by = |by: &Forger, xml: &str| {
        sign_enveloped_at(xml, &said.assertion_id, by.key(), None).unwrap()
    };
    let unsigned = ambush.forger.signed(&said, Sign::Nothing);
    let inner = Xml::new(assertion_by(&ambush.forger, &unsigned));
    let value = "Assertion/Signature/SignatureValue";
    let digest = "Assertion/Signature/SignedInfo/Reference/DigestValue";
    let other = STANDARD.encode([7; 64]);
    let zeros = STANDARD.encode([0; 32]);
    let own = |xml: &str| ambush.forger.signs(xml);
    for (what, message, code) in [
        (
            "the Response by the IdP, the Assertion by a stranger",
            own(&assertion_by(&stranger, &unsigned)),
            "sig.invalid",
        ),
        (
            "the Assertion by the IdP, the Response by a stranger",
            stranger.signs(inner.as_str()),
            "sig.invalid",
        ),
        ("a broken value inside", own(inner.with(value, &other).as_str()), "sig.invalid"),
        ("an empty value inside", own(inner.with(value, "").as_str()), "sig.invalid"),
        ("a broken digest inside", own(inner.with(digest, &zeros).as_str()), "sig.invalid"),
        ("another person inside", own(inner.with("NameID", VICTIM).as_str()), "sig.digest"),
        (
            "an empty signature inside",
            own(inner.with("Assertion/Signature", "").as_str()),
            "sig.signedinfo_count",
        ),
    ] {
        let attack = Attack::new(what, message, code);
        ambush.refuses(&mut waiting, Base::Both, &attack).await;
    }
    ambush.says_the_truth(&mut waiting, Base::Both).await;
}

both!(an_idp_without_a_key_that_signs_is_never_connected, without_key);
async fn without_key(on: On) {
    let ambush = Ambush::on(on).await;
    let world = &ambush.world;
    let mut waiting = ambush.wait().await;
    let good = Xml::new(ambush.forger.metadata());
    let other = good.with_attribute("EntityDescriptor", "entityID", "http://localhost:9/other");
    let certificate = "X509Certificate";
    let ed25519 = {
        let key = openssl::pkey::PKey::generate_ed25519().unwrap();
        STANDARD.encode(key.public_key_to_der().unwrap())
    };
    for (what, metadata) in [
        ("no key", other.without("KeyDescriptor")),
        ("an empty KeyDescriptor", other.with("KeyDescriptor", "")),
        ("an empty KeyInfo", other.with("KeyInfo", "")),
        ("an empty certificate", other.with(certificate, "")),
        ("white space", other.with(certificate, " \n ")),
        ("no Base64", other.with(certificate, "not a certificate")),
        ("no DER", other.with(certificate, "AAAA")),
        ("a key that is no certificate", other.with(certificate, ed25519)),
        ("a key to encrypt with", other.with_attribute("KeyDescriptor", "use", "encryption")),
        ("only a name", other.with("KeyInfo", "<ds:KeyName>trust me</ds:KeyName>")),
        (
            "only an address",
            other.with(
                "KeyInfo",
                format!("<ds:RetrievalMethod URI=\"{}\"/>", ambush.sink.url("/certificate")),
            ),
        ),
    ] {
        let added = world.add_idp("keyless", metadata.as_str(), "").await;
        assert_eq!(added.status, 400, "{what}: {}", added.body);
        let listed = world.api("GET", paths::API_IDENTITY_PROVIDERS, "application/json", "").await;
        assert!(!listed.body.contains("keyless"), "{what}: {}", listed.body);
        // Nor does such metadata take the keys from an IdP that has some.
        let own =
            metadata.with_attribute("EntityDescriptor", "entityID", &ambush.forger.entity_id());
        assert_eq!(world.add_idp("forged", own.as_str(), "").await.status, 400, "{what}");
        let unsigned = ambush.forger.signed(&ambush.says(&waiting), Sign::Nothing);
        let attack = Attack::new(what, unsigned, "response.unsigned");
        ambush.refuses(&mut waiting, Base::Both, &attack).await;
    }
    // One without a `use` serves both purposes (SAML Metadata 2.4.1.1), and verifies.
    let both = good.without_attribute("KeyDescriptor", "use");
    assert_eq!(world.add_idp("forged", both.as_str(), "").await.status, 200);
    let mut next = ambush.wait().await;
    let unsigned = ambush.forger.signed(&ambush.says(&next), Sign::Nothing);
    let attack = Attack::new("no use", unsigned, "response.unsigned");
    ambush.refuses(&mut next, Base::Both, &attack).await;
    ambush.says_the_truth(&mut next, Base::Both).await;
    ambush.says_the_truth(&mut waiting, Base::Both).await;
    assert_eq!(ambush.sink.connections(), 0, "something was fetched");
}

both!(no_address_takes_artifacts, artifact);
async fn artifact(on: On) {
    let ambush = Ambush::on(on).await;
    let mut waiting = ambush.wait().await;
    let metadata = ambush.world.get(paths::SAML_METADATA).await.body;
    assert!(!metadata.contains("ArtifactResolutionService"), "{metadata}");
    assert!(!metadata.contains("HTTP-Artifact"), "{metadata}");
    for path in ["/saml/artifact", "/saml/ars", "/saml/soap", "/saml/acs/artifact"] {
        let page =
            ambush.world.request("POST", path, &[("content-type", "text/xml")], "<a/>").await;
        assert_eq!(page.status, 404, "{path}");
    }
    let acs = ambush.world.url(paths::SAML_ACS);
    let artifact = STANDARD.encode([[0, 4, 0, 0].as_slice(), &[7; 40]].concat());
    let page = waiting.browser.get(&format!("{acs}?SAMLart={artifact}")).await;
    assert_eq!(page.status, 405, "{}", page.summary());
    let fields = [("SAMLart", artifact.as_str()), ("RelayState", "x")];
    let page = waiting.browser.post(&acs, &fields, Some(&ambush.forger.base)).await;
    assert_eq!(page.status, 400, "{}", page.summary());
    assert!(!ambush.is_signed_in(&mut waiting).await);
    ambush.says_the_truth(&mut waiting, Base::Both).await;
}
