//! Large and awkward kernels go through every pass in a moment: no pass is quadratic in what a file
//! can make long.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod support;

use kbc::ir::Limits;
use support::{bindings, limits, ran, ran_within};

const MANY: usize = 20_000;

fn kernel(ops: &str) -> String {
    format!(
        "kernel @k(%p: i64, %n: i64, %c: i1) {{\n  %zero = const 0 : i64\n  %one = const 1 : i64\n{ops}  return\n}}\n"
    )
}

const ARGUMENTS: &[(&str, i64)] = &[("p", 4096), ("n", 3), ("c", 1)];

/// Enough memory for every tile, and enough ops for every loop.
fn plenty() -> Limits {
    Limits { tcm_bytes: 1 << 40, tcm_total: 1 << 41, unrolled_ops: 1 << 20, ..limits() }
}

fn goes_through(ops: &str) {
    let ran = ran_within(&kernel(ops), &bindings(ARGUMENTS), &plenty());
    assert!(ran.result.is_ok(), "{}", ran.errors());
}

#[test]
fn many_tiles_live_at_once() {
    let loads: String = (0..MANY).map(|it| format!("  %t{it} = load %p : tile<4xf16>\n")).collect();
    let stores: String = (0..MANY).map(|it| format!("  store %p, %t{it}\n")).collect();
    goes_through(&(loads + &stores));
}

#[test]
fn many_tiles_that_must_share() {
    let steps: String =
        (1..MANY).map(|it| format!("  %t{it} = exp %t{} : tile<64xf16>\n", it - 1)).collect();
    let text =
        kernel(&format!("  %t0 = load %p : tile<64xf16>\n{steps}  store %p, %t{}\n", MANY - 1));
    let ran = ran(&text, ARGUMENTS);
    assert!(ran.result.is_ok(), "{}", ran.errors());
}

#[test]
fn many_messages_held_and_released() {
    let receives: String =
        (0..MANY).map(|it| format!("  %t{it} = recv \"W\" : tile<4xf16>\n")).collect();
    let sends: String = (0..MANY).map(|it| format!("  send \"E\", %t{it}\n")).collect();
    goes_through(&(receives + &sends));
}

#[test]
fn long_chains_of_views() {
    let views: String = (0..MANY / 2)
        .map(|it| {
            let (a, b) = (2 * it, 2 * it + 1);
            format!(
                "  %t{b} = transpose %t{a} [1, 0] : tile<8x1xf16>\n  %t{} = reshape %t{b} : tile<1x8xf16>\n",
                b + 1
            )
        })
        .collect();
    goes_through(&format!("  %t0 = load %p : tile<1x8xf16>\n{views}  store %p, %t{MANY}\n"));
}

#[test]
fn long_unrolled_loops() {
    goes_through(
        "  %many = const 40000 : i64\n  %t = load %p : tile<4xf16>\n  %u = for %i = %zero to %many step %one unroll carry (%x: tile<4xf16> = %t) {\n    %a = add %p, %i : i64\n    %y = load %a : tile<4xf16>\n    %z = add %x, %y : tile<4xf16>\n    yield %z\n  }\n  store %p, %u\n",
    );
}

#[test]
fn many_carried_tiles() {
    let loads: String = (0..400).map(|it| format!("  %t{it} = load %p : tile<4xf16>\n")).collect();
    let carried: Vec<String> = (0..400).map(|it| format!("%x{it}: tile<4xf16> = %t{it}")).collect();
    let results: Vec<String> = (0..400).map(|it| format!("%r{it}")).collect();
    // Every tile moves one place at each turn, so any may come to be anywhere.
    let turned: Vec<String> = (0..400).map(|it| format!("%x{}", (it + 1) % 400)).collect();
    let ops = format!(
        "{loads}  {} = for %i = %zero to %n step %one carry ({}) {{\n    yield {}\n  }}\n  store %p, %r0\n",
        results.join(", "),
        carried.join(", "),
        turned.join(", ")
    );
    goes_through(&ops);
}

#[test]
fn deep_nests_of_loops() {
    let mut ops = String::from("  %t = load %p : tile<4xf16>\n");
    for level in 0..90 {
        ops += &format!(
            "  for %i{level} = %zero to %n step %one {{\n  send \"E\", %t\n  %u{level} = recv \"W\" : tile<4xf16>\n"
        );
    }
    ops += &"  yield\n  }\n".repeat(90);
    goes_through(&ops);
}

/// A tile that each of `count` branches may replace.
fn branches(count: usize) -> String {
    let branches: String = (0..count)
        .map(|it| {
            format!("  %c{it} = lt %id, %one : i1\n  %t{} = if %c{it} -> (tile<4xf16>) {{\n    %u{it} = exp %t{it} : tile<4xf16>\n    yield %u{it}\n  }} else {{\n    yield %t{it}\n  }}\n", it + 1)
        })
        .collect();
    format!(
        "  %id = program_id 0 : i64\n  %t0 = load %p : tile<4xf16>\n{branches}  store %p, %t{count}\n"
    )
}

#[test]
fn many_branches_one_after_the_other() {
    goes_through(&branches(2_000));
}

#[test]
fn too_many_branches_are_refused() {
    let ran = ran_within(&kernel(&branches(6_000)), &bindings(ARGUMENTS), &plenty());
    assert!(ran.errors().contains("K0504"), "{}", ran.errors());
}
