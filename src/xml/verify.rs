//! XML signatures, in the one shape that SAML allows (SAML Core 5.4): enveloped in the element that
//! it signs, one reference to that element's ID, exclusive canonicalisation, a listed algorithm.
//!
//! The key is one of the identity provider's own; `ds:KeyInfo` is never looked at. No element is
//! looked up by ID and no URI is followed: the signed element is the signature's parent or the
//! signature is refused.

use super::algorithm::SignatureAlgorithm;
use super::document::{Document, Element};
pub use super::public_key::{KeyError, KeyKind, PublicKey, Thumbprint};
use super::signature::EnvelopedSignature;
use super::{c14n, ns};

/// Whatever some XML library or other takes for an ID, in any namespace (`xml:id` is one).
const ID_NAMES: [&str; 4] = ["ID", "Id", "id", "AssertionID"];

/// The verification keys of one identity provider: one or more.
#[derive(Clone, Debug)]
pub struct TrustedKeys(Vec<PublicKey>);

/// A provider without keys cannot be trusted with anything; it never means "unsigned is fine".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no key to verify with")]
pub struct NoKeys;

/// An element whose every byte, except for the signature in it, a trusted key has signed. Only
/// [`verify`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct SignedElement<'d> {
    element: Element<'d>,
    key: Thumbprint,
}

/// Why a signature is refused. It is the sender's fault or an attack; the message
/// never repeats the document's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("two elements have the same ID")]
    DuplicateId,
    #[error("a signature stands where none is allowed")]
    Misplaced,
    #[error("an element holds more than one signature")]
    Repeated,
    #[error("the signature holds an Object")]
    Object,
    #[error("the signature does not hold exactly one SignedInfo")]
    SignedInfo,
    #[error("the signature holds other elements than the profile allows")]
    Structure,
    #[error("SignedInfo does not hold exactly one Reference")]
    ReferenceCount,
    #[error("the reference is not to the ID of the element that holds the signature")]
    NotSelf,
    #[error("the canonicalisation is not exclusive without comments")]
    Canonicalization,
    #[error("the transforms are not exactly enveloped-signature and exclusive canonicalisation")]
    Transforms,
    #[error("the list of inclusive prefixes is malformed or too long")]
    PrefixList,
    #[error("the signature algorithm is not accepted")]
    SignatureAlgorithm,
    #[error("the digest algorithm is not accepted")]
    DigestAlgorithm,
    #[error("the signature or digest value is not Base64")]
    Base64,
    #[error("the canonical form is too large")]
    TooLarge,
    #[error("no trusted key verifies the signature")]
    Invalid,
    #[error("the element is not the one that was signed")]
    Digest,
}

impl SignatureError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::DuplicateId => "id.duplicate",
            Self::Misplaced => "sig.misplaced",
            Self::Repeated => "sig.repeated",
            Self::Object => "sig.object",
            Self::SignedInfo => "sig.signedinfo_count",
            Self::Structure => "sig.structure",
            Self::ReferenceCount => "sig.reference_count",
            Self::NotSelf => "sig.ref_not_self",
            Self::Canonicalization => "sig.canonicalization",
            Self::Transforms => "sig.transforms",
            Self::PrefixList => "sig.prefix_list",
            Self::SignatureAlgorithm => "alg.signature",
            Self::DigestAlgorithm => "alg.digest",
            Self::Base64 => "sig.base64",
            Self::TooLarge => "sig.too_large",
            Self::Invalid => "sig.invalid",
            Self::Digest => "sig.digest",
        }
    }
}

impl TrustedKeys {
    pub fn new(keys: Vec<PublicKey>) -> Result<Self, NoKeys> {
        if keys.is_empty() { Err(NoKeys) } else { Ok(Self(keys)) }
    }

    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Verifies a signature over plain bytes, as in the Redirect binding. Every key of the kind
    /// that the algorithm names is tried.
    pub fn verify_octets(
        &self,
        algorithm: SignatureAlgorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.verifying_key(algorithm, data, signature).map(|_| ())
    }

