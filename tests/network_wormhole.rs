//! Messages of programs on wormhole routers: closed forms of idle and of contended networks, in
//! cycles, which are nanoseconds here; and kernels whose data must be right all the same.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

mod command_line;
mod sim_kit;

use command_line::{Scratch, kbc, root};
use kbc::command::{AgentId, Peer, Program, QueueId};
use kbc::diag::Sink;
use kbc::oplog::{Engine, MemoryLog};
use kbc::sim::{Breakdown, Options, simulate};
use kbc::source::SourceMap;
use kbc::topology::{Machine, load};
use kbc::units::Ps;
use serde_json::Value;
use sim_kit::*;

/// PEs in which nothing takes time.
const FREE_PE: &str = "
  hbm_ctrl: {overhead_ns: 0}
  pe_template:
    components:
      pe_cpu: {attrs: {dispatch_ns: 0}}
      pe_dma: {attrs: {overhead_ns: 0}}
      pe_math: {attrs: {overhead_ns: 0}}
      pe_tcm: {attrs: {read_bw_gbs: inf, write_bw_gbs: inf}}
      pe_ipcq:
        attrs:
          credit: ideal
          tiers: {tcm: {overhead_ns: 0, bw_gbs: inf, hop_bw_gbs: inf}}
";

fn machine(text: &str) -> Machine {
    let mut sources = SourceMap::new();
    let file = sources.add("machine.yaml", text);
    let mut sink = Sink::new();
    let built = load(&sources, file, &mut sink).and_then(|spec| spec.build(&mut sink));
    built.unwrap_or_else(|_| panic!("{:?}", sink.into_sorted()))
}

/// A row of PEs that are routers; flits of 64 bytes take a cycle.
fn row(pes: u32, keys: &str) -> Machine {
    machine(&format!(
        "flit_bytes: 64
network: {{switching: wormhole{keys}}}
machine:{FREE_PE}
  replicate:
    count: {pes}
    links:
      - {{offset: 1, bw_gbs: 64, latency_ns: 0, wrap: false}}
      - {{offset: -1, bw_gbs: 64, latency_ns: 0, wrap: false}}
"
    ))
}

/// PEs around one switch.
fn star(pes: u32, keys: &str) -> Machine {
    let nodes: String = (0..pes).map(|pe| format!("    - {{name: gpu{pe}, kind: pe}}\n")).collect();
    let link = |pe| {
        format!("    - {{from: gpu{pe}, to: hub, bw_gbs: 64, latency_ns: 3, both_ways: true}}\n")
    };
    let links: String = (0..pes).map(link).collect();
    machine(&format!(
        "flit_bytes: 64
network: {{switching: wormhole{keys}}}
machine:{FREE_PE}
  nodes:
    - {{name: hub, kind: switch, overhead_ns: 2}}
{nodes}  links:
{links}"
    ))
}

/// Messages, each over its own queue: from, to, flits of 16 elements. All are sent at once.
fn messages(pes: u32, wires: &[(u32, u32, u64)]) -> Program {
    let code = |pe: u32| {
        let mut it = Writer::new();
        for (queue, (from, _, flits)) in wires.iter().enumerate() {
            if *from == pe {
                let tile = it.fresh(flits * 64);
                it.send(queue as u8, tile, flits * 16);
            }
        }
        for (queue, (_, to, flits)) in wires.iter().enumerate() {
            if *to == pe {
                let tile = it.recv(queue as u8, flits * 16);
                it.release(tile);
            }
        }
        it.done()
    };
    let mut it = program((0..pes).map(code).collect());
    it.comm.directions = (0..wires.len()).map(|queue| format!("d{queue}")).collect();
    it.comm.peers = vec![None; pes as usize * wires.len()];
    for (queue, (from, to, _)) in wires.iter().enumerate() {
        let peer = Peer { agent: AgentId(*to), queue: QueueId(queue as u8) };
        it.comm.peers[*from as usize * wires.len() + queue] = Some(peer);
    }
    it
}

/// When the message of each sender arrived, in nanoseconds; one message a sender.
fn arrivals(machine: &Machine, wires: &[(u32, u32, u64)]) -> Vec<u64> {
    let ran = run(&messages(machine.pe_count(), wires), machine);
    let arrival = |from: u32| {
        let found =
            ran.records.iter().find(|it| it.engine == Engine::Network && it.agent.0 == from);
        found.unwrap().end.0 / 1000
    };
    wires.iter().map(|wire| arrival(wire.0)).collect()
}

#[test]
fn one_message_takes_four_cycles_a_router_and_one_a_flit() {
    let machine = row(5, "");
    for to in 1..5 {
        for flits in [1, 4, 50] {
            // Injection, a cycle of wire, and the routers of both ends and all between.
            let expected = 2 + 4 * u64::from(to + 1) + flits - 1;
            assert_eq!(arrivals(&machine, &[(0, to, flits)]), [expected], "to {to}, {flits} flits");
        }
    }
}

