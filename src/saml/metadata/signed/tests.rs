use super::*;
use crate::saml::fixture::{IDP, at, certificate_of, idp_key, idp_metadata, now, other_key};
use crate::saml::metadata::Requirements;
use crate::saml::{IdpMetadata, MetadataError, MetadataSignature};
use crate::xml::sign::{sign_enveloped, sign_enveloped_at};

/// What an attacker would have us believe.
const EVIL: &str = "https://evil.example/sso";

fn pinned() -> MetadataKey {
    key_of(idp_key())
}

fn key_of(key: &crate::xml::sign::SigningKey) -> MetadataKey {
    // The public half, by way of a signature's own key: what is pinned is compared by value.
    MetadataKey { key: key.public_key().clone(), spki: Vec::new() }
}

fn by(key: &MetadataKey) -> Requirements<'_> {
    Requirements { signed_by: Some(key), ..Requirements::default() }
}

fn plain() -> String {
    idp_metadata().replace(" entityID=", r#" ID="_root" entityID="#)
}

fn signed() -> String {
    sign_enveloped(&plain(), idp_key(), None).unwrap()
}

fn read(xml: &str) -> Result<IdpMetadata, MetadataError> {
    IdpMetadata::parse_as_required(xml.as_bytes(), None, by(&pinned()), now())
}

fn code(xml: &str) -> &'static str {
    match read(xml) {
        Ok(metadata) => panic!("accepted: {:?}", metadata.single_sign_on),
        Err(error) => error.code(),
    }
}

/// The signature of the signed document, and the document without it.
fn parts(xml: &str) -> (String, String) {
    let start = xml.find("<ds:Signature").unwrap();
    let end = xml.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    (xml[start..end].to_owned(), format!("{}{}", &xml[..start], &xml[end..]))
}

fn evil(xml: &str) -> String {
    xml.replace("https://idp.example/sso", EVIL)
}

/// The content of the root element.
fn inner(xml: &str) -> &str {
    let start = xml.find('>').unwrap() + 1;
    &xml[start..xml.rfind("</md:EntityDescriptor>").unwrap()]
}

#[test]
fn a_pinned_key_must_have_signed_the_root() {
    let metadata = read(&signed()).unwrap();
    assert_eq!(metadata.signature, MetadataSignature::Verified);
    assert_eq!(metadata.entity_id.as_str(), IDP);
    // Unsigned, signed by another key, changed after signing.
    assert_eq!(code(&plain()), "metadata.not_signed");
    assert_eq!(code(&sign_enveloped(&plain(), other_key(), None).unwrap()), "metadata.signature");
    assert_eq!(code(&evil(&signed())), "metadata.signature");
    let error = read(&evil(&signed())).unwrap_err().to_string();
    assert!(error.starts_with("line 1: ") && error.contains("pinned key"), "{error}");
    // Without a pinned key a signature says nothing, and the report says that.
    let unpinned = IdpMetadata::parse(signed().as_bytes(), None, now()).unwrap();
    assert_eq!(unpinned.signature, MetadataSignature::Unchecked);
    let unsigned = IdpMetadata::parse(plain().as_bytes(), None, now()).unwrap();
    assert_eq!(unsigned.signature, MetadataSignature::None);
}

