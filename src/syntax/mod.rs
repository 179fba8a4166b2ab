//! Text to syntax tree: `lexer` (logos), `layout` (INDENT/DEDENT/NEWLINE), the LALRPOP grammar
//! in `grammar/kernel.lalrpop`, `ast`, and a printer whose output parses back to the same tree.
//!
//! ```text
//! text ─ lexer ─ physical tokens ─ brackets ─ layout ─ logical tokens ─ grammar + builder ─ tree
//!                                    │          │                          │
//!                                 matched    habits, headers,           mistakes
//!                                 brackets   unsupported
//! ```
//!
//! Every pass mends what it can and reports it, so that the next one meets a well-formed input
//! and one run finds many errors. Nothing here knows what a name means: built-ins are ordinary
//! calls. Four things that Python has are kept in the tree and refused later, where more is known:
//! `:=`, `**value` in a call, set comprehensions, and the `else` of a loop.

pub mod ast;
mod brackets;
mod builder;
pub mod dump;
mod equality;
mod faults;
mod habits;
mod headers;
mod layout;
mod lexer;
mod mistakes;
mod number;
mod parts;
pub mod printer;
mod string;
mod token;
mod unsupported;

lalrpop_util::lalrpop_mod!(
    #[allow(
        clippy::all,
        clippy::pedantic,
        clippy::wildcard_enum_match_arm,
        clippy::too_many_lines,
        clippy::too_many_arguments,
        clippy::unwrap_used,
        clippy::allow_attributes_without_reason,
        unreachable_pub,
        unused,
        missing_docs,
        reason = "LALRPOP generates this module from the grammar"
    )]
    parser,
    "/kernel.rs"
);

use ast::Module;
use builder::Builder;
pub use equality::ast_eq;
use faults::Faults;
use token::Token;

use crate::diag::Sink;
use crate::source::FileId;

/// The tree of `text`, which is the text of `file`. Never fails: what is wrong is reported to
/// `sink`, and error nodes stand for it.
pub fn parse(file: FileId, text: &str, sink: &mut Sink) -> Module {
    let text = readable(text);
    let mut faults = Faults::new(file, sink);
    let tokens = scan(text, &mut faults);
    let (exprs, body) = Builder::new(text, faults).module(&tokens);
    Module { file, exprs, body }
}

/// The part of `text` that spans can name.
fn readable(text: &str) -> &str {
    if u32::try_from(text.len()).is_ok() {
        return text;
    }
    let end = (0..=u32::MAX as usize).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

/// The logical tokens of `text`, as the grammar takes them.
fn scan(text: &str, faults: &mut Faults) -> Vec<Token> {
    let start = lexer::after_mark(text);
    let raw = lexer::lex(text, (start, text.len() as u32), faults);
    let raw = habits::brace_blocks(raw, faults);
    let raw = brackets::repair(text, raw, faults);
    layout::layout(text, &raw, start, faults)
}

/// A logical token as `--emit tokens` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedToken {
    /// `name`, `number`, `string`, `keyword`, `operator`, `newline`, `indent`, `dedent`, or
    /// `refused` for what was reported.
    pub kind: &'static str,
    /// Its text; empty for what the layout made.
    pub text: String,
    /// Its one-based line.
    pub line: u32,
    /// Its one-based column, in characters.
    pub column: u32,
}

impl std::fmt::Display for PrintedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = format!("{}:{}", self.line, self.column);
        match self.kind {
            "newline" | "indent" | "dedent" => write!(f, "{place:<8}{}", self.kind),
            kind => write!(f, "{place:<8}{kind:<9}{}", self.text),
        }
    }
}

/// The logical tokens of `text`, in order. What is wrong before parsing is reported to `sink`.
pub fn tokens(file: FileId, text: &str, sink: &mut Sink) -> Vec<PrintedToken> {
    let text = readable(text);
    let mut faults = Faults::new(file, sink);
    let tokens = scan(text, &mut faults);
    let (mut line, mut column, mut at) = (1, 1, 0);
    let mut printed = Vec::with_capacity(tokens.len());
    for token in tokens.iter().skip(1) {
        for letter in text.get(at..token.start as usize).unwrap_or("").chars() {
            (line, column) = if letter == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        at = at.max(token.start as usize);
        let kind = token.kind.name();
        printed.push(PrintedToken { kind, text: token.text(text).to_owned(), line, column });
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(text: &str) -> Module {
        let mut sink = Sink::new();
        let module = parse(FileId(0), text, &mut sink);
        assert!(!sink.has_errors(), "{text}\n{:#?}", sink.diagnostics());
        module
    }

    #[test]
    fn a_kernel_has_its_functions() {
        let text = "\
def kernel(t_ptr, n_elem, tl):
    acc = tl.load(t_ptr, shape=(n_elem,), dtype=\"f16\")
    for _step in range(3):
        tl.send(dir=\"E\", src=acc)
    tl.store(t_ptr, acc)
";
        let module = good(text);
        let names: Vec<&str> = module.functions().map(|it| it.name.name.as_str()).collect();
        assert_eq!(names, ["kernel"]);
        assert_eq!(module.functions().map(|it| it.body.len()).sum::<usize>(), 3);
    }
}
