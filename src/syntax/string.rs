//! String literals: prefixes, quotes, escapes, and the pieces of f-strings.
//!
//! An f-string is lexed as one string, the way Python before 3.12 reads it: its quote cannot be
//! used again inside its braces. That keeps files readable for every Python 3, and bounds how
//! deep f-strings nest by the four kinds of quotes.

/// A string literal taken apart, with the bytes of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Whether `\` stands for itself.
    pub(super) raw: bool,
    /// Whether braces hold expressions.
    pub(super) formatted: bool,
    /// Whether it makes bytes, which the language has not.
    pub(super) bytes: bool,
    /// Whether its prefix letters do not go together.
    pub(super) bad_prefix: bool,
    /// The bytes between its quotes, counted from the literal's first byte.
    pub(super) body: (usize, usize),
}

/// Takes apart a literal as the lexer cut it.
pub(super) fn open(text: &str) -> Literal {
    let quotes = text.trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
    let length = text.len() - quotes.len();
    let prefix = text.get(..length).unwrap_or("").to_ascii_lowercase();
    let quote = if quotes.starts_with("\"\"\"") || quotes.starts_with("'''") { 3 } else { 1 };
    let good = ["", "r", "f", "u", "b", "rf", "fr", "rb", "br"];
    Literal {
        raw: prefix.contains('r'),
        formatted: prefix.contains('f'),
        bytes: prefix.contains('b'),
        bad_prefix: !good.contains(&prefix.as_str()),
        body: (length + quote, text.len().saturating_sub(quote).max(length + quote)),
    }
}

/// Something wrong inside a string: bytes counted from the beginning of what was given, what is
/// wrong, and what to write where that is sure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StringFault {
    /// Where.
    pub(super) place: (usize, usize),
    /// What is wrong, as the sentence of a message.
    pub(super) message: String,
    /// What to do about it.
    pub(super) help: Option<String>,
}

/// The value of a string's body. Line ends become `\n`; a `\` that begins no escape stands for
/// itself.
pub(super) fn unescape(body: &str, raw: bool) -> Result<String, StringFault> {
    let mut value = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find(['\\', '\r']) {
        value.push_str(rest.get(..at).unwrap_or(""));
        let start = body.len() - rest.len() + at;
        rest = rest.get(at..).unwrap_or("");
        if let Some(after) = rest.strip_prefix('\r') {
            value.push('\n');
            rest = after.strip_prefix('\n').unwrap_or(after);
        } else if raw {
            value.push('\\');
            rest = rest.get(1..).unwrap_or("");
        } else {
            let (meant, length) = escape(rest, start)?;
            value.extend(meant);
            rest = rest.get(length..).unwrap_or("");
        }
    }
    value.push_str(rest);
    Ok(value)
}

/// What the escape at the beginning of `text` stands for, and how many bytes it takes.
fn escape(text: &str, start: usize) -> Result<(Option<char>, usize), StringFault> {
    let Some(letter) = text.chars().nth(1) else { return Ok((Some('\\'), 1)) };
    let simple = match letter {
        '\n' => return Ok((None, 2)),
        '\r' => return Ok((None, if text.starts_with("\\\r\n") { 3 } else { 2 })),
        '\\' | '\'' | '"' => letter,
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0C',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0B',
        'x' => return numbered(text, start, 2),
        'u' => return numbered(text, start, 4),
        'U' => return numbered(text, start, 8),
        'N' => {
            return Err(StringFault {
                place: (start, start + 2),
                message: String::from("characters cannot be named by `\\N{…}`"),
                help: Some(String::from("write the character itself, or its number as `\\u03b1`")),
            });
        }
        '0'..='7' => return Ok(octal(text)),
        // As in Python, an unknown escape is two characters.
        _ => return Ok((Some('\\'), 1)),
    };
    Ok((Some(simple), 2))
}

fn octal(text: &str) -> (Option<char>, usize) {
    let digits = text.bytes().skip(1).take(3).take_while(|digit| (b'0'..=b'7').contains(digit));
    let (value, count) = digits
        .fold((0, 0), |(value, count), digit| (value * 8 + u32::from(digit - b'0'), count + 1));
    (char::from_u32(value), 1 + count)
}

