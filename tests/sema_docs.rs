//! `docs/language.md`: every example compiles, and the table of built-ins is what the compiler has.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use sema_common::compile;

const LANGUAGE: &str = include_str!("../docs/language.md");

#[test]
fn every_example_compiles() {
    let examples: Vec<&str> = LANGUAGE
        .split("```kb\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert!(examples.len() > 10, "{} examples", examples.len());
    for example in examples {
        let found = compile(example);
        assert!(found.codes().is_empty(), "{example}\n{}", found.text());
    }
}

#[test]
fn the_table_of_built_ins_is_complete() {
    let listed: Vec<&str> = LANGUAGE.lines().filter(|line| line.starts_with("| `tl.")).collect();
    let known: Vec<String> = kbc::sema::builtin_reference()
        .into_iter()
        .map(|(signature, doc)| format!("| `tl.{signature}` | {doc} |"))
        .collect();
    assert_eq!(listed, known);
}
