//! Randomness as a value that is passed in.

use crate::secret::Token;

/// The operating system's randomness, by way of OpenSSL.
#[derive(Clone, Debug)]
pub struct Rng(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// The same numbers every time, for a simulation that can be repeated.
    #[cfg(test)]
    Repeatable(std::sync::Arc<std::sync::atomic::AtomicU64>),
}

impl Rng {
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Not random at all. Clones draw from the same sequence.
    #[cfg(test)]
    pub(crate) fn repeatable(seed: u64) -> Self {
        Self(Source::Repeatable(std::sync::Arc::new(seed.into())))
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the source of randomness")]
                openssl::rand::rand_bytes(&mut bytes)
                    .expect("the system's random generator is seeded");
            }
            #[cfg(test)]
            Source::Repeatable(state) => {
                for chunk in bytes.chunks_mut(8) {
                    let number = split_mix(state).to_le_bytes();
                    chunk.copy_from_slice(&number[..chunk.len()]);
                }
            }
        }
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

/// SplitMix64 (Steele, Lea and Flood 2014).
#[cfg(test)]
fn split_mix(state: &std::sync::atomic::AtomicU64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = state.fetch_add(STEP, std::sync::atomic::Ordering::Relaxed).wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
