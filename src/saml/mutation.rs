//! Whatever is done to a signed Response: if it is still accepted, it says what was signed.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::fixture::{Sign, idp_key, receive, response, signed, trusted};
use super::{LogoutResponse, MessageKind, RawQuery, Received, Status};
use crate::saml::binding::redirect;
use crate::xml::{Limits, parse};

static SIGNED: LazyLock<[String; 3]> = LazyLock::new(|| {
    [Sign::Response, Sign::Assertion, Sign::Both].map(|sign| signed(&response(), sign))
});

/// Pieces that attacks on SAML are made of.
const PIECES: [&str; 12] = [
    "<!---->",
    "eve",
    "<saml:NameID>eve</saml:NameID>",
    "<saml:Subject>",
    "</saml:Subject>",
    "<![CDATA[eve]]>",
    "&#x41;",
    r#" ID="_assertion""#,
    "<saml:Audience>x</saml:Audience>",
    r##"URI="""##,
    "<x xmlns=\"urn:x\"/>",
    " ",
];

fn boundary(text: &str, at: usize) -> usize {
    (0..=at % (text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn an_accepted_response_says_what_was_signed(
        which in 0..3_usize,
        cut in any::<prop::sample::Index>(),
        length in 0..40_usize,
        piece in prop::sample::select(PIECES.to_vec()),
        copied in prop::option::of((any::<prop::sample::Index>(), 0..3000_usize)),
    ) {
        let original = &SIGNED[which];
        let from = boundary(original, cut.index(original.len()));
        let to = boundary(original, from + length).max(from);
        let inserted = match &copied {
            None => piece,
            Some((start, length)) => {
                let start = boundary(original, start.index(original.len()));
                let end = boundary(original, start + length).max(start);
                &original[start..end]
            }
        };
        let changed = format!("{}{inserted}{}", &original[..from], &original[to..]);
        let readable = parse(changed.as_bytes(), &Limits::MESSAGE).is_ok();
        if let Some(Ok(login)) = readable.then(|| receive(&changed)) {
            prop_assert_eq!(login, receive(original).unwrap());
        }
    }

    #[test]
    fn nothing_that_arrives_makes_a_reader_panic(
        text in "(<|>|/|\"|=|&|[a-z]|samlp:|saml:|Response|Assertion|%[0-9a-f]{2}){0,60}",
    ) {
        if let Ok(document) = parse(text.as_bytes(), &Limits::MESSAGE) {
            prop_assert!(Received::read(&document).is_err());
            prop_assert!(LogoutResponse::parse(document.root()).is_err());
        }
        if let Ok(message) = RawQuery::new(&format!("SAMLResponse={text}")).parse() {
            prop_assert!(!message.is_signed());
            let _ = message.inflate(1000);
        }
    }

    #[test]
    fn any_relay_state_survives_the_redirect(relay_state in any::<String>()) {
        let xml = Status::success().to_string();
        let url = redirect::encode(
            MessageKind::Response, &xml, Some(&relay_state), "https://sp?", Some(idp_key()),
        ).unwrap();
        let query = url.strip_prefix("https://sp?&").unwrap();
        let message = RawQuery::new(query).parse().unwrap();
        prop_assert_eq!(message.relay_state(), Some(relay_state.as_str()));
        prop_assert_eq!(message.verify(&trusted(&[idp_key()])), Ok(()));
    }
}
