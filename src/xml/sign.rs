//! Signing what we send: messages, metadata, and bytes of the Redirect binding.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;

use super::algorithm::{DigestAlgorithm, SignatureAlgorithm};
use super::document::{Document, Element};
use super::fault::ParseError;
use super::limits::Limits;
use super::parse::parse;
use super::public_key::{KeyError, PublicKey};
use super::signature::ENVELOPED;
use super::write::{WriteError, Writer};
use super::{c14n, ns};

const DIGEST: DigestAlgorithm = DigestAlgorithm::Sha256;

/// A private key that signs: RSA of 2048 to 8192 bits with RSA-SHA256, EC on P-256 with
/// ECDSA-SHA256, on P-384 with ECDSA-SHA384 or on P-521 with ECDSA-SHA512. Parsed once, kept, and
/// cheap to clone.
#[derive(Clone)]
pub struct SigningKey {
    form: Form,
    algorithm: SignatureAlgorithm,
    public: PublicKey,
}

#[derive(Clone)]
enum Form {
    Rsa(PKey<Private>),
    Ec(EcKey<Private>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A mistake of the caller.
    #[error("what is to be signed is not a document: {0}")]
    Document(#[from] ParseError),
    /// A mistake of the caller.
    #[error("the element to be signed has no ID, or no element or several have that ID")]
    Id,
    #[error("the element is signed already")]
    AlreadySigned,
    #[error("the canonical form is too large")]
    TooLarge,
    #[error("the signature cannot be written: {0}")]
    Write(#[from] WriteError),
    #[error("OpenSSL could not sign")]
    Crypto,
}

impl SignError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document(_) => "sign.document",
            Self::Id => "sign.id",
            Self::AlreadySigned => "sign.already_signed",
            Self::TooLarge => "sign.too_large",
            Self::Write(_) => "sign.write",
            Self::Crypto => "sign.crypto",
        }
    }
}

impl SigningKey {
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = PKey::private_key_from_pkcs8(der).map_err(|_| KeyError::Malformed)?;
        Self::new(key)
    }

    pub fn new(key: PKey<Private>) -> Result<Self, KeyError> {
        let malformed = |_: ErrorStack| KeyError::Malformed;
        let spki = key.public_key_to_der().map_err(malformed)?;
        let public = PublicKey::from_spki_der(&spki)?;
        let (form, algorithm) = match (key.ec_key(), public.bits()) {
            (Err(_), _) => (Form::Rsa(key), SignatureAlgorithm::RsaSha256),
            (Ok(ec), 256) => (Form::Ec(ec), SignatureAlgorithm::EcdsaSha256),
            (Ok(ec), 384) => (Form::Ec(ec), SignatureAlgorithm::EcdsaSha384),
            (Ok(ec), 521) => (Form::Ec(ec), SignatureAlgorithm::EcdsaSha512),
            (Ok(_), _) => return Err(KeyError::Curve),
        };
        Ok(Self { form, algorithm, public })
    }

    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs bytes with [`SigningKey::signature_algorithm`]; an ECDSA signature is `r` and `s`,
    /// each as long as the field.
    pub fn sign_octets(&self, data: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signature_over(data).map_err(|_| SignError::Crypto)
    }

    fn signature_over(&self, data: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let digest = self.algorithm.digest();
        match &self.form {
            Form::Rsa(key) => Signer::new(digest, key)?.sign_oneshot_to_vec(data),
            Form::Ec(key) => {
                let signature = EcdsaSig::sign(&openssl::hash::hash(digest, data)?, key)?;
                let length = i32::try_from(self.public.bits().div_ceil(8)).unwrap_or(i32::MAX);
                let mut octets = signature.r().to_vec_padded(length)?;
                octets.extend(signature.s().to_vec_padded(length)?);
                Ok(octets)
            }
        }
    }
}

/// Shows which key it is, never the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?}, {})", self.algorithm, self.public.thumbprint())
    }
}

/// Signs the root element by its `ID`. The signature stands right after `saml:Issuer`, where the
/// schema of messages and assertions wants it, or first, where that of metadata wants it.
/// `certificate_der` goes into `ds:KeyInfo`.
pub fn sign_enveloped(
    xml: &str,
    key: &SigningKey,
    certificate_der: Option<&[u8]>,
) -> Result<String, SignError> {
    let document = parse(xml.as_bytes(), &Limits::METADATA)?;
    sign(&document, document.root(), key, certificate_der)
}

