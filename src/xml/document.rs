//! A parsed document: an arena of nodes that borrow from the source.
//!
//! Comments and processing instructions never become nodes, so the text around a comment is one
//! text. There is no mutation and no serialiser: what was parsed is what is digested and read.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use super::chars::is_space;

/// An immutable document. Its nodes stand in document order, the root element first.
pub struct Document<'s> {
    pub(super) source: &'s str,
    pub(super) nodes: Vec<Node<'s>>,
    pub(super) attributes: Vec<Attribute<'s>>,
    pub(super) declarations: Vec<Declaration<'s>>,
    /// Where the lines end, in bytes. Found when somebody first asks for a line: there may be as
    /// many errors as elements, and counting anew for each would take the square of that.
    pub(super) line_ends: OnceLock<Vec<u32>>,
}

/// A handle on one element of a [`Document`]; cheap to copy.
#[derive(Clone, Copy)]
pub struct Element<'d> {
    document: &'d Document<'d>,
    node: NodeId,
}

/// An element does not have the children, attributes or text that its schema asks for. `line`
/// counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    #[error("line {line}: {parent} has no {child}")]
    Missing { parent: String, child: String, line: u32 },
    #[error("line {line}: {parent} has more than one {child}")]
    Repeated { parent: String, child: String, line: u32 },
    #[error("line {line}: {element} has no attribute {attribute}")]
    MissingAttribute { element: String, attribute: String, line: u32 },
    #[error("line {line}: {element} must hold text only")]
    NotText { element: String, line: u32 },
}

impl ShapeError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "xml.missing_element",
            Self::Repeated { .. } => "xml.repeated_element",
            Self::MissingAttribute { .. } => "xml.missing_attribute",
            Self::NotText { .. } => "xml.not_text",
        }
    }
}

impl<'s> Document<'s> {
    pub fn root(&self) -> Element<'_> {
        Element { document: self, node: NodeId::ROOT }
    }

    /// Every element, in document order.
    pub fn elements(&self) -> impl Iterator<Item = Element<'_>> {
        self.nodes.iter().zip(0..).filter_map(|(node, index)| match node.kind {
            Kind::Element(_) => Some(Element { document: self, node: NodeId(index) }),
            Kind::Text(_) => None,
        })
    }

    /// The text that was parsed.
    pub fn source(&self) -> &'s str {
        self.source
    }

    /// The handle of a node that is known to be an element.
    pub(super) fn element(&self, id: NodeId) -> Element<'_> {
        Element { document: self, node: id }
    }

    pub(super) fn node(&self, id: NodeId) -> &Node<'s> {
        self.nodes.get(id.0 as usize).expect("ids come from this arena, which never shrinks")
    }
}

