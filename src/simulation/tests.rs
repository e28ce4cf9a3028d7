use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use super::installation::{APPS, Installation};
use super::tally::Tally;
use super::trace::Trace;
use super::wish::{Prompt, Wish};
use super::world::World;
use crate::store::Kind;
use crate::store::tests::Scratch;

/// How many runs there are by default. `make simulate` has 100,000.
const RUNS: u64 = 400;

/// One run, from its seed to the end of everything.
fn play(world: &mut World<'_>) {
    // Somebody is signed in already, mostly.
    for _ in 0..world.dice.below(4) {
        let (browser, app, idp) = (world.some_browser(), world.dice.below(APPS), world.some_idp());
        world.ask(Wish::Authorize { browser, app, idp, prompt: Prompt::Absent });
        for _ in 0..4 {
            world.run_quiet();
            if let Some(last) = world.mail.len().checked_sub(1) {
                world.deliver(last);
            }
        }
        world.run_quiet();
    }
    for _ in 0..60 + world.dice.below(280) {
        world.step();
    }
    if world.dice.percent(10) {
        let dead = world.dice.below(APPS);
        world.dead_apps.push(dead);
    }
    world.come_to_an_end();
}

/// A number that whoever runs the tests may give.
fn setting(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says which run")]
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

#[test]
fn whatever_comes_in_between_every_invariant_holds() {
    if let Some(seed) = setting("SLOOP_SIMULATION_SEED") {
        return show(seed);
    }
    let first = setting("SLOOP_SIMULATION_FIRST").unwrap_or(0);
    let runs = setting("SLOOP_SIMULATIONS").unwrap_or(RUNS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = setting("SLOOP_SIMULATION_THREADS").map_or(threads, |n| n as usize);
    let next = AtomicU64::new(first);
    let work = || {
        let mut installation = Installation::new();
        let (mut found, mut tally) = (Vec::new(), Tally::default());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + runs || found.len() >= 3 {
                return (found, tally);
            }
            let mut world = World::new(&mut installation, seed, false);
            match catch_unwind(AssertUnwindSafe(|| play(&mut world))) {
                Ok(()) => tally.add(std::mem::take(&mut world.tally)),
                Err(_) => found.push(seed),
            }
        }
    };
    let begun = std::time::Instant::now();
    let (mut found, mut tally) = (Vec::new(), Tally::default());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (broken, counted) = worker.join().unwrap();
            found.extend(broken);
            tally.add(counted);
        }
    });
    found.sort_unstable();
    println!("{runs} runs in {:?}", begun.elapsed());
    tally.print();
    assert!(
        found.is_empty(),
        "runs that break an invariant: {found:?}; to look at one: SLOOP_SIMULATION_SEED={} \
         cargo test --lib simulation -- --nocapture",
        found[0],
    );
    tally.check(runs);
}

/// Prints all that happens in one run.
fn show(seed: u64) {
    let mut installation = Installation::new();
    let mut world = World::new(&mut installation, seed, true);
    let ended = catch_unwind(AssertUnwindSafe(|| play(&mut world)));
    for line in world.history.lines() {
        println!("{line}");
    }
    if let Err(broken) = ended {
        std::panic::resume_unwind(broken);
    }
    println!("run {seed} holds");
}

#[test]
fn a_run_is_made_of_its_seed_and_of_nothing_else() {
    let mut one = Installation::new();
    let mut other = Installation::new();
    let ran = |installation: &mut Installation, seed| {
        let mut world = World::new(installation, seed, true);
        play(&mut world);
        (world.history.fingerprint(), world.history.lines().to_vec())
    };
    let _ = ran(&mut other, 1_000_000);
    let first: Vec<_> = (0..10).map(|seed| ran(&mut one, seed)).collect();
    for (seed, expected) in first.iter().enumerate().rev() {
        let again = ran(&mut other, seed as u64);
        assert_eq!(again.1, expected.1, "run {seed}");
        assert_eq!(again.0, expected.0, "run {seed}");
    }
    let distinct: std::collections::BTreeSet<_> = first.iter().map(|ran| ran.0).collect();
    assert_eq!(distinct.len(), first.len());
}

/// The simulated database is SQLite in memory, one thing after the other. The same commits and reads in
/// the same order come to the same on the real ones: which commits are conflicts, and every row.
async fn the_real_databases_answer_as_the_simulated_one(kind: Kind) {
    for seed in 100..106 {
        let trace = std::thread::spawn(move || {
            let mut installation = Installation::new();
            let mut world = World::new(&mut installation, seed, false);
            world.trace = Some(Trace::default());
            play(&mut world);
            world.trace.take().expect("it was asked for")
        });
        let trace = trace.join().unwrap();
        assert!(trace.len() > 50, "{} exchanges", trace.len());
        let scratch = Scratch::open(kind).await;
        trace.repeat_on(&scratch.store).await.unwrap();
    }
}

#[tokio::test]
async fn the_real_sqlite_answers_as_the_simulated_one() {
    the_real_databases_answer_as_the_simulated_one(Kind::Sqlite).await;
}

#[tokio::test]
async fn the_real_postgres_answers_as_the_simulated_one() {
    the_real_databases_answer_as_the_simulated_one(Kind::Postgres).await;
}
