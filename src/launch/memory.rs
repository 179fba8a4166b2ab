//! Which PE's memory a virtual address lies in.
//!
//! Until each PE has an MMU of its own, placement maps virtual addresses: a region of the
//! address space is one tensor, cut into shards that lie in the HBM of one PE each, or copied
//! whole to every PE, or to groups of PEs that each cut their own copy into shards.

use std::sync::Arc;

use crate::topology::PeId;

/// The regions of a launch, lowest address first, none overlapping another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressMap {
    regions: Vec<Region>,
}

/// One tensor's stretch of the address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The tensor's name, for messages.
    pub name: String,
    /// Its first virtual address.
    pub base: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Where it lies.
    pub placement: Placement,
}

/// Where a region lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Cut into shards, lowest offset first, that cover it.
    Sharded(Vec<Shard>),
    /// Copied whole to each PE, which sees its own.
    Replicated,
    /// Several complete copies, each cut into shards; a PE sees one of them.
    Copied(Arc<Copies>),
}

/// Several complete copies of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The shards of each copy, as those of [`Placement::Sharded`]; of the same offsets in all.
    copies: Vec<Vec<Shard>>,
    /// Which copy each PE sees, by PE; PEs beyond the end see the first.
    seen: Vec<u32>,
    /// The lowest PE that sees each copy.
    first: Vec<PeId>,
}

impl Copies {
    /// These copies, of which PE `p` sees number `seen[p]`. `None` where there is no copy, the
    /// copies are not cut alike, or nobody sees one of them.
    pub fn new(copies: Vec<Vec<Shard>>, seen: Vec<u32>) -> Option<Copies> {
        let cuts = |shards: &Vec<Shard>| -> Vec<(u64, u64)> {
            shards.iter().map(|it| (it.offset, it.bytes)).collect()
        };
        let like = copies.first().map(cuts)?;
        let mut first = vec![None; copies.len()];
        for (pe, copy) in seen.iter().enumerate() {
            first.get_mut(*copy as usize)?.get_or_insert(PeId(pe as u32));
        }
        let first = first.into_iter().collect::<Option<Vec<PeId>>>()?;
        copies.iter().all(|it| cuts(it) == like).then_some(Copies { copies, seen, first })
    }

    /// The shards of each copy.
    pub fn all(&self) -> &[Vec<Shard>] {
        &self.copies
    }

    /// The number of the copy that `pe` sees.
    pub fn seen_by(&self, pe: PeId) -> usize {
        self.seen.get(pe.0 as usize).map_or(0, |copy| *copy as usize)
    }

    /// The PEs of a world of `world` PEs that see copy number `copy`.
    pub fn readers(&self, copy: usize, world: u32) -> impl Iterator<Item = PeId> {
        (0..world).map(PeId).filter(move |pe| self.seen_by(*pe) == copy)
    }
}

impl Placement {
    /// The shards that `reader` sees; `None` where it has the whole of a copy of its own.
    pub fn shards(&self, reader: PeId) -> Option<&[Shard]> {
        match self {
            Placement::Sharded(shards) => Some(shards),
            Placement::Replicated => None,
            Placement::Copied(copies) => Some(&copies.copies[copies.seen_by(reader)]),
        }
    }

    /// The PE by which the copy that `reader` sees is known, the same for all that see it; `None`
    /// where there is one copy for all.
    pub fn copy(&self, reader: PeId) -> Option<PeId> {
        match self {
            Placement::Sharded(_) => None,
            Placement::Replicated => Some(reader),
            Placement::Copied(copies) => Some(copies.first[copies.seen_by(reader)]),
        }
    }
}

/// A piece of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its first byte in the region.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The PE whose HBM holds it.
    pub pe: PeId,
}

/// How many entries the MMU of each PE needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Alike in all PEs.
    pub shared: u64,
    /// Each PE's own.
    pub own: u64,
}

/// An access that touches memory no tensor has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The first address that is not mapped.
    pub address: u64,
    /// The region that ends closest below it, or begins closest above.
    pub nearest: Option<Region>,
}

