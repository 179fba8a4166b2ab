//! Reports of small logs written by hand, where every number can be worked out on paper.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::arena::{Arena, Id};
use kbc::command::{
    Agent, AgentId, ArgSpec, Code, CodeId, Comm, DescId, GridShape, MathId, MathOp, MathSpec,
    Message, Operand, Peer, Program, QueueId, Site, SiteId, Template, TileReg,
};
use kbc::dtype::DType;
use kbc::ir::{DmaDesc, DmaDim, Literal};
use kbc::launch::AddressMap;
use kbc::oplog::{Action, Cause, Engine, Record, RecordId, TransferId};
use kbc::ops::{BinaryOp, CostClass};
use kbc::report::{LinkUse, Report, Resource, Run};
use kbc::shape::Shape;
use kbc::source::{SourceMap, Span};
use kbc::topology::{
    Extent, Grid, Link, LinkId, Machine, MachineBuilder, Node, NodeKind, PeId, PeNodes, SlotKind,
    SlotTier, Spec,
};
use kbc::units::{Bandwidth, Ps};
use proptest::prelude::*;

const SOURCE: &str = r#"def kernel(t, tl):
    a = tl.load(t, shape=(256,), dtype="f32")
    tl.send(dir="E", src=a)
    b = tl.recv(dir="W", shape=(256,), dtype="f32")
    tl.store(t, a + b)
"#;

// The sites of the code below.
const LOAD: SiteId = SiteId(0);
const SEND: SiteId = SiteId(1);
const RECV: SiteId = SiteId(2);
const ADD: SiteId = SiteId(3);
const STORE: SiteId = SiteId(4);

fn sources() -> (SourceMap, impl Fn(&str) -> Span) {
    let mut sources = SourceMap::new();
    let file = sources.add("pair.kb", SOURCE);
    let span = move |text: &str| {
        let start = SOURCE.find(text).unwrap();
        Span::new(file, start, start + text.len())
    };
    (sources, span)
}

fn bandwidth(gb_per_s: f64) -> Bandwidth {
    Bandwidth::from_gb_per_s(gb_per_s).unwrap()
}

/// Two PEs. A link of 102.4 GB/s and 3 ns joins pe0 to pe1; each has HBM at 256 GB/s.
fn machine() -> Machine {
    let mut params = Spec::implied().params().clone();
    params.dispatch = Ps(1000);
    params.dma.overhead = Ps(1000);
    params.math.lanes = 128;
    let tcm =
        SlotTier { overhead: Ps::ZERO, bandwidth: bandwidth(512.0), hop: Bandwidth::INFINITE };
    params.ipcq.tiers[0] = tcm;
    let grid = |w| Grid { w, h: 1, wraps: false };
    let extent = Extent { sips: grid(1), cubes: grid(1), pes: grid(2) };
    let mut builder = MachineBuilder::new("twins", extent, params, 256);
    let mut node = |name: &str, kind| {
        let (name, overhead) = (name.to_owned(), Ps::ZERO);
        builder.node(Node { name, kind, overhead, store_and_forward: false, multicast: false })
    };
    let dmas = [node("pe0.dma", NodeKind::PeDma), node("pe1.dma", NodeKind::PeDma)];
    let hbms = [node("pe0.hbm", NodeKind::HbmCtrl), node("pe1.hbm", NodeKind::HbmCtrl)];
    let link = |wire, rate| Link { wire: Ps(wire), bandwidth: bandwidth(rate), length_mm: 1.0 };
    builder.link(dmas[0], dmas[1], link(3000, 102.4));
    for (dma, hbm) in dmas.into_iter().zip(hbms) {
        builder.link(dma, hbm, link(0, 256.0));
        builder.link(hbm, dma, link(0, 256.0));
        builder.pe(PeNodes { cpu: dma, dma, hbm, sram: dma });
    }
    builder.build()
}

