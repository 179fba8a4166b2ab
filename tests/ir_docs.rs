//! `docs/ir.md` is true: each op's line reads, each example is what its pass does, the list of
//! passes is the pipeline, and no op is missing.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use kbc::ir::verify::verify;
use support::{after_pass, read};

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ir.md")).unwrap()
}

/// The lines of text IR in the first column of the table of operations.
fn op_lines(page: &str) -> Vec<String> {
    let table = page.split("## Operations").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let code = |row: &str| -> String {
        let cell = row.split(" |").next().unwrap();
        let parts: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        parts.join("\n  ")
    };
    rows.map(code).collect()
}

#[test]
fn every_line_of_the_table_reads() {
    let page = page();
    let lines = op_lines(&page);
    assert!(lines.len() > 30, "{}", lines.len());
    for line in lines {
        let text = format!(
            "func @k(%p: i64, %q: *f16, %n: i64, %c: i1, %s: f16, %t: tile<4x4xf16>, %u: tile<4x4xf16>) {{\n  {line}\n  return\n}}\nfunc @helper(%p: i64) {{\n  return\n}}\n"
        );
        assert_eq!(verify(&read(&text)), [], "{line}");
    }
}

#[test]
fn no_op_is_missing() {
    let page = page();
    let mut shown: BTreeSet<&'static str> = BTreeSet::new();
    let texts = op_lines(&page).into_iter().map(|line| {
        format!(
            "func @k(%p: i64, %q: *f16, %n: i64, %c: i1, %s: f16, %t: tile<4x4xf16>, %u: tile<4x4xf16>) {{\n  {line}\n  return\n}}\nfunc @helper(%p: i64) {{\n  return\n}}\n"
        )
    });
    for text in texts {
        for function in read(&text).functions.values() {
            shown
                .extend(function.reachable_ops().iter().map(|op| function.ops[*op].op.kind_name()));
        }
    }
    let missing: Vec<_> = kbc::ir::OP_KINDS.iter().filter(|kind| !shown.contains(**kind)).collect();
    assert!(missing.is_empty(), "docs/ir.md shows no {missing:?}");
}

#[test]
fn the_table_of_passes_is_the_pipeline() {
    let page = page();
    let table = page.split("<!-- passes -->").nth(1).unwrap().split("<!-- end -->").next().unwrap();
    let mut expected = String::from("\n| pass | does |\n|---|---|\n");
    for pass in kbc::passes::pipeline() {
        expected += &format!("| `{}` | {} |\n", pass.name(), pass.summary());
    }
    assert_eq!(table, expected);
}

#[test]
fn every_example_is_what_its_pass_does() {
    let page = page();
    let mut shown = BTreeSet::new();
    for example in page.split("```kir before ").skip(1) {
        let (pass, rest) = example.split_once('\n').unwrap();
        let before = rest.split("```").next().unwrap();
        let after = rest.split("```kir after\n").nth(1).unwrap().split("```").next().unwrap();
        let found = after_pass(pass, before, &[("p", 4096), ("n", 64)]);
        assert_eq!(found.unwrap(), after, "{pass}");
        shown.insert(pass);
    }
    let names = kbc::passes::pipeline().iter().map(|pass| pass.name());
    let unshown: Vec<_> =
        names.filter(|name| !shown.contains(name) && *name != "extents").collect();
    assert!(unshown.is_empty(), "docs/ir.md has no example of {unshown:?}");
}

#[test]
fn the_first_example_reads_back() {
    let page = page();
    let example = page.split("```kir\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(support::text_of(&read(example)), example);
}

#[test]
fn names_of_ops_are_told_apart() {
    let names = kbc::ir::parse::op_names();
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(distinct.len(), names.len(), "two ops share a name in text IR");
}
