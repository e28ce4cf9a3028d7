//! Characters, names, references and line ends (XML 1.0 sections 2.2, 2.3, 2.11, 3.3.3 and 4.1;
//! Namespaces in XML 1.0 sections 3 and 4).

use std::borrow::Cow;

use super::fault::ParseFault;

/// Longest name that is accepted, in bytes. SAML's longest has 33.
const NAME_BYTES: usize = 256;

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// XML 1.0 production 2, `Char`.
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}')
        || matches!(c, '\u{10000}'..='\u{10FFFF}')
}

/// Where the first character stands that no XML document can hold, in bytes.
pub(super) fn find_forbidden(text: &str) -> Option<usize> {
    // Only control characters and U+FFFE, U+FFFF are refused, so most text is decided by bytes.
    let is_control = |byte| (byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
    if !any_byte(text, |byte| is_control(byte) | (byte == 0xEF)) {
        return None;
    }
    text.char_indices().find(|(_, c)| !is_char(*c)).map(|(at, _)| at)
}

/// Whether `is` holds for a byte. It asks for every byte, without branches: that, unlike leaving
/// early, the compiler can do for many bytes at once.
pub(super) fn any_byte(text: &str, is: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | is(byte))
}

/// As `str::split_once` for one ASCII character, which among the short strings of a tag is found
/// fastest by a plain loop.
pub(super) fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == at)?;
    text.get(..at).zip(text.get(at + 1..))
}

/// Splits `prefix:local`; the prefix is empty if there is none. Both are checked NCNames.
pub(super) fn qualified_name(name: &str) -> Result<(&str, &str), ParseFault> {
    if name.len() > NAME_BYTES {
        return Err(ParseFault::Name);
    }
    match split_once(name, b':') {
        Some((prefix, local)) if is_ncname(prefix) && is_ncname(local) => Ok((prefix, local)),
        None if is_ncname(name) => Ok(("", name)),
        _ => Err(ParseFault::Name),
    }
}

/// Namespaces in XML production 4, `NCName`: an XML name without a colon.
pub(super) fn is_ncname(name: &str) -> bool {
    let starts_with_letter = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts_with_letter && name.bytes().all(|byte| USUAL_IN_NAMES[usize::from(byte)]) {
        return true;
    }
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

/// The ASCII characters that a name may have after its first. Nearly all names have no others.
const USUAL_IN_NAMES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = is_name_char(byte as u8 as char);
        byte += 1;
    }
    table
};

/// Line ends become `\n` (XML 1.0 2.11).
pub(super) fn normalise_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The value of an attribute from what stands between its quotes (XML 1.0 3.3.3, type CDATA).
pub(super) fn attribute_value(raw: &str) -> Result<Cow<'_, str>, ParseFault> {
    const SPECIAL: [char; 5] = ['&', '<', '\t', '\n', '\r'];
    // Below the space stand only the three, since the document was checked.
    if !any_byte(raw, |byte| (byte < b' ') | (byte == b'&') | (byte == b'<')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(SPECIAL) {
        let (plain, special) = rest.split_at(at);
        value.push_str(plain);
        rest = if let Some(reference) = special.strip_prefix('&') {
            let (name, after) = reference.split_once(';').ok_or(ParseFault::Reference)?;
            value.push(referenced_char(name)?);
            after
        } else if special.starts_with('<') {
            return Err(ParseFault::Attribute);
        } else {
            // A line end is one character before it becomes a space.
            value.push(' ');
            special.strip_prefix("\r\n").or_else(|| special.get(1..)).unwrap_or_default()
        };
    }
    value.push_str(rest);
    Ok(Cow::Owned(value))
}

/// What `&name;` stands for: one of the five predefined entities or a character. There are no
/// others, because there is no document type.
pub(super) fn referenced_char(name: &str) -> Result<char, ParseFault> {
    match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => {}
    }
    let number = name.strip_prefix('#').ok_or(ParseFault::Entity)?;
    let (digits, radix) = match number.strip_prefix('x') {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    // `from_str_radix` would take a sign.
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(ParseFault::Reference);
    }
    let code = u32::from_str_radix(digits, radix).map_err(|_| ParseFault::Reference)?;
    char::from_u32(code).filter(|c| is_char(*c)).ok_or(ParseFault::Character)
}

