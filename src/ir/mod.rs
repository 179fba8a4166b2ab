//! The typed tile IR: SSA values in structured control flow.
//!
//! A [`Module`] is a set of functions; a [`Function`] is a tree of blocks whose ops define values
//! once. Loops and branches are ops that own blocks and pass values through `yield`. A tile's
//! extents are [`Dim`]s: constants, or `i64` values that specialisation makes constant; so the
//! type of a value may use other values, which must be defined before it.
//!
//! Spans lie beside the ops, so ops compare and print without them. Elementwise ops broadcast
//! their operands, scalars included, to the shape of their result.
//!
//! - `types`, `op` (the list of all ops) with `memory_op`, `message_op`, `tile_op`, `composite` and
//!   [`channel`]: what there is;
//! - `walk`, `layout`: walking, substituting, and where the elements of a value lie;
//! - [`mod@print`], [`parse`]: the text form, in both directions;
//! - [`verify`]: the rules, which every pass must keep;
//! - [`eval`], [`interpret`]: the meaning, of scalar ops and of whole programs.

pub mod channel;
mod composite;
pub mod eval;
pub mod interpret;
mod layout;
mod memory_op;
mod message_op;
mod op;
pub mod parse;
pub mod print;
mod tile_op;
mod types;
pub mod verify;
mod walk;

pub use channel::{Asked, Channel, Verb};
pub use composite::{Composite, End, EpilogueStep, Head, MAX_STEP_OPERANDS, Scope, StepOp};
pub use layout::Reading;
pub use memory_op::{
    Atomic, Clip, DmaDesc, DmaDim, DmaRead, DmaWrite, GatherLoad, Load, ScatterStore, Store,
    Window, Wrap,
};
pub use message_op::{MAX_STREAM_OUTPUTS, Recv, RecvAsync, Release, Send, Stream, Wait};
pub use op::{
    Arange, Assert, Binary, Broadcast, Call, Cast, Compare, Condition, Const, Copy, DimRule, Dot,
    Effect, ExpandDims, Extent, For, Full, If, NumPrograms, OP_KINDS, Op, PointerCast, ProgramId,
    Reduce, Reshape, Return, Select, Ternary, Transpose, Unary, Uses, Visit, While, Yield,
};
pub use tile_op::{
    Bitcast, Concat, Flip, Gather, Histogram, Inspect, Inspection, ReduceBy, Scan, ScanBy, Slice,
    Sort, SortKind,
};
pub use types::{Dim, Literal, TileType, Type};
pub use walk::{Cloner, MAX_DEPTH, Nest, Substitution, UseCounts};

use std::collections::BTreeMap;

use crate::arena::{Arena, SideTable};
use crate::id;
use crate::source::Span;

id! {
    /// A function of a module.
    FuncId, "f";
    /// An op of a function.
    OpId, "op";
    /// A block of a function.
    BlockId, "^";
    /// A value of a function.
    Value, "%";
    /// A stretch of TCM that the allocation pass has given to values.
    BufferId, "buf";
}

/// The most axes of a transfer that has a [`Window`].
pub const MAX_WINDOW_AXES: usize = 5;

/// Kernels and the functions they call.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Every function; kernels first, in source order.
    pub functions: Arena<FuncId, Function>,
}

/// A kernel, or a function called by one.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name; instances of one helper are told apart by `.1`, `.2`, ….
    pub name: String,
    /// Whether a launch may name it.
    pub is_kernel: bool,
    /// Its parameters: the arguments of its entry block, named.
    pub params: Vec<Param>,
    /// The types it returns; empty for kernels. A returned tile's symbolic extents are parameters
    /// or are returned before it, and are then named by the caller's results.
    pub results: Vec<Type>,
    /// Where it begins.
    pub entry: BlockId,
    /// Every value.
    pub values: Arena<Value, ValueData>,
    /// Every op.
    pub ops: Arena<OpId, OpData>,
    /// Every block.
    pub blocks: Arena<BlockId, Block>,
    /// Where each op was written.
    pub spans: SideTable<OpId, Span>,
    /// What the allocation pass gave out; empty before it.
    pub buffers: Arena<BufferId, Buffer>,
    /// The text of its signature.
    pub span: Span,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// The argument of the entry block.
    pub value: Value,
    /// Whether it was annotated `tl.constexpr`: it must be bound before lowering.
    pub is_constexpr: bool,
    /// Its text.
    pub span: Span,
}

