//! `torch.nn.functional`: activations, norms, losses and attention on the host, to compare results with. They
//! compute in `f64` and round once.

use std::any::Any;

use super::functions::tensor_of;
use super::tensor::{TensorValue, value_of};
use super::{along, bind, fault};
use crate::dtype::DType;
use crate::host::{Arithmetic, Array, HostError, Reduction};
use crate::ops::{BinaryOp, UnaryOp};
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::evaluator::Evaluator;
use crate::script::fault::Result;
use crate::script::object::{Module, Object};
use crate::script::value::Value;
use crate::shape::Shape;
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
        pure("log_softmax", log_softmax),
        pure("layer_norm", layer_norm),
        pure("rms_norm", rms_norm),
        pure("linear", linear),
        pure("embedding", embedding),
        pure("scaled_dot_product_attention", attention),
        pure("cross_entropy", cross_entropy),
        pure("mse_loss", mse_loss),
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
    of_tensors(evaluator, [given], |[x]| compute(x))
}

/// What `compute` makes of the contents of several tensors in `f64`, rounded to the type of the first.
fn of_tensors<const N: usize>(
    evaluator: &mut Evaluator<'_>,
    given: [&Given; N],
    compute: impl FnOnce([&Array; N]) -> Made,
) -> Result<Value> {
    let span = given.first().map_or(Span::NONE, |first| first.span);
    let mut arrays = Vec::with_capacity(N);
    for given in given {
        let Some(tensor) = given.value.downcast::<TensorValue>() else {
            return Err(given.wrong("`input`", "a tensor"));
        };
        evaluator.spend(tensor.shape().elements() / 64, given.span)?;
        let Some(array) = tensor.read(evaluator, given.span)? else {
            return Ok(Value::Unknown(given.span));
        };
        arrays.push(array);
    }
    let own = arrays.first().map(Array::dtype).filter(|dtype| dtype.is_float());
    let wide: Vec<Array> = arrays.iter().map(|array| array.cast(DType::F64)).collect();
    let each = std::array::from_fn(|place| &wide[place]);
    let made = compute(each).map_err(|error| fault(error, span))?;
    value_of(evaluator, Some(made.cast(own.unwrap_or(DType::F32))), span)
}

fn plus(x: &Array, y: &Array) -> Made {
    x.arithmetic(Arithmetic::Op(BinaryOp::Add), y)
}

fn minus(x: &Array, y: &Array) -> Made {
    x.arithmetic(Arithmetic::Op(BinaryOp::Sub), y)
}

/// A tensor that may be left out, or be None: what stands in for it changes nothing.
fn or_neutral(
    given: Option<Given>,
    neutral: f64,
    evaluator: &Evaluator<'_>,
    span: Span,
) -> Result<Given> {
    match given.filter(|given| !matches!(given.value, Value::None)) {
        Some(given) => Ok(given),
        None => Ok(Given { value: value_of(evaluator, Some(number(neutral)), span)?, span }),
    }
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
    let own =
        input.value.downcast::<TensorValue>().map(|it| it.shape().clone()).unwrap_or_default();
    let last = own.0.last().copied();
    if let Some(shape) = shape
        && bind::shape(&shape)?.0 != last.into_iter().collect::<Vec<u64>>()
    {
        let text = format!("`{name}` of the last axis of shape {own}");
        return Err(fault(HostError::Shape(text), shape.span));
    }
    let weight = or_neutral(weight, 1.0, evaluator, input.span)?;
    let bias = or_neutral(bias, 0.0, evaluator, input.span)?;
    let eps = eps.map_or(Ok(1e-5), |given| given.float("`eps`"))?;
    let axis = own.rank().checked_sub(1);
    of_tensors(evaluator, [&input, &weight, &bias], |[x, weight, bias]| {
        let centred = match is_centred {
            true => minus(x, &x.reduce(Reduction::Mean, axis, true)?)?,
            false => x.clone(),
        };
        let square = times(&centred, &centred)?.reduce(Reduction::Mean, axis, true)?;
        let spread = plus(&square, &number(eps))?.unary(UnaryOp::Sqrt)?;
        plus(&times(&centred.arithmetic(Arithmetic::TrueDiv, &spread)?, weight)?, bias)
    })
}

/// `linear(input, weight, bias=None)`: input · weightᵀ + bias.
fn linear(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "linear", params: ["input", "weight", "bias?"] };
    let [input, weight, bias] = args.bind(signature)?;
    let (Some(input), Some(weight)) = (input, weight) else { return Ok(Value::None) };
    let bias = or_neutral(bias, 0.0, evaluator, args.span)?;
    spend_product(evaluator, &input, &weight)?;
    of_tensors(evaluator, [&input, &weight, &bias], |[x, w, b]| plus(&x.matmul(&swapped(w)?)?, b))
}

/// The steps of a product of these tensors.
fn spend_product(evaluator: &mut Evaluator<'_>, left: &Given, right: &Given) -> Result<()> {
    let shape = |given: &Given| given.value.downcast::<TensorValue>().map(|it| it.shape().clone());
    let (Some(left), Some(other)) = (shape(left), shape(right)) else { return Ok(()) };
    evaluator.spend(super::methods::product_steps(&left, &other), right.span)
}