/// `\x41`, `\u0041`, `\U00000041`: exactly `wanted` hexadecimal digits.
fn numbered(text: &str, start: usize, wanted: usize) -> Result<(Option<char>, usize), StringFault> {
    let digits: String =
        text.chars().skip(2).take(wanted).take_while(char::is_ascii_hexdigit).collect();
    let end = start + 2 + digits.len();
    let written = text.get(..2 + digits.len()).unwrap_or("");
    if digits.len() < wanted {
        let message = format!(
            "`{}` takes {wanted} hexadecimal digits, not {}",
            written.get(..2).unwrap_or(""),
            digits.len()
        );
        return Err(StringFault { place: (start, end), message, help: None });
    }
    let value = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
    let Some(value) = value else {
        let message = format!("`{written}` is no character");
        return Err(StringFault { place: (start, end), message, help: None });
    };
    Ok((Some(value), 2 + wanted))
}

/// A piece of an f-string's body, in bytes of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Literal text, still escaped.
    Text(usize, usize),
    /// One literal brace.
    Brace(char),
    /// An expression, and the format after its colon.
    Value {
        /// The bytes of the expression.
        value: (usize, usize),
        /// The bytes of the format.
        spec: Option<(usize, usize)>,
    },
}

/// Cuts the body of an f-string into its pieces.
pub(super) fn pieces(body: &str, raw: bool) -> Result<Vec<Piece>, StringFault> {
    let bytes = body.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut text) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        let doubled = bytes.get(at + 1) == Some(byte);
        if *byte == b'\\' && !raw {
            at += 2;
        } else if !matches!(byte, b'{' | b'}') {
            at += 1;
        } else {
            if text < at {
                found.push(Piece::Text(text, at));
            }
            if doubled {
                found.push(Piece::Brace(char::from(*byte)));
                at += 2;
            } else if *byte == b'}' {
                return Err(lone_brace(at));
            } else {
                let (piece, end) = value(body, at)?;
                found.push(piece);
                at = end;
            }
            text = at;
        }
    }
    if text < bytes.len() {
        found.push(Piece::Text(text, bytes.len()));
    }
    Ok(found)
}

fn lone_brace(at: usize) -> StringFault {
    StringFault {
        place: (at, at + 1),
        message: String::from("a `}` in an f-string closes nothing"),
        help: Some(String::from("write `}}` for the character itself")),
    }
}

/// The piece that the `{` at byte `open` begins, and the byte after its `}`.
fn value(body: &str, open: usize) -> Result<(Piece, usize), StringFault> {
    let start = open + 1;
    let end = expression_end(body, start)
        .ok_or_else(|| unclosed(open, "no `}` closes this `{` before the end of the f-string"))?;
    if body.get(start..end).unwrap_or("").trim().is_empty() {
        return Err(StringFault {
            place: (open, (end + 1).min(body.len())),
            message: String::from("the braces of an f-string hold no expression"),
            help: Some(String::from("write `{{}}` for the braces themselves")),
        });
    }
    match body.as_bytes().get(end) {
        Some(b'}') => Ok((Piece::Value { value: (start, end), spec: None }, end + 1)),
        Some(b'#') => Err(StringFault {
            place: (end, end + 1),
            message: String::from("the braces of an f-string hold no comment"),
            help: None,
        }),
        Some(b'!') => Err(StringFault {
            place: (end, (end + 2).min(body.len())),
            message: String::from("conversions such as `!r` are not supported in f-strings"),
            help: Some(String::from("leave the conversion out")),
        }),
        Some(b'=') => Err(StringFault {
            place: (end, end + 1),
            message: String::from("`{name=}` is not supported in f-strings"),
            help: Some(String::from("write the name as text: `name={name}`")),
        }),
        Some(_) | None => {
            let spec = end + 1;
            let length = body.get(spec..).and_then(|rest| rest.find(['{', '}']));
            let close = spec
                + length.ok_or_else(|| {
                    unclosed(open, "no `}` closes this `{` before the end of the f-string")
                })?;
            if body.as_bytes().get(close) == Some(&b'{') {
                return Err(StringFault {
                    place: (close, close + 1),
                    message: String::from(
                        "a format inside an f-string is plain text here, without `{…}`",
                    ),
                    help: Some(String::from("write the width and the precision as numbers")),
                });
            }
            Ok((Piece::Value { value: (start, end), spec: Some((spec, close)) }, close + 1))
        }
    }
}

