//! Methods of tensors.

use super::shards::ShardTable;
use super::tensor::{Operand, TensorValue, operand, value_of};
use super::{along, elements, shaping};
use super::{bind, fault, machine, spawn};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Arithmetic, Array, Data, HostError, Reduction};
use crate::ops::{BinaryOp, UnaryOp};
use crate::script::args::{Args, Given, Signature};
use crate::script::dtypes::dtype_of;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;

/// Methods that give the elements as another type.
const CASTS: [(&str, DType); 8] = [
    ("float", DType::F32),
    ("double", DType::F64),
    ("half", DType::F16),
    ("bfloat16", DType::BF16),
    ("int", DType::I32),
    ("long", DType::I64),
    ("bool", DType::I1),
    ("byte", DType::U8),
];

/// Every other method, and every attribute.
const OTHERS: [&str; 50] = [
    "shape",
    "ndim",
    "dtype",
    "itemsize",
    "nbytes",
    "T",
    "data",
    "max",
    "min",
    "numpy",
    "clone",
    "copy",
    "copy_",
    "fill_",
    "to",
    "astype",
    "reshape",
    "view",
    "flatten",
    "permute",
    "transpose",
    "t",
    "unsqueeze",
    "squeeze",
    "item",
    "tolist",
    "size",
    "dim",
    "numel",
    "matmul",
    "local",
    "local_shape",
    "shards",
    "free",
    "device",
    "zero_",
    "add_",
    "sub_",
    "mul_",
    "div_",
    "masked_fill",
    "expand",
    "repeat",
    "stride",
    "element_size",
    "is_contiguous",
    "detach",
    "cpu",
    "equal",
    "contiguous",
];

/// The names of all attributes and methods.
pub(super) fn names() -> Vec<&'static str> {
    let reductions = Reduction::NAMED.iter().map(|(name, _)| *name);
    let casts = CASTS.iter().map(|(name, _)| *name);
    let unary = UnaryOp::ALL.iter().map(|op| op.name());
    let shared = shared().map(|native| native.name);
    OTHERS.into_iter().chain(shared).chain(reductions).chain(casts).chain(unary).collect()
}

/// The functions of `torch` that are methods of a tensor, too: it is their first argument.
fn shared() -> impl Iterator<Item = &'static Native> {
    let shaping = shaping::TABLE.iter().filter(|it| shaping::METHODS.contains(&it.name));
    elements::TABLE.iter().chain(along::TABLE).chain(shaping)
}

/// One call of a method.
struct Call<'c, 'a> {
    tensor: &'c TensorValue,
    evaluator: &'c mut Evaluator<'a>,
    args: &'c Args,
}

/// Calls the method `name`; `None` where there is none of this name.
pub(super) fn call(
    tensor: &TensorValue,
    evaluator: &mut Evaluator<'_>,
    name: &str,
    args: &Args,
) -> Result<Option<Value>> {
    evaluator.spend(tensor.shape().elements() / 256, args.span)?;
    let mut call = Call { tensor, evaluator, args };
    if let Some((name, reduction)) = Reduction::NAMED.iter().find(|(known, _)| *known == name) {
        return call.reduce(name, *reduction).map(Some);
    }
    if let Some((name, dtype)) = CASTS.iter().find(|(known, _)| *known == name) {
        call.nothing(name)?;
        return call.cast(*dtype).map(Some);
    }
    if let Some(op) = UnaryOp::from_name(name) {
        call.nothing(op.name())?;
        return elementwise(tensor, call.evaluator, op, args.span).map(Some);
    }
    if let Some(value) = call.shape_method(name)? {
        return Ok(Some(value));
    }
    if let Some(value) = call.in_place(name)? {
        return Ok(Some(value));
    }
    if let Some(native) = shared().find(|native| native.name == name) {
        let mut args = args.clone();
        args.positional.insert(0, Given { value: Value::object(tensor.clone()), span: args.span });
        return (native.run)(call.evaluator, args).map(Some);
    }
    call.other(name)
}

