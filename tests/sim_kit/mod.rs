//! Programs and machines made by hand, for tests of the simulator.

#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use kbc::arena::{Arena, Id};
use kbc::command::{
    Agent, AgentId, Arg, ArgSpec, Code, CodeId, Comm, GemmSpec, GridShape, Inst, LaneArgs,
    LaneSpec, LiveSet, MathOp, MathSpec, Message, Operand, Pc, Peer, Program, QueueId, Reg, Site,
    Template, TileReg,
};
use kbc::dtype::DType;
use kbc::ir::{Buffer, DmaDesc, DmaDim, Literal};
use kbc::launch::{AddressMap, Placement, Region};
use kbc::oplog::{MemoryLog, Record};
use kbc::ops::{AtomicOp, BinaryOp, CostClass};
use kbc::shape::Shape;
use kbc::sim::{Mode, Options, Outcome, simulate};
use kbc::source::{FileId, Span};
use kbc::topology::{
    Clock, CreditMode, DmaParams, Extent, FetchStoreParams, GemmParams, Grid, HbmParams,
    IpcqParams, Link, Machine, MachineBuilder, MathFamilies, MathParams, MmuParams, Node, NodeKind,
    PeId, PeNodes, PeParams, ReleaseMode, SchedulerParams, SlotKind, SlotTier, TcmParams,
};
use kbc::units::{Bandwidth, Ps};

pub const INF: f64 = f64::INFINITY;

pub fn gb(rate: f64) -> Bandwidth {
    Bandwidth::from_gb_per_s(rate).unwrap()
}

/// A PE in which nothing takes time but `math`: 64 lanes of 1 GHz.
pub fn free_pe() -> PeParams {
    let clock = Clock::from_ghz(1.0).unwrap();
    let tier = SlotTier { overhead: Ps::ZERO, bandwidth: gb(INF), hop: gb(INF) };
    PeParams {
        dispatch: Ps::ZERO,
        queue_depth: 16,
        tcm: TcmParams { bytes: 1 << 24, reserved: 0, read: gb(INF), write: gb(INF) },
        dma: DmaParams { overhead: Ps::ZERO, outstanding: 4 },
        gemm: GemmParams { overhead: Ps::ZERO, clock, m: 16, n: 16, k: 16, systolic: None },
        math: MathParams {
            overhead: Ps::ZERO,
            clock,
            lanes: 64,
            transcendental: 4,
            families: MathFamilies::default(),
        },
        scheduler: SchedulerParams {
            overhead: Ps::ZERO,
            tile_m: 32,
            tile_n: 32,
            tile_k: 64,
            buffers: 2,
        },
        fetch_store: FetchStoreParams { overhead: Ps::ZERO },
        ipcq: IpcqParams {
            slots: 4,
            kind: SlotKind::Tcm,
            credit: CreditMode::Ideal,
            release: ReleaseMode::LastUse,
            credit_bytes: 16,
            setup_bytes: 0,
            tiers: [tier.clone(), tier.clone(), tier],
        },
        hbm: HbmParams {
            bytes: 1 << 30,
            overhead: Ps::ZERO,
            atomic: Ps::ZERO,
            burst: 256,
            channels: None,
            banks: None,
        },
        sram_bytes: 0,
        mmu: MmuParams {
            page_bytes: 1 << 21,
            entry_bytes: 24,
            tlb_entries: 0,
            tlb_overhead: Ps::ZERO,
            tlb_miss: Ps::ZERO,
        },
        blocks: kbc::topology::BlockParams::default(),
    }
}

/// A PE in which everything takes time.
pub fn costly_pe() -> PeParams {
    let mut pe = free_pe();
    pe.dispatch = Ps(1000);
    pe.tcm.read = gb(512.0);
    pe.tcm.write = gb(512.0);
    pe.dma.overhead = Ps(1000);
    pe.math.overhead = Ps(1000);
    pe.gemm.overhead = Ps(1000);
    pe.ipcq.credit = CreditMode::Asynchronous;
    pe.ipcq.tiers[0].bandwidth = gb(512.0);
    pe.hbm.overhead = Ps(3000);
    pe.hbm.atomic = Ps(700);
    pe
}

pub fn link(rate: f64, wire: u64) -> Link {
    Link { wire: Ps(wire), bandwidth: gb(rate), length_mm: 0.0 }
}

