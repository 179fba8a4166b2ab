//! Hints to Triton's optimiser, which mean nothing here.

use super::Call;
use crate::sema::analysis::Analysis;
use crate::sema::value::Val;

/// `tl.assume(cond)`.
pub(super) fn assume(_: &mut Analysis<'_>, _: &Call) -> Val {
    Val::NONE
}

/// `tl.multiple_of(x, n)`: `x`.
pub(super) fn same(_: &mut Analysis<'_>, call: &Call) -> Val {
    call.arg("input").val.clone()
}

/// `tl.debug_barrier()`.
pub(super) fn nothing(_: &mut Analysis<'_>, _: &Call) -> Val {
    Val::NONE
}
