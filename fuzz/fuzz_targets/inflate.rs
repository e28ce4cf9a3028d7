//! The limit of what a query may unpack to holds, exactly, and what was unpacked can be packed again.

#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use sloop::saml::binding::redirect;
use sloop::saml::{BindingError, MessageKind, RawQuery};

const LIMIT: usize = 16 * 1024;
/// Of what is refused for its ratio: a hundred times its bytes, which are base64 and escaped here.
const LEAST_RATIO: usize = 20;

fuzz_target!(|input: &[u8]| {
    let query: String = url::form_urlencoded::Serializer::new("SAMLResponse=".to_owned()).finish();
    let value: String =
        url::form_urlencoded::byte_serialize(STANDARD.encode(input).as_bytes()).collect();
    let query = format!("{query}{value}");
    let message = RawQuery::new(&query).parse().expect("it is a message");
    let Ok(unpacked) = message.inflate(LIMIT) else { return };
    assert!(!unpacked.is_empty() && unpacked.len() <= LIMIT);
    assert_eq!(message.inflate(unpacked.len()).as_ref(), Ok(&unpacked));
    let limit = unpacked.len() - 1;
    assert_eq!(message.inflate(limit), Err(BindingError::TooLarge { limit }));

    let Ok(text) = String::from_utf8(unpacked) else { return };
    let url = redirect::encode(MessageKind::Response, &text, None, "https://x", None);
    let url = url.expect("nothing is signed");
    let (_, packed) = url.split_once('?').expect("a query");
    match RawQuery::new(packed).parse().and_then(|message| message.inflate(LIMIT)) {
        // Packed by us it may be so much smaller that nobody unpacks it.
        Err(BindingError::Ratio) => assert!(text.len() > packed.len() * LEAST_RATIO),
        again => assert_eq!(again, Ok(text.into_bytes())),
    }
});