fn code(span: impl Fn(&str) -> Span) -> Code {
    let mut code = Code { name: "kernel".into(), ..Code::default() };
    let dims = vec![DmaDim { extent: 256, stride: 4 }];
    code.descs.push(DmaDesc { dims, elem_bytes: 4 });
    let dense = ArgSpec { dtype: DType::F32, offset: 0, strides: vec![1] };
    code.maths.push(MathSpec {
        op: MathOp::Binary(BinaryOp::Add),
        shape: Shape::new([256]),
        args: vec![dense.clone(), dense],
        out: DType::F32,
        cost: CostClass::Simple,
    });
    let (base, desc, tile) = (Operand::Const(Literal::Int(0)), DescId(0), TileReg(0));
    let message = Message { elements: 256, dtype: DType::F32 };
    let (east, west) = (QueueId(0), QueueId(1));
    let mut site = |template, text| {
        code.sites.push(Site { template, span: span(text) });
    };
    site(Template::DmaRead { base, desc, window: None, dst: tile }, "tl.load");
    site(Template::Send { queue: east, src: tile, message }, "tl.send");
    let recv = Template::Recv { queue: west, dst: None, out: tile, consume: true, message };
    site(recv, "tl.recv");
    site(Template::Math { spec: MathId(0), args: [None; 3], out: tile }, "a + b");
    site(Template::DmaWrite { base, desc, window: None, src: tile }, "tl.store");
    code
}

fn program(code: Code) -> Program {
    let agent = |pe| Agent { pe: PeId(pe), lane: 0, code: CodeId(0), first: pe, step: 1, count: 1 };
    let mut codes = Arena::new();
    codes.push(code);
    let east = Peer { agent: AgentId(1), queue: QueueId(1) };
    let west = Peer { agent: AgentId(0), queue: QueueId(0) };
    Program {
        name: "pair".into(),
        codes,
        agents: [agent(0), agent(1)].into_iter().collect(),
        grid: GridShape::Flat([2, 1, 1]),
        comm: Comm {
            directions: vec!["E".into(), "W".into()],
            peers: vec![Some(east), None, None, Some(west)],
            slots: 4,
            slot_bytes: 1024,
            kind: SlotKind::Tcm,
        },
        memory: AddressMap::default(),
        channels: kbc::command::channel::Channels::default(),
    }
}

/// A command of an agent: its agent, number and site.
type Of = (u32, u32, SiteId);

fn record((agent, seq, site): Of, engine: Engine, [handoff, start, end]: [u64; 3]) -> Record {
    Record {
        start: Ps(start),
        end: Ps(end),
        handoff: Ps(handoff),
        agent: AgentId(agent),
        seq,
        site,
        predecessor: None,
        transfer: None,
        link: None,
        action: Action::Command,
        engine,
        cause: Cause::Dispatch,
    }
}

fn after(record: Record, predecessor: u32, cause: Cause) -> Record {
    Record { predecessor: Some(RecordId(predecessor)), cause, ..record }
}

/// PE 0 loads 1,024 B and sends them to PE 1, which adds and stores.
fn pair() -> Vec<Record> {
    let delivery = record((0, 1, SEND), Engine::Network, [6000, 6000, 26_000]);
    let delivery = Record {
        action: Action::Delivery,
        transfer: Some(TransferId(0)),
        link: Some(LinkId(0)),
        ..delivery
    };
    vec![
        record((0, 0, LOAD), Engine::DmaRead, [0, 1000, 6000]),
        after(record((0, 1, SEND), Engine::DmaComm, [6000, 6000, 17_000]), 0, Cause::Operand),
        after(delivery, 1, Cause::Link),
        after(record((1, 0, RECV), Engine::Cpu, [26_000, 26_000, 28_000]), 2, Cause::Link),
        after(record((1, 1, ADD), Engine::Math, [28_000, 29_000, 32_000]), 3, Cause::Dispatch),
        after(record((1, 2, STORE), Engine::DmaWrite, [32_000, 32_000, 40_000]), 4, Cause::Operand),
    ]
}

fn report(records: &[Record], time: u64) -> Report {
    let (sources, span) = sources();
    let (program, machine) = (program(code(span)), machine());
    let usage = |link, busy, queued| LinkUse {
        messages: 2,
        link: LinkId(link),
        bytes: 1024,
        busy: Ps(busy),
        queued: Ps(queued),
    };
    let links = [usage(2, 4000, 0), usage(0, 10_000, 4000), usage(3, 5000, 0)];
    Report::new(&Run {
        program: &program,
        machine: &machine,
        log: &records,
        sources: &sources,
        time: Ps(time),
        links: &links,
        moved: [1024, 1024],
        accounts: None,
        shown_messages: 0,
    })
}