/// Says nothing of the content: it holds personal data.
impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl<'d> Element<'d> {
    /// Whether this is the element `{namespace}local`. A prefix never matters.
    pub fn is(self, namespace: &str, local: &str) -> bool {
        let tag = self.tag();
        tag.local == local && tag.namespace == namespace
    }

    pub fn local_name(self) -> &'d str {
        self.tag().local
    }

    /// The namespace name, empty if there is none.
    pub fn namespace(self) -> &'d str {
        self.tag().namespace
    }

    /// The line on which the element begins, from 1: for error messages.
    pub fn line(self) -> u32 {
        let Document { source, line_ends, .. } = self.document;
        let ends = line_ends.get_or_init(|| {
            (0..).zip(source.bytes()).filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect()
        });
        let offset = self.document.node(self.node).offset;
        number_of_line(ends.partition_point(|end| (*end as usize) < offset))
    }

    /// The value of an attribute that is in no namespace. One with a prefix is another attribute.
    pub fn attribute(self, local: &str) -> Option<&'d str> {
        self.attribute_ns("", local)
    }

    pub fn attribute_ns(self, namespace: &str, local: &str) -> Option<&'d str> {
        let mut attributes = self.attributes().iter();
        attributes.find(|a| a.local == local && a.namespace == namespace).map(|a| a.value.as_ref())
    }

    /// As [`Element::attribute`], for an attribute that the schema requires.
    pub fn required_attribute(self, local: &str) -> Result<&'d str, ShapeError> {
        self.attribute(local).ok_or_else(|| ShapeError::MissingAttribute {
            element: self.local_name().to_owned(),
            attribute: local.to_owned(),
            line: self.line(),
        })
    }

    /// The child elements, in order.
    pub fn elements(self) -> impl Iterator<Item = Element<'d>> + use<'d> {
        let document = self.document;
        self.content().filter_map(move |node| match document.node(node).kind {
            Kind::Element(_) => Some(Element { document, node }),
            Kind::Text(_) => None,
        })
    }

    /// The child elements `{namespace}local`, in order.
    pub fn children<'n>(
        self,
        namespace: &'n str,
        local: &'n str,
    ) -> impl Iterator<Item = Element<'d>> + use<'d, 'n> {
        self.elements().filter(move |child| child.is(namespace, local))
    }

    /// The child element `{namespace}local`, if there is one; two are an error.
    pub fn optional(self, namespace: &str, local: &str) -> Result<Option<Element<'d>>, ShapeError> {
        let mut found = self.children(namespace, local);
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(second) => Err(ShapeError::Repeated {
                parent: self.local_name().to_owned(),
                child: local.to_owned(),
                line: second.line(),
            }),
        }
    }

    /// The one child element `{namespace}local`.
    pub fn required(self, namespace: &str, local: &str) -> Result<Element<'d>, ShapeError> {
        self.optional(namespace, local)?.ok_or_else(|| ShapeError::Missing {
            parent: self.local_name().to_owned(),
            child: local.to_owned(),
            line: self.line(),
        })
    }

    /// The text of a leaf exactly as it is, untrimmed; empty if there is none. A child element is
    /// an error, so no markup can hide a part of a value.
    pub fn text(self) -> Result<&'d str, ShapeError> {
        self.plain_text().ok_or_else(|| ShapeError::NotText {
            element: self.local_name().to_owned(),
            line: self.line(),
        })
    }

    /// As [`Element::text`], where markup is no error but `None`: an error counts lines from the start
    /// of the document, and of values that may be markup there can be thousands.
    pub fn plain_text(self) -> Option<&'d str> {
        let mut content = self.content().map(|id| &self.document.node(id).kind);
        match (content.next(), content.next()) {
            (None, _) => Some(""),
            (Some(Kind::Text(text)), None) => Some(text),
            _ => None,
        }
    }

    /// The only child element, if there is exactly one and no text but white space around it.
    pub(super) fn only_element(self) -> Option<Element<'d>> {
        let mut found = None;
        for id in self.content() {
            match &self.document.node(id).kind {
                Kind::Text(text) if text.chars().all(is_space) => {}
                Kind::Element(_) if found.is_none() => {
                    found = Some(Element { document: self.document, node: id });
                }
                Kind::Text(_) | Kind::Element(_) => return None,
            }
        }
        found
    }

    pub fn parent(self) -> Option<Element<'d>> {
        let node = self.document.node(self.node).parent?;
        Some(Element { document: self.document, node })
    }

    pub fn document(self) -> &'d Document<'d> {
        self.document
    }

    /// The namespace name that `prefix` (empty: the default) stands for here, if it is declared.
    /// For values that are qualified names, such as `xsi:type`.
    pub fn namespace_for_prefix(self, prefix: &str) -> Option<&'d str> {
        if prefix == "xml" {
            return Some(super::ns::XML);
        }
        self.declaration_in_scope(prefix).map(|d| d.uri).filter(|uri| !uri.is_empty())
    }

    pub(super) fn declaration_in_scope(self, prefix: &str) -> Option<&'d Declaration<'d>> {
        let mut here = Some(self);
        while let Some(element) = here {
            if let Some(found) = element.declarations().iter().find(|d| d.prefix == prefix) {
                return Some(found);
            }
            here = element.parent();
        }
        None
    }

    /// The element as it is written.
    pub(super) fn source(self) -> &'d str {
        let from = self.document.node(self.node).offset;
        self.document.source.get(from..self.tag().end).unwrap_or_default()
    }

    pub(super) fn id(self) -> NodeId {
        self.node
    }

    pub(super) fn tag(self) -> &'d Tag<'d> {
        match &self.document.node(self.node).kind {
            Kind::Element(tag) => Some(tag),
            Kind::Text(_) => None,
        }
        .expect("an Element is only made from an element node")
    }

    pub(super) fn attributes(self) -> &'d [Attribute<'d>] {
        self.document.attributes.get(self.tag().attributes.clone()).unwrap_or_default()
    }

    pub(super) fn declarations(self) -> &'d [Declaration<'d>] {
        self.document.declarations.get(self.tag().declarations.clone()).unwrap_or_default()
    }

    fn content(self) -> impl Iterator<Item = NodeId> + use<'d> {
        let document = self.document;
        let first = document.node(self.node).first_child;
        std::iter::successors(first, move |id| document.node(*id).next_sibling)
    }
}

