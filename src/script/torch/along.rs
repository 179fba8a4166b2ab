//! Functions of `torch` along an axis: running sums, order, spread, elements picked out.

use super::functions::tensor_of;
use super::tensor::{TensorValue, value_of};
use super::{bind, fault};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Arithmetic, Array, HostError, Reduction};
use crate::ops::{BinaryOp, CompareOp, UnaryOp};
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::shape::Shape;

/// All of them are methods of a tensor, too: the tensor is their first argument.
pub(super) const TABLE: &[Native] = &[
    pure("cumsum", cumsum),
    pure("sort", sort),
    pure("argsort", argsort),
    pure("topk", topk),
    pure("var", var),
    pure("std", std),
    pure("logsumexp", logsumexp),
    pure("norm", norm),
    pure("index_select", index_select),
    pure("gather", gather),
];

type Made = std::result::Result<Array, HostError>;

/// What `compute` makes of the contents of a tensor and the axis that `dim` names, the last one where
/// it names none.
fn along<T>(
    evaluator: &mut Evaluator<'_>,
    (input, dim): (&Given, Option<&Given>),
    compute: impl FnOnce(&Array, usize) -> std::result::Result<T, HostError>,
) -> Result<Option<T>> {
    let tensor = tensor_of(input)?;
    let rank = tensor.shape().rank();
    let last = Given { value: Value::Int(-1), span: input.span };
    let axis = bind::axis(dim.unwrap_or(&last), rank)?;
    evaluator.spend(tensor.shape().elements() / 16, input.span)?;
    let Some(array) = tensor.read(evaluator, input.span)? else { return Ok(None) };
    compute(&array, axis).map(Some).map_err(|error| fault(error, input.span))
}

fn cumsum(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [input, dim] = args.bind(Signature { name: "cumsum", params: ["input", "dim"] })?;
    let Some(input) = input else { return Ok(Value::None) };
    let made = along(evaluator, (&input, dim.as_ref()), Array::cumsum)?;
    value_of(evaluator, made, args.span)
}

/// The values in order and the places they had.
fn ordered(
    evaluator: &mut Evaluator<'_>,
    (input, dim): (&Given, Option<&Given>),
    is_descending: bool,
    count: Option<u64>,
) -> Result<[Value; 2]> {
    let made = along(evaluator, (input, dim), |array, axis| {
        let (values, places) = array.sorted(axis, is_descending)?;
        let Some(count) = count else { return Ok([values, places]) };
        let first: Vec<i128> = (0..i128::from(count)).collect();
        Ok([values.take(axis, &first)?, places.take(axis, &first)?])
    })?;
    let [values, places] = made.map_or([None, None], |made| made.map(Some));
    Ok([value_of(evaluator, values, input.span)?, value_of(evaluator, places, input.span)?])
}

/// `sort(input, dim=-1, descending=False)`: values, and the places they had.
fn sort(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["input", "dim?", "descending?", "stable?"];
    let [input, dim, descending, _] = args.bind(Signature { name: "sort", params })?;
    let Some(input) = input else { return Ok(Value::None) };
    let is_descending = descending.map_or(Ok(false), |given| given.truth("`descending`"))?;
    let both = ordered(evaluator, (&input, dim.as_ref()), is_descending, None)?;
    Ok(Value::tuple(both.to_vec()))
}

fn argsort(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["input", "dim?", "descending?", "stable?"];
    let [input, dim, descending, _] = args.bind(Signature { name: "argsort", params })?;
    let Some(input) = input else { return Ok(Value::None) };
    let is_descending = descending.map_or(Ok(false), |given| given.truth("`descending`"))?;
    let [_, places] = ordered(evaluator, (&input, dim.as_ref()), is_descending, None)?;
    Ok(places)
}

/// `topk(input, k, dim=-1, largest=True)`: the first `k` in order, and the places they had.
fn topk(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["input", "k", "dim?", "largest?", "sorted?"];
    let [input, k, dim, largest, _] = args.bind(Signature { name: "topk", params })?;
    let (Some(input), Some(k)) = (input, k) else { return Ok(Value::None) };
    let is_largest = largest.map_or(Ok(true), |given| given.truth("`largest`"))?;
    let shape = tensor_of(&input)?.shape().clone();
    let axis = dim
        .as_ref()
        .map_or(Ok(shape.rank().saturating_sub(1)), |dim| bind::axis(dim, shape.rank()))?;
    let extent = shape.0.get(axis).copied().unwrap_or(0);
    let count = u64::try_from(k.int("`k`")?).ok().filter(|count| *count <= extent);
    let Some(count) = count else {
        let message = format!("`topk` of an axis of {extent} elements");
        return Err(Fault::new(hosting::HOST_VALUE, message, k.span, "more than there are"));
    };
    let both = ordered(evaluator, (&input, dim.as_ref()), is_largest, Some(count))?;
    Ok(Value::tuple(both.to_vec()))
}

