//! Functions of `numpy` that make arrays.

use super::array_like;
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Array, HostError};
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::dtypes::dtype_of;
use crate::script::evaluator::Evaluator;
use crate::script::fault::Result;
use crate::script::object::Native;
use crate::script::torch::create::{Range, counted, identity, natural_dtype, spaced};
use crate::script::torch::tensor::{TensorValue, value_of};
use crate::script::torch::{bind, fault};
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;

pub(super) const TABLE: &[Native] = &[
    pure("array", array),
    pure("asarray", array),
    pure("ascontiguousarray", array),
    pure("zeros", zeros),
    pure("ones", ones),
    pure("empty", zeros),
    pure("full", full),
    pure("zeros_like", zeros_like),
    pure("ones_like", ones_like),
    pure("empty_like", zeros_like),
    pure("full_like", full_like),
    pure("eye", eye),
    pure("arange", arange),
    pure("linspace", linspace),
];

/// Makes an array of the host, which `fill` fills.
pub(super) fn made(
    evaluator: &mut Evaluator<'_>,
    (shape, dtype): (&Shape, DType),
    span: Span,
    fill: impl FnOnce(DType, &Shape) -> std::result::Result<Array, HostError>,
) -> Result<Value> {
    // Refused for its size before it is made.
    let bytes = shape.elements().saturating_mul(dtype.bytes());
    drop(evaluator.take_memory(bytes, span)?);
    evaluator.spend(shape.elements() / 64, span)?;
    let array = fill(dtype, shape).map_err(|error| fault(error, span))?;
    value_of(evaluator, Some(array), span)
}

fn dtype_or(given: Option<&Given>, otherwise: DType) -> Result<DType> {
    let given = given.filter(|given| !matches!(given.value, Value::None));
    given.map_or(Ok(otherwise), dtype_of)
}

/// `array(object, dtype=None)`: a copy.
fn array(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [object, dtype] = args.bind(Signature { name: "array", params: ["object", "dtype?"] })?;
    let Some(given) = object else { return Ok(Value::None) };
    let array = array_like(evaluator, &given)?;
    let own = array.dtype(evaluator, given.span)?;
    let dtype = dtype_or(dtype.as_ref(), own)?;
    let contents = array.read(evaluator, given.span)?;
    value_of(evaluator, contents.map(|it| it.cast(dtype).detached()), args.span)
}

fn filled(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    name: &'static str,
    value: f64,
) -> Result<Value> {
    let [shape, dtype] = args.bind(Signature { name, params: ["shape", "dtype?"] })?;
    let Some(shape) = shape else { return Ok(Value::None) };
    let what = (&bind::shape(&shape)?, dtype_or(dtype.as_ref(), DType::F64)?);
    made(evaluator, what, args.span, |dtype, shape| Array::full(dtype, shape, value))
}

fn zeros(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    filled(evaluator, &args, "zeros", 0.0)
}

fn ones(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    filled(evaluator, &args, "ones", 1.0)
}

fn full(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "full", params: ["shape", "fill_value", "dtype?"] };
    let [shape, value, dtype] = args.bind(signature)?;
    let (Some(shape), Some(value)) = (shape, value) else { return Ok(Value::None) };
    let dtype = dtype_or(dtype.as_ref(), natural_dtype(&value.value, DType::F64))?;
    let value = value.float("`fill_value`")?;
    let what = (&bind::shape(&shape)?, dtype);
    made(evaluator, what, args.span, |dtype, shape| Array::full(dtype, shape, value))
}

/// An array of the shape and, where nothing else is said, the type of another.
fn like(
    evaluator: &mut Evaluator<'_>,
    (given, dtype): (&Given, Option<&Given>),
    value: f64,
    span: Span,
) -> Result<Value> {
    let other: TensorValue = array_like(evaluator, given)?;
    let own = other.dtype(evaluator, given.span)?;
    let what = (other.shape(), dtype_or(dtype, own)?);
    made(evaluator, what, span, |dtype, shape| Array::full(dtype, shape, value))
}

fn zeros_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [a, dtype] = args.bind(Signature { name: "zeros_like", params: ["a", "dtype?"] })?;
    a.map_or(Ok(Value::None), |a| like(evaluator, (&a, dtype.as_ref()), 0.0, args.span))
}

fn ones_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [a, dtype] = args.bind(Signature { name: "ones_like", params: ["a", "dtype?"] })?;
    a.map_or(Ok(Value::None), |a| like(evaluator, (&a, dtype.as_ref()), 1.0, args.span))
}

fn full_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "full_like", params: ["a", "fill_value", "dtype?"] };
    let [a, value, dtype] = args.bind(signature)?;
    let (Some(a), Some(value)) = (a, value) else { return Ok(Value::None) };
    let value = value.float("`fill_value`")?;
    like(evaluator, (&a, dtype.as_ref()), value, args.span)
}

fn eye(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [n, m, dtype] = args.bind(Signature { name: "eye", params: ["N", "M?", "dtype?"] })?;
    let Some(n) = n else { return Ok(Value::None) };
    let sides = vec![n.value.clone(), m.map_or(n.value.clone(), |m| m.value)];
    let shape = bind::shape(&Given { value: Value::tuple(sides), span: n.span })?;
    let dtype = dtype_or(dtype.as_ref(), DType::F64)?;
    made(evaluator, (&shape, dtype), args.span, identity)
}

/// The argument `dtype`, and the others.
fn apart(args: &Args) -> (Option<Given>, Args) {
    let (dtype, named): (Vec<_>, Vec<_>) =
        args.named.iter().cloned().partition(|(name, _)| name.name == "dtype");
    let rest = Args { positional: args.positional.clone(), named, span: args.span };
    (dtype.into_iter().next().map(|(_, given)| given), rest)
}

fn arange(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (dtype, rest) = apart(&args);
    let range = Range::of(&rest)?;
    let dtype = dtype_or(dtype.as_ref(), range.dtype(DType::F64))?;
    made(evaluator, (&range.shape(), dtype), args.span, |dtype, shape| {
        counted(dtype, shape, (range.start, range.step))
    })
}

fn linspace(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["start", "stop", "num?", "dtype?"];
    let [start, stop, num, dtype] = args.bind(Signature { name: "linspace", params })?;
    let (Some(start), Some(stop)) = (start, stop) else { return Ok(Value::None) };
    let count = num.as_ref().map_or(Ok(50), |given| given.int("`num`"))?;
    let Ok(count) = u64::try_from(count) else {
        let message = format!("{count} numbers are asked for");
        let at = num.map_or(args.span, |given| given.span);
        return Err(crate::script::fault::Fault::new(hosting::HOST_VALUE, message, at, "negative"));
    };
    let ends = (start.float("`start`")?, stop.float("`stop`")?);
    let dtype = dtype_or(dtype.as_ref(), DType::F64)?;
    made(evaluator, (&Shape::new([count]), dtype), args.span, |dtype, shape| {
        spaced(dtype, shape, ends)
    })
}
