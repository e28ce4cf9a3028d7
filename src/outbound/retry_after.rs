//! When a party that is overloaded wants to be asked again (RFC 9110 10.2.3).

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::clock::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    Pause(Duration),
    At(Timestamp),
}

impl RetryAfter {
    /// `None` also where the value is neither a number nor a date.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        match value.parse() {
            Ok(seconds) => Some(Self::Pause(Duration::from_secs(seconds))),
            Err(_) => Timestamp::parse_http_date(value).map(Self::At),
        }
    }

    /// How long to wait, from now on.
    pub fn from(self, now: Timestamp) -> Duration {
        match self {
            Self::Pause(pause) => pause,
            Self::At(time) => time.since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_number_of_seconds_or_a_date() {
        let read = |value: &'static str| {
            let headers = [(RETRY_AFTER, value.parse().unwrap())].into_iter().collect();
            RetryAfter::of(&headers)
        };
        assert_eq!(read("120"), Some(RetryAfter::Pause(Duration::from_secs(120))));
        assert_eq!(read("0"), Some(RetryAfter::Pause(Duration::ZERO)));
        let date = RetryAfter::At(Timestamp::from_seconds(784_111_777));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(date));
        for nonsense in ["", "soon", "-5", "1.5", "99999999999999999999999", "Sun, 06 Nov"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert_eq!(RetryAfter::of(&HeaderMap::new()), None);
    }
}
