//! What is done to signed XML: to its bytes, and to its elements, as signature wrapping does it.

use super::elements::{Span, attributes, elements};
use super::{Choices, mutate_bytes, range, splice};

/// What attacks on SAML are made of.
const PIECES: [&[u8]; 24] = [
    b"<!---->",
    b"<!-- x -->",
    b"<![CDATA[eve]]>",
    b"<![CDATA[]]>",
    b"<?x y?>",
    b"<!DOCTYPE x [<!ENTITY e 'eve'>]>",
    b"&e;",
    b"&#x65;",
    b"&amp;",
    b"eve",
    b"<saml:NameID>eve</saml:NameID>",
    b"<saml:Subject>",
    b"</saml:Subject>",
    b"</saml:NameID>",
    b"<saml:Attribute Name=\"mail\"><saml:AttributeValue>eve</saml:AttributeValue></saml:Attribute>",
    b" ID=\"_assertion\"",
    b" Id=\"_response\"",
    b" xml:id=\"_x\"",
    b" xmlns=\"urn:x\"",
    b" xmlns:saml=\"urn:x\"",
    b"<x xmlns=\"\"/>",
    b"\r\n",
    b"\xEF\xBB\xBF",
    b"]]>",
];

/// Names that mean something to a reader of SAML.
const NAMES: [&str; 14] = [
    "x",
    "saml:Assertion",
    "samlp:Response",
    "saml:Advice",
    "samlp:Extensions",
    "ds:Object",
    "ds:Signature",
    "saml:Subject",
    "saml:NameID",
    "saml:AttributeValue",
    "saml:EncryptedAssertion",
    "saml:BaseID",
    "saml:Conditions",
    "x:Assertion",
];

const VALUES: [&str; 12] = [
    "",
    "eve",
    "_assertion",
    "#_assertion",
    "_response",
    "#_response",
    "#xpointer(/)",
    "https://evil.example/",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
];

const DECLARATIONS: [&str; 5] = [
    " xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"",
    " xmlns=\"urn:oasis:names:tc:SAML:2.0:assertion\"",
    " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"",
    " xmlns:x=\"urn:oasis:names:tc:SAML:2.0:assertion\"",
    " xmlns:unused=\"urn:x\"",
];

/// A changed copy: one to four changes, half of them to bytes and half to elements.
pub fn mutate_xml(signed: &[u8], choices: &mut impl Choices) -> Vec<u8> {
    let mut text = signed.to_vec();
    for _ in 0..=choices.below(4) {
        let spans = elements(&text);
        match choices.pick(&spans) {
            Some(span) if !choices.one_in(3) => {
                let span = span.clone();
                mutate_element(&mut text, &span, &spans, choices);
            }
            _ => mutate_bytes(&mut text, &PIECES, choices),
        }
    }
    text
}

fn mutate_element(text: &mut Vec<u8>, span: &Span, spans: &[Span], choices: &mut impl Choices) {
    let copy = text[span.whole.clone()].to_vec();
    match choices.below(13) {
        0 => splice(text, span.whole.clone(), b""),
        1 => insert_element(text, &copy, spans, choices),
        2 => {
            // Moved: cut first, so that the places are those of the rest.
            splice(text, span.whole.clone(), b"");
            let rest = elements(text);
            insert_element(text, &copy, &rest, choices);
        }
        3 => {
            let wrapped = wrapped(&copy, choices);
            splice(text, span.whole.clone(), &wrapped);
        }
        4 => {
            let value = choices.pick(&VALUES).copied().unwrap_or_default();
            splice(text, span.content.clone(), value.as_bytes());
        }
        5 => {
            let piece = choices.pick(&PIECES).copied().unwrap_or_default();
            let at = span.content.start + choices.below(span.content.len() + 1);
            splice(text, at..at, piece);
        }
        6 => change_attribute(text, span, spans, choices),
        7 => {
            let declaration = choices.pick(&DECLARATIONS).copied().unwrap_or_default();
            splice(text, span.name.end..span.name.end, declaration.as_bytes());
        }
        8 => rename(text, span, choices),
        9 => wrap_signature(text, spans, choices),
        10 => {
            // The content of another element of the same name, as when two signatures are swapped.
            let name = text[span.name.clone()].to_vec();
            let same: Vec<&Span> =
                spans.iter().filter(|other| text[other.name.clone()] == name).collect();
            if let Some(other) = choices.pick(&same) {
                let content = text[other.content.clone()].to_vec();
                splice(text, span.content.clone(), &content);
            }
        }
        11 => respell(text, span, choices),
        _ => {
            let local = range(&copy, 200, choices);
            let copied = copy[local].to_vec();
            let at = span.whole.start + choices.below(span.whole.len() + 1);
            splice(text, at..at, &copied);
        }
    }
}

/// Puts an element before, after, or first or last into another.
fn insert_element(text: &mut Vec<u8>, copy: &[u8], spans: &[Span], choices: &mut impl Choices) {
    if let Some(other) = choices.pick(spans) {
        let (whole, content) = (&other.whole, &other.content);
        let at = [whole.start, whole.end, content.start, content.end][choices.below(4)];
        splice(text, at..at, copy);
    }
}

