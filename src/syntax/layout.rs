//! Physical tokens to logical lines and blocks.
//!
//! Line ends inside brackets vanish; every other one becomes [`Kind::Newline`], unless its line is
//! empty. A deeper line after a header begins a block ([`Kind::Indent`]), a shallower one ends
//! blocks ([`Kind::Dedent`]). The grammar can rely on it: INDENT stands only after the colon of a
//! header and its NEWLINE, and every INDENT has its DEDENT. All that is wrong with indentation,
//! colons and blocks is therefore said and mended here, and the parser never sees it:
//!
//! ```text
//! if x            a colon is missing: reported, and a BLOCK_COLON without text is put there
//!     y = 1
//!       z = 2     deeper without a header: reported, and taken for the block it stands in
//!    w = 3        returns to no block: reported, and taken for the innermost that is deeper
//! for i in r:     no block follows: reported, and a block of one REFUSED is put there
//! x = 3
//! ```
//!
//! Indentations are compared as text: one must begin with the other. So tabs and blanks never
//! need a width, and what two editors would show differently is refused.

use super::ast::MAX_DEPTH;
use super::brackets::{width, width_with};
use super::faults::Faults;
use super::token::{Kind, Token};
use super::{habits, headers, unsupported};
use crate::diag::syntax::{
    BAD_DEDENT, MISSING_BLOCK, MIXED_INDENTATION, TOO_DEEP, UNEXPECTED, UNEXPECTED_INDENT,
};

/// The logical tokens of a file whose brackets match.
pub(super) fn layout(text: &str, raw: &[Token], start: u32, faults: &mut Faults) -> Vec<Token> {
    let mut layout = Layout {
        text,
        faults,
        out: Vec::with_capacity(raw.len() + raw.len() / 8),
        levels: vec![Level::at((start, start), Ghost::No)],
        header: None,
        before: (start, start),
        skip: None,
        decorators: None,
    };
    layout.out.push(Token::made(Kind::StartModule, start));
    let mut line = Vec::new();
    let (mut depth, mut line_start, mut begun) = (0usize, start, start);
    for token in raw {
        if token.kind == Kind::Newline {
            if depth == 0 {
                layout.line(&mut line, begun, *token);
                line.clear();
            }
            line_start = token.end;
            continue;
        }
        if line.is_empty() {
            begun = line_start;
        }
        depth += usize::from(token.kind.opens());
        depth = depth.saturating_sub(usize::from(token.kind.closes()));
        line.push(*token);
    }
    let end = text.len() as u32;
    layout.line(&mut line, begun, Token::made(Kind::Newline, end));
    layout.finish(end);
    layout.out
}

/// A block that lines may return to.
#[derive(Clone, Copy)]
struct Level {
    /// The bytes of its indentation.
    indent: (u32, u32),
    /// Another indentation of its lines, which was refused once.
    stray: Option<(u32, u32)>,
    /// Whether the parser knows nothing of it.
    ghost: Ghost,
    /// The first token of the statement before.
    last: Kind,
    /// Whether lines of a ghost came after it, which end its chain of `elif`s for the parser.
    broken: bool,
}

impl Level {
    fn at(indent: (u32, u32), ghost: Ghost) -> Level {
        Level { indent, stray: None, ghost, last: Kind::Newline, broken: false }
    }
}

/// Whether a level is a block of the parser's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ghost {
    No,
    /// Its lines are read as part of the block around it.
    Joined,
    /// As before, and the parser's complaints about its lines are silent: they were likely meant
    /// to continue the line before.
    Silent,
}

/// A header whose block should follow.
#[derive(Clone, Copy)]
pub(super) struct Header {
    /// Its keyword.
    pub(super) keyword: Token,
    /// Whether it was mended already, so that nothing is said of a missing block.
    pub(super) mended: bool,
    /// Whether the line is no header of the language at all, and only ends like one.
    pub(super) ghost: bool,
}

/// Lines to leave out.
struct Skip {
    /// The indentation that they are deeper than.
    indent: (u32, u32),
    /// What may follow at that indentation and goes with them.
    sequels: &'static [Kind],
}

struct Layout<'l, 's> {
    text: &'l str,
    faults: &'l mut Faults<'s>,
    out: Vec<Token>,
    levels: Vec<Level>,
    header: Option<Header>,
    /// The indentation of the line before.
    before: (u32, u32),
    skip: Option<Skip>,
    /// Where in `out` the decorators above the next line begin.
    decorators: Option<usize>,
}

/// How one indentation relates to another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    Same,
    Deeper,
    Shallower,
    Mixed,
}

