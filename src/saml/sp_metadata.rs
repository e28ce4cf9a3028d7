use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Binding, EntityId};
use crate::clock::Timestamp;
use crate::xml::encryption_algorithm::{ContentAlgorithm, KeyTransport, OaepDigest};
use crate::xml::ns;
use crate::xml::write::{WriteError, Writer};

/// What we say of ourselves to IdPs (SAML Metadata 2.4.4).
#[derive(Clone, PartialEq, Debug)]
pub struct SpMetadata {
    /// Of the document: whoever signs it refers to it.
    pub id: String,
    pub entity_id: EntityId,
    pub valid_until: Timestamp,
    /// Where Responses come in, by POST. The first one is the default.
    pub acs: Vec<String>,
    /// Where logout messages come in, by Redirect and POST.
    pub slo: String,
    /// Where LogoutRequests come in by SOAP.
    pub slo_soap: String,
    /// Certificates in DER, each in a KeyDescriptor of its own; two during a rollover.
    pub signing_certificates: Vec<Vec<u8>>,
    /// As above, of the keys that we decrypt with. None: IdPs cannot encrypt for us.
    pub encryption_certificates: Vec<Vec<u8>>,
    /// What NameIDs are wanted, best first. Some IdPs choose by this list.
    pub name_id_formats: Vec<String>,
}

impl SpMetadata {
    /// The unsigned document, its elements in the order of the schema.
    ///
    /// # Errors
    /// If a value holds a character that XML cannot carry.
    pub fn to_xml(&self) -> Result<String, WriteError> {
        let mut writer = Writer::new();
        let valid_until = self.valid_until.to_string();
        writer.open(
            "md:EntityDescriptor",
            &[
                ("xmlns:md", ns::MD),
                ("ID", &self.id),
                ("entityID", self.entity_id.as_str()),
                ("validUntil", &valid_until),
            ],
        );
        writer.open(
            "md:SPSSODescriptor",
            &[
                ("AuthnRequestsSigned", "true"),
                ("WantAssertionsSigned", "true"),
                ("protocolSupportEnumeration", ns::SAMLP),
            ],
        );
        for certificate in &self.signing_certificates {
            open_key(&mut writer, "signing", certificate).close();
        }
        for certificate in &self.encryption_certificates {
            open_key(&mut writer, "encryption", certificate);
            write_encryption_methods(&mut writer);
            writer.close();
        }
        for (binding, location) in [
            (Binding::Redirect, &self.slo),
            (Binding::Post, &self.slo),
            (Binding::Soap, &self.slo_soap),
        ] {
            let attributes = [("Binding", binding.uri()), ("Location", location.as_str())];
            writer.open("md:SingleLogoutService", &attributes).close();
        }
        for format in &self.name_id_formats {
            writer.leaf("md:NameIDFormat", &[], format);
        }
        for (index, acs) in self.acs.iter().enumerate() {
            let index = index.to_string();
            let mut attributes = vec![
                ("Binding", Binding::Post.uri()),
                ("Location", acs.as_str()),
                ("index", index.as_str()),
            ];
            attributes.extend((index == "0").then_some(("isDefault", "true")));
            writer.open("md:AssertionConsumerService", &attributes).close();
        }
        writer.close().close();
        writer.finish()
    }
}

/// A KeyDescriptor up to the end of its KeyInfo. The caller closes it.
fn open_key<'w>(writer: &'w mut Writer, usage: &str, certificate: &[u8]) -> &'w mut Writer {
    writer.open("md:KeyDescriptor", &[("use", usage)]);
    writer.open("ds:KeyInfo", &[("xmlns:ds", ns::DS)]).open("ds:X509Data", &[]);
    writer.leaf("ds:X509Certificate", &[], &STANDARD.encode(certificate)).close().close()
}

