//! The query of a URI, as text: nothing is parsed and written again, so all else stays byte for byte.

/// Appends parameters by the rules of a query. Everything but unreserved characters is
/// percent-encoded, a space too: `+` would be read differently by some apps.
pub(super) fn append_query(uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = uri.to_owned();
    for (name, value) in parameters {
        match url.find('?') {
            None => url.push('?'),
            Some(_) if url.ends_with(['?', '&']) => {}
            Some(_) => url.push('&'),
        }
        encode(name, &mut url);
        url.push('=');
        encode(value, &mut url);
    }
    url
}

fn encode(value: &str, into: &mut String) {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            into.push(char::from(byte));
        } else {
            into.push('%');
            into.push(HEX[usize::from(byte >> 4)]);
            into.push(HEX[usize::from(byte & 15)]);
        }
    }
}

/// The URI up to its query or fragment: without what an app, or a person, has added to it.
pub fn without_query(uri: &str) -> &str {
    uri.find(['?', '#']).and_then(|end| uri.get(..end)).unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_without_its_query_ends_before_the_first_mark() {
        for (uri, expected) in [
            ("https://a/cb", "https://a/cb"),
            ("https://a/cb?state=1", "https://a/cb"),
            ("https://a/cb#x", "https://a/cb"),
            ("https://a/cb?a=b#x?y", "https://a/cb"),
            ("https://a/cb#x?y", "https://a/cb"),
            ("https://a/cb?", "https://a/cb"),
            ("com.example.app:/cb?x", "com.example.app:/cb"),
            ("?x", ""),
            ("", ""),
        ] {
            assert_eq!(without_query(uri), expected, "{uri:?}");
        }
    }
}
