//! `dce`: drops what nothing needs.
//!
//! An op without effect goes when none of its results is needed; so do the values that loops carry
//! and branches give in vain, and loops and branches in which nothing is left. Loads stay: they
//! may fault, and they take time that the user asks about. An atomic op stays, without its result
//! where nobody needs that.

use super::carried::{Parents, keep_carried, keep_handed};
use super::{Context, Pass};
use crate::arena::SideTable;
use crate::diag::Reported;
use crate::ir::{Def, Effect, Function, Nest, Op, OpId, Uses, Value};

/// See the module.
#[derive(Debug)]
pub(super) struct Dce;

impl Pass for Dce {
    fn name(&self) -> &'static str {
        "dce"
    }

    fn summary(&self) -> &'static str {
        "drop what nothing needs"
    }

    fn run(&self, function: &mut Function, _context: &mut Context<'_>) -> Result<(), Reported> {
        let needed = Needs::of(function);
        sweep(function, &needed);
        Ok(())
    }
}

/// What is needed, found from the effects backwards.
struct Needs<'a> {
    function: &'a Function,
    parents: Parents,
    values: SideTable<Value, bool>,
    ops: SideTable<OpId, bool>,
    pending: Vec<Value>,
}

/// What is needed, without the function it was found in.
struct Needed {
    values: SideTable<Value, bool>,
    ops: SideTable<OpId, bool>,
}

impl Needs<'_> {
    fn of(function: &Function) -> Needed {
        let mut it = Needs {
            function,
            parents: Parents::of(function),
            values: SideTable::new(),
            ops: SideTable::new(),
            pending: Vec::new(),
        };
        for op in function.reachable_ops() {
            let kept = &function.ops[op].op;
            if matches!(kept.effect(), Effect::Reads | Effect::Writes)
                || matches!(kept, Op::Return(_))
            {
                it.need_op(op);
            }
        }
        while let Some(value) = it.pending.pop() {
            it.need_definition(value);
        }
        Needed { values: it.values, ops: it.ops }
    }

    fn need_value(&mut self, value: Value) {
        if !std::mem::replace(self.values.get_mut(value), true) {
            self.pending.push(value);
        }
    }

    fn need_values_in(&mut self, uses: &dyn Uses) {
        uses.for_each_use(&mut |value| self.need_value(value));
    }

    /// Needs `op`, the ops around it, and what decides that it runs.
    fn need_op(&mut self, op: OpId) {
        let mut at = Some(op);
        while let Some(op) = at {
            if std::mem::replace(self.ops.get_mut(op), true) {
                return;
            }
            self.need_operands(op);
            at = self.parents.holder(op).and_then(|block| self.parents.owner(block));
        }
    }

    fn need_operands(&mut self, op: OpId) {
        let function = self.function;
        let data = &function.ops[op];
        match data.op.nest() {
            Nest::For(it) => {
                [it.lo, it.hi, it.step].iter().for_each(|value| self.need_value(*value));
            }
            Nest::If(it) => self.need_value(it.condition),
            Nest::While(it) => {
                let terminator = function.terminator(it.test).map(|op| &function.ops[op].op);
                if let Some(Op::Condition(test)) = terminator {
                    self.need_value(test.condition);
                }
            }
            Nest::Plain => {
                self.need_values_in(&data.op);
                for result in &data.results {
                    self.need_values_in(function.ty(*result));
                }
            }
        }
    }

    fn need_definition(&mut self, value: Value) {
        let function = self.function;
        self.need_values_in(function.ty(value));
        match function.values[value].def {
            Def::Result(op, index) => {
                self.need_op(op);
                self.need_handed_on(op, index as usize, false);
            }
            Def::Argument(block, index) => {
                let Some(owner) = self.parents.owner(block) else { return };
                self.need_op(owner);
                let is_body = function.ops[owner].op.blocks().last() == Some(&block);
                match (function.ops[owner].op.nest(), index as usize) {
                    (Nest::For(_), 0) => {}
                    (Nest::For(_), index) => self.need_handed_on(owner, index - 1, false),
                    (_, index) => self.need_handed_on(owner, index, !is_body),
                }
            }
        }
    }

    /// Needs the `index`-th value that a loop or branch gives or, where `is_test`, the `index`-th
    /// argument of a `while`'s test.
    fn need_handed_on(&mut self, op: OpId, index: usize, is_test: bool) {
        let function = self.function;
        let nth = |values: &[Value]| values.get(index).copied();
        let from = match function.ops[op].op.nest() {
            Nest::For(it) => {
                let arg = nth(&function.blocks[it.body].args[1..]);
                let result = nth(&function.ops[op].results);
                vec![nth(&it.inits), nth(function.handed_on(it.body)), arg, result]
            }
            Nest::While(it) if is_test => vec![nth(&it.inits), nth(function.handed_on(it.body))],
            Nest::While(it) => {
                let arg = nth(&function.blocks[it.body].args);
                let result = nth(&function.ops[op].results);
                vec![nth(function.handed_on(it.test)), arg, result]
            }
            Nest::If(it) => {
                [it.then, it.otherwise].map(|side| nth(function.handed_on(side))).into()
            }
            Nest::Plain => Vec::new(),
        };
        from.into_iter().flatten().for_each(|value| self.need_value(value));
    }
}

fn sweep(function: &mut Function, needed: &Needed) {
    for block in function.reachable_blocks() {
        let mut ops = std::mem::take(&mut function.blocks[block].ops);
        ops.retain(|op| needed.ops[*op] || function.ops[*op].op.is_terminator());
        function.blocks[block].ops = ops;
    }
    for op in function.reachable_ops() {
        let kept = |values: &[Value]| values.iter().map(|value| needed.values[*value]).collect();
        let results: Vec<bool> = kept(&function.ops[op].results);
        match function.ops[op].op.nest() {
            Nest::For(_) => keep_carried(function, op, &results),
            Nest::If(_) => keep_handed(function, op, &results),
            Nest::While(it) => {
                let args: Vec<bool> = kept(&function.blocks[it.test].args);
                keep_carried(function, op, &args);
                keep_handed(function, op, &results);
            }
            Nest::Plain => drop_found(function, op, &results),
        }
    }
}

/// What an atomic op found and nobody asks for is not brought back.
fn drop_found(function: &mut Function, op: OpId, needed: &[bool]) {
    if matches!(function.ops[op].op, Op::Atomic(_)) && !needed.contains(&true) {
        function.ops[op].results.clear();
    }
}
