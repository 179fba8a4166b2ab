//! What vector and matrix commands compute, on plain bytes. `docs/numerics.md` states the rules.

mod atomic;
pub(super) mod element;
mod elementwise;
mod lanes;
mod matmul;
mod operand;
mod reduce;
mod structured;
#[cfg(test)]
mod tests;

use operand::Operand;

use super::bytes::Bytes;
use crate::command::{ArgSpec, MathOp, MathSpec};
use crate::dtype::DType;
use crate::ir::Literal;
use crate::shape::Shape;

pub(super) use atomic::Operands;
pub(super) use element::{Element, with_element};
pub(super) use lanes::{addresses, fill, values};
pub(super) use matmul::{Factors, matmul};

/// Why a computation has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumericError {
    /// An integer is divided by zero, first at this place of the result.
    DivisionByZero {
        /// The place, counted row by row.
        place: usize,
    },
    /// A gather names an element that is not there, first at this place of the result.
    NoSuchElement {
        /// The place, counted row by row.
        place: usize,
        /// What is named.
        index: i64,
        /// How many elements there are.
        extent: u64,
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
    if spec.result_elements().saturating_mul(spec.out.bytes()) != out.len() as u64 {
        return Err(NumericError::Malformed("a result does not have the size of its tile"));
    }
    if out.is_empty() {
        return Ok(());
    }
    let is_plain = |arg: &ArgSpec| arg.offset == 0 && arg.strides.iter().all(|step| *step >= 0);
    if !spec.args.iter().all(is_plain) {
        return plainly(spec, inputs, out);
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

/// [`math`] of operands that begin anywhere in their tiles or go backwards: a tile is cut to where
/// the operand begins, or its elements are first put in the order in which they are read.
fn plainly(spec: &MathSpec, inputs: &[Input<'_>], out: &mut [u8]) -> Result<(), NumericError> {
    let mut spec = spec.clone();
    let mut ordered: Vec<Option<Bytes>> = Vec::new();
    for (index, (arg, input)) in spec.args.iter_mut().zip(inputs).enumerate() {
        let backwards = arg.strides.iter().any(|stride| *stride < 0);
        let Input::Tile(bytes) = input else {
            ordered.push(None);
            continue;
        };
        let shape = spec.op.arg_shape(index, &spec.shape);
        ordered.push(if backwards { Some(in_order(arg, bytes, &shape)?) } else { None });
        if backwards {
            *arg = ArgSpec { dtype: arg.dtype, offset: 0, strides: shape.row_major_strides() };
        }
    }
    let mut plain = Vec::with_capacity(inputs.len());
    for ((arg, input), ordered) in spec.args.iter_mut().zip(inputs).zip(&ordered) {
        plain.push(match (ordered, input) {
            (Some(bytes), _) => Input::Tile(bytes.as_slice()),
            (None, Input::Tile(bytes)) => {
                let start = std::mem::take(&mut arg.offset).saturating_mul(arg.dtype.bytes());
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                Input::Tile(bytes.get(start..).unwrap_or_default())
            }
            (None, Input::Scalar(value)) => Input::Scalar(*value),
        });
    }
    math(&spec, &plain, out)
}

/// The elements of a tile that `arg` reads over `shape`, row by row.
///
/// # Errors
/// Where it reads beyond the tile.
pub(super) fn elements(arg: &ArgSpec, bytes: &[u8], shape: &Shape) -> Result<Bytes, NumericError> {
    in_order(arg, bytes, shape)
}

/// The elements of an operand in the order in which it reads them.
fn in_order(arg: &ArgSpec, bytes: &[u8], shape: &Shape) -> Result<Bytes, NumericError> {
    let size = arg.dtype.bytes() as usize;
    let rows = shape.row_major_strides();
    let mut ordered = Bytes::zeroed(shape.elements() as usize * size);
    for (place, element) in ordered.as_mut_slice().chunks_exact_mut(size).enumerate() {
        let axes = shape.0.iter().zip(&rows).zip(&arg.strides);
        let step = |((extent, row), stride): ((&u64, &i64), &i64)| {
            (place as i64 / row) % *extent as i64 * stride
        };
        let at = arg.offset as i64 + axes.map(step).sum::<i64>();
        let from = usize::try_from(at).ok().and_then(|at| bytes.get(at * size..(at + 1) * size));
        let Some(from) = from else {
            return Err(NumericError::Malformed("an operand's strides reach outside its tile"));
        };
        element.copy_from_slice(from);
    }
    Ok(ordered)
}

fn operands<'a>(spec: &MathSpec, inputs: &[Input<'a>]) -> Result<Vec<Operand<'a>>, NumericError> {
    if spec.args.len() != inputs.len() {
        return Err(NumericError::Malformed("a command has other operands than its spec"));
    }
    let operand = |(index, (arg, input)): (usize, (&ArgSpec, &Input<'a>))| match *input {
        Input::Tile(bytes) => {
            let shape = spec.op.arg_shape(index, &spec.shape);
            Operand::tile(arg.dtype, bytes, &shape, &arg.strides)
        }
        Input::Scalar(value) => Ok(Operand::scalar(arg.dtype, value)),
    };
    spec.args.iter().zip(inputs).enumerate().map(operand).collect()
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
        (MathOp::Scan { op, axis, reverse }, [x]) => {
            structured::scan(op, (axis, reverse), (x, &spec.shape), (spec.out, out))
        }
        (MathOp::Sort { kind, descending }, [x]) => {
            structured::sort((kind, descending), (x, &spec.shape), (spec.out, out))
        }
        (MathOp::Concat { axis, first }, [x, y]) if x.dtype == spec.out => {
            structured::concat((axis, first), [x, y], &spec.shape, out)
        }
        (MathOp::Gather { axis, extent }, [x, index]) if x.dtype == spec.out => {
            structured::gather((axis, extent), [x, index], &spec.shape, out)
        }
        (MathOp::Histogram { bins }, [x, mask @ ..]) if spec.out == DType::I32 => {
            structured::histogram(bins, (x, mask.first()), &spec.shape, out)
        }
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
            | MathOp::Reduce(..)
            | MathOp::Scan { .. }
            | MathOp::Sort { .. }
            | MathOp::Concat { .. }
            | MathOp::Gather { .. }
            | MathOp::Inspect(..)
            | MathOp::Histogram { .. },
            _,
        ) => Err(NumericError::Malformed("a command has operands that its op does not take")),
    }
}
