//! When events are recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Timestamp;

/// So far a clock of ours may be behind the last event before it is believed to have been set back, in
/// microseconds.
const SET_BACK: i64 = 1_000_000;

/// Gives each event a time of its own, so that whoever reads them has them in their order: several commits
/// of one request rest on one read, and share its time. Clones share it; nodes do not.
#[derive(Clone, Debug, Default)]
pub(super) struct EventTimes(Arc<AtomicI64>);

impl EventTimes {
    /// `now`, or as little later as needed to be after every event before.
    pub(super) fn next(&self, now: Timestamp) -> Timestamp {
        let now = now.as_micros();
        let after = |last: i64| match last {
            last if last < now || last - now > SET_BACK => now,
            last => last + 1,
        };
        let update = |last| Some(after(last));
        let last = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        Timestamp::from_micros(after(last.unwrap_or_else(|last| last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_at_one_time_follow_each_other_and_a_clock_that_was_set_back_counts() {
        let times = EventTimes::default();
        let shared = times.clone();
        let next = |now| times.next(Timestamp::from_micros(now)).as_micros();
        assert_eq!([next(10), next(10), next(5), next(12), next(100)], [10, 11, 12, 13, 100]);
        assert_eq!(shared.next(Timestamp::from_micros(100)).as_micros(), 101);
        assert_eq!([next(5_000_000), next(100), next(100)], [5_000_000, 100, 101]);
    }
}
