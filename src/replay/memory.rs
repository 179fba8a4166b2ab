//! HBM as the launch sees it: one image for each tensor that is cut into shards, in address
//! order, and one for each copy of a tensor that PEs have copies of.

use std::collections::BTreeMap;

use super::image::{Image, Origin, View};
use crate::launch::{AddressMap, Fault, Region};
use crate::topology::PeId;

/// The contents of every tensor of a launch.
#[derive(Debug)]
pub struct Memory {
    map: AddressMap,
    /// In the order of the map's regions.
    tensors: Vec<Tensor>,
}

/// The contents of one tensor.
#[derive(Debug)]
struct Tensor {
    /// What every PE sees unless it has written something else.
    common: Image,
    /// Of a tensor with copies, what was written to one of them, by the PE that it is known by.
    own: BTreeMap<PeId, Image>,
}

impl Tensor {
    fn new(region: &Region) -> Tensor {
        Tensor { common: Image::new(region.bytes), own: BTreeMap::new() }
    }
}

impl Memory {
    /// Memory for the tensors of `map`, none of it written.
    pub fn new(map: AddressMap) -> Memory {
        let tensors = map.regions().iter().map(Tensor::new).collect();
        Memory { map, tensors }
    }

    /// The same memory for another launch: tensors that `map` has, too, keep their contents; the
    /// others are dropped.
    #[must_use]
    pub fn remap(mut self, map: AddressMap) -> Memory {
        let old = std::mem::take(&mut self.tensors);
        let mut kept: BTreeMap<u64, (Region, Tensor)> = self
            .map
            .regions()
            .iter()
            .cloned()
            .zip(old)
            .map(|(region, tensor)| (region.base, (region, tensor)))
            .collect();
        let tensors = map.regions().iter().map(|region| match kept.remove(&region.base) {
            Some((old, tensor)) if same_place(&old, region) => tensor,
            Some(_) | None => Tensor::new(region),
        });
        let tensors = tensors.collect();
        Memory { map, tensors }
    }

    /// Where the tensors are.
    pub fn map(&self) -> &AddressMap {
        &self.map
    }

    /// Puts `bytes` at `address` as the host does: into the copy of `pe`, or without a PE into
    /// every copy.
    ///
    /// # Errors
    /// The first address that no tensor has.
    pub fn write(&mut self, pe: Option<PeId>, address: u64, bytes: &[u8]) -> Result<(), Fault> {
        let region = self.map.find(address, bytes.len() as u64)?;
        let offset = address - self.map.regions()[region].base;
        if let Some(pe) = pe {
            self.claim(region, pe);
            self.view(region, pe).writer(Origin::Host).write(offset, bytes);
            return Ok(());
        }
        let tensor = &self.tensors[region];
        let common = View { common: &tensor.common, own: None };
        for own in tensor.own.values() {
            View { own: Some(own), ..common }.writer(Origin::Host).write(offset, bytes);
        }
        common.writer(Origin::Host).write(offset, bytes);
        Ok(())
    }

    /// The `bytes` bytes from `address` as `pe` sees them; zeros where nothing was written.
    ///
    /// # Errors
    /// The first address that no tensor has.
    pub fn read(&self, pe: PeId, address: u64, bytes: u64) -> Result<Vec<u8>, Fault> {
        let region = self.map.find(address, bytes)?;
        let mut out = vec![0; bytes as usize];
        let offset = address - self.map.regions()[region].base;
        self.view(region, pe).reader().read(offset, &mut out);
        Ok(out)
    }

    /// The first of the `bytes` bytes from `address` that nothing has written, as `pe` sees them.
    ///
    /// # Errors
    /// The first address that no tensor has.
    pub fn first_unwritten(
        &self,
        pe: PeId,
        address: u64,
        bytes: u64,
    ) -> Result<Option<u64>, Fault> {
        let region = self.map.find(address, bytes)?;
        let base = self.map.regions()[region].base;
        let mut out = vec![0; bytes as usize];
        let gap = self.view(region, pe).reader().read(address - base, &mut out);
        Ok(gap.map(|offset| base + offset))
    }

    /// What wrote the byte at `address` that `pe` sees; `None` where nothing did, or where no
    /// tensor is.
    pub fn origin(&self, pe: PeId, address: u64) -> Option<Origin> {
        let region = self.map.find(address, 1).ok()?;
        self.view(region, pe).origin(address - self.map.regions()[region].base)
    }