/// `op` of every element.
pub(super) fn elementwise(
    tensor: &TensorValue,
    evaluator: &mut Evaluator<'_>,
    op: UnaryOp,
    span: Span,
) -> Result<Value> {
    let Some(array) = tensor.read(evaluator, span)? else { return Ok(Value::Unknown(span)) };
    let result = array.unary(op).map_err(|error| fault(error, span))?;
    value_of(evaluator, Some(result), span)
}

/// The last two axes swapped: `x.T`.
pub(super) fn turned(
    tensor: &TensorValue,
    evaluator: &mut Evaluator<'_>,
    span: Span,
) -> Result<Value> {
    let axes: Vec<usize> = (0..tensor.shape().rank()).rev().collect();
    let Some(array) = tensor.read(evaluator, span)? else { return Ok(Value::Unknown(span)) };
    let turned = array.permute(&axes).map_err(|error| fault(error, span))?;
    Ok(Value::object(TensorValue::reshaped(evaluator, turned, span)?))
}

/// What a matrix product of these shapes costs, in steps.
pub(super) fn product_steps(left: &Shape, right: &Shape) -> u64 {
    let columns = right.0.last().copied().unwrap_or(1);
    left.elements().saturating_mul(columns) / 256
}

impl Call<'_, '_> {
    fn nothing(&self, name: &'static str) -> Result<()> {
        let [] = self.args.bind(Signature { name, params: [] })?;
        Ok(())
    }

    fn one(&self, name: &'static str, param: &'static str) -> Result<Given> {
        let [given] = self.args.bind(Signature { name, params: [param] })?;
        given.ok_or_else(|| crate::script::args::missing(name, param, self.args.span))
    }

    fn read(&mut self) -> Result<Option<Array>> {
        self.tensor.read(self.evaluator, self.args.span)
    }

    /// What `change` makes of the contents, as a new tensor.
    fn derive(
        &mut self,
        change: impl FnOnce(Array) -> std::result::Result<Array, HostError>,
    ) -> Result<Value> {
        let span = self.args.span;
        let Some(array) = self.read()? else { return Ok(Value::Unknown(span)) };
        let made = change(array).map_err(|error| fault(error, span))?;
        value_of(self.evaluator, Some(made), span)
    }

    /// What `change` makes of the contents, as PyTorch would make a view.
    fn reshape(
        &mut self,
        change: impl FnOnce(Array) -> std::result::Result<Array, HostError>,
    ) -> Result<Value> {
        let span = self.args.span;
        let Some(array) = self.read()? else { return Ok(Value::Unknown(span)) };
        let made = change(array).map_err(|error| fault(error, span))?;
        Ok(Value::object(TensorValue::reshaped(self.evaluator, made, span)?))
    }

    fn cast(&mut self, dtype: DType) -> Result<Value> {
        self.derive(|array| Ok(array.cast(dtype)))
    }

    /// `sum(dim=None, keepdim=False)`, where `dim` may be several; NumPy's names are taken, too.
    fn reduce(&mut self, name: &'static str, reduction: Reduction) -> Result<Value> {
        let (dim, keep) = self.dim_and_keep(name)?;
        let several = dim.as_ref().filter(|given| given.value.as_sequence().is_some());
        if let Some(given) = several {
            let axes = bind::axes(given, self.tensor.shape().rank())?;
            if matches!(reduction, Reduction::ArgMax | Reduction::ArgMin) {
                return Err(given.wrong(&format!("`dim` of `{name}`"), "an int"));
            }
            return self.derive(|array| array.reduce_axes(reduction, &axes, keep));
        }
        let axis = self.one_axis(dim.as_ref())?;
        self.derive(|array| array.reduce(reduction, axis, keep))
    }

    fn dim_and_keep(&self, name: &'static str) -> Result<(Option<Given>, bool)> {
        let mut args = self.args.clone();
        for (ident, _) in &mut args.named {
            match ident.name.as_str() {
                "axis" => ident.name = "dim".into(),
                "keepdims" => ident.name = "keepdim".into(),
                _ => {}
            }
        }
        let [dim, keep] = args.bind(Signature { name, params: ["dim?", "keepdim?"] })?;
        let keep = keep.map_or(Ok(false), |given| given.truth("`keepdim`"))?;
        Ok((dim.filter(|given| !matches!(given.value, Value::None)), keep))
    }

