//! How many copies of a tile let the iterations of a loop overlap.
//!
//! PE_CPU issues commands in order and waits for no engine, so the loads of the next iterations
//! are issued while this one computes. What holds them up is their buffer: it must not be
//! overwritten while it is read. A loop of `stages` gives each tile that one engine makes and
//! another reads in its body that many copies, which iterations take in turn; an engine is then
//! ahead of the next by as many iterations. A tile that stays with one engine needs no copy: the
//! engine does one thing after the other anyway.
//!
//! The order in which commands are issued stays what it was, and engines wait for each other as
//! before. So nothing here asks whether a store of one iteration touches what the next loads: if
//! it does, the load waits.

use super::fold::{Trips, trips};
use super::liveness::{Liveness, Range, for_each_tile_read};
use super::origins::{Origins, Place, place_of};
use crate::arena::SideTable;
use crate::ir::{Effect, For, Function, Op, OpId, Value};

/// An engine of a PE, as far as tiles are handed from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Read = 1,
    Write = 2,
    Message = 4,
    Matrix = 8,
    Vector = 16,
}

/// The engine that carries out `op`, if one does.
fn engine(op: &Op) -> Option<Engine> {
    if op.is_view() || op.is_terminator() || !op.blocks().is_empty() {
        return None;
    }
    if matches!(op, Op::Release(_) | Op::Wait(_) | Op::Assert(_) | Op::Call(_)) {
        return None;
    }
    Some(match op.effect() {
        Effect::Reads => Engine::Read,
        Effect::Pure if matches!(op, Op::Dot(_)) => Engine::Matrix,
        Effect::Pure | Effect::Control => Engine::Vector,
        Effect::Writes if matches!(op, Op::Send(_) | Op::Recv(_) | Op::RecvAsync(_)) => {
            Engine::Message
        }
        // It passes through the vector unit, while sends go on beside it.
        Effect::Writes if matches!(op, Op::Stream(_)) => Engine::Vector,
        Effect::Writes => Engine::Write,
    })
}

/// What a tile in overlapping iterations needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap {
    /// Copies beyond those that hold something live.
    pub(super) copies: u32,
    /// The loops in which it must lie apart from everything else.
    pub(super) range: Range,
}

/// The stages of a loop, of which it has no use for more than it has iterations.
pub(super) fn useful_stages(function: &Function, it: &For) -> u32 {
    let Trips::Known(trips) = trips(function, it) else { return it.stages };
    it.stages.min(u32::try_from(trips).unwrap_or(u32::MAX)).max(1)
}

/// The tiles of loops with stages that need copies.
pub(super) fn overlaps(
    function: &Function,
    origins: &Origins,
    liveness: &Liveness,
) -> SideTable<Value, Option<Overlap>> {
    let mut found = SideTable::new();
    for op in liveness.order() {
        if let Op::For(it) = &function.ops[*op].op
            && useful_stages(function, it) > 1
        {
            add_loop(function, it, (origins, liveness), &mut found);
        }
    }
    found
}

/// Adds the tiles that the body of `it` hands from one engine to another.
fn add_loop(
    function: &Function,
    it: &For,
    (origins, liveness): (&Origins, &Liveness),
    found: &mut SideTable<Value, Option<Overlap>>,
) {
    let mut ops: Vec<OpId> = Vec::new();
    function.walk(it.body, &mut |op| ops.push(op));
    let mut readers: SideTable<Value, u8> = SideTable::new();
    for op in &ops {
        let Some(reader) = engine(&function.ops[*op].op) else { continue };
        for_each_tile_read(function, *op, &mut |tile| {
            for origin in origins.get(tile) {
                *readers.get_mut(*origin) |= reader as u8;
            }
        });
    }
    let (Some(first), Some(last)) = (ops.first(), ops.last()) else { return };
    let range = Range { first: liveness.position(*first), last: liveness.position(*last) };
    for op in &ops {
        let Some(maker) = engine(&function.ops[*op].op) else { continue };
        for value in &function.ops[*op].results {
            let is_made = place_of(function, *value) == Some(Place::Buffer);
            if is_made && readers[*value] & !(maker as u8) != 0 {
                let known = found.get_mut(*value).get_or_insert(Overlap { copies: 0, range });
                known.copies = known.copies.max(useful_stages(function, it) - 1);
                known.range.first = known.range.first.min(range.first);
                known.range.last = known.range.last.max(range.last);
            }
        }
    }
}
