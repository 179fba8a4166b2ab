//! Every byte of every rank: what it holds, who wrote it, who has read it since.

use std::collections::BTreeMap;

use super::clock::{Clocks, Stamp};
use super::values::Value;
use crate::command::channel::Form;
use crate::command::{AgentId, SiteId};

/// Who touched some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    /// What acted, and in which of its epochs.
    pub(super) thread: u32,
    pub(super) epoch: u32,
    /// Whose command it was.
    pub(super) agent: AgentId,
    pub(super) site: SiteId,
    pub(super) launch: u32,
}

/// Two accesses in no order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conflict {
    pub(super) first: (Access, bool),
    pub(super) second: (Access, bool),
    /// The first byte that both touch.
    pub(super) at: u64,
}

/// A stretch of bytes that are alike.
#[derive(Clone, Debug)]
struct Cell {
    end: u64,
    /// Places are counted from address 0, in bytes of data: packets take two addresses a byte.
    value: Value,
    /// The launch that packets carry; `None` for plain bytes.
    flag: Option<u32>,
    /// What who wrote packets knew.
    stamp: Option<Stamp>,
    write: Option<Access>,
    reads: Vec<Access>,
}

/// A piece of what was read, by its place among the bytes of data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) from: u64,
    pub(super) to: u64,
    /// Places counted from the start of the stretch that was read.
    pub(super) value: Value,
    pub(super) flag: Option<u32>,
}

/// The memory of all ranks.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    cells: BTreeMap<u64, Cell>,
    pub(super) conflicts: Vec<Conflict>,
    /// Conflicts that are kept.
    limit: usize,
}

/// A stretch of memory at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) form: Form,
    pub(super) at: u64,
    /// Bytes of data.
    pub(super) bytes: u64,
}

impl Range {
    fn end(self) -> u64 {
        self.at.saturating_add(self.form.room(self.bytes))
    }

    /// The place of an address among all bytes of data.
    fn place(self, address: u64) -> i64 {
        match self.form {
            Form::Plain => address as i64,
            Form::Packets => (address / 2) as i64,
        }
    }
}

impl Memory {
    pub(super) fn new(limit: usize) -> Memory {
        Memory { limit, ..Memory::default() }
    }

    /// Bytes that the host made, before anything runs.
    pub(super) fn fill(&mut self, at: u64, bytes: u64, value: Value) {
        if bytes == 0 {
            return;
        }
        let end = at + bytes;
        self.split(at);
        self.split(end);
        self.remove(at, end);
        let cell = Cell { end, value, flag: None, stamp: None, write: None, reads: Vec::new() };
        self.cells.insert(at, cell);
    }

    /// Whether all packets of `range` carry `flag`.
    pub(super) fn has_come(&self, range: Range, flag: u32) -> bool {
        let mut at = range.at;
        while at < range.end() {
            let Some((_, cell)) = self.cells.range(..=at).next_back() else { return false };
            if cell.end <= at || cell.flag != Some(flag) {
                return false;
            }
            at = cell.end;
        }
        true
    }

    /// What those who wrote the packets of `range` knew.
    pub(super) fn stamps(&self, range: Range) -> Vec<Stamp> {
        let first = self.cells.range(..=range.at).next_back().map_or(range.at, |(at, _)| *at);
        let cells = self.cells.range(first..range.end().max(first));
        cells.filter(|(_, it)| it.end > range.at).filter_map(|(_, it)| it.stamp.clone()).collect()
    }

    /// Reads `range`: what it holds, piece by piece.
    pub(super) fn read(&mut self, range: Range, by: Access, clocks: &Clocks) -> Vec<Piece> {
        let end = range.end();
        self.split(range.at);
        self.split(end);
        let mut pieces = Vec::with_capacity(1);
        let base = range.place(range.at);
        let (conflicts, limit) = (&mut self.conflicts, self.limit);
        for (at, cell) in self.cells.range_mut(range.at..end) {
            if let Some(write) = cell.write
                && !clocks.knows(by.thread, (write.thread, write.epoch))
                && conflicts.len() < limit
            {
                conflicts.push(Conflict { first: (write, true), second: (by, false), at: *at });
            }
            cell.reads.retain(|it| !clocks.knows(by.thread, (it.thread, it.epoch)));
            cell.reads.push(by);
            let is_packets = cell.flag.is_some();
            let fits = is_packets == (range.form == Form::Packets);
            let (from, to) = (range.place(*at) - base, range.place(cell.end) - base);
            let value = if fits { cell.value.moved(base) } else { Value::MIXED };
            pieces.push(Piece { from: from as u64, to: to as u64, value, flag: cell.flag });
        }
        pieces
    }

