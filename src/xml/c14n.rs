//! Exclusive XML Canonicalization 1.0 without comments, over a subtree of a parsed document.

use super::document::{Attribute, Declaration, Element, Kind, NodeId};
use super::escape;

/// The canonical form would be far larger than the document: many elements that each repeat a
/// declaration. Honest documents grow by less than half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the canonical form is more than {GROWTH} times as large as the document")]
pub struct TooLarge;

const GROWTH: usize = 4;
/// What a small document may always use, in bytes.
const FLOOR: usize = 64 * 1024;

/// The canonical form of `element` without the subtree `omit`. `inclusive_prefixes` is the
/// PrefixList (Exclusive C14N 3), where `#default` is the default namespace. Takes time and space
/// linear in the result, and no stack.
pub fn exclusive(
    element: Element<'_>,
    omit: Option<Element<'_>>,
    inclusive_prefixes: &[&str],
) -> Result<Vec<u8>, TooLarge> {
    let document = element.document();
    let budget = document.source().len().saturating_mul(GROWTH).max(FLOOR);
    let omit = omit.map(Element::id);
    let mut canonical = Canonical {
        out: String::with_capacity(usual_size(element)),
        rendered: Vec::with_capacity(16),
        sorted: Vec::with_capacity(16),
    };
    let mut steps = Vec::with_capacity(32);
    steps.push(Step::Enter(element.id()));

    while let Some(step) = steps.pop() {
        match step {
            Step::Close { node, rendered } => {
                canonical.end_tag(document.element(node));
                canonical.rendered.truncate(rendered);
            }
            Step::Enter(id) => {
                let node = document.node(id);
                if id != element.id()
                    && let Some(next) = node.next_sibling
                {
                    steps.push(Step::Enter(next));
                }
                match &node.kind {
                    Kind::Text(text) => escape::text(text, &mut canonical.out),
                    Kind::Element(_) if Some(id) == omit => {}
                    Kind::Element(_) => {
                        steps.push(Step::Close { node: id, rendered: canonical.rendered.len() });
                        let this = document.element(id);
                        canonical.start_tag(this, id == element.id(), inclusive_prefixes);
                        steps.extend(node.first_child.map(Step::Enter));
                    }
                }
            }
        }
        if canonical.out.len() > budget {
            return Err(TooLarge);
        }
    }
    Ok(canonical.out.into_bytes())
}

enum Step {
    /// Write this node, and after it its following siblings.
    Enter(NodeId),
    /// Write the end tag and forget the declarations that the element rendered.
    Close { node: NodeId, rendered: usize },
}

struct Canonical<'d> {
    out: String,
    /// Declarations in force in the output, innermost last.
    rendered: Vec<Declaration<'d>>,
    /// The attributes of the element at hand, in the order of the output.
    sorted: Vec<&'d Attribute<'d>>,
}

impl<'d> Canonical<'d> {
    fn start_tag(&mut self, element: Element<'d>, is_apex: bool, inclusive: &[&str]) {
        let tag = element.tag();
        let inherited = self.rendered.len();
        // Visibly utilised: the prefixes of the element and of its attributes.
        self.need(Declaration { prefix: tag.prefix, uri: tag.namespace });
        for attribute in element.attributes() {
            if !attribute.prefix.is_empty() {
                self.need(Declaration { prefix: attribute.prefix, uri: attribute.namespace });
            }
        }
        // Below the apex such a prefix can only change where it is declared anew.
        for prefix in inclusive.iter().map(|p| if *p == "#default" { "" } else { p }) {
            let declaration = if is_apex {
                element.declaration_in_scope(prefix)
            } else {
                element.declarations().iter().find(|d| d.prefix == prefix)
            };
            if let Some(declaration) = declaration {
                self.need(*declaration);
            }
        }
        let declarations = self.rendered.get_mut(inherited..).unwrap_or_default();
        declarations.sort_unstable_by_key(|declaration| declaration.prefix);
        self.sorted.clear();
        self.sorted.extend(element.attributes());
        self.sorted.sort_unstable_by_key(|attribute| (attribute.namespace, attribute.local));

        let out = &mut self.out;
        out.push('<');
        write_name(tag.prefix, tag.local, out);
        for Declaration { prefix, uri } in declarations {
            out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
            out.push_str(prefix);
            write_value(uri, out);
        }
        for attribute in &self.sorted {
            out.push(' ');
            write_name(attribute.prefix, attribute.local, out);
            write_value(&attribute.value, out);
        }
        out.push('>');
    }

