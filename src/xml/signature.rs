//! The shape of a `ds:Signature`: what is in it, what must be and what must not (SAML Core 5.4.2 to
//! 5.4.4). Anything beyond that is how signature wrapping is done.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::algorithm::{DigestAlgorithm, SignatureAlgorithm};
use super::chars::{any_byte, is_ncname, is_space};
use super::document::Element;
use super::ns;
use super::verify::SignatureError;

pub(super) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// Prefixes in one `InclusiveNamespaces`.
const PREFIXES: usize = 32;

/// A `ds:Signature` of the one accepted shape. Nothing in it is verified yet.
pub(super) struct EnvelopedSignature<'d> {
    pub(super) element: Element<'d>,
    pub(super) signed_info: Element<'d>,
    pub(super) prefixes: Vec<&'d str>,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) value: Vec<u8>,
    pub(super) reference: Reference<'d>,
}

pub(super) struct Reference<'d> {
    pub(super) prefixes: Vec<&'d str>,
    pub(super) algorithm: DigestAlgorithm,
    pub(super) digest: Vec<u8>,
}

impl<'d> EnvelopedSignature<'d> {
    pub(super) fn read(parent: Element<'d>, element: Element<'d>) -> Result<Self, SignatureError> {
        if element.parent() != Some(parent) || !element.is(ns::DS, "Signature") {
            return Err(SignatureError::Misplaced);
        }
        if parent.children(ns::DS, "Signature").count() != 1 {
            return Err(SignatureError::Repeated);
        }
        if element.children(ns::DS, "Object").next().is_some() {
            return Err(SignatureError::Object);
        }
        if element.children(ns::DS, "SignedInfo").count() != 1 {
            return Err(SignatureError::SignedInfo);
        }
        let (signed_info, value) = match children(element).as_slice() {
            [signed_info, value] => (*signed_info, *value),
            [signed_info, value, key_info] if key_info.is(ns::DS, "KeyInfo") => {
                (*signed_info, *value)
            }
            _ => return Err(SignatureError::Structure),
        };
        if !signed_info.is(ns::DS, "SignedInfo") || !value.is(ns::DS, "SignatureValue") {
            return Err(SignatureError::Structure);
        }

        if signed_info.children(ns::DS, "Reference").count() != 1 {
            return Err(SignatureError::ReferenceCount);
        }
        let [canonicalization, method, reference] =
            exactly(signed_info, ["CanonicalizationMethod", "SignatureMethod", "Reference"])
                .ok_or(SignatureError::Structure)?;
        if canonicalization.attribute("Algorithm") != Some(ns::EXC_C14N) {
            return Err(SignatureError::Canonicalization);
        }
        Ok(Self {
            element,
            signed_info,
            prefixes: inclusive_prefixes(canonicalization)?,
            // A parameter such as HMACOutputLength is a child; none of our algorithms has one.
            algorithm: leaf_algorithm(method)
                .and_then(SignatureAlgorithm::from_uri)
                .ok_or(SignatureError::SignatureAlgorithm)?,
            value: base64_text(value)?,
            reference: Reference::read(reference, parent)?,
        })
    }
}

impl<'d> Reference<'d> {
    fn read(element: Element<'d>, signed: Element<'d>) -> Result<Self, SignatureError> {
        let id = signed.attribute("ID").filter(|id| !id.is_empty());
        let target = element.attribute("URI").and_then(|uri| uri.strip_prefix('#'));
        if id.is_none() || target != id {
            return Err(SignatureError::NotSelf);
        }
        let [transforms, method, value] =
            exactly(element, ["Transforms", "DigestMethod", "DigestValue"])
                .ok_or(SignatureError::Structure)?;
        let [enveloped, canonicalization] =
            exactly(transforms, ["Transform", "Transform"]).ok_or(SignatureError::Transforms)?;
        if leaf_algorithm(enveloped) != Some(ENVELOPED)
            || canonicalization.attribute("Algorithm") != Some(ns::EXC_C14N)
        {
            return Err(SignatureError::Transforms);
        }
        Ok(Self {
            prefixes: inclusive_prefixes(canonicalization)?,
            algorithm: leaf_algorithm(method)
                .and_then(DigestAlgorithm::from_uri)
                .ok_or(SignatureError::DigestAlgorithm)?,
            digest: base64_text(value)?,
        })
    }
}

