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

use wafer_table::{Algorithm, Table, best_groups, groupings, least_of_groups, row, xy_reduce};

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

/// What the groups of two phases take, against the row and against each other.
#[test]
fn groups_take_their_least_time_and_the_best_ones_are_found() {
    for p in [8, 16, 30] {
        for b in [1, 16, 64, 256] {
            for (name, groups) in groupings(p, b) {
                let (least, row) =
                    (least_of_groups(&groups, f64::from(b)), row::two_phase(&groups, b));
                // Beside the best groups two vectors may come to a link in the same cycle.
                let ties = if name.contains("best") { 1.0 } else { 0.0 };
                let over = row as f64 - least;
                assert!((0.0..=ties).contains(&over), "{name}: {b} on {groups:?}, {row}, {least}");
            }
        }
    }
    // Every way to cut 9 PEs into groups, by where the cuts are.
    for b in [1, 8, 32, 128] {
        for count in 1..=9 {
            let cut = |cuts: u32| {
                let mut groups = vec![1];
                for at in 0..8 {
                    if cuts >> at & 1 == 1 {
                        groups.push(1)
                    } else {
                        *groups.last_mut().unwrap() += 1
                    }
                }
                groups
            };
            let ways = (0..1 << 8).filter(|cuts: &u32| cuts.count_ones() + 1 == count).map(cut);
            let best = ways.map(|groups| row::two_phase(&groups, b)).min().unwrap();
            let found = best_groups(9, f64::from(b), (count, 1)).unwrap();
            assert_eq!(row::two_phase(&found, b), best, "{count} groups, {b}: {found:?}");
        }
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
