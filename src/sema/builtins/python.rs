//! Built-ins of Python, on what the launch knows.

use super::Call;
use crate::dtype::DType;
use crate::ops::{BinaryOp, UnaryOp};
use crate::sema::analysis::{Analysis, Style};
use crate::sema::errors::{constexpr, control, habits, operands};
use crate::sema::fold;
use crate::sema::logic::Truth;
use crate::sema::promote::Rule;
use crate::sema::symbols::ASSUMED_SIZE;
use crate::sema::value::{Constant, Range, Spanned, Val};
use crate::syntax::ast::CompareOp;

/// `range(…)`.
pub(super) fn range(it: &mut Analysis<'_>, call: &Call) -> Val {
    bounds(it, call, false, 1)
}

/// `tl.static_range(…)`.
pub(super) fn static_range(it: &mut Analysis<'_>, call: &Call) -> Val {
    bounds(it, call, true, 1)
}

/// `tl.range(…, num_stages=)`.
pub(super) fn tl_range(it: &mut Analysis<'_>, call: &Call) -> Val {
    let stages = match call.some("num_stages") {
        Some(arg) => match it.constant_int("`num_stages`", arg) {
            Some(stages) => u32::try_from(stages).unwrap_or(1).clamp(1, 64),
            None => return Val::Error,
        },
        None => 1,
    };
    bounds(it, call, false, stages)
}

fn bounds(it: &mut Analysis<'_>, call: &Call, unroll: bool, stages: u32) -> Val {
    let first = call.arg("arg1");
    let zero = Spanned { val: Val::int(0), span: call.span };
    let one = Spanned { val: Val::int(1), span: call.span };
    let (lo, hi) = call.some("arg2").map_or((&zero, first), |second| (first, second));
    let step = call.some("step").unwrap_or(&one);
    for arg in [lo, hi, step] {
        it.note_integer(&arg.val);
        let known = arg.val.constant().and_then(Constant::as_int).is_some();
        if !known && it.tile(&arg.val).is_some_and(|tile| tile.dims.is_empty()) {
            let what = format!("a bound of `{}`", call.name());
            let wrong = control::data_dependent(&what, arg.span);
            let help = "loop to a bound that the launch knows, and mask what is beyond the other";
            return it.report(wrong.help(help));
        }
        if !known && it.scalar(&arg.val).is_none_or(|dtype| !dtype.is_int()) {
            let found = it.describe(&arg.val);
            return it.report(operands::range_bound(&call.name(), &found, arg.span));
        }
    }
    if step.val.constant().and_then(Constant::as_int) == Some(0) {
        return it.report(constexpr::zero_step(step.span));
    }
    let [lo, hi, step] = [lo, hi, step].map(|arg| arg.val.clone());
    Val::Range(Box::new(Range { lo, hi, step, unroll, stages }))
}

/// `triton.next_power_of_2(n)`.
pub(super) fn next_power_of_2(it: &mut Analysis<'_>, call: &Call) -> Val {
    let n = call.arg("n");
    if it.assume(&n.val, &Constant::Int(ASSUMED_SIZE)) {
        return Val::Error;
    }
    let what = "the argument of `triton.next_power_of_2`";
    let Some(number) = it.constant_int(what, n) else { return Val::Error };
    match u64::try_from(number).ok().and_then(u64::checked_next_power_of_two) {
        Some(power) => Val::int(power),
        None => it.report(constexpr::no_power_of_2(number, n.span)),
    }
}

/// `len(tuple)`.
pub(super) fn len(it: &mut Analysis<'_>, call: &Call) -> Val {
    let items = call.arg("items");
    let count = items.val.items().map(<[Val]>::len);
    match count.or_else(|| items.val.text().map(|text| text.chars().count())) {
        Some(count) => Val::int(count as i128),
        None => {
            let tile = it.tile(&items.val).is_some();
            let found = it.describe(&items.val);
            it.report(habits::len_of(&found, tile, items.span))
        }
    }
}

/// `min(a, b, …)`.
pub(super) fn min(it: &mut Analysis<'_>, call: &Call) -> Val {
    extreme(it, call, BinaryOp::Minimum, CompareOp::Lt)
}

/// `max(a, b, …)`.
pub(super) fn max(it: &mut Analysis<'_>, call: &Call) -> Val {
    extreme(it, call, BinaryOp::Maximum, CompareOp::Gt)
}

