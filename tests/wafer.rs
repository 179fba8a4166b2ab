//! Streaming reductions on a wafer: verified on data, and timed as "Near-Optimal Wafer-Scale Reduce"
//! says. The whole grid is `cargo bench --bench wafer`; docs/validation.md tells what is behind the
//! differences.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a test stops at the first surprise, and prints its table"
)]

mod wafer_table;

use wafer_table::{Algorithm, Table, xy_reduce};

/// The margin beyond which the best algorithm must be the formulas'.
const MARGIN: f64 = 0.10;

#[test]
fn reductions_take_the_time_of_their_formulas() {
    let mut table = Table::default();
    println!(
        "   P     B  star, chain, tree, two-phase, broadcast, ring: simulated, formula, apart"
    );
    for p in [4, 8, 16, 32, 64] {
        for b in [1, 16, 64, 256] {
            // Where there is little of it, the data is checked, too.
            println!("{}", table.row(p, b, p * b <= 1024));
        }
    }
    for (p, b) in [(4, 4096), (128, 16), (128, 1024), (256, 64), (512, 16), (512, 256)] {
        println!("{}", table.far_row(p, b));
    }
    println!("{}", table.summary());
    for (it, p, b, simulated, formula) in &table.cells {
        let apart = simulated / formula - 1.0;
        let good = match it {
            // The time itself: to a cycle, or to 4 %.
            Algorithm::Star | Algorithm::Chain | Algorithm::Broadcast | Algorithm::Ring => {
                apart.abs() <= 0.04 || (simulated - formula).abs() < 1.5
            }
            // The formula is an estimate; the least time is not.
            Algorithm::Tree | Algorithm::TwoPhase => {
                let least = it.least(*p, *b).unwrap();
                (simulated - least).abs() < 1.0
            }
        };
        assert!(good, "{it:?} of {b} on {p}: {simulated:.1}, the formula says {formula:.1}");
        // And the time itself, by a row of PEs that knows nothing of kbc.
        if p * p * b <= 1 << 20 {
            let reference = it.reference(*p, *b);
            let off = simulated - reference as f64;
            assert!(off.abs() < 0.5, "{it:?} of {b} on {p}: {simulated:.2}, not {reference}");
        }
    }
    for (p, b, simulated, formula, margin) in table.winners() {
        let same = simulated == formula || margin <= MARGIN;
        assert!(same, "{b} on {p}: {simulated:?}, the formulas say {formula:?} by {margin:.2}");
    }
}

#[test]
fn an_xy_reduce_is_two_chains_of_which_the_second_follows_the_first() {
    for (columns, rows, b) in [(4, 4, 1), (8, 2, 16), (4, 8, 64), (6, 3, 256)] {
        let (simulated, least) = xy_reduce(columns, rows, b);
        assert!((simulated - least).abs() < 1.0, "{columns} x {rows}, {b}: {simulated}, {least}");
        // The formula of the paper is that of two chains one after the other.
        let chain = |pes: u32| Algorithm::Chain.formula(pes, b);
        assert!(simulated <= chain(columns) + chain(rows) + 1.0, "{columns} x {rows}, {b}");
    }
}