#[test]
fn every_delay_of_a_router_is_paid_once_a_router() {
    // With more room than credits take to come back.
    let keys = ", routing_delay: 2, vc_alloc_delay: 3, switch_alloc_delay: 4, crossbar_delay: 5, \
                buffer_flits: 64";
    // Three routers of 14 cycles, each with a cycle of wire behind it.
    assert_eq!(arrivals(&row(5, keys), &[(1, 3, 10)]), [2 + 3 * 15 + 9]);
    let slower = row(5, ", clock_freq_ghz: 0.5");
    // The same in cycles of 2 ns: a flit of 64 bytes takes half a cycle and is there after one.
    assert_eq!(arrivals(&slower, &[(1, 3, 10)]), [2 * (2 + 3 * 4 + 9)]);
}

#[test]
fn terminals_have_no_router_and_wires_and_nodes_count_in_cycles() {
    // Injection; flit, wire and hub: 1 + 3 + 2; the router's three stages; flit and wire: 1 + 3.
    assert_eq!(arrivals(&star(4, ""), &[(0, 3, 8)]), [1 + 6 + 3 + 4 + 7]);
}

#[test]
fn short_buffers_make_a_message_wait_for_its_own_credits() {
    // A flit's room is back 6 cycles after it won the switch: with room for 2 flits of one virtual
    // channel, two go every 6 cycles between routers of a row.
    let alone = |buffer: u32, flits| {
        let keys = format!(", vcs: 1, buffer_flits: {buffer}");
        arrivals(&row(4, &keys), &[(0, 3, flits)])[0]
    };
    let (long, short) = (alone(2, 600), alone(2, 300));
    assert_eq!(long - short, 300 / 2 * 6);
    // Room for 6 hides that; room without end, too.
    assert_eq!(alone(6, 600) - alone(6, 300), 300);
    assert_eq!(alone(0, 600) - alone(0, 300), 300);
}

