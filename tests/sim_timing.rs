//! Exact times of simple programs: closed forms of transfers, engines, queues and credits.

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
use kbc::oplog::{Action, Cause, Engine, Record};
use kbc::topology::{CreditMode, Machine, ReleaseMode};
use kbc::units::Ps;
use sim_kit::*;

const FLIT: u64 = 256;

/// A code that sends tiles of so many elements, each over its queue.
fn sender(messages: &[(u8, u64)]) -> kbc::command::Code {
    let mut it = Writer::new();
    for (queue, elements) in messages {
        let tile = it.fresh(elements * 4);
        it.send(*queue, tile, *elements);
    }
    it.done()
}

/// A code that receives them.
fn receiver(messages: &[(u8, u64)]) -> kbc::command::Code {
    let mut it = Writer::new();
    for (queue, elements) in messages {
        let tile = it.recv(*queue, *elements);
        it.release(tile);
    }
    it.done()
}

fn nothing() -> kbc::command::Code {
    Writer::new().done()
}

/// When each message was delivered, by sender and number.
fn deliveries(ran: &Ran) -> Vec<(u32, u32, u64)> {
    let mut all: Vec<(u32, u32, u64)> = ran
        .records
        .iter()
        .filter(|it| it.engine == Engine::Network)
        .map(|it| (it.agent.0, it.seq, it.end.0))
        .collect();
    all.sort_unstable();
    all
}

fn by_engine(ran: &Ran, engine: Engine) -> Vec<Record> {
    let mut all: Vec<Record> =
        ran.records.iter().filter(|it| it.engine == engine).copied().collect();
    all.sort_by_key(|it| (it.start, it.agent, it.seq));
    all
}

/// The arrivals of stores.
fn arrivals(ran: &Ran) -> Vec<Record> {
    let mut all = by_engine(ran, Engine::DmaWrite);
    all.retain(|it| it.action == Action::Delivery);
    all
}

fn row(pes: u32) -> Machine {
    row_machine(pes, free_pe(), &link(64.0, 500), 2000)
}

/// `bytes` at 64 B/ns, in picoseconds.
fn at_64(bytes: u64) -> u64 {
    bytes * 1000 / 64
}

#[test]
fn one_message_pays_wires_nodes_a_flit_a_hop_and_its_bytes_once() {
    for elements in [64u64, 1024, 1 << 16] {
        let codes =
            vec![sender(&[(0, elements)]), nothing(), nothing(), receiver(&[(0, elements)])];
        let ran = run(&wired(program(codes), &[(0, 3)]), &row(4));
        // PE 0, four routers, PE 3: five links.
        let expected = 5 * 500 + 4 * 2000 + 4 * at_64(FLIT) + at_64(elements * 4);
        assert_eq!(ran.outcome.time, Ps(expected), "{elements} elements");
        assert_eq!(ran.outcome.counters.hops, 5);
    }
}

#[test]
fn a_short_last_flit_has_its_true_size() {
    // 1,000 bytes: three flits of 256 and one of 232, which every hop repeats.
    let codes = vec![sender(&[(0, 250)]), receiver(&[(0, 250)])];
    let ran = run(&wired(program(codes), &[(0, 1)]), &row(2));
    // Three links, two routers. The last flit leaves the first link at 1000 / 64, and then follows
    // the flits before it without a break on each further link.
    assert_eq!(ran.outcome.time, Ps(3 * 500 + 2 * 2000 + 2 * at_64(FLIT) + at_64(1000)));
}

#[test]
fn messages_back_to_back_serialise_on_the_first_link() {
    let messages = [(0, 1024), (0, 1024), (0, 1024)];
    let ran =
        run(&wired(program(vec![sender(&messages), receiver(&messages)]), &[(0, 1)]), &row(2));
    let first = 3 * 500 + 2 * 2000 + 2 * at_64(FLIT) + at_64(4096);
    let expected: Vec<(u32, u32, u64)> =
        (0..3).map(|it| (0, it, first + u64::from(it) * at_64(4096))).collect();
    assert_eq!(deliveries(&ran), expected);
}

