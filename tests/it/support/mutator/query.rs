//! What is done to a signed query: to its bytes, and to its parameters.

use super::{Choices, mutate_bytes, splice};

const PIECES: [&[u8]; 20] = [
    b"&",
    b"=",
    b"%",
    b"+",
    b"%2B",
    b"%2b",
    b"%00",
    b"%26",
    b"%3D",
    b"&SAMLRequest=",
    b"&SAMLResponse=",
    b"&RelayState=",
    b"&RelayState=eve",
    b"&SigAlg=",
    b"&Signature=",
    b"&SAMLEncoding=urn%3Aoasis%3Anames%3Atc%3ASAML%3A2.0%3Abindings%3AURL-Encoding%3ADEFLATE",
    b"&samlresponse=",
    b"&Relay%53tate=eve",
    b"&tenant=eve",
    b"http%3A%2F%2Fwww.w3.org%2F2000%2F09%2Fxmldsig%23rsa-sha1",
];

/// A changed copy: one to three changes.
pub fn mutate_query(signed: &[u8], choices: &mut impl Choices) -> Vec<u8> {
    let mut text = signed.to_vec();
    for _ in 0..=choices.below(3) {
        if choices.one_in(3) {
            mutate_bytes(&mut text, &PIECES, choices);
        } else {
            text = mutate_parameters(&text, choices);
        }
    }
    text
}

fn mutate_parameters(text: &[u8], choices: &mut impl Choices) -> Vec<u8> {
    let mut pairs: Vec<Vec<u8>> = text.split(|byte| *byte == b'&').map(<[u8]>::to_vec).collect();
    let (one, two) = (choices.below(pairs.len()), choices.below(pairs.len()));
    match choices.below(8) {
        0 => {
            pairs.remove(one);
        }
        1 => pairs.swap(one, two),
        2 => {
            let copy = pairs[one].clone();
            pairs.insert(two, copy);
        }
        3 => {
            // The name of one with the value of another.
            let value = value(&pairs[two]).to_vec();
            let start = name_end(&pairs[one]);
            pairs[one].splice(start.., [b"=".to_vec(), value].concat());
        }
        4 => recode(&mut pairs[one], choices),
        5 => {
            let start = name_end(&pairs[one]);
            pairs[one].truncate(start + choices.below(2));
        }
        6 => mutate_bytes(&mut pairs[one], &PIECES, choices),
        _ => {
            let piece = choices.pick(&PIECES).copied().unwrap_or_default();
            let start = name_end(&pairs[one]).saturating_add(1).min(pairs[one].len());
            splice(&mut pairs[one], start..start, piece);
        }
    }
    pairs.join(&b'&')
}

/// The same value, percent-encoded otherwise.
fn recode(pair: &mut Vec<u8>, choices: &mut impl Choices) {
    let start = name_end(pair);
    match choices.below(3) {
        0 => pair[start..].make_ascii_lowercase(),
        1 => {
            let at = start + choices.below(pair.len() - start);
            if let Some(byte) = pair.get(at).copied().filter(u8::is_ascii_alphanumeric) {
                splice(pair, at..at + 1, format!("%{byte:02x}").as_bytes());
            }
        }
        _ => {
            let escape = pair.windows(3).position(|window| window.starts_with(b"%"));
            if let Some(at) = escape {
                let code = pair.get(at + 1..at + 3).and_then(|code| std::str::from_utf8(code).ok());
                if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
                    splice(pair, at..at + 3, &[byte]);
                }
            }
        }
    }
}

fn name_end(pair: &[u8]) -> usize {
    pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len())
}

fn value(pair: &[u8]) -> &[u8] {
    pair.get(name_end(pair) + 1..).unwrap_or_default()
}
