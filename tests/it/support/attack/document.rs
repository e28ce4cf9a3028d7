//! Attacks on whoever reads the document before anybody looks at its signature: declarations,
//! entities, encodings, and what stands around the root.

use super::{Attack, Family, Target, VICTIM};

pub const ALL: [Family; 5] = [document_types, entities, encodings, surroundings, namespaces];

/// A document type declaration in every form, most of them harmless: none is accepted.
pub fn document_types(target: &Target<'_>) -> Vec<Attack> {
    let xml = target.message.as_str();
    let fetched = target.sink.url("/external.dtd");
    let root = xml[1..xml.find(' ').expect("a root with attributes")].to_owned();
    let forms = [
        format!("<!DOCTYPE {root}>"),
        format!("<!DOCTYPE {root} []>"),
        format!("<!DOCTYPE {root} SYSTEM \"{fetched}\">"),
        format!("<!DOCTYPE {root} PUBLIC \"-//evil//DTD\" \"{fetched}\">"),
        format!("<!DOCTYPE {root} [<!ENTITY a \"{VICTIM}\">]>"),
        format!("<!DOCTYPE {root} [<!ENTITY a SYSTEM \"{fetched}\">]>"),
        format!("<!DOCTYPE {root} [<!ENTITY a SYSTEM \"file:///etc/hostname\">]>"),
        format!("<!DOCTYPE {root} [<!ENTITY % p SYSTEM \"{fetched}\"> %p;]>"),
        format!("<!DOCTYPE {root} [<!ATTLIST {root} ID ID #IMPLIED x CDATA \"y\">]>"),
        format!("<!doctype {root}>"),
        format!("<!-- --><!DOCTYPE {root}>"),
        format!("<?xml version=\"1.0\"?>\n<!DOCTYPE {root}>"),
        // Where the one parser sees a comment, the other sees the declaration's end.
        format!("<!DOCTYPE {root} [<!-- ]> --><!ENTITY a \"b\">]>"),
        format!("<!DOCTYPE {root} \"<!--\" [<!ENTITY a '\"><!--'>]>"),
    ];
    let before = forms.iter().map(|form| {
        Attack::new(
            format!("{form} before the {}", target.signed),
            format!("{form}{xml}"),
            "xml.doctype",
        )
    });
    let inside = forms.iter().take(2).map(|form| {
        let message = target.message.last_in(target.signed, form);
        Attack::new(format!("{form} in the {}", target.signed), message, "xml.doctype")
    });
    before.chain(inside).collect()
}

/// Entities: in place of a value, in an ID, and as bombs.
pub fn entities(target: &Target<'_>) -> Vec<Attack> {
    let xml = target.message.as_str();
    let root = &xml[1..xml.find(' ').expect("a root with attributes")];
    let fetched = target.sink.url("/entity");
    let id = target.id();
    let declared = |subset: &str, message: &str| format!("<!DOCTYPE {root} [{subset}]>{message}");
    let says =
        |what: &str| target.with(target.original().with(&target.at("Issuer"), what)).into_string();
    let in_id = target.message.with_attribute(target.signed, "ID", "&id;").into_string();
    let bomb: String = (1..10)
        .map(|level| format!("<!ENTITY a{level} \"{}\">", format!("&a{};", level - 1).repeat(10)))
        .collect();
    let quadratic = format!("<!ENTITY a \"{}\">", "a".repeat(60_000));
    let nested =
        "<!ENTITY % a \"x\"><!ENTITY % b \"%a;%a;%a;%a;\"><!ENTITY % c \"%b;%b;%b;%b;\">%c;";
    let cases = [
        ("an entity", declared("<!ENTITY e \"x\">", &says("&e;"))),
        ("a file", declared("<!ENTITY e SYSTEM \"file:///etc/hostname\">", &says("&e;"))),
        ("an address", declared(&format!("<!ENTITY e SYSTEM \"{fetched}\">"), &says("&e;"))),
        ("an entity in the ID", declared(&format!("<!ENTITY id \"{id}\">"), &in_id)),
        ("a billion laughs", declared(&format!("<!ENTITY a0 \"ha\">{bomb}"), &says("&a9;"))),
        ("a quadratic bomb", declared(&quadratic, &says(&"&a;".repeat(20_000)))),
        ("nested parameter entities", declared(nested, xml)),
    ];
    let mut attacks: Vec<Attack> = cases
        .into_iter()
        .map(|(what, message)| {
            Attack::new(format!("{what} of the {}", target.signed), message, "xml.doctype")
        })
        .collect();
    for (what, message) in
        [("an entity", says("&e;")), ("HTML's", says("&nbsp;")), ("in the ID", in_id)]
    {
        let what = format!("an undeclared entity: {what}, of the {}", target.signed);
        attacks.push(Attack::new(what, message, "xml.entity"));
    }
    attacks
}

