//! `numpy.random`: numbers of kbc's own generator under NumPy's names. The functions of the module
//! go on from where `torch` is; a generator that `default_rng` makes has its own place.

use std::any::Any;
use std::cell::RefCell;

use super::create::made;
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Arithmetic, Array};
use crate::ops::BinaryOp;
use crate::replay::data::Values;
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::dtypes::dtype_of;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Module, Object};
use crate::script::torch::bind;
use crate::script::torch::random::{Seeds, array};
use crate::script::value::Value;
use crate::shape::Shape;

/// `numpy.random`.
pub(super) const MODULE: Module = Module {
    name: "numpy.random",
    functions: &[
        pure("default_rng", default_rng),
        pure("seed", seed),
        pure("rand", |evaluator, args| of_extents(evaluator, &args, UNIT)),
        pure("randn", |evaluator, args| of_extents(evaluator, &args, Values::Normal)),
        pure("random", |evaluator, args| of_program(evaluator, "random", &args)),
        pure("standard_normal", |evaluator, args| of_program(evaluator, "standard_normal", &args)),
        pure("normal", |evaluator, args| of_program(evaluator, "normal", &args)),
        pure("uniform", |evaluator, args| of_program(evaluator, "uniform", &args)),
        pure("randint", |evaluator, args| of_program(evaluator, "integers", &args)),
    ],
    constants: &[],
};

/// From 0 to 1.
const UNIT: Values = Values::Uniform { low: 0.0, high: 1.0 };

/// What a generator makes.
const METHODS: [&str; 5] = ["random", "standard_normal", "normal", "uniform", "integers"];

/// What `default_rng` makes.
struct Generator(RefCell<Seeds>);

impl Object for Generator {
    fn type_name(&self) -> String {
        "random generator".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        METHODS.to_vec()
    }

    fn call_method(
        &self,
        evaluator: &mut Evaluator<'_>,
        name: &str,
        args: &Args,
    ) -> Result<Option<Value>> {
        let Some(name) = METHODS.into_iter().find(|known| *known == name) else { return Ok(None) };
        let seed = self.0.borrow_mut().take();
        drawn(evaluator, (name, seed), args).map(Some)
    }
}

fn default_rng(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [seed] = args.bind(Signature { name: "default_rng", params: ["seed?"] })?;
    let mut seeds = Seeds::default();
    seeds.restart(seed.map_or(Ok(0), |given| given.int("the seed"))?);
    Ok(Value::object(Generator(RefCell::new(seeds))))
}

fn seed(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [seed] = args.bind(Signature { name: "seed", params: ["seed"] })?;
    let Some(seed) = seed else { return Ok(Value::None) };
    evaluator.seeds.restart(seed.int("the seed")?);
    Ok(Value::None)
}

/// `rand(2, 3)`: the extents are the arguments.
fn of_extents(evaluator: &mut Evaluator<'_>, args: &Args, values: Values) -> Result<Value> {
    args.no_names("rand")?;
    let shape = bind::shape_of_many(&args.positional, args.span)?;
    let seed = evaluator.seeds.take();
    made(evaluator, (&shape, DType::F64), args.span, |dtype, shape| {
        array(dtype, shape, values, seed)
    })
}

fn of_program(evaluator: &mut Evaluator<'_>, name: &'static str, args: &Args) -> Result<Value> {
    let seed = evaluator.seeds.take();
    drawn(evaluator, (name, seed), args)
}

/// Numbers as a call asks for them.
struct Draw {
    values: Values,
    /// What the numbers are multiplied with, and what is added then.
    scale_and_loc: Option<(f64, f64)>,
    size: Option<Given>,
    dtype: DType,
}

impl Draw {
    /// Reads the arguments of one of [`METHODS`].
    fn of(name: &'static str, args: &Args) -> Result<Draw> {
        match name {
            "random" => Draw::plain(name, args, UNIT),
            "standard_normal" => Draw::plain(name, args, Values::Normal),
            "normal" => Draw::between(name, args, ["loc?", "scale?", "size?", "dtype?"]),
            _ => Draw::between(name, args, ["low?", "high?", "size?", "dtype?"]),
        }
    }

    fn plain(name: &'static str, args: &Args, values: Values) -> Result<Draw> {
        let [size, dtype] = args.bind(Signature { name, params: ["size?", "dtype?"] })?;
        let dtype = dtype.as_ref().map_or(Ok(DType::F64), dtype_of)?;
        Ok(Draw { values, scale_and_loc: None, size, dtype })
    }

    fn between(name: &'static str, args: &Args, params: [&'static str; 4]) -> Result<Draw> {
        let [low, high, size, dtype] = args.bind(Signature { name, params })?;
        let number = |given: &Option<Given>, otherwise: f64| {
            let what = format!("an argument of `{name}`");
            given.as_ref().map_or(Ok(otherwise), |given| given.float(&what))
        };
        let (mut scale_and_loc, mut own) = (None, DType::F64);
        let values = match name {
            "integers" => {
                own = DType::I64;
                whole_numbers(low.as_ref(), high.as_ref(), args)?
            }
            "uniform" => Values::Uniform { low: number(&low, 0.0)?, high: number(&high, 1.0)? },
            _ => {
                scale_and_loc = Some((number(&high, 1.0)?, number(&low, 0.0)?));
                Values::Normal
            }
        };
        let dtype = dtype.as_ref().map_or(Ok(own), dtype_of)?;
        Ok(Draw { values, scale_and_loc, size, dtype })
    }
}

/// What a method of a generator gives that has come to `seed`. Without a size, one number.
fn drawn(
    evaluator: &mut Evaluator<'_>,
    (name, seed): (&'static str, u64),
    args: &Args,
) -> Result<Value> {
    let Draw { values, scale_and_loc, size, dtype } = Draw::of(name, args)?;
    let shape = size.as_ref().map_or(Ok(Shape::default()), bind::shape)?;
    let drawn = made(evaluator, (&shape, dtype), args.span, |dtype, shape| {
        let plain = array(dtype, shape, values, seed)?;
        let Some((scale, loc)) = scale_and_loc else { return Ok(plain) };
        let number = |value| Array::scalar(dtype, value);
        let wide = plain.arithmetic(Arithmetic::Op(BinaryOp::Mul), &number(scale))?;
        wide.arithmetic(Arithmetic::Op(BinaryOp::Add), &number(loc))
    })?;
    match (size, &drawn) {
        (None, Value::Object(number)) => {
            Ok(number.number(evaluator, args.span)?.unwrap_or_else(|| drawn.clone()))
        }
        _ => Ok(drawn),
    }
}

/// `integers(low, high)`, or `integers(high)` from 0 on; `high` is not among them.
fn whole_numbers(low: Option<&Given>, high: Option<&Given>, args: &Args) -> Result<Values> {
    let (low, high) = match (low, high.filter(|it| !matches!(it.value, Value::None))) {
        (Some(low), Some(high)) => (low.int("`low`")?, high.int("`high`")?),
        (Some(high), None) => (0, high.int("`high`")?),
        (None, _) => (0, 0),
    };
    let bounds = (i64::try_from(low).ok(), i64::try_from(high.saturating_sub(1)).ok());
    match bounds {
        (Some(low), Some(high)) if low <= high => Ok(Values::Integers { low, high }),
        _ => {
            let message = format!("there is no 64-bit integer from {low} up to {high}");
            Err(Fault::new(hosting::HOST_VALUE, message, args.span, "nothing to choose from"))
        }
    }
}
