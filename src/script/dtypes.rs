//! Element types as values: `torch.float16`, `tl.float16`, `x.dtype`.

use std::any::Any;

use super::args::{Args, Given, Signature};
use super::dict::Key;
use super::evaluator::Evaluator;
use super::fault::{Fault, Result};
use super::object::{Comparison, Object};
use super::torch::scalar;
use super::value::Value;
use crate::diag::{hosting, nearest_help};
use crate::dtype::DType;
use crate::source::Span;

/// An element type as a value. Equal to its own names, too: `x.dtype == "f16"`.
pub(super) struct DTypeValue(pub(super) DType);

/// `dtype` as a value.
pub(super) fn dtype_value(dtype: DType) -> Value {
    Value::object(DTypeValue(dtype))
}

impl Object for DTypeValue {
    fn type_name(&self) -> String {
        "dtype".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["itemsize", "is_floating_point"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        Ok(match name {
            "itemsize" => Some(Value::Int(i128::from(self.0.bytes()))),
            "is_floating_point" => Some(Value::Bool(self.0.is_float())),
            _ => None,
        })
    }

    /// `np.float32(0.1)`: a number of this type.
    fn call(&self, evaluator: &mut Evaluator<'_>, args: &Args) -> Result<Option<Value>> {
        let [value] = args.bind(Signature { name: self.0.tl_name(), params: ["value"] })?;
        value.map(|given| scalar(evaluator, self.0, &given)).transpose()
    }

    fn compare(&self, _: &mut Evaluator<'_>, it: Comparison<'_>) -> Result<Option<Value>> {
        Ok(it.equality(of_value(it.other) == Some(self.0)))
    }

    fn show(&self, _: &mut Evaluator<'_>) -> Result<String> {
        Ok(self.0.name().into())
    }

    fn key(&self) -> Option<Key> {
        Some(Key::Str(self.0.name().into()))
    }
}

fn of_value(value: &Value) -> Option<DType> {
    match (value.downcast::<DTypeValue>(), value.as_str()) {
        (Some(dtype), _) => Some(dtype.0),
        (None, Some(name)) => DType::from_name(name),
        (None, None) => of_python(value),
    }
}

/// The type of the elements that Python's own `bool`, `int` and `float` stand for.
fn of_python(value: &Value) -> Option<DType> {
    let Value::Native(native) = value else { return None };
    match native.name {
        "bool" => Some(DType::I1),
        "int" => Some(DType::I64),
        "float" => Some(DType::F64),
        _ => None,
    }
}

/// The element type that an argument names.
///
/// # Errors
/// If it names none.
pub(super) fn dtype_of(given: &Given) -> Result<DType> {
    if let Some(dtype) = of_value(&given.value) {
        return Ok(dtype);
    }
    let Some(name) = given.value.as_str() else { return Err(given.wrong("a dtype", "a dtype")) };
    let names = DType::ALL.iter().flat_map(|dtype| [dtype.name(), dtype.tl_name()]);
    let message = format!("there is no dtype `{name}`");
    Err(Fault::new(hosting::HOST_VALUE, message, given.span, "not a dtype")
        .help(nearest_help("dtype", name, names)))
}
