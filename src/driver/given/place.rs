//! Where the tensors of a launch lie.
//!
//! Each tensor begins at a page of its own, in the order of the parameters, and is cut into as
//! many equal pieces as there are PEs that run a program, each a multiple of one HBM burst; piece
//! `i` lies in the HBM of PE `i`. A kernel whose programs walk a tensor in order, dealt to PEs by
//! blocks, so reads its own PE's memory; any other reads its neighbours' over the network.

use super::GivenTensor;
use crate::diag::{Diagnostic, hosting as codes};
use crate::launch::{AddressAllocator, NoRoom, Placement, Region, Shard, VA_BYTES};
use crate::topology::PeId;
use crate::units::grouped;

/// What the pieces of a tensor are multiples of, in bytes: one burst of HBM.
const PIECE_BYTES: u64 = 256;

/// The regions of `tensors`, cut over the first `pes` PEs.
///
/// # Errors
/// The tensors are larger than the address space.
pub(super) fn regions(tensors: &[GivenTensor], pes: u32) -> Result<Vec<Region>, Diagnostic> {
    let mut addresses = AddressAllocator::default();
    // A tensor whose length is not known takes its part of the address space.
    let unsized_bytes = VA_BYTES / 2 / (tensors.len() as u64 + 1);
    let region = |tensor: &GivenTensor| {
        let own = tensor.value.shape.elements().saturating_mul(tensor.value.dtype.bytes());
        let bytes = if tensor.is_sized { own } else { unsized_bytes };
        let base = addresses.allocate(bytes).map_err(|no_room| too_large(tensor, &no_room))?;
        let placement = Placement::Sharded(shards(bytes, pes));
        Ok(Region { name: tensor.name.clone(), base, bytes, placement })
    };
    tensors.iter().map(region).collect()
}

fn shards(bytes: u64, pes: u32) -> Vec<Shard> {
    let each = bytes.div_ceil(u64::from(pes.max(1))).next_multiple_of(PIECE_BYTES).max(PIECE_BYTES);
    let shard = |pe: u64| {
        let offset = pe * each;
        Shard { offset, bytes: each.min(bytes - offset), pe: PeId(pe as u32) }
    };
    (0..bytes.div_ceil(each)).map(shard).collect()
}

fn too_large(tensor: &GivenTensor, no_room: &NoRoom) -> Diagnostic {
    let (needed, free) = (grouped(no_room.needed), grouped(no_room.longest));
    let message =
        format!("tensor `{}` takes {needed} B, and {free} B of addresses are left", tensor.name);
    Diagnostic::new(codes::ARGUMENT_KIND, message, tensor.span, "takes it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_bursts_and_cover_the_tensor() {
        let seen = |bytes, pes| {
            let shards = shards(bytes, pes).into_iter();
            shards.map(|it| (it.offset, it.bytes, it.pe.0)).collect::<Vec<_>>()
        };
        assert_eq!(seen(1000, 2), [(0, 512, 0), (512, 488, 1)]);
        assert_eq!(seen(100, 4), [(0, 100, 0)]);
        assert_eq!(seen(1024, 4), [(0, 256, 0), (256, 256, 1), (512, 256, 2), (768, 256, 3)]);
        assert_eq!(seen(0, 4), []);
    }
}
