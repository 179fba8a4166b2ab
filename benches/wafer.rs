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

fn main() {
    let limits: Vec<u32> = std::env::args().filter_map(|it| it.parse().ok()).collect();
    let most = |index: usize, all: u32| limits.get(index).copied().unwrap_or(all);
    let rows = [4, 8, 16, 32, 64, 128, 256, 512].into_iter().filter(|p| *p <= most(0, 512));
    let vectors = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
    let vectors: Vec<u32> = vectors.into_iter().filter(|b| *b <= most(1, 4096)).collect();
    let begun = Instant::now();
    let mut table = wafer_table::Table::default();
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
    println!("{:.1} s", begun.elapsed().as_secs_f64());
}
