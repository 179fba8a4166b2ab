//! What of a function decides the addresses it touches: its transfers, and the scalars and
//! control flow that they depend on. A loop that only computes or communicates is not among it,
//! so addresses can be walked for 100,000 agents without walking their streams.

use crate::arena::SideTable;
use crate::ir::{BlockId, Def, Function, Op, OpId, Uses, Value};

/// A set of ops.
#[derive(Clone, Debug, Default)]
pub(super) struct Slice {
    ops: SideTable<OpId, bool>,
}

impl Slice {
    /// The ops that decide the addresses of `function`.
    pub(super) fn of_addresses(function: &Function) -> Slice {
        let mut search = Search {
            function,
            owners: owners(function),
            slice: Slice::default(),
            todo: Vec::new(),
        };
        for (id, data) in function.ops.iter() {
            let touches = matches!(
                data.op,
                Op::DmaRead(_)
                    | Op::DmaWrite(_)
                    | Op::GatherLoad(_)
                    | Op::ScatterStore(_)
                    | Op::Atomic(_)
                    | Op::Composite(_)
                    | Op::Load(_)
                    | Op::Store(_)
            );
            if touches {
                search.need(id);
            }
        }
        search.run();
        search.slice
    }

    /// Whether `op` is in the set.
    pub(super) fn has(&self, op: OpId) -> bool {
        self.ops[op]
    }
}

/// What owns each block, and where each op is.
struct Owners {
    /// The op that owns a block; none for the entry.
    of_block: SideTable<BlockId, Option<OpId>>,
    /// The block an op is in.
    of_op: SideTable<OpId, Option<BlockId>>,
}

fn owners(function: &Function) -> Owners {
    let mut owners = Owners { of_block: SideTable::new(), of_op: SideTable::new() };
    for block in function.reachable_blocks() {
        for op in &function.blocks[block].ops {
            owners.of_op.set(*op, Some(block));
            for inner in function.ops[*op].op.blocks() {
                owners.of_block.set(inner, Some(*op));
            }
        }
    }
    owners
}

struct Search<'a> {
    function: &'a Function,
    owners: Owners,
    slice: Slice,
    todo: Vec<OpId>,
}

impl Search<'_> {
    fn need(&mut self, op: OpId) {
        if !self.slice.ops[op] {
            self.slice.ops.set(op, true);
            self.todo.push(op);
        }
    }

    fn run(&mut self) {
        while let Some(op) = self.todo.pop() {
            let function = self.function;
            self.need_scalars(&function.ops[op].op);
            for block in function.ops[op].op.blocks() {
                if let Some(last) = function.blocks[block].ops.last() {
                    self.slice.ops.set(*last, true);
                    self.need_scalars(&function.ops[*last].op);
                }
            }
            let owner = self.owners.of_op[op].and_then(|block| self.owners.of_block[block]);
            if let Some(owner) = owner {
                self.need(owner);
            }
        }
    }

    /// What defines the scalars that `op` uses is needed, too.
    fn need_scalars(&mut self, op: &Op) {
        let function = self.function;
        op.for_each_use(&mut |value: Value| {
            if function.ty(value).tile().is_some() {
                return;
            }
            let definer = match function.values[value].def {
                Def::Result(op, _) => Some(op),
                Def::Argument(block, _) => self.owners.of_block[block],
            };
            if let Some(definer) = definer {
                self.need(definer);
            }
        });
    }
}
