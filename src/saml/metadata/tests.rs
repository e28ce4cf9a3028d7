use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use super::*;
use crate::saml::fixture::{IDP, at, base64_of, certificate, certificate_of, idp_metadata, now};
use crate::xml::verify::KeyKind;

fn read(xml: &str) -> Result<IdpMetadata, MetadataError> {
    IdpMetadata::parse(xml.as_bytes(), None, now())
}

fn good() -> IdpMetadata {
    read(&idp_metadata()).unwrap()
}

/// The metadata with its `KeyDescriptor` replaced.
fn with_keys(descriptors: &str) -> Result<IdpMetadata, MetadataError> {
    let xml = idp_metadata();
    let start = xml.find("<md:KeyDescriptor").unwrap();
    let end = xml.find("</md:KeyDescriptor>").unwrap() + "</md:KeyDescriptor>".len();
    read(&format!("{}{descriptors}{}", &xml[..start], &xml[end..]))
}

fn key(attributes: &str, key_info: &str) -> String {
    format!("<md:KeyDescriptor{attributes}><ds:KeyInfo>{key_info}</ds:KeyInfo></md:KeyDescriptor>")
}

fn x509(certificates: &[&str]) -> String {
    let each = certificates.iter().map(|c| format!("<ds:X509Certificate>{c}</ds:X509Certificate>"));
    format!("<ds:X509Data>{}</ds:X509Data>", each.collect::<String>())
}

fn fresh() -> String {
    base64_of(&certificate(now().shifted(1_000_000)))
}