fn node(kind: NodeKind, overhead: u64) -> Node {
    Node {
        name: String::from("n"),
        kind,
        overhead: Ps(overhead),
        store_and_forward: false,
        multicast: false,
    }
}

fn extent(pes: u32) -> Extent {
    let grid = |w| Grid { w, h: 1, wraps: false };
    Extent { sips: grid(1), cubes: grid(1), pes: grid(pes) }
}

/// PEs in a ring, each joined to the next by links both ways.
pub fn ring_machine(pes: u32, pe: PeParams, cable: &Link) -> Machine {
    let mut builder = MachineBuilder::new("ring", extent(pes), pe, 256);
    let nodes: Vec<_> = (0..pes).map(|_| builder.node(node(NodeKind::PeDma, 0))).collect();
    for at in 0..pes as usize {
        let next = (at + 1) % pes as usize;
        builder.link(nodes[at], nodes[next], cable.clone());
        builder.link(nodes[next], nodes[at], cable.clone());
    }
    for at in nodes {
        builder.pe(PeNodes { cpu: at, dma: at, hbm: at, sram: at });
    }
    builder.build()
}

/// PEs in a row of routers: PE, its HBM, a router with an overhead; links of one kind.
pub fn row_machine(pes: u32, pe: PeParams, cable: &Link, overhead: u64) -> Machine {
    let mut builder = MachineBuilder::new("row", extent(pes), pe, 256);
    let routers: Vec<_> =
        (0..pes).map(|_| builder.node(node(NodeKind::Router, overhead))).collect();
    let pair = |builder: &mut MachineBuilder, a, b| {
        builder.link(a, b, cable.clone());
        builder.link(b, a, cable.clone());
    };
    for at in 1..pes as usize {
        pair(&mut builder, routers[at - 1], routers[at]);
    }
    for router in routers {
        let dma = builder.node(node(NodeKind::PeDma, 0));
        let hbm = builder.node(node(NodeKind::HbmCtrl, 77_000));
        pair(&mut builder, dma, router);
        pair(&mut builder, hbm, router);
        builder.pe(PeNodes { cpu: dma, dma, hbm, sram: dma });
    }
    builder.build()
}

/// A code as it is written down.
#[derive(Default)]
pub struct Writer {
    pub code: Code,
    loops: Vec<Pc>,
}

pub const LINE: u32 = 10;

impl Writer {
    pub fn new() -> Writer {
        let mut writer = Writer::default();
        writer.code.name = String::from("k");
        writer.code.regs = 3;
        writer
    }

    fn push(&mut self, inst: Inst) -> Pc {
        let at = self.code.insts.len();
        self.code.insts.push(inst);
        self.code.spans.push(span(at));
        Pc::from_index(at)
    }

    fn site(&mut self, template: Template) {
        let span = span(self.code.insts.len());
        let site = self.code.sites.push(Site { template, span });
        self.push(Inst::Issue { site });
    }

    pub fn reg(&mut self) -> Reg {
        self.code.regs += 1;
        Reg(self.code.regs - 1)
    }

    pub fn tile(&mut self) -> TileReg {
        self.code.tiles += 1;
        TileReg(self.code.tiles - 1)
    }

    pub fn buffer(&mut self, bytes: u64, copies: u32) -> u32 {
        let offset = self.code.scratch_bytes;
        self.code.buffers.push(Buffer { offset, bytes, copies });
        self.code.scratch_bytes += bytes * u64::from(copies);
        self.code.buffers.len() as u32 - 1
    }

    pub fn live(&mut self, tiles: &[TileReg]) -> LiveSet {
        let start = self.code.live.len() as u32;
        self.code.live.extend_from_slice(tiles);
        LiveSet { start, len: tiles.len() as u32 }
    }

    pub fn define(&mut self, dst: TileReg, buffer: u32, bytes: u64, live: &[TileReg]) {
        let live = self.live(live);
        self.push(Inst::Define { dst, buffer, bytes, live });
    }

    /// A tile in a buffer of its own.
    pub fn fresh(&mut self, bytes: u64) -> TileReg {
        let (tile, buffer) = (self.tile(), self.buffer(bytes, 1));
        self.define(tile, buffer, bytes, &[]);
        tile
    }

