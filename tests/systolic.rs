//! The engines of a PE. The systolic option of the matrix engine against SCALE-Sim v3: the compute cycles of one GEMM
//! command, untiled, on arrays of 16 × 16 and 32 × 32 with each dataflow.
//!
//! A few points stand here; all 54 are read from the tables beside the project (`KBC_SHARED`, else
//! `../shared`) where there are any.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod outside;
mod sim_kit;

use std::fmt::Write as _;
use std::io::Write as _;

use kbc::diag::Sink;
use kbc::oplog::Engine;
use kbc::ops::{BinaryOp, CostClass, UnaryOp};
use kbc::source::SourceMap;
use kbc::topology::{Dataflow, MathParams, Systolic, load};
use sim_kit::*;

/// Rows and columns, the dataflow, m, n, k, and the cycles that SCALE-Sim counts.
type Point = (u32, Dataflow, [u64; 3], u64);

/// The time of one GEMM command, in cycles of 1 ns.
fn simulated(array: u32, dataflow: Dataflow, [m, n, k]: [u64; 3]) -> u64 {
    let mut pe = free_pe();
    pe.gemm.systolic = Some(Systolic { dataflow, rows: array, cols: array });
    let machine = ring_machine(1, pe, &link(INF, 0));
    let mut it = Writer::new();
    let (a, b, out) = (it.fresh(m * k * 4), it.fresh(k * n * 4), it.fresh(m * n * 4));
    it.gemm(out, a, b, [m, n, k]);
    let ran = run(&program(vec![it.done()]), &machine);
    let gemm = ran.records.iter().find(|it| it.engine == Engine::Gemm).unwrap();
    (gemm.end.0 - gemm.start.0) / 1000
}

fn check(points: &[Point]) -> String {
    let mut table = String::from("array dataflow     m    n    k  SCALE-Sim     kbc\n");
    let mut wrong = 0;
    for (array, dataflow, mnk, expected) in points {
        let found = simulated(*array, *dataflow, *mnk);
        let [m, n, k] = mnk;
        let (name, mark) = (dataflow.name(), if found == *expected { "" } else { "  WRONG" });
        wrong += u32::from(found != *expected);
        writeln!(
            table,
            "{array}x{array} {name:>8} {m:>5} {n:>4} {k:>4} {expected:>10} {found:>7}{mark}"
        )
        .unwrap();
    }
    assert_eq!(wrong, 0, "{table}");
    table
}

#[test]
fn some_points_are_exact() {
    use Dataflow::{InputStationary as IS, OutputStationary as OS, WeightStationary as WS};
    check(&[
        (16, OS, [256, 256, 256], 73_215),
        (16, WS, [256, 256, 256], 77_311),
        (16, OS, [100, 70, 50], 2_799),
        (16, WS, [100, 70, 50], 2_919),
        (16, IS, [100, 70, 50], 3_247),
        (16, OS, [1, 128, 256], 2_287),
        (16, IS, [1, 128, 256], 2_783),
        (32, WS, [128, 128, 128], 3_551),
        (32, WS, [512, 128, 64], 4_847),
        (32, IS, [64, 512, 128], 4_847),
        (32, OS, [16, 16, 16], 77),
    ]);
}

#[test]
fn a_fold_that_fits_is_filled_streamed_and_drained() {
    // By hand: 2 x 2, output stationary, 3 products summed. They enter the near corner in cycles
    // 0, 1 and 2 and the far one in 2, 3 and 4; the last cycle's number is what is counted.
    assert_eq!(simulated(2, Dataflow::OutputStationary, [2, 2, 3]), 4);
    // Weight stationary: 2 cycles to load its rows, then 3 rows of the left factor, as above.
    assert_eq!(simulated(2, Dataflow::WeightStationary, [3, 2, 2]), 6);
}

#[test]
fn all_points_of_the_table_are_exact() {
    let Some(text) = outside::table("scalesim_v3_gemm_cycles.csv") else { return };
    let point = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |at: usize| cells[at].parse::<u64>().unwrap();
        let array = cells[0].split('x').next().unwrap().parse().unwrap();
        let dataflow = Dataflow::ALL.into_iter().find(|it| it.name() == cells[1]).unwrap();
        (array, dataflow, [number(2), number(3), number(4)], number(6))
    };
    let points: Vec<Point> = text.lines().skip(1).map(point).collect();
    assert_eq!(points.len(), 54);
    let _ = write!(std::io::stderr(), "{}", check(&points));
}

fn math(attrs: &str) -> MathParams {
    let text =
        format!("cube: {{pe_template: {{components: {{pe_math: {{attrs: {{{attrs}}}}}}}}}}}");
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let file = sources.add("math.yaml", text);
    load(&sources, file, &mut sink).unwrap().params().math.clone()
}

#[test]
fn each_family_of_vector_ops_has_its_cycles() {
    let classes = [
        UnaryOp::Neg.cost_class(),
        UnaryOp::Tanh.cost_class(),
        UnaryOp::Log2.cost_class(),
        UnaryOp::Rsqrt.cost_class(),
        UnaryOp::Cos.cost_class(),
        BinaryOp::FloorDiv.cost_class(),
    ];
    let cycles = |attrs: &str| classes.map(|class| math(attrs).cycles(class));
    assert_eq!(cycles(""), [1, 4, 4, 4, 4, 4]);
    assert_eq!(cycles("transcendental: 6, families: {div: 2}"), [1, 6, 6, 6, 6, 2]);
    let all = "families: {exp: 3, log: 5, root: 7, trig: 9, div: auto}";
    assert_eq!(cycles(all), [1, 3, 5, 7, 9, 4]);
}

#[test]
fn a_command_takes_the_cycles_of_its_family() {
    let mut pe = free_pe();
    pe.math.families.trig = Some(9);
    let machine = ring_machine(1, pe, &link(INF, 0));
    // 1,000 elements on 64 lanes of 1 GHz: 16 passes.
    for (class, cycles) in [
        (CostClass::Simple, 16),
        (CostClass::Trigonometric, 16 * 9),
        (CostClass::Exponential, 16 * 4),
    ] {
        let mut it = Writer::new();
        let (a, b, out) = (it.fresh(4000), it.fresh(4000), it.fresh(4000));
        it.add(out, a, b, 1000);
        it.code.maths.iter_mut().for_each(|(_, spec)| spec.cost = class);
        let ran = run(&program(vec![it.done()]), &machine);
        assert_eq!(ran.outcome.time.0, cycles * 1000, "{class:?}");
    }
}
