//! Lowering: kernels built by hand, specialised and allocated by hand, and the streams that their
//! programs unroll to.

mod lowering;

use kbc::command::{AgentId, Command, Place, Walker};
use kbc::diag::Sink;
use kbc::ir::{Literal, Op};
use kbc::launch::Launch;
use kbc::lower;
use lowering::{EXTENT, compile, launch, ring_all_reduce};

/// The commands of one agent.
fn stream(program: &kbc::command::Program, agent: u32) -> Vec<Command> {
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
    let mut expected = vec!["dma_read"];
    // The first tile sent is in scratch, so nothing is released after the first round's send.
    expected.extend(["ipcq_send", "ipcq_recv", "math"]);
    for _ in 1..3 {
        expected.extend(["ipcq_send", "ipcq_recv", "math", "ipcq_release"]);
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

#[test]
fn loop_carried_buffers_rotate() {
    let program = compile(&ring_all_reduce(4), &launch(4));
    let mut acc = None;
    for command in stream(&program, 0) {
        let Command::MathCmd(it) = command else { continue };
        let Some(kbc::command::MathArg::Tile(x)) = it.args[0] else { panic!("a tile") };
        assert_ne!(x.place, it.out.place, "the sum is not made where its operand is");
        if let Some(acc) = acc {
            assert_eq!(x.place, acc, "the sum of the round before is added to");
        }
        assert!(matches!(it.out.place, Place::Scratch(_)));
        acc = Some(it.out.place);
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
    let small = compile(&ring_all_reduce(4), &launch(4));
    let mut large_launch = launch(100_000);
    large_launch.args.clone_from(&launch(4).args);
    let large = compile(&ring_all_reduce(100_000), &large_launch);
    let size = |program: &kbc::command::Program| {
        program.codes.values().next().map(|code| (code.insts.len(), code.regs, code.tiles))
    };
    assert_eq!(size(&small), size(&large));
    assert_eq!(large.agents.len(), 100_000);
    assert!(std::mem::size_of::<kbc::command::Agent>() <= 24);
    let Command::DmaRead(read) = stream_head(&large, 99_999) else { panic!("a read first") };
    assert_eq!(read.base, 0x1_0000_0000 + 99_999 * 128);
}

fn stream_head(program: &kbc::command::Program, agent: u32) -> Command {
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
    let mut function = ring_all_reduce(4);
    for (_, data) in function.values.iter_mut() {
        data.storage = None;
    }
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
    let function = ring_all_reduce(100_000);
    let mut sink = Sink::new();
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
