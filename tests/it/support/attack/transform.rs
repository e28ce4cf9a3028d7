//! Algorithms, addresses and parameters in a SignedInfo that the IdP did sign: nothing is refused
//! here for a broken signature, and nothing of it may be followed, fetched or executed.

use super::{Attack, Family, Target};
use crate::support::mutation::Xml;

pub const ALL: [Family; 3] = [references, transforms, algorithms];

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// What a reference can point at instead of the ID of the element that holds the signature.
pub fn references(target: &Target<'_>) -> Vec<Attack> {
    let reference = target.at("Signature/SignedInfo/Reference");
    let id = target.id();
    let fetched = target.sink.url("/referenced");
    let uris = [
        String::new(),
        "#".into(),
        "#_somebody".into(),
        id.to_owned(),
        format!("##{id}"),
        format!("#{id} "),
        format!("?{id}#{id}"),
        format!("#xpointer(id('{id}'))"),
        "#xpointer(/)".into(),
        format!("#element({id})"),
        format!("{fetched}#{id}"),
        fetched.clone(),
        fetched.trim_start_matches("http:").to_owned(),
        "/etc/hostname".into(),
        "file:///etc/hostname".into(),
        format!("cid:{id}"),
        format!("data:,x#{id}"),
    ];
    let changed = |uri: &String| {
        let message = target.message.with_attribute(&reference, "URI", uri);
        let what = format!("a reference to {uri:?} in the {}", target.signed);
        Attack::new(what, target.signed_again(&message), "sig.ref_not_self")
    };
    let mut attacks: Vec<Attack> = uris.iter().map(changed).collect();
    let without = target.message.without_attribute(&reference, "URI");
    let what = format!("a reference to nothing in the {}", target.signed);
    attacks.push(Attack::new(what, target.signed_again(&without), "sig.ref_not_self"));
    attacks
}

/// Transforms other than the two.
pub fn transforms(target: &Target<'_>) -> Vec<Attack> {
    let path = target.at("Signature/SignedInfo/Reference/Transforms");
    let fetched = target.sink.url("/stylesheet");
    let transform = |uri: &str, content: &str| {
        format!("<ds:Transform Algorithm=\"{uri}\">{content}</ds:Transform>")
    };
    let (enveloped, exclusive) = (transform(ENVELOPED, ""), transform(EXCLUSIVE, ""));
    let with = |third: &str| format!("{enveloped}{third}{exclusive}");
    let instead = |uri: &str, content: &str| format!("{}{exclusive}", transform(uri, content));
    let xslt = format!(
        "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">\
         <xsl:include href=\"{fetched}\"/><xsl:template match=\"/\">\
         <xsl:value-of select=\"document('{fetched}')\"/>\
         <xsl:value-of select=\"document('/etc/hostname')\"/></xsl:template></xsl:stylesheet>"
    );
    let xpath = "<ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath>";
    let filter = "<f:XPath xmlns:f=\"http://www.w3.org/2002/06/xmldsig-filter2\" Filter=\"subtract\">//x</f:XPath>";
    let xpath_uri = "http://www.w3.org/TR/1999/REC-xpath-19991116";
    let cases = [
        ("none", String::new()),
        ("no enveloped-signature", exclusive.clone()),
        ("no canonicalisation", enveloped.clone()),
        ("the wrong order", format!("{exclusive}{enveloped}")),
        ("three", with(&exclusive)),
        ("two enveloped-signature", format!("{enveloped}{enveloped}")),
        ("XPath", instead(xpath_uri, xpath)),
        ("XPath beside the two", with(&transform(xpath_uri, xpath))),
        ("XPath filter 2", with(&transform("http://www.w3.org/2002/06/xmldsig-filter2", filter))),
        ("XSLT", instead("http://www.w3.org/TR/1999/REC-xslt-19991116", &xslt)),
        (
            "XSLT beside the two",
            with(&transform("http://www.w3.org/TR/1999/REC-xslt-19991116", &xslt)),
        ),
        ("Base64", with(&transform("http://www.w3.org/2000/09/xmldsig#base64", ""))),
        ("decryption", with(&transform("http://www.w3.org/2002/07/decrypt#XML", ""))),
        (
            "package relationships",
            with(&transform(
                "http://schemas.openxmlformats.org/package/2006/RelationshipTransform",
                "",
            )),
        ),
        ("one that nobody knows", instead("urn:unknown", "")),
        ("one without a name", instead("", "")),
        ("a parameter of enveloped-signature", instead(ENVELOPED, xpath)),
        ("inclusive canonicalisation", format!("{enveloped}{}", transform(INCLUSIVE, ""))),
        (
            "canonicalisation with comments",
            format!("{enveloped}{}", transform(&format!("{EXCLUSIVE}WithComments"), "")),
        ),
        ("a namesake", with("").replace("<ds:Transform ", "<ds:Transform xmlns:ds=\"urn:evil\" ")),
    ];
    cases
        .iter()
        .map(|(what, content)| {
            let message = target.signed_again(&target.message.with(&path, content));
            Attack::new(
                format!("transforms: {what}, of the {}", target.signed),
                message,
                "sig.transforms",
            )
        })
        .collect()
}

