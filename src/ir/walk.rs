//! Walking a function and putting values in the place of others.
//!
//! Every walk recurses once for each level of nesting; [`MAX_DEPTH`] bounds it, and the verifier
//! and the inliner see to it that no function is deeper.

use super::{
    BlockId, Condition, Dim, For, Function, If, Op, OpId, Return, Type, Uses, Value, While, Yield,
};
use crate::arena::SideTable;

/// How deep blocks may nest in one function.
pub const MAX_DEPTH: usize = 96;

impl Function {
    /// Calls `visit` with every op of `block` and of the blocks its ops own, an op before its
    /// blocks, in the order of the text form.
    pub fn walk(&self, block: BlockId, visit: &mut dyn FnMut(OpId)) {
        for op in &self.blocks[block].ops {
            visit(*op);
            for inner in self.ops[*op].op.blocks() {
                self.walk(inner, visit);
            }
        }
    }

    /// Every op that the function reaches, in the order of [`Function::walk`].
    pub fn reachable_ops(&self) -> Vec<OpId> {
        let mut ops = Vec::new();
        self.walk(self.entry, &mut |op| ops.push(op));
        ops
    }

    /// Every block that the function reaches, the entry first, an outer block before an inner.
    pub fn reachable_blocks(&self) -> Vec<BlockId> {
        let mut blocks = vec![self.entry];
        self.walk(self.entry, &mut |op| blocks.extend(self.ops[op].op.blocks()));
        blocks
    }

    /// How deep blocks nest: 0 where no op owns a block.
    pub fn depth(&self) -> usize {
        let mut deepest = 0;
        let mut open = vec![(self.entry, 0)];
        while let Some((block, depth)) = open.pop() {
            deepest = deepest.max(depth);
            for op in &self.blocks[block].ops {
                open.extend(self.ops[*op].op.blocks().into_iter().map(|inner| (inner, depth + 1)));
            }
        }
        deepest
    }

    /// The last op of `block`: its terminator in a verified function.
    pub fn terminator(&self, block: BlockId) -> Option<OpId> {
        self.blocks[block].ops.last().copied()
    }

    /// The values that the terminator of `block` hands on: what a `yield` or `return` lists, what
    /// a `condition` lists after its truth value.
    pub fn handed_on(&self, block: BlockId) -> &[Value] {
        let Some(terminator) = self.terminator(block) else { return &[] };
        let op = &self.ops[terminator].op;
        if let Op::Yield(Yield { values })
        | Op::Condition(Condition { values, .. })
        | Op::Return(Return { values }) = op
        {
            values
        } else {
            &[]
        }
    }

    /// Whether `value` is a tile, or the promise of one.
    pub fn is_tile(&self, value: Value) -> bool {
        self.ty(value).tile().is_some()
    }

    /// `ty` as messages and the text form spell it, extents by [`Function::display_name`].
    pub fn display_type(&self, ty: &Type) -> String {
        let Some(tile) = ty.tile() else { return ty.to_string() };
        let extents: String = tile.dims.iter().map(|dim| self.display_extent(*dim)).collect();
        let head = if matches!(ty, Type::Tile(_)) { "tile" } else { "future" };
        format!("{head}<{extents}{}>", tile.dtype)
    }

    /// `64x`, or `n x ` where the extent is not known yet.
    fn display_extent(&self, dim: Dim) -> String {
        match (self.extent(dim), dim) {
            (Some(extent), _) | (None, Dim::Const(extent)) => format!("{extent}x"),
            (None, Dim::Value(value)) => format!("{} x ", self.display_name(value)),
        }
    }

    /// The shape of a tile type as messages spell it: `[64, n]`.
    pub fn display_shape(&self, dims: &[Dim]) -> String {
        let extent = |dim: &Dim| match (self.extent(*dim), *dim) {
            (Some(extent), _) | (None, Dim::Const(extent)) => extent.to_string(),
            (None, Dim::Value(value)) => self.display_name(value),
        };
        format!("[{}]", dims.iter().map(extent).collect::<Vec<_>>().join(", "))
    }
}

impl Uses for Type {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        self.tile().iter().for_each(|tile| tile.dims.for_each_use(visit));
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        if let Some(tile) = self.tile_mut() {
            tile.dims.replace_uses(replace);
        }
    }
}

