//! Ids, blocks, terminators and definition before use.

use super::{At, Rule, Violation, exists};
use crate::arena::{Id, SideTable};
use crate::ir::{BlockId, Def, Function, MAX_DEPTH, Module, Op, OpId, Uses, Value};

/// Checks the structure, and only where it is sound that values are defined before they are used.
pub(super) fn check(function: &Function, module: Option<&Module>) -> Vec<Violation> {
    let mut at = At::new(function);
    let mut tree = Tree { at: &mut at, module, blocks: SideTable::new(), ops: SideTable::new() };
    tree.check();
    if at.found.is_empty() {
        terminators(function, &mut at);
        definitions(function, &mut at);
    }
    at.found
}

/// Checks that ops and blocks form a tree, and that ids name what exists.
struct Tree<'a, 'b> {
    at: &'b mut At<'a>,
    module: Option<&'b Module>,
    blocks: SideTable<BlockId, bool>,
    ops: SideTable<OpId, bool>,
}

impl Tree<'_, '_> {
    fn check(&mut self) {
        let function = self.at.function;
        let params: Vec<Value> = function.params.iter().map(|param| param.value).collect();
        let mut open = vec![(function.entry, 0)];
        while let Some((block, depth)) = open.pop() {
            if depth > MAX_DEPTH {
                let message = format!("blocks nest deeper than {MAX_DEPTH}");
                self.at.function(Rule::Structure, message);
                return;
            }
            if let Some(ops) = self.block(block) {
                for op in ops {
                    let inner = self.op(op);
                    open.extend(inner.into_iter().map(|block| (block, depth + 1)));
                }
            }
        }
        let entry = function.blocks.get(function.entry);
        if entry.is_some_and(|entry| entry.args != params) {
            self.at.function(Rule::Structure, "the parameters are not the entry's arguments");
        }
        for ty in &function.results {
            ty.for_each_use(&mut |value| self.value(value, None));
        }
    }

    /// The ops of `block`, if it exists and has not been met before.
    fn block(&mut self, block: BlockId) -> Option<Vec<OpId>> {
        let function = self.at.function;
        let Some(data) = function.blocks.get(block) else {
            self.at.function(Rule::Structure, format!("there is no block {block}"));
            return None;
        };
        if std::mem::replace(self.blocks.get_mut(block), true) {
            self.at.function(Rule::Structure, format!("block {block} is owned twice"));
            return None;
        }
        for (index, arg) in data.args.iter().enumerate() {
            self.defined(*arg, Def::Argument(block, index as u32), None);
        }
        Some(data.ops.clone())
    }

    /// The blocks of `op`, if it exists and has not been met before.
    fn op(&mut self, op: OpId) -> Vec<BlockId> {
        let function = self.at.function;
        let Some(data) = function.ops.get(op) else {
            self.at.function(Rule::Structure, format!("there is no {op}"));
            return Vec::new();
        };
        if std::mem::replace(self.ops.get_mut(op), true) {
            self.at.op(Rule::Structure, op, format!("{op} stands in two places"));
            return Vec::new();
        }
        data.op.for_each_use(&mut |value| self.value(value, Some(op)));
        for (index, result) in data.results.iter().enumerate() {
            self.defined(*result, Def::Result(op, index as u32), Some(op));
        }
        if let Op::Call(call) = &data.op
            && !exists(self.module, call.callee)
        {
            self.at.op(Rule::Structure, op, "the function called does not exist");
        }
        data.op.blocks()
    }

    fn value(&mut self, value: Value, user: Option<OpId>) {
        if self.at.function.values.get(value).is_some() {
            return;
        }
        let message = format!("there is no value {value}");
        match user {
            Some(op) => self.at.op(Rule::Structure, op, message),
            None => self.at.function(Rule::Structure, message),
        }
    }

