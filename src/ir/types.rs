//! Types and literals of the IR.

use std::fmt;

use super::Value;
use crate::dtype::DType;
use crate::shape::Shape;

/// One extent of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dim {
    /// Known.
    Const(i64),
    /// An `i64` value that the launch makes known.
    Value(Value),
}

/// A tile: a dense array in local memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TileType {
    /// Its extents, outermost first.
    pub dims: Vec<Dim>,
    /// Its element type.
    pub dtype: DType,
}

impl TileType {
    /// A tile type.
    pub fn new(dims: Vec<Dim>, dtype: DType) -> TileType {
        TileType { dims, dtype }
    }

    /// Its shape, if every extent is known and none is negative.
    pub fn shape(&self) -> Option<Shape> {
        let known = |dim: &Dim| match dim {
            Dim::Const(extent) => u64::try_from(*extent).ok(),
            Dim::Value(_) => None,
        };
        self.dims.iter().map(known).collect::<Option<Vec<u64>>>().map(Shape)
    }

    /// Its size in bytes, if its shape is known.
    pub fn bytes(&self) -> Option<u64> {
        self.shape().map(|shape| shape.elements().saturating_mul(self.dtype.bytes()))
    }
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// One element, held by PE_CPU.
    Scalar(DType),
    /// An address that counts elements of a type.
    Pointer(DType),
    /// A tile.
    Tile(TileType),
    /// A tile that is still to arrive.
    Future(TileType),
    /// The end of a composite that is still to come.
    Completion,
}

impl Type {
    /// `i64`: extents, byte addresses, loop variables.
    pub const I64: Type = Type::Scalar(DType::I64);
    /// `i1`: conditions.
    pub const BOOL: Type = Type::Scalar(DType::I1);

    /// The tile this is, or that it promises.
    pub fn tile(&self) -> Option<&TileType> {
        match self {
            Type::Tile(tile) | Type::Future(tile) => Some(tile),
            Type::Scalar(_) | Type::Pointer(_) | Type::Completion => None,
        }
    }

    /// The same, to change.
    pub fn tile_mut(&mut self) -> Option<&mut TileType> {
        match self {
            Type::Tile(tile) | Type::Future(tile) => Some(tile),
            Type::Scalar(_) | Type::Pointer(_) | Type::Completion => None,
        }
    }

    /// The element type; of a pointer, what it points at; of a completion, its number's.
    pub fn dtype(&self) -> DType {
        match self {
            Type::Scalar(dtype) | Type::Pointer(dtype) => *dtype,
            Type::Tile(tile) | Type::Future(tile) => tile.dtype,
            Type::Completion => DType::I64,
        }
    }
}

/// A compile-time scalar. Integers of every width and truth values are `Int` (0 and 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Literal {
    /// An integer; `u64` by its bits.
    Int(i64),
    /// A float.
    Float(f64),
}

impl Literal {
    /// The integer, if it is one.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Literal::Int(value) => Some(value),
            Literal::Float(_) => None,
        }
    }

    /// Whether two constants are the same bits: `-0.0` is not `0.0`, and a NaN is itself.
    pub fn same_bits(x: Literal, y: Literal) -> bool {
        match (x, y) {
            (Literal::Int(x), Literal::Int(y)) => x == y,
            (Literal::Float(x), Literal::Float(y)) => {
                x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan())
            }
            (Literal::Int(_), Literal::Float(_)) | (Literal::Float(_), Literal::Int(_)) => false,
        }
    }

    /// The value as a float.
    pub fn as_float(self) -> f64 {
        match self {
            Literal::Int(value) => value as f64,
            Literal::Float(value) => value,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Const(extent) => write!(f, "{extent}"),
            Dim::Value(value) => write!(f, "{value}"),
        }
    }
}

/// `64x%n x f16` is written `64x%3xf16`.
impl fmt::Display for TileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for dim in &self.dims {
            write!(f, "{dim}x")?;
        }
        write!(f, "{}", self.dtype)
    }
}

/// `f32`, `*f16`, `tile<64x32xf16>`, `future<64xf16>`, `completion`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Scalar(dtype) => write!(f, "{dtype}"),
            Type::Pointer(dtype) => write!(f, "*{dtype}"),
            Type::Tile(tile) => write!(f, "tile<{tile}>"),
            Type::Future(tile) => write!(f, "future<{tile}>"),
            Type::Completion => f.write_str("completion"),
        }
    }
}
