//! Reductions on a row of a wafer beside the formulas of "Near-Optimal Wafer-Scale Reduce"
//! (Luczynski et al., HPDC 2024, arXiv 2404.15888): what `tests/wafer.rs` checks on a part of the grid
//! and `benches/wafer.rs` prints for all of it.

#![allow(dead_code, reason = "each binary uses its own part of this")]

#[path = "../wafer_row/mod.rs"]
pub mod row;

use kbc::driver::{Data, LaunchOptions, Session, SimOptions, SimRequest};

/// The ramp between a PE and its router, in cycles.
const T_R: f64 = 2.0;

/// Picoseconds of a cycle, at 850 MHz.
const CYCLE: f64 = 1e6 / 850.0;

/// A kernel and its formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    Star,
    Chain,
    Tree,
    TwoPhase,
    Broadcast,
    Ring,
}

pub const ALL: [Algorithm; 6] = [
    Algorithm::Star,
    Algorithm::Chain,
    Algorithm::Tree,
    Algorithm::TwoPhase,
    Algorithm::Broadcast,
    Algorithm::Ring,
];

/// Those that reduce to one PE, of which one is the best.
pub const REDUCES: [Algorithm; 4] =
    [Algorithm::Star, Algorithm::Chain, Algorithm::Tree, Algorithm::TwoPhase];

impl Algorithm {
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Star => "star_reduce",
            Algorithm::Chain => "chain_reduce",
            Algorithm::Tree => "tree_reduce",
            Algorithm::TwoPhase => "two_phase_reduce",
            Algorithm::Broadcast => "broadcast",
            Algorithm::Ring => "ring_allreduce",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Algorithm::Star => include_str!("../../kernels/wafer/star_reduce.kb"),
            Algorithm::Chain => include_str!("../../kernels/wafer/chain_reduce.kb"),
            Algorithm::Tree => include_str!("../../kernels/wafer/tree_reduce.kb"),
            Algorithm::TwoPhase => include_str!("../../kernels/wafer/two_phase_reduce.kb"),
            Algorithm::Broadcast => include_str!("../../kernels/wafer/broadcast.kb"),
            Algorithm::Ring => include_str!("../../kernels/wafer/ring_allreduce.kb"),
        }
    }

    /// The formula, in cycles, for `p` PEs and `b` elements.
    pub fn formula(self, p: u32, b: u32) -> f64 {
        let (p, b) = (f64::from(p), f64::from(b));
        let step = 2.0 * T_R + 1.0;
        let (rounds, side) = (p.log2(), p.sqrt());
        match self {
            Algorithm::Star => b * (p - 1.0) + step,
            Algorithm::Chain => b + (step + 1.0) * (p - 1.0),
            Algorithm::Tree => {
                let energy = b * p * rounds / (2.0 * (p - 1.0)) + p - 1.0;
                (b * rounds).max(energy) + step * rounds
            }
            Algorithm::TwoPhase => {
                let energy = 2.0 * b * side / (side + 1.0) + p - 1.0;
                (2.0 * b).max(energy) + step * (2.0 * side - 2.0)
            }
            Algorithm::Broadcast => b + p + 2.0 * T_R,
            Algorithm::Ring => 2.0 * (p - 1.0) * b / p + 4.0 * p - 6.0 + 2.0 * (p - 1.0) * step,
        }
    }

    /// The least time that its messages allow, in cycles, where the formula is only an estimate: a
    /// ramp takes one element a cycle, and a vector cannot start on it before its first element is
    /// there. docs/validation.md derives it.
    pub fn least(self, p: u32, b: u32) -> Option<f64> {
        match self {
            Algorithm::Tree => Some(least_of_tree(p.ilog2(), f64::from(b))),
            Algorithm::TwoPhase => Some(least_of_two_phase(p, f64::from(b))),
            Algorithm::Star | Algorithm::Chain | Algorithm::Broadcast | Algorithm::Ring => None,
        }
    }

    /// What the row of `row` takes, cycle by cycle, without kbc.
    pub fn reference(self, p: u32, b: u32) -> u64 {
        match self {
            Algorithm::Star => row::star(p, b),
            Algorithm::Chain => row::chain(p, b),
            Algorithm::Tree => row::tree(p, b, false),
            Algorithm::TwoPhase => row::two_phase(&groups_of(p), b),
            Algorithm::Broadcast => row::broadcast(p, b),
            Algorithm::Ring => row::ring(p, b),
        }
    }

    /// Whether it is for these sizes.
    pub fn takes(self, p: u32, b: u32) -> bool {
        match self {
            Algorithm::Ring => b.is_multiple_of(p),
            Algorithm::Tree => p.is_power_of_two(),
            Algorithm::Star | Algorithm::Chain | Algorithm::TwoPhase | Algorithm::Broadcast => true,
        }
    }

    /// Elements that are stored at the end, which the formulas leave out.
    fn stored(self, p: u32, b: u32) -> u32 {
        if self == Algorithm::Ring { b / p } else { b }
    }

    /// The simulated time in cycles, without the store of the result; see [`simulate`].
    pub fn simulate(self, p: u32, b: u32, data: bool) -> f64 {
        let settings = vec![("n_elem".into(), b.to_string())];
        let cycles = simulate((self.name(), self.text()), [p, 1], settings, data);
        cycles - f64::from(self.stored(p, b))
    }
}