    fn verifying_key(
        &self,
        algorithm: SignatureAlgorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<Thumbprint, SignatureError> {
        let key = self.0.iter().find(|key| key.verifies(algorithm, data, signature));
        key.map(PublicKey::thumbprint).ok_or(SignatureError::Invalid)
    }
}

impl<'d> SignedElement<'d> {
    pub fn element(&self) -> Element<'d> {
        self.element
    }

    /// The key that verified.
    pub fn key(&self) -> Thumbprint {
        self.key
    }
}

/// Refuses a document in which two elements could be taken for one by somebody who looks up IDs.
pub fn check_ids(document: &Document<'_>) -> Result<(), SignatureError> {
    let mut ids: Vec<&str> = document
        .elements()
        .flat_map(|element| element.attributes())
        .filter(|attribute| ID_NAMES.contains(&attribute.local))
        .map(|attribute| attribute.value.as_ref())
        .collect();
    ids.sort_unstable();
    if ids.is_sorted_by(|one, next| one < next) { Ok(()) } else { Err(SignatureError::DuplicateId) }
}

/// Every signature of the document with its parent, in document order. One anywhere but directly
/// in an `allowed` element refuses the document, and so do two in one element.
pub fn signatures_only_in<'d>(
    document: &'d Document<'d>,
    allowed: &[Element<'d>],
) -> Result<Vec<(Element<'d>, Element<'d>)>, SignatureError> {
    let mut found: Vec<(Element<'d>, Element<'d>)> = Vec::new();
    for signature in document.elements().filter(|element| element.is(ns::DS, "Signature")) {
        let parent = signature.parent().filter(|parent| allowed.contains(parent));
        let parent = parent.ok_or(SignatureError::Misplaced)?;
        if found.iter().any(|(known, _)| *known == parent) {
            return Err(SignatureError::Repeated);
        }
        found.push((parent, signature));
    }
    Ok(found)
}

