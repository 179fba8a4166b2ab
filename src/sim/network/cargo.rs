//! What is sent over the network, and what is known of it when it has arrived.

use crate::command::SiteId;
use crate::oplog::{RecordId, TransferId};
use crate::sim::hbm::Bursts;
use crate::sim::routes::RouteId;
use crate::topology::{LinkId, PeId};
use crate::units::{Bandwidth, Ps};

/// What kind of traffic a message is. Classes share a link but never block each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Class {
    /// DMA between PEs and memories.
    Compute = 0,
    /// IPCQ messages.
    Comm = 1,
    /// What the host and the processors below it say.
    Control = 2,
}

/// What a train carries, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Cargo {
    pub(in crate::sim) kind: CargoKind,
    /// The agent whose command it belongs to.
    pub(in crate::sim) agent: u32,
    /// The command, and where it comes from.
    pub(in crate::sim) seq: u32,
    pub(in crate::sim) site: SiteId,
    pub(in crate::sim) transfer: TransferId,
    /// The connection of a message; the PE whose memory a DMA works on.
    pub(in crate::sim) place: u32,
    /// The number of a message, or of a tile of a composite.
    pub(in crate::sim) token: u64,
    /// The bytes of the message, or that a read asks for.
    pub(in crate::sim) bytes: u64,
    /// When the command started, and its record once there is one.
    pub(in crate::sim) start: Ps,
    pub(in crate::sim) record: Option<RecordId>,
    /// The bursts of the memory that a DMA works on.
    pub(in crate::sim) bursts: Bursts,
}

/// What a train is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum CargoKind {
    /// A message between agents.
    Message,
    /// Asks a memory for data.
    ReadRequest,
    /// What the memory answers.
    ReadData,
    /// Data for a memory.
    WriteData,
    /// Asks a memory for a tile of a composite.
    TileRequest,
    /// What the memory answers.
    TileData,
    /// A tile of a composite's result for a memory.
    TileWrite,
    /// The operands of an atomic op, which a memory carries out.
    AtomicRequest,
    /// A message of the host, or of a processor below it.
    Control,
    /// Something between thread blocks, by its place among all that is on its way.
    Channel,
    /// A message as far as a router that copies it.
    Trunk,
}

/// Something to send.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Shipment {
    pub(in crate::sim) cargo: Cargo,
    pub(in crate::sim) route: RouteId,
    pub(in crate::sim) class: Class,
    pub(in crate::sim) bytes: u64,
    /// The PE that it goes to.
    pub(in crate::sim) to: PeId,
    /// The rate at which its source is read, from when on, and when the last flit is there at the
    /// earliest.
    pub(in crate::sim) read: Bandwidth,
    pub(in crate::sim) from: Ps,
    pub(in crate::sim) until: Ps,
    /// The rate at which its target is written, and how long the target takes then.
    pub(in crate::sim) write: Bandwidth,
    pub(in crate::sim) after: Ps,
    /// Whether the end of its reading is an event.
    pub(in crate::sim) watched: bool,
    /// Whether somebody may ask for it before all of it has arrived.
    pub(in crate::sim) streamable: bool,
}

/// What is known of a train that has arrived.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Arrival {
    pub(in crate::sim) cargo: Cargo,
    /// The link at which others held it up longest, and for how long.
    pub(in crate::sim) held: (Option<LinkId>, Ps),
    /// When its last byte left its source.
    pub(in crate::sim) source_end: Ps,
    /// Whether that was asked for and has not been told.
    pub(in crate::sim) watched: bool,
    /// When the first of its flits was taken, if it was asked for on its way.
    pub(in crate::sim) streamed: Option<Ps>,
}

impl CargoKind {
    /// Its name, as reports print it.
    pub(in crate::sim) const fn name(self) -> &'static str {
        match self {
            CargoKind::Message => "message",
            CargoKind::ReadRequest => "read request",
            CargoKind::ReadData => "read",
            CargoKind::WriteData => "write",
            CargoKind::TileRequest => "tile request",
            CargoKind::TileData => "tile read",
            CargoKind::TileWrite => "tile write",
            CargoKind::AtomicRequest => "atomic",
            CargoKind::Control => "control",
            CargoKind::Channel => "channel",
            CargoKind::Trunk => "message, up to a router that copies",
        }
    }
}
