//! `inline`: puts the body of each called function in the place of the call.

use super::{Context, Pass};
use crate::diag::{Diagnostic, Reported, lowering};
use crate::ir::{BlockId, Call, Cloner, Function, MAX_DEPTH, Module, Op, OpId, Substitution};

/// Ops that inlining may make; more is a mistake in the kernel, or an attack.
const MAX_OPS: usize = 1 << 18;

/// See the module.
#[derive(Debug)]
pub(super) struct Inline;

impl Pass for Inline {
    fn name(&self) -> &'static str {
        "inline"
    }

    fn summary(&self) -> &'static str {
        "put the body of each called function in the place of the call"
    }

    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported> {
        // Calls do not recurse, so each round goes one level deeper and the last finds no call.
        loop {
            let mut replaced = Substitution::new();
            let mut found = None;
            for block in function.reachable_blocks() {
                found = found.or(inline_block(function, block, context.module, &mut replaced));
            }
            replaced.apply(function);
            let Some(call) = found else { return Ok(()) };
            check_size(function, call, context)?;
        }
    }
}

/// Inlines the calls that stand directly in `block`; says which was the last.
fn inline_block(
    function: &mut Function,
    block: BlockId,
    module: &Module,
    replaced: &mut Substitution,
) -> Option<OpId> {
    let is_call = |function: &Function, op: OpId| matches!(function.ops[op].op, Op::Call(_));
    if !function.blocks[block].ops.iter().any(|op| is_call(function, *op)) {
        return None;
    }
    let mut last = None;
    for op in std::mem::take(&mut function.blocks[block].ops) {
        if let Op::Call(call) = function.ops[op].op.clone() {
            inline_call(function, (block, op), &call, module, replaced);
            last = Some(op);
        } else {
            function.blocks[block].ops.push(op);
        }
    }
    last
}

/// Appends the body of the function called by `op` to `block`.
fn inline_call(
    function: &mut Function,
    (block, op): (BlockId, OpId),
    call: &Call,
    module: &Module,
    replaced: &mut Substitution,
) {
    let callee = &module.functions[call.callee];
    let mut cloner = Cloner::new(callee);
    for (param, arg) in callee.params.iter().zip(&call.args) {
        cloner.bind(param.value, *arg);
    }
    cloner.append_body(function, callee.entry, block);
    let results = function.ops[op].results.clone();
    for (result, value) in results.into_iter().zip(cloner.handed_on(callee.entry)) {
        replaced.replace(result, value);
    }
}

fn check_size(function: &Function, call: OpId, context: &mut Context<'_>) -> Result<(), Reported> {
    let depth = function.depth();
    let message = if function.ops.len() > MAX_OPS {
        format!("calls make this kernel larger than {MAX_OPS} operations")
    } else if depth > MAX_DEPTH {
        format!(
            "loops and branches nest {depth} deep once calls are inlined; {MAX_DEPTH} is the limit"
        )
    } else {
        return Ok(());
    };
    let span = function.spans[call];
    Err(context.sink.error(Diagnostic::new(
        lowering::INLINED_TOO_LARGE,
        message,
        span,
        "the body of this call is put here",
    )))
}
