//! Which algorithm a collective runs with.

use super::collective::{Ask, Kind, PLAIN};
use super::model::{Estimate, estimate};
use crate::diag::{hosting, nearest_help};
use crate::dtype::DType;
use crate::host::Scalar;
use crate::launch::{IpcqOptions, NeighborTable};
use crate::script::ccl::Wiring;
use crate::script::entry::Script;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::torch::device;
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

/// The library's algorithms of a collective.
pub(in crate::script) fn algorithms(kind: Kind) -> &'static [(&'static str, &'static str)] {
    let row = ALGORITHMS.iter().find(|(known, _)| *known == kind);
    row.map_or(&[], |(_, algorithms)| algorithms)
}

/// The names of the algorithms of the collective of this name.
pub(super) fn names_of(script: &Script<'_>, collective: &str) -> Vec<String> {
    let row = ALGORITHMS.iter().find(|(kind, _)| kind.name() == collective);
    row.map_or(Vec::new(), |(kind, _)| {
        candidates(script, *kind).into_iter().map(|it| it.name).collect()
    })
}

/// An algorithm that may be chosen.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// What it is called.
    name: String,
    /// Its module of the library.
    pub(super) module: String,
    /// Who is next to whom; as the module says without.
    wiring: Option<Wiring>,
    /// Its queues, where they differ from all others'.
    pub(super) queues: IpcqOptions,
    /// Whether the communicator file describes it.
    is_described: bool,
}

impl Candidate {
    /// Who is next to whom among `world` ranks, unless the module says that.
    fn table(&self, world: usize) -> Option<NeighborTable> {
        let world = u32::try_from(world).unwrap_or(u32::MAX);
        self.wiring.map(|wiring| wiring.table(world))
    }
}

/// The algorithms of a collective: the library's, and those that the communicator file describes. One
/// of the same name takes the place of the library's.
fn candidates(script: &Script<'_>, kind: Kind) -> Vec<Candidate> {
    let of_library = |(name, module): &(&str, &str)| Candidate {
        name: (*name).to_owned(),
        module: (*module).to_owned(),
        wiring: None,
        queues: PLAIN,
        is_described: false,
    };
    let mut found: Vec<Candidate> = algorithms(kind).iter().map(of_library).collect();
    for own in script.communicators.algorithms.iter().filter(|it| it.collective == kind) {
        let described = Candidate {
            name: own.name.clone(),
            module: own.module.name().to_owned(),
            wiring: own.wiring,
            queues: own.queues,
            is_described: true,
        };
        match found.iter_mut().find(|it| it.name == own.name) {
            Some(known) => *known = described,
            None => found.push(described),
        }
    }
    found
}

/// What an algorithm is chosen for.
pub(super) struct Need<'n> {
    /// What is asked.
    pub(super) ask: &'n Ask,
    /// The PEs of the ranks, in the order of the group: of each lane, which runs at the same time as the
    /// others.
    pub(super) lanes: &'n [Vec<u32>],
    /// Elements that each rank gives in a lane.
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
    /// The algorithm.
    candidate: Candidate,
    /// What a rank's elements are padded to a multiple of.
    pub(in crate::script::torch) chunks: u64,
    /// Why it was chosen.
    pub(in crate::script::torch) why: String,
}

impl Choice {
    /// Its name.
    pub(in crate::script::torch) fn name(&self) -> &str {
        &self.candidate.name
    }

    /// What a launch of it is called.
    pub(super) fn label(&self) -> String {
        format!("{} ({})", self.ask.kind.name(), self.name())
    }

    /// Its module of the library.
    pub(in crate::script::torch) fn module(&self) -> String {
        self.candidate.module.clone()
    }

    /// The queues that it is launched with.
    pub(super) fn queues(&self) -> IpcqOptions {
        self.candidate.queues
    }

    /// Who is next to whom, unless its module says that.
    pub(super) fn neighbors(&self) -> Option<NeighborTable> {
        self.candidate.table(self.ask.members.len())
    }

    /// The elements of a rank, with those added that make chunks equal.
    pub(super) fn padded(&self, elements: u64) -> u64 {
        elements.next_multiple_of(self.chunks.max(1))
    }

