//! `extents`: every extent of every tile is a constant from here on, or an error says why not.

use std::collections::BTreeSet;

use super::carried::Parents;
use super::{Context, Pass};
use crate::diag::{Diagnostic, Reported, types};
use crate::ir::verify::verify_function;
use crate::ir::{Def, Dim, Function, Nest, Op, OpId, Uses, Value};

/// See the module.
#[derive(Debug)]
pub(super) struct Extents;

impl Pass for Extents {
    fn name(&self) -> &'static str {
        "extents"
    }

    fn summary(&self) -> &'static str {
        "see that every extent of every tile is a constant of the launch"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        let mut failed = None;
        let mut said = BTreeSet::new();
        for op in function.reachable_ops() {
            for error in unknown_extents(function, op, &mut said) {
                failed = Some(context.sink.error(error));
            }
        }
        if let Some(reported) = failed {
            return Err(reported);
        }
        disagreements(function, context)
    }
}

/// Errors for the results of `op` and for the arguments of its blocks, one for each extent that is
/// no positive constant and has not been `said` yet.
fn unknown_extents(function: &Function, op: OpId, said: &mut BTreeSet<Dim>) -> Vec<Diagnostic> {
    let data = &function.ops[op];
    let args = data.op.blocks().into_iter().flat_map(|block| function.blocks[block].args.iter());
    let mut errors = Vec::new();
    for value in data.results.iter().chain(args) {
        let Some(tile) = function.ty(*value).tile() else { continue };
        for (axis, dim) in tile.dims.iter().enumerate() {
            match *dim {
                Dim::Const(extent) if extent >= 1 => {}
                Dim::Const(extent) => {
                    // The same extent may be wrong at several places, each worth saying.
                    errors.push(not_positive(function, op, axis, extent));
                    break;
                }
                Dim::Value(unknown) if said.insert(*dim) => {
                    errors.push(not_constant(function, op, axis, unknown));
                }
                Dim::Value(_) => {}
            }
        }
    }
    errors
}

fn not_positive(function: &Function, op: OpId, axis: usize, extent: i64) -> Diagnostic {
    Diagnostic::new(
        types::LAUNCH_EXTENT_NOT_POSITIVE,
        format!(
            "axis {axis} of this tile is {extent} long at this launch; a tile has at least one element"
        ),
        function.spans[op],
        format!("axis {axis} is {extent}"),
    )
}

fn not_constant(function: &Function, op: OpId, axis: usize, unknown: Value) -> Diagnostic {
    let cause = cause(function, unknown);
    let name = match &function.values[unknown].name {
        Some(name) => format!("`{name}`"),
        None => format!("the extent of axis {axis}"),
    };
    let mut error = Diagnostic::new(
        types::LAUNCH_EXTENT_UNKNOWN,
        format!("{name} is an extent of a tile, but {}", cause.text()),
        function.spans[op],
        format!("axis {axis} of this tile has no fixed length"),
    );
    let place = function.value_span(unknown);
    if place != function.spans[op] {
        error = error.because(place, format!("{name} is computed here"));
    }
    let (span, label) = cause.label(function);
    if span != place && span != function.spans[op] {
        error = error.because(span, label);
    }
    match cause.help() {
        Some(help) => error.help(help),
        None => error.note("shapes are constants of a launch, the same for every program"),
    }
}

/// What makes a value differ between programs, or within one.
enum Cause {
    /// The `program_id` op.
    ProgramId(OpId),
    /// The loop whose variable it is.
    Induction(OpId),
    /// The loop that carries it.
    Carried(OpId),
    /// The branch that gives it.
    Branch(OpId),
    /// Something else.
    Other(Value),
}

impl Cause {
    fn text(&self) -> &'static str {
        match self {
            Cause::ProgramId(_) => "it depends on `program_id`, so programs would differ in shape",
            Cause::Induction(_) => {
                "it depends on a loop's variable, so it changes as the loop runs"
            }
            Cause::Carried(_) => "a loop changes it",
            Cause::Branch(_) => "a branch decides it as the program runs",
            Cause::Other(_) => "the launch does not decide it",
        }
    }

    fn label(&self, function: &Function) -> (crate::source::Span, &'static str) {
        match self {
            Cause::ProgramId(op) => (function.spans[*op], "this differs between programs"),
            Cause::Induction(op) => (function.spans[*op], "this loop's variable decides it"),
            Cause::Carried(op) => (function.spans[*op], "this loop changes it"),
            Cause::Branch(op) => (function.spans[*op], "this branch decides it"),
            Cause::Other(value) => (function.value_span(*value), "the launch does not decide this"),
        }
    }

    fn help(&self) -> Option<&'static str> {
        match self {
            Cause::Induction(_) | Cause::Carried(_) => Some(
                "make the loop a `tl.static_range`, so that each of its rounds has shapes of its own",
            ),
            Cause::ProgramId(_) | Cause::Branch(_) | Cause::Other(_) => None,
        }
    }
}

/// The first thing found, from `value` backwards, that is not known before a program runs.
fn cause(function: &Function, value: Value) -> Cause {
    let parents = Parents::of(function);
    let mut seen = BTreeSet::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        if !seen.insert(value) {
            continue;
        }
        match function.values[value].def {
            Def::Argument(block, index) => {
                let Some(owner) = parents.owner(block) else { return Cause::Other(value) };
                let is_for = matches!(function.ops[owner].op, Op::For(_));
                return if is_for && index == 0 {
                    Cause::Induction(owner)
                } else {
                    Cause::Carried(owner)
                };
            }
            Def::Result(op, _) => match function.ops[op].op.nest() {
                Nest::If(_) => return Cause::Branch(op),
                Nest::For(_) | Nest::While(_) => return Cause::Carried(op),
                Nest::Plain if matches!(function.ops[op].op, Op::ProgramId(_)) => {
                    return Cause::ProgramId(op);
                }
                Nest::Plain => function.ops[op].op.for_each_use(&mut |operand| open.push(operand)),
            },
        }
    }
    Cause::Other(value)
}

/// Generic IR takes extents that it does not know for equal. Now that they are known, those that
/// no `extent` op compares are compared by the verifier.
fn disagreements(function: &Function, context: &mut Context<'_>) -> Result<(), Reported> {
    let mut failed = None;
    for violation in verify_function(function, Some(context.module)) {
        failed = Some(context.sink.error(Diagnostic::new(
            types::LAUNCH_TYPES,
            format!("at this launch, {}", violation.message),
            violation.span,
            "the shapes of this do not fit together",
        )));
    }
    failed.map_or(Ok(()), Err)
}
