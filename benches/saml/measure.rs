//! Measures an operation beside its floor.
//!
//! The two take turns in short batches, and of each the fastest batch counts: whatever else the
//! machine does can only add. Only the ratio is worth writing down. Criterion and divan measure one
//! thing after the other, which on a shared machine compares two different moments.

use std::alloc::System;
use std::hint::black_box;
use std::time::{Duration, Instant};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

/// Counts; some nanoseconds per allocation of what is shown are its own.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long one batch takes at least: short, so that most are not interrupted.
const BATCH: Duration = Duration::from_micros(300);
/// How long one row takes at least.
const ROW: Duration = Duration::from_millis(600);
const MIN_ROUNDS: u32 = 7;

/// What an operation cannot be faster than: the bare OpenSSL call that it contains.
pub(crate) struct Floor {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn FnMut()>,
}

/// Prints one row per operation, at once.
pub(crate) struct Table {
    /// Only rows with this in their name are measured.
    filter: Option<String>,
}

impl Table {
    /// `cargo bench -- FILTER`
    pub(crate) fn from_args() -> Self {
        Self { filter: std::env::args().skip(1).find(|argument| !argument.starts_with('-')) }
    }

    pub(crate) fn section(&self, title: &str) {
        println!(
            "\n{title:<46} {:>10} {:>6} × {:<22} {:>7} {:>10}",
            "time", "ratio", "floor", "allocs", "bytes"
        );
    }

    /// The time of one call, its ratio to the floor's, and its allocations.
    pub(crate) fn row<T>(&self, name: &str, floor: &mut Floor, mut operation: impl FnMut() -> T) {
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            return;
        }
        let mut operation = || {
            black_box(operation());
        };
        operation(); // OpenSSL finds its algorithms at the first call
        let region = Region::new(ALLOCATOR);
        operation();
        let allocated = region.change();

        let (of_operation, of_floor) = (batch_size(&mut operation), batch_size(&mut *floor.run));
        let (mut time, mut base) = (f64::INFINITY, f64::INFINITY);
        let begun = Instant::now();
        let mut rounds = 0;
        while rounds < MIN_ROUNDS || begun.elapsed() < ROW {
            base = base.min(time_of_one(of_floor, &mut *floor.run));
            time = time.min(time_of_one(of_operation, &mut operation));
            rounds += 1;
        }
        println!(
            "{name:<46} {:>7.1} µs {:>6.2} × {:<22} {:>7} {:>10}",
            time * 1e6,
            time / base,
            floor.name,
            allocated.allocations + allocated.reallocations,
            allocated.bytes_allocated,
        );
    }
}

/// Bytes that are allocated now.
pub(crate) fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated)
}

/// How many calls fill a batch.
fn batch_size(operation: &mut dyn FnMut()) -> u32 {
    let mut calls = 1;
    while Duration::from_secs_f64(time_of_one(calls, operation) * f64::from(calls)) < BATCH {
        calls *= 2;
    }
    calls
}

/// Seconds per call.
fn time_of_one(calls: u32, operation: &mut dyn FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..calls {
        operation();
    }
    begun.elapsed().as_secs_f64() / f64::from(calls)
}
