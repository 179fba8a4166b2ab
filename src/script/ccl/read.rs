//! From YAML to communicators. Whatever is wrong is reported, so that one run finds many mistakes.

use super::wiring::NAMES;
use super::{Algorithm, Communicators, Module, is_path};
use crate::diag::{Diagnostic, Reported, Sink, machine as codes, nearest_help};
use crate::host::RankUnit;
use crate::launch::IpcqOptions;
use crate::script::torch::{Kind, algorithms};
use crate::source::{FileId, SourceMap, Span};
use crate::topology::SlotKind;
use crate::topology::section::{Errors, Problem, Section, choice, count, count_or_auto, text};
use crate::topology::yaml::{self, Entry, Node};

/// What lets the model choose.
const AUTO: &str = "auto";

const KINDS: &[(&str, SlotKind)] =
    &[("tcm", SlotKind::Tcm), ("sram", SlotKind::Sram), ("hbm", SlotKind::Hbm)];

const COLLECTIVES: &[(&str, Kind)] = &[
    ("all_reduce", Kind::AllReduce),
    ("all_gather", Kind::AllGather),
    ("reduce_scatter", Kind::ReduceScatter),
    ("broadcast", Kind::Broadcast),
    ("reduce", Kind::Reduce),
    ("all_to_all", Kind::AllToAll),
];

/// Where kernbench keeps its algorithms, and what ours are called that do the same.
const KERNBENCH: &str = "kernbench.ccl.algorithms.";
const SAME: &[(&str, &str)] = &[
    ("hello_send", "ccl.hello_send"),
    ("ring_allreduce", "ccl.ring"),
    ("mesh_allreduce", "ccl.mesh"),
    ("tree_allreduce", "ccl.tree"),
    ("hierarchical_allreduce", "ccl.hierarchical"),
    ("intercube_allreduce", "ccl.lrab"),
    ("lrab_hierarchical_allreduce", "ccl.lrab"),
];

/// Reads and checks a communicator file. Every mistake found is reported.
///
/// # Errors
/// There was one.
pub fn read(sources: &SourceMap, file: FileId, sink: &mut Sink) -> Result<Communicators, Reported> {
    let text = sources.get(file).map_or("", |source| source.text());
    let mut errors = Errors::new(sink);
    let tree = yaml::parse(file, text, &mut errors);
    errors.check()?;
    let tree = tree.expect("text without errors has a tree");
    let found = communicators(&tree, &mut errors);
    errors.check()?;
    Ok(found)
}

fn communicators(tree: &Node, errors: &mut Errors<'_>) -> Communicators {
    let mut root = Section::file("a communicator file", tree, errors);
    let mut found = Communicators::default();
    let mut defaults = root.section("defaults", errors);
    let algorithm = defaults.read_given("algorithm", errors, text);
    found.ranks = defaults.read_given("ranks", errors, choice(RankUnit::NAMED)).map(|it| it.value);
    let common = common(&mut defaults, errors);
    fixed(&mut defaults, errors);
    defaults.finish(errors);
    (found.queues, found.world, found.elements) = common;
    for entry in root.named("algorithms", errors) {
        found.algorithms.extend(described(entry, errors));
    }
    root.finish(errors);
    if let Some(algorithm) = algorithm.filter(|it| it.value != AUTO) {
        let known = all_reduces(&found.algorithms);
        if !known.contains(&algorithm.value) {
            errors.report(no_algorithm(&algorithm.value, algorithm.span, &known));
        }
        found.algorithm = Some(algorithm.value);
    }
    found
}

/// What `defaults` and each algorithm can say: queues, ranks, elements of a rank.
fn common(
    section: &mut Section<'_>,
    errors: &mut Errors<'_>,
) -> (IpcqOptions, Option<u32>, Option<u32>) {
    let queues = IpcqOptions {
        kind: section.read_given("buffer_kind", errors, choice(KINDS)).map(|it| it.value),
        slots: section.read_given("n_slots", errors, count(1..=65_536)).map(|it| it.value),
        slot_bytes: section
            .read_given("slot_size", errors, count_or_auto(1..=1 << 30))
            .and_then(|it| it.value.map(u64::from)),
    };
    let mut number =
        |key, most| section.read_given(key, errors, count(1..=most)).map(|it| it.value);
    (queues, number("world_size", 1 << 20), number("n_elem", 1 << 30))
}

/// kernbench's settings that have one value here: what else they could be is not modelled.
fn fixed(section: &mut Section<'_>, errors: &mut Errors<'_>) {
    section.read_given("backpressure", errors, sleeps);
    section.read_given("vc_chunk_size", errors, exactly(256, "the flits of the machine file"));
    section.read_given("ipcq_credit_size_bytes", errors, exactly(16, "a credit's bytes"));
}

/// What a sender does without a free slot. One that polls goes on later than one that sleeps by less than the
/// period of its looks, which no file says and kernbench does not publish: docs/machine.md.
fn sleeps(node: &Node) -> Result<(), Problem> {
    let is_known = choice(&[("sleep", true), ("poll", false)])(node)?;
    let wanted = "`sleep`: how often a sender polls is published nowhere, and `sleep` is `poll` with a \
                  period of zero";
    if is_known { Ok(()) } else { Err(Problem::new(codes::UNKNOWN_CHOICE, wanted)) }
}

