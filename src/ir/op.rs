//! The ops of the IR, each a plain struct; one list makes [`Op`] and [`Visit`] from them.
//!
//! An op names the values it uses in its fields; what it defines is in
//! [`OpData::results`](super::OpData). Extents of a result are in the result's type.

use super::channel::Channel;
use super::composite::Composite;
use super::memory_op::{Atomic, DmaRead, DmaWrite, GatherLoad, Load, ScatterStore, Store};
use super::message_op::{Recv, RecvAsync, Release, Send, Stream, Wait};
use super::tile_op::{
    Bitcast, Concat, Flip, Gather, Histogram, Inspect, ReduceBy, Scan, ScanBy, Slice, Sort,
};
use super::{BlockId, Dim, FuncId, Literal, Value};
use crate::dtype::{DType, Rounding};
use crate::ops;

/// A constant scalar; its type is its result's.
#[derive(Clone, Debug, PartialEq)]
pub struct Const {
    /// The value.
    pub value: Literal,
}

/// An elementwise op of one operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// Which.
    pub op: ops::UnaryOp,
    /// The operand.
    pub x: Value,
}

/// An elementwise op of two operands of one element type.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// Which.
    pub op: ops::BinaryOp,
    /// The left operand.
    pub x: Value,
    /// The right operand.
    pub y: Value,
}

/// An elementwise op of three operands of one element type.
#[derive(Clone, Debug, PartialEq)]
pub struct Ternary {
    /// Which.
    pub op: ops::TernaryOp,
    /// The first operand.
    pub x: Value,
    /// The second operand.
    pub y: Value,
    /// The third operand.
    pub z: Value,
}

/// A comparison of two operands of one element type; gives `i1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// Which.
    pub op: ops::CompareOp,
    /// The left operand.
    pub x: Value,
    /// The right operand.
    pub y: Value,
}

/// `x` where `condition` holds, else `y`.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// An `i1` scalar or tile.
    pub condition: Value,
    /// Taken where it is true.
    pub x: Value,
    /// Taken where it is false.
    pub y: Value,
}

/// Conversion to another element type: floats round as told, float to integer truncates, integers
/// wrap, to `i1` is `!= 0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cast {
    /// What is converted.
    pub x: Value,
    /// To what.
    pub to: DType,
    /// How a float type rounds what it does not hold.
    pub rounding: Rounding,
}

/// The same byte address as a pointer to another type, as an `i64`, or an `i64` as a pointer.
#[derive(Clone, Debug, PartialEq)]
pub struct PointerCast {
    /// A pointer or an `i64`.
    pub x: Value,
}

/// How two extents must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DimRule {
    /// Equal, or one of them 1; gives the other.
    Broadcast,
    /// Equal; gives it.
    Equal,
}

/// The extent that two extents agree on. Specialisation folds it, or reports that they do not.
#[derive(Clone, Debug, PartialEq)]
pub struct Extent {
    /// How they must agree.
    pub rule: DimRule,
    /// One extent, `i64`.
    pub x: Value,
    /// The other.
    pub y: Value,
    /// Whose extents they are, for the message: "the operands of `+`".
    pub what: String,
    /// The axis of the result, for the message.
    pub axis: u32,
}

/// This program's coordinate in the launch; `i64`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramId {
    /// 0, 1 or 2.
    pub axis: u32,
}

/// The launch's extent along an axis; `i64`.
#[derive(Clone, Debug, PartialEq)]
pub struct NumPrograms {
    /// 0, 1 or 2.
    pub axis: u32,
}

/// A tile filled with one scalar.
#[derive(Clone, Debug, PartialEq)]
pub struct Full {
    /// The scalar, of the tile's element type.
    pub value: Value,
}

/// The tile `start, start + 1, …` along one axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Arange {
    /// The first element.
    pub start: i64,
}

/// The same elements in row-major order under another shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    /// What is reshaped.
    pub x: Value,
}

/// Axes permuted: axis `i` of the result is axis `axes[i]` of `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Transpose {
    /// What is permuted.
    pub x: Value,
    /// The permutation.
    pub axes: Vec<u32>,
}

/// An axis of extent 1 inserted before `axis`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpandDims {
    /// What is viewed.
    pub x: Value,
    /// Where the new axis is in the result.
    pub axis: u32,
}

/// A tile repeated to the shape of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// What is repeated.
    pub x: Value,
}

/// The elements of a view laid out row by row in a buffer of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    /// What is copied.
    pub x: Value,
}

/// A reduction along one axis, or of all elements to a tile of rank 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// Which.
    pub op: ops::ReduceOp,
    /// What is reduced.
    pub x: Value,
    /// The axis that goes; `None` for all.
    pub axis: Option<u32>,
    /// Whether the axis stays with extent 1.
    pub keep_dims: bool,
}

