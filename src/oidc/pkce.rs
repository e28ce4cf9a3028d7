//! Proof Key for Code Exchange (RFC 7636), with S256 only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SHA-256 of the verifier that only the app which asked for the code knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CodeChallenge([u8; 32]);

impl CodeChallenge {
    /// Reads `code_challenge` and `code_challenge_method`. A missing method means `plain` (RFC 7636
    /// 4.3), and `plain` is refused: it protects against nobody who reads the request.
    pub fn parse(challenge: &str, method: Option<&str>) -> Result<Self, PkceError> {
        if method != Some("S256") {
            return Err(PkceError::Method);
        }
        let hash = URL_SAFE_NO_PAD.decode(challenge).map_err(|_| PkceError::Challenge)?;
        hash.try_into().map(Self).map_err(|_| PkceError::Challenge)
    }

    /// Whether `verifier` is what the challenge was made of: 43 to 128 unreserved characters
    /// (RFC 7636 4.1), compared in constant time.
    pub fn verify(&self, verifier: &str) -> Result<(), PkceError> {
        let unreserved =
            |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~');
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
            return Err(PkceError::Verifier);
        }
        let hash = openssl::sha::sha256(verifier.as_bytes());
        if openssl::memcmp::eq(&hash, &self.0) { Ok(()) } else { Err(PkceError::Mismatch) }
    }
}

/// Checks both sides at the token endpoint. A verifier without a challenge is refused too: somebody
/// has taken the challenge out of the request (RFC 9700 4.8.2).
pub fn check(challenge: Option<&CodeChallenge>, verifier: Option<&str>) -> Result<(), PkceError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) => challenge.verify(verifier),
        (Some(_), None) => Err(PkceError::MissingVerifier),
        (None, Some(_)) => Err(PkceError::MissingChallenge),
    }
}

impl TryFrom<String> for CodeChallenge {
    type Error = PkceError;
    fn try_from(text: String) -> Result<Self, PkceError> {
        Self::parse(&text, Some("S256"))
    }
}

impl From<CodeChallenge> for String {
    fn from(challenge: CodeChallenge) -> Self {
        URL_SAFE_NO_PAD.encode(challenge.0)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PkceError {
    #[error("code_challenge_method must be S256")]
    Method,
    #[error("code_challenge is not a SHA-256 in base64url")]
    Challenge,
    #[error("code_verifier must have 43 to 128 unreserved characters")]
    Verifier,
    #[error("code_verifier does not fit the code_challenge")]
    Mismatch,
    #[error("code_verifier is missing")]
    MissingVerifier,
    #[error("code_verifier was sent, but the code was asked for without a code_challenge")]
    MissingChallenge,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn challenge_of(verifier: &str) -> CodeChallenge {
        CodeChallenge(openssl::sha::sha256(verifier.as_bytes()))
    }

    #[test]
    fn the_example_of_the_rfc_verifies() {
        let challenge = CodeChallenge::parse(CHALLENGE, Some("S256")).unwrap();
        assert_eq!(challenge.verify(VERIFIER), Ok(()));
        let other = VERIFIER.replace('d', "e");
        assert_eq!(challenge.verify(&other), Err(PkceError::Mismatch));
        assert_eq!(String::from(challenge), CHALLENGE);
    }

    #[test]
    fn plain_and_missing_methods_are_refused() {
        for method in [None, Some("plain"), Some("s256"), Some("S512"), Some("")] {
            assert_eq!(CodeChallenge::parse(CHALLENGE, method), Err(PkceError::Method));
        }
        for challenge in ["", VERIFIER.get(1..).unwrap(), &format!("{CHALLENGE}="), "+/+/"] {
            let refused = CodeChallenge::parse(challenge, Some("S256"));
            assert_eq!(refused, Err(PkceError::Challenge), "{challenge}");
        }
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for (length, result) in [
            (42, Err(PkceError::Verifier)),
            (43, Ok(())),
            (128, Ok(())),
            (129, Err(PkceError::Verifier)),
        ] {
            let verifier = "~".repeat(length);
            assert_eq!(challenge_of(&verifier).verify(&verifier), result, "{length}");
        }
        for odd in [" ", "+", "/", "=", "\0", "é"] {
            let verifier = format!("{}{odd}", "a".repeat(43));
            assert_eq!(challenge_of(&verifier).verify(&verifier), Err(PkceError::Verifier));
        }
    }

    #[test]
    fn neither_side_can_be_dropped() {
        let challenge = challenge_of(VERIFIER);
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(check(Some(&challenge), Some(VERIFIER)), Ok(()));
        assert_eq!(check(Some(&challenge), None), Err(PkceError::MissingVerifier));
        assert_eq!(check(Some(&challenge), Some("")), Err(PkceError::Verifier));
        assert_eq!(check(None, Some(VERIFIER)), Err(PkceError::MissingChallenge));
    }
}
