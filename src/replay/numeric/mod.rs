//! What vector and matrix commands compute, on plain bytes. `docs/numerics.md` states the rules.

pub(super) mod element;
mod elementwise;
mod lanes;
mod matmul;
mod operand;
mod reduce;
#[cfg(test)]
mod tests;

use operand::Operand;

use super::bytes::Bytes;
use crate::command::{ArgSpec, MathOp, MathSpec};
use crate::dtype::DType;
use crate::ir::Literal;

pub(super) use element::{Element, with_element};
pub(super) use lanes::{addresses, values};
pub(super) use matmul::{Factors, matmul};

/// Why a computation has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumericError {
    /// An integer is divided by zero, first at this place of the result.
    DivisionByZero {
        /// The place, counted row by row.
        place: usize,
    },
    /// The command does not fit its operands: what is wrong. No verified program has one.
    Malformed(&'static str),
}

/// An operand of a vector command.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    /// The bytes of a tile.
    Tile(&'a [u8]),
    /// A scalar.
    Scalar(Literal),
}

/// Calls `compute` with `out`, or with an aligned stretch of its size that is then copied there.
fn with_aligned(
    out: &mut [u8],
    size: u64,
    compute: impl FnOnce(&mut [u8]) -> Result<(), NumericError>,
) -> Result<(), NumericError> {
    if (out.as_ptr() as usize).is_multiple_of(size as usize) {
        return compute(out);
    }
    let mut aligned = Bytes::zeroed(out.len());
    let result = compute(aligned.as_mut_slice());
    out.copy_from_slice(aligned.as_slice());
    result
}

/// Computes `spec` of `inputs` into `out`, which it does not read.
///
/// # Errors
/// Where an integer is divided by zero (the result is then 0 there, and complete) or where the
/// spec does not fit its operands.
pub(super) fn math(
    spec: &MathSpec,
    inputs: &[Input<'_>],
    out: &mut [u8],
) -> Result<(), NumericError> {
    if result_elements(spec).saturating_mul(spec.out.bytes()) != out.len() as u64 {
        return Err(NumericError::Malformed("a result does not have the size of its tile"));
    }
    if out.is_empty() {
        return Ok(());
    }
    if let MathOp::Reduce(op, axis) = spec.op {
        let ([arg], [Input::Tile(bytes)]) = (spec.args.as_slice(), inputs) else {
            return Err(NumericError::Malformed("a reduction has one tile"));
        };
        let from = (arg.dtype, *bytes);
        return with_aligned(out, spec.out.bytes(), |out| {
            reduce::reduce((op, axis), from, (&spec.shape, &arg.strides), (spec.out, out))
        });
    }
    let operands = operands(spec, inputs)?;
    with_aligned(out, spec.out.bytes(), |out| elementwise(spec, &operands, out))
}

/// Elements of the result.
fn result_elements(spec: &MathSpec) -> u64 {
    match spec.op {
        MathOp::Reduce(_, None) => 1,
        MathOp::Reduce(_, Some(axis)) => {
            let others = spec.shape.0.iter().enumerate().filter(|(at, _)| *at != axis as usize);
            others.fold(1, |count: u64, (_, extent)| count.saturating_mul(*extent))
        }
        MathOp::Unary(_)
        | MathOp::Binary(_)
        | MathOp::Ternary(_)
        | MathOp::Compare(_)
        | MathOp::Select
        | MathOp::Cast(_)
        | MathOp::Full
        | MathOp::Arange(_)
        | MathOp::Copy => spec.shape.elements(),
    }
}

fn operands<'a>(spec: &MathSpec, inputs: &[Input<'a>]) -> Result<Vec<Operand<'a>>, NumericError> {
    if spec.args.len() != inputs.len() {
        return Err(NumericError::Malformed("a command has other operands than its spec"));
    }
    let operand = |(arg, input): (&ArgSpec, &Input<'a>)| match *input {
        Input::Tile(bytes) => Operand::tile(arg.dtype, bytes, &spec.shape, &arg.strides),
        Input::Scalar(value) => Ok(Operand::scalar(arg.dtype, value)),
    };
    spec.args.iter().zip(inputs).map(operand).collect()
}

/// Every op but reductions.
fn elementwise(
    spec: &MathSpec,
    operands: &[Operand<'_>],
    out: &mut [u8],
) -> Result<(), NumericError> {
    match (spec.op, operands) {
        (MathOp::Unary(op), [x]) => elementwise::unary(op, spec.out, x, out),
        (MathOp::Binary(op), [x, y]) => elementwise::binary(op, spec.out, [x, y], out),
        (MathOp::Ternary(op), [x, y, z]) => elementwise::ternary(op, spec.out, [x, y, z], out),
        (MathOp::Compare(op), [x, y]) if spec.out == DType::I1 => {
            elementwise::compare(op, x, y, out)
        }
        (MathOp::Select, [condition, x, y]) if x.dtype == spec.out => {
            elementwise::select(condition, [x, y], out)
        }
        (MathOp::Cast(rounding), [x]) => elementwise::cast(x, rounding, spec.out, out),
        (MathOp::Full | MathOp::Copy, [x]) if x.dtype == spec.out => elementwise::copy(x, out),
        (MathOp::Arange(first), []) => elementwise::arange(first, spec.out, out),
        (
            MathOp::Unary(_)
            | MathOp::Binary(_)
            | MathOp::Ternary(_)
            | MathOp::Compare(_)
            | MathOp::Select
            | MathOp::Cast(_)
            | MathOp::Full
            | MathOp::Arange(_)
            | MathOp::Copy
            | MathOp::Reduce(..),
            _,
        ) => Err(NumericError::Malformed("a command has operands that its op does not take")),
    }
}
