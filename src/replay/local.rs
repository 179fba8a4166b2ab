//! The memory of one agent: its scratch in TCM, then the slots of its queues.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::bytes::Bytes;
use super::ranges::RangeMap;
use crate::command::{AgentId, Place, Program, QueueId, SiteId, TileRef};

/// Slots, and scratch before them, begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// The bytes of one agent and what is known of them.
#[derive(Clone, Debug)]
pub(super) struct Local {
    bytes: Bytes,
    written: RangeMap<()>,
    /// Bytes of scratch.
    scratch: usize,
    /// Where slots begin, how far apart they are and how many bytes of each are used.
    slots_at: usize,
    slot_stride: usize,
    slot_bytes: usize,
    slots_per_queue: u64,
    /// The latest message of each slot, queue by queue.
    slots: Vec<Option<Arrival>>,
    /// Whether what is in a slot stays there until the next message comes.
    keeps_slots: bool,
    /// What gathers and scatters have touched, by the number of the command: ranges in order.
    pub(super) touched: FxHashMap<u32, Vec<Range<u64>>>,
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its number in its queue.
    pub(super) token: u64,
    /// Who sent it.
    pub(super) from: AgentId,
    /// Where it was sent, in the sender's code.
    pub(super) site: SiteId,
}

/// Why a tile cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Nothing wrote this byte of it.
    Unwritten(u64),
    /// Its message has not arrived, or was given back.
    Absent,
    /// A later message has taken its slot.
    Overwritten(Arrival),
    /// It lies outside of the agent's memory.
    Outside,
}

impl Local {
    /// The memory of `agent`, none of it written.
    pub(super) fn new(program: &Program, agent: AgentId) -> Local {
        let (comm, scratch) = (&program.comm, program.code(agent).scratch_bytes as usize);
        let receives = !comm.directions.is_empty() && comm.slots > 0;
        let count = if receives { comm.directions.len() * comm.slots as usize } else { 0 };
        let slot_bytes = comm.slot_bytes as usize;
        let slots_at = scratch.next_multiple_of(ALIGNMENT);
        let slot_stride = slot_bytes.next_multiple_of(ALIGNMENT);
        Local {
            bytes: Bytes::zeroed(slots_at + count * slot_stride),
            written: RangeMap::default(),
            scratch,
            slots_at,
            slot_stride,
            slot_bytes,
            slots_per_queue: u64::from(comm.slots),
            slots: vec![None; count],
            keeps_slots: false,
            touched: FxHashMap::default(),
        }
    }

    /// The same; slots keep what is in them until the next message comes, if `keeps` is true.
    pub(super) fn keeping_slots(self, keeps: bool) -> Local {
        Local { keeps_slots: keeps, ..self }
    }

    /// The slot of message `token` of `queue`.
    fn slot(&self, queue: QueueId, token: u64) -> Option<usize> {
        let slot = usize::from(queue.0) * self.slots_per_queue as usize
            + token.checked_rem(self.slots_per_queue)? as usize;
        (slot < self.slots.len()).then_some(slot)
    }

    /// Where a tile lies in all of the agent's bytes.
    pub(super) fn locate(&self, tile: TileRef) -> Option<Range<usize>> {
        let bytes = usize::try_from(tile.bytes).ok()?;
        match tile.place {
            Place::Scratch(at) => {
                let at = usize::try_from(at).ok()?;
                let end = at.checked_add(bytes)?;
                (end <= self.scratch).then_some(at..end)
            }
            Place::Slot { queue, token } => {
                let at = self.slots_at + self.slot(queue, token)? * self.slot_stride;
                (bytes <= self.slot_bytes).then_some(at..at + bytes)
            }
        }
    }

    /// Where a tile lies, if it can be read.
    pub(super) fn readable(&self, tile: TileRef) -> Result<Range<usize>, Unreadable> {
        let range = self.locate(tile).ok_or(Unreadable::Outside)?;
        if let Place::Slot { queue, token } = tile.place {
            let arrival = self.slot(queue, token).and_then(|slot| self.slots[slot]);
            match arrival {
                Some(arrival) if arrival.token == token => {}
                Some(arrival) if arrival.token > token => {
                    return Err(Unreadable::Overwritten(arrival));
                }
                Some(_) | None => return Err(Unreadable::Absent),
            }
        }
        match self.written.first_gap(range.start as u64..range.end as u64) {
            Some(gap) => Err(Unreadable::Unwritten(gap - range.start as u64)),
            None => Ok(range),
        }
    }

    /// Says that all of `range` is written.
    pub(super) fn mark(&mut self, range: Range<usize>) {
        self.written.insert(range.start as u64..range.end as u64, ());
    }

    /// Puts a message in its slot; false if it does not fit there.
    pub(super) fn deliver(&mut self, queue: QueueId, arrival: Arrival, message: &[u8]) -> bool {
        let place = Place::Slot { queue, token: arrival.token };
        let Some(range) = self.locate(TileRef { place, bytes: message.len() as u64 }) else {
            return false;
        };
        self.bytes.as_mut_slice()[range.clone()].copy_from_slice(message);
        self.mark(range);
        if let Some(slot) = self.slot(queue, arrival.token) {
            self.slots[slot] = Some(arrival);
        }
        true
    }

    /// Gives the slot of a message back, unless a later message has taken it.
    pub(super) fn release(&mut self, tile: TileRef) {
        let Place::Slot { queue, token } = tile.place else { return };
        if self.keeps_slots {
            return;
        }
        let Some(slot) = self.slot(queue, token) else { return };
        if self.slots[slot].is_some_and(|arrival| arrival.token <= token) {
            self.slots[slot] = None;
            let start = (self.slots_at + slot * self.slot_stride) as u64;
            self.written.remove(start..start + self.slot_stride as u64);
        }
    }

    /// All bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// The bytes at `range`, to change.
    pub(super) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.bytes.as_mut_slice()[range]
    }

    /// The bytes of `inputs` beside those of `out`, to change. Inputs that overlap `out` are
    /// copied to `copies` first.
    pub(super) fn operands<'l, const N: usize>(
        &'l mut self,
        inputs: &[Option<Range<usize>>; N],
        out: Range<usize>,
        copies: &'l mut [Bytes; N],
    ) -> ([Option<&'l [u8]>; N], &'l mut [u8]) {
        let bytes = self.bytes.as_mut_slice();
        let overlaps = |input: &Range<usize>| input.start < out.end && out.start < input.end;
        for (input, copy) in inputs.iter().zip(copies.iter_mut()) {
            if let Some(input) = input.clone().filter(overlaps) {
                *copy = Bytes::copied(&bytes[input]);
            }
        }
        let copies: &[Bytes; N] = copies;
        let (before, rest) = bytes.split_at_mut(out.start);
        let (target, after) = rest.split_at_mut(out.len());
        let (before, after): (&[u8], &[u8]) = (before, after);
        let slices = std::array::from_fn(|index| {
            inputs[index].clone().map(|input| {
                if overlaps(&input) {
                    copies[index].as_slice()
                } else if input.end <= out.start {
                    &before[input]
                } else {
                    &after[input.start - out.end..input.end - out.end]
                }
            })
        });
        (slices, target)
    }
}
