//! Text to syntax tree: `lexer` (logos), `layout` (INDENT/DEDENT/NEWLINE), the LALRPOP grammar
//! in `grammar/kernel.lalrpop`, `ast`, and a printer whose output parses back to the same tree.
//!
//! Nothing here knows what a name means: built-ins are ordinary calls.

pub mod ast;
