//! Functions of `torch` that choose elements and take tensors apart: `where`, `clamp`, `tril`, `split`, …

use super::functions::{contents, tensor_of};
use super::tensor::{TensorValue, value_of};
use super::{bind, fault};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Arithmetic, Array, HostError, Index};
use crate::ops::BinaryOp;
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::shape::Shape;

pub(super) const TABLE: &[Native] = &[
    pure("where", where_),
    pure("clamp", clamp),
    pure("tril", tril),
    pure("triu", triu),
    pure("chunk", chunk),
    pure("split", split),
    pure("bmm", bmm),
    pure("mm", mm),
];

/// Those of them that are methods of a tensor, too: the tensor is their first argument.
pub(super) const METHODS: [&str; 7] = ["clamp", "tril", "triu", "chunk", "split", "bmm", "mm"];

/// What an operand of elements may be.
const OPERAND: &str = "a tensor or a number";

/// `where(condition, input, other)`: elements of `input` where the condition holds, else of `other`.
fn where_(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "where", params: ["condition", "input", "other"] };
    let [condition, input, other] = args.bind(signature)?;
    let (Some(condition), Some(input), Some(other)) = (condition, input, other) else {
        return Ok(Value::None);
    };
    let mut dtype = DType::F32;
    for given in [&other, &input] {
        if let Some(tensor) = given.value.downcast::<TensorValue>() {
            dtype = tensor.dtype(evaluator, given.span)?;
        }
    }
    let choice = contents(evaluator, &condition, DType::I1, OPERAND)?;
    let (yes, no) = (
        contents(evaluator, &input, dtype, OPERAND)?,
        contents(evaluator, &other, dtype, OPERAND)?,
    );
    let (Some(choice), Some(yes), Some(no)) = (choice, yes, no) else {
        return Ok(Value::Unknown(args.span));
    };
    let chosen = choice.select(&yes, &no).map_err(|error| fault(error, args.span))?;
    value_of(evaluator, Some(chosen), args.span)
}

/// `clamp(input, min=None, max=None)`.
fn clamp(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [input, min, max] =
        args.bind(Signature { name: "clamp", params: ["input", "min?", "max?"] })?;
    let Some(input) = input else { return Ok(Value::None) };
    let Some(mut array) = tensor_of(&input)?.read(evaluator, input.span)? else {
        return Ok(Value::Unknown(args.span));
    };
    for (bound, op) in [(min, BinaryOp::Maximum), (max, BinaryOp::Minimum)] {
        let Some(bound) = bound.filter(|it| !matches!(it.value, Value::None)) else { continue };
        let Some(bound) = contents(evaluator, &bound, array.dtype(), OPERAND)? else {
            return Ok(Value::Unknown(args.span));
        };
        let clamped = array.arithmetic(Arithmetic::Op(op), &bound);
        array = clamped.map_err(|error| fault(error, args.span))?;
    }
    value_of(evaluator, Some(array), args.span)
}

fn tril(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    triangle(evaluator, &args, ("tril", |row, column, diagonal| column <= row + diagonal))
}

fn triu(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    triangle(evaluator, &args, ("triu", |row, column, diagonal| column >= row + diagonal))
}

/// Whether an element at a row and a column stays, given a diagonal.
type Keeps = fn(i128, i128, i128) -> bool;

