//! Which algorithm a collective runs with.

use super::collective::{Ask, Kind, PLAIN};
use super::model::{Estimate, estimate};
use crate::diag::{hosting, nearest_help};
use crate::dtype::DType;
use crate::host::Scalar;
use crate::launch::IpcqOptions;
use crate::script::entry::Script;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::source::Span;

/// What asks for the fastest algorithm.
const AUTO: &str = "auto";

/// The algorithms of each collective: what they are called, and their modules of the library. The
/// first is the one that takes any number of ranks.
const ALGORITHMS: [(Kind, &[(&str, &str)]); 8] = [
    (
        Kind::AllReduce,
        &[
            ("ring_chunked", "ccl.ring_chunked"),
            ("ring", "ccl.ring"),
            ("ring_bidirectional", "ccl.ring_bidirectional"),
            ("torus", "ccl.torus"),
            ("mesh", "ccl.mesh"),
            ("tree", "ccl.tree"),
            ("double_tree", "ccl.double_tree"),
            ("halving_doubling", "ccl.halving_doubling"),
            ("hierarchical", "ccl.hierarchical"),
            ("lrab", "ccl.lrab"),
        ],
    ),
    (Kind::AllGather, &[("ring", "ccl.all_gather_ring"), ("doubling", "ccl.all_gather_doubling")]),
    (Kind::ReduceScatter, &[("ring", "ccl.reduce_scatter_ring")]),
    (Kind::Broadcast, &[("tree", "ccl.broadcast_tree")]),
    (Kind::Reduce, &[("tree", "ccl.reduce_tree")]),
    (Kind::AllToAll, &[("pairwise", "ccl.all_to_all")]),
    (Kind::Send, &[("send", "ccl.send")]),
    (Kind::Barrier, &[("dissemination", "ccl.barrier")]),
];

/// The algorithms of a collective.
pub(super) fn algorithms(kind: Kind) -> &'static [(&'static str, &'static str)] {
    let row = ALGORITHMS.iter().find(|(known, _)| *known == kind);
    row.map_or(&[], |(_, algorithms)| algorithms)
}

/// The names of the algorithms of the collective of this name.
pub(super) fn names_of(collective: &str) -> Vec<&'static str> {
    let row = ALGORITHMS.iter().find(|(kind, _)| kind.name() == collective);
    row.map_or(Vec::new(), |(_, algorithms)| algorithms.iter().map(|(name, _)| *name).collect())
}

/// What an algorithm is chosen for.
pub(super) struct Need<'n> {
    /// What is asked.
    pub(super) ask: &'n Ask,
    /// Elements that each rank gives.
    pub(super) elements: u64,
    /// Their type.
    pub(super) dtype: DType,
    /// The text of the call.
    pub(super) span: Span,
}

/// An algorithm, and why it is this one.
#[derive(Clone, Debug)]
pub(in crate::script::torch) struct Choice {
    /// What it was chosen for.
    ask: Ask,
    dtype: DType,
    /// Its name.
    pub(in crate::script::torch) name: &'static str,
    module: &'static str,
    /// What a rank's elements are padded to a multiple of.
    pub(in crate::script::torch) chunks: u64,
    /// Why it was chosen.
    pub(in crate::script::torch) why: String,
    /// The queues that it is launched with.
    pub(super) queues: IpcqOptions,
}

impl Choice {
    /// What a launch of it is called.
    pub(super) fn label(&self) -> String {
        format!("{} ({})", self.ask.kind.name(), self.name)
    }

    /// Its module of the library.
    pub(in crate::script::torch) fn module(&self) -> String {
        self.module.to_owned()
    }

    /// The elements of a rank, with those added that make chunks equal.
    pub(super) fn padded(&self, elements: u64) -> u64 {
        elements.next_multiple_of(self.chunks.max(1))
    }

    /// The host functions of its module, told of the launch.
    pub(in crate::script::torch) fn script<'a>(
        &self,
        evaluator: &Evaluator<'a>,
    ) -> Result<Script<'a>> {
        told(evaluator, self.module, &self.ask, self.dtype)
    }
}

