//! Lowering: kernels built by hand, specialised and allocated by hand, and the streams that their
//! programs unroll to.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod lowering;

use kbc::command::{AgentId, Command, Place, Program, Walker};
use kbc::diag::Sink;
use kbc::ir::{Literal, Op};
use kbc::launch::Launch;
use kbc::lower;
use kbc::ops::BinaryOp;
use lowering::{EXTENT, Kernel, compile, f16s, launch, optimised, ring_all_reduce};

/// The commands of one agent.
fn stream(program: &Program, agent: u32) -> Vec<Command> {
    let mut walker = Walker::new(program, AgentId(agent));
    let mut commands = Vec::new();
    while let Some(step) = walker.next(program).expect("the stream has no error") {
        assert_eq!(step.seq as usize, commands.len());
        commands.push(step.command);
    }
    commands
}

fn names(commands: &[Command]) -> Vec<&'static str> {
    commands.iter().map(Command::name).collect()
}

#[test]
fn a_ring_unrolls_to_its_rounds() {
    let program = compile(&ring_all_reduce(4), &launch(4));
    let commands = stream(&program, 2);
    // The first tile sent lies in scratch, so its send releases nothing; the last tile received
    // is not sent on.
    let mut expected = vec!["dma_read", "ipcq_send", "ipcq_recv", "math"];
    for _ in 1..3 {
        expected.extend(["ipcq_send", "ipcq_release", "ipcq_recv", "math"]);
    }
    expected.extend(["ipcq_release", "dma_write"]);
    assert_eq!(names(&commands), expected);
    let Command::DmaRead(read) = commands[0] else { panic!("the first command reads") };
    assert_eq!(read.base, 0x1_0000_0000 + 2 * 128);
}

#[test]
fn a_forwarded_slot_is_released_after_its_last_reader() {
    let program = compile(&ring_all_reduce(4), &launch(4));
    let commands = stream(&program, 0);
    let mut received = Vec::new();
    let mut released = Vec::new();
    for command in &commands {
        if let Command::IpcqRecv(it) = command {
            received.push(it.slot.place);
        }
        if let Command::IpcqRelease(it) = command {
            released.push(it.slot.place);
        }
        if let (Command::IpcqSend(it), Some(last)) = (command, received.last()) {
            assert_eq!(it.src.place, *last, "what was received last is sent on");
            assert!(!released.contains(last));
        }
    }
    assert_eq!(received, released);
}

/// The operand and the result of every vector command of an agent.
fn sums(program: &Program) -> Vec<(Place, Place)> {
    let mut sums = Vec::new();
    for command in stream(program, 0) {
        let Command::MathCmd(it) = command else { continue };
        let Some(kbc::command::MathArg::Tile(x)) = it.args[0] else { panic!("a tile is added to") };
        sums.push((x.place, it.out.place));
    }
    sums
}

#[test]
fn a_sum_whose_operand_is_dead_is_made_in_place() {
    let program = compile(&ring_all_reduce(5), &launch(5));
    let sums = sums(&program);
    assert_eq!(sums.len(), 4);
    for pair in sums.windows(2) {
        assert_eq!(pair[1].0, pair[0].1, "the sum of the round before is added to");
        assert_eq!(pair[1].0, pair[1].1, "and overwritten");
    }
}

#[test]
fn loop_carried_buffers_rotate() {
    // x, y = y, x + y: the old y is still read in the next round.
    let (mut kernel, t_ptr) = Kernel::new();
    let first = kernel.load(t_ptr, &f16s(64), 2);
    let results = kernel.repeat(6, &[first, first], 3, |kernel, carried| {
        let sum = kernel.binary(BinaryOp::Add, carried[0], carried[1], 4);
        vec![carried[1], sum]
    });
    kernel.store(t_ptr, results[1], 5);
    let program = compile(&kernel.end(), &launch(1));
    let sums = sums(&program);
    assert_eq!(sums.len(), 6);
    for round in sums.windows(3) {
        assert_eq!(round[2].0, round[0].1, "x is the sum made two rounds before");
        assert_ne!(round[2].1, round[1].1, "y is not overwritten while it is needed");
    }
}

