//! The library `math`.

use crate::diag::hosting;
use crate::script::args::{Args, Given, Signature, pure};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Module, Native};
use crate::script::value::Value;

/// Every function, by the same libm as the machine's own.
const FUNCTIONS: &[Native] = &[
    pure("ceil", ceil),
    pure("floor", floor),
    pure("sqrt", sqrt),
    pure("exp", exp),
    pure("log", log),
    pure("log2", log2),
    pure("log10", log10),
    pure("sin", sin),
    pure("cos", cos),
    pure("tanh", tanh),
    pure("fabs", fabs),
    pure("isqrt", isqrt),
    pure("gcd", gcd),
    pure("prod", prod),
    pure("isnan", isnan),
    pure("isinf", isinf),
    pure("isfinite", isfinite),
];

const CONSTANTS: &[(&str, f64)] = &[
    ("pi", std::f64::consts::PI),
    ("e", std::f64::consts::E),
    ("inf", f64::INFINITY),
    ("nan", f64::NAN),
];

/// `import math`.
pub(super) const MODULE: Module =
    Module { name: "math", functions: FUNCTIONS, constants: CONSTANTS };

/// The number that a function of one number is given.
fn argument(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    name: &'static str,
) -> Result<(f64, Given)> {
    let [given] = args.bind(Signature { name, params: ["x"] })?;
    let given = given.unwrap_or(Given { value: Value::None, span: args.span });
    let number = evaluator.number(&given.value, given.span)?;
    let value = number.and_then(|number| number.as_float());
    let wrong = || given.wrong(&format!("the argument of `{name}`"), "a number");
    Ok((value.ok_or_else(wrong)?, given))
}

fn outside(name: &str, value: f64, given: &Given) -> Fault {
    let message = format!("`{name}` of {value} is not a real number");
    Fault::new(hosting::HOST_VALUE, message, given.span, "outside of its domain")
}

/// Makes functions of one float.
macro_rules! of_floats {
    ($($name:ident: $meaning:expr, $allows:expr;)*) => {$(
        fn $name(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
            let name = stringify!($name);
            let (x, given) = argument(evaluator, &args, name)?;
            let (meaning, allows): (fn(f64) -> f64, fn(f64) -> bool) = ($meaning, $allows);
            if !allows(x) {
                return Err(outside(name, x, &given));
            }
            Ok(Value::Float(meaning(x)))
        }
    )*};
}

of_floats! {
    sqrt: f64::sqrt, |x| x >= 0.0 || x.is_nan();
    exp: libm::exp, |_| true;
    log2: libm::log2, |x| x > 0.0 || x.is_nan();
    log10: libm::log10, |x| x > 0.0 || x.is_nan();
    sin: libm::sin, |x| !x.is_infinite();
    cos: libm::cos, |x| !x.is_infinite();
    tanh: libm::tanh, |_| true;
    fabs: f64::abs, |_| true;
}

fn log(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value, base] = args.bind(Signature { name: "log", params: ["x", "base?"] })?;
    let mut logs = Vec::new();
    for given in [value, base].into_iter().flatten() {
        let one = Args { positional: vec![given], named: Vec::new(), span: args.span };
        let (x, given) = argument(evaluator, &one, "log")?;
        if x <= 0.0 {
            return Err(outside("log", x, &given));
        }
        logs.push(libm::log(x));
    }
    match logs[..] {
        [value, base] if base != 0.0 => Ok(Value::Float(value / base)),
        [_, _] => {
            let message = "there is no logarithm to base 1";
            Err(Fault::new(hosting::HOST_VALUE, message, args.span, "base 1"))
        }
        [value] => Ok(Value::Float(value)),
        _ => Ok(Value::None),
    }
}

fn whole(
    evaluator: &mut Evaluator<'_>,
    args: &Args,
    name: &'static str,
    rounding: fn(f64) -> f64,
) -> Result<Value> {
    let (x, given) = argument(evaluator, args, name)?;
    if let Some(value) = given.value.as_int() {
        return Ok(Value::Int(value));
    }
    let rounded = rounding(x);
    if !rounded.is_finite() || rounded.abs() >= 1e38 {
        return Err(outside(name, x, &given));
    }
    Ok(Value::Int(rounded as i128))
}

fn ceil(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    whole(evaluator, &args, "ceil", f64::ceil)
}

fn floor(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    whole(evaluator, &args, "floor", f64::floor)
}

fn isqrt(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [given] = args.bind(Signature { name: "isqrt", params: ["n"] })?;
    let Some(given) = given else { return Ok(Value::None) };
    let n = given.int("the argument of `isqrt`")?;
    if n < 0 {
        return Err(outside("isqrt", n as f64, &given));
    }
    Ok(Value::Int(n.isqrt()))
}

fn gcd(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    args.no_names("gcd")?;
    let mut divisor: u128 = 0;
    for given in &args.positional {
        let (mut x, mut y) = (divisor, given.int("an argument of `gcd`")?.unsigned_abs());
        while y != 0 {
            (x, y) = (y, x % y);
        }
        divisor = x;
    }
    i128::try_from(divisor)
        .map(Value::Int)
        .map_err(|_| crate::script::evaluator::too_large(args.span))
}

fn prod(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [values] = args.bind(Signature { name: "prod", params: ["iterable"] })?;
    let Some(values) = values else { return Ok(Value::None) };
    let mut product = Value::Int(1);
    for value in evaluator.items(&values.value, values.span)? {
        let spans = (args.span, args.span);
        product = evaluator.binary(crate::syntax::ast::BinaryOp::Mul, product, value, spans)?;
    }
    Ok(product)
}

fn isnan(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    argument(evaluator, &args, "isnan").map(|(x, _)| Value::Bool(x.is_nan()))
}

fn isinf(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    argument(evaluator, &args, "isinf").map(|(x, _)| Value::Bool(x.is_infinite()))
}

fn isfinite(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    argument(evaluator, &args, "isfinite").map(|(x, _)| Value::Bool(x.is_finite()))
}