    /// Writes `pieces` to `range`; packets with a flag, and with what the writer knew.
    pub(super) fn write(
        &mut self,
        range: Range,
        pieces: &[Piece],
        (by, stamp): (Access, Option<&Stamp>),
        clocks: &Clocks,
    ) {
        let end = range.end();
        if range.at == end {
            return;
        }
        self.split(range.at);
        self.split(end);
        self.find_conflicts(range, by, clocks);
        self.remove(range.at, end);
        let base = range.place(range.at);
        for piece in pieces {
            let at = range.at + range.form.room(piece.from);
            let until = range.at + range.form.room(piece.to.min(range.bytes));
            if at >= until {
                continue;
            }
            let cell = Cell {
                end: until,
                value: piece.value.moved(-base),
                flag: piece.flag,
                stamp: stamp.cloned(),
                write: Some(by),
                reads: Vec::new(),
            };
            self.cells.insert(at, cell);
        }
    }

    /// The host gives a buffer new contents. Who reads the old ones without anybody's knowledge may
    /// still do so: a caller that gives none leaves them to the next launch.
    pub(super) fn give(
        &mut self,
        (at, bytes): (u64, u64),
        value: Value,
        by: Access,
        clocks: &Clocks,
    ) {
        let range = Range { form: Form::Plain, at, bytes };
        self.split(at);
        self.split(range.end());
        self.find_conflicts(range, by, clocks);
        for (_, cell) in self.cells.range_mut(at..range.end()) {
            (cell.value, cell.flag, cell.stamp) = (value.moved(-(at as i64)), None, None);
            cell.write = Some(by);
        }
    }

    fn find_conflicts(&mut self, range: Range, by: Access, clocks: &Clocks) {
        let (conflicts, limit) = (&mut self.conflicts, self.limit);
        for (at, cell) in self.cells.range(range.at..range.end()) {
            let reads = cell.reads.iter().map(|it| (*it, false));
            let before = cell.write.map(|it| (it, true)).into_iter().chain(reads);
            for first in before {
                let known = clocks.knows(by.thread, (first.0.thread, first.0.epoch));
                if !known && conflicts.len() < limit {
                    conflicts.push(Conflict { first, second: (by, true), at: *at });
                }
            }
        }
    }

    /// Who wrote the byte at an address last.
    pub(super) fn writer(&self, at: u64) -> Option<Access> {
        self.cells.range(..=at).next_back().and_then(|(_, cell)| cell.write)
    }

    fn remove(&mut self, at: u64, end: u64) {
        let covered: Vec<u64> = self.cells.range(at..end).map(|(at, _)| *at).collect();
        covered.iter().for_each(|at| {
            self.cells.remove(at);
        });
    }

    /// Lets no cell reach across `at`.
    fn split(&mut self, at: u64) {
        let Some((_, cell)) = self.cells.range_mut(..at).next_back() else { return };
        if cell.end <= at {
            return;
        }
        let rest = cell.clone();
        cell.end = at;
        self.cells.insert(at, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::Values;
    use super::*;

    fn access(thread: u32, clocks: &Clocks) -> Access {
        let epoch = clocks.epoch(thread);
        Access { thread, epoch, agent: AgentId(thread), site: SiteId(0), launch: 1 }
    }

    fn plain(at: u64, bytes: u64) -> Range {
        Range { form: Form::Plain, at, bytes }
    }

    #[test]
    fn a_copy_keeps_what_it_copies() {
        let (mut memory, mut values, clocks) = (Memory::new(9), Values::new(), Clocks::new(1));
        let input = values.input(0, 1, -100);
        memory.fill(100, 64, input);
        let by = access(0, &clocks);
        let read = memory.read(plain(116, 32), by, &clocks);
        assert_eq!((read.len(), read[0].value), (1, values.input(0, 1, 16)));
        let packets = Range { form: Form::Packets, at: 1000, bytes: 32 };
        let flagged: Vec<Piece> = read.iter().map(|it| Piece { flag: Some(1), ..*it }).collect();
        memory.write(packets, &flagged, (by, None), &clocks);
        assert!(memory.has_come(packets, 1) && !memory.has_come(packets, 2));
        let half = Range { at: 1032, bytes: 16, ..packets };
        let back = memory.read(half, by, &clocks);
        assert_eq!(back[0].value, values.input(0, 1, 32), "input byte 16, 16 bytes further");
        assert_eq!(memory.read(plain(1000, 8), by, &clocks)[0].value, Value::MIXED);
        assert!(memory.conflicts.is_empty());
    }

    #[test]
    fn only_what_is_in_no_order_conflicts() {
        let (mut memory, mut clocks) = (Memory::new(9), Clocks::new(2));
        memory.fill(0, 64, Value::ZERO);
        let zero = [Piece { from: 0, to: 8, value: Value::ZERO, flag: None }];
        memory.write(plain(0, 8), &zero, (access(0, &clocks), None), &clocks);
        memory.write(plain(8, 8), &zero, (access(1, &clocks), None), &clocks);
        assert!(memory.conflicts.is_empty(), "other bytes");
        memory.read(plain(4, 8), access(1, &clocks), &clocks);
        assert_eq!(memory.conflicts.len(), 1, "half of it was written by the other");
        let stamp = clocks.stamp(1);
        clocks.join(0, &stamp);
        memory.write(plain(0, 16), &zero, (access(0, &clocks), None), &clocks);
        assert_eq!(memory.conflicts.len(), 1, "told of it");
    }
}
