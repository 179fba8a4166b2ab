//! `cse`: computes once what is computed twice.

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
        };
        merger.block(merger.function.entry);
        let replaced = merger.replaced;
        replaced.apply(function);
        Ok(())
    }
}

struct Merger<'a> {
    function: &'a mut Function,
    /// Ops without effect that are visible here, by the hash of what they compute.
    seen: FxHashMap<u64, Vec<OpId>>,
    /// The hashes in the order they were added, to forget a block's ops at its end.
    order: Vec<u64>,
    replaced: Substitution,
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
        let hash = self.hash(op);
        let candidates = self.seen.entry(hash).or_default();
        let function = &*self.function;
        if let Some(same) = candidates.iter().copied().find(|other| same(function, *other, op)) {
            self.replaced.replace(function.result(op), function.result(same));
            return true;
        }
        candidates.push(op);
        self.order.push(hash);
        false
    }

    fn hash(&self, op: OpId) -> u64 {
        let mut hashed = Hashed(FxHasher::default());
        // Hashing text cannot fail, and the text of an op names all that it computes.
        let written = write!(hashed, "{:?}", self.function.ops[op].op);
        debug_assert!(written.is_ok(), "a hasher takes any text");
        hashed.0.finish()
    }
}

/// Feeds text to a hasher.
struct Hashed(FxHasher);

impl Write for Hashed {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

fn same(function: &Function, a: OpId, b: OpId) -> bool {
    let (a, b) = (&function.ops[a], &function.ops[b]);
    let types = a.results.iter().zip(&b.results).all(|(x, y)| function.ty(*x) == function.ty(*y));
    let ops = match (&a.op, &b.op) {
        (Op::Const(x), Op::Const(y)) => Literal::same_bits(x.value, y.value),
        (x, y) => x == y,
    };
    types && ops
}