/// What is known of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueData {
    /// Its type.
    pub ty: Type,
    /// The name of the variable it was first bound to, for messages and for reading.
    pub name: Option<String>,
    /// What defines it.
    pub def: Def,
    /// Where its bytes are; `None` before allocation, and for what has no bytes.
    pub storage: Option<Storage>,
}

/// What defines a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Def {
    /// The `index`-th result of an op.
    Result(OpId, u32),
    /// The `index`-th argument of a block.
    Argument(BlockId, u32),
}

/// Where a tile's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Storage {
    /// In a buffer of its own.
    Buffer(BufferId),
    /// In a slot of a receive queue, until it is released.
    Slot,
    /// Wherever another value's bytes are: a view of it, or the value that a loop or branch
    /// carried here.
    Alias,
}

/// A stretch of TCM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Its first byte, from the start of scratch.
    pub offset: u64,
    /// The size of one copy.
    pub bytes: u64,
    /// How many copies lie one after another. A loop that carries a value out of one iteration
    /// while the next makes its successor needs more than one.
    pub copies: u32,
}

/// A straight run of ops.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Its arguments: a loop's induction variable and carried values, a kernel's parameters.
    pub args: Vec<Value>,
    /// Its ops; the last is a terminator (`yield`, `condition`, `return`).
    pub ops: Vec<OpId>,
}

/// An op and what it defines.
#[derive(Clone, Debug, PartialEq)]
pub struct OpData {
    /// The op.
    pub op: Op,
    /// What it defines.
    pub results: Vec<Value>,
}

/// What a launch says of a kernel: plain data, so that passes need no machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bindings {
    /// The value of each scalar and pointer parameter, by name.
    pub params: BTreeMap<String, Literal>,
    /// `num_programs` of axes 0, 1 and 2.
    pub num_programs: [u32; 3],
}

/// What a kernel must fit into.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Bytes of TCM left for tiles once receive slots and the reserved part are taken off.
    pub tcm_bytes: u64,
    /// The whole TCM, for messages.
    pub tcm_total: u64,
    /// Bytes that the scheduler keeps, for the tiles of composites.
    pub tcm_reserved: u64,
    /// How composites are cut.
    pub pipeline: TilePipeline,
    /// The longest loop that `static_range` may unroll, in ops made.
    pub unrolled_ops: u64,
}

/// How the scheduler cuts a composite into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TilePipeline {
    /// The extents of a tile along m, n and k.
    pub tile: [u64; 3],
    /// Places in TCM for each stream of tiles.
    pub buffers: u64,
}

impl Function {
    /// An empty function whose entry block has no arguments yet.
    pub fn new(name: impl Into<String>, is_kernel: bool, span: Span) -> Function {
        let mut blocks = Arena::new();
        let entry = blocks.push(Block::default());
        Function {
            name: name.into(),
            is_kernel,
            params: Vec::new(),
            results: Vec::new(),
            entry,
            values: Arena::new(),
            ops: Arena::new(),
            blocks,
            spans: SideTable::new(),
            buffers: Arena::new(),
            span,
        }
    }

    /// Adds a parameter at the end.
    pub fn add_param(
        &mut self,
        name: impl Into<String>,
        ty: Type,
        is_constexpr: bool,
        span: Span,
    ) -> Value {
        let name = name.into();
        let value = self.add_argument(self.entry, ty, Some(name.clone()));
        self.params.push(Param { name, value, is_constexpr, span });
        value
    }

