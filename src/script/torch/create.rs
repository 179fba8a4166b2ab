//! Functions that make tensors on the machine.

use super::naming::name_for;
use super::tensor::TensorValue;
use super::{always, bind, device, fault, machine, policy, random};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Array, HostError, Placement, TensorSpec};
use crate::replay::data::Values;
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::dtypes::dtype_of;
use crate::script::evaluator::{Evaluator, undecided};
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;

pub(super) const TABLE: &[Native] = &[
    always("zeros", zeros),
    always("empty", empty),
    always("ones", ones),
    always("full", full),
    always("zeros_like", zeros_like),
    always("empty_like", empty_like),
    always("ones_like", ones_like),
    always("full_like", full_like),
    always("rand_like", rand_like),
    always("randn_like", randn_like),
    always("eye", eye),
    always("linspace", linspace),
    always("arange", arange),
    always("randn", randn),
    always("rand", rand),
    always("randint", randint),
    always("tensor", tensor),
    always("from_list", from_list),
    always("from_numpy", from_numpy),
    pure("manual_seed", manual_seed),
];

/// What every function here takes by name.
struct Options {
    dtype: Option<DType>,
    placement: Option<Given>,
    /// A `DPPolicy`.
    dp: Option<Given>,
    /// On which SIPs it places the tensor.
    device: Option<Given>,
    name: Option<String>,
    /// Where a tensor lies that this one is to be like.
    like: Option<Placement>,
}

/// The arguments of `args` that are not options, and the options.
fn options(args: &Args, function: &'static str) -> Result<(Args, Options)> {
    let is_option = |name: &str| matches!(name, "dtype" | "placement" | "dp" | "device" | "name");
    let (named, rest): (Vec<_>, Vec<_>) =
        args.named.iter().cloned().partition(|(name, _)| is_option(&name.name));
    let only = Args { positional: Vec::new(), named, span: args.span };
    let params = ["dtype?", "placement?", "dp?", "device?", "name?"];
    let [dtype, placement, dp, device, name] = only.bind(Signature { name: function, params })?;
    let is_given = |given: &Given| !matches!(given.value, Value::None);
    let [placement, dp, device] = [placement, dp, device].map(|it| it.filter(is_given));
    refuse_both(&placement, &dp, &device)?;
    let dtype = dtype.as_ref().map(dtype_of).transpose()?;
    let name = name.map(|given| given.text("`name`").map(str::to_owned)).transpose()?;
    let rest = Args { positional: args.positional.clone(), named: rest, span: args.span };
    Ok((rest, Options { dtype, placement, dp, device, name, like: None }))
}

/// Refuses options that say twice where a tensor lies, or say half of it.
fn refuse_both(
    placement: &Option<Given>,
    dp: &Option<Given>,
    device: &Option<Given>,
) -> Result<()> {
    if let (Some(placement), Some(dp)) = (placement, dp) {
        let message = "both `dp` and `placement` say where the tensor lies";
        return Err(Fault::new(hosting::BAD_PLACEMENT, message, dp.span, "a policy")
            .because(placement.span, "and a placement"));
    }
    if let (Some(device), None) = (device, dp) {
        let message = "`device` says on which SIP a policy places a tensor, and there is no policy";
        return Err(Fault::new(hosting::BAD_PLACEMENT, message, device.span, "without `dp`")
            .help(String::from("add `dp=DPPolicy(…)`; `placement=` puts a tensor on a rank")));
    }
    Ok(())
}

/// Makes a tensor on the machine.
fn create(
    evaluator: &mut Evaluator<'_>,
    (shape, options): (Shape, Options),
    args: &Args,
    fill: impl FnOnce(DType, &Shape) -> std::result::Result<Array, HostError>,
) -> Result<Value> {
    let span = args.span;
    let dtype = options.dtype.unwrap_or(DType::F32);
    evaluator.spend(shape.elements() / 64, span)?;
    let placement = place(evaluator, &options, &shape, span)?;
    let name = name_for(evaluator, options.name, span);
    let machine = machine(evaluator, span)?;
    let spec = TensorSpec { name, shape: shape.clone(), dtype, placement };
    let handle = machine.create_at(spec, span, || fill(dtype, &shape).map(Some));
    let handle = handle.map_err(|error| fault(error, span))?;
    Ok(Value::object(TensorValue::on_device(handle, shape)))
}