#[test]
fn a_short_message_waits_behind_a_long_one_of_its_class() {
    let messages = [(0, 1 << 14), (1, 64)];
    let codes = vec![sender(&messages), nothing(), receiver(&[(0, 1 << 14)])];
    let mut codes = codes;
    codes[1] = receiver(&[(1, 64)]);
    let ran = run(&wired(program(codes), &[(0, 2), (0, 1)]), &row(3));
    let seen = deliveries(&ran);
    let long_leaves_first_link = at_64(1 << 16);
    let short = long_leaves_first_link + 3 * 500 + 2 * 2000 + 2 * at_64(FLIT) + at_64(256);
    assert_eq!(seen[1], (0, 1, short));
}

#[test]
fn two_flows_share_a_link_flit_by_flit() {
    // PE 0 and PE 1 send to PE 2; from router 1 on they share two links.
    let (elements, bytes) = (1u64 << 14, 1u64 << 16);
    let codes = vec![
        sender(&[(0, elements)]),
        sender(&[(1, elements)]),
        receiver(&[(0, elements), (1, elements)]),
    ];
    let ran = run(&wired(program(codes), &[(0, 2), (1, 2)]), &row(3));
    let seen = deliveries(&ran);
    // PE 1's head is at router 1 after one link; PE 0's after two. The shared link is busy from
    // then on without a break; the last flit on it goes through two more nodes and one more link.
    let shared_from = 500 + 2000 + at_64(FLIT);
    let all_through = shared_from + 2 * at_64(bytes);
    let to_the_end = 500 + 2000 + at_64(FLIT) + 500;
    let last = seen.iter().map(|it| it.2).max().unwrap();
    assert_eq!(last, all_through + to_the_end);
    // Fair: the flow that began one hop later ends that much later at most, and alone it would
    // have taken half.
    let first = seen.iter().map(|it| it.2).min().unwrap();
    let head_start = 500 + 2000 + at_64(FLIT);
    assert!(last - first <= 2 * head_start, "{first} and {last}");
    assert!(first > at_64(bytes) * 19 / 10, "the flows did not share: {first}");
}

#[test]
fn classes_share_a_link_and_do_not_block_each_other() {
    // A long DMA write of PE 0 to its HBM and a message to PE 1 share the first link.
    let (long, short) = (1u64 << 16, 64u64);
    let mut it = Writer::new();
    let (data, tile) = (it.fresh(long * 4), it.fresh(short * 4));
    it.store(data, 0, long);
    it.send(0, tile, short);
    let it = wired(program(vec![it.done(), receiver(&[(0, short)])]), &[(0, 1)]);
    let ran = run(&own_memory(it, 0, long * 4), &row(2));
    let message = deliveries(&ran)[0].2;
    // Behind at most one flit of the write.
    let alone = 3 * 500 + 2 * 2000 + 2 * at_64(FLIT) + at_64(256);
    assert_eq!(message, alone + at_64(FLIT));
    // The write gives up the time of the one flit.
    let write = arrivals(&ran)[0];
    assert_eq!(write.end.0, 2 * 500 + 2000 + at_64(FLIT) + at_64(long * 4) + at_64(256));
}

#[test]
fn a_load_asks_its_memory_and_streams_back() {
    let elements = 1u64 << 12;
    let mut it = Writer::new();
    let tile = it.fresh(elements * 4);
    it.load(tile, 4096, elements);
    let machine = row_machine(1, costly_pe(), &link(64.0, 500), 2000);
    let ran = run(&own_memory(program(vec![it.done()]), 4096, elements * 4), &machine);
    // Dispatch, DMA overhead, an empty request over two links and a router, the controller, then
    // the data back the same way, and the last flit into TCM.
    let way = 2 * 500 + 2000;
    let (dispatch, dma, controller) = (1000, 1000, 3000);
    let data = at_64(FLIT) + at_64(elements * 4) + FLIT * 1000 / 512;
    assert_eq!(ran.outcome.time, Ps(dispatch + dma + way + controller + way + data));
}

