//! What Python has and the language has not: named, explained, and left out whole.
//!
//! A statement is refused before the parser sees it, together with its block and, for `async for`,
//! with the `else` that belongs to it. So nothing more is said of it.

use super::faults::Faults;
use super::token::{Kind, Token};
use crate::diag::Diagnostic;
use crate::diag::syntax::UNSUPPORTED;

/// A refused construct.
#[derive(Clone, Copy)]
struct Construct {
    /// The sentence of the message.
    message: &'static str,
    /// What to write instead.
    help: &'static str,
    /// Keywords of lines that belong to it.
    sequels: &'static [Kind],
}

const CLASS: Construct = Construct {
    message: "classes are not supported",
    help: "write functions, and pass what they share as arguments",
    sequels: &[],
};
const WITH: Construct = Construct {
    message: "`with` is not supported: nothing here needs to be closed",
    help: "write its block without the header",
    sequels: &[],
};
const ASYNC: Construct = Construct {
    message: "asynchronous code is not supported",
    help: "write ordinary functions; `tl.recv_async` and `tl.wait` overlap communication",
    sequels: &[Kind::Else],
};
const MATCH: Construct = Construct {
    message: "`match` is not supported",
    help: "write `if` … `elif` … `else`",
    sequels: &[],
};
const TYPE: Construct = Construct {
    message: "type aliases are not supported",
    help: "leave the statement out, and write the type where it is used",
    sequels: &[],
};
const GLOBAL: Construct = Construct {
    message: "a function cannot assign to names outside of it",
    help: "return the value, and assign it where the function is called",
    sequels: &[],
};
const YIELD: Construct = Construct {
    message: "generators are not supported, so there is no `yield`",
    help: "return a list of the values",
    sequels: &[],
};

/// The refused constructs that are a statement with a block, by the keyword they begin with.
const COMPOUND: &[(Kind, Construct)] =
    &[(Kind::Class, CLASS), (Kind::With, WITH), (Kind::Async, ASYNC)];

/// The refused constructs that are part of one line.
const SIMPLE: &[(Kind, Construct)] = &[
    (Kind::Global, GLOBAL),
    (Kind::Nonlocal, GLOBAL),
    (Kind::Yield, YIELD),
    (Kind::Await, ASYNC),
    (Kind::Async, ASYNC),
];

fn find(table: &[(Kind, Construct)], kind: Kind) -> Option<Construct> {
    table.iter().find_map(|(keyword, construct)| (*keyword == kind).then_some(*construct))
}

/// Refuses what `line` has that the language has not. Returns the keywords of the lines that go
/// with it if the whole statement must be left out; otherwise the line is fit for the parser.
pub(super) fn statement(
    text: &str,
    line: &mut Vec<Token>,
    faults: &mut Faults,
) -> Option<&'static [Kind]> {
    let first = *line.first()?;
    if let Some(construct) = find(COMPOUND, first.kind).or_else(|| soft(text, line)) {
        let diagnostic = refusal(faults, first, &construct);
        faults.report(diagnostic);
        return Some(construct.sequels);
    }
    let present = line.iter().any(|token| find(SIMPLE, token.kind).is_some());
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
        "match" if operand && last.kind == Kind::Colon => Some(MATCH),
        "type" if second.kind == Kind::Name => Some(TYPE),
        _ => None,
    }
}

fn refusal(faults: &Faults, token: Token, construct: &Construct) -> Diagnostic {
    let place = (token.start, token.end);
    faults.at(UNSUPPORTED, place, construct.message, "not supported").help(construct.help)
}

/// Refuses the statements and expressions of one line, and replaces them.
fn strike(line: &mut Vec<Token>, faults: &mut Faults) {
    let mut kept: Vec<Token> = Vec::with_capacity(line.len());
    let mut rest = line.iter().copied().peekable();
    while let Some(token) = rest.next() {
        let Some(construct) = find(SIMPLE, token.kind) else {
            kept.push(token);
            continue;
        };
        // What is left of the line is sound, so its own errors are independent.
        let diagnostic = refusal(faults, token, &construct);
        faults.report_quietly(diagnostic);
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
