//! Wrong data is found, and reported at the line that reads it.

use kbc::command::Arg;
use kbc::command::{AgentId, ArgSpec, MathOp, MathSpec, Message};
use kbc::dtype::DType;
use kbc::oplog::Action;
use kbc::ops::{BinaryOp, CostClass};
use kbc::replay::Memory;
use kbc::shape::Shape;
use kbc::topology::PeId;

use crate::kit::{
    Choices, CodeKit, EAST, WEST, bytes_of, line, log, place, program, record, replay, said, steps,
    tensor, values_of,
};

#[test]
fn unwritten_memory_is_found_at_the_load() {
    let mut code = CodeKit::new();
    let x = code.read(0x1000, line(8, DType::F32));
    code.write(0x2000, line(8, DType::F32), x);
    let regions = vec![tensor("x", 0x1000, 32), tensor("out", 0x2000, 32)];
    let program = program(vec![code], regions, 1, 0);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &[0; 20]).unwrap();
    let (_, found) = replay(&program, memory, &log(&program, &mut Choices(1)));
    assert_eq!(said(&found), [("K0730", "pe0 reads element 5 of `x`, which nothing has written")]);
    assert_eq!(place(&found[0]), 0);
}

#[test]
fn what_a_command_wrote_is_written() {
    let mut code = CodeKit::new();
    let x = code.read(0x1000, line(8, DType::F32));
    code.write(0x2000, line(8, DType::F32), x);
    let again = code.read(0x2010, line(4, DType::F32));
    code.write(0x2000, line(4, DType::F32), again);
    let regions = vec![tensor("x", 0x1000, 32), tensor("out", 0x2000, 32)];
    let program = program(vec![code], regions, 1, 0);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &bytes_of(&[0_i32, 1, 2, 3, 4, 5, 6, 7])).unwrap();
    let (memory, found) = replay(&program, memory, &log(&program, &mut Choices(1)));
    assert!(found.is_empty(), "{found:?}");
    let out: Vec<i32> = values_of(&memory.read(PeId(0), 0x2000, 32).unwrap());
    assert_eq!(out, [4, 5, 6, 7, 4, 5, 6, 7]);
}

/// The same line on many PEs is one message.
#[test]
fn addresses_outside_of_every_tensor_are_found_once_a_line() {
    let over = |_| {
        let mut code = CodeKit::new();
        let x = code.read(0x1010, line(8, DType::F32));
        code.write(0x900, line(8, DType::F32), x);
        code
    };
    let mut program = program((0..3).map(over).collect(), vec![tensor("x", 0x1000, 32)], 1, 0);
    for agent in [1, 2] {
        program.agents[AgentId(agent)].code = program.agents[AgentId(0)].code;
    }
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &[0; 32]).unwrap();
    let (_, found) = replay(&program, memory, &log(&program, &mut Choices(1)));
    let messages: Vec<&str> = found.iter().map(|it| &it.message[3..]).collect();
    assert_eq!(
        messages,
        [" reads address 0x1020, where no tensor is", " writes address 0x900, where no tensor is"]
    );
    assert!(found.iter().all(|it| it.code.id == "K0732"));
    assert_eq!(found[0].notes[0], "`x` is nearest: 0x1000 to 0x1020, 32 bytes");
    assert_eq!(found[0].notes[1], "the same happens on 2 more PEs");
}

#[test]
fn a_division_by_zero_names_the_element() {
    let mut code = CodeKit::new();
    let x = code.read(0x1000, line(6, DType::I32));
    let y = code.read(0x1018, line(6, DType::I32));
    let divide = MathOp::Binary(BinaryOp::FloorDiv);
    let quotient = code.elementwise(divide, (DType::I32, DType::I32), &Shape::new([2, 3]), &[x, y]);
    code.write(0x1000, line(6, DType::I32), quotient);
    let program = program(vec![code], vec![tensor("x", 0x1000, 48)], 1, 0);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &bytes_of(&[7, -7, 7, -7, 7, 7, 2, 2, -2, -2, 0, 1])).unwrap();
    let (memory, found) = replay(&program, memory, &log(&program, &mut Choices(1)));
    assert_eq!(said(&found), [("K0733", "pe0 divides an integer by zero")]);
    assert_eq!(found[0].primary.as_ref().unwrap().text, "the divisor is 0 at [1, 1]");
    let out: Vec<i32> = values_of(&memory.read(PeId(0), 0x1000, 24).unwrap());
    assert_eq!(out, [3, -4, -4, 3, 0, 7]);
}