impl AddressMap {
    /// A map of these regions, which must not overlap.
    pub fn new(mut regions: Vec<Region>) -> AddressMap {
        regions.sort_by_key(|region| region.base);
        AddressMap { regions }
    }

    /// Every region, lowest address first.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The index of the region that holds `bytes` bytes from `address`.
    ///
    /// # Errors
    /// The first byte that lies in no region, or in another than the first byte does.
    pub fn find(&self, address: u64, bytes: u64) -> Result<usize, Fault> {
        let after = self.regions.partition_point(|region| region.base <= address);
        let Some(index) = after.checked_sub(1) else {
            return Err(Fault { address, nearest: self.regions.first().cloned() });
        };
        let region = &self.regions[index];
        let end = region.base.saturating_add(region.bytes);
        if address < end && bytes <= end - address {
            return Ok(index);
        }
        Err(Fault { address: address.max(end), nearest: Some(region.clone()) })
    }

    /// The index of the region that holds `address`, or else of the nearest: the one below it that
    /// ends closest, or above it that begins closest. `None` if there is no region.
    pub fn nearest(&self, address: u64) -> Option<usize> {
        let after = self.regions.partition_point(|region| region.base <= address);
        let Some(below) = after.checked_sub(1) else {
            return (!self.regions.is_empty()).then_some(0);
        };
        let region = &self.regions[below];
        let past = address.saturating_sub(region.base.saturating_add(region.bytes));
        let ahead = self.regions.get(after).map(|region| region.base - address);
        Some(if ahead.is_some_and(|ahead| ahead <= past) { after } else { below })
    }

    /// The entries that the MMU of each PE needs for this map, in pages of `page` bytes: those that
    /// are alike in all PEs, and those that each PE has for copies of its own. A page in which one
    /// shard ends and the next begins has an entry for each.
    pub fn entries(&self, page: u64) -> Entries {
        let pages = |first: u64, bytes: u64| match bytes.checked_sub(1) {
            None => 0,
            Some(rest) => (first + rest) / page - first / page + 1,
        };
        let of_shards = |base: u64, shards: &[Shard]| {
            shards.iter().map(|it| pages(base + it.offset, it.bytes)).sum::<u64>()
        };
        let mut entries = Entries::default();
        for region in &self.regions {
            match &region.placement {
                Placement::Replicated => entries.own += pages(region.base, region.bytes),
                Placement::Sharded(shards) => entries.shared += of_shards(region.base, shards),
                // Copies are cut alike, so that every PE has as many entries.
                Placement::Copied(copies) => {
                    entries.own += copies.copies.first().map_or(0, |it| of_shards(region.base, it));
                }
            }
        }
        entries
    }

    /// Calls `visit(first address)` for each entry that `address..address + bytes` touches, in pages of
    /// `page` bytes, if a region holds all of it.
    pub fn each_entry(&self, address: u64, bytes: u64, page: u64, visit: &mut dyn FnMut(u64)) {
        let Ok(index) = self.find(address, bytes.max(1)) else { return };
        let region = &self.regions[index];
        let whole = [Shard { offset: 0, bytes: region.bytes, pe: PeId(0) }];
        // Copies are cut alike, whoever sees them.
        let shards = region.placement.shards(PeId(0)).unwrap_or(&whole);
        let (offset, end) = (address - region.base, address - region.base + bytes);
        let first = shards.partition_point(|shard| shard.offset + shard.bytes <= offset);
        for shard in shards[first..].iter().take_while(|shard| shard.offset < end) {
            let begins = region.base + shard.offset;
            let lo = begins.max(address);
            let hi = (begins + shard.bytes).min(address + bytes);
            for number in lo / page..hi.div_ceil(page) {
                visit(begins.max(number * page));
            }
        }
    }

