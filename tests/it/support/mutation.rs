//! Changing a signed message on its way. The text is edited element by element, so that every byte
//! which an attack leaves alone stays as it was signed.
//!
//! An element is named by the end of its path, in local names: `Assertion/Signature` is the first
//! Signature directly in an Assertion. What is named must be there: an edit that does nothing would
//! be a test that cannot fail.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

/// A document, or a piece of one. Edits return a new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Xml(String);

/// Where an element stands in the text.
struct Place {
    /// With its tags.
    outer: Range<usize>,
    /// Between its tags.
    inner: Range<usize>,
}

impl Xml {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }

    // --- looking

    pub fn has(&self, path: &str) -> bool {
        !self.places(path).is_empty()
    }

    /// The element with its tags.
    pub fn outer(&self, path: &str) -> Self {
        Self(self.0[self.place(path).outer].to_owned())
    }

    /// What is between its tags.
    pub fn inner(&self, path: &str) -> &str {
        &self.0[self.place(path).inner]
    }

    /// The value of an attribute, as it is written.
    pub fn attribute(&self, path: &str, name: &str) -> &str {
        &self.0[self.value(path, name)]
    }

    /// The same, if the element has it.
    pub fn find_attribute(&self, path: &str, name: &str) -> Option<&str> {
        self.find_value(path, name).map(|value| &self.0[value])
    }

    /// The first element with that path and that value of an attribute.
    pub fn element_with(&self, path: &str, name: &str, value: &str) -> Self {
        let all = self.places(path).into_iter().map(|place| Self(self.0[place.outer].to_owned()));
        let path = path.rsplit('/').next().expect("a path");
        let mut found = all.filter(|element| element.find_attribute(path, name) == Some(value));
        found.next().unwrap_or_else(|| panic!("there is no {path} whose {name} is {value}"))
    }

    // --- moving elements about

    pub fn before(&self, path: &str, what: impl AsRef<str>) -> Self {
        let at = self.place(path).outer.start;
        self.spliced(at..at, what)
    }

    pub fn after(&self, path: &str, what: impl AsRef<str>) -> Self {
        let at = self.place(path).outer.end;
        self.spliced(at..at, what)
    }

    /// Puts something at the beginning of the element's content.
    pub fn first_in(&self, path: &str, what: impl AsRef<str>) -> Self {
        let at = self.place(path).inner.start;
        self.spliced(at..at, what)
    }

    /// Puts something at the end of the element's content.
    pub fn last_in(&self, path: &str, what: impl AsRef<str>) -> Self {
        let at = self.place(path).inner.end;
        self.spliced(at..at, what)
    }

    /// Puts other text in place of the whole element.
    pub fn replaced(&self, path: &str, by: impl AsRef<str>) -> Self {
        self.spliced(self.place(path).outer, by)
    }

    pub fn without(&self, path: &str) -> Self {
        self.replaced(path, "")
    }

    /// Removes every element with that path. There may be none.
    pub fn without_any(&self, path: &str) -> Self {
        let mut rest = self.clone();
        while rest.has(path) {
            rest = rest.without(path);
        }
        rest
    }

    pub fn twice(&self, path: &str) -> Self {
        self.after(path, self.outer(path))
    }

    /// The element between two tags.
    pub fn wrapped(&self, path: &str, start: &str, end: &str) -> Self {
        let whole = self.outer(path);
        self.replaced(path, format!("{start}{}{end}", whole.0))
    }

    // --- changing what they say

    /// Puts other text, or markup, between the element's tags.
    pub fn with(&self, path: &str, content: impl AsRef<str>) -> Self {
        self.spliced(self.place(path).inner, content)
    }

    pub fn with_attribute(&self, path: &str, name: &str, value: &str) -> Self {
        if let Some(value_place) = self.find_value(path, name) {
            return self.spliced(value_place, value);
        }
        // After the name of the element.
        let start = self.place(path).outer.start;
        let name_end = self.0[start..].find([' ', '>', '/']).expect("a start tag ends");
        let at = start + name_end;
        self.spliced(at..at, format!(" {name}=\"{value}\""))
    }

    pub fn without_attribute(&self, path: &str, name: &str) -> Self {
        let value = self.value(path, name);
        let whole = value.start - name.len() - " =\"".len()..value.end + "\"".len();
        self.spliced(whole, "")
    }

    /// Every occurrence of a text, wherever it is.
    pub fn substituted(&self, from: &str, to: &str) -> Self {
        assert!(self.0.contains(from), "{from:?} is not in {}", self.0);
        Self(self.0.replace(from, to))
    }

    // --- how

    fn spliced(&self, range: Range<usize>, by: impl AsRef<str>) -> Self {
        let mut text = self.0.clone();
        text.replace_range(range, by.as_ref());
        Self(text)
    }

    fn place(&self, path: &str) -> Place {
        let mut places = self.places(path).into_iter();
        places.next().unwrap_or_else(|| panic!("there is no {path} in {}", self.0))
    }

    fn value(&self, path: &str, name: &str) -> Range<usize> {
        let found = self.find_value(path, name);
        found.unwrap_or_else(|| panic!("{path} has no {name} in {}", self.0))
    }

    fn find_value(&self, path: &str, name: &str) -> Option<Range<usize>> {
        let Place { outer, inner } = self.place(path);
        let tag = &self.0[outer.start..inner.start];
        let value = tag.find(&format!(" {name}=\""))? + name.len() + " =\"".len();
        let length = tag[value..].find('"').expect("an attribute ends");
        Some(outer.start + value..outer.start + value + length)
    }

    /// Every element with that path, in document order.
    fn places(&self, path: &str) -> Vec<Place> {
        let wanted: Vec<&str> = path.split('/').collect();
        let mut tokens = Reader::from_str(&self.0);
        tokens.config_mut().check_end_names = false;
        let mut open: Vec<(String, usize, usize)> = Vec::new();
        let mut found = Vec::new();
        loop {
            let start = position(&tokens);
            let event = tokens.read_event().unwrap_or_else(|error| panic!("{error}: {}", self.0));
            let end = position(&tokens);
            match event {
                Event::Start(tag) => {
                    open.push((tag.local_name().as_ref().to_owned(), start, end));
                }
                Event::Empty(tag) => {
                    open.push((tag.local_name().as_ref().to_owned(), start, end));
                    if ends_with(&open, &wanted) {
                        found.push(Place { outer: start..end, inner: end..end });
                    }
                    open.pop();
                }
                Event::End(_) => {
                    let matches = ends_with(&open, &wanted);
                    let (_, begin, content) = open.pop().expect("an open element");
                    if matches {
                        found.push(Place { outer: begin..end, inner: content..start });
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        found.sort_by_key(|place| place.outer.start);
        found
    }
}

impl AsRef<str> for Xml {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn ends_with(open: &[(String, usize, usize)], path: &[&str]) -> bool {
    let names = open.iter().rev().map(|(name, ..)| name.as_str());
    open.len() >= path.len() && names.zip(path.iter().rev()).all(|(name, wanted)| name == *wanted)
}

fn position(tokens: &Reader<&[u8]>) -> usize {
    usize::try_from(tokens.buffer_position()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml() -> Xml {
        Xml::new(r#"<p:a ID="1"><b><c x="y">one</c></b><c>two</c><e/></p:a>"#)
    }

    #[test]
    fn elements_are_found_by_the_end_of_their_path() {
        assert_eq!(xml().outer("c").as_str(), r#"<c x="y">one</c>"#);
        assert_eq!(xml().inner("a/c"), "two");
        assert_eq!(xml().attribute("a", "ID"), "1");
        assert!(xml().has("a/b/c") && !xml().has("b/a") && !xml().has("p:a"));
        assert_eq!(xml().inner("e"), "");
    }

    #[test]
    fn edits_touch_what_is_named_and_nothing_else() {
        let edited = |xml: Xml| xml.into_string();
        assert_eq!(
            edited(xml().without("b").before("c", "<d/>").after("c", "!")),
            r#"<p:a ID="1"><d/><c>two</c>!<e/></p:a>"#
        );
        assert_eq!(
            edited(xml().without_any("c").first_in("b", "x").last_in("b", "y")),
            r#"<p:a ID="1"><b>xy</b><e/></p:a>"#
        );
        let changed = xml().with("a/c", "2").with_attribute("a", "ID", "3");
        assert_eq!(
            edited(changed.with_attribute("b", "n", "v").without_attribute("c", "x")),
            r#"<p:a ID="3"><b n="v"><c>one</c></b><c>2</c><e/></p:a>"#
        );
        assert_eq!(
            edited(xml().wrapped("a/c", "<w>", "</w>").without("b").twice("e")),
            r#"<p:a ID="1"><w><c>two</c></w><e/><e/></p:a>"#
        );
    }

    #[test]
    #[should_panic(expected = "there is no Nobody")]
    fn an_edit_of_nothing_is_a_mistake() {
        xml().without("Nobody");
    }
}
