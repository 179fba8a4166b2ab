//! A program: interned codes, the agents that run them, and the queues that join agents.

use super::channel::Channels;
use super::{Code, SiteId};
use crate::arena::{Arena, Id};
use crate::dtype::DType;
use crate::id;
use crate::launch::AddressMap;
use crate::source::Span;
use crate::topology::{PeId, SlotKind};

id! {
    /// A code of a program.
    CodeId, "code";
    /// One stream of commands: a lane of a PE. Agents of a collective are numbered by rank.
    AgentId, "a";
}

/// A direction of a program, by its place in [`Comm::directions`]. An agent's queue of that
/// direction receives what its neighbour there sends, and sends to that neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u8);

/// Everything the machine is told to do for one launch.
#[derive(Clone, Debug)]
pub struct Program {
    /// The kernel's name.
    pub name: String,
    /// Each distinct code once.
    pub codes: Arena<CodeId, Code>,
    /// Who runs what.
    pub agents: Arena<AgentId, Agent>,
    /// How program numbers become program ids.
    pub grid: GridShape,
    /// The queues between agents.
    pub comm: Comm,
    /// Where virtual addresses are.
    pub memory: AddressMap,
    /// What the ranks of a channel program have in common.
    pub channels: Channels,
}

/// A lane of a PE and what it runs: programs `first, first + step, …`, `count` of them, one
/// after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its PE.
    pub pe: PeId,
    /// Its lane of that PE.
    pub lane: u16,
    /// What it runs.
    pub code: CodeId,
    /// The number of its first program.
    pub first: u32,
    /// The distance to its next program.
    pub step: u32,
    /// How many programs it runs.
    pub count: u32,
}

/// How a program's number becomes its id on three axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GridShape {
    /// The machine's own axes: PE in its cube, cube over the whole launch, SIP.
    Machine {
        /// PEs of each cube.
        pes_per_cube: u32,
        /// Cubes of each SIP.
        cubes_per_sip: u32,
    },
    /// A grid given by the launch, axis 0 fastest.
    Flat([u32; 3]),
}

impl GridShape {
    /// The id of program `number`.
    pub fn program_id(self, number: u32) -> [u32; 3] {
        match self {
            GridShape::Machine { pes_per_cube, cubes_per_sip } => {
                let cube = number / pes_per_cube.max(1);
                [number % pes_per_cube.max(1), cube, cube / cubes_per_sip.max(1)]
            }
            GridShape::Flat([x, y, _]) => {
                let row = number / x.max(1);
                [number % x.max(1), row % y.max(1), row / y.max(1)]
            }
        }
    }
}

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// How many elements.
    pub elements: u64,
    /// Of which type.
    pub dtype: DType,
}

impl Message {
    /// Its length in bytes.
    pub fn bytes(self) -> u64 {
        self.elements.saturating_mul(self.dtype.bytes())
    }
}

/// Where a direction leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The neighbour.
    pub agent: AgentId,
    /// The neighbour's queue that receives.
    pub queue: QueueId,
}

/// The queues between agents: one for each agent and direction in use.
#[derive(Clone, Debug)]
pub struct Comm {
    /// The directions in use, at most 255.
    pub directions: Vec<String>,
    /// The neighbour of each agent in each direction: entry `agent * directions + direction`.
    pub peers: Vec<Option<Peer>>,
    /// Slots of each queue.
    pub slots: u32,
    /// Bytes of each slot.
    pub slot_bytes: u64,
    /// Where slots are.
    pub kind: SlotKind,
}

impl Comm {
    /// No queues at all.
    pub fn none() -> Comm {
        let (directions, peers) = (Vec::new(), Vec::new());
        Comm { directions, peers, slots: 1, slot_bytes: 0, kind: SlotKind::Tcm }
    }

    /// Where `queue` of `agent` leads, if anywhere.
    pub fn peer(&self, agent: AgentId, queue: QueueId) -> Option<Peer> {
        let index = agent.index() * self.directions.len() + usize::from(queue.0);
        self.peers.get(index).copied().flatten()
    }

    /// The name of a direction.
    pub fn direction(&self, queue: QueueId) -> &str {
        self.directions.get(usize::from(queue.0)).map_or("?", String::as_str)
    }

    /// Bytes that the slots of one agent take.
    pub fn bytes_per_agent(&self) -> u64 {
        let slots = self.directions.len() as u64 * u64::from(self.slots);
        slots.saturating_mul(self.slot_bytes)
    }
}

impl Program {
    /// The code that `agent` runs.
    pub fn code(&self, agent: AgentId) -> &Code {
        &self.codes[self.agents[agent].code]
    }

    /// Where the command of `site` was written.
    pub fn span(&self, agent: AgentId, site: SiteId) -> Span {
        self.code(agent).sites[site].span
    }
}
