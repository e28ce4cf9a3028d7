//! Documents that nobody would write, from a seed: prefixes that change their meaning, defaults that
//! come and go, attributes in several namespaces, text in all its spellings. Each is well-formed, and
//! accepted by our parser.

use super::mutator::Choices;

/// A document, and what of it is to be canonicalised.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Sample {
    pub xml: String,
    /// From the root element to the apex, by the indexes of child elements.
    pub path: Vec<usize>,
    /// The PrefixList.
    pub prefixes: Vec<&'static str>,
}

const PREFIXES: [&str; 5] = ["", "a", "b", "saml", "z-1"];
const NAMESPACES: [&str; 6] = [
    "urn:x:1",
    "urn:x:2",
    "urn:x:10",
    "http://example.org/a?b=c#d",
    "urn:oasis:names:tc:SAML:2.0:assertion",
    "tag:x,2026:%20~!$()*+;=@",
];
const LOCALS: [&str; 6] = ["e", "E", "e2", "_x.y-z", "é", "名"];
const ATTRIBUTES: [&str; 6] = ["ID", "b", "b2", "B", "é", "lang"];
const LISTS: [&str; 7] = ["#default", "a", "b", "saml", "z-1", "xml", "unknown"];
const TEXTS: [&str; 22] = [
    "x",
    "two words",
    " ",
    "\n  ",
    "\t",
    "\r\n",
    "\r",
    "&#13;",
    "&#xD;&#xA;",
    "&#9;",
    "&lt;",
    "&gt;",
    ">",
    "&amp;",
    "&amp;lt;",
    "&quot;",
    "&apos;",
    "é",
    "&#233;",
    "😀",
    "&#x1F600;",
    "]]&gt;",
];
/// In content only.
const MARKUP: [&str; 9] = [
    "<!--c-->",
    "<!-- <e> & - -->",
    "<![CDATA[]]>",
    "<![CDATA[<&>\r\n]]>",
    "<![CDATA[]]]]>",
    "\"",
    "'",
    "]]",
    "<!---->",
];

pub fn sample(choices: &mut impl Choices) -> Sample {
    let mut writer = Writer { choices, xml: String::new(), path: Vec::new(), apex: None, left: 60 };
    let around = [
        "",
        "\n",
        "<!-- before -->",
        "<?xml version=\"1.0\"?>",
        "<?xml version='1.0' encoding='UTF-8'?>\n",
    ];
    writer.xml.push_str(writer.choices.pick(&around).copied().unwrap_or_default());
    writer.element(&mut Vec::new(), 0);
    let around = ["", "\n", "<!-- after -->"];
    writer.xml.push_str(writer.choices.pick(&around).copied().unwrap_or_default());
    let Writer { xml, apex, .. } = writer;
    let path = if choices.one_in(3) { Vec::new() } else { apex.unwrap_or_default() };
    let listed = |prefix: &&str| !prefix.is_empty() && choices.one_in(4);
    let prefixes = LISTS.iter().copied().filter(listed).collect();
    Sample { xml, path, prefixes }
}

struct Writer<'c, C> {
    choices: &'c mut C,
    xml: String,
    /// Of the element that is being written.
    path: Vec<usize>,
    /// Of an element that has been chosen.
    apex: Option<Vec<usize>>,
    /// How many more elements there may be.
    left: usize,
}

/// Prefix and namespace name, innermost last.
type Scope = Vec<(&'static str, &'static str)>;