/// `a @ b (+ acc)`: `[m, k] · [k, n]`, or one for each of a batch where a first axis counts them;
/// accumulated in `f32` (`i32` for `i8`, `f64` for `f64`)
/// and rounded once to the result's type.
#[derive(Clone, Debug, PartialEq)]
pub struct Dot {
    /// `[m, k]` or `[batch, m, k]`.
    pub a: Value,
    /// `[k, n]` or `[batch, k, n]`; of the type of `a`, or both of 8-bit float types.
    pub b: Value,
    /// `[m, n]` or `[batch, m, n]`, of the result's type.
    pub acc: Option<Value>,
}

/// Calls a function of the module; gone after inlining.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which.
    pub callee: FuncId,
    /// Its arguments.
    pub args: Vec<Value>,
}

/// Runs `body` for each `i` of `lo, lo + step, …` below `hi` (above, for a negative step). The
/// body's arguments are `i` and the carried values; it ends in [`Yield`] of the next carried
/// values. The results are the last ones.
#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// First.
    pub lo: Value,
    /// End, not taken.
    pub hi: Value,
    /// Distance, not zero.
    pub step: Value,
    /// The carried values before the first iteration.
    pub inits: Vec<Value>,
    /// The body.
    pub body: BlockId,
    /// Whether it must be unrolled (`static_range`).
    pub unroll: bool,
    /// How many iterations' loads may overlap (`num_stages`); 1 for none.
    pub stages: u32,
}

/// Runs `body` while a condition holds. Both blocks take the carried values; `test` ends in
/// [`Condition`], `body` in [`Yield`].
#[derive(Clone, Debug, PartialEq)]
pub struct While {
    /// The carried values before the first test.
    pub inits: Vec<Value>,
    /// Decides.
    pub test: BlockId,
    /// The body.
    pub body: BlockId,
}

/// Runs one of two blocks, each ending in [`Yield`] of the results.
#[derive(Clone, Debug, PartialEq)]
pub struct If {
    /// `i1` scalar.
    pub condition: Value,
    /// Run where it is true.
    pub then: BlockId,
    /// Run where it is false.
    pub otherwise: BlockId,
}

/// Ends a block of [`For`], [`While`] or [`If`].
#[derive(Clone, Debug, PartialEq)]
pub struct Yield {
    /// What goes on.
    pub values: Vec<Value>,
}

/// Ends the test of a [`While`].
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// `i1` scalar: whether the body runs.
    pub condition: Value,
    /// What the body takes, or what the loop gives.
    pub values: Vec<Value>,
}

/// Ends a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Return {
    /// What it gives.
    pub values: Vec<Value>,
}

/// Refuses the launch unless a scalar holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Assert {
    /// `i1` scalar.
    pub condition: Value,
    /// What to say.
    pub message: String,
}

/// What running an op does beside defining its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing: it may be removed, merged or moved.
    Pure,
    /// Reads memory that others may write.
    Reads,
    /// Writes memory, sends, receives or checks: it stays, in order.
    Writes,
    /// Decides what runs.
    Control,
}

/// The values that something uses, to read and to change.
pub trait Uses {
    /// Calls `visit` with each, in order.
    fn for_each_use(&self, visit: &mut dyn FnMut(Value));
    /// Replaces each by what `replace` gives for it.
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value);
}

impl Uses for Value {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        visit(*self);
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        *self = replace(*self);
    }
}

impl Uses for Dim {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        if let Dim::Value(value) = self {
            visit(*value);
        }
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        if let Dim::Value(value) = self {
            *value = replace(*value);
        }
    }
}

impl<T: Uses> Uses for Option<T> {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        self.iter().for_each(|it| it.for_each_use(visit));
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        self.iter_mut().for_each(|it| it.replace_uses(replace));
    }
}

impl<T: Uses> Uses for Vec<T> {
    fn for_each_use(&self, visit: &mut dyn FnMut(Value)) {
        self.iter().for_each(|it| it.for_each_use(visit));
    }
    fn replace_uses(&mut self, replace: &mut dyn FnMut(Value) -> Value) {
        self.iter_mut().for_each(|it| it.replace_uses(replace));
    }
}

