//! What folding has to say.

use crate::diag::{Diagnostic, constexpr, types};
use crate::ir::{Assert, Binary, Dim, DimRule, Extent, For, Function, OpId, TileType, Uses, Value};

/// Two extents are known and do not agree.
pub(super) fn extents(
    function: &Function,
    op: OpId,
    it: &Extent,
    (x, y): (i64, i64),
) -> Diagnostic {
    let result = function.result(op);
    let shapes = shapes_of_operands(function, result);
    let found = match shapes.as_slice() {
        [(_, left), (_, right), ..] => format!("{left} and {right}"),
        _unknown => format!("{x} and {y} along axis {}", it.axis),
    };
    let verb = match it.rule {
        DimRule::Broadcast => "do not broadcast",
        DimRule::Equal => "differ",
    };
    let axis = it.axis;
    let mut error = Diagnostic::new(
        types::LAUNCH_SHAPES,
        format!("{} {verb} at this launch: {found}", it.what),
        function.spans[op],
        format!("axis {axis} is {x} on the left and {y} on the right"),
    );
    for (value, shape) in &shapes {
        let text = format!("{} has shape {shape}", named(function, *value));
        error = error.because(function.value_span(*value), text);
    }
    for (value, extent) in [(it.x, x), (it.y, y)] {
        if function.value_span(value) != function.spans[op] && shapes.is_empty() {
            error = error.because(function.value_span(value), format!("this is {extent}"));
        }
    }
    match it.rule {
        DimRule::Broadcast => error.note("axes broadcast when they are equal or one of them is 1"),
        DimRule::Equal => error,
    }
}

/// The tiles that the op of which `extent` is an extent takes, with their shapes.
fn shapes_of_operands(function: &Function, extent: Value) -> Vec<(Value, String)> {
    let mentions = |tile: &TileType| tile.dims.contains(&Dim::Value(extent));
    let made = function.values.iter().find(|(_, data)| data.ty.tile().is_some_and(mentions));
    let mut shapes = Vec::new();
    if let Some(op) = made.and_then(|(value, _)| function.defining_op(value)) {
        function.ops[op].op.for_each_use(&mut |operand| {
            if let Some(tile) = function.ty(operand).tile() {
                shapes.push((operand, function.display_shape(&tile.dims)));
            }
        });
    }
    if shapes.len() >= 2 { shapes } else { Vec::new() }
}

fn named(function: &Function, value: Value) -> String {
    let name = function.values[value].name.as_ref();
    name.map_or_else(|| String::from("this"), |name| format!("`{name}`"))
}

/// An assertion does not hold.
pub(super) fn assertion(function: &Function, op: OpId, it: &Assert) -> Diagnostic {
    let message = if it.message.is_empty() {
        String::from("an assertion does not hold at this launch")
    } else {
        format!("an assertion does not hold at this launch: {}", it.message)
    };
    Diagnostic::new(
        constexpr::LAUNCH_ASSERTION,
        message,
        function.spans[op],
        "this is false for the launch's arguments",
    )
}

/// A division by a known zero.
pub(super) fn division(function: &Function, op: OpId, it: &Binary) -> Diagnostic {
    let divisor = match &function.values[it.y].name {
        Some(name) => format!("`{name}`, which is 0 at this launch"),
        None => String::from("0"),
    };
    let error = Diagnostic::new(
        constexpr::DIVISION_BY_ZERO,
        format!("an integer is divided by {divisor}"),
        function.spans[op],
        "this divides by 0",
    );
    let place = function.value_span(it.y);
    if place == function.spans[op] { error } else { error.because(place, "this is 0") }
}

/// A `for` whose step is zero.
pub(super) fn endless_for(function: &Function, op: OpId, it: &For) -> Diagnostic {
    Diagnostic::new(
        constexpr::ENDLESS_LOOP,
        "the step of this loop is 0, so it would never end",
        function.spans[op],
        "this loop never ends",
    )
    .because(function.value_span(it.step), "the step is 0")
}

/// A `while` whose condition is always true.
pub(super) fn endless_while(function: &Function, op: OpId) -> Diagnostic {
    Diagnostic::new(
        constexpr::ENDLESS_LOOP,
        "the condition of this loop is always true, so it would never end",
        function.spans[op],
        "this loop never ends",
    )
}
