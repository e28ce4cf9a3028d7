//! Signatures that hold, by keys that are not the IdP's, and what a document says about keys: the
//! only keys that count are those of the IdP's stored metadata.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::xml::ns;

use super::ambush::{Ambush, Base};
use crate::both;
use crate::support::attack::{Attack, VICTIM};
use crate::support::forger::{Forger, Said, Sign};
use crate::support::mutation::Xml;
use crate::support::world::On;

/// What a document can offer about its key, in the words of XML-DSig 1.1 and with our own addresses.
fn key_infos(ambush: &Ambush, owner: &Forger) -> Vec<(&'static str, String)> {
    let fetched = ambush.sink.url("/key");
    let certificate = STANDARD.encode(owner.certificate());
    let x509 = openssl::x509::X509::from_der(owner.certificate()).unwrap();
    let spki = STANDARD.encode(x509.public_key().unwrap().public_key_to_der().unwrap());
    let mut point = openssl::bn::BigNumContext::new().unwrap();
    let key = x509.public_key().unwrap().ec_key().unwrap();
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let point = STANDARD.encode(key.public_key().to_bytes(key.group(), form, &mut point).unwrap());
    let dsig11 = "xmlns:dsig11=\"http://www.w3.org/2009/xmldsig11#\"";
    let retrieval = |uri: &str| {
        format!(
            "<ds:RetrievalMethod URI=\"{uri}\" Type=\"http://www.w3.org/2000/09/xmldsig#X509Data\"/>"
        )
    };
    vec![
        ("nothing", String::new()),
        (
            "a certificate",
            format!("<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"),
        ),
        (
            "a key value",
            format!(
                "<ds:KeyValue><dsig11:ECKeyValue {dsig11}>\
                 <dsig11:NamedCurve URI=\"urn:oid:1.2.840.10045.3.1.7\"/>\
                 <dsig11:PublicKey>{point}</dsig11:PublicKey></dsig11:ECKeyValue></ds:KeyValue>"
            ),
        ),
        (
            "a key in DER",
            format!("<dsig11:DEREncodedKeyValue {dsig11}>{spki}</dsig11:DEREncodedKeyValue>"),
        ),
        ("a name", "<ds:KeyName>forger</ds:KeyName>".into()),
        (
            "a PGP key",
            format!("<ds:PGPData><ds:PGPKeyPacket>{spki}</ds:PGPKeyPacket></ds:PGPData>"),
        ),
        ("management data", "<ds:MgmtData>trust me</ds:MgmtData>".into()),
        ("an address", retrieval(&fetched)),
        ("a file", retrieval("file:///etc/hostname")),
        (
            "a reference to a key",
            format!("<dsig11:KeyInfoReference {dsig11} URI=\"{fetched}\"/>"),
        ),
        (
            "the address of a certificate",
            format!("<ds:X509Data><ds:X509URL>{fetched}</ds:X509URL></ds:X509Data>"),
        ),
        ("a loop", format!("<x Id=\"loop\">{}</x>", retrieval("#loop"))),
        ("a thousand steps", (0..1000).map(|n| retrieval(&format!("#k{n}"))).collect()),
        (
            "a transform on the way to the key",
            retrieval(&fetched).replace(
                "/>",
                "><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/>\
                 </ds:Transforms></ds:RetrievalMethod>",
            ),
        ),
    ]
}

/// The KeyInfo of the outermost signature replaced: no signature covers it.
fn offering(message: &str, offered: &str) -> Xml {
    let xml = Xml::new(message);
    let outermost =
        ["Response/Signature", "Assertion/Signature"].into_iter().find(|it| xml.has(it));
    let path = outermost.expect("a signature");
    let key_info = format!("<ds:KeyInfo>{offered}</ds:KeyInfo>");
    xml.without_any(&format!("{path}/KeyInfo")).last_in(path, key_info)
}

both!(a_key_that_the_document_brings_along_counts_for_nothing, brought);
async fn brought(on: On) {
    let ambush = Ambush::on(on).await;
    // Its certificate has the same name as the IdP's.
    let stranger = Forger::new(&ambush.world.clock);
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        let mut said = ambush.says(&waiting);
        said.name_id = Some(VICTIM.into());
        let forged = stranger.signed(&said, base.sign());
        for (what, offered) in key_infos(&ambush, &stranger) {
            let message = ambush.as_sent(base, offering(&forged, &offered).as_str());
            let attack = Attack::new(what, message, "sig.invalid");
            ambush.refuses(&mut waiting, base, &attack).await;
        }
        ambush.says_the_truth(&mut waiting, base).await;

        // The same beside a signature that holds is nobody's business.
        for (_, offered) in key_infos(&ambush, &stranger) {
            let mut waiting = ambush.wait().await;
            let honest = ambush.signed(&waiting, base);
            let message = ambush.as_sent(base, offering(&honest, &offered).as_str());
            ambush.signs_in_the_honest(&mut waiting, message).await;
        }
    }
    assert_eq!(ambush.sink.connections(), 0, "something was fetched");
}

