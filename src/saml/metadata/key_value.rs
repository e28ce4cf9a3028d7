//! `ds:KeyValue`: a key without a certificate around it (XML Signature 1.1, 4.5.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::bn::BigNumContext;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;

use crate::xml::verify::{KeyError, PublicKey};
use crate::xml::{Element, ns};

const DSIG11: &str = "http://www.w3.org/2009/xmldsig11#";
/// The curves that a `NamedCurve` may name (XML Signature 1.1, 4.5.2.3.1).
const CURVES: [(&str, Nid); 3] = [
    ("urn:oid:1.2.840.10045.3.1.7", Nid::X9_62_PRIME256V1),
    ("urn:oid:1.3.132.0.34", Nid::SECP384R1),
    ("urn:oid:1.3.132.0.35", Nid::SECP521R1),
];
/// Longest value that is decoded, in characters. An RSA modulus of 8192 bits has 1368.
const MOST_BASE64: usize = 128 * 1024;

/// `None` for a kind of key that is not defined for signatures here, such as DSA.
pub(super) fn read(value: Element<'_>) -> Option<Result<PublicKey, KeyError>> {
    if let Some(rsa) = value.children(ns::DS, "RSAKeyValue").next() {
        let part = |name| rsa.children(ns::DS, name).next().and_then(base64);
        return Some(match (part("Modulus"), part("Exponent")) {
            (Some(modulus), Some(exponent)) => PublicKey::from_rsa_components(&modulus, &exponent),
            _ => Err(KeyError::Malformed),
        });
    }
    let ec = value.children(DSIG11, "ECKeyValue").next()?;
    Some(ec_key(ec))
}

fn ec_key(ec: Element<'_>) -> Result<PublicKey, KeyError> {
    // Explicit ECParameters are a way to smuggle in a curve of one's own (CVE-2020-0601).
    let curve = ec.children(DSIG11, "NamedCurve").next().and_then(|named| named.attribute("URI"));
    let curve = CURVES.into_iter().find(|(uri, _)| Some(*uri) == curve);
    let (_, curve) = curve.ok_or(KeyError::Curve)?;
    let point = ec.children(DSIG11, "PublicKey").next().and_then(base64);
    let point = point.ok_or(KeyError::Malformed)?;
    PublicKey::from_spki_der(&spki(curve, &point).map_err(|_| KeyError::Malformed)?)
}

fn spki(curve: Nid, point: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let point = EcPoint::from_bytes(&group, point, &mut *BigNumContext::new()?)?;
    PKey::from_ec_key(EcKey::from_public_key(&group, &point)?)?.public_key_to_der()
}

/// Base64 with whatever line breaks it has.
pub(super) fn base64(element: Element<'_>) -> Option<Vec<u8>> {
    let text = element.text().ok().filter(|text| text.len() <= MOST_BASE64)?;
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}
