//! Makes the IR of one function, block within block.
//!
//! Scalar arithmetic is folded where its operands are known and made once where it is asked for
//! twice, so that extents computed the same way are the same value.

use rustc_hash::FxHashMap;

use crate::arena::Id;
use crate::dtype::{DType, Rounding};
use crate::ir::{self, BlockId, Dim, Literal, OpId, Type, Value};
use crate::ops::{BinaryOp, CompareOp, UnaryOp};
use crate::source::Span;

/// A function under construction.
#[derive(Debug)]
pub(super) struct Builder {
    /// The function.
    pub(super) func: ir::Function,
    open: Vec<OpenBlock>,
    homes: Vec<BlockId>,
    argument_spans: FxHashMap<Value, Span>,
}

/// A block that ops are being added to.
#[derive(Debug)]
struct OpenBlock {
    id: BlockId,
    made: FxHashMap<String, Value>,
}

impl Builder {
    /// Begins at the entry of `func`.
    pub(super) fn new(func: ir::Function) -> Builder {
        let entry = OpenBlock { id: func.entry, made: FxHashMap::default() };
        let argument_spans = FxHashMap::default();
        Builder { func, open: vec![entry], homes: Vec::new(), argument_spans }
    }

    fn block(&self) -> BlockId {
        self.open.last().expect("the entry block is open until the end").id
    }

    /// How many blocks are around what is made now.
    pub(super) fn depth(&self) -> usize {
        self.open.len() - 1
    }

    /// Begins a block inside the current one.
    pub(super) fn open(&mut self) -> BlockId {
        let id = self.func.add_block();
        self.resume(id);
        id
    }

    /// Goes on with a block that was closed before.
    pub(super) fn resume(&mut self, id: BlockId) {
        self.open.push(OpenBlock { id, made: FxHashMap::default() });
    }

    /// Returns to the block around the current one.
    pub(super) fn close(&mut self) {
        self.open.pop();
    }

    /// Whether ops of the current block may use `value`.
    pub(super) fn is_visible(&self, value: Value) -> bool {
        let home = self.homes.get(value.index());
        home.is_some_and(|home| self.open.iter().any(|block| block.id == *home))
    }

    /// Notes that every value made since the last call belongs to `home`.
    fn settle(&mut self, home: BlockId) {
        self.homes.resize(self.func.values.len(), home);
    }

    /// Adds an op to the current block.
    pub(super) fn emit(&mut self, op: impl Into<ir::Op>, types: Vec<Type>, span: Span) -> OpId {
        let block = self.block();
        let id = self.func.append(block, op, types, span);
        self.settle(block);
        id
    }

    /// Adds an op with one result to the current block.
    pub(super) fn emit_value(&mut self, op: impl Into<ir::Op>, ty: Type, span: Span) -> Value {
        let id = self.emit(op, vec![ty], span);
        self.func.result(id)
    }

    /// Adds a parameter to the function.
    pub(super) fn param(&mut self, name: &str, ty: Type, constexpr: bool, span: Span) -> Value {
        let value = self.func.add_param(name, ty, constexpr, span);
        self.settle(self.func.entry);
        self.argument_spans.insert(value, span);
        value
    }

    /// Adds an argument to the current block.
    pub(super) fn argument(&mut self, ty: Type, name: &str, span: Span) -> Value {
        let block = self.block();
        let value = self.func.add_argument(block, ty, Some(name.to_owned()));
        self.settle(block);
        self.argument_spans.insert(value, span);
        value
    }

    /// The text that made `value`.
    pub(super) fn span_of(&self, value: Value) -> Span {
        let argument = self.argument_spans.get(&value).copied();
        argument.unwrap_or_else(|| self.func.value_span(value))
    }

    /// Calls `value` `name`, unless it has a name.
    pub(super) fn name(&mut self, value: Value, name: &str) {
        self.func.values[value].name.get_or_insert_with(|| name.to_owned());
    }

    /// A scalar op without effect, made once.
    pub(super) fn scalar(&mut self, op: impl Into<ir::Op>, dtype: DType, span: Span) -> Value {
        self.once(op, Type::Scalar(dtype), span)
    }

    /// An op without effect that gives a scalar or pointer, made once.
    pub(super) fn once(&mut self, op: impl Into<ir::Op>, ty: Type, span: Span) -> Value {
        let op = op.into();
        let key = format!("{ty:?} {op:?}");
        if let Some(value) = self.open.iter().rev().find_map(|block| block.made.get(&key)) {
            return *value;
        }
        let value = self.emit_value(op, ty, span);
        let block = self.open.last_mut().expect("the entry block is open until the end");
        block.made.insert(key, value);
        value
    }

