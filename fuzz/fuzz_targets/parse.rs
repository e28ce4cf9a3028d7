//! Whatever our parser accepts, another parser reads in the same way, and its canonical form is the
//! canonical form of itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sloop::xml::{Document, Element, Limits, c14n, parse};

fuzz_target!(|input: &[u8]| {
    let Ok(document) = parse(input, &Limits::MESSAGE) else { return };
    let text = std::str::from_utf8(input).expect("only UTF-8 is accepted");
    // XML 1.0 2.11, done before: in text, it takes a line end after a reference for part of that.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let other = roxmltree::Document::parse(&text).expect("only XML is accepted");
    same(document.root(), other.root_element());

    let Ok(canonical) = c14n::exclusive(document.root(), None, &["p", "#default"]) else { return };
    // It may be longer than the document, not deeper.
    let again = parse(&canonical, &Limits::METADATA).expect("a canonical form is XML");
    same(again.root(), other.root_element());
    let twice = c14n::exclusive(again.root(), None, &["p", "#default"]);
    assert_eq!(twice.as_ref(), Ok(&canonical));
    assert_eq!(count(&document), count(&again));
});

fn count(document: &Document<'_>) -> usize {
    document.elements().count()
}

/// The same names, attributes and text all the way down. Depth is bounded by the parser.
fn same(ours: Element<'_>, other: roxmltree::Node<'_, '_>) {
    assert_eq!(ours.local_name(), other.tag_name().name());
    assert_eq!(ours.namespace(), other.tag_name().namespace().unwrap_or_default());
    for attribute in other.attributes() {
        let namespace = attribute.namespace().unwrap_or_default();
        assert_eq!(ours.attribute_ns(namespace, attribute.name()), Some(attribute.value()));
    }
    let children: Vec<_> = other.children().filter(roxmltree::Node::is_element).collect();
    assert_eq!(ours.elements().count(), children.len());
    if children.is_empty() {
        // Comments split a text there; here they never do.
        let text: String = other.children().filter_map(|child| child.own_text()).collect();
        assert_eq!(ours.text(), Ok(text.as_str()));
    }
    for (ours, other) in ours.elements().zip(children) {
        same(ours, other);
    }
}

trait TextOf<'a> {
    /// The text of a text node; comments have none.
    fn own_text(&self) -> Option<&'a str>;
}

impl<'a> TextOf<'a> for roxmltree::Node<'a, '_> {
    fn own_text(&self) -> Option<&'a str> {
        if self.is_text() { self.text() } else { None }
    }
}
