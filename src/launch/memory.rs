//! Which PE's memory a virtual address lies in.
//!
//! Until each PE has an MMU of its own, placement maps virtual addresses: a region of the
//! address space is one tensor, cut into shards that lie in the HBM of one PE each, or copied
//! whole to every PE.

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
        let mut entries = Entries::default();
        for region in &self.regions {
            match &region.placement {
                Placement::Replicated => entries.own += pages(region.base, region.bytes),
                Placement::Sharded(shards) => {
                    let each = shards.iter().map(|it| pages(region.base + it.offset, it.bytes));
                    entries.shared += each.sum::<u64>();
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
        let shards = match &region.placement {
            Placement::Sharded(shards) => shards.as_slice(),
            Placement::Replicated => &whole,
        };
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
        let Placement::Sharded(shards) = &region.placement else {
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
    fn faults_name_the_first_byte_outside() {
        assert_eq!(map().find(1100, 51).unwrap_err().address, 1150);
        assert_eq!(map().find(10, 1).unwrap_err().nearest.unwrap().name, "x");
        assert_eq!(map().find(5000, 1).unwrap_err().nearest.unwrap().name, "y");
    }
}
