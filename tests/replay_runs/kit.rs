//! Small programs built by hand, and logs for them in any order that a machine might choose.

use std::collections::{BTreeMap, BTreeSet};

use kbc::arena::{Arena, Id};
use kbc::command::{
    Agent, AgentId, Arg, ArgSpec, Code, CodeId, Comm, Command, GemmSpec, GridShape, Inst, IpcqSend,
    LiveSet, MathOp, MathSpec, Message, Operand, Peer, Place, Program, QueueId, Site, SiteId, Step,
    Template, TileRef, TileReg, Walker,
};
use kbc::diag::{Diagnostic, Sink};
use kbc::dtype::DType;
use kbc::ir::{Buffer, DmaDesc, DmaDim, Literal};
use kbc::launch::{AddressMap, Placement, Region, Shard};
use kbc::oplog::{Action, Cause, Engine, Record};
use kbc::ops::CostClass;
use kbc::replay::{Memory, Replay};
use kbc::shape::Shape;
use kbc::source::{FileId, Span};
use kbc::topology::{PeId, SlotKind};
use kbc::units::Ps;

/// A straight line of commands, each on a source line of its own.
pub(crate) struct CodeKit {
    code: Code,
}

impl CodeKit {
    pub(crate) fn new() -> CodeKit {
        CodeKit { code: Code { name: "kernel".into(), regs: 3, ..Code::default() } }
    }

    /// A new tile of `bytes`, in a stretch of scratch of its own.
    pub(crate) fn tile(&mut self, bytes: u64) -> TileReg {
        let dst = TileReg(self.code.tiles);
        self.code.tiles += 1;
        let buffer = self.code.buffers.len() as u32;
        self.code.buffers.push(Buffer { offset: self.code.scratch_bytes, bytes, copies: 1 });
        self.code.scratch_bytes += bytes.next_multiple_of(64);
        self.push(Inst::Define { dst, buffer, bytes, live: LiveSet::default() }, Span::NONE);
        dst
    }

    fn push(&mut self, inst: Inst, span: Span) {
        self.code.insts.push(inst);
        self.code.spans.push(span);
    }

    /// Issues a command, whose span is `10 * its number` to 5 more.
    pub(crate) fn issue(&mut self, template: Template) -> SiteId {
        let at = self.code.sites.len() * 10;
        let span = Span::new(FileId(0), at, at + 5);
        let site = self.code.sites.push(Site { template, span });
        self.push(Inst::Issue { site }, span);
        site
    }

    pub(crate) fn read(&mut self, base: u64, desc: DmaDesc) -> TileReg {
        let dst = self.tile(desc.bytes());
        let desc = self.code.descs.push(desc);
        let base = Operand::Const(Literal::Int(base as i64));
        self.issue(Template::DmaRead { base, desc, window: None, dst });
        dst
    }

    pub(crate) fn write(&mut self, base: u64, desc: DmaDesc, src: TileReg) {
        let desc = self.code.descs.push(desc);
        let base = Operand::Const(Literal::Int(base as i64));
        self.issue(Template::DmaWrite { base, desc, window: None, src });
    }

    pub(crate) fn math(&mut self, spec: MathSpec, args: &[Arg]) -> TileReg {
        let elements = if let MathOp::Reduce(_, axis) = spec.op {
            axis.map_or(1, |axis| spec.shape.elements() / spec.shape.0[axis as usize])
        } else {
            spec.shape.elements()
        };
        let out = self.tile(elements * spec.out.bytes());
        self.math_into(spec, args, out);
        out
    }

    /// Computes into a tile that is there.
    pub(crate) fn math_into(&mut self, spec: MathSpec, args: &[Arg], out: TileReg) {
        let spec = self.code.maths.push(spec);
        let mut operands = [None; 3];
        for (operand, arg) in operands.iter_mut().zip(args) {
            *operand = Some(*arg);
        }
        self.issue(Template::Math { spec, args: operands, out });
    }

    /// An elementwise op of dense tiles of one type, or a reduction of one.
    pub(crate) fn elementwise(
        &mut self,
        op: MathOp,
        types: (DType, DType),
        shape: &Shape,
        tiles: &[TileReg],
    ) -> TileReg {
        self.math(dense(op, types, shape, tiles.len()), &args(tiles))
    }

    pub(crate) fn gemm(
        &mut self,
        spec: GemmSpec,
        a: TileReg,
        b: TileReg,
        acc: Option<TileReg>,
    ) -> TileReg {
        let out = self.tile(spec.elements() * spec.out.bytes());
        let spec = self.code.gemms.push(spec);
        self.issue(Template::Gemm { spec, a, b, acc, out });
        out
    }

    pub(crate) fn send(&mut self, queue: QueueId, src: TileReg, message: Message) {
        self.issue(Template::Send { queue, src, message });
    }

    pub(crate) fn recv(&mut self, queue: QueueId, message: Message) -> TileReg {
        let out = TileReg(self.code.tiles);
        self.code.tiles += 1;
        self.issue(Template::Recv { queue, dst: None, out, consume: true, message });
        out
    }

