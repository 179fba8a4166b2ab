//! The whole grid of `tests/wafer.rs`: reductions on a row of a wafer beside the formulas of
//! "Near-Optimal Wafer-Scale Reduce". `cargo bench --bench wafer`; `-- 64 256` for rows up to 64 PEs
//! and vectors up to 256 elements.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark stops at the first surprise, and prints its table"
)]

#[path = "../tests/wafer_table/mod.rs"]
mod wafer_table;

use std::time::Instant;

use wafer_table::{Algorithm, Table, groupings, row};

fn main() {
    let limits: Vec<u32> = std::env::args().filter_map(|it| it.parse().ok()).collect();
    let most = |index: usize, all: u32| limits.get(index).copied().unwrap_or(all);
    let rows = [4, 8, 16, 32, 64, 128, 256, 512].into_iter().filter(|p| *p <= most(0, 512));
    let vectors = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
    let vectors: Vec<u32> = vectors.into_iter().filter(|b| *b <= most(1, 4096)).collect();
    let begun = Instant::now();
    let mut table = Table::default();
    for p in rows {
        for b in &vectors {
            // Stars on long rows are very many messages.
            let long = u64::from(p) * u64::from(p) * u64::from(*b) > 1 << 26;
            let row = if long { table.far_row(p, *b) } else { table.row(p, *b, false) };
            println!("{row}");
        }
    }
    println!("{}", table.summary());
    for (p, b, simulated, formula, margin) in table.winners() {
        if simulated != formula {
            let margin = 100.0 * margin;
            println!(
                "{b} on {p}: {simulated:?} wins, {formula:?} by the formulas, by {margin:.1} %"
            );
        }
    }
    for (it, p, b, simulated, _) in &table.cells {
        let apart = it.least(*p, *b).map_or(0.0, |least| simulated - least);
        if apart.abs() >= 1.0 {
            println!("{it:?} of {b} on {p}: {simulated:.1} cycles, {apart:+.1} of the least");
        }
    }
    for it in [Algorithm::Tree, Algorithm::TwoPhase] {
        let [below, above] = table.outside(it);
        println!(
            "{it:?}: the formula is below the least time at {} points: {}",
            below.len(),
            list(&below)
        );
        println!(
            "{it:?}: the kernel is faster than the formula at {} points: {}",
            above.len(),
            list(&above)
        );
    }
    check_with_row(&table);
    other_choices(&table);
    println!("{:.1} s", begun.elapsed().as_secs_f64());
}

fn list(points: &[(u32, u32, f64)]) -> String {
    let one = |(p, b, error): &(u32, u32, f64)| format!("{p}, {b} ({:+.1} %)", error * 100.0);
    points.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Compares every point with the row that knows nothing of kbc, where that takes no minutes.
fn check_with_row(table: &Table) {
    let (mut compared, mut worst) = (0, 0.0f64);
    for (it, p, b, simulated, _) in &table.cells {
        if u64::from(*p) * u64::from(*p) * u64::from(*b) <= 1 << 24 {
            compared += 1;
            worst = worst.max((simulated - it.reference(*p, *b) as f64).abs());
        }
    }
    println!(
        "{compared} of {} points compared with a row of PEs, cycle by cycle: at most {worst:.2} cycles apart",
        table.cells.len()
    );
}

/// How near other groupings, and trees whose sums are sent whole, come to the formulas: by the row.
fn other_choices(table: &Table) {
    let points: Vec<(u32, u32)> = table
        .cells
        .iter()
        .filter(|it| it.0 == Algorithm::TwoPhase)
        .map(|it| (it.1, it.2))
        .collect();
    let show = |name: &str, it: Algorithm, time: &dyn Fn(u32, u32) -> u64| {
        let off = |(p, b): &(u32, u32)| {
            let (time, formula) = (time(*p, *b) as f64, it.formula(*p, *b));
            (time / formula - 1.0, (time - formula).abs() < 1.5)
        };
        let off: Vec<(f64, bool)> = points.iter().map(off).collect();
        let good = off.iter().filter(|it| it.0.abs() <= 0.04 || it.1).count();
        let mean = off.iter().map(|it| it.0.abs()).sum::<f64>() / off.len() as f64 * 100.0;
        let [least, most] =
            [f64::min, f64::max].map(|best| off.iter().map(|it| it.0).fold(0.0, best) * 100.0);
        println!(
            "{name:70} {good:3} of {} {least:+6.1} % to {most:+5.1} %, mean {mean:.2} %",
            points.len()
        );
    };
    let names: Vec<&str> = groupings(16, 1).into_iter().map(|it| it.0).collect();
    for (at, name) in names.into_iter().enumerate() {
        show(name, Algorithm::TwoPhase, &|p, b| row::two_phase(&groupings(p, b)[at].1, b));
    }
    show("tree, sums as they come (the kernel)", Algorithm::Tree, &|p, b| row::tree(p, b, false));
    show("tree, sums when they are whole", Algorithm::Tree, &|p, b| row::tree(p, b, true));
}
