//! Makes brackets match before lines are cut, so that one slip does not swallow the file.
//!
//! Inside brackets a line end is a blank, so an unclosed bracket would join everything after it
//! to one line. Where every bracket of a file matches, nothing is done: that covers every valid
//! file, however it is laid out. Otherwise an open bracket ends at the first line that looks like
//! a statement: one that begins with a statement's keyword, or that stands no further in than the
//! bracket's own statement and assigns, or begins a new operand after a complete one.

use super::ast::MAX_DEPTH;
use super::faults::Faults;
use super::token::{Kind, Token};
use crate::diag::syntax::{TOO_DEEP, UNCLOSED_BRACKET, UNMATCHED_BRACKET};

/// `raw` with every bracket matched and none nested too deep; what was done is reported.
pub(super) fn repair(text: &str, raw: Vec<Token>, faults: &mut Faults) -> Vec<Token> {
    let found = survey(&raw);
    if found == Survey::Good {
        return raw;
    }
    let mut repair = Repair {
        text,
        faults,
        resynchronise: found == Survey::Unbalanced,
        out: Vec::with_capacity(raw.len() + 8),
        open: Vec::new(),
        skipping: 0,
        header: false,
        column: 0,
        line: 0,
    };
    let mut rest = raw.as_slice();
    while !rest.is_empty() {
        let newline = rest.iter().position(|token| token.kind == Kind::Newline);
        let (line, after) = rest.split_at(newline.map_or(rest.len(), |at| at + 1));
        repair.line(line, after);
        rest = after;
    }
    if !repair.open.is_empty() {
        repair.close_all(None);
    }
    repair.out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Survey {
    Good,
    TooDeep,
    Unbalanced,
}

fn survey(raw: &[Token]) -> Survey {
    let mut open = Vec::new();
    let mut found = Survey::Good;
    for token in raw {
        if let Some(closer) = token.kind.closer() {
            open.push(closer);
            if open.len() as u32 > MAX_DEPTH {
                found = Survey::TooDeep;
            }
        } else if token.kind.closes() && open.pop() != Some(token.kind) {
            return Survey::Unbalanced;
        }
    }
    if open.is_empty() { found } else { Survey::Unbalanced }
}

struct Repair<'r, 's> {
    text: &'r str,
    faults: &'r mut Faults<'s>,
    /// Whether lines that look like statements end open brackets.
    resynchronise: bool,
    out: Vec<Token>,
    open: Vec<Token>,
    /// How many brackets are open below the deepest that is kept.
    skipping: usize,
    /// Whether the statement begins with the keyword of a compound statement.
    header: bool,
    /// The column of the statement.
    column: usize,
    /// The first byte of the physical line.
    line: u32,
}

impl Repair<'_, '_> {
    /// Takes one physical line, its end included.
    fn line(&mut self, line: &[Token], after: &[Token]) {
        let Some(first) = line.first().filter(|token| token.kind != Kind::Newline) else {
            self.out.extend(line);
            return;
        };
        let column = column(self.text, first.start);
        if !self.open.is_empty() && self.resynchronise && self.begins_statement(line, column, after)
        {
            self.close_all(Some(*first));
        }
        if self.open.is_empty() {
            self.begin(*first, column);
        }
        self.line = first.start;
        for token in line {
            self.token(*token);
        }
    }

    fn begin(&mut self, first: Token, column: usize) {
        self.header =
            matches!(first.kind, Kind::If | Kind::Elif | Kind::For | Kind::While | Kind::Def);
        self.column = column;
        self.skipping = 0;
    }

    fn token(&mut self, token: Token) {
        if self.skipping > 0 {
            self.skipping += usize::from(token.kind.opens());
            self.skipping -= usize::from(token.kind.closes());
        } else if token.kind.opens() {
            self.opener(token);
        } else if token.kind.closes() {
            self.closer(token);
        } else {
            if token.kind == Kind::Newline {
                self.end_header();
            }
            self.out.push(token);
        }
    }

    fn opener(&mut self, token: Token) {
        if (self.open.len() as u32) < MAX_DEPTH {
            self.open.push(token);
            self.out.push(token);
            return;
        }
        let message = format!("brackets nest deeper than {MAX_DEPTH} levels");
        let place = (token.start, token.end);
        let diagnostic = self.faults.at(TOO_DEEP, place, message, "one bracket too many");
        self.faults.report(diagnostic.help("give parts of the expression names of their own"));
        self.skipping = 1;
        self.out.push(Token { kind: Kind::Refused, ..token });
    }

    fn closer(&mut self, token: Token) {
        let wanted = |open: &Token| open.kind.closer() == Some(token.kind);
        match self.open.iter().rposition(wanted) {
            Some(at) if at + 1 == self.open.len() => {
                self.open.pop();
                self.out.push(token);
            }
            Some(at) => {
                self.unclosed_before(at + 1, token);
                self.open.pop();
                self.out.push(token);
            }
            None => self.unmatched(token),
        }
    }

    /// Closes the brackets from `first` on, which `token` leaves open.
    fn unclosed_before(&mut self, first: usize, token: Token) {
        let inner = self.open.split_off(first);
        if let Some(innermost) = inner.last() {
            let bracket = innermost.text(self.text);
            let message = format!("this `{bracket}` is never closed");
            let label = format!("still open at the `{}`", token.text(self.text));
            let diagnostic = self
                .faults
                .at(UNCLOSED_BRACKET, (innermost.start, innermost.end), message, label)
                .because(self.faults.span(token.start, token.end), "this closes an outer bracket");
            self.faults.report(diagnostic);
        }
        self.insert_closers(&inner, token.start);
    }

    fn insert_closers(&mut self, open: &[Token], at: u32) {
        let closers = open.iter().rev().filter_map(|token| token.kind.closer());
        self.out.extend(closers.map(|kind| Token::made(kind, at)));
    }

    /// A closing bracket that no open one wants. It is taken for the innermost one's if that was
    /// opened on the same line, or if it begins its line; otherwise it is one too many.
    fn unmatched(&mut self, token: Token) {
        let bracket = token.text(self.text);
        let place = (token.start, token.end);
        let line = self.line;
        let meant = |open: &Token| open.start >= line || token.start == line;
        let Some(open) = self.open.pop_if(|open| meant(open)) else {
            let message = format!("this `{bracket}` closes nothing");
            let label = match self.open.last() {
                Some(open) => format!("the innermost open bracket is a `{}`", open.text(self.text)),
                None => String::from("no bracket is open here"),
            };
            let diagnostic = self.faults.at(UNMATCHED_BRACKET, place, message, label);
            let span = self.faults.span(token.start, token.end);
            self.faults.report(diagnostic.suggest(span, "", format!("remove the `{bracket}`")));
            return;
        };
        let kind = open.kind.closer().unwrap_or(token.kind);
        let opener = open.text(self.text);
        let message = format!("a `{opener}` is closed by `{bracket}`");
        let diagnostic = self
            .faults
            .at(UNMATCHED_BRACKET, place, message, "of another kind")
            .because(self.faults.span(open.start, open.end), "opened here");
        self.faults.report(diagnostic);
        self.out.push(Token { kind, ..token });
    }

    /// At the end of a line inside brackets: a header whose line ends in a colon ends there.
    fn end_header(&mut self) {
        let Some(colon) = self.out.last().filter(|token| token.kind == Kind::Colon).copied() else {
            return;
        };
        if self.resynchronise && self.header && !self.open.is_empty() {
            self.out.pop();
            self.close_all(Some(colon));
            self.out.push(colon);
        }
    }

    /// Closes every bracket before `next`, or before the end of the file, and before the line
    /// ends in front of it.
    fn close_all(&mut self, next: Option<Token>) {
        let open = std::mem::take(&mut self.open);
        let last = self.out.iter().rposition(|token| token.kind != Kind::Newline);
        let newlines = self.out.split_off(last.map_or(0, |last| last + 1));
        let end = self.out.last().map_or(0, |token| token.end);
        if self.skipping == 0 {
            self.report_unclosed(&open, next, end);
        }
        self.insert_closers(&open, end);
        self.out.extend(newlines);
    }

    fn report_unclosed(&mut self, open: &[Token], next: Option<Token>, end: u32) {
        let [outer @ .., innermost] = open else { return };
        if self.faults.any_within(innermost.start, end) {
            // An unterminated string took the closing bracket along.
            self.faults.silence(innermost.start);
            return;
        }
        let bracket = innermost.text(self.text);
        let message = format!("this `{bracket}` is never closed");
        let place = (innermost.start, innermost.end);
        let mut it = self.faults.at(UNCLOSED_BRACKET, place, message, "opened here");
        for token in outer.iter().rev().take(2) {
            it = it.because(self.faults.span(token.start, token.end), "and so is this one");
        }
        if let Some(next) = next {
            let label = if next.kind == Kind::Colon {
                "the header ends here"
            } else {
                "a new statement begins here"
            };
            it = it.because(self.faults.span(next.start, next.end), label);
        }
        let closes = innermost.kind.closer().map_or("", closer_text);
        let between = self.text.get(innermost.start as usize..end as usize).unwrap_or("");
        if outer.is_empty() && self.complete() && !between.contains('\n') {
            let help = format!("close it with `{closes}`");
            it = it.suggest(self.faults.span(end, end), closes, help);
        }
        self.faults.report(it);
    }

    /// Whether what was read last can end what stands in a bracket.
    fn complete(&self) -> bool {
        self.out.last().is_some_and(|it| it.kind.ends_operand() || it.kind == Kind::Comma)
    }

    /// Whether a line inside brackets is a statement of its own.
    fn begins_statement(&self, line: &[Token], column: usize, after: &[Token]) -> bool {
        let kinds: Vec<Kind> = line.iter().map(|token| token.kind).collect();
        let Some(first) = kinds.first().copied() else { return false };
        let last = kinds.iter().rfind(|kind| **kind != Kind::Newline).copied();
        if is_statement_keyword(first) || (first == Kind::From && kinds.contains(&Kind::Import)) {
            return true;
        }
        // In a header's brackets no name follows an operand, however far in it stands.
        let apart = first == Kind::Name && self.header && self.follows_operand();
        if column > self.column {
            return apart;
        }
        if first == Kind::At {
            let next = after.iter().find(|token| token.kind != Kind::Newline);
            return next.is_some_and(|it| matches!(it.kind, Kind::Def | Kind::At | Kind::Class));
        }
        if first == Kind::Name {
            return assigns(&kinds) || self.follows_operand();
        }
        matches!(first, Kind::If | Kind::For | Kind::Else) && last == Some(Kind::Colon)
    }

    /// Whether the token before the line ends an operand, so that a name after it is no part of
    /// the same expression.
    fn follows_operand(&self) -> bool {
        let last = self.out.iter().rfind(|token| token.kind != Kind::Newline);
        last.is_some_and(|token| token.kind.ends_operand())
    }
}

/// Keywords that begin statements and stand in no expression.
fn is_statement_keyword(kind: Kind) -> bool {
    matches!(kind, Kind::Def | Kind::Class | Kind::Return | Kind::Import | Kind::While | Kind::Pass)
        || matches!(kind, Kind::Break | Kind::Continue | Kind::Assert | Kind::Raise | Kind::Try)
        || matches!(kind, Kind::With | Kind::Global | Kind::Nonlocal | Kind::Del | Kind::Elif)
        || matches!(kind, Kind::Except | Kind::Finally)
}

/// Whether a line assigns, and is not one of several arguments `name=value`.
fn assigns(line: &[Kind]) -> bool {
    let mut depth = 0i32;
    let mut found = false;
    for kind in line {
        depth += i32::from(kind.opens()) - i32::from(kind.closes());
        if depth < 0 {
            return false;
        }
        found |= depth == 0 && matches!(kind, Kind::Equals | Kind::AugAssign);
    }
    let last = line.iter().rfind(|kind| **kind != Kind::Newline);
    found && last != Some(&Kind::Comma)
}

/// The column of the first letter on the line of byte `at`, with tabs to eight.
fn column(text: &str, at: u32) -> usize {
    let before = text.get(..at as usize).unwrap_or("");
    let line = before.rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
    width(before.get(line..).unwrap_or(""))
}

/// The width of the blanks that `line` begins with, with tabs to eight.
pub(super) fn width(line: &str) -> usize {
    width_with(line, 8)
}

/// The width of the blanks that `line` begins with, with tabs to every `tab` columns.
pub(super) fn width_with(line: &str, tab: usize) -> usize {
    let blanks = line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t'));
    blanks.fold(0, |width, byte| if byte == b'\t' { (width / tab + 1) * tab } else { width + 1 })
}

fn closer_text(kind: Kind) -> &'static str {
    let texts = [(Kind::RightParen, ")"), (Kind::RightBracket, "]"), (Kind::RightBrace, "}")];
    texts.into_iter().find_map(|(closer, text)| (closer == kind).then_some(text)).unwrap_or("")
}