/// Octets that are not the UTF-8 which they may claim to be.
pub fn encodings(target: &Target<'_>) -> Vec<Attack> {
    let xml = target.message.as_str();
    let utf16 = |to: fn(u16) -> [u8; 2], mark: &[u8]| -> Vec<u8> {
        mark.iter().copied().chain(xml.encode_utf16().flat_map(to)).collect()
    };
    let utf32: Vec<u8> = xml.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let declared = |declaration: &str| format!("<?xml {declaration}?>{xml}").into_bytes();
    let says = |octets: &[u8]| -> Vec<u8> {
        let message = target.with(target.original().with(&target.at("Issuer"), "%"));
        let (before, after) = message.as_str().split_once('%').expect("the sign");
        [before.as_bytes(), octets, after.as_bytes()].concat()
    };
    let marked = |mark: &[u8]| [mark, xml.as_bytes()].concat();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        // Base64 of anything that is no XML is told by its first octet.
        ("UTF-16, little end first", utf16(u16::to_le_bytes, &[0xff, 0xfe]), "binding.not_xml"),
        ("UTF-16, big end first", utf16(u16::to_be_bytes, &[0xfe, 0xff]), "binding.not_xml"),
        ("UTF-16 without a mark", utf16(u16::to_le_bytes, &[]), "xml.character"),
        ("UTF-32", utf32, "binding.not_xml"),
        ("a byte order mark", marked(&[0xef, 0xbb, 0xbf]), "xml.byte_order_mark"),
        (
            "two byte order marks",
            marked(&[0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf]),
            "xml.byte_order_mark",
        ),
        ("UTF-7", declared("version=\"1.0\" encoding=\"UTF-7\""), "xml.declaration"),
        ("EBCDIC", declared("version=\"1.0\" encoding=\"ebcdic-cp-us\""), "xml.declaration"),
        ("Latin 1", declared("version=\"1.0\" encoding=\"ISO-8859-1\""), "xml.declaration"),
        (
            "UTF-16 that is UTF-8",
            declared("version=\"1.0\" encoding=\"UTF-16\""),
            "xml.declaration",
        ),
        ("XML 1.1", declared("version=\"1.1\""), "xml.declaration"),
        ("Latin 1 undeclared", says(&[0xe9]), "xml.not_utf8"),
        ("an overlong character", says(&[0xc0, 0xaf]), "xml.not_utf8"),
        ("an overlong zero", says(&[0xc0, 0x80]), "xml.not_utf8"),
        ("half of a surrogate pair", says(&[0xed, 0xa0, 0x80]), "xml.not_utf8"),
        ("a character beyond Unicode", says(&[0xf4, 0x90, 0x80, 0x80]), "xml.not_utf8"),
        ("a zero", says(&[0]), "xml.character"),
        ("a control character", says(&[1]), "xml.character"),
        ("a reference to zero", says(b"&#0;"), "xml.character"),
        ("a reference to a surrogate", says(b"&#xD800;"), "xml.character"),
        ("a character that is none", says("\u{ffff}".as_bytes()), "xml.character"),
    ];
    let of = |(what, octets, code): (&str, Vec<u8>, _)| {
        Attack::new(format!("{what} in the {}", target.signed), octets, code)
    };
    cases.into_iter().map(of).collect()
}