/// An absolute URI in the characters of RFC 3986, without those that canonicalisers are known to
/// disagree about: quotes and `&`. A relative URI has no canonical form at all (Canonical XML 1.0
/// section 1.3), and neither has a malformed one in libxml2.
pub(super) fn is_namespace_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let is_scheme_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_rest_char = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$()*+,;=%".contains(c);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(is_scheme_char)
        && !rest.is_empty()
        && rest.chars().all(is_rest_char)
}

/// XML 1.0 production 4, `NameStartChar`, without the colon.
const fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic()
        || c == '_'
        || matches!(c, '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}')
        || matches!(c, '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}')
        || matches!(c, '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}')
        || matches!(c, '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}')
        || matches!(c, '\u{10000}'..='\u{EFFFF}')
}

/// XML 1.0 production 4a, `NameChar`, without the colon.
const fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || c.is_ascii_digit()
        || matches!(c, '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_predefined_or_characters() {
        for (name, character) in
            [("amp", '&'), ("apos", '\''), ("#65", 'A'), ("#x1F600", '😀'), ("#xD", '\r')]
        {
            assert_eq!(referenced_char(name), Ok(character), "{name}");
        }
        for name in ["", "nbsp", "AMP", "x41"] {
            assert_eq!(referenced_char(name), Err(ParseFault::Entity), "{name}");
        }
        for name in ["#", "#x", "#+65", "#x-1", "#6 5", "#X41", "#99999999999", "#xFFFFFFFFF"] {
            assert_eq!(referenced_char(name), Err(ParseFault::Reference), "{name}");
        }
        for name in ["#0", "#8", "#xD800", "#xFFFE", "#x110000"] {
            assert_eq!(referenced_char(name), Err(ParseFault::Character), "{name}");
        }
    }

    #[test]
    fn attribute_values_are_normalised_once() {
        let value = |raw| attribute_value(raw).map(Cow::into_owned);
        assert_eq!(value("a\r\nb\rc\nd\te"), Ok("a b c d e".to_owned()));
        assert_eq!(value("&#13;&#10;&#9;"), Ok("\r\n\t".to_owned()));
        assert_eq!(value("&amp;lt;"), Ok("&lt;".to_owned()));
        assert_eq!(value("a&b"), Err(ParseFault::Reference));
        assert_eq!(value("a<b"), Err(ParseFault::Attribute));
        assert_eq!(value("\u{FEFF}é😀"), Ok("\u{FEFF}é😀".to_owned()));
    }

    #[test]
    fn forbidden_characters_are_found_where_they_are() {
        for (text, at) in [("\0", 0), ("a\u{1}b", 1), ("é\u{FFFE}", 2), ("\u{FFFD}\u{FFFF}", 3)] {
            assert_eq!(find_forbidden(text), Some(at), "{text:?}");
        }
        for text in ["", " \t\r\n~\u{7F}", "\u{FEFF}é\u{FFFD}😀"] {
            assert_eq!(find_forbidden(text), None, "{text:?}");
        }
    }

    #[test]
    fn names_are_ncnames() {
        assert_eq!(qualified_name("saml:NameID"), Ok(("saml", "NameID")));
        assert_eq!(qualified_name("é"), Ok(("", "é")));
        for bad in ["", ":", "a:", ":a", "a:b:c", "1a", "-a", "a b", "a/", "a\u{D7}b", "\u{B7}"] {
            assert_eq!(qualified_name(bad), Err(ParseFault::Name), "{bad}");
        }
        assert!(qualified_name(&"a".repeat(256)).is_ok());
        assert_eq!(qualified_name(&"a".repeat(257)), Err(ParseFault::Name));
    }

    #[test]
    fn namespace_names_are_absolute_and_plain() {
        for good in ["urn:x:1", "http://www.w3.org/2000/09/xmldsig#", "a+b-c.1:x"] {
            assert!(is_namespace_uri(good), "{good}");
        }
        for bad in [
            "",
            "1",
            "x",
            "./x",
            "#x",
            "urn:",
            ":x",
            "1a:x",
            "urn:a b",
            "urn:a'",
            "urn:<",
            "urn:&",
            "urn:\u{80}",
            "urn:é",
        ] {
            assert!(!is_namespace_uri(bad), "{bad}");
        }
    }
}
