//! Lengths, tags, padding and shapes at their edges. Combinations of algorithms are tested beside
//! what encrypts, in `mock_idp`.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::encrypt::Encrypter;
use proptest::prelude::*;

use super::*;
use crate::xml::encryption_algorithm::{KeyTransport, OaepDigest};
use crate::xml::{ns, test_keys};

const SECRET: [u8; 32] = [7; 32];
const GOOD: &[u8] = b"<a>ada</a>";
const GCM: ContentAlgorithm = ContentAlgorithm::Aes256Gcm;
const CBC: ContentAlgorithm = ContentAlgorithm::Aes256Cbc;

static PAIR: LazyLock<PKey<Private>> = LazyLock::new(|| test_keys::rsa(2048));
static KEYS: LazyLock<Vec<DecryptionKey>> = LazyLock::new(|| vec![decryption_key(&PAIR)]);

fn decryption_key(key: &PKey<Private>) -> DecryptionKey {
    DecryptionKey::from_pkcs8_der(&key.private_key_to_pkcs8().unwrap()).unwrap()
}

/// The key of a content, encrypted to ours by RSA-OAEP with SHA-1.
fn wrapped(key: &[u8]) -> String {
    let mut encrypter = Encrypter::new(&PAIR).unwrap();
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
    let mut octets = vec![0; encrypter.encrypt_len(key).unwrap()];
    let length = encrypter.encrypt(key, &mut octets).unwrap();
    STANDARD.encode(&octets[..length])
}

fn gcm(content: &[u8]) -> Vec<u8> {
    let mut tag = [0; 16];
    let iv = [3; 12];
    let octets =
        symm::encrypt_aead(GCM.cipher(), &SECRET, Some(&iv), &[], content, &mut tag).unwrap();
    [&iv[..], &octets, &tag].concat()
}

/// `padded` is a multiple of 16 octets.
fn cbc(padded: &[u8]) -> Vec<u8> {
    let iv = [3; 16];
    let mut crypter = Crypter::new(CBC.cipher(), Mode::Encrypt, &SECRET, Some(&iv)).unwrap();
    crypter.pad(false);
    let mut octets = vec![0; padded.len() + 16];
    let length = crypter.update(padded, &mut octets).unwrap();
    [&iv[..], &octets[..length]].concat()
}

fn encrypted_key(value: &str) -> String {
    format!(
        r#"<x:EncryptedKey><x:EncryptionMethod Algorithm="{}"/><x:CipherData><x:CipherValue>{value}</x:CipherValue></x:CipherData></x:EncryptedKey>"#,
        KeyTransport::OAEP_MGF1P
    )
}

fn holder(algorithm: ContentAlgorithm, octets: &[u8]) -> String {
    let value = STANDARD.encode(octets);
    format!(
        r#"<h xmlns:x="{}" xmlns:d="{}"><x:EncryptedData><x:EncryptionMethod Algorithm="{}"/><d:KeyInfo>{}</d:KeyInfo><x:CipherData><x:CipherValue>{value}</x:CipherValue></x:CipherData></x:EncryptedData></h>"#,
        ns::XENC,
        ns::DS,
        algorithm.uri(),
        encrypted_key(&wrapped(&SECRET))
    )
}

/// The text of the root element that was encrypted.
fn open(xml: &str) -> Result<String, DecryptError> {
    let document = parse(xml.as_bytes(), &Limits::METADATA).unwrap();
    let text = |element: Element<'_>| element.text().unwrap_or("not text").to_owned();
    decrypt(document.root(), &KEYS, Cbc::Accepted, text)
}

fn failed(algorithm: ContentAlgorithm, octets: &[u8]) -> bool {
    open(&holder(algorithm, octets)) == Err(DecryptError::Failed)
}

/// After replacing `from`, which must be there, in a good document.
fn changed(from: &str, to: &str) -> Result<String, DecryptError> {
    let xml = holder(GCM, &gcm(GOOD));
    assert!(xml.contains(from), "{from}");
    open(&xml.replacen(from, to, 1))
}

#[test]
fn only_rsa_keys_of_an_accepted_size_decrypt() {
    let read = |key: PKey<Private>| {
        DecryptionKey::from_pkcs8_der(&key.private_key_to_pkcs8().unwrap()).map(|_| ())
    };
    assert_eq!(read(test_keys::rsa(1024)), Err(KeyError::RsaSize { bits: 1024 }));
    assert_eq!(read(test_keys::ec(openssl::nid::Nid::X9_62_PRIME256V1)), Err(KeyError::Kind));
    assert!(matches!(DecryptionKey::from_pkcs8_der(b"0"), Err(KeyError::Malformed)));
    assert!(!format!("{:?}", KEYS[0]).contains('{'));
}

