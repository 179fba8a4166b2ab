//! Where things are in the text of a plan: the key path at a byte, and the bytes at a key path.
//!
//! Plans are read with `serde`, which knows the line and column of a mistake and no more. Only when
//! something is wrong is the text looked at again, here.

use std::fmt::Write;
use std::ops::Range;

use crate::diag::{Code, Diagnostic};
use crate::source::{FileId, SourceMap, Span};

/// Characters of a line that a message can quote; plans are often one line of megabytes.
const LONGEST_QUOTED: u32 = 240;

/// A step down into a value.
#[derive(Clone, Debug)]
enum Frame<'t> {
    /// Into an object, at this key.
    Object(&'t str),
    /// Into an array, at this place.
    Array(usize),
}

/// A token, and the path of the value that it belongs to.
struct Token<'s, 't> {
    span: Range<usize>,
    /// Whether a value begins here: a string, number, word, or an opening bracket.
    begins: bool,
    stack: &'s [Frame<'t>],
}

/// Calls `visit` with every token until it says to stop. What is no JSON ends it, too.
fn tokens<'t>(text: &'t str, visit: &mut dyn FnMut(Token<'_, 't>) -> bool) {
    let bytes = text.as_bytes();
    let mut stack: Vec<Frame<'t>> = Vec::new();
    let (mut at, mut is_key) = (0, false);
    while at < bytes.len() {
        let start = at;
        at += token_length(&bytes[at..]);
        let token = &text[start..at];
        match bytes[start] {
            b' ' | b'\t' | b'\r' | b'\n' | b':' => continue,
            b',' => {
                if let Some(Frame::Array(place)) = stack.last_mut() {
                    *place += 1;
                } else {
                    is_key = true;
                }
                continue;
            }
            b'"' if is_key => {
                is_key = false;
                if let Some(Frame::Object(key)) = stack.last_mut() {
                    *key = token.trim_matches('"');
                }
                if !visit(Token { span: start..at, begins: false, stack: &stack }) {
                    return;
                }
                continue;
            }
            b'}' | b']' => {
                stack.pop();
                is_key = false;
            }
            _ => {}
        }
        let begins = !matches!(bytes[start], b'}' | b']');
        if !visit(Token { span: start..at, begins, stack: &stack }) {
            return;
        }
        if bytes[start] == b'{' {
            stack.push(Frame::Object(""));
            is_key = true;
        } else if bytes[start] == b'[' {
            stack.push(Frame::Array(0));
        }
    }
}

/// Bytes of the token that `rest` begins with; at least the character.
fn token_length(rest: &[u8]) -> usize {
    match rest[0] {
        b'"' => {
            let mut at = 1;
            while at < rest.len() && rest[at] != b'"' {
                at += if rest[at] == b'\\' { 2 } else { 1 };
            }
            (at + 1).min(rest.len())
        }
        b'{' | b'}' | b'[' | b']' | b':' | b',' | b' ' | b'\t' | b'\r' | b'\n' => 1,
        _ => {
            let ends = |byte: &u8| b"{}[]:,\" \t\r\n".contains(byte);
            rest.iter().position(ends).unwrap_or(rest.len())
        }
    }
}

/// `gpus[0].threadblocks[1].ops[2]`; `the plan` for the whole.
fn path(stack: &[Frame<'_>]) -> String {
    let mut text = String::new();
    for frame in stack {
        // Writing to a string does not fail.
        let _ = match frame {
            Frame::Object(key) if text.is_empty() => write!(text, "{key}"),
            Frame::Object(key) => write!(text, ".{key}"),
            Frame::Array(place) => write!(text, "[{place}]"),
        };
    }
    if text.is_empty() { String::from("the plan") } else { text }
}

/// The last token that begins before byte `at`, and the path of its value.
pub(super) fn trace(text: &str, at: usize) -> (String, Range<usize>) {
    let mut last = (String::from("the plan"), 0..0);
    tokens(text, &mut |token| {
        if token.span.start >= at {
            return false;
        }
        // Paths are written only near the place.
        if token.span.end + 4096 > at {
            last = (path(token.stack), token.span);
        }
        true
    });
    last
}

/// The first token of the value at `wanted`; that of the closest value around it which is there.
pub(super) fn locate(text: &str, wanted: &str) -> Range<usize> {
    let mut best = (0, 0..0);
    tokens(text, &mut |token| {
        if !token.begins {
            return true;
        }
        let here = path(token.stack);
        let rest = wanted.strip_prefix(here.as_str());
        let around = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        if around && here.len() > best.0 {
            best = (here.len(), token.span);
        }
        here != wanted
    });
    best.1
}

/// How many bytes have been read at a line and a column, both from 1, as `serde_json` counts them.
pub(super) fn offset(text: &str, line: usize, column: usize) -> usize {
    let before = text.split_inclusive('\n').take(line.saturating_sub(1));
    (before.map(str::len).sum::<usize>() + column).min(text.len())
}

/// A diagnostic at a place of a plan: with the text, where its line is short enough to be quoted,
/// and always with the path, the line and the column.
pub(super) fn at_place(
    (code, message): (Code, String),
    (sources, file): (&SourceMap, FileId),
    (path, range): (&str, Range<usize>),
    label: &str,
) -> Diagnostic {
    let span = Span::new(file, range.start, range.end);
    let Some(source) = sources.get(file) else { return Diagnostic::global(code, message) };
    let (line, column) = source.line_column(span.start);
    let starts = source.line_starts();
    let start = starts.get(line as usize - 1).copied().unwrap_or(0);
    let end = starts.get(line as usize).copied().unwrap_or(source.text().len() as u32);
    let it = if end.saturating_sub(start) <= LONGEST_QUOTED {
        Diagnostic::new(code, message, span, label)
    } else {
        let quoted: String = sources.text(span).chars().take(60).collect();
        Diagnostic::global(code, message).note(format!("{label}: `{quoted}`"))
    };
    it.note(format!("at {}:{line}:{column}, `{path}`", source.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"a\": [1, {\"b\": \"x,]\\\"\", \"c\": true}],\n \"d\": -2.5e3}";

    #[test]
    fn values_are_found_by_their_path() {
        let found = |path: &str| &TEXT[locate(TEXT, path)];
        assert_eq!(found("a[1].b"), "\"x,]\\\"\"");
        assert_eq!(found("a[1].c"), "true");
        assert_eq!(found("d"), "-2.5e3");
        assert_eq!(found("a[1]"), "{");
        assert_eq!(found("a[1].nothing"), "{");
    }

    #[test]
    fn paths_are_found_by_their_byte() {
        let at = |needle: &str| trace(TEXT, TEXT.find(needle).unwrap() + 1).0;
        assert_eq!(at("\"x"), "a[1].b");
        assert_eq!(at("true"), "a[1].c");
        assert_eq!(at("-2"), "d");
        assert_eq!(at("\"c\""), "a[1].c");
        assert_eq!(offset(TEXT, 2, 6), TEXT.find(": -2").unwrap() + 2, "up to and with the blank");
    }

    #[test]
    fn what_is_no_json_does_no_harm() {
        for text in ["", "\"", "{\"a", "[[[", "]}", "\\", "{{", "\u{e9}\u{e9}", "{\"\\"] {
            trace(text, text.len());
            locate(text, "a[0].b");
        }
    }
}
