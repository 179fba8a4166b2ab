//! What Python has and the language has not: named, explained, and left out whole.
//!
//! A statement is refused before the parser sees it, together with its block and, for `try`, with
//! the `except`, `else` and `finally` that belong to it. So nothing more is said of it.

use super::faults::Faults;
use super::token::{Kind, Token};
use crate::diag::syntax::UNSUPPORTED;

/// A refused construct.
struct Construct {
    /// The sentence of the message.
    message: &'static str,
    /// What to write instead.
    help: &'static str,
    /// Keywords of lines that belong to it.
    sequels: &'static [Kind],
}

const TRY_SEQUELS: &[Kind] = &[Kind::Except, Kind::Else, Kind::Finally];

/// The refused construct that `kind` begins as a statement of its own with a block.
fn compound(kind: Kind) -> Option<Construct> {
    let (message, help, sequels): (_, _, &[Kind]) = match kind {
        Kind::Class => (
            "classes are not supported",
            "write functions, and pass what they share as arguments",
            &[],
        ),
        Kind::Try | Kind::Except | Kind::Finally => (
            "exceptions are not supported, so there is nothing to catch",
            "test for the case with `if` beforehand, or state it with `assert`",
            TRY_SEQUELS,
        ),
        Kind::With => (
            "`with` is not supported: nothing here needs to be closed",
            "write its block without the header",
            &[],
        ),
        Kind::Async => (
            "asynchronous code is not supported",
            "write ordinary functions; `tl.recv_async` and `tl.wait` overlap communication",
            &[Kind::Else],
        ),
        _ => return None,
    };
    Some(Construct { message, help, sequels })
}

/// The refused construct that `kind` begins as a statement of one line.
fn simple(kind: Kind) -> Option<Construct> {
    let (message, help) = match kind {
        Kind::Raise => (
            "exceptions are not supported, so nothing can be raised",
            "state what must hold: `assert condition, message`",
        ),
        Kind::Global | Kind::Nonlocal => (
            "a function cannot assign to names outside of it",
            "return the value, and assign it where the function is called",
        ),
        Kind::Del => ("names and items cannot be deleted", "leave the statement out"),
        Kind::Yield => {
            ("generators are not supported, so there is no `yield`", "return a list of the values")
        }
        Kind::Await | Kind::Async => (
            "asynchronous code is not supported",
            "call the function as any other; `tl.wait` waits for a future",
        ),
        _ => return None,
    };
    Some(Construct { message, help, sequels: &[] })
}

/// Refuses what `line` has that the language has not. Returns the keywords of the lines that go
/// with it if the whole statement must be left out; otherwise the line is fit for the parser.
pub(super) fn statement(
    text: &str,
    line: &mut Vec<Token>,
    faults: &mut Faults,
) -> Option<&'static [Kind]> {
    let first = *line.first()?;
    if let Some(construct) = compound(first.kind).or_else(|| soft(text, line)) {
        refuse(faults, first, &construct);
        return Some(construct.sequels);
    }
    let present = line.iter().any(|token| simple(token.kind).is_some());
    if present {
        strike(line, faults);
    }
    None
}

/// `match` and `type`, which are names as well.
fn soft(text: &str, line: &[Token]) -> Option<Construct> {
    let (first, second, last) = (line.first()?, line.get(1)?, line.last()?);
    if first.kind != Kind::Name {
        return None;
    }
    let operand = second.kind == Kind::Name || second.kind == Kind::LeftParen;
    let operand = operand || matches!(second.kind, Kind::Number | Kind::Str | Kind::LeftBracket);
    match first.text(text) {
        "match" if operand && last.kind == Kind::Colon => Some(Construct {
            message: "`match` is not supported",
            help: "write `if` … `elif` … `else`",
            sequels: &[],
        }),
        "type" if second.kind == Kind::Name => Some(Construct {
            message: "type aliases are not supported",
            help: "leave the statement out, and write the type where it is used",
            sequels: &[],
        }),
        _ => None,
    }
}

fn refuse(faults: &mut Faults, token: Token, construct: &Construct) {
    let place = (token.start, token.end);
    let diagnostic = faults.at(UNSUPPORTED, place, construct.message, "not supported");
    faults.report(diagnostic.help(construct.help));
}

/// Refuses the statements and expressions of one line, and replaces them.
fn strike(line: &mut Vec<Token>, faults: &mut Faults) {
    let mut kept: Vec<Token> = Vec::with_capacity(line.len());
    let mut rest = line.iter().copied().peekable();
    while let Some(token) = rest.next() {
        let Some(construct) = simple(token.kind) else {
            kept.push(token);
            continue;
        };
        refuse(faults, token, &construct);
        if matches!(token.kind, Kind::Await | Kind::Async) {
            continue;
        }
        kept.push(Token { kind: Kind::Refused, ..token });
        let mut depth = 0usize;
        while let Some(next) = rest.peek() {
            if depth == 0 && (next.kind.closes() || next.kind == Kind::Semicolon) {
                break;
            }
            depth += usize::from(next.kind.opens());
            depth = depth.saturating_sub(usize::from(next.kind.closes()));
            rest.next();
        }
    }
    *line = kept;
}
