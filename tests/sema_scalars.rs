//! Scalar expressions of a kernel mean what they mean in Python: random ones, with the values
//! that CPython computed, from source text through the passes of a launch.

mod sema_common;

use std::collections::BTreeMap;

use kbc::diag::{ColorChoice, Sink, to_text};
use kbc::ir::{Bindings, Limits, Literal};
use kbc::passes;
use sema_common::compile;

const EXPRESSIONS: &str = include_str!("sema_common/scalars.txt");

const LIMITS: Limits =
    Limits { tcm_bytes: 1 << 20, tcm_total: 1 << 20, tcm_reserved: 0, unrolled_ops: 1000 };

/// What a launch with these arguments says of `assert expression == value`.
fn check(expression: &str, [n, m, value]: [i64; 3]) -> Vec<String> {
    let text = format!("def k(ptr, n, m, tl):\n    assert ({expression}) == {value}\n");
    let compiled = compile(&text);
    let Some(module) = &compiled.module else { return vec![compiled.text()] };
    let params = BTreeMap::from([("ptr", 0), ("n", n), ("m", m)]);
    let params = params.into_iter().map(|(name, it)| (name.to_owned(), Literal::Int(it)));
    let bindings = Bindings { params: params.collect(), num_programs: [1, 1, 1] };
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
