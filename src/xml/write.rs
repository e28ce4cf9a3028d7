//! A small writer for the messages and metadata that we send. It escapes every value, so nothing
//! that came from outside can become markup.

use super::chars::{is_char, qualified_name};
use super::escape;

/// Builds one element and what is in it. Mistakes are kept and reported by [`Writer::finish`], so
/// that building reads as the document does.
#[derive(Default)]
pub struct Writer {
    out: String,
    open: Vec<String>,
    roots: usize,
    error: Option<WriteError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A value from outside holds a character that no XML document can carry (XML 1.0 2.2).
    #[error("a value holds a character that XML 1.0 cannot carry")]
    Character,
    /// Names are ours, so this is a mistake of the caller.
    #[error("an element or attribute name is malformed")]
    Name,
    /// A mistake of the caller.
    #[error("elements are not balanced around one root")]
    Unbalanced,
}

impl WriteError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Character => "xml.write.character",
            Self::Name => "xml.write.name",
            Self::Unbalanced => "xml.write.unbalanced",
        }
    }
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins an element. Namespace declarations are attributes.
    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        if self.open.is_empty() {
            self.roots += 1;
        }
        self.check_name(name);
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.check_name(name);
            self.check_value(value);
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape::attribute(value, &mut self.out);
            self.out.push('"');
        }
        self.out.push('>');
        self.open.push(name.to_owned());
        self
    }

    /// Adds text to the open element.
    pub fn text(&mut self, text: &str) -> &mut Self {
        if self.open.is_empty() {
            self.fail(WriteError::Unbalanced);
        }
        self.check_value(text);
        escape::text(text, &mut self.out);
        self
    }

    /// Ends the innermost open element.
    pub fn close(&mut self) -> &mut Self {
        match self.open.pop() {
            Some(name) => {
                self.out.push_str("</");
                self.out.push_str(&name);
                self.out.push('>');
            }
            None => self.fail(WriteError::Unbalanced),
        }
        self
    }

    /// An element with text only.
    pub fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> &mut Self {
        self.open(name, attributes).text(text).close()
    }

    /// The document, without an XML declaration.
    pub fn finish(self) -> Result<String, WriteError> {
        match self.error {
            Some(error) => Err(error),
            None if self.open.is_empty() && self.roots == 1 => Ok(self.out),
            None => Err(WriteError::Unbalanced),
        }
    }

    fn check_name(&mut self, name: &str) {
        if qualified_name(name).is_err() {
            self.fail(WriteError::Name);
        }
    }

    fn check_value(&mut self, value: &str) {
        if !value.chars().all(is_char) {
            self.fail(WriteError::Character);
        }
    }

    /// The first mistake is the one to tell.
    fn fail(&mut self, error: WriteError) {
        self.error.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, parse};

    #[test]
    fn what_is_written_is_read_back_exactly() {
        let hostile = "a&b</saml:NameID><x y=\"'\">]]>\r\n\t&amp;\u{7F}\u{FEFF}😀";
        let mut w = Writer::new();
        w.open("p:root", &[("xmlns:p", "urn:x:1"), ("ID", hostile)]);
        w.leaf("p:leaf", &[], hostile).leaf("empty", &[], "");
        w.close();
        let xml = w.finish().expect("it is balanced");
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).expect("well-formed");
        let root = document.root();
        assert_eq!(root.attribute("ID"), Some(hostile));
        assert_eq!(root.required("urn:x:1", "leaf").and_then(|e| e.text()), Ok(hostile));
        assert_eq!(root.required("", "empty").and_then(|e| e.text()), Ok(""));
        assert_eq!(root.elements().count(), 2);
    }

    #[test]
    fn what_xml_cannot_carry_is_refused() {
        for bad in ["\0", "a\u{8}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
            let mut w = Writer::new();
            w.leaf("a", &[], bad);
            assert_eq!(w.finish(), Err(WriteError::Character), "{bad:?}");
            let mut w = Writer::new();
            w.leaf("a", &[("b", bad)], "");
            assert_eq!(w.finish(), Err(WriteError::Character), "{bad:?}");
        }
        let mut w = Writer::new();
        w.leaf("a", &[("b", "\u{FFFD}")], "\t\r\n");
        assert!(w.finish().is_ok());
    }

    #[test]
    fn a_writer_finishes_with_one_balanced_root() {
        fn finish(build: fn(&mut Writer) -> &mut Writer) -> Result<String, WriteError> {
            let mut w = Writer::new();
            build(&mut w);
            w.finish()
        }
        assert_eq!(finish(|w| w.open("a", &[]).close()).as_deref(), Ok("<a></a>"));
        let unbalanced = Err(WriteError::Unbalanced);
        assert_eq!(finish(|w| w), unbalanced);
        assert_eq!(finish(|w| w.open("a", &[])), unbalanced);
        assert_eq!(finish(|w| w.close()), unbalanced);
        assert_eq!(finish(|w| w.text("x")), unbalanced);
        assert_eq!(finish(|w| w.leaf("a", &[], "").leaf("a", &[], "")), unbalanced);
        assert_eq!(finish(|w| w.leaf("a b", &[], "")), Err(WriteError::Name));
    }
}