/// The axis that a reduction names, if it names one, and whether it stays.
fn axis_and_keep(
    tensor: &TensorValue,
    (dim, keep): (Option<&Given>, Option<&Given>),
) -> Result<(Option<usize>, bool)> {
    let dim = dim.filter(|given| !matches!(given.value, Value::None));
    let axis = dim.map(|given| bind::axis(given, tensor.shape().rank())).transpose()?;
    Ok((axis, keep.map_or(Ok(false), |given| given.truth("`keepdim`"))?))
}

/// What `compute` makes of the contents in `f64`, rounded to the tensor's type once.
fn in_f64(
    evaluator: &mut Evaluator<'_>,
    input: &Given,
    compute: impl FnOnce(&Array) -> Made,
) -> Result<Value> {
    let tensor = tensor_of(input)?;
    evaluator.spend(tensor.shape().elements() / 16, input.span)?;
    let Some(array) = tensor.read(evaluator, input.span)? else {
        return Ok(Value::Unknown(input.span));
    };
    let dtype = array.dtype();
    if !dtype.is_float() {
        let error = HostError::Type(format!("elements of {dtype}, where floats are needed"));
        return Err(fault(error, input.span));
    }
    let made = compute(&array.cast(DType::F64)).map_err(|error| fault(error, input.span))?;
    value_of(evaluator, Some(made.cast(dtype)), input.span)
}

fn var(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    spread(evaluator, &args, ("var", false))
}

fn std(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    spread(evaluator, &args, ("std", true))
}

/// `var(input, dim=None, correction=1, keepdim=False)`: the mean square distance from the mean, over
/// the count less `correction`.
fn spread(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    (name, is_root): (&'static str, bool),
) -> Result<Value> {
    let params = ["input", "dim?", "unbiased?", "correction?", "keepdim?"];
    let [input, dim, unbiased, correction, keep] = args.bind(Signature { name, params })?;
    let Some(input) = input else { return Ok(Value::None) };
    let is_corrected = unbiased.map_or(Ok(true), |given| given.truth("`unbiased`"))?;
    let plain = if is_corrected { 1.0 } else { 0.0 };
    let less = correction.map_or(Ok(plain), |given| given.float("`correction`"))?;
    let (axis, keep) = axis_and_keep(tensor_of(&input)?, (dim.as_ref(), keep.as_ref()))?;
    in_f64(evaluator, &input, |x| {
        let shape = x.shape();
        let count = axis.map_or(shape.elements(), |axis| shape.0[axis]) as f64;
        let mean = x.reduce(Reduction::Mean, axis, axis.is_some())?;
        let away = x.arithmetic(Arithmetic::Op(BinaryOp::Sub), &mean)?;
        let square = away.arithmetic(Arithmetic::Op(BinaryOp::Mul), &away)?;
        let total = square.reduce(Reduction::Sum, axis, keep)?;
        let over = Array::scalar(DType::F64, (count - less).max(0.0));
        let var = total.arithmetic(Arithmetic::TrueDiv, &over)?;
        if is_root { var.unary(UnaryOp::Sqrt) } else { Ok(var) }
    })
}

/// `logsumexp(input, dim, keepdim=False)`.
fn logsumexp(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "logsumexp", params: ["input", "dim", "keepdim?"] };
    let [input, dim, keep] = args.bind(signature)?;
    let Some(input) = input else { return Ok(Value::None) };
    let (axis, keep) = axis_and_keep(tensor_of(&input)?, (dim.as_ref(), keep.as_ref()))?;
    in_f64(evaluator, &input, |x| {
        let sum = log_of_sum(x, axis, true)?;
        if keep { Ok(sum) } else { sum.reduce(Reduction::Sum, axis, false) }
    })
}

/// ln Σ exp(x) along an axis, which stays. The largest is taken out first, so that nothing overflows.
pub(super) fn log_of_sum(x: &Array, axis: Option<usize>, keep: bool) -> Made {
    let largest = x.reduce(Reduction::Max, axis, keep)?;
    // Of infinities nothing is taken out: they are the sum.
    let finite = largest.to_f64s().into_iter().map(|it| if it.is_finite() { it } else { 0.0 });
    let largest = Array::from_f64s(DType::F64, &largest.shape(), finite.collect())?;
    let powers = x.arithmetic(Arithmetic::Op(BinaryOp::Sub), &largest)?.unary(UnaryOp::Exp)?;
    let sum = powers.reduce(Reduction::Sum, axis, keep)?.unary(UnaryOp::Log)?;
    sum.arithmetic(Arithmetic::Op(BinaryOp::Add), &largest)
}

