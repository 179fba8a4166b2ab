//! What Triton's compiler is told and kbc finds out itself.

use super::Call;
use crate::sema::analysis::Analysis;
use crate::sema::value::Val;

/// `tl.assume(cond)`.
pub(super) fn assume(_: &mut Analysis<'_>, _: &Call) -> Val {
    Val::NONE
}

/// `tl.constexpr(value)`: the value.
pub(super) fn constexpr(_: &mut Analysis<'_>, call: &Call) -> Val {
    call.arg("value").val.clone()
}

/// `tl.multiple_of(x, n)`: `x`.
pub(super) fn same(_: &mut Analysis<'_>, call: &Call) -> Val {
    call.arg("input").val.clone()
}

/// `tl.condition(cond)`: the condition.
pub(super) fn condition(_: &mut Analysis<'_>, call: &Call) -> Val {
    call.arg("arg1").val.clone()
}

/// `tl.expect_zero(x, mask)`: `x`.
pub(super) fn expect_zero(_: &mut Analysis<'_>, call: &Call) -> Val {
    call.arg("x").val.clone()
}

/// `tl.debug_barrier()`.
pub(super) fn nothing(_: &mut Analysis<'_>, _: &Call) -> Val {
    Val::NONE
}
