//! Ciphertexts and encrypted keys at their edges, over HTTP: nobody is signed in, and the page says
//! nothing of what was wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::mock_idp::Encryption;
use sloop::mock_idp::encryption::KeyPlace;
use sloop::rng::Rng;

use super::waiting::{CBC, HOLDER, Waiting, without_reference};
use crate::both;
use crate::support::forger::Sign;
use crate::support::world::On;

both!(a_ciphertext_that_was_changed_signs_nobody_in, changed);
async fn changed(on: On) {
    let mut waiting = Waiting::on(on, "&allow_cbc=true").await;
    let ada = waiting.says("ada");
    let gcm = waiting.holder(&ada, Sign::Assertion, Encryption::COMMON);
    let octets = content_of(&gcm);

    // The tag, from nothing of it to all but one byte.
    for length in 0..16 {
        let shorter = with_content(&gcm, &octets[..octets.len() - 16 + length]);
        let xml = waiting.forger.holding(&ada, Sign::Nothing, &shorter);
        waiting.refuses(&format!("a tag of {length} bytes"), &xml).await;
    }
    let mut flipped = octets.clone();
    for at in [0, 11, 12, octets.len() / 2, octets.len() - 17, octets.len() - 16, octets.len() - 1]
    {
        flipped[at] ^= 1;
        let xml = waiting.forger.holding(&ada, Sign::Nothing, &with_content(&gcm, &flipped));
        waiting.refuses(&format!("bit of octet {at}"), &xml).await;
        flipped[at] ^= 1;
    }
    let cbc = waiting.holder(&ada, Sign::Assertion, CBC);
    for length in [0, 1, 12, 15, 16, 17, 27, 28, 29, 31, 32, 33] {
        for (name, holder) in [("GCM", &gcm), ("CBC", &cbc)] {
            let octets = content_of(holder);
            let xml = with_content(holder, &octets[..length]);
            let xml = waiting.forger.holding(&ada, Sign::Nothing, &xml);
            waiting.refuses(&format!("{name}: {length} octets"), &xml).await;
        }
    }
    for (what, value) in [("no Base64", "%%%"), ("no octets", "")] {
        let value = format!("<xenc:CipherValue>{value}</xenc:CipherValue>");
        let xml = gcm.replace(&cipher_value(&gcm), &value);
        waiting.refuses(what, &waiting.forger.holding(&ada, Sign::Nothing, &xml)).await;
    }
    let xml = waiting.forger.holding(&ada, Sign::Nothing, &gcm);
    waiting.accepts(&xml).await;
}

both!(what_becomes_of_a_changed_cbc_ciphertext_cannot_be_seen, padding_oracle);
async fn padding_oracle(on: On) {
    let mut waiting = Waiting::on(on, "&allow_cbc=true").await;
    let ada = waiting.says("ada");
    let cbc = waiting.holder(&ada, Sign::Assertion, CBC);
    let octets = content_of(&cbc);
    // The octet before the last block decides about the padding: one of 256 values is good, some
    // leave more or less than there was, most are no padding at all.
    let decides = octets.len() - 17;
    for value in 0..=255_u8 {
        let mut changed = octets.clone();
        if changed[decides] == value {
            continue;
        }
        changed[decides] = value;
        let xml = waiting.forger.holding(&ada, Sign::Nothing, &with_content(&cbc, &changed));
        let page = waiting.post(&xml).await;
        assert_eq!((page.status, page.location()), (400, None), "{value}");
        waiting.pages.insert(without_reference(&page));
    }
    let mut zeros = octets.clone();
    let end = zeros.len();
    zeros[end - 16..].fill(0);
    let xml = waiting.forger.holding(&ada, Sign::Nothing, &with_content(&cbc, &zeros));
    waiting.refuses("a last block of zeros", &xml).await;
    assert_eq!(waiting.pages.len(), 1, "{:#?}", waiting.pages);
    let xml = waiting.forger.holding(&ada, Sign::Nothing, &cbc);
    waiting.accepts(&xml).await;
}

