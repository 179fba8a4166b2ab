//! The op tables: the one place where each elementwise and reduction op is defined.
//!
//! A row gives the op's name (in the text IR and, with `tl.` before it, in the language), its
//! variant, its cost class, the types it takes and its meaning on one element. The enums, the
//! parser and printer of the IR, `tl`'s built-ins, the replay and `docs/ops.md` all come from
//! these tables, so a new elementwise op is a one-row change.
//!
//! Meanings are written once and expanded for `f32`, `f64`, `i64` and `u64`: floats narrower
//! than 32 bits compute in `f32` and round once at the end; integers compute in 64 bits of their
//! own signedness and wrap to their width at the end.

mod atomic;
mod binary;
mod compare;
mod float32;
mod reduce;
mod scalar;
mod ternary;
mod unary;

pub use atomic::AtomicOp;
pub use binary::BinaryOp;
pub use compare::CompareOp;
pub use reduce::ReduceOp;
pub use scalar::{Integer, Real};
pub use ternary::TernaryOp;
pub use unary::UnaryOp;

/// How expensive one element of an op is; the machine prices each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CostClass {
    /// One pass of the ALU: add, compare, select.
    Simple,
    /// Exponentials and what is made of them: exp, pow, tanh, sigmoid, erf.
    Exponential,
    /// Logarithms.
    Logarithm,
    /// Square root and its reciprocal.
    Root,
    /// Sine and cosine.
    Trigonometric,
    /// Quotients and remainders.
    Division,
}

/// Which element types an op takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Integers and floats.
    Any,
    /// Floats only.
    Float,
    /// Integers only.
    Int,
}
