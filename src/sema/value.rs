//! What an expression of a kernel stands for while it is analysed.
//!
//! Numbers written in the program, strings, element types and tuples exist at compile time only;
//! scalars of the launch, tiles and futures are values of the IR.

use super::builtins::Builtin;
use super::program::{FunctionRef, UnitId};
use crate::dtype::DType;
use crate::ir;
use crate::source::Span;

/// A value that the compiler holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer.
    Int(i128),
    /// A float.
    Float(f64),
    /// A string.
    Str(String),
    /// An element type.
    DType(DType),
}

impl From<ir::Literal> for Constant {
    fn from(literal: ir::Literal) -> Constant {
        match literal {
            ir::Literal::Int(value) => Constant::Int(i128::from(value)),
            ir::Literal::Float(value) => Constant::Float(value),
        }
    }
}

impl Constant {
    /// The integer, if it is one; truth values count as 0 and 1.
    pub fn as_int(&self) -> Option<i128> {
        match self {
            Constant::Int(value) => Some(*value),
            Constant::Bool(value) => Some(i128::from(*value)),
            Constant::None | Constant::Float(_) | Constant::Str(_) | Constant::DType(_) => None,
        }
    }

    /// Whether it is a number; truth values count.
    pub fn is_number(&self) -> bool {
        matches!(self, Constant::Bool(_) | Constant::Int(_) | Constant::Float(_))
    }

    /// Whether Python takes it for true.
    pub fn is_true(&self) -> bool {
        match self {
            Constant::None => false,
            Constant::Bool(value) => *value,
            Constant::Int(value) => *value != 0,
            Constant::Float(value) => *value != 0.0,
            Constant::Str(text) => !text.is_empty(),
            Constant::DType(_) => true,
        }
    }
}

/// What `tl`, `triton` and imported modules are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// `triton.language`.
    Tl,
    /// `tl.math`.
    TlMath,
    /// `tl.extra`, or what it has for one vendor.
    Extra,
    /// `tl.extra.libdevice`.
    Libdevice,
    /// `tl.PropagateNan`.
    PropagateNan,
    /// `triton`.
    Triton,
    /// A module of the library.
    Library(UnitId),
}

/// Something with a name that a kernel may call or look into.
#[derive(Clone, Debug)]
pub(super) enum Val {
    /// Already reported; whatever uses it is silent.
    Error,
    /// Held by the compiler.
    Const(Constant),
    /// A tuple or list.
    Tuple(Vec<Val>),
    /// A scalar, tile or future.
    Value(ir::Value),
    /// An address that counts elements, of a `@triton.jit` kernel.
    Pointer(Pointer),
    /// A tensor descriptor or a block pointer.
    View(Box<BlockView>),
    /// Something of the plan that a kernel of channels makes.
    Handle(Box<Handle>),
    /// `tl.pointer_type(…)`.
    PointerType(DType),
    /// A function of the program.
    Function(FunctionRef),
    /// A built-in function.
    Builtin(Builtin),
    /// A method of a value, such as `x.to`: the function takes the value first.
    Method(Box<Val>, Callee),
    /// A module.
    Namespace(Namespace),
    /// `range(…)`, `tl.range(…)` or `tl.static_range(…)`.
    Range(Box<Range>),
}

/// What a method calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Callee {
    /// A built-in function.
    Builtin(Builtin),
    /// A function of the library.
    Function(FunctionRef),
}

/// An address that counts elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// The pointer, of type [`ir::Type::Pointer`].
    pub(super) address: ir::Value,
    /// What is added to it for each element of a pointer tile: a tile of `i64` that counts
    /// elements. A scalar pointer has none.
    pub(super) offsets: Option<ir::Value>,
    /// What it points at.
    pub(super) dtype: DType,
    /// The text that says so.
    pub(super) because: Span,
}

/// How a [`BlockView`] was made, which decides what it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ViewKind {
    /// By `tl.make_tensor_descriptor`: what lies outside of the array is never touched.
    Descriptor,
    /// By `tl.ref`: a block without gaps that a composite streams; nothing else takes it.
    Reference,
    /// By `tl.make_block_ptr`: it has a place, and only the axes that an access names are checked.
    BlockPointer,
}

