//! Queries of the Redirect binding, octet by octet, as IdPs of different habits write them.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};

use super::odd_signer::Recipe;

/// A way to percent-encode.
pub type Encoding = fn(&str) -> String;

/// The parameters in the order in which they stand in the URL: names, and values as octets.
#[derive(Clone, Debug)]
pub struct RawParameters(pub Vec<(String, String)>);

impl RawParameters {
    /// Signs these parameters, in the order in which they are given, and appends the signature.
    pub fn signed(parameters: &[(&str, String)], recipe: &Recipe, encoding: Encoding) -> Self {
        let mut all = Self::unsigned(parameters);
        let signature = STANDARD.encode(recipe.sign(all.query().as_bytes()));
        all.0.push(("Signature".into(), encoding(&signature)));
        all
    }

    pub fn unsigned(parameters: &[(&str, String)]) -> Self {
        let own = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
        Self(parameters.iter().map(own).collect())
    }

    /// A whole message: compressed, encoded and signed in the order of the binding.
    pub fn message(
        kind: &str,
        xml: &str,
        relay_state: Option<&str>,
        recipe: &Recipe,
        encoding: Encoding,
    ) -> Self {
        let mut parameters = vec![(kind, encoding(&deflated(xml.as_bytes())))];
        parameters.extend(relay_state.map(|value| ("RelayState", encoding(value))));
        parameters.extend(recipe.method.as_deref().map(|uri| ("SigAlg", encoding(uri))));
        Self::signed(&parameters, recipe, encoding)
    }

    pub fn query(&self) -> String {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    pub fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(other, _)| other != name).cloned().collect())
    }

    /// With another value where `name` stands.
    pub fn with(&self, name: &str, octets: &str) -> Self {
        let mut changed = self.clone();
        let found = changed.0.iter_mut().find(|(other, _)| other == name).unwrap();
        octets.clone_into(&mut found.1);
        changed
    }

    /// With one parameter more, at this place.
    pub fn inserted(&self, at: usize, name: &str, octets: &str) -> Self {
        let mut changed = self.clone();
        changed.0.insert(at, (name.to_owned(), octets.to_owned()));
        changed
    }

    pub fn value(&self, name: &str) -> &str {
        &self.0.iter().find(|(other, _)| other == name).unwrap().1
    }
}

/// Raw DEFLATE, then Base64.
pub fn deflated(bytes: &[u8]) -> String {
    STANDARD.encode(deflate(bytes))
}

pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// With the header and trailer of zlib, which the binding does not have.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

// --- habits

/// `%2B`, `%20`: all but the unreserved characters of RFC 3986.
pub fn upper(text: &str) -> String {
    escaped(text, |byte| !byte.is_ascii_alphanumeric() && !b"-._~".contains(&byte))
}

/// `%2b`, `+` for a space: as .NET writes it.
pub fn lower(text: &str) -> String {
    upper(text).replace("%20", "+").to_ascii_lowercase_escapes()
}

/// Upper and lower case by turns.
pub fn mixed(text: &str) -> String {
    let parts: Vec<String> = upper(text).split('%').map(str::to_owned).collect();
    let turn = |(at, part): (usize, &String)| match (at, part.split_at_checked(2)) {
        (0, _) | (_, None) => part.clone(),
        (at, Some((hex, rest))) if at % 2 == 0 => format!("{}{rest}", hex.to_ascii_lowercase()),
        (_, Some((hex, rest))) => format!("{hex}{rest}"),
    };
    parts.iter().enumerate().map(turn).collect::<Vec<_>>().join("%")
}

/// As little as possible: `:` and `/` stay as they are.
pub fn bare(text: &str) -> String {
    escaped(text, |byte| !byte.is_ascii_graphic() || b"&=+%#\"<>'".contains(&byte))
}

/// Every single byte.
pub fn everything(text: &str) -> String {
    escaped(text, |_| true)
}

fn escaped(text: &str, is_escaped: impl Fn(u8) -> bool) -> String {
    text.bytes()
        .map(|byte| match is_escaped(byte) {
            true => format!("%{byte:02X}"),
            false => char::from(byte).to_string(),
        })
        .collect()
}

trait Escapes {
    fn to_ascii_lowercase_escapes(&self) -> String;
}

impl Escapes for String {
    fn to_ascii_lowercase_escapes(&self) -> String {
        let mut parts = self.split('%');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |all, part| {
            let (hex, rest) = part.split_at(2);
            format!("{all}%{}{rest}", hex.to_ascii_lowercase())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn habits_differ_in_octets_and_not_in_meaning() {
        let text = "a+b/c=:é z";
        let decoded = |octets: &str| {
            let pair = format!("x={octets}");
            let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
            pairs.next().unwrap().1.into_owned()
        };
        assert_eq!(upper(text), "a%2Bb%2Fc%3D%3A%C3%A9%20z");
        assert_eq!(lower(text), "a%2bb%2fc%3d%3a%c3%a9+z");
        assert_eq!(mixed(text), "a%2Bb%2fc%3D%3a%C3%a9%20z");
        assert_eq!(bare(text), "a%2Bb/c%3D:%C3%A9%20z");
        for encoding in [upper, lower, mixed, bare, everything] {
            assert_eq!(decoded(&encoding(text)), text);
        }
    }
}
