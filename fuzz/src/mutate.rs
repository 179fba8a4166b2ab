//! Damage to texts: bytes, lines, words, and what of one text is put into another.

use crate::dice::Dice;

/// The longest input that mutation makes, in bytes.
pub const MAX_BYTES: usize = 16 << 10;

/// Text that is put in as it is.
const ODD: [&str; 16] = [
    "\0", "\u{feff}", "\r", "\n", "\u{85}", "é", "🦀", " ", "    ", "\t", "\u{a0}", "\u{202e}",
    "\u{7f}", "\"", "((((((((", "]",
];

/// Numbers at the edges of types, and past them.
const NUMBERS: [&str; 20] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "8",
    "16",
    "63",
    "64",
    "65",
    "127",
    "128",
    "255",
    "4096",
    "65536",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "18446744073709551616",
];

/// Damages `text` one to four times. `other` is a text to take from, `words` what to put in.
pub fn mutate(text: &[u8], other: &[u8], words: &[&str], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=dice.below(4) {
        bytes = match dice.below(8) {
            0 => mutate_bytes(bytes, dice),
            1 | 2 => mutate_lines(&bytes, dice),
            3 => splice_lines(&bytes, other, dice),
            4 => mutate_number(&bytes, dice),
            _ => mutate_words(&bytes, other, words, dice),
        };
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

fn mutate_bytes(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    let at = dice.below(bytes.len());
    match dice.below(5) {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        2 => {
            let end = (at + dice.below(40)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            let odd = dice.pick(&ODD).unwrap_or_default();
            bytes.splice(at..at, odd.bytes());
        }
    }
    bytes
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn mutate_lines(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut lines = lines(bytes);
    let (at, other) = (dice.below(lines.len()), dice.below(lines.len()));
    match dice.below(6) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[other].clone()),
        2 => lines.swap(at, other),
        3 => lines[at].splice(0..0, *b"    ").for_each(drop),
        4 => {
            let end = (at + 1 + dice.below(6)).min(lines.len());
            lines.drain(at..end);
        }
        _ => {
            let indent = lines[at].iter().take_while(|byte| **byte == b' ').count();
            lines[at].drain(..indent.min(4));
        }
    }
    lines.join(&b'\n')
}

/// Puts some lines of `other` in.
fn splice_lines(bytes: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let (mut lines, others) = (lines(bytes), lines(other));
    let from = dice.below(others.len());
    let end = (from + 1 + dice.below(8)).min(others.len());
    let at = dice.below(lines.len() + 1);
    let replaced = if dice.one_in(2) { (at + end - from).min(lines.len()) } else { at };
    lines.splice(at..replaced, others[from..end].iter().cloned());
    lines.join(&b'\n')
}

/// Puts another number in the place of one.
fn mutate_number(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut parts = words(&text);
    let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let numbers: Vec<usize> = (0..parts.len()).filter(|at| is_number(parts[*at])).collect();
    let Some(at) = numbers.get(dice.below(numbers.len())).copied() else {
        return mutate_bytes(bytes.to_vec(), dice);
    };
    parts[at] = dice.pick(&NUMBERS).unwrap_or_default();
    parts.concat().into_bytes()
}

/// Replaces, adds, removes or exchanges a word, a number or a sign.
fn mutate_words(bytes: &[u8], other: &[u8], known: &[&str], dice: &mut Dice) -> Vec<u8> {
    let (text, other) = (String::from_utf8_lossy(bytes), String::from_utf8_lossy(other));
    let (mut parts, others) = (words(&text), solid(&words(&other)));
    let places: Vec<usize> =
        (0..parts.len()).filter(|index| !parts[*index].trim().is_empty()).collect();
    let from = if dice.one_in(2) { others.as_slice() } else { known };
    let new = dice.pick(from).unwrap_or("x");
    let Some(at) = places.get(dice.below(places.len())).copied() else {
        return new.as_bytes().to_vec();
    };
    let second = places[dice.below(places.len())];
    match dice.below(6) {
        0 => drop(parts.remove(at)),
        1 => parts.insert(at, new),
        2 => parts.swap(at, second),
        3 => parts[at] = parts[second],
        _ => parts[at] = new,
    }
    parts.concat().into_bytes()
}

/// The words that are no blanks.
pub fn solid<'t>(words: &[&'t str]) -> Vec<&'t str> {
    words.iter().copied().filter(|word| !word.trim().is_empty()).collect()
}

/// A text cut where letters and digits, blanks and other signs meet.
pub fn words(text: &str) -> Vec<&str> {
    let class = |c: char| if c.is_alphanumeric() || c == '_' { 0 } else { 1 + u8::from(c == ' ') };
    let (mut words, mut begin, mut last) = (Vec::new(), 0, 3);
    for (at, c) in text.char_indices() {
        if at > begin && (class(c) != last || last == 1) {
            words.push(&text[begin..at]);
            begin = at;
        }
        last = class(c);
    }
    words.push(&text[begin..]);
    words
}
