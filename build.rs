//! Generates the parser from `grammar/` with LALRPOP.

fn main() {}
