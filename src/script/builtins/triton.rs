//! The little of `triton` and `triton.language` that means something on the host.

use std::any::Any;

use crate::diag::hosting;
use crate::dtype::DType;
use crate::script::args::{Args, Signature, pure};
use crate::script::dtypes::dtype_value;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Native, Object};
use crate::script::value::Value;
use crate::source::Span;
use crate::syntax::ast::BinaryOp;

/// `triton.cdiv`: the quotient, rounded up.
const CDIV: Native = pure("cdiv", cdiv);

/// `triton.next_power_of_2`.
const NEXT_POWER_OF_2: Native = pure("next_power_of_2", next_power_of_2);

/// `tl.constexpr` around a constant of the file: the constant.
const CONSTEXPR: Native = pure("constexpr", constexpr);

/// `import triton`.
pub(in crate::script) struct Triton;

/// `import triton.language as tl`.
pub(super) struct Language;

fn function_named(name: &str, functions: &[&'static Native]) -> Option<Value> {
    functions.iter().find(|native| native.name == name).map(|native| Value::Native(native))
}

impl Object for Triton {
    fn type_name(&self) -> String {
        "module `triton`".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["cdiv", "next_power_of_2", "language"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        if name == "language" {
            return Ok(Some(Value::object(Language)));
        }
        Ok(function_named(name, &[&CDIV, &NEXT_POWER_OF_2]))
    }
}

impl Object for Language {
    fn type_name(&self) -> String {
        "module `triton.language`".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        let dtypes = DType::ALL.iter().map(|dtype| dtype.tl_name());
        ["cdiv", "next_power_of_2", "constexpr"].into_iter().chain(dtypes).collect()
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        if let Some(dtype) = DType::from_name(name) {
            return Ok(Some(dtype_value(dtype)));
        }
        Ok(function_named(name, &[&CDIV, &NEXT_POWER_OF_2, &CONSTEXPR]))
    }
}

fn cdiv(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [x, div] = args.bind(Signature { name: "cdiv", params: ["x", "div"] })?;
    let (Some(x), Some(div)) = (x, div) else { return Ok(Value::None) };
    let spans = (x.span, div.span);
    let minus = |value: i128| value.checked_neg().map(Value::Int);
    let (dividend, divisor) = (x.int("`x` of `cdiv`")?, div.int("`div` of `cdiv`")?);
    let negated = minus(dividend).ok_or_else(|| crate::script::evaluator::too_large(args.span))?;
    let quotient = evaluator.binary(BinaryOp::FloorDiv, negated, Value::Int(divisor), spans)?;
    let quotient = quotient.as_int().unwrap_or(0);
    minus(quotient).ok_or_else(|| crate::script::evaluator::too_large(args.span))
}

fn next_power_of_2(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [n] = args.bind(Signature { name: "next_power_of_2", params: ["n"] })?;
    let Some(given) = n else { return Ok(Value::None) };
    let n = given.int("`n` of `next_power_of_2`")?;
    let power = u64::try_from(n.max(1)).ok().and_then(u64::checked_next_power_of_two);
    power.map(|power| Value::Int(i128::from(power))).ok_or_else(|| {
        let message = format!("the next power of 2 above {n} does not fit 64 bits");
        Fault::new(hosting::HOST_VALUE, message, given.span, "too large")
    })
}

fn constexpr(_: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [value] = args.bind(Signature { name: "constexpr", params: ["value"] })?;
    Ok(value.map_or(Value::None, |given| given.value))
}
