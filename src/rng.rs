//! Randomness as a value that is passed in.

use crate::secret::Token;

/// The operating system's randomness, by way of OpenSSL.
#[derive(Clone, Debug)]
pub struct Rng(());

impl Rng {
    pub fn system() -> Self {
        Self(())
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        #[expect(clippy::disallowed_methods, reason = "this is the source of randomness")]
        openssl::rand::rand_bytes(&mut bytes).expect("the system's random generator is seeded");
        bytes
    }

    /// 256 random bits: session cookies, codes, access tokens, client secrets.
    pub fn token(&self) -> Token {
        Token::from_bytes(&self.bytes::<32>())
    }

    /// 128 random bits: handles in URLs, RelayState, transaction cookies.
    pub fn handle(&self) -> Token {
        Token::from_bytes(&self.bytes::<16>())
    }

    /// A SAML ID: an `xs:ID` begins with a letter or `_` and is not to be guessed (SAML Core 1.3.4
    /// asks for at least 128 random bits; these are 160).
    pub fn saml_id(&self) -> String {
        let mut id = String::with_capacity(41);
        id.push('_');
        for byte in self.bytes::<20>() {
            id.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            id.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        id
    }
}
