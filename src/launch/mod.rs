//! What a launch is given, as plain data: world, grid, arguments, queues, memory.

mod allocator;
mod memory;
mod mmu;
mod neighbors;
mod pools;

pub use allocator::{AddressAllocator, NoRoom, PAGE_BYTES, VA_BASE, VA_BYTES};
pub use mmu::{Entry, Mapping, Mmu, Overlap};
pub use neighbors::{NeighborMap, NeighborTable};

pub use pools::{NoMemory, Pool, Pools};

pub use memory::{AddressMap, Copies, Entries, Fault, Placement, Region, Shard};

use crate::topology::{Extent, SlotKind};

/// One launch of one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// The kernel's name.
    pub kernel: String,
    /// Its arguments by name, the pointers' as virtual byte addresses.
    pub args: Vec<(String, crate::ir::Literal)>,
    /// How many ranks take part: the first PEs of the machine, in order.
    pub world: u32,
    /// The Triton grid, or `None` where each rank runs one program on the machine's own axes.
    pub grid: Option<[u32; 3]>,
    /// The machine's own axes where a part of the machine takes part; the whole machine's without.
    pub axes: Option<Axes>,
    /// How a grid's programs are dealt to ranks.
    pub deal: Deal,
    /// The queues.
    pub ipcq: IpcqOptions,
}

/// The machine's own axes as a launch on a part of it counts them: the first PEs of the first
/// cubes of some SIPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes {
    /// PEs of each cube.
    pub pes_per_cube: u32,
    /// Cubes of each SIP.
    pub cubes_per_sip: u32,
}

impl Axes {
    /// Those of a whole machine.
    pub fn of(extent: &Extent) -> Axes {
        Axes { pes_per_cube: extent.pes.count(), cubes_per_sip: extent.cubes.count() }
    }
}

/// How the programs of a grid are dealt to ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deal {
    /// Neighbouring programs to one rank.
    #[default]
    Block,
    /// Program `i` to rank `i` modulo the world.
    Cyclic,
}

/// What a launch says of its queues; the machine's defaults where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpcqOptions {
    /// Slots of each queue.
    pub slots: Option<u32>,
    /// Bytes of each slot; the largest tile sent where it is not given.
    pub slot_bytes: Option<u64>,
    /// Where slots are.
    pub kind: Option<SlotKind>,
}

impl IpcqOptions {
    /// What this says, and where it says nothing what `other` does.
    pub fn or(self, other: IpcqOptions) -> IpcqOptions {
        IpcqOptions {
            slots: self.slots.or(other.slots),
            slot_bytes: self.slot_bytes.or(other.slot_bytes),
            kind: self.kind.or(other.kind),
        }
    }
}

impl Launch {
    /// `num_programs` of axes 0, 1 and 2: the grid's, or the PEs of a cube, the cubes that the
    /// world reaches and the SIPs that it reaches.
    pub fn num_programs(&self, extent: &Extent) -> [u32; 3] {
        self.grid.unwrap_or_else(|| {
            let Axes { pes_per_cube, cubes_per_sip } = self.axes(extent);
            let cubes = self.world.div_ceil(pes_per_cube.max(1));
            [pes_per_cube.max(1), cubes, cubes.div_ceil(cubes_per_sip.max(1))]
        })
    }

    /// The machine's own axes as this launch counts them.
    pub fn axes(&self, extent: &Extent) -> Axes {
        self.axes.unwrap_or_else(|| Axes::of(extent))
    }

    /// How many programs run; `None` where they are more than 2^32.
    pub fn program_count(&self) -> Option<u32> {
        let Some(grid) = self.grid else { return Some(self.world) };
        grid.into_iter().try_fold(1u32, u32::checked_mul)
    }

    /// The programs of `rank`, of `programs` in all: the first, the distance to the next, and
    /// how many.
    pub fn share(&self, rank: u32, programs: u32) -> (u32, u32, u32) {
        let world = self.world.max(1);
        let (each, more) = (programs / world, programs % world);
        let count = each + u32::from(rank < more);
        match self.deal {
            Deal::Block => (rank * each + rank.min(more), 1, count),
            Deal::Cyclic => (rank, world, count),
        }
    }

    /// The value of the argument `name`.
    pub fn arg(&self, name: &str) -> Option<crate::ir::Literal> {
        self.args.iter().find(|(it, _)| it == name).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Grid;

    fn launch(world: u32, grid: Option<[u32; 3]>, deal: Deal) -> Launch {
        let (kernel, args, ipcq) = (String::from("k"), Vec::new(), IpcqOptions::default());
        Launch { kernel, args, world, grid, axes: None, deal, ipcq }
    }

    #[test]
    fn every_program_is_run_once() {
        for deal in [Deal::Block, Deal::Cyclic] {
            let launch = launch(4, Some([5, 2, 1]), deal);
            let mut ran = Vec::new();
            for rank in 0..4 {
                let (first, step, count) = launch.share(rank, 10);
                ran.extend((0..count).map(|index| first + index * step));
            }
            ran.sort_unstable();
            assert_eq!(ran, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn machine_axes_count_the_launch() {
        let grid = |w, h| Grid { w, h, wraps: false };
        let extent = Extent { sips: grid(2, 1), cubes: grid(4, 4), pes: grid(4, 2) };
        assert_eq!(launch(3, None, Deal::Block).num_programs(&extent), [8, 1, 1]);
        assert_eq!(launch(256, None, Deal::Block).num_programs(&extent), [8, 32, 2]);
        let axes = Some(Axes { pes_per_cube: 2, cubes_per_sip: 3 });
        let part = Launch { axes, ..launch(12, None, Deal::Block) };
        assert_eq!(part.num_programs(&extent), [2, 6, 2]);
        assert_eq!(launch(3, Some([7, 1, 1]), Deal::Block).num_programs(&extent), [7, 1, 1]);
        assert_eq!(launch(3, Some([1 << 20, 1 << 20, 1]), Deal::Block).program_count(), None);
    }
}