    pub fn loop_begin(&mut self, count: i64) -> Reg {
        let var = self.reg();
        let at = |value| Operand::Const(Literal::Int(value));
        let (lo, hi, step) = (at(0), at(count), at(1));
        let begin = self.push(Inst::LoopBegin { var, lo, hi, step, end: Pc(0) });
        self.loops.push(begin);
        var
    }

    pub fn loop_end(&mut self) {
        let begin = self.loops.pop().unwrap();
        let here = self.push(Inst::LoopEnd { begin });
        if let Inst::LoopBegin { end, .. } = &mut self.code.insts[begin.index()] {
            *end = here;
        }
    }

    pub fn send(&mut self, queue: u8, src: TileReg, elements: u64) {
        let message = Message { elements, dtype: DType::F32 };
        self.site(Template::Send { queue: QueueId(queue), src, message });
    }

    pub fn recv(&mut self, queue: u8, elements: u64) -> TileReg {
        let out = self.tile();
        self.recv_to(queue, elements, out, None);
        out
    }

    pub fn recv_to(&mut self, queue: u8, elements: u64, out: TileReg, dst: Option<TileReg>) {
        let message = Message { elements, dtype: DType::F32 };
        self.site(Template::Recv { queue: QueueId(queue), dst, out, consume: true, message });
    }

    pub fn recv_async(&mut self, queue: u8, elements: u64) -> TileReg {
        let out = self.tile();
        let message = Message { elements, dtype: DType::F32 };
        self.site(Template::RecvAsync { queue: QueueId(queue), out, message });
        out
    }

    pub fn wait(&mut self, slot: TileReg) {
        self.site(Template::Wait { slot });
    }

    pub fn release(&mut self, tile: TileReg) {
        let live = LiveSet::default();
        self.site(Template::Release { tile, live });
    }

    /// `out = a + b`, elementwise.
    pub fn add(&mut self, out: TileReg, a: TileReg, b: TileReg, elements: u64) {
        let arg = ArgSpec { dtype: DType::F32, offset: 0, strides: vec![1] };
        let spec = self.code.maths.push(MathSpec {
            op: MathOp::Binary(BinaryOp::Add),
            shape: Shape::new([elements]),
            args: vec![arg.clone(), arg],
            out: DType::F32,
            cost: CostClass::Simple,
        });
        let args = [Some(Arg::Tile(a)), Some(Arg::Tile(b)), None];
        self.site(Template::Math { spec, args, out });
    }

    pub fn gemm(&mut self, out: TileReg, a: TileReg, b: TileReg, mnk: [u64; 3]) {
        let spec = self.code.gemms.push(GemmSpec::dense(mnk, DType::F32, DType::F32));
        self.site(Template::Gemm { spec, a, b, acc: None, out });
    }

    pub fn load(&mut self, dst: TileReg, base: u64, elements: u64) {
        let desc = self.row(elements);
        let base = Operand::Const(Literal::Int(base as i64));
        self.site(Template::DmaRead { base, desc, window: None, dst });
    }

    /// Loads a block of 4-byte elements, by extents and byte strides.
    pub fn load_block(&mut self, dst: TileReg, base: u64, dims: &[(u64, i64)]) {
        let desc = self.block(dims);
        let base = Operand::Const(Literal::Int(base as i64));
        self.site(Template::DmaRead { base, desc, window: None, dst });
    }

    /// Stores a block of 4-byte elements, by extents and byte strides.
    pub fn store_block(&mut self, src: TileReg, base: u64, dims: &[(u64, i64)]) {
        let desc = self.block(dims);
        let base = Operand::Const(Literal::Int(base as i64));
        self.site(Template::DmaWrite { base, desc, window: None, src });
    }

    fn block(&mut self, dims: &[(u64, i64)]) -> kbc::command::DescId {
        let dims = dims.iter().map(|(extent, stride)| DmaDim { extent: *extent, stride: *stride });
        self.code.descs.push(DmaDesc { dims: dims.collect(), elem_bytes: 4 })
    }

    pub fn store(&mut self, src: TileReg, base: u64, elements: u64) {
        let desc = self.row(elements);
        let base = Operand::Const(Literal::Int(base as i64));
        self.site(Template::DmaWrite { base, desc, window: None, src });
    }