    pub(crate) fn recv_into(&mut self, queue: QueueId, dst: TileReg, message: Message) {
        self.issue(Template::Recv { queue, dst: Some(dst), out: dst, consume: true, message });
    }

    pub(crate) fn release(&mut self, tile: TileReg) {
        self.issue(Template::Release { tile, live: LiveSet::default() });
    }

    fn finish(mut self) -> Code {
        self.push(Inst::End, Span::NONE);
        self.code
    }
}

/// An op of dense tiles of one type.
pub(crate) fn dense(
    op: MathOp,
    (from, to): (DType, DType),
    shape: &Shape,
    count: usize,
) -> MathSpec {
    let arg = ArgSpec { dtype: from, offset: 0, strides: shape.row_major_strides() };
    let (shape, args) = (shape.clone(), vec![arg; count]);
    MathSpec { op, shape, args, out: to, cost: CostClass::Simple }
}

/// Tiles as operands.
pub(crate) fn args(tiles: &[TileReg]) -> Vec<Arg> {
    tiles.iter().map(|tile| Arg::Tile(*tile)).collect()
}

/// `elements` elements one after the other.
pub(crate) fn line(elements: u64, dtype: DType) -> DmaDesc {
    let stride = dtype.bytes() as i64;
    DmaDesc { dims: vec![DmaDim { extent: elements, stride }], elem_bytes: dtype.bytes() }
}

/// A tensor on the first PE.
pub(crate) fn tensor(name: &str, base: u64, bytes: u64) -> Region {
    let shard = Shard { offset: 0, bytes, pe: PeId(0) };
    Region { name: name.into(), base, bytes, placement: Placement::Sharded(vec![shard]) }
}

/// A program of one agent for each code, on PEs 0, 1, …; queue 0 goes to the next agent and comes
/// out of its queue 1, and the other way round.
pub(crate) fn program(
    codes: Vec<CodeKit>,
    regions: Vec<Region>,
    slots: u32,
    slot_bytes: u64,
) -> Program {
    let count = codes.len() as u32;
    let codes: Arena<CodeId, Code> = codes.into_iter().map(CodeKit::finish).collect();
    let agents = (0..count)
        .map(|number| Agent {
            pe: PeId(number),
            lane: 0,
            code: CodeId(number),
            first: number,
            step: 1,
            count: 1,
        })
        .collect();
    let peer =
        |agent: u32, queue| Some(Peer { agent: AgentId(agent % count), queue: QueueId(queue) });
    let peers =
        (0..count).flat_map(|agent| [peer(agent + 1, 1), peer(agent + count - 1, 0)]).collect();
    Program {
        name: "kernel".into(),
        codes,
        agents,
        grid: GridShape::Flat([count, 1, 1]),
        comm: Comm {
            directions: vec!["E".into(), "W".into()],
            peers,
            slots,
            slot_bytes,
            kind: SlotKind::Tcm,
        },
        memory: AddressMap::new(regions),
        channels: kbc::command::channel::Channels::default(),
    }
}

/// East: to the next agent.
pub(crate) const EAST: QueueId = QueueId(0);
/// West: to the agent before.
pub(crate) const WEST: QueueId = QueueId(1);

/// A record of `action` of command `seq` of `agent`.
pub(crate) fn record(action: Action, agent: u32, step: &Step) -> Record {
    Record {
        start: Ps::ZERO,
        end: Ps::ZERO,
        handoff: Ps::ZERO,
        agent: AgentId(agent),
        seq: step.seq,
        site: step.site,
        predecessor: None,
        transfer: None,
        link: None,
        action,
        engine: Engine::Cpu,
        cause: Cause::Dispatch,
    }
}

/// Every command of every agent.
pub(crate) fn steps(program: &Program) -> Vec<Vec<Step>> {
    let walk = |agent| {
        let mut walker = Walker::new(program, agent);
        std::iter::from_fn(|| walker.next(program).expect("the kit's programs walk")).collect()
    };
    program.agents.ids().map(walk).collect()
}

/// A generator of choices.
pub(crate) struct Choices(pub(crate) u64);

impl Choices {
    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % count
    }
}

/// What a machine knows while it runs a program.
struct Machine<'p> {
    program: &'p Program,
    steps: Vec<Vec<Step>>,
    /// The next command of each agent.
    next: Vec<usize>,
    /// Messages that were sent and have not arrived.
    under_way: Vec<(u32, Step, IpcqSend)>,
    /// Messages that have arrived.
    arrived: BTreeSet<(usize, QueueId, u64)>,
    /// Slots given back by each queue.
    freed: BTreeMap<(usize, QueueId), u64>,
}