/// A tensor of this name, shape and type, unwritten, where tensors of this rank lie.
pub(super) fn new_tensor(
    evaluator: &mut Evaluator<'_>,
    spec: (String, Shape, DType),
    span: Span,
) -> Result<TensorValue> {
    new_tensor_by(evaluator, spec, None, span)
}

/// The same where a policy puts it, if there is one.
pub(super) fn new_tensor_by(
    evaluator: &mut Evaluator<'_>,
    (name, shape, dtype): (String, Shape, DType),
    dp: Option<&Given>,
    span: Span,
) -> Result<TensorValue> {
    let (placement, dp, device) = (None, dp.cloned(), None);
    let options =
        Options { dtype: Some(dtype), placement, dp, device, name: Some(name), like: None };
    let placement = place(evaluator, &options, &shape, span)?;
    let name = options.name.unwrap_or_default();
    let spec = TensorSpec { name, shape: shape.clone(), dtype, placement };
    let made = machine(evaluator, span)?.create_at(spec, span, || Ok(None));
    Ok(TensorValue::on_device(made.map_err(|error| fault(error, span))?, shape))
}

/// Where a tensor lies: all of a rank's own on its device, any other as it is said.
fn place(
    evaluator: &mut Evaluator<'_>,
    options: &Options,
    shape: &Shape,
    span: Span,
) -> Result<Placement> {
    if let Some(dp) = &options.dp {
        return policy::place(evaluator, (dp, options.device.as_ref()), shape, span);
    }
    if let (Some(like), None) = (&options.like, &options.placement) {
        return Ok(like.clone());
    }
    if evaluator.seat.is_some() && options.placement.is_none() {
        return Ok(Placement::Single(device::home(evaluator, span)?));
    }
    let ranks = device::ranks(evaluator, span)?;
    bind::placement(options.placement.as_ref(), shape, &ranks)
}

fn filled(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    function: &'static str,
    value: f64,
) -> Result<Value> {
    let (rest, options) = options(args, function)?;
    let shape = shape_argument(&rest, function)?;
    create(evaluator, (shape, options), args, |dtype, shape| Array::full(dtype, shape, value))
}

/// The shape that a function's arguments are, or that it takes as `size`.
fn shape_argument(rest: &Args, function: &'static str) -> Result<Shape> {
    if rest.named.is_empty() && !rest.positional.is_empty() {
        return bind::shape_of_many(&rest.positional, rest.span);
    }
    let [size] = rest.bind(Signature { name: function, params: ["size"] })?;
    size.map_or(Ok(Shape::default()), |given| bind::shape(&given))
}

fn zeros(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    filled(evaluator, &args, "zeros", 0.0)
}

/// Nothing has written what `empty` makes: a kernel that reads it is told so.
fn empty(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, options) = options(&args, "empty")?;
    let shape = shape_argument(&rest, "empty")?;
    unwritten(evaluator, (shape, options), args.span)
}

/// Makes a tensor on the machine and leaves it unwritten.
fn unwritten(
    evaluator: &mut Evaluator<'_>,
    (shape, options): (Shape, Options),
    span: Span,
) -> Result<Value> {
    let dtype = options.dtype.unwrap_or(DType::F32);
    let placement = place(evaluator, &options, &shape, span)?;
    let name = name_for(evaluator, options.name, span);
    let machine = machine(evaluator, span)?;
    let spec = TensorSpec { name, shape: shape.clone(), dtype, placement };
    let handle = machine.create_at(spec, span, || Ok(None)).map_err(|error| fault(error, span))?;
    Ok(Value::object(TensorValue::on_device(handle, shape)))
}

fn ones(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    filled(evaluator, &args, "ones", 1.0)
}

fn full(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, mut options) = options(&args, "full")?;
    let [size, value] = rest.bind(Signature { name: "full", params: ["size", "fill_value"] })?;
    let (Some(size), Some(value)) = (size, value) else { return Ok(Value::None) };
    if let Value::Unknown(made) = value.value {
        return Err(undecided("this value", made, value.span));
    }
    if options.dtype.is_none() {
        options.dtype = Some(natural_dtype(&value.value, DType::F32));
    }
    let value = value.float("`fill_value`")?;
    let shape = bind::shape(&size)?;
    create(evaluator, (shape, options), &args, |dtype, shape| Array::full(dtype, shape, value))
}

