//! Functions of `torch` on tensors.

use std::any::Any;

use super::bind;
use super::fault;
use super::methods;
use super::tensor::{Operand, TensorValue, operand, value_of};
use crate::diag::hosting;
use crate::dtype::{DType, convert};
use crate::host::{Arithmetic, Array, Index};
use crate::ops::{BinaryOp, UnaryOp};
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::dtypes::dtype_of;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Native, Object};
use crate::script::value::Value;
use crate::source::Span;

/// Makes native functions of one tensor from the ops of the machine.
macro_rules! elementwise {
    ($($function:ident $name:literal $Op:ident;)*) => {
        $(fn $function(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
            let given = only(&args, $name)?;
            let tensor = tensor_of(&given)?;
            methods::elementwise(tensor, evaluator, UnaryOp::$Op, args.span)
        })*

        pub(super) const TABLE: &[Native] = &[
            $(pure($name, $function),)*
            pure("maximum", maximum),
            pure("minimum", minimum),
            pure("matmul", matmul),
            pure("sum", sum),
            pure("mean", mean),
            pure("amax", amax),
            pure("amin", amin),
            pure("argmax", argmax),
            pure("argmin", argmin),
            pure("softmax", softmax),
            pure("relu", relu),
            pure("cat", cat),
            pure("stack", stack),
            pure("allclose", allclose),
            pure("equal", equal),
            pure("finfo", finfo),
        ];
    };
}

elementwise! {
    abs "abs" Abs;
    floor "floor" Floor;
    ceil "ceil" Ceil;
    exp "exp" Exp;
    exp2 "exp2" Exp2;
    log "log" Log;
    log2 "log2" Log2;
    sqrt "sqrt" Sqrt;
    rsqrt "rsqrt" Rsqrt;
    sin "sin" Sin;
    cos "cos" Cos;
    tanh "tanh" Tanh;
    erf "erf" Erf;
    sigmoid "sigmoid" Sigmoid;
}

fn only(args: &Args, name: &'static str) -> Result<Given> {
    let [given] = args.bind(Signature { name, params: ["input"] })?;
    given.ok_or_else(|| crate::script::args::missing(name, "input", args.span))
}

pub(super) fn tensor_of(given: &Given) -> Result<&TensorValue> {
    given.value.downcast().ok_or_else(|| given.wrong("this", "a tensor"))
}

/// The contents of a tensor, or of a number beside elements of `dtype`; `None` in a run without data.
/// What is neither should have been `wanted`.
pub(super) fn contents(
    evaluator: &mut Evaluator<'_>,
    given: &Given,
    dtype: DType,
    wanted: &str,
) -> Result<Option<Array>> {
    match operand(evaluator, &given.value, dtype, given.span)? {
        Some(Operand::Array(array)) => Ok(Some(array)),
        Some(Operand::Unknown) => Ok(None),
        None => Err(given.wrong("this", wanted)),
    }
}

fn pairwise(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    name: &'static str,
    op: BinaryOp,
) -> Result<Value> {
    let [left, right] = args.bind(Signature { name, params: ["input", "other"] })?;
    let (Some(left), Some(right)) = (left, right) else { return Ok(Value::None) };
    let dtype = tensor_of(&left)?.dtype(evaluator, left.span)?;
    let x = contents(evaluator, &left, dtype, "a tensor")?;
    let y = contents(evaluator, &right, dtype, "a tensor")?;
    let (Some(x), Some(y)) = (x, y) else { return Ok(Value::Unknown(args.span)) };
    let result = x.arithmetic(Arithmetic::Op(op), &y).map_err(|error| fault(error, args.span))?;
    value_of(evaluator, Some(result), args.span)
}

fn maximum(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    pairwise(evaluator, &args, "maximum", BinaryOp::Maximum)
}

fn minimum(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    pairwise(evaluator, &args, "minimum", BinaryOp::Minimum)
}

/// Calls a method of the first argument with the others.
fn as_method(evaluator: &mut Evaluator<'_>, args: &Args, name: &'static str) -> Result<Value> {
    let Some((first, rest)) = args.positional.split_first() else {
        return Err(crate::script::args::missing(name, "input", args.span));
    };
    let rest = Args { positional: rest.to_vec(), named: args.named.clone(), span: args.span };
    let found = methods::call(tensor_of(first)?, evaluator, name, &rest)?;
    Ok(found.unwrap_or(Value::None))
}

fn matmul(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    as_method(evaluator, &args, "matmul")
}

fn sum(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    as_method(evaluator, &args, "sum")
}

fn mean(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    as_method(evaluator, &args, "mean")
}

fn amax(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    as_method(evaluator, &args, "amax")
}

fn amin(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    as_method(evaluator, &args, "amin")
}

fn argmax(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    as_method(evaluator, &args, "argmax")
}

fn argmin(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    as_method(evaluator, &args, "argmin")
}

fn equal(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    as_method(evaluator, &args, "equal")
}

