//! Which warnings are said: all that nobody has turned off, on the command line or beside the text.
//!
//! In a file, `# kbc: allow(K0223)` turns a warning off for its own line, and where it is alone on
//! a line, for the next line that is no comment; `# kbc: allow-file(K0222)` does for the file.

use super::UsageError;
use crate::diag::{Code, Diagnostic, Severity, code};
use crate::source::SourceMap;

/// What the user wants of warnings.
#[derive(Clone, Debug, Default)]
pub struct Lints {
    allowed: Vec<Code>,
    deny: bool,
}

impl Lints {
    /// Turns off the warning of a code.
    ///
    /// # Errors
    /// There is no such code, or it is no warning.
    pub fn allow(&mut self, id: &str) -> Result<(), UsageError> {
        match code(id.trim()) {
            Some(code) if code.severity <= Severity::Warning => self.allowed.push(*code),
            Some(code) => {
                let id = code.id;
                return Err(UsageError(format!("--allow: {id} is an error, not a warning")));
            }
            None => return Err(UsageError(format!("--allow: there is no code `{id}`"))),
        }
        Ok(())
    }

    /// Takes warnings for errors.
    pub fn deny(&mut self) {
        self.deny = true;
    }

    /// What remains to be said of `diagnostics`.
    pub(super) fn apply(
        &self,
        diagnostics: Vec<Diagnostic>,
        sources: &SourceMap,
    ) -> Vec<Diagnostic> {
        let is_said = |it: &Diagnostic| {
            it.is_error() || !(self.allowed.contains(&it.code) || is_allowed_in_place(it, sources))
        };
        let denied = |mut it: Diagnostic| {
            if self.deny && it.severity == Severity::Warning {
                it.severity = Severity::Error;
            }
            it
        };
        diagnostics.into_iter().filter(is_said).map(denied).collect()
    }
}

/// Whether a comment beside the text of a warning turns it off.
fn is_allowed_in_place(it: &Diagnostic, sources: &SourceMap) -> bool {
    let Some(label) = &it.primary else { return false };
    let Some(file) = sources.get(label.span.file) else { return false };
    if file.text().lines().any(|line| allows(line, "# kbc: allow-file(", it.code)) {
        return true;
    }
    let (line, _) = file.line_column(label.span.start);
    let lines: Vec<&str> = file.text().lines().take(line as usize).collect();
    let Some((own, above)) = lines.split_last() else { return false };
    let comments = above.iter().rev().take_while(|line| line.trim_start().starts_with('#'));
    comments.chain([own]).any(|line| allows(line, "# kbc: allow(", it.code))
}

/// Whether a line has a comment that turns a code off, which begins with `opening`.
fn allows(line: &str, opening: &str, code: Code) -> bool {
    let Some((_, comment)) = line.split_once(opening) else { return false };
    let codes = comment.split(')').next().unwrap_or_default();
    codes.split(',').any(|id| id.trim().eq_ignore_ascii_case(code.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{lowering, names};
    use crate::source::Span;

    const TEXT: &str = "a = 1  # kbc: allow(K0223)\nb = 2\n# why\n# kbc: allow(k0512, K0223)\n# so\nc = 3\n# kbc: allow-file(K0510)\n";

    fn at(sources: &mut SourceMap, what: &str, code: Code) -> Diagnostic {
        let file = sources.add("k.kb", TEXT);
        let start = TEXT.find(what).unwrap();
        Diagnostic::new(code, "said", Span::new(file, start, start + 1), "here")
    }

    #[test]
    fn a_comment_turns_a_warning_off_on_its_line_and_on_the_next() {
        let mut sources = SourceMap::new();
        let cases = [
            ("a =", names::UNUSED_VARIABLE, 0),
            ("a =", names::UNUSED_IMPORT, 1),
            ("b =", names::UNUSED_VARIABLE, 1),
            ("c =", names::UNUSED_VARIABLE, 0),
            ("c =", lowering::LANES_APART, 0),
            ("c =", names::UNKNOWN_NAME, 1),
            ("b =", lowering::MASK_ALWAYS_TRUE, 0),
        ];
        for (what, code, said) in cases {
            let it = at(&mut sources, what, code);
            let left = Lints::default().apply(vec![it], &sources).len();
            assert_eq!(left, said, "{what} {}", code.id);
        }
    }

    #[test]
    fn only_warnings_are_allowed_and_denied() {
        let mut lints = Lints::default();
        assert!(lints.allow("k0223").is_ok());
        assert!(lints.allow("K0201").is_err() && lints.allow("K9999").is_err());
        lints.deny();
        let mut sources = SourceMap::new();
        let b = [names::UNUSED_VARIABLE, names::UNUSED_IMPORT, names::UNKNOWN_NAME]
            .map(|code| at(&mut sources, "b =", code));
        let left = lints.apply(b.to_vec(), &sources);
        assert_eq!(left.len(), 2);
        assert!(left.iter().all(Diagnostic::is_error));
    }
}
