//! Runs a kernel of channels once for each rank, to learn what it asks for.

use std::collections::BTreeMap;

use super::{BUDGET, Recipe};
use crate::diag::{Diagnostic, Reported, Sink, internal, lowering, plans as codes};
use crate::ir::interpret::{Fault, Launch, Reason};
use crate::ir::{Asked, Effect, Op};
use crate::source::Span;
use crate::units::grouped;

/// What each rank asks for.
pub(super) fn run(recipe: &Recipe<'_>, sink: &mut Sink) -> Result<Vec<Vec<Asked>>, Reported> {
    only_asks(recipe, sink)?;
    let ranks = 0..recipe.world;
    let programs: Vec<[u32; 3]> = ranks.map(|rank| recipe.grid.program_id(rank)).collect();
    let params = BTreeMap::new();
    let launch = Launch {
        module: None,
        function: recipe.function,
        params: &params,
        programs: &programs,
        num_programs: recipe.num_programs,
        peers: &|_, _| None,
        budget: BUDGET,
    };
    launch.asked().map_err(|fault| sink.error(stopped(recipe, &fault)))
}

/// A recipe moves nothing itself.
fn only_asks(recipe: &Recipe<'_>, sink: &mut Sink) -> Result<(), Reported> {
    let function = recipe.function;
    let other = function.reachable_ops().into_iter().find(|op| {
        let op = &function.ops[*op].op;
        let acts = matches!(op.effect(), Effect::Reads | Effect::Writes);
        acts && !matches!(op, Op::Channel(_) | Op::Assert(_) | Op::Release(_))
    });
    let Some(op) = other else { return Ok(()) };
    let message = "a kernel of channels does nothing but ask for what thread blocks do";
    let it = Diagnostic::new(
        codes::NOT_A_RECIPE,
        message,
        function.spans[op],
        "this is done by a PE",
    )
    .note("thread blocks move chunks of the input, the output and scratch; they hold no tiles")
    .help("write a kernel of its own for what PEs do with tiles");
    Err(sink.error(it))
}

fn stopped(recipe: &Recipe<'_>, fault: &Fault) -> Diagnostic {
    let span = fault.op.as_ref().map_or(Span::NONE, |(_, op)| recipe.function.spans[*op]);
    let rank = fault.program;
    let say = |code, message: String, label: &str| Diagnostic::new(code, message, span, label);
    match &fault.reason {
        Reason::Assertion(text) => {
            let message = format!("an assertion does not hold on rank {rank}: {text}");
            say(lowering::ASSERTION_FAILED, message, "does not hold")
        }
        Reason::DivisionByZero => {
            let message = format!("an integer is divided by zero on rank {rank}");
            say(lowering::SCALAR_DIVISION_BY_ZERO, message, "the divisor is 0")
        }
        Reason::Budget | Reason::ZeroStep => {
            let steps = grouped(BUDGET);
            let message = format!(
                "the program of rank {rank} does not end within {steps} steps of all ranks"
            );
            say(lowering::ENDLESS_LOOP, message, "still here")
        }
        reason @ (Reason::OutOfBounds { .. }
        | Reason::NoSuchElement(_)
        | Reason::Extents
        | Reason::NoArgument(_)
        | Reason::NoPeer(_)
        | Reason::WrongMessage(_)
        | Reason::Deadlock(_)
        | Reason::TooLarge
        | Reason::Malformed(_)) => {
            let message = format!("the program of rank {rank} cannot be run: {reason:?}");
            say(internal::INTERNAL, message, "stopped here")
        }
    }
}
