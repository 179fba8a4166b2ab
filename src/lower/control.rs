//! Emits control flow: blocks, loops, branches, and what they hand on.
//!
//! Blocks are emitted from a stack of tasks, not by recursion, so nesting has no limit here.
//! Values that a loop or a branch carries have a register of their own, which every way into the
//! block moves to; the results of a loop share the registers of what it carries.

use super::emit::Emitter;
use super::moves;
use crate::arena::Id;
use crate::command::{Inst, Operand, Pc, Reg, ScalarExpr, TileReg};
use crate::diag::Reported;
use crate::ir::{BlockId, For, If, Op, OpId, Value, While};

/// What is left to emit, the last first.
pub(super) enum Task {
    /// The ops of a block from one on.
    Ops { block: BlockId, at: usize },
    /// The end of a counted loop.
    EndFor { op: OpId, begin: Pc },
    /// The test of a conditional loop, once its block is done.
    Test { op: OpId, begin: Pc },
    /// The end of a conditional loop.
    EndWhile { op: OpId, begin: Pc, test: Pc },
    /// The end of a branch's first block.
    Else { op: OpId, begin: Pc },
    /// The end of a branch's second block.
    EndIf { op: OpId, otherwise: Pc },
}

impl<'a> Emitter<'a> {
    /// Emits everything.
    pub(super) fn run(&mut self) -> Result<(), Reported> {
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Ops { block, at } => self.op_of(block, at)?,
                Task::EndFor { op, begin } => self.end_for(op, begin)?,
                Task::Test { op, begin } => self.test(op, begin)?,
                Task::EndWhile { op, begin, test } => self.end_while(op, begin, test)?,
                Task::Else { op, begin } => self.otherwise(op, begin)?,
                Task::EndIf { op, otherwise } => self.end_if(op, otherwise)?,
            }
        }
        self.code.insts.push(Inst::End);
        self.code.spans.push(self.function.span);
        Ok(())
    }

    fn op_of(&mut self, block: BlockId, at: usize) -> Result<(), Reported> {
        let function = self.function;
        let Some(op) = function.blocks[block].ops.get(at).copied() else { return Ok(()) };
        self.tasks.push(Task::Ops { block, at: at + 1 });
        if !self.has(op) {
            return Ok(());
        }
        self.current = op;
        function.ops[op].op.visit(self)
    }

    pub(super) fn begin_for(&mut self, it: &For) -> Result<(), Reported> {
        let function = self.function;
        let Some((var, carried)) = function.blocks[it.body].args.split_first() else {
            return Err(self.bug("a loop's body takes no induction variable"));
        };
        let [lo, hi, step] = [self.operand(it.lo)?, self.operand(it.hi)?, self.operand(it.step)?];
        self.fresh_for(carried);
        self.hand_on(carried, &it.inits)?;
        let var_reg = self.fresh_reg();
        self.scalars.set(*var, Some(Operand::Reg(var_reg)));
        let begin = self.push(Inst::LoopBegin { var: var_reg, lo, hi, step, end: Pc(0) });
        self.name_at(begin, *var);
        self.tasks.push(Task::EndFor { op: self.current, begin });
        self.tasks.push(Task::Ops { block: it.body, at: 0 });
        Ok(())
    }

    fn end_for(&mut self, op: OpId, begin: Pc) -> Result<(), Reported> {
        self.current = op;
        let function = self.function;
        let Op::For(it) = &function.ops[op].op else { return Ok(()) };
        let carried = function.blocks[it.body].args.get(1..).unwrap_or(&[]);
        self.hand_on(carried, function.handed_on(it.body))?;
        let at = self.push(Inst::LoopEnd { begin });
        if let Inst::LoopBegin { end, .. } = &mut self.code.insts[begin.index()] {
            *end = at;
        }
        self.share(&function.ops[op].results, carried)
    }

    pub(super) fn begin_while(&mut self, it: &While) -> Result<(), Reported> {
        let args = &self.function.blocks[it.test].args;
        self.fresh_for(args);
        self.hand_on(args, &it.inits)?;
        let begin = self.push(Inst::WhileBegin);
        self.tasks.push(Task::Test { op: self.current, begin });
        self.tasks.push(Task::Ops { block: it.test, at: 0 });
        Ok(())
    }

    fn test(&mut self, op: OpId, begin: Pc) -> Result<(), Reported> {
        self.current = op;
        let function = self.function;
        let Op::While(it) = &function.ops[op].op else { return Ok(()) };
        let last = function.blocks[it.test].ops.last().map(|op| &function.ops[*op].op);
        let Some(Op::Condition(last)) = last else {
            return Err(self.bug("a conditional loop's test ends in no condition"));
        };
        let args = &function.blocks[it.body].args;
        self.fresh_for(args);
        self.hand_on(args, &last.values)?;
        self.share(&function.ops[op].results, args)?;
        let condition = self.operand(last.condition)?;
        let test = self.push(Inst::WhileTest { condition, end: Pc(0) });
        self.tasks.push(Task::EndWhile { op, begin, test });
        self.tasks.push(Task::Ops { block: it.body, at: 0 });
        Ok(())
    }

    fn end_while(&mut self, op: OpId, begin: Pc, test: Pc) -> Result<(), Reported> {
        self.current = op;
        let function = self.function;
        let Op::While(it) = &function.ops[op].op else { return Ok(()) };
        self.hand_on(&function.blocks[it.test].args, function.handed_on(it.body))?;
        let at = self.push(Inst::WhileEnd { begin });
        if let Inst::WhileTest { end, .. } = &mut self.code.insts[test.index()] {
            *end = at;
        }
        Ok(())
    }

    pub(super) fn begin_if(&mut self, it: &If) -> Result<(), Reported> {
        let condition = self.operand(it.condition)?;
        let begin = self.push(Inst::IfBegin { condition, otherwise: Pc(0) });
        self.fresh_for(&self.function.ops[self.current].results);
        self.tasks.push(Task::Else { op: self.current, begin });
        self.tasks.push(Task::Ops { block: it.then, at: 0 });
        Ok(())
    }

    fn otherwise(&mut self, op: OpId, begin: Pc) -> Result<(), Reported> {
        self.current = op;
        let function = self.function;
        let Op::If(it) = &function.ops[op].op else { return Ok(()) };
        self.hand_on(&function.ops[op].results, function.handed_on(it.then))?;
        let at = self.push(Inst::Else { end: Pc(0) });
        if let Inst::IfBegin { otherwise, .. } = &mut self.code.insts[begin.index()] {
            *otherwise = at;
        }
        self.tasks.push(Task::EndIf { op, otherwise: at });
        self.tasks.push(Task::Ops { block: it.otherwise, at: 0 });
        Ok(())
    }

    fn end_if(&mut self, op: OpId, otherwise: Pc) -> Result<(), Reported> {
        self.current = op;
        let function = self.function;
        let Op::If(it) = &function.ops[op].op else { return Ok(()) };
        self.hand_on(&function.ops[op].results, function.handed_on(it.otherwise))?;
        let at = self.push(Inst::IfEnd);
        if let Inst::Else { end } = &mut self.code.insts[otherwise.index()] {
            *end = at;
        }
        Ok(())
    }

    /// Gives each of `values` a register that nothing else uses.
    pub(super) fn fresh_for(&mut self, values: &[Value]) {
        for value in values {
            if self.is_tile(*value) {
                let reg = self.fresh_tile();
                self.tiles.set(*value, Some(reg));
            } else {
                let reg = self.fresh_reg();
                self.scalars.set(*value, Some(Operand::Reg(reg)));
            }
        }
    }

    /// Moves `from` to the registers of `to`, all at once.
    fn hand_on(&mut self, to: &[Value], from: &[Value]) -> Result<(), Reported> {
        if to.len() != from.len() {
            return Err(self.bug("a block is handed another number of values than it takes"));
        }
        let (mut scalars, mut constants, mut tiles) = (Vec::new(), Vec::new(), Vec::new());
        for (to, from) in to.iter().zip(from) {
            if self.is_tile(*to) {
                if !self.only_addresses() {
                    tiles.push((self.tile(*to)?.0, self.dense(*from)?.0));
                }
                continue;
            }
            let Operand::Reg(dst) = self.operand(*to)? else { continue };
            match self.operand(*from)? {
                Operand::Reg(src) => scalars.push((dst.0, src.0)),
                constant @ Operand::Const(_) => constants.push((dst, constant)),
            }
        }
        self.move_scalars(scalars, &constants, to);
        self.move_tiles(tiles, to);
        Ok(())
    }

    fn move_scalars(&mut self, moves: Vec<(u32, u32)>, constants: &[(Reg, Operand)], to: &[Value]) {
        let mut regs = self.code.regs;
        let ordered = moves::sequence(moves, &mut || {
            regs += 1;
            regs - 1
        });
        self.code.regs = regs;
        let ordered = ordered.into_iter().map(|(to, from)| (Reg(to), Operand::Reg(Reg(from))));
        for (dst, operand) in ordered.chain(constants.iter().copied()) {
            let pc = self.push(Inst::Scalar { dst, expr: ScalarExpr::Copy(operand) });
            let of = |value: &&Value| self.scalars[**value] == Some(Operand::Reg(dst));
            if let Some(value) = to.iter().find(of) {
                self.name_at(pc, *value);
            }
        }
    }

    fn move_tiles(&mut self, moves: Vec<(u32, u32)>, to: &[Value]) {
        let mut tiles = self.code.tiles;
        let ordered = moves::sequence(moves, &mut || {
            tiles += 1;
            tiles - 1
        });
        self.code.tiles = tiles;
        for (dst, src) in ordered {
            let (dst, src) = (TileReg(dst), TileReg(src));
            let pc = self.push(Inst::MoveTile { dst, src });
            let of = |value: &&Value| self.tiles[**value] == Some(dst);
            if let Some(value) = to.iter().find(of) {
                self.name_at(pc, *value);
            }
        }
    }

    /// Lets `results` be in the registers of `values`.
    fn share(&mut self, results: &[Value], values: &[Value]) -> Result<(), Reported> {
        if results.len() != values.len() {
            return Err(self.bug("a loop gives another number of values than it carries"));
        }
        for (result, value) in results.iter().zip(values) {
            self.scalars.set(*result, self.scalars[*value]);
            self.tiles.set(*result, self.tiles[*value]);
        }
        Ok(())
    }
}
