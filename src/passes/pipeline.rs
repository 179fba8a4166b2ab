//! `pipeline`: decides by how many iterations loops overlap.
//!
//! A loop asks for it by `num_stages`. It gets no more stages than it has iterations, and no more
//! than TCM has room for: the most that any loop may have is lowered until the copies that
//! `allocate` will make (see `stages`) fit. A loop that gets fewer than it asked for is told so.

use super::allocate::scratch_end;
use super::liveness::Liveness;
use super::origins::Origins;
use super::stages::{overlaps, useful_stages};
use super::{Context, Pass};
use crate::diag::{Diagnostic, Reported, lowering};
use crate::ir::{Function, Op, OpId};
use crate::units::grouped;

/// See the module.
#[derive(Debug)]
pub(super) struct Pipeline;

impl Pass for Pipeline {
    fn name(&self) -> &'static str {
        "pipeline"
    }

    fn summary(&self) -> &'static str {
        "decide by how many iterations loops overlap"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        let asked = asked(function);
        let most = asked.iter().map(|(_, stages)| *stages).max().unwrap_or(1);
        let limit = context.limits.tcm_bytes;
        let (given, fits) = given(function, &asked, most, limit);
        set_stages(function, &asked, given);
        // What does not fit even one after the other is an error, which `allocate` explains.
        for (op, stages) in asked.into_iter().filter(|(_, stages)| fits && *stages > given) {
            context.sink.warning(reduced(function, op, (stages, given), limit));
        }
        Ok(())
    }
}

/// The loops that ask for stages, and how many of them have an iteration to run in.
fn asked(function: &Function) -> Vec<(OpId, u32)> {
    let mut asked = Vec::new();
    for op in function.reachable_ops() {
        if let Op::For(it) = &function.ops[op].op
            && it.stages > 1
        {
            asked.push((op, useful_stages(function, it)));
        }
    }
    asked
}

/// The most stages up to `most` with which tiles fit into `limit` bytes, and whether they do with
/// one. More stages take more bytes, so halving finds it.
fn given(function: &mut Function, asked: &[(OpId, u32)], most: u32, limit: u64) -> (u32, bool) {
    let origins = Origins::of(function);
    let liveness = Liveness::of(function, &origins);
    let mut fits = |stages: u32| {
        set_stages(function, asked, stages);
        let overlaps = overlaps(function, &origins, &liveness);
        scratch_end(function, &liveness, &overlaps, limit) <= limit
    };
    if most > 1 && fits(most) {
        return (most, true);
    }
    let (mut good, mut bad) = (1, most);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    (good, good > 1 || fits(1))
}

fn set_stages(function: &mut Function, asked: &[(OpId, u32)], most: u32) {
    for (op, stages) in asked {
        if let Op::For(it) = &mut function.ops[*op].op {
            it.stages = (*stages).min(most);
        }
    }
}

fn reduced(function: &Function, op: OpId, (asked, given): (u32, u32), limit: u64) -> Diagnostic {
    let message = format!("this loop overlaps {given} of the {asked} iterations that it asks for");
    let mut it = Diagnostic::new(
        lowering::STAGES_REDUCED,
        message,
        function.spans[op],
        format!("{asked} copies of its tiles do not fit into TCM"),
    );
    it = it.note(format!("{} bytes of TCM are left for tiles", grouped(limit)));
    it.help(format!("ask for `num_stages={given}`, or make the tiles smaller"))
}
