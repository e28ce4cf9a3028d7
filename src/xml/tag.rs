//! Start tags: attributes, namespace declarations and their resolution (XML 1.0 section 3.1;
//! Namespaces in XML 1.0).
//!
//! The tokenizer finds where a tag ends; what is inside is read here, because it is lenient about
//! what may stand between two attributes.

use super::chars::{attribute_value, is_namespace_uri, is_space, qualified_name, split_once};
use super::document::{Attribute, Declaration, Tag};
use super::fault::ParseFault;
use super::limits::Limits;
use super::ns;

/// Attributes of one element up to which it is faster to compare each with each than to sort them.
const FEW: usize = 8;

/// Namespace declarations in force, innermost last.
#[derive(Default)]
pub(super) struct Scope<'s> {
    declarations: Vec<Declaration<'s>>,
}

impl<'s> Scope<'s> {
    /// With these declarations in force, innermost last.
    pub(super) fn of(declarations: impl Iterator<Item = Declaration<'s>>) -> Self {
        Self { declarations: declarations.collect() }
    }

    /// How many declarations are in force: the mark to come back to with [`Scope::leave`].
    pub(super) fn mark(&self) -> usize {
        self.declarations.len()
    }

    pub(super) fn leave(&mut self, mark: usize) {
        self.declarations.truncate(mark);
    }

    /// The namespace name for a prefix. No prefix and no default is no namespace.
    fn resolve(&self, prefix: &str) -> Result<&'s str, ParseFault> {
        match self.declarations.iter().rev().find(|d| d.prefix == prefix) {
            Some(declaration) => Ok(declaration.uri),
            None if prefix == "xml" => Ok(ns::XML),
            None if prefix.is_empty() => Ok(""),
            None => Err(ParseFault::UndeclaredPrefix),
        }
    }
}

/// Reads what stands between `<` and `>` (or `/>`), in which the caller has looked for forbidden
/// characters, enters its declarations into `scope` and appends its attributes and declarations to
/// the document's. The tag is taken to end at `end`.
pub(super) fn read<'s>(
    inside: &'s str,
    end: usize,
    limits: &Limits,
    scope: &mut Scope<'s>,
    attributes: &mut Vec<Attribute<'s>>,
    declarations: &mut Vec<Declaration<'s>>,
) -> Result<Tag<'s>, ParseFault> {
    let name_end = inside.bytes().position(|byte| is_space(char::from(byte)));
    let name_end = name_end.unwrap_or(inside.len());
    let (name, rest) = inside.split_at(name_end);
    let (prefix, local) = qualified_name(name)?;
    let (first_attribute, first_declaration) = (attributes.len(), declarations.len());

    for (count, pair) in pairs(rest).enumerate() {
        if count >= limits.attributes {
            return Err(ParseFault::TooManyAttributes);
        }
        let (name, raw) = pair?;
        let (prefix, local) = qualified_name(name)?;
        let declared = match (prefix, local) {
            ("xmlns", declared) => declared,
            ("", "xmlns") => "",
            _ => {
                let value = attribute_value(raw)?;
                attributes.push(Attribute { prefix, local, namespace: "", value });
                continue;
            }
        };
        let declaration = Declaration { prefix: declared, uri: raw };
        check_declaration(declaration, limits)?;
        let siblings = declarations.get(first_declaration..).unwrap_or_default();
        if siblings.iter().any(|d| d.prefix == declared) {
            return Err(ParseFault::DuplicateAttribute);
        }
        declarations.push(declaration);
        scope.declarations.push(declaration);
        if scope.declarations.len() > limits.namespaces {
            return Err(ParseFault::TooManyNamespaces);
        }
    }

    // Only now are all declarations of this tag known.
    let own = attributes.get_mut(first_attribute..).unwrap_or_default();
    for attribute in own.iter_mut() {
        if !attribute.prefix.is_empty() {
            attribute.namespace = scope.resolve(attribute.prefix)?;
        }
    }
    check_unique(own)?;
    Ok(Tag {
        prefix,
        local,
        namespace: scope.resolve(prefix)?,
        attributes: first_attribute..attributes.len(),
        declarations: first_declaration..declarations.len(),
        content: end,
        end,
    })
}