    /// An empty block.
    pub fn add_block(&mut self) -> BlockId {
        self.blocks.push(Block::default())
    }

    /// Adds an argument to `block`.
    pub fn add_argument(&mut self, block: BlockId, ty: Type, name: Option<String>) -> Value {
        let index = self.blocks[block].args.len() as u32;
        let def = Def::Argument(block, index);
        let value = self.values.push(ValueData { ty, name, def, storage: None });
        self.blocks[block].args.push(value);
        value
    }

    /// Makes an op that no block holds yet, with results of these types.
    pub fn make_op(&mut self, op: impl Into<Op>, types: Vec<Type>, span: Span) -> OpId {
        let id = self.ops.push(OpData { op: op.into(), results: Vec::new() });
        let results = types
            .into_iter()
            .enumerate()
            .map(|(index, ty)| {
                let def = Def::Result(id, index as u32);
                self.values.push(ValueData { ty, name: None, def, storage: None })
            })
            .collect();
        self.ops[id].results = results;
        self.spans.set(id, span);
        id
    }

    /// Adds a result to `op`, after those that it has.
    pub fn add_result(&mut self, op: OpId, ty: Type) -> Value {
        let def = Def::Result(op, self.ops[op].results.len() as u32);
        let value = self.values.push(ValueData { ty, name: None, def, storage: None });
        self.ops[op].results.push(value);
        value
    }

    /// Makes an op at the end of `block`.
    pub fn append(
        &mut self,
        block: BlockId,
        op: impl Into<Op>,
        types: Vec<Type>,
        span: Span,
    ) -> OpId {
        let id = self.make_op(op, types, span);
        self.blocks[block].ops.push(id);
        id
    }

    /// Makes an op with one result at the end of `block`, and returns the result.
    pub fn append_value(
        &mut self,
        block: BlockId,
        op: impl Into<Op>,
        ty: Type,
        span: Span,
    ) -> Value {
        let id = self.append(block, op, vec![ty], span);
        self.result(id)
    }

    /// The first result of `op`.
    ///
    /// # Panics
    /// If it has none.
    pub fn result(&self, op: OpId) -> Value {
        *self.ops[op].results.first().expect("the op has a result")
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.values[value].ty
    }

    /// The op that defines `value`, unless a block's argument does.
    pub fn defining_op(&self, value: Value) -> Option<OpId> {
        match self.values[value].def {
            Def::Result(op, _) => Some(op),
            Def::Argument(..) => None,
        }
    }

    /// Where `value` was made: its op's text, or its parameter's.
    pub fn value_span(&self, value: Value) -> Span {
        if let Some(op) = self.defining_op(value) {
            return self.spans[op];
        }
        let param = self.params.iter().find(|param| param.value == value);
        param.map_or(Span::NONE, |param| param.span)
    }

    /// The constant that defines `value`, if one does.
    pub fn literal(&self, value: Value) -> Option<Literal> {
        let Op::Const(constant) = &self.ops[self.defining_op(value)?].op else { return None };
        Some(constant.value)
    }

    /// The extent that `dim` stands for, if it is known.
    pub fn extent(&self, dim: Dim) -> Option<i64> {
        match dim {
            Dim::Const(extent) => Some(extent),
            Dim::Value(value) => self.literal(value).and_then(Literal::as_int),
        }
    }

    /// What to call `value` in a message: its variable's name, or its number.
    pub fn display_name(&self, value: Value) -> String {
        self.values[value].name.clone().unwrap_or_else(|| value.to_string())
    }
}

impl Module {
    /// The kernel named `name`.
    pub fn kernel(&self, name: &str) -> Option<FuncId> {
        self.kernels().find(|id| self.functions[*id].name == name)
    }

    /// Every kernel, in source order.
    pub fn kernels(&self) -> impl Iterator<Item = FuncId> + '_ {
        self.functions.iter().filter(|(_, function)| function.is_kernel).map(|(id, _)| id)
    }
}
