//! What is encrypted for us is anybody's text. The first byte says what the rest is: octets in the
//! place of the ciphertext, a content that is encrypted well, changes of a message that was signed and
//! then encrypted, or a whole document.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use openssl::pkey::PKey;
use openssl::x509::X509;
use sloop::mock_idp::encryption::{Content, Encryption, KeyPlace, Transport};
use sloop::rng::Rng;
use sloop::xml::decrypt::{Cbc, DecryptError, DecryptionKey, decrypt};
use sloop::xml::encryption_algorithm::{ContentAlgorithm, OaepDigest};
use sloop::xml::{Element, Limits, ParseFault, c14n, parse};
use sloop_fuzz::bases::{Bases, OUR_KEY, SEALED};
use sloop_fuzz::mutator::{Spelled, mutate_xml};

const CERTIFICATE: &[u8] = include_bytes!("../../fixtures/keys/sp-rsa.crt");
const CONTENT_KEY: [u8; 32] = [7; 32];
const TRANSPORT: Transport = Transport::OaepMgf1p { digest: OaepDigest::Sha1 };

static BASES: LazyLock<Bases> = LazyLock::new(Bases::new);
static KEYS: LazyLock<[DecryptionKey; 1]> = LazyLock::new(|| {
    let key = PKey::private_key_from_pem(OUR_KEY).and_then(|key| key.private_key_to_pkcs8());
    [DecryptionKey::from_pkcs8_der(&key.expect("a key")).expect("an RSA key")]
});
/// The content's key for 16 and for 32 octets, encrypted once: that is what takes time.
static WRAPPED: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let to = X509::from_pem(CERTIFICATE).and_then(|found| found.public_key()).expect("a key");
    [16, 32].map(|length| TRANSPORT.encrypt(&CONTENT_KEY[..length], &to).expect("it is RSA"))
});

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    let mode = usize::from(*mode) % 8;
    match mode {
        0..4 => {
            let xml = holder(ContentAlgorithm::ALL[mode], rest);
            let _ = open(xml.as_bytes(), |_| ());
        }
        4 | 5 => encrypted_well(rest),
        6 => {
            let changed = mutate_xml(SEALED.as_bytes(), &mut Spelled(rest));
            if let Some(login) = BASES.judge(&changed) {
                assert_eq!(login, BASES.login);
            }
        }
        _ => {
            let _ = open(rest, |_| ());
        }
    }
});

/// It is opened if, and only if, it is a document that our parser accepts, and then it is that one.
fn encrypted_well(content: &[u8]) {
    let algorithm = ContentAlgorithm::Aes256Gcm;
    let octets = Content::Accepted(algorithm).encrypt(&CONTENT_KEY, content, &Rng::system());
    let xml = holder(algorithm, &octets.expect("it is encrypted"));
    let opened = open(xml.as_bytes(), canonical);
    match parse(content, &Limits::MESSAGE) {
        Ok(document) => assert_eq!(opened, Ok(canonical(document.root()))),
        // Some prefixes may be declared around it.
        Err(error) if error.fault == ParseFault::UndeclaredPrefix => {}
        Err(_) => assert_eq!(opened, Err(DecryptError::Failed)),
    }
}

fn open<T>(xml: &[u8], read: impl FnOnce(Element<'_>) -> T) -> Result<T, DecryptError> {
    let document = parse(xml, &Limits::METADATA).map_err(|_| DecryptError::Failed)?;
    decrypt(document.root(), &*KEYS, Cbc::Accepted, read)
}

fn canonical(element: Element<'_>) -> Option<Vec<u8>> {
    c14n::exclusive(element, None, &[]).ok()
}

fn holder(algorithm: ContentAlgorithm, octets: &[u8]) -> String {
    let encryption = Encryption {
        content: Content::Accepted(algorithm),
        transport: TRANSPORT,
        place: KeyPlace::Inside,
    };
    let wrapped = &WRAPPED[usize::from(algorithm.key_bytes() == 32)];
    encryption
        .write("EncryptedAssertion", octets, std::slice::from_ref(wrapped), "_key")
        .expect("a document")
}
