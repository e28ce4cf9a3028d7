//! When a party that could not be told is told again.

use std::time::Duration;

use crate::clock::Timestamp;

/// How long an app is tried, counted from the start of the logout, or from when somebody had it told
/// again.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(72 * 3600);

/// For how long a worker may hold a leg: twice as long as an attempt can take, with the wait for a
/// connection slot, the sending and the writing down.
pub const LEASE: Duration = Duration::from_secs(60);

const FIRST: Duration = Duration::from_secs(5);

/// How long a party is tried, and how rarely at most.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Patience {
    until: Timestamp,
    longest: Duration,
}

impl Patience {
    /// An app may be down for a weekend: every four hours at least, for three days.
    pub fn with_app(since: Timestamp) -> Self {
        let longest = Duration::from_secs(4 * 3600);
        Self { until: since.plus(GIVE_UP_AFTER), longest }
    }

    /// An IdP is asked as long as the logout is open: every minute at least.
    pub fn with_idp(deadline: Timestamp) -> Self {
        Self { until: deadline, longest: Duration::from_secs(60) }
    }

    /// The time of the next try after `attempts` failed ones: 5 s, 15 s, 45 s … `None` when it would
    /// come too late.
    pub fn next_try(self, attempts: u32, now: Timestamp) -> Option<Timestamp> {
        let factor = 3u32.saturating_pow(attempts.saturating_sub(1));
        let next = now.plus(FIRST.saturating_mul(factor).min(self.longest));
        (next < self.until).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(patience: Patience, begun: Timestamp) -> Vec<u64> {
        let (mut now, mut waits) = (begun, Vec::new());
        while let Some(next) = patience.next_try(waits.len() as u32 + 1, now) {
            waits.push(next.since(now).as_secs());
            now = next;
        }
        waits
    }

    #[test]
    fn waits_for_an_app_grow_and_end_within_three_days() {
        let begun = Timestamp::from_seconds(1_000_000);
        let waits = waits(Patience::with_app(begun), begun);
        assert_eq!(waits[..5], [5, 15, 45, 135, 405]);
        assert_eq!(*waits.iter().max().unwrap(), 4 * 3600);
        let whole = Duration::from_secs(waits.iter().sum());
        assert!(whole < GIVE_UP_AFTER);
        assert!(whole > GIVE_UP_AFTER - Duration::from_secs(8 * 3600));
    }

    #[test]
    fn an_idp_is_asked_every_minute_until_the_deadline() {
        let begun = Timestamp::from_seconds(1_000_000);
        let waits = waits(Patience::with_idp(begun.plus(Duration::from_secs(600))), begun);
        assert_eq!(waits[..5], [5, 15, 45, 60, 60]);
        assert!((540..600).contains(&waits.iter().sum::<u64>()), "{waits:?}");
    }
}