#[test]
fn gcm_has_its_whole_iv_and_tag_and_every_bit_counts() {
    let good = gcm(GOOD);
    assert_eq!(open(&holder(GCM, &good)).as_deref(), Ok("ada"));
    // Tags of 0 to 15 bytes, with as much of the content as is then left.
    for cut in 1..=good.len() {
        assert!(failed(GCM, &good[..good.len() - cut]), "{cut} octets are missing");
    }
    assert!(failed(GCM, &good[1..]) && failed(GCM, &[&good[..], &[0]].concat()));
    for at in 0..good.len() {
        let mut octets = good.clone();
        octets[at] ^= 1;
        assert!(failed(GCM, &octets), "octet {at}");
    }
    // A tag that is right as far as it goes: of no content at all, so nothing else could refuse it.
    let empty = gcm(b"");
    assert_eq!(decrypt_content(GCM, &SECRET, &empty), Some(Vec::new()));
    for length in 0..empty.len() {
        assert_eq!(decrypt_content(GCM, &SECRET, &empty[..length]), None, "{length} octets");
    }
    // The right length under the other key length's name.
    assert!(failed(ContentAlgorithm::Aes128Gcm, &good));
}

#[test]
fn cbc_has_whole_blocks_and_a_padding_within_one() {
    let padded = |last: u8| {
        let mut content = GOOD.to_vec();
        content.resize(31, 0xAB);
        [&content[..], &[last]].concat()
    };
    // What is before the last octet is arbitrary.
    for (content, last) in [(GOOD, 6), (b"<a>123456</a>", 3), (b"<a>12345678</a>", 1)] {
        let mut block = content.to_vec();
        block.resize(15, 0xAB);
        assert!(open(&holder(CBC, &cbc(&[&block[..], &[last]].concat()))).is_ok(), "{last}");
    }
    for last in 0..=255 {
        let octets = cbc(&padded(last));
        let left = decrypt_content(CBC, &SECRET, &octets).map(|content| content.len());
        let expected = (1..=16).contains(&last).then(|| 32 - usize::from(last));
        assert_eq!(left, expected, "{last}");
        // What is left of it is no document either way, and that looks the same.
        assert!(failed(CBC, &octets), "{last}");
    }
    let whole: Vec<u8> = [&b"<a>1234567890</a>"[..16], &[0; 16]].concat();
    assert!(failed(CBC, &cbc(&whole)), "an all-zero last block");
    let mut sixteen = b"<a>123456789</a>".to_vec();
    sixteen.extend([16; 16]);
    assert_eq!(open(&holder(CBC, &cbc(&sixteen))).as_deref(), Ok("123456789"));
    let good = cbc(&sixteen);
    for length in [0, 1, 15, 16, 17, 31, 33, 47] {
        assert!(failed(CBC, &good[..length]), "{length}");
    }
    assert!(failed(CBC, &[0; 48]) && failed(CBC, &[0xFF; 32]));
}

#[test]
fn the_content_is_one_document_of_the_accepted_kind() {
    let content = |xml: &str| open(&holder(GCM, &gcm(xml.as_bytes())));
    assert_eq!(content("<?xml version='1.0'?>\n<a>ada</a>\n").as_deref(), Ok("ada"));
    let deep = format!("{}{}", "<a>".repeat(49), "</a>".repeat(49));
    let large = format!("<a>{}</a>", " ".repeat(Limits::MESSAGE.bytes));
    for bad in [
        "",
        "ada",
        "<a/><a/>",
        "<a/>x",
        "<a>",
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
        "<a>&e;</a>",
        "<?p?><a/>",
        "\u{FEFF}<a/>",
        "<evil:a/>",
        &deep,
        &large,
    ] {
        assert_eq!(content(bad), Err(DecryptError::Failed), "{bad:.60}");
    }
    assert!(failed(GCM, &gcm(b"<a>\xFF</a>")));
}

