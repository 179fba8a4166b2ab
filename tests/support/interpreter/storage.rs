//! Simulated scratch memory and receive slots: where tiles lie, and who still shows them.

use std::collections::BTreeMap;

use kbc::ir::{BufferId, OpId, Storage, Value};
use kbc::passes::liveness::Liveness;

use super::terms::indices;
use super::{Frame, Held, Machine};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Scratch(u64),
    Slot(usize),
}

pub(super) struct Slot {
    pub(super) tile: Vec<u64>,
    pub(super) releases: usize,
}

pub(super) struct Memory {
    pub(super) liveness: Liveness,
    /// Which term each byte of scratch belongs to, and which byte of it.
    pub(super) bytes: BTreeMap<u64, (u64, u64)>,
    pub(super) slots: Vec<Slot>,
    /// The copy of each buffer whose turn it is.
    pub(super) turns: BTreeMap<BufferId, u32>,
}

impl Machine<'_> {
    pub(super) fn slot(&mut self, tile: Vec<u64>) -> Held {
        match &mut self.memory {
            None => Held::Tile(tile),
            Some(memory) => {
                memory.slots.push(Slot { tile, releases: 0 });
                Held::Place(Place::Slot(memory.slots.len() - 1))
            }
        }
    }

    pub(super) fn release(&mut self, frame: &Frame<'_>, op: OpId, tile: Value) {
        let Held::Place(Place::Slot(slot)) = *frame.held(tile) else { return };
        let Some(memory) = &mut self.memory else { return };
        let rivals = memory.liveness.rivals(op);
        let held = |value: &Value| matches!(frame.values[*value], Some(Held::Place(Place::Slot(other))) if other == slot);
        if !rivals.iter().any(held) {
            memory.slots[slot].releases += 1;
        }
    }

    /// The elements of a tile that leaves the PE: its bytes must lie row by row.
    pub(super) fn read_in_order(&mut self, frame: &Frame<'_>, value: Value) -> Vec<u64> {
        if self.memory.is_some() && !frame.f.is_row_major(value) {
            self.run.faults.push(format!("{value} leaves as a view"));
        }
        self.read(frame, value)
    }

    /// The elements of a tile, row by row.
    pub(super) fn read(&mut self, frame: &Frame<'_>, value: Value) -> Vec<u64> {
        let place = match frame.held(value) {
            Held::Tile(tile) => return tile.clone(),
            Held::Place(place) => *place,
            Held::Scalar(_) => panic!("{value} is no tile"),
        };
        let strides = frame.f.strides(value).expect("an allocated tile has strides");
        let offset = |index: &Vec<usize>| -> u64 {
            index.iter().zip(&strides).map(|(at, stride)| *at as u64 * *stride as u64).sum()
        };
        let offsets: Vec<u64> = indices(&frame.shape_of(value)).iter().map(offset).collect();
        let size = frame.f.ty(value).dtype().bytes();
        offsets.into_iter().map(|at| self.read_element(place, at, size)).collect()
    }

    pub(super) fn read_element(&mut self, place: Place, at: u64, size: u64) -> u64 {
        let memory = self.memory.as_mut().expect("places lie in memory");
        match place {
            Place::Slot(slot) => {
                if memory.slots[slot].releases > 0 {
                    self.run.faults.push(format!("slot {slot} is read after its release"));
                }
                memory.slots[slot].tile[at as usize]
            }
            Place::Scratch(base) => {
                let byte = |index: u64| memory.bytes.get(&(base + at * size + index)).copied();
                let first = byte(0).map(|(term, _)| term);
                let whole = (0..size).all(|index| byte(index) == first.map(|term| (term, index)));
                match first {
                    Some(term) if whole => term,
                    _ => {
                        self.run.faults.push(format!("byte {} is not whole", base + at * size));
                        0
                    }
                }
            }
        }
    }

    pub(super) fn write(&mut self, base: u64, tile: &[u64], size: u64) {
        let memory = self.memory.as_mut().expect("places lie in memory");
        for (at, term) in tile.iter().enumerate() {
            for index in 0..size {
                memory.bytes.insert(base + at as u64 * size + index, (*term, index));
            }
        }
    }

    /// `recv` into a tile: its bytes are new, and whoever else shows them sees that.
    pub(super) fn overwrite(&mut self, frame: &Frame<'_>, dst: Value, tile: &[u64]) -> Held {
        let held = frame.held(dst).clone();
        let slot = self.slot(tile.to_vec());
        if let (Some(memory), Held::Place(Place::Slot(slot))) = (&mut self.memory, slot) {
            // The slot is copied out of and free at once.
            memory.slots[slot].releases += 1;
        }
        match held {
            Held::Place(Place::Scratch(base)) => {
                self.write(base, tile, frame.f.ty(dst).dtype().bytes());
            }
            _ => self.run.faults.push(String::from("`recv` copies into a slot")),
        }
        held
    }

    /// Puts the result of `op` where it belongs.
    pub(super) fn define(&mut self, frame: &Frame<'_>, op: OpId, tile: Vec<u64>) -> Held {
        let Some(memory) = &mut self.memory else { return Held::Tile(tile) };
        let result = frame.f.result(op);
        let Some(Storage::Buffer(id)) = frame.f.values[result].storage else {
            panic!("{result} has no buffer");
        };
        let buffer = &frame.f.buffers[id];
        let held = |place: Place| {
            let is_in = |value: &Value| matches!(frame.values[*value], Some(Held::Place(other)) if other == place);
            memory.liveness.rivals(op).iter().any(is_in)
        };
        // In turn, as the walker does; any copy that is free would do.
        let turn = memory.turns.get(&id).copied().unwrap_or(0);
        let mut copies = (turn..turn + buffer.copies).map(|copy| copy % buffer.copies);
        let base = |copy: u32| buffer.offset + u64::from(copy) * buffer.bytes;
        let free = copies.find(|copy| !held(Place::Scratch(base(*copy))));
        let copy = free.unwrap_or_else(|| {
            self.run.faults.push(format!("{result} finds every copy of its buffer taken"));
            0
        });
        memory.turns.insert(id, copy + 1);
        let base = base(copy);
        self.write(base, &tile, frame.f.ty(result).dtype().bytes());
        Held::Place(Place::Scratch(base))
    }
}