    fn one_axis(&self, dim: Option<&Given>) -> Result<Option<usize>> {
        dim.map(|given| bind::axis(given, self.tensor.shape().rank())).transpose()
    }

    /// `max()` gives a value, `max(dim)` values and their places, `max(other)` the larger of each.
    fn extreme(&mut self, is_max: bool) -> Result<Value> {
        let (name, value, place) = match is_max {
            true => ("max", Reduction::Max, Reduction::ArgMax),
            false => ("min", Reduction::Min, Reduction::ArgMin),
        };
        let (dim, keep) = self.dim_and_keep(name)?;
        let axis = self.one_axis(dim.as_ref())?;
        let values = self.derive(|array| array.reduce(value, axis, keep))?;
        if axis.is_none() || values.unknown().is_some() {
            return Ok(values);
        }
        let places = self.derive(|array| array.reduce(place, axis, keep))?;
        Ok(Value::tuple(vec![values, places]))
    }

    fn shape_method(&mut self, name: &str) -> Result<Option<Value>> {
        let shape = self.tensor.shape().clone();
        let rank = shape.rank();
        Ok(Some(match name {
            "reshape" | "view" => {
                let target = self.target_shape()?;
                self.reshape(|array| array.reshape(&target))?
            }
            "flatten" => {
                self.nothing("flatten")?;
                self.reshape(|array| array.reshape(&Shape::new([shape.elements()])))?
            }
            "permute" => {
                let axes = self.axes(rank)?;
                self.reshape(|array| array.permute(&axes))?
            }
            "transpose" => {
                let [first, second] =
                    self.args.bind(Signature { name: "transpose", params: ["dim0", "dim1"] })?;
                let (Some(first), Some(second)) = (first, second) else { return Ok(None) };
                let mut axes: Vec<usize> = (0..rank).collect();
                axes.swap(bind::axis(&first, rank)?, bind::axis(&second, rank)?);
                self.reshape(|array| array.permute(&axes))?
            }
            "t" => {
                self.nothing("t")?;
                turned(self.tensor, self.evaluator, self.args.span)?
            }
            "unsqueeze" => {
                let at = bind::axis(&self.one("unsqueeze", "dim")?, rank + 1)?;
                let mut target = shape;
                target.0.insert(at, 1);
                self.reshape(|array| array.reshape(&target))?
            }
            "squeeze" => {
                let [axis] = self.args.bind(Signature { name: "squeeze", params: ["dim?"] })?;
                let axis = axis.map(|given| bind::axis(&given, rank)).transpose()?;
                let goes = |at: usize, extent: u64| extent == 1 && axis.is_none_or(|it| it == at);
                let kept = shape.0.iter().enumerate().filter(|(at, extent)| !goes(*at, **extent));
                let target = Shape(kept.map(|(_, extent)| *extent).collect());
                self.reshape(|array| array.reshape(&target))?
            }
            _ => return Ok(None),
        }))
    }

    fn axes(&self, rank: usize) -> Result<Vec<usize>> {
        match &self.args.positional[..] {
            [one] => bind::axes(one, rank),
            many => many.iter().map(|one| bind::axis(one, rank)).collect(),
        }
    }

    /// The shape that `reshape` is given, in which one extent may be -1.
    fn target_shape(&self) -> Result<Shape> {
        let span = self.args.span;
        let given = match &self.args.positional[..] {
            [one] => one.value.as_sequence().unwrap_or_else(|| vec![one.value.clone()]),
            many => many.iter().map(|given| given.value.clone()).collect(),
        };
        let open = given.iter().position(|value| value.as_int() == Some(-1));
        let Some(open) = open else {
            return bind::shape(&Given { value: Value::tuple(given), span });
        };
        let mut known = given;
        known.remove(open);
        let mut shape = bind::shape(&Given { value: Value::tuple(known), span })?;
        let elements = self.tensor.shape().elements();
        let rest = elements.checked_div(shape.elements());
        let Some(rest) = rest.filter(|rest| rest * shape.elements() == elements) else {
            let own = self.tensor.shape();
            let message =
                format!("the {elements} elements of shape {own} do not fill {shape} and one more");
            return Err(Fault::new(hosting::HOST_SHAPE, message, span, "does not divide"));
        };
        shape.0.insert(open, rest);
        Ok(shape)
    }

