//! Runs that stop early: deadlocks, missing partners, addresses that are nobody's.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sim_kit;

use kbc::arena::Id;
use kbc::command::{AgentId, Code, Inst, Operand, Program, WalkError};
use kbc::diag::{ColorChoice, to_text};
use kbc::ir::Literal;
use kbc::oplog::NoLog;
use kbc::sim::{Failure, Options, WaitsFor, simulate};
use kbc::source::SourceMap;
use sim_kit::*;

fn failure(program: &Program) -> Failure {
    let machine = ring_machine(program.agents.len() as u32, free_pe(), &link(64.0, 100));
    let options = Options::default();
    simulate(program, &machine, &options, &mut NoLog::default(), &mut |_| {}).unwrap_err()
}

/// A file of short lines, one for each instruction.
fn sources() -> SourceMap {
    let mut sources = SourceMap::new();
    let lines: String = (0..60).map(|_| "statement\n").collect();
    sources.add("ring.kb", lines);
    sources
}

fn text(program: &Program) -> String {
    let sources = sources();
    to_text(&failure(program).diagnostic(program, &sources), &sources, ColorChoice::Plain)
}

fn receive_then_send() -> Code {
    let mut it = Writer::new();
    let tile = it.fresh(256);
    let came = it.recv(1, 64);
    it.send(0, tile, 64);
    it.release(came);
    it.done()
}

#[test]
fn a_circle_of_receives_is_a_deadlock() {
    let program = in_a_ring(uniform(4, receive_then_send()), 4);
    let Failure::Deadlock(cycle) = failure(&program) else { panic!("no deadlock") };
    // Each waits for its western neighbour.
    let agents: Vec<u32> = cycle.iter().map(|it| it.agent.0).collect();
    assert_eq!(agents, [0, 3, 2, 1]);
    assert!(cycle.iter().all(|it| it.on == WaitsFor::Message));
    insta::assert_snapshot!(text(&program));
}

#[test]
fn a_circle_of_full_queues_is_a_deadlock() {
    // Each sends three messages before it receives the first, with two slots.
    let mut it = Writer::new();
    let tile = it.fresh(256);
    for _ in 0..3 {
        it.send(0, tile, 64);
    }
    for _ in 0..3 {
        let came = it.recv(1, 64);
        it.release(came);
    }
    let program = in_a_ring(uniform(3, it.done()), 2);
    let Failure::Deadlock(cycle) = failure(&program) else { panic!("no deadlock") };
    assert_eq!(cycle.len(), 3);
    assert!(cycle.iter().all(|it| it.on == WaitsFor::Slot { taken: 2, slots: 2 }));
    insta::assert_snapshot!(text(&program));
}

#[test]
fn one_slot_and_a_forwarder_is_a_deadlock() {
    // The received tile keeps its slot until it has been forwarded, and forwarding needs a slot.
    let mut it = Writer::new();
    let tile = it.fresh(256);
    it.send(0, tile, 64);
    for _ in 0..2 {
        let came = it.recv(1, 64);
        it.send(0, came, 64);
        it.release(came);
    }
    let last = it.recv(1, 64);
    it.release(last);
    let code = it.done();
    assert!(matches!(failure(&in_a_ring(uniform(4, code.clone()), 1)), Failure::Deadlock(_)));
    let machine = ring_machine(4, free_pe(), &link(64.0, 100));
    run(&in_a_ring(uniform(4, code), 2), &machine);
}

#[test]
fn waiting_for_one_that_has_ended_is_told_with_the_chain() {
    // 0 <- 3 <- 2 <- 1, and PE 1 ends at once.
    let mut program = program(vec![receive_then_send(), Writer::new().done()]);
    for at in 1..4u32 {
        let code = kbc::command::CodeId(u32::from(at == 1));
        let agent = program.agents[AgentId(0)];
        let agent = kbc::command::Agent { pe: kbc::topology::PeId(at), first: at, code, ..agent };
        if at == 1 {
            program.agents[AgentId(1)] = agent;
        } else {
            program.agents.push(agent);
        }
    }
    let program = in_a_ring(program, 4);
    let Failure::Starved { chain, ended } = failure(&program) else { panic!("no starvation") };
    let agents: Vec<u32> = chain.iter().map(|it| it.agent.0).collect();
    assert_eq!((agents, ended), (vec![0, 3, 2], Some(AgentId(1))));
    insta::assert_snapshot!(text(&program));
}

#[test]
fn an_address_of_no_tensor_stops_the_run_at_its_line() {
    let mut it = Writer::new();
    let tile = it.fresh(1024);
    it.load(tile, 4096 + 512, 256);
    let program = own_memory(program(vec![it.done()]), 4096, 1000);
    let Failure::Fault { fault, writes, .. } = failure(&program) else { panic!("no fault") };
    assert_eq!((fault.address, writes), (5096, false));
    insta::assert_snapshot!(text(&program));
}

#[test]
fn a_stream_that_cannot_go_on_stops_the_run() {
    let mut it = Writer::new();
    it.loop_begin(3);
    it.loop_end();
    let mut code = it.done();
    if let Inst::LoopBegin { step, .. } = &mut code.insts[0] {
        *step = Operand::Const(Literal::Int(0));
    }
    let found = failure(&program(vec![code]));
    assert!(matches!(found, Failure::Walk { error: WalkError::Endless { .. }, .. }), "{found:?}");
}

#[test]
fn sending_where_nobody_is_stops_the_run() {
    let mut it = Writer::new();
    let tile = it.fresh(256);
    it.send(0, tile, 64);
    let mut program = in_a_ring(uniform(2, it.done()), 4);
    program.comm.peers.fill(None);
    let found = failure(&program);
    assert!(matches!(found, Failure::NoNeighbor { agent, .. } if agent.index() == 0), "{found:?}");
}
