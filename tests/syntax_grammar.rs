//! What the grammar costs: LALRPOP makes one set of tables for each public symbol, and every rule
//! adds to the file that the compiler has to read.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

const GRAMMAR: &str = include_str!("../grammar/kernel.lalrpop");
const GENERATED: &str = include_str!(concat!(env!("OUT_DIR"), "/kernel.rs"));

#[test]
fn the_generated_parser_stays_small() {
    let lines = GENERATED.lines().count();
    assert!(lines <= 25_000, "the generated parser has {lines} lines");
}

#[test]
fn one_symbol_is_public() {
    assert_eq!(GRAMMAR.lines().filter(|line| line.starts_with("pub ")).count(), 1);
}
