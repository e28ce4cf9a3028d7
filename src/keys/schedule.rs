//! When a key is published, used and put away. Every stage follows from a few moments in the life of
//! the keys of one purpose and algorithm, so nobody has to move a key from one stage to the next.

use std::time::Duration;

use super::set::Stage;
use crate::clock::Timestamp;

/// The moments of one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// From when on it is the key that is used. It is published as soon as it exists.
    pub active_from: Timestamp,
    /// From when on it is not used, published or believed any more.
    pub revoked_at: Option<Timestamp>,
}

/// How long peers have to learn of a key, and to forget it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// How long before its first use a key is published.
    pub announce: Duration,
    /// How long a key that has been replaced still counts.
    pub overlap: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Schedule {
    /// Relying parties fetch `/jwks.json` again within hours (OpenID Connect Core 10.1.1).
    pub const OIDC: Self = Self { announce: DAY, overlap: DAY.saturating_mul(2) };
    /// An IdP's administrator may have to be told, and may have to paste.
    pub const SAML: Self =
        Self { announce: DAY.saturating_mul(30), overlap: DAY.saturating_mul(30) };
}

/// Where each key stands at `now`; `None` if it was revoked. `lives` are of one purpose and
/// algorithm. Of two keys that are active from the same moment the later in the list counts.
pub fn stages(lives: &[Life], schedule: Schedule, now: Timestamp) -> Vec<Option<Stage>> {
    let stage = |(index, life): (usize, &Life)| {
        if life.revoked_at.is_some() {
            return None;
        }
        Some(match replaced_at(lives, index) {
            _ if now < life.active_from => Stage::Next,
            Some(end) if now >= end.plus(schedule.overlap) => Stage::Retired,
            Some(end) if now >= end => Stage::Previous,
            _ => Stage::Active,
        })
    };
    lives.iter().enumerate().map(stage).collect()
}

/// The next moment after `now` at which [`stages`] will answer otherwise.
pub fn next_change(lives: &[Life], schedule: Schedule, now: Timestamp) -> Option<Timestamp> {
    let moments = lives.iter().enumerate().filter(|(_, life)| life.revoked_at.is_none()).flat_map(
        |(index, life)| {
            let end = replaced_at(lives, index).map(|end| end.plus(schedule.overlap));
            std::iter::once(life.active_from).chain(end)
        },
    );
    moments.filter(|moment| *moment > now).min()
}

/// When the next of the keys took or takes over from this one. A key that was used before it was
/// revoked did take over: its revocation must not bring back the one before it.
fn replaced_at(lives: &[Life], index: usize) -> Option<Timestamp> {
    let own = lives.get(index)?.active_from;
    let later = lives
        .iter()
        .enumerate()
        .filter(|(_, life)| life.revoked_at.is_none_or(|end| life.active_from < end))
        .filter(|(other, life)| (life.active_from, *other) > (own, index));
    later.map(|(_, life)| life.active_from).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule =
        Schedule { announce: Duration::from_secs(10), overlap: Duration::from_secs(100) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn lives<const N: usize>(starts: [i64; N]) -> [Life; N] {
        starts.map(|start| Life { active_from: at(start), revoked_at: None })
    }

    fn stages_at(lives: &[Life], now: i64) -> Vec<Option<Stage>> {
        stages(lives, SCHEDULE, at(now))
    }

    #[test]
    fn one_key_is_active_at_any_time_and_its_neighbours_are_published() {
        use Stage::{Active, Next, Previous, Retired};
        let keys = lives([0, 1000]);
        for (now, expected) in [
            (0, [Active, Next]),
            (999, [Active, Next]),
            (1000, [Previous, Active]),
            (1099, [Previous, Active]),
            (1100, [Retired, Active]),
        ] {
            assert_eq!(stages_at(&keys, now), expected.map(Some), "{now}");
        }
    }

    #[test]
    fn a_key_that_was_revoked_before_its_time_has_no_stage_and_replaces_nobody() {
        let mut keys = lives([0, 1000]);
        keys[1].revoked_at = Some(at(500));
        assert_eq!(stages_at(&keys, 2000), [Some(Stage::Active), None]);
        keys[0].revoked_at = Some(at(600));
        assert_eq!(stages_at(&keys, 2000), [None, None]);
        assert_eq!(next_change(&keys, SCHEDULE, at(0)), None);
    }

    #[test]
    fn the_revocation_of_a_key_that_was_used_does_not_bring_back_the_one_before_it() {
        let mut keys = lives([0, 1000, 5000]);
        keys[1].revoked_at = Some(at(5000));
        for now in [5000, 5050, 9000] {
            assert_eq!(stages_at(&keys, now), [Some(Stage::Retired), None, Some(Stage::Active)]);
        }
        // Revoked while it was the previous one: the same.
        let mut keys = lives([0, 1000, 2000]);
        keys[1].revoked_at = Some(at(2050));
        assert_eq!(stages_at(&keys, 2060), [Some(Stage::Retired), None, Some(Stage::Active)]);
    }

    #[test]
    fn of_two_keys_of_one_moment_the_later_is_used() {
        assert_eq!(stages_at(&lives([5, 5]), 5), [Some(Stage::Previous), Some(Stage::Active)]);
        assert_eq!(stages_at(&lives([5, 5]), 105), [Some(Stage::Retired), Some(Stage::Active)]);
    }

    #[test]
    fn the_next_change_is_the_moment_at_which_a_stage_changes() {
        let keys = lives([0, 1000, 1050]);
        let mut now = -1;
        let mut moments = Vec::new();
        while let Some(moment) = next_change(&keys, SCHEDULE, at(now)) {
            let seconds = moment.as_seconds();
            assert_ne!(stages_at(&keys, seconds - 1), stages_at(&keys, seconds));
            moments.push(seconds);
            now = seconds;
        }
        assert_eq!(moments, [0, 1000, 1050, 1100, 1150]);
    }
}