/// From the first element of what a PE receives to that of what it passes on, at a PE so many hops
/// away: both ramps, the addition, the hops.
fn passed(hops: u32) -> f64 {
    2.0 * T_R + 1.0 + f64::from(hops)
}

/// A PE receives one vector from each level below its own. The one of level `k` begins when the one
/// before is over, and no sooner than `k` levels down allow.
fn least_of_tree(levels: u32, b: f64) -> f64 {
    let mut begins = passed(1);
    for level in 1..levels {
        begins = (begins + b).max(begins + passed(1 << level));
    }
    begins + b
}

/// PEs of each group, from the root on, as in the kernel: as many groups as the whole root.
fn groups_of(p: u32) -> Vec<u32> {
    let count = p.isqrt();
    (0..count).map(|it| p / count + u32::from(it < p % count)).collect()
}

/// Cycles from which on the sum of a chain comes to its first PE.
fn chain_of(pes: u32) -> f64 {
    f64::from(pes - 1) * passed(1)
}

/// When the sum of the groups behind comes to the first PE of `group`, where it has received its own group's by
/// then; `behind` is the same for the group behind.
fn behind_group(group: u32, behind: f64, b: f64) -> f64 {
    let own = if group > 1 { chain_of(group) + b } else { 0.0 };
    own.max(behind + passed(group))
}

/// The first PE of each group receives its group's vector and then the other groups', which wait
/// for that.
pub fn least_of_groups(groups: &[u32], b: f64) -> f64 {
    let (last, before) = groups.split_last().unwrap();
    before.iter().rev().fold(chain_of(*last), |behind, group| behind_group(*group, behind, b)) + b
}

fn least_of_two_phase(p: u32, b: f64) -> f64 {
    least_of_groups(&groups_of(p), b)
}

/// The sizes of so many groups of `p` PEs, of at least `smallest`, that take the least time there is, by trying all: what
/// the groups behind take counts only as a whole, so the best of fewer PEs is part of the best of more.
pub fn best_groups(p: u32, b: f64, (count, smallest): (u32, u32)) -> Option<Vec<u32>> {
    let mut best: Vec<Option<(f64, Vec<u32>)>> =
        (0..=p).map(|pes| (pes >= smallest).then(|| (chain_of(pes.max(1)), vec![pes]))).collect();
    for _ in 1..count {
        let longer = |pes: u32| {
            let with = |group: u32| {
                let (behind, groups) = best[(pes - group) as usize].as_ref()?;
                Some((behind_group(group, *behind, b), group, groups))
            };
            let found = (smallest..pes).filter_map(with).min_by(|x, y| x.0.total_cmp(&y.0));
            found.map(|(time, group, groups)| (time, [&[group], &groups[..]].concat()))
        };
        best = (0..=p).map(longer).collect();
    }
    best.pop()?.map(|it| it.1)
}

