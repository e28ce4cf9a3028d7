//! The languages of the pages that people see, and which of them somebody wants.

use serde::{Deserialize, Serialize};

/// More languages than anybody lists; what stands behind them is not read.
const MOST_LISTED: usize = 32;

/// A language that every page is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    #[default]
    En,
    De,
    Fr,
    Es,
}

impl Language {
    pub const ALL: [Self; 4] = [Self::En, Self::De, Self::Fr, Self::Es];

    /// As in `lang` and `Content-Language` (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
        }
    }

    /// The first language that we have of `ui_locales`: tags with spaces between them, the most
    /// wanted one first (OpenID Connect Core 3.1.2.1, RP-Initiated Logout 1.0 2). What is no tag, or
    /// of another language, is passed over.
    pub fn of_locales(ui_locales: &str) -> Option<Self> {
        ui_locales.split_ascii_whitespace().take(MOST_LISTED).find_map(Self::of_tag)
    }

    /// The most wanted language that we have of an `Accept-Language` header (RFC 9110 12.5.4). What
    /// cannot be read is passed over; `*` stands for English.
    pub fn of_header(accept_language: &str) -> Option<Self> {
        let mut best: Option<(Self, u16)> = None;
        for range in accept_language.split(',').take(MOST_LISTED) {
            let (tag, quality) = range.split_once(';').unwrap_or((range, "q=1"));
            let language = match tag.trim() {
                "*" => Some(Self::En),
                tag => Self::of_tag(tag),
            };
            let (Some(language), Some(quality)) = (language, quality_of(quality)) else { continue };
            // Of two that are wanted alike, the first.
            if quality > best.map_or(0, |(_, quality)| quality) {
                best = Some((language, quality));
            }
        }
        best.map(|(language, _)| language)
    }

    /// By the primary subtag: whoever reads `de-AT` reads `de` (RFC 4647 3.4).
    fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.tag()))
    }
}

/// `q=0.8` as thousandths (RFC 9110 12.4.2).
fn quality_of(parameter: &str) -> Option<u16> {
    let value = parameter.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match (whole, is_number) {
        ("0", true) => format!("{fraction:0<3}").parse().ok(),
        ("1", true) if fraction.bytes().all(|digit| digit == b'0') => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{De, En, Es, Fr};
    use super::*;

    #[test]
    fn ui_locales_name_the_most_wanted_language_first() {
        for (locales, expected) in [
            ("de", Some(De)),
            ("DE", Some(De)),
            ("de-AT", Some(De)),
            ("de-Latn-CH-1996", Some(De)),
            ("fr-CA fr en", Some(Fr)),
            ("xx-YY es-419", Some(Es)),
            ("en-GB de", Some(En)),
            ("<b> \u{0} de; DROP -- es", Some(Es)),
            ("xx-YY", None),
            ("deu", None),
            ("de_AT", None),
            ("i-de", None),
            ("", None),
            ("   ", None),
            ("-", None),
        ] {
            assert_eq!(Language::of_locales(locales), expected, "{locales:?}");
        }
        assert_eq!(Language::of_locales(&format!("{}de", "xx ".repeat(31))), Some(De));
        assert_eq!(Language::of_locales(&format!("{}de", "xx ".repeat(32))), None);
    }

    #[test]
    fn accept_language_is_weighed_by_its_qualities() {
        for (header, expected) in [
            ("de", Some(De)),
            ("de-AT,de;q=0.9,en;q=0.8", Some(De)),
            ("en-US,en;q=0.5", Some(En)),
            ("fr;q=0.3, es;q=0.7, de;q=0.5", Some(Es)),
            ("fr ; q = 0.31, es ; Q=0.305", Some(Fr)),
            ("pt-BR,pt;q=0.9,es;q=0.1", Some(Es)),
            ("de;q=0.5,fr;q=0.5", Some(De)),
            ("de;q=0,fr;q=0.001", Some(Fr)),
            ("*", Some(En)),
            ("*;q=0.5,fr;q=0.8", Some(Fr)),
            ("fr;q=0.2,*;q=0.8", Some(En)),
            ("de;q=1.000", Some(De)),
            ("de;q=0", None),
            ("de;q=0.000", None),
            ("xx-YY", None),
            ("", None),
        ] {
            assert_eq!(Language::of_header(header), expected, "{header:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        for garbage in [
            "de;q=2",
            "de;q=1.1",
            "de;q=0.1234",
            "de;q=-1",
            "de;q=",
            "de;q",
            "de;",
            "de;x=1",
            "de;q=0.5;q=1",
            "de;q=0x1",
            "de;q=.5",
            "de;q=٣",
            ",,,",
            ";;;",
            "q=1",
        ] {
            assert_eq!(Language::of_header(garbage), None, "{garbage:?}");
            let and_fine = format!("{garbage},fr;q=0.1");
            assert_eq!(Language::of_header(&and_fine), Some(Fr), "{garbage:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_an_error(text: String) {
            let _ = (Language::of_header(&text), Language::of_locales(&text));
        }
    }

    #[test]
    fn what_is_stored_reads_as_the_tag() {
        for language in Language::ALL {
            let stored = serde_json::to_string(&language).unwrap();
            assert_eq!(stored, format!("\"{}\"", language.tag()));
            assert_eq!(serde_json::from_str::<Language>(&stored).unwrap(), language);
        }
    }
}
