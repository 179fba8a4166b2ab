//! Branches and loops whose course is known.

use super::Folder;
use crate::ir::{BlockId, Const, For, Function, If, Literal, Op, OpId, Value, ValueData, While};

/// How often a loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::passes) enum Trips {
    /// This often.
    Known(u64),
    /// Its step is zero.
    Endless,
    /// Its bounds are not known.
    Unknown,
}

/// How often `it` runs, as far as its bounds are constants.
pub(in crate::passes) fn trips(function: &Function, it: &For) -> Trips {
    let int = |value: Value| function.literal(value).and_then(Literal::as_int).map(i128::from);
    let step = int(it.step);
    if step == Some(0) {
        return Trips::Endless;
    }
    let (Some(lo), Some(hi), Some(step)) = (int(it.lo), int(it.hi), step) else {
        return Trips::Unknown;
    };
    let distance = if step > 0 { hi - lo } else { lo - hi };
    let trips = (distance + step.abs() - 1).div_euclid(step.abs()).max(0);
    Trips::Known(u64::try_from(trips).unwrap_or(u64::MAX))
}

impl Folder<'_> {
    pub(super) fn branch(&mut self, op: OpId, kept: &mut Vec<OpId>) {
        let Op::If(it) = self.function.ops[op].op.clone() else { return };
        match self.int(it.condition) {
            Some(condition) => {
                let taken = if condition != 0 { it.then } else { it.otherwise };
                self.splice(op, taken, kept);
            }
            None => self.open_branch(op, &it, kept),
        }
    }

    /// A branch that the launch does not decide. A result that both sides give alike is theirs.
    fn open_branch(&mut self, op: OpId, it: &If, kept: &mut Vec<OpId>) {
        let certain = std::mem::replace(&mut self.certain, false);
        self.block(it.then);
        self.block(it.otherwise);
        self.certain = certain;
        let sides = [it.then, it.otherwise].map(|block| self.handed_on(block));
        let results = self.function.ops[op].results.clone();
        for ((result, then), otherwise) in results.into_iter().zip(&sides[0]).zip(&sides[1]) {
            if then == otherwise {
                self.replaced.replace(result, *then);
            }
        }
        kept.push(op);
    }

    pub(super) fn for_loop(&mut self, op: OpId, kept: &mut Vec<OpId>) {
        let Op::For(it) = self.function.ops[op].op.clone() else { return };
        match trips(self.function, &it) {
            Trips::Known(0) => self.skip(op, &it.inits),
            Trips::Known(1) => self.run_once(op, &it, kept),
            Trips::Known(_) => self.loop_body(op, it.body, self.certain, kept),
            Trips::Unknown => self.loop_body(op, it.body, false, kept),
            Trips::Endless => {
                if self.certain {
                    let error = super::report::endless_for(self.function, op, &it);
                    self.failed = Some(self.sink.error(error));
                }
                self.loop_body(op, it.body, false, kept);
            }
        }
    }

    fn loop_body(&mut self, op: OpId, body: BlockId, certain: bool, kept: &mut Vec<OpId>) {
        let outer = std::mem::replace(&mut self.certain, certain);
        self.block(body);
        self.certain = outer;
        kept.push(op);
    }

    /// The loop never runs: its results are what it began with.
    fn skip(&mut self, op: OpId, inits: &[Value]) {
        let results = self.function.ops[op].results.clone();
        for (result, init) in results.into_iter().zip(inits) {
            self.replaced.replace(result, *init);
        }
    }

    fn run_once(&mut self, op: OpId, it: &For, kept: &mut Vec<OpId>) {
        let args = self.function.blocks[it.body].args.clone();
        let Some((induction, carried)) = args.split_first() else { return };
        self.replaced.replace(*induction, it.lo);
        for (arg, init) in carried.iter().zip(&it.inits) {
            self.replaced.replace(*arg, *init);
        }
        self.splice(op, it.body, kept);
    }

    pub(super) fn while_loop(&mut self, op: OpId, kept: &mut Vec<OpId>) {
        let Op::While(it) = self.function.ops[op].op.clone() else { return };
        let certain = std::mem::replace(&mut self.certain, false);
        self.block(it.test);
        self.block(it.body);
        self.certain = certain;
        match self.test_of(&it) {
            Some(0) => self.test_only(op, &it, kept),
            Some(_) if self.certain => {
                let error = super::report::endless_while(self.function, op);
                self.failed = Some(self.sink.error(error));
                kept.push(op);
            }
            Some(_) | None => kept.push(op),
        }
    }

    fn test_of(&self, it: &While) -> Option<i64> {
        let terminator = self.function.terminator(it.test)?;
        let Op::Condition(condition) = &self.function.ops[terminator].op else { return None };
        self.int(condition.condition)
    }

    /// The body never runs: the test runs once, and what it hands on are the results.
    fn test_only(&mut self, op: OpId, it: &While, kept: &mut Vec<OpId>) {
        let args = self.function.blocks[it.test].args.clone();
        for (arg, init) in args.iter().zip(&it.inits) {
            self.replaced.replace(*arg, *init);
        }
        self.splice(op, it.test, kept);
    }

    /// Puts the ops of `block` in the place of `op`, and what it hands on in the place of the
    /// results of `op`.
    fn splice(&mut self, op: OpId, block: BlockId, kept: &mut Vec<OpId>) {
        let mut ops = std::mem::take(&mut self.function.blocks[block].ops);
        let terminator = ops.pop();
        for inner in ops {
            self.op(inner, kept);
        }
        self.function.blocks[block].ops.extend(terminator);
        let values = self.handed_on(block);
        let results = self.function.ops[op].results.clone();
        for (result, value) in results.into_iter().zip(values) {
            self.replaced.replace(result, value);
        }
    }

    fn handed_on(&self, block: BlockId) -> Vec<Value> {
        let values = self.function.handed_on(block);
        values.iter().map(|value| self.replaced.resolve(*value)).collect()
    }
}

/// A constant op of `value`, of the type and name of `like`.
pub(in crate::passes) fn constant_like(function: &mut Function, like: Value, value: i64) -> OpId {
    let ValueData { ty, name, .. } = function.values[like].clone();
    let span = function.value_span(like);
    let op = function.make_op(Const { value: Literal::Int(value) }, vec![ty], span);
    let result = function.result(op);
    function.values[result].name = name;
    op
}
