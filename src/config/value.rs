//! Texts to values. An error says what to write instead.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::duration;

/// A duration within bounds: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
pub(super) fn duration(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, String> {
    let duration = duration::parse(text).ok_or_else(|| {
        "write a number and a unit (ms, s, m, h, d), for example 60s, 10m or 8h".to_owned()
    })?;
    if !bounds.contains(&duration) {
        let (least, most) = (duration::written(*bounds.start()), duration::written(*bounds.end()));
        return Err(format!("write a duration from {least} to {most}"));
    }
    Ok(duration)
}

/// A value whose own error says what is wrong.
pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Every element of a list; the error names the one that is wrong.
pub(super) fn each<T: FromStr<Err: std::fmt::Display>>(texts: &[&str]) -> Result<Vec<T>, String> {
    texts.iter().map(|text| parse(text).map_err(|mend| format!("{text:?}: {mend}"))).collect()
}

/// A path that must be given.
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    optional(text)?.ok_or_else(|| "write a path".to_owned())
}

/// An empty text stands for a key that is not set.
pub(super) fn optional<T: FromStr<Err: std::fmt::Display>>(
    text: &str,
) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_bounds() {
        let bounds = Duration::ZERO..=Duration::from_secs(30 * 86_400);
        for (text, seconds) in
            [("0s", 0), ("60s", 60), ("10m", 600), ("8h", 28_800), ("30d", 2_592_000)]
        {
            assert_eq!(duration(text, &bounds), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms", &bounds), Ok(Duration::from_millis(250)));
        for bad in ["", "60", "s", "1.5h", "-1s", "60 s", "60S", "1h30m", "99999999999999999999s"] {
            assert!(duration(bad, &bounds).is_err(), "{bad}");
        }
        assert_eq!(duration("31d", &bounds), Err("write a duration from 0s to 30d".into()));
        assert!(duration("18446744073709551615d", &bounds).is_err());
    }
}
