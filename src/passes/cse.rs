//! `cse`: computes once what is computed twice.
//!
//! Constants of different names stay apart, so that the text keeps saying `%n_elem` where the
//! kernel did; what is computed from them is compared as if they were one.

use std::fmt::{self, Write};
use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

use super::{Context, Pass};
use crate::diag::Reported;
use crate::ir::{BlockId, Effect, Function, Literal, Op, OpId, Substitution, Uses};

/// See the module.
#[derive(Debug)]
pub(super) struct Cse;

impl Pass for Cse {
    fn name(&self) -> &'static str {
        "cse"
    }

    fn summary(&self) -> &'static str {
        "compute once what is computed twice"
    }

    fn run(&self, function: &mut Function, _context: &mut Context<'_>) -> Result<(), Reported> {
        let mut merger = Merger {
            function,
            seen: FxHashMap::default(),
            order: Vec::new(),
            replaced: Substitution::new(),
            same_constant: Substitution::new(),
        };
        merger.block(merger.function.entry);
        let replaced = merger.replaced;
        replaced.apply(function);
        Ok(())
    }
}

struct Merger<'a> {
    function: &'a mut Function,
    /// Ops without effect that are visible here and what they compute, by its hash.
    seen: FxHashMap<u64, Vec<(OpId, Op)>>,
    /// The hashes in the order they were added, to forget a block's ops at its end.
    order: Vec<u64>,
    replaced: Substitution,
    /// Constants that are compared as if they were others.
    same_constant: Substitution,
}

impl Merger<'_> {
    fn block(&mut self, block: BlockId) {
        let outer = self.order.len();
        let mut ops = std::mem::take(&mut self.function.blocks[block].ops);
        ops.retain(|op| !self.merge(*op));
        self.function.blocks[block].ops = ops;
        for hash in self.order.drain(outer..) {
            self.seen.get_mut(&hash).map(Vec::pop);
        }
    }

    /// Whether `op` computes what an op before it has computed, and is now that op.
    fn merge(&mut self, op: OpId) -> bool {
        let replaced = &self.replaced;
        self.function.ops[op].op.replace_uses(&mut |value| replaced.resolve(value));
        for block in self.function.ops[op].op.blocks() {
            self.block(block);
        }
        if self.function.ops[op].op.effect() != Effect::Pure {
            return false;
        }
        let mut computed = self.function.ops[op].op.clone();
        computed.replace_uses(&mut |value| self.same_constant.resolve(value));
        let hash = hash(&computed);
        let function = &*self.function;
        let candidates = self.seen.entry(hash).or_default();
        let result = function.result(op);
        let same = |(other, known): &&(OpId, Op)| {
            same_op(known, &computed) && same_types(function, *other, op)
        };
        let name = |op: OpId| &function.values[function.result(op)].name;
        let is_constant = matches!(computed, Op::Const(_));
        let merged =
            |found: &&(OpId, Op)| same(found) && (!is_constant || name(found.0) == name(op));
        if let Some((other, _)) = candidates.iter().find(merged) {
            self.replaced.replace(result, function.result(*other));
            return true;
        }
        if let Some((other, _)) = candidates.iter().find(same) {
            self.same_constant.replace(result, function.result(*other));
        }
        candidates.push((op, computed));
        self.order.push(hash);
        false
    }
}

fn hash(op: &Op) -> u64 {
    let mut hashed = Hashed(FxHasher::default());
    // Hashing text cannot fail, and the text of an op names all that it computes.
    let written = write!(hashed, "{op:?}");
    debug_assert!(written.is_ok(), "a hasher takes any text");
    hashed.0.finish()
}

/// Feeds text to a hasher.
struct Hashed(FxHasher);

impl Write for Hashed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

fn same_op(x: &Op, y: &Op) -> bool {
    match (x, y) {
        (Op::Const(x), Op::Const(y)) => Literal::same_bits(x.value, y.value),
        (x, y) => x == y,
    }
}

fn same_types(function: &Function, x: OpId, y: OpId) -> bool {
    let (x, y) = (&function.ops[x].results, &function.ops[y].results);
    x.iter().zip(y).all(|(x, y)| function.ty(*x) == function.ty(*y))
}
