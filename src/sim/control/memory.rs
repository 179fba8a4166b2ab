//! MemoryWrite, MemoryRead and PeDma: bytes that move because the host says so.

use super::fabric::{Fabric, Memory, Parcel};
use super::tree::Tree;
use crate::topology::{LinkId, Machine, NodeId, PeId};
use crate::units::Ps;

/// What the host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// MemoryWrite: `bytes` of the host go to the HBM of `owner`, which says when it has them.
    Write {
        /// Whose slice.
        owner: PeId,
        /// How many.
        bytes: u64,
    },
    /// MemoryRead: the host asks the HBM of `owner` for `bytes`, which come.
    Read {
        /// Whose slice.
        owner: PeId,
        /// How many.
        bytes: u64,
    },
    /// PeDma: the host has the DMA of `issuer` move bytes between its TCM and the HBM of `owner`.
    PeDma {
        /// Whose DMA.
        issuer: PeId,
        /// Whose slice.
        owner: PeId,
        /// How many.
        bytes: u64,
        /// Whether HBM is written.
        writes: bool,
    },
}

/// How an access went. Times are counted from when the host asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostDma {
    /// When the last byte was where it belongs: in HBM, with the host, in TCM.
    pub moved: Ps,
    /// When the host knew.
    pub answered: Ps,
}

impl Access {
    /// The same for another number of bytes.
    pub fn of_bytes(self, bytes: u64) -> Access {
        match self {
            Access::Write { owner, .. } => Access::Write { owner, bytes },
            Access::Read { owner, .. } => Access::Read { owner, bytes },
            Access::PeDma { issuer, owner, writes, .. } => {
                Access::PeDma { issuer, owner, bytes, writes }
            }
        }
    }

    /// Whose memory it is about.
    pub fn owner(self) -> PeId {
        match self {
            Access::Write { owner, .. }
            | Access::Read { owner, .. }
            | Access::PeDma { owner, .. } => owner,
        }
    }
}

/// One message of an access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    from: NodeId,
    to: NodeId,
    parcel: Parcel,
    /// How long `from` takes before it sends it.
    before: Ps,
    /// Whether it carries the bytes that the access is about.
    is_data: bool,
}

impl Leg {
    fn new((from, to): (NodeId, NodeId), parcel: Parcel) -> Leg {
        Leg { from, to, parcel, before: Ps::ZERO, is_data: false }
    }

    fn data(ends: (NodeId, NodeId), parcel: Parcel) -> Leg {
        Leg { is_data: true, ..Leg::new(ends, parcel) }
    }

    /// The links that it takes, and whether it carries the bytes.
    pub(super) fn route(&self, machine: &Machine) -> (Vec<LinkId>, bool) {
        (machine.route(self.from, self.to).unwrap_or_default(), self.is_data)
    }
}

/// The messages of an access, each sent when the one before is there.
pub(super) fn legs(machine: &Machine, tree: &Tree, access: Access) -> Option<Vec<Leg>> {
    let host = machine.processors().host?;
    let after = machine.params().hbm.overhead;
    let hbm = machine.pe(access.owner()).hbm;
    let request = Parcel { after, ..Parcel::data(0, 0) };
    Some(match access {
        Access::Write { bytes, .. } => {
            let memory = Some(Memory::Stores(access.owner()));
            let data = Parcel { after, memory, ..Parcel::data(0, bytes) };
            vec![Leg::data((host, hbm), data), Leg::new((hbm, host), Parcel::control(0, 0))]
        }
        Access::Read { bytes, .. } => {
            let memory = Some(Memory::Fetches(access.owner()));
            let data = Parcel { memory, ..Parcel::data(0, bytes) };
            vec![Leg::new((host, hbm), request), Leg::data((hbm, host), data)]
        }
        Access::PeDma { issuer, bytes, writes, .. } => {
            let stations = tree.nodes_to(issuer);
            let pairs = || stations.windows(2).map(|pair| (pair[0], pair[1]));
            let mut legs: Vec<Leg> =
                pairs().map(|pair| Leg::new(pair, Parcel::control(0, 0))).collect();
            legs.extend(pe_dma(machine, (issuer, access.owner()), bytes, writes));
            let up = pairs().rev().map(|(above, below)| (below, above));
            legs.extend(up.map(|pair| Leg::new(pair, Parcel::control(0, 0))));
            legs
        }
    })
}

/// Moves bytes between TCM and HBM, as a command of the PE would.
fn pe_dma(machine: &Machine, (issuer, owner): (PeId, PeId), bytes: u64, writes: bool) -> Vec<Leg> {
    let params = machine.params();
    let (dma, hbm) = (machine.pe(issuer).dma, machine.pe(owner).hbm);
    let before = params.dispatch + params.dma.overhead;
    let after = params.hbm.overhead;
    let tcm = &params.tcm;
    if writes {
        let memory = Some(Memory::Stores(owner));
        let data = Parcel { read: tcm.read, after, memory, ..Parcel::data(0, bytes) };
        return vec![Leg { before, ..Leg::data((dma, hbm), data) }];
    }
    let request = Leg::new((dma, hbm), Parcel { after, ..Parcel::data(0, 0) });
    let memory = Some(Memory::Fetches(owner));
    let data = Parcel { write: tcm.write, memory, ..Parcel::data(0, bytes) };
    vec![Leg { before, ..request }, Leg::data((hbm, dma), data)]
}

/// Runs the messages of an access on the idle fabric. `None` where no way leads from one end to the
/// other.
pub(super) fn run(fabric: &mut Fabric<'_>, legs: &[Leg]) -> Option<HostDma> {
    let sent = fabric.now();
    let mut moved = sent;
    for leg in legs {
        if leg.before > Ps::ZERO {
            fabric.wake(fabric.now() + leg.before, 0);
            fabric.next()?;
        }
        if !fabric.send(leg.from, leg.to, &leg.parcel) {
            return None;
        }
        fabric.next()?;
        if leg.is_data {
            moved = fabric.now();
        }
    }
    Some(HostDma { moved: moved.since(sent), answered: fabric.now().since(sent) })
}
