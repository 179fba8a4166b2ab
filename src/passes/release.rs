//! `release`: gives each receive slot back after the last use of what is in it.
//!
//! A `release` follows the last use of each value that may be in a slot, on every path. It gives
//! the slot back unless another live value is still in it; so where views, loops and branches let
//! several values show one slot, the last of them gives it back, and it is given back once.
//!
//! A value ends in one of three ways:
//! - an op reads it for the last time: its `release` follows that op;
//! - it becomes another value of the same bytes (a view of it, what a loop carries, what a branch
//!   gives, the tile of a future): no `release`, since the other one has its own;
//! - nothing reads it, or nothing on this side of a branch: its `release` stands where it begins,
//!   or where that side begins.
//!
//! What a loop's body reads from outside is read by every iteration, and ends after the loop.

use std::collections::BTreeSet;

use super::origins::Origins;
use super::{Context, Pass};
use crate::arena::SideTable;
use crate::diag::Reported;
use crate::ir::{BlockId, Function, Op, OpId, Release, Uses, Value};
use crate::source::Span;

/// See the module.
#[derive(Debug)]
pub(super) struct ReleaseSlots;

impl Pass for ReleaseSlots {
    fn name(&self) -> &'static str {
        "release"
    }

    fn summary(&self) -> &'static str {
        "give each receive slot back after the last use of what is in it"
    }

    fn run(&self, function: &mut Function, _context: &mut Context<'_>) -> Result<(), Reported> {
        let origins = Origins::of(function);
        let mut in_slot = SideTable::new();
        for value in function.values.ids() {
            in_slot.set(value, origins.may_be_in_slot(function, value));
        }
        let entry = function.entry;
        Releaser { function, in_slot }.block(entry, BTreeSet::new());
        Ok(())
    }
}

struct Releaser<'a> {
    function: &'a mut Function,
    /// The values that may be in a slot.
    in_slot: SideTable<Value, bool>,
}

impl Releaser<'_> {
    /// Ends the values defined in `block`, and those of `owned`, which begin outside and end here.
    fn block(&mut self, block: BlockId, mut owned: BTreeSet<Value>) {
        let ops = std::mem::take(&mut self.function.blocks[block].ops);
        owned.extend(self.slotted(&self.function.blocks[block].args));
        for op in &ops {
            owned.extend(self.slotted(&self.function.ops[*op].results));
        }
        // Backwards, so that the first use met is the last.
        let mut reversed = Vec::with_capacity(ops.len());
        for op in ops.into_iter().rev() {
            let ended = self.op(op, &mut owned);
            let span = self.function.spans[op];
            reversed.extend(ended.into_iter().rev().map(|value| self.release(value, span)));
            reversed.push(op);
        }
        // What is left begins before the block and is not read in it.
        let start = reversed.last().map_or(Span::NONE, |op| self.function.spans[*op]);
        reversed.extend(owned.into_iter().rev().map(|value| self.release(value, start)));
        reversed.reverse();
        self.function.blocks[block].ops = reversed;
    }

    fn slotted(&self, values: &[Value]) -> Vec<Value> {
        values.iter().copied().filter(|value| self.in_slot[*value]).collect()
    }

    fn release(&mut self, tile: Value, span: Span) -> OpId {
        self.function.make_op(Release { tile }, Vec::new(), span)
    }

    /// Takes out of `owned` what ends at `op`, and gives what must be released after it.
    fn op(&mut self, op: OpId, owned: &mut BTreeSet<Value>) -> BTreeSet<Value> {
        // A result that is still owned has met no use: it ends where it begins.
        let results = self.function.ops[op].results.clone();
        let mut ended: BTreeSet<Value> =
            results.into_iter().filter(|result| owned.remove(result)).collect();
        let inner = self.function.ops[op].op.blocks();
        let inside = self.read_inside(&inner);
        let is_branch = matches!(self.function.ops[op].op, Op::If(_));
        let mut handed_down = BTreeSet::new();
        for value in &inside {
            if owned.remove(value) {
                let end = if is_branch { &mut handed_down } else { &mut ended };
                end.insert(*value);
            }
        }
        let becomes_another = self.becomes_another(op);
        let function = &*self.function;
        function.ops[op].op.for_each_use(&mut |value| {
            if owned.remove(&value) && !becomes_another {
                ended.insert(value);
            }
        });
        for block in inner {
            self.block(block, handed_down.clone());
        }
        ended
    }

    /// Whether the tiles that `op` names go on as other values of the same bytes.
    fn becomes_another(&self, op: OpId) -> bool {
        let op = &self.function.ops[op].op;
        op.is_view() || op.is_terminator() || matches!(op, Op::For(_) | Op::While(_) | Op::Wait(_))
    }

    /// The values in slots that `blocks` use and do not define.
    fn read_inside(&self, blocks: &[BlockId]) -> BTreeSet<Value> {
        let mut used = BTreeSet::new();
        for block in blocks {
            self.function.walk(*block, &mut |op| {
                self.function.ops[op].op.for_each_use(&mut |value| {
                    if self.in_slot[value] {
                        used.insert(value);
                    }
                });
            });
        }
        used
    }
}
