//! IR to IR: one file a pass, and the pipeline that names them in order.
//!
//! A module comes out of `sema` (or out of a `.kir` file) generic: its kernels still have
//! parameters, and extents of tiles may be values. [`run`] makes of one kernel what one launch of
//! it needs: every extent a constant, every load and store a descriptor, every receive slot given
//! back after its last use, every tile in its place in TCM. Loops stay loops.
//!
//! Passes keep the meaning of the kernel. The IR is verified after each in debug builds and tests.
//!
//! What several passes ask is worked out beside them: [`origins`], where the bytes of a value may
//! have been made; [`liveness`], which tiles are needed where; `intervals`, between which numbers an
//! integer lies; `carried`, what a loop need not carry; `stages`, how many copies let iterations
//! overlap. [`mod@lint`] looks for what is allowed and hardly meant, in the generic IR.

mod affine;
mod allocate;
mod carried;
mod combine;
mod composites;
mod cse;
mod dce;
mod descriptors;
mod extents;
mod fold;
mod inline;
mod intervals;
mod licm;
mod lint;
pub mod liveness;
mod materialise;
pub mod origins;
mod pipeline;
mod release;
mod specialise;
mod stages;
mod unroll;

pub use lint::lint;

use crate::diag::{Reported, Sink};
use crate::ir::verify::{Rule, Violation, verify_function};
use crate::ir::{Bindings, FuncId, Function, Limits, Module, Op};

/// What passes may ask.
#[derive(Debug)]
pub struct Context<'a> {
    /// The functions that the kernel may call.
    pub module: &'a Module,
    /// What the launch says of the kernel.
    pub bindings: &'a Bindings,
    /// What the kernel must fit into.
    pub limits: &'a Limits,
    /// Where errors go.
    pub sink: &'a mut Sink,
}

/// One step from generic IR to the IR of one launch.
pub trait Pass: Sync {
    /// What `--emit ir-opt` calls it.
    fn name(&self) -> &'static str;

    /// What it does, in a line.
    fn summary(&self) -> &'static str;

    /// Changes `function`.
    ///
    /// # Errors
    /// The program is wrong in a way that only this pass can see; it has been reported.
    fn run(&self, function: &mut Function, context: &mut Context<'_>) -> Result<(), Reported>;
}

/// The passes in the order they run.
pub fn pipeline() -> &'static [&'static dyn Pass] {
    &[
        &inline::Inline,
        &specialise::Specialise,
        &fold::Fold,
        &unroll::Unroll,
        &extents::Extents,
        &combine::Combine,
        &descriptors::Descriptors,
        &composites::Composites,
        &affine::Affine,
        &fold::Fold,
        &cse::Cse,
        &dce::Dce,
        &materialise::Materialise,
        &licm::Licm,
        &release::ReleaseSlots,
        &pipeline::Pipeline,
        &allocate::Allocate,
    ]
}

/// Makes of `kernel` what one launch of it needs. The result has no parameters and calls nothing.
///
/// `module` must be verified.
///
/// # Errors
/// The kernel cannot be launched so; why has been reported.
pub fn run(
    module: &Module,
    kernel: FuncId,
    bindings: &Bindings,
    limits: &Limits,
    sink: &mut Sink,
) -> Result<Function, Reported> {
    let mut context = Context { module, bindings, limits, sink };
    run_observed(&mut context, kernel, &mut |_, _| {})
}

/// [`run`] that shows `observe` the function after each pass.
///
/// # Errors
/// As [`run`].
pub fn run_observed(
    context: &mut Context<'_>,
    kernel: FuncId,
    observe: &mut dyn FnMut(&dyn Pass, &Function),
) -> Result<Function, Reported> {
    let mut function = context.module.functions[kernel].clone();
    forget_lowering(&mut function);
    let mut shapes_fit = false;
    for pass in pipeline() {
        pass.run(&mut function, context)?;
        shapes_fit |= pass.name() == extents::Extents.name();
        if cfg!(debug_assertions) {
            check(*pass, &function, shapes_fit, context)?;
        }
        observe(*pass, &function);
    }
    Ok(function.compacted())
}

/// Takes off what the last passes will put on anew, where the IR has been through them before.
fn forget_lowering(function: &mut Function) {
    for block in function.reachable_blocks() {
        let ops = std::mem::take(&mut function.blocks[block].ops);
        let kept = ops.into_iter().filter(|op| !matches!(function.ops[*op].op, Op::Release(_)));
        function.blocks[block].ops = kept.collect();
    }
    for (_, value) in function.values.iter_mut() {
        value.storage = None;
    }
    function.buffers = crate::arena::Arena::new();
}

/// A pass that leaves broken IR behind is a bug of kbc, and is reported as one. Until the
/// `extents` pass has looked, shapes that the launch makes disagree are not kbc's fault.
fn check(
    pass: &dyn Pass,
    function: &Function,
    shapes_fit: bool,
    context: &mut Context<'_>,
) -> Result<(), Reported> {
    let violations = verify_function(function, Some(context.module));
    let is_bug = |it: &&Violation| shapes_fit || !matches!(it.rule, Rule::Types | Rule::Agreement);
    let Some(first) = violations.iter().find(is_bug) else { return Ok(()) };
    Err(context.sink.error(first.as_bug(&format!("the pass `{}`", pass.name()))))
}
