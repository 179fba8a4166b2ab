//! Runs `run(torch)` and says what came of it.

use super::entry::Script;
use super::fault::Fault;
use super::torch::Torch;
use super::value::Value;
use crate::diag::{Diagnostic, hosting, runtime};
use crate::host::{Completion, Context, Device, HostError};
use crate::source::Span;

/// What a run of `run(torch)` has found of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// At least one check of tensors was made, and all held.
    Verified,
    /// A check did not hold.
    Mismatch,
    /// Checks were skipped for want of data.
    Skipped,
    /// Nothing was checked.
    Unchecked,
}

/// What came of a run of `run(torch)`.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What `print` printed.
    pub printed: String,
    /// Checks of tensors that were made.
    pub checks: u32,
    /// Checks that were skipped for want of data.
    pub skipped: u32,
    /// How each launch ended, in order.
    pub completions: Vec<Completion>,
    /// Why it did not come to its end; empty where it did.
    pub diagnostics: Vec<Diagnostic>,
}

impl Outcome {
    /// What it has found of the data; `None` where it did not come to its end for another reason
    /// than wrong data.
    pub fn verdict(&self) -> Option<Verdict> {
        let is_wrong = |it: &Diagnostic| {
            it.code == runtime::WRONG_RESULT
                || (it.code == hosting::HOST_ASSERTION && !self.completions.is_empty())
        };
        if self.diagnostics.iter().any(is_wrong) {
            return Some(Verdict::Mismatch);
        }
        if !self.diagnostics.is_empty() {
            return None;
        }
        Some(match (self.checks, self.skipped) {
            (0, 0) => Verdict::Unchecked,
            (_, 0) => Verdict::Verified,
            (_, _) => Verdict::Skipped,
        })
    }
}

impl Script<'_> {
    /// What to tell the user, with the names of the kernels that a traceback ends in.
    fn tell(&self, fault: Fault) -> Vec<Diagnostic> {
        let mut told = fault.into_diagnostics();
        for frame in told.iter_mut().flat_map(|it| &mut it.trace) {
            if frame.function.is_empty() {
                frame.function = self.function_at(frame.span).unwrap_or_default();
            }
        }
        told
    }

    /// The name of the function in which a place of the file or of the library lies.
    fn function_at(&self, span: Span) -> Option<String> {
        let launched = std::iter::once(self.module).chain(self.library.values().copied());
        let modules = launched.chain(self.imports.iter().map(|module| &**module));
        let functions = modules.flat_map(|module| module.functions());
        let before = functions
            .filter(|it| it.header.file == span.file && it.header.start <= span.start)
            .max_by_key(|it| it.header.start)?;
        Some(before.name.name.clone())
    }

    /// Runs the file's `run(torch)` with `device`; `None` where the file has none.
    pub fn run(&self, device: &mut (dyn Device + Send)) -> Option<Outcome> {
        let function = self.function("run")?;
        let mut evaluator = self.evaluator();
        evaluator.machine = Some(Context::new(device));
        let given = [("torch", Value::object(Torch))];
        let mut result = self.call(&mut evaluator, function, &given).map(|_| ());
        let mut completions = Vec::new();
        if let Some(machine) = &mut evaluator.machine {
            // The launches that nobody has read from yet.
            let waited = machine.wait_all();
            if let (Ok(()), Err(HostError::Refused(diagnostics))) = (&result, waited) {
                result = Err(Fault::from_diagnostics(diagnostics)
                    .because(function.name.span, "launched by this function"));
            }
            completions = machine.completions().to_vec();
        }
        let journal = std::mem::take(&mut evaluator.journal);
        Some(Outcome {
            printed: journal.printed,
            checks: journal.checks,
            skipped: journal.skipped,
            completions,
            diagnostics: result.err().map(|fault| self.tell(fault)).unwrap_or_default(),
        })
    }
}