/// The type of a number of the program, whose floats are `float`.
pub(super) fn natural_dtype(value: &Value, float: DType) -> DType {
    match (value.as_bool(), value.as_int()) {
        (Some(_), _) => DType::I1,
        (None, Some(_)) => DType::I64,
        (None, None) => float,
    }
}

/// The shape and the options of a tensor like another one.
fn like_what(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    function: &'static str,
) -> Result<(Shape, Options)> {
    let (rest, options) = options(args, function)?;
    let [given] = rest.bind(Signature { name: function, params: ["input"] })?;
    let Some(given) = given else { return Ok((Shape::default(), options)) };
    like(evaluator, &given, options)
}

/// The shape of a tensor, and options that say its type and where it lies, where nothing else is said.
fn like(
    evaluator: &mut Evaluator<'_>,
    given: &Given,
    mut options: Options,
) -> Result<(Shape, Options)> {
    let Some(tensor) = given.value.downcast::<TensorValue>() else {
        return Err(given.wrong("`input`", "a tensor"));
    };
    if options.dtype.is_none() {
        options.dtype = Some(tensor.dtype(evaluator, given.span)?);
    }
    if let Some(id) = tensor.device_id().filter(|_| !tensor.is_part()) {
        options.like = Some(machine(evaluator, given.span)?.tensor(id).placement.clone());
    }
    Ok((tensor.shape().clone(), options))
}

fn ones_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let made = like_what(evaluator, &args, "ones_like")?;
    create(evaluator, made, &args, |dtype, shape| Array::full(dtype, shape, 1.0))
}

fn full_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, options) = options(&args, "full_like")?;
    let signature = Signature { name: "full_like", params: ["input", "fill_value"] };
    let [given, value] = rest.bind(signature)?;
    let (Some(given), Some(value)) = (given, value) else { return Ok(Value::None) };
    if let Value::Unknown(made) = value.value {
        return Err(undecided("this value", made, value.span));
    }
    let value = value.float("`fill_value`")?;
    let made = like(evaluator, &given, options)?;
    create(evaluator, made, &args, |dtype, shape| Array::full(dtype, shape, value))
}

fn rand_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let made = like_what(evaluator, &args, "rand_like")?;
    random_tensor(evaluator, &args, made, Values::Uniform { low: 0.0, high: 1.0 })
}

fn randn_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let made = like_what(evaluator, &args, "randn_like")?;
    random_tensor(evaluator, &args, made, Values::Normal)
}

/// `eye(n, m=n)`: ones where row and column are the same.
fn eye(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, options) = options(&args, "eye")?;
    let [n, m] = rest.bind(Signature { name: "eye", params: ["n", "m?"] })?;
    let Some(n) = n else { return Ok(Value::None) };
    let pair = vec![n.value.clone(), m.map_or(n.value.clone(), |m| m.value)];
    let shape = bind::shape(&Given { value: Value::tuple(pair), span: n.span })?;
    create(evaluator, (shape, options), &args, identity)
}

type Made = std::result::Result<Array, HostError>;

/// The elements of `shape` that `at` gives for their places, computed in `f64`.
fn of_places(dtype: DType, shape: &Shape, at: impl Fn(u64) -> f64) -> Made {
    // Refused before anything of its size is made.
    let count = Array::full(DType::F64, shape, 0.0)?.elements();
    Ok(Array::from_f64s(DType::F64, shape, (0..count).map(at).collect())?.cast(dtype))
}

/// Ones where row and column are the same.
pub(super) fn identity(dtype: DType, shape: &Shape) -> Made {
    let columns = shape.0.last().copied().unwrap_or(1).max(1);
    of_places(dtype, shape, |it| if it / columns == it % columns { 1.0 } else { 0.0 })
}

/// Evenly spaced numbers, both ends included.
pub(super) fn spaced(dtype: DType, shape: &Shape, (start, end): (f64, f64)) -> Made {
    let count = shape.elements();
    let step = (end - start) / count.saturating_sub(1).max(1) as f64;
    // From the nearer end, so that both are exact.
    of_places(dtype, shape, |place| match place < count / 2 {
        true => start + step * place as f64,
        false if count > 1 => end - step * (count - 1 - place) as f64,
        false => start,
    })
}

/// `start`, `start + step`, …
pub(super) fn counted(dtype: DType, shape: &Shape, (start, step): (f64, f64)) -> Made {
    of_places(dtype, shape, |place| start + place as f64 * step)
}

