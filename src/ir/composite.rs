//! The op that a tile pipeline carries out: a matrix product or an elementwise computation over a
//! whole block, with an epilogue, from memory or TCM to memory.

use super::op::Uses;
use super::{Dim, Value};
use crate::dtype::DType;
use crate::ops::{BinaryOp, UnaryOp};

/// The most operands that the steps of one epilogue take together.
pub const MAX_STEP_OPERANDS: usize = 4;

/// What a composite computes before its epilogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Head {
    /// `a @ b`, summed as [`Dot`](super::Dot) sums.
    Gemm,
    /// `a`, or `a` and `b` combined element by element.
    Math(Option<BinaryOp>),
}

/// Over what a step of an epilogue runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Over the product of one tile along k, before it is added to the sums.
    KTile,
    /// Over each tile of the result, once its sums are complete.
    OutputTile,
    /// Over the whole result at once.
    Kernel,
}

impl Scope {
    /// Every scope, in the order in which they run.
    pub const ALL: [Scope; 3] = [Scope::KTile, Scope::OutputTile, Scope::Kernel];

    /// Its name in the language and in text forms.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::KTile => "k_tile",
            Scope::OutputTile => "output_tile",
            Scope::Kernel => "kernel",
        }
    }

    /// The scope called `name`.
    pub fn from_name(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// What a step of an epilogue does to each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepOp {
    /// An elementwise op of the element alone.
    Unary(UnaryOp),
    /// An elementwise op of the element and the step's operand.
    Binary(BinaryOp),
}

impl StepOp {
    /// Its name in text forms.
    pub const fn name(self) -> &'static str {
        match self {
            StepOp::Unary(op) => op.name(),
            StepOp::Binary(op) => op.name(),
        }
    }
}

/// A step of an epilogue.
#[derive(Clone, Debug, PartialEq)]
pub struct EpilogueStep {
    /// What it does.
    pub op: StepOp,
    /// The right operand of a binary op: a scalar, or a tile that broadcasts to the result's shape.
    pub operand: Option<Value>,
    /// Over what it runs.
    pub scope: Scope,
}

/// One end of a composite: a tile in TCM, or the address of a block in memory that lies row by
/// row (`i64` or a pointer).
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// The tile or the address.
    pub value: Value,
    /// The element type.
    pub dtype: DType,
}

/// Computes a block of memory tile by tile: [`Head`], then the epilogue's steps of each scope in
/// their order, then one rounding to the type of `out`. Gives a completion, for which
/// [`Wait`](super::Wait) waits.
///
/// Steps compute in the type of [`Composite::works_in`]. Those of scope `k_tile` change the
/// product of one tile along k before it is added, with as many products along k in a tile as
/// `tile` says; where it says nothing, all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Composite {
    /// What is computed first.
    pub head: Head,
    /// The left operand, `[m, k]`; of a [`Head::Math`] `[m, n]`.
    pub a: End,
    /// The right operand, `[k, n]`; of a [`Head::Math`] `[m, n]`, where there is one.
    pub b: Option<End>,
    /// Where the result goes, `[m, n]`: always a block of memory.
    pub out: End,
    /// `m`, `n` and `k`; `k` is 1 for a [`Head::Math`].
    pub sizes: [Dim; 3],
    /// What is done to the result before it is written.
    pub epilogue: Vec<EpilogueStep>,
    /// The extents of a tile along m, n and k, once the machine is known.
    pub tile: Option<[u64; 3]>,
}

impl Composite {
    /// The type in which the head computes.
    pub fn accumulates_in(&self) -> DType {
        sums(self.head, self.a.dtype)
    }

    /// The type in which the epilogue computes: that of the head, but `f32` where that is an
    /// integer and the result is not.
    pub fn works_in(&self) -> DType {
        let head = self.accumulates_in();
        if head.is_int() && self.out.dtype.is_float() { DType::F32 } else { head }
    }
}

/// The type in which `head` computes on elements of `dtype`.
fn sums(head: Head, dtype: DType) -> DType {
    match (head, dtype.is_float()) {
        (Head::Gemm | Head::Math(_), true) if dtype == DType::F64 => DType::F64,
        (Head::Gemm | Head::Math(_), true) => DType::F32,
        (Head::Gemm, false) => DType::I32,
        (Head::Math(_), false) => dtype,
    }
}

impl Uses for End {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        visit(self.value);
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        self.value = replace(self.value);
    }
}

impl Uses for EpilogueStep {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        self.operand.for_each_use(visit);
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        self.operand.replace_uses(replace);
    }
}

impl Uses for [Dim; 3] {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        self.iter().for_each(|dim| dim.for_each_use(visit));
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        self.iter_mut().for_each(|dim| dim.replace_uses(replace));
    }
}