    fn other(&mut self, name: &str) -> Result<Option<Value>> {
        let span = self.args.span;
        Ok(Some(match name {
            "max" => self.extreme(true)?,
            "min" => self.extreme(false)?,
            "numpy" | "clone" | "copy" | "contiguous" | "detach" | "cpu" => {
                self.nothing("a tensor's method")?;
                self.derive(|array| Ok(array.detached()))?
            }
            "copy_" => self.copy_from()?,
            "fill_" => {
                let given = self.one("fill_", "value")?;
                self.assign(&given)?
            }
            "to" | "astype" => {
                let dtype = dtype_of(&self.one("to", "dtype")?)?;
                self.cast(dtype)?
            }
            "item" => self.item()?,
            "tolist" => match self.read()? {
                Some(array) => {
                    self.evaluator.spend_elements(array.elements() as usize, span)?;
                    bind::nested_list(&array)
                }
                None => Value::Unknown(span),
            },
            "size" => self.size()?,
            "dim" => Value::Int(self.tensor.shape().rank() as i128),
            "masked_fill" => self.masked_fill()?,
            "expand" => {
                let target = self.expanded()?;
                self.reshape(|array| array.broadcast_to(&target))?
            }
            "repeat" => self.repeat()?,
            "stride" => self.stride()?,
            "element_size" => {
                self.nothing("element_size")?;
                Value::Int(i128::from(self.tensor.dtype(self.evaluator, span)?.bytes()))
            }
            "is_contiguous" => {
                self.nothing("is_contiguous")?;
                Value::Bool(true)
            }
            "numel" => Value::Int(i128::from(self.tensor.shape().elements())),
            "matmul" => self.matmul()?,
            "local" => self.local()?,
            "shards" => self.shards()?,
            "free" => self.free()?,
            "equal" => self.equal()?,
            _ => return Ok(None),
        }))
    }

    /// The methods that change the tensor: `add_`, `mul_`, …
    fn in_place(&mut self, name: &str) -> Result<Option<Value>> {
        let span = self.args.span;
        let (name, op) = match name {
            "zero_" => {
                self.nothing("zero_")?;
                let zero = Given { value: Value::Int(0), span };
                return self.assign(&zero).map(Some);
            }
            "add_" => ("add_", Arithmetic::Op(BinaryOp::Add)),
            "sub_" => ("sub_", Arithmetic::Op(BinaryOp::Sub)),
            "mul_" => ("mul_", Arithmetic::Op(BinaryOp::Mul)),
            "div_" => ("div_", Arithmetic::TrueDiv),
            _ => return Ok(None),
        };
        let given = self.one(name, "other")?;
        let dtype = self.tensor.dtype(self.evaluator, span)?;
        let other = match operand(self.evaluator, &given.value, dtype, given.span)? {
            Some(Operand::Array(other)) => other,
            Some(Operand::Unknown) => return Ok(Some(Value::object(self.tensor.clone()))),
            None => return Err(given.wrong("`other`", "a tensor or a number")),
        };
        if let Some(own) = self.read()? {
            let sum = own.arithmetic(op, &other).map_err(|error| fault(error, span))?;
            self.tensor.assign(self.evaluator, &[], &sum, span)?;
        }
        Ok(Some(Value::object(self.tensor.clone())))
    }

