//! How fast data is replayed: elementwise ops, conversions, reductions, products, copies.
//!
//! `cargo bench --bench replay`. Rates count the bytes that an op must read and write, and two
//! operations for each product of a matrix. `benches/replay_numpy.py` measures the same in NumPy.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

#[path = "../tests/replay_runs/kit.rs"]
#[expect(dead_code, reason = "the kit serves tests, too")]
mod kit;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use kbc::command::{GemmSpec, MathOp, Program, TileReg};
use kbc::diag::Sink;
use kbc::dtype::{DType, Rounding};
use kbc::oplog::Record;
use kbc::ops::{BinaryOp, ReduceOp, UnaryOp};
use kbc::replay::data::{Values, generate};
use kbc::replay::{Memory, Replay};
use kbc::shape::Shape;

use kit::{Choices, CodeKit, dense, line, log, program, tensor};

/// Elements of a tile: 4 MiB of `f32`, far larger than the second-level cache.
const ELEMENTS: u64 = 1 << 20;

fn main() {
    divan::main();
}

/// Loads `tiles` tiles of `elements` of `dtype`, then runs what `build` adds; only that is timed.
struct Run {
    program: Program,
    records: Vec<Record>,
    setup: usize,
}

impl Run {
    fn new(
        (dtype, elements, tiles): (DType, u64, u64),
        build: impl Fn(&mut CodeKit, &[TileReg]),
    ) -> Run {
        let mut code = CodeKit::new();
        let bytes = elements * dtype.bytes();
        let base = |tile: u64| 0x1_0000_0000 * (tile + 1);
        let loaded: Vec<TileReg> =
            (0..tiles).map(|tile| code.read(base(tile), line(elements, dtype))).collect();
        build(&mut code, &loaded);
        let regions = (0..tiles).map(|tile| tensor("x", base(tile), bytes)).collect();
        let program = program(vec![code], regions, 1, 0);
        let records = log(&program, &mut Choices(1));
        Run { program, records, setup: tiles as usize }
    }

    /// A replay whose tiles are loaded, and whose results have been computed once.
    fn ready(&self, dtype: DType) -> Replay<'_> {
        let mut memory = Memory::new(self.program.memory.clone());
        let values = if dtype.is_float() {
            Values::Uniform { low: 0.5, high: 1.5 }
        } else {
            Values::Integers { low: 1, high: 100 }
        };
        for region in self.program.memory.regions() {
            let bytes = generate(dtype, region.bytes / dtype.bytes(), values, region.base);
            memory.write(None, region.base, &bytes).expect("the region is there");
        }
        let mut replay = Replay::new(&self.program, memory);
        replay.advance(&self.records[..self.setup], &mut Sink::new());
        replay
    }

    /// Times the replay of what comes after the loads.
    fn time(&self, bencher: Bencher<'_, '_>, dtype: DType) {
        bencher.with_inputs(|| self.ready(dtype)).bench_local_refs(|replay| {
            replay.advance(black_box(&self.records[self.setup..]), &mut Sink::new());
        });
    }
}

/// So often each op is run on the same tiles, so that pages are touched for the first time once
/// in so many runs.
const TIMES: u64 = 8;

fn elementwise(bencher: Bencher<'_, '_>, op: MathOp, (from, to): (DType, DType), args: u64) {
    let run = Run::new((from, ELEMENTS, args), |code, tiles| {
        let shape = Shape::new([ELEMENTS]);
        let out = code.elementwise(op, (from, to), &shape, tiles);
        for _ in 1..TIMES {
            code.math_into(dense(op, (from, to), &shape, tiles.len()), &kit::args(tiles), out);
        }
    });
    let bytes = ELEMENTS * (args * from.bytes() + to.bytes()) * TIMES;
    let bencher =
        bencher.counter(BytesCount::new(bytes)).counter(ItemsCount::new(ELEMENTS * TIMES));
    run.time(bencher, from);
}

#[divan::bench(args = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::I8])]
fn add(bencher: Bencher<'_, '_>, dtype: DType) {
    elementwise(bencher, MathOp::Binary(BinaryOp::Add), (dtype, dtype), 2);
}

#[divan::bench(args = ["exp", "exp2", "log", "sqrt", "tanh", "sigmoid", "sin", "erf"])]
fn unary(bencher: Bencher<'_, '_>, name: &str) {
    let op = UnaryOp::from_name(name).expect("the op is there");
    elementwise(bencher, MathOp::Unary(op), (DType::F32, DType::F32), 1);
}

#[divan::bench(args = [(DType::F16, DType::F32), (DType::F32, DType::F16), (DType::F32, DType::F8E4M3)])]
fn cast(bencher: Bencher<'_, '_>, types: (DType, DType)) {
    elementwise(bencher, MathOp::Cast(Rounding::NearestEven), types, 1);
}

#[divan::bench(args = [(0, DType::F32), (1, DType::F32), (1, DType::F16)])]
fn sum(bencher: Bencher<'_, '_>, (axis, dtype): (u32, DType)) {
    let shape = Shape::new([1024, ELEMENTS / 1024]);
    let run = Run::new((dtype, ELEMENTS, 1), |code, tiles| {
        let op = MathOp::Reduce(ReduceOp::Sum, Some(axis));
        for _ in 0..TIMES {
            code.elementwise(op, (dtype, dtype), &shape, tiles);
        }
    });
    run.time(bencher.counter(BytesCount::new(ELEMENTS * dtype.bytes() * TIMES)), dtype);
}

#[divan::bench]
fn load_and_store(bencher: Bencher<'_, '_>) {
    let run = Run::new((DType::F32, ELEMENTS, 2), |code, tiles| {
        for _ in 0..TIMES {
            code.write(0x2_0000_0000, line(ELEMENTS, DType::F32), tiles[0]);
        }
    });
    run.time(bencher.counter(BytesCount::new(2 * ELEMENTS * 4 * TIMES)), DType::F32);
}

#[divan::bench(args = [
    (64, DType::F32, DType::F32),
    (256, DType::F32, DType::F32),
    (512, DType::F32, DType::F32),
    (1024, DType::F32, DType::F32),
    (1024, DType::F16, DType::F32),
    (512, DType::F64, DType::F64),
    (512, DType::I8, DType::I32),
])]
fn matmul(bencher: Bencher<'_, '_>, (side, input, out): (u64, DType, DType)) {
    let spec = GemmSpec::dense([side; 3], input, out);
    let run = Run::new((input, side * side, 2), |code, tiles| {
        code.gemm(spec.clone(), tiles[0], tiles[1], None);
    });
    run.time(bencher.counter(ItemsCount::new(2 * side * side * side)), input);
}