    /// Adds a declaration that must be written here: not the one of `xml`, and none that is
    /// already in force in the output. In one element a prefix has one meaning, so what it needs
    /// twice is in force the second time.
    fn need(&mut self, declaration: Declaration<'d>) {
        let Declaration { prefix, uri } = declaration;
        let in_force = self.rendered.iter().rev().find(|d| d.prefix == prefix);
        // Without any declaration the default namespace is none already.
        let is_in_force = in_force.map_or(prefix.is_empty() && uri.is_empty(), |d| d.uri == uri);
        if prefix != "xml" && !is_in_force {
            self.rendered.push(declaration);
        }
    }

    fn end_tag(&mut self, element: Element<'d>) {
        let tag = element.tag();
        self.out.push_str("</");
        write_name(tag.prefix, tag.local, &mut self.out);
        self.out.push('>');
    }
}

fn write_name(prefix: &str, local: &str, out: &mut String) {
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(local);
}

fn write_value(value: &str, out: &mut String) {
    out.push_str("=\"");
    escape::attribute(value, out);
    out.push('"');
}

/// What the canonical form of an honest element needs, in bytes: as much as its source and some
/// declarations and end tags more.
fn usual_size(element: Element<'_>) -> usize {
    let written = element.source().len();
    written + written / 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xml::{Document, Limits, parse};

    fn canonical(source: &str, path: &[usize], prefixes: &[&str]) -> String {
        let document = parse(source.as_bytes(), &Limits::MESSAGE).unwrap();
        let step =
            |element: Element<'_>, index: &usize| element.elements().nth(*index).unwrap().id();
        let apex =
            path.iter().fold(document.root().id(), |id, index| step(document.element(id), index));
        String::from_utf8(exclusive(document.element(apex), None, prefixes).unwrap()).unwrap()
    }

    #[test]
    fn attributes_declarations_and_values_have_one_form() {
        let source = "<?xml version='1.0'?><!--x--><a  xmlns:p='urn:p' xmlns:unused='urn:u' z='1' \
                      p:b='2' xml:lang='en' b='&lt;&gt;&quot;&apos;&#9;&#10;&#13;\t' \
                      xmlns='urn:d' ><p:c/><d xmlns=''/><!--x--> &gt;&amp;\"&#13;<![CDATA[<]]></a>\n";
        let expected = "<a xmlns=\"urn:d\" xmlns:p=\"urn:p\" b=\"&lt;>&quot;'&#x9;&#xA;&#xD; \" \
                        z=\"1\" xml:lang=\"en\" p:b=\"2\"><p:c></p:c><d xmlns=\"\"></d> \
                        &gt;&amp;\"&#xD;&lt;</a>";
        assert_eq!(canonical(source, &[], &[]), expected);
    }

    #[test]
    fn attributes_are_ordered_by_namespace_name_and_not_by_prefix() {
        let source = "<r xmlns:a='urn:z' xmlns:b='urn:a' a:x='1' b:x='2'/>";
        let expected = "<r xmlns:a=\"urn:z\" xmlns:b=\"urn:a\" b:x=\"2\" a:x=\"1\"></r>";
        assert_eq!(canonical(source, &[], &[]), expected);
    }

    #[test]
    fn a_declaration_is_written_where_it_is_first_used() {
        let source = "<r xmlns:p='urn:p' xmlns:q='urn:q'><p:a><q:b><q:c/></q:b><q:b/></p:a></r>";
        assert_eq!(
            canonical(source, &[0], &[]),
            "<p:a xmlns:p=\"urn:p\"><q:b xmlns:q=\"urn:q\"><q:c></q:c></q:b>\
             <q:b xmlns:q=\"urn:q\"></q:b></p:a>"
        );
        assert_eq!(
            canonical(source, &[0], &["q", "unknown", "xml", "#default"]),
            "<p:a xmlns:p=\"urn:p\" xmlns:q=\"urn:q\"><q:b><q:c></q:c></q:b><q:b></q:b></p:a>"
        );
    }

    #[test]
    fn a_prefix_declared_anew_is_written_anew() {
        let source = "<p:r xmlns:p='urn:1'><p:a xmlns:p='urn:2'/><p:b/><c xmlns:p='urn:2'/></p:r>";
        let plain = "<p:r xmlns:p=\"urn:1\"><p:a xmlns:p=\"urn:2\"></p:a><p:b></p:b><c></c></p:r>";
        assert_eq!(canonical(source, &[], &[]), plain);
        let listed = plain.replace("<c>", "<c xmlns:p=\"urn:2\">");
        assert_eq!(canonical(source, &[], &["p"]), listed);
    }

    #[test]
    fn the_default_namespace_is_taken_away_only_where_the_output_has_one() {
        let source = "<r xmlns='urn:d'><p:a xmlns:p='urn:p'><b xmlns=''/></p:a></r>";
        assert_eq!(canonical(source, &[0], &[]), "<p:a xmlns:p=\"urn:p\"><b></b></p:a>");
        assert_eq!(
            canonical(source, &[0], &["#default"]),
            "<p:a xmlns=\"urn:d\" xmlns:p=\"urn:p\"><b xmlns=\"\"></b></p:a>"
        );
    }

    #[test]
    fn one_subtree_can_be_left_out() {
        let document = parse(b"<r> <a><b/></a> <a/>x</r>", &Limits::MESSAGE).unwrap();
        let omit = document.root().elements().next();
        let without = exclusive(document.root(), omit, &[]).unwrap();
        assert_eq!(without, b"<r>  <a></a>x</r>");
    }

    #[test]
    fn growth_is_bounded() {
        let uri = format!("urn:{}", "x".repeat(500));
        let inner = "<p:a/>".repeat(2000);
        let repeated = format!("<r xmlns:p='{uri}'>{inner}</r>");
        let document = parse(repeated.as_bytes(), &Limits::MESSAGE).unwrap();
        assert_eq!(exclusive(document.root(), None, &[]), Err(TooLarge));
        assert!(exclusive(document.root(), None, &["p"]).is_ok());
    }

    /// Well-formed content: elements, attributes, declarations, references, comments, text.
    fn content() -> impl Strategy<Value = String> {
        let leaf = proptest::sample::select(vec![
            "x",
            "\r\n",
            "\r",
            " ",
            "&#13;",
            "&lt;",
            "&amp;",
            "]]&gt;",
            "<!--c-->",
            "<p:e/>",
            "<![CDATA[<&]]>",
            "<e xmlns=''/>",
            "<e b='\t&#9;&#13;&quot;\"'/>",
            "<q:e p:b='' q:b=''/>",
            "<e q:c='&#10;&lt;&amp;' c='é' p:c='1\r\n2' xml:lang=''/>",
            "😀",
        ])
        .prop_map(|leaf| leaf.replace("\"'", "'"));
        leaf.prop_recursive(5, 40, 6, |inner| {
            let tags = proptest::sample::select(vec![
                ("<e>", "</e>"),
                ("<p:e xmlns:p='urn:3' z='' b=''>", "</p:e>"),
                ("<e xmlns='urn:1' p:z='' q:a=''>", "</e>"),
                ("<q:e xmlns:p='urn:1' xmlns:q='urn:2' b=\"'\">", "</q:e>"),
            ]);
            (tags, proptest::collection::vec(inner, 0..6))
                .prop_map(|((open, close), inner)| format!("{open}{}{close}", inner.concat()))
        })
    }

    /// All that a reader can see, node by node: depth, names, every attribute, every text.
    fn seen(document: &Document<'_>) -> Vec<(usize, String)> {
        let depth =
            |id| std::iter::successors(document.node(id).parent, |id| document.node(*id).parent);
        let ids = (0..).map(NodeId).take(document.nodes.len());
        let show = |id: NodeId| match &document.node(id).kind {
            Kind::Text(text) => format!("{text:?}"),
            Kind::Element(tag) => {
                let attributes = document.element(id).attributes().iter();
                let mut attributes: Vec<_> =
                    attributes.map(|a| (a.namespace, a.local, a.value.as_ref())).collect();
                attributes.sort_unstable();
                format!("{{{}}}{} {attributes:?}", tag.namespace, tag.local)
            }
        };
        ids.map(|id| (depth(id).count(), show(id))).collect()
    }

    proptest! {
        #[test]
        fn a_canonical_form_is_its_own_canonical_form(
            inner in content(),
            prefixes in proptest::sample::subsequence(vec!["p", "q", "#default"], 0..=3),
        ) {
            let source = format!("<r xmlns:p='urn:1' xmlns:q='urn:2'>{inner}</r>");
            let document = parse(source.as_bytes(), &Limits::MESSAGE).unwrap();
            let once = exclusive(document.root(), None, &prefixes).unwrap();
            let again = parse(&once, &Limits::MESSAGE).unwrap();
            prop_assert_eq!(&exclusive(again.root(), None, &prefixes).unwrap(), &once);
            // Nothing that a reader can see has changed.
            prop_assert_eq!(seen(&document), seen(&again));
        }
    }
}