impl Layout<'_, '_> {
    /// Takes one logical line, whose first physical line begins at byte `begun`.
    fn line(&mut self, line: &mut Vec<Token>, begun: u32, newline: Token) {
        let Some(first) = line.first().copied() else { return };
        let indent = self.indent(begun);
        if self.skips(indent, first.kind) {
            return;
        }
        let decorated = self.decorators.map(|from| (from, self.out.len()));
        self.indentation(indent, first);
        self.before = indent;
        if self.skip.is_some() {
            return;
        }
        if self.top().ghost == Ghost::Silent {
            self.faults.silence(first.start);
        }
        habits::mend(self.text, line, self.faults);
        if let Some(first) = line.first_mut() {
            self.chain(first);
        }
        let Some(first) = line.first().copied() else { return };
        if let Some(place) = decorated {
            self.decorated(place, first);
        }
        if headers::chains_too_long(line, self.faults) {
            self.refuse_line(first, newline, &[]);
            return;
        }
        self.header = headers::mark(self.text, line, self.faults);
        if let Some(sequels) = unsupported::statement(self.text, line, self.faults) {
            self.refuse_line(first, newline, sequels);
            return;
        }
        if first.kind != Kind::At {
            self.decorators = None;
        } else if self.decorators.is_none() {
            self.decorators = Some(self.out.len());
        }
        self.out.append(line);
        self.out.push(newline);
    }

    /// Refuses an `elif` or `else` without its `if`, or an `except` or `finally` without its `try`,
    /// and makes it an `if` of its own.
    fn chain(&mut self, first: &mut Token) {
        let Level { last, broken, .. } = self.top();
        let read = first.kind;
        let after = leaders(read);
        if !after.is_empty() && broken {
            first.kind = Kind::If;
            self.faults.silence(first.start);
        } else if !after.is_empty() && !after.contains(&last) {
            let word = first.text(self.text);
            let leader = if matches!(read, Kind::Elif | Kind::Else) { "if" } else { "try" };
            let message = format!("this `{word}` belongs to no `{leader}`");
            let label = "the statement before it is none";
            let diagnostic = self.faults.at(UNEXPECTED, (first.start, first.end), message, label);
            let help = format!("indent it like its `{leader}`, right after its block");
            self.faults.report(diagnostic.help(help));
            first.kind = Kind::If;
        }
        let ghosts = self.levels.iter().rev().take_while(|level| level.ghost != Ghost::No).count();
        let top = self.levels.len().saturating_sub(1);
        for level in self.levels.iter_mut().rev().skip(1).take(ghosts) {
            level.broken = true;
        }
        if let Some(level) = self.levels.get_mut(top) {
            (level.last, level.broken) = (read, false);
        }
    }

    /// Refuses decorators whose tokens lie at `place` of `out` unless a function follows.
    fn decorated(&mut self, (from, to): (usize, usize), first: Token) {
        let same_block = self.out.len() == to;
        let known = matches!(first.kind, Kind::Def | Kind::At | Kind::Class | Kind::Async);
        if same_block && known {
            return;
        }
        self.decorators = None;
        let mut removed = self.out.drain(from..to);
        let Some(at) = removed.next() else { return };
        drop(removed);
        let message = "a decorator stands only above a function";
        let because = self.faults.span(first.start, first.end);
        let diagnostic = self
            .faults
            .at(UNEXPECTED, (at.start, at.end), message, "this decorates nothing")
            .because(because, "no function begins here");
        self.faults.report(diagnostic);
    }

    /// Leaves out a statement with its decorators, and all lines deeper than it.
    fn refuse_line(&mut self, first: Token, newline: Token, sequels: &'static [Kind]) {
        self.header = None;
        if let Some(from) = self.decorators.take() {
            self.out.truncate(from);
        }
        self.out.push(Token { kind: Kind::Refused, ..first });
        self.out.push(newline);
        self.skip = Some(Skip { indent: self.top().indent, sequels });
    }

    fn finish(&mut self, end: u32) {
        if let Some(from) = self.decorators {
            self.decorated((from, self.out.len()), Token::made(Kind::Newline, end));
        }
        if let Some(header) = self.header.take() {
            self.missing_block(header, Token::made(Kind::Newline, end));
        }
        let dedents = self.levels.iter().skip(1).filter(|level| level.ghost == Ghost::No).count();
        self.out.extend(std::iter::repeat_n(Token::made(Kind::Dedent, end), dedents));
    }

    // ---- Indentation -------------------------------------------------------------------

    /// The blanks that the line at byte `begun` begins with.
    fn indent(&self, begun: u32) -> (u32, u32) {
        let line = self.text.get(begun as usize..).unwrap_or("");
        let blanks = line.len() - line.trim_start_matches([' ', '\t', '\x0C']).len();
        let page = line.get(..blanks).and_then(|it| it.rfind('\x0C')).map_or(0, |at| at + 1);
        (begun + page as u32, begun + blanks as u32)
    }

