//! The number of threads changes no bit, and neither does how the log is cut up.

use kbc::command::{GemmSpec, MathOp, Message, Program};
use kbc::diag::Sink;
use kbc::dtype::DType;
use kbc::oplog::Record;
use kbc::ops::{BinaryOp, ReduceOp};
use kbc::replay::data::{Values, generate};
use kbc::replay::{Memory, Replay};
use kbc::shape::Shape;
use kbc::topology::PeId;

use crate::kit::{Choices, CodeKit, EAST, WEST, line, log, program, tensor};

const AGENTS: u64 = 8;
const SIDE: u64 = 24;
const BYTES: u64 = SIDE * SIDE * 2;

/// A systolic product in f16: each agent multiplies what came from the west into what it has, and
/// sends it on, then stores it with the sum of its rows.
fn systolic(shared: bool) -> Program {
    let message = Message { elements: SIDE * SIDE, dtype: DType::F16 };
    let shape = Shape::new([SIDE, SIDE]);
    let halves = (DType::F16, DType::F16);
    let spec = GemmSpec::dense([SIDE; 3], DType::F16, DType::F16);
    let code = |rank: u64| {
        let mut code = CodeKit::new();
        let mut own = code.read(0x10_0000 + rank * BYTES, line(SIDE * SIDE, DType::F16));
        for _ in 0..6 {
            code.send(EAST, own, message);
            let came = code.recv(WEST, message);
            let product = code.gemm(spec.clone(), own, came, None);
            let scale = MathOp::Binary(BinaryOp::Sub);
            own = code.elementwise(scale, halves, &shape, &[product, came]);
            code.release(came);
        }
        let sums = MathOp::Reduce(ReduceOp::Sum, Some(1));
        let rows = code.elementwise(sums, halves, &shape, &[own]);
        code.write(0x20_0000 + rank * BYTES, line(SIDE * SIDE, DType::F16), own);
        code.write(0x30_0000 + rank * SIDE * 2, line(SIDE, DType::F16), rows);
        if shared {
            // A race, but one whose outcome the log decides.
            code.write(0x40_0000, line(SIDE, DType::F16), rows);
            code.read(0x40_0000, line(SIDE, DType::F16));
        }
        code
    };
    let regions = vec![
        tensor("x", 0x10_0000, AGENTS * BYTES),
        tensor("out", 0x20_0000, AGENTS * BYTES),
        tensor("rows", 0x30_0000, AGENTS * SIDE * 2),
        tensor("last", 0x40_0000, SIDE * 2),
    ];
    program((0..AGENTS).map(code).collect(), regions, 2, BYTES)
}

fn result(program: &Program, records: &[Record], threads: usize, batch: usize) -> Vec<u8> {
    let mut memory = Memory::new(program.memory.clone());
    let values = Values::Uniform { low: -0.25, high: 0.25 };
    let x = generate(DType::F16, AGENTS * SIDE * SIDE, values, 11);
    memory.write(None, 0x10_0000, &x).unwrap();
    let mut replay = Replay::new(program, memory).with_threads(threads);
    let mut sink = Sink::new();
    for records in records.chunks(batch) {
        replay.advance(records, &mut sink);
    }
    assert!(!replay.has_faults(), "{:?}", sink.diagnostics());
    let memory = replay.into_memory();
    let regions = program.memory.regions();
    let read = |base, bytes| memory.read(PeId(0), base, bytes).unwrap();
    regions[1..].iter().flat_map(|it| read(it.base, it.bytes)).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    for shared in [false, true] {
        let program = systolic(shared);
        let records = log(&program, &mut Choices(5));
        let expected = result(&program, &records, 1, usize::MAX);
        for threads in [2, 3, 8] {
            for batch in [usize::MAX, 100] {
                assert_eq!(result(&program, &records, threads, batch), expected);
            }
        }
    }
}

#[test]
fn any_order_of_the_log_gives_the_same_bytes() {
    let program = systolic(false);
    let expected = result(&program, &log(&program, &mut Choices(0)), 1, usize::MAX);
    for seed in 1..40 {
        let records = log(&program, &mut Choices(seed));
        assert_eq!(result(&program, &records, 1 + seed as usize % 3, usize::MAX), expected);
    }
}
