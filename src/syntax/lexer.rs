//! Text to physical tokens, with logos.
//!
//! The rules stand on [`Kind`]; here is what a regular expression cannot say: where numbers and
//! strings end, and what to report where no rule matches. A number is taken liberally (`12ab`,
//! `0x`) so that the builder can refuse it whole. Comments, blanks and `\` at a line's end yield
//! nothing; every physical line end yields a [`Kind::Newline`], which `layout` sorts out.

use logos::Logos;

use super::faults::Faults;
use super::token::{Kind, Token};
use crate::diag::syntax::{STRAY_CHARACTER, UNTERMINATED_STRING};

/// The tokens of bytes `start..end` of `text`. What is no token is reported and left out.
pub(super) fn lex(text: &str, (start, end): (u32, u32), faults: &mut Faults) -> Vec<Token> {
    let Some(seen) = text.get(..end as usize) else { return Vec::new() };
    let mut tokens = Vec::with_capacity((end - start) as usize / 4);
    let mut lexer = Kind::lexer(seen);
    lexer.bump(start as usize);
    while let Some(read) = lexer.next() {
        let (from, to) = (lexer.span().start as u32, lexer.span().end as u32);
        match read {
            Ok(Kind::OpenString) => {
                open_string(seen, (from, to), faults);
                tokens.push(Token { kind: Kind::Refused, start: from, end: to });
            }
            Ok(kind) => tokens.push(Token { kind, start: from, end: to }),
            Err(()) => lexer.bump(stray(seen, (from, to), faults)),
        }
    }
    tokens
}

/// The byte after a byte order mark, where reading begins.
pub(super) fn after_mark(text: &str) -> u32 {
    if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() as u32 } else { 0 }
}

/// Takes the rest of a number: letters, digits and `_`, one dot, and the sign of an exponent.
pub(super) fn number(lexer: &mut logos::Lexer<Kind>) {
    let rest = lexer.remainder().as_bytes();
    let mut dotted = lexer.slice().starts_with('.');
    let based = lexer.slice() == "0" && matches!(rest.first(), Some(b'x' | b'X'));
    let mut length = 0;
    while let Some(byte) = rest.get(length) {
        let exponent = matches!(byte, b'e' | b'E') && !based;
        let signed = matches!(rest.get(length + 1), Some(b'+' | b'-'))
            && rest.get(length + 2).is_some_and(u8::is_ascii_digit);
        match byte {
            _ if exponent && signed => length += 2,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => length += 1,
            b'.' if !dotted && !based => {
                dotted = true;
                length += 1;
            }
            _ => break,
        }
    }
    let taken = rest.get(..length).unwrap_or(&[]);
    lexer.bump(length - if based { 0 } else { keyword_after(taken) });
}

/// The length of a keyword that directly follows the digits of a number, as in `1if x else 2`.
fn keyword_after(number: &[u8]) -> usize {
    let letters = number.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let word = number.get(number.len() - letters..).unwrap_or(&[]);
    let keywords: [&[u8]; 8] = [b"and", b"else", b"for", b"if", b"in", b"is", b"not", b"or"];
    if keywords.contains(&word) { letters } else { 0 }
}

/// Takes the rest of a string whose prefix and first quote were read.
pub(super) fn string(lexer: &mut logos::Lexer<Kind>) -> Kind {
    let quote = lexer.slice().bytes().last().unwrap_or(b'"');
    let rest = lexer.remainder().as_bytes();
    let triple = rest.starts_with(&[quote, quote]);
    let mut at = if triple { 2 } else { 0 };
    loop {
        match rest.get(at) {
            Some(b'\\') => at += if rest.get(at + 1..at + 3) == Some(b"\r\n") { 3 } else { 2 },
            Some(b'\r' | b'\n') if !triple => break,
            Some(byte) if *byte == quote => {
                at += 1;
                if !triple {
                    lexer.bump(at);
                    return Kind::Str;
                }
                if rest.get(at..at + 2) == Some(&[quote, quote]) {
                    lexer.bump(at + 2);
                    return Kind::Str;
                }
            }
            Some(_) => at += 1,
            None => break,
        }
    }
    lexer.bump(at.min(rest.len()));
    Kind::OpenString
}