/// `exp(x - max)` over its sum, along `dim`, each step rounded to the tensor's type.
fn softmax(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    use crate::host::Reduction;
    let [input, dim] = args.bind(Signature { name: "softmax", params: ["input", "dim"] })?;
    let (Some(input), Some(dim)) = (input, dim) else { return Ok(Value::None) };
    let tensor = tensor_of(&input)?;
    let axis = Some(bind::axis(&dim, tensor.shape().rank())?);
    let Some(x) = tensor.read(evaluator, input.span)? else {
        return Ok(Value::Unknown(args.span));
    };
    let compute = || {
        let largest = x.reduce(Reduction::Max, axis, true)?;
        let shifted = x.arithmetic(Arithmetic::Op(BinaryOp::Sub), &largest)?;
        let weights = shifted.unary(UnaryOp::Exp)?;
        let total = weights.reduce(Reduction::Sum, axis, true)?;
        weights.arithmetic(Arithmetic::TrueDiv, &total)
    };
    let result = compute().map_err(|error| fault(error, args.span))?;
    value_of(evaluator, Some(result), args.span)
}

fn relu(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let given = only(&args, "relu")?;
    let Some(x) = tensor_of(&given)?.read(evaluator, given.span)? else {
        return Ok(Value::Unknown(args.span));
    };
    let zero = Array::scalar(x.dtype(), 0.0);
    let result = x.arithmetic(Arithmetic::Op(BinaryOp::Maximum), &zero);
    value_of(evaluator, Some(result.map_err(|error| fault(error, args.span))?), args.span)
}

/// The tensors of a list, as arrays; `None` in a run without data.
fn arrays(evaluator: &mut Evaluator<'_>, given: &Given) -> Result<Option<Vec<Array>>> {
    let mut found = Vec::new();
    for value in evaluator.items(&given.value, given.span)? {
        if value.unknown().is_some() {
            return Ok(None);
        }
        let item = Given { value, span: given.span };
        match tensor_of(&item)?.read(evaluator, item.span)? {
            Some(array) => found.push(array),
            None => return Ok(None),
        }
    }
    if found.is_empty() {
        let message = "no tensors to join";
        return Err(Fault::new(hosting::HOST_VALUE, message, given.span, "empty"));
    }
    Ok(Some(found))
}

fn cat(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [tensors, dim] = args.bind(Signature { name: "cat", params: ["tensors", "dim?"] })?;
    let Some(given) = tensors else { return Ok(Value::None) };
    let Some(parts) = arrays(evaluator, &given)? else { return Ok(Value::Unknown(args.span)) };
    let rank = parts.first().map_or(0, |part| part.shape().rank());
    let axis = dim.map_or(Ok(0), |dim| bind::axis(&dim, rank))?;
    let joined = Array::concatenate(&parts, axis).map_err(|error| fault(error, args.span))?;
    value_of(evaluator, Some(joined), args.span)
}

fn stack(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [tensors, dim] = args.bind(Signature { name: "stack", params: ["tensors", "dim?"] })?;
    let Some(given) = tensors else { return Ok(Value::None) };
    let Some(parts) = arrays(evaluator, &given)? else { return Ok(Value::Unknown(args.span)) };
    let rank = parts.first().map_or(0, |part| part.shape().rank());
    let axis = dim.map_or(Ok(0), |dim| bind::axis(&dim, rank + 1))?;
    let mut indices = vec![Index::All; axis];
    indices.push(Index::New);
    let lifted: std::result::Result<Vec<Array>, _> =
        parts.iter().map(|part| part.index(&indices)).collect();
    let joined = lifted.and_then(|parts| Array::concatenate(&parts, axis));
    value_of(evaluator, Some(joined.map_err(|error| fault(error, args.span))?), args.span)
}

fn allclose(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [input, other, rtol, atol] =
        args.bind(Signature { name: "allclose", params: ["input", "other", "rtol?", "atol?"] })?;
    let (Some(input), Some(other)) = (input, other) else { return Ok(Value::None) };
    let rtol = rtol.map_or(Ok(1e-5), |given| given.float("`rtol`"))?;
    let atol = atol.map_or(Ok(1e-8), |given| given.float("`atol`"))?;
    let dtype = tensor_of(&input)?.dtype(evaluator, input.span)?;
    let x = contents(evaluator, &input, dtype, "a tensor")?;
    let y = contents(evaluator, &other, dtype, "a tensor")?;
    let (Some(x), Some(y)) = (x, y) else { return Ok(Value::Unknown(args.span)) };
    let y = y.broadcast_to(&x.shape()).map_err(|error| fault(error, args.span))?;
    let near = |(x, y): (f64, f64)| x == y || (x - y).abs() <= atol + rtol * y.abs();
    Ok(Value::Bool(x.to_f64s().into_iter().zip(y.to_f64s()).all(near)))
}

/// The limits of a float type.
struct Limits(DType);

impl Object for Limits {
    fn type_name(&self) -> String {
        "finfo".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["eps", "tiny", "max", "min", "bits"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        let (max, tiny) = (convert::largest(self.0), convert::smallest_normal(self.0));
        Ok(Some(match name {
            "eps" => Value::Float(2.0 * self.0.unit_roundoff()),
            "tiny" => Value::Float(tiny),
            "max" => Value::Float(max),
            "min" => Value::Float(-max),
            "bits" => Value::Int(i128::from(self.0.bits())),
            _ => return Ok(None),
        }))
    }
}

fn finfo(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [dtype] = args.bind(Signature { name: "finfo", params: ["dtype"] })?;
    let Some(given) = dtype else { return Ok(Value::None) };
    let dtype = dtype_of(&given)?;
    if dtype.is_float() {
        return Ok(Value::object(Limits(dtype)));
    }
    let message = format!("`finfo` of {dtype}, which is no float type");
    Err(Fault::new(hosting::HOST_TYPE, message, given.span, "not a float type"))
}