    /// Calls `visit(owner, bytes)` for each run of `address..address + bytes` that lies in one
    /// PE's memory, as `reader` sees it, lowest address first.
    ///
    /// # Errors
    /// As [`AddressMap::find`].
    pub fn owners(
        &self,
        reader: PeId,
        address: u64,
        bytes: u64,
        visit: &mut dyn FnMut(PeId, u64),
    ) -> Result<(), Fault> {
        let region = &self.regions[self.find(address, bytes)?];
        let Some(shards) = region.placement.shards(reader) else {
            visit(reader, bytes);
            return Ok(());
        };
        let (mut at, end) = (address - region.base, address - region.base + bytes);
        let first = shards.partition_point(|shard| shard.offset + shard.bytes <= at);
        for shard in &shards[first..] {
            if at >= end {
                break;
            }
            let stop = end.min(shard.offset + shard.bytes);
            visit(shard.pe, stop - at);
            at = stop;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> AddressMap {
        let shards = vec![
            Shard { offset: 0, bytes: 100, pe: PeId(0) },
            Shard { offset: 100, bytes: 50, pe: PeId(1) },
        ];
        let region = |name: &str, base, bytes, placement| Region {
            name: name.into(),
            base,
            bytes,
            placement,
        };
        AddressMap::new(vec![
            region("y", 4096, 64, Placement::Replicated),
            region("x", 1000, 150, Placement::Sharded(shards)),
        ])
    }

    #[test]
    fn owners_are_found_across_shards() {
        let mut seen = Vec::new();
        map().owners(PeId(7), 1090, 20, &mut |pe, bytes| seen.push((pe, bytes))).unwrap();
        assert_eq!(seen, [(PeId(0), 10), (PeId(1), 10)]);
        seen.clear();
        map().owners(PeId(7), 4096, 64, &mut |pe, bytes| seen.push((pe, bytes))).unwrap();
        assert_eq!(seen, [(PeId(7), 64)]);
    }

    #[test]
    fn a_pe_sees_the_shards_of_its_own_copy() {
        let shard = |offset, bytes, pe| Shard { offset, bytes, pe: PeId(pe) };
        let cut = |first| vec![shard(0, 60, first), shard(60, 40, first + 1)];
        let copies = Copies::new(vec![cut(0), cut(4)], vec![0, 0, 0, 0, 1, 1, 1]).unwrap();
        assert_eq!(copies.readers(1, 7).collect::<Vec<_>>(), [PeId(4), PeId(5), PeId(6)]);
        let region = Region {
            name: "w".into(),
            base: 4096 - 60,
            bytes: 100,
            placement: Placement::Copied(Arc::new(copies)),
        };
        let map = AddressMap::new(vec![region]);
        let seen_by = |reader| {
            let mut seen = Vec::new();
            map.owners(PeId(reader), 4096 - 10, 20, &mut |pe, bytes| seen.push((pe.0, bytes)))
                .unwrap();
            seen
        };
        assert_eq!(seen_by(3), [(0, 10), (1, 10)]);
        assert_eq!(seen_by(6), [(4, 10), (5, 10)]);
        // Beyond the last one that is known: the first copy.
        assert_eq!(seen_by(7), [(0, 10), (1, 10)]);
        assert_eq!(map.entries(4096), Entries { shared: 0, own: 2 });
        let copy = |pe| map.regions()[0].placement.copy(PeId(pe));
        assert_eq!([copy(3), copy(5)], [Some(PeId(0)), Some(PeId(4))]);
    }

    #[test]
    fn copies_are_cut_alike_and_all_seen() {
        let shard = |bytes, pe| Shard { offset: 0, bytes, pe: PeId(pe) };
        assert_eq!(Copies::new(vec![vec![shard(8, 0)], vec![shard(9, 1)]], vec![0, 1]), None);
        assert_eq!(Copies::new(vec![vec![shard(8, 0)], vec![shard(8, 1)]], vec![0, 0]), None);
        assert_eq!(Copies::new(vec![vec![shard(8, 0)]], vec![0, 1]), None);
        assert_eq!(Copies::new(Vec::new(), Vec::new()), None);
    }

    #[test]
    fn faults_name_the_first_byte_outside() {
        assert_eq!(map().find(1100, 51).unwrap_err().address, 1150);
        assert_eq!(map().find(10, 1).unwrap_err().nearest.unwrap().name, "x");
        assert_eq!(map().find(5000, 1).unwrap_err().nearest.unwrap().name, "y");
    }
}