    /// The tensor at `region` as `pe` sees it.
    pub(super) fn view(&self, region: usize, pe: PeId) -> View<'_> {
        let tensor = &self.tensors[region];
        let copy = self.map.regions()[region].placement.copy(pe);
        View { common: &tensor.common, own: copy.and_then(|copy| tensor.own.get(&copy)) }
    }

    /// Makes room for what `pe` writes to the copy of the tensor at `region` that it sees, if there
    /// is more than one.
    pub(super) fn claim(&mut self, region: usize, pe: PeId) {
        let place = &self.map.regions()[region];
        if let Some(copy) = place.placement.copy(pe) {
            self.tensors[region].own.entry(copy).or_insert_with(|| Image::new(place.bytes));
        }
    }
}

/// Whether two regions are one tensor, whatever its name.
fn same_place(old: &Region, new: &Region) -> bool {
    old.base == new.base && old.bytes == new.bytes && old.placement == new.placement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::{Placement, Shard};

    fn map() -> AddressMap {
        let region = |name: &str, base, placement| Region {
            name: name.into(),
            base,
            bytes: 600_000,
            placement,
        };
        let shard = Shard { offset: 0, bytes: 600_000, pe: PeId(0) };
        AddressMap::new(vec![
            region("x", 0x1000, Placement::Sharded(vec![shard])),
            region("w", 0x10_0000, Placement::Replicated),
        ])
    }

    #[test]
    fn what_is_written_is_read_across_chunks() {
        let mut memory = Memory::new(map());
        let bytes: Vec<u8> = (0..590_000).map(|at| (at % 251) as u8).collect();
        memory.write(None, 0x1000 + 5, &bytes).unwrap();
        assert_eq!(memory.read(PeId(3), 0x1000 + 5, 590_000).unwrap(), bytes);
        assert_eq!(memory.first_unwritten(PeId(0), 0x1000 + 5, 590_000), Ok(None));
        assert_eq!(memory.first_unwritten(PeId(0), 0x1000, 9), Ok(Some(0x1000)));
        assert_eq!(memory.first_unwritten(PeId(0), 0x1005, 590_001), Ok(Some(0x1005 + 590_000)));
        assert_eq!(memory.read(PeId(0), 0x1003, 4).unwrap(), [0, 0, 0, 1]);
        assert_eq!(memory.origin(PeId(0), 0x1005), Some(Origin::Host));
        assert_eq!(memory.origin(PeId(0), 0x1004), None);
    }

    #[test]
    fn a_replicated_tensor_has_a_copy_for_each_pe() {
        let mut memory = Memory::new(map());
        memory.write(None, 0x10_0000, &[1; 8]).unwrap();
        memory.write(Some(PeId(2)), 0x10_0002, &[9; 2]).unwrap();
        assert_eq!(memory.read(PeId(1), 0x10_0000, 8).unwrap(), [1; 8]);
        assert_eq!(memory.read(PeId(2), 0x10_0000, 8).unwrap(), [1, 1, 9, 9, 1, 1, 1, 1]);
        memory.write(None, 0x10_0003, &[5]).unwrap();
        assert_eq!(memory.read(PeId(1), 0x10_0002, 3).unwrap(), [1, 5, 1]);
        assert_eq!(memory.read(PeId(2), 0x10_0002, 3).unwrap(), [9, 5, 1]);
    }

    #[test]
    fn contents_outlive_a_launch() {
        let mut memory = Memory::new(map());
        memory.write(None, 0x1000, &[7; 4]).unwrap();
        memory.write(None, 0x10_0000, &[7; 4]).unwrap();
        let regions = map().regions().to_vec();
        let kept = Region { name: "renamed".into(), ..regions[0].clone() };
        let moved = Region { base: 0x20_0000, ..regions[1].clone() };
        let memory = memory.remap(AddressMap::new(vec![kept, moved]));
        assert_eq!(memory.read(PeId(0), 0x1000, 4).unwrap(), [7; 4]);
        assert_eq!(memory.first_unwritten(PeId(0), 0x20_0000, 4), Ok(Some(0x20_0000)));
        assert_eq!(memory.read(PeId(0), 0x10_0000, 4).unwrap_err().address, 0x10_0000);
    }
}
