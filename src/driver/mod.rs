//! Strings the stages together: files to IR, IR to programs, programs to results.
//!
//! ```text
//! Session ─ load ─► Unit (a file, its library modules)
//!            check, compile ─► printed stages
//!            simulate ─► Simulator (the device of host programs) ─► Report
//! ```
//!
//! Nothing here reads files or prints: `cli` hands in texts and prints what comes back.

mod backing;
mod communicators;
mod compile;
mod costs;
mod direct;
mod emit;
mod front;
mod given;
mod host_path;
mod library;
mod lints;
mod machine;
mod options;
mod outcome;
mod plan;
mod probe;
mod recipe;
mod settings;
mod simulate;
mod simulator;
mod unset;

pub use communicators::ReadBeside;
pub use emit::{Stage, StreamChoice};
pub use front::{Known, Unit};
pub use given::{Argument, ArgumentValue, Expectation, ReadFile, Saved, TensorValue, parse_grid};
pub use lints::Lints;
pub use machine::Target;
pub use options::{
    LaunchOptions, PlanSettings, SimOptions, UsageError, parse_bytes, parse_device, parse_ipcq,
};
pub use outcome::{Cost, Data, LaunchResult, SimReport};
pub use probe::{
    Case, Group, Hop, Measured, ProbeError, ProbeOptions, ProbeReport, Probed, SWEEP, Sample,
    Split, Transfer, Work, max_min, measure, probe, sample,
};
pub use simulate::{SimError, SimRequest};
pub use simulator::Progress;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Diagnostic, Sink};
use crate::report::Trace;
use crate::sema::Dialect;
use crate::source::SourceMap;
use crate::syntax::ast;

/// One run of kbc: the files it has read and what it has to say of them.
#[derive(Debug, Default)]
pub struct Session {
    sources: SourceMap,
    sink: Sink,
    notes: Vec<String>,
    /// What a host program printed that came to no report.
    printed: String,
    trace: Option<Trace>,
    lints: Lints,
    dialect: Dialect,
    /// What a communicator file says, and the files of its algorithms.
    communicators: communicators::Loaded,
    /// The modules of the library that have been read.
    library: BTreeMap<String, Arc<ast::Module>>,
}

impl Session {
    /// Nothing read yet.
    pub fn new() -> Session {
        Session::default()
    }

    /// Nothing read yet; warnings are said as `lints` wants.
    pub fn with_lints(lints: Lints) -> Session {
        Session { lints, ..Session::default() }
    }

    /// Holds the files that are checked to a language.
    pub fn hold_to(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Every file read.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// Takes what there is to say, each thing once, in the order of the text.
    pub fn take_diagnostics(&mut self) -> Vec<Diagnostic> {
        let all = std::mem::take(&mut self.sink).into_sorted();
        self.lints.apply(all, &self.sources)
    }

    /// Draws the launches of simulations from now on.
    pub fn draw(&mut self, trace: Trace) {
        self.trace = Some(trace);
    }

    /// Takes the trace of [`Session::draw`], to finish it.
    pub fn take_trace(&mut self) -> Option<Trace> {
        self.trace.take()
    }

    /// Takes what a host program printed before it failed.
    pub fn take_printed(&mut self) -> String {
        std::mem::take(&mut self.printed)
    }

    /// Says something about the run itself.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Takes the lines that are about the run itself: what was assumed or changed for it.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}