fn children(element: Element<'_>) -> Vec<Element<'_>> {
    element.elements().collect()
}

/// The children of `element`, if they are exactly these elements of `ds` in this order.
fn exactly<'d, const N: usize>(element: Element<'d>, names: [&str; N]) -> Option<[Element<'d>; N]> {
    let found: [Element<'d>; N] = children(element).try_into().ok()?;
    found.iter().zip(names).all(|(child, name)| child.is(ns::DS, name)).then_some(found)
}

/// The `Algorithm` of an element that has no parameters.
fn leaf_algorithm(element: Element<'_>) -> Option<&str> {
    element.attribute("Algorithm").filter(|_| element.elements().next().is_none())
}

/// The PrefixList of a canonicalisation (Exclusive C14N 3), the only parameter that it may have.
fn inclusive_prefixes(method: Element<'_>) -> Result<Vec<&str>, SignatureError> {
    let list = match children(method).as_slice() {
        [] => return Ok(Vec::new()),
        [only] if only.is(ns::EXC_C14N, "InclusiveNamespaces") => {
            only.attribute("PrefixList").filter(|_| only.elements().next().is_none())
        }
        _ => None,
    };
    let list = list.ok_or(SignatureError::PrefixList)?;
    let prefixes: Vec<&str> = list.split(is_space).filter(|p| !p.is_empty()).collect();
    let well_formed = |prefix: &&str| *prefix == "#default" || is_ncname(prefix);
    if prefixes.len() > PREFIXES || !prefixes.iter().all(well_formed) {
        return Err(SignatureError::PrefixList);
    }
    Ok(prefixes)
}

/// `xs:base64Binary`: XML white space may stand anywhere, the rest is strict.
pub(super) fn base64_text(element: Element<'_>) -> Result<Vec<u8>, SignatureError> {
    let text = element.text().map_err(|_| SignatureError::Base64)?;
    let decoded = if any_byte(text, |byte| is_space(char::from(byte))) {
        let dense = text.bytes().filter(|byte| !is_space(char::from(*byte)));
        STANDARD.decode(dense.collect::<Vec<u8>>())
    } else {
        STANDARD.decode(text)
    };
    decoded.map_err(|_| SignatureError::Base64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::sign::sign_enveloped;
    use crate::xml::test_keys::RSA;
    use crate::xml::{Limits, parse};

    const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    const XPATH: &str = "http://www.w3.org/TR/1999/REC-xpath-19991116";
    const XSLT: &str = "http://www.w3.org/TR/1999/REC-xslt-19991116";
    const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
    const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    const HMAC_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
    const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

    fn signed() -> String {
        sign_enveloped("<r ID='_1'><v>value</v></r>", &RSA, Some(b"certificate")).unwrap()
    }

    /// The shape's fault after replacing `from`, which must be there, with `to`.
    fn fault(from: &str, to: &str) -> Option<SignatureError> {
        let xml = signed();
        assert!(xml.contains(from), "{from}");
        read(&xml.replacen(from, to, 1)).err()
    }

    fn read(xml: &str) -> Result<usize, SignatureError> {
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let signature = document.elements().find(|e| e.is(ns::DS, "Signature")).unwrap();
        EnvelopedSignature::read(document.root(), signature).map(|s| s.reference.prefixes.len())
    }

    fn between(xml: &str, from: &str, to: &str) -> String {
        let start = xml.find(from).unwrap();
        let end = xml.find(to).unwrap() + to.len();
        xml[start..end].to_owned()
    }

    #[test]
    fn the_one_shape_is_read() {
        assert_eq!(read(&signed()), Ok(0));
        assert_eq!(fault("<ds:SignatureValue>", "<!--c--> <ds:SignatureValue>\r\n "), None);
        let key_info = between(&signed(), "<ds:KeyInfo>", "</ds:KeyInfo>");
        assert_eq!(fault(&key_info, ""), None);
        assert_eq!(fault(SHA256, "http://www.w3.org/2001/04/xmlenc#sha512"), None);
    }

    #[test]
    fn exactly_one_reference_to_the_parent_is_accepted() {
        for uri in [
            "",
            "#",
            "#_2",
            "#_1 ",
            "_1",
            "x#_1",
            "?a#_1",
            "http://x.test/#_1",
            "cid:_1",
            "#xpointer(id('_1'))",
            "#xpointer(/)",
        ] {
            let uri = format!("URI=\"{uri}\"");
            assert_eq!(fault("URI=\"#_1\"", &uri), Some(SignatureError::NotSelf), "{uri}");
        }
        assert_eq!(fault(" URI=\"#_1\"", ""), Some(SignatureError::NotSelf));
        for id in ["", "ID=''", "Id='_1'", "xml:id='_1'", "ID='_2'"] {
            assert_eq!(fault("ID='_1'", id), Some(SignatureError::NotSelf), "{id}");
        }
        let reference = between(&signed(), "<ds:Reference", "</ds:Reference>");
        let count = Some(SignatureError::ReferenceCount);
        assert_eq!(fault(&reference, &reference.repeat(2)), count);
        assert_eq!(fault(&reference, ""), count);
        let manifest = format!("<ds:Manifest>{reference}</ds:Manifest>");
        assert_eq!(fault(&reference, &manifest), count);
    }

    #[test]
    fn transforms_are_exactly_the_two() {
        let enveloped = format!("<ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform>");
        let exclusive = format!("<ds:Transform Algorithm=\"{}\"></ds:Transform>", ns::EXC_C14N);
        let both = format!("{enveloped}{exclusive}");
        let fault = |to: &str| fault(&both, to);
        assert_eq!(fault(&both), None);
        for wrong in [
            String::new(),
            enveloped.clone(),
            exclusive.clone(),
            format!("{exclusive}{enveloped}"),
            format!("{both}{exclusive}"),
            both.replace(ENVELOPED, XPATH),
            both.replace(ENVELOPED, XSLT),
            both.replace(ns::EXC_C14N, INCLUSIVE),
            both.replace(ns::EXC_C14N, &format!("{}WithComments", ns::EXC_C14N)),
            both.replacen("></", "><ds:XPath>1</ds:XPath></", 1),
            both.replace("ds:Transform ", "Transform ").replace("/ds:Transform>", "/Transform>"),
        ] {
            assert_eq!(fault(&wrong), Some(SignatureError::Transforms), "{wrong}");
        }
    }

    #[test]
    fn the_signature_holds_nothing_else() {
        let xml = signed();
        let signed_info = between(&xml, "<ds:SignedInfo>", "</ds:SignedInfo>");
        let key_info = between(&xml, "<ds:KeyInfo>", "</ds:KeyInfo>");
        let end = "</ds:Signature>";
        let object = format!("<ds:Object><x/></ds:Object>{end}");
        assert_eq!(fault(end, &object), Some(SignatureError::Object));
        let count = Some(SignatureError::SignedInfo);
        assert_eq!(fault(&signed_info, &signed_info.repeat(2)), count);
        assert_eq!(fault(&signed_info, &format!("<x>{signed_info}</x>")), count);
        assert_eq!(fault(&signed_info, ""), count);
        let structure = Some(SignatureError::Structure);
        assert_eq!(fault(&key_info, &key_info.repeat(2)), structure);
        assert_eq!(fault(end, &format!("<x/>{end}")), structure);
        assert_eq!(fault("<ds:SignedInfo>", "<ds:KeyInfo/><ds:SignedInfo>"), structure);
        assert_eq!(fault("</ds:SignedInfo>", "<ds:X/></ds:SignedInfo>"), structure);
        assert_eq!(fault("</ds:Reference>", "<ds:DigestValue/></ds:Reference>"), structure);
        let signature = between(&xml, "<ds:Signature ", end);
        assert_eq!(fault(end, &format!("{end}{signature}")), Some(SignatureError::Repeated));
        let deeper = format!("<x>{signature}</x>");
        assert_eq!(fault(&signature, &deeper), Some(SignatureError::Misplaced));
    }

    #[test]
    fn algorithms_are_listed_and_have_no_parameters() {
        let method = format!("<ds:CanonicalizationMethod Algorithm=\"{}", ns::EXC_C14N);
        for uri in [INCLUSIVE, "", "http://www.w3.org/2006/12/xml-c14n11"] {
            let other = format!("<ds:CanonicalizationMethod Algorithm=\"{uri}");
            assert_eq!(fault(&method, &other), Some(SignatureError::Canonicalization), "{uri}");
        }
        let comments = format!("{method}WithComments");
        assert_eq!(fault(&method, &comments), Some(SignatureError::Canonicalization));
        let refused = Some(SignatureError::SignatureAlgorithm);
        assert_eq!(fault(RSA_SHA256, HMAC_SHA256), refused);
        assert_eq!(fault(RSA_SHA256, ""), refused);
        let parameter = format!("{RSA_SHA256}\"><ds:HMACOutputLength>0</ds:HMACOutputLength>");
        assert_eq!(fault(&format!("{RSA_SHA256}\">"), &parameter), refused);
        assert_eq!(fault(SHA256, SHA1), Some(SignatureError::DigestAlgorithm));
    }

    #[test]
    fn the_prefix_list_is_short_and_well_formed() {
        let transform = format!("<ds:Transform Algorithm=\"{}\">", ns::EXC_C14N);
        let with = |parameter: &str| {
            read(&signed().replace(&transform, &format!("{transform}{parameter}")))
        };
        let list = |prefixes: &str| {
            let namespace = ns::EXC_C14N;
            with(&format!("<InclusiveNamespaces xmlns='{namespace}' PrefixList='{prefixes}'/>"))
        };
        assert_eq!(list(""), Ok(0));
        assert_eq!(list("xs #default  saml"), Ok(3));
        assert_eq!(list(&"p ".repeat(32)), Ok(32));
        let refused = Err(SignatureError::PrefixList);
        assert_eq!(list(&"p ".repeat(33)), refused);
        assert_eq!(list("a:b"), refused);
        assert_eq!(with("<InclusiveNamespaces PrefixList='xs'/>"), refused);
        assert_eq!(with(&format!("<InclusiveNamespaces xmlns='{}'/>", ns::EXC_C14N)), refused);
    }

    #[test]
    fn values_are_strict_base64_and_never_split() {
        let value = between(&signed(), "<ds:DigestValue>", "</ds:DigestValue>");
        let fault =
            |content: &str| fault(&value, &format!("<ds:DigestValue>{content}</ds:DigestValue>"));
        assert_eq!(fault("Zm 9v\r\n\t"), None);
        for wrong in ["Zm9", "Zm9=", "Zm9vZg", "Zm8=Zm8=", "Zm8=<!---->Zm8=", "-_8=", "<x/>", "é"]
        {
            assert_eq!(fault(wrong), Some(SignatureError::Base64), "{wrong}");
        }
    }
}
