//! Where the threads of a block meet: a device's threads run on by themselves, so what one of them
//! waited for, or wrote, the others know only once all have met.

use super::{Draft, Spot, Whose};
use crate::command::channel::Form;
use crate::import::schema::{BufferType, OpName};
use crate::import::shapes::{Operands, shape_of};

/// Puts `nop`s into a block: around what says so, and, if `auto`, between ops that touch the same
/// chunks of the own rank, one of them writing.
pub(super) fn meet(block: &mut Vec<Draft>, auto: bool) {
    for op in block.iter_mut() {
        if let Some((_, body)) = &mut op.pipeline {
            meet(body, auto);
        }
    }
    *block = around(std::mem::take(block));
    if auto {
        *block = between(std::mem::take(block));
    }
}

/// Whether the threads meet before anything of an op is done.
fn begins_met(op: &Draft) -> bool {
    let body = op.pipeline.as_ref().and_then(|(_, body)| body.first());
    op.before || op.meets() || body.is_some_and(|first| first.before || first.meets())
}

/// What `data_sync` asks for.
fn around(ops: Vec<Draft>) -> Vec<Draft> {
    let mut made: Vec<Draft> = Vec::with_capacity(ops.len());
    let mut ops = ops.into_iter().peekable();
    while let Some(op) = ops.next() {
        let met = made.last().is_some_and(Draft::meets);
        if op.before && !met {
            made.push(Draft::nop(op.span));
        }
        if op.name == OpName::Nop && met {
            continue;
        }
        if op.name == OpName::Barrier && made.last().is_some_and(|it| it.name == OpName::Nop) {
            made.pop();
        }
        let (after, span) = (op.after, op.span);
        made.push(op);
        if after && !ops.peek().is_some_and(begins_met) {
            made.push(Draft::nop(span));
        }
    }
    made
}

/// Chunks of the own rank that an op touches.
#[derive(Clone, Copy)]
struct Access {
    buffer: BufferType,
    first: u32,
    end: u32,
    writes: bool,
}

impl Access {
    fn conflicts(&self, other: &Access) -> bool {
        self.buffer == other.buffer
            && self.first < other.end
            && other.first < self.end
            && (self.writes || other.writes)
    }
}

/// A `nop` wherever an op touches what one before it wrote, or writes what one touched.
fn between(ops: Vec<Draft>) -> Vec<Draft> {
    let mut made = Vec::with_capacity(ops.len());
    let mut known: Vec<Access> = Vec::new();
    for op in ops {
        if op.meets() {
            known.clear();
        }
        let own = accesses(&op);
        if own.iter().any(|it| known.iter().any(|old| it.conflicts(old))) {
            made.push(Draft::nop(op.span));
            known.clear();
        }
        known.extend(own);
        made.push(op);
    }
    made
}

/// What an op touches in order with the other ops of its block. Packets order themselves, unless a
/// port sends them, and so does what a peer is waited for.
fn accesses(op: &Draft) -> Vec<Access> {
    if let Some((_, body)) = &op.pipeline {
        return body.iter().flat_map(accesses).collect();
    }
    let shape = shape_of(op.name, op.kind);
    let in_order = |operands: Option<Operands>, place: usize| {
        // The first half of a multicast sum has no shape: no op of a plan is one.
        let Some(operands) = operands else { return op.name == OpName::GroupLoadReduce };
        let is_plain = operands.slot(place).is_some_and(|(_, form)| form == Form::Plain);
        is_plain || op.name == OpName::PutPackets
    };
    let access = |(place, it): (usize, &Spot), operands: Option<Operands>, writes: bool| {
        let Whose::Own(buffer) = it.whose else { return None };
        let access = Access { buffer, first: it.index, end: it.index + it.size, writes };
        in_order(operands, place).then_some(access)
    };
    let (sources, targets) = (shape.map(|it| it.sources), shape.map(|it| it.targets));
    let read = op.sources.iter().enumerate().filter_map(|it| access(it, sources, false));
    read.chain(op.targets.iter().enumerate().filter_map(|it| access(it, targets, true))).collect()
}
