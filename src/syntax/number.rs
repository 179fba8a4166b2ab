//! Number literals: what Python's number rules accept, and why the rest is refused.

use super::ast::ExprKind;

/// Why a literal is no number of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NumberFault {
    /// It breaks the rules of writing numbers; what is wrong, and what to write if that is sure.
    Malformed(String, Option<String>),
    /// An integer beyond 128 bits.
    TooLarge,
    /// An imaginary number.
    Imaginary,
}

/// The value of a number literal.
pub(super) fn decode(text: &str) -> Result<ExprKind, NumberFault> {
    for (prefix, base, name) in [("0x", 16, "hexadecimal"), ("0o", 8, "octal"), ("0b", 2, "binary")]
    {
        let (head, digits) = text.split_at_checked(2).unwrap_or(("", ""));
        if head.eq_ignore_ascii_case(prefix) {
            return based(digits, base, name);
        }
    }
    if let Some(rest) = text.strip_suffix(['j', 'J'])
        && decode_decimal(rest).is_ok()
    {
        return Err(NumberFault::Imaginary);
    }
    decode_decimal(text)
}

fn based(digits: &str, base: u32, name: &str) -> Result<ExprKind, NumberFault> {
    let digits = digits.strip_prefix('_').unwrap_or(digits);
    if digits.is_empty() {
        return Err(malformed(format!("a {name} number needs digits after its prefix")));
    }
    if let Some(wrong) = digits.chars().find(|digit| !digit.is_digit(base) && *digit != '_') {
        return Err(malformed(format!("`{wrong}` is no {name} digit")));
    }
    integer(digits, base)
}

fn integer(digits: &str, base: u32) -> Result<ExprKind, NumberFault> {
    check_underscores(digits)?;
    let digits: String = digits.chars().filter(|digit| *digit != '_').collect();
    i128::from_str_radix(&digits, base).map(ExprKind::Int).map_err(|_| NumberFault::TooLarge)
}

fn decode_decimal(text: &str) -> Result<ExprKind, NumberFault> {
    if text.chars().all(|letter| letter.is_ascii_digit() || letter == '_') {
        let nonzero = text.trim_start_matches(['0', '_']);
        if text.starts_with('0') && !nonzero.is_empty() {
            let what = String::from("a decimal integer does not begin with `0`");
            let octal = nonzero.bytes().all(|digit| digit < b'8');
            let eight =
                if octal { format!(", or `0o{nonzero}` in base eight") } else { String::new() };
            return Err(NumberFault::Malformed(what, Some(format!("`{nonzero}`{eight}"))));
        }
        return integer(text, 10);
    }
    float(text)
}

fn float(text: &str) -> Result<ExprKind, NumberFault> {
    let end = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (mantissa, tail) = text.split_at(end);
    let exponent = tail.strip_prefix(['e', 'E']);
    if let (false, None) = (tail.is_empty(), exponent) {
        let what = format!("`{tail}` follows its digits");
        let suffix = ["f", "l", "u", "ul", "lu", "ll", "ull", "h", "d"];
        let known = suffix.contains(&tail.to_ascii_lowercase().as_str());
        let mended = format!("`{mantissa}`: a number gets its dtype where it is used");
        return Err(NumberFault::Malformed(what, known.then_some(mended)));
    }
    for part in mantissa.split('.').filter(|part| !part.is_empty()) {
        check_underscores(part)?;
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() {
            return Err(malformed(String::from("no digits follow its exponent `e`")));
        }
        if let Some(wrong) = digits.find(|digit: char| !digit.is_ascii_digit() && digit != '_') {
            let what = format!("`{}` follows its exponent", digits.get(wrong..).unwrap_or(""));
            return Err(malformed(what));
        }
        check_underscores(digits)?;
    }
    let plain: String = text.chars().filter(|letter| *letter != '_').collect();
    plain
        .parse()
        .map(ExprKind::Float)
        .map_err(|_| malformed(String::from("its digits are not in order")))
}

fn check_underscores(digits: &str) -> Result<(), NumberFault> {
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return Err(malformed(String::from("a `_` stands only between two digits")));
    }
    Ok(())
}

fn malformed(what: String) -> NumberFault {
    NumberFault::Malformed(what, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_every_base() {
        for (text, value) in [
            ("0", 0),
            ("00", 0),
            ("0_0", 0),
            ("7", 7),
            ("1_000_000", 1_000_000),
            ("0xFf", 255),
            ("0X_ff", 255),
            ("0o17", 15),
            ("0b1010", 10),
            ("0B_1", 1),
            ("170141183460469231731687303715884105727", i128::MAX),
        ] {
            assert_eq!(decode(text), Ok(ExprKind::Int(value)), "{text}");
        }
    }

    #[test]
    fn floats_in_every_spelling() {
        for (text, value) in [
            ("1.", 1.0),
            (".5", 0.5),
            ("1e-3", 0.001),
            ("1E3", 1000.0),
            ("1_0.2_5e0_1", 102.5),
            ("01.5", 1.5),
            ("1.e+2", 100.0),
            ("1e999", f64::INFINITY),
        ] {
            assert_eq!(decode(text), Ok(ExprKind::Float(value)), "{text}");
        }
    }

    #[test]
    fn what_is_no_number() {
        let malformed = |text: &str| matches!(decode(text), Err(NumberFault::Malformed(..)));
        for text in [
            "0777", "1__0", "1_", "0x", "0b12", "0o8", "12ab", "1e", "1.5f", "0x_", "1_.5", "1._5",
            "0b", "1e5x", "0xfg", "0_7",
        ] {
            assert!(malformed(text), "{text}: {:?}", decode(text));
        }
        assert_eq!(decode("1j"), Err(NumberFault::Imaginary));
        assert_eq!(decode("1.5J"), Err(NumberFault::Imaginary));
        assert_eq!(decode("170141183460469231731687303715884105728"), Err(NumberFault::TooLarge));
    }

    #[test]
    fn a_leading_zero_and_a_suffix_say_what_to_write() {
        let mended = |text: &str| match decode(text) {
            Err(NumberFault::Malformed(_, mended)) => mended,
            Ok(_) | Err(NumberFault::TooLarge | NumberFault::Imaginary) => None,
        };
        assert_eq!(mended("0777").as_deref(), Some("`777`, or `0o777` in base eight"));
        assert_eq!(mended("0890").as_deref(), Some("`890`"));
        let dtype = "`1.5`: a number gets its dtype where it is used";
        assert_eq!(mended("1.5f").as_deref(), Some(dtype));
        assert_eq!(mended("12ab"), None);
    }
}