/// Start, length and waiting of each segment.
fn segments(report: &Report) -> Vec<(u64, u64, u64)> {
    report.critical_path().iter().map(|it| (it.start.0, it.length.0, it.waited.0)).collect()
}

fn total(report: &Report) -> Ps {
    report.critical_path().iter().map(|it| it.length).sum()
}

#[test]
fn the_path_runs_from_handoff_to_handoff() {
    let report = report(&pair(), 40_000);
    let expected = [
        (0, 6000, 1000),
        (6000, 0, 0), // the send lets its message go as soon as it is itself let go
        (6000, 20_000, 0),
        (26_000, 2000, 0),
        (28_000, 4000, 1000),
        (32_000, 8000, 0),
    ];
    assert_eq!(segments(&report), expected);
    assert_eq!(total(&report), Ps(40_000));
    let ids: Vec<_> = report.critical_path().iter().map(|it| it.record.unwrap().0).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn the_path_is_split_into_resources() {
    let report = report(&pair(), 40_000);
    let of = |resource| {
        let share = report.shares().iter().find(|it| it.resource == resource);
        share.map_or(0, |share| share.total.0)
    };
    // The message: 1,024 B at 102.4 GB/s; 1 ns of DMA and 3 ns of wire; 1,024 B into a slot at
    // 512 GB/s; the rest of its 20 ns it was held up.
    assert_eq!(of(Resource::LinkBandwidth), 10_000);
    assert_eq!(of(Resource::LinkLatency), 4000);
    assert_eq!(of(Resource::SlotWrite), 2000);
    assert_eq!(of(Resource::LinkContention), 4000);
    assert_eq!(of(Resource::Dispatch), 1000 + 1000);
    assert_eq!(of(Resource::DmaRead), 5000);
    assert_eq!(of(Resource::SlotRead), 2000);
    assert_eq!(of(Resource::Math), 3000);
    assert_eq!(of(Resource::DmaWrite), 8000);
    assert_eq!(report.shares().iter().map(|it| it.total).sum::<Ps>(), Ps(40_000));
    assert_eq!(report.bound_by(), "link bandwidth");
    assert_eq!(report.shares()[0].location, "pair.kb:3");
}

#[test]
fn a_message_that_nothing_held_up_waits_for_nobody() {
    let mut records = pair();
    records[2].link = None;
    let report = report(&records, 40_000);
    let latency = report.shares().iter().find(|it| it.resource == Resource::LinkLatency).unwrap();
    assert_eq!(latency.total, Ps(8000));
    assert!(report.shares().iter().all(|it| it.resource != Resource::LinkContention));
}

#[test]
fn rows_are_lines_longest_first() {
    let report = report(&pair(), 40_000);
    let rows: Vec<_> = report
        .path_rows()
        .iter()
        .map(|row| (row.location.as_str(), row.engine, row.cause, row.total.0, row.count))
        .collect();
    let expected = [
        ("pair.kb:3", Engine::Network, Cause::Link, 20_000, 1),
        ("pair.kb:5", Engine::DmaWrite, Cause::Operand, 8000, 1),
        ("pair.kb:2", Engine::DmaRead, Cause::Dispatch, 6000, 1),
        ("pair.kb:5", Engine::Math, Cause::Dispatch, 4000, 1),
        ("pair.kb:4", Engine::Cpu, Cause::Link, 2000, 1),
    ];
    assert_eq!(rows, expected);
    assert_eq!(report.path_rows()[4].source, r#"b = tl.recv(dir="W", shape=(256,), dtype="f32")"#);
}

#[test]
fn engines_are_measured_against_their_peaks() {
    let report = report(&pair(), 40_000);
    let of = |engine| report.engines().iter().find(|it| it.engine == engine).unwrap().clone();
    // Two commands issued by PE 0; three by PE 1, and 2 ns at the slot.
    let cpu = of(Engine::Cpu);
    assert_eq!((cpu.busy, cpu.max_busy, cpu.busiest.as_str()), (Ps(7000), Ps(5000), "pe1"));
    assert!((cpu.mean_percent - 8.75).abs() < 1e-9 && (cpu.max_percent - 12.5).abs() < 1e-9);
    // 256 elements in 40 ns, of 2 x 128 lanes at 1 GHz; 3 ns of them busy.
    let math = of(Engine::Math).rate.unwrap();
    assert!((math.achieved - 6.4e9).abs() < 1.0 && (math.peak - 256e9).abs() < 1.0);
    assert!((math.busy_percent - 200.0 / 3.0).abs() < 1e-9);
    // 1,024 B in 40 ns, of 2 x 256 GB/s; 5 ns of them busy.
    let read = of(Engine::DmaRead).rate.unwrap();
    assert!((read.achieved - 25.6e9).abs() < 1.0 && (read.peak - 512e9).abs() < 1.0);
    assert!((read.busy_percent - 80.0).abs() < 1e-9);
    assert!(report.engines().iter().all(|it| it.engine != Engine::Gemm));
}

#[test]
fn traffic_and_waiting_are_added_up() {
    let report = report(&pair(), 40_000);
    let traffic = report.traffic();
    assert_eq!((traffic.messages, traffic.message_bytes, traffic.largest_message), (1, 1024, 1024));
    assert_eq!((traffic.bytes_read, traffic.bytes_written), (1024, 1024));
    assert_eq!(report.waiting().of(Cause::Dispatch), Ps(2000));
    assert_eq!(report.waiting().of(Cause::Operand), Ps::ZERO);
    // PE 1 has issued its receive at 1 ns; the message is there at 26 ns.
    assert_eq!(report.waiting().in_receives, Ps(25_000));
}

#[test]
fn links_are_sorted_by_queueing_then_by_use() {
    let report = report(&pair(), 40_000);
    let ends: Vec<_> = report.links().iter().map(|it| (it.from.as_str(), it.to.as_str())).collect();
    assert_eq!(ends, [("pe0.dma", "pe1.dma"), ("pe1.dma", "pe1.hbm"), ("pe0.hbm", "pe0.dma")]);
}

#[test]
fn time_after_the_last_record_has_no_record() {
    let report = report(&pair(), 50_000);
    let last = report.critical_path().last().unwrap();
    assert_eq!((last.record, last.start, last.length), (None, Ps(40_000), Ps(10_000)));
    assert_eq!(total(&report), Ps(50_000));
    assert_eq!(report.shares()[0].total + report.shares()[1].total, Ps(20_000));
}

#[test]
fn what_ends_after_the_run_does_not_bound_it() {
    let mut records = pair();
    records.push(after(
        record((0, 2, RECV), Engine::Cpu, [40_000, 40_000, 44_000]),
        5,
        Cause::Link,
    ));
    assert_eq!(segments(&report(&records, 40_000)), segments(&report(&pair(), 40_000)));
}

#[test]
fn of_records_that_end_together_the_first_counts() {
    let mut records = pair();
    records.push(record((0, 2, STORE), Engine::DmaWrite, [0, 0, 40_000]));
    assert_eq!(report(&records, 40_000).critical_path().len(), 6);
}

#[test]
fn a_credit_on_its_way_is_the_slots() {
    // PE 1 gives a slot back at 2 ns; PE 0 knows at 9 ns and sends.
    let records = [
        record((1, 0, RECV), Engine::Cpu, [0, 1000, 2000]),
        after(record((0, 0, SEND), Engine::DmaComm, [2000, 9000, 10_000]), 0, Cause::Credit),
    ];
    let report = report(&records, 10_000);
    assert_eq!(report.bound_by(), "recv slot credit");
    assert_eq!(report.shares()[0].total, Ps(7000));
    assert_eq!(report.waiting().of(Cause::Credit), Ps(7000));
}

#[test]
fn a_run_without_records_says_so() {
    let empty = report(&[], 0);
    assert_eq!((empty.bound_by(), empty.critical_path().len()), ("nothing", 0));
    assert!(empty.text().contains("nothing ran"), "{}", empty.text());
    let dropped = report(&[], 5000);
    assert_eq!(dropped.bound_by(), "time without a record");
    assert_eq!(total(&dropped), Ps(5000));
}

#[test]
fn the_text_of_the_pair() {
    insta::assert_snapshot!(report(&pair(), 40_000).text());
}

#[test]
fn the_json_has_whole_numbers() {
    let json = report(&pair(), 40_000).json();
    assert_eq!(json["time_ps"], 40_000);
    assert_eq!(json["bound_by"], "link bandwidth");
    let path = &json["critical_path"];
    assert_eq!(path["by_line"][0]["time_ps"], 20_000);
    assert_eq!(path["by_resource"][0]["time_ps"], 10_000);
    let lengths = path["segments"].as_array().unwrap().iter().map(|it| it["length_ps"].as_u64());
    assert_eq!(lengths.map(Option::unwrap).sum::<u64>(), 40_000);
    assert_eq!(json["links"][0]["queued_ps"], 4000);
    assert_eq!(json["traffic"]["largest_message_bytes"], 1024);
    assert_eq!(json["waiting_ps"]["in_receives"], 25_000);
}

const ENGINES: [Engine; 7] = [
    Engine::Cpu,
    Engine::DmaRead,
    Engine::DmaWrite,
    Engine::DmaComm,
    Engine::Gemm,
    Engine::Math,
    Engine::Network,
];
const CAUSES: [Cause; 6] =
    [Cause::Dispatch, Cause::Operand, Cause::Engine, Cause::Link, Cause::Credit, Cause::Barrier];

/// Logs as a machine might write them: a record is let go by an earlier one, not before that one
/// was let go itself.
fn logs() -> impl Strategy<Value = Vec<Record>> {
    let one =
        (0..2u32, 0..5u32, 0..7usize, 0..6usize, any::<u32>(), [0..9000u64, 0..9000, 0..9000]);
    prop::collection::vec(one, 1..60).prop_map(|rows| {
        let mut log: Vec<Record> = Vec::new();
        for (agent, site, engine, cause, before, [handoff, start, end]) in rows {
            let before = (!log.is_empty()).then(|| before as usize % log.len());
            let handoff = handoff + before.map_or(0, |it| log[it].handoff.0);
            let times = [handoff, handoff + start, handoff + start + end];
            let it = record((agent, log.len() as u32, SiteId(site)), ENGINES[engine], times);
            let action = if engine == 6 { Action::Delivery } else { Action::Command };
            let predecessor = before.map(RecordId::from_index);
            log.push(Record { predecessor, cause: CAUSES[cause], action, ..it });
        }
        log
    })
}

/// Records that make no sense: of agents and sites that do not exist, out of order, in circles.
fn nonsense() -> impl Strategy<Value = Vec<Record>> {
    let times = [0..20_000u64, 0..20_000, 0..20_000];
    let one = (any::<u8>(), any::<u8>(), 0..7usize, 0..6usize, any::<Option<u8>>(), times);
    prop::collection::vec(one, 0..40).prop_map(|rows| {
        let make = |(agent, site, engine, cause, before, times): (u8, u8, usize, usize, _, _)| {
            let of = (u32::from(agent % 4), u32::from(site), SiteId(u32::from(site % 8)));
            let before: Option<u8> = before;
            let predecessor = before.map(|it| RecordId(u32::from(it)));
            let link = before.map(|it| LinkId(u32::from(it)));
            Record { predecessor, link, cause: CAUSES[cause], ..record(of, ENGINES[engine], times) }
        };
        rows.into_iter().map(make).collect()
    })
}

proptest! {
    #[test]
    fn segments_lie_end_to_end(log in logs(), more in 0..5000u64) {
        let time = log.iter().map(|it| it.end.0).max().unwrap() + more;
        let report = report(&log, time);
        prop_assert_eq!(total(&report), Ps(time));
        let path = report.critical_path();
        let mut at = Ps::ZERO;
        for (index, segment) in path.iter().enumerate() {
            prop_assert_eq!(segment.start, at);
            at += segment.length;
            let Some(id) = segment.record else { continue };
            let record = &log[id.index()];
            let before = index.checked_sub(1).and_then(|it| path[it].record);
            prop_assert_eq!(record.predecessor, before);
            prop_assert!(index == 0 || segment.start == record.handoff);
        }
    }

    #[test]
    fn parts_add_up(log in prop_oneof![logs(), nonsense()], time in 0..60_000u64) {
        let report = report(&log, time);
        prop_assert_eq!(total(&report), Ps(time));
        prop_assert_eq!(report.shares().iter().map(|it| it.total).sum::<Ps>(), Ps(time));
        prop_assert!(report.text().lines().count() <= 40);
        prop_assert!(report.json().is_object());
    }
}
