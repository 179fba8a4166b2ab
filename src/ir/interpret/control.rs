//! Loops, branches, calls, and what ends their blocks.

use super::number::{self, Number};
use super::program::{Frame, Held, Open, Program, scalar_dtype};
use super::{Reason, World};
use crate::ir::{BlockId, Call, Condition, For, If, Nest, OpId, Value, While, Yield};

type Done = Result<(), Reason>;

impl Frame<'_> {
    fn enter(&mut self, block: BlockId, owner: OpId, args: Vec<Held>) {
        let function = self.function;
        self.define(&function.blocks[block].args, args);
        self.open.push(Open { block, next: 0, owner: Some(owner) });
    }

    /// Leaves the block that is being run; `results` are what its owner gives.
    fn leave(&mut self, owner: OpId, results: Vec<Held>) {
        self.open.pop();
        let function = self.function;
        self.define(&function.ops[owner].results, results);
    }

    /// Runs `body` for `i`, or ends the loop.
    fn iterate(&mut self, op: OpId, it: &For, i: i128, carried: Vec<Held>) -> Done {
        let (hi, step) = (self.int(it.hi)?, self.int(it.step)?);
        if step == 0 {
            return Err(Reason::ZeroStep);
        }
        if if step > 0 { i < hi } else { i > hi } {
            let dtype = scalar_dtype(self.function.ty(it.lo));
            let variable = Held::Scalar(number::encode(dtype, Number::Int(i)));
            self.enter(it.body, op, [vec![variable], carried].concat());
        } else {
            let function = self.function;
            self.define(&function.ops[op].results, carried);
        }
        Ok(())
    }

    pub(super) fn begin_for(&mut self, op: OpId, it: &For) -> Done {
        let (lo, inits) = (self.int(it.lo)?, self.all_held(&it.inits)?);
        self.iterate(op, it, lo, inits)
    }

    pub(super) fn begin_while(&mut self, op: OpId, it: &While) -> Done {
        let inits = self.all_held(&it.inits)?;
        self.enter(it.test, op, inits);
        Ok(())
    }

    pub(super) fn begin_if(&mut self, op: OpId, it: &If) -> Done {
        let holds = self.int(it.condition)? != 0;
        self.enter(if holds { it.then } else { it.otherwise }, op, Vec::new());
        Ok(())
    }

    pub(super) fn yields(&mut self, it: &Yield) -> Done {
        let values = self.all_held(&it.values)?;
        let owner = self.owner()?;
        let function = self.function;
        match function.ops[owner].op.nest() {
            Nest::If(_) => self.leave(owner, values),
            Nest::While(it) => {
                self.open.pop();
                self.enter(it.test, owner, values);
            }
            Nest::For(it) => {
                let variable: Value = function.blocks[it.body].args[0];
                let next = self.int(variable)? + self.int(it.step)?;
                self.open.pop();
                return self.iterate(owner, it, next, values);
            }
            Nest::Plain => return Err(Reason::Malformed("a block has no owner")),
        }
        Ok(())
    }

    pub(super) fn condition(&mut self, it: &Condition) -> Done {
        let (holds, values) = (self.int(it.condition)? != 0, self.all_held(&it.values)?);
        let owner = self.owner()?;
        let function = self.function;
        let Nest::While(looped) = function.ops[owner].op.nest() else {
            return Err(Reason::Malformed("`condition` ends no test"));
        };
        if holds {
            self.open.pop();
            self.enter(looped.body, owner, values);
        } else {
            self.leave(owner, values);
        }
        Ok(())
    }

    fn owner(&self) -> Result<OpId, Reason> {
        let open = self.open.last().and_then(|open| open.owner);
        open.ok_or(Reason::Malformed("a block has no owner"))
    }
}

impl<'a> Program<'a> {
    pub(super) fn call(&mut self, world: &World<'a>, it: &Call) -> Done {
        let module = world.launch.module.ok_or(Reason::Malformed("a call has no module"))?;
        let callee = module.functions.get(it.callee);
        let callee = callee.ok_or(Reason::Malformed("a call has no callee"))?;
        let args = self.frame()?.all_held(&it.args)?;
        let mut frame = Frame::new(callee);
        frame.define(&callee.blocks[callee.entry].args, args);
        self.frames.push(frame);
        Ok(())
    }

    /// Ends the function that is being run; its caller, if any, takes `values`.
    pub(super) fn returns(&mut self, values: &[Value]) -> Done {
        let held = self.frame()?.all_held(values)?;
        self.frames.pop();
        let Some(caller) = self.frames.last_mut() else { return Ok(()) };
        let function = caller.function;
        let open = caller.open.last().ok_or(Reason::Malformed("a call stands nowhere"))?;
        let call = open.next.checked_sub(1).and_then(|at| function.blocks[open.block].ops.get(at));
        let call = *call.ok_or(Reason::Malformed("a call stands nowhere"))?;
        caller.define(&function.ops[call].results, held);
        Ok(())
    }
}