    /// A constant.
    pub(super) fn constant(&mut self, value: Literal, dtype: DType, span: Span) -> Value {
        self.scalar(ir::Const { value }, dtype, span)
    }

    /// An integer constant of type `i64`.
    pub(super) fn int(&mut self, value: i64, span: Span) -> Value {
        self.constant(Literal::Int(value), DType::I64, span)
    }

    /// `value`, a scalar, as `dtype`.
    pub(super) fn cast_scalar(&mut self, value: Value, dtype: DType, span: Span) -> Value {
        self.round_scalar(value, (dtype, Rounding::NearestEven), span)
    }

    /// `value`, a scalar, as `to`, rounded as told.
    pub(super) fn round_scalar(
        &mut self,
        value: Value,
        (to, rounding): (DType, Rounding),
        span: Span,
    ) -> Value {
        if self.func.ty(value).dtype() == to {
            return value;
        }
        match self.func.literal(value) {
            Some(known) => self.constant(ir::eval::convert(to, known, rounding), to, span),
            None => self.scalar(ir::Cast { x: value, to, rounding }, to, span),
        }
    }

    /// `op x` on a scalar.
    pub(super) fn unary_scalar(&mut self, op: UnaryOp, x: Value, span: Span) -> Value {
        let dtype = self.func.ty(x).dtype();
        match self.func.literal(x) {
            Some(known) => self.constant(ir::eval::unary(op, dtype, known), dtype, span),
            None => self.scalar(ir::Unary { op, x }, dtype, span),
        }
    }

    /// `x op y` on scalars of one type.
    pub(super) fn binary_scalar(&mut self, op: BinaryOp, x: Value, y: Value, span: Span) -> Value {
        let dtype = self.func.ty(x).dtype();
        let known = self.func.literal(x).zip(self.func.literal(y));
        match known.and_then(|(x, y)| ir::eval::binary(op, dtype, x, y)) {
            Some(result) => self.constant(result, dtype, span),
            None => self.scalar(ir::Binary { op, x, y }, dtype, span),
        }
    }

    /// `x op y`, a comparison of scalars of one type.
    pub(super) fn compare_scalar(
        &mut self,
        op: CompareOp,
        x: Value,
        y: Value,
        span: Span,
    ) -> Value {
        let dtype = self.func.ty(x).dtype();
        match self.func.literal(x).zip(self.func.literal(y)) {
            Some((x, y)) => self.constant(ir::eval::compare(op, dtype, x, y), DType::I1, span),
            None => self.scalar(ir::Compare { op, x, y }, DType::I1, span),
        }
    }

    /// The extent that an `i64` scalar stands for.
    pub(super) fn dim(&self, value: Value) -> Dim {
        let known = self.func.literal(value).and_then(Literal::as_int);
        known.map_or(Dim::Value(value), Dim::Const)
    }

    /// The `i64` scalar that an extent is.
    pub(super) fn dim_value(&mut self, dim: Dim, span: Span) -> Value {
        match dim {
            Dim::Const(extent) => self.int(extent, span),
            Dim::Value(value) => value,
        }
    }

    /// Whether every op of `block` computes scalars, does nothing else and cannot fail, so that
    /// it may as well run where its result is not needed.
    pub(super) fn is_scalar_only(&self, block: BlockId) -> bool {
        self.func.blocks[block].ops.iter().all(|id| {
            let data = &self.func.ops[*id];
            let scalar = |value: &Value| matches!(self.func.ty(*value), Type::Scalar(_));
            data.op.effect() == ir::Effect::Pure
                && data.results.iter().all(scalar)
                && !self.may_fail(&data.op)
        })
    }

    /// Whether an op without effect is an error for some operands: a division by zero, extents
    /// that do not agree.
    fn may_fail(&self, op: &ir::Op) -> bool {
        let ir::Op::Binary(ir::Binary { op, y, .. }) = op else {
            return matches!(op, ir::Op::Extent(_));
        };
        let divides = matches!(
            op,
            BinaryOp::IntDiv | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::FloorMod
        );
        divides && self.func.literal(*y).is_none_or(|divisor| divisor.as_int() == Some(0))
    }

    /// Moves the ops of `block`, which nothing owns, to the end of the current block.
    pub(super) fn splice(&mut self, block: BlockId) {
        let home = self.block();
        let ops = std::mem::take(&mut self.func.blocks[block].ops);
        for id in ops {
            self.func.blocks[home].ops.push(id);
            for result in self.func.ops[id].results.clone() {
                if let Some(slot) = self.homes.get_mut(result.index()) {
                    *slot = home;
                }
            }
        }
    }
}
