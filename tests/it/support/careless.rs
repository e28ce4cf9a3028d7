//! A careless service provider, made of the mistakes that real ones made. It looks for what it needs
//! by name, anywhere in the document: a signature that holds over some SignedInfo, an element with
//! the ID, a digest that fits it, even in a comment. Then it reads the name that comes first, or
//! last, or where a name usually stands. An attack is worth testing when this one falls for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::xml::algorithm::SignatureAlgorithm;
use sloop::xml::verify::TrustedKeys;
use sloop::xml::{Document, Element, Limits, c14n, ns, parse};

/// Whether some signature in the document seems to hold for an element whose ID it names.
pub fn is_content(xml: &str, keys: &TrustedKeys) -> bool {
    let document = read(xml);
    let infos = named(&document, "SignedInfo");
    let is_signed = infos.into_iter().any(|info| somebody_signed(&document, info, keys));
    let digests = digests(&document, xml);
    let references = named(&document, "Reference");
    let ids = references.into_iter().filter_map(|it| it.attribute("URI")?.strip_prefix('#'));
    let mut referenced = ids.flat_map(|id| with_id(&document, id));
    is_signed && referenced.any(|element| digests.contains(&digest_of(element)))
}

/// The names that one or the other careless reader would sign in.
pub fn names(xml: &str) -> Vec<String> {
    let path = ["Response", "Assertion", "Subject", "NameID"];
    values(xml, &path, |name_id| name_id.text().unwrap_or_default().to_owned())
}

/// The statuses that one or the other careless reader would believe.
pub fn statuses(xml: &str) -> Vec<String> {
    let path = ["LogoutResponse", "Status", "StatusCode"];
    values(xml, &path, |code| code.attribute("Value").unwrap_or_default().to_owned())
}

/// SHA-256 of the element without the signature that it holds.
pub fn digest_of(element: Element<'_>) -> Vec<u8> {
    let own = element.children(ns::DS, "Signature").next();
    let octets = c14n::exclusive(element, own, &[]).expect("a small document");
    openssl::sha::sha256(&octets).to_vec()
}

pub fn read(xml: &str) -> Document<'_> {
    parse(xml.as_bytes(), &Limits::METADATA).unwrap_or_else(|error| panic!("{error}: {xml}"))
}

pub fn named<'d>(document: &'d Document<'d>, name: &str) -> Vec<Element<'d>> {
    document.elements().filter(|element| element.local_name() == name).collect()
}

/// By the first element of that name, by the last, and by the path from the root.
fn values(xml: &str, path: &[&str], value: impl Fn(Element<'_>) -> String) -> Vec<String> {
    let document = read(xml);
    let leaves = named(&document, path.last().expect("a path"));
    let root = Some(document.root()).filter(|root| root.local_name() == path[0]);
    let by_path = path[1..].iter().fold(root, |here, name| {
        here.and_then(|here| here.elements().find(|child| child.local_name() == *name))
    });
    let (first, last) = (leaves.first().copied(), leaves.last().copied());
    [first, last, by_path].into_iter().flatten().map(value).collect()
}

fn somebody_signed(document: &Document<'_>, info: Element<'_>, keys: &TrustedKeys) -> bool {
    let octets = c14n::exclusive(info, None, &[]).expect("a small document");
    let methods = named(document, "SignatureMethod");
    let uris = methods.into_iter().filter_map(|method| method.attribute("Algorithm"));
    let algorithms: Vec<_> = uris.filter_map(SignatureAlgorithm::from_uri).collect();
    let mut values = named(document, "SignatureValue").into_iter().map(decoded);
    values.any(|value| algorithms.iter().any(|it| keys.verify_octets(*it, &octets, &value).is_ok()))
}

fn digests(document: &Document<'_>, xml: &str) -> Vec<Vec<u8>> {
    let in_comments = xml.split("<!--").skip(1).filter_map(|rest| rest.split("-->").next());
    let in_comments = in_comments.map(|text| STANDARD.decode(text).unwrap_or_default());
    named(document, "DigestValue").into_iter().map(decoded).chain(in_comments).collect()
}

fn with_id<'d>(document: &'d Document<'d>, id: &str) -> Vec<Element<'d>> {
    document.elements().filter(|element| element.attribute("ID") == Some(id)).collect()
}

fn decoded(element: Element<'_>) -> Vec<u8> {
    STANDARD.decode(element.text().unwrap_or_default()).unwrap_or_default()
}