/// One virtual channel, messages of one flit from one sender. As soon as a tail has left, the next head may
/// ask, so one comes in the two cycles of `vc_alloc` and `switch_alloc`. If it waits
/// for the credit, one comes a round trip: the credit leaves when the flit wins the switch of the next
/// router, 4 cycles after it won this one's, and is known 2 + `credit_delay` later; a cycle for the virtual channel.
#[test]
fn a_virtual_channel_may_wait_for_its_last_credit() {
    let gaps = |keys: &str| {
        let machine = row(4, &format!(", vcs: 1, credit_delay: 2, {keys}"));
        let ran = run(&messages(4, &[(0, 3, 1); 4]), &machine);
        let network = ran.records.iter().filter(|it| it.engine == Engine::Network);
        let mut seen: Vec<u64> = network.map(|it| it.end.0 / 1000).collect();
        seen.sort_unstable();
        seen.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    assert_eq!(gaps("wait_for_tail_credit: false"), [2, 2, 2]);
    assert_eq!(gaps("wait_for_tail_credit: true"), [4 + 2 + 2 + 1; 3]);
}

/// What the message of the first wire paid: link by link, and its latency, in nanoseconds.
fn account(machine: &Machine, wires: &[(u32, u32, u64)]) -> (Vec<Breakdown>, u64) {
    let program = messages(machine.pe_count(), wires);
    let options = Options { accounts: Some(wires.len()), ..Options::default() };
    let mut log = MemoryLog::default();
    let outcome = simulate(&program, machine, &options, &mut log, &mut |_| {}).unwrap();
    let accounts = outcome.accounts.unwrap();
    let sum = accounts.costs().total();
    assert_eq!(sum, accounts.latency, "{accounts:?}");
    let mine = accounts.worst.iter().find(|it| it.agent.0 == wires[0].0).unwrap();
    assert_eq!(mine.costs().total(), mine.latency(), "{mine:?}");
    (mine.hops.iter().map(|hop| hop.1).collect(), mine.latency().0 / 1000)
}

fn total(costs: &[Breakdown], part: fn(&Breakdown) -> Ps) -> u64 {
    costs.iter().map(part).sum::<Ps>().0 / 1000
}

#[test]
fn a_message_alone_pays_routers_and_its_own_flits_link_by_link() {
    // The last of 50 flits is injected in cycle 50, on the first link 4 later, and 4 later on each further one and at its
    // PE: three of these are the router's, one the flit's.
    let (costs, latency) = account(&row(5, ""), &[(0, 3, 50)]);
    assert_eq!(latency, 2 + 4 * 4 + 49);
    let paid = |it: &Breakdown| (it.overhead.0 / 1000, it.serialisation.0 / 1000, it.lost().0);
    assert_eq!(costs.iter().map(paid).collect::<Vec<_>>(), [(3, 52, 0), (3, 1, 0), (6, 2, 0)]);
}

#[test]
fn what_a_message_waits_for_room_is_told_from_what_others_cost() {
    // Room for 2 flits where 6 cycles pass before it is known again: all of the delay is for want of room.
    for flits in [10, 60, 300] {
        let alone = 2 + 4 * 4 + flits - 1;
        let (costs, latency) = account(&row(4, ", vcs: 1, buffer_flits: 2"), &[(0, 3, flits)]);
        assert!(latency > alone);
        assert_eq!(total(&costs, |it| it.credit), latency - alone, "{flits} flits: {costs:?}");
        assert_eq!(total(&costs, |it| it.queueing), 0, "{flits} flits: {costs:?}");
    }
    // Two share the link into PE 0, behind which there is always room: all of it is queueing, and on that link.
    let machine = star(3, ", vcs: 8, buffer_flits: 0");
    let wires = [(1, 0, 100), (2, 0, 100)];
    let alone = account(&machine, &wires[..1]).1;
    let (costs, latency) = account(&machine, &wires);
    assert!(latency > alone + 90);
    assert_eq!(
        costs.iter().map(|it| it.queueing.0 / 1000).collect::<Vec<_>>(),
        [0, latency - alone]
    );
    assert_eq!(total(&costs, |it| it.credit), 0);
    // A message on the only virtual channel stands behind one that stands for want of room; so does the room.
    let blocked = [(0, 4, 40), (4, 3, 400), (1, 3, 60)];
    let (costs, latency) = account(&row(5, ", vcs: 1, buffer_flits: 8"), &blocked);
    let lost = latency - (2 + 4 * 5 + 39);
    assert!(lost > 300);
    assert_eq!(total(&costs, Breakdown::lost), lost, "{costs:?}");
    assert!(total(&costs, |it| it.credit) > 0 && total(&costs, |it| it.queueing) > 0, "{costs:?}");
}

#[test]
fn two_messages_of_one_sender_go_one_after_the_other() {
    let machine = row(4, "");
    let wires = [(0, 3, 20), (0, 3, 20)];
    let ran = run(&messages(4, &wires), &machine);
    let mut ends: Vec<u64> = ran
        .records
        .iter()
        .filter(|it| it.engine == Engine::Network)
        .map(|it| it.end.0 / 1000)
        .collect();
    ends.sort_unstable();
    let first = 2 + 4 * 4 + 19;
    assert_eq!(ends, [first, first + 20]);
}

#[test]
fn a_blocked_message_blocks_its_virtual_channel_and_no_other() {
    // PE 4 keeps the way into PE 3 busy for 400 cycles. PE 1 wants to go there, too, comes second
    // and stands in the link from PE 2 to PE 3, which the message from PE 0 to PE 4 needs.
    let wires = [(4, 3, 400), (1, 3, 60), (0, 4, 40)];
    let passing = |vcs: u32| {
        let keys = format!(", vcs: {vcs}, buffer_flits: 8");
        arrivals(&row(5, &keys), &wires)[2]
    };
    // Behind it the message waits for the end of the first; beside it, it shares the link at most.
    assert!(passing(1) > 400, "{}", passing(1));
    assert!(passing(2) < 2 + 4 * 5 + 39 + 60, "{}", passing(2));
}

#[test]
fn flows_into_one_link_share_it_and_lose_nothing() {
    for flows in 2..=8u32 {
        let machine = star(flows + 1, ", vcs: 8, buffer_flits: 16");
        let wires: Vec<(u32, u32, u64)> = (1..=flows).map(|from| (from, 0, 100)).collect();
        let mut ends = arrivals(&machine, &wires);
        ends.sort_unstable();
        // The link into PE 0 is never idle from the first flit on.
        let first_flit = 1 + 6 + 3 + 4;
        let last = first_flit + u64::from(flows) * 100 - 1;
        assert_eq!(ends.last(), Some(&last), "{flows} flows");
        // All have their share until the end: nobody is done long before the others. Virtual
        // channels are given out one by one, so some begin a little later.
        assert!(ends[0] + 12 * u64::from(flows) > last, "{flows} flows: {ends:?}");
    }
}

#[test]
fn kernels_are_right_on_routers_and_no_faster_than_on_links_without_end() {
    let scratch = Scratch::new();
    let ring = std::fs::read_to_string(root().join("topology/ring8.yaml")).unwrap();
    let write = |name: &str, keys: &str| {
        scratch.write(name, &format!("network: {{{keys}}}\n{ring}"));
    };
    write("free.yaml", "switching: interleaved");
    write("narrow.yaml", "switching: wormhole, vcs: 2, buffer_flits: 1");
    for kernel in ["ring_allreduce", "mesh_allreduce", "tree_allreduce"] {
        let times = ["free.yaml", "narrow.yaml"].map(|machine| {
            let file = root().join(format!("kernels/{kernel}.kb"));
            let line =
                ["sim", file.to_str().unwrap(), "--ws", "8", "--json", "--topology", machine];
            let out = kbc(scratch.path(), &line);
            let json: Value = serde_json::from_str(&out.stdout).unwrap();
            assert_eq!(json["data"]["verdict"], "verified", "{kernel}");
            json["time_ps"].as_u64().unwrap()
        });
        assert!(times[0] < times[1], "{kernel}: {times:?}");
    }
}
