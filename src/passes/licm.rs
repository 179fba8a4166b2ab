//! `licm`: loop-invariant code motion. What every iteration of a loop computes alike is computed
//! once, in front of it.
//!
//! Loops are taken from the inside out, so that an op moves as far as it can. It moves if it has no
//! effect, cannot stop the program, and uses nothing that the loop defines. A load moves only out of
//! a loop that runs at least once, and only where nothing in the loop may write what it reads: the
//! only effects in it are transfers, and the bytes that its stores may touch (see `intervals`) lie
//! apart from those that are loaded. A message may tell that somebody else has written, so a loop
//! with messages keeps its loads.
//!
//! A tile that is made in front of a loop lies in TCM throughout. Where tiles would no longer fit,
//! with all the stages that loops ask for, only scalars are moved. A tile that `recv` copies into
//! is made anew for each.

use super::allocate::scratch_end;
use super::fold::{Trips, trips};
use super::intervals::{Interval, Intervals};
use super::liveness::Liveness;
use super::origins::Origins;
use super::stages::overlaps;
use super::{Context, Pass};
use crate::arena::SideTable;
use crate::diag::Reported;
use crate::ir::{BlockId, Effect, Function, Literal, Op, OpId, Uses, Value};
use crate::ops::BinaryOp;

/// See the module.
#[derive(Debug)]
pub(super) struct Licm;

impl Pass for Licm {
    fn name(&self) -> &'static str {
        "licm"
    }

    fn summary(&self) -> &'static str {
        "compute what all iterations of a loop compute alike in front of it"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        let is_loop = |op: &OpId| matches!(function.ops[*op].op, Op::For(_) | Op::While(_));
        if !function.reachable_ops().iter().any(is_loop) {
            return Ok(());
        }
        let num_programs = context.bindings.num_programs;
        hoist(function, num_programs, false);
        let mut with_tiles = function.clone();
        let moved = hoist(&mut with_tiles, num_programs, true);
        if moved && fits(&with_tiles, context.limits.tcm_bytes) {
            *function = with_tiles;
        }
        Ok(())
    }
}

/// Whether the tiles of `function` fit into `limit` bytes with all the stages its loops ask for.
fn fits(function: &Function, limit: u64) -> bool {
    let origins = Origins::of(function);
    let liveness = Liveness::of(function, &origins);
    let overlaps = overlaps(function, &origins, &liveness);
    scratch_end(function, &liveness, &overlaps, limit) <= limit
}

/// Moves scalars, or also tiles, out of loops; says whether anything has moved.
fn hoist(function: &mut Function, num_programs: [u32; 3], tiles: bool) -> bool {
    // Both are asked of tiles only.
    let (mut intervals, mut into) = (Intervals::default(), SideTable::new());
    if tiles {
        (intervals, into) = (Intervals::of(function, num_programs), received_into(function));
    }
    let mut motion = Motion {
        function,
        intervals,
        received_into: into,
        tiles,
        depths: SideTable::new(),
        moved: false,
    };
    motion.block(motion.function.entry, 0);
    motion.moved
}

/// The tiles whose bytes a `recv` may write over.
fn received_into(function: &Function) -> SideTable<Value, bool> {
    let origins = Origins::of(function);
    let mut written = SideTable::new();
    for op in function.reachable_ops() {
        if let Op::Recv(it) = &function.ops[op].op
            && let Some(dst) = it.dst
        {
            origins.get(dst).iter().for_each(|origin| written.set(*origin, true));
        }
    }
    written
}

struct Motion<'a> {
    function: &'a mut Function,
    intervals: Intervals,
    /// Tiles that stay where they are.
    received_into: SideTable<Value, bool>,
    /// Whether tiles move.
    tiles: bool,
    /// How many blocks are around the definition of each value. What an op may use and is defined
    /// no deeper than a loop stands is defined outside it.
    depths: SideTable<Value, u32>,
    moved: bool,
}

