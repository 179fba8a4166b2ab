//! Strings as literals.

/// `text` in the quotes `quote`. Inside the braces of an f-string both kinds of quotes are
/// written as numbers, for the outer string ends at its own.
pub(super) fn literal(text: &str, quote: &str, inside: bool) -> String {
    format!("{quote}{}{quote}", escaped(text, quote, inside))
}

/// `text` with everything escaped that would not stand for itself in the quotes `quote`.
pub(super) fn escaped(text: &str, quote: &str, inside: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '"' | '\'' if inside => out.push_str(&format!("\\x{:02x}", letter as u32)),
            _ if quote.starts_with(letter) => out.extend(['\\', letter]),
            _ if letter.is_ascii_control() => out.push_str(&format!("\\x{:02x}", letter as u32)),
            _ => out.push(letter),
        }
    }
    out
}

/// `text` in triple quotes, its lines kept.
pub(super) fn docstring(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| escaped(line, "\"", false)).collect();
    format!("\"\"\"{}\"\"\"", lines.join("\n"))
}
