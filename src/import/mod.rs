//! Execution plans of MSCCL++, read from JSON or made by kernels that are their recipes: to a program
//! whose agents are thread blocks.
//!
//! A plan says what every thread block of every rank does. Names in it are local twice over (to the
//! block, to the rank); here they become addresses, ends of channels and numbers of the program,
//! and each op becomes one channel command. What is wrong with a plan is told with its key path,
//! line and column. Ops get a line each in a *listing*, a source file made here, so that whatever is
//! said of them later can quote them.
//!
//! Where the device does other than the documentation says, [`Semantics`] chooses; the differences
//! are settled here, so nothing behind knows of them.
//!
//! ```text
//! JSON ─ schema, json ─┐
//!                      ├─► Plan ─ layout ─► addresses ─ lower (connect, operands, data) ─► Program
//! IR ───── kernel ─────┘    │
//!                           ├─ listing ─► the text that messages quote
//!                           └─ export ──► JSON
//! ```
//!
//! `shapes` says which operands each op takes; lowering, the kernels' synchronisation and `meet`,
//! which looks for threads that should have met, ask it.

mod connect;
mod data;
mod export;
mod json;
mod kernel;
mod layout;
mod listing;
mod lower;
mod meet;
mod operands;
mod schema;
mod shapes;

use crate::command::Program;
use crate::command::channel::Definition;
use crate::diag::{Code, Diagnostic, Reported, Sink, plans as codes};
use crate::dtype::DType;
use crate::ops::BinaryOp;
use crate::source::{FileId, SourceMap};
use crate::units::grouped;

pub use export::export;
pub use kernel::Recipe;
use layout::{Kind, Layout};
pub use schema::Plan;
use schema::Reduce;

/// Mistakes of one plan that are told.
const MAX_TOLD: usize = 20;

/// What ops mean where the documentation and the device differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// What the DSL documents.
    #[default]
    Intent,
    /// What the GPU kernel does.
    Device,
}

/// What a plan is run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Bytes of the message; rounded up to what the plan can cut.
    pub bytes: u64,
    /// The type of elements.
    pub dtype: DType,
    /// How often every rank runs its kernel.
    pub launches: u32,
    /// What ops mean.
    pub semantics: Semantics,
}

/// A plan as a program.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The program.
    pub program: Program,
    /// Bytes of the message.
    pub message: u64,
    /// The listing of the ops.
    pub listing: FileId,
}

/// A mistake in a plan, by its key path.
#[derive(Clone, Debug)]
struct Refused {
    code: Code,
    path: String,
    message: String,
    help: Option<String>,
}

impl Refused {
    fn at(code: Code, path: impl Into<String>, message: impl Into<String>) -> Box<Refused> {
        Box::new(Refused { code, path: path.into(), message: message.into(), help: None })
    }

    fn diagnostic(&self, plan: &Plan, sources: &SourceMap, file: FileId) -> Diagnostic {
        if let Some(kernel) = plan.written {
            let span = plan.op_at(&self.path).and_then(|op| op.span).unwrap_or(kernel);
            let it = Diagnostic::new(self.code, self.message.clone(), span, "here");
            return self.help.iter().cloned().fold(it, Diagnostic::help);
        }
        let text = sources.get(file).map_or("", |file| file.text());
        let range = json::locate(text, &self.path);
        let what = (self.code, self.message.clone());
        let it = json::at_place(what, (sources, file), (&self.path, range), "here");
        self.help.iter().cloned().fold(it, Diagnostic::help)
    }
}

/// Reads the JSON of a plan.
///
/// # Errors
/// The text is no JSON, or not that of a plan; reported with its place.
pub fn read(sources: &SourceMap, file: FileId, sink: &mut Sink) -> Result<Plan, Reported> {
    schema::read(sources, file, sink)
}

