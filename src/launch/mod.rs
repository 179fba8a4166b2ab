//! What a launch is given, as plain data: world, grid, arguments, queues, memory.

mod memory;

pub use memory::{AddressMap, Fault, Placement, Region, Shard};

use crate::topology::SlotKind;

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
    /// How a grid's programs are dealt to ranks.
    pub deal: Deal,
    /// The queues.
    pub ipcq: IpcqOptions,
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