/// The elements of each matrix whose row, column and `diagonal=` a rule keeps, the others zero.
fn triangle(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    (name, keeps): (&'static str, Keeps),
) -> Result<Value> {
    let [input, diagonal] = args.bind(Signature { name, params: ["input", "diagonal?"] })?;
    let Some(input) = input else { return Ok(Value::None) };
    let diagonal = diagonal.map_or(Ok(0), |given| given.int("`diagonal`"))?;
    let tensor = tensor_of(&input)?;
    let [.., rows, columns] = tensor.shape().0[..] else {
        let message = format!("`{name}` of a tensor of shape {}", tensor.shape());
        let label = "needs rows and columns";
        return Err(Fault::new(hosting::HOST_SHAPE, message, input.span, label));
    };
    let Some(array) = tensor.read(evaluator, input.span)? else {
        return Ok(Value::Unknown(args.span));
    };
    let kept = |place: u64| {
        let (row, column) = (place / columns.max(1), place % columns.max(1));
        i64::from(keeps(i128::from(row), i128::from(column), diagonal))
    };
    let mask = Array::from_ints(
        DType::I1,
        &Shape::new([rows, columns]),
        (0..rows.saturating_mul(columns)).map(kept).collect(),
    );
    let zero = Array::scalar(array.dtype(), 0.0);
    let result = mask.and_then(|mask| mask.select(&array, &zero));
    value_of(evaluator, Some(result.map_err(|error| fault(error, args.span))?), args.span)
}

/// `chunk(input, chunks, dim=0)`: in so many parts, each but the last of ⌈n/chunks⌉.
fn chunk(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [input, chunks, dim] =
        args.bind(Signature { name: "chunk", params: ["input", "chunks", "dim?"] })?;
    let (Some(input), Some(chunks)) = (input, chunks) else { return Ok(Value::None) };
    let count = chunks.int("`chunks`")?;
    let Some(count) = u64::try_from(count).ok().filter(|count| *count > 0) else {
        let message = format!("`chunk` into {count} parts");
        return Err(Fault::new(hosting::HOST_VALUE, message, chunks.span, "not from 1 on"));
    };
    apart(evaluator, (&input, dim.as_ref()), &args, |extent| {
        let size = extent.div_ceil(count).max(1);
        parts_of(extent, size)
    })
}

/// `split(input, sizes, dim=0)`: in parts of one size, or of these sizes.
fn split(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["input", "split_size_or_sections", "dim?"];
    let [input, sizes, dim] = args.bind(Signature { name: "split", params })?;
    let (Some(input), Some(sizes)) = (input, sizes) else { return Ok(Value::None) };
    let wrong = |shown: String| {
        let message = format!("`split` into parts of {shown}");
        Fault::new(hosting::HOST_VALUE, message, sizes.span, "no such sizes")
    };
    if let Some(given) = sizes.value.as_sequence() {
        let sizes = Given { value: Value::tuple(given), span: sizes.span };
        let sizes = bind::shape(&sizes)?.0;
        let total: u64 = sizes.iter().fold(0, |sum, size| sum.saturating_add(*size));
        let shape = tensor_of(&input)?.shape().clone();
        let axis = dim.as_ref().map_or(Ok(0), |dim| bind::axis(dim, shape.rank()))?;
        let extent = shape.0.get(axis).copied().unwrap_or(0);
        if total != extent {
            return Err(wrong(format!("{sizes:?}, which are {total} in all, of {extent}")));
        }
        return apart(evaluator, (&input, dim.as_ref()), &args, |_| sizes);
    }
    let size = sizes.int("a size of `split`")?;
    let Some(size) = u64::try_from(size).ok().filter(|size| *size > 0) else {
        return Err(wrong(size.to_string()));
    };
    apart(evaluator, (&input, dim.as_ref()), &args, |extent| parts_of(extent, size))
}

/// Parts of `size` of `extent` things, the last of what is left; one empty part of nothing.
fn parts_of(extent: u64, size: u64) -> Vec<u64> {
    let count = extent.div_ceil(size).max(1);
    (0..count).map(|index| size.min(extent - index * size)).collect()
}

/// The parts of a tensor along `dim`, as views of it.
fn apart(
    evaluator: &mut Evaluator<'_>,
    (input, dim): (&Given, Option<&Given>),
    args: &Args,
    sizes: impl FnOnce(u64) -> Vec<u64>,
) -> Result<Value> {
    let tensor = tensor_of(input)?;
    let shape = tensor.shape().clone();
    let axis = dim.map_or(Ok(0), |dim| bind::axis(dim, shape.rank()))?;
    let Some(extent) = shape.0.get(axis).copied() else {
        let message = "a tensor of a single element has no parts";
        return Err(Fault::new(hosting::HOST_SHAPE, message, input.span, "of shape []"));
    };
    let mut parts = Vec::new();
    let mut start = 0;
    for size in sizes(extent) {
        let mut indices = vec![Index::All; axis];
        indices.push(Index::Range { start: start as usize, count: size as usize, step: 1 });
        parts.push(tensor.part(evaluator, indices, args.span)?);
        start += size;
    }
    Ok(Value::tuple(parts))
}

fn bmm(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    product(evaluator, &args, ("bmm", 3))
}

fn mm(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    product(evaluator, &args, ("mm", 2))
}

/// The matrix product of two tensors of so many axes.
fn product(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    (name, axes): (&'static str, usize),
) -> Result<Value> {
    let [input, other] = args.bind(Signature { name, params: ["input", "mat2"] })?;
    let (Some(input), Some(other)) = (input, other) else { return Ok(Value::None) };
    let (left, right) = (tensor_of(&input)?, tensor_of(&other)?);
    let (x_shape, y_shape) = (left.shape().clone(), right.shape().clone());
    if x_shape.rank() != axes || y_shape.rank() != axes {
        let text =
            format!("`{name}` of shapes {x_shape} and {y_shape}, which are not of {axes} axes");
        return Err(fault(HostError::Shape(text), args.span));
    }
    evaluator.spend(super::methods::product_steps(&x_shape, &y_shape), args.span)?;
    let (x, y) = (left.read(evaluator, input.span)?, right.read(evaluator, other.span)?);
    let (Some(x), Some(y)) = (x, y) else { return Ok(Value::Unknown(args.span)) };
    let result = x.matmul(&y).map_err(|error| fault(error, args.span))?;
    value_of(evaluator, Some(result), args.span)
}
