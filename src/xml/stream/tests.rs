use std::io::BufReader;

use proptest::prelude::*;

use super::*;

const SOURCE: &str = "\u{FEFF}<?xml version='1.0'?>\n<!-- c --><a:l xmlns:a='urn:x:a'\n n='1'>t\
    <b xmlns='urn:x:b' i=\"a&#10;&lt;>b\">x &amp; <![CDATA[<]]>\r\n<!-- d --><c></c ><c/></b>\
    \n<a:b i='2'/><a:l/></a:l>\n";

fn stream(source: &str, capacity: usize) -> Stream<BufReader<&[u8]>> {
    Stream::new(BufReader::with_capacity(capacity, source.as_bytes()), 1 << 20, Limits::METADATA)
}

fn fault(source: &str) -> Option<(ParseFault, u32)> {
    let mut stream = stream(source, 16);
    loop {
        match stream.child() {
            Ok(Some(tag)) if tag.local_name() == "in" => stream.enter(tag),
            Ok(Some(_)) => {}
            Ok(None) if stream.open.is_empty() && stream.has_root => {
                if let Ok(None) = stream.child() {
                    return None;
                }
            }
            Ok(None) => {}
            Err(StreamError::Xml(error)) => return Some((error.fault, error.line)),
            Err(StreamError::Read(error)) => panic!("{error}"),
        }
    }
}

#[test]
fn elements_are_told_apart_and_copied_as_they_stand() {
    for capacity in [1, 7, 4096] {
        let mut stream = stream(SOURCE, capacity);
        let root = stream.child().unwrap().unwrap();
        assert!(root.is("urn:x:a", "l") && root.attribute("n") == Some("1"));
        assert_eq!(root.line, 2);
        let wrapper = ("<a:l xmlns:a='urn:x:a'  n='1'>".into(), "</a:l>".into());
        assert_eq!(root.as_wrapper(), wrapper);
        stream.enter(root);
        let first = stream.child().unwrap().unwrap();
        assert!(first.is("urn:x:b", "b") && first.line == 3);
        assert_eq!(first.attribute("i"), Some("a\n<>b"));
        let copied = String::from_utf8(stream.copy(&first, 1000).unwrap()).unwrap();
        let (from, to) = (SOURCE.find("<b").unwrap(), SOURCE.find("</b>").unwrap() + 4);
        assert_eq!(copied, SOURCE[from..to]);
        let second = stream.child().unwrap().unwrap();
        assert!(second.is("urn:x:a", "b") && second.line == 5);
        assert_eq!(stream.copy(&second, 1000).unwrap(), b"<a:b i='2'/>");
        let empty = stream.child().unwrap().unwrap();
        assert!(empty.is("urn:x:a", "l"));
        stream.enter(empty);
        for _ in 0..3 {
            assert!(stream.child().unwrap().is_none());
        }
    }
}

#[test]
fn what_is_passed_over_is_read_but_not_judged() {
    let mut stream = stream("<in><x y><z:z/></x><y a='1'/></in>", 16);
    let root = stream.child().unwrap().unwrap();
    stream.enter(root);
    // A tag that is handed out is read strictly; what is inside it is not.
    assert!(stream.child().is_err());
    assert_eq!(fault("<in><x><z:z y/>&nbsp;</x><y/></in>"), None);
}

#[test]
fn what_no_document_may_hold_ends_it_with_the_line() {
    use ParseFault as F;
    let deep = "<in>".repeat(49);
    let deep_inside = format!("<in>{}</in>", "<x>".repeat(50));
    for (source, expected, line) in [
        ("", F::NoRoot, 1),
        ("\n<!DOCTYPE a><a/>", F::DocumentType, 2),
        ("<in>\n<x><!DOCTYPE a></x></in>", F::DocumentType, 2),
        ("<in><?pi?></in>", F::ProcessingInstruction, 1),
        ("<in>\n\n</out>", F::Markup, 3),
        ("<in><x>\n</in>", F::Markup, 2),
        ("<in>", F::Markup, 1),
        ("<a/>\n<b/>", F::OutsideRoot, 2),
        ("x<a/>", F::OutsideRoot, 1),
        ("<a/>x", F::OutsideRoot, 1),
        ("<p:a/>", F::UndeclaredPrefix, 1),
        ("<in>\n<a b='\u{1}'/></in>", F::Character, 2),
        (deep.as_str(), F::TooDeep, 1),
        (deep_inside.as_str(), F::TooDeep, 1),
    ] {
        assert_eq!(fault(source), Some((expected, line)), "{source}");
    }
}

#[test]
fn nothing_takes_more_than_it_may() {
    let text = "x".repeat(2 << 20);
    for (source, total, refused) in [
        (format!("<a>{}</a>", &text[..1 << 19]), 1 << 20, false),
        (format!("<a>{text}</a>"), 8 << 20, true),
        (format!("<a b='{text}'/>"), 8 << 20, true),
        (format!("<!--{text}--><a/>"), 8 << 20, true),
        (format!("<a>{}</a>", "<b/>".repeat(300_000)), 1 << 20, true),
    ] {
        let mut stream = Stream::new(source.as_bytes(), total, Limits::METADATA);
        let read = stream.child().and_then(|_| stream.child());
        let over = |error: StreamError| match error {
            StreamError::Xml(error) => error.fault == ParseFault::TooLarge,
            _ => false,
        };
        assert_eq!(read.is_err(), refused, "{total}");
        assert!(read.map_or_else(over, |_| true));
    }
    let mut stream = Stream::new(&b"<a><b>12345</b></a>"[..], 100, Limits::METADATA);
    let tag = stream.child().unwrap().unwrap();
    assert!(stream.copy(&tag, 18).is_err());
}

proptest! {
    /// Nothing that arrives makes it panic, and what the strict reader takes comes out as it stands.
    #[test]
    fn what_the_strict_reader_takes_is_copied_whole(
        pieces in proptest::collection::vec(
            "(<a>|</a>|<b x='1'/>|<p:c xmlns:p='urn:x'>|</p:c>|<!-- c -->|&amp;|&x;|<!\\[CDATA\\[<\\]\\]>|\r\n| t|<|>|é|<\\?x\\?>)",
            0..12,
        ),
        capacity in 1_usize..40,
    ) {
        let source = format!("<r>{}</r>", pieces.concat());
        let mut stream = stream(&source, capacity);
        let copied = stream.child().and_then(|root| match root {
            Some(root) => stream.copy(&root, 1 << 16).map(Some),
            None => Ok(None),
        });
        let ended = copied.and_then(|copied| stream.child().map(|next| (copied, next.is_none())));
        if crate::xml::parse(source.as_bytes(), &Limits::METADATA).is_ok() {
            let (copied, at_end) = ended.unwrap();
            prop_assert_eq!(copied, Some(source.into_bytes()));
            prop_assert!(at_end);
        }
    }
}