impl<C: Choices> Writer<'_, C> {
    fn element(&mut self, scope: &mut Scope, depth: usize) {
        self.left = self.left.saturating_sub(1);
        if self.choices.one_in(6) || self.apex.is_none() {
            self.apex = Some(self.path.clone());
        }
        let mark = scope.len();
        let declared = self.declarations(scope);
        let prefix = self.prefix(scope, true);
        let local = self.pick(&LOCALS);
        let name = if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") };
        let mut inside: Vec<String> = declared;
        inside.extend(self.attributes(scope));
        // Declarations and attributes stand in any order.
        for at in 0..inside.len() {
            let other = self.choices.below(inside.len());
            inside.swap(at, other);
        }
        self.xml.push_str(&format!("<{name}"));
        for written in inside {
            let space = self.pick(&[" ", "  ", "\n", "\t "]);
            self.xml.push_str(&format!("{space}{written}"));
        }
        if self.choices.one_in(5) {
            self.write_one_of(&["/>", " />"]);
        } else {
            self.xml.push('>');
            self.content(scope, depth);
            let space = self.pick(&["", "", " "]);
            self.xml.push_str(&format!("</{name}{space}>"));
        }
        scope.truncate(mark);
    }

    fn content(&mut self, scope: &mut Scope, depth: usize) {
        let mut elements = 0;
        for _ in 0..self.choices.below(7) {
            match self.choices.below(5) {
                0 => self.write_one_of(&MARKUP),
                1 | 2 => self.write_one_of(&TEXTS),
                _ if self.left > 0 && depth < 12 => {
                    self.path.push(elements);
                    self.element(scope, depth + 1);
                    self.path.pop();
                    elements += 1;
                }
                _ => {}
            }
            // What two texts together would make of it.
            if self.xml.ends_with("]]") {
                self.xml.push(' ');
            }
        }
    }

    fn declarations(&mut self, scope: &mut Scope) -> Vec<String> {
        let mut declared = Vec::new();
        let mark = scope.len();
        for _ in 0..self.choices.below(4) {
            let prefix = self.pick(&PREFIXES);
            if scope[mark..].iter().any(|(known, _)| *known == prefix) {
                continue;
            }
            let uri = match prefix {
                "" if self.choices.one_in(3) => "",
                _ => self.pick(&NAMESPACES),
            };
            scope.push((prefix, uri));
            let name = if prefix.is_empty() { "xmlns".into() } else { format!("xmlns:{prefix}") };
            let quote = self.pick(&["\"", "'"]);
            declared.push(format!("{name}={quote}{uri}{quote}"));
        }
        declared
    }

    fn attributes(&mut self, scope: &Scope) -> Vec<String> {
        let mut known: Vec<(&str, &str)> = Vec::new();
        let mut written = Vec::new();
        for _ in 0..self.choices.below(5) {
            let prefix = if self.choices.one_in(8) { "xml" } else { self.prefix(scope, false) };
            let local = if prefix == "xml" { "lang" } else { self.pick(&ATTRIBUTES) };
            let uri = match prefix {
                "" => "",
                "xml" => "xml",
                prefix => resolve(scope, prefix).unwrap_or_default(),
            };
            if known.contains(&(uri, local)) {
                continue;
            }
            known.push((uri, local));
            let name =
                if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") };
            let (quote, other) = if self.choices.one_in(2) { ("\"", "'") } else { ("'", "\"") };
            let mut value = String::new();
            for _ in 0..self.choices.below(4) {
                value.push_str(if self.choices.one_in(8) { other } else { self.pick(&TEXTS) });
            }
            let equals = self.pick(&["=", " = "]);
            written.push(format!("{name}{equals}{quote}{value}{quote}"));
        }
        written
    }

    /// One that is declared, or none. The default is not for attributes.
    fn prefix(&mut self, scope: &Scope, element: bool) -> &'static str {
        let prefix = self.pick(&PREFIXES);
        match resolve(scope, prefix) {
            Some(_) if element || !prefix.is_empty() => prefix,
            _ => "",
        }
    }

    fn write_one_of(&mut self, from: &[&'static str]) {
        let picked = self.pick(from);
        self.xml.push_str(picked);
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        self.choices.pick(from).copied().unwrap_or_default()
    }
}

fn resolve(scope: &Scope, prefix: &str) -> Option<&'static str> {
    scope.iter().rev().find(|(known, _)| *known == prefix).map(|(_, uri)| *uri)
}
