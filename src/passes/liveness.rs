//! Which tiles are live where.
//!
//! A value is live after an op if, on some path, an op that comes later reads it. A loop may run
//! again, so what its body uses from outside is live throughout the body. `recv` into a tile
//! writes the tile and does not read it.
//!
//! Three questions are answered from one walk, backwards through the function:
//! - [`Liveness::rivals`] of an op that makes a tile: the live values that may be in a copy of the
//!   buffer it is about to write, and must not be overwritten;
//! - `rivals` of a `release`: the live values that may still be in the slot it would give back;
//! - [`Liveness::ranges`]: the stretches of the function's text in which each buffer holds
//!   something live.

use std::collections::BTreeSet;

use super::origins::{Origins, Place, place_of};
use crate::arena::SideTable;
use crate::ir::{BlockId, Function, Nest, Op, OpId, Uses, Value};

/// A stretch of the text: positions of ops, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first op.
    pub first: u32,
    /// The last op.
    pub last: u32,
}

impl Range {
    /// Whether the two have an op in common.
    pub fn meets(self, other: Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// What is live where in one function.
#[derive(Clone, Debug, Default)]
pub struct Liveness {
    rivals: SideTable<OpId, Vec<Value>>,
    ranges: SideTable<Value, Vec<Range>>,
    positions: SideTable<OpId, u32>,
    order: Vec<OpId>,
}

impl Liveness {
    /// What is live where in `function`, whose origins are `origins`.
    pub fn of(function: &Function, origins: &Origins) -> Liveness {
        let mut it = Liveness { order: function.reachable_ops(), ..Liveness::default() };
        for (position, op) in it.order.iter().enumerate() {
            it.positions.set(*op, position as u32);
        }
        let mut walk = Walk {
            function,
            origins,
            it,
            live: SideTable::new(),
            held: SideTable::new(),
            trail: Vec::new(),
        };
        walk.block(function.entry);
        walk.close_ranges();
        walk.it
    }

    /// Of an op that makes a tile: the live values that may be in a copy of its buffer and must
    /// not be overwritten. Operands that the op may overwrite in place are not among them, and of
    /// several views of the same bytes one stands for all.
    ///
    /// Of a `release`: the live values that may be in the slot it would give back. Of a `recv` that
    /// copies into a tile: the live values that may be that tile's bytes.
    pub fn rivals(&self, op: OpId) -> &[Value] {
        &self.rivals[op]
    }

    /// Where the buffer (or slot) made for `origin` holds something live, first to last.
    pub fn ranges(&self, origin: Value) -> &[Range] {
        &self.ranges[origin]
    }

    /// The ops in the order that positions count them.
    pub fn order(&self) -> &[OpId] {
        &self.order
    }

    /// The place of `op` in [`Liveness::order`].
    pub fn position(&self, op: OpId) -> u32 {
        self.positions[op]
    }
}

/// Calls `read` with each tile whose elements `op` reads. A tile that `recv` copies into is
/// written, not read.
pub fn for_each_tile_read(function: &Function, op: OpId, read: &mut dyn FnMut(Value)) {
    if matches!(function.ops[op].op, Op::Recv(_)) {
        return;
    }
    function.ops[op].op.for_each_use(&mut |value| {
        if function.is_tile(value) {
            read(value);
        }
    });
}

/// The tiles that `blocks` read and do not define, in the order of their ids.
pub fn tiles_read_from_outside(function: &Function, blocks: &[BlockId]) -> BTreeSet<Value> {
    let mut read = BTreeSet::new();
    let mut defined = BTreeSet::new();
    for block in blocks {
        defined.extend(&function.blocks[*block].args);
        function.walk(*block, &mut |op| {
            for_each_tile_read(function, op, &mut |value| {
                read.insert(value);
            });
            defined.extend(&function.ops[op].results);
            for inner in function.ops[op].op.blocks() {
                defined.extend(&function.blocks[inner].args);
            }
        });
    }
    &read - &defined
}

/// Whether `op` may write its result over its operand `x` once `x` is dead: each element of the
/// result depends on no other element of `x`, and lies where that one does.
pub fn overwrites_in_place(function: &Function, op: OpId, x: Value) -> bool {
    let data = &function.ops[op];
    let elementwise = matches!(
        data.op,
        Op::Unary(_)
            | Op::Binary(_)
            | Op::Ternary(_)
            | Op::Compare(_)
            | Op::Select(_)
            | Op::Cast(_)
    );
    let accumulates =
        matches!(&data.op, Op::Dot(it) if it.acc == Some(x) && it.a != x && it.b != x);
    let [result] = data.results.as_slice() else { return false };
    (elementwise || accumulates)
        && function.ty(x) == function.ty(*result)
        && function.is_row_major(x)
}

struct Walk<'a> {
    function: &'a Function,
    origins: &'a Origins,
    it: Liveness,
    live: SideTable<Value, bool>,
    /// For each origin: how many live values may be its bytes, and where the range at hand ends.
    held: SideTable<Value, (u32, u32)>,
    /// The values that became live, oldest first, to find those that one side of a branch added.
    trail: Vec<Value>,
}

impl Walk<'_> {
    /// `value` is live before `position`.
    fn gain(&mut self, value: Value, position: u32) {
        if std::mem::replace(self.live.get_mut(value), true) {
            return;
        }
        self.trail.push(value);
        for origin in self.origins.get(value) {
            let (count, end) = self.held.get_mut(*origin);
            if *count == 0 {
                *end = position;
            }
            *count += 1;
        }
    }

