//! The one parser for what comes from outside. It accepts a subset of XML 1.0 with namespaces:
//! UTF-8, no document type, no processing instructions, no entities but the five predefined, and
//! hard limits, because everything here is read before anybody has signed anything.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::chars::{any_byte, find_forbidden, is_space, normalise_line_ends, referenced_char};
use super::document::{Document, Kind, Node, NodeId, line_at};
use super::fault::{ParseError, ParseFault};
use super::limits::Limits;
use super::tag::{self, Scope};

/// Parses a whole document. Nothing outside `source` is ever read.
pub fn parse<'s>(source: &'s [u8], limits: &Limits) -> Result<Document<'s>, ParseError> {
    let at_start = |fault| ParseError { line: 1, fault };
    if source.len() > limits.bytes {
        return Err(at_start(ParseFault::TooLarge));
    }
    let text = std::str::from_utf8(source).map_err(|_| at_start(ParseFault::NotUtf8))?;
    let text = match text.strip_prefix('\u{FEFF}') {
        Some(marked) if limits.byte_order_mark => marked,
        Some(_) => return Err(at_start(ParseFault::ByteOrderMark)),
        None => text,
    };
    // The tokenizer would skip a second one.
    if text.starts_with('\u{FEFF}') {
        return Err(at_start(ParseFault::ByteOrderMark));
    }
    // Markup and comments hold the same characters as text, so one look at all is enough.
    if let Some(at) = find_forbidden(text) {
        return Err(ParseError { line: line_at(text, at), fault: ParseFault::Character });
    }

    let mut builder = Builder::new(text, limits);
    let mut tokens = tokenizer(text);
    loop {
        let start = position(&tokens);
        let event = tokens.read_event();
        let token = text.get(start..position(&tokens));
        let taken = match (&event, token) {
            (Ok(Event::Eof), _) => break,
            (Ok(event), Some(token)) => builder.take(event, token, start),
            _ => Err(ParseFault::Markup),
        };
        taken.map_err(|fault| ParseError { line: line_at(text, start), fault })?;
    }
    builder.finish().map_err(|fault| ParseError { line: line_at(text, text.len()), fault })
}

fn tokenizer(text: &str) -> Reader<&[u8]> {
    let mut tokens = Reader::from_str(text);
    configure(tokens.config_mut());
    tokens
}

/// How strictly the tokenizer reads.
pub(super) fn configure(config: &mut quick_xml::reader::Config) {
    config.allow_dangling_amp = false;
    config.allow_unmatched_ends = false;
    config.check_comments = true;
    config.check_end_names = true;
    config.expand_empty_elements = false;
    config.trim_markup_names_in_closing_tags = true;
    config.trim_text_start = false;
    config.trim_text_end = false;
}

fn position(tokens: &Reader<&[u8]>) -> usize {
    usize::try_from(tokens.buffer_position()).unwrap_or(usize::MAX)
}

struct Builder<'s, 'l> {
    limits: &'l Limits,
    document: Document<'s>,
    scope: Scope<'s>,
    open: Vec<Open>,
}

/// An element whose end tag has not come yet.
struct Open {
    node: NodeId,
    last_child: Option<NodeId>,
    /// What the scope was before it.
    scope: usize,
}

impl<'s, 'l> Builder<'s, 'l> {
    fn new(source: &'s str, limits: &'l Limits) -> Self {
        let document = Document {
            source,
            nodes: Vec::with_capacity((source.len() / 32).min(limits.nodes)),
            attributes: Vec::new(),
            declarations: Vec::new(),
            line_ends: OnceLock::new(),
        };
        Self { limits, document, scope: Scope::default(), open: Vec::new() }
    }

    /// Takes one token. Its kind comes from the tokenizer, its content from our own source.
    fn take(&mut self, event: &Event<'_>, token: &'s str, offset: usize) -> Result<(), ParseFault> {
        let end = offset + token.len();
        match event {
            Event::Start(_) => self.start(inside(token, "<", ">")?, offset..end)?,
            Event::Empty(_) => {
                self.start(inside(token, "<", "/>")?, offset..end)?;
                self.end(end)?;
            }
            Event::End(_) => self.end(end)?,
            Event::Text(_) => self.plain_text(token, offset)?,
            Event::CData(_) => {
                let content = inside(token, "<![CDATA[", "]]>")?;
                self.text(normalise_line_ends(content), offset)?;
            }
            Event::GeneralRef(_) => {
                let character = referenced_char(inside(token, "&", ";")?)?;
                match self.text_before() {
                    Some(before) => before.to_mut().push(character),
                    None => self.text(Cow::Owned(character.to_string()), offset)?,
                }
            }
            // It leaves no node, so it cannot split a text.
            Event::Comment(_) => {}
            Event::Decl(_) if offset == 0 => {
                tag::check_xml_declaration(inside(token, "<?xml", "?>")?)?;
            }
            Event::Decl(_) => return Err(ParseFault::Declaration),
            Event::PI(_) => return Err(ParseFault::ProcessingInstruction),
            Event::DocType(_) => return Err(ParseFault::DocumentType),
            Event::Eof => {}
        }
        Ok(())
    }

