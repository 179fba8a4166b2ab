//! `{value:spec}` of f-strings: fill, alignment, sign, width, thousands, precision and type.

use super::Evaluator;
use super::show;
use crate::diag::hosting;
use crate::script::fault::{Fault, Result};
use crate::script::value::Value;
use crate::source::Span;

/// The widest that a format pads to, and the most digits it gives.
const MAX_WIDTH: usize = 10_000;

/// A format, taken apart: `[[fill]align][sign][#][0][width][,][.precision][type]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spec {
    fill: char,
    align: Option<char>,
    sign: char,
    alternate: bool,
    width: usize,
    thousands: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

impl Spec {
    fn parse(text: &str) -> Option<Spec> {
        let letters: Vec<char> = text.chars().collect();
        let is_align = |at: usize| letters.get(at).filter(|it| "<>^=".contains(**it)).copied();
        let (mut fill, mut align, mut at) = (' ', None, 0);
        if let Some(found) = is_align(1) {
            (fill, align, at) = (letters.first().copied().unwrap_or(' '), Some(found), 2);
        } else if let Some(found) = is_align(0) {
            (align, at) = (Some(found), 1);
        }
        let mut rest = Letters { letters: &letters, at };
        let sign = rest.take("+- ").unwrap_or('-');
        let alternate = rest.take("#").is_some();
        if rest.take("0").is_some() && align.is_none() {
            (fill, align) = ('0', Some('='));
        }
        let width = rest.number()?.unwrap_or(0);
        let thousands = rest.take(",_");
        let precision = match rest.take(".") {
            Some(_) => Some(rest.number()??),
            None => None,
        };
        let kind = rest.take("bcdeEfFgGnosxX%");
        let spec = Spec { fill, align, sign, alternate, width, thousands, precision, kind };
        rest.is_done().then_some(spec)
    }

    /// `digits` with its sign, padded.
    fn pad(&self, negative: bool, digits: &str, default: char) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, '+') => "+",
            (false, ' ') => " ",
            (false, _) => "",
        };
        let length = sign.chars().count() + digits.chars().count();
        let missing = self.width.saturating_sub(length);
        let fill = |count: usize| self.fill.to_string().repeat(count);
        match self.align.unwrap_or(default) {
            '<' => format!("{sign}{digits}{}", fill(missing)),
            '^' => format!("{}{sign}{digits}{}", fill(missing / 2), fill(missing - missing / 2)),
            '=' => format!("{sign}{}{digits}", fill(missing)),
            _ => format!("{}{sign}{digits}", fill(missing)),
        }
    }
}

/// What is left of a format.
struct Letters<'t> {
    letters: &'t [char],
    at: usize,
}

impl Letters<'_> {
    fn take(&mut self, allowed: &str) -> Option<char> {
        let letter = *self.letters.get(self.at)?;
        if !allowed.contains(letter) {
            return None;
        }
        self.at += 1;
        Some(letter)
    }

    /// A number, if one begins here; `None` for one that is too large.
    fn number(&mut self) -> Option<Option<usize>> {
        let mut value: Option<usize> = None;
        while let Some(digit) = self.take("0123456789") {
            let next = value.unwrap_or(0) * 10 + digit.to_digit(10).unwrap_or(0) as usize;
            if next > MAX_WIDTH {
                return None;
            }
            value = Some(next);
        }
        Some(value)
    }

    fn is_done(&self) -> bool {
        self.at == self.letters.len()
    }
}

/// `value` as the format `spec` shows it.
pub(in crate::script) fn format_value(
    evaluator: &mut Evaluator<'_>,
    value: &Value,
    spec: &str,
    span: Span,
) -> Result<String> {
    if spec.is_empty() || value.unknown().is_some() {
        return evaluator.str(value);
    }
    let Some(parsed) = Spec::parse(spec) else {
        let message = format!("`{spec}` is not a format");
        return Err(Fault::new(hosting::HOST_VALUE, message, span, "formatted here"));
    };
    let number = evaluator.number(value, span)?.unwrap_or_else(|| value.clone());
    let shown = match (&number, parsed.kind) {
        (Value::Str(text), None | Some('s')) => Some(format_text(&parsed, text)),
        (_, Some('s')) => Some(format_text(&parsed, &evaluator.str(value)?)),
        (Value::Int(_) | Value::Bool(_), None | Some('b' | 'd' | 'n' | 'o' | 'x' | 'X' | 'c')) => {
            number.as_int().map(|value| format_int(&parsed, value))
        }
        (_, Some('b' | 'd' | 'o' | 'x' | 'X' | 'c')) => None,
        _ => number.as_float().map(|value| format_float(&parsed, value)),
    };
    shown.ok_or_else(|| {
        let message = format!("the format `{spec}` does not fit {}", value.a_type());
        Fault::new(hosting::HOST_VALUE, message, span, format!("this is {}", value.a_type()))
    })
}

