//! The characters of text IR: blanks, words, names, numbers, strings.

use std::ops::Range;

use crate::diag::{Code, Diagnostic, Reported, Sink, syntax};
use crate::source::{FileId, Span};

/// An error has been reported, or follows from one that has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed;

/// What parsing something gives.
pub(super) type Parse<T> = Result<T, Failed>;

/// A file with more errors is given up.
const MAX_ERRORS: usize = 100;

/// A place in the text.
pub(super) struct Cursor<'t, 's> {
    text: &'t str,
    at: usize,
    /// The blanks that were skipped last: from the end of a token to the start of the next.
    blanks: Range<usize>,
    file: FileId,
    sink: &'s mut Sink,
    errors: usize,
    pub(super) failed: Option<Reported>,
}

impl<'t, 's> Cursor<'t, 's> {
    pub(super) fn new(file: FileId, text: &'t str, sink: &'s mut Sink) -> Cursor<'t, 's> {
        Cursor { text, at: 0, blanks: 0..0, file, sink, errors: 0, failed: None }
    }

    /// Reports an error.
    pub(super) fn report(&mut self, error: Diagnostic) -> Failed {
        self.errors += 1;
        if self.errors <= MAX_ERRORS {
            self.failed = Some(self.sink.error(error));
        }
        Failed
    }

    /// Reports that the text at `span` is wrong.
    pub(super) fn wrong(&mut self, code: Code, message: String, span: Span, label: &str) -> Failed {
        self.report(Diagnostic::new(code, message, span, label))
    }

