//! From typed IR to a checked program: passes, queues, lowering, verification.

use super::machine::Target;
use crate::command::{Comm, Program};
use crate::commcheck::{self, Verdict};
use crate::diag::{Diagnostic, Reported, Sink, internal};
use crate::ir::{Bindings, FuncId, Function, Limits, Module};
use crate::launch::{Launch, NeighborMap};
use crate::lower::{self, Wiring};
use crate::passes::{self, Context, Pass};
use crate::source::SourceMap;

/// What is compiled for what.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// The functions.
    pub(super) module: &'a Module,
    /// The kernel.
    pub(super) kernel: FuncId,
    /// Its launch.
    pub(super) launch: &'a Launch,
    /// The machine.
    pub(super) target: &'a Target,
    /// Who is next to whom.
    pub(super) neighbors: &'a dyn NeighborMap,
}

impl Request<'_> {
    fn bindings(&self) -> Bindings {
        let params = self.launch.args.iter().cloned().collect();
        Bindings { params, num_programs: self.launch.num_programs(self.target.spec.extent()) }
    }

    fn wiring(&self) -> Wiring<'_> {
        let (launch, neighbors) = (self.launch, self.neighbors);
        let (extent, params) = (self.target.spec.extent(), self.target.spec.params());
        Wiring { launch, extent, params, neighbors }
    }

    /// The kernel as this launch needs it. `observe` sees it after each pass.
    pub(super) fn specialise(
        &self,
        limits: &Limits,
        sink: &mut Sink,
        observe: &mut dyn FnMut(&dyn Pass, &Function),
    ) -> Result<Function, Reported> {
        let bindings = self.bindings();
        let mut context = Context { module: self.module, bindings: &bindings, limits, sink };
        passes::run_observed(&mut context, self.kernel, observe)
    }

    /// The limits before the queues are known: how much TCM their slots take depends on the
    /// largest tile sent, which only the specialised kernel says.
    fn first_limits(&self) -> Limits {
        lower::limits(self.target.spec.params(), None)
    }

    /// The kernel within all the TCM there is. Warnings go to `said`, since they may not hold
    /// beside the slots; errors to `sink`.
    fn specialise_first(&self, said: &mut Sink, sink: &mut Sink) -> Result<Function, Reported> {
        let result = self.specialise(&self.first_limits(), said, &mut |_, _| {});
        if result.is_err() {
            sink.append(std::mem::take(said));
        }
        result
    }

    /// The kernel as far as it can be known before the queues are; warnings are left to
    /// [`Request::compile`].
    pub(super) fn draft(&self, sink: &mut Sink) -> Result<Function, Reported> {
        self.specialise_first(&mut Sink::new(), sink)
    }

    /// The queues of a kernel, and the limits it must be compiled again within if its tiles do not
    /// fit beside their slots.
    fn connect(
        &self,
        function: &Function,
        sink: &mut Sink,
    ) -> Result<(Comm, Option<Limits>), Reported> {
        let comm = lower::connect(&lower::traffic(function), &self.wiring(), sink)?;
        let limits = lower::limits(self.target.spec.params(), Some(&comm));
        let again = scratch_bytes(function) > limits.tcm_bytes;
        Ok((comm, again.then_some(limits)))
    }

    /// The limits that the kernel is compiled within; those of all TCM where it cannot be.
    pub(super) fn limits(&self) -> Limits {
        let mut sink = Sink::new();
        let again = self.draft(&mut sink).and_then(|it| Ok(self.connect(&it, &mut sink)?.1));
        again.ok().flatten().unwrap_or_else(|| self.first_limits())
    }

    /// The program of this launch, its memory still unmapped.
    pub(super) fn compile(&self, sink: &mut Sink) -> Result<(Function, Program), Reported> {
        let mut said = Sink::new();
        let mut function = self.specialise_first(&mut said, sink)?;
        let (comm, again) = self.connect(&function, sink)?;
        match again {
            // The same passes again, now to make it fit beside the slots or to say what does not.
            Some(limits) => function = self.specialise(&limits, sink, &mut |_, _| {})?,
            None => sink.append(said),
        }
        let program = lower::lower(&function, self.launch, self.target.spec.extent(), comm, sink)?;
        Ok((function, program))
    }
}

/// Bytes of TCM that the tiles of an allocated function take.
fn scratch_bytes(function: &Function) -> u64 {
    let end = |buffer: &crate::ir::Buffer| buffer.offset + buffer.bytes * u64::from(buffer.copies);
    function.buffers.values().map(end).max().unwrap_or(0)
}

/// Checks that every message of `program` arrives and that nothing waits for ever.
pub(super) fn check(
    program: &Program,
    sources: &SourceMap,
    sink: &mut Sink,
) -> Result<Verdict, Reported> {
    let budget = commcheck::DEFAULT_BUDGET;
    Ok(commcheck::check(program, sources, budget, sink)?.verdict)
}

/// What is wrong with kbc itself.
pub(super) fn bug(message: impl Into<String>) -> Diagnostic {
    Diagnostic::global(internal::INTERNAL, message)
        .note("this is a mistake in kbc, not in the program")
        .help("report it with the kernel, the topology and the command line")
}
