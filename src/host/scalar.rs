//! Scalars that pass between the host and a kernel: what `kernel_args` returns, what `--set` says.

use std::fmt;

use crate::dtype::DType;

/// A scalar argument.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// Text: the name of a direction, a choice. Known at compile time only.
    Text(String),
    /// An element type. Known at compile time only.
    DType(DType),
    /// `None`. Known at compile time only.
    None,
}

impl Scalar {
    /// What `--set name=text` means: an integer in any base, a float, `True`, `False` or `None`
    /// where the text is one, else the text itself; quotes around it are dropped.
    pub fn parse(text: &str) -> Scalar {
        let text = text.trim();
        match text {
            "True" | "true" => return Scalar::Bool(true),
            "False" | "false" => return Scalar::Bool(false),
            "None" => return Scalar::None,
            _ => {}
        }
        if let Some(value) = parse_int(text) {
            return Scalar::Int(value);
        }
        let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
        match text.parse::<f64>() {
            Ok(value) if is_number => Scalar::Float(value),
            _ => Scalar::Text(unquoted(text).to_owned()),
        }
    }

    /// What kind of value it is, as Python calls it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Scalar::Int(_) => "int",
            Scalar::Float(_) => "float",
            Scalar::Bool(_) => "bool",
            Scalar::Text(_) => "str",
            Scalar::DType(_) => "dtype",
            Scalar::None => "None",
        }
    }
}

fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let plain = digits.replace('_', "").to_ascii_lowercase();
    let (base, plain) = match plain.get(..2) {
        Some("0x") => (16, &plain[2..]),
        Some("0o") => (8, &plain[2..]),
        Some("0b") => (2, &plain[2..]),
        _ => (10, plain.as_str()),
    };
    let value = i128::from_str_radix(plain, base).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

/// As Python writes it.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Int(value) => write!(f, "{value}"),
            Scalar::Float(value) => write!(f, "{value:?}"),
            Scalar::Bool(true) => f.write_str("True"),
            Scalar::Bool(false) => f.write_str("False"),
            Scalar::Text(text) => write!(f, "{text:?}"),
            Scalar::DType(dtype) => f.write_str(dtype.name()),
            Scalar::None => f.write_str("None"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_python_would() {
        assert_eq!(Scalar::parse("4_096"), Scalar::Int(4096));
        assert_eq!(Scalar::parse("-0x10"), Scalar::Int(-16));
        assert_eq!(Scalar::parse("9223372036854775807"), Scalar::Int(i64::MAX));
        assert_eq!(Scalar::parse("1e-3"), Scalar::Float(1e-3));
        assert_eq!(Scalar::parse(".5"), Scalar::Float(0.5));
        assert_eq!(Scalar::parse("True"), Scalar::Bool(true));
        assert_eq!(Scalar::parse("None"), Scalar::None);
        assert_eq!(Scalar::parse("f16"), Scalar::Text("f16".into()));
        assert_eq!(Scalar::parse("'4'"), Scalar::Text("4".into()));
        assert_eq!(Scalar::parse("inf"), Scalar::Text("inf".into()));
        assert_eq!(Scalar::parse("0x"), Scalar::Text("0x".into()));
        assert_eq!(Scalar::parse("é"), Scalar::Text("é".into()));
        assert_eq!(Scalar::parse("0é"), Scalar::Text("0é".into()));
    }
}