    /// Adds a tile to memory; `dst` is given what was there.
    pub fn atomic_add(&mut self, src: TileReg, dst: Option<TileReg>, base: u64, elements: u64) {
        let dense = ArgSpec { dtype: DType::F32, offset: 0, strides: vec![1] };
        let spec = self.code.lanes.push(LaneSpec {
            shape: Shape::new([elements]),
            dtype: DType::F32,
            strides: vec![4],
            index: None,
            mask: None,
            value: Some(dense),
        });
        let base = Operand::Const(Literal::Int(base as i64));
        let lanes = LaneArgs { spec, base, index: None, mask: None };
        let op = AtomicOp::Add;
        self.site(Template::DmaAtomic { op, lanes, src, expected: None, dst });
    }

    fn row(&mut self, elements: u64) -> kbc::command::DescId {
        let dims = vec![DmaDim { extent: elements, stride: 4 }];
        self.code.descs.push(DmaDesc { dims, elem_bytes: 4 })
    }

    pub fn done(mut self) -> Code {
        self.push(Inst::End);
        self.code
    }
}

/// Instruction `at` is written in line `at + 1` of a file of short lines.
pub fn span(at: usize) -> Span {
    Span::new(FileId(0), at * LINE as usize, at * LINE as usize + 4)
}

/// A program of one code for each agent, agent `i` on PE `i`, without queues.
pub fn program(codes: Vec<Code>) -> Program {
    let count = codes.len() as u32;
    let codes: Arena<CodeId, Code> = codes.into_iter().collect();
    let agents = (0..count).map(|at| Agent {
        pe: PeId(at),
        lane: 0,
        code: CodeId(at),
        first: at,
        step: 1,
        count: 1,
    });
    Program {
        name: String::from("k"),
        agents: agents.collect(),
        codes,
        grid: GridShape::Machine { pes_per_cube: count.max(1), cubes_per_sip: 1 },
        comm: Comm {
            directions: Vec::new(),
            peers: Vec::new(),
            slots: 4,
            slot_bytes: 1 << 20,
            kind: SlotKind::Tcm,
        },
        memory: AddressMap::default(),
        channels: kbc::command::channel::Channels::default(),
    }
}

/// One code for all agents.
pub fn uniform(pes: u32, code: Code) -> Program {
    let mut it = program(vec![code]);
    let agent = it.agents[AgentId(0)];
    it.agents = (0..pes).map(|at| Agent { pe: PeId(at), first: at, ..agent }).collect();
    it.grid = GridShape::Machine { pes_per_cube: pes, cubes_per_sip: 1 };
    it
}

/// Directions E (0) and W (1) of a ring of all agents, with so many slots.
pub fn in_a_ring(mut it: Program, slots: u32) -> Program {
    let count = it.agents.len() as u32;
    it.comm.directions = vec![String::from("E"), String::from("W")];
    it.comm.slots = slots;
    it.comm.peers = (0..count)
        .flat_map(|at| {
            let peer = |agent, queue| Some(Peer { agent: AgentId(agent), queue: QueueId(queue) });
            [peer((at + 1) % count, 1), peer((at + count - 1) % count, 0)]
        })
        .collect();
    it
}

/// A region of memory that each PE has its own copy of.
pub fn own_memory(mut it: Program, base: u64, bytes: u64) -> Program {
    let placement = Placement::Replicated;
    it.memory = AddressMap::new(vec![Region { name: "x".into(), base, bytes, placement }]);
    it
}

/// One message of a queue between two PEs, until its receiver may go on.
pub fn over_queue(machine: &Machine, kind: SlotKind, ends: (u32, u32), bytes: u64) -> Ps {
    let mut it = messages(&[(0, 1)], bytes / 4);
    it.comm.kind = kind;
    for (at, agent) in it.agents.iter_mut() {
        agent.pe = PeId(if at == AgentId(0) { ends.0 } else { ends.1 });
    }
    let ran = run_in(&it, machine, Mode::Trains);
    ran.records.iter().map(|record| record.end).max().unwrap()
}