    fn start(&mut self, inside: &'s str, span: Range<usize>) -> Result<(), ParseFault> {
        if self.open.is_empty() && !self.document.nodes.is_empty() {
            return Err(ParseFault::OutsideRoot);
        }
        if self.open.len() >= self.limits.depth {
            return Err(ParseFault::TooDeep);
        }
        let scope = self.scope.mark();
        let Document { attributes, declarations, .. } = &mut self.document;
        let tag =
            tag::read(inside, span.end, self.limits, &mut self.scope, attributes, declarations)?;
        let node = self.append(Kind::Element(tag), span.start)?;
        self.open.push(Open { node, last_child: None, scope });
        Ok(())
    }

    fn end(&mut self, end: usize) -> Result<(), ParseFault> {
        let closed = self.open.pop().ok_or(ParseFault::Markup)?;
        if let Some(Kind::Element(tag)) = self.node_mut(closed.node).map(|node| &mut node.kind) {
            tag.end = end;
        }
        self.scope.leave(closed.scope);
        Ok(())
    }

    fn plain_text(&mut self, text: &'s str, offset: usize) -> Result<(), ParseFault> {
        if self.open.is_empty() {
            return if text.chars().all(is_space) { Ok(()) } else { Err(ParseFault::OutsideRoot) };
        }
        // Nearly every text has neither of these, so there is nothing more to look for.
        if !any_byte(text, |byte| (byte == b'>') | (byte == b'\r')) {
            return self.text(Cow::Borrowed(text), offset);
        }
        // XML 1.0 2.4: it may stand in text only as the end of a CDATA section.
        if text.contains("]]>") {
            return Err(ParseFault::Markup);
        }
        self.text(normalise_line_ends(text), offset)
    }

    /// Adds text to the open element; text beside text is one text.
    fn text(&mut self, text: Cow<'s, str>, offset: usize) -> Result<(), ParseFault> {
        if self.open.is_empty() {
            return Err(ParseFault::OutsideRoot);
        }
        match self.text_before() {
            _ if text.is_empty() => {}
            Some(before) => before.to_mut().push_str(&text),
            None => {
                self.append(Kind::Text(text), offset)?;
            }
        }
        Ok(())
    }

    /// The text that ends where the parser stands.
    fn text_before(&mut self) -> Option<&mut Cow<'s, str>> {
        let last = self.open.last()?.last_child?;
        match &mut self.node_mut(last)?.kind {
            Kind::Text(text) => Some(text),
            Kind::Element(_) => None,
        }
    }

    fn append(&mut self, kind: Kind<'s>, offset: usize) -> Result<NodeId, ParseFault> {
        let index = self.document.nodes.len();
        if index >= self.limits.nodes {
            return Err(ParseFault::TooManyNodes);
        }
        let id = NodeId(u32::try_from(index).map_err(|_| ParseFault::TooManyNodes)?);
        let mut parent = None;
        let mut before = None;
        if let Some(open) = self.open.last_mut() {
            parent = Some(open.node);
            before = open.last_child.replace(id);
        }
        let node = Node { kind, parent, first_child: None, next_sibling: None, offset };
        self.document.nodes.push(node);
        if let Some(before) = before.and_then(|id| self.node_mut(id)) {
            before.next_sibling = Some(id);
        } else if let Some(parent) = parent.and_then(|id| self.node_mut(id)) {
            parent.first_child = Some(id);
        }
        Ok(id)
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node<'s>> {
        self.document.nodes.get_mut(id.0 as usize)
    }

    fn finish(self) -> Result<Document<'s>, ParseFault> {
        if !self.open.is_empty() {
            return Err(ParseFault::Markup);
        }
        if self.document.nodes.is_empty() {
            return Err(ParseFault::NoRoot);
        }
        Ok(self.document)
    }
}

