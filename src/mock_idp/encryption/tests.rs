//! What is encrypted here is what the program decrypts, or refuses by its name.

use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::keys::{KeyAlgorithm, SigningKey, certificate};
use crate::xml::decrypt::{Cbc, DecryptError, DecryptionKey, decrypt};

const NAME: &str = r#"<r xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><a/><saml:NameID Format="urn:f">ada &amp; co</saml:NameID><b/></r>"#;

struct Recipient {
    certificate: Vec<u8>,
    key: DecryptionKey,
}

fn recipient() -> Recipient {
    let pair = SigningKey::generate(KeyAlgorithm::Rs256, 2048).unwrap();
    let (now, day) = (Timestamp::from_seconds(1_795_000_000), Duration::from_secs(86_400));
    let certificate =
        certificate::self_signed(pair.private_key(), "sp", now, day, [1; 16]).unwrap();
    let key = DecryptionKey::from_pkcs8_der(&pair.to_pkcs8_der().unwrap()).unwrap();
    Recipient { certificate, key }
}

/// The text of the one NameID that is encrypted in this document.
fn opened(xml: &str, keys: &[DecryptionKey], cbc: Cbc) -> Result<String, DecryptError> {
    let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
    let names: Vec<_> = document.root().elements().map(|child| child.local_name()).collect();
    assert_eq!(names, ["a", "EncryptedID", "b"]);
    let holder = document.root().required(ns::SAML, "EncryptedID").unwrap();
    decrypt(holder, keys, cbc, |name_id| {
        assert_eq!((name_id.local_name(), name_id.attribute("Format")), ("NameID", Some("urn:f")));
        name_id.text().unwrap().to_owned()
    })
}

#[test]
fn every_accepted_combination_is_decrypted_by_any_of_several_keys() {
    let rng = Rng::system();
    let [ours, other] = [recipient(), recipient()];
    let keys = [other.key, ours.key];
    let digests = [OaepDigest::Sha1, OaepDigest::Sha256];
    let older = digests.map(|digest| Transport::OaepMgf1p { digest });
    let newer = digests.map(|digest| digests.map(|mask| Transport::Oaep { digest, mask }));
    for content in ContentAlgorithm::ALL {
        for transport in older.into_iter().chain(newer.into_iter().flatten()) {
            for place in [KeyPlace::Inside, KeyPlace::Beside] {
                let how = Encryption { content: Content::Accepted(content), transport, place };
                let names = ("NameID", "EncryptedID");
                let xml = how.replace(NAME, names, &ours.certificate, &rng).unwrap();
                assert!(!xml.contains("ada &"), "{xml}");
                let found = opened(&xml, &keys, Cbc::Accepted);
                assert_eq!(found.as_deref(), Ok("ada & co"), "{how:?}");
                assert_eq!(opened(&xml, &keys[..1], Cbc::Accepted), Err(DecryptError::Failed));
                assert_eq!(opened(&xml, &[], Cbc::Accepted), Err(DecryptError::Failed));
                let strict = opened(&xml, &keys, Cbc::Refused);
                match content.is_authenticated() {
                    true => assert_eq!(strict, found, "{how:?}"),
                    false => assert_eq!(strict, Err(DecryptError::Cbc), "{how:?}"),
                }
            }
        }
    }
}

#[test]
fn pkcs1_and_triple_des_are_refused_by_their_names() {
    let rng = Rng::system();
    let Recipient { certificate, key } = recipient();
    let refused = |how: Encryption| {
        let xml = how.replace(NAME, ("NameID", "EncryptedID"), &certificate, &rng).unwrap();
        opened(&xml, std::slice::from_ref(&key), Cbc::Accepted).unwrap_err()
    };
    let good = Encryption::COMMON;
    let error = refused(Encryption { transport: Transport::RsaV15, ..good });
    assert_eq!(error.code(), "enc.key_transport");
    assert!(error.to_string().contains("xmlenc#rsa-1_5"), "{error}");
    let error = refused(Encryption { content: Content::TripleDesCbc, ..good });
    assert_eq!(error.code(), "enc.content_algorithm");
    assert!(error.to_string().contains("xmlenc#tripledes-cbc"), "{error}");
}

#[test]
fn nothing_is_encrypted_twice_alike() {
    let rng = Rng::system();
    let to = recipient().certificate;
    let encrypted =
        || Encryption::COMMON.replace(NAME, ("NameID", "EncryptedID"), &to, &rng).unwrap();
    assert_ne!(encrypted(), encrypted());
    let missing = Encryption::COMMON.replace(NAME, ("Assertion", "X"), &to, &rng);
    assert_eq!(missing, Err(EncryptionError::Nothing("Assertion".into())));
    let elliptic = SigningKey::generate(KeyAlgorithm::Es256, 0).unwrap();
    let (now, day) = (Timestamp::from_seconds(1_795_000_000), Duration::from_secs(86_400));
    let elliptic =
        certificate::self_signed(elliptic.private_key(), "sp", now, day, [1; 16]).unwrap();
    let names = ("NameID", "EncryptedID");
    let refused = Encryption::COMMON.replace(NAME, names, &elliptic, &rng);
    assert_eq!(refused, Err(EncryptionError::Crypto));
}
