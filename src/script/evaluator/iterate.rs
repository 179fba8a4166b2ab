//! Iteration.

use std::rc::Rc;

use super::Evaluator;
use crate::diag::hosting;
use crate::script::fault::{Fault, Result};
use crate::script::value::{List, Range, Value};
use crate::source::Span;

/// The most values that are gathered at once.
const MAX_GATHERED: i128 = 1 << 26;

/// A walk over a value.
pub(in crate::script) enum Cursor {
    Range {
        range: Range,
        at: i128,
        len: i128,
    },
    /// A list that may change while it is walked, as in Python.
    List {
        list: Rc<List>,
        at: usize,
    },
    Values(std::vec::IntoIter<Value>),
}

impl Iterator for Cursor {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        match self {
            Cursor::Range { range, at, len } => {
                let index = *at;
                *at += 1;
                (index < *len).then(|| Value::Int(range.at(index)))
            }
            Cursor::List { list, at } => {
                let item = list.0.borrow().get(*at).cloned();
                *at += 1;
                item
            }
            Cursor::Values(values) => values.next(),
        }
    }
}

impl Evaluator<'_> {
    /// A walk over `value`, which was written at `span`.
    pub(in crate::script) fn iterate(&mut self, value: &Value, span: Span) -> Result<Cursor> {
        let values = match value {
            Value::Range(range) => {
                return Ok(Cursor::Range { range: **range, at: 0, len: range.len() });
            }
            Value::List(list) => return Ok(Cursor::List { list: list.clone(), at: 0 }),
            Value::Tuple(items) => items.values().to_vec(),
            Value::Dict(dict) => dict.0.borrow().iter().map(|(key, _)| key.clone()).collect(),
            Value::Str(text) => text.chars().map(|letter| Value::str(letter.to_string())).collect(),
            Value::Object(object) => match object.items(self, span)? {
                Some(values) => values,
                None => return Err(not_iterable(value, span)),
            },
            Value::Unknown(made) => return Err(undecided("how often this runs", *made, span)),
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Function(_)
            | Value::Kernel(_)
            | Value::Native(_)
            | Value::Method(_) => return Err(not_iterable(value, span)),
        };
        self.spend(values.len() as u64, span)?;
        Ok(Cursor::Values(values.into_iter()))
    }

    /// All that iterating over `value` gives.
    pub(in crate::script) fn items(&mut self, value: &Value, span: Span) -> Result<Vec<Value>> {
        if let Value::Range(range) = value
            && range.len() > MAX_GATHERED
        {
            let (len, most) = (range.len(), MAX_GATHERED);
            let message = format!("a range of {len} numbers is gathered; at most {most} can be");
            return Err(Fault::new(hosting::HOST_BUDGET, message, span, "too many"));
        }
        let cursor = self.iterate(value, span)?;
        if let Cursor::Range { len, .. } = &cursor {
            self.spend_elements(usize::try_from(*len).unwrap_or(usize::MAX), span)?;
        }
        let items: Vec<Value> = cursor.collect();
        self.spend(items.len() as u64, span)?;
        Ok(items)
    }
}

fn not_iterable(value: &Value, span: Span) -> Fault {
    let found = value.a_type();
    let message = format!("{found} cannot be iterated over");
    let fault = Fault::new(hosting::HOST_TYPE, message, span, format!("this is {found}"));
    let Value::Int(count @ 1..) = value else { return fault };
    fault.help(format!("`range({count})` counts from 0 to {}", count - 1))
}

/// That `what` depends on a value made at `made`, which needs data that this run has not.
pub(in crate::script) fn undecided(what: &str, made: Span, span: Span) -> Fault {
    let message = format!("{what} depends on data, and this run has none");
    Fault::new(hosting::UNKNOWN_DATA, message, span, "not known without data")
        .because(made, "data would be read here")
        .help(String::from("run without `--no-data`"))
}