    /// The host functions of its module, told of the launch.
    pub(in crate::script::torch) fn script<'a>(
        &self,
        evaluator: &mut Evaluator<'a>,
    ) -> Result<Script<'a>> {
        told(evaluator, &self.candidate.module, &self.ask, self.dtype)
    }
}

/// The host functions of a module, told everything about a launch but its size.
pub(super) fn told<'a>(
    evaluator: &mut Evaluator<'a>,
    module: &str,
    ask: &Ask,
    dtype: DType,
) -> Result<Script<'a>> {
    let ranks = device::ranks(evaluator, Span::NONE)?;
    let found = evaluator.script().of_library_among(module, (&ask.members, &ranks));
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

/// The algorithm that is asked for, or else the one that the communicator file names, or else the
/// best of those there are.
pub(super) fn choose(evaluator: &mut Evaluator<'_>, need: &Need<'_>) -> Result<Choice> {
    let all = candidates(evaluator.script(), need.ask.kind);
    let common = evaluator.script().communicators.clone();
    let common = common.algorithm.as_deref().filter(|_| need.ask.kind == Kind::AllReduce);
    let (wanted, why) = match (need.ask.algorithm.as_deref(), common) {
        (Some(AUTO), _) | (None, None) => return best(evaluator, need, &all),
        (Some(name), _) => (name, "it was asked for"),
        (None, Some(name)) => (name, "the communicator file names it"),
    };
    match all.iter().find(|it| it.name == wanted) {
        Some(found) => chosen(evaluator, need, found, String::from(why)),
        None => Err(unknown(need, wanted, &all)),
    }
}

/// The one that the model takes for the fastest, and why.
fn best(evaluator: &mut Evaluator<'_>, need: &Need<'_>, all: &[Candidate]) -> Result<Choice> {
    let Some(first) = all.first() else { return Err(unknown(need, AUTO, all)) };
    if all.len() == 1 || need.ask.members.len() < 2 {
        return chosen(evaluator, need, first, String::from("there is no other"));
    }
    let mut found: Vec<(Estimate, &Candidate)> = Vec::new();
    for algorithm in all {
        let script = told(evaluator, &algorithm.module, need.ask, need.dtype)?;
        let table = algorithm.table(need.ask.members.len());
        let estimate = estimate(evaluator, need, (algorithm, chunks(&script)?, table))?;
        found.extend(estimate.map(|estimate| (estimate, algorithm)));
    }
    // Of equal ones the first in the table.
    found.sort_by(|left, right| left.0.ns().total_cmp(&right.0.ns()));
    let Some((estimate, algorithm)) = found.first().copied() else {
        return chosen(evaluator, need, first, String::from("nothing is known of the machine"));
    };
    let next = found.get(1).map_or(String::new(), |(next, other)| {
        format!(", before {} with {:.0} ns", other.name, next.ns())
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
    evaluator: &mut Evaluator<'_>,
    need: &Need<'_>,
    candidate: &Candidate,
    why: String,
) -> Result<Choice> {
    let chunks = chunks(&told(evaluator, &candidate.module, need.ask, need.dtype)?)?;
    let (ask, dtype) = (need.ask.clone(), need.dtype);
    Ok(Choice { ask, dtype, candidate: candidate.clone(), chunks, why })
}

/// What the elements of a rank are padded to a multiple of.
fn chunks(script: &Script<'_>) -> Result<u64> {
    let Some(function) = script.function("chunks") else { return Ok(1) };
    let chunks = script.call(&mut script.evaluator(), function, &[])?;
    Ok(u64::try_from(chunks.as_int().unwrap_or(1)).unwrap_or(1))
}

fn unknown(need: &Need<'_>, wanted: &str, all: &[Candidate]) -> Fault {
    let names: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
    let message = format!("`{}` has no algorithm `{wanted}`", need.ask.kind.name());
    let own = all.iter().filter(|it| it.is_described).count();
    let described =
        if own > 0 { format!(", {own} of them of the communicator file") } else { String::new() };
    Fault::new(hosting::HOST_VALUE, message, need.span, "no such algorithm")
        .note(format!("its algorithms are {}{described}", names.join(", ")))
        .help(nearest_help("algorithm", wanted, names))
}