/// `linspace(start, end, steps)`: evenly spaced, both ends included.
fn linspace(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, options) = options(&args, "linspace")?;
    let signature = Signature { name: "linspace", params: ["start", "end", "steps"] };
    let [start, end, steps] = rest.bind(signature)?;
    let (Some(start), Some(end), Some(steps)) = (start, end, steps) else {
        return Ok(Value::None);
    };
    let shape = Shape(vec![u64::try_from(steps.int("`steps`")?).unwrap_or(0)]);
    let (start, end) = (start.float("`start`")?, end.float("`end`")?);
    create(evaluator, (shape, options), &args, |dtype, shape| spaced(dtype, shape, (start, end)))
}

fn zeros_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let made = like_what(evaluator, &args, "zeros_like")?;
    create(evaluator, made, &args, |dtype, shape| Array::full(dtype, shape, 0.0))
}

fn empty_like(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (shape, options) = like_what(evaluator, &args, "empty_like")?;
    unwritten(evaluator, (shape, options), args.span)
}

fn arange(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, mut options) = options(&args, "arange")?;
    let range = Range::of(&rest)?;
    options.dtype = options.dtype.or(Some(range.dtype(DType::F32)));
    create(evaluator, (range.shape(), options), &args, |dtype, shape| {
        counted(dtype, shape, (range.start, range.step))
    })
}

/// What `arange` counts.
pub(super) struct Range {
    pub(super) start: f64,
    pub(super) step: f64,
    count: u64,
    is_of_ints: bool,
}

impl Range {
    /// Reads `end`, `start, end` or `start, end, step`.
    pub(super) fn of(args: &Args) -> Result<Range> {
        args.no_names("arange")?;
        let zero = Given { value: Value::Int(0), span: args.span };
        let one = Given { value: Value::Int(1), span: args.span };
        let (start, end, step) = match &args.positional[..] {
            [end] => (&zero, end, &one),
            [start, end] => (start, end, &one),
            [start, end, step] => (start, end, step),
            _ => {
                let message = "`arange` takes an end, a start and an end, or these and a step";
                return Err(Fault::new(hosting::HOST_ARGUMENTS, message, args.span, "not these"));
            }
        };
        let is_of_ints = [start, end, step].iter().all(|given| given.value.as_int().is_some());
        let what = "an argument of `arange`";
        let (start, end, step) = (start.float(what)?, end.float(what)?, step.float(what)?);
        let count = ((end - start) / step).ceil();
        if step == 0.0 || !count.is_finite() {
            let message = "`arange` needs a finite range and a step other than zero";
            return Err(Fault::new(hosting::HOST_VALUE, message, args.span, "no such range"));
        }
        Ok(Range { start, step, count: count.max(0.0) as u64, is_of_ints })
    }

    /// The type of its numbers, whose floats are `float`.
    pub(super) fn dtype(&self, float: DType) -> DType {
        if self.is_of_ints { DType::I64 } else { float }
    }

    /// The shape of its numbers.
    pub(super) fn shape(&self) -> Shape {
        Shape::new([self.count])
    }
}

/// A tensor of random values.
fn random_tensor(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    (shape, options): (Shape, Options),
    values: Values,
) -> Result<Value> {
    let seed = evaluator.seeds.take();
    create(evaluator, (shape, options), args, |dtype, shape| {
        random::array(dtype, shape, values, seed)
    })
}

fn randn(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, options) = options(&args, "randn")?;
    let shape = shape_argument(&rest, "randn")?;
    random_tensor(evaluator, &args, (shape, options), Values::Normal)
}

fn rand(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, options) = options(&args, "rand")?;
    let shape = shape_argument(&rest, "rand")?;
    random_tensor(evaluator, &args, (shape, options), Values::Uniform { low: 0.0, high: 1.0 })
}

fn randint(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let (rest, mut options) = options(&args, "randint")?;
    let [low, high, size] =
        rest.bind(Signature { name: "randint", params: ["low", "high", "size"] })?;
    let (Some(low), Some(high), Some(size)) = (low, high, size) else { return Ok(Value::None) };
    let bound = |given: &Given| {
        i64::try_from(given.int("a bound of `randint`")?).map_err(|_| {
            let message = "a bound of `randint` does not fit 64 bits";
            Fault::new(hosting::HOST_VALUE, message, given.span, "too large")
        })
    };
    let (from, to) = (bound(&low)?, bound(&high)?);
    if from >= to {
        let message = format!("`randint` from {from} up to {to} has nothing to choose from");
        return Err(Fault::new(hosting::HOST_VALUE, message, high.span, "not above the low bound"));
    }
    if options.dtype.is_none() {
        options.dtype = Some(DType::I64);
    }
    let shape = bind::shape(&size)?;
    random_tensor(evaluator, &args, (shape, options), Values::Integers { low: from, high: to - 1 })
}

