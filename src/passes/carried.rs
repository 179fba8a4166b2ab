//! Takes values out of what loops carry and branches give.

use crate::arena::Id;
use crate::ir::{BlockId, Def, Function, Op, OpId, Value};

/// Keeps, of the values that a loop carries from one iteration to the next, those marked in
/// `keep`. The results of a `for` are these values, and go with them.
pub(super) fn keep_carried(function: &mut Function, op: OpId, keep: &[bool]) {
    if keep.iter().all(|keep| *keep) {
        return;
    }
    if let Op::For(it) = &mut function.ops[op].op {
        retain(&mut it.inits, keep);
        let body = it.body;
        let with_induction: Vec<bool> = std::iter::once(true).chain(keep.iter().copied()).collect();
        keep_args(function, body, &with_induction);
        keep_yielded(function, body, keep);
        keep_results(function, op, keep);
    } else if let Op::While(it) = &mut function.ops[op].op {
        retain(&mut it.inits, keep);
        let (test, body) = (it.test, it.body);
        keep_args(function, test, keep);
        keep_yielded(function, body, keep);
    }
}

/// Keeps, of the values that the test of a `while` hands to its body and to its results, or of
/// those that both sides of an `if` give, the ones marked in `keep`.
pub(super) fn keep_handed(function: &mut Function, op: OpId, keep: &[bool]) {
    if keep.iter().all(|keep| *keep) {
        return;
    }
    if let Op::While(it) = &function.ops[op].op {
        let (test, body) = (it.test, it.body);
        keep_yielded(function, test, keep);
        keep_args(function, body, keep);
        keep_results(function, op, keep);
    } else if let Op::If(it) = &function.ops[op].op {
        let sides = [it.then, it.otherwise];
        sides.into_iter().for_each(|side| keep_yielded(function, side, keep));
        keep_results(function, op, keep);
    }
}

fn keep_args(function: &mut Function, block: BlockId, keep: &[bool]) {
    retain(&mut function.blocks[block].args, keep);
    for (index, arg) in function.blocks[block].args.clone().into_iter().enumerate() {
        function.values[arg].def = Def::Argument(block, index as u32);
    }
}

fn keep_results(function: &mut Function, op: OpId, keep: &[bool]) {
    retain(&mut function.ops[op].results, keep);
    for (index, result) in function.ops[op].results.clone().into_iter().enumerate() {
        function.values[result].def = Def::Result(op, index as u32);
    }
}

/// Keeps some of what the terminator of `block` hands on.
fn keep_yielded(function: &mut Function, block: BlockId, keep: &[bool]) {
    let Some(terminator) = function.terminator(block) else { return };
    if let Op::Yield(it) = &mut function.ops[terminator].op {
        retain(&mut it.values, keep);
    } else if let Op::Condition(it) = &mut function.ops[terminator].op {
        retain(&mut it.values, keep);
    }
}

fn retain(values: &mut Vec<Value>, keep: &[bool]) {
    let mut index = 0;
    values.retain(|_| {
        index += 1;
        keep.get(index - 1).copied().unwrap_or(true)
    });
}

/// Who owns each block, and which block holds each op.
#[derive(Debug, Default)]
pub(super) struct Parents {
    owners: Vec<Option<OpId>>,
    holders: Vec<Option<BlockId>>,
}

impl Parents {
    /// The parents of everything that `function` reaches.
    pub(super) fn of(function: &Function) -> Parents {
        let mut owners = vec![None; function.blocks.len()];
        let mut holders = vec![None; function.ops.len()];
        for block in function.reachable_blocks() {
            for op in &function.blocks[block].ops {
                holders[op.index()] = Some(block);
                for inner in function.ops[*op].op.blocks() {
                    owners[inner.index()] = Some(*op);
                }
            }
        }
        Parents { owners, holders }
    }

    /// The op that owns `block`; none for the entry.
    pub(super) fn owner(&self, block: BlockId) -> Option<OpId> {
        self.owners.get(block.index()).copied().flatten()
    }

    /// The block that `op` stands in.
    pub(super) fn holder(&self, op: OpId) -> Option<BlockId> {
        self.holders.get(op.index()).copied().flatten()
    }
}