#[test]
fn a_store_ends_when_its_last_byte_is_in() {
    let elements = 1u64 << 12;
    let mut it = Writer::new();
    let tile = it.fresh(elements * 4);
    it.store(tile, 4096, elements);
    let machine = row_machine(1, costly_pe(), &link(64.0, 500), 2000);
    let ran = run(&own_memory(program(vec![it.done()]), 4096, elements * 4), &machine);
    let way = 2 * 500 + 2000;
    let data = FLIT * 1000 / 512 + at_64(FLIT) + at_64(elements * 4);
    assert_eq!(ran.outcome.time, Ps(1000 + 1000 + way + data + 3000));
}

#[test]
fn an_atomic_goes_out_is_carried_out_and_is_answered() {
    let elements = 1u64 << 12;
    let machine = row_machine(1, costly_pe(), &link(64.0, 500), 2000);
    for back in [false, true] {
        let mut it = Writer::new();
        let (tile, found) = (it.fresh(elements * 4), it.fresh(elements * 4));
        it.atomic_add(tile, back.then_some(found), 4096, elements);
        let ran = run(&own_memory(program(vec![it.done()]), 4096, elements * 4), &machine);
        let way = 2 * 500 + 2000;
        let data = FLIT * 1000 / 512 + at_64(FLIT) + at_64(elements * 4);
        // Dispatch, DMA overhead, the operands as of a store, the controller, which spends 0.7 ns
        // on each of 64 bursts, and what was there as of a load, or nothing.
        let carried_out = 3000 + 64 * 700;
        let answer = if back { way + data } else { way };
        let expected = 1000 + 1000 + way + data + carried_out + answer;
        assert_eq!(ran.outcome.time, Ps(expected), "{back}");
        let counters = ran.outcome.counters;
        assert_eq!(counters.bytes_written, elements * 4);
        assert_eq!(counters.bytes_read, if back { elements * 4 } else { 0 });
    }
}

#[test]
fn atomics_wait_for_each_other_at_the_memory_of_the_address() {
    use kbc::launch::{AddressMap, Placement, Region, Shard};
    let count = || {
        let mut it = Writer::new();
        let tile = it.fresh(4);
        it.atomic_add(tile, None, 4096, 1);
        it.done()
    };
    let mut it = program(vec![count(), count(), count()]);
    let shard = Shard { offset: 0, bytes: 64, pe: kbc::topology::PeId(0) };
    let placement = Placement::Sharded(vec![shard]);
    it.memory =
        AddressMap::new(vec![Region { name: "x".into(), base: 4096, bytes: 64, placement }]);
    let mut pe = free_pe();
    pe.hbm.atomic = Ps(1_000_000);
    let ran = run(&it, &row_machine(3, pe, &link(64.0, 500), 2000));
    // PE 0 is there first, after two links and a router, each of which takes 4 bytes in 62.5 ps;
    // a microsecond for each of the three; and an empty answer over four links to PE 2.
    let first = 2 * 500 + 2000 + 2 * 63;
    assert_eq!(ran.outcome.time, Ps(first + 3 * 1_000_000 + 4 * 500 + 3 * 2000));
    let order: Vec<u32> = ran.records.iter().map(|it| it.agent.0).collect();
    assert_eq!(order, [0, 1, 2], "the log holds them in the order of their ends");
}

