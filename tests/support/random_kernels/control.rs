//! Loops and branches of a random kernel, and what they carry.

use kbc::ir::{Binary, BlockId, Compare, Condition, For, If, ProgramId, Type, Value, While, Yield};
use kbc::ops::{BinaryOp, CompareOp};

use super::Maker;

impl Maker<'_> {
    pub(super) fn inside(&mut self, block: BlockId, fill: impl FnOnce(&mut Self)) {
        let (outer, visible) = (self.block, self.visible.len());
        self.block = block;
        self.depth += 1;
        self.visible.extend(self.f.blocks[block].args.clone());
        fill(self);
        self.visible.truncate(visible);
        self.depth -= 1;
        self.block = outer;
    }

    /// As [`Maker::inside`], where programs do not agree how often unless `agrees`.
    pub(super) fn maybe_inside(
        &mut self,
        agrees: bool,
        block: BlockId,
        fill: impl FnOnce(&mut Self),
    ) {
        let outer = self.agrees;
        self.agrees = outer && agrees;
        self.inside(block, fill);
        self.agrees = outer;
    }

    /// Values to be carried or given.
    pub(super) fn some_values(&mut self) -> Vec<Value> {
        let count = self.rng.below(4);
        (0..count)
            .map(|_| if self.rng.below(5) == 0 { self.i64() } else { self.any_tile() })
            .collect()
    }

    pub(super) fn types(&self, values: &[Value]) -> Vec<Type> {
        values.iter().map(|value| self.f.ty(*value).clone()).collect()
    }

    pub(super) fn like(&mut self, types: &[Type]) -> Vec<Value> {
        types.iter().map(|ty| self.of_type(ty).expect("a value of this type is visible")).collect()
    }

    pub(super) fn branch(&mut self) {
        let condition = self.condition();
        let given = self.some_values();
        let types = self.types(&given);
        for value in given {
            self.visible.push(value);
        }
        let (then, otherwise) = (self.f.add_block(), self.f.add_block());
        for side in [then, otherwise] {
            let types = types.clone();
            self.maybe_inside(false, side, |it| {
                it.statements();
                let values = it.like(&types);
                it.op(Yield { values }, Vec::new());
            });
        }
        let results = self.op(If { condition, then, otherwise }, types);
        self.visible.extend(results);
    }

    pub(super) fn for_loop(&mut self) {
        let inits = self.some_values();
        let types = self.types(&inits);
        let agrees = self.rng.below(3) > 0;
        let trips = self.rng.below(5).min(4) as i64;
        let [zero, one] = [0, 1].map(|value| self.int(value));
        let (lo, hi, step) = match (agrees, self.rng.below(4)) {
            (false, _) => (zero, self.hidden(ProgramId { axis: 0 }, Type::I64), one),
            (true, 0) => (self.int(trips - 1), self.int(-1), self.int(-1)),
            (true, _) => (zero, self.int(trips), one),
        };
        let body = self.f.add_block();
        let variable = self.f.add_argument(body, Type::I64, Some(String::from("i")));
        for ty in &types {
            self.f.add_argument(body, ty.clone(), None);
        }
        let yielded = types.clone();
        self.loops.push(variable);
        self.maybe_inside(agrees, body, |it| {
            it.statements();
            let values = it.like(&yielded);
            it.op(Yield { values }, Vec::new());
        });
        self.loops.pop();
        let unroll = agrees && self.rng.below(6) == 0;
        let stages = 1 + self.rng.below(4) as u32;
        let results = self.op(For { lo, hi, step, inits, body, unroll, stages }, types);
        self.visible.extend(results);
    }

    /// Counts an `i64` up to a small number.
    pub(super) fn while_loop(&mut self) {
        let mut inits = vec![self.int(0)];
        inits.extend(self.some_values());
        let types = self.types(&inits);
        let (test, body) = (self.f.add_block(), self.f.add_block());
        for ty in &types {
            self.f.add_argument(test, ty.clone(), None);
            self.f.add_argument(body, ty.clone(), None);
        }
        let handed = types.clone();
        self.inside(test, |it| {
            it.elementwise();
            let counter = it.f.blocks[test].args[0];
            let trips = it.rng.below(4) as i64;
            let limit = it.int(trips);
            let op = CompareOp::Lt;
            let condition = it.hidden(Compare { op, x: counter, y: limit }, Type::BOOL);
            let mut values = it.like(&handed);
            values[0] = counter;
            it.op(Condition { condition, values }, Vec::new());
        });
        let yielded = types.clone();
        self.inside(body, |it| {
            it.statements();
            let counter = it.f.blocks[body].args[0];
            let one = it.int(1);
            let next = it.hidden(Binary { op: BinaryOp::Add, x: counter, y: one }, Type::I64);
            let mut values = it.like(&yielded);
            values[0] = next;
            it.op(Yield { values }, Vec::new());
        });
        let results = self.op(While { inits, test, body }, types);
        self.visible.extend(results);
    }
}
