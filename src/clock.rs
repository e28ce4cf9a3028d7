//! Time as a value. Nothing below the edges asks what time it is; it is told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A moment: microseconds since the Unix epoch, UTC. The store keeps exactly this number.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, as JWT `NumericDate` wants them (RFC 7519 2).
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment moved into the future; the end of time where it would overflow.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// This moment moved into the past; the beginning of time where it would overflow.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// Reads an RFC 3339 or `xs:dateTime` value. SAML times are UTC (SAML Core 1.3.3), and a value
    /// without a zone is read as UTC; one with an offset is converted.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if !text.is_ascii() || text.len() > 64 {
            return None;
        }
        let parsed: jiff::Timestamp = match text.parse() {
            Ok(instant) => instant,
            Err(_) => text
                .parse::<jiff::civil::DateTime>()
                .ok()
                .filter(|_| text.contains('T'))?
                .to_zoned(jiff::tz::TimeZone::UTC)
                .ok()?
                .timestamp(),
        };
        Some(Self(parsed.as_microsecond()))
    }
}

impl Timestamp {
    /// Reads a date of HTTP in its preferred form (RFC 9110 5.6.7), `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Self(parsed.as_microsecond()))
    }
}

/// RFC 3339 in UTC with whole seconds, which is also a valid `xs:dateTime` for SAML.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.as_seconds()) {
            Ok(instant) => instant.fmt(f),
            Err(_) => f.write_str("out of range"),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The one place where time comes from. Tests move it; every part of a running service shares one.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset: Arc<AtomicI64>,
}

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(micros(since_epoch.unwrap_or_default())).shifted(self.offset())
    }

    /// Microseconds by which this clock runs ahead of the machine's. A database's own time is
    /// shifted by it too, so that a test moves both.
    pub fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Moves every holder of this clock back, as somebody does who sets a machine's time.
    pub fn put_back(&self, by: Duration) {
        self.offset.fetch_sub(micros(by), Ordering::Relaxed);
    }

    /// Moves every holder of this clock forward.
    pub fn advance(&self, by: Duration) {
        self.offset.fetch_add(micros(by), Ordering::Relaxed);
    }
}

impl Timestamp {
    /// This moment moved by signed microseconds.
    pub fn shifted(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_times_that_identity_providers_write() {
        let second = Timestamp::from_seconds(1_795_000_000);
        assert_eq!(second.to_string(), "2026-11-18T11:06:40Z");
        for same in [
            "2026-11-18T11:06:40Z",
            "2026-11-18T11:06:40.000Z",
            "2026-11-18T11:06:40",
            "2026-11-18T12:06:40+01:00",
            " 2026-11-18T11:06:40Z\n",
        ] {
            assert_eq!(Timestamp::parse(same), Some(second), "{same}");
        }
        assert_eq!(
            Timestamp::parse("2026-11-18T11:06:40.1234567Z"),
            Some(Timestamp::from_micros(1_795_000_000_123_456))
        );
    }

    #[test]
    fn refuses_what_is_no_time() {
        for bad in [
            "",
            "2026",
            "2026-11-18",
            "yesterday",
            "2026-13-18T11:06:40Z",
            "１2026-11-18T11:06:40Z",
        ] {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_moved_clock_moves_all_its_copies() {
        let clock = Clock::system();
        let copy = clock.clone();
        let before = copy.now();
        clock.advance(Duration::from_secs(3600));
        assert!(copy.now().since(before) >= Duration::from_secs(3600));
    }
}