/// Ways to group `p` PEs, by name, for two phases.
pub fn groupings(p: u32, b: u32) -> Vec<(&'static str, Vec<u32>)> {
    let (root, above) = (p.isqrt(), f64::from(p).sqrt().ceil() as u32);
    let of_size = |size: u32| {
        let rest = (!p.is_multiple_of(size)).then_some(p % size);
        (vec![size; (p / size) as usize], rest)
    };
    let [(small, small_rest), (large, large_rest)] = [root, above].map(of_size);
    let after = |groups: &[u32], rest: Option<u32>| groups.iter().copied().chain(rest).collect();
    let first = |groups: &[u32], rest: Option<u32>| {
        rest.into_iter().chain(groups.iter().copied()).collect()
    };
    let best = |smallest| best_groups(p, f64::from(b), (root, smallest)).unwrap();
    vec![
        ("as many groups as the whole root, the larger ones first (the kernel)", groups_of(p)),
        ("the same, the larger ones last", groups_of(p).into_iter().rev().collect()),
        ("groups of the whole root, the rest first", first(&small, small_rest)),
        ("groups of the whole root, the rest last", after(&small, small_rest)),
        ("groups of the root rounded up, the rest first", first(&large, large_rest)),
        ("groups of the root rounded up, the rest last", after(&large, large_rest)),
        ("as many groups as the whole root, of the best sizes from 2 on", best(2)),
        ("as many groups as the whole root, of the best sizes", best(1)),
    ]
}

/// The cycles of a kernel on so many columns and rows of the wafer. The data has been verified where
/// `data` asks for it.
fn simulate(
    (name, text): (&str, &str),
    [columns, rows]: [u32; 2],
    settings: Vec<(String, String)>,
    data: bool,
) -> f64 {
    let mut session = Session::new();
    let machine = include_str!("../../topology/wafer.yaml");
    let machine = machine.replace("count: [32, 32]", &format!("count: [{columns}, {rows}]"));
    let loaded = session.load(&format!("{name}.kb"), text.as_bytes());
    let launch = LaunchOptions {
        world: Some(columns * rows),
        settings,
        topology: Some(("wafer.yaml".into(), machine)),
        ..LaunchOptions::default()
    };
    let options = SimOptions { no_data: !data, ..SimOptions::default() };
    let unit = loaded.unwrap();
    let request = SimRequest { unit: &unit, launch: &launch, sim: &options };
    let report = match session.simulate(request, &mut |_| {}) {
        Ok(report) => report,
        Err(error) => panic!("{name} {columns} {rows}: {error:?} {:?}", session.take_diagnostics()),
    };
    if data {
        assert!(matches!(report.data, Data::Verified { .. }), "{name} {columns} {rows}");
    }
    report.launches[0].outcome.time.0 as f64 / CYCLE
}

/// The cycles of an X-Y reduce without the store, verified, and the least it can take: chains along
/// rows, then one whose PEs have to receive both.
pub fn xy_reduce(columns: u32, rows: u32, b: u32) -> (f64, f64) {
    let settings = vec![("n_elem".into(), b.to_string()), ("columns".into(), columns.to_string())];
    let text = include_str!("../../kernels/wafer/xy_reduce.kb");
    let cycles = simulate(("xy_reduce", text), [columns, rows], settings, true);
    let (row, b) = (f64::from(columns - 1) * passed(1), f64::from(b));
    let mut begins = row;
    for _ in 1..rows {
        begins = (row + b).max(begins + passed(1));
    }
    (cycles - b, begins + b)
}

/// What has been simulated.
#[derive(Debug, Default)]
pub struct Table {
    /// By algorithm, PEs and elements: simulated and by the formula.
    pub cells: Vec<(Algorithm, u32, u32, f64, f64)>,
}