    /// Checks that `value` exists, knows what defines it, and has a type that names values.
    fn defined(&mut self, value: Value, def: Def, op: Option<OpId>) {
        self.value(value, op);
        let Some(data) = self.at.function.values.get(value) else { return };
        if data.def != def {
            let message = format!("{value} is defined in two places");
            match op {
                Some(op) => self.at.op(Rule::Structure, op, message),
                None => self.at.function(Rule::Structure, message),
            }
        }
        data.ty.for_each_use(&mut |extent| self.value(extent, op));
    }
}

/// What ends a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Return,
    Yield,
    Condition,
}

impl Ending {
    const fn word(self) -> &'static str {
        match self {
            Ending::Return => "`return`",
            Ending::Yield => "`yield`",
            Ending::Condition => "`condition`",
        }
    }

    fn of(op: &Op) -> Option<Ending> {
        if matches!(op, Op::Return(_)) {
            Some(Ending::Return)
        } else if matches!(op, Op::Yield(_)) {
            Some(Ending::Yield)
        } else if matches!(op, Op::Condition(_)) {
            Some(Ending::Condition)
        } else {
            None
        }
    }
}

fn terminators(function: &Function, at: &mut At<'_>) {
    let mut open = vec![(function.entry, Ending::Return, None)];
    while let Some((block, ending, owner)) = open.pop() {
        block_ending(function, block, (ending, owner), at);
        for op in &function.blocks[block].ops {
            let data = &function.ops[*op].op;
            let test = if let Op::While(it) = data { Some(it.test) } else { None };
            for inner in data.blocks() {
                let is_test = test == Some(inner);
                let ending = if is_test { Ending::Condition } else { Ending::Yield };
                open.push((inner, ending, Some(*op)));
            }
        }
    }
}

fn block_ending(
    function: &Function,
    block: BlockId,
    (ending, owner): (Ending, Option<OpId>),
    at: &mut At<'_>,
) {
    let ops = &function.blocks[block].ops;
    let last = ops.last().copied();
    if last.and_then(|op| Ending::of(&function.ops[op].op)) != Some(ending) {
        let message = format!("a block here must end in {}", ending.word());
        match last.or(owner) {
            Some(op) => at.op(Rule::Structure, op, message),
            None => at.function(Rule::Structure, message),
        }
    }
    for op in ops.iter().take(ops.len().saturating_sub(1)) {
        if let Some(early) = Ending::of(&function.ops[*op].op) {
            let message = format!("{} stands before the end of its block", early.word());
            at.op(Rule::Structure, *op, message);
        }
    }
}

fn definitions(function: &Function, at: &mut At<'_>) {
    let mut scope = Scope { at, visible: vec![false; function.values.len()] };
    scope.block(function.entry);
}

struct Scope<'a, 'b> {
    at: &'b mut At<'a>,
    visible: Vec<bool>,
}

impl Scope<'_, '_> {
    fn block(&mut self, block: BlockId) {
        let function = self.at.function;
        let data = &function.blocks[block];
        let first = data.ops.first().copied();
        for arg in &data.args {
            self.names_visible(function.ty(*arg), first);
            self.visible[arg.index()] = true;
        }
        for op in &data.ops {
            self.op(*op);
        }
        for op in &data.ops {
            for result in &function.ops[*op].results {
                self.visible[result.index()] = false;
            }
        }
        for arg in &data.args {
            self.visible[arg.index()] = false;
        }
    }

    fn op(&mut self, op: OpId) {
        let function = self.at.function;
        let data = &function.ops[op];
        self.names_visible(&data.op, Some(op));
        for block in data.op.blocks() {
            self.block(block);
        }
        for result in &data.results {
            self.names_visible(function.ty(*result), Some(op));
            self.visible[result.index()] = true;
        }
    }

    fn names_visible(&mut self, uses: &dyn Uses, op: Option<OpId>) {
        uses.for_each_use(&mut |value| {
            if self.visible[value.index()] {
                return;
            }
            let name = self.at.function.display_name(value);
            let message = format!("`{name}` is used where it is not defined");
            match op {
                Some(op) => self.at.op(Rule::Definition, op, message),
                None => self.at.function(Rule::Definition, message),
            }
        });
    }
}