/// Canonicalisations and algorithms by other names, and lists of prefixes.
pub fn algorithms(target: &Target<'_>) -> Vec<Attack> {
    let info = target.at("Signature/SignedInfo");
    let method = |name: &str| target.at(&format!("Signature/SignedInfo/{name}"));
    let named = |name: &str, uri: &str, code| {
        let message = target.message.with_attribute(&method(name), "Algorithm", uri);
        (format!("{name} {uri:?}"), message, code)
    };
    let mut cases: Vec<(String, Xml, &'static str)> = Vec::new();
    for uri in [
        "",
        INCLUSIVE,
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2010/xml-c14n2",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "HTTP://www.w3.org/2001/10/xml-exc-c14n#",
        "urn:unknown",
    ] {
        cases.push(named("CanonicalizationMethod", uri, "sig.canonicalization"));
    }
    for uri in [
        "",
        "urn:unknown",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2001/04/xmldsig-more#ECDSA-SHA256",
    ] {
        cases.push(named("SignatureMethod", uri, "alg.signature"));
    }
    for uri in [
        "",
        "urn:unknown",
        "http://www.w3.org/2000/09/xmldsig#sha1",
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    ] {
        cases.push(named("Reference/DigestMethod", uri, "alg.digest"));
    }
    let length = "<ds:HMACOutputLength>0</ds:HMACOutputLength>";
    let parameter = target.message.last_in(&method("SignatureMethod"), length);
    cases.push(("HMACOutputLength".into(), parameter, "alg.signature"));
    let list = |namespace: &str, prefixes: &str| {
        format!("<e:InclusiveNamespaces xmlns:e=\"{namespace}\" PrefixList=\"{prefixes}\"/>")
    };
    for (what, list) in [
        ("33 prefixes", list(EXCLUSIVE, &"p ".repeat(33))),
        ("10,000 prefixes", list(EXCLUSIVE, &"p ".repeat(10_000))),
        ("prefixes in another namespace", list("urn:evil", "saml")),
        ("prefixes that are no names", list(EXCLUSIVE, "a:b")),
        ("two lists of prefixes", list(EXCLUSIVE, "saml").repeat(2)),
    ] {
        let at = method("CanonicalizationMethod");
        cases.push((what.into(), target.message.last_in(&at, &list), "sig.prefix_list"));
        let whole = target.message.outer(&method("Reference/Transforms"));
        let end = "</ds:Transform></ds:Transforms>";
        let in_transform = whole.substituted(end, &format!("{list}{end}"));
        let message = target.message.replaced(&method("Reference/Transforms"), in_transform);
        cases.push((format!("{what} in the transform"), message, "sig.prefix_list"));
    }
    let without = |name: &str| target.message.without(&method(name));
    cases.push((
        "no CanonicalizationMethod".into(),
        without("CanonicalizationMethod"),
        "sig.structure",
    ));
    cases.push(("no SignatureMethod".into(), without("SignatureMethod"), "sig.structure"));
    cases.push(("no DigestMethod".into(), without("Reference/DigestMethod"), "sig.structure"));
    assert!(target.message.has(&info));
    cases
        .into_iter()
        .map(|(what, message, code)| {
            let message = target.signed_again(&message);
            Attack::new(format!("{what} of the {}", target.signed), message, code)
        })
        .collect()
}