#[test]
fn prefixes_that_stayed_behind_are_the_known_ones_and_nobody_elses() {
    let content = |xml: &str| {
        let xml = holder(GCM, &gcm(xml.as_bytes()));
        // What is declared around the ciphertext is nobody's business.
        let xml = xml.replacen("<h ", "<h xmlns:saml='urn:evil' xmlns:evil='urn:evil' ", 1);
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let name = |e: Element<'_>| (e.namespace().to_owned(), e.local_name().to_owned());
        decrypt(document.root(), &KEYS, Cbc::Refused, name)
    };
    let assertion = Ok((ns::SAML.to_owned(), "Assertion".to_owned()));
    assert_eq!(content("<saml:Assertion/>"), assertion);
    assert_eq!(content("\n<saml2:Assertion xsi:type='xs:string'/> <!-- -->"), assertion);
    let own = content("<saml:Assertion xmlns:saml='urn:own'/>");
    assert_eq!(own, Ok(("urn:own".to_owned(), "Assertion".to_owned())));
    for bad in [
        "<evil:Assertion/>",
        "<saml:Assertion/><saml:Assertion/>",
        "<saml:Assertion/></around><around>",
        "</around><saml:Assertion/><around>",
        "</around><saml:Assertion/>",
        "x<saml:Assertion/>",
        "<saml:Assertion/>x",
        "<saml:Assertion/>]]>",
        "<!DOCTYPE a><saml:Assertion/>",
        "<?xml version='1.0'?><saml:Assertion/>",
        "<!-- <saml:Assertion/>",
    ] {
        assert_eq!(content(bad), Err(DecryptError::Failed), "{bad}");
    }
}