#[test]
fn every_instruction_and_site_keeps_its_place_in_the_source() {
    let program = compile(&ring_all_reduce(4), &launch(4));
    let code = program.codes.values().next().expect("one code");
    assert_eq!(code.insts.len(), code.spans.len());
    assert!(code.spans.iter().all(|span| !span.is_none()));
    assert!(code.sites.values().all(|site| !site.span.is_none()));
}

#[test]
fn a_large_world_costs_little_more_than_a_small_one() {
    let small = compile(&ring_all_reduce(16), &launch(16));
    let large = compile(&ring_all_reduce(100_000), &launch(100_000));
    let size = |program: &Program| {
        program.codes.values().next().map(|code| (code.insts.len(), code.regs, code.tiles))
    };
    assert_eq!(size(&small), size(&large));
    assert_eq!(large.agents.len(), 100_000);
    assert!(std::mem::size_of::<kbc::command::Agent>() <= 24);
    let Command::DmaRead(read) = stream_head(&large, 99_999) else { panic!("a read first") };
    assert_eq!(read.base, 0x1_0000_0000 + 99_999 * 128);
}

fn stream_head(program: &Program, agent: u32) -> Command {
    let mut walker = Walker::new(program, AgentId(agent));
    walker.next(program).expect("no error").expect("a command").command
}

#[test]
fn a_world_beyond_the_machine_is_refused() {
    let mut sink = Sink::new();
    let too_large = Launch { world: EXTENT.pe_count() + 1, ..launch(4) };
    let lowered = lower::lower(
        &ring_all_reduce(4),
        &too_large,
        &EXTENT,
        kbc::command::Comm {
            directions: vec!["E".into(), "W".into()],
            ..kbc::command::Comm::none()
        },
        &mut sink,
    );
    assert!(lowered.is_err());
    assert_eq!(sink.diagnostics()[0].code.id, "K0520");
    assert!(sink.diagnostics()[0].message.contains(&EXTENT.pe_count().to_string()));
}

#[test]
fn an_unlowered_op_is_a_bug_not_a_panic() {
    let function = ring_all_reduce(4);
    assert!(function.ops.values().any(|data| matches!(data.op, Op::Load(_))));
    let mut sink = Sink::new();
    let comm = kbc::command::Comm {
        directions: vec!["E".into(), "W".into()],
        ..kbc::command::Comm::none()
    };
    assert!(lower::lower(&function, &launch(4), &EXTENT, comm, &mut sink).is_err());
    assert_eq!(sink.diagnostics()[0].code.id, "K0001");
}

#[test]
fn arguments_reach_the_code_as_constants() {
    let mut launch = launch(4);
    launch.args = vec![("t_ptr".into(), Literal::Int(4096))];
    let program = compile(&ring_all_reduce(4), &launch);
    let Command::DmaRead(read) = stream_head(&program, 3) else { panic!("a read first") };
    assert_eq!(read.base, 4096 + 3 * 128);
}

#[test]
fn what_a_large_ring_touches_is_found_without_walking_its_rounds() {
    let mut sink = Sink::new();
    let function = optimised(&ring_all_reduce(100_000), &launch(100_000), &mut sink)
        .expect("the kernel is good");
    let bases = [0x1_0000_0000, 0x100_0000_0000];
    let touched =
        lower::touched(&function, &launch(100_000), &EXTENT, (&bases, 200_000), &mut sink)
            .expect("the kernel is good");
    assert!(touched.is_complete);
    let [tensor, other] = touched.tensors.as_slice() else { panic!("two tensors") };
    assert_eq!(tensor.all, Some(lower::Reach { first: 0, end: 100_000 * 128 }));
    assert_eq!(tensor.by_agent[7], Some(lower::Reach { first: 7 * 128, end: 8 * 128 }));
    assert!(tensor.is_read && tensor.is_written);
    assert_eq!(other.all, None);
}

#[test]
fn a_message_that_no_memory_holds_is_refused() {
    let (mut kernel, _) = Kernel::new();
    kernel.recv("W", &f16s(i64::MAX), 5);
    let sink = lowering::try_compile(&kernel.end(), &launch(4)).expect_err("it is too large");
    assert_eq!(sink.diagnostics()[0].code.id, "K0527");
}
