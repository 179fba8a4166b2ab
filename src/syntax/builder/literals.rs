//! Numbers, strings and the other literals.

use super::{Builder, Node, Top, constant_kind};
use crate::diag::syntax::{BAD_NUMBER, BAD_STRING, NUMBER_TOO_LARGE, UNSUPPORTED};
use crate::syntax::ast::{ExprKind, FStringPart};
use crate::syntax::number::{self, NumberFault};
use crate::syntax::string::{self, Literal, Piece, StringFault};
use crate::syntax::token::{Kind, Token};
use crate::syntax::{brackets, lexer};

impl Builder<'_> {
    /// `True`, `False`, `None`, `...`, and what was refused already.
    pub(in crate::syntax) fn constant(&mut self, token: Token) -> Node {
        self.node(constant_kind(token), (token.start, token.end), 0)
    }

    /// A number.
    pub(in crate::syntax) fn number(&mut self, token: Token) -> Node {
        let text = token.text(self.text);
        let place = (token.start, token.end);
        let diagnostic = match number::decode(text) {
            Ok(kind) => return self.node(kind, place, 0),
            Err(NumberFault::TooLarge) => self
                .faults
                .at(NUMBER_TOO_LARGE, place, "an integer does not fit into 128 bits", "too large")
                .note(format!("the largest is {}", i128::MAX)),
            Err(NumberFault::Imaginary) => self
                .faults
                .at(UNSUPPORTED, place, "complex numbers are not supported", "not supported")
                .help("keep the real and the imaginary part in two tensors"),
            Err(NumberFault::Malformed(what, mended)) => {
                let message = format!("`{text}` is not a number: {what}");
                let mut it = self.faults.at(BAD_NUMBER, place, message, "not a number");
                if let Some(mended) = mended {
                    it = it.help(format!("write {mended}"));
                }
                it
            }
        };
        self.faults.report(diagnostic);
        self.error_node(token.start, token.end)
    }

    /// Adjacent string literals, joined. One f-string among them makes all of it an f-string.
    pub(in crate::syntax) fn strings(&mut self, tokens: Vec<Token>) -> Node {
        let start = tokens.first().map_or(0, |token| token.start);
        let end = tokens.last().map_or(start, |token| token.end);
        let mut parts = Parts::default();
        let mut good = true;
        for token in tokens {
            let literal = string::open(token.text(self.text));
            good = good
                && self.check_prefix(token, literal)
                && self.literal(token, literal, &mut parts);
        }
        if !good {
            return self.error_node(start, end);
        }
        let kind = if parts.formatted {
            ExprKind::FString(parts.list)
        } else {
            let text = parts.list.into_iter().next();
            let Some(FStringPart::Text(text)) = text else {
                return self.node(ExprKind::Str(String::new()), (start, end), 0);
            };
            ExprKind::Str(text)
        };
        self.node(kind, (start, end), parts.depth)
    }

    fn check_prefix(&mut self, token: Token, literal: Literal) -> bool {
        let place = (token.start, token.start + literal.body.0 as u32);
        let diagnostic = if literal.bad_prefix {
            let written = token.text(self.text).get(..2).unwrap_or("").to_owned();
            let message = format!("the letters `{written}` do not go together before a string");
            let label = "`r`, `f`, `rf` or nothing can stand here";
            self.faults.at(BAD_STRING, place, message, label)
        } else if literal.bytes {
            self.faults
                .at(UNSUPPORTED, place, "bytes literals are not supported", "this makes bytes")
                .help("leave the `b` out for a string")
        } else {
            return true;
        };
        self.faults.report(diagnostic);
        false
    }

    /// Adds the value of one literal to `parts`; false where it was refused.
    fn literal(&mut self, token: Token, literal: Literal, parts: &mut Parts) -> bool {
        let (from, to) = literal.body;
        let body = token.text(self.text).get(from..to).unwrap_or("");
        let base = token.start + from as u32;
        let added = if literal.formatted {
            parts.formatted = true;
            self.f_string(body, literal.raw, base, parts)
        } else {
            string::unescape(body, literal.raw).map(|text| parts.text(&text))
        };
        added.map_err(|fault| self.string_fault(base, fault)).is_ok()
    }

    fn string_fault(&mut self, base: u32, fault: StringFault) {
        let place = (base + fault.place.0 as u32, base + fault.place.1 as u32);
        let mut diagnostic = self.faults.at(BAD_STRING, place, fault.message, "in this string");
        if let Some(help) = fault.help {
            diagnostic = diagnostic.help(help);
        }
        self.faults.report(diagnostic);
    }

    fn f_string(
        &mut self,
        body: &str,
        raw: bool,
        base: u32,
        parts: &mut Parts,
    ) -> Result<(), StringFault> {
        let slice = |(from, to): (usize, usize)| body.get(from..to).unwrap_or("");
        let moved = |from: usize| {
            move |fault: StringFault| {
                let (start, end) = fault.place;
                StringFault { place: (start + from, end + from), ..fault }
            }
        };
        for piece in string::pieces(body, raw)? {
            match piece {
                Piece::Brace(brace) => parts.text(brace.encode_utf8(&mut [0; 4])),
                Piece::Text(from, to) => {
                    parts.text(&string::unescape(slice((from, to)), raw).map_err(moved(from))?);
                }
                Piece::Value { value, spec } => {
                    let node = self.fragment(base + value.0 as u32, base + value.1 as u32);
                    let spec = match spec {
                        Some(place) => {
                            let text = string::unescape(slice(place), raw);
                            Some(text.map_err(moved(place.0))?)
                        }
                        None => None,
                    };
                    parts.depth = parts.depth.max(node.depth);
                    parts.list.push(FStringPart::Value { value: node.id, spec });
                }
            }
        }
        Ok(())
    }

    /// Parses bytes `start..end`, the expression in the braces of an f-string. Line ends in it
    /// are blanks.
    fn fragment(&mut self, start: u32, end: u32) -> Node {
        let text = self.text;
        let mut raw = lexer::lex(text, (start, end), &mut self.faults);
        raw.retain(|token| token.kind != Kind::Newline);
        let mut tokens = vec![Token::made(Kind::StartFragment, start)];
        tokens.append(&mut brackets::repair(text, raw, &mut self.faults));
        tokens.push(Token::made(Kind::Newline, end));
        match self.run(&tokens) {
            Some(Top::Fragment(node)) => node,
            Some(Top::Module(_)) | None => self.error_node(start, end),
        }
    }
}

/// The value of adjacent string literals, so far.
#[derive(Default)]
struct Parts {
    list: Vec<FStringPart>,
    formatted: bool,
    depth: u16,
}

impl Parts {
    /// Adds literal text to the text before it.
    fn text(&mut self, more: &str) {
        if more.is_empty() {
            return;
        }
        if let Some(FStringPart::Text(text)) = self.list.last_mut() {
            text.push_str(more);
        } else {
            self.list.push(FStringPart::Text(more.to_owned()));
        }
    }
}