#[test]
fn there_are_few_keys_and_none_is_fetched() {
    let other = encrypted_key(&STANDARD.encode([1; 256]));
    let xml = holder(GCM, &gcm(GOOD));
    let start = xml.find("<x:EncryptedKey>").unwrap();
    let end = xml.find("</x:EncryptedKey>").unwrap() + "</x:EncryptedKey>".len();
    let good = &xml[start..end];
    let with = |inside: &str, beside: &str| {
        let xml = format!("{}{inside}{}", &xml[..start], &xml[end..]);
        open(&xml.replacen("</h>", &format!("{beside}</h>"), 1))
    };
    assert_eq!(with(good, "").as_deref(), Ok("ada"));
    assert_eq!(with("", good).as_deref(), Ok("ada"));
    assert_eq!(with(&other, good).as_deref(), Ok("ada"));
    assert_eq!(with(&other.repeat(3), good).as_deref(), Ok("ada"));
    assert_eq!(with(&other.repeat(2), &other.repeat(2)), Err(DecryptError::Failed));
    for (inside, beside) in
        [("", ""), (good.repeat(5).as_str(), ""), (&other.repeat(2), &other.repeat(3))]
    {
        assert_eq!(with(inside, beside), Err(DecryptError::KeyCount));
    }
    assert_eq!(with(&other.repeat(1_000), ""), Err(DecryptError::KeyCount));
    // A RetrievalMethod is a hint like any other, even one that leads to itself or away.
    for uri in ["#self", "#other", "http://127.0.0.1:1/key", "", "file:///etc/passwd"] {
        let hint = format!(r#"<d:RetrievalMethod Id="self" URI="{uri}"/>"#);
        assert_eq!(with(&hint, good).as_deref(), Ok("ada"), "{uri}");
        assert_eq!(with(&hint, ""), Err(DecryptError::KeyCount), "{uri}");
    }
    let nested = format!("<d:KeyInfo>{good}</d:KeyInfo>");
    assert_eq!(with(&nested, ""), Err(DecryptError::KeyCount));
    // For whom a key is said to be does not matter: it opens or it does not.
    let named = good.replacen("<x:EncryptedKey", "<x:EncryptedKey Recipient='urn:other'", 1);
    assert_eq!(with(&named, "").as_deref(), Ok("ada"));
}

#[test]
fn the_key_fits_the_content_and_the_private_key() {
    let xml = holder(GCM, &gcm(GOOD));
    let start = xml.find("<x:EncryptedKey>").unwrap();
    let end = xml.find("</x:EncryptedKey>").unwrap() + "</x:EncryptedKey>".len();
    let with =
        |value: &str| open(&format!("{}{}{}", &xml[..start], encrypted_key(value), &xml[end..]));
    assert_eq!(with(&wrapped(&SECRET)).as_deref(), Ok("ada"));
    for bytes in [0, 16, 24, 31, 33, 64] {
        assert_eq!(with(&wrapped(&vec![7; bytes])), Err(DecryptError::Failed), "{bytes}");
    }
    let octets = STANDARD.decode(wrapped(&SECRET)).unwrap();
    for bad in [&[][..], &octets[1..], &octets[..255], &[0; 256], &[0xFF; 256], &[1; 257]] {
        assert_eq!(with(&STANDARD.encode(bad)), Err(DecryptError::Failed), "{}", bad.len());
    }
    assert_eq!(with("%"), Err(DecryptError::Base64));
}

#[test]
fn what_is_said_in_the_clear_is_refused_by_its_name() {
    let content = format!(r#"<x:EncryptionMethod Algorithm="{}"/>"#, GCM.uri());
    let transport = format!(r#"Algorithm="{}"/>"#, KeyTransport::OAEP_MGF1P);
    let with = |name: &str, inner: &str| {
        changed(&transport, &format!(r#"Algorithm="{name}">{inner}</x:EncryptionMethod>"#))
    };
    let sha256 = format!(r#"<d:DigestMethod Algorithm="{}"/>"#, OaepDigest::Sha256.uri());
    let sha1 = format!(r#"<d:DigestMethod Algorithm="{}"/>"#, OaepDigest::Sha1.uri());
    let mask = |uri: &str| format!(r#"<m:MGF xmlns:m="{}" Algorithm="{uri}"/>"#, ns::XENC11);
    assert_eq!(with(KeyTransport::OAEP_MGF1P, &sha1).as_deref(), Ok("ada"));
    // The defaults of the newer name are those of the older.
    assert_eq!(with(KeyTransport::OAEP, "").as_deref(), Ok("ada"));
    let both = format!("{}{sha1}", mask(OaepDigest::Sha1.mask_uri()));
    assert_eq!(with(KeyTransport::OAEP, &both).as_deref(), Ok("ada"));
    assert_eq!(with(KeyTransport::OAEP, &sha256), Err(DecryptError::Failed));
    let parameters = Err(DecryptError::KeyParameters);
    assert_eq!(with(KeyTransport::OAEP_MGF1P, &mask(OaepDigest::Sha256.mask_uri())), parameters);
    assert_eq!(with(KeyTransport::OAEP, &mask("urn:other")), parameters);
    assert_eq!(with(KeyTransport::OAEP, "<d:DigestMethod Algorithm='urn:md5'/>"), parameters);
    assert_eq!(with(KeyTransport::OAEP, "<x:OAEPparams>bGFiZWw=</x:OAEPparams>"), parameters);
    assert_eq!(with(KeyTransport::OAEP, "<x:OAEPparams/>").as_deref(), Ok("ada"));

    let long = "u".repeat(10_000);
    for name in ["", "http://www.w3.org/2001/04/xmlenc#rsa-1_5", "urn:x", &long] {
        let error = with(name, "").unwrap_err();
        assert_eq!(error.code(), "enc.key_transport", "{name:.40}");
        assert!(error.to_string().len() < 300);
    }
    for name in ["", "http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "urn:x", &long] {
        let other = format!(r#"<x:EncryptionMethod Algorithm="{name}"/>"#);
        let error = changed(&content, &other).unwrap_err();
        assert_eq!(error.code(), "enc.content_algorithm", "{name:.40}");
    }

    let kind = |kind: &str| changed("<x:EncryptedData>", &format!("<x:EncryptedData {kind}>"));
    assert!(kind("Type='http://www.w3.org/2001/04/xmlenc#Element'").is_ok());
    for other in ["", "http://www.w3.org/2001/04/xmlenc#Content", "urn:x"] {
        assert_eq!(kind(&format!("Type='{other}'")), Err(DecryptError::Type), "{other}");
    }
    let fetched = r#"<x:CipherReference URI="http://127.0.0.1:1/"/>"#;
    let key = "<x:CipherValue>";
    assert_eq!(changed(key, &format!("{fetched}{key}")), Err(DecryptError::Reference));
    assert_eq!(changed("</h>", "<x:Other/></h>"), Err(DecryptError::Structure));
    assert_eq!(changed("<x:EncryptedData>", "<a/><x:EncryptedData>"), Err(DecryptError::Structure));
    let shape = |from: &str, to: &str| changed(from, to).unwrap_err().code();
    assert_eq!(shape(&content, ""), "xml.missing_element");
    assert_eq!(shape(&content, &content.repeat(2)), "xml.repeated_element");
    assert_eq!(shape(&content, "<x:EncryptionMethod/>"), "xml.missing_attribute");
    assert_eq!(shape("</h>", "<x:EncryptedData/></h>"), "xml.repeated_element");
    let empty = format!(r#"<h xmlns:x="{}"/>"#, ns::XENC);
    assert_eq!(open(&empty).unwrap_err().code(), "xml.missing_element");
}

#[test]
fn cbc_wants_to_be_accepted() {
    let mut content = GOOD.to_vec();
    content.resize(16, 6);
    let xml = holder(CBC, &cbc(&content));
    let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
    let with = |cbc| decrypt(document.root(), &KEYS, cbc, |_| ());
    assert_eq!(with(Cbc::Accepted), Ok(()));
    assert_eq!(with(Cbc::Refused), Err(DecryptError::Cbc));
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
        for algorithm in ContentAlgorithm::ALL {
            prop_assert!(open(&holder(algorithm, &octets)).is_err());
        }
    }
}
