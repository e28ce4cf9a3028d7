use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{X509, X509NameRef};

use super::error::{ContentFault, Found, MetadataWarning};
use super::key_value;
use super::recipient::Recipients;
use crate::clock::Timestamp;
use crate::saml::{NoRecipient, Recipient};
use crate::xml::verify::{KeyError, KeyKind, PublicKey, Thumbprint, TrustedKeys};
use crate::xml::{Element, ns};

/// Signing keys of one IdP. A verification tries them all, so their number is work for whoever sends
/// us something.
pub const MOST_SIGNING_KEYS: usize = 8;

/// A key as people look at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyInfo {
    pub thumbprint: Thumbprint,
    pub kind: KeyKind,
    pub bits: u32,
    pub meant_for: KeyUse,
    /// Absent for a bare `ds:KeyValue`.
    pub certificate: Option<CertificateInfo>,
}

/// What a `KeyDescriptor` says that its key is for (SAML Metadata 2.4.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyUse {
    Signing,
    Encryption,
    /// No `use`: both (SAML Errata E62).
    Both,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateInfo {
    pub subject: String,
    pub not_after: Timestamp,
}

pub(super) struct Keys {
    /// Absent if there is none; a fault has been noted then.
    pub(super) trusted: Option<TrustedKeys>,
    /// The same keys, in the same order.
    pub(super) signing: Vec<KeyInfo>,
    pub(super) encryption: Vec<KeyInfo>,
    pub(super) recipient: Result<Recipient, NoRecipient>,
}

/// The keys of this role. Those meant for signing and those without `use` verify its signatures; one
/// for encryption alone never does.
pub(super) fn read(role: Element<'_>, now: Timestamp, found: &mut Found) -> Keys {
    let faults_before = found.fault_count();
    let mut keys: Vec<PublicKey> = Vec::new();
    let mut signing: Vec<KeyInfo> = Vec::new();
    let mut encryption: Vec<KeyInfo> = Vec::new();
    let mut recipients = Recipients::default();
    for descriptor in role.children(ns::MD, "KeyDescriptor") {
        if found.is_full() {
            break;
        }
        let Some(meant_for) = key_use(descriptor, found) else { continue };
        let Some(key_info) = found.take(descriptor.required(ns::DS, "KeyInfo")) else { continue };
        let may_verify = meant_for != KeyUse::Encryption;
        for (key, certificate) in keys_of(key_info, may_verify, found) {
            recipients.consider(descriptor, meant_for, &key);
            let known = if may_verify { &mut signing } else { &mut encryption };
            if known.iter().any(|known| known.thumbprint == key.thumbprint()) {
                continue;
            }
            if known.len() == MOST_SIGNING_KEYS {
                if may_verify {
                    let most = MOST_SIGNING_KEYS;
                    found.fault(descriptor, ContentFault::TooManyKeys { most });
                }
                break;
            }
            if let Some(expired) = certificate.as_ref().filter(|known| known.not_after <= now) {
                let (subject, at) = (expired.subject.clone(), expired.not_after);
                found.warn(|| MetadataWarning::CertificateExpired { subject, at });
            }
            let (thumbprint, kind, bits) = (key.thumbprint(), key.kind(), key.bits());
            known.push(KeyInfo { thumbprint, kind, bits, meant_for, certificate });
            if may_verify {
                keys.push(key);
            }
        }
    }
    let trusted = TrustedKeys::new(keys).ok();
    // A key that is damaged has been told already; that none is left then says nothing new.
    if trusted.is_none() && found.fault_count() == faults_before {
        let reasons = found.reasons();
        let reason = if reasons.is_empty() { "none is given".into() } else { reasons.join("; ") };
        found.fault(role, ContentFault::NoSigningKey(reason));
    }
    Keys { trusted, signing, encryption, recipient: recipients.choose() }
}

fn key_use(descriptor: Element<'_>, found: &mut Found) -> Option<KeyUse> {
    match descriptor.attribute("use") {
        None => Some(KeyUse::Both),
        Some("signing") => Some(KeyUse::Signing),
        Some("encryption") => Some(KeyUse::Encryption),
        Some(other) => {
            let other = other.chars().take(32).collect();
            found.fault(descriptor, ContentFault::KeyUse(other));
            None
        }
    }
}

type FoundKey = (PublicKey, Option<CertificateInfo>);