/// The same node of the same document, not equal content.
impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        // The lifetimes may differ, the address is what counts.
        std::ptr::addr_eq(self.document, other.document) && self.node == other.node
    }
}

impl Eq for Element<'_> {}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}> on line {}", self.local_name(), self.line())
    }
}

/// The line of a byte offset, from 1.
pub(super) fn line_at(source: &str, offset: usize) -> u32 {
    let before = source.as_bytes().get(..offset).unwrap_or(source.as_bytes());
    number_of_line(before.iter().filter(|byte| **byte == b'\n').count())
}

fn number_of_line(lines_before: usize) -> u32 {
    u32::try_from(lines_before).unwrap_or(u32::MAX).saturating_add(1)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NodeId(pub(super) u32);

impl NodeId {
    pub(super) const ROOT: Self = Self(0);
}

pub(super) struct Node<'s> {
    pub(super) kind: Kind<'s>,
    pub(super) parent: Option<NodeId>,
    pub(super) first_child: Option<NodeId>,
    pub(super) next_sibling: Option<NodeId>,
    /// Where the node begins in the source, in bytes.
    pub(super) offset: usize,
}

pub(super) enum Kind<'s> {
    Element(Tag<'s>),
    Text(Cow<'s, str>),
}

pub(super) struct Tag<'s> {
    pub(super) prefix: &'s str,
    pub(super) local: &'s str,
    pub(super) namespace: &'s str,
    pub(super) attributes: Range<usize>,
    pub(super) declarations: Range<usize>,
    /// The byte after the start tag.
    pub(super) content: usize,
    /// The byte after the whole element.
    pub(super) end: usize,
}

impl Tag<'_> {
    /// The name as it stands in the source.
    pub(super) fn written_name(&self) -> String {
        match self.prefix {
            "" => self.local.to_owned(),
            prefix => format!("{prefix}:{}", self.local),
        }
    }
}

pub(super) struct Attribute<'s> {
    pub(super) prefix: &'s str,
    pub(super) local: &'s str,
    pub(super) namespace: &'s str,
    pub(super) value: Cow<'s, str>,
}

