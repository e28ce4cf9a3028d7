//! Escaping as Canonical XML 1.0 section 2.3 wants it. The writer uses the same, so what we write
//! is already in that form.

use super::chars::any_byte;

/// Appends character data.
pub(super) fn text(value: &str, out: &mut String) {
    if !any_byte(value, |b| (b == b'&') | (b == b'<') | (b == b'>') | (b == b'\r')) {
        return out.push_str(value);
    }
    escape(value, out, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
}

/// Appends what stands between the double quotes of an attribute.
pub(super) fn attribute(value: &str, out: &mut String) {
    if !any_byte(value, |b| (b < b' ') | (b == b'&') | (b == b'<') | (b == b'"')) {
        return out.push_str(value);
    }
    escape(value, out, |byte| match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    });
}

/// Everything that is replaced is one ASCII byte, so a plain run always ends between characters.
fn escape(value: &str, out: &mut String, replacement: impl Fn(u8) -> Option<&'static str>) {
    let mut plain_from = 0;
    for (at, byte) in value.bytes().enumerate() {
        if let Some(escaped) = replacement(byte) {
            out.push_str(value.get(plain_from..at).unwrap_or_default());
            out.push_str(escaped);
            plain_from = at + 1;
        }
    }
    out.push_str(value.get(plain_from..).unwrap_or_default());
}