/// The keys of one `ds:KeyInfo`. A key that is not fit for use is passed over with a warning, but a
/// damaged certificate is an error: somebody should mend the file.
fn keys_of(key_info: Element<'_>, may_verify: bool, found: &mut Found) -> Vec<FoundKey> {
    let mut keys = Vec::new();
    for data in key_info.children(ns::DS, "X509Data") {
        let mut certificates = data.children(ns::DS, "X509Certificate");
        // The first one holds the IdP's key. Others in the same X509Data may be its issuers, and
        // those must not be trusted to speak for the IdP. (The Interoperability Profile 2.5.1 wants
        // no others.)
        let Some(element) = certificates.next() else { continue };
        if may_verify && certificates.next().is_some() {
            found.warn(|| MetadataWarning::ChainIgnored { line: data.line() });
        }
        match certificate(element) {
            None => found.fault(element, ContentFault::Certificate),
            Some((Err(error), _)) => ignored(element, may_verify, error, found),
            Some((Ok(key), info)) => keys.push((key, Some(info))),
        }
    }
    for value in key_info.children(ns::DS, "KeyValue") {
        match key_value::read(value) {
            None => {}
            Some(Err(error)) if keys.is_empty() => ignored(value, may_verify, error, found),
            Some(Err(_)) => {}
            // Beside a certificate it is the same key (Interoperability Profile 2.5.1).
            Some(Ok(key)) if keys.is_empty() => keys.push((key, None)),
            Some(Ok(key)) if keys.iter().all(|(known, _)| *known != key) => {
                found.fault(value, ContentFault::KeyMismatch);
            }
            Some(Ok(_)) => {}
        }
    }
    keys
}

fn ignored(element: Element<'_>, may_verify: bool, error: KeyError, found: &mut Found) {
    if may_verify {
        found.warn(|| MetadataWarning::KeyIgnored {
            element: element.local_name().to_owned(),
            line: element.line(),
            reason: error.to_string(),
        });
    }
}

fn certificate(element: Element<'_>) -> Option<(Result<PublicKey, KeyError>, CertificateInfo)> {
    let der = key_value::base64(element)?;
    let certificate = X509::from_der(&der).ok()?;
    let not_after = timestamp(certificate.not_after())?;
    let subject = distinguished_name(certificate.subject_name());
    Some((PublicKey::from_certificate(&certificate), CertificateInfo { subject, not_after }))
}

fn timestamp(time: &Asn1TimeRef) -> Option<Timestamp> {
    let since_epoch = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let seconds = i64::from(since_epoch.days) * 86_400 + i64::from(since_epoch.secs);
    Some(Timestamp::from_seconds(seconds))
}