/// `xmlns:prefix="uri"`, or `xmlns="uri"` with an empty prefix.
#[derive(Clone, Copy)]
pub(super) struct Declaration<'s> {
    pub(super) prefix: &'s str,
    pub(super) uri: &'s str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, parse};

    fn document(source: &str) -> Document<'_> {
        parse(source.as_bytes(), &Limits::MESSAGE).expect("well-formed")
    }

    #[test]
    fn names_are_compared_by_namespace_and_never_by_prefix() {
        let document = document(r#"<p:a xmlns:p="urn:x:1"><b xmlns="urn:x:1"/><p:b/><b/></p:a>"#);
        let root = document.root();
        assert!(root.is("urn:x:1", "a") && !root.is("urn:x:2", "a") && !root.is("", "a"));
        assert_eq!(root.children("urn:x:1", "b").count(), 2);
        assert_eq!(root.children("", "b").count(), 1);
        assert_eq!(root.elements().count(), 3);
        assert_eq!(document.elements().count(), 4);
    }

    #[test]
    fn an_attribute_with_a_prefix_is_another_attribute() {
        let document = document(r#"<a xmlns:p="urn:x:1" p:ID="other" ID="own"/>"#);
        assert_eq!(document.root().attribute("ID"), Some("own"));
        assert_eq!(document.root().attribute_ns("urn:x:1", "ID"), Some("other"));
        let document = self::document(r#"<a xmlns:p="urn:x:1" p:ID="other"/>"#);
        assert_eq!(document.root().attribute("ID"), None);
        assert_eq!(
            document.root().required_attribute("ID").map_err(|error| error.code()),
            Err("xml.missing_attribute")
        );
    }

    #[test]
    fn an_element_tells_its_line() {
        let document = document("<!--\n--><a\n><b/>\n<b\n/><b/>\n\n<b/></a>");
        let lines: Vec<_> = document.elements().map(Element::line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 7]);
    }

    #[test]
    fn cardinality_is_checked() {
        let document = document("<a>\n<b/>\n<c/>\n<c/></a>");
        let root = document.root();
        assert!(root.required("", "b").is_ok());
        assert_eq!(root.optional("", "d"), Ok(None));
        assert_eq!(
            root.required("", "d"),
            Err(ShapeError::Missing { parent: "a".into(), child: "d".into(), line: 1 })
        );
        assert_eq!(
            root.optional("", "c"),
            Err(ShapeError::Repeated { parent: "a".into(), child: "c".into(), line: 4 })
        );
    }

    #[test]
    fn text_is_whole_and_exact_or_an_error() {
        let document = document("<a><b> x\ty </b><c/><d>1<e/></d><f><e/></f></a>");
        let text = |local| document.root().required("", local).and_then(Element::text);
        assert_eq!(text("b"), Ok(" x\ty "));
        assert_eq!(text("c"), Ok(""));
        let plain = |local| document.root().required("", local).unwrap().plain_text();
        assert_eq!(
            (plain("b"), plain("c"), plain("d"), plain("f")),
            (Some(" x\ty "), Some(""), None, None)
        );
        assert_eq!(text("d"), Err(ShapeError::NotText { element: "d".into(), line: 1 }));
        assert_eq!(text("f"), Err(ShapeError::NotText { element: "f".into(), line: 1 }));
    }

    #[test]
    fn elements_are_equal_only_as_the_same_node_of_the_same_document() {
        let (one, two) = (document("<a><b/><b/></a>"), document("<a><b/><b/></a>"));
        assert_eq!(one.root(), one.root());
        assert_ne!(one.root(), two.root());
        let children: Vec<_> = one.root().elements().collect();
        assert_ne!(children[0], children[1]);
        assert_eq!(children[1].parent(), Some(one.root()));
        assert_eq!(one.root().parent(), None);
    }

    #[test]
    fn a_prefix_is_looked_up_where_it_is_used() {
        let document =
            document(r#"<a xmlns="urn:x:d" xmlns:p="urn:x:1"><b xmlns="" xmlns:p="urn:x:2"/></a>"#);
        let inner = document.root().elements().next().expect("b");
        assert_eq!(document.root().namespace_for_prefix("p"), Some("urn:x:1"));
        assert_eq!(inner.namespace_for_prefix("p"), Some("urn:x:2"));
        assert_eq!(document.root().namespace_for_prefix(""), Some("urn:x:d"));
        assert_eq!(inner.namespace_for_prefix(""), None);
        assert_eq!(inner.namespace_for_prefix("q"), None);
    }
}