fn inside<'s>(token: &'s str, start: &str, end: &str) -> Result<&'s str, ParseFault> {
    token.strip_prefix(start).and_then(|t| t.strip_suffix(end)).ok_or(ParseFault::Markup)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(source: &str) -> Option<ParseFault> {
        fault_in(source.as_bytes(), &Limits::MESSAGE)
    }

    fn fault_in(source: &[u8], limits: &Limits) -> Option<ParseFault> {
        parse(source, limits).err().map(|error| error.fault)
    }

    fn text(source: &str) -> String {
        let document = parse(source.as_bytes(), &Limits::MESSAGE).unwrap();
        document.root().text().unwrap().to_owned()
    }

    #[test]
    fn a_value_is_whole_however_it_is_written() {
        assert_eq!(text("<a>admin@x.test<!---->.evil.test</a>"), "admin@x.test.evil.test");
        assert_eq!(text("<a>admin<![CDATA[@x.test]]>.evil.test</a>"), "admin@x.test.evil.test");
        assert_eq!(text("<a>admin&#64;x.test&amp;&#x65;vil</a>"), "admin@x.test&evil");
        assert_eq!(text("<a> a\r\nb\rc&#13; </a>"), " a\nb\nc\r ");
        assert_eq!(text("<a><![CDATA[<b>&amp;]]></a>"), "<b>&amp;");
        assert_eq!(text("<a><![CDATA[]]></a>"), "");
        assert_eq!(
            text("<?xml version='1.0' encoding=\"UTF-8\" standalone='no' ?>\n<a>x</a >\n"),
            "x"
        );
    }

    #[test]
    fn what_is_not_a_plain_document_is_refused() {
        use ParseFault as F;
        let cases = [
            ("", F::NoRoot),
            ("  <!-- -->", F::NoRoot),
            ("<!DOCTYPE a><a/>", F::DocumentType),
            ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", F::DocumentType),
            ("<!doctype a SYSTEM 'file:///etc/passwd'><a/>", F::DocumentType),
            ("<a>&e;</a>", F::Entity),
            ("<a b='&e;'/>", F::Entity),
            ("<a>&#0;</a>", F::Character),
            ("<a>\u{1}</a>", F::Character),
            ("<a><![CDATA[\u{FFFF}]]></a>", F::Character),
            ("<a><!--\u{1}--></a>", F::Character),
            ("<a b='\u{1}'/>", F::Character),
            ("<a xmlns:p='urn:\u{FFFE}'/>", F::Character),
            ("<a\u{1}/>", F::Character),
            ("<a>]]></a>", F::Markup),
            ("<a>&</a>", F::Markup),
            ("<a><!-- -- --></a>", F::Markup),
            ("<?xml-stylesheet href='x'?><a/>", F::ProcessingInstruction),
            ("<a><?p?></a>", F::ProcessingInstruction),
            ("<?xml version='1.1'?><a/>", F::Declaration),
            ("<?xml version='1.0' encoding='UTF-16'?><a/>", F::Declaration),
            ("<?xml encoding='UTF-8'?><a/>", F::Declaration),
            ("<?xml version='1.0' version='1.0'?><a/>", F::Declaration),
            ("<?xml version='1.0'?><?xml version='1.0'?><a/>", F::Declaration),
            (" <?xml version='1.0'?><a/>", F::Declaration),
            ("<a/><b/>", F::OutsideRoot),
            ("<a/>x", F::OutsideRoot),
            ("x<a/>", F::OutsideRoot),
            ("<a/><![CDATA[]]>", F::OutsideRoot),
            ("<a/>&#32;", F::OutsideRoot),
            ("<a>", F::Markup),
            ("<a><b></a></b>", F::Markup),
            ("</a>", F::Markup),
            ("<a", F::Markup),
            ("\u{FEFF}<a/>", F::ByteOrderMark),
            ("<a b='1' b='2'/>", F::DuplicateAttribute),
            ("<a b='1'c='2'/>", F::Attribute),
            ("<a b=1/>", F::Attribute),
            ("<a b/>", F::Attribute),
            ("<a b='<'/>", F::Attribute),
            ("<1/>", F::Name),
            ("<a:/>", F::Name),
            ("<p:a/>", F::UndeclaredPrefix),
            ("<a p:b='x'/>", F::UndeclaredPrefix),
            ("<a xmlns:p=''/>", F::UndeclaredPrefix),
            ("<a xmlns:p='urn:x:1' xmlns:p='urn:x:2'/>", F::DuplicateAttribute),
            ("<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='' q:b=''/>", F::DuplicateAttribute),
            ("<a xmlns='1'/>", F::NamespaceUri),
            ("<a xmlns:p='./relative'/>", F::NamespaceUri),
            ("<a xmlns:p='urn:&#x61;'/>", F::NamespaceUri),
            ("<a xmlns:xmlns='urn:x'/>", F::ReservedPrefix),
            ("<a xmlns:xml='urn:x'/>", F::ReservedPrefix),
            ("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", F::ReservedPrefix),
            ("<a xmlns='http://www.w3.org/XML/1998/namespace'/>", F::ReservedPrefix),
        ];
        for (source, expected) in cases {
            assert_eq!(fault(source), Some(expected), "{source}");
        }
        for good in [
            "<!-- a --><a/><!-- b -->\n",
            "<a>]]&gt;</a>",
            "<a b='1' c='2'/>",
            "<a b = '>'/>",
            "<p:a xmlns:p='urn:x' p:b='' b='' xml:lang='en'/>",
            "<a xmlns='urn:x'><b xmlns=''/></a>",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn only_utf8_is_read_and_a_mark_only_in_metadata() {
        for bytes in [&b"<a>\xC0\x80</a>"[..], b"<a>\xED\xA0\x80</a>", b"\xFF\xFE<\0a\0/\0>\0"] {
            assert_eq!(fault_in(bytes, &Limits::MESSAGE), Some(ParseFault::NotUtf8));
        }
        let marked = "\u{FEFF}<?xml version='1.0'?><a/>".as_bytes();
        assert_eq!(fault_in(marked, &Limits::MESSAGE), Some(ParseFault::ByteOrderMark));
        assert_eq!(fault_in(marked, &Limits::METADATA), None);
        let twice = "\u{FEFF}\u{FEFF}<a/>".as_bytes();
        assert_eq!(fault_in(twice, &Limits::METADATA), Some(ParseFault::ByteOrderMark));
    }

    #[test]
    fn every_limit_holds_at_its_number() {
        let limits = Limits {
            bytes: 200_000,
            depth: 3,
            nodes: 5,
            attributes: 3,
            namespaces: 3,
            namespace_bytes: 8,
            byte_order_mark: false,
        };
        let fault = |source: &str| fault_in(source.as_bytes(), &limits);
        assert_eq!(fault("<a><b><c/></b></a>"), None);
        assert_eq!(fault("<a><b><c><d/></c></b></a>"), Some(ParseFault::TooDeep));
        assert_eq!(fault("<a>x<b/><b/><b/></a>"), None);
        assert_eq!(fault("<a>x<b/><b/><b/><b/></a>"), Some(ParseFault::TooManyNodes));
        assert_eq!(fault("<a b='' c='' xmlns='urn:x'/>"), None);
        assert_eq!(fault("<a b='' c='' d='' e=''/>"), Some(ParseFault::TooManyAttributes));
        let nested = |inner: &str| {
            format!("<a xmlns:p='urn:1'><b xmlns:p='urn:2'><c xmlns:p='urn:3'{inner}/></b></a>")
        };
        assert_eq!(fault(&nested("")), None);
        assert_eq!(fault(&nested(" xmlns:q='urn:4'")), Some(ParseFault::TooManyNamespaces));
        assert_eq!(fault("<a xmlns='urn:1234'/>"), None);
        assert_eq!(fault("<a xmlns='urn:12345'/>"), Some(ParseFault::NamespaceUri));
        let padded = |bytes: usize| format!("<a>{}</a>", " ".repeat(bytes - 7));
        assert_eq!(fault(&padded(200_000)), None);
        assert_eq!(fault(&padded(200_001)), Some(ParseFault::TooLarge));
    }

    #[test]
    fn nesting_and_attribute_floods_end_at_the_limit() {
        let nested = "<a>".repeat(100_000);
        let limits = Limits { bytes: usize::MAX, ..Limits::MESSAGE };
        let error = parse(nested.as_bytes(), &limits).unwrap_err();
        assert_eq!(error, ParseError { line: 1, fault: ParseFault::TooDeep });
        let flood: String = (0..80_000).map(|n| format!(" a{n}=''")).collect();
        let flood = format!("<a{flood}/>");
        assert_eq!(fault_in(flood.as_bytes(), &limits), Some(ParseFault::TooManyAttributes));
    }

    #[test]
    fn a_repeated_attribute_is_found_among_few_and_among_many() {
        for count in [1, 7, 8, 9, 60] {
            let attributes: String = (0..count).map(|n| format!(" a{n}='' p:a{n}=''")).collect();
            let attributes = format!("xmlns:p='urn:x' xmlns:q='urn:x'{attributes}");
            let limits = Limits { attributes: 200, ..Limits::MESSAGE };
            let fault =
                |more: &str| fault_in(format!("<b {attributes}{more}/>").as_bytes(), &limits);
            assert_eq!(fault(" a='' p:a=''"), None, "{count}");
            for again in [" a0=''", " q:a0=''"] {
                assert_eq!(fault(again), Some(ParseFault::DuplicateAttribute), "{count}{again}");
            }
        }
    }

    #[test]
    fn an_error_tells_its_line() {
        let error = parse(b"<a>\n<b>\n&x;</b></a>", &Limits::MESSAGE).unwrap_err();
        assert_eq!(error, ParseError { line: 3, fault: ParseFault::Entity });
        assert_eq!(error.code(), "xml.entity");
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(source in "[<>/!\\[\\]?&;#=\"' a-cx:\\-\r\né]{0,60}") {
            let _ = parse(source.as_bytes(), &Limits::METADATA);
        }
    }
}