/// Checks what stands between `<?xml` and `?>` (XML 1.0 production 23): the version, then perhaps
/// the encoding, then perhaps whether it is standalone.
pub(super) fn check_xml_declaration(content: &str) -> Result<(), ParseFault> {
    let mut known = ["version", "encoding", "standalone"].into_iter();
    let mut has_version = false;
    for pair in pairs(content) {
        let (name, value) = pair.map_err(|_| ParseFault::Declaration)?;
        let accepted = match name {
            "version" => value == "1.0",
            "encoding" => has_version && value.eq_ignore_ascii_case("utf-8"),
            "standalone" => has_version && matches!(value, "yes" | "no"),
            _ => false,
        };
        // Taking from the list keeps the order and refuses a repetition.
        if !accepted || !known.any(|known| known == name) {
            return Err(ParseFault::Declaration);
        }
        has_version = true;
    }
    if has_version { Ok(()) } else { Err(ParseFault::Declaration) }
}

/// The attributes as they are written: name and what stands between the quotes. A space before
/// each is required.
fn pairs(text: &str) -> impl Iterator<Item = Result<(&str, &str), ParseFault>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let trimmed = rest.trim_start_matches(is_space);
        if trimmed.is_empty() {
            return None;
        }
        let spaced = trimmed.len() < rest.len();
        let pair = if spaced { split_pair(trimmed) } else { None };
        let Some((name, value, after)) = pair else {
            rest = "";
            return Some(Err(ParseFault::Attribute));
        };
        rest = after;
        Some(Ok((name, value)))
    })
}

fn split_pair(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = split_once(text, b'=')?;
    let quoted = after.trim_start_matches(is_space);
    let quote = quoted.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let (value, rest) = split_once(quoted.get(1..)?, quote)?;
    Some((name.trim_end_matches(is_space), value, rest))
}

/// Namespaces in XML 1.0 section 3. The URI is taken as written: one that needs references or
/// normalisation is refused, so that its canonical form is never in doubt.
fn check_declaration(declaration: Declaration<'_>, limits: &Limits) -> Result<(), ParseFault> {
    let Declaration { prefix, uri } = declaration;
    if prefix == "xmlns" || uri == ns::XMLNS || (prefix == "xml") != (uri == ns::XML) {
        return Err(ParseFault::ReservedPrefix);
    }
    if uri.is_empty() {
        // `xmlns=""` takes the default away; a prefix cannot be taken away.
        return if prefix.is_empty() { Ok(()) } else { Err(ParseFault::UndeclaredPrefix) };
    }
    if uri.len() > limits.namespace_bytes || !is_namespace_uri(uri) {
        return Err(ParseFault::NamespaceUri);
    }
    Ok(())
}

/// Two prefixes may mean the same namespace (Namespaces in XML 1.0 section 6.3).
fn check_unique(attributes: &[Attribute<'_>]) -> Result<(), ParseFault> {
    let is_repeated = if attributes.len() <= FEW {
        let same =
            |a: &Attribute<'_>, b: &Attribute<'_>| a.local == b.local && a.namespace == b.namespace;
        let mut seen = attributes.iter().enumerate();
        seen.any(|(index, one)| attributes.iter().take(index).any(|other| same(one, other)))
    } else {
        let mut names: Vec<_> = attributes.iter().map(|a| (a.local, a.namespace)).collect();
        names.sort_unstable();
        !names.is_sorted_by(|one, next| one < next)
    };
    if is_repeated { Err(ParseFault::DuplicateAttribute) } else { Ok(()) }
}