impl Table {
    /// Simulates a row, and gives it as text: for each algorithm the simulated cycles, those of the
    /// formula, and how far apart they are.
    pub fn row(&mut self, p: u32, b: u32, data: bool) -> String {
        let mut line = format!("{p:>4} {b:>5}");
        for it in ALL {
            if !it.takes(p, b) {
                line += &format!("  {:>26}", "-");
                continue;
            }
            let (simulated, formula) = (it.simulate(p, b, data), it.formula(p, b));
            let apart = 100.0 * (simulated / formula - 1.0);
            line += &format!("  {simulated:>9.0} {formula:>9.0} {apart:>+5.1}%");
            self.cells.push((it, p, b, simulated, formula));
        }
        line
    }

    /// The same of all but stars, which are many messages on a long row.
    pub fn far_row(&mut self, p: u32, b: u32) -> String {
        let mut line = format!("{p:>4} {b:>5}");
        for it in ALL.into_iter().filter(|it| *it != Algorithm::Star && it.takes(p, b)) {
            let (simulated, formula) = (it.simulate(p, b, false), it.formula(p, b));
            let apart = 100.0 * (simulated / formula - 1.0);
            line += &format!("  {} {simulated:.0} {formula:.0} {apart:+.1}%", it.name());
            self.cells.push((it, p, b, simulated, formula));
        }
        line
    }

    /// How far each algorithm is from its formula.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for it in ALL {
            let apart = self.cells.iter().filter(|cell| cell.0 == it).map(|cell| {
                let (simulated, formula) = (cell.3, cell.4);
                (simulated / formula - 1.0, (simulated - formula).abs() < 1.5)
            });
            let apart: Vec<(f64, bool)> = apart.collect();
            let good = apart.iter().filter(|(error, cycle)| error.abs() <= 0.04 || *cycle).count();
            let least = apart.iter().map(|it| it.0).fold(f64::INFINITY, f64::min);
            let most = apart.iter().map(|it| it.0).fold(f64::NEG_INFINITY, f64::max);
            let (name, all) = (it.name(), apart.len());
            let (least, most) = (100.0 * least, 100.0 * most);
            let mean = apart.iter().map(|it| it.0.abs()).sum::<f64>() / all as f64 * 100.0;
            text += &format!(
                "{name:<18} {good:>3} of {all:>3} within 4 % or a cycle, {least:+5.1} % to {most:+4.1} %, mean of all {mean:.2} %\n"
            );
        }
        text
    }

    /// Points that are farther from their formula than 4 % and a cycle and a half: those where the formula is below
    /// the least time that the algorithm's messages allow, and those where the kernel is faster than the formula.
    pub fn outside(&self, it: Algorithm) -> [Vec<(u32, u32, f64)>; 2] {
        let mut lists = [Vec::new(), Vec::new()];
        for (_, p, b, simulated, formula) in self.cells.iter().filter(|cell| cell.0 == it) {
            let error = simulated / formula - 1.0;
            if error.abs() > 0.04 && (simulated - formula).abs() >= 1.5 {
                lists[usize::from(error < 0.0)].push((*p, *b, error));
            }
        }
        lists
    }

    /// The best reduction of each row by the simulation and by the formulas, and by how much the
    /// latter wins there.
    pub fn winners(&self) -> Vec<(u32, u32, Algorithm, Algorithm, f64)> {
        let mut rows: Vec<(u32, u32)> = self.cells.iter().map(|cell| (cell.1, cell.2)).collect();
        rows.dedup();
        let winner = |(p, b): (u32, u32)| {
            let of_row = |cell: &&(Algorithm, u32, u32, f64, f64)| {
                (cell.1, cell.2) == (p, b) && REDUCES.contains(&cell.0)
            };
            let mut cells: Vec<_> = self.cells.iter().filter(of_row).copied().collect();
            cells.sort_by(|x, y| x.3.total_cmp(&y.3));
            let simulated = cells[0].0;
            cells.sort_by(|x, y| x.4.total_cmp(&y.4));
            (p, b, simulated, cells[0].0, cells[1].4 / cells[0].4 - 1.0)
        };
        rows.into_iter().map(winner).collect()
    }
}