    /// `masked_fill(mask, value)`.
    fn masked_fill(&mut self) -> Result<Value> {
        let signature = Signature { name: "masked_fill", params: ["mask", "value"] };
        let [mask, value] = self.args.bind(signature)?;
        let (Some(mask), Some(value)) = (mask, value) else { return Ok(Value::None) };
        let (span, dtype) = (self.args.span, self.tensor.dtype(self.evaluator, mask.span)?);
        let mask = operand(self.evaluator, &mask.value, DType::I1, mask.span)?;
        let value = operand(self.evaluator, &value.value, dtype, value.span)?;
        let (Some(Operand::Array(mask)), Some(Operand::Array(value))) = (mask, value) else {
            return Ok(Value::Unknown(span));
        };
        self.derive(|array| mask.select(&value.cast(dtype), &array))
    }

    /// The shape that `expand` is given, in which -1 leaves an extent as it is.
    fn expanded(&self) -> Result<Shape> {
        let own = self.tensor.shape();
        let given = match &self.args.positional[..] {
            [one] => one.value.as_sequence().unwrap_or_else(|| vec![one.value.clone()]),
            many => many.iter().map(|given| given.value.clone()).collect(),
        };
        let more = given.len().saturating_sub(own.rank());
        let extent =
            |(place, value): (usize, Value)| match (value.as_int(), place.checked_sub(more)) {
                (Some(-1), Some(at)) => Value::Int(own.0.get(at).map_or(-1, |it| i128::from(*it))),
                (Some(_), _) | (None, _) => value,
            };
        let extents = given.into_iter().enumerate().map(extent).collect();
        bind::shape(&Given { value: Value::tuple(extents), span: self.args.span })
    }

    /// `repeat(2, 3)`: copies side by side along each axis.
    fn repeat(&mut self) -> Result<Value> {
        let times = bind::shape_of_many(&self.args.positional, self.args.span)?;
        let own = self.tensor.shape().clone();
        let Some(more) = times.rank().checked_sub(own.rank()) else {
            let message = format!("`repeat` along {} axes of shape {own}", times.rank());
            return Err(Fault::new(hosting::HOST_SHAPE, message, self.args.span, "too few"));
        };
        let total = times.elements().saturating_mul(own.elements());
        self.evaluator.spend(total / 64, self.args.span)?;
        self.derive(|array| {
            let mut array = array.reshape(&Shape([&vec![1; more][..], &own.0].concat()))?;
            for (axis, count) in times.0.iter().enumerate() {
                let mut shape = array.shape();
                if *count == 0 {
                    shape.0[axis] = 0;
                    array = Array::full(array.dtype(), &shape, 0.0)?;
                    continue;
                }
                crate::host::check_elements(shape.elements().saturating_mul(*count))?;
                array = Array::concatenate(&vec![array.clone(); *count as usize], axis)?;
            }
            Ok(array)
        })
    }

    /// The distance, in elements, between neighbours along each axis of a dense tensor.
    fn stride(&mut self) -> Result<Value> {
        let [axis] = self.args.bind(Signature { name: "stride", params: ["dim?"] })?;
        let shape = self.tensor.shape();
        let after = |at: usize| shape.0.iter().skip(at + 1).product();
        let strides = Shape((0..shape.rank()).map(after).collect());
        let Some(axis) = axis else { return Ok(bind::shape_value(&strides)) };
        let at = bind::axis(&axis, shape.rank())?;
        Ok(Value::Int(i128::from(strides.0[at])))
    }

    /// `x.copy_(source)`: the elements of another tensor, an array, or nested lists.
    fn copy_from(&mut self) -> Result<Value> {
        let given = self.one("copy_", "source")?;
        self.assign(&given)
    }

    fn assign(&mut self, given: &Given) -> Result<Value> {
        if given.value.unknown().is_none() {
            let dtype = self.tensor.dtype(self.evaluator, given.span)?;
            let found = operand(self.evaluator, &given.value, dtype, given.span)?;
            let array = match found {
                Some(Operand::Array(array)) => Some(array),
                Some(Operand::Unknown) => None,
                None => Some(super::create::array_of_list(self.evaluator, given, DType::F32)?),
            };
            if let Some(array) = array {
                self.tensor.assign(self.evaluator, &[], &array, self.args.span)?;
            }
        }
        Ok(Value::object(self.tensor.clone()))
    }

