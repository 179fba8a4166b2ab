//! Physical memory that is given out: HBM and TCM of each PE, SRAM of each cube.

use std::collections::BTreeMap;

use super::{AddressAllocator, NoRoom};
use crate::topology::{
    AddressLayout, Die, Extent, Location, PeCoord, PeId, PeParams, PeUnit, PhysAddr, Unit,
};

/// Where memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pool {
    /// A PE's slice of HBM.
    Hbm,
    /// A PE's TCM, without what is reserved.
    Tcm,
    /// The SRAM that the PEs of a cube share.
    Sram,
}

/// What memory is given out in: stretches begin at multiples of this, all pseudo-channels wide.
const GRAIN: u64 = 4096;

/// A pool without room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory {
    /// Which.
    pub pool: Pool,
    /// Whose.
    pub pe: PeId,
    /// What was asked for, and what there is.
    pub room: NoRoom,
}

/// The memories of a machine.
#[derive(Clone, Debug)]
pub struct Pools {
    extent: Extent,
    layout: AddressLayout,
    /// Bytes of each pool, in the order of [`Pool`].
    sizes: [u64; 3],
    /// What is in use; a pool that nothing was asked of is not here.
    pools: BTreeMap<(Pool, PeId), AddressAllocator>,
}

impl Pools {
    /// The empty memories of a machine.
    pub fn new(extent: Extent, params: &PeParams, layout: AddressLayout) -> Pools {
        let tcm = params.tcm.bytes - params.tcm.reserved.min(params.tcm.bytes);
        let sizes = [params.hbm.bytes, tcm, params.sram_bytes];
        Pools { extent, layout, sizes, pools: BTreeMap::new() }
    }

    /// Room for `bytes` bytes in a pool of `pe`, at the lowest address that is free.
    ///
    /// # Errors
    /// If there is none.
    pub fn allocate(&mut self, pool: Pool, pe: PeId, bytes: u64) -> Result<PhysAddr, NoMemory> {
        let size = self.sizes[pool as usize];
        let owner = self.owner(pool, pe);
        let memory = self
            .pools
            .entry((pool, owner))
            .or_insert_with(|| AddressAllocator::new(0, size, GRAIN));
        let given = memory.allocate(bytes);
        let offset = given.map_err(|room| NoMemory { pool, pe, room })?;
        let address = self.address(pool, self.extent.coord(owner), offset);
        Ok(address.expect("a pool gives out what its window holds"))
    }

    /// Gives back what was allocated at `address`. Says whether anything was.
    pub fn free(&mut self, address: PhysAddr) -> bool {
        let Ok(Location { sip, die: Die::Cube(cube), unit, offset }) = self.layout.decode(address)
        else {
            return false;
        };
        let slice = self.sizes[Pool::Hbm as usize].max(1);
        let (pool, pe, offset) = match unit {
            Unit::Hbm => (Pool::Hbm, (offset / slice) as u32, offset % slice),
            Unit::Pe(pe, PeUnit::Tcm) => (Pool::Tcm, pe, offset),
            Unit::Sram => (Pool::Sram, 0, offset),
            Unit::Pe(..) | Unit::MCpu(_) | Unit::IoCpu(_) => return false,
        };
        let owner = self.extent.pe_at(PeCoord { sip, cube, pe });
        self.pools.get_mut(&(pool, owner)).is_some_and(|memory| memory.free(offset))
    }

    /// Bytes in use of a pool of `pe`.
    pub fn used(&self, pool: Pool, pe: PeId) -> u64 {
        let memory = self.pools.get(&(pool, self.owner(pool, pe)));
        memory.map_or(0, AddressAllocator::used_bytes)
    }

    /// The PE by which a pool is known: of SRAM, the first of the cube.
    fn owner(&self, pool: Pool, pe: PeId) -> PeId {
        match pool {
            Pool::Hbm | Pool::Tcm => pe,
            Pool::Sram => self.extent.pe_at(PeCoord { pe: 0, ..self.extent.coord(pe) }),
        }
    }

    fn address(
        &self,
        pool: Pool,
        pe: PeCoord,
        offset: u64,
    ) -> Result<PhysAddr, crate::topology::AddressError> {
        let unit = match pool {
            Pool::Hbm => return self.layout.hbm(pe, offset),
            Pool::Tcm => Unit::Pe(pe.pe, PeUnit::Tcm),
            Pool::Sram => Unit::Sram,
        };
        self.layout.encode(&Location { sip: pe.sip, die: Die::Cube(pe.cube), unit, offset })
    }
}