/// The eight permutations of SAML Raider, on metadata. The good document stands in them whole.
#[test]
fn no_wrapping_of_signed_metadata_is_believed() {
    let good = signed();
    let (signature, original) = parts(&good);
    let evil_root = |id: &str, content: &str| {
        let start = original.find('>').unwrap() + 1;
        let tag = original[..start].replace("_root", id);
        format!("{tag}{content}</md:EntityDescriptor>")
    };
    let bad = evil(inner(&original));
    let in_signature =
        |what: &str| signature.replace("</ds:Signature>", &format!("{what}</ds:Signature>"));
    let object = in_signature(&format!("<ds:Object>{original}</ds:Object>"));
    let list = |content: &str| {
        format!(
            "<md:EntitiesDescriptor xmlns:md=\"{}\" xmlns:ds=\"{}\" ID=\"_list\">{content}\
             </md:EntitiesDescriptor>",
            ns::MD,
            ns::DS
        )
    };
    let evil_entity = evil_root("_evil", &bad);
    for (name, xml) in [
        ("XSW1", evil_root("_evil", &format!("{}{bad}", in_signature(&original)))),
        ("XSW2", evil_root("_evil", &format!("{original}{signature}{bad}"))),
        ("XSW3", list(&format!("{evil_entity}{good}"))),
        ("XSW4", evil_root("_evil", &format!("{bad}{good}"))),
        ("XSW5", list(&format!("{}{original}", evil_root("_evil", &format!("{signature}{bad}"))))),
        ("XSW6", list(&evil_root("_evil", &format!("{}{bad}", in_signature(&original))))),
        (
            "XSW7",
            evil_root(
                "_root",
                &format!("{signature}<md:Extensions>{original}</md:Extensions>{bad}"),
            ),
        ),
        ("XSW8", evil_root("_root", &format!("{object}{bad}"))),
        (
            "signature in the role",
            good.replace(&signature, "")
                .replace("<md:NameIDFormat>", &format!("{signature}<md:NameIDFormat>")),
        ),
        ("root around the signed entity", list(&good)),
        ("the list borrows the signature", list(&format!("{signature}{evil_entity}"))),
        ("two signatures", good.replace(&signature, &signature.repeat(2))),
        (
            "signature in an extension",
            evil_root("_evil", &format!("<md:Extensions>{signature}</md:Extensions>{bad}")),
        ),
    ] {
        let which = code(&xml);
        assert!(matches!(which, "metadata.signature" | "metadata.not_signed"), "{name}: {which}");
    }
    assert!(read(&good).is_ok());
}

#[test]
fn an_aggregate_is_signed_as_a_whole() {
    let list = format!(
        "<md:EntitiesDescriptor xmlns:md=\"{}\" ID=\"_list\" validUntil=\"{}\">{}{}\
         </md:EntitiesDescriptor>",
        ns::MD,
        at(50),
        plain(),
        plain().replace(IDP, "https://other.example").replace("_root", "_other"),
    );
    let wanted = crate::saml::EntityId::parse(IDP).unwrap();
    let read = |xml: &str| {
        IdpMetadata::parse_as_required(xml.as_bytes(), Some(&wanted), by(&pinned()), now())
    };
    let whole = sign_enveloped(&list, idp_key(), None).unwrap();
    let metadata = read(&whole).unwrap();
    assert_eq!(metadata.valid_until, Some(now().shifted(50_000_000)));
    // Entities in it may be signed by others beside.
    let inside = sign_enveloped_at(&list, "_other", other_key(), None).unwrap();
    let both = sign_enveloped(&inside, idp_key(), None).unwrap();
    assert!(read(&both).is_ok());
    // A signature on the entity alone leaves the times around it open to anybody.
    let entity_only = sign_enveloped_at(&list, "_root", idp_key(), None).unwrap();
    let error = read(&entity_only).unwrap_err();
    assert_eq!(error.code(), "metadata.not_signed");
    let longer = whole.replace(&at(50), &at(5000));
    assert_eq!(read(&longer).unwrap_err().code(), "metadata.signature");
}

#[test]
fn a_key_is_given_in_the_forms_that_federations_publish() {
    let key = PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    let certificate = certificate_of(&key, now().shifted(-1_000_000_000));
    let pem = String::from_utf8(certificate.to_pem().unwrap()).unwrap();
    let public = String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
    let spki = STANDARD.encode(key.public_key_to_der().unwrap());
    let parsed: MetadataKey = pem.parse().unwrap();
    for same in [
        public.clone(),
        spki.clone(),
        format!("Some text before\n{pem}"),
        STANDARD.encode(certificate.to_der().unwrap()),
        format!("{}\n{}\n", &spki[..64], &spki[64..]),
    ] {
        assert_eq!(same.parse::<MetadataKey>(), Ok(parsed.clone()), "{same}");
    }
    // It is kept as one line that reads back.
    assert_eq!(String::from(parsed.clone()), spki);
    let private = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    assert_eq!(private.parse::<MetadataKey>(), Err(InvalidMetadataKey::Private));
    let weak = PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
    let weak = String::from_utf8(weak.public_key_to_pem().unwrap()).unwrap();
    assert!(matches!(weak.parse::<MetadataKey>(), Err(InvalidMetadataKey::Key(_))));
    for bad in ["", "none", "AAAA", "-----BEGIN PUBLIC KEY-----", &pem[..200]] {
        assert!(bad.parse::<MetadataKey>().is_err(), "{bad}");
    }
}
