//! Whatever is done to a signed message: if it is still accepted, it says what was signed. Here some
//! thousands of mutants, in `make mutants` a million (`SLOOP_MUTANTS`). A wrong one is named by its
//! number, and that number makes it again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sloop::saml::RawQuery;
use sloop::xml::{Limits, parse};

use crate::support::bases::Bases;
use crate::support::mutator::{Choices as _, Seeded, mutate_query, mutate_xml};

const SEED: u64 = 0x534C_4F4F_5000;
/// One mutant in four is of a query.
const QUERIES: u64 = 4;

/// What became of them.
#[derive(Default)]
struct Tally {
    accepted: AtomicUsize,
    refused: AtomicUsize,
    /// Refused before anything was looked at: no XML, or no query of the binding.
    illegible: AtomicUsize,
    unchanged: AtomicUsize,
}

#[test]
fn what_is_accepted_says_what_was_signed() {
    let count = mutants();
    let bases = Bases::new();
    for (name, response) in &bases.responses {
        assert!(bases.judge(response.as_bytes()).as_ref() == Some(&bases.login), "{name}");
    }
    let tally = Tally::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let (bases, tally) = (&bases, &tally);
        for first in 0..threads {
            scope.spawn(move || {
                for number in (first..count).step_by(threads as usize) {
                    try_one(number, bases, tally);
                }
            });
        }
    });

    let Tally { accepted, refused, illegible, unchanged } = tally;
    let [accepted, refused, illegible, unchanged] =
        [accepted, refused, illegible, unchanged].map(AtomicUsize::into_inner);
    println!(
        "{count} mutants: {accepted} accepted, each with what was signed; {refused} refused and \
         {illegible} illegible; {unchanged} were no change; {:.0} s",
        began.elapsed().as_secs_f64()
    );
    assert_eq!(accepted + refused + illegible + unchanged, usize::try_from(count).unwrap());
    // A good part of each kind, or nothing was tried.
    let part = usize::try_from(count).unwrap() / 50;
    assert!(accepted > part && refused > 5 * part && illegible > part, "no good mix");
}

/// How many. The environment is how `make` says it.
#[allow(clippy::disallowed_methods)]
fn mutants() -> u64 {
    std::env::var("SLOOP_MUTANTS").map_or(3_000, |count| count.parse().unwrap())
}

fn try_one(number: u64, bases: &Bases, tally: &Tally) {
    let mut choices = Seeded::new(SEED ^ number.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let (base, mutant, legible, accepted, right);
    if number.is_multiple_of(QUERIES) {
        let query = choices.pick(&bases.queries).unwrap();
        base = query.as_bytes();
        mutant = mutate_query(base, &mut choices);
        legible =
            std::str::from_utf8(&mutant).is_ok_and(|query| RawQuery::new(query).parse().is_ok());
        let believed = bases.judge_query(&mutant);
        accepted = believed.is_some();
        right = believed == bases.judge_query(base);
    } else {
        let (_, response) = choices.pick(&bases.responses).unwrap();
        base = response.as_bytes();
        mutant = mutate_xml(base, &mut choices);
        legible = parse(&mutant, &Limits::MESSAGE).is_ok();
        let login = bases.judge(&mutant);
        accepted = login.is_some();
        right = login.as_ref() == Some(&bases.login);
    }
    let text = String::from_utf8_lossy(&mutant);
    assert!(!accepted || right, "mutant {number} is believed and says something else:\n{text}");
    let counter = match accepted {
        _ if mutant == base => &tally.unchanged,
        true => &tally.accepted,
        false if legible => &tally.refused,
        false => &tally.illegible,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}
