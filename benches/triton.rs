//! How fast a Triton kernel runs here: the three rows of PEERS.md on small tiles, on the default
//! machine of 256 PEs.
//!
//! `cargo bench --bench triton` prints, for each kernel, what compiling, simulating and replaying
//! take, how many events and commands that is, and how many times faster than Triton's interpreter
//! (3.9.0, one thread, the same kind of machine) the replay and the whole run are. A check compiles.
//! A run tells when it has simulated; what follows is the report, and with data the replay, which is
//! what a run with data takes longer there than one without.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench stops at the first surprise, prints, and reads the clock"
)]

use std::time::Instant;

use divan::Bencher;
use kbc::driver::{
    Argument, ArgumentValue, LaunchOptions, Session, SimOptions, SimReport, SimRequest, TensorValue,
};
use kbc::dtype::DType;
use kbc::host::Scalar;
use kbc::replay::data::{Values, generate};
use kbc::shape::Shape;

const ADD: &str = r#"
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offsets < n
    x = tl.load(x_ptr + offsets, mask=mask)
    y = tl.load(y_ptr + offsets, mask=mask)
    tl.store(out_ptr + offsets, x + y, mask=mask)
"#;

const SOFTMAX: &str = r#"
import triton
import triton.language as tl


@triton.jit
def kernel(x_ptr, out_ptr, stride, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    mask = offsets < columns
    x = tl.load(x_ptr + row * stride + offsets, mask=mask, other=-float("inf"))
    powers = tl.exp(x - tl.max(x, axis=0))
    tl.store(out_ptr + row * stride + offsets, powers / tl.sum(powers, axis=0), mask=mask)
"#;

const MATMUL: &str = r#"
import triton
import triton.language as tl


@triton.jit
def kernel(a_ptr, b_ptr, c_ptr, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    inner = tl.arange(0, BK)
    a_ptrs = a_ptr + rows[:, None] * K + inner[None, :]
    b_ptrs = b_ptr + inner[:, None] * N + columns[None, :]
    acc = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(0, tl.cdiv(K, BK)):
        a = tl.load(a_ptrs, mask=inner[None, :] < K - k * BK, other=0.0)
        b = tl.load(b_ptrs, mask=inner[:, None] < K - k * BK, other=0.0)
        acc = tl.dot(a, b, acc)
        a_ptrs += BK
        b_ptrs += BK * N
    mask = (rows[:, None] < M) & (columns[None, :] < N)
    tl.store(c_ptr + rows[:, None] * N + columns[None, :], acc.to(tl.float16), mask=mask)
"#;

/// A kernel, its launch, and the seconds that Triton's interpreter takes (the best of two runs).
struct Row {
    name: &'static str,
    text: &'static str,
    interpreter_s: f64,
    launch: LaunchOptions,
}

fn tensor(name: &str, shape: &[u64], dtype: DType, seed: u64) -> Argument {
    let shape = Shape(shape.to_vec());
    let bytes = Some(generate(dtype, shape.elements(), Values::Normal, seed));
    let value = ArgumentValue::Tensor(TensorValue { dtype, shape, bytes });
    Argument { name: name.into(), value }
}

fn int(name: &str, value: i64) -> Argument {
    Argument { name: name.into(), value: ArgumentValue::Scalar(Scalar::Int(value), None) }
}

fn launch(grid: [u32; 3], arguments: Vec<Argument>, set: &[(&str, u32)]) -> LaunchOptions {
    let settings = set.iter().map(|(name, value)| ((*name).into(), value.to_string())).collect();
    LaunchOptions { grid: Some(grid), arguments, settings, ..LaunchOptions::default() }
}

fn add() -> Row {
    let n = 1 << 20;
    let arguments = vec![
        tensor("x_ptr", &[n], DType::F32, 1),
        tensor("y_ptr", &[n], DType::F32, 2),
        tensor("out_ptr", &[n], DType::F32, 3),
        int("n", n as i64),
    ];
    let launch = launch([1024, 1, 1], arguments, &[("BLOCK", 1024)]);
    Row { name: "vector add 1 Mi, block 1,024", text: ADD, interpreter_s: 0.83, launch }
}

fn softmax() -> Row {
    let arguments = vec![
        tensor("x_ptr", &[1024, 1024], DType::F32, 1),
        tensor("out_ptr", &[1024, 1024], DType::F32, 2),
        int("stride", 1024),
        int("columns", 1024),
    ];
    let launch = launch([1024, 1, 1], arguments, &[("BLOCK", 1024)]);
    Row { name: "softmax 1,024 x 1,024", text: SOFTMAX, interpreter_s: 2.0, launch }
}

fn matmul() -> Row {
    let arguments = vec![
        tensor("a_ptr", &[512, 512], DType::F16, 1),
        tensor("b_ptr", &[512, 512], DType::F16, 2),
        tensor("c_ptr", &[512, 512], DType::F16, 3),
        int("M", 512),
        int("N", 512),
        int("K", 512),
    ];
    let launch = launch([8, 8, 1], arguments, &[("BM", 64), ("BN", 64), ("BK", 32)]);
    Row { name: "matmul 512^3 f16, tiles 64x64x32", text: MATMUL, interpreter_s: 1.9, launch }
}

/// How far a row is taken.
#[derive(Clone, Copy, Debug)]
enum Depth {
    Compile,
    Simulate,
    Replay,
}

fn run(row: &Row, depth: Depth, simulated: &mut (dyn FnMut() + Send)) -> Option<SimReport> {
    let mut session = Session::new();
    let unit = session.load("kernel.py", row.text.as_bytes()).expect("the kernel parses");
    if matches!(depth, Depth::Compile) {
        session.check(&unit, &row.launch).expect("the kernel is right");
        return None;
    }
    let no_data = matches!(depth, Depth::Simulate);
    let sim = SimOptions { no_data, threads: Some(1), ..SimOptions::default() };
    let request = SimRequest { unit: &unit, launch: &row.launch, sim: &sim };
    Some(session.simulate(request, &mut |_| simulated()).expect("the kernel is right"))
}

/// Seconds that this thread has run, by the kernel's count; where there is none, seconds since `start`.
/// Everything here runs on one thread, and what else the machine does should not count.
fn clock(start: Instant) -> f64 {
    // The kernel brings its count up to date when it looks at the thread.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = stat.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
    ran.map_or_else(|| start.elapsed().as_secs_f64(), |nanoseconds| nanoseconds as f64 * 1e-9)
}

/// The least of nine times, in seconds.
#[derive(Clone, Copy, Debug)]
struct Times {
    compile: f64,
    /// Compiled and simulated.
    simulate: f64,
    /// What a run does after it has simulated, without data and with.
    report: f64,
    replay: f64,
}

/// How long a row takes to a depth, and how long of that after it has simulated.
fn timed(row: &Row, depth: Depth, start: Instant) -> [f64; 2] {
    let before = clock(start);
    let mut simulated = before;
    run(row, depth, &mut || simulated = clock(start));
    let after = clock(start);
    [after - before, after - simulated]
}

/// The depths take turns, so that what slows the machine down slows them all.
fn times(row: &Row) -> Times {
    let start = Instant::now();
    let mut least = [[f64::INFINITY; 2]; 3];
    for _ in 0..9 {
        for (least, depth) in least.iter_mut().zip([Depth::Compile, Depth::Simulate, Depth::Replay])
        {
            for (least, time) in least.iter_mut().zip(timed(row, depth, start)) {
                *least = least.min(time);
            }
        }
    }
    let [[compile, _], [simulate, report], [_, rest]] = least;
    Times { compile, simulate, report, replay: rest - report }
}

fn main() {
    for row in [add(), softmax(), matmul()] {
        let times = times(&row);
        let report = run(&row, Depth::Replay, &mut || ()).expect("a run has a report");
        let outcome = &report.launches[0].outcome;
        let all = times.simulate + times.replay;
        println!("{}: {} simulated", row.name, outcome.time);
        println!("  {} commands, {} events", outcome.counters.commands, outcome.events);
        println!(
            "  compile {:.1} ms, simulate {:.1} ms, report {:.1} ms, replay {:.1} ms, all {:.1} ms",
            times.compile * 1e3,
            (times.simulate - times.compile - times.report) * 1e3,
            times.report * 1e3,
            times.replay * 1e3,
            all * 1e3
        );
        println!(
            "  Triton's interpreter {:.2} s: replay is {:.0} times faster, all {:.0} times",
            row.interpreter_s,
            row.interpreter_s / times.replay,
            row.interpreter_s / all
        );
    }
    divan::main();
}

#[divan::bench(args = [Depth::Compile, Depth::Simulate, Depth::Replay], sample_count = 5, sample_size = 1)]
fn vector_add(bencher: Bencher<'_, '_>, depth: Depth) {
    let row = add();
    bencher.bench_local(|| run(&row, depth, &mut || ()).is_some());
}

#[divan::bench(args = [Depth::Compile, Depth::Simulate, Depth::Replay], sample_count = 5, sample_size = 1)]
fn row_softmax(bencher: Bencher<'_, '_>, depth: Depth) {
    let row = softmax();
    bencher.bench_local(|| run(&row, depth, &mut || ()).is_some());
}

#[divan::bench(args = [Depth::Compile, Depth::Simulate, Depth::Replay], sample_count = 5, sample_size = 1)]
fn tiled_matmul(bencher: Bencher<'_, '_>, depth: Depth) {
    let row = matmul();
    bencher.bench_local(|| run(&row, depth, &mut || ()).is_some());
}
