//! Loops and branches.

use super::cursor::{Failed, Parse};
use super::{Parser, variable};
use crate::diag::syntax;
use crate::ir::{BlockId, For, If, MAX_DEPTH, OpId, Type, Value, While};

impl Parser<'_, '_> {
    /// Reads `for %i = %lo to %hi step %s unroll stages 2 carry (…) -> (…) { … }`.
    pub(super) fn for_loop(&mut self, op: OpId, start: usize) -> Parse<()> {
        let body = self.function.add_block();
        self.argument(body, Some(Type::I64))?;
        self.cursor.expect("=")?;
        let lo = self.value()?;
        self.cursor.expect_word("to")?;
        let hi = self.value()?;
        self.cursor.expect_word("step")?;
        let step = self.value()?;
        let unroll = self.cursor.eat_word("unroll");
        let stages = if self.cursor.eat_word("stages") {
            self.cursor.number("a number of stages", |text| text.parse().ok())?
        } else {
            1
        };
        let inits = self.carried(body)?;
        let carried = self.function.blocks[body].args[1..].to_vec();
        self.control_results(op, &carried)?;
        self.function.spans.set(op, self.cursor.since(start));
        self.braced(body)?;
        self.function.ops[op].op = For { lo, hi, step, inits, body, unroll, stages }.into();
        Ok(())
    }

    /// Reads `while carry (…) -> (…) { … } do (…) { … }`.
    pub(super) fn while_loop(&mut self, op: OpId, start: usize) -> Parse<()> {
        let (test, body) = (self.function.add_block(), self.function.add_block());
        let inits = self.carried(test)?;
        let carried = self.function.blocks[test].args.clone();
        self.control_results(op, &carried)?;
        self.function.spans.set(op, self.cursor.since(start));
        self.braced(test)?;
        self.cursor.expect_word("do")?;
        self.arguments(body)?;
        self.braced(body)?;
        self.function.ops[op].op = While { inits, test, body }.into();
        Ok(())
    }

    /// Reads `if %c -> (…) { … } else { … }`.
    pub(super) fn branch(&mut self, op: OpId, start: usize) -> Parse<()> {
        let condition = self.value()?;
        self.control_results(op, &[])?;
        self.function.spans.set(op, self.cursor.since(start));
        let (then, otherwise) = (self.function.add_block(), self.function.add_block());
        self.braced(then)?;
        self.cursor.expect_word("else")?;
        self.braced(otherwise)?;
        self.function.ops[op].op = If { condition, then, otherwise }.into();
        Ok(())
    }

    /// Reads `(%x: type, …)`, the arguments of `block`.
    pub(super) fn arguments(&mut self, block: BlockId) -> Parse<()> {
        self.cursor.expect("(")?;
        let mut first = true;
        while !self.cursor.eat(")") {
            if !std::mem::replace(&mut first, false) {
                self.cursor.expect(",")?;
            }
            self.argument(block, None)?;
        }
        Ok(())
    }

    /// Reads `%x: type`, an argument of `block`; the type may be left out where `default` is given.
    fn argument(&mut self, block: BlockId, default: Option<Type>) -> Parse<()> {
        let (name, span) = self.cursor.name_after("%", "a value")?;
        let (ty, storage) = match default {
            Some(ty) if !self.cursor.sees(":") => (ty, None),
            Some(_) | None => {
                self.cursor.expect(":")?;
                self.stored_type()?
            }
        };
        let value = self.function.add_argument(block, ty, variable(name));
        self.function.values[value].storage = storage;
        self.bind(name, value, span);
        Ok(())
    }

    /// Reads `carry (%x: type = %init, …)`, if it is next; gives what the loop begins with.
    fn carried(&mut self, block: BlockId) -> Parse<Vec<Value>> {
        let mut inits = Vec::new();
        if !self.cursor.eat_word("carry") {
            return Ok(inits);
        }
        self.cursor.expect("(")?;
        let mut first = true;
        while !self.cursor.eat(")") {
            if !std::mem::replace(&mut first, false) {
                self.cursor.expect(",")?;
            }
            self.argument(block, None)?;
            self.cursor.expect("=")?;
            inits.push(self.value()?);
        }
        Ok(inits)
    }

    /// Reads `-> (types)` for the results of `op`. Without it they are of the types of `like`.
    pub(super) fn control_results(&mut self, op: OpId, like: &[Value]) -> Parse<()> {
        if self.cursor.eat("->") {
            self.cursor.expect("(")?;
            self.result_types(op)?;
            return self.cursor.expect(")");
        }
        let results = self.function.ops[op].results.clone();
        if results.len() != like.len() {
            let start = self.cursor.position();
            let (named, given) = (results.len(), like.len());
            let message = format!("this names {named} results and gives {given}");
            let span = self.cursor.since(start);
            let label = "types of results in `-> (…)` are missing here";
            return Err(self.cursor.wrong(syntax::KIR_RESULTS, message, span, label));
        }
        for (result, like) in results.into_iter().zip(like) {
            let (ty, storage) = {
                let data = &self.function.values[*like];
                (data.ty.clone(), data.storage)
            };
            let data = &mut self.function.values[result];
            (data.ty, data.storage) = (ty, storage);
        }
        Ok(())
    }

    /// Reads `{ ops }`.
    pub(super) fn braced(&mut self, block: BlockId) -> Parse<()> {
        self.cursor.skip_blanks();
        let start = self.cursor.position();
        self.cursor.expect("{")?;
        if self.depth >= MAX_DEPTH {
            let message = format!("blocks nest deeper than {MAX_DEPTH}");
            let span = self.cursor.since(start);
            let label = "this block is too deep";
            return Err(self.cursor.wrong(syntax::KIR_TOO_DEEP, message, span, label));
        }
        self.depth += 1;
        self.block_ops(block);
        self.depth -= 1;
        if self.cursor.gives_up() {
            return Err(Failed);
        }
        self.cursor.expect("}")
    }
}
