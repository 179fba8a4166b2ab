//! The colon that ends a compound statement's header, and chains too long for any tree.

use super::ast::MAX_DEPTH;
use super::faults::Faults;
use super::layout::Header;
use super::token::{Kind, Token};
use crate::diag::syntax::{ASSIGNMENT_IN_EXPRESSION, MISSING_COLON, TOO_DEEP, UNEXPECTED};

/// Marks the colon of a header as [`Kind::BlockColon`]; puts one where it is missing. Returns the
/// header if its block should follow on the next lines.
pub(super) fn mark(text: &str, line: &mut Vec<Token>, faults: &mut Faults) -> Option<Header> {
    let keyword = *line.first()?;
    if !begins_block(keyword.kind) {
        let ends_like_one = line.last().is_some_and(|last| last.kind == Kind::Colon);
        return ends_like_one.then_some(Header { keyword, mended: true, ghost: true });
    }
    let colon = block_colon(line);
    let mended = colon.is_none();
    let at = match colon {
        Some(at) => at,
        None => insert_colon(text, line, faults),
    };
    if let Some(colon) = line.get_mut(at) {
        colon.kind = Kind::BlockColon;
    }
    semicolons(text, keyword, line.get_mut(..at).unwrap_or(&mut []), faults);
    compare_in_condition(keyword, line.get_mut(..at).unwrap_or(&mut []), faults);
    // A header that follows on the same line ends the line like one, but has no block.
    let ghost = at + 1 < line.len();
    let opens = line.last().is_some_and(|last| last.kind == Kind::Colon);
    (opens || !ghost).then_some(Header { keyword, mended: mended || ghost, ghost })
}

fn begins_block(kind: Kind) -> bool {
    matches!(kind, Kind::If | Kind::Elif | Kind::Else | Kind::For | Kind::While | Kind::Def)
        || matches!(kind, Kind::Try | Kind::Except | Kind::Finally)
}

/// The first colon outside brackets that is not a lambda's.
fn block_colon(line: &[Token]) -> Option<usize> {
    let mut outside = Outside::default();
    line.iter().position(|token| outside.step(token.kind) && token.kind == Kind::Colon)
}

/// Walks a line, and tells what stands in brackets or in the header of a lambda.
#[derive(Default)]
struct Outside {
    brackets: usize,
    lambdas: usize,
}

impl Outside {
    /// Whether the next token, of `kind`, stands outside of both.
    fn step(&mut self, kind: Kind) -> bool {
        self.brackets += usize::from(kind.opens());
        self.brackets = self.brackets.saturating_sub(usize::from(kind.closes()));
        if self.brackets > 0 {
            return false;
        }
        let outside = self.lambdas == 0;
        self.lambdas += usize::from(kind == Kind::Lambda);
        if kind == Kind::Colon {
            self.lambdas = self.lambdas.saturating_sub(1);
        }
        outside
    }
}

/// Puts a colon where the header most likely ends; returns its index.
fn insert_colon(text: &str, line: &mut Vec<Token>, faults: &mut Faults) -> usize {
    let keyword = line.first().copied().unwrap_or(Token::made(Kind::Else, 0));
    let body = line.iter().skip(1).position(|token| begins_simple_statement(token.kind));
    let at = match (keyword.kind, body) {
        (Kind::Else | Kind::Try | Kind::Finally, _) => 1,
        (_, Some(body)) => body + 1,
        (_, None) => line.len(),
    };
    let end = line.get(at - 1).map_or(keyword.end, |token| token.end);
    let last = line.last().map_or(end, |token| token.end);
    if !faults.any_within(keyword.start, last) {
        let word = keyword.text(text);
        let message = format!("the header of this `{word}` does not end in a colon");
        let span = faults.span(end, end);
        let diagnostic = faults
            .at(MISSING_COLON, (end, end), message, "expected `:` here")
            .because(faults.span(keyword.start, keyword.end), "the header begins here")
            .suggest(span, ":", "write `:` at the end of the header");
        faults.report(diagnostic);
    }
    line.insert(at, Token::made(Kind::Colon, end));
    at
}

