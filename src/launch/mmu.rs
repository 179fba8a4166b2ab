//! The MMU of a PE: which physical address a virtual one is.
//!
//! An entry maps a stretch that lies within one page; a page may have several, each for a part of it
//! (*sub-page entries*), as where one shard of a tensor ends and the next, in another PE's memory,
//! begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pools::{NoMemory, Pool, Pools};
use super::{AddressMap, Copies, Fault, Placement, Region, Shard};
use crate::topology::{PeId, PhysAddr};

/// A stretch of virtual addresses and where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its first virtual address.
    pub va: u64,
    /// Its first physical address.
    pub pa: PhysAddr,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Entries may not share an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The entry that is there.
    pub there: Entry,
}

/// The entries of one PE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mmu {
    page: u64,
    /// By their first virtual addresses.
    entries: BTreeMap<u64, Entry>,
}

impl Mmu {
    /// An MMU without entries, with pages of `page` bytes.
    ///
    /// # Panics
    /// If `page` is not a power of two.
    pub fn new(page: u64) -> Mmu {
        assert!(page.is_power_of_two(), "pages are powers of two");
        Mmu { page, entries: BTreeMap::new() }
    }

    /// Maps `bytes` bytes from `va` on to `pa`, an entry for each page that they touch.
    ///
    /// # Errors
    /// An entry that has one of the addresses already; then nothing is mapped.
    pub fn map(&mut self, va: u64, pa: PhysAddr, bytes: u64) -> Result<(), Overlap> {
        let end = va.saturating_add(bytes);
        let before = self.entries.range(..end).next_back().map(|(_, entry)| *entry);
        if let Some(there) = before.filter(|entry| entry.va + entry.bytes > va) {
            return Err(Overlap { there });
        }
        let mut at = va;
        while at < end {
            let next = (at / self.page + 1).saturating_mul(self.page).min(end);
            let pa = PhysAddr(pa.0 + (at - va));
            self.entries.insert(at, Entry { va: at, pa, bytes: next - at });
            at = next;
        }
        Ok(())
    }

    /// Takes away the entries that begin in these addresses. Gives how many there were.
    pub fn unmap(&mut self, va: u64, bytes: u64) -> usize {
        let gone: Vec<u64> =
            self.entries.range(va..va.saturating_add(bytes)).map(|(at, _)| *at).collect();
        gone.iter().for_each(|at| {
            self.entries.remove(at);
        });
        gone.len()
    }

    /// The physical address of a virtual one.
    ///
    /// # Errors
    /// The address, if no entry has it.
    pub fn translate(&self, va: u64) -> Result<PhysAddr, Fault> {
        let fault = Fault { address: va, nearest: None };
        let (_, entry) = self.entries.range(..=va).next_back().ok_or(fault.clone())?;
        let offset = va - entry.va;
        if offset < entry.bytes { Ok(PhysAddr(entry.pa.0 + offset)) } else { Err(fault) }
    }

    /// Every entry, lowest address first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}

/// The physical memory of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backed {
    /// Whose memory it is.
    pe: PeId,
    va: u64,
    bytes: u64,
    /// Whose MMU maps it.
    readers: Readers,
    pa: PhysAddr,
}

/// The PEs whose MMUs map a stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Readers {
    All,
    One(PeId),
    /// Those that see this copy.
    Of(Arc<Copies>, usize),
}

impl Readers {
    fn has(&self, pe: PeId) -> bool {
        match self {
            Readers::All => true,
            Readers::One(only) => *only == pe,
            Readers::Of(copies, copy) => copies.seen_by(pe) == *copy,
        }
    }
}

/// Physical memory for all regions of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    stretches: Vec<Backed>,
}

/// The stretches of physical memory that a region needs in a world of `world` PEs.
fn stretches_of(region: &Region, world: u32) -> Vec<(Shard, Readers)> {
    let found: Vec<(Shard, Readers)> = match &region.placement {
        Placement::Sharded(shards) => shards.iter().map(|it| (*it, Readers::All)).collect(),
        Placement::Replicated => {
            let whole = |pe: PeId| Shard { offset: 0, bytes: region.bytes, pe };
            (0..world).map(PeId).map(|pe| (whole(pe), Readers::One(pe))).collect()
        }
        Placement::Copied(copies) => {
            let of = |(copy, shards): (usize, &Vec<Shard>)| {
                let readers = Readers::Of(copies.clone(), copy);
                shards.iter().map(|it| (*it, readers.clone())).collect::<Vec<_>>()
            };
            copies.all().iter().enumerate().flat_map(of).collect()
        }
    };
    found.into_iter().filter(|(shard, _)| shard.bytes > 0).collect()
}

impl Mapping {
    /// Takes memory for every shard of `map` from its owner's HBM, and for every copy of a
    /// replicated region from that of each of the first `world` PEs, and for every copy that is cut
    /// from those of the PEs that hold its shards.
    ///
    /// # Errors
    /// A PE whose HBM is full; then nothing is taken.
    pub fn new(map: &AddressMap, world: u32, pools: &mut Pools) -> Result<Mapping, NoMemory> {
        let mut stretches = Vec::new();
        for region in map.regions().iter().filter(|region| region.bytes > 0) {
            for (shard, readers) in stretches_of(region, world) {
                let (va, bytes) = (region.base + shard.offset, shard.bytes);
                match pools.allocate(Pool::Hbm, shard.pe, bytes) {
                    Ok(pa) => stretches.push(Backed { pe: shard.pe, va, bytes, readers, pa }),
                    Err(no_memory) => {
                        Mapping { stretches }.release(pools);
                        return Err(no_memory);
                    }
                }
            }
        }
        Ok(Mapping { stretches })
    }

    /// Gives all memory back.
    pub fn release(self, pools: &mut Pools) {
        for it in self.stretches {
            let was = pools.free(it.pa);
            debug_assert!(was, "the stretch was taken from these pools");
        }
    }

    /// Bytes of the memory of `pe`.
    pub fn held_by(&self, pe: PeId) -> u64 {
        self.stretches.iter().filter(|it| it.pe == pe).map(|it| it.bytes).sum()
    }

    /// The MMU of `pe`, with pages of `page` bytes.
    pub fn mmu(&self, pe: PeId, page: u64) -> Mmu {
        let mut mmu = Mmu::new(page);
        for it in self.stretches.iter().filter(|it| it.readers.has(pe)) {
            let mapped = mmu.map(it.va, it.pa, it.bytes);
            debug_assert!(mapped.is_ok(), "regions and shards do not overlap");
        }
        mmu
    }
}