both!(what_the_idp_signed_for_another_purpose_is_no_response, donors);
async fn donors(on: On) {
    let ambush = Ambush::on(on).await;
    let mut waiting = ambush.wait().await;
    let said = ambush.says(&waiting);
    let forged =
        ambush.forger.signed(&Said { name_id: Some(VICTIM.into()), ..said }, Sign::Nothing);
    let forged = Xml::new(forged);
    // Published by many IdPs, signed.
    let metadata = ambush.forger.metadata();
    let metadata = metadata.replacen(" entityID=", " ID=\"_metadata\" entityID=", 1);
    let metadata = Xml::new(ambush.forger.signs(&metadata));
    let protocol = |name: &str, more: &str| {
        ambush.forger.signs(&format!(
            "<samlp:{name} xmlns:samlp=\"{}\" xmlns:saml=\"{}\" ID=\"_donor\" Version=\"2.0\" \
             IssueInstant=\"{}\" InResponseTo=\"{}\"><saml:Issuer>{}</saml:Issuer>{more}</samlp:{name}>",
            ns::SAMLP,
            ns::SAML,
            ambush.world.clock.now(),
            waiting.asked.request.id,
            ambush.forger.entity_id(),
        ))
    };
    let status = forged.outer("Status");
    let logout_response = Xml::new(protocol("LogoutResponse", status.as_str()));
    let logout_request = Xml::new(protocol("LogoutRequest", "<saml:NameID>ada</saml:NameID>"));
    let authn_request = Xml::new(protocol("AuthnRequest", ""));
    let assertion = {
        // Another person's own, honestly obtained Assertion.
        let other = ambush.wait().await;
        let whole = Xml::new(ambush.forger.signed(&ambush.says(&other), Sign::Assertion));
        whole.outer("Assertion").with_attribute("Assertion", "xmlns:saml", ns::SAML)
    };
    let donors = [
        ("metadata", metadata, "sig.ref_not_self", "sig.misplaced"),
        ("a LogoutResponse", logout_response, "sig.ref_not_self", "sig.misplaced"),
        ("a LogoutRequest", logout_request, "sig.ref_not_self", "sig.misplaced"),
        ("an AuthnRequest", authn_request, "sig.ref_not_self", "sig.misplaced"),
        ("another Assertion", assertion, "sig.ref_not_self", "response.misplaced_assertion"),
    ];
    for (what, donor, moved, carried) in donors {
        let attack = Attack::new(what, &donor, "saml.wrong_message");
        ambush.refuses(&mut waiting, Base::Both, &attack).await;
        let root = local_name(&donor);
        let signature = donor.outer(&format!("{root}/Signature"));
        let bare = donor.without(&format!("{root}/Signature"));
        let in_signature =
            signature.last_in("Signature", format!("<ds:Object>{}</ds:Object>", bare.as_str()));
        let extensions = format!("<samlp:Extensions>{}</samlp:Extensions>", donor.as_str());
        for (how, message, code) in [
            ("its signature at the Response", forged.after("Response/Issuer", &signature), moved),
            ("its signature at the Assertion", forged.after("Assertion/Issuer", &signature), moved),
            ("in Extensions", forged.before("Status", &extensions), carried),
            (
                "in its signature at the Response",
                forged.after("Response/Issuer", &in_signature),
                if carried == "sig.misplaced" { "sig.object" } else { carried },
            ),
            ("around the Response", donor.last_in(&root, forged.as_str()), "saml.wrong_message"),
        ] {
            let attack = Attack::new(format!("{what}, {how}"), message, code);
            ambush.refuses(&mut waiting, Base::Both, &attack).await;
        }
    }
    ambush.says_the_truth(&mut waiting, Base::Both).await;
}

fn local_name(xml: &Xml) -> String {
    let name = xml.as_str()[1..].split([' ', '>']).next().unwrap();
    name.rsplit(':').next().unwrap().to_owned()
}