#[test]
fn engines_take_their_cycles_and_wait_for_operands() {
    let mut it = Writer::new();
    let (a, b) = (it.fresh(4000), it.fresh(4000));
    let (c, d) = (it.fresh(4000), it.fresh(4000));
    it.add(c, a, b, 1000);
    it.add(d, c, c, 1000);
    it.gemm(a, c, d, [32, 64, 40]);
    let machine = ring_machine(2, costly_pe(), &link(64.0, 0));
    let ran = run(&program(vec![it.done(), nothing()]), &machine);
    // 1,000 elements in 64 lanes are 16 cycles; 32 x 64 x 40 in 16 x 16 x 16 are 2 x 4 x 3.
    let add = 1000 + 16_000;
    let gemm = 1000 + 24_000;
    let math = by_engine(&ran, Engine::Math);
    assert_eq!((math[0].start, math[0].end), (Ps(1000), Ps(1000 + add)));
    assert_eq!((math[1].start, math[1].end), (math[0].end, Ps(1000 + 2 * add)));
    assert_eq!(math[1].cause, Cause::Operand, "operands come before the engine");
    let last = by_engine(&ran, Engine::Gemm)[0];
    assert_eq!((last.start, last.end), (math[1].end, Ps(1000 + 2 * add + gemm)));
    assert_eq!(ran.outcome.counters.macs, 32 * 64 * 40);
}

#[test]
fn a_buffer_is_not_written_while_it_is_being_sent() {
    let elements = 1u64 << 12;
    let mut it = Writer::new();
    let (a, b) = (it.fresh(elements * 4), it.fresh(elements * 4));
    it.send(0, a, elements);
    it.add(a, b, b, elements);
    let it = wired(program(vec![it.done(), receiver(&[(0, elements)])]), &[(0, 1)]);
    let ran = run(&it, &row(2));
    let math = by_engine(&ran, Engine::Math)[0];
    assert_eq!(math.start, Ps(at_64(elements * 4)), "when the last byte has left");
    assert_eq!(math.cause, Cause::Operand);
    assert_eq!(ran.records[math.predecessor.unwrap().index()].engine, Engine::DmaComm);
}

#[test]
fn a_full_queue_in_front_of_an_engine_stalls_pe_cpu() {
    let mut it = Writer::new();
    let (a, b) = (it.fresh(256), it.fresh(256));
    for _ in 0..6 {
        it.gemm(a, b, b, [16, 16, 16 * 100]);
    }
    it.add(b, b, b, 64);
    let mut pe = free_pe();
    pe.queue_depth = 2;
    let ran = run(&program(vec![it.done()]), &ring_machine(1, pe, &link(64.0, 0)));
    // Commands 0 to 5 start at 0, 100, … 500 ns. Two wait at most, so the last one is issued when
    // the fourth starts, at 300 ns; the addition after it comes last for its operand.
    let gemm = by_engine(&ran, Engine::Gemm);
    assert_eq!(gemm[5].start, Ps(500_000));
    assert_eq!(
        ran.outcome.counters.engine(Engine::Cpu).stalled[Cause::Engine as usize],
        Ps(300_000)
    );
}

#[test]
fn outstanding_bounds_transfers_in_flight() {
    let elements = 64u64;
    for (outstanding, expected) in [(1, 4), (2, 2), (4, 1)] {
        let mut it = Writer::new();
        for at in 0..4 {
            let tile = it.fresh(elements * 4);
            it.load(tile, at * 256, elements);
        }
        let mut pe = free_pe();
        pe.dma.outstanding = outstanding;
        pe.hbm.overhead = Ps(1_000_000);
        let machine = row_machine(1, pe, &link(256.0, 0), 0);
        let ran = run(&own_memory(program(vec![it.done()]), 0, 1024), &machine);
        let rounds = ran.outcome.time.0 / 1_000_000;
        assert_eq!(rounds, expected, "{outstanding} outstanding");
    }
}

