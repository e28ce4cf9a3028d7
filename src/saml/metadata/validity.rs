use std::time::Duration;

use super::error::{ContentFault, Found};
use crate::clock::Timestamp;
use crate::saml::message::trim;
use crate::xml::Element;

const DAY: u64 = 86_400;
/// An `xs:duration` has years and months, which have no fixed length. Nothing here needs them exact.
const MONTH: u64 = 30 * DAY;
const YEAR: u64 = 365 * DAY;
/// No cache is kept longer than this, whatever the document says.
const LONGEST: u64 = 100 * YEAR;

/// How long an entity may be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Validity {
    pub(super) until: Option<Timestamp>,
    pub(super) cache: Option<Duration>,
}

/// Reads the times of `element` and of everything around it. What stands further in can only shorten
/// what stands around it (SAML Metadata 2.3.1 and 2.3.2, Errata E76), so the earliest counts.
pub(super) fn read(element: Element<'_>, now: Timestamp, found: &mut Found) -> Validity {
    let mut validity = Validity::default();
    for element in std::iter::successors(Some(element), |element| element.parent()) {
        if let Some(text) = element.attribute("validUntil") {
            match Timestamp::parse(text) {
                Some(at) => {
                    if at <= now {
                        found.fault(element, ContentFault::Expired { at });
                    }
                    validity.until = Some(validity.until.map_or(at, |known| known.min(at)));
                }
                None => {
                    let (attribute, kind) = ("validUntil", "a date and time");
                    found.fault(element, ContentFault::Time { attribute, kind });
                }
            }
        }
        if let Some(text) = element.attribute("cacheDuration") {
            match duration(text) {
                Some(cache) => {
                    validity.cache = Some(validity.cache.map_or(cache, |known| known.min(cache)));
                }
                None => {
                    let (attribute, kind) = ("cacheDuration", "a duration such as PT6H");
                    found.fault(element, ContentFault::Time { attribute, kind });
                }
            }
        }
    }
    validity
}

/// That the root says how long it is valid, and not for too long (IIP-MD04). What its `validUntil` is
/// worth beside that, [`read`] says.
pub(super) fn check_root(root: Element<'_>, most: Duration, now: Timestamp, found: &mut Found) {
    match root.attribute("validUntil").map(Timestamp::parse) {
        None => found.fault(root, ContentFault::NoValidUntil { most }),
        Some(Some(until)) if until.since(now) > most => {
            found.fault(root, ContentFault::ValidTooLong { until, most });
        }
        Some(_) => {}
    }
}

/// Reads an `xs:duration` (XML Schema Part 2, 3.2.6) in whole seconds. A negative one is refused; one
/// of more than a hundred years is a hundred years.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let text = trim(text);
    let rest = text.strip_prefix('P').filter(|_| text.len() <= 64)?;
    let (date, time) = match rest.split_once('T') {
        // A `T` with nothing behind it is not a duration.
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None if rest.is_empty() => return None,
        None => (rest, ""),
    };
    let date = sum(date, &[('Y', YEAR), ('M', MONTH), ('D', DAY)])?;
    let time = sum(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
    Some(Duration::from_secs(date.saturating_add(time).min(LONGEST)))
}

/// Adds up numbers with their units, which must come in this order and at most once each.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    for (unit, seconds) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        // Seconds alone may have a fraction, which is too fine to matter here.
        let whole = match number.split_once('.') {
            Some((whole, fraction)) if *unit == 'S' && is_number(fraction) => whole,
            _ => number,
        };
        if !is_number(whole) {
            return None;
        }
        // Only a number too long for 64 bits fails here.
        let count = whole.parse().unwrap_or(u64::MAX);
        total = total.saturating_add(seconds.saturating_mul(count));
        text = rest;
    }
    text.is_empty().then_some(total)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_schema_writes_them() {
        for (text, seconds) in [
            ("PT0S", 0),
            ("PT6H", 6 * 3600),
            ("P1D", DAY),
            ("P1Y2M3DT4H5M6S", YEAR + 2 * MONTH + 3 * DAY + 4 * 3600 + 5 * 60 + 6),
            ("PT1M", 60),
            ("P1M", MONTH),
            (" PT86400.000S\n", DAY),
            ("PT0.5S", 0),
            ("P5000Y", LONGEST),
            ("PT99999999999999999999999S", LONGEST),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        let long = format!("PT{}S", "0".repeat(64));
        for bad in [
            "", "P", "PT", "P1DT", "-PT1H", "+P1D", "1D", "P1H", "PT1D", "P1D1Y", "PT1S1H",
            "P1.5D", "PT1.S", "PT.5S", "PTS", "P-1D", "P1Dx", "pt1h", "P1DT1H1H", &long,
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
