//! Parameters without a value that cannot be tensors: what the kernel does with them says that
//! they are numbers. Found before such a parameter is given the address of a tensor, which would
//! make absurd extents and loops of it.

use super::compile;
use crate::diag::{Diagnostic, Reported, Sink, lowering as codes};
use crate::ir::{Dim, Function, Op, OpId, Uses, Value};
use crate::ops::BinaryOp;
use crate::source::Span;

/// Refuses the parameters among `names` that `function` uses as numbers.
///
/// # Errors
/// There is one.
pub(super) fn refuse_numbers(
    function: &Function,
    names: &[(String, Span)],
    sink: &mut Sink,
) -> Result<(), Reported> {
    let mut result = Ok(());
    for (name, span) in names {
        let Some(param) = function.params.iter().find(|it| it.name == *name) else {
            return Err(sink.error(compile::bug(format!("`{name}` is no parameter"))));
        };
        if let Some((at, what)) = use_as_number(function, param.value) {
            result = Err(sink.error(no_value(name, *span, at, what)));
        }
    }
    result
}

/// Where a value is used as no address is, and what it is there.
fn use_as_number(function: &Function, value: Value) -> Option<(Span, &'static str)> {
    let ops = function.reachable_ops();
    // A loop's bound or an extent is often the value plus or minus something.
    let mut same = vec![value];
    for id in &ops {
        if let Op::Binary(it) = &function.ops[*id].op
            && matches!(it.op, BinaryOp::Add | BinaryOp::Sub)
            && (it.x == value || it.y == value)
        {
            same.extend(&function.ops[*id].results);
        }
    }
    ops.iter().find_map(|id| {
        let what = what_is_it(function, *id, value, &same)?;
        Some((function.spans[*id], what))
    })
}

fn what_is_it(function: &Function, id: OpId, value: Value, same: &[Value]) -> Option<&'static str> {
    let data = &function.ops[id];
    let is_extent = |result: &Value| {
        let dims = function.ty(*result).tile().map_or(&[][..], |tile| tile.dims.as_slice());
        dims.iter().any(|dim| matches!(dim, Dim::Value(it) if same.contains(it)))
    };
    if data.results.iter().any(is_extent) {
        return Some("it is the extent of a tile here");
    }
    if let Op::For(it) = &data.op
        && [it.lo, it.hi, it.step].iter().any(|bound| same.contains(bound))
    {
        return Some("it bounds a loop here");
    }
    let mut is_used = false;
    data.op.for_each_use(&mut |used| is_used |= used == value);
    if !is_used {
        return None;
    }
    if let Op::Binary(it) = &data.op {
        let is_sum = matches!(it.op, BinaryOp::Add | BinaryOp::Sub);
        return (!is_sum).then_some("it is calculated with here as no address is");
    }
    matches!(data.op, Op::Compare(_)).then_some("it is compared here")
}

fn no_value(name: &str, span: Span, at: Span, what: &str) -> Diagnostic {
    let message = format!("the parameter `{name}` has no value");
    Diagnostic::new(codes::NO_VALUE, message, span, "a number is needed")
        .because(at, what)
        .help(format!("give it with `--set {name}=…`, or return it from `kernel_args`"))
}
