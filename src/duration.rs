//! A length of time as people write it: a whole number and one of `ms`, `s`, `m`, `h`, `d`.

use std::time::Duration;

/// `None` for anything else, and for what no [`Duration`] can hold.
pub fn parse(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number = number.parse::<u64>().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        "d" => number.checked_mul(86_400).map(Duration::from_secs),
        _ => None,
    }
}

/// In the largest unit that keeps it whole.
pub fn written(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if duration.subsec_millis() > 0 => {
            format!("{}ms", seconds * 1000 + u64::from(duration.subsec_millis()))
        }
        seconds if seconds > 0 && seconds.is_multiple_of(86_400) => {
            format!("{}d", seconds / 86_400)
        }
        seconds if seconds > 0 && seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        for (text, millis) in [("0s", 0), ("250ms", 250), ("60s", 60_000), ("30d", 2_592_000_000)] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "60", "s", "1.5h", "-1s", "60 s", "60S", "1h30m", "99999999999999999999s"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(parse("18446744073709551615d"), None);
    }

    #[test]
    fn durations_are_written_in_their_largest_unit() {
        for text in ["1500ms", "59s", "61s", "2m", "90m", "1h", "3d", "0s"] {
            assert_eq!(written(parse(text).unwrap()), text);
        }
    }
}