fn unclosed(at: usize, message: &str) -> StringFault {
    StringFault {
        place: (at, at + 1),
        message: message.to_owned(),
        help: Some(String::from(
            "write `{{` for the character itself; inside the braces use the other kind of quote",
        )),
    }
}

/// The byte where an f-string's expression ends: at its `}`, at the `:` of a format, at the `!`
/// of a conversion, or at the `=` of `{name=}`.
fn expression_end(body: &str, start: usize) -> Option<usize> {
    let bytes = body.as_bytes();
    let (mut at, mut depth) = (start, 0usize);
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        match byte {
            b'\'' | b'"' => at = string_end(bytes, at)?,
            b'(' | b'[' | b'{' => depth += 1,
            b'#' => return Some(at),
            b'}' | b':' if depth == 0 => return Some(at),
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'!' | b'=' | b'<' | b'>' if next == Some(&b'=') => at += 1,
            b'!' if depth == 0 => return Some(at),
            b'=' if depth == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The last byte of the string that begins at byte `start`.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = *bytes.get(start)?;
    let triple = bytes.get(start + 1..start + 3) == Some(&[quote, quote]);
    let mut at = if triple { start + 3 } else { start + 1 };
    loop {
        let byte = *bytes.get(at)?;
        if byte == b'\\' {
            at += 1;
        } else if byte == quote && !triple {
            return Some(at);
        } else if byte == quote && bytes.get(at + 1..at + 3) == Some(&[quote, quote]) {
            return Some(at + 2);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let of = |text: &str| {
            let literal = open(text);
            (literal.raw, literal.formatted, literal.bytes, literal.bad_prefix)
        };
        assert_eq!(of("'a'"), (false, false, false, false));
        assert_eq!(of("R'a'"), (true, false, false, false));
        assert_eq!(of("fR'a'"), (true, true, false, false));
        assert_eq!(of("u'a'"), (false, false, false, false));
        assert_eq!(of("b'a'"), (false, false, true, false));
        assert!(open("bf'a'").bad_prefix);
        assert!(open("ur'a'").bad_prefix);
        assert_eq!(open("rf'''ab'''").body, (5, 7));
        assert_eq!(open("''").body, (1, 1));
        assert_eq!(open("\"\"\"\"\"\"").body, (3, 3));
    }

    #[test]
    fn escapes() {
        let of = |body: &str| unescape(body, false).unwrap();
        assert_eq!(of(r"a\tb\n"), "a\tb\n");
        assert_eq!(of(r"\x41\u00e9\U0001F600\101\0"), "Aé😀A\0");
        assert_eq!(of("one\\\r\ntwo\r\nthree\rfour"), "onetwo\nthree\nfour");
        assert_eq!(of(r"\d\{"), r"\d\{");
        assert_eq!(unescape(r"\n\'", true).unwrap(), r"\n\'");
        assert_eq!(unescape(r"ab\x4", false).unwrap_err().place, (2, 5));
        assert!(unescape(r"\ud800", false).is_err());
        assert!(unescape(r"\N{DASH}", false).is_err());
    }

    #[test]
    fn pieces_of_f_strings() {
        let value = |from, to, spec| Piece::Value { value: (from, to), spec };
        assert_eq!(
            pieces("a{b}c{d:>4}", false).unwrap(),
            [Piece::Text(0, 1), value(2, 3, None), Piece::Text(4, 5), value(6, 7, Some((8, 10)))]
        );
        assert_eq!(
            pieces("{{x}}", false).unwrap(),
            [Piece::Brace('{'), Piece::Text(2, 3), Piece::Brace('}')]
        );
        assert_eq!(pieces("{a['}:']!=b}", false).unwrap(), [value(1, 11, None)]);
        assert_eq!(pieces("{a[1:2]:x}", false).unwrap(), [value(1, 7, Some((8, 9)))]);
        for wrong in
            ["{", "a}", "{}", "{ }", "{x!r}", "{x=}", "{x:{y}}", "{'a}", "{x:", "{x # y\n}"]
        {
            assert!(pieces(wrong, false).is_err(), "{wrong}");
        }
    }
}