/// The last two axes swapped.
fn swapped(x: &Array) -> Made {
    let rank = x.shape().rank();
    let mut axes: Vec<usize> = (0..rank).collect();
    if rank >= 2 {
        axes.swap(rank - 2, rank - 1);
    }
    x.permute(&axes)
}

/// `embedding(input, weight)`: the rows of `weight` that `input` names.
fn embedding(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "embedding", params: ["input", "weight"] };
    let [input, weight] = args.bind(signature)?;
    let (Some(input), Some(weight)) = (input, weight) else { return Ok(Value::None) };
    let Some(rows) = along::indices_of(evaluator, &input)? else {
        return Ok(Value::Unknown(args.span));
    };
    let Some(table) = tensor_of(&weight)?.read(evaluator, weight.span)? else {
        return Ok(Value::Unknown(args.span));
    };
    let made = along::by_array(&table, &rows).map_err(|error| fault(error, args.span))?;
    value_of(evaluator, Some(made), args.span)
}

/// `scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False,
/// scale=None)`: softmax(Q Kᵀ · scale + mask) V.
fn attention(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let name = "scaled_dot_product_attention";
    let params = ["query", "key", "value", "attn_mask?", "dropout_p?", "is_causal?", "scale?"];
    let [query, key, value, mask, dropout, causal, scale] =
        args.bind(Signature { name, params })?;
    let (Some(query), Some(key), Some(value)) = (query, key, value) else { return Ok(Value::None) };
    if let Some(given) = dropout.filter(|given| given.value.as_float() != Some(0.0)) {
        return Err(given.wrong("`dropout_p`", "0.0"));
    }
    let is_causal = causal.map_or(Ok(false), |given| given.truth("`is_causal`"))?;
    let scale = scale.filter(|given| !matches!(given.value, Value::None));
    let scale = scale.map(|given| given.float("`scale`")).transpose()?;
    let is_kept = mask.as_ref().and_then(|given| given.value.downcast::<TensorValue>());
    let is_kept = is_kept.map(|it| it.dtype(evaluator, args.span)).transpose()? == Some(DType::I1);
    let mask = or_neutral(mask, 0.0, evaluator, args.span)?;
    spend_product(evaluator, &query, &key)?;
    of_tensors(evaluator, [&query, &key, &value, &mask], |[q, k, v, mask]| {
        let depth = q.shape().0.last().copied().unwrap_or(1);
        let scale = scale.unwrap_or_else(|| (depth as f64).sqrt().recip());
        let mut scores = times(&q.matmul(&swapped(k)?)?, &number(scale))?;
        if is_kept {
            scores = mask.cast(DType::I1).select(&scores, &number(f64::NEG_INFINITY))?;
        } else {
            scores = plus(&scores, mask)?;
        }
        if is_causal {
            scores = causal_mask(&scores.shape())?.select(&scores, &number(f64::NEG_INFINITY))?;
        }
        let last = scores.shape().rank().checked_sub(1);
        minus(&scores, &along::log_of_sum(&scores, last, true)?)?.unary(UnaryOp::Exp)?.matmul(v)
    })
}

/// Whether a query sees a key: those up to its own place, as PyTorch counts, from the upper left corner.
fn causal_mask(scores: &Shape) -> Made {
    let columns = scores.0.last().copied().unwrap_or(1).max(1);
    let rows = scores.0.iter().rev().nth(1).copied().unwrap_or(1);
    let seen = |place: u64| i64::from(place % columns <= place / columns);
    let shape = Shape::new([rows, columns]);
    Array::from_ints(DType::I1, &shape, (0..shape.elements()).map(seen).collect())
}

/// `log_softmax(input, dim)`.
fn log_softmax(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [input, dim] = args.bind(Signature { name: "log_softmax", params: ["input", "dim"] })?;
    let (Some(input), Some(dim)) = (input, dim) else { return Ok(Value::None) };
    let rank = input.value.downcast::<TensorValue>().map_or(1, |it| it.shape().rank());
    let axis = Some(bind::axis(&dim, rank)?);
    of_tensor(evaluator, &input, |x| minus(x, &along::log_of_sum(x, axis, true)?))
}

/// `cross_entropy(input, target)`: the mean over the rows of -ln of the target's softmax.
fn cross_entropy(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "cross_entropy", params: ["input", "target"] };
    let [input, target] = args.bind(signature)?;
    let (Some(input), Some(target)) = (input, target) else { return Ok(Value::None) };
    let Some(rows) = along::indices_of(evaluator, &target)? else {
        return Ok(Value::Unknown(args.span));
    };
    of_tensor(evaluator, &input, |x| {
        let logs = minus(x, &along::log_of_sum(x, Some(1), true)?)?;
        let column = rows.reshape(&Shape::new([rows.elements(), 1]))?;
        logs.gather(1, &column)?.reduce(Reduction::Mean, None, false)?.unary(UnaryOp::Neg)
    })
}

/// `mse_loss(input, target)`: the mean of the squares of the differences.
fn mse_loss(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [input, target] = args.bind(Signature { name: "mse_loss", params: ["input", "target"] })?;
    let (Some(input), Some(target)) = (input, target) else { return Ok(Value::None) };
    of_tensors(evaluator, [&input, &target], |[x, y]| {
        let away = minus(x, y)?;
        times(&away, &away)?.reduce(Reduction::Mean, None, false)
    })
}
