//! Changes a signed message as attackers and accidents do. Every choice comes from outside: a seeded
//! run of `make mutants` and the fuzzer of `fuzz/` share this code.

mod elements;
mod query;
mod xml;

pub use query::mutate_query;
pub use xml::mutate_xml;

/// Where decisions come from.
pub trait Choices {
    /// A number below `bound`; 0 where there is nothing to choose.
    fn below(&mut self, bound: usize) -> usize;

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// The same choices for the same seed, on every machine (SplitMix64).
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Choices for Seeded {
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        usize::try_from(self.next().checked_rem(bound).unwrap_or(0)).unwrap_or(0)
    }
}

/// The choices that a fuzzer's input spells out, two bytes each; 0 when they have run out.
pub struct Spelled<'a>(pub &'a [u8]);

impl Spelled<'_> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Choices for Spelled<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let (number, rest) = match self.0 {
            [high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
            [last] => (usize::from(*last), &[][..]),
            [] => (0, &[][..]),
        };
        self.0 = rest;
        number.checked_rem(bound).unwrap_or(0)
    }
}

/// Replaces the bytes of a range.
fn splice(text: &mut Vec<u8>, range: std::ops::Range<usize>, with: &[u8]) {
    text.splice(range, with.iter().copied());
}

/// A place in the text, its end included.
fn place(text: &[u8], choices: &mut impl Choices) -> usize {
    choices.below(text.len() + 1)
}

/// A range of at most `longest` bytes.
fn range(text: &[u8], longest: usize, choices: &mut impl Choices) -> std::ops::Range<usize> {
    let start = place(text, choices);
    start..(start + choices.below(longest + 1)).min(text.len())
}

/// What happens to bytes, whatever they mean.
fn mutate_bytes(text: &mut Vec<u8>, pieces: &[&[u8]], choices: &mut impl Choices) {
    const BYTES: &[u8] = b"<>/\"'&;:=?#!-[] \t\r\n\0\x7F\x80\xC3\xEF\xFFaZ09+%";
    match choices.below(7) {
        0 => {
            let at = choices.below(text.len());
            let bit = 1_u8 << choices.below(8);
            if let Some(byte) = text.get_mut(at) {
                *byte ^= bit;
            }
        }
        1 => {
            let at = choices.below(text.len());
            if let (Some(byte), Some(other)) = (text.get_mut(at), choices.pick(BYTES)) {
                *byte = *other;
            }
        }
        2 => {
            let cut = range(text, 40, choices);
            splice(text, cut, b"");
        }
        3 => {
            let at = place(text, choices);
            let piece = choices.pick(pieces).copied().unwrap_or_default();
            splice(text, at..at, piece);
        }
        4 => {
            let copied = text[range(text, 3_000, choices)].to_vec();
            let at = place(text, choices);
            splice(text, at..at, &copied);
        }
        5 => {
            let copied = text[range(text, 60, choices)].to_vec();
            let over = range(text, 60, choices);
            splice(text, over, &copied);
        }
        _ => {
            let longest = text.len();
            let cut = range(text, longest, choices);
            splice(text, cut, b"");
        }
    }
}
