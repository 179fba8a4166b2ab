//! `numpy`: arrays of the host under NumPy's names, to make data and references with.
//!
//! An array is what `x.numpy()` gives: a tensor that lies on the host. So most functions here are
//! the methods and functions that tensors have, and only names and default types are NumPy's: a float
//! of the program is `float64`, an axis is an `axis`.

mod create;
mod random;

use std::any::Any;

use super::create::array_of_list;
use super::tensor::TensorValue;
use super::{check, functions, methods, shaping};
use crate::dtype::DType;
use crate::replay::verify::Tolerance;
use crate::script::args::{Args, Given, Signature, missing};
use crate::script::dtypes::dtype_value;
use crate::script::evaluator::Evaluator;
use crate::script::fault::Result;
use crate::script::object::{Module, Native, Object};
use crate::script::value::Value;
use crate::source::Span;

/// `import numpy as np`.
pub(in crate::script) struct Numpy;

/// What a function of NumPy's is here.
#[derive(Clone, Copy)]
enum Own {
    /// A method of its first argument.
    Method(&'static str),
    /// The same, of floats: integers become `float64`.
    Float(&'static str),
    /// A function of `torch`.
    Torch(&'static str),
}

/// A function that arrays have under another name, or by another call.
struct Function {
    name: &'static str,
    own: Own,
}

/// Functions whose arguments, but for their names, are those of tensors.
const FUNCTIONS: &[(&str, Own)] = &[
    ("abs", Own::Method("abs")),
    ("absolute", Own::Method("abs")),
    ("floor", Own::Method("floor")),
    ("ceil", Own::Method("ceil")),
    ("exp", Own::Float("exp")),
    ("exp2", Own::Float("exp2")),
    ("log", Own::Float("log")),
    ("log2", Own::Float("log2")),
    ("sqrt", Own::Float("sqrt")),
    ("sin", Own::Float("sin")),
    ("cos", Own::Float("cos")),
    ("tanh", Own::Float("tanh")),
    ("round", Own::Method("round")),
    ("sign", Own::Method("sign")),
    ("isnan", Own::Method("isnan")),
    ("isinf", Own::Method("isinf")),
    ("isfinite", Own::Method("isfinite")),
    ("power", Own::Method("pow")),
    ("outer", Own::Method("outer")),
    ("cumsum", Own::Method("cumsum")),
    ("maximum", Own::Torch("maximum")),
    ("minimum", Own::Torch("minimum")),
    ("where", Own::Torch("where")),
    ("clip", Own::Method("clamp")),
    ("sum", Own::Method("sum")),
    ("prod", Own::Method("prod")),
    ("mean", Own::Float("mean")),
    ("max", Own::Method("amax")),
    ("amax", Own::Method("amax")),
    ("min", Own::Method("amin")),
    ("amin", Own::Method("amin")),
    ("argmax", Own::Method("argmax")),
    ("argmin", Own::Method("argmin")),
    ("all", Own::Method("all")),
    ("any", Own::Method("any")),
    ("matmul", Own::Method("matmul")),
    ("dot", Own::Method("matmul")),
    ("reshape", Own::Method("reshape")),
    ("ravel", Own::Method("flatten")),
    ("transpose", Own::Method("permute")),
    ("expand_dims", Own::Method("unsqueeze")),
    ("squeeze", Own::Method("squeeze")),
    ("tril", Own::Method("tril")),
    ("triu", Own::Method("triu")),
    ("concatenate", Own::Torch("cat")),
    ("stack", Own::Torch("stack")),
    ("allclose", Own::Torch("allclose")),
    ("array_equal", Own::Method("equal")),
];

/// Parameters that tensors call otherwise.
const PARAMETERS: [(&str, &str); 5] = [
    ("axis", "dim"),
    ("keepdims", "keepdim"),
    ("a_min", "min"),
    ("a_max", "max"),
    ("k", "diagonal"),
];

const CONSTANTS: [(&str, f64); 4] = [
    ("pi", std::f64::consts::PI),
    ("e", std::f64::consts::E),
    ("inf", f64::INFINITY),
    ("nan", f64::NAN),
];

/// `numpy.testing`.
const TESTING: Module = Module {
    name: "numpy.testing",
    functions: &[
        super::check("assert_allclose", assert_allclose),
        super::check("assert_array_equal", assert_array_equal),
    ],
    constants: &[],
};

impl Object for Numpy {
    fn type_name(&self) -> String {
        "module `numpy`".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        let functions = FUNCTIONS.iter().map(|(name, _)| *name);
        let made = create::TABLE.iter().map(|native| native.name);
        let constants = CONSTANTS.iter().map(|(name, _)| *name);
        let dtypes = DType::ALL.iter().map(|dtype| dtype.tl_name());
        let others = ["newaxis", "bool_", "random", "testing"];
        functions.chain(made).chain(constants).chain(dtypes).chain(others).collect()
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        match name {
            "random" => return Ok(Some(Value::object(random::MODULE))),
            "testing" => return Ok(Some(Value::object(TESTING))),
            "newaxis" => return Ok(Some(Value::None)),
            "bool_" => return Ok(Some(dtype_value(DType::I1))),
            _ => {}
        }
        if let Some((name, own)) = FUNCTIONS.iter().find(|(known, _)| *known == name) {
            return Ok(Some(Value::object(Function { name, own: *own })));
        }
        let made = create::TABLE.iter().find(|native| native.name == name).map(Value::Native);
        let constant = CONSTANTS.iter().find(|(known, _)| *known == name);
        let constant = constant.map(|(_, value)| Value::Float(*value));
        Ok(made.or(constant).or_else(|| DType::from_name(name).map(dtype_value)))
    }
}

impl Object for Function {
    fn type_name(&self) -> String {
        format!("function `numpy.{}`", self.name)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn call(&self, evaluator: &mut Evaluator<'_>, args: &Args) -> Result<Option<Value>> {
        if let Some(made) = args.values().find_map(Value::unknown) {
            return Ok(Some(Value::Unknown(made)));
        }
        let mut args = args.clone();
        for (ident, _) in &mut args.named {
            if let Some((_, own)) = PARAMETERS.iter().find(|(name, _)| *name == ident.name) {
                ident.name = (*own).into();
            }
        }
        let span = args.span;
        let result = self.run(evaluator, args)?;
        number_of(evaluator, result, span).map(Some)
    }
}

impl Function {
    fn run(&self, evaluator: &mut Evaluator<'_>, mut args: Args) -> Result<Value> {
        let Some(first) = args.positional.first().cloned() else {
            return Err(missing(self.name, "a", args.span));
        };
        match self.own {
            Own::Method(method) | Own::Float(method) => {
                args.positional.remove(0);
                for given in &mut args.positional {
                    given.value = operand_like(evaluator, given)?;
                }
                let mut array = array_like(evaluator, &first)?;
                let dtype = array.dtype(evaluator, first.span)?;
                if matches!(self.own, Own::Float(_)) && !dtype.is_float() {
                    let Some(ints) = array.read(evaluator, first.span)? else {
                        return Ok(Value::Unknown(args.span));
                    };
                    array = TensorValue::of_array(evaluator, ints.cast(DType::F64), first.span)?;
                }
                if self.name == "transpose" && args.positional.is_empty() {
                    return methods::turned(&array, evaluator, args.span);
                }
                let found = methods::call(&array, evaluator, method, &args)?;
                Ok(found.unwrap_or(Value::None))
            }
            Own::Torch(name) => {
                for given in args.positional.iter_mut().skip(1) {
                    given.value = operand_like(evaluator, given)?;
                }
                args.positional[0].value = self.leading(evaluator, &first)?;
                let tables = [functions::TABLE, shaping::TABLE];
                let native: Option<&Native> =
                    tables.into_iter().flatten().find(|native| native.name == name);
                native.map_or(Ok(Value::None), |native| (native.run)(evaluator, args))
            }
        }
    }

    /// The first argument: an array, or, of `concatenate` and `stack`, a list of them.
    fn leading(&self, evaluator: &mut Evaluator<'_>, given: &Given) -> Result<Value> {
        if !matches!(self.name, "concatenate" | "stack") {
            return Ok(Value::object(array_like(evaluator, given)?));
        }
        let mut arrays = Vec::new();
        for value in evaluator.items(&given.value, given.span)? {
            arrays.push(Value::object(array_like(evaluator, &Given { value, span: given.span })?));
        }
        Ok(Value::list(arrays))
    }
}

/// A result as NumPy gives it: a single `float64` or `int64` is a number of the program.
fn number_of(evaluator: &mut Evaluator<'_>, result: Value, span: Span) -> Result<Value> {
    let Some(array) = result.downcast::<TensorValue>() else { return Ok(result) };
    let dtype = array.dtype(evaluator, span)?;
    if array.shape().rank() > 0 || !matches!(dtype, DType::F64 | DType::I64 | DType::I1) {
        return Ok(result);
    }
    let none = Args { positional: Vec::new(), named: Vec::new(), span };
    Ok(methods::call(array, evaluator, "item", &none)?.unwrap_or(result))
}

/// An argument as an array: arrays are, and so are numbers and nested lists of them.
fn array_like(evaluator: &mut Evaluator<'_>, given: &Given) -> Result<TensorValue> {
    if let Some(tensor) = given.value.downcast::<TensorValue>() {
        return Ok(tensor.clone());
    }
    let items = given.value.as_sequence().unwrap_or_default();
    if items.first().is_some_and(|item| item.downcast::<TensorValue>().is_some()) {
        // A list of arrays is an array of one axis more.
        let args = Args { positional: vec![given.clone()], named: Vec::new(), span: given.span };
        let stack = functions::TABLE.iter().find(|native| native.name == "stack");
        let joined = stack.map_or(Ok(Value::None), |native| (native.run)(evaluator, args))?;
        return joined.downcast().cloned().ok_or_else(|| given.wrong("this", "a list of arrays"));
    }
    let array = array_of_list(evaluator, given, DType::F64)?;
    TensorValue::of_array(evaluator, array, given.span)
}

/// An argument beside an array: lists of numbers are arrays; a number, an axis or a name is itself.
fn operand_like(evaluator: &mut Evaluator<'_>, given: &Given) -> Result<Value> {
    if !matches!(given.value, Value::List(_)) {
        return Ok(given.value.clone());
    }
    Ok(Value::object(array_like(evaluator, given)?))
}

/// `assert_allclose(actual, desired, rtol=1e-7, atol=0)`.
fn assert_allclose(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["actual", "desired", "rtol?", "atol?", "equal_nan?", "err_msg?"];
    let signature = Signature { name: "assert_allclose", params };
    let [actual, desired, rtol, atol, _, _] = args.bind(signature)?;
    let (Some(actual), Some(desired)) = (actual, desired) else { return Ok(Value::None) };
    let relative = rtol.map_or(Ok(1e-7), |given| given.float("`rtol`"))?;
    let absolute = atol.map_or(Ok(0.0), |given| given.float("`atol`"))?;
    let rule = |_| Tolerance::Close { relative, absolute };
    check::compare(evaluator, (&actual, &desired), rule, &args)
}

/// `assert_array_equal(actual, desired)`.
fn assert_array_equal(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "assert_array_equal", params: ["actual", "desired"] };
    let [actual, desired] = args.bind(signature)?;
    let (Some(actual), Some(desired)) = (actual, desired) else { return Ok(Value::None) };
    check::compare(evaluator, (&actual, &desired), |_| Tolerance::Ulps(0), &args)
}