/// `norm(input, p=2, dim=None, keepdim=False)`: (Σ |x|^p)^(1/p); the largest |x| for an infinite `p`, and how
/// many are not zero for 0.
fn norm(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["input", "p?", "dim?", "keepdim?"];
    let [input, p, dim, keep] = args.bind(Signature { name: "norm", params })?;
    let Some(input) = input else { return Ok(Value::None) };
    let power = p.map_or(Ok(2.0), |given| given.float("`p`"))?;
    let (axis, keep) = axis_and_keep(tensor_of(&input)?, (dim.as_ref(), keep.as_ref()))?;
    in_f64(evaluator, &input, |x| {
        let sizes = x.unary(UnaryOp::Abs)?;
        let number = |value: f64| Array::scalar(DType::F64, value);
        if power == 0.0 {
            let is_there = sizes.compare(CompareOp::Ne, &number(0.0))?.cast(DType::F64);
            return is_there.reduce(Reduction::Sum, axis, keep);
        }
        if power.is_infinite() {
            let extreme = if power > 0.0 { Reduction::Max } else { Reduction::Min };
            return sizes.reduce(extreme, axis, keep);
        }
        let powers = sizes.arithmetic(Arithmetic::Pow, &number(power))?;
        let total = powers.reduce(Reduction::Sum, axis, keep)?;
        total.arithmetic(Arithmetic::Pow, &number(1.0 / power))
    })
}

/// The indices that an argument is: a list of ints, or a tensor of them.
pub(super) fn indices_of(evaluator: &mut Evaluator<'_>, given: &Given) -> Result<Option<Array>> {
    let array = match given.value.downcast::<TensorValue>() {
        Some(tensor) => tensor.read(evaluator, given.span)?,
        None => Some(super::create::array_of_list(evaluator, given, DType::F32)?),
    };
    // An empty list names no place; it is not a list of no truth values.
    let is_list = given.value.as_sequence().is_some();
    let array =
        array.map(|it| if is_list && it.elements() == 0 { it.cast(DType::I64) } else { it });
    match array {
        Some(array) if array.elements() > 0 && array.dtype().is_float() => {
            Err(given.wrong("an index", "ints, or truth values,"))
        }
        array => Ok(array),
    }
}

/// `index_select(input, dim, index)`.
fn index_select(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "index_select", params: ["input", "dim", "index"] };
    let [input, dim, index] = args.bind(signature)?;
    let (Some(input), Some(index)) = (input, index) else { return Ok(Value::None) };
    let Some(wanted) = indices_of(evaluator, &index)? else { return Ok(Value::Unknown(args.span)) };
    let wanted = wanted.to_ints().unwrap_or_default();
    let made = along(evaluator, (&input, dim.as_ref()), |x, axis| x.take(axis, &wanted))?;
    value_of(evaluator, made, args.span)
}

/// `gather(input, dim, index)`: of each line along `dim` the elements that the same line of `index` names.
fn gather(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "gather", params: ["input", "dim", "index"] };
    let [input, dim, index] = args.bind(signature)?;
    let (Some(input), Some(index)) = (input, index) else { return Ok(Value::None) };
    let Some(wanted) = indices_of(evaluator, &index)? else { return Ok(Value::Unknown(args.span)) };
    let made = along(evaluator, (&input, dim.as_ref()), |x, axis| x.gather(axis, &wanted))?;
    value_of(evaluator, made, args.span)
}

/// `x[index]` for a list or a tensor of indices, or of truth values, that stands alone: a copy, as in PyTorch.
pub(super) fn by_array(x: &Array, index: &Array) -> Made {
    let (own, shape) = (x.shape(), index.shape());
    if index.dtype() != DType::I1 {
        let wanted = index.to_ints().unwrap_or_default();
        let taken = x.take(0, &wanted)?;
        let rest = own.0.iter().skip(1);
        return taken.reshape(&Shape(shape.0.iter().chain(rest).copied().collect()));
    }
    if !own.0.starts_with(&shape.0) {
        let text = format!("truth values of shape {shape} for elements of shape {own}");
        return Err(HostError::Shape(text));
    }
    let chosen = index.to_ints().unwrap_or_default();
    let wanted: Vec<i128> =
        (0..).zip(chosen).filter(|(_, it)| *it != 0).map(|(at, _)| at).collect();
    let inner = Shape(own.0.iter().skip(shape.rank()).copied().collect());
    let flat = Shape([&[shape.elements()][..], &inner.0].concat());
    x.reshape(&flat)?.take(0, &wanted)
}

/// `x[index] = value` for such an index: `x` with these elements replaced; a value is broadcast to them.
pub(super) fn put_by_array(x: &Array, index: &Array, value: &Array) -> Made {
    let shape = x.shape();
    let all = Array::from_ints(DType::I64, &shape, (0..shape.elements() as i64).collect())?;
    let chosen = by_array(&all, index)?;
    let places = chosen.to_ints().unwrap_or_default();
    let places: Vec<u64> = places.into_iter().map(|place| place as u64).collect();
    x.put(&places, &value.broadcast_to(&chosen.shape())?)
}