/// The program of a plan that was read from `file`. Adds its listing to `sources`.
///
/// # Errors
/// Everything wrong with the plan, up to twenty mistakes, has been reported.
pub fn import(
    plan: &Plan,
    options: &PlanOptions,
    (sources, file): (&mut SourceMap, FileId),
    sink: &mut Sink,
) -> Result<Imported, Reported> {
    let (kind, definition) = definition(plan);
    if definition.is_none() && !matches!(plan.collective.as_str(), "test" | "custom") {
        let message = format!("`{}` is no collective that kbc can check", plan.collective);
        let it = Refused::at(codes::NO_DEFINITION, "collective", message);
        sink.warning(it.diagnostic(plan, sources, file).note(
            "known: allreduce, allgather, reducescatter, alltoall, sendrecv, broadcast, test, custom",
        ));
    }
    let layout = Layout::new(plan, kind, options)
        .map_err(|it| sink.error(it.diagnostic(plan, sources, file)))?;
    if !(plan.min_message_size..=plan.max_message_size).contains(&layout.message) {
        sink.warning(not_meant(plan, layout.message).diagnostic(plan, sources, file));
    }
    let lowered = lower::lower(plan, &layout, options, definition);
    let mistakes = lowered.refused.iter().take(MAX_TOLD);
    let told = mistakes.map(|it| sink.error(it.diagnostic(plan, sources, file))).last();
    told.map_or(Ok(()), Err)?;
    for it in lowered.warnings.iter().take(MAX_TOLD) {
        sink.warning(it.diagnostic(plan, sources, file));
    }
    let name = sources.get(file).map_or_else(String::new, |file| file.name().to_owned());
    let listing = sources.add(format!("{name}:ops"), lowered.listing);
    let mut program = lowered.program;
    listing::place(&mut program, listing);
    Ok(Imported { program, message: layout.message, listing })
}

/// The node of each rank: ranks that memory or switch channels join share one.
pub fn nodes(plan: &Plan) -> Vec<u32> {
    connect::nodes(plan)
}

fn not_meant(plan: &Plan, bytes: u64) -> Box<Refused> {
    let (least, most) = (plan.min_message_size, plan.max_message_size);
    let (path, bound) = if bytes < least {
        ("min_message_size", format!("at least {} B", grouped(least)))
    } else {
        ("max_message_size", format!("at most {} B", grouped(most)))
    };
    let message =
        format!("the plan is meant for messages of {bound}; this one has {} B", grouped(bytes));
    Refused::at(codes::SIZE_NOT_MEANT, path, message)
}

/// How the chunks of a plan's collective relate, and what it must compute if that is known.
fn definition(plan: &Plan) -> (Kind, Option<Definition>) {
    let reduce = reduction(plan);
    match plan.collective.as_str() {
        "allreduce" => (Kind::Same, Some(Definition::AllReduce(reduce))),
        "allgather" => (Kind::Gather, Some(Definition::AllGather)),
        "reducescatter" => (Kind::Scatter, Some(Definition::ReduceScatter(reduce))),
        "alltoall" => (Kind::Same, Some(Definition::AllToAll)),
        "broadcast" => (Kind::Same, Some(Definition::Broadcast)),
        "sendrecv" => (Kind::Same, connect::send_receive(plan)),
        _ => (Kind::Free, None),
    }
}

/// What the ops of a plan reduce with: that of the first that says so.
fn reduction(plan: &Plan) -> BinaryOp {
    let blocks = plan.gpus.iter().flat_map(|gpu| &gpu.threadblocks);
    let ops = blocks.flat_map(|block| &block.ops);
    let mut said =
        ops.flat_map(|op| std::iter::once(op).chain(&op.ops)).filter_map(|it| it.reduce_op);
    said.next().map_or(BinaryOp::Add, combines)
}

/// What a reduction combines two values with.
const fn combines(reduce: Reduce) -> BinaryOp {
    match reduce {
        Reduce::Sum => BinaryOp::Add,
        Reduce::Min => BinaryOp::Minimum,
        Reduce::Max => BinaryOp::Maximum,
    }
}
