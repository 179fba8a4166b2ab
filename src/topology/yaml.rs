//! YAML text to a tree whose every value knows its place. Nothing here knows what a key means.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};

use super::section::Errors;
use crate::diag::{Diagnostic, machine as codes};
use crate::source::{FileId, Span};

/// The most values that a file may hold. A machine of 100,000 listed nodes has a tenth of it.
const MAX_VALUES: usize = 8_000_000;

/// The deepest nesting of a file. The format needs 9 levels; each costs the reader much stack.
const MAX_DEPTH: usize = 20;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// The text of a scalar; the first character of a list or of keys.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) value: Value,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number, `.inf` and `.nan` included.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys with values, in the order of the file, each key once.
    Keys(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) span: Span,
    /// Its value.
    pub(crate) node: Node,
}

impl Node {
    /// What kind of value this is, with its text where that helps, for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Null => String::from("empty"),
            Value::Bool(value) => format!("`{value}`"),
            Value::Int(value) => format!("{value}"),
            Value::Float(value) if value.is_infinite() && *value > 0.0 => String::from("inf"),
            Value::Float(value) => format!("{value}"),
            Value::Text(value) => format!("the text \"{}\"", shortened(value)),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Keys(_) => String::from("a group of keys"),
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}

/// Reads `text`, the text of `file`. Reports what is not YAML and every key given twice.
pub(crate) fn parse(file: FileId, text: &str, errors: &mut Errors<'_>) -> Option<Node> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_VALUES,
            max_events: 2 * MAX_VALUES,
        },
    };
    match serde_saphyr::from_str_with_options::<serde_saphyr::Spanned<Raw>>(text, options) {
        Ok(raw) => Some(Placer { file, text, errors }.node(raw)),
        Err(error) => {
            errors.report(syntax_error(file, text, &error));
            None
        }
    }
}

fn syntax_error(file: FileId, text: &str, error: &serde_saphyr::Error) -> Diagnostic {
    let full = error.to_string();
    let reason = full.split(" at line ").next().unwrap_or(&full).replace("illegal", "invalid");
    let at = error.location().map_or(0, |place| byte_at(text, place.line(), place.column()));
    let message = format!("the file is not YAML: {}", reason.replace('\'', "`"));
    let span = one_character(file, text, at);
    Diagnostic::new(codes::YAML_SYNTAX, message, span, "the reader stopped here")
}

/// The byte at a one-based line and column (in characters), cut to the text.
fn byte_at(text: &str, line: u64, column: u64) -> usize {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut lines = text.split_inclusive('\n');
    let start: usize = lines.by_ref().take(before).map(str::len).sum();
    let line = lines.next().unwrap_or("").trim_end();
    let chars = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
    start + line.char_indices().nth(chars).map_or(line.len(), |(at, _)| at)
}

/// The character at byte `at`, or nothing at the end.
fn one_character(file: FileId, text: &str, at: usize) -> Span {
    let length = text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    Span::new(file, at, at + length)
}

/// A value as the reader gives it.
enum Raw {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<serde_saphyr::Spanned<Raw>>),
    Keys(Vec<(serde_saphyr::Spanned<Raw>, serde_saphyr::Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Int(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
        Ok(Raw::Int(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut keys = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            keys.push(entry);
        }
        Ok(Raw::Keys(keys))
    }
}

/// Turns raw values into nodes of one file. The reader bounds their depth.
struct Placer<'a, 's> {
    file: FileId,
    text: &'a str,
    errors: &'a mut Errors<'s>,
}

impl Placer<'_, '_> {
    fn node(&mut self, raw: serde_saphyr::Spanned<Raw>) -> Node {
        let span = self.span(&raw);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value),
            Raw::Int(value) => Value::Int(value),
            Raw::Float(value) => Value::Float(value),
            Raw::Text(value) => Value::Text(value),
            Raw::List(items) => {
                Value::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            Raw::Keys(entries) => Value::Keys(self.keys(entries)),
        };
        Node { span, value }
    }

    fn span(&self, raw: &serde_saphyr::Spanned<Raw>) -> Span {
        let place = raw.referenced.span();
        let offset = |at: Option<u64>| usize::try_from(at.unwrap_or(0)).unwrap_or(usize::MAX);
        let (start, length) = (offset(place.byte_offset()), offset(place.byte_len()));
        if length == 0 {
            return one_character(self.file, self.text, start.min(self.text.len()));
        }
        Span::new(self.file, start, start.saturating_add(length).min(self.text.len()))
    }

    fn keys(
        &mut self,
        entries: Vec<(serde_saphyr::Spanned<Raw>, serde_saphyr::Spanned<Raw>)>,
    ) -> Vec<Entry> {
        let mut places: rustc_hash::FxHashMap<String, usize> = rustc_hash::FxHashMap::default();
        let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let span = self.span(&key);
            let Raw::Text(key) = key.value else {
                self.errors.report(not_a_key(span));
                continue;
            };
            let node = self.node(value);
            match places.get(&key).and_then(|place| kept.get(*place)) {
                Some(first) => self.errors.report(given_twice(&key, first.span, span)),
                None => {
                    places.insert(key.clone(), kept.len());
                    kept.push(Entry { key, span, node });
                }
            }
        }
        kept
    }
}

fn not_a_key(span: Span) -> Diagnostic {
    let message = "a key is text";
    Diagnostic::new(codes::WRONG_TYPE, message, span, "this key is not text")
}

fn given_twice(key: &str, first: Span, again: Span) -> Diagnostic {
    let message = format!("`{key}` is given twice");
    Diagnostic::new(codes::DUPLICATE_KEY, message, again, "given again here")
        .because(first, "first given here")
}
