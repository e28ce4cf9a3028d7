//! When a party that could not be told is told again.

use std::time::Duration;

use crate::clock::Timestamp;

/// How long an app is tried, counted from the start of the logout, or from when somebody had it told
/// again.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(72 * 3600);

/// How long an app may answer that there is nothing at its address, counted from the first time: it
/// may be between two versions of itself.
pub const NOT_FOUND_FOR: Duration = Duration::from_secs(3600);

/// For how long a worker may hold a leg: twice as long as a try can take, with the wait for a free
/// place and the sending.
pub const LEASE: Duration = Duration::from_secs(30);

/// The most that a party may have us wait (`Retry-After`, RFC 9110 10.2.3).
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Before jitter.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);

/// After two hours nobody counts the seconds any more, and there may be many to be told.
const MANY_TRIES: Duration = Duration::from_secs(2 * 3600);
const LONGEST_LATER: Duration = Duration::from_secs(300);

/// Randomness for one wait, so that those who failed together do not come again together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Jitter(u16);

impl Jitter {
    pub fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(u16::from_le_bytes(bytes))
    }

    /// Between the half of `whole` and all of it.
    fn of(self, whole: Duration) -> Duration {
        let half = whole / 2;
        half + half.mul_f64(f64::from(self.0) / f64::from(u16::MAX))
    }
}

/// How long a party is tried, and how rarely at most.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Patience {
    since: Timestamp,
    until: Timestamp,
    longest_later: Duration,
}

impl Patience {
    /// An app may be down for a weekend.
    pub fn with_app(since: Timestamp) -> Self {
        Self { since, until: since.plus(GIVE_UP_AFTER), longest_later: LONGEST_LATER }
    }

    /// An IdP is asked as long as the logout is open.
    pub fn with_idp(since: Timestamp, deadline: Timestamp) -> Self {
        Self { since, until: deadline, longest_later: LONGEST }
    }

    /// The same, with its end at this time if that comes first.
    pub fn until(self, end: Timestamp) -> Self {
        Self { until: self.until.min(end), ..self }
    }

    /// The time of the next try after `attempts` failed ones: 1 to 2 s, 2 to 4 s … 30 to 60 s; after
    /// two hours an app waits up to 5 minutes. `None` when it would come too late.
    pub fn next_try(self, attempts: u32, now: Timestamp, jitter: Jitter) -> Option<Timestamp> {
        let longest = if now.since(self.since) < MANY_TRIES { LONGEST } else { self.longest_later };
        let factor = 2u32.saturating_pow(attempts.saturating_sub(1));
        self.at(now.plus(jitter.of(FIRST.saturating_mul(factor).min(longest))))
    }

    /// The same for a party that wants to be left alone for a while: not before that.
    pub fn after_pause(
        self,
        pause: Duration,
        attempts: u32,
        now: Timestamp,
        jitter: Jitter,
    ) -> Option<Timestamp> {
        let next = self.next_try(attempts, now, jitter)?;
        self.at(next.max(now.plus(pause.min(LONGEST_PAUSE)).plus(jitter.of(FIRST))))
    }

    fn at(self, next: Timestamp) -> Option<Timestamp> {
        (next < self.until).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Jitter = Jitter(0);
    const MOST: Jitter = Jitter(u16::MAX);

    fn begun() -> Timestamp {
        Timestamp::from_seconds(1_000_000)
    }

    /// The waits of a party that is never there, in milliseconds.
    fn waits(patience: Patience, jitter: Jitter) -> Vec<u128> {
        let (mut now, mut waits) = (begun(), Vec::new());
        while let Some(next) = patience.next_try(waits.len() as u32 + 1, now, jitter) {
            waits.push(next.since(now).as_millis());
            now = next;
        }
        waits
    }

    #[test]
    fn waits_double_from_two_seconds_to_a_minute_and_lie_between_the_half_and_the_whole() {
        let patience = Patience::with_app(begun());
        let seconds: [u128; 7] = [2, 4, 8, 16, 32, 60, 60];
        assert_eq!(waits(patience, MOST)[..7], seconds.map(|wait| wait * 1_000));
        assert_eq!(waits(patience, LEAST)[..7], seconds.map(|wait| wait * 500));
        let some = waits(patience, Jitter::from_bytes([0x34, 0x12]));
        assert!((1_000..2_000).contains(&some[0]) && some[0] != 1_000, "{some:?}");
    }

    /// Whenever the app comes back: in the first two hours it is told within a minute, later within
    /// five.
    #[test]
    fn an_app_that_comes_back_is_told_soon() {
        for jitter in [LEAST, MOST] {
            let mut after = Duration::ZERO;
            for wait in waits(Patience::with_app(begun()), jitter) {
                let longest = if after < MANY_TRIES { 60_000 } else { 300_000 };
                assert!(wait <= longest, "{wait} ms after {after:?}");
                after += Duration::from_millis(wait as u64);
            }
            assert!(after < GIVE_UP_AFTER && after + LONGEST_LATER >= GIVE_UP_AFTER, "{after:?}");
        }
    }

    #[test]
    fn an_idp_is_asked_every_minute_until_the_deadline() {
        let patience = Patience::with_idp(begun(), begun().plus(Duration::from_secs(600)));
        let waits = waits(patience, MOST);
        assert_eq!(waits[..6], [2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
        assert_eq!(waits.iter().max(), Some(&60_000));
        assert!((540_000..600_000).contains(&waits.iter().sum::<u128>()), "{waits:?}");
        // A logout that stays open for days is no reason to become slack.
        let long = Patience::with_idp(begun(), begun().plus(GIVE_UP_AFTER));
        let late = begun().plus(MANY_TRIES);
        assert_eq!(long.next_try(99, late, MOST), Some(late.plus(LONGEST)));
    }

    #[test]
    fn a_pause_is_kept_up_to_an_hour_and_never_shortens_a_wait() {
        let patience = Patience::with_app(begun());
        let wait = |pause, attempts| {
            let next = patience.after_pause(Duration::from_secs(pause), attempts, begun(), MOST);
            next.unwrap().since(begun()).as_secs()
        };
        assert_eq!((wait(0, 1), wait(0, 6), wait(30, 6)), (2, 60, 60));
        assert_eq!((wait(120, 1), wait(3_600, 1), wait(u64::MAX, 1)), (122, 3_602, 3_602));
        let last = begun().plus(GIVE_UP_AFTER).minus(Duration::from_secs(60));
        assert_eq!(patience.after_pause(Duration::from_secs(120), 1, last, LEAST), None);
    }

    #[test]
    fn an_earlier_end_counts_and_a_later_one_does_not() {
        let patience = Patience::with_app(begun());
        let soon = begun().plus(NOT_FOUND_FOR);
        let late = soon.minus(Duration::from_secs(1));
        assert_eq!(patience.until(soon).next_try(1, late, MOST), None);
        assert!(patience.next_try(1, late, MOST).is_some());
        let end = begun().plus(GIVE_UP_AFTER);
        assert_eq!(patience.until(end.plus(NOT_FOUND_FOR)).next_try(1, end, LEAST), None);
    }
}