/// More than the root, before it, behind it or about it.
pub fn surroundings(target: &Target<'_>) -> Vec<Attack> {
    let xml = target.message.as_str();
    let forged = target.with(target.forged());
    let forged = forged.as_str();
    let xml_declaration = "<?xml version=\"1.0\"?>";
    let (pi, declaration) = ("xml.processing_instruction", "xml.declaration");
    let cases: Vec<(&str, String, &str)> = vec![
        ("a forged root behind it", format!("{xml}{forged}"), "xml.trailing"),
        ("a forged root before it", format!("{forged}{xml}"), "xml.trailing"),
        ("itself twice", format!("{xml}{xml}"), "xml.trailing"),
        ("text behind it", format!("{xml}{VICTIM}"), "xml.trailing"),
        ("a reference behind it", format!("{xml}&#32;"), "xml.trailing"),
        ("a CDATA section behind it", format!("{xml}<![CDATA[]]>"), "xml.trailing"),
        ("an end tag behind it", format!("{xml}</samlp:Response>"), "xml.markup"),
        ("an XML declaration behind it", format!("{xml}{xml_declaration}"), declaration),
        ("two XML declarations", format!("{xml_declaration}{xml_declaration}{xml}"), declaration),
        ("a declaration after a line", format!("\n{xml_declaration}{xml}"), declaration),
        ("a declaration after a comment", format!("<!-- -->{xml_declaration}{xml}"), declaration),
        ("a declaration without version", format!("<?xml encoding=\"UTF-8\"?>{xml}"), declaration),
        ("a declaration of nothing", format!("<?xml?>{xml}"), declaration),
        (
            "a declaration in another order",
            format!("<?xml version=\"1.0\" standalone=\"yes\" encoding=\"UTF-8\"?>{xml}"),
            declaration,
        ),
        (
            "a declaration that is perhaps standalone",
            format!("<?xml version=\"1.0\" standalone=\"maybe\"?>{xml}"),
            declaration,
        ),
        ("a declaration in capitals", format!("<?XML version=\"1.0\"?>{xml}"), pi),
        (
            "a style sheet",
            format!("<?xml-stylesheet href=\"{}\"?>{xml}", target.sink.url("/style.xsl")),
            pi,
        ),
        ("an instruction behind it", format!("{xml}<?evil?>"), pi),
        (
            "an instruction in it",
            target.message.last_in(target.signed, "<?evil?>").into_string(),
            pi,
        ),
    ];
    let of = |(what, message, code): (&str, String, _)| {
        Attack::new(format!("{what} (the {})", target.signed), message, code)
    };
    cases.into_iter().map(of).collect()
}

/// Namespaces and attributes that two parsers could resolve in two ways.
pub fn namespaces(target: &Target<'_>) -> Vec<Attack> {
    let root = match target.message.has("Response") {
        true => "Response",
        false => target.signed,
    };
    let with = |name: &str, value: &str| target.message.with_attribute(root, name, value);
    let id = target.id();
    let cases = [
        // A canonicaliser that refuses a relative URI may digest nothing instead (CVE-2025-66475).
        ("a relative namespace", with("xmlns:x", "1"), "xml.namespace_uri"),
        ("a namespace that is a path", with("xmlns:x", "./ns"), "xml.namespace_uri"),
        (
            "a control character in a namespace",
            with("xmlns:x", "urn:a\u{80}b"),
            "xml.namespace_uri",
        ),
        ("a letter in a namespace that no URI has", with("xmlns:x", "urn:é"), "xml.namespace_uri"),
        ("a space in a namespace", with("xmlns:x", "urn:a b"), "xml.namespace_uri"),
        ("a reference in a namespace", with("xmlns:x", "urn:&#x61;"), "xml.namespace_uri"),
        ("an ampersand in a namespace", with("xmlns:x", "urn:a&amp;b"), "xml.namespace_uri"),
        ("a prefix bound to nothing", with("xmlns:x", ""), "xml.undeclared_prefix"),
        ("a prefix that is not declared", with("nobody:x", "y"), "xml.undeclared_prefix"),
        ("xml bound anew", with("xmlns:xml", "urn:x"), "xml.reserved_prefix"),
        ("xmlns bound", with("xmlns:xmlns", "urn:x"), "xml.reserved_prefix"),
        (
            "an attribute twice in one namespace",
            with("a:ID", id)
                .with_attribute(root, "b:ID", "_forged")
                .with_attribute(root, "xmlns:a", "urn:x")
                .with_attribute(root, "xmlns:b", "urn:x"),
            "xml.duplicate_attribute",
        ),
        (
            "an ID twice",
            target
                .message
                .substituted(&format!(" ID=\"{id}\""), &format!(" ID=\"_forged\" ID=\"{id}\"")),
            "xml.duplicate_attribute",
        ),
        (
            "a prefix twice",
            with("xmlns:x", "urn:x")
                .substituted(" xmlns:x=\"urn:x\"", " xmlns:x=\"urn:x\" xmlns:x=\"urn:y\""),
            "xml.duplicate_attribute",
        ),
    ];
    cases
        .into_iter()
        .map(|(what, message, code)| {
            Attack::new(format!("{what}, {}", target.signed), message, code)
        })
        .collect()
}