impl Motion<'_> {
    /// Moves what it can out of the loops of `block`, which is `depth` blocks deep.
    fn block(&mut self, block: BlockId, depth: u32) {
        for arg in &self.function.blocks[block].args {
            self.depths.set(*arg, depth);
        }
        let mut kept = Vec::new();
        for op in std::mem::take(&mut self.function.blocks[block].ops) {
            for inner in self.function.ops[op].op.blocks() {
                self.block(inner, depth + 1);
            }
            if matches!(self.function.ops[op].op, Op::For(_) | Op::While(_)) {
                let invariant = self.take_invariant(op, depth);
                self.moved |= !invariant.is_empty();
                kept.extend(invariant);
            }
            self.stand(op, depth);
            kept.push(op);
        }
        self.function.blocks[block].ops = kept;
    }

    /// Notes that `op` stands in a block that is `depth` blocks deep.
    fn stand(&mut self, op: OpId, depth: u32) {
        for result in &self.function.ops[op].results {
            self.depths.set(*result, depth);
        }
    }

    /// Takes out of the loop `looped`, which stands `depth` blocks deep, what can go before it.
    fn take_invariant(&mut self, looped: OpId, depth: u32) -> Vec<OpId> {
        let writes = if self.tiles {
            Writes::of(self.function, &self.intervals, looped)
        } else {
            Writes::Any
        };
        let mut taken = Vec::new();
        for block in self.function.ops[looped].op.blocks() {
            let mut ops = std::mem::take(&mut self.function.blocks[block].ops);
            ops.retain(|op| {
                let stays = !self.is_invariant(*op, depth, &writes);
                if !stays {
                    self.stand(*op, depth);
                    taken.push(*op);
                }
                stays
            });
            self.function.blocks[block].ops = ops;
        }
        taken
    }

    fn is_invariant(&self, op: OpId, depth: u32, writes: &Writes) -> bool {
        let function = &*self.function;
        let data = &function.ops[op];
        let mut outside = true;
        data.op.for_each_use(&mut |value| outside &= self.depths[value] <= depth);
        let [result] = data.results.as_slice() else { return false };
        let moves = match data.op.effect() {
            Effect::Pure => data.op.blocks().is_empty() && !may_stop(function, op),
            Effect::Reads => self.may_read_before(op, writes),
            Effect::Writes | Effect::Control => false,
        };
        let is_tile = function.is_tile(*result);
        outside && moves && (!is_tile || self.tiles) && !self.received_into[*result]
    }

    /// Whether the load `op` reads the same before the loop as in it.
    fn may_read_before(&self, op: OpId, writes: &Writes) -> bool {
        let Op::DmaRead(it) = &self.function.ops[op].op else { return writes.is_none() };
        match self.intervals.bytes(it.base, &it.desc, &it.window) {
            Some(bytes) => writes.spare(bytes),
            None => writes.is_none(),
        }
    }
}

/// Whether the scalar op `op` stops the program for some operands: it may divide by zero.
fn may_stop(function: &Function, op: OpId) -> bool {
    let Op::Binary(it) = &function.ops[op].op else { return false };
    let divides =
        matches!(it.op, BinaryOp::IntDiv | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::FloorMod);
    let divisor = function.literal(it.y).and_then(Literal::as_int);
    divides && !function.is_tile(function.result(op)) && divisor.is_none_or(|it| it == 0)
}

/// What a loop may write to memory.
enum Writes {
    /// Anything, or the loop may not run, or a message in it may tell of another's writes.
    Any,
    /// These bytes, in order.
    Bytes(Vec<Interval>),
}

impl Writes {
    fn of(function: &Function, intervals: &Intervals, looped: OpId) -> Writes {
        let Op::For(it) = &function.ops[looped].op else { return Writes::Any };
        if !matches!(trips(function, it), Trips::Known(1..)) {
            return Writes::Any;
        }
        let mut found = Some(Vec::new());
        function.walk(it.body, &mut |op| {
            let data = &function.ops[op].op;
            if data.effect() == Effect::Writes {
                let bytes = written(intervals, data);
                found = found.take().zip(bytes).map(|(mut all, bytes)| {
                    all.push(bytes);
                    all
                });
            }
        });
        found.map_or(Writes::Any, |bytes| Writes::Bytes(joined(bytes)))
    }

    fn is_none(&self) -> bool {
        matches!(self, Writes::Bytes(bytes) if bytes.is_empty())
    }

    /// Whether `read` is not written.
    fn spare(&self, read: Interval) -> bool {
        let Writes::Bytes(bytes) = self else { return false };
        let after = bytes.partition_point(|it| it.hi < read.lo);
        bytes.get(after).is_none_or(|it| !it.meets(read))
    }
}

/// The bytes that a store may write; `None` for what may write anything.
fn written(intervals: &Intervals, op: &Op) -> Option<Interval> {
    let Op::DmaWrite(it) = op else { return None };
    intervals.bytes(it.base, &it.desc, &it.window)
}

/// The same bytes as intervals that lie apart, in order.
fn joined(mut bytes: Vec<Interval>) -> Vec<Interval> {
    bytes.sort_unstable();
    let mut joined: Vec<Interval> = Vec::new();
    for next in bytes {
        match joined.last_mut() {
            Some(last) if next.lo <= last.hi => last.hi = last.hi.max(next.hi),
            Some(_) | None => joined.push(next),
        }
    }
    joined
}