/// An op by what its blocks are to it.
#[derive(Clone, Copy, Debug)]
pub enum Nest<'a> {
    /// A counted loop.
    For(&'a For),
    /// A tested loop.
    While(&'a While),
    /// A branch.
    If(&'a If),
    /// It owns no blocks, or blocks that are no part of the program's course: what combines two
    /// elements.
    Plain,
}

impl Op {
    /// This op by what its blocks are to it.
    pub fn nest(&self) -> Nest<'_> {
        if let Op::For(it) = self {
            Nest::For(it)
        } else if let Op::While(it) = self {
            Nest::While(it)
        } else if let Op::If(it) = self {
            Nest::If(it)
        } else {
            Nest::Plain
        }
    }
}

/// Values that stand in the place of others.
#[derive(Clone, Debug, Default)]
pub struct Substitution {
    to: SideTable<Value, Option<Value>>,
    len: usize,
}

impl Substitution {
    /// Nothing is replaced.
    pub fn new() -> Substitution {
        Substitution::default()
    }

    /// From now on `to` stands in the place of `from`. A value cannot stand for itself.
    pub fn replace(&mut self, from: Value, to: Value) {
        let to = self.resolve(to);
        if from != to {
            self.to.set(from, Some(to));
            self.len += 1;
        }
    }

    /// What stands in the place of `value`; itself, if nothing does.
    pub fn resolve(&self, value: Value) -> Value {
        let mut at = value;
        while let Some(next) = self.to[at] {
            at = next;
        }
        at
    }

    /// Whether nothing is replaced.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Replaces in every op, type and result of `function`.
    pub fn apply(&self, function: &mut Function) {
        if self.is_empty() {
            return;
        }
        for (_, data) in function.ops.iter_mut() {
            data.op.replace_uses(&mut |value| self.resolve(value));
        }
        for (_, data) in function.values.iter_mut() {
            data.ty.replace_uses(&mut |value| self.resolve(value));
        }
        for ty in &mut function.results {
            ty.replace_uses(&mut |value| self.resolve(value));
        }
    }
}

/// How often each value is used: by ops, and in the types of what ops and blocks define.
#[derive(Clone, Debug, Default)]
pub struct UseCounts {
    counts: SideTable<Value, u32>,
}

impl UseCounts {
    /// Counts the uses in every op that `function` reaches.
    pub fn of(function: &Function) -> UseCounts {
        let mut it = UseCounts::default();
        let mut add = |value: Value| *it.counts.get_mut(value) += 1;
        function.walk(function.entry, &mut |op| {
            let data = &function.ops[op];
            data.op.for_each_use(&mut add);
            data.results.iter().for_each(|result| function.ty(*result).for_each_use(&mut add));
        });
        for block in function.reachable_blocks() {
            for arg in &function.blocks[block].args {
                function.ty(*arg).for_each_use(&mut add);
            }
        }
        function.results.iter().for_each(|ty| ty.for_each_use(&mut add));
        it
    }

    /// How often `value` is used.
    pub fn count(&self, value: Value) -> u32 {
        self.counts[value]
    }
}

/// Copies ops from one function into another (or into itself, by way of a snapshot), giving each
/// copy values of its own.
#[derive(Debug)]
pub struct Cloner<'a> {
    from: &'a Function,
    values: SideTable<Value, Option<Value>>,
}

impl Function {
    /// The same function with tables that hold only what it reaches, in the order of the text.
    pub fn compacted(&self) -> Function {
        let mut to = Function::new(self.name.clone(), self.is_kernel, self.span);
        let mut cloner = Cloner::new(self);
        for param in &self.params {
            let ty = self.ty(param.value).clone();
            let value = to.add_param(param.name.clone(), ty, param.is_constexpr, param.span);
            cloner.describe(&mut to, param.value, value);
        }
        for op in &self.blocks[self.entry].ops {
            let copy = cloner.op(&mut to, *op);
            let entry = to.entry;
            to.blocks[entry].ops.push(copy);
        }
        to.results.clone_from(&self.results);
        for ty in &mut to.results {
            ty.replace_uses(&mut |value| cloner.copy_of(value));
        }
        to.buffers = self.buffers.clone();
        to
    }
}

impl<'a> Cloner<'a> {
    /// Copies out of `from`.
    pub fn new(from: &'a Function) -> Cloner<'a> {
        Cloner { from, values: SideTable::new() }
    }

    /// `copy` is what `original` is called in the copy.
    pub fn bind(&mut self, original: Value, copy: Value) {
        self.values.set(original, Some(copy));
    }

    /// What `original` is called in the copy; itself, where the copy sees the original.
    pub fn copy_of(&self, original: Value) -> Value {
        self.values[original].unwrap_or(original)
    }

    /// Appends copies of the ops of `source` to `target`, the terminator left out.
    pub fn append_body(&mut self, to: &mut Function, source: BlockId, target: BlockId) {
        let from = self.from;
        for op in &from.blocks[source].ops {
            if !from.ops[*op].op.is_terminator() {
                let copy = self.op(to, *op);
                to.blocks[target].ops.push(copy);
            }
        }
    }

    /// What the terminator of `source` hands on, as the copy calls it.
    pub fn handed_on(&self, source: BlockId) -> Vec<Value> {
        self.from.handed_on(source).iter().map(|value| self.copy_of(*value)).collect()
    }

    fn op(&mut self, to: &mut Function, op: OpId) -> OpId {
        let from = self.from;
        let original = &from.ops[op];
        let mut copy = original.op.clone();
        copy.replace_uses(&mut |value| self.copy_of(value));
        for block in copy.blocks_mut() {
            *block = self.block(to, *block);
        }
        let types = original.results.iter().map(|value| from.ty(*value).clone()).collect();
        let id = to.make_op(copy, types, from.spans[op]);
        let copies = to.ops[id].results.clone();
        for (original, copy) in original.results.iter().zip(copies) {
            self.describe(to, *original, copy);
        }
        id
    }

    fn block(&mut self, to: &mut Function, block: BlockId) -> BlockId {
        let from = self.from;
        let copy = to.add_block();
        for arg in &from.blocks[block].args {
            let value = to.add_argument(copy, from.ty(*arg).clone(), None);
            self.describe(to, *arg, value);
        }
        for op in &from.blocks[block].ops {
            let op = self.op(to, *op);
            to.blocks[copy].ops.push(op);
        }
        copy
    }

    /// Gives `copy` the name and, extents renamed, the type of `original`.
    fn describe(&mut self, to: &mut Function, original: Value, copy: Value) {
        self.bind(original, copy);
        let data = &self.from.values[original];
        let mut ty = data.ty.clone();
        ty.replace_uses(&mut |value| self.copy_of(value));
        let target = &mut to.values[copy];
        target.ty = ty;
        target.name.clone_from(&data.name);
        target.storage = data.storage;
    }
}