fn several(entities: &[String]) -> String {
    let inner = entities.concat();
    format!(r#"<md:EntitiesDescriptor xmlns:md="{}">{inner}</md:EntitiesDescriptor>"#, ns::MD)
}

fn named(entity_id: &str) -> String {
    idp_metadata().replace(IDP, entity_id)
}

fn is_content(result: Result<IdpMetadata, MetadataError>, wanted: &ContentFault) -> bool {
    matches!(result, Err(MetadataError::Content { fault, .. }) if fault == *wanted)
}

#[test]
fn everything_that_is_needed_is_read() {
    let metadata = good();
    assert_eq!(metadata.entity_id.as_str(), IDP);
    assert_eq!(metadata.valid_until, None);
    assert!(metadata.want_authn_requests_signed);
    assert_eq!(
        metadata.single_sign_on,
        [Endpoint {
            binding: Binding::Post,
            location: "https://idp.example/sso".into(),
            response_location: None
        }]
    );
    assert_eq!(
        metadata.single_logout,
        [Endpoint {
            binding: Binding::Redirect,
            location: "https://idp.example/slo".into(),
            response_location: Some("https://idp.example/slo/answer".into())
        }]
    );
    assert_eq!(metadata.name_id_formats, ["urn:format"]);
    assert_eq!(metadata.display_name, None);
    assert_eq!(metadata.warnings, []);
    let [key] = metadata.key_info.as_slice() else { panic!("{:?}", metadata.key_info) };
    assert_eq!((key.kind, key.bits), (KeyKind::Ec, 256));
    assert_eq!(key.thumbprint, metadata.signing_keys.keys()[0].thumbprint());
    let certificate = key.certificate.as_ref().unwrap();
    assert_eq!(certificate.subject, "CN=idp.example");
    assert_eq!(certificate.not_after, now().shifted(1_000_000_000));
}

#[test]
fn keys_without_use_verify_and_keys_for_encryption_do_not() {
    let (one, two) = (fresh(), fresh());
    let key_count = |xml: &str| with_keys(xml).map(|metadata| metadata.key_info.len());
    let none = |xml: &str| {
        matches!(
            with_keys(xml),
            Err(MetadataError::Content { fault: ContentFault::NoSigningKey(_), line: 2, .. })
        )
    };
    assert_eq!(key_count(&key("", &x509(&[&one]))), Ok(1));
    assert!(none(&key(r#" use="encryption""#, &x509(&[&one]))));
    assert!(none(&key("", "<ds:KeyName>x</ds:KeyName>")));
    assert!(none(""));
    let both = key(r#" use="signing""#, &x509(&[&one])) + &key("", &x509(&[&two]));
    assert_eq!(key_count(&both), Ok(2));
    let same = key(r#" use="signing""#, &x509(&[&one])) + &key("", &x509(&[&one]));
    assert_eq!(key_count(&same), Ok(1));
}

#[test]
fn only_the_first_certificate_of_a_chain_is_the_identity_providers() {
    let (own, issuer) = (fresh(), fresh());
    let chain = with_keys(&key("", &x509(&[&own, &issuer]))).unwrap();
    let alone = with_keys(&key("", &x509(&[&own]))).unwrap();
    assert_eq!(chain.key_info, alone.key_info);
}

#[test]
fn a_certificate_is_read_with_line_breaks_and_a_damaged_one_is_named() {
    let certificate = fresh();
    let wrapped: String = certificate.chars().flat_map(|c| [c, '\n', ' ']).collect();
    assert!(with_keys(&key("", &x509(&[&wrapped]))).is_ok());
    let cut = &certificate[..certificate.len() - 8];
    for damaged in [cut, "", "x", "-----BEGIN CERTIFICATE-----"] {
        let result = with_keys(&key("", &x509(&[damaged])));
        assert!(is_content(result, &ContentFault::Certificate), "{damaged}");
    }
}

#[test]
fn a_bare_rsa_key_is_read_and_a_weak_one_is_not_used() {
    let key_value = |bits: u32| {
        use ::base64::Engine as _;
        let base64 = |bytes: Vec<u8>| ::base64::engine::general_purpose::STANDARD.encode(bytes);
        let rsa = Rsa::generate(bits).unwrap();
        let (n, e) = (base64(rsa.n().to_vec()), base64(rsa.e().to_vec()));
        format!(
            "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{n}</ds:Modulus>\
             <ds:Exponent>{e}</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
        )
    };
    let metadata = with_keys(&key("", &key_value(2048))).unwrap();
    let [info] = metadata.key_info.as_slice() else { panic!("{:?}", metadata.key_info) };
    assert_eq!((info.kind, info.bits, &info.certificate), (KeyKind::Rsa, 2048, &None));
    let weak = key_value(1024);
    let both = with_keys(&(key("", &weak) + &key("", &x509(&[&fresh()])))).unwrap();
    assert_eq!(both.key_info.len(), 1);
    assert!(matches!(both.warnings.as_slice(), [MetadataWarning::KeyIgnored { line: 3, .. }]));
    let alone = with_keys(&key("", &weak)).unwrap_err();
    assert_eq!(alone.code(), "metadata.no_signing_key");
    assert!(alone.to_string().contains("1024 bits"), "{alone}");
}

#[test]
fn an_expired_certificate_is_a_warning_and_not_an_error() {
    let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let expired = base64_of(&certificate_of(&rsa, now()));
    let metadata = with_keys(&key("", &x509(&[&expired]))).unwrap();
    assert_eq!(
        metadata.warnings,
        [MetadataWarning::CertificateExpired { subject: "CN=idp.example".into(), at: now() }]
    );
    assert_eq!(metadata.key_info.len(), 1);
}

#[test]
fn expired_metadata_is_refused_wherever_it_says_so() {
    let entity = |time: &str| {
        idp_metadata().replace(" entityID=", &format!(r#" validUntil="{time}" entityID="#))
    };
    let role = |xml: String, time: &str| {
        xml.replace(" WantAuthn", &format!(r#" validUntil="{time}" WantAuthn"#))
    };
    let around = |xml: String, time: &str| {
        several(&[xml]).replace(
            "EntitiesDescriptor xmlns:md",
            &format!(r#"EntitiesDescriptor validUntil="{time}" xmlns:md"#),
        )
    };
    let until = |xml: String| read(&xml).map(|metadata| metadata.valid_until);
    assert_eq!(until(entity(&at(1))), Ok(Some(now().shifted(1_000_000))));
    assert_eq!(until(role(entity(&at(9)), &at(5))), Ok(Some(now().shifted(5_000_000))));
    assert_eq!(until(role(entity(&at(5)), &at(9))), Ok(Some(now().shifted(5_000_000))));
    let expired = |xml: String| matches!(until(xml), Err(MetadataError::Expired { .. }));
    assert!(expired(entity(&at(0))));
    assert!(expired(role(idp_metadata(), &at(-1))));
    assert!(expired(around(entity(&at(9)), &at(-1))));
    assert!(is_content(read(&entity("soon")), &ContentFault::Time("validUntil")));
}

#[test]
fn the_entity_is_chosen_by_its_name() {
    let (one, two) = (named("https://one.example"), named("https://two.example"));
    let sp = named("https://sp.example").replace("IDPSSODescriptor", "SPSSODescriptor");
    let saml1 = named("https://old.example").replace(
        r#"protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol""#,
        r#"protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol""#,
    );
    let wanted = |xml: &str, id: &str| {
        let id = EntityId::parse(id).unwrap();
        IdpMetadata::parse(xml.as_bytes(), Some(&id), now()).map(|metadata| metadata.entity_id)
    };
    let file = several(&[several(&[one.clone(), sp.clone()]), two.clone(), saml1.clone()]);
    assert_eq!(wanted(&file, "https://two.example").unwrap().as_str(), "https://two.example");
    assert_eq!(wanted(&file, "https://one.example").unwrap().as_str(), "https://one.example");
    assert_eq!(read(&file).map(|_| ()).unwrap_err().code(), "metadata.ambiguous");
    for other in ["https://sp.example", "https://old.example", "https://one.example/"] {
        assert_eq!(wanted(&file, other).unwrap_err().code(), "metadata.other_entity");
    }
    let single = several(&[sp.clone(), one.clone(), saml1]);
    assert_eq!(read(&single).unwrap().entity_id.as_str(), "https://one.example");
    assert_eq!(read(&several(&[sp])).unwrap_err(), MetadataError::NoIdentityProvider);
    let twice = several(&[one.clone(), one]);
    assert_eq!(wanted(&twice, "https://one.example").unwrap_err().code(), "metadata.ambiguous");
    assert!(wanted(&two, "https://two.example").is_ok());
    assert_eq!(wanted(&two, IDP).unwrap_err().code(), "metadata.other_entity");
}

#[test]
fn every_url_is_checked_and_the_bad_one_is_named() {
    for (location, attribute, element) in [
        ("https://idp.example/sso", "Location", "SingleSignOnService"),
        ("https://idp.example/shib", "Location", "SingleSignOnService"),
        ("https://idp.example/slo", "Location", "SingleLogoutService"),
        ("https://idp.example/slo/answer", "ResponseLocation", "SingleLogoutService"),
    ] {
        let bad = "javascript:alert(1)";
        let xml = idp_metadata();
        let error =
            read(&xml.replace(&format!("\"{location}\""), &format!("\"{bad}\""))).unwrap_err();
        let fault = LocationFault::Scheme;
        match error {
            MetadataError::Content { element: found, fault: found_fault, line } => {
                assert_eq!(found, element);
                assert!(line > 2);
                let value = bad.to_owned();
                assert_eq!(found_fault, ContentFault::Location { attribute, value, fault });
            }
            other => panic!("{other}"),
        }
    }
    let loopback = idp_metadata().replace("https://idp.example/s", "http://localhost:9000/s");
    assert!(read(&loopback).is_ok());
}

#[test]
fn an_identity_provider_can_be_asked() {
    let redirect = Binding::Redirect.uri();
    let without_sso = idp_metadata().replace(Binding::Post.uri(), "urn:other");
    assert!(is_content(read(&without_sso), &ContentFault::NoSingleSignOn));
    let without_slo = read(&idp_metadata().replace(redirect, Binding::Soap.uri())).unwrap();
    assert_eq!(without_slo.warnings, [MetadataWarning::NoSingleLogout]);
    assert_eq!(without_slo.single_logout.len(), 1);
}

#[test]
fn names_for_people_are_found() {
    let info = |names: &str| {
        format!(
            r#"<md:Extensions><u:UIInfo xmlns:u="{}">{names}</u:UIInfo></md:Extensions><md:KeyDescriptor"#,
            ns::MDUI
        )
    };
    let german = r#"<u:DisplayName xml:lang="de">Anmeldung</u:DisplayName>"#;
    let english = r#"<u:DisplayName xml:lang="en"> Sign-in &lt;b&gt; </u:DisplayName>"#;
    let organisation = "</md:IDPSSODescriptor><md:Organization><md:OrganizationDisplayName \
        xml:lang=\"fr\">Exemple</md:OrganizationDisplayName></md:Organization>";
    let name = |xml: String| read(&xml).unwrap().display_name;
    let with = |names: &str| {
        idp_metadata()
            .replacen("<md:KeyDescriptor", &info(names), 1)
            .replace("</md:IDPSSODescriptor>", organisation)
    };
    assert_eq!(name(with(&format!("{german}{english}"))).as_deref(), Some("Sign-in <b>"));
    assert_eq!(name(with(german)).as_deref(), Some("Anmeldung"));
    assert_eq!(name(with("")).as_deref(), Some("Exemple"));
}

#[test]
fn what_is_no_metadata_is_refused_with_the_place() {
    assert!(matches!(read("<html/>"), Err(MetadataError::NotMetadata { line: 1, .. })));
    assert!(matches!(read("<a>"), Err(MetadataError::Xml(_))));
    assert!(matches!(
        read(&idp_metadata().replace("entityID=", "entityId=")),
        Err(MetadataError::Shape(_))
    ));
    assert!(is_content(read(&named("idp")), &ContentFault::EntityId));
    let role_start = idp_metadata().find("<md:IDPSSODescriptor").unwrap();
    let role_end = idp_metadata().find("</md:EntityDescriptor>").unwrap();
    let xml = idp_metadata();
    let doubled = format!("{}{}{}", &xml[..role_end], &xml[role_start..role_end], &xml[role_end..]);
    assert!(is_content(read(&doubled), &ContentFault::SecondRole));
}
