//! Spellings of other languages: each is reported with what to write, and read as it was meant.

use super::faults::Faults;
use super::token::{Kind, Token};
use crate::diag::syntax::FOREIGN_SPELLING;

/// Reads `line` as it was meant.
pub(super) fn mend(text: &str, line: &mut Vec<Token>, faults: &mut Faults) {
    if foreign_comment(text, line, faults) {
        line.clear();
        return;
    }
    first_words(text, line, faults);
    steps(text, line, faults);
    for token in line.iter_mut() {
        operator(text, token, faults);
    }
}

fn report(faults: &mut Faults, (start, end): (u32, u32), message: String, meant: &str) {
    let span = faults.span(start, end);
    let help = match meant.trim() {
        "" => String::from("leave it out"),
        meant => format!("write `{meant}`"),
    };
    let diagnostic = faults
        .at(FOREIGN_SPELLING, (start, end), message, "a spelling of another language")
        .suggest(span, meant, help);
    faults.report(diagnostic);
}

/// `// comment` and `/* comment`.
fn foreign_comment(text: &str, line: &[Token], faults: &mut Faults) -> bool {
    let [first, second, ..] = line else { return false };
    let slashes = first.kind == Kind::DoubleSlash;
    let star = first.kind == Kind::Slash && matches!(second.kind, Kind::Star | Kind::DoubleStar);
    let star = star && first.end == second.start;
    if !slashes && !star {
        return false;
    }
    let place = (first.start, if slashes { first.end } else { second.end });
    let written = text.get(place.0 as usize..place.1 as usize).unwrap_or("");
    let message = format!("a comment begins with `#`, not with `{written}`");
    let span = faults.span(first.start, first.end);
    let mut diagnostic =
        faults.at(FOREIGN_SPELLING, place, message, "a comment of another language");
    if slashes {
        diagnostic = diagnostic.suggest(span, "#", "write `#`");
    } else {
        diagnostic = diagnostic.help("write `#` in front of each of its lines");
    }
    faults.report(diagnostic);
    true
}

/// `else if`, `elseif`, `func f(…)`, `let x = …`.
fn first_words(text: &str, line: &mut Vec<Token>, faults: &mut Faults) {
    let kinds = [1, 2].map(|at| line.get(at).map(|token| token.kind));
    let Some(first) = line.first().copied() else { return };
    let word = first.text(text);
    let header = line.last().is_some_and(|last| last.kind == Kind::Colon);
    if first.kind == Kind::Else && kinds[0] == Some(Kind::If) {
        let end = line.get(1).map_or(first.end, |token| token.end);
        report(faults, (first.start, end), String::from("`else if` is one word"), "elif");
        line.drain(..2);
        line.insert(0, Token { kind: Kind::Elif, start: first.start, end });
    }
    if first.kind != Kind::Name {
        return;
    }
    if ["elseif", "elsif"].contains(&word) && header {
        let place = (first.start, first.end);
        report(faults, place, format!("`{word}` is spelt `elif`"), "elif");
        retype(line, Kind::Elif);
    } else if ["func", "function", "fn", "fun"].contains(&word)
        && kinds == [Some(Kind::Name), Some(Kind::LeftParen)]
    {
        let place = (first.start, first.end);
        report(faults, place, format!("a function begins with `def`, not with `{word}`"), "def");
        retype(line, Kind::Def);
    } else if ["let", "var", "const", "auto"].contains(&word)
        && kinds == [Some(Kind::Name), Some(Kind::Equals)]
    {
        let end = line.get(1).map_or(first.end, |token| token.start);
        report(faults, (first.start, end), format!("an assignment needs no `{word}`"), "");
        line.remove(0);
    }
}

fn retype(line: &mut [Token], kind: Kind) {
    if let Some(first) = line.first_mut() {
        first.kind = kind;
    }
}

/// `x++` and `x--` at the end of a statement.
fn steps(text: &str, line: &mut Vec<Token>, faults: &mut Faults) {
    let ends = line.last().is_some_and(|last| last.kind == Kind::Semicolon);
    let end = line.len() - usize::from(ends);
    let [.., first, second] = line.get(..end).unwrap_or(&[]) else { return };
    let (first, second) = (*first, *second);
    let same = first.kind == second.kind && first.end == second.start;
    if !same || !matches!(first.kind, Kind::Plus | Kind::Minus) {
        return;
    }
    let place = (first.start, second.end);
    let sign = first.text(text);
    report(faults, place, format!("there is no `{sign}{sign}`"), &format!(" {sign}= 1"));
    let step = Token { kind: Kind::AugAssign, start: place.0, end: place.1 };
    line.splice(end - 2..end, [step, Token::made(Kind::Refused, place.1)]);
}

