//! Times of all-reduce that MSCCL++ has published for nodes of 8 GPUs, and those of the same algorithms
//! on the machines that ship: what `tests/plans_published.rs` checks in part and `benches/plans.rs`
//! prints whole.

use kbc::driver::{LaunchOptions, Session, SimOptions, SimRequest};
use kbc::dtype::DType;
use kbc::import::Semantics;

use super::all_reduce::Algorithm;
use super::settings;

/// A published time.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// `a100x8` or `h100x8`.
    pub machine: &'static str,
    pub algorithm: Algorithm,
    pub bytes: u64,
    pub microseconds: f64,
    /// Whether a parameter of the machine was fitted to it.
    pub is_fitted: bool,
    /// Whether it is of the repository's regression targets; of a pull request or a chart otherwise.
    pub is_target: bool,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// `test/deploy/perf_ndmv4.jsonl`, `perf_ndmv5.jsonl` of microsoft/mscclpp at 1f5f065d.
const TARGETS: [(&str, Algorithm, u64, f64, bool); 11] = [
    ("a100x8", Algorithm::PacketsOnce, 8 * KIB, 6.51, true),
    ("a100x8", Algorithm::PacketsTwice, 24 * KIB, 7.24, false),
    ("a100x8", Algorithm::PacketsTwice, 48 * KIB, 7.91, false),
    ("a100x8", Algorithm::PacketsTwice, 72 * KIB, 8.28, false),
    ("a100x8", Algorithm::ReadAll, 16 * MIB, 156.81, false),
    ("a100x8", Algorithm::ReadAll, 32 * MIB, 288.65, false),
    ("a100x8", Algorithm::ReadInTurn, 48 * MIB, 397.79, false),
    ("a100x8", Algorithm::RingOnPorts, 1024 * MIB, 7701.98, true),
    ("h100x8", Algorithm::PacketsTwice, 24 * KIB, 6.18, true),
    ("h100x8", Algorithm::PacketsTwice, 48 * KIB, 6.62, false),
    ("h100x8", Algorithm::PacketsTwice, 72 * KIB, 6.91, false),
];

/// Pull request 169 of microsoft/mscclpp: 8 GPUs, A100 by its date.
const PULL_169: [(Algorithm, u64, f64); 7] = [
    (Algorithm::PacketsTwice, 96 * KIB, 8.34),
    (Algorithm::PacketsTwice, 192 * KIB, 9.75),
    (Algorithm::PacketsTwice, 288 * KIB, 11.34),
    (Algorithm::PacketsTwice, 384 * KIB, 12.99),
    (Algorithm::ReadInTurn, 18 * MIB, 160.3),
    (Algorithm::ReadInTurn, 24 * MIB, 207.5),
    (Algorithm::ReadInTurn, 36 * MIB, 302.0),
];

/// `docs/dsl/figs/single_node_allreduce_results_*.png`: microseconds from 8 KiB to 1 MiB, each size
/// twice the one before.
const CHART_TIMES: [f64; 8] = [6.46, 6.55, 6.55, 6.60, 6.79, 7.41, 8.31, 10.3];

/// The same: GB/s from 2 MiB to 1 GiB.
const CHART_RATES: [f64; 10] = [150., 190., 222., 246., 259., 266., 270., 273., 274., 275.];

/// Every point, machine by machine.
pub fn points() -> Vec<Point> {
    let target = |(machine, algorithm, bytes, microseconds, is_fitted)| Point {
        machine,
        algorithm,
        bytes,
        microseconds,
        is_fitted,
        is_target: true,
    };
    let other = |machine, algorithm, bytes, microseconds, is_fitted| Point {
        machine,
        algorithm,
        bytes,
        microseconds,
        is_fitted,
        is_target: false,
    };
    let chart = |bytes: u64, microseconds| {
        other("h100x8", Algorithm::Switch, bytes, microseconds, bytes == 1 << 30)
    };
    let times = CHART_TIMES.iter().zip(3..).map(|(time, power)| chart(KIB << power, *time));
    let rates = CHART_RATES.iter().zip(1..).map(|(rate, power)| {
        let bytes = MIB << power;
        chart(bytes, bytes as f64 / rate / 1e3)
    });
    let mut all: Vec<Point> = TARGETS.into_iter().map(target).collect();
    all.extend(
        PULL_169.into_iter().map(|(it, bytes, time)| other("a100x8", it, bytes, time, false)),
    );
    all.extend(times.chain(rates));
    all
}

impl Point {
    /// The time of a launch among others, in microseconds. Published ones are means of many launches,
    /// which CUDA graphs start one after the other.
    pub fn simulate(self) -> f64 {
        // Where a launch is long, what the first one has beside counts little.
        let more = if self.bytes <= 16 * MIB { 5 } else { 2 };
        let plan = self.algorithm.plan();
        let of = |launches| self.time(&plan, launches) as f64 / 1e6;
        (of(more) - of(1)) / f64::from(more - 1)
    }

    fn time(self, plan: &str, launches: u32) -> u64 {
        let machine = match self.machine {
            "a100x8" => include_str!("../../topology/a100x8.yaml"),
            _ => include_str!("../../topology/h100x8.yaml"),
        };
        let launch = LaunchOptions {
            plan: settings(self.bytes, DType::I32, launches, Semantics::Intent),
            topology: Some((format!("{}.yaml", self.machine), machine.to_owned())),
            ..LaunchOptions::default()
        };
        let sim = SimOptions { no_data: true, no_explain: true, ..SimOptions::default() };
        let mut session = Session::new();
        let unit = session.load("plan.json", plan.as_bytes()).expect("the plan is one");
        let request = SimRequest { unit: &unit, launch: &launch, sim: &sim };
        let report = session.simulate(request, &mut |_| {}).expect("the plan runs");
        report.launches.iter().map(|it| it.outcome.time.0).sum()
    }

    /// How far a time is from the published one, as a share of it.
    pub fn error(self, simulated: f64) -> f64 {
        simulated / self.microseconds - 1.0
    }

    /// A row of the table in docs/validation.md.
    pub fn row(self, simulated: f64) -> String {
        let size = match self.bytes {
            bytes if bytes < MIB => format!("{} KiB", bytes / KIB),
            bytes => format!("{} MiB", bytes / MIB),
        };
        let source = if self.is_target { "" } else { " †" };
        let fitted = if self.is_fitted { " \\*" } else { "" };
        format!(
            "| {} | {}{source} | {size} | {:.2} | {simulated:.2} | {:+.1} %{fitted} |",
            self.machine,
            self.algorithm.title(),
            self.microseconds,
            100.0 * self.error(simulated)
        )
    }
}

/// The mean of the sizes of errors.
pub fn mean(errors: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = errors.clone().count().max(1);
    errors.map(f64::abs).sum::<f64>() / count as f64
}