fn format_text(spec: &Spec, text: &str) -> String {
    let cut: String = match spec.precision {
        Some(most) => text.chars().take(most).collect(),
        None => text.to_owned(),
    };
    Spec { sign: '-', ..spec.clone() }.pad(false, &cut, '<')
}

fn format_int(spec: &Spec, value: i128) -> String {
    let magnitude = value.unsigned_abs();
    let (prefix, digits) = match spec.kind {
        Some('b') => ("0b", format!("{magnitude:b}")),
        Some('o') => ("0o", format!("{magnitude:o}")),
        Some('x') => ("0x", format!("{magnitude:x}")),
        Some('X') => ("0X", format!("{magnitude:X}")),
        Some('c') => ("", char::from_u32(magnitude as u32).unwrap_or('?').to_string()),
        _ => ("", magnitude.to_string()),
    };
    let grouped = grouped(&digits, spec.thousands);
    let prefix = if spec.alternate { prefix } else { "" };
    spec.pad(value < 0, &format!("{prefix}{grouped}"), '>')
}

fn format_float(spec: &Spec, value: f64) -> String {
    let magnitude = value.abs();
    let digits = match spec.kind {
        _ if !value.is_finite() => show::float(magnitude),
        Some('e' | 'E') => exponential(magnitude, spec.precision.unwrap_or(6)),
        Some('f' | 'F') => format!("{magnitude:.*}", spec.precision.unwrap_or(6)),
        Some('%') => format!("{:.*}%", spec.precision.unwrap_or(6), magnitude * 100.0),
        None if spec.precision.is_none() => show::float(magnitude),
        _ => general(magnitude, spec.precision.unwrap_or(6).max(1)),
    };
    let digits = if spec.kind == Some('E') { digits.to_uppercase() } else { digits };
    let (whole, rest) = digits.split_at(digits.find(['.', 'e', '%']).unwrap_or(digits.len()));
    let digits = format!("{}{rest}", grouped(whole, spec.thousands));
    spec.pad(value.is_sign_negative() && !value.is_nan(), &digits, '>')
}

/// `1.500000e+03`.
fn exponential(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// `%g`: `precision` significant digits, without trailing zeros.
fn general(value: f64, precision: usize) -> String {
    let rounded = format!("{value:.*e}", precision - 1);
    let exponent: i32 = rounded.split_once('e').and_then(|(_, it)| it.parse().ok()).unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= precision as i32 {
        let text = exponential(value, precision - 1);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", trimmed(digits));
    }
    let after_point = usize::try_from(precision as i32 - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{value:.after_point$}"))
}

/// `digits` in groups of three.
fn grouped(digits: &str, mark: Option<char>) -> String {
    let Some(mark) = mark else { return digits.to_owned() };
    let count = digits.chars().count();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (count - index).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(spec: &str, value: i128) -> String {
        format_int(&Spec::parse(spec).unwrap(), value)
    }

    fn float(spec: &str, value: f64) -> String {
        format_float(&Spec::parse(spec).unwrap(), value)
    }

    /// Every expected text was printed by CPython 3.11.
    #[test]
    fn formats_print_as_in_python() {
        assert_eq!(int("5", 42), "   42");
        assert_eq!(int("<5", 42), "42   ");
        assert_eq!(int("05", -42), "-0042");
        assert_eq!(int("+", 42), "+42");
        assert_eq!(int(",", 1_234_567), "1,234,567");
        assert_eq!(int("#x", 255), "0xff");
        assert_eq!(int("*^9d", 7), "****7****");
        assert_eq!(float(".2f", 2.71), "2.71");
        assert_eq!(float("10.3f", -2.5), "    -2.500");
        assert_eq!(float(".3e", 12345.678), "1.235e+04");
        assert_eq!(float(".3g", 0.00001234), "1.23e-05");
        assert_eq!(float("g", 100000.0), "100000");
        assert_eq!(float("g", 1000000.0), "1e+06");
        assert_eq!(float(".1%", 0.256), "25.6%");
        assert_eq!(float(",.1f", 1234567.25), "1,234,567.2");
        assert_eq!(float("", 0.5), "0.5");
        assert_eq!(Spec::parse("zz"), None);
        assert_eq!(Spec::parse("99999999999999999999"), None);
    }
}