/// A whole number that is `only`, and why it can be no other.
fn exactly(only: u32, what: &'static str) -> impl Fn(&Node) -> Result<(), Problem> {
    move |node| {
        let wanted = format!("{only}, {what}");
        match count(1..=u32::MAX)(node) {
            Ok(value) if value == only => Ok(()),
            Ok(_) => Err(Problem::new(codes::IMPOSSIBLE_COUNT, wanted)),
            Err(problem) => Err(problem.expecting(codes::IMPOSSIBLE_COUNT, wanted)),
        }
    }
}

/// One entry of `algorithms`.
fn described(entry: &Entry, errors: &mut Errors<'_>) -> Option<Algorithm> {
    let name = entry.key.clone();
    if name == AUTO {
        let message = "an algorithm is called `auto`, which stands for the model's choice";
        errors.report(
            Diagnostic::new(codes::UNKNOWN_ALGORITHM, message, entry.span, "not a name for one")
                .help("call it something else"),
        );
        return None;
    }
    let mut section = Section::item(format!("algorithms.{name}"), &entry.node, errors)?;
    let collective = section.read_given("collective", errors, choice(COLLECTIVES));
    let collective = collective.map_or(Kind::AllReduce, |it| it.value);
    let module = section.read_given("module", errors, text);
    let wiring = section.read_given("topology", errors, choice(NAMES)).and_then(|it| it.value);
    let (queues, world, elements) = common(&mut section, errors);
    // A placeholder of kernbench's, which nothing reads there either.
    section.ignore("root_cube");
    section.finish(errors);
    let own = algorithms(collective).iter().find(|(known, _)| *known == name);
    let module = match (module, own) {
        (Some(given), _) => {
            (module_of(&given.value, (given.span, collective), errors)?, given.span)
        }
        (None, Some((_, module))) => (Module::Library(module), entry.span),
        (None, None) => {
            errors.report(without_module(&name, entry.span, collective));
            return None;
        }
    };
    let (module, span) = module;
    Some(Algorithm { name, collective, module, span, wiring, queues, world, elements })
}

/// What `module:` names.
fn module_of(
    text: &str,
    (span, collective): (Span, Kind),
    errors: &mut Errors<'_>,
) -> Option<Module> {
    if is_path(text) {
        return Some(Module::File(text.to_owned()));
    }
    let theirs = text.strip_prefix(KERNBENCH);
    let same = theirs.and_then(|it| SAME.iter().find(|(name, _)| *name == it));
    let wanted = same.map_or(text, |(_, ours)| ours);
    let modules = algorithms(collective).iter().map(|(_, module)| *module);
    let known: Vec<&'static str> = modules.collect();
    if let Some(module) = known.iter().find(|module| **module == wanted) {
        return Some(Module::Library(module));
    }
    let name = collective.name();
    let message = format!("the library has no algorithm `{text}` of `{name}`");
    let diagnostic = Diagnostic::new(codes::UNKNOWN_ALGORITHM, message, span, "not a module of it");
    let diagnostic = match nearest_help("module", wanted, known.iter().copied()) {
        Some(help) => diagnostic.help(help),
        None => diagnostic.help("a path, such as `./ring.kb`, names a file of your own"),
    };
    errors.report(diagnostic.note(format!("its modules are {}", known.join(", "))));
    None
}

fn without_module(name: &str, span: Span, collective: Kind) -> Diagnostic {
    let message = format!("`algorithms.{name}` has no `module`, and the library no such algorithm");
    let known = algorithms(collective).iter().map(|(name, _)| *name);
    let diagnostic =
        Diagnostic::new(codes::UNKNOWN_ALGORITHM, message, span, "not an algorithm of the library");
    let help = nearest_help("algorithm", name, known.clone())
        .unwrap_or_else(|| String::from("add `module: FILE.kb`, the file of its kernel"));
    let known: Vec<&str> = known.collect();
    diagnostic.help(help).note(format!("the library's are {}", known.join(", ")))
}

/// The names of all-reduces: the file's own and the library's.
fn all_reduces(described: &[Algorithm]) -> Vec<String> {
    let own = described.iter().filter(|it| it.collective == Kind::AllReduce);
    let own: Vec<String> = own.map(|it| it.name.clone()).collect();
    let library = algorithms(Kind::AllReduce).iter().map(|(name, _)| (*name).to_owned());
    let others: Vec<String> = library.filter(|name| !own.contains(name)).collect();
    [own, others].concat()
}

fn no_algorithm(name: &str, span: Span, known: &[String]) -> Diagnostic {
    let known: Vec<&str> = known.iter().map(String::as_str).chain([AUTO]).collect();
    let message = format!("`defaults.algorithm` is `{name}`, which is no algorithm");
    let diagnostic = Diagnostic::new(codes::UNKNOWN_ALGORITHM, message, span, "no such algorithm");
    let diagnostic = match nearest_help("algorithm", name, known.iter().copied()) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    };
    diagnostic.note(format!("there are {}", known.join(", ")))
}