fn begins_simple_statement(kind: Kind) -> bool {
    matches!(kind, Kind::Return | Kind::Pass | Kind::Break | Kind::Continue | Kind::Assert)
        || matches!(kind, Kind::Raise | Kind::Import | Kind::Del)
}

/// A `;` in a header would end the statement for the parser, which could not find its block.
fn semicolons(text: &str, keyword: Token, header: &mut [Token], faults: &mut Faults) {
    for token in header.iter_mut().filter(|token| token.kind == Kind::Semicolon) {
        token.kind = Kind::Refused;
        let message = format!("a `;` stands in the header of `{}`", keyword.text(text));
        let place = (token.start, token.end);
        faults.report(faults.at(UNEXPECTED, place, message, "this would end the statement"));
    }
}

/// An `=` in a condition is taken for `==`.
fn compare_in_condition(keyword: Token, condition: &mut [Token], faults: &mut Faults) {
    if !matches!(keyword.kind, Kind::If | Kind::Elif | Kind::While) {
        return;
    }
    let mut outside = Outside::default();
    for token in condition {
        if outside.step(token.kind) && token.kind == Kind::Equals {
            token.kind = Kind::Comparison;
            let span = faults.span(token.start, token.end);
            let message = "a condition compares with `==`, and `=` stands in it";
            let diagnostic = faults
                .at(ASSIGNMENT_IN_EXPRESSION, (token.start, token.end), message, "this assigns")
                .suggest(span, "==", "write `==`");
            faults.report(diagnostic);
        }
    }
}

/// Operators that wait for what stands right of them, between two brackets of a line.
#[derive(Clone, Copy, Default)]
struct Waiting {
    /// `-`, `+`, `~` before an operand, and `**`.
    tight: u32,
    /// `not`.
    nots: u32,
    /// `lambda`, and the `else` of a conditional expression.
    loose: u32,
    /// Lambdas whose colon has not come.
    headers: u32,
}

/// Whether a line holds a chain such as `not not not …` that nests deeper than any tree may.
/// Such a chain grows the parser's stack by one entry an operator, and recovering from an error
/// walks that stack, so it is refused before the parser sees it.
pub(super) fn chains_too_long(line: &[Token], faults: &mut Faults) -> bool {
    let mut outer = Vec::new();
    let mut waiting = Waiting::default();
    let mut after_operand = false;
    for token in line {
        if token.kind.opens() {
            outer.push(std::mem::take(&mut waiting));
        } else if token.kind.closes() {
            waiting = outer.pop().unwrap_or_default();
        } else {
            waiting.step(token.kind, after_operand);
        }
        after_operand = token.kind.ends_operand();
        if waiting.tight + waiting.nots + waiting.loose > MAX_DEPTH {
            let message = format!("operators nest deeper than {MAX_DEPTH} levels");
            let place = (token.start, token.end);
            let diagnostic = faults.at(TOO_DEEP, place, message, "one operator too many");
            faults.report(diagnostic.help("give parts of the expression names of their own"));
            return true;
        }
    }
    false
}

impl Waiting {
    fn step(&mut self, kind: Kind, after_operand: bool) {
        let signs = matches!(kind, Kind::Minus | Kind::Plus | Kind::Tilde) && !after_operand;
        let separates = matches!(kind, Kind::Comma | Kind::Equals | Kind::Colon)
            || matches!(kind, Kind::BlockColon | Kind::Semicolon);
        if signs || (kind == Kind::DoubleStar && after_operand) {
            self.tight += 1;
        } else if kind == Kind::Not && !after_operand {
            self.nots += 1;
        } else if kind == Kind::Lambda {
            self.loose += 1;
            self.headers += 1;
        } else if separates && self.headers > 0 {
            self.headers -= u32::from(kind == Kind::Colon);
        } else if separates {
            *self = Waiting::default();
        } else if matches!(kind, Kind::And | Kind::Or | Kind::If | Kind::Else) {
            self.loose += u32::from(kind == Kind::Else);
            (self.tight, self.nots) = (0, 0);
        } else if kind.is_binary() {
            self.tight = 0;
        }
    }
}
