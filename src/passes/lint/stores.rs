//! Stores whose elements are all written again before anything can read them.

use super::op_of;
use crate::diag::{Diagnostic, Sink, lowering as codes};

use crate::ir::{Block, Effect, Function, Op, OpId, Uses, Value};

/// The most ops of an address that are compared.
const MAX_OPS: u32 = 200;

/// What a store writes.
struct Written {
    id: OpId,
    ptr: Value,
    offsets: Option<Value>,
    mask: Option<Value>,
    value: Value,
}

impl Written {
    fn of(id: OpId, op: &Op) -> Option<Written> {
        if let Op::Store(it) = op {
            return Some(Written { id, ptr: it.ptr, offsets: None, mask: None, value: it.value });
        }
        let Op::ScatterStore(it) = op else { return None };
        let (ptr, offsets, mask, value) = (it.ptr, it.offsets, it.mask, it.value);
        Some(Written { id, ptr, offsets, mask, value })
    }

    /// Whether every element of `before` is among these.
    fn covers(&self, function: &Function, before: &Written) -> bool {
        let mut left = MAX_OPS;
        let mut same = |x: Option<Value>, y: Option<Value>| match (x, y) {
            (Some(x), Some(y)) => is_same(function, x, y, &mut left),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same(Some(self.ptr), Some(before.ptr))
            && same(self.offsets, before.offsets)
            && (self.mask.is_none() || same(self.mask, before.mask))
            && function.ty(self.value) == function.ty(before.value)
    }
}

/// Warns of stores of a block that are overwritten in the same block.
pub(super) fn check(function: &Function, block: &Block, sink: &mut Sink) {
    let mut pending: Vec<Written> = Vec::new();
    for id in &block.ops {
        let op = &function.ops[*id].op;
        let Some(store) = Written::of(*id, op) else {
            if op.effect() != Effect::Pure {
                pending.clear();
            }
            continue;
        };
        if let Some(place) = pending.iter().position(|it| store.covers(function, it)) {
            let first = pending.remove(place);
            let span = function.spans[first.id];
            let said = "this store is overwritten before anything reads it";
            let warning = Diagnostic::new(codes::STORE_OVERWRITTEN, said, span, "written in vain")
                .because(function.spans[*id], "the same elements are written again here")
                .help("leave the first store out, or store to another place");
            sink.warning(warning);
        }
        pending.push(store);
    }
}

/// Whether two values are computed alike. `left` is how many ops may still be compared.
fn is_same(function: &Function, x: Value, y: Value, left: &mut u32) -> bool {
    if x == y {
        return true;
    }
    let (Some(a), Some(b)) = (op_of(function, x), op_of(function, y)) else { return false };
    if *left == 0 || a.effect() != Effect::Pure || function.ty(x) != function.ty(y) {
        return false;
    }
    *left -= 1;
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    a.for_each_use(&mut |value| of_a.push(value));
    b.for_each_use(&mut |value| of_b.push(value));
    // With equal operands, what remains to differ is the op itself.
    let mut alike = a.clone();
    let mut operands = of_b.iter().copied();
    alike.replace_uses(&mut |value| operands.next().unwrap_or(value));
    of_a.len() == of_b.len()
        && alike == *b
        && of_a.into_iter().zip(of_b).all(|(x, y)| is_same(function, x, y, left))
}
