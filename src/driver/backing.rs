//! Physical memory for the tensors of host programs: every shard lies in its owner's HBM, and an HBM that
//! is full is a mistake of the program.

use std::collections::BTreeMap;

use super::machine::Target;
use crate::diag::{Diagnostic, runtime as codes};
use crate::host::{Holder, Tensor, TensorId, with_ledger};
use crate::launch::{AddressMap, Mapping, NoMemory, Pools};
use crate::topology::{AddressLayout, Extent};
use crate::units::grouped;

/// The memory that tensors have.
#[derive(Debug)]
pub(super) struct Backing {
    extent: Extent,
    world: u32,
    /// HBM of a PE, in bytes.
    slice: u64,
    /// `None` for a machine whose addresses 64 bits do not hold, where nothing is given out.
    pools: Option<Pools>,
    tensors: BTreeMap<TensorId, (Tensor, Mapping)>,
}

impl Backing {
    /// The empty memory of a machine.
    pub(super) fn new(target: &Target) -> Backing {
        let (extent, params) = (*target.spec.extent(), target.spec.params());
        let layout = AddressLayout::new(&extent, params);
        let pools = layout.map(|layout| Pools::new(extent, params, layout));
        let (world, slice) = (target.world, params.hbm.bytes);
        Backing { extent, world, slice, pools, tensors: BTreeMap::new() }
    }

    /// Gives a tensor memory.
    ///
    /// # Errors
    /// A PE whose HBM is full.
    pub(super) fn add(&mut self, tensor: &Tensor) -> Result<(), Diagnostic> {
        if self.tensors.get(&tensor.id).is_some_and(|(known, _)| known == tensor) {
            return Ok(());
        }
        self.remove(tensor.id);
        let Some(pools) = &mut self.pools else { return Ok(()) };
        let map = AddressMap::new(vec![tensor.region()]);
        match Mapping::new(&map, self.world, pools) {
            Ok(mapping) => {
                self.tensors.insert(tensor.id, (tensor.clone(), mapping));
                Ok(())
            }
            Err(no_memory) => Err(self.full(tensor, &no_memory)),
        }
    }

    /// Takes the memory of a tensor back.
    pub(super) fn remove(&mut self, tensor: TensorId) {
        if let (Some((_, mapping)), Some(pools)) = (self.tensors.remove(&tensor), &mut self.pools) {
            mapping.release(pools);
        }
    }

    fn full(&self, tensor: &Tensor, no_memory: &NoMemory) -> Diagnostic {
        let NoMemory { pe, room, .. } = no_memory;
        let (needed, free) = (grouped(room.needed), grouped(room.free));
        let at = self.extent.coord(*pe);
        let message = format!(
            "tensor `{}` needs {needed} B in the HBM of PE {}, of which {free} B are free",
            tensor.name, pe.0
        );
        let place = format!("sip{}.cube{}.pe{}", at.sip, at.cube, at.pe);
        let it = match tensor.made.is_none() {
            true => Diagnostic::global(codes::MEMORY_FULL, message),
            false => Diagnostic::new(codes::MEMORY_FULL, message, tensor.made, "this tensor"),
        };
        let held = |(other, mapping): &(Tensor, Mapping)| {
            let bytes = mapping.held_by(*pe);
            (bytes > 0).then(|| Holder::of(other, bytes))
        };
        with_ledger(it, self.tensors.values().filter_map(held).collect())
            .note(format!("each PE has {} B; this one is {place}", grouped(self.slice)))
            .help("cut the tensor over more PEs, or give back what is no longer needed: `tensor.free()`")
    }
}