/// As [`sign_enveloped`], for the one element whose `ID` is `id`.
pub fn sign_enveloped_at(
    xml: &str,
    id: &str,
    key: &SigningKey,
    certificate_der: Option<&[u8]>,
) -> Result<String, SignError> {
    let document = parse(xml.as_bytes(), &Limits::METADATA)?;
    let found: Vec<_> = document.elements().filter(|e| e.attribute("ID") == Some(id)).collect();
    match found.as_slice() {
        [only] => sign(&document, *only, key, certificate_der),
        _ => Err(SignError::Id),
    }
}

fn sign(
    document: &Document<'_>,
    element: Element<'_>,
    key: &SigningKey,
    certificate_der: Option<&[u8]>,
) -> Result<String, SignError> {
    let id = element.attribute("ID").filter(|id| !id.is_empty()).ok_or(SignError::Id)?;
    if element.children(ns::DS, "Signature").next().is_some() {
        return Err(SignError::AlreadySigned);
    }
    let content = c14n::exclusive(element, None, &[]).map_err(|_| SignError::TooLarge)?;
    let digest = openssl::hash::hash(DIGEST.digest(), &content).map_err(|_| SignError::Crypto)?;

    // SignedInfo's canonical form is its own; only the prefix comes from around it.
    let unsigned = signature_xml(id, &digest, key.algorithm, &[], None)?;
    let unsigned = parse(unsigned.as_bytes(), &Limits::MESSAGE)?;
    let signed_info = unsigned.root().elements().next().expect("SignedInfo is written first");
    let signed_info = c14n::exclusive(signed_info, None, &[]).map_err(|_| SignError::TooLarge)?;
    let value = key.sign_octets(&signed_info)?;

    let signature = signature_xml(id, &digest, key.algorithm, &value, certificate_der)?;
    Ok(insert(document, element, &signature))
}

fn signature_xml(
    id: &str,
    digest: &[u8],
    algorithm: SignatureAlgorithm,
    value: &[u8],
    certificate_der: Option<&[u8]>,
) -> Result<String, WriteError> {
    let mut w = Writer::new();
    w.open("ds:Signature", &[("xmlns:ds", ns::DS)]);
    w.open("ds:SignedInfo", &[]);
    w.leaf("ds:CanonicalizationMethod", &[("Algorithm", ns::EXC_C14N)], "");
    w.leaf("ds:SignatureMethod", &[("Algorithm", algorithm.uri())], "");
    w.open("ds:Reference", &[("URI", &format!("#{id}"))]);
    w.open("ds:Transforms", &[]);
    w.leaf("ds:Transform", &[("Algorithm", ENVELOPED)], "");
    w.leaf("ds:Transform", &[("Algorithm", ns::EXC_C14N)], "");
    w.close();
    w.leaf("ds:DigestMethod", &[("Algorithm", DIGEST.uri())], "");
    w.leaf("ds:DigestValue", &[], &STANDARD.encode(digest));
    w.close().close();
    w.leaf("ds:SignatureValue", &[], &STANDARD.encode(value));
    if let Some(der) = certificate_der {
        w.open("ds:KeyInfo", &[]).open("ds:X509Data", &[]);
        w.leaf("ds:X509Certificate", &[], &STANDARD.encode(der));
        w.close().close();
    }
    w.close();
    w.finish()
}

