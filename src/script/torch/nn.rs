//! `torch.nn.functional`: activations and norms on the host, to compare results with. They compute in `f64`
//! and round once.

use std::any::Any;

use super::tensor::{TensorValue, value_of};
use super::{bind, fault};
use crate::dtype::DType;
use crate::host::{Arithmetic, Array, HostError, Reduction};
use crate::ops::{BinaryOp, UnaryOp};
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::evaluator::Evaluator;
use crate::script::fault::Result;
use crate::script::object::{Module, Object};
use crate::script::value::Value;
use crate::source::Span;

/// `torch.nn`.
pub(super) struct Nn;

/// `torch.nn.functional`.
const FUNCTIONAL: Module = Module {
    name: "torch.nn.functional",
    functions: &[
        pure("relu", relu),
        pure("silu", silu),
        pure("gelu", gelu),
        pure("softmax", softmax),
        pure("layer_norm", layer_norm),
        pure("rms_norm", rms_norm),
    ],
    constants: &[],
};

impl Object for Nn {
    fn type_name(&self) -> String {
        "module `torch.nn`".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["functional"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        Ok((name == "functional").then(|| Value::object(FUNCTIONAL)))
    }
}

type Made = std::result::Result<Array, HostError>;

/// What `compute` makes of the contents of a tensor in `f64`, rounded to its type.
fn of_tensor(
    evaluator: &mut Evaluator<'_>,
    given: &Given,
    compute: impl FnOnce(&Array) -> Made,
) -> Result<Value> {
    let Some(tensor) = given.value.downcast::<TensorValue>() else {
        return Err(given.wrong("`input`", "a tensor"));
    };
    evaluator.spend(tensor.shape().elements() / 64, given.span)?;
    let Some(array) = tensor.read(evaluator, given.span)? else {
        return Ok(Value::Unknown(given.span));
    };
    let dtype = if array.dtype().is_float() { array.dtype() } else { DType::F32 };
    let made = compute(&array.cast(DType::F64)).map_err(|error| fault(error, given.span))?;
    value_of(evaluator, Some(made.cast(dtype)), given.span)
}

fn number(value: f64) -> Array {
    Array::scalar(DType::F64, value)
}

fn times(x: &Array, y: &Array) -> Made {
    x.arithmetic(Arithmetic::Op(BinaryOp::Mul), y)
}

fn only(args: &Args, name: &'static str) -> Result<Given> {
    let [given] = args.bind(Signature { name, params: ["input"] })?;
    given.ok_or_else(|| crate::script::args::missing(name, "input", args.span))
}

fn relu(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let maximum = Arithmetic::Op(BinaryOp::Maximum);
    of_tensor(evaluator, &only(&args, "relu")?, |x| x.arithmetic(maximum, &number(0.0)))
}

/// `x * sigmoid(x)`.
fn silu(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    of_tensor(evaluator, &only(&args, "silu")?, |x| times(x, &x.unary(UnaryOp::Sigmoid)?))
}

/// `x / 2 * (1 + erf(x / sqrt(2)))`.
fn gelu(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    of_tensor(evaluator, &only(&args, "gelu")?, |x| {
        let erf = times(x, &number(std::f64::consts::FRAC_1_SQRT_2))?.unary(UnaryOp::Erf)?;
        let gate = erf.arithmetic(Arithmetic::Op(BinaryOp::Add), &number(1.0))?;
        times(&times(x, &number(0.5))?, &gate)
    })
}

fn softmax(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [input, dim] = args.bind(Signature { name: "softmax", params: ["input", "dim"] })?;
    let (Some(input), Some(dim)) = (input, dim) else { return Ok(Value::None) };
    let rank = input.value.downcast::<TensorValue>().map_or(1, |it| it.shape().rank());
    let axis = Some(bind::axis(&dim, rank)?);
    of_tensor(evaluator, &input, |x| {
        let shifted =
            x.arithmetic(Arithmetic::Op(BinaryOp::Sub), &x.reduce(Reduction::Max, axis, true)?)?;
        let weights = shifted.unary(UnaryOp::Exp)?;
        weights.arithmetic(Arithmetic::TrueDiv, &weights.reduce(Reduction::Sum, axis, true)?)
    })
}

/// `layer_norm(input, eps=1e-5)`: the last axis, less its mean, over its standard deviation.
fn layer_norm(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    norm(evaluator, &args, ("layer_norm", true))
}

/// `rms_norm(input, eps=1e-5)`: the last axis over the root of its mean square.
fn rms_norm(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    norm(evaluator, &args, ("rms_norm", false))
}

fn norm(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    (name, is_centred): (&'static str, bool),
) -> Result<Value> {
    let params = ["input", "normalized_shape?", "weight?", "bias?", "eps?"];
    let [input, shape, weight, bias, eps] = args.bind(Signature { name, params })?;
    let Some(input) = input else { return Ok(Value::None) };
    for given in [&weight, &bias].into_iter().flatten() {
        if !matches!(given.value, Value::None) {
            return Err(given.wrong(&format!("`weight` and `bias` of `{name}`"), "None"));
        }
    }
    let own =
        input.value.downcast::<TensorValue>().map(|it| it.shape().clone()).unwrap_or_default();
    let last = own.0.last().copied();
    if let Some(shape) = shape
        && bind::shape(&shape)?.0 != last.into_iter().collect::<Vec<u64>>()
    {
        let text = format!("`{name}` of the last axis of shape {own}");
        return Err(fault(HostError::Shape(text), shape.span));
    }
    let eps = eps.map_or(Ok(1e-5), |given| given.float("`eps`"))?;
    let axis = own.rank().checked_sub(1);
    of_tensor(evaluator, &input, |x| {
        let subtract = Arithmetic::Op(BinaryOp::Sub);
        let centred = match is_centred {
            true => x.arithmetic(subtract, &x.reduce(Reduction::Mean, axis, true)?)?,
            false => x.clone(),
        };
        let square = times(&centred, &centred)?.reduce(Reduction::Mean, axis, true)?;
        let spread = square.arithmetic(Arithmetic::Op(BinaryOp::Add), &number(eps))?;
        centred.arithmetic(Arithmetic::TrueDiv, &spread.unary(UnaryOp::Sqrt)?)
    })
}
