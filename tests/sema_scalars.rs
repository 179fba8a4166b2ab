//! Scalar expressions of a kernel mean what they mean in Python: random ones, with the values
//! that CPython computed, from source text through the passes of a launch.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use std::collections::BTreeMap;

use kbc::diag::{ColorChoice, Sink, to_text};
use kbc::ir::{Bindings, Limits, Literal, TilePipeline};
use kbc::passes;
use sema_common::compile;

const EXPRESSIONS: &str = include_str!("sema_common/scalars.txt");

const LIMITS: Limits = Limits {
    tcm_bytes: 1 << 20,
    tcm_total: 1 << 20,
    tcm_reserved: 0,
    pipeline: TilePipeline { tile: [32, 32, 64], buffers: 2 },
    unrolled_ops: 1000,
};

/// What a launch with these arguments says of `assert expression == value`.
fn check(expression: &str, [n, m, value]: [i64; 3]) -> Vec<String> {
    let text = format!("def k(ptr, n, m, tl):\n    assert ({expression}) == {value}\n");
    launch(&text, &[("ptr", 0), ("n", n), ("m", m)])
}

/// What a launch of the kernel `k` with these arguments says.
fn launch(text: &str, arguments: &[(&str, i64)]) -> Vec<String> {
    let compiled = compile(text);
    let Some(module) = &compiled.module else { return vec![compiled.text()] };
    let params = arguments.iter().map(|(name, it)| ((*name).to_owned(), Literal::Int(*it)));
    let params: BTreeMap<String, Literal> = params.collect();
    let bindings = Bindings { params, num_programs: [1, 1, 1] };
    let kernel = module.kernel("k").expect("the text defines `k`");
    let mut sink = Sink::new();
    let _ = passes::run(module, kernel, &bindings, &LIMITS, &mut sink);
    let shown = |it| to_text(it, &compiled.sources, ColorChoice::Plain);
    sink.diagnostics().iter().map(shown).collect()
}

#[test]
fn expressions_mean_what_they_mean_in_python() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for line in EXPRESSIONS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split("; ").collect();
        let numbers: Vec<i64> = fields[1..].iter().map(|it| it.parse().unwrap()).collect();
        let said = check(fields[0], [numbers[0], numbers[1], numbers[2]]);
        if !said.is_empty() {
            wrong.push(format!("{line}\n{}", said.join("\n")));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen > 390);
    // The check itself sees a wrong value.
    assert!(!check("n + m", [1, 2, 4]).is_empty());
}

#[test]
fn shares_cover_everything_once() {
    // 10 items in 4 shares: 3 + 3 + 2 + 2.
    for (index, (start, size)) in [(0, 3), (3, 3), (6, 2), (8, 2)].into_iter().enumerate() {
        let text = format!(
            "from ccl import share_of\n\ndef k(n, parts, index, tl):\n\
             \u{20}   start, size = share_of(n, parts, index, tl)\n\
             \u{20}   assert start == {start}\n    assert size == {size}\n"
        );
        let said = launch(&text, &[("n", 10), ("parts", 4), ("index", index as i64)]);
        assert!(said.is_empty(), "share {index}: {}", said.join("\n"));
    }
}
