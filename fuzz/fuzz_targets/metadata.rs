//! Metadata that is accepted can be used: a key to verify with, a place to ask, not yet expired. The
//! reader of whole federations finds the same in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sloop::clock::Timestamp;
use sloop::saml::metadata::aggregate;
use sloop::saml::{Binding, IdpMetadata};
use sloop::xml::verify::PublicKey;

fuzz_target!(|input: &[u8]| {
    let now = Timestamp::from_seconds(1_795_000_000);
    let streamed = aggregate::read(input, None, now);
    let Ok(read) = IdpMetadata::parse(input, None, now) else { return };
    let (_, streamed) = streamed.expect("it is read in one piece");
    same(&read, &streamed);
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
    same(&read, &named);
});

fn same(one: &IdpMetadata, other: &IdpMetadata) {
    let keys = |of: &IdpMetadata| -> Vec<_> {
        of.signing_keys.keys().iter().map(PublicKey::thumbprint).collect()
    };
    assert_eq!(one.entity_id, other.entity_id);
    assert_eq!(one.valid_until, other.valid_until);
    assert_eq!(one.single_sign_on, other.single_sign_on);
    assert_eq!(one.single_logout, other.single_logout);
    assert_eq!(keys(one), keys(other));
}