    /// `value` is not live before `position`.
    fn lose(&mut self, value: Value, position: u32) {
        if !std::mem::replace(self.live.get_mut(value), false) {
            return;
        }
        for origin in self.origins.get(value) {
            let (count, end) = self.held.get_mut(*origin);
            *count -= 1;
            if *count == 0 {
                let range = Range { first: position, last: *end };
                self.it.ranges.get_mut(*origin).push(range);
            }
        }
    }

    /// Walks `block` backwards from what is live at its end to what is live at its start.
    fn block(&mut self, block: BlockId) {
        let function = self.function;
        let ops = &function.blocks[block].ops;
        for op in ops.iter().rev() {
            self.op(*op);
        }
        let start = ops.first().map_or(0, |op| self.it.position(*op));
        for arg in &function.blocks[block].args {
            self.lose(*arg, start);
        }
    }

    /// The position of the last op of `block`.
    fn end_of(&self, block: BlockId) -> u32 {
        self.function.terminator(block).map_or(0, |op| self.it.position(op))
    }

    fn op(&mut self, op: OpId) {
        match self.function.ops[op].op.nest() {
            Nest::If(it) => self.branch(op, [it.then, it.otherwise]),
            Nest::For(it) => self.looped(op, &[it.body], &it.inits),
            Nest::While(it) => self.looped(op, &[it.test, it.body], &it.inits),
            Nest::Plain => self.plain(op),
        }
    }

    fn plain(&mut self, op: OpId) {
        let function = self.function;
        let position = self.it.position(op);
        for result in &function.ops[op].results {
            self.define(op, *result, position);
        }
        let mut rivals = self.live_rivals(op);
        for_each_tile_read(function, op, &mut |value| {
            if !self.live[value] && self.blocks_writing(op, value) {
                rivals.push(value);
            }
        });
        rivals.sort_unstable();
        rivals.dedup();
        self.it.rivals.set(op, rivals);
        for_each_tile_read(function, op, &mut |value| self.gain(value, position));
    }

    /// `result` is made here. What nobody reads is written all the same.
    fn define(&mut self, op: OpId, result: Value, position: u32) {
        let function = self.function;
        let writes =
            place_of(function, result).is_some() || matches!(function.ops[op].op, Op::Recv(_));
        if !self.live[result] && writes {
            self.gain(result, position);
        }
        self.lose(result, position);
    }