impl Machine<'_> {
    /// Whether the next command of an agent can run.
    fn is_ready(&self, agent: usize) -> bool {
        let Some(step) = self.steps[agent].get(self.next[agent]) else { return false };
        if let Command::IpcqSend(it) = step.command {
            let peer = self.peer(agent as u32, it.queue);
            let freed = self.freed.get(&(peer.agent.index(), peer.queue));
            return it.token < freed.copied().unwrap_or(0) + u64::from(self.program.comm.slots);
        }
        let awaited = match step.command {
            Command::IpcqRecv(it) => Some(it.slot),
            Command::Wait(it) => Some(it.slot),
            Command::DmaRead(_)
            | Command::DmaWrite(_)
            | Command::DmaGather(_)
            | Command::DmaScatter(_)
            | Command::DmaAtomic(_)
            | Command::MathCmd(_)
            | Command::GemmCmd(_)
            | Command::CompositeCmd(_)
            | Command::CompositeWait(_)
            | Command::IpcqSend(_)
            | Command::IpcqStream(_)
            | Command::IpcqRecvAsync(_)
            | Command::IpcqRelease(_)
            | Command::ChannelCmd(_) => None,
        };
        let Some(TileRef { place: Place::Slot { queue, token }, .. }) = awaited else {
            return true;
        };
        self.arrived.contains(&(agent, queue, token))
    }

    fn peer(&self, agent: u32, queue: QueueId) -> Peer {
        self.program.comm.peer(AgentId(agent), queue).expect("the kit's agents form a ring")
    }

    /// Runs the next command of an agent.
    fn run(&mut self, agent: usize) -> Record {
        let step = self.steps[agent][self.next[agent]];
        self.next[agent] += 1;
        let freed = match step.command {
            Command::IpcqRelease(it) => Some(it.slot),
            Command::IpcqRecv(it) if it.dst.is_some() => Some(it.slot),
            Command::DmaRead(_)
            | Command::DmaWrite(_)
            | Command::DmaGather(_)
            | Command::DmaScatter(_)
            | Command::DmaAtomic(_)
            | Command::MathCmd(_)
            | Command::GemmCmd(_)
            | Command::CompositeCmd(_)
            | Command::CompositeWait(_)
            | Command::IpcqSend(_)
            | Command::IpcqRecv(_)
            | Command::IpcqStream(_)
            | Command::IpcqRecvAsync(_)
            | Command::Wait(_)
            | Command::ChannelCmd(_) => None,
        };
        if let Some(TileRef { place: Place::Slot { queue, .. }, .. }) = freed {
            *self.freed.entry((agent, queue)).or_insert(0) += 1;
        }
        if let Command::IpcqSend(it) = step.command {
            self.under_way.push((agent as u32, step, it));
        }
        record(Action::Command, agent as u32, &step)
    }

    /// Lets a message arrive.
    fn deliver(&mut self, message: usize) -> Record {
        let (sender, step, send) = self.under_way.remove(message);
        let peer = self.peer(sender, send.queue);
        self.arrived.insert((peer.agent.index(), peer.queue, send.token));
        record(Action::Delivery, sender, &step)
    }
}

/// A causal log of `program`: each agent in its own order, each message after its send and while
/// its slot is free, each receive after its message; what comes next is chosen by `choices`.
pub(crate) fn log(program: &Program, choices: &mut Choices) -> Vec<Record> {
    let steps = steps(program);
    let mut machine = Machine {
        program,
        next: vec![0; steps.len()],
        steps,
        under_way: Vec::new(),
        arrived: BTreeSet::new(),
        freed: BTreeMap::new(),
    };
    let mut records = Vec::new();
    loop {
        let agents = 0..machine.steps.len();
        let ready: Vec<usize> = agents.filter(|agent| machine.is_ready(*agent)).collect();
        let count = ready.len() + machine.under_way.len();
        if count == 0 {
            return records;
        }
        let choice = choices.below(count);
        records.push(match ready.get(choice) {
            Some(agent) => machine.run(*agent),
            None => machine.deliver(choice - ready.len()),
        });
    }
}

/// Replays a whole log at once.
pub(crate) fn replay(
    program: &Program,
    memory: Memory,
    records: &[Record],
) -> (Memory, Vec<Diagnostic>) {
    let mut sink = Sink::new();
    let mut replay = Replay::new(program, memory);
    replay.advance(records, &mut sink);
    (replay.into_memory(), sink.into_sorted())
}

/// The codes and messages of some diagnostics.
pub(crate) fn said(diagnostics: &[Diagnostic]) -> Vec<(&'static str, &str)> {
    diagnostics.iter().map(|it| (it.code.id, it.message.as_str())).collect()
}

/// The start of the primary span of a diagnostic; [`CodeKit::issue`] says what it is.
pub(crate) fn place(diagnostic: &Diagnostic) -> u32 {
    diagnostic.primary.as_ref().expect("every fault has a line").span.start
}

/// Bytes of values.
pub(crate) fn bytes_of<T: bytemuck::NoUninit>(values: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

/// Values of bytes.
pub(crate) fn values_of<T: bytemuck::Pod>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}
