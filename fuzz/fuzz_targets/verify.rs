//! A changed Response that is still accepted says what was signed. The first byte says what the rest
//! is: a Response as it is, changes of a signed one, or changes that the IdP itself signs.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sloop_fuzz::bases::{Bases, RESPONSE};
use sloop_fuzz::mutator::{Spelled, mutate_xml};

static BASES: LazyLock<Bases> = LazyLock::new(Bases::new);

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    let mut choices = Spelled(rest);
    match mode % 8 {
        0 => {
            if let Some(login) = BASES.judge(rest) {
                assert_eq!(login, BASES.login);
            }
        }
        1 => {
            let changed = mutate_xml(RESPONSE.as_bytes(), &mut choices);
            let Ok(text) = std::str::from_utf8(&changed) else { return };
            if let Some(login) = BASES.sign_and_judge(text) {
                // Whatever it says, it is for us, now, and once.
                assert_eq!(login.assertion_id, "_assertion");
                assert!(login.not_on_or_after > sloop_fuzz::bases::now());
            }
        }
        other => {
            let (_, base) = &BASES.responses[usize::from(other) % BASES.responses.len()];
            if let Some(login) = BASES.judge(&mutate_xml(base.as_bytes(), &mut choices)) {
                assert_eq!(login, BASES.login);
            }
        }
    }
});
