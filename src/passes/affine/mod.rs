//! `affine`: gathers and scatters at affine offsets become DMA transfers of windows.
//!
//! A kernel spells the addresses of a tile by arithmetic on tiles of integers: `arange`, scaled,
//! spread over axes, added up. Where the offset of a lane is a scalar plus a constant stride for
//! each axis, all of the lanes are one block; where the mask compares such numbers, each with its
//! own axis, the lanes that take part are a window of the block; where an offset is taken modulo a
//! constant, its axis wraps round. All of that is what a DMA engine is told with a few numbers.
//!
//! [`analysis`] finds the form of each tile, [`access`] the block and window of each access, and
//! [`rewrite`] computes their scalars and puts the transfers in place. What a loop carries as a
//! tile of offsets is carried as a scalar beside it; the tile goes when nothing else needs it.
//!
//! Atomic ops stay what they are; their offsets become strides.
//!
//! Integers that may wrap round at the end of their type have no form; what each scalar can be is
//! known from the launch.

mod access;
mod analysis;
mod form;
mod forms;
mod mask;
mod rewrite;
mod split;
mod symbol;

use super::{Context, Pass};
use crate::diag::Reported;
use crate::ir::{Function, Op};

/// See the module.
#[derive(Debug)]
pub(super) struct Affine;

impl Pass for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn summary(&self) -> &'static str {
        "make gathers and scatters at affine offsets transfers of clipped blocks"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        let is_access =
            |op: &Op| matches!(op, Op::GatherLoad(_) | Op::ScatterStore(_) | Op::Atomic(_));
        if function.reachable_ops().iter().any(|op| is_access(&function.ops[*op].op)) {
            rewrite::rewrite(function, context.bindings.num_programs);
        }
        Ok(())
    }
}
