use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use super::*;
use crate::saml::Binding;
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

/// The only thing that is wrong.
fn only(result: Result<IdpMetadata, MetadataError>) -> Finding {
    match result.unwrap_err() {
        MetadataError::Content(findings) => match findings.as_slice() {
            [only] => only.clone(),
            more => panic!("{more:?}"),
        },
        other => panic!("{other}"),
    }
}

fn is_content(result: Result<IdpMetadata, MetadataError>, wanted: &ContentFault) -> bool {
    only(result).fault == *wanted
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
            response_location: None,
            index: None,
            asynchronous: false,
        }]
    );
    assert_eq!(
        metadata.single_logout,
        [Endpoint {
            binding: Binding::Redirect,
            location: "https://idp.example/slo".into(),
            response_location: Some("https://idp.example/slo/answer".into()),
            index: None,
            asynchronous: false,
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
        let only = only(with_keys(xml));
        matches!(only.fault, ContentFault::NoSigningKey(_)) && only.line == 2
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
    assert_eq!(chain.warnings, [MetadataWarning::ChainIgnored { line: 3 }]);
    assert_eq!(alone.warnings, []);
    // Each X509Data has a first one.
    let both = with_keys(&key("", &(x509(&[&own]) + &x509(&[&issuer])))).unwrap();
    assert_eq!(both.key_info.len(), 2);
}

#[test]
fn a_certificate_is_read_with_line_breaks_and_a_damaged_one_is_named() {
    let certificate = fresh();
    let wrapped: String = certificate.chars().flat_map(|c| [c, '\n', ' ']).collect();
    assert!(with_keys(&key("", &x509(&[&wrapped]))).is_ok());
    let cut = &certificate[..certificate.len() - 8];
    for damaged in [cut, "", "x", "-----BEGIN CERTIFICATE-----"] {
        let found = only(with_keys(&key("", &x509(&[damaged]))));
        assert_eq!(found.fault, ContentFault::Certificate, "{damaged}");
        assert_eq!((found.element.as_str(), found.line), ("X509Certificate", 3));
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
    assert!(
        alone
            .to_string()
            .contains("line 3: KeyValue: a signing key is not used: the RSA key has 1024 bits"),
        "{alone}"
    );
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
    let expired = |xml: String| {
        let found = only(read(&xml));
        matches!(found.fault, ContentFault::Expired { .. }).then_some(found.element)
    };
    assert_eq!(expired(entity(&at(0))).as_deref(), Some("EntityDescriptor"));
    assert_eq!(expired(role(idp_metadata(), &at(-1))).as_deref(), Some("IDPSSODescriptor"));
    let outside = expired(around(entity(&at(9)), &at(-1)));
    assert_eq!(outside.as_deref(), Some("EntitiesDescriptor"));
    // A child cannot make it longer.
    assert_eq!(until(around(entity(&at(9)), &at(3))), Ok(Some(now().shifted(3_000_000))));
    let no_time = ContentFault::Time { attribute: "validUntil", kind: "a date and time" };
    assert!(is_content(read(&entity("soon")), &no_time));
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
        let found = only(Err(error));
        assert_eq!(found.element, element);
        assert!(found.line > 2);
        let value = bad.to_owned();
        assert_eq!(found.fault, ContentFault::Location { attribute, value, fault });
    }
    let loopback = idp_metadata().replace("https://idp.example/s", "http://localhost:9000/s");
    assert!(read(&loopback).is_ok());
}

#[test]
fn an_identity_provider_can_be_asked() {
    let redirect = Binding::Redirect.uri();
    let without_sso = idp_metadata().replace(Binding::Post.uri(), "urn:other");
    assert!(is_content(read(&without_sso), &ContentFault::NoSingleSignOn));
    let by_soap = read(&idp_metadata().replace(redirect, Binding::Soap.uri())).unwrap();
    assert_eq!((by_soap.warnings, by_soap.single_logout.len()), (vec![], 1));
    let without_slo = read(&idp_metadata().replace(redirect, "urn:other")).unwrap();
    assert_eq!(without_slo.warnings, [MetadataWarning::NoSingleLogout]);
    assert!(without_slo.single_logout.is_empty());
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
    let nameless = read(&idp_metadata().replace("entityID=", "entityId="));
    assert!(is_content(nameless, &ContentFault::MissingAttribute("entityID".into())));
    assert!(is_content(read(&named("idp")), &ContentFault::EntityId));
    // One document: each has a certificate of its own, of one length or another.
    let xml = idp_metadata();
    let role_start = xml.find("<md:IDPSSODescriptor").unwrap();
    let role_end = xml.find("</md:EntityDescriptor>").unwrap();
    let doubled = format!("{}{}{}", &xml[..role_end], &xml[role_start..role_end], &xml[role_end..]);
    assert!(is_content(read(&doubled), &ContentFault::SecondRole));
}

#[test]
fn several_faults_are_told_at_once_each_with_its_place() {
    let xml = idp_metadata()
        .replace("https://idp.example/sso", "javascript:alert(1)")
        .replace("https://idp.example/slo/answer", "data:text/html,x")
        .replace("<md:KeyDescriptor use=\"signing\">", "<md:KeyDescriptor use=\"both\">")
        .replace(" WantAuthn", " errorURL=\"vbscript:x\" cacheDuration=\"soon\" WantAuthn");
    let error = read(&xml).unwrap_err();
    let told: Vec<_> =
        error.findings().iter().map(|it| (it.element.as_str(), it.line, it.fault.code())).collect();
    assert_eq!(
        told,
        [
            ("IDPSSODescriptor", 2, "metadata.time"),
            ("KeyDescriptor", 3, "metadata.key_use"),
            ("SingleLogoutService", 4, "metadata.location"),
            ("SingleSignOnService", 6, "metadata.location"),
            ("IDPSSODescriptor", 2, "metadata.location"),
        ]
    );
    assert_eq!(error.code(), "metadata.time");
    let text = error.to_string();
    assert!(text.contains("line 4: SingleLogoutService: ResponseLocation \"data:"), "{text}");
    // A file full of faults is not told to its end.
    let endpoint = "<md:SingleSignOnService Binding=\"x\"/>";
    let flood = idp_metadata().replacen(
        "<md:NameIDFormat>",
        &(endpoint.repeat(20_000) + "<md:NameIDFormat>"),
        1,
    );
    assert_eq!(read(&flood).unwrap_err().findings().len(), 20);
}

#[test]
fn the_first_role_for_saml_2_counts_and_unknown_things_do_not_matter() {
    let xml = idp_metadata();
    let (start, end) =
        (xml.find("<md:IDPSSODescriptor").unwrap(), xml.find("</md:EntityDescriptor>").unwrap());
    // The role of another protocol, with everything in it that would be refused.
    let old = xml[start..end]
        .replace(ns::SAMLP, "urn:oasis:names:tc:SAML:1.1:protocol urn:mace:shibboleth:1.0")
        .replace("https://idp.example/sso", "javascript:alert(1)");
    let extensions = "<md:Extensions><x:y xmlns:x=\"urn:x:y\" z=\"1\"><md:KeyDescriptor/></x:y>\
        </md:Extensions>";
    let strange = format!("{}{old}{}", &xml[..start], &xml[start..])
        .replace("\"><ds:KeyInfo>", "\" x:odd=\"1\" xmlns:x=\"urn:x:y\" odd=\"2\"><ds:KeyInfo>")
        .replacen("\n<md:KeyDescriptor", &format!("\n{extensions}<md:KeyDescriptor"), 2);
    assert_ne!(strange, xml);
    let read = read(&strange).unwrap();
    assert_eq!(read.single_sign_on[0].location, "https://idp.example/sso");
    assert_eq!(read.other_endpoints.len(), 1);
    assert_eq!(read.other_endpoints[0].binding, "urn:mace:shibboleth:1.0:profiles:AuthnRequest");
}

#[test]
fn what_else_it_says_is_kept() {
    let more = "<md:Extensions><s:Scope xmlns:s=\"urn:mace:shibboleth:metadata:1.0\"> example.org \
        </s:Scope><s:Scope xmlns:s=\"urn:mace:shibboleth:metadata:1.0\" regexp=\"true\">.*</s:Scope>\
        <s:Scope xmlns:s=\"urn:mace:shibboleth:metadata:1.0\" regexp=\"false\">example.com</s:Scope>\
        </md:Extensions><md:KeyDescriptor";
    let xml = idp_metadata()
        .replacen("<md:KeyDescriptor", more, 1)
        .replace(" WantAuthn", " errorURL=\"https://idp.example/help?c=ERRORURL_CODE\" WantAuthn")
        .replace(
            " ResponseLocation",
            " index=\"7\" a:supportsAsynchronous=\"true\" \
              xmlns:a=\"urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo\" ResponseLocation",
        );
    let metadata = read(&xml).unwrap();
    assert_eq!(metadata.scopes, ["example.org", "example.com"]);
    assert_eq!(metadata.warnings, [MetadataWarning::ScopeIgnored { line: 3 }]);
    assert_eq!(metadata.error_url.as_deref(), Some("https://idp.example/help?c=ERRORURL_CODE"));
    let [slo] = metadata.single_logout.as_slice() else { panic!("{metadata:?}") };
    assert_eq!((slo.index, slo.asynchronous), (Some(7), true));
    let plain = good();
    assert_eq!((plain.scopes.len(), plain.error_url), (0, None));
}
