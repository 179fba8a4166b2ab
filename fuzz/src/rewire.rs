//! Grammar-aware damage to text IR: other operands, other ops of the same kind, other constants,
//! lines repeated and left out. What comes out mostly reads, and often is a program.

use crate::dice::Dice;
use crate::mutate::MAX_BYTES;

/// Ops that take the same operands.
const KINDS: [&[&str]; 6] = [
    &["add", "sub", "mul", "minimum", "maximum", "floor_div", "floor_mod", "rem", "int_div"],
    &["exp", "neg", "abs", "sqrt", "sin", "floor", "sigmoid", "not"],
    &["lt", "le", "gt", "ge", "eq", "ne"],
    &["sum", "max", "min", "argmax", "argmin"],
    &["f16", "bf16", "f32", "i32", "i16", "i8", "u8", "i64"],
    &["reshape", "copy", "bitcast", "broadcast", "cast"],
];

/// Numbers of extents, bounds and offsets.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "4",
    "8",
    "16",
    "63",
    "64",
    "512",
    "4096",
    "-64",
    "9223372036854775807",
];

/// Changes `text` one to three times.
pub fn rewire(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    for round in 0..=dice.below(3) {
        if lines.is_empty() {
            break;
        }
        let at = dice.below(lines.len());
        match dice.below(8) {
            0 => drop(lines.remove(at)),
            1 => repeat(&mut lines, at, round, dice),
            2 => {
                let to = dice.below(lines.len());
                let line = lines.remove(at);
                lines.insert(to, line);
            }
            3 => lines[at] = with_word(&lines[at], dice),
            4 => lines[at] = with_number(&lines[at], dice),
            _ => lines[at] = with_operand(&lines, at, dice),
        }
    }
    let mut text = lines.join("\n") + "\n";
    let end = (0..=MAX_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}

/// Repeats a line, at another place; what it defines gets another name.
fn repeat(lines: &mut Vec<String>, at: usize, round: usize, dice: &mut Dice) {
    let line = match lines[at].split_once(" = ") {
        Some((name, rest)) if !name.contains(',') => {
            format!("{name}.{} = {rest}", 90 + round + 10 * dice.below(90))
        }
        _ => lines[at].clone(),
    };
    let to = if dice.one_in(2) { at + 1 } else { dice.below(lines.len()) };
    lines.insert(to, line);
}

/// A word of a kind becomes another of that kind.
fn with_word(line: &str, dice: &mut Dice) -> String {
    let words = crate::mutate::words(line);
    let kind = |word: &str| KINDS.iter().find(|kind| kind.contains(&word));
    let places: Vec<usize> = (0..words.len()).filter(|at| kind(words[*at]).is_some()).collect();
    let Some(at) = places.get(dice.below(places.len())).copied() else { return line.to_owned() };
    let mut words = words;
    words[at] = kind(words[at]).and_then(|kind| dice.pick(kind)).unwrap_or(words[at]);
    words.concat()
}

/// A number becomes another; numbers in names do not.
fn with_number(line: &str, dice: &mut Dice) -> String {
    let mut words = crate::mutate::words(line);
    let is_number = |at: &usize| {
        let before = at.checked_sub(1).map_or(" ", |before| words[before]);
        words[*at].starts_with(|c: char| c.is_ascii_digit()) && !before.ends_with(['%', '.'])
    };
    let places: Vec<usize> = (0..words.len()).filter(is_number).collect();
    let Some(at) = places.get(dice.below(places.len())).copied() else { return line.to_owned() };
    words[at] = dice.pick(&NUMBERS).unwrap_or("1");
    words.concat()
}

/// An operand becomes another value of the text, one of the lines before if there is one.
fn with_operand(lines: &[String], at: usize, dice: &mut Dice) -> String {
    let line = &lines[at];
    let defined: Vec<&str> = lines[..at].iter().flat_map(|line| names(line)).collect();
    let used = match line.split_once(" = ") {
        Some((_, rest)) => names(rest),
        None => names(line),
    };
    let (Some(old), Some(new)) = (dice.pick(&used), dice.pick(&defined)) else {
        return line.clone();
    };
    // The last place of it is never where it is defined.
    let Some(place) = line.rfind(old) else { return line.clone() };
    format!("{}{new}{}", &line[..place], &line[place + old.len()..])
}

/// The values that a text names.
fn names(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('%') {
        let rest = &text[at + 1..];
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        found.push(&text[at..at + 1 + end]);
    }
    found
}
