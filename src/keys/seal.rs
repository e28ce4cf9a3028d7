//! Sealing at rest: what the database holds is of no use without the key-encryption key.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use zeroize::Zeroizing;

use crate::rng::Rng;

/// The layout of sealed bytes: version ‖ nonce ‖ ciphertext ‖ tag.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// The key-encryption key. It seals private keys and NameIDs, and gives the key of their indexes.
///
/// Sealing and indexing use keys derived from it, so that no key serves two purposes.
#[derive(Clone)]
pub struct Kek {
    sealing: Zeroizing<[u8; 32]>,
    index: Zeroizing<[u8; 32]>,
}

impl Kek {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        let derive = |purpose: &[u8]| Zeroizing::new(keyed_hash(&bytes, &[purpose]));
        Self { sealing: derive(b"sloop sealing v1"), index: derive(b"sloop index v1") }
    }

    /// Encrypts with AES-256-GCM under a random nonce. `place` says where the result is kept
    /// (table, row, column): it opens nowhere else. 29 bytes are added to the length.
    pub fn seal(&self, rng: &Rng, place: &str, plaintext: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rng.bytes();
        let mut tag = [0; TAG_BYTES];
        let (cipher, aad) = (Cipher::aes_256_gcm(), aad(place));
        let ciphertext =
            encrypt_aead(cipher, &*self.sealing, Some(&nonce), &aad, plaintext, &mut tag)
                .expect("key and nonce have the cipher's lengths");
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Decrypts what [`Kek::seal`] made for the same place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError::Malformed)?;
        if *version != VERSION {
            return Err(SealError::UnknownVersion(*version));
        }
        let (nonce, rest) = rest.split_at_checked(NONCE_BYTES).ok_or(SealError::Malformed)?;
        let (ciphertext, tag) = rest
            .len()
            .checked_sub(TAG_BYTES)
            .and_then(|at| rest.split_at_checked(at))
            .ok_or(SealError::Malformed)?;
        let (cipher, aad) = (Cipher::aes_256_gcm(), aad(place));
        decrypt_aead(cipher, &*self.sealing, Some(nonce), &aad, ciphertext, tag)
            .map(Zeroizing::new)
            .map_err(|_| SealError::NotOurs)
    }

    /// The key of the hashes by which sealed values are found.
    pub fn index_key(&self) -> &[u8; 32] {
        &self.index
    }
}

impl std::fmt::Debug for Kek {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kek(..)")
    }
}

/// Why sealed bytes do not open. The store, or the configured key, is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    #[error("the sealed value is damaged")]
    Malformed,
    #[error("the sealed value has the unknown version {0}")]
    UnknownVersion(u8),
    #[error("the value was sealed with another key, for another place, or has been changed")]
    NotOurs,
}

/// HMAC-SHA-256 over parts that cannot run into each other: each is preceded by its length.
pub fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mac = || {
        let key = PKey::hmac(key)?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        for part in parts {
            signer.update(&(part.len() as u64).to_be_bytes())?;
            signer.update(part)?;
        }
        let mut hash = [0; 32];
        signer.sign(&mut hash)?;
        Ok::<_, openssl::error::ErrorStack>(hash)
    };
    mac().expect("HMAC-SHA-256 takes any message")
}

fn aad(place: &str) -> Vec<u8> {
    let mut aad = vec![VERSION];
    aad.extend_from_slice(place.as_bytes());
    aad
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek() -> Kek {
        Kek::from_bytes([7; 32])
    }

    #[test]
    fn opens_in_its_place_only() {
        let sealed = kek().seal(&Rng::system(), "keys/a", b"secret");
        assert_eq!(sealed.len(), 6 + 29);
        assert_eq!(kek().open("keys/a", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(kek().open("keys/b", &sealed), Err(SealError::NotOurs));
        let other = Kek::from_bytes([8; 32]);
        assert_eq!(other.open("keys/a", &sealed), Err(SealError::NotOurs));
    }

    #[test]
    fn every_changed_byte_and_every_cut_is_noticed() {
        let sealed = kek().seal(&Rng::system(), "p", b"secret");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(kek().open("p", &changed).is_err(), "byte {at}");
            assert!(kek().open("p", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(kek().open("p", &[2; 40]), Err(SealError::UnknownVersion(2)));
        assert_eq!(kek().open("p", &[]), Err(SealError::Malformed));
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let rng = Rng::system();
        assert_ne!(kek().seal(&rng, "p", b"x"), kek().seal(&rng, "p", b"x"));
        let empty = kek().seal(&rng, "p", b"");
        assert_eq!(kek().open("p", &empty).unwrap().as_slice(), b"");
    }

    #[test]
    fn parts_of_a_hash_do_not_run_into_each_other() {
        let hash = |parts: &[&[u8]]| keyed_hash(&[1; 32], parts);
        assert_eq!(hash(&[b"ab", b"c"]), hash(&[b"ab", b"c"]));
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"ab"]), hash(&[b"ab", b""]));
        assert_ne!(hash(&[b"ab"]), keyed_hash(&[2; 32], &[b"ab"]));
        assert_ne!(kek().index_key(), Kek::from_bytes([8; 32]).index_key());
    }

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // Over the eight bytes of the length 2 and "Hi", computed with Python's hmac module.
        let expected = "11ff0d3c1f546314c1dcfa5400d6d2b26840fed53751f6cf60a912abaefd3815";
        let hash = keyed_hash(&[0x0b; 32], &[b"Hi"]);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }
}
