//! The record of one run: what each command and transfer did, when, and what released it. It is
//! all that passes between the simulator, which has no data, and the replay, which has no clock.
//!
//! Records are pushed in causal order: whatever a record depends on was pushed before it. Replay
//! follows that order; reports sort by (start, agent, number).

mod print;
mod spans;
mod spill;
mod spilled;

pub use print::to_text;
pub use spans::LinkSpan;
pub use spill::SpillLog;
pub use spilled::{OpenStore, Store};

use crate::command::{AgentId, SiteId};
use crate::id;
use crate::topology::LinkId;
use crate::units::Ps;

id! {
    /// A record of a log, by its place in causal order.
    RecordId, "#";
    /// A message or DMA transfer of one run.
    TransferId, "x";
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Command `seq` of the agent's stream ran.
    Command,
    /// What command `seq` of the agent moved has arrived: its message is visible in the
    /// receiver's slot, or what it wrote (engine [`Engine::DmaWrite`]) is in memory. The command
    /// itself ended when its source had been read.
    Delivery,
    /// A stage of composite `seq` of the agent worked on one tile. [`Action::Command`] stands
    /// for all that the composite reads, [`Action::Delivery`] for its end.
    Stage,
}

/// What did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// PE_CPU itself.
    Cpu,
    /// The DMA read channel.
    DmaRead,
    /// The DMA write channel.
    DmaWrite,
    /// The DMA communication channel.
    DmaComm,
    /// The matrix engine.
    Gemm,
    /// The vector engine.
    Math,
    /// The network and the receiver's inbound side.
    Network,
    /// What cuts composites into tiles.
    Scheduler,
    /// The side of the fetch/store unit that reads TCM.
    Fetch,
    /// The side of the fetch/store unit that writes TCM.
    Store,
}

/// Why a record could not start before it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// PE_CPU was still issuing earlier commands.
    Dispatch,
    /// An operand was not ready, or a buffer was still being read.
    Operand,
    /// The engine was busy.
    Engine,
    /// Bytes were on their way.
    Link,
    /// The receiver had no free slot.
    Credit,
    /// The launch barrier.
    Barrier,
}

impl Action {
    /// Every action, in order.
    pub const ALL: &'static [Action] = &[Action::Command, Action::Delivery, Action::Stage];
}

impl Engine {
    /// Every engine, in order.
    pub const ALL: &'static [Engine] = &[
        Engine::Cpu,
        Engine::DmaRead,
        Engine::DmaWrite,
        Engine::DmaComm,
        Engine::Gemm,
        Engine::Math,
        Engine::Network,
        Engine::Scheduler,
        Engine::Fetch,
        Engine::Store,
    ];

    /// Whether only composites use it.
    pub const fn is_of_composites(self) -> bool {
        matches!(self, Engine::Scheduler | Engine::Fetch | Engine::Store)
    }

    /// Its name in text forms.
    pub const fn name(self) -> &'static str {
        match self {
            Engine::Cpu => "cpu",
            Engine::DmaRead => "dma_read",
            Engine::DmaWrite => "dma_write",
            Engine::DmaComm => "dma_comm",
            Engine::Gemm => "gemm",
            Engine::Math => "math",
            Engine::Network => "network",
            Engine::Scheduler => "scheduler",
            Engine::Fetch => "fetch",
            Engine::Store => "store",
        }
    }
}

impl Cause {
    /// Every cause, in order.
    pub const ALL: &'static [Cause] = &[
        Cause::Dispatch,
        Cause::Operand,
        Cause::Engine,
        Cause::Link,
        Cause::Credit,
        Cause::Barrier,
    ];

    /// Its name in text forms.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Dispatch => "dispatch",
            Cause::Operand => "operand",
            Cause::Engine => "engine",
            Cause::Link => "link",
            Cause::Credit => "credit",
            Cause::Barrier => "barrier",
        }
    }
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it began.
    pub start: Ps,
    /// When it had finished.
    pub end: Ps,
    /// When what released it let go: at most `start`. Its segment of a critical path runs from
    /// here to its successor's.
    pub handoff: Ps,
    /// Whose stream it is.
    pub agent: AgentId,
    /// The number of its command in that stream.
    pub seq: u32,
    /// Where that command comes from in the agent's code, so that a line is found without a walk.
    pub site: SiteId,
    /// What released it; `None` at the start of the launch.
    pub predecessor: Option<RecordId>,
    /// What it moved, if it moved anything between PEs or memories.
    pub transfer: Option<TransferId>,
    /// The link that delayed it most, where [`Cause::Link`] says so.
    pub link: Option<LinkId>,
    /// What it is about.
    pub action: Action,
    /// What did it.
    pub engine: Engine,
    /// Why it did not start earlier.
    pub cause: Cause,
}

/// Where a simulation puts its records.
pub trait LogSink {
    /// Adds a record; what it depends on has been added before.
    fn push(&mut self, record: Record) -> RecordId;

    /// Adds what a link was doing; kept by those that say so.
    fn push_span(&mut self, _: LinkSpan) {}
}

/// A finished log, to read.
pub trait Log: std::fmt::Debug {
    /// How many records it has.
    fn len(&self) -> usize;

    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A record; `None` where there is no such one, or it cannot be read.
    fn get(&self, id: RecordId) -> Option<Record>;

    /// Calls `visit` with all records in causal order, many at a time.
    fn for_each_batch(&self, visit: &mut dyn FnMut(&[Record]));

    /// Calls `visit` with what links were doing, many spans at a time, if that was kept.
    fn for_each_span(&self, _: &mut dyn FnMut(&[LinkSpan])) {}
}

impl Log for &[Record] {
    fn len(&self) -> usize {
        <[Record]>::len(self)
    }

    fn get(&self, id: RecordId) -> Option<Record> {
        <[Record]>::get(self, id.0 as usize).copied()
    }

    fn for_each_batch(&self, visit: &mut dyn FnMut(&[Record])) {
        visit(self);
    }
}

/// A log held in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    /// Every record, in causal order.
    pub records: Vec<Record>,
    /// What links were doing, if the run tells.
    pub spans: Vec<LinkSpan>,
}

impl LogSink for MemoryLog {
    fn push_span(&mut self, span: LinkSpan) {
        self.spans.push(span);
    }

    fn push(&mut self, record: Record) -> RecordId {
        self.records.push(record);
        RecordId(
            u32::try_from(self.records.len() - 1)
                .expect("a log in memory holds fewer than 2^32 records"),
        )
    }
}

/// A log that keeps nothing, for runs whose cost is all that matters.
#[derive(Clone, Debug, Default)]
pub struct NoLog {
    pushed: u32,
}

impl LogSink for NoLog {
    fn push(&mut self, _: Record) -> RecordId {
        self.pushed = self.pushed.wrapping_add(1);
        RecordId(self.pushed.wrapping_sub(1))
    }
}