/// Puts the signature into the source; every other byte stays.
fn insert(document: &Document<'_>, element: Element<'_>, signature: &str) -> String {
    let tag = element.tag();
    let issuer = element.elements().next().filter(|first| first.is(ns::SAML, "Issuer"));
    let at = issuer.map_or(tag.content, |issuer| issuer.tag().end);
    let (before, after) =
        document.source().split_at_checked(at).expect("tags begin and end between characters");
    match before.strip_suffix("/>") {
        // `<a/>` has no inside yet. With an Issuer there is one.
        Some(start) if issuer.is_none() => {
            let name = tag.written_name();
            format!("{start}>{signature}</{name}>{after}")
        }
        _ => format!("{before}{signature}{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::test_keys::{P256, P384, P521, RSA, ec, trusted};
    use crate::xml::verify::verify;

    const ISSUER: &str = "<saml:Issuer>i</saml:Issuer>";

    fn message(inner: &str) -> String {
        format!("<p:R xmlns:p='urn:p' xmlns:saml='{}' ID='_1' z='&#10;'>{inner}</p:R>", ns::SAML)
    }

    /// Verifies the signature of the element with this ID.
    fn verifies(xml: &str, id: &str, key: &SigningKey) -> bool {
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let element = document.elements().find(|e| e.attribute("ID") == Some(id)).unwrap();
        let signature = element.required(ns::DS, "Signature").unwrap();
        verify(element, signature, &trusted(&[key])).is_ok()
    }

    #[test]
    fn what_is_signed_verifies_with_every_kind_of_key() {
        for key in [&*RSA, &*P256, &*P384, &*P521] {
            let again =
                PKey::private_key_from_pkcs8(&pkcs8(key)).and_then(|k| k.private_key_to_pkcs8());
            let key = SigningKey::from_pkcs8_der(&again.unwrap()).unwrap();
            let xml = sign_enveloped(&message(ISSUER), &key, None).unwrap();
            assert!(verifies(&xml, "_1", &key), "{key:?}");
            assert!(xml.contains(key.signature_algorithm().uri()));
        }
    }

    #[test]
    fn the_signature_stands_where_the_schema_wants_it() {
        let signed = |inner: &str| sign_enveloped(&message(inner), &RSA, Some(b"der")).unwrap();
        let xml = signed(&format!("<!--c-->{ISSUER}<p:b/>"));
        assert!(xml.contains("<!--c--><saml:Issuer>i</saml:Issuer><ds:Signature "));
        assert!(xml.contains("<ds:X509Certificate>ZGVy</ds:X509Certificate>"));
        assert!(xml.contains("</ds:Signature><p:b/></p:R>"));
        assert!(signed("\n<p:b/>").contains("z='&#10;'><ds:Signature "));
        assert!(verifies(&signed("a<!--c-->b"), "_1", &RSA));

        let empty = sign_enveloped("<p:R xmlns:p='urn:p' ID='_1'/>", &RSA, None).unwrap();
        assert!(empty.ends_with("</ds:Signature></p:R>") && verifies(&empty, "_1", &RSA));
        let issuer = sign_enveloped(&message("<saml:Issuer/>"), &RSA, None).unwrap();
        assert!(issuer.contains("<saml:Issuer/><ds:Signature ") && verifies(&issuer, "_1", &RSA));
    }

    #[test]
    fn an_element_inside_and_then_the_whole_can_be_signed() {
        let xml = message(&format!("{ISSUER}<saml:Assertion ID='_2'>{ISSUER}</saml:Assertion>"));
        let inner = sign_enveloped_at(&xml, "_2", &RSA, None).unwrap();
        assert!(verifies(&inner, "_2", &RSA));
        let both = sign_enveloped(&inner, &P256, None).unwrap();
        assert!(verifies(&both, "_2", &RSA) && verifies(&both, "_1", &P256));
        assert_eq!(sign_enveloped(&both, &RSA, None), Err(SignError::AlreadySigned));
    }

    #[test]
    fn what_cannot_be_signed_is_told() {
        assert_eq!(sign_enveloped("<a/>", &RSA, None), Err(SignError::Id));
        assert_eq!(sign_enveloped("<a ID=''/>", &RSA, None), Err(SignError::Id));
        assert_eq!(sign_enveloped_at("<a ID='_1'/>", "_2", &RSA, None), Err(SignError::Id));
        let twice = "<a ID='_1'><b ID='_1'/></a>";
        assert_eq!(sign_enveloped_at(twice, "_1", &RSA, None), Err(SignError::Id));
        let broken = sign_enveloped("<a", &RSA, None).map_err(|error| error.code());
        assert_eq!(broken, Err("sign.document"));
        let other = SigningKey::new(ec(openssl::nid::Nid::SECP256K1));
        assert_eq!(other.map(|_| ()), Err(KeyError::Curve));
    }

    fn pkcs8(key: &SigningKey) -> Vec<u8> {
        match &key.form {
            Form::Rsa(key) => key.private_key_to_pkcs8(),
            Form::Ec(key) => PKey::from_ec_key(key.clone()).and_then(|k| k.private_key_to_pkcs8()),
        }
        .unwrap()
    }
}
