//! Metadata that is accepted can be used: a key to verify with, a place to ask, not yet expired.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sloop::clock::Timestamp;
use sloop::saml::{Binding, IdpMetadata};

fuzz_target!(|input: &[u8]| {
    let now = Timestamp::from_seconds(1_795_000_000);
    let Ok(read) = IdpMetadata::parse(input, None, now) else { return };
    assert!(!read.signing_keys.keys().is_empty());
    assert!(read.signing_keys.keys().iter().all(|key| (256..=8192).contains(&key.bits())));
    assert!(read.valid_until.is_none_or(|until| until > now));
    assert!(read.single_sign_on.iter().any(|endpoint| endpoint.binding != Binding::Soap));
    for endpoint in read.single_sign_on.iter().chain(&read.single_logout) {
        for location in std::iter::once(&endpoint.location).chain(&endpoint.response_location) {
            let url = url::Url::parse(location).expect("locations are URLs");
            assert!(matches!(url.scheme(), "https" | "http") && url.username().is_empty());
        }
    }
    // Asked for by name, it is the same one.
    let named = IdpMetadata::parse(input, Some(&read.entity_id), now).expect("it is in there");
    assert_eq!(named.entity_id, read.entity_id);
    assert_eq!(named.single_logout, read.single_logout);
});
