//! Plans that are written as kernels: from what each rank's program asks for to a [`Plan`].
//!
//! A kernel of channels is a recipe. Its IR, specialised for one launch, is run once for each rank
//! by the reference interpreter; nothing is moved, and every [`crate::ir::Channel`] that is met is noted
//! with its numbers. From these notes the plan is made in the steps that MSCCL++ documents:
//!
//! ```text
//! run      what each rank asks for, in its order
//! declare  channels, scratch buffers, semaphores of all ranks; what they compute together
//! ops      each request, checked, as an op of its thread block
//! fuse     neighbouring ops that the device can do as one
//! sync     where the threads of a block meet
//! number   ops name channels and buffers by their places at the block, as plans do
//! ```
//!
//! The plan then goes the way of every plan, its ops with the spans of the kernel.

mod counts;
mod declare;
mod fuse;
mod number;
mod ops;
mod run;
mod sync;

use super::schema::{BufferType, ChannelType, GroupSlice, IterContext, OpName, Plan, Reduce};
use crate::command::GridShape;
use crate::diag::{Code, Diagnostic, Reported, Sink};
use crate::ir::Function;
use crate::source::Span;

/// The most ops that running a kernel for all of its ranks may take.
const BUDGET: u64 = 10_000_000;
/// Thread blocks that a rank may have.
const MAX_BLOCKS: i64 = 1024;
/// Mistakes that are told.
const MAX_TOLD: usize = 20;

/// A kernel that is the recipe of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// What the plan is called.
    pub name: &'a str,
    /// The kernel, specialised: it has no parameters and calls nothing.
    pub function: &'a Function,
    /// How many ranks there are.
    pub world: u32,
    /// How a rank's number becomes its program's id.
    pub grid: GridShape,
    /// `num_programs` of axes 0, 1 and 2.
    pub num_programs: [u32; 3],
}

impl Recipe<'_> {
    /// The plan that the kernel is the recipe of.
    ///
    /// # Errors
    /// The kernel asks for what cannot be, or does something else; reported with its place.
    pub fn plan(&self, sink: &mut Sink) -> Result<Plan, Reported> {
        let asked = run::run(self, sink)?;
        let mut problems = Problems::default();
        let declared = declare::declare(self, &asked, &mut problems);
        problems.said(sink)?;
        let declared = declared.expect("what is not said is a problem, which was told");
        let mut drafts = ops::ops(self, &declared, &asked, &mut problems);
        problems.said(sink)?;
        for block in drafts.iter_mut().flatten() {
            if declared.spec.fuses {
                fuse::fuse(block);
            }
            sync::meet(block, declared.spec.syncs);
        }
        Ok(number::plan(self, &declared, drafts))
    }
}

/// Mistakes, each told once however many ranks make it.
#[derive(Debug, Default)]
struct Problems {
    found: Vec<Diagnostic>,
}

impl Problems {
    fn add(&mut self, it: Diagnostic) {
        let place = |it: &Diagnostic| it.primary.as_ref().map(|label| label.span);
        let known =
            self.found.iter().any(|old| old.code.id == it.code.id && place(old) == place(&it));
        if !known && self.found.len() < MAX_TOLD {
            self.found.push(it);
        }
    }

    fn said(&mut self, sink: &mut Sink) -> Result<(), Reported> {
        let said = self.found.drain(..).map(|it| sink.error(it)).last();
        said.map_or(Ok(()), Err)
    }
}

/// A mistake at a place.
fn problem(code: Code, message: impl Into<String>, (span, label): (Span, &str)) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(code, message.into(), span, label))
}

type Checked<T> = Result<T, Box<Diagnostic>>;

/// Whose memory an operand is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The own rank's.
    Own(BufferType),
    /// Another's.
    Peer(u32, BufferType),
    /// That of all ranks of the switch channel of this number at the rank.
    Group(u32),
}

/// An operand of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spot {
    whose: Whose,
    index: u32,
    size: u32,
}

/// An op of a thread block, its channels numbered as the rank does.
#[derive(Clone, Debug, PartialEq)]
struct Draft {
    name: OpName,
    kind: Option<ChannelType>,
    channels: Vec<u32>,
    sources: Vec<Spot>,
    targets: Vec<Spot>,
    reduce: Option<Reduce>,
    slice: Option<GroupSlice>,
    barrier: Option<(u32, u32)>,
    semaphores: Vec<u32>,
    pipeline: Option<(IterContext, Vec<Draft>)>,
    /// Whether the threads of the block meet before it.
    before: bool,
    /// Whether they meet after it.
    after: bool,
    span: Span,
}

impl Draft {
    fn new(name: OpName, span: Span) -> Draft {
        Draft {
            name,
            kind: None,
            channels: Vec::new(),
            sources: Vec::new(),
            targets: Vec::new(),
            reduce: None,
            slice: None,
            barrier: None,
            semaphores: Vec::new(),
            pipeline: None,
            before: false,
            after: false,
            span,
        }
    }

    fn nop(span: Span) -> Draft {
        Draft::new(OpName::Nop, span)
    }

    /// Whether all threads of the block meet in it.
    fn meets(&self) -> bool {
        matches!(self.name, OpName::Nop | OpName::Barrier)
    }
}