/// A strided array of which blocks of one shape are loaded and stored.
#[derive(Clone, Debug)]
pub(super) struct BlockView {
    /// How it was made.
    pub(super) kind: ViewKind,
    /// The first element of the array, a scalar pointer.
    pub(super) base: Pointer,
    /// Elements along each axis: integers, integer scalars, or single elements that were loaded.
    pub(super) shape: Vec<Val>,
    /// Elements from one to the next along each axis, in the same forms.
    pub(super) strides: Vec<Val>,
    /// Where the block begins, in elements along each axis; a descriptor has none.
    pub(super) offsets: Vec<Val>,
    /// The extents of a block: integers, or scalars that the launch decides.
    pub(super) block: Vec<Val>,
    /// Whether what lies outside of the array is loaded as NaN instead of 0.
    pub(super) nan: bool,
}

impl BlockView {
    /// Its parts as nested tuples.
    pub(super) fn parts(&self) -> Val {
        let axes = [&self.shape, &self.strides, &self.offsets, &self.block];
        let axes = axes.into_iter().map(|it| Val::Tuple(it.clone()));
        Val::Tuple(std::iter::once(Val::Pointer(self.base)).chain(axes).collect())
    }

    /// The same kind of view of other parts, as [`BlockView::parts`] gives them; of anything else,
    /// itself.
    pub(super) fn with_parts(&self, parts: &Val) -> BlockView {
        let Some(
            [
                Val::Pointer(base),
                Val::Tuple(shape),
                Val::Tuple(strides),
                Val::Tuple(offsets),
                Val::Tuple(block),
            ],
        ) = parts.items()
        else {
            return self.clone();
        };
        BlockView {
            base: *base,
            shape: shape.clone(),
            strides: strides.clone(),
            offsets: offsets.clone(),
            block: block.clone(),
            ..*self
        }
    }

    /// Whether both are views of one kind on elements of one type.
    pub(super) fn is_like(&self, other: &BlockView) -> bool {
        (self.kind, self.nan, self.base.dtype) == (other.kind, other.nan, other.base.dtype)
    }
}

/// What a [`Handle`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandleKind {
    /// A rank: its number.
    Rank,
    /// A memory channel: its number.
    MemoryChannel,
    /// A port channel: its number.
    PortChannel,
    /// A switch channel: its number.
    SwitchChannel,
    /// A switch channel as a rank sees it: its number, the rank.
    SwitchView,
    /// A buffer: its number, its rank.
    Buffer,
    /// Chunks of a buffer: their number.
    Chunk,
    /// A semaphore: its number.
    Semaphore,
    /// Thread blocks that share what is to be done: their numbers.
    Group,
    /// A loop over pieces of chunks: bytes of a piece, chunks.
    Pipeline,
}

impl HandleKind {
    /// What it is, in words.
    pub(super) const fn text(self) -> &'static str {
        match self {
            HandleKind::Rank => "a rank",
            HandleKind::MemoryChannel => "a memory channel",
            HandleKind::PortChannel => "a port channel",
            HandleKind::SwitchChannel => "a switch channel",
            HandleKind::SwitchView => "a switch channel of a rank",
            HandleKind::Buffer => "a buffer",
            HandleKind::Chunk => "a chunk",
            HandleKind::Semaphore => "a semaphore",
            HandleKind::Group => "a thread block group",
            HandleKind::Pipeline => "a loop iteration context",
        }
    }
}

/// Something of the plan that a kernel of channels makes: numbers that stand for it.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    /// What it stands for.
    pub(super) kind: HandleKind,
    /// Its numbers: integers, or scalars that the launch decides.
    pub(super) parts: Vec<Val>,
}

impl Handle {
    /// A handle as a value.
    pub(super) fn val(kind: HandleKind, parts: Vec<Val>) -> Val {
        Val::Handle(Box::new(Handle { kind, parts }))
    }
}

/// What a `for` walks.
#[derive(Clone, Debug)]
pub(super) struct Range {
    /// First.
    pub(super) lo: Val,
    /// End, not taken.
    pub(super) hi: Val,
    /// Distance.
    pub(super) step: Val,
    /// Whether it is `static_range`.
    pub(super) unroll: bool,
    /// How many iterations' loads may overlap.
    pub(super) stages: u32,
}

impl Val {
    /// `None`.
    pub(super) const NONE: Val = Val::Const(Constant::None);

    /// The integer `value`.
    pub(super) fn int(value: impl Into<i128>) -> Val {
        Val::Const(Constant::Int(value.into()))
    }

    /// Whether it was reported.
    pub(super) fn is_error(&self) -> bool {
        match self {
            Val::Error => true,
            Val::Tuple(items) => items.iter().any(Val::is_error),
            Val::Method(of, _) => of.is_error(),
            Val::Const(_)
            | Val::Value(_)
            | Val::Pointer(_)
            | Val::View(_)
            | Val::Handle(_)
            | Val::PointerType(_)
            | Val::Function(_)
            | Val::Builtin(_)
            | Val::Namespace(_)
            | Val::Range(_) => false,
        }
    }

