//! Grammar-aware damage to kernels: an expression takes the place of another, a statement with its
//! block that of another, as the parser finds them. What comes out mostly parses, and is wrong
//! further on.

use std::ops::Range;

use kbc::diag::Sink;
use kbc::source::{SourceMap, Span};
use kbc::syntax;

use crate::dice::Dice;
use crate::mutate::MAX_BYTES;

/// Puts expressions or statements of `other` (or of `text` itself) into `text`, one to three times.
pub fn graft(text: &str, other: &str, dice: &mut Dice) -> String {
    let mut grown = text.to_owned();
    for _ in 0..=dice.below(3) {
        let donor = if dice.one_in(3) { grown.clone() } else { other.to_owned() };
        grown = match dice.below(3) {
            0 => graft_block(&grown, &donor, dice),
            _ => graft_expression(&grown, &donor, dice),
        };
    }
    let end = (0..=MAX_BYTES.min(grown.len())).rev().find(|at| grown.is_char_boundary(*at));
    grown.truncate(end.unwrap_or(0));
    grown
}

fn graft_expression(text: &str, donor: &str, dice: &mut Dice) -> String {
    let (places, donors) = (expressions(text), expressions(donor));
    let (Some(place), Some(new)) = (choose(&places, dice), choose(&donors, dice)) else {
        return text.to_owned();
    };
    let new = &donor[new];
    // A tuple without its brackets is part of what is around it.
    let new = if dice.one_in(2) { format!("({new})") } else { new.to_owned() };
    format!("{}{new}{}", &text[..place.start], &text[place.end..])
}

fn choose(from: &[Range<usize>], dice: &mut Dice) -> Option<Range<usize>> {
    from.get(dice.below(from.len())).cloned()
}

/// Where the expressions of `text` are.
fn expressions(text: &str) -> Vec<Range<usize>> {
    let mut sources = SourceMap::new();
    let file = sources.add("graft.kb", text);
    let module = syntax::parse(file, text, &mut Sink::new());
    let spans = module.exprs.values().map(|it| it.span);
    let range = |span: Span| span.start as usize..span.end as usize;
    spans.map(range).filter(|it| text.get(it.clone()).is_some()).collect()
}

/// Puts a statement of `donor` with its block before one of `text`, or in its place.
fn graft_block(text: &str, donor: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    let others: Vec<&str> = donor.lines().collect();
    let (at, from) = (dice.below(lines.len()), dice.below(others.len()));
    if lines.is_empty() || others.is_empty() {
        return text.to_owned();
    }
    let replaced = if dice.one_in(2) { at..at } else { block(&lines, at) };
    let (margin, old) = (indent(&lines[at]), indent(others[from]));
    let moved = others[block(&others, from)].iter().map(|line| {
        format!("{}{}", " ".repeat(margin), line.get(old..).unwrap_or(line.trim_start()))
    });
    let moved: Vec<String> = moved.collect();
    lines.splice(replaced, moved);
    lines.join("\n") + "\n"
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The line `at` and the lines after it that are deeper.
fn block(lines: &[impl AsRef<str>], at: usize) -> Range<usize> {
    let margin = indent(lines[at].as_ref());
    let deeper = |line: &&_| {
        let line: &str = AsRef::<str>::as_ref(*line);
        line.trim().is_empty() || indent(line) > margin
    };
    at..at + 1 + lines[at + 1..].iter().take_while(deeper).count()
}