    fn blanks(&self, (start, end): (u32, u32)) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or("")
    }

    fn top(&self) -> Level {
        self.levels.last().copied().unwrap_or(Level::at((0, 0), Ghost::Joined))
    }

    /// How `indent` relates to `outer`.
    fn relation(&self, outer: (u32, u32), indent: (u32, u32)) -> Relation {
        let (outer, indent) = (self.blanks(outer), self.blanks(indent));
        match (indent.starts_with(outer), outer.starts_with(indent)) {
            (true, true) => Relation::Same,
            (true, false) => Relation::Deeper,
            (false, true) => Relation::Shallower,
            (false, false) => Relation::Mixed,
        }
    }

    /// How `indent` relates to `outer`, by their widths where tabs and blanks are mixed.
    fn relation_by_width(&self, outer: (u32, u32), indent: (u32, u32)) -> Relation {
        let relation = self.relation(outer, indent);
        if relation != Relation::Mixed {
            return relation;
        }
        match width(self.blanks(indent)).cmp(&width(self.blanks(outer))) {
            std::cmp::Ordering::Less => Relation::Shallower,
            std::cmp::Ordering::Equal => Relation::Same,
            std::cmp::Ordering::Greater => Relation::Deeper,
        }
    }

    /// Whether the line belongs to what is left out.
    fn skips(&mut self, indent: (u32, u32), first: Kind) -> bool {
        let Some(skip) = &self.skip else { return false };
        let relation = self.relation_by_width(skip.indent, indent);
        let sequel = relation == Relation::Same && skip.sequels.contains(&first);
        let skips = sequel || relation == Relation::Deeper;
        if !skips {
            self.skip = None;
        }
        skips
    }

    /// Opens and closes blocks before the line that `first` begins.
    fn indentation(&mut self, indent: (u32, u32), first: Token) {
        let above = if self.header.is_some() { self.before } else { self.top().indent };
        if self.relation(above, indent) == Relation::Mixed {
            return self.mixed(indent, first);
        }
        let deeper = self.relation(above, indent) == Relation::Deeper;
        match self.header.take() {
            Some(header) if deeper => return self.open_block(header, indent),
            Some(header) => self.missing_block(header, first),
            None if deeper => return self.unexpected_indent(indent, first),
            None => {}
        }
        while self.relation_by_width(self.top().indent, indent) == Relation::Shallower {
            let stray = self.top().stray;
            if stray.is_some_and(|stray| self.relation(stray, indent) == Relation::Same) {
                return;
            }
            let outer = self.levels.len().checked_sub(2).and_then(|at| self.levels.get(at));
            let outer = outer.copied().unwrap_or(self.top());
            if self.relation_by_width(outer.indent, indent) == Relation::Deeper {
                return self.bad_dedent(outer, indent, first);
            }
            self.close_block(first.start);
        }
    }

    fn close_block(&mut self, at: u32) {
        let closed = self.levels.pop();
        if closed.is_some_and(|level| level.ghost == Ghost::No) {
            self.out.push(Token::made(Kind::Dedent, at));
        }
    }

    fn open_block(&mut self, header: Header, indent: (u32, u32)) {
        if self.levels.len() as u32 > MAX_DEPTH {
            let message = format!("blocks nest deeper than {MAX_DEPTH} levels");
            let keyword = header.keyword;
            let place = (keyword.start, keyword.end);
            let diagnostic = self.faults.at(TOO_DEEP, place, message, "one block too many");
            self.faults.report(diagnostic.help("move inner blocks into functions of their own"));
            self.refused_block();
            self.skip = Some(Skip { indent: self.top().indent, sequels: &[] });
            return;
        }
        if !header.ghost {
            self.out.push(Token::made(Kind::Indent, indent.1));
        }
        let ghost = if header.ghost { Ghost::Joined } else { Ghost::No };
        self.levels.push(Level::at(indent, ghost));
    }

    /// A block in place of one that is missing or refused.
    fn refused_block(&mut self) {
        let at = self.out.last().map_or(0, |token| token.end);
        let kinds = [Kind::Indent, Kind::Refused, Kind::Newline, Kind::Dedent];
        self.out.extend(kinds.map(|kind| Token::made(kind, at)));
    }

    fn missing_block(&mut self, header: Header, next: Token) {
        if header.ghost {
            return;
        }
        if !header.mended {
            let keyword = header.keyword.text(self.text);
            let message = format!("the block of `{keyword}` is missing");
            let place = (next.start, next.end);
            let label = if next.kind == Kind::Newline {
                "the file ends before it"
            } else {
                "this line is not indented deeper than its header"
            };
            let because = self.faults.span(header.keyword.start, header.keyword.end);
            let diagnostic = self
                .faults
                .at(MISSING_BLOCK, place, message, label)
                .because(because, "its block should follow this line")
                .help("indent its lines, or write `pass` for a block that does nothing");
            self.faults.report(diagnostic);
        }
        self.refused_block();
    }

    fn unexpected_indent(&mut self, indent: (u32, u32), first: Token) {
        let message = "a line is indented deeper than the one before it, which opens no block";
        let place = (indent.0, first.end);
        let label = format!("indented by {} columns", width(self.blanks(indent)));
        let mut diagnostic = self.faults.at(UNEXPECTED_INDENT, place, message, label);
        let above = self.top().indent;
        if self.levels.len() > 1 {
            let label = format!("this block is indented by {}", width(self.blanks(above)));
            diagnostic = diagnostic.because(self.faults.span(above.0, above.1), label);
        }
        self.faults.report(diagnostic);
        self.levels.push(Level::at(indent, Ghost::Silent));
    }

    /// Takes the line for one of the innermost block that is deeper.
    fn bad_dedent(&mut self, outer: Level, indent: (u32, u32), first: Token) {
        let inner = self.top();
        let columns = |level: (u32, u32)| width(self.blanks(level));
        let (at, within, without) = (columns(indent), columns(inner.indent), columns(outer.indent));
        let message = format!("a line is indented by {at} columns, and no block around it is");
        let label = format!("the blocks here are indented by {without} and {within}");
        let diagnostic = self
            .faults
            .at(BAD_DEDENT, (indent.0, first.end), message, label)
            .because(self.faults.span(inner.indent.0, inner.indent.1), "this block is ended by it");
        self.faults.report(diagnostic);
        if let Some(top) = self.levels.last_mut() {
            top.stray = Some(indent);
        }
    }

    /// Places a line whose indentation cannot be compared with that of the line above it: in a
    /// block that it fits exactly, or else in one that looks the same in some editor.
    fn mixed(&mut self, indent: (u32, u32), first: Token) {
        let fits = |level: &Level| {
            let known = [Some(level.indent), level.stray];
            known.into_iter().flatten().any(|it| self.relation(it, indent) == Relation::Same)
        };
        if self.header.is_none()
            && let Some(level) = self.levels.iter().rposition(fits)
        {
            self.return_to(level, first.start);
            return;
        }
        self.report_mixed(indent, first);
        if let Some(header) = self.header.take() {
            return self.open_block(header, indent);
        }
        let widths = [4, 8].map(|tab| width_with(self.blanks(indent), tab));
        let alike = |level: &Level| widths.contains(&width(self.blanks(level.indent)));
        if let Some(level) = self.levels.iter().rposition(alike) {
            self.return_to(level, first.start);
        }
        if let Some(top) = self.levels.last_mut() {
            top.stray = Some(indent);
        }
    }

    /// Ends the blocks inside the one at `level`.
    fn return_to(&mut self, level: usize, at: u32) {
        while self.levels.len() > level + 1 {
            self.close_block(at);
        }
    }

    fn report_mixed(&mut self, indent: (u32, u32), first: Token) {
        let above = self.before;
        let message = "tabs and blanks are mixed, so that this line's depth depends on the editor";
        let label = format!("indented by {}", describe(self.blanks(indent)));
        let because = format!("the line above is indented by {}", describe(self.blanks(above)));
        let diagnostic = self
            .faults
            .at(MIXED_INDENTATION, (indent.0, first.end), message, label)
            .because(self.faults.span(above.0, above.1), because)
            .help("indent every line of a file by blanks alone");
        self.faults.report(diagnostic);
    }
}

/// An indentation in words.
fn describe(blanks: &str) -> String {
    let count = |wanted: u8| blanks.bytes().filter(|byte| *byte == wanted).count();
    let words = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let found: Vec<String> =
        [words(count(b'\t'), "tab"), words(count(b' '), "blank")].into_iter().flatten().collect();
    found.join(" and ")
}

/// What the statement before a line that begins with `kind` must begin with, if it belongs to one.
const fn leaders(kind: Kind) -> &'static [Kind] {
    if matches!(kind, Kind::Elif) {
        &[Kind::If, Kind::Elif]
    } else if matches!(kind, Kind::Else) {
        &[Kind::If, Kind::Elif, Kind::For, Kind::While, Kind::Except]
    } else if matches!(kind, Kind::Except) {
        &[Kind::Try, Kind::Except]
    } else if matches!(kind, Kind::Finally) {
        &[Kind::Try, Kind::Except, Kind::Else]
    } else {
        &[]
    }
}
