//! MemoryWrite, MemoryRead and PeDma: bytes that move because the host says so.

use super::fabric::{Fabric, Parcel};
use super::tree::Tree;
use crate::topology::PeId;
use crate::units::{Bandwidth, Ps};

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

/// Runs an access on the idle fabric.
pub(super) fn access(fabric: &mut Fabric<'_>, tree: &Tree, access: Access) -> Option<HostDma> {
    let sent = fabric.now();
    let machine = fabric.machine;
    let host = machine.processors().host?;
    let took = machine.params().hbm.overhead;
    let moved = match access {
        Access::Write { owner, bytes } => {
            let hbm = machine.pe(owner).hbm;
            let moved = go(fabric, (host, hbm), Parcel { after: took, ..Parcel::data(0, bytes) })?;
            go(fabric, (hbm, host), Parcel::control(0, 0))?;
            moved
        }
        Access::Read { owner, bytes } => {
            let hbm = machine.pe(owner).hbm;
            go(fabric, (host, hbm), Parcel { after: took, ..Parcel::data(0, 0) })?;
            go(fabric, (hbm, host), Parcel::data(0, bytes))?
        }
        Access::PeDma { issuer, owner, bytes, writes } => {
            let stations = tree.nodes_to(issuer);
            for pair in stations.windows(2) {
                go(fabric, (pair[0], pair[1]), Parcel::control(0, 0))?;
            }
            let moved = pe_dma(fabric, (issuer, owner), bytes, writes)?;
            for pair in stations.windows(2).rev() {
                go(fabric, (pair[1], pair[0]), Parcel::control(0, 0))?;
            }
            moved
        }
    };
    Some(HostDma { moved: moved.since(sent), answered: fabric.now().since(sent) })
}

/// Moves bytes between TCM and HBM, as a command of the PE would.
fn pe_dma(
    fabric: &mut Fabric<'_>,
    (issuer, owner): (PeId, PeId),
    bytes: u64,
    writes: bool,
) -> Option<Ps> {
    let (machine, params) = (fabric.machine, fabric.machine.params());
    let (dma, hbm) = (machine.pe(issuer).dma, machine.pe(owner).hbm);
    let begins = fabric.now() + params.dispatch + params.dma.overhead;
    fabric.wake(begins, 0);
    fabric.next()?;
    let after = params.hbm.overhead;
    if writes {
        let data = Parcel { read: params.tcm.read, after, ..Parcel::data(0, bytes) };
        return go(fabric, (dma, hbm), data);
    }
    go(fabric, (dma, hbm), Parcel { after, ..Parcel::data(0, 0) })?;
    let write: Bandwidth = params.tcm.write;
    go(fabric, (hbm, dma), Parcel { write, ..Parcel::data(0, bytes) })
}

/// Sends a parcel and waits until it is there.
fn go(
    fabric: &mut Fabric<'_>,
    (from, to): (crate::topology::NodeId, crate::topology::NodeId),
    parcel: Parcel,
) -> Option<Ps> {
    if !fabric.send(from, to, &parcel) {
        return None;
    }
    fabric.next()?;
    Some(fabric.now())
}
