//! Ops whose result at a place depends on their operands at that place alone.

use multiversion::multiversion;

use super::NumericError;
use super::element::{Lane, LaneKind, elements_mut, store, with_lane};
use super::operand::{BLOCK, Operand};
use crate::dtype::{DType, Rounding, convert};
use crate::ops::{BinaryOp, CompareOp, Integer, Real, TernaryOp, UnaryOp};

/// What each op means on blocks of a lane.
pub(super) trait Arithmetic: Lane {
    fn unary(op: UnaryOp, out: &mut [Self], x: &[Self]);
    fn binary(op: BinaryOp, out: &mut [Self], x: &[Self], y: &[Self]);
    fn ternary(op: TernaryOp, out: &mut [Self], args: [&[Self]; 3]);
    /// Puts the canonical NaN in place of every NaN.
    fn canonicalise(out: &mut [Self]);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn unary_real<T: Real>(op: UnaryOp, out: &mut [T], x: &[T]) {
    op.map_real(out, x);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn binary_real<T: Real>(op: BinaryOp, out: &mut [T], x: &[T], y: &[T]) {
    op.map_real(out, x, y);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn ternary_real<T: Real>(op: TernaryOp, out: &mut [T], args: [&[T]; 3]) {
    op.map_real(out, args[0], args[1], args[2]);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn unary_int<T: Integer>(op: UnaryOp, out: &mut [T], x: &[T]) {
    op.map_int(out, x);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn binary_int<T: Integer>(op: BinaryOp, out: &mut [T], x: &[T], y: &[T]) {
    op.map_int(out, x, y);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn ternary_int<T: Integer>(op: TernaryOp, out: &mut [T], args: [&[T]; 3]) {
    op.map_int(out, args[0], args[1], args[2]);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn map_in_place<T: Copy, F: Fn(T) -> T>(out: &mut [T], map: F) {
    for out in out {
        *out = map(*out);
    }
}

macro_rules! arithmetic {
    ($($Lane:ident, $unary:ident, $binary:ident, $ternary:ident, $canonicalise:expr;)*) => {$(
        impl Arithmetic for $Lane {
            fn unary(op: UnaryOp, out: &mut [Self], x: &[Self]) {
                $unary(op, out, x);
            }
            fn binary(op: BinaryOp, out: &mut [Self], x: &[Self], y: &[Self]) {
                $binary(op, out, x, y);
            }
            fn ternary(op: TernaryOp, out: &mut [Self], args: [&[Self]; 3]) {
                $ternary(op, out, args);
            }
            fn canonicalise(out: &mut [Self]) {
                let canonicalise: fn(&mut [Self]) = $canonicalise;
                canonicalise(out);
            }
        }
    )*};
}

arithmetic! {
    f32, unary_real, binary_real, ternary_real, |out| map_in_place(out, convert::canonical_f32);
    f64, unary_real, binary_real, ternary_real, |out| map_in_place(out, convert::canonical_f64);
    i64, unary_int, binary_int, ternary_int, |_| {};
    u64, unary_int, binary_int, ternary_int, |_| {};
}

/// Calls `compute(block, start)` for each block of lanes of a result, then stores the block.
fn for_each_block<L: Arithmetic>(
    dtype: DType,
    out: &mut [u8],
    mut compute: impl FnMut(&mut [L], usize) -> Result<(), NumericError>,
) -> Result<(), NumericError> {
    if dtype == L::DTYPE {
        for (index, block) in elements_mut::<L>(out).chunks_mut(BLOCK).enumerate() {
            compute(block, index * BLOCK)?;
            L::canonicalise(block);
        }
        return Ok(());
    }
    let size = dtype.bytes() as usize;
    let mut lanes = [L::default(); BLOCK];
    for (index, block) in out.chunks_mut(BLOCK * size).enumerate() {
        let lanes = &mut lanes[..block.len() / size];
        compute(lanes, index * BLOCK)?;
        store(dtype, lanes, block);
    }
    Ok(())
}

/// `out = op(x)`, both of `x`'s type or of the type of `out`.
pub(super) fn unary(
    op: UnaryOp,
    dtype: DType,
    x: &Operand<'_>,
    out: &mut [u8],
) -> Result<(), NumericError> {
    // Of a truth value, the complement is its negation, not all its other bits.
    if dtype == DType::I1 && op == UnaryOp::BitNot {
        let never = Operand::scalar(DType::I1, crate::ir::Literal::Int(0));
        return compare(CompareOp::Eq, x, &never, out);
    }
    with_lane!(LaneKind::of(dtype), L => {
        let mut buffer = [L::default(); BLOCK];
        for_each_block::<L>(dtype, out, |block, start| {
            let len = block.len();
            L::unary(op, block, x.lanes(start, &mut buffer[..len]));
            Ok(())
        })
    })
}

/// Whether `op` on integers divides by its second operand.
fn divides(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::IntDiv | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::FloorMod)
}

/// `out = op(x, y)`.
///
/// # Errors
/// The first place at which an integer is divided by zero.
pub(super) fn binary(
    op: BinaryOp,
    dtype: DType,
    [x, y]: [&Operand<'_>; 2],
    out: &mut [u8],
) -> Result<(), NumericError> {
    let checked = dtype.is_int() && divides(op);
    let mut zero = None;
    with_lane!(LaneKind::of(dtype), L => {
        let mut buffers = [[L::default(); BLOCK]; 2];
        for_each_block::<L>(dtype, out, |block, start| {
            let [left, right] = &mut buffers;
            let len = block.len();
            let (x, y) = (x.lanes(start, &mut left[..len]), y.lanes(start, &mut right[..len]));
            if checked && zero.is_none() {
                zero = y.iter().position(|y| *y == L::default()).map(|at| start + at);
            }
            L::binary(op, block, x, y);
            Ok(())
        })?;
    });
    zero.map_or(Ok(()), |place| Err(NumericError::DivisionByZero { place }))
}

/// `out = op(x, y, z)`.
pub(super) fn ternary(
    op: TernaryOp,
    dtype: DType,
    [x, y, z]: [&Operand<'_>; 3],
    out: &mut [u8],
) -> Result<(), NumericError> {
    with_lane!(LaneKind::of(dtype), L => {
        let mut buffers = [[L::default(); BLOCK]; 3];
        for_each_block::<L>(dtype, out, |block, start| {
            let [first, second, third] = &mut buffers;
            let len = block.len();
            let x = x.lanes(start, &mut first[..len]);
            let y = y.lanes(start, &mut second[..len]);
            let z = z.lanes(start, &mut third[..len]);
            L::ternary(op, block, [x, y, z]);
            Ok(())
        })
    })
}

/// `out = x op y`, one byte a place, 0 or 1.
pub(super) fn compare(
    op: CompareOp,
    x: &Operand<'_>,
    y: &Operand<'_>,
    out: &mut [u8],
) -> Result<(), NumericError> {
    with_lane!(LaneKind::of(x.dtype), L => {
        let mut buffers = [[L::default(); BLOCK]; 2];
        for (index, block) in out.chunks_mut(BLOCK).enumerate() {
            let [left, right] = &mut buffers;
            let (start, len) = (index * BLOCK, block.len());
            let (x, y) = (x.lanes(start, &mut left[..len]), y.lanes(start, &mut right[..len]));
            op.map(block, x, y);
        }
    });
    Ok(())
}

/// `out = x`, converted.
pub(super) fn cast(
    x: &Operand<'_>,
    rounding: Rounding,
    dtype: DType,
    out: &mut [u8],
) -> Result<(), NumericError> {
    if rounding == Rounding::TowardZero && dtype.is_float() {
        return cast_toward_zero(x, dtype, out);
    }
    with_lane!(cast_lane(x.dtype, dtype), L => {
        let mut buffer = [L::default(); BLOCK];
        for_each_block::<L>(dtype, out, |block, start| {
            let len = block.len();
            block.copy_from_slice(x.lanes(start, &mut buffer[..len]));
            Ok(())
        })
    })
}

/// `out = x`, converted to a float type, rounded toward zero: what is left to round is nothing.
fn cast_toward_zero(x: &Operand<'_>, dtype: DType, out: &mut [u8]) -> Result<(), NumericError> {
    let mut buffer = [0.0; BLOCK];
    for_each_block::<f64>(dtype, out, |block, start| {
        let len = block.len();
        for (out, x) in block.iter_mut().zip(x.lanes(start, &mut buffer[..len])) {
            *out = convert::toward_zero(dtype, *x);
        }
        Ok(())
    })
}

/// The lane that a conversion goes through: one that holds every value of `from` exactly, or in
/// which what does not fit is rounded as `ir::eval::wrap` rounds it.
fn cast_lane(from: DType, to: DType) -> LaneKind {
    let source = LaneKind::of(from);
    if source == LaneKind::F32 {
        LaneKind::F32
    } else if from.is_float() || to.is_float() {
        LaneKind::F64
    } else {
        source
    }
}

/// Evaluates `body` with `$B` the unsigned integer as wide as an element of `$dtype`.
macro_rules! with_bits {
    ($dtype:expr, $B:ident => $body:expr) => {
        match $dtype.bytes() {
            1 => {
                type $B = u8;
                $body
            }
            2 => {
                type $B = u16;
                $body
            }
            4 => {
                type $B = u32;
                $body
            }
            _ => {
                type $B = u64;
                $body
            }
        }
    };
}
pub(super) use with_bits;

/// `out = x`, bit by bit, laid out row by row.
pub(super) fn copy(x: &Operand<'_>, out: &mut [u8]) -> Result<(), NumericError> {
    if let Some(bytes) = x.dense_bytes() {
        out.copy_from_slice(&bytes[..out.len()]);
        return Ok(());
    }
    with_bits!(x.dtype, B => x.bits::<B>(0, elements_mut(out)));
    Ok(())
}

/// `out = condition ? x : y`, bit by bit.
pub(super) fn select(
    condition: &Operand<'_>,
    [x, y]: [&Operand<'_>; 2],
    out: &mut [u8],
) -> Result<(), NumericError> {
    if x.dtype != y.dtype {
        return Err(NumericError::Malformed("a select has operands of two types"));
    }
    with_bits!(x.dtype, B => {
        let (mut left, mut right) = ([B::default(); BLOCK], [B::default(); BLOCK]);
        let mut holds = [0_u64; BLOCK];
        for (index, block) in elements_mut::<B>(out).chunks_mut(BLOCK).enumerate() {
            let (start, len) = (index * BLOCK, block.len());
            x.bits(start, &mut left[..len]);
            y.bits(start, &mut right[..len]);
            let holds = condition.lanes(start, &mut holds[..len]);
            for (((out, x), y), holds) in block.iter_mut().zip(&left).zip(&right).zip(holds) {
                *out = if *holds != 0 { *x } else { *y };
            }
        }
    });
    Ok(())
}

/// `out = start, start + 1, …`.
pub(super) fn arange(first: i64, dtype: DType, out: &mut [u8]) -> Result<(), NumericError> {
    let mut lanes = [0_i64; BLOCK];
    let size = dtype.bytes() as usize;
    for (index, block) in out.chunks_mut(BLOCK * size).enumerate() {
        let start = first.wrapping_add((index * BLOCK) as i64);
        let lanes = &mut lanes[..block.len() / size];
        for (step, lane) in lanes.iter_mut().enumerate() {
            *lane = start.wrapping_add(step as i64);
        }
        store(dtype, lanes, block);
    }
    Ok(())
}
