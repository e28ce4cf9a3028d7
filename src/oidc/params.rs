//! Request parameters as they arrive in a query string or a form body.

/// More fields than any request of these protocols has, and more than a person has apps to tick.
const MAX_FIELDS: usize = 256;
/// Longest parameter name, in bytes.
const MAX_NAME: usize = 128;

/// The decoded pairs of one `application/x-www-form-urlencoded` text, in the order they were sent.
///
/// The total length is the business of the edge, which limits the request line and the body; here
/// the number of fields (256) and the length of a name (128 bytes) are limited.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Decodes a query string (without its `?`) or a form body. Each value is decoded once.
    ///
    /// Stricter than browsers: a `%` without two hexadecimal digits and bytes that are no UTF-8 are
    /// refused, because a value that two parsers read differently must not reach a comparison.
    pub fn parse(raw: impl AsRef<[u8]>) -> Result<Self, ParamsError> {
        let mut pairs = Vec::new();
        for field in raw.as_ref().split(|&byte| byte == b'&').filter(|field| !field.is_empty()) {
            if pairs.len() == MAX_FIELDS {
                return Err(ParamsError::TooMany);
            }
            let mut halves = field.splitn(2, |&byte| byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if name.len() > MAX_NAME {
                return Err(ParamsError::NameTooLong);
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter that may be sent once. An empty value counts as absent, and a
    /// second one is an error even if it is the same (RFC 6749 3.1).
    pub fn single(&self, name: &str) -> Result<Option<&str>, Duplicate> {
        Ok(self.flag(name)?.filter(|value| !value.is_empty()))
    }

    /// Like [`Params::single`], for parameters whose mere presence means something: `?federated`
    /// gives `Some("")`.
    pub fn flag(&self, name: &str) -> Result<Option<&str>, Duplicate> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        let first = values.next().map(|(_, value)| value.as_str());
        match values.next() {
            None => Ok(first),
            Some(_) => Err(Duplicate { name: name.to_owned() }),
        }
    }

    /// The first of `names` that was sent more than once.
    pub fn duplicate_of(&self, names: &[&str]) -> Option<Duplicate> {
        names.iter().find_map(|name| self.flag(name).err())
    }

    /// All pairs in the order they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Names only: values are codes, secrets and tokens.
impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Params {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A parameter that was sent more than once.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("parameter {name} was sent more than once")]
pub struct Duplicate {
    /// The parameter's name. One that we asked for, so it is safe to print.
    pub name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParamsError {
    #[error("a parameter is not percent-encoded UTF-8")]
    Malformed,
    #[error("more than {MAX_FIELDS} parameters")]
    TooMany,
    #[error("a parameter name is longer than {MAX_NAME} bytes")]
    NameTooLong,
}

/// Decodes one name or value: `+` is a space, `%XX` a byte, and the whole must be UTF-8. Also what
/// RFC 6749 2.3.1 asks for within HTTP Basic.
pub(super) fn decode(encoded: &[u8]) -> Result<String, ParamsError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter().copied();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = rest.next().and_then(hex_digit).ok_or(ParamsError::Malformed)?;
                let low = rest.next().and_then(hex_digit).ok_or(ParamsError::Malformed)?;
                high << 4 | low
            }
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| ParamsError::Malformed)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once_and_keeps_the_order() {
        let params = Params::parse("b=1&a=x%2By+z&c=%253A&d=%C3%A9&&e").unwrap();
        let pairs: Vec<_> = params.iter().collect();
        assert_eq!(pairs, [("b", "1"), ("a", "x+y z"), ("c", "%3A"), ("d", "é"), ("e", "")]);
    }

    #[test]
    fn an_empty_value_is_absent_but_its_presence_can_be_seen() {
        let params = Params::parse("prompt=&federated").unwrap();
        assert_eq!(params.single("prompt"), Ok(None));
        assert_eq!(params.single("federated"), Ok(None));
        assert_eq!(params.flag("federated"), Ok(Some("")));
        assert_eq!(params.flag("missing"), Ok(None));
    }

    #[test]
    fn a_repeated_parameter_is_an_error_even_when_equal_or_empty() {
        for raw in ["state=a&state=b", "state=a&state=a", "state=&state=a", "state&state"] {
            let duplicate = Params::parse(raw).unwrap().single("state").unwrap_err();
            assert_eq!(duplicate.name, "state", "{raw}");
        }
        // Another name does not count, and neither does another case of it.
        assert_eq!(Params::parse("state=a&State=b").unwrap().single("state"), Ok(Some("a")));
    }

    #[test]
    fn refuses_what_two_parsers_could_read_differently() {
        for raw in ["a=%", "a=%4", "a=%zz", "a=%+1", "%ff=1", "a=%C3", "a=%c0%ae"] {
            assert_eq!(Params::parse(raw), Err(ParamsError::Malformed), "{raw}");
        }
        assert_eq!(Params::parse(b"a=\xff"), Err(ParamsError::Malformed));
    }

    #[test]
    fn limits_fields_and_names() {
        let fields = |n: usize| vec!["a=1"; n].join("&");
        assert!(Params::parse(fields(MAX_FIELDS)).is_ok());
        assert_eq!(Params::parse(fields(MAX_FIELDS + 1)), Err(ParamsError::TooMany));
        assert!(Params::parse("a".repeat(MAX_NAME)).is_ok());
        assert_eq!(Params::parse("a".repeat(MAX_NAME + 1)), Err(ParamsError::NameTooLong));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(raw: Vec<u8>) {
            let _ = Params::parse(&raw);
        }

        #[test]
        fn what_the_url_standard_encodes_is_read_back(pairs: Vec<(String, String)>) {
            let fits = |(name, _): &(String, String)| name.len() <= MAX_NAME;
            let pairs: Vec<_> = pairs.into_iter().filter(fits).take(MAX_FIELDS).collect();
            let mut raw = url::form_urlencoded::Serializer::new(String::new());
            let raw = raw.extend_pairs(&pairs).finish();
            let params = Params::parse(raw).unwrap();
            let read: Vec<_> = params.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            proptest::prop_assert_eq!(read, pairs);
        }
    }

    #[test]
    fn values_never_show_in_debug_output() {
        let params = Params::parse("client_secret=hunter2").unwrap();
        assert_eq!(format!("{params:?}"), r#"["client_secret"]"#);
    }
}
