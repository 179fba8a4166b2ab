//! Values as text: `str` and `repr`.

use super::Evaluator;
use crate::diag::hosting;
use crate::script::exceptions::Exception;
use crate::script::fault::{Fault, Result};
use crate::script::value::Value;
use crate::source::Span;

/// The deepest nesting of lists and tuples that is printed.
const MAX_NESTING: u32 = 100;

impl Evaluator<'_> {
    /// As `print` shows it.
    pub(in crate::script) fn str(&mut self, value: &Value) -> Result<String> {
        if let Value::Str(text) = value {
            return Ok(text.to_string());
        }
        if let Some(exception) = value.downcast::<Exception>() {
            return Ok(exception.text.clone());
        }
        self.repr(value)
    }

    /// As a literal shows it.
    pub(in crate::script) fn repr(&mut self, value: &Value) -> Result<String> {
        let mut text = String::new();
        self.write_repr(value, 0, &mut text)?;
        Ok(text)
    }

    fn write_repr(&mut self, value: &Value, depth: u32, out: &mut String) -> Result<()> {
        self.spend(1, Span::NONE)?;
        if depth > MAX_NESTING {
            let message = format!("a value that nests more than {MAX_NESTING} deep is printed");
            return Err(Fault::new(hosting::HOST_BUDGET, message, Span::NONE, ""));
        }
        match value {
            Value::None => out.push_str("None"),
            Value::Bool(true) => out.push_str("True"),
            Value::Bool(false) => out.push_str("False"),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&float(*value)),
            Value::Str(text) => out.push_str(&quoted(text)),
            Value::Tuple(items) => {
                let alone = if items.values().len() == 1 { ",)" } else { ")" };
                self.write_items(items.values(), depth, ("(", alone), out)?;
            }
            Value::List(list) => {
                let items = list.0.borrow().clone();
                self.write_items(&items, depth, ("[", "]"), out)?;
            }
            Value::Dict(dict) => {
                let entries: Vec<(Value, Value)> = dict
                    .0
                    .borrow()
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                self.write_entries(&entries, depth, out)?;
            }
            Value::Range(range) => {
                out.push_str(&format!("range({}, {}", range.start, range.stop));
                let step =
                    if range.step == 1 { String::new() } else { format!(", {}", range.step) };
                out.push_str(&format!("{step})"));
            }
            Value::Function(closure) => {
                let name = self.codes[closure.code].name;
                out.push_str(&format!("<function {name}>"));
            }
            Value::Kernel(name) => out.push_str(&format!("<kernel {name}>")),
            Value::Native(native) => out.push_str(&format!("<function {}>", native.name)),
            Value::Method(method) => out.push_str(&format!("<method {}>", method.name)),
            Value::Object(object) => out.push_str(&object.show(self)?),
            Value::Unknown(_) => out.push_str("<unknown without data>"),
        }
        Ok(())
    }

    fn write_items(
        &mut self,
        items: &[Value],
        depth: u32,
        (open, close): (&str, &str),
        out: &mut String,
    ) -> Result<()> {
        out.push_str(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            self.write_repr(item, depth + 1, out)?;
        }
        out.push_str(close);
        Ok(())
    }

    fn write_entries(
        &mut self,
        entries: &[(Value, Value)],
        depth: u32,
        out: &mut String,
    ) -> Result<()> {
        out.push('{');
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            self.write_repr(key, depth + 1, out)?;
            out.push_str(": ");
            self.write_repr(value, depth + 1, out)?;
        }
        out.push('}');
        Ok(())
    }
}

/// A float as Python prints it: the shortest digits that read back, with an exponent where the
/// number is very small or very large.
pub(in crate::script) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

/// A string as a literal: in single quotes, unless it holds one and no double quote.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            letter if letter == quote => out.extend(['\\', letter]),
            letter if letter.is_control() => out.push_str(&format!("\\x{:02x}", letter as u32)),
            letter => out.push(letter),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_python() {
        let cases = [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn strings_are_quoted_as_in_python() {
        assert_eq!(quoted("a"), "'a'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("it's \"x\"\n"), "'it\\'s \"x\"\\n'");
    }
}