    /// The live values that may be where `op` writes, or in what it gives back.
    fn live_rivals(&self, op: OpId) -> Vec<Value> {
        let function = self.function;
        let data = &function.ops[op];
        let mut found = Vec::new();
        let mut add = |origin: Value| {
            let live = self.origins.holders(origin).iter().filter(|value| self.live[**value]);
            found.extend(live.copied());
        };
        if let Op::Release(it) = &data.op {
            let slots = self.origins.get(it.tile).iter();
            slots
                .filter(|origin| place_of(function, **origin) == Some(Place::Slot))
                .for_each(|origin| add(*origin));
            found.retain(|value| *value != it.tile);
            return found;
        }
        if let Op::Recv(it) = &data.op {
            let written = it.dst.map_or(&[][..], |dst| self.origins.get(dst));
            written.iter().for_each(|origin| add(*origin));
        } else if let [result] = data.results.as_slice()
            && place_of(function, *result) == Some(Place::Buffer)
        {
            add(*result);
            self.one_of_each_view(&mut found);
        }
        found
    }

    /// Whether the operand `value`, dead after `op`, may be where `op` writes and is still needed
    /// as it writes.
    fn blocks_writing(&self, op: OpId, value: Value) -> bool {
        let function = self.function;
        let [result] = function.ops[op].results.as_slice() else { return false };
        place_of(function, *result) == Some(Place::Buffer)
            && self.origins.get(value).contains(result)
            && !overwrites_in_place(function, op, value)
    }

    /// Keeps one of several views of the same value.
    fn one_of_each_view(&self, values: &mut Vec<Value>) {
        let mut roots = BTreeSet::new();
        values.retain(|value| roots.insert(self.function.view_root(*value)));
    }

    /// A branch: what one side alone needs is not live in the other.
    fn branch(&mut self, op: OpId, [then, otherwise]: [BlockId; 2]) {
        let function = self.function;
        let end = self.end_of(otherwise);
        for result in &function.ops[op].results {
            self.lose(*result, end);
        }
        let before = self.trail.len();
        self.block(otherwise);
        let gained: Vec<Value> =
            self.trail[before..].iter().copied().filter(|value| self.live[*value]).collect();
        let start = function.blocks[otherwise].ops.first().map_or(0, |op| self.it.position(*op));
        for value in &gained {
            self.lose(*value, start);
        }
        self.block(then);
        let position = self.it.position(op);
        for value in gained {
            self.gain(value, position);
        }
    }

    /// A loop: what any iteration reads from outside is live to the end of each.
    fn looped(&mut self, op: OpId, blocks: &[BlockId], inits: &[Value]) {
        let function = self.function;
        let end = blocks.last().map_or(0, |block| self.end_of(*block));
        for result in &function.ops[op].results {
            self.lose(*result, end);
        }
        for value in tiles_read_from_outside(function, blocks) {
            self.gain(value, end);
        }
        for block in blocks.iter().rev() {
            self.block(*block);
        }
        let position = self.it.position(op);
        for init in inits.iter().filter(|init| function.is_tile(**init)) {
            self.gain(*init, position);
        }
    }

    /// Puts the ranges in order and joins those that touch.
    fn close_ranges(&mut self) {
        for origin in self.function.values.ids() {
            if self.it.ranges[origin].is_empty() {
                continue;
            }
            let mut ranges = std::mem::take(self.it.ranges.get_mut(origin));
            ranges.sort_unstable();
            let mut joined: Vec<Range> = Vec::new();
            for range in ranges {
                match joined.last_mut() {
                    Some(last) if range.first <= last.last.saturating_add(1) => {
                        last.last = last.last.max(range.last);
                    }
                    Some(_) | None => joined.push(range),
                }
            }
            self.it.ranges.set(origin, joined);
        }
    }
}