fn open_string(text: &str, (from, to): (u32, u32), faults: &mut Faults) {
    let token = Token { kind: Kind::OpenString, start: from, end: to }.text(text);
    let quotes = token.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let triple = ["\"\"\"", "'''"].into_iter().find(|quote| quotes.starts_with(quote));
    let quote = triple.unwrap_or(quotes.get(..1).unwrap_or("\""));
    let opening = (token.len() - quotes.len() + quote.len()) as u32;
    let (message, label) = match triple {
        Some(_) => {
            (format!("no `{quote}` closes this string before the end of the file"), "opened here")
        }
        None => {
            (format!("no `{quote}` closes this string before the end of its line"), "opened here")
        }
    };
    let mut diagnostic = faults.at(UNTERMINATED_STRING, (from, from + opening), message, label);
    if triple.is_none() {
        diagnostic = diagnostic.help(format!(
            "close it with `{quote}`, or write a string of several lines in `\"\"\"`"
        ));
    }
    faults.report(diagnostic);
}

/// Reports the characters `from..to` that begin no token; returns how many bytes after them go
/// with them.
fn stray(text: &str, (from, to): (u32, u32), faults: &mut Faults) -> usize {
    let found = text.get(from as usize..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
    if found == '\\' {
        return stray_backslash(text, from, faults);
    }
    let rest = text.get(to as usize..).unwrap_or("");
    let more: usize = rest.chars().take_while(|next| *next == found).map(char::len_utf8).sum();
    let end = to + more as u32;
    let message = format!("{} is not part of the language", describe(found));
    let mut diagnostic = faults.at(STRAY_CHARACTER, (from, end), message, "not expected here");
    if let Some(replacement) = look_alike(found) {
        let times = 1 + more / found.len_utf8();
        let text = match replacement {
            "" => String::from("remove it"),
            " " => String::from("write an ordinary blank"),
            _ => format!("write `{replacement}`"),
        };
        diagnostic = diagnostic.suggest(faults.span(from, end), replacement.repeat(times), text);
    }
    faults.report(diagnostic);
    more
}

/// A `\` that is not the last character of its line.
fn stray_backslash(text: &str, at: u32, faults: &mut Faults) -> usize {
    let rest = text.get(at as usize + 1..).unwrap_or("");
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let after = rest.get(blanks..).unwrap_or("");
    let only_blanks = blanks > 0 && (after.is_empty() || after.starts_with(['\r', '\n']));
    let message = "a `\\` joins two lines only as the last character of its line";
    if !only_blanks {
        let place = (at, at + 1);
        faults.report(faults.at(STRAY_CHARACTER, place, message, "more text follows it"));
        return 0;
    }
    let place = (at + 1, at + 1 + blanks as u32);
    let diagnostic = faults.at(STRAY_CHARACTER, place, message, "blanks follow the `\\`").suggest(
        faults.span(place.0, place.1),
        "",
        "remove the blanks after the `\\`",
    );
    faults.report(diagnostic);
    // The line is joined to the next, as was meant.
    let ending = if after.starts_with("\r\n") { 2 } else { usize::from(!after.is_empty()) };
    blanks + ending
}

fn describe(found: char) -> String {
    if found.is_control() || found.is_whitespace() || look_alike(found) == Some("") {
        return format!("the invisible character U+{:04X}", found as u32);
    }
    if found.is_ascii() {
        format!("`{found}`")
    } else {
        format!("`{found}` (U+{:04X})", found as u32)
    }
}

/// What was probably meant by a character that editors and web pages slip in.
fn look_alike(found: char) -> Option<&'static str> {
    let table: &[(&str, &str)] = &[
        ("\u{201C}\u{201D}\u{201E}\u{FF02}", "\""),
        ("\u{2018}\u{2019}\u{201A}\u{FF07}", "'"),
        ("\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}\u{FF0D}", "-"),
        ("\u{D7}\u{2217}\u{FF0A}", "*"),
        ("\u{F7}\u{2215}", "/"),
        ("\u{2264}", "<="),
        ("\u{2265}", ">="),
        ("\u{2260}", "!="),
        ("\u{2190}", "="),
        ("\u{2192}", "->"),
        ("\u{2026}", "..."),
        ("\u{A0}\u{2002}\u{2003}\u{2007}\u{2009}\u{202F}\u{3000}", " "),
        ("\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}\u{AD}", ""),
        ("\u{FF08}", "("),
        ("\u{FF09}", ")"),
        ("\u{FF0C}", ","),
        ("\u{FF1A}", ":"),
        ("\u{FF1D}", "="),
        ("\u{FF0B}", "+"),
    ];
    table.iter().find(|(found_in, _)| found_in.contains(found)).map(|(_, meant)| *meant)
}