/// Makes [`Op`] and [`Visit`] from rows `name: Struct, Effect, [fields that hold values], [blocks];`.
macro_rules! ops {
    ($($name:ident: $Struct:ident, $effect:ident, [$($field:ident),*], [$($block:ident),*];)*) => {
        /// An op of the IR.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op { $(#[doc = concat!("See [`", stringify!($Struct), "`](struct@", stringify!($Struct), ").")] $Struct($Struct),)* }

        /// What each op means to one consumer.
        pub trait Visit {
            /// What the consumer computes for an op.
            type Out;
            $(
                #[doc = concat!("The meaning of [`", stringify!($Struct), "`](struct@", stringify!($Struct), ").")]
                fn $name(&mut self, it: &$Struct) -> Self::Out;
            )*
        }

        /// The name of every kind of op, in the order of the list. See [`Op::kind_name`].
        pub const OP_KINDS: &[&str] = &[$(stringify!($name),)*];

        impl Op {
            /// Hands this op to `visitor`'s method for it.
            pub fn visit<V: Visit>(&self, visitor: &mut V) -> V::Out {
                match self { $(Op::$Struct(it) => visitor.$name(it),)* }
            }

            /// What running it does beside defining its results.
            pub const fn effect(&self) -> Effect {
                match self { $(Op::$Struct(_) => Effect::$effect,)* }
            }

            /// The name of the kind of op. Elementwise ops are spelt by their table's name instead.
            pub const fn kind_name(&self) -> &'static str {
                match self { $(Op::$Struct(_) => stringify!($name),)* }
            }

            /// The blocks it owns, in order.
            pub fn blocks(&self) -> Vec<BlockId> {
                match self { $(Op::$Struct(_it) => vec![$(_it.$block),*],)* }
            }

            /// The same, to change.
            pub fn blocks_mut(&mut self) -> Vec<&mut BlockId> {
                match self { $(Op::$Struct(_it) => vec![$(&mut _it.$block),*],)* }
            }
        }

        /// The values an op uses; those in its blocks and in its results' types are not among them.
        impl Uses for Op {
            fn for_each_use(&self, _visit: &mut dyn FnMut(Value)) {
                match self { $(Op::$Struct(_it) => { $(_it.$field.for_each_use(_visit);)* })* }
            }
            fn replace_uses(&mut self, _replace: &mut dyn FnMut(Value) -> Value) {
                match self { $(Op::$Struct(_it) => { $(_it.$field.replace_uses(_replace);)* })* }
            }
        }

        $(impl From<$Struct> for Op {
            fn from(it: $Struct) -> Op { Op::$Struct(it) }
        })*
    };
}

ops! {
    constant: Const, Pure, [], [];
    unary: Unary, Pure, [x], [];
    binary: Binary, Pure, [x, y], [];
    ternary: Ternary, Pure, [x, y, z], [];
    compare: Compare, Pure, [x, y], [];
    select: Select, Pure, [condition, x, y], [];
    cast: Cast, Pure, [x], [];
    pointer_cast: PointerCast, Pure, [x], [];
    extent: Extent, Pure, [x, y], [];
    program_id: ProgramId, Pure, [], [];
    num_programs: NumPrograms, Pure, [], [];
    full: Full, Pure, [value], [];
    arange: Arange, Pure, [], [];
    reshape: Reshape, Pure, [x], [];
    transpose: Transpose, Pure, [x], [];
    expand_dims: ExpandDims, Pure, [x], [];
    broadcast: Broadcast, Pure, [x], [];
    slice: Slice, Pure, [x], [];
    flip: Flip, Pure, [x], [];
    bitcast: Bitcast, Pure, [x], [];
    copy: Copy, Pure, [x], [];
    concat: Concat, Pure, [x, y], [];
    reduce: Reduce, Pure, [x], [];
    scan: Scan, Pure, [x], [];
    sort: Sort, Pure, [x], [];
    gather: Gather, Pure, [x, index], [];
    histogram: Histogram, Pure, [x, mask], [];
    reduce_by: ReduceBy, Pure, [xs], [combine];
    scan_by: ScanBy, Pure, [xs], [combine];
    dot: Dot, Pure, [a, b, acc], [];
    load: Load, Reads, [ptr], [];
    store: Store, Writes, [ptr, value], [];
    gather_load: GatherLoad, Reads, [ptr, offsets, mask, other], [];
    scatter_store: ScatterStore, Writes, [ptr, offsets, value, mask], [];
    inspect: Inspect, Writes, [x], [];
    atomic: Atomic, Writes, [ptr, offsets, value, expected, mask], [];
    dma_read: DmaRead, Reads, [base, window, fill], [];
    dma_write: DmaWrite, Writes, [base, window, value], [];
    composite: Composite, Writes, [a, b, out, sizes, epilogue], [];
    send: Send, Writes, [src], [];
    recv: Recv, Writes, [dst], [];
    stream: Stream, Writes, [acc], [];
    recv_async: RecvAsync, Writes, [], [];
    wait: Wait, Writes, [future], [];
    channel: Channel, Writes, [numbers], [];
    release: Release, Writes, [tile], [];
    assert: Assert, Writes, [condition], [];
    call: Call, Writes, [args], [];
    for_loop: For, Control, [lo, hi, step, inits], [body];
    while_loop: While, Control, [inits], [test, body];
    branch: If, Control, [condition], [then, otherwise];
    yields: Yield, Control, [values], [];
    condition: Condition, Control, [condition, values], [];
    returns: Return, Control, [values], [];
}

impl Op {
    /// Whether it ends a block.
    pub const fn is_terminator(&self) -> bool {
        matches!(self, Op::Yield(_) | Op::Condition(_) | Op::Return(_))
    }

    /// Whether its result is its operand's bytes under another shape, order or element type.
    pub const fn is_view(&self) -> bool {
        matches!(
            self,
            Op::Reshape(_)
                | Op::Transpose(_)
                | Op::ExpandDims(_)
                | Op::Broadcast(_)
                | Op::Slice(_)
                | Op::Flip(_)
                | Op::Bitcast(_)
        )
    }
}