    /// The constant, if it is one.
    pub(super) fn constant(&self) -> Option<&Constant> {
        if let Val::Const(constant) = self { Some(constant) } else { None }
    }

    /// The items, if it is a tuple.
    pub(super) fn items(&self) -> Option<&[Val]> {
        if let Val::Tuple(items) = self { Some(items) } else { None }
    }

    /// The text, if it is a string.
    pub(super) fn text(&self) -> Option<&str> {
        if let Val::Const(Constant::Str(text)) = self { Some(text) } else { None }
    }

    /// The value of the IR, if it is one.
    pub(super) fn value(&self) -> Option<ir::Value> {
        if let Val::Value(value) = self { Some(*value) } else { None }
    }

    /// Whether both are the same thing, so that joining them needs nothing.
    pub(super) fn is_same(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Error, _) | (_, Val::Error) => true,
            (Val::Const(a), Val::Const(b)) => a == b,
            (Val::Value(a), Val::Value(b)) => a == b,
            (Val::Pointer(a), Val::Pointer(b)) => a == b,
            (Val::View(a), Val::View(b)) => a.is_like(b) && a.parts().is_same(&b.parts()),
            (Val::Handle(a), Val::Handle(b)) => {
                let same = |(a, b): (&Val, &Val)| a.is_same(b);
                a.kind == b.kind
                    && a.parts.len() == b.parts.len()
                    && a.parts.iter().zip(&b.parts).all(same)
            }
            (Val::PointerType(a), Val::PointerType(b)) => a == b,
            (Val::Function(a), Val::Function(b)) => a == b,
            (Val::Builtin(a), Val::Builtin(b)) => a == b,
            (Val::Namespace(a), Val::Namespace(b)) => a == b,
            (Val::Tuple(a), Val::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b))
            }
            (
                Val::Const(_)
                | Val::Value(_)
                | Val::Pointer(_)
                | Val::View(_)
                | Val::Handle(_)
                | Val::PointerType(_)
                | Val::Function(_)
                | Val::Builtin(_)
                | Val::Namespace(_)
                | Val::Tuple(_)
                | Val::Method(..)
                | Val::Range(_),
                _,
            ) => false,
        }
    }

    /// The values of the IR in it, left to right.
    pub(super) fn leaves(&self) -> Vec<ir::Value> {
        match self {
            Val::Value(value) => vec![*value],
            Val::Pointer(it) => std::iter::once(it.address).chain(it.offsets).collect(),
            Val::View(view) => view.parts().leaves(),
            Val::Handle(handle) => handle.parts.iter().flat_map(Val::leaves).collect(),
            Val::Tuple(items) => items.iter().flat_map(Val::leaves).collect(),
            Val::Error
            | Val::Const(_)
            | Val::PointerType(_)
            | Val::Function(_)
            | Val::Builtin(_)
            | Val::Method(..)
            | Val::Namespace(_)
            | Val::Range(_) => Vec::new(),
        }
    }

    /// The same with its leaves replaced, left to right. `leaves` has as many as
    /// [`Val::leaves`] gives.
    pub(super) fn with_leaves(&self, leaves: &mut dyn Iterator<Item = ir::Value>) -> Val {
        match self {
            Val::Value(value) => Val::Value(leaves.next().unwrap_or(*value)),
            Val::Pointer(pointer) => {
                let address = leaves.next().unwrap_or(pointer.address);
                let offsets = pointer.offsets.map(|own| leaves.next().unwrap_or(own));
                Val::Pointer(Pointer { address, offsets, ..*pointer })
            }
            Val::View(view) => {
                Val::View(Box::new(view.with_parts(&view.parts().with_leaves(leaves))))
            }
            Val::Handle(handle) => {
                let parts = handle.parts.iter().map(|part| part.with_leaves(leaves)).collect();
                Handle::val(handle.kind, parts)
            }
            Val::Tuple(items) => {
                Val::Tuple(items.iter().map(|item| item.with_leaves(leaves)).collect())
            }
            Val::Error
            | Val::Const(_)
            | Val::PointerType(_)
            | Val::Function(_)
            | Val::Builtin(_)
            | Val::Method(..)
            | Val::Namespace(_)
            | Val::Range(_) => self.clone(),
        }
    }
}

/// A value and the text that gave it.
#[derive(Clone, Debug)]
pub(super) struct Spanned {
    /// The value.
    pub(super) val: Val,
    /// The text.
    pub(super) span: Span,
}