/// One message of so many elements over each of these (from, to), all sent at once.
pub fn messages(wires: &[(u32, u32)], elements: u64) -> Program {
    let agents = wires.iter().map(|(from, to)| *from.max(to)).max().map_or(0, |last| last + 1);
    let code = |agent: u32| {
        let mut it = Writer::new();
        for (queue, _) in wires.iter().enumerate().filter(|(_, wire)| wire.0 == agent) {
            let tile = it.fresh(elements * 4);
            it.send(queue as u8, tile, elements);
        }
        for (queue, _) in wires.iter().enumerate().filter(|(_, wire)| wire.1 == agent) {
            let came = it.recv(queue as u8, elements);
            it.release(came);
        }
        it.done()
    };
    wired(program((0..agents).map(code).collect()), wires)
}

/// Adds a direction of its own for each (from, to), in order.
pub fn wired(mut it: Program, wires: &[(u32, u32)]) -> Program {
    let agents = it.agents.len();
    it.comm.directions = wires.iter().map(|(from, to)| format!("d{from}_{to}")).collect();
    it.comm.peers = vec![None; agents * wires.len()];
    for (queue, (from, to)) in wires.iter().enumerate() {
        let peer = Peer { agent: AgentId(*to), queue: QueueId(queue as u8) };
        it.comm.peers[*from as usize * wires.len() + queue] = Some(peer);
    }
    it
}

/// The ring all-reduce of PEERS.md: reduce-scatter, then all-gather, of `n` chunks.
pub fn ring_all_reduce(n: u32, chunk: u64, slots: u32) -> Program {
    let elements = chunk / 4;
    let mut it = Writer::new();
    let (sum, own, out) = (it.tile(), it.tile(), it.tile());
    let sums = it.buffer(chunk, 3);
    let owns = it.buffer(chunk, 1);
    it.define(own, owns, chunk, &[]);
    it.define(sum, sums, chunk, &[own]);
    it.loop_begin(i64::from(n) - 1);
    it.send(0, sum, elements);
    let came = it.recv(1, elements);
    it.define(out, sums, chunk, &[sum]);
    it.add(out, own, came, elements);
    it.release(came);
    it.code.insts.push(Inst::MoveTile { dst: sum, src: out });
    it.code.spans.push(span(0));
    it.loop_end();
    it.send(0, sum, elements);
    it.loop_begin(i64::from(n) - 2);
    let came = it.recv(1, elements);
    it.send(0, came, elements);
    it.release(came);
    it.loop_end();
    let last = it.recv(1, elements);
    it.release(last);
    in_a_ring(uniform(n, it.done()), slots)
}

/// What a run gave.
pub struct Ran {
    pub outcome: Outcome,
    pub records: Vec<Record>,
}

pub fn run_in(program: &Program, machine: &Machine, mode: Mode) -> Ran {
    let mut log = MemoryLog::default();
    let options = Options { mode, ..Options::default() };
    let outcome = simulate(program, machine, &options, &mut log, &mut |_| {}).unwrap();
    Ran { outcome, records: log.records }
}

/// Runs both ways, compares, and checks what holds of every log.
pub fn run(program: &Program, machine: &Machine) -> Ran {
    let ran = run_in(program, machine, Mode::Trains);
    let flits = run_in(program, machine, Mode::FlitByFlit);
    for (at, (trains, flits)) in ran.records.iter().zip(&flits.records).enumerate() {
        assert_eq!(trains, flits, "record {at} in both modes");
    }
    assert_eq!(ran.records.len(), flits.records.len());
    assert_eq!(ran.outcome.time, flits.outcome.time);
    assert_eq!(ran.outcome.counters, flits.outcome.counters);
    check_log(&ran);
    ran
}

/// Checks that records are causal and that the critical path adds up to the makespan.
pub fn check_log(ran: &Ran) {
    for (at, record) in ran.records.iter().enumerate() {
        assert!(record.handoff <= record.start, "#{at} {record:?}");
        assert!(record.start <= record.end, "#{at} {record:?}");
        if let Some(before) = record.predecessor {
            assert!(before.index() < at, "#{at} comes before what released it");
            assert!(ran.records[before.index()].handoff <= record.handoff, "#{at} {record:?}");
        }
    }
    let mut at = ran.outcome.last;
    let mut end = at.map_or(Ps::ZERO, |last| ran.records[last.index()].end);
    assert_eq!(end, ran.outcome.time);
    while let Some(id) = at {
        let record = &ran.records[id.index()];
        assert!(record.handoff <= end);
        end = record.handoff;
        at = record.predecessor;
    }
    assert_eq!(end, Ps::ZERO, "the path begins at the barrier");
}
