//! `unroll`: repeats the body of each `static_range` loop, once for each value of its variable.

use super::fold::{Trips, constant_like, fold, trips};
use super::{Context, Pass};
use crate::diag::{Diagnostic, Reported, constexpr, lowering};
use crate::ir::{BlockId, Cloner, For, Function, Literal, Op, OpId, Substitution, Value};

/// See the module.
#[derive(Debug)]
pub(super) struct Unroll;

impl Pass for Unroll {
    fn name(&self) -> &'static str {
        "unroll"
    }

    fn summary(&self) -> &'static str {
        "repeat the body of each `static_range` loop for each value of its variable"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        // Each round unrolls the outermost such loops and folds, which makes the bounds of the
        // loops inside them known; so there are as many rounds as these loops nest.
        let mut made = 0;
        loop {
            let loops = outermost(function);
            if loops.is_empty() {
                return Ok(());
            }
            let mut failed = None;
            for op in &loops {
                made = check(function, *op, made, context).unwrap_or_else(|reported| {
                    failed = Some(reported);
                    made
                });
            }
            if let Some(reported) = failed {
                return Err(reported);
            }
            unroll_round(function);
            fold(function, context.sink)?;
        }
    }
}

fn as_unrolled(function: &Function, op: OpId) -> Option<&For> {
    let Op::For(it) = &function.ops[op].op else { return None };
    it.unroll.then_some(it)
}

/// The loops to unroll that are in no other loop to unroll.
fn outermost(function: &Function) -> Vec<OpId> {
    let mut found = Vec::new();
    let mut open = vec![function.entry];
    while let Some(block) = open.pop() {
        for op in &function.blocks[block].ops {
            if as_unrolled(function, *op).is_some() {
                found.push(*op);
            } else {
                open.extend(function.ops[*op].op.blocks());
            }
        }
    }
    found
}

/// Adds the ops that unrolling the loop `op` makes to `made`.
fn check(
    function: &Function,
    op: OpId,
    made: u64,
    context: &mut Context<'_>,
) -> Result<u64, Reported> {
    let Some(it) = as_unrolled(function, op) else { return Ok(made) };
    let Trips::Known(trips) = trips(function, it) else {
        return Err(context.sink.error(unknown_bounds(function, op, it)));
    };
    let mut body: u64 = 0;
    function.walk(it.body, &mut |_| body += 1);
    let made = made.saturating_add(trips.saturating_mul(body));
    let limit = context.limits.unrolled_ops;
    if made <= limit {
        return Ok(made);
    }
    let error = Diagnostic::new(
        lowering::UNROLLED_TOO_LARGE,
        format!("unrolling this loop makes {trips} × {body} operations, {made} in all; {limit} is the limit"),
        function.spans[op],
        format!("this runs {trips} times"),
    )
    .help("use `range`, which keeps the loop");
    Err(context.sink.error(error))
}

fn unknown_bounds(function: &Function, op: OpId, it: &For) -> Diagnostic {
    let mut error = Diagnostic::new(
        constexpr::STATIC_RANGE_BOUNDS,
        "the bounds of a `static_range` loop must be the same for every program of the launch",
        function.spans[op],
        "this loop cannot be unrolled",
    );
    for (what, value) in [("start", it.lo), ("end", it.hi), ("step", it.step)] {
        if function.literal(value).is_none() {
            let text = format!("the {what} is known only when a program runs");
            error = error.because(function.value_span(value), text);
        }
    }
    error.help("use `range`, which takes bounds that differ")
}

fn unroll_round(function: &mut Function) {
    let snapshot = function.clone();
    let mut replaced = Substitution::new();
    let mut open = vec![function.entry];
    while let Some(block) = open.pop() {
        for op in std::mem::take(&mut function.blocks[block].ops) {
            if let Some(it) = as_unrolled(&snapshot, op) {
                unroll(function, block, (op, it), &snapshot, &mut replaced);
            } else {
                open.extend(function.ops[op].op.blocks());
                function.blocks[block].ops.push(op);
            }
        }
    }
    replaced.apply(function);
}

/// Appends the iterations of the loop `op`, found in `snapshot`, to `block`.
fn unroll(
    function: &mut Function,
    block: BlockId,
    (op, it): (OpId, &For),
    snapshot: &Function,
    replaced: &mut Substitution,
) {
    let int = |value: Value| snapshot.literal(value).and_then(Literal::as_int);
    let Trips::Known(trips) = trips(snapshot, it) else { return };
    let (Some(lo), Some(step)) = (int(it.lo), int(it.step)) else { return };
    let Some((induction, args)) = snapshot.blocks[it.body].args.split_first() else { return };
    let mut carried = it.inits.clone();
    for trip in 0..trips {
        let at = lo.wrapping_add(step.wrapping_mul(trip as i64));
        let constant = constant_like(function, *induction, at);
        function.spans.set(constant, snapshot.spans[op]);
        function.blocks[block].ops.push(constant);
        let mut cloner = Cloner::new(snapshot);
        cloner.bind(*induction, function.result(constant));
        for (arg, value) in args.iter().zip(&carried) {
            cloner.bind(*arg, *value);
        }
        cloner.append_body(function, it.body, block);
        carried = cloner.handed_on(it.body);
    }
    for (result, value) in function.ops[op].results.clone().into_iter().zip(carried) {
        replaced.replace(result, value);
    }
}