/// Verifies the one signature of `parent`. The signature over `ds:SignedInfo` is verified before
/// the reference is digested, so that nobody without a key makes us canonicalise what they like.
pub fn verify<'d>(
    parent: Element<'d>,
    signature: Element<'d>,
    keys: &TrustedKeys,
) -> Result<SignedElement<'d>, SignatureError> {
    let signature = EnvelopedSignature::read(parent, signature)?;
    let signed_info = c14n::exclusive(signature.signed_info, None, &signature.prefixes)
        .map_err(|_| SignatureError::TooLarge)?;
    let key = keys.verifying_key(signature.algorithm, &signed_info, &signature.value)?;

    let reference = signature.reference;
    let content = c14n::exclusive(parent, Some(signature.element), &reference.prefixes)
        .map_err(|_| SignatureError::TooLarge)?;
    let digest = openssl::hash::hash(reference.algorithm.digest(), &content)
        .map_err(|_| SignatureError::Digest)?;
    // `eq` wants equal lengths.
    if digest.len() != reference.digest.len() || !openssl::memcmp::eq(&digest, &reference.digest) {
        return Err(SignatureError::Digest);
    }
    Ok(SignedElement { element: parent, key })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xml::sign::{SigningKey, sign_enveloped, sign_enveloped_at};
    use crate::xml::test_keys::{OTHER_RSA, P256, RSA, trusted};
    use crate::xml::{Limits, parse};

    const RESPONSE: &str = "<R ID='_1'><A ID='_2'><v>ann@x.test<!----></v></A><B ID='_3'/></R>";

    fn document(xml: &str) -> Document<'_> {
        parse(xml.as_bytes(), &Limits::MESSAGE).unwrap()
    }

    /// Verifies the first signature of the document as that of its parent.
    fn outcome(xml: &str, keys: &[&SigningKey]) -> Result<Thumbprint, SignatureError> {
        let document = document(xml);
        let signature = document.elements().find(|e| e.is(ns::DS, "Signature")).unwrap();
        let signed = verify(signature.parent().unwrap(), signature, &trusted(keys))?;
        assert_eq!(Some(signed.element()), signature.parent());
        Ok(signed.key())
    }

    #[test]
    fn only_a_trusted_key_verifies_whatever_the_signature_says_of_keys() {
        let xml = sign_enveloped(RESPONSE, &RSA, Some(b"a certificate")).unwrap();
        assert_eq!(outcome(&xml, &[&RSA]), Ok(RSA.public_key().thumbprint()));
        assert_eq!(outcome(&xml, &[&OTHER_RSA]), Err(SignatureError::Invalid));
        assert_eq!(outcome(&xml, &[&P256]), Err(SignatureError::Invalid));
        // A roll-over has keys of any kind, in any order.
        let all = [&*P256, &*OTHER_RSA, &*RSA];
        assert_eq!(outcome(&xml, &all), Ok(RSA.public_key().thumbprint()));
        let xml = sign_enveloped(RESPONSE, &P256, None).unwrap();
        assert_eq!(outcome(&xml, &[&RSA, &P256]), Ok(P256.public_key().thumbprint()));
        assert_eq!(TrustedKeys::new(Vec::new()).map(|_| ()), Err(NoKeys));
    }

    #[test]
    fn whatever_a_reader_can_see_is_signed() {
        let xml = sign_enveloped(RESPONSE, &RSA, None).unwrap();
        let changed = |from: &str, to: &str| {
            assert!(xml.contains(from), "{from}");
            outcome(&xml.replacen(from, to, 1), &[&RSA]).err()
        };
        for (from, to) in [
            ("ann@", "bob@"),
            ("<v>", "<v> "),
            ("<v>", "<v a=''>"),
            ("<v>", "<v xmlns='urn:x'>"),
            ("<B ID='_3'/>", ""),
            ("<B ", "<x/><B "),
            ("</R>", " </R>"),
            ("<B ID='_3'/>", "<B ID='_3'></B><!--c--> "),
        ] {
            assert_eq!(changed(from, to), Some(SignatureError::Digest), "{from} {to}");
        }
        // The same document in other bytes.
        for (from, to) in [
            ("<!---->", ""),
            ("ann@", "an<!--x-->n&#x40;"),
            ("ann@", "<![CDATA[ann@]]>"),
            ("<B ID='_3'/>", "<B  ID = \"_3\" xmlns:unused='urn:x' ></B >"),
        ] {
            assert_eq!(changed(from, to), None, "{from} {to}");
        }
    }

    #[test]
    fn signed_info_is_verified_before_anything_is_digested() {
        let xml = sign_enveloped(RESPONSE, &RSA, None).unwrap();
        // Both are wrong here; had it digested first, it would say so.
        let both = xml.replace("ann@", "bob@");
        assert_eq!(outcome(&both, &[&OTHER_RSA]), Err(SignatureError::Invalid));
        assert_eq!(outcome(&both, &[&RSA]), Err(SignatureError::Digest));
        let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let start = xml.find("<ds:DigestValue>").unwrap() + "<ds:DigestValue>".len();
        let void = format!("{}{empty}{}", &xml[..start], &xml[start + empty.len()..]);
        assert_eq!(outcome(&void, &[&RSA]), Err(SignatureError::Invalid));
    }

    #[test]
    fn a_signature_verifies_its_parent_only() {
        let xml = sign_enveloped_at(RESPONSE, "_2", &RSA, None).unwrap();
        let document = document(&xml);
        let root = document.root();
        let [a, b] = [0, 1].map(|index| root.elements().nth(index).unwrap());
        let signature = a.required(ns::DS, "Signature").unwrap();
        let keys = trusted(&[&RSA]);
        assert!(verify(a, signature, &keys).is_ok());
        for wrong in [root, b, signature] {
            assert_eq!(verify(wrong, signature, &keys).err(), Some(SignatureError::Misplaced));
        }
        assert_eq!(
            verify(a, a.elements().last().unwrap(), &keys).err(),
            Some(SignatureError::Misplaced)
        );
        // The same signature in another element with the same ID.
        let signature = &xml[xml.find("<ds:Signature").unwrap()..xml.find("<v>").unwrap()];
        let moved = format!("<R><Evil ID='_2'>{signature}<v>eve@x.test</v></Evil></R>");
        assert_eq!(outcome(&moved, &[&RSA]), Err(SignatureError::Digest));
    }

    #[test]
    fn signatures_stand_only_where_they_are_allowed() {
        let inner = sign_enveloped_at(RESPONSE, "_2", &RSA, None).unwrap();
        let both = sign_enveloped(&inner, &RSA, None).unwrap();
        let document = document(&both);
        let (root, a) = (document.root(), document.root().elements().nth(1).unwrap());
        assert!(a.is("", "A"));
        let found = signatures_only_in(&document, &[root, a]).unwrap();
        assert_eq!(found.iter().map(|(parent, _)| *parent).collect::<Vec<_>>(), [root, a]);
        for allowed in [&[root][..], &[a], &[]] {
            let refused = signatures_only_in(&document, allowed);
            assert_eq!(refused, Err(SignatureError::Misplaced));
        }
        let twice = format!("<R xmlns:d='{}'><d:Signature/><d:Signature/></R>", ns::DS);
        let twice = self::document(&twice);
        let refused = signatures_only_in(&twice, &[twice.root()]);
        assert_eq!(refused, Err(SignatureError::Repeated));
    }

    #[test]
    fn an_id_occurs_once_in_any_spelling() {
        let check = |xml: &str| check_ids(&document(xml));
        assert_eq!(
            check("<a ID='_1' Id='_2' id='_3'><b AssertionID='_4' xml:id='_5'/></a>"),
            Ok(())
        );
        assert_eq!(check("<a ID='_1'><b InResponseTo='_1' Name='_1'/></a>"), Ok(()));
        for name in ["ID", "Id", "id", "AssertionID", "xml:id", "p:ID"] {
            let xml = format!("<a xmlns:p='urn:p' ID='_1'><b/><c {name}='_1'/></a>");
            assert_eq!(check(&xml), Err(SignatureError::DuplicateId), "{name}");
        }
        assert_eq!(check("<a ID='_1' Id='_1'/>"), Err(SignatureError::DuplicateId));
    }

    #[test]
    fn octets_verify_as_they_are() {
        let signature = RSA.sign_octets(b"SAMLResponse=a&SigAlg=b").unwrap();
        let keys = trusted(&[&OTHER_RSA, &RSA]);
        let verify =
            |data: &[u8]| keys.verify_octets(SignatureAlgorithm::RsaSha256, data, &signature);
        assert_eq!(verify(b"SAMLResponse=a&SigAlg=b"), Ok(()));
        assert_eq!(verify(b"SAMLResponse=A&SigAlg=b"), Err(SignatureError::Invalid));
    }

    proptest! {
        #[test]
        fn no_change_of_a_signed_document_changes_what_is_read(
            at in any::<proptest::sample::Index>(),
            cut in 0_usize..12,
            with in "(<!--|-->|<v>|</v>|<A ID='_1'>|</A>|&#x65;|ID='_1'|[ eve@x.<>/'\"])?",
        ) {
            let xml = sign_enveloped(RESPONSE, &P256, None).unwrap();
            let at = at.index(xml.len());
            let end = (at + cut).min(xml.len());
            let changed = format!("{}{with}{}", &xml[..at], &xml[end..]);
            let Ok(document) = parse(changed.as_bytes(), &Limits::MESSAGE) else { return Ok(()) };
            let root = document.root();
            let Ok(signature) = root.required(ns::DS, "Signature") else { return Ok(()) };
            if let Ok(signed) = verify(root, signature, &trusted(&[&P256])) {
                let value = signed.element().required("", "A").and_then(|a| a.required("", "v"));
                prop_assert_eq!(value.and_then(|v| v.text()), Ok("ann@x.test"));
            }
        }
    }
}
