//! What host functions have without importing it, and the small libraries `math` and `triton`.

mod functions;
mod math;
mod methods;
mod numbers;
mod triton;

pub(super) use methods::{call_method, names as method_names};
pub(super) use triton::Triton;

use super::exceptions;
use super::object::Native;
use super::value::Value;

/// Every built-in function.
const TABLES: [&[Native]; 2] = [functions::TABLE, numbers::TABLE];

/// The place of the built-in function `name`.
pub(super) fn index(name: &str) -> Option<usize> {
    names().position(|known| known == name)
}

/// The names of the built-in functions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let natives = TABLES.into_iter().flatten().chain([&exceptions::TYPE]).map(|native| native.name);
    natives.chain(["__name__"]).chain(exceptions::names())
}

/// The built-in at a place that [`index`] gave.
pub(super) fn at(index: usize) -> Value {
    if let Some(native) = TABLES.into_iter().flatten().chain([&exceptions::TYPE]).nth(index) {
        return Value::Native(native);
    }
    match names().nth(index).and_then(exceptions::class_value) {
        Some(class) => class,
        // A file is never the main program: `if __name__ == "__main__":` is for Python.
        None => Value::str("kernel"),
    }
}

/// The library `math`.
pub(super) fn math() -> Value {
    Value::object(math::MODULE)
}