/// What we decrypt, the best first (SAML Metadata 2.4.1.1). AES-CBC is not among it: whoever reads
/// this can do better.
fn write_encryption_methods(writer: &mut Writer) {
    for content in [ContentAlgorithm::Aes256Gcm, ContentAlgorithm::Aes128Gcm] {
        writer.leaf("md:EncryptionMethod", &[("Algorithm", content.uri())], "");
    }
    for (name, digest, mask) in [
        (KeyTransport::OAEP, OaepDigest::Sha256, Some(OaepDigest::Sha256)),
        (KeyTransport::OAEP, OaepDigest::Sha256, Some(OaepDigest::Sha1)),
        (KeyTransport::OAEP, OaepDigest::Sha1, Some(OaepDigest::Sha1)),
        (KeyTransport::OAEP_MGF1P, OaepDigest::Sha256, None),
        (KeyTransport::OAEP_MGF1P, OaepDigest::Sha1, None),
    ] {
        writer.open("md:EncryptionMethod", &[("Algorithm", name)]);
        let algorithm = [("xmlns:ds", ns::DS), ("Algorithm", digest.uri())];
        writer.leaf("ds:DigestMethod", &algorithm, "");
        if let Some(mask) = mask {
            let algorithm = [("xmlns:xenc11", ns::XENC11), ("Algorithm", mask.mask_uri())];
            writer.leaf("xenc11:MGF", &algorithm, "");
        }
        writer.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::fixture::idp_key;
    use crate::xml::sign::sign_enveloped;
    use crate::xml::{Limits, parse};

    fn metadata() -> SpMetadata {
        SpMetadata {
            id: "_m".into(),
            entity_id: EntityId::parse("https://sp.example/saml/metadata?a=1&b=2").unwrap(),
            valid_until: Timestamp::from_seconds(1_795_000_000),
            acs: vec!["https://sp.example/saml/acs".into(), "https://old.example/acs".into()],
            slo: "https://sp.example/logout".into(),
            slo_soap: "https://sp.example/logout/soap".into(),
            signing_certificates: vec![b"one".to_vec(), b"two".to_vec()],
            encryption_certificates: vec![b"three".to_vec()],
            name_id_formats: vec!["urn:a".into()],
        }
    }

    #[test]
    fn the_elements_stand_in_the_order_of_the_schema() {
        let xml = metadata().to_xml().unwrap();
        let document = parse(xml.as_bytes(), &Limits::METADATA).unwrap();
        let root = document.root();
        assert!(root.is(ns::MD, "EntityDescriptor"));
        assert_eq!(root.attribute("entityID"), Some("https://sp.example/saml/metadata?a=1&b=2"));
        assert_eq!(root.attribute("validUntil"), Some("2026-11-18T11:06:40Z"));
        let role = root.required(ns::MD, "SPSSODescriptor").unwrap();
        let names: Vec<_> = role.elements().map(|element| element.local_name()).collect();
        assert_eq!(
            names,
            [
                "KeyDescriptor",
                "KeyDescriptor",
                "KeyDescriptor",
                "SingleLogoutService",
                "SingleLogoutService",
                "SingleLogoutService",
                "NameIDFormat",
                "AssertionConsumerService",
                "AssertionConsumerService",
            ]
        );
        let acs: Vec<_> = role
            .children(ns::MD, "AssertionConsumerService")
            .map(|e| (e.attribute("index"), e.attribute("isDefault"), e.attribute("Location")))
            .collect();
        assert_eq!(
            acs,
            [
                (Some("0"), Some("true"), Some("https://sp.example/saml/acs")),
                (Some("1"), None, Some("https://old.example/acs")),
            ]
        );
    }

    #[test]
    fn each_key_has_one_use_and_that_for_encryption_says_for_which() {
        let xml = metadata().to_xml().unwrap();
        let document = parse(xml.as_bytes(), &Limits::METADATA).unwrap();
        let role = document.root().required(ns::MD, "SPSSODescriptor").unwrap();
        let keys: Vec<_> = role.children(ns::MD, "KeyDescriptor").collect();
        let uses: Vec<_> = keys.iter().map(|key| key.attribute("use").unwrap()).collect();
        assert_eq!(uses, ["signing", "signing", "encryption"]);
        assert_eq!(keys[0].elements().count(), 1);
        // KeyInfo comes first (SAML Metadata 2.4.1.1).
        assert!(keys[2].elements().next().unwrap().is(ns::DS, "KeyInfo"));
        let methods: Vec<_> = keys[2]
            .children(ns::MD, "EncryptionMethod")
            .map(|method| {
                let parameters = method.elements().map(|e| e.attribute("Algorithm").unwrap());
                let names = std::iter::once(method.attribute("Algorithm").unwrap());
                let last = |uri: &str| uri.rsplit('#').next().unwrap().to_owned();
                names.chain(parameters).map(last).collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(
            methods,
            [
                "aes256-gcm",
                "aes128-gcm",
                "rsa-oaep sha256 mgf1sha256",
                "rsa-oaep sha256 mgf1sha1",
                "rsa-oaep sha1 mgf1sha1",
                "rsa-oaep-mgf1p sha256",
                "rsa-oaep-mgf1p sha1",
            ]
        );
    }

    #[test]
    fn it_can_be_signed_by_its_id() {
        let signed = sign_enveloped(&metadata().to_xml().unwrap(), idp_key(), None).unwrap();
        let document = parse(signed.as_bytes(), &Limits::METADATA).unwrap();
        let first = document.root().elements().next().unwrap();
        assert!(first.is(ns::DS, "Signature"));
    }
}
