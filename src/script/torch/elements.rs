//! Functions of `torch` on elements that are no ops of the machine: `round`, `sign`, `isnan`, `pow`, `outer`.

use super::fault;
use super::functions::{contents, tensor_of};
use super::tensor::value_of;
use crate::dtype::DType;
use crate::host::{Arithmetic, Array, HostError};
use crate::ops::BinaryOp;
use crate::script::args::{Args, Signature, missing, pure};
use crate::script::evaluator::Evaluator;
use crate::script::fault::Result;
use crate::script::object::Native;
use crate::script::value::Value;
use crate::shape::Shape;

/// All of them are methods of a tensor, too: the tensor is their first argument.
pub(super) const TABLE: &[Native] = &[
    pure("round", round),
    pure("sign", sign),
    pure("isnan", isnan),
    pure("isinf", isinf),
    pure("isfinite", isfinite),
    pure("pow", pow),
    pure("outer", outer),
];

/// What `of` makes of every element, as elements of `dtype`, or else of the tensor's own type.
fn each(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    (name, dtype): (&'static str, Option<DType>),
    of: fn(f64) -> f64,
) -> Result<Value> {
    let [input] = args.bind(Signature { name, params: ["input"] })?;
    let Some(input) = input else { return Err(missing(name, "input", args.span)) };
    let Some(array) = tensor_of(&input)?.read(evaluator, input.span)? else {
        return Ok(Value::Unknown(args.span));
    };
    // Integers are whole, finite, and too long for an `f64`: only their signs are asked for.
    if array.dtype().is_int() && name == "round" {
        return value_of(evaluator, Some(array.detached()), args.span);
    }
    let values = array.to_f64s().into_iter().map(of).collect();
    let made = Array::from_f64s(dtype.unwrap_or(array.dtype()), &array.shape(), values);
    value_of(evaluator, Some(made.map_err(|error| fault(error, args.span))?), args.span)
}

/// To the nearest integer, of two the even one.
fn round(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    each(evaluator, &args, ("round", None), f64::round_ties_even)
}

/// -1, 0 or 1; zero and NaN stay.
fn sign(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    each(evaluator, &args, ("sign", None), |it| match it {
        it if it > 0.0 => 1.0,
        it if it < 0.0 => -1.0,
        it => it,
    })
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn isnan(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    each(evaluator, &args, ("isnan", Some(DType::I1)), |it| truth(it.is_nan()))
}

fn isinf(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    each(evaluator, &args, ("isinf", Some(DType::I1)), |it| truth(it.is_infinite()))
}

fn isfinite(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    each(evaluator, &args, ("isfinite", Some(DType::I1)), |it| truth(it.is_finite()))
}

/// What `compute` makes of two arguments, the first of which is a tensor.
fn of_both(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    (name, params): (&'static str, [&'static str; 2]),
    compute: impl FnOnce(&Array, &Array) -> std::result::Result<Array, HostError>,
) -> Result<Value> {
    let [left, right] = args.bind(Signature { name, params })?;
    let (Some(left), Some(right)) = (left, right) else { return Ok(Value::None) };
    let dtype = tensor_of(&left)?.dtype(evaluator, left.span)?;
    let x = contents(evaluator, &left, dtype, "a tensor")?;
    let y = contents(evaluator, &right, dtype, "a tensor or a number")?;
    let (Some(x), Some(y)) = (x, y) else { return Ok(Value::Unknown(args.span)) };
    evaluator.spend(x.elements().max(y.elements()) / 64, args.span)?;
    let made = compute(&x, &y).map_err(|error| fault(error, args.span))?;
    value_of(evaluator, Some(made), args.span)
}

fn pow(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let names = ("pow", ["input", "exponent"]);
    of_both(evaluator, &args, names, |x, y| x.arithmetic(Arithmetic::Pow, y))
}

/// `outer(input, vec2)`: each element of one vector times each of the other.
fn outer(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    of_both(evaluator, &args, ("outer", ["input", "vec2"]), |x, y| {
        let (rows, columns) = (x.elements(), y.elements());
        let column = x.reshape(&Shape::new([rows, 1]))?;
        column.arithmetic(Arithmetic::Op(BinaryOp::Mul), &y.reshape(&Shape::new([1, columns]))?)
    })
}