    /// Whether there are so many errors that the rest is not worth reading.
    pub(super) fn gives_up(&self) -> bool {
        self.errors > MAX_ERRORS
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// The next byte to read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The text from `start` to the end of the token that was read last.
    pub(super) fn since(&self, start: usize) -> Span {
        let end = if self.at == self.blanks.end { self.blanks.start } else { self.at };
        Span::new(self.file, start, end.max(start))
    }

    /// Skips blanks, line breaks and comments.
    pub(super) fn skip_blanks(&mut self) {
        if self.at != self.blanks.end {
            self.blanks.start = self.at;
        }
        self.pass_blanks();
        self.blanks.end = self.at;
    }

    fn pass_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            self.at += blank;
            if !self.rest().starts_with("//") {
                return;
            }
            self.skip_line();
        }
    }

    /// Skips to the end of the line.
    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    /// Whether something other than a comment or `}` follows on this line.
    pub(super) fn line_goes_on(&self) -> bool {
        let line = self.rest().split('\n').next().unwrap_or("").trim_start();
        !(line.is_empty() || line.starts_with("//") || line.starts_with('}'))
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest().is_empty()
    }

    /// Whether `punctuation` is next.
    pub(super) fn sees(&mut self, punctuation: &str) -> bool {
        self.skip_blanks();
        self.rest().starts_with(punctuation)
    }

    /// Reads `punctuation`, if it is next.
    pub(super) fn eat(&mut self, punctuation: &str) -> bool {
        let sees = self.sees(punctuation);
        if sees {
            self.at += punctuation.len();
        }
        sees
    }

    pub(super) fn expect(&mut self, punctuation: &str) -> Parse<()> {
        if self.eat(punctuation) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{punctuation}`")))
        }
    }

    /// The word that is next; empty if none is.
    pub(super) fn peek_word(&mut self) -> &'t str {
        self.skip_blanks();
        let rest = self.rest();
        let end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_'));
        let word = &rest[..end.unwrap_or(rest.len())];
        if word.starts_with(char::is_numeric) { "" } else { word }
    }

    /// Reads `word`, if it is next as a whole word.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let sees = self.peek_word() == word;
        if sees {
            self.at += word.len();
        }
        sees
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Parse<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    /// Reads any word.
    pub(super) fn word(&mut self, what: &str) -> Parse<(&'t str, Span)> {
        let word = self.peek_word();
        if word.is_empty() {
            return Err(self.unexpected(what));
        }
        let start = self.at;
        self.at += word.len();
        Ok((word, self.since(start)))
    }

    /// Reads what follows a `%` or `@` directly: letters, digits, `_` and dots.
    pub(super) fn name_after(&mut self, sigil: &str, what: &str) -> Parse<(&'t str, Span)> {
        if !self.sees(sigil) {
            return Err(self.unexpected(what));
        }
        let start = self.at;
        let rest = &self.rest()[sigil.len()..];
        let end = rest.find(|char: char| !(char.is_alphanumeric() || char == '_' || char == '.'));
        let name = &rest[..end.unwrap_or(rest.len())];
        if name.is_empty() {
            return Err(self.unexpected(what));
        }
        self.at += sigil.len() + name.len();
        Ok((name, self.since(start)))
    }

    /// The characters of a number or a word such as `-inf`; empty if none is next.
    fn number_text(&mut self) -> (&'t str, Span) {
        self.skip_blanks();
        let start = self.at;
        let rest = self.rest();
        let part = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '+' | '.');
        let end = rest.find(|char: char| !part(char)).unwrap_or(rest.len());
        self.at += end;
        (&rest[..end], self.since(start))
    }

    /// Reads a number that `read` understands.
    pub(super) fn number<T>(&mut self, what: &str, read: fn(&str) -> Option<T>) -> Parse<T> {
        self.skip_blanks();
        let start = self.at;
        let (text, span) = self.number_text();
        if let Some(number) = read(text) {
            return Ok(number);
        }
        let digits = text.starts_with(|char: char| char.is_ascii_digit() || char == '-');
        if !digits {
            self.at = start;
            return Err(self.unexpected(what));
        }
        let message = format!("`{}` is not {what}", shortened(text));
        Err(self.wrong(syntax::KIR_NUMBER, message, span, "this number does not fit here"))
    }

    /// Whether a digit or a minus is next.
    pub(super) fn sees_number(&mut self) -> bool {
        self.skip_blanks();
        self.rest().starts_with(|char: char| char.is_ascii_digit() || char == '-')
    }

    /// Reads digits that stand directly before an `x`: an extent of a tile.
    pub(super) fn extent(&mut self) -> Parse<i64> {
        self.skip_blanks();
        let start = self.at;
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..].find(|char: char| !char.is_ascii_digit());
        let text = &rest[..sign + digits.unwrap_or(rest.len() - sign)];
        self.at += text.len();
        text.parse().map_err(|_| {
            let span = self.since(start);
            let message = format!("`{}` is not an extent", shortened(text));
            self.wrong(syntax::KIR_NUMBER, message, span, "this number does not fit here")
        })
    }

    /// Reads a string in quotes.
    pub(super) fn string(&mut self) -> Parse<String> {
        self.expect("\"")?;
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\n' => break,
                '\\' => match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                },
                other => text.push(other),
            }
        }
        self.skip_line();
        Err(self.unexpected("`\"` at the end of the string"))
    }

    /// Reports that something else is next than `wanted`.
    pub(super) fn unexpected(&mut self, wanted: &str) -> Failed {
        self.skip_blanks();
        let start = self.at;
        let found = self.next_token();
        let span = Span::new(self.file, start, start + found.len());
        let message = if found.is_empty() {
            format!("{wanted} is expected, and the file ends here")
        } else {
            format!("{wanted} is expected, and `{}` is found", shortened(found))
        };
        self.wrong(syntax::KIR_UNEXPECTED, message, span, "this is not expected here")
    }

    /// What stands next, for a message: a word, a name, a number or one character.
    fn next_token(&self) -> &'t str {
        let rest = self.rest();
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let tail = rest[first..].find(|char: char| !(char.is_alphanumeric() || char == '_'));
        let joined = rest.starts_with(|char: char| char.is_alphanumeric() || "%@_".contains(char));
        let end = if joined { first + tail.unwrap_or(rest.len() - first) } else { first };
        &rest[..end]
    }

    /// Goes on after a line that could not be read. Where the line opens a block, the block is
    /// skipped with it.
    pub(super) fn recover(&mut self, line_start: usize) {
        self.at = self.at.max(line_start);
        let before = self.text.get(line_start..self.at).unwrap_or("");
        let mut depth = brace_depth(before);
        loop {
            let line = self.rest().split('\n').next().unwrap_or("");
            // A block that closes around this line is not this line's to skip.
            if depth <= 0 && line.trim_start().starts_with('}') {
                return;
            }
            depth += brace_depth(line);
            self.skip_line();
            if self.rest().is_empty() || depth <= 0 {
                return;
            }
            self.at += 1;
        }
    }

    /// Skips to the next line that begins a function.
    pub(super) fn recover_function(&mut self) {
        self.skip_line();
        while !self.rest().is_empty() {
            self.at += 1;
            if self.rest().starts_with("kernel ") || self.rest().starts_with("func ") {
                return;
            }
            self.skip_line();
        }
    }
}

/// How many more braces open than close in `text`, comments and strings left out.
fn brace_depth(text: &str) -> i64 {
    let mut depth = 0;
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or("");
        for (index, part) in code.split('"').enumerate() {
            if index % 2 == 0 {
                depth += part.matches('{').count() as i64 - part.matches('}').count() as i64;
            }
        }
    }
    depth
}

/// The first characters of a text that may be long.
pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 24;
    if text.chars().count() <= SHOWN {
        return String::from(text);
    }
    let mut short: String = text.chars().take(SHOWN).collect();
    short.push('…');
    short
}
