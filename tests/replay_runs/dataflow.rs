//! Loads, stores and messages move the right bytes, whatever the order.

use kbc::command::{MathOp, Message};
use kbc::dtype::DType;
use kbc::ir::{DmaDesc, DmaDim};
use kbc::ops::BinaryOp;
use kbc::replay::{Memory, Origin};
use kbc::shape::Shape;
use kbc::topology::PeId;

use crate::kit::{
    Choices, CodeKit, EAST, WEST, bytes_of, line, log, program, replay, tensor, values_of,
};

/// `out = x + y` on one PE.
#[test]
fn a_sum_of_two_tensors() {
    let mut code = CodeKit::new();
    let x = code.read(0x1000, line(8, DType::F32));
    let y = code.read(0x2000, line(8, DType::F32));
    let add = MathOp::Binary(BinaryOp::Add);
    let sum = code.elementwise(add, (DType::F32, DType::F32), &Shape::new([8]), &[x, y]);
    code.write(0x3000, line(8, DType::F32), sum);
    let regions = vec![tensor("x", 0x1000, 32), tensor("y", 0x2000, 32), tensor("out", 0x3000, 32)];
    let program = program(vec![code], regions, 1, 0);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &bytes_of(&[0.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])).unwrap();
    memory.write(None, 0x2000, &bytes_of(&[0.5_f32; 8])).unwrap();
    let (memory, said) = replay(&program, memory, &log(&program, &mut Choices(1)));
    assert!(said.is_empty(), "{said:?}");
    let out: Vec<f32> = values_of(&memory.read(PeId(0), 0x3000, 32).unwrap());
    assert_eq!(out, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]);
    let Some(Origin::Command(writer)) = memory.origin(PeId(0), 0x3004) else { panic!() };
    assert_eq!((writer.agent.0, writer.seq), (0, 3));
    assert_eq!(memory.origin(PeId(0), 0x1004), Some(Origin::Host));
}

/// A 2 x 3 block out of a 4 x 4 matrix, stored transposed.
#[test]
fn strided_blocks_are_gathered_and_scattered() {
    let mut code = CodeKit::new();
    let block = |rows: (u64, i64), columns: (u64, i64)| DmaDesc {
        dims: [rows, columns].map(|(extent, stride)| DmaDim { extent, stride }).to_vec(),
        elem_bytes: 2,
    };
    let tile = code.read(0x1000 + 10, block((2, 8), (3, 2)));
    code.write(0x2000, block((2, 2), (3, 4)), tile);
    let regions = vec![tensor("x", 0x1000, 32), tensor("out", 0x2000, 12)];
    let program = program(vec![code], regions, 1, 0);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &bytes_of(&(0..16).collect::<Vec<u16>>())).unwrap();
    let (memory, said) = replay(&program, memory, &log(&program, &mut Choices(1)));
    assert!(said.is_empty(), "{said:?}");
    let out: Vec<u16> = values_of(&memory.read(PeId(0), 0x2000, 12).unwrap());
    assert_eq!(out, [5, 9, 6, 10, 7, 11]);
}

/// Each of four agents sends its block east three times over two slots, sums what comes from the
/// west, and stores it: whatever the order of the log, agent `i` holds `x[i-1] + x[i-2] + x[i-3]`
/// added from the left.
#[test]
fn every_order_of_a_ring_gives_the_same_bytes() {
    let (agents, elements) = (4_u64, 16_u64);
    let bytes = elements * 4;
    let message = Message { elements, dtype: DType::F32 };
    let ring = |rank: u64| {
        let mut code = CodeKit::new();
        let shape = Shape::new([elements]);
        let add = MathOp::Binary(BinaryOp::Add);
        let own = code.read(0x1000 + rank * bytes, line(elements, DType::F32));
        let mut passed = own;
        let mut sum = None;
        for step in 1..agents {
            code.send(EAST, passed, message);
            let came = if step == 1 {
                code.recv(WEST, message)
            } else {
                let copy = code.tile(bytes);
                code.recv_into(WEST, copy, message);
                copy
            };
            let types = (DType::F32, DType::F32);
            sum = Some(match sum {
                None => code.elementwise(MathOp::Copy, types, &shape, &[came]),
                Some(sum) => code.elementwise(add, types, &shape, &[sum, came]),
            });
            let kept = code.elementwise(MathOp::Copy, types, &shape, &[came]);
            code.release(came);
            passed = kept;
        }
        code.write(0x9000 + rank * bytes, line(elements, DType::F32), sum.unwrap());
        code
    };
    let regions = vec![tensor("x", 0x1000, agents * bytes), tensor("out", 0x9000, agents * bytes)];
    let program = program((0..agents).map(ring).collect(), regions, 2, bytes);
    let values: Vec<f32> = (0..agents * elements).map(|at| 1.0 / (at as f32 + 3.0)).collect();
    for seed in 0..200 {
        let mut memory = Memory::new(program.memory.clone());
        memory.write(None, 0x1000, &bytes_of(&values)).unwrap();
        let (memory, said) = replay(&program, memory, &log(&program, &mut Choices(seed)));
        assert!(said.is_empty(), "{said:?}");
        let out: Vec<f32> = values_of(&memory.read(PeId(0), 0x9000, agents * bytes).unwrap());
        for (place, got) in out.iter().enumerate() {
            let (rank, element) = (place as u64 / elements, place as u64 % elements);
            let of =
                |back: u64| values[((rank + agents - back) % agents * elements + element) as usize];
            assert_eq!(*got, (of(1) + of(2)) + of(3), "element {place}, order {seed}");
        }
    }
}