/// The octets of the content, whose CipherValue comes after that of the key inside.
fn content_of(holder: &str) -> Vec<u8> {
    let value = cipher_value(holder);
    let (_, value) = value.split_once('>').unwrap();
    STANDARD.decode(value.split_once('<').unwrap().0).unwrap()
}

fn cipher_value(holder: &str) -> String {
    let start = holder.rfind("<xenc:CipherValue>").unwrap();
    let end = holder.rfind("</xenc:CipherValue>").unwrap() + "</xenc:CipherValue>".len();
    holder[start..end].to_owned()
}

fn with_content(holder: &str, octets: &[u8]) -> String {
    let value = format!("<xenc:CipherValue>{}</xenc:CipherValue>", STANDARD.encode(octets));
    holder.replace(&cipher_value(holder), &value)
}

both!(keys_are_few_and_none_is_fetched, keys);
async fn keys(on: On) {
    let mut waiting = Waiting::on(on, "").await;
    let ada = waiting.says("ada");
    let stranger = sloop::keys::SigningKey::generate(sloop::keys::KeyAlgorithm::Rs256, 2048);
    let stranger = sloop::keys::certificate::self_signed(
        stranger.unwrap().private_key(),
        "stranger",
        waiting.world.clock.now(),
        std::time::Duration::from_secs(60),
        [1; 16],
    );
    let inside = waiting.holder(&ada, Sign::Assertion, Encryption::COMMON);
    let beside = Encryption { place: KeyPlace::Beside, ..Encryption::COMMON };
    let beside = waiting.holder(&ada, Sign::Assertion, beside);
    let key = between(&inside, "<xenc:EncryptedKey>", "</xenc:EncryptedKey>");
    let retrieval = between(&beside, "<ds:RetrievalMethod ", "</ds:RetrievalMethod>");
    let sibling = between(&beside, "<xenc:EncryptedKey ", "</xenc:EncryptedKey>");
    let id = between(&sibling, "Id=\"", "\"");
    let other = Encryption::COMMON.element(b"x", HOLDER, &stranger.unwrap(), &Rng::system());
    let other = between(&other.unwrap(), "<xenc:EncryptedKey>", "</xenc:EncryptedKey>");
    let reference = "<xenc:CipherReference URI=\"http://127.0.0.1:9/key\"></xenc:CipherReference>";

    for (what, holder) in [
        ("no key", inside.replace(&key, "")),
        ("five keys", inside.replace(&key, &key.repeat(5))),
        ("a thousand keys", inside.replace(&key, &key.repeat(300))),
        ("somebody else's key", inside.replace(&key, &other)),
        (
            "a loop",
            beside
                .replace(&sibling, "")
                .replace("<ds:RetrievalMethod ", &format!("<ds:RetrievalMethod {id} ")),
        ),
        (
            "a loop through KeyInfo",
            inside.replace(&key, &format!("<ds:KeyInfo {id}>{retrieval}</ds:KeyInfo>")),
        ),
        (
            "a key to be fetched",
            inside.replace(&between(&key, "<xenc:CipherValue>", "</xenc:CipherValue>"), reference),
        ),
        ("content to be fetched", inside.replace(&cipher_value(&inside), reference)),
        ("a key elsewhere", format!("{}<x>{sibling}</x>", beside.replace(&sibling, ""))),
    ] {
        assert!(holder != inside && holder != beside, "{what}");
        let xml = waiting.forger.holding(&ada, Sign::Nothing, &holder);
        waiting.refuses(what, &xml).await;
    }
    // A key for somebody else beside ours, and a name that is not ours, are no obstacle.
    let named = key.replace("<xenc:EncryptedKey>", "<xenc:EncryptedKey Recipient=\"urn:other\">");
    let holder = inside.replace(&key, &format!("{other}{named}"));
    let xml = waiting.forger.holding(&ada, Sign::Nothing, &holder);
    waiting.accepts(&xml).await;
}

fn between(text: &str, from: &str, to: &str) -> String {
    let start = text.find(from).unwrap_or_else(|| panic!("{from}: {text}"));
    let length = text[start + from.len()..].find(to).unwrap() + from.len() + to.len();
    text[start..start + length].to_owned()
}