/// `&&`, `||`, `!`, `===`, `!==`, `<>` and `?`.
fn operator(text: &str, token: &mut Token, faults: &mut Faults) {
    let written = token.text(text);
    let (kind, meant) = match (token.kind, written) {
        (Kind::AndAnd, _) => (Kind::And, "and"),
        (Kind::OrOr, _) => (Kind::Or, "or"),
        (Kind::Bang, _) => (Kind::Not, "not"),
        (Kind::ForeignComparison, "===") => (Kind::Comparison, "=="),
        (Kind::ForeignComparison, _) => (Kind::Comparison, "!="),
        (Kind::Question, _) => return question(token, faults),
        _ => return,
    };
    token.kind = kind;
    let place = (token.start, token.end);
    let blank = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
    let bytes = text.as_bytes();
    let mut replacement = String::from(meant);
    if kind != Kind::Comparison {
        // Words need the blanks that marks do without.
        if !blank(bytes.get(token.end as usize)) {
            replacement.push(' ');
        }
        let before = token.start.checked_sub(1).and_then(|at| bytes.get(at as usize));
        if kind != Kind::Not && !blank(before) {
            replacement.insert(0, ' ');
        }
    }
    let span = faults.span(place.0, place.1);
    let diagnostic = faults
        .at(
            FOREIGN_SPELLING,
            place,
            format!("`{written}` is spelt `{meant}`"),
            "not an operator here",
        )
        .suggest(span, replacement, format!("write `{meant}`"));
    faults.report(diagnostic);
}

fn question(token: &mut Token, faults: &mut Faults) {
    let message = "there is no `?` operator";
    let place = (token.start, token.end);
    let diagnostic = faults
        .at(FOREIGN_SPELLING, place, message, "not an operator here")
        .help("choose between two values with `a if condition else b`");
    token.kind = Kind::Refused;
    faults.report(diagnostic);
}

/// Blocks in braces: `if x {` … `} else {` … `}`. Each opening brace becomes the header's colon,
/// each closing one vanishes; `raw` is otherwise kept.
pub(super) fn brace_blocks(raw: Vec<Token>, faults: &mut Faults) -> Vec<Token> {
    let suspect = raw.windows(3).any(
        |three| matches!(three, [before, brace, after] if opens_block(*before, *brace, after.kind)),
    );
    if !suspect {
        return raw;
    }
    let mut out = Vec::with_capacity(raw.len());
    // For each open bracket, whether it is the brace of a block.
    let mut open: Vec<bool> = Vec::new();
    let mut first = Kind::Newline;
    let mut begins = true;
    for (at, token) in raw.iter().enumerate() {
        let next = raw.get(at + 1).map_or(Kind::Newline, |next| next.kind);
        let before = out.last().copied().unwrap_or(Token::made(Kind::Newline, 0));
        let closed_block = token.kind == Kind::RightBrace && open.last() == Some(&true);
        if begins && !closed_block {
            (first, begins) = (token.kind, false);
        }
        let in_blocks = open.iter().all(|block| *block);
        if in_blocks && is_header(first) && opens_block(before, *token, next) {
            open.push(true);
            refuse_brace(*token, faults);
            out.push(Token { kind: Kind::Colon, ..*token });
        } else if closed_block {
            open.pop();
        } else {
            if token.kind.opens() {
                open.push(false);
            } else if token.kind.closes() {
                open.pop();
            }
            begins |= token.kind == Kind::Newline;
            out.push(*token);
        }
    }
    out
}

fn refuse_brace(token: Token, faults: &mut Faults) {
    let message = "a block is indented, not put in braces";
    let place = (token.start, token.end);
    let diagnostic = faults
        .at(FOREIGN_SPELLING, place, message, "a spelling of another language")
        .help("end the header with `:` instead, and leave the closing brace out");
    faults.report(diagnostic);
}

fn is_header(kind: Kind) -> bool {
    matches!(kind, Kind::If | Kind::Elif | Kind::Else | Kind::For | Kind::While | Kind::Def)
        || matches!(kind, Kind::Try | Kind::Except | Kind::Finally)
}

/// Whether `brace` opens a block: no expression has a brace after an operand.
fn opens_block(before: Token, brace: Token, after: Kind) -> bool {
    let operand = before.kind.ends_operand() || before.kind == Kind::Else;
    brace.kind == Kind::LeftBrace && after == Kind::Newline && operand
}
