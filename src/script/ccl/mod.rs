//! Communicator files (`ccl.yaml`): which algorithms collectives run with, on which queues.
//!
//! The keys are kernbench's. `defaults` holds for every launch; an entry of `algorithms` describes
//! one algorithm, of the library or of a file of the user's own, and overrides what it says of queues.
//! What the command line says goes before both.

mod read;
mod wiring;

use std::path::Path;

use super::torch::Kind;
use crate::diag::{Diagnostic, machine as codes, nearest_help};
use crate::host::RankUnit;
use crate::launch::IpcqOptions;
use crate::source::Span;

pub use read::read;
pub(super) use wiring::Wiring;

/// What a communicator file says; nothing where there is none.
#[derive(Clone, Debug, Default)]
pub struct Communicators {
    /// The algorithm that an all-reduce runs with which names none.
    pub(super) algorithm: Option<String>,
    /// The queues of every launch.
    queues: IpcqOptions,
    /// PEs that take part.
    world: Option<u32>,
    /// What a rank is.
    ranks: Option<RankUnit>,
    /// Elements that each rank has.
    elements: Option<u32>,
    /// The algorithms that it describes.
    pub(super) algorithms: Vec<Algorithm>,
}

/// An algorithm that a communicator file describes.
#[derive(Clone, Debug)]
pub(super) struct Algorithm {
    /// What programs call it.
    pub(super) name: String,
    /// What it computes.
    pub(super) collective: Kind,
    /// Whose kernel it is.
    pub(super) module: Module,
    /// Where the text says so.
    span: Span,
    /// Who is next to whom; as the module says without.
    pub(super) wiring: Option<Wiring>,
    /// Its queues, where they differ from all others'.
    pub(super) queues: IpcqOptions,
    world: Option<u32>,
    elements: Option<u32>,
}

/// Whose kernel an algorithm is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Module {
    /// That of a module of the library: `ccl.ring`.
    Library(&'static str),
    /// That of a file, whose path is relative to the communicator file.
    File(String),
}

impl Module {
    /// Under which name the library has it.
    pub(super) fn name(&self) -> &str {
        match self {
            Module::Library(name) => name,
            Module::File(path) => path,
        }
    }
}

impl Communicators {
    /// The algorithm of an all-reduce that names none, if it is described here.
    fn default_algorithm(&self) -> Option<&Algorithm> {
        let name = self.algorithm.as_deref()?;
        self.algorithms.iter().find(|it| it.name == name && it.collective == Kind::AllReduce)
    }

    /// Ranks that take part where nothing else says how many: what the default algorithm says, else
    /// what all have in common.
    pub fn world(&self) -> Option<u32> {
        self.default_algorithm().and_then(|it| it.world).or(self.world)
    }

    /// What a rank is, for programs that do not say.
    pub fn ranks(&self) -> Option<RankUnit> {
        self.ranks
    }

    /// Elements that each rank has, for programs that ask for `n_elem`.
    pub fn elements(&self) -> Option<u32> {
        self.default_algorithm().and_then(|it| it.elements).or(self.elements)
    }

    /// The queues of every launch.
    pub fn queues(&self) -> IpcqOptions {
        self.queues
    }

    /// Lets what the command line says of queues go before all that the file says.
    pub fn prefer(&mut self, flags: IpcqOptions) {
        self.queues = flags.or(self.queues);
        for algorithm in &mut self.algorithms {
            algorithm.queues = flags.or(algorithm.queues);
        }
    }

    /// The files that hold kernels of algorithms, each once, and where the text names them.
    pub fn files(&self) -> Vec<(String, Span)> {
        let mut found: Vec<(String, Span)> = Vec::new();
        for algorithm in &self.algorithms {
            if let Module::File(path) = &algorithm.module
                && found.iter().all(|(known, _)| known != path)
            {
                found.push((path.clone(), algorithm.span));
            }
        }
        found
    }
}

/// That the file of an algorithm cannot be read.
pub fn unreadable(path: &str, span: Span, why: &str) -> Diagnostic {
    let message = format!("the kernel file `{path}` of an algorithm cannot be read: {why}");
    Diagnostic::new(codes::ALGORITHM_FILE, message, span, "named here").note(
        "a path is relative to the communicator file; modules of the library are `ccl.ring`, …",
    )
}

/// That the file of an algorithm has no kernel that could be launched.
pub fn without_kernel(path: &str, span: Span, kernels: &[&str]) -> Diagnostic {
    let message =
        format!("`{path}` has no kernel named `kernel`, which an algorithm is launched by");
    let it = Diagnostic::new(codes::ALGORITHM_FILE, message, span, "named here");
    let it = match nearest_help("kernel", "kernel", kernels.iter().copied()) {
        Some(help) => it.help(help),
        None => it,
    };
    match kernels {
        [] => it.note("it has no kernel at all"),
        some => it.note(format!("its kernels are {}", some.join(", "))),
    }
}

/// Whether the text of `module:` is a path.
fn is_path(text: &str) -> bool {
    let ending = Path::new(text).extension().and_then(|it| it.to_str());
    text.contains('/') || matches!(ending, Some("kb" | "py" | "kir"))
}
