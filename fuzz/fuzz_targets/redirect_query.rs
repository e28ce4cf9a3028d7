//! A changed query that is still believed says what was signed; and what we read of a query is what
//! any other reader of forms reads.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sloop::saml::RawQuery;
use sloop_fuzz::bases::{Bases, Believed};
use sloop_fuzz::mutator::{Spelled, mutate_query};

static BASES: LazyLock<(Bases, Vec<Believed>)> = LazyLock::new(|| {
    let bases = Bases::new();
    let believed = |query: &String| bases.judge_query(query.as_bytes()).expect("it is signed");
    let all = bases.queries.iter().map(believed).collect();
    (bases, all)
});

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    let (bases, believed) = &*BASES;
    let query = match usize::from(*mode) % 8 {
        0..4 => rest.to_vec(),
        base => {
            let changed = mutate_query(bases.queries[base - 4].as_bytes(), &mut Spelled(rest));
            if let Some(read) = bases.judge_query(&changed) {
                assert_eq!(read, believed[base - 4]);
            }
            changed
        }
    };
    read_as_others_do(&query);
});

fn read_as_others_do(query: &[u8]) {
    let Ok(text) = std::str::from_utf8(query) else { return };
    let Ok(message) = RawQuery::new(text).parse() else { return };
    let found = |name: &str| {
        let pairs = url::form_urlencoded::parse(query).filter(|(key, _)| key == name);
        let values: Vec<_> = pairs.map(|(_, value)| value.into_owned()).collect();
        assert!(values.len() <= 1, "{name} is there twice");
        values.into_iter().next()
    };
    assert_eq!(found("RelayState").as_deref(), message.relay_state());
    assert!(found(message.kind().parameter()).is_some());
    assert_eq!(found("Signature").is_some(), message.is_signed());
    let _ = message.inflate(10_000);
}