/// The host functions of a module, told everything about a launch but its size.
pub(super) fn told<'a>(
    evaluator: &Evaluator<'a>,
    module: &str,
    ask: &Ask,
    dtype: DType,
) -> Result<Script<'a>> {
    let found = evaluator.script().of_library(module, &ask.members);
    let script = found.ok_or_else(|| {
        let message = "collectives need the library, and this run has none";
        Fault::new(hosting::HOST_UNSUPPORTED, message, Span::NONE, "")
    })?;
    let text = |name: &str, text: &str| (name.to_owned(), Scalar::Text(text.to_owned()));
    let mut more = vec![
        text("dtype", dtype.name()),
        text("op", ask.op),
        ("itemsize".to_owned(), Scalar::Int(dtype.bytes() as i64)),
    ];
    for (name, rank) in ["src", "dst"].into_iter().zip(ask.from_to) {
        more.extend(rank.map(|rank| (name.to_owned(), Scalar::Int(i64::from(rank)))));
    }
    Ok(script.told(more))
}

/// The algorithm that is asked for, or else the best of those there are.
pub(super) fn choose(evaluator: &mut Evaluator<'_>, need: &Need<'_>) -> Result<Choice> {
    let all = algorithms(need.ask.kind);
    match need.ask.algorithm.as_deref() {
        None | Some(AUTO) => best(evaluator, need, all),
        Some(wanted) => {
            let found = all.iter().find(|(name, _)| *name == wanted);
            let (name, module) = *found.ok_or_else(|| unknown(need, wanted))?;
            chosen(evaluator, need, (name, module), String::from("it was asked for"))
        }
    }
}

/// The one that the model takes for the fastest, and why.
fn best(
    evaluator: &mut Evaluator<'_>,
    need: &Need<'_>,
    all: &[(&'static str, &'static str)],
) -> Result<Choice> {
    let Some(first) = all.first() else { return Err(unknown(need, AUTO)) };
    if all.len() == 1 || need.ask.members.len() < 2 {
        return chosen(evaluator, need, *first, String::from("there is no other"));
    }
    let mut found: Vec<(Estimate, (&'static str, &'static str))> = Vec::new();
    for algorithm in all {
        let script = told(evaluator, algorithm.1, need.ask, need.dtype)?;
        let estimate = estimate(evaluator, need, (algorithm.1, chunks(&script)?))?;
        found.extend(estimate.map(|estimate| (estimate, *algorithm)));
    }
    // Of equal ones the first in the table.
    found.sort_by(|left, right| left.0.ns().total_cmp(&right.0.ns()));
    let Some((estimate, algorithm)) = found.first().copied() else {
        return chosen(evaluator, need, *first, String::from("nothing is known of the machine"));
    };
    let next = found.get(1).map_or(String::new(), |(next, (name, _))| {
        format!(", before {name} with {:.0} ns", next.ns())
    });
    let why = format!(
        "the model says {:.0} ns: {:.0} of latency and overheads, {:.0} of bytes{next}",
        estimate.ns(),
        estimate.alpha_ns,
        estimate.beta_ns
    );
    chosen(evaluator, need, algorithm, why)
}

fn chosen(
    evaluator: &Evaluator<'_>,
    need: &Need<'_>,
    (name, module): (&'static str, &'static str),
    why: String,
) -> Result<Choice> {
    let chunks = chunks(&told(evaluator, module, need.ask, need.dtype)?)?;
    let (ask, dtype) = (need.ask.clone(), need.dtype);
    Ok(Choice { ask, dtype, name, module, chunks, why, queues: PLAIN })
}

/// What the elements of a rank are padded to a multiple of.
fn chunks(script: &Script<'_>) -> Result<u64> {
    let Some(function) = script.function("chunks") else { return Ok(1) };
    let chunks = script.call(&mut script.evaluator(), function, &[])?;
    Ok(u64::try_from(chunks.as_int().unwrap_or(1)).unwrap_or(1))
}

fn unknown(need: &Need<'_>, wanted: &str) -> Fault {
    let names: Vec<&str> = algorithms(need.ask.kind).iter().map(|(name, _)| *name).collect();
    let message = format!("`{}` has no algorithm `{wanted}`", need.ask.kind.name());
    Fault::new(hosting::HOST_VALUE, message, need.span, "no such algorithm")
        .note(format!("its algorithms are {}", names.join(", ")))
        .help(nearest_help("algorithm", wanted, names))
}