/// Two messages into one slot, the first read after the second has arrived: as where a machine
/// gives slots back when it receives.
#[test]
fn a_message_read_too_late_is_found() {
    let message = Message { elements: 4, dtype: DType::F32 };
    let mut sender = CodeKit::new();
    let x = sender.read(0x1000, line(4, DType::F32));
    let y = sender.read(0x1010, line(4, DType::F32));
    sender.send(EAST, x, message);
    sender.send(EAST, y, message);
    let mut receiver = CodeKit::new();
    let first = receiver.recv(WEST, message);
    let second = receiver.recv(WEST, message);
    let add = MathOp::Binary(BinaryOp::Add);
    let types = (DType::F32, DType::F32);
    let sum = receiver.elementwise(add, types, &Shape::new([4]), &[first, second]);
    receiver.write(0x2000, line(4, DType::F32), sum);
    let regions = vec![tensor("x", 0x1000, 32), tensor("out", 0x2000, 16)];
    let program = program(vec![sender, receiver], regions, 1, 16);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &bytes_of(&[1.0_f32, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0])).unwrap();
    let steps = steps(&program);
    let run = |agent: usize, seq: usize| record(Action::Command, agent as u32, &steps[agent][seq]);
    let arrive = |seq: usize| record(Action::Delivery, 0, &steps[0][seq]);
    let records = [
        run(0, 0),
        run(0, 1),
        run(0, 2),
        arrive(2),
        run(1, 0),
        run(0, 3),
        arrive(3),
        run(1, 1),
        run(1, 2),
        run(1, 3),
    ];
    let (memory, found) = replay(&program, memory, &records);
    let text = "pe1 reads message 0 from `W` after message 1 has taken its slot";
    assert_eq!(said(&found), [("K0734", text)]);
    assert_eq!(place(&found[0]), 20);
    assert_eq!(found[0].secondary[0].span.start, 30);
    let out: Vec<f32> = values_of(&memory.read(PeId(0), 0x2000, 16).unwrap());
    assert_eq!(out, [4.0; 4]);
}

/// A log that does not fit its program is kbc's own fault, and ends nothing.
#[test]
fn a_log_that_does_not_fit_is_a_bug_of_kbc() {
    let mut code = CodeKit::new();
    let message = Message { elements: 4, dtype: DType::F32 };
    let x = code.read(0x1000, line(4, DType::F32));
    code.send(EAST, x, message);
    let kept = code.recv(WEST, message);
    code.write(0x1000, line(4, DType::F32), kept);
    let program = program(vec![code], vec![tensor("x", 0x1000, 16)], 1, 16);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &[0; 16]).unwrap();
    let steps = &steps(&program)[0];
    let run = |seq: usize| record(Action::Command, 0, &steps[seq]);
    let arrive = |seq: usize| record(Action::Delivery, 0, &steps[seq]);
    let mut beyond = run(3);
    beyond.seq = 9;
    let records = [run(0), arrive(1), run(1), run(1), beyond, arrive(1), run(2), run(3)];
    let (_, found) = replay(&program, memory, &records);
    assert!(found.iter().all(|it| it.code.id == "K0001"), "{found:?}");
    let messages: Vec<&str> = found.iter().map(|it| it.message.as_str()).collect();
    assert!(messages.iter().any(|it| it.contains("a message arrives that was not sent")));
    assert!(messages.iter().any(|it| it.contains("beyond the stream's end")));
}

/// Operands that a command's spec does not describe are refused, not read out of bounds.
#[test]
fn a_command_that_does_not_fit_its_tiles_is_a_bug_of_kbc() {
    let mut code = CodeKit::new();
    let x = code.read(0x1000, line(4, DType::F32));
    let spec = MathSpec {
        op: MathOp::Copy,
        shape: Shape::new([8]),
        args: vec![ArgSpec { dtype: DType::F32, offset: 0, strides: vec![1] }],
        out: DType::F32,
        cost: CostClass::Simple,
    };
    code.math(spec, &[Arg::Tile(x)]);
    let program = program(vec![code], vec![tensor("x", 0x1000, 16)], 1, 0);
    let mut memory = Memory::new(program.memory.clone());
    memory.write(None, 0x1000, &[0; 16]).unwrap();
    let (_, found) = replay(&program, memory, &log(&program, &mut Choices(1)));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code.id, "K0001");
    assert!(found[0].message.contains("strides reach outside"), "{}", found[0].message);
}
