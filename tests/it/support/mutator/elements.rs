//! Where the elements of a text stand. It reads well-formed XML rightly and anything else somehow: a
//! mutator needs no more.

use std::ops::Range;

/// One element, as ranges of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// From `<` to the end of the end tag.
    pub(super) whole: Range<usize>,
    /// Between the tags; empty for `<a/>`.
    pub(super) content: Range<usize>,
    /// The qualified name in the start tag.
    pub(super) name: Range<usize>,
}

impl Span {
    /// Whether the element has that local name.
    pub(super) fn is(&self, text: &[u8], local: &str) -> bool {
        let name = &text[self.name.clone()];
        name.rsplit(|byte| *byte == b':').next() == Some(local.as_bytes())
    }

    /// The start tag.
    pub(super) fn tag(&self) -> Range<usize> {
        self.whole.start..self.content.start
    }
}

/// In the order of their ends.
pub(super) fn elements(text: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    let mut open: Vec<(Range<usize>, usize)> = Vec::new();
    let mut at = 0;
    while let Some(start) = find(text, at, b"<") {
        let rest = &text[start..];
        let skipped = [(&b"<!--"[..], &b"-->"[..]), (b"<![CDATA[", b"]]>"), (b"<?", b"?>")]
            .into_iter()
            .find(|(opening, _)| rest.starts_with(opening));
        if let Some((opening, closing)) = skipped {
            let end = find(text, start + opening.len(), closing);
            at = end.map_or(text.len(), |end| end + closing.len());
            continue;
        }
        let Some(end) = tag_end(text, start) else { break };
        at = end;
        if rest.starts_with(b"</") {
            if let Some((name, content)) = open.pop() {
                let start_of_whole = name.start - 1;
                found.push(Span { whole: start_of_whole..end, content: content..start, name });
            }
            continue;
        }
        let is_name = |byte: &u8| !b" \t\r\n/>".contains(byte);
        let length = rest[1..].iter().take_while(|byte| is_name(byte)).count();
        let name = start + 1..start + 1 + length;
        if text[..end].ends_with(b"/>") {
            found.push(Span { whole: start..end, content: end..end, name });
        } else {
            open.push((name, end));
        }
    }
    found
}

/// The values of the attributes in a tag, without their quotes, and the names before them.
pub(super) fn attributes(text: &[u8], tag: Range<usize>) -> Vec<(Range<usize>, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = tag.start;
    while let Some(equals) = find(&text[..tag.end], at, b"=") {
        let quote = equals + 1;
        let Some(delimiter) = text[..tag.end].get(quote).filter(|q| b"\"'".contains(q)) else {
            at = quote;
            continue;
        };
        let Some(end) = find(&text[..tag.end], quote + 1, &[*delimiter]) else { break };
        let before = text[tag.start..equals].iter().rev();
        let length = before.take_while(|byte| !b" \t\r\n'\"<".contains(byte)).count();
        found.push((equals - length..equals, quote + 1..end));
        at = end + 1;
    }
    found
}

pub(super) fn find(text: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.windows(wanted.len()).position(|window| window == wanted).map(|at| from + at)
}

/// The byte after the `>` of a tag; quoted ones do not count.
fn tag_end(text: &[u8], start: usize) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.iter().enumerate().skip(start) {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_attributes_are_found_where_they_are() {
        let text = br#"<?xml version='1.0'?><p:a x='>'><!-- <c> --><b y = "1" z="2" /><![CDATA[<d>]]>t</p:a>"#;
        let show =
            |range: &Range<usize>| String::from_utf8_lossy(&text[range.clone()]).into_owned();
        let found = elements(text);
        let names: Vec<_> = found.iter().map(|span| show(&span.name)).collect();
        assert_eq!(names, ["b", "p:a"]);
        assert!(found[1].is(text, "a") && !found[1].is(text, "p:a"));
        assert_eq!(show(&found[0].whole), r#"<b y = "1" z="2" />"#);
        assert_eq!(show(&found[1].tag()), "<p:a x='>'>");
        assert!(show(&found[1].content).ends_with("<![CDATA[<d>]]>t"));
        let read = |tag| -> Vec<_> {
            attributes(text, tag).iter().map(|(n, v)| (show(n), show(v))).collect()
        };
        assert_eq!(read(found[1].tag()), [("x".into(), ">".into())]);
        assert_eq!(read(found[0].whole.clone()).last(), Some(&("z".into(), "2".into())));
        assert!(elements(b"<a><b></a").len() <= 1 && elements(b"</a><<>>").is_empty());
    }
}
