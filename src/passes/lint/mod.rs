//! What is doubtful in the memory accesses of generic IR: warnings, which change nothing.
//!
//! Each is said only where it is proved from the kernel alone, whatever a launch passes: a
//! composite that nothing waits for ([`completions`]), a mask
//! that no lane can fail ([`masks`]), a store whose elements the next store writes again
//! ([`stores`]), lanes that are not beside each other in memory ([`lanes`]).

mod completions;
mod lanes;
mod masks;
mod stores;

use std::cell::Cell;

use crate::diag::Sink;
use crate::ir::{Function, Module, Op, UseCounts, Value};

/// Says what is doubtful in every function.
pub fn lint(module: &Module, sink: &mut Sink) {
    for function in module.functions.values() {
        let uses = UseCounts::of(function);
        for (id, data) in function.ops.iter() {
            completions::check(function, id, &uses, sink);
            if let Some(access) = Access::of(&data.op, &data.results) {
                masks::check(function, id, access, sink);
                lanes::check(function, id, access, sink);
            }
        }
        for block in function.blocks.values() {
            stores::check(function, block, sink);
        }
    }
}

/// A load or store with an address for each lane.
#[derive(Clone, Copy)]
struct Access {
    /// `load` or `store`.
    verb: &'static str,
    /// The tile that is read or written.
    tile: Value,
    offsets: Option<Value>,
    mask: Option<Value>,
}

impl Access {
    fn of(op: &Op, results: &[Value]) -> Option<Access> {
        if let (Op::GatherLoad(it), [tile]) = (op, results) {
            let (offsets, mask) = (it.offsets, it.mask);
            return Some(Access { verb: "load", tile: *tile, offsets, mask });
        }
        let Op::ScatterStore(it) = op else { return None };
        Some(Access { verb: "store", tile: it.value, offsets: it.offsets, mask: it.mask })
    }
}

/// The op that makes a value.
fn op_of(function: &Function, value: Value) -> Option<&Op> {
    function.defining_op(value).map(|id| &function.ops[id].op)
}

/// Takes one of the ops that may still be looked at; false if none is left.
fn takes(left: &Cell<u32>) -> bool {
    let now = left.get();
    left.set(now.saturating_sub(1));
    now > 0
}