fn manual_seed(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [seed] = args.bind(Signature { name: "manual_seed", params: ["seed"] })?;
    let Some(seed) = seed else { return Ok(Value::None) };
    let seed = seed.int("the seed")?;
    evaluator.seeds.restart(seed);
    Ok(Value::None)
}

fn tensor(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    from_data(evaluator, &args, "tensor")
}

fn from_list(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    from_data(evaluator, &args, "from_list")
}

fn from_numpy(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    from_data(evaluator, &args, "from_numpy")
}

fn from_data(evaluator: &mut Evaluator<'_>, args: &Args, function: &'static str) -> Result<Value> {
    let (rest, mut options) = options(args, function)?;
    let [data] = rest.bind(Signature { name: function, params: ["data"] })?;
    let Some(given) = data else { return Ok(Value::None) };
    if let Value::Unknown(made) = given.value {
        return Err(undecided("the shape of this tensor", made, given.span));
    }
    if let Some(tensor) = given.value.downcast::<TensorValue>() {
        let source = tensor.read(evaluator, given.span)?;
        if options.dtype.is_none() {
            options.dtype = Some(tensor.dtype(evaluator, given.span)?);
        }
        let shape = tensor.shape().clone();
        return create(evaluator, (shape, options), args, |dtype, _| match source {
            Some(array) => Ok(array.cast(dtype).detached()),
            None => Err(HostError::Value(String::from("the data are not known"))),
        });
    }
    let array = array_of_list(evaluator, &given, DType::F32)?;
    if options.dtype.is_none() {
        options.dtype = Some(array.dtype());
    }
    create(evaluator, (array.shape(), options), args, |dtype, _| Ok(array.cast(dtype)))
}

/// The array that a number or nested lists of them are; floats are `float`.
pub(super) fn array_of_list(
    evaluator: &mut Evaluator<'_>,
    given: &Given,
    float: DType,
) -> Result<Array> {
    let ragged = || {
        let message = "lists of different lengths are no tensor";
        Fault::new(hosting::HOST_SHAPE, message, given.span, "not all alike")
    };
    let mut extents = Vec::new();
    let mut level = vec![given.value.clone()];
    while let Some(first) = level.first().and_then(Value::as_sequence) {
        let extent = first.len();
        extents.push(extent as u64);
        if extents.len() > crate::host::MAX_AXES {
            let message = format!("lists nest more than {} deep", crate::host::MAX_AXES);
            return Err(Fault::new(hosting::HOST_SHAPE, message, given.span, "too deep"));
        }
        let mut next = Vec::new();
        for item in level {
            let items = item.as_sequence().filter(|items| items.len() == extent);
            next.extend(items.ok_or_else(ragged)?);
        }
        evaluator.spend_elements(next.len(), given.span)?;
        level = next;
    }
    let mut dtype = DType::I1;
    let mut numbers = Vec::with_capacity(level.len());
    for item in &level {
        let number = evaluator.number(item, given.span)?;
        let Some(value) = number.as_ref().and_then(Value::as_float) else {
            if item.as_sequence().is_some() {
                return Err(ragged());
            }
            let part = Given { value: item.clone(), span: given.span };
            return Err(part.wrong("an element of a tensor", "a number"));
        };
        dtype = crate::host::promote(dtype, natural_dtype(number.as_ref().unwrap_or(item), float));
        numbers.push(number.unwrap_or(Value::Float(value)));
    }
    let shape = Shape(extents);
    let ints: Option<Vec<i64>> =
        numbers.iter().map(|number| i64::try_from(number.as_int()?).ok()).collect();
    let array = match ints {
        Some(ints) if dtype.is_int() => Array::from_ints(dtype, &shape, ints),
        _ => {
            let floats = numbers.iter().map(|number| number.as_float().unwrap_or(0.0)).collect();
            Array::from_f64s(dtype, &shape, floats)
        }
    };
    array.map_err(|error| fault(error, given.span))
}
