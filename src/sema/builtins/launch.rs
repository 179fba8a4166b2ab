//! Where a program stands in its launch.

use super::Call;
use crate::ir;
use crate::sema::analysis::Analysis;
use crate::sema::errors::constexpr;
use crate::sema::value::Val;

/// `tl.program_id(axis)`.
pub(super) fn program_id(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some(axis) = grid_axis(it, call) else { return Val::Error };
    Val::Value(it.frame.build.scalar(ir::ProgramId { axis }, it.int_dtype(), call.span))
}

/// `tl.num_programs(axis)`.
pub(super) fn num_programs(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some(axis) = grid_axis(it, call) else { return Val::Error };
    Val::Value(it.frame.build.scalar(ir::NumPrograms { axis }, it.int_dtype(), call.span))
}

fn grid_axis(it: &mut Analysis<'_>, call: &Call) -> Option<u32> {
    let arg = call.arg("axis");
    let axis = it.constant_int("the axis of the launch", arg)?;
    let known = u32::try_from(axis).ok().filter(|axis| *axis < 3);
    if known.is_none() {
        it.report(constexpr::no_such_grid_axis(axis, arg.span));
    }
    known
}