#[test]
fn overlapping_transfers_of_one_agent_end_in_order() {
    let elements = 1u64 << 10;
    let mut it = Writer::new();
    let (a, b) = (it.fresh(elements * 4), it.fresh(elements * 4));
    it.store(a, 0, elements);
    it.load(b, 2048, elements / 2);
    let ran = run(&own_memory(program(vec![it.done()]), 0, elements * 4), &row(1));
    let (store, load) = (arrivals(&ran)[0], by_engine(&ran, Engine::DmaRead)[0]);
    assert_eq!(load.start, store.end);
    assert_eq!(load.cause, Cause::Operand);
}

#[test]
fn slots_cost_at_both_ends_and_one_writer_serves_all_directions() {
    // Two neighbours send to PE 1 at once; its inbound side writes one message after the other.
    let elements = 1u64 << 10;
    let mut it = Writer::new();
    let first = it.recv(0, elements);
    it.release(first);
    let second = it.recv(1, elements);
    it.release(second);
    let codes = vec![sender(&[(0, elements)]), it.done(), sender(&[(1, elements)])];
    let mut pe = free_pe();
    pe.ipcq.tiers[0].bandwidth = gb(8.0);
    pe.ipcq.tiers[0].overhead = Ps(700);
    let machine = ring_machine(3, pe, &link(64.0, 100_000));
    let ran = run(&wired(program(codes), &[(0, 1), (2, 1)]), &machine);
    let (arrive, slot) = (at_64(4096) + 100_000, 700 + 4096 * 1000 / 8);
    let mut ends: Vec<u64> = deliveries(&ran).iter().map(|it| it.2).collect();
    ends.sort_unstable();
    assert_eq!(ends, [arrive + slot, arrive + 2 * slot]);
    let cpu: Vec<(u64, u64)> = by_engine(&ran, Engine::Cpu)
        .iter()
        .filter(|it| it.end > it.start)
        .map(|it| (it.start.0, it.end.0))
        .collect();
    let seen = arrive + slot;
    assert_eq!(cpu, [(seen, seen + slot), (seen + slot, seen + 2 * slot)]);
}

/// PE 0 sends five messages through one slot; PE 1 receives each and works on it for 100 ns.
fn through_one_slot(credit: CreditMode, release: ReleaseMode) -> Ran {
    let elements = 64u64;
    let mut it = Writer::new();
    let sum = it.fresh(256);
    for _ in 0..5 {
        let came = it.recv(0, elements);
        it.gemm(sum, came, came, [16, 16, 1600]);
        it.release(came);
    }
    let codes = vec![sender(&[(0, elements); 5]), it.done()];
    let mut pe = free_pe();
    (pe.ipcq.credit, pe.ipcq.release) = (credit, release);
    let mut it = wired(program(codes), &[(0, 1)]);
    it.comm.slots = 1;
    run(&it, &ring_machine(2, pe, &link(64.0, 10_000)))
}

#[test]
fn a_sender_waits_for_the_credit_of_its_slot() {
    // A message takes 4 ns of link and 10 ns of wire; the slot is held for 100 ns of work; a credit
    // of 16 bytes takes 250 ps and the wire. The last message ends the run.
    let (message, work, credit) = (14_000, 100_000, 10_250);
    let ran = through_one_slot(CreditMode::Asynchronous, ReleaseMode::LastUse);
    assert_eq!(ran.outcome.time, Ps(5 * message + 4 * (work + credit)));
    let ran = through_one_slot(CreditMode::Ideal, ReleaseMode::LastUse);
    assert_eq!(ran.outcome.time, Ps(5 * message + 4 * work));
    // PE_CPU of the receiver waits for the credit's arrival, too; that changes nothing here.
    let ran = through_one_slot(CreditMode::Blocking, ReleaseMode::LastUse);
    assert_eq!(ran.outcome.time, Ps(5 * message + 4 * (work + credit)));
    // Given back when received: the work no longer counts.
    let ran = through_one_slot(CreditMode::Asynchronous, ReleaseMode::AtRecv);
    assert_eq!(ran.outcome.time, Ps(5 * message + 4 * credit));
    let stalled = ran.outcome.counters.engine(Engine::Cpu).stalled[Cause::Credit as usize];
    assert!(stalled > Ps::ZERO);
}

