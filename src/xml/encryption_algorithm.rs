//! The algorithms that encrypted content may name. What is not listed here is not understood: no
//! RSA PKCS#1 v1.5, whose every error is an oracle, and no Triple DES.

use openssl::md::{Md, MdRef};
use openssl::symm::Cipher;
use serde::{Deserialize, Serialize};

/// `xenc:EncryptionMethod` of the content (XML-Enc 1.1 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentAlgorithm {
    Aes128Gcm,
    Aes256Gcm,
    Aes128Cbc,
    Aes256Cbc,
}

impl ContentAlgorithm {
    pub const ALL: [Self; 4] = [Self::Aes128Gcm, Self::Aes256Gcm, Self::Aes128Cbc, Self::Aes256Cbc];

    /// Compares exactly; there is no fallback.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.uri() == uri)
    }

    pub fn uri(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "http://www.w3.org/2009/xmlenc11#aes128-gcm",
            Self::Aes256Gcm => "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            Self::Aes128Cbc => "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
            Self::Aes256Cbc => "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        }
    }

    /// Whether a changed ciphertext is found out. Without that, whoever may try often enough can
    /// read the content.
    pub fn is_authenticated(self) -> bool {
        match self {
            Self::Aes128Gcm | Self::Aes256Gcm => true,
            Self::Aes128Cbc | Self::Aes256Cbc => false,
        }
    }

    /// Length of the key in bytes.
    pub fn key_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Cbc => 16,
            Self::Aes256Gcm | Self::Aes256Cbc => 32,
        }
    }

    pub(super) fn cipher(self) -> Cipher {
        match self {
            Self::Aes128Gcm => Cipher::aes_128_gcm(),
            Self::Aes256Gcm => Cipher::aes_256_gcm(),
            Self::Aes128Cbc => Cipher::aes_128_cbc(),
            Self::Aes256Cbc => Cipher::aes_256_cbc(),
        }
    }
}

/// How the content's key is encrypted: RSA-OAEP with these digests (XML-Enc 1.1 5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyTransport {
    pub digest: OaepDigest,
    /// Of the mask generation function MGF1.
    pub mask: OaepDigest,
}

impl KeyTransport {
    /// RSA-OAEP whose mask is made with SHA-1 always.
    pub const OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
    /// RSA-OAEP whose mask is named, by `xenc11:MGF`.
    pub const OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
}

/// A digest within RSA-OAEP. Nothing that is known of SHA-1 harms this use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OaepDigest {
    Sha1,
    Sha256,
}

impl OaepDigest {
    pub const ALL: [Self; 2] = [Self::Sha1, Self::Sha256];

    /// By the URI of `ds:DigestMethod`.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.uri() == uri)
    }

    /// By the URI of `xenc11:MGF`.
    pub fn from_mask_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.mask_uri() == uri)
    }

    pub fn uri(self) -> &'static str {
        match self {
            Self::Sha1 => "http://www.w3.org/2000/09/xmldsig#sha1",
            Self::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
        }
    }

    pub fn mask_uri(self) -> &'static str {
        match self {
            Self::Sha1 => "http://www.w3.org/2009/xmlenc11#mgf1sha1",
            Self::Sha256 => "http://www.w3.org/2009/xmlenc11#mgf1sha256",
        }
    }

    pub(super) fn digest(self) -> &'static MdRef {
        match self {
            Self::Sha1 => Md::sha1(),
            Self::Sha256 => Md::sha256(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_names_are_understood() {
        for algorithm in ContentAlgorithm::ALL {
            assert_eq!(ContentAlgorithm::from_uri(algorithm.uri()), Some(algorithm));
            assert_eq!(ContentAlgorithm::from_uri(&algorithm.uri().to_uppercase()), None);
            assert_eq!(algorithm.cipher().key_len(), algorithm.key_bytes());
        }
        for refused in [
            "",
            "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
            "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
            "http://www.w3.org/2001/04/xmlenc#aes128-gcm",
            "http://www.w3.org/2001/04/xmlenc#kw-aes128",
            " http://www.w3.org/2009/xmlenc11#aes128-gcm",
        ] {
            assert_eq!(ContentAlgorithm::from_uri(refused), None, "{refused}");
        }
        for digest in OaepDigest::ALL {
            assert_eq!(OaepDigest::from_uri(digest.uri()), Some(digest));
            assert_eq!(OaepDigest::from_mask_uri(digest.mask_uri()), Some(digest));
            assert_eq!(OaepDigest::from_uri(digest.mask_uri()), None);
        }
        assert_eq!(OaepDigest::from_uri("http://www.w3.org/2001/04/xmldsig-more#md5"), None);
    }
}