    fn item(&mut self) -> Result<Value> {
        self.nothing("item")?;
        let span = self.args.span;
        let elements = self.tensor.shape().elements();
        if elements != 1 {
            let message = format!("`item` of a tensor of {elements} elements; it has to have one");
            return Err(Fault::new(hosting::HOST_VALUE, message, span, "not one element"));
        }
        Ok(self.read()?.map_or(Value::Unknown(span), |array| bind::element(&array, 0)))
    }

    fn size(&mut self) -> Result<Value> {
        let [axis] = self.args.bind(Signature { name: "size", params: ["dim?"] })?;
        let shape = self.tensor.shape();
        let Some(axis) = axis else { return Ok(bind::shape_value(shape)) };
        let at = bind::axis(&axis, shape.rank())?;
        Ok(Value::Int(shape.0.get(at).map_or(0, |extent| i128::from(*extent))))
    }

    fn matmul(&mut self) -> Result<Value> {
        let given = self.one("matmul", "other")?;
        let dtype = self.tensor.dtype(self.evaluator, given.span)?;
        let span = self.args.span;
        match operand(self.evaluator, &given.value, dtype, given.span)? {
            Some(Operand::Array(other)) => {
                let steps = product_steps(self.tensor.shape(), &other.shape());
                self.evaluator.spend(steps, span)?;
                self.derive(|array| array.matmul(&other))
            }
            Some(Operand::Unknown) => Ok(Value::Unknown(span)),
            None => Err(given.wrong("`other`", "a tensor")),
        }
    }

    /// Gives back all that the tensor has.
    fn free(&mut self) -> Result<Value> {
        self.nothing("free")?;
        let span = self.args.span;
        spawn::drain(self.evaluator, span)?;
        let id = self.tensor.placed(self.evaluator, "`free`", span)?.id;
        let freed = machine(self.evaluator, span)?.free(id, span);
        freed.map_err(|error| fault(error, span)).map(|()| Value::None)
    }

    /// Which PE holds which part.
    fn shards(&mut self) -> Result<Value> {
        self.nothing("shards")?;
        let span = self.args.span;
        let tensor = self.tensor.placed(self.evaluator, "`shards`", span)?.clone();
        let machine = machine(self.evaluator, span)?;
        let (extent, world) = (machine.extent(), machine.world_size());
        Ok(Value::object(ShardTable::of(&tensor, &extent, world)))
    }

    /// What a rank holds, as it sees it.
    fn local(&mut self) -> Result<Value> {
        let given = self.one("local", "rank")?;
        let span = self.args.span;
        let world = machine(self.evaluator, span)?.world_size();
        let rank = given.int("`rank`")?;
        let Some(rank) = u32::try_from(rank).ok().filter(|rank| *rank < world) else {
            let message = format!("there is no rank {rank} in a world of {world} ranks");
            return Err(Fault::new(hosting::HOST_INDEX, message, given.span, "no such rank"));
        };
        let id = self.tensor.placed(self.evaluator, "`local`", span)?.id;
        let found = machine(self.evaluator, span)?.read_local(id, rank);
        match found.map_err(|error| fault(error, span))? {
            Data::Known(array) => value_of(self.evaluator, Some(array), span),
            Data::Absent => Ok(Value::Unknown(span)),
        }
    }

    /// Whether both have the same shape and elements.
    fn equal(&mut self) -> Result<Value> {
        let given = self.one("equal", "other")?;
        let span = self.args.span;
        let Some(other) = given.value.downcast::<TensorValue>() else {
            return Err(given.wrong("`other`", "a tensor"));
        };
        let (Some(x), Some(y)) = (self.read()?, other.read(self.evaluator, given.span)?) else {
            return Ok(Value::Unknown(span));
        };
        let same =
            x.shape() == y.shape() && x.to_f64s() == y.to_f64s() && x.to_ints() == y.to_ints();
        Ok(Value::Bool(same))
    }
}
