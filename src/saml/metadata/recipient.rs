use crate::saml::{KeyUse, NoRecipient, Recipient};
use crate::xml::encrypt::{Encryption, EncryptionKey, Gcm, Oaep};
use crate::xml::encryption_algorithm::{ContentAlgorithm, KeyTransport, OaepDigest};
use crate::xml::verify::PublicKey;
use crate::xml::{Element, ns};

/// The keys that something can be encrypted for, as the descriptors of a role are read one by one.
#[derive(Default)]
pub(super) struct Recipients {
    /// For encryption alone; any of them will do (SAML Errata E68).
    dedicated: Option<Recipient>,
    /// For both (SAML Errata E62).
    shared: Option<Recipient>,
    /// Some key was passed over for the algorithms that it is for.
    other_algorithms: bool,
}

impl Recipients {
    /// Looks at a key of this `KeyDescriptor`. The first that is fit counts; whether its certificate
    /// has expired does not matter (SAML V2.0 Metadata Interoperability Profile 2.6.1).
    pub(super) fn consider(&mut self, descriptor: Element<'_>, meant_for: KeyUse, key: &PublicKey) {
        let place = match meant_for {
            KeyUse::Encryption => &mut self.dedicated,
            KeyUse::Both => &mut self.shared,
            KeyUse::Signing => return,
        };
        let Some(key) = EncryptionKey::of(key).filter(|_| place.is_none()) else { return };
        match encryption(descriptor) {
            Some(encryption) => *place = Some(Recipient { key, encryption }),
            None => self.other_algorithms = true,
        }
    }

    pub(super) fn choose(self) -> Result<Recipient, NoRecipient> {
        let none = match self.other_algorithms {
            true => NoRecipient::Algorithms,
            false => NoRecipient::NoKey,
        };
        self.dedicated.or(self.shared).ok_or(none)
    }
}

/// What the `EncryptionMethod` elements leave to choose (SAML Metadata 2.4.1.1). Where they name no
/// algorithm of a kind, any will do. `None`: they name others than those that are used here.
fn encryption(descriptor: Element<'_>) -> Option<Encryption> {
    let named =
        |element: Element<'_>| element.attribute("Algorithm").unwrap_or_default().to_owned();
    let methods: Vec<(String, Element<'_>)> = descriptor
        .children(ns::MD, "EncryptionMethod")
        .map(|method| (named(method), method))
        .collect();
    let contents: Vec<Option<Gcm>> = methods
        .iter()
        .filter(|(uri, _)| uri.ends_with("-gcm") || uri.ends_with("-cbc"))
        .map(|(uri, _)| ContentAlgorithm::from_uri(uri).and_then(Gcm::of))
        .collect();
    let transports: Vec<Option<Oaep>> = methods
        .iter()
        .filter(|(uri, _)| uri.contains("#rsa-"))
        .map(|(uri, method)| oaep(uri, *method))
        .collect();
    let usual = Encryption::USUAL;
    let content = match contents.as_slice() {
        [] => usual.content,
        known if known.contains(&Some(Gcm::Aes256)) => Gcm::Aes256,
        known => known.iter().copied().flatten().next()?,
    };
    let transport = match transports.as_slice() {
        [] => usual.transport,
        known => known.iter().copied().flatten().next()?,
    };
    Some(Encryption { content, transport })
}

/// RSA-OAEP with the digests that are named; SHA-1 where none is (XML-Enc 1.1 5.5.2).
fn oaep(uri: &str, method: Element<'_>) -> Option<Oaep> {
    let algorithm = |namespace, name| {
        let found = method.children(namespace, name).next();
        found.map(|found| found.attribute("Algorithm").unwrap_or_default())
    };
    let digest = match algorithm(ns::DS, "DigestMethod") {
        Some(uri) => OaepDigest::from_uri(uri)?,
        None => OaepDigest::Sha1,
    };
    let mask = match algorithm(ns::XENC11, "MGF") {
        Some(uri) => OaepDigest::from_mask_uri(uri)?,
        None => OaepDigest::Sha1,
    };
    match uri {
        KeyTransport::OAEP_MGF1P => Some(Oaep::Mgf1p { digest }),
        KeyTransport::OAEP => Some(Oaep::Named { digest, mask }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, parse};

    const SHA256: &str =
        r#"<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>"#;
    const SHA512: &str =
        r#"<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha512"/>"#;
    const MGF256: &str = r#"<x:MGF Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/>"#;
    const OLD: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
    const NEW: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
    const RSA_1_5: &str = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";
    const AES128_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes128-gcm";
    const AES192_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes192-gcm";
    const AES256_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
    const AES256_CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
    const TRIPLE_DES: &str = "http://www.w3.org/2001/04/xmlenc#tripledes-cbc";

    fn said(methods: &[(&str, &str)]) -> Option<Encryption> {
        let methods: String = methods
            .iter()
            .map(|(uri, inner)| {
                format!(r#"<EncryptionMethod Algorithm="{uri}">{inner}</EncryptionMethod>"#)
            })
            .collect();
        let xml = format!(
            r#"<KeyDescriptor xmlns="{}" xmlns:ds="{}" xmlns:x="{}">{methods}</KeyDescriptor>"#,
            ns::MD,
            ns::DS,
            ns::XENC11
        );
        encryption(parse(xml.as_bytes(), &Limits::METADATA).unwrap().root())
    }

    #[test]
    fn the_best_of_what_the_metadata_names_is_used_and_nothing_weaker() {
        use OaepDigest::{Sha1, Sha256};
        let usual = Encryption::USUAL;
        let with = |content, transport| Some(Encryption { content, transport });
        let older = |digest| Oaep::Mgf1p { digest };
        for (methods, chosen) in [
            (&[][..], Some(usual)),
            (&[("urn:kw", "")], Some(usual)),
            (&[(AES256_GCM, "")], Some(usual)),
            (&[(AES128_GCM, ""), (AES256_GCM, "")], Some(usual)),
            (&[(AES256_CBC, ""), (AES128_GCM, "")], with(Gcm::Aes128, older(Sha1))),
            (&[(AES256_CBC, ""), (TRIPLE_DES, "")], None),
            (&[(AES192_GCM, "")], None),
            (&[(OLD, "")], Some(usual)),
            (&[(RSA_1_5, ""), (OLD, SHA256)], with(Gcm::Aes256, older(Sha256))),
            (&[(RSA_1_5, "")], None),
            (&[(RSA_1_5, ""), (AES256_GCM, "")], None),
            (&[(OLD, SHA512)], None),
            (
                &[(OLD, SHA512), (NEW, ""), (OLD, "")],
                with(Gcm::Aes256, Oaep::Named { digest: Sha1, mask: Sha1 }),
            ),
            (
                &[(NEW, &format!("{SHA256}{MGF256}")), (AES128_GCM, "")],
                with(Gcm::Aes128, Oaep::Named { digest: Sha256, mask: Sha256 }),
            ),
        ] {
            assert_eq!(said(methods), chosen, "{methods:?}");
        }
    }
}
