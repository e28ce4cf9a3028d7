//! When an app that could not be told is told again.

use std::time::Duration;

use crate::clock::Timestamp;

/// How long an app is tried, counted from the start of the logout.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(72 * 3600);

/// For how long a worker may hold a leg: twice as long as an attempt can take, with the wait for a
/// connection slot, the sending and the writing down.
pub const LEASE: Duration = Duration::from_secs(60);

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// The time of the next try after `attempts` failed ones: 5 s, 15 s, 45 s … up to every four hours.
/// `None` when the next try would come after [`GIVE_UP_AFTER`].
pub fn next_try(attempts: u32, begun: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let factor = 3u32.saturating_pow(attempts.saturating_sub(1));
    let next = now.plus(FIRST.saturating_mul(factor).min(LONGEST));
    (next < begun.plus(GIVE_UP_AFTER)).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_within_three_days() {
        let begun = Timestamp::from_seconds(1_000_000);
        let mut now = begun;
        let mut waits = Vec::new();
        while let Some(next) = next_try(waits.len() as u32 + 1, begun, now) {
            waits.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(waits[..5], [5, 15, 45, 135, 405]);
        assert_eq!(*waits.iter().max().unwrap(), 4 * 3600);
        assert!(now.since(begun) < GIVE_UP_AFTER);
        assert!(now.since(begun) > GIVE_UP_AFTER - 2 * LONGEST);
    }
}