fn wrapped(copy: &[u8], choices: &mut impl Choices) -> Vec<u8> {
    let name = choices.pick(&NAMES).copied().unwrap_or("x");
    let declared = match choices.below(3) {
        0 => "",
        1 => " xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:x=\"urn:x\"",
        _ => " xmlns:x=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_other\"",
    };
    [format!("<{name}{declared}>").as_bytes(), copy, format!("</{name}>").as_bytes()].concat()
}

fn change_attribute(text: &mut Vec<u8>, span: &Span, spans: &[Span], choices: &mut impl Choices) {
    let own = attributes(text, span.tag());
    let Some((name, value)) = choices.pick(&own).cloned() else { return };
    let old = text[value.clone()].to_vec();
    match choices.below(6) {
        0 => {
            let other = choices.pick(&VALUES).copied().unwrap_or_default();
            splice(text, value, other.as_bytes());
        }
        1 => {
            let all: Vec<_> =
                spans.iter().flat_map(|other| attributes(text, other.tag())).collect();
            if let Some((_, other)) = choices.pick(&all) {
                let other = text[other.clone()].to_vec();
                splice(text, value, &other);
            }
        }
        2 => splice(text, value, &old.to_ascii_uppercase()),
        3 => splice(text, name.start..value.end + 1, b""),
        4 => {
            // The same name in other letters, beside the first.
            let twin = [b" ", &*text[name.clone()].to_ascii_lowercase(), b"=\"", &old, b"\""];
            splice(text, value.end + 1..value.end + 1, &twin.concat());
        }
        _ => {
            let first = old.first().map(|byte| format!("&#x{byte:X};")).unwrap_or_default();
            if old.first().is_some_and(u8::is_ascii_alphanumeric) {
                splice(text, value.start..value.start + 1, first.as_bytes());
            }
        }
    }
}

fn rename(text: &mut Vec<u8>, span: &Span, choices: &mut impl Choices) {
    let new = choices.pick(&NAMES).copied().unwrap_or("x").as_bytes();
    if span.content.end < span.whole.end {
        let end = [b"</", new, b">"].concat();
        splice(text, span.content.end..span.whole.end, &end);
    }
    splice(text, span.name.clone(), new);
}

/// Signature wrapping (XSW): a forged copy of a signed element where a reader may look, and the
/// original where the signature still finds it.
fn wrap_signature(text: &mut Vec<u8>, spans: &[Span], choices: &mut impl Choices) {
    let local = ["Assertion", "Response"][choices.below(2)];
    let Some(signed) = spans.iter().find(|span| span.is(text, local)).cloned() else { return };
    let original = text[signed.whole.clone()].to_vec();
    let mut forged = replaced(&original, b">ada", b">eve");
    forged = match choices.below(3) {
        0 => forged,
        1 => replaced(&forged, b" ID=\"_assertion\"", b" ID=\"_forged\""),
        _ => replaced(&forged, b" ID=\"_response\"", b" ID=\"_forged\""),
    };
    if choices.one_in(2) {
        let inner = elements(&forged);
        if let Some(signature) = inner.iter().find(|span| span.is(&forged, "Signature")) {
            let signature = signature.whole.clone();
            splice(&mut forged, signature, b"");
        }
    }
    let hidden = if choices.one_in(2) { original } else { wrapped(&original, choices) };
    match choices.below(3) {
        0 => splice(text, signed.whole, &[forged, hidden].concat()),
        1 => splice(text, signed.whole, &[hidden, forged].concat()),
        _ => {
            let inner = elements(&forged);
            insert_element(&mut forged, &hidden, &inner, choices);
            splice(text, signed.whole, &forged);
        }
    }
}

/// The same meaning in other bytes: these should be accepted.
fn respell(text: &mut Vec<u8>, span: &Span, choices: &mut impl Choices) {
    match choices.below(5) {
        0 => splice(text, span.name.end..span.name.end, b" \n\t"),
        1 if span.content.is_empty() && span.content.end < span.whole.end => {
            splice(text, span.content.start - 1..span.whole.end, b"/>");
        }
        2 => {
            let own = attributes(text, span.tag());
            let Some((_, value)) = choices.pick(&own).cloned() else { return };
            if !text[value.clone()].contains(&b'\'') {
                splice(text, value.end..value.end + 1, b"'");
                splice(text, value.start - 1..value.start, b"'");
            }
        }
        3 => splice(text, span.content.end..span.content.end, b"<!---->"),
        _ => {
            let at = span.content.start;
            let first = text.get(at).copied().filter(u8::is_ascii_alphanumeric);
            if let Some(byte) = first.filter(|_| !span.content.is_empty()) {
                splice(text, at..at + 1, format!("&#{byte};").as_bytes());
            }
        }
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match super::elements::find(text, 0, from) {
        Some(at) => [&text[..at], to, &text[at + from.len()..]].concat(),
        None => text.to_vec(),
    }
}