/// `CN=idp.example, O=Example`: enough to recognise it by, cut after 200 characters.
fn distinguished_name(name: &X509NameRef) -> String {
    let parts = name.entries().map(|entry| {
        let kind = entry.object().nid().short_name().unwrap_or("?");
        let value = entry.data().to_string().unwrap_or_default();
        format!("{kind}={value}")
    });
    let joined = parts.collect::<Vec<_>>().join(", ");
    joined.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use openssl::bn::BigNumContext;
    use openssl::ec::{EcGroup, EcKey, PointConversionForm};
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;

    use super::*;
    use crate::saml::fixture::{base64_of, certificate_of, idp_metadata, now};
    use crate::saml::{IdpMetadata, MetadataError};

    fn read(key_infos: &[(&str, String)]) -> Result<IdpMetadata, MetadataError> {
        let descriptor = |(attributes, key_info): &(&str, String)| {
            format!(
                "<md:KeyDescriptor{attributes}><ds:KeyInfo>{key_info}</ds:KeyInfo></md:KeyDescriptor>"
            )
        };
        let xml = idp_metadata();
        let start = xml.find("<md:KeyDescriptor").unwrap();
        let end = xml.find("</md:KeyDescriptor>").unwrap() + "</md:KeyDescriptor>".len();
        let keys: String = key_infos.iter().map(descriptor).collect();
        let xml = format!("{}{keys}{}", &xml[..start], &xml[end..]);
        IdpMetadata::parse(xml.as_bytes(), None, now())
    }

    fn ec(curve: Nid) -> PKey<Private> {
        let group = EcGroup::from_curve_name(curve).unwrap();
        PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
    }

    fn x509(key: &PKey<Private>) -> String {
        let certificate = base64_of(&certificate_of(key, now().shifted(1_000_000)));
        format!("<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>")
    }

    fn ec_value(uri: &str, point: &[u8]) -> String {
        let point = STANDARD.encode(point);
        format!(
            "<ds:KeyValue><d:ECKeyValue xmlns:d=\"http://www.w3.org/2009/xmldsig11#\">\
             <d:NamedCurve URI=\"{uri}\"/><d:PublicKey>\n{point}\n</d:PublicKey></d:ECKeyValue>\
             </ds:KeyValue>"
        )
    }

    fn point(key: &PKey<Private>, form: PointConversionForm) -> Vec<u8> {
        let key = key.ec_key().unwrap();
        let mut context = BigNumContext::new().unwrap();
        key.public_key().to_bytes(key.group(), form, &mut context).unwrap()
    }

    #[test]
    fn a_bare_ec_key_is_the_key_of_the_certificate_that_holds_it() {
        const P256: &str = "urn:oid:1.2.840.10045.3.1.7";
        for (uri, curve, bits) in [
            (P256, Nid::X9_62_PRIME256V1, 256),
            ("urn:oid:1.3.132.0.34", Nid::SECP384R1, 384),
            ("urn:oid:1.3.132.0.35", Nid::SECP521R1, 521),
        ] {
            let key = ec(curve);
            let point = point(&key, PointConversionForm::UNCOMPRESSED);
            let bare = read(&[("", ec_value(uri, &point))]).unwrap();
            let wrapped = read(&[("", x509(&key))]).unwrap();
            assert_eq!(bare.key_info[0].thumbprint, wrapped.key_info[0].thumbprint, "{uri}");
            assert_eq!((bare.key_info[0].kind, bare.key_info[0].bits), (KeyKind::Ec, bits));
            assert_eq!(bare.key_info[0].certificate, None);
            // Both forms beside each other are one key.
            let both = read(&[("", x509(&key) + &ec_value(uri, &point))]).unwrap();
            assert_eq!(both.key_info, wrapped.key_info);
        }
        let (key, other) = (ec(Nid::X9_62_PRIME256V1), ec(Nid::X9_62_PRIME256V1));
        let good = point(&key, PointConversionForm::UNCOMPRESSED);
        let mut off_curve = good.clone();
        *off_curve.last_mut().unwrap() ^= 1;
        for (uri, bad) in [
            (P256, off_curve.as_slice()),
            (P256, &good[..64]),
            (P256, &[0]),
            ("urn:oid:1.3.132.0.34", &good),
            ("urn:oid:1.3.132.0.10", &good),
            ("", &good),
        ] {
            let error = read(&[("", ec_value(uri, bad))]).unwrap_err();
            assert_eq!(error.code(), "metadata.no_signing_key", "{uri} {bad:?}");
        }
        let differ = read(&[("", x509(&other) + &ec_value(P256, &good))]).unwrap_err();
        assert_eq!(differ.code(), "metadata.key_mismatch");
    }

    #[test]
    fn keys_for_encryption_alone_are_shown_and_never_verify() {
        let (signing, encryption, both) = (
            ec(Nid::X9_62_PRIME256V1),
            PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
            ec(Nid::SECP384R1),
        );
        let metadata = read(&[
            (" use=\"encryption\"", x509(&encryption)),
            (" use=\"signing\"", x509(&signing)),
            ("", x509(&both)),
        ])
        .unwrap();
        let uses: Vec<_> = metadata.key_info.iter().map(|key| key.meant_for).collect();
        assert_eq!(uses, [KeyUse::Signing, KeyUse::Both]);
        let [only] = metadata.encryption_keys.as_slice() else { panic!("{metadata:?}") };
        assert_eq!((only.meant_for, only.kind), (KeyUse::Encryption, KeyKind::Rsa));
        let trusted: Vec<_> =
            metadata.signing_keys.keys().iter().map(PublicKey::thumbprint).collect();
        assert!(!trusted.contains(&only.thumbprint) && trusted.len() == 2);
    }

    #[test]
    fn what_is_encrypted_is_for_a_key_that_is_meant_for_it() {
        let rsa = || PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let (one, two, elliptic) = (rsa(), rsa(), ec(Nid::X9_62_PRIME256V1));
        let (only_signing, both, only_encryption) = (" use=\"signing\"", "", " use=\"encryption\"");
        let is = |metadata: &IdpMetadata, key: &PKey<Private>| {
            let spki = key.public_key_to_der().unwrap();
            let key = PublicKey::from_spki_der(&spki).unwrap();
            metadata.recipient.as_ref().unwrap().thumbprint() == key.thumbprint()
        };
        let dedicated = read(&[(both, x509(&one)), (only_encryption, x509(&two))]).unwrap();
        assert!(is(&dedicated, &two), "before one for both");
        let shared = read(&[(only_encryption, x509(&elliptic)), (both, x509(&one))]).unwrap();
        assert!(is(&shared, &one));
        // One key in two descriptors, as many IdPs write it.
        let twice = read(&[(only_signing, x509(&one)), (only_encryption, x509(&one))]).unwrap();
        assert!(is(&twice, &one));
        let again = read(&[(only_signing, x509(&one)), (both, x509(&one))]).unwrap();
        assert!(is(&again, &one));
        let none = read(&[(only_signing, x509(&one)), (only_encryption, x509(&elliptic))]);
        assert_eq!(none.unwrap().recipient, Err(NoRecipient::NoKey));
    }

    #[test]
    fn more_than_eight_signing_keys_are_an_error_that_says_so() {
        let keys: Vec<_> = (0..9).map(|_| ("", x509(&ec(Nid::X9_62_PRIME256V1)))).collect();
        assert_eq!(read(&keys[..8]).unwrap().key_info.len(), 8);
        let error = read(&keys).unwrap_err();
        assert_eq!(error.code(), "metadata.too_many_keys");
        assert!(error.to_string().contains("more than 8 signing keys"), "{error}");
        // The same key again is no further one.
        let again: Vec<_> = keys[..8].iter().chain(&keys[..8]).cloned().collect();
        assert_eq!(read(&again).unwrap().key_info.len(), 8);
    }
}
