//! The machine: a checked description compiled to a directed graph of named nodes and links,
//! with the parameters of its processing elements.
//!
//! Nodes are named places (`sip0.cube3.pe5.dma`), links are directed and carry bytes, and a
//! route is the fixed list of links a message takes. Time belongs to `sim`; nothing here moves.

mod address;
mod banks;
mod build;
mod dependencies;
mod dot;
mod floorplan;
mod machine;
pub mod neighbors;
mod params;
mod reach;
mod route;
pub(crate) mod section;
mod show;
mod spec;
mod svg;
mod switching;
mod template;
pub(crate) mod yaml;

pub use address::{
    AddressError, AddressLayout, Die, IoUnit, Location, MCpuUnit, PeUnit, PhysAddr, Unit,
};
pub use banks::{AddressMapping, BankAddress, BankParams, BankTiming};
pub use dependencies::Layers;
pub use dot::dot;
pub use machine::{
    Arbitration, Link, Machine, MachineBuilder, Node, NodeKind, PeNodes, Processors,
};
pub use params::{
    BLOCK_THREADS, BlockParams, ChannelParams, Clock, CreditMode, Dataflow, DmaParams,
    FetchStoreParams, GemmParams, HbmParams, IpcqParams, MathFamilies, MathParams, MmuParams,
    PeParams, ReleaseMode, SchedulerParams, SlotKind, SlotTier, Systolic, TcmParams,
};
pub use show::show;
pub use spec::{DEFAULT_YAML, Spec, load};
pub use svg::svg;
pub use switching::{LaneChoice, NetworkParams, RouterParams, Switching};
pub use template::gpu_nodes;

use crate::id;

id! {
    /// A place in the machine that messages start at, pass or reach.
    NodeId, "n";
    /// A directed connection of two nodes.
    LinkId, "l";
    /// A processing element; numbered SIP-major, then cube, then PE.
    PeId, "pe";
}

/// Where a PE is in the hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeCoord {
    /// The SIP.
    pub sip: u32,
    /// The cube in its SIP.
    pub cube: u32,
    /// The PE in its cube.
    pub pe: u32,
}

/// A grid of like things, numbered row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    /// Columns.
    pub w: u32,
    /// Rows.
    pub h: u32,
    /// Whether the last column meets the first, and the last row the first.
    pub wraps: bool,
}

/// How many of everything there are, and how they lie. All that compiling needs of a machine, so
/// that 100,000 PEs cost nothing before they are simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// The SIPs.
    pub sips: Grid,
    /// The cubes of one SIP.
    pub cubes: Grid,
    /// The PEs of one cube.
    pub pes: Grid,
}

impl Grid {
    /// How many places it has.
    pub const fn count(self) -> u32 {
        self.w * self.h
    }
}

impl Extent {
    /// PEs in the whole machine.
    pub const fn pe_count(&self) -> u32 {
        self.sips.count() * self.cubes.count() * self.pes.count()
    }

    /// Where `pe` is.
    pub const fn coord(&self, pe: PeId) -> PeCoord {
        let per_cube = self.pes.count();
        let per_sip = self.cubes.count() * per_cube;
        PeCoord { sip: pe.0 / per_sip, cube: pe.0 % per_sip / per_cube, pe: pe.0 % per_cube }
    }

    /// The PE at `coord`.
    pub const fn pe_at(&self, coord: PeCoord) -> PeId {
        PeId((coord.sip * self.cubes.count() + coord.cube) * self.pes.count() + coord.pe)
    }
}
