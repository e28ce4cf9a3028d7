use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{X509, X509NameRef};

use super::{ContentFault, MetadataError, MetadataWarning};
use crate::clock::Timestamp;
use crate::xml::verify::{KeyError, KeyKind, PublicKey, Thumbprint, TrustedKeys};
use crate::xml::{Element, ns};

/// A signing key as people look at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyInfo {
    pub thumbprint: Thumbprint,
    pub kind: KeyKind,
    pub bits: u32,
    /// Absent for a bare `ds:KeyValue`.
    pub certificate: Option<CertificateInfo>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateInfo {
    pub subject: String,
    pub not_after: Timestamp,
}

pub(super) struct Keys {
    pub(super) trusted: TrustedKeys,
    pub(super) info: Vec<KeyInfo>,
    pub(super) warnings: Vec<MetadataWarning>,
}

/// The keys that may verify this role's signatures: those meant for signing and those without
/// `use`, which serve both purposes (SAML Errata E62).
pub(super) fn read(role: Element<'_>, now: Timestamp) -> Result<Keys, MetadataError> {
    let mut keys: Vec<PublicKey> = Vec::new();
    let mut info = Vec::new();
    let mut warnings = Vec::new();
    for descriptor in role.children(ns::MD, "KeyDescriptor") {
        if !matches!(descriptor.attribute("use"), None | Some("signing")) {
            continue;
        }
        for found in keys_of(descriptor.required(ns::DS, "KeyInfo")?)? {
            let (key, certificate) = match found {
                Ok(found) => found,
                Err(error) => {
                    let (line, reason) = (descriptor.line(), error.to_string());
                    warnings.push(MetadataWarning::KeyIgnored { line, reason });
                    continue;
                }
            };
            if keys.iter().any(|known| known.thumbprint() == key.thumbprint()) {
                continue;
            }
            if let Some(expired) = certificate.as_ref().filter(|known| known.not_after <= now) {
                let (subject, at) = (expired.subject.clone(), expired.not_after);
                warnings.push(MetadataWarning::CertificateExpired { subject, at });
            }
            info.push(KeyInfo {
                thumbprint: key.thumbprint(),
                kind: key.kind(),
                bits: key.bits(),
                certificate,
            });
            keys.push(key);
        }
    }
    match TrustedKeys::new(keys) {
        Ok(trusted) => Ok(Keys { trusted, info, warnings }),
        Err(_) => {
            let reasons: Vec<_> = warnings.iter().map(MetadataWarning::to_string).collect();
            let reason =
                if reasons.is_empty() { "none is given".into() } else { reasons.join("; ") };
            let fault = ContentFault::NoSigningKey(reason);
            Err(MetadataError::content(role, "IDPSSODescriptor", fault))
        }
    }
}

type FoundKey = Result<(PublicKey, Option<CertificateInfo>), KeyError>;

/// The keys of one `ds:KeyInfo`. A key that is not fit for use is passed over, but a damaged
/// certificate is an error: somebody should mend the file.
fn keys_of(key_info: Element<'_>) -> Result<Vec<FoundKey>, MetadataError> {
    let mut found = Vec::new();
    for data in key_info.children(ns::DS, "X509Data") {
        // The first one holds the IdP's key. Others in the same X509Data may be its issuers, and
        // those must not be trusted to speak for the IdP.
        if let Some(element) = data.children(ns::DS, "X509Certificate").next() {
            let damaged =
                || MetadataError::content(element, "X509Certificate", ContentFault::Certificate);
            let der = decode(element).ok_or_else(damaged)?;
            let certificate = X509::from_der(&der).map_err(|_| damaged())?;
            let info = describe(&certificate).ok_or_else(damaged)?;
            found.push(PublicKey::from_certificate_der(&der).map(|key| (key, Some(info))));
        }
    }
    if found.is_empty() {
        for value in key_info.children(ns::DS, "KeyValue") {
            found.extend(key_value(value));
        }
    }
    Ok(found)
}

fn key_value(value: Element<'_>) -> Option<FoundKey> {
    let rsa = value.children(ns::DS, "RSAKeyValue").next()?;
    let part = |name| rsa.children(ns::DS, name).next().and_then(decode);
    let key = match (part("Modulus"), part("Exponent")) {
        (Some(modulus), Some(exponent)) => PublicKey::from_rsa_components(&modulus, &exponent),
        _ => Err(KeyError::Malformed),
    };
    Some(key.map(|key| (key, None)))
}

/// Base64 with whatever line breaks it has.
fn decode(element: Element<'_>) -> Option<Vec<u8>> {
    let text: String = element.text().ok()?.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

fn describe(certificate: &X509) -> Option<CertificateInfo> {
    let not_after = timestamp(certificate.not_after())?;
    Some(CertificateInfo { subject: distinguished_name(certificate.subject_name()), not_after })
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
