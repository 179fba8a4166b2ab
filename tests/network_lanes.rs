//! Parallel connections between dies: which one a message takes, and what that is worth.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod sim_kit;

use kbc::command::{AgentId, Peer, Program, QueueId};
use kbc::diag::Sink;
use kbc::oplog::Engine;
use kbc::source::SourceMap;
use kbc::topology::{Machine, load};
use kbc::units::Ps;
use sim_kit::*;

/// The default machine with one SIP.
fn machine(lane: &str) -> Machine {
    let text = format!("network: {{lane: {lane}}}\nsystem: {{sips: {{count: 1}}}}\n");
    let mut sources = SourceMap::new();
    let file = sources.add("machine.yaml", text);
    let mut sink = Sink::new();
    load(&sources, file, &mut sink).and_then(|spec| spec.build(&mut sink)).unwrap()
}

/// 64 KB from each of these PEs to another, all at once.
fn flows(wires: &[(u32, u32)]) -> Program {
    let elements = 1 << 14;
    let pes = wires.iter().flat_map(|wire| [wire.0, wire.1]).max().unwrap() + 1;
    let code = |pe: u32| {
        let mut it = Writer::new();
        for (queue, (from, _)) in wires.iter().enumerate() {
            if *from == pe {
                let tile = it.fresh(elements * 4);
                it.send(queue as u8, tile, elements);
            }
        }
        for (queue, (_, to)) in wires.iter().enumerate() {
            if *to == pe {
                let tile = it.recv(queue as u8, elements);
                it.release(tile);
            }
        }
        it.done()
    };
    let mut it = program((0..pes).map(code).collect());
    it.comm.directions = (0..wires.len()).map(|queue| format!("d{queue}")).collect();
    it.comm.peers = vec![None; pes as usize * wires.len()];
    for (queue, (from, to)) in wires.iter().enumerate() {
        let peer = Peer { agent: AgentId(*to), queue: QueueId(queue as u8) };
        it.comm.peers[*from as usize * wires.len() + queue] = Some(peer);
    }
    it
}

/// When the last message arrived; also that links work out the same flit by flit.
fn last(lane: &str, wires: &[(u32, u32)]) -> Ps {
    let ran = run(&flows(wires), &machine(lane));
    let arrivals = ran.records.iter().filter(|it| it.engine == Engine::Network);
    arrivals.map(|it| it.end).max().unwrap()
}

/// What 64 KB take at 128 bytes a nanosecond.
const SERIAL: u64 = 512_000;

#[test]
fn messages_whose_numbers_give_one_connection_share_it_unless_they_may_choose() {
    // PE 0 to PE 1 and PE 1 to PE 0 of the next cube: the mean of both is connection 0.
    let wires = [(0, 9), (1, 8)];
    let alone = last("fixed", &wires[..1]);
    assert_eq!(last("least_queued", &wires[..1]), alone);
    let shared = last("fixed", &wires);
    let spread = last("least_queued", &wires);
    assert!(shared.0 > alone.0 + SERIAL - SERIAL / 50, "{shared} of two on one, {alone} of one");
    assert!(spread.0 < alone.0 + SERIAL / 50, "{spread} of two on two, {alone} of one");
}

#[test]
fn eight_messages_take_four_connections_twice() {
    // From every PE of a cube to its like next door: fixed lanes spread them evenly already.
    let wires: Vec<(u32, u32)> = (0..8).map(|pe| (pe, 8 + pe)).collect();
    let (fixed, chosen) = (last("fixed", &wires), last("least_queued", &wires));
    for time in [fixed, chosen] {
        assert!(time.0 >= 2 * SERIAL && time.0 < 2 * SERIAL + SERIAL * 2 / 3, "{time}");
    }
}

#[test]
fn what_has_arrived_does_not_count_any_more() {
    // One after the other: each message finds all connections idle and takes the first.
    let one = last("least_queued", &[(0, 9)]);
    let wires = [(0, 9), (0, 9), (0, 9)];
    let ran = run(&flows(&wires[..1]), &machine("least_queued"));
    assert_eq!(ran.outcome.time, one);
    // Three at once from one PE: its own link into the network is the bottleneck for all.
    let three = last("least_queued", &wires);
    assert!(three > one && three.0 < one.0 + 2 * SERIAL, "{three} {one}");
}