#[test]
fn copying_frees_the_slot_and_costs_a_write() {
    let elements = 64u64;
    let mut it = Writer::new();
    let (tile, named) = (it.fresh(256), it.tile());
    for _ in 0..2 {
        it.recv_to(0, elements, named, Some(tile));
        it.release(named);
    }
    let mut pe = free_pe();
    pe.tcm.write = gb(0.5);
    let mut it = wired(program(vec![sender(&[(0, elements); 2]), it.done()]), &[(0, 1)]);
    it.comm.slots = 1;
    let ran = run(&it, &ring_machine(2, pe, &link(64.0, 10_000)));
    let (message, write) = (14_000, 512_000);
    assert_eq!(ran.outcome.time, Ps(2 * message + write));
}

#[test]
fn a_message_that_was_claimed_is_waited_for_later() {
    let elements = 1u64 << 10;
    let mut it = Writer::new();
    let tile = it.fresh(256);
    let slot = it.recv_async(0, elements);
    it.gemm(tile, tile, tile, [16, 16, 1600]);
    it.wait(slot);
    it.gemm(tile, slot, slot, [16, 16, 16]);
    it.release(slot);
    let it = wired(program(vec![sender(&[(0, elements)]), it.done()]), &[(0, 1)]);
    let ran = run(&it, &ring_machine(2, free_pe(), &link(64.0, 10_000)));
    let gemm = by_engine(&ran, Engine::Gemm);
    assert_eq!(gemm[0].start, Ps(0), "it did not wait for the message");
    assert_eq!(gemm[1].start, Ps(100_000), "nor the message for it");
}

#[test]
fn lanes_of_one_pe_share_its_engines() {
    let mut it = Writer::new();
    let tile = it.fresh(256);
    it.gemm(tile, tile, tile, [16, 16, 1600]);
    it.gemm(tile, tile, tile, [16, 16, 1600]);
    let mut it = uniform(2, it.done());
    for (lane, agent) in it.agents.iter_mut() {
        (agent.pe, agent.lane) = (kbc::topology::PeId(0), lane.0 as u16);
    }
    let mut pe = free_pe();
    pe.dispatch = Ps(10);
    let ran = run(&it, &ring_machine(1, pe, &link(64.0, 0)));
    let gemm: Vec<(u32, u32, u64)> =
        by_engine(&ran, Engine::Gemm).iter().map(|it| (it.agent.0, it.seq, it.start.0)).collect();
    // In the order in which they were issued: both lanes at 10 ps, then both at 20 ps.
    let expected = [(0, 0, 10), (1, 0, 100_010), (0, 1, 200_010), (1, 1, 300_010)];
    assert_eq!(gemm, expected);
}

#[test]
fn a_transfer_is_split_by_owner() {
    use kbc::launch::{AddressMap, Placement, Region, Shard};
    let elements = 1u64 << 10;
    let mut it = Writer::new();
    let tile = it.fresh(elements * 4);
    it.load(tile, 0, elements);
    let mut it = program(vec![it.done(), nothing()]);
    let shard = |offset, bytes, pe| Shard { offset, bytes, pe: kbc::topology::PeId(pe) };
    let placement = Placement::Sharded(vec![shard(0, 1024, 0), shard(1024, 3072, 1)]);
    it.memory = AddressMap::new(vec![Region { name: "x".into(), base: 0, bytes: 4096, placement }]);
    let ran = run(&it, &row(2));
    // The near piece is asked for over two links and a router and comes back the same way. From its
    // first flit on, the link into the PE has no break: the far piece comes before it is through.
    let way = 2 * 500 + 2000;
    assert_eq!(ran.outcome.time, Ps(2 * way + at_64(FLIT) + at_64(4096)));
    assert_eq!(ran.outcome.counters.bytes_read, 4096);
}