fn extreme(it: &mut Analysis<'_>, call: &Call, op: BinaryOp, better: CompareOp) -> Val {
    let Some(Spanned { val: Val::Tuple(items), span }) = call.get("values") else {
        return it.report(habits::extreme_of_one(&call.name(), call.span));
    };
    let items: &[Val] = match items.as_slice() {
        [Val::Tuple(inner)] => inner,
        all => all,
    };
    if items.len() < 2 {
        return it.report(habits::extreme_of_one(&call.name(), call.span));
    }
    let mut best: Option<Val> = None;
    for item in items {
        best = Some(match best {
            None => item.clone(),
            Some(best) => {
                let [x, y] = [best, item.clone()].map(|val| Spanned { val, span: *span });
                one_of(it, call, (op, better), &x, &y)
            }
        });
    }
    best.unwrap_or(Val::Error)
}

fn one_of(
    it: &mut Analysis<'_>,
    call: &Call,
    (op, better): (BinaryOp, CompareOp),
    x: &Spanned,
    y: &Spanned,
) -> Val {
    if let (Val::Const(a), Val::Const(b)) = (&x.val, &y.val)
        && let Some(second) = fold::compare(better, b, a)
    {
        return if second { y.val.clone() } else { x.val.clone() };
    }
    let what = format!("the operands of `{}`", call.name());
    match it.meet(&what, &[x, y], Rule::Arithmetic, call.span) {
        Some(meeting) => Val::Value(it.emit_binary(op, meeting, call.span)),
        None => Val::Error,
    }
}

/// `abs(x)`.
pub(super) fn abs(it: &mut Analysis<'_>, call: &Call) -> Val {
    let x = call.arg("x");
    if it.frame.style == Style::Jit
        && let Some(refused) = habits::foreign_name(&call.name(), call.span)
    {
        return it.report(refused);
    }
    if let Val::Const(Constant::Float(value)) = &x.val {
        return Val::Const(Constant::Float(value.abs()));
    }
    if let Some(value) = x.val.constant().and_then(Constant::as_int) {
        return Val::int(value.saturating_abs());
    }
    it.unary_function(UnaryOp::Abs, x, &call.name(), call.span)
}

/// `int(x)`: truncates.
pub(super) fn int(it: &mut Analysis<'_>, call: &Call) -> Val {
    let x = call.arg("x");
    if let Val::Const(Constant::Float(value)) = &x.val
        && value.abs() < 1e18
    {
        return Val::int(*value as i64);
    }
    match x.val.constant().and_then(Constant::as_int) {
        Some(value) => Val::int(value),
        None => convert(it, call, it.int_dtype()),
    }
}

/// `float(x)`; `float("inf")` and its kind, too.
pub(super) fn float(it: &mut Analysis<'_>, call: &Call) -> Val {
    let x = call.arg("x");
    if let Some(text) = x.val.text() {
        return match text.trim().parse::<f64>() {
            Ok(value) => Val::Const(Constant::Float(value)),
            Err(_) => it.report(constexpr::not_a_float(text, x.span)),
        };
    }
    if let Some(number) = x.val.constant().filter(|constant| constant.is_number()) {
        return Val::Const(Constant::Float(fold::as_float(number)));
    }
    let dtype = if it.frame.style == Style::Jit { DType::F32 } else { DType::F64 };
    convert(it, call, dtype)
}

fn convert(it: &mut Analysis<'_>, call: &Call, dtype: DType) -> Val {
    let x = call.arg("x");
    if it.is_run_time_in_jit(x) {
        let found = it.describe(&x.val);
        return it.report(habits::python_conversion(&call.name(), dtype, &found, x.span));
    }
    if it.scalar(&x.val).is_none() {
        let found = it.describe(&x.val);
        return it.report(operands::expected_scalar(&call.name(), &found, x.span));
    }
    it.as_dtype(x, dtype).map_or(Val::Error, Val::Value)
}

/// `bool(x)`.
pub(super) fn bool(it: &mut Analysis<'_>, call: &Call) -> Val {
    match it.decide("the argument of `bool`", call.arg("x")) {
        Truth::Known(known) => Val::Const(Constant::Bool(known)),
        Truth::Launch(value) => Val::Value(value),
        Truth::Error => Val::Error,
    }
}
