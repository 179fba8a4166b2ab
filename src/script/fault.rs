//! Why a host function stopped: diagnostics that gather the calls they pass through.

use crate::diag::{Code, Diagnostic};
use crate::source::Span;

/// The most calls that a diagnostic shows; the innermost ones.
const MAX_FRAMES: usize = 6;

/// A host function could not go on. At least one diagnostic, all of them errors.
#[derive(Clone, Debug)]
pub struct Fault(Box<Cause>);

#[derive(Clone, Debug)]
struct Cause {
    diagnostics: Vec<Diagnostic>,
    /// How many calls it has passed through.
    frames: usize,
}

/// What evaluation gives.
pub(super) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    /// A fault that one diagnostic explains.
    pub(super) fn from_diagnostic(diagnostic: Diagnostic) -> Fault {
        Fault::from_diagnostics(vec![diagnostic])
    }

    /// A fault that several diagnostics explain, the first of them most of all.
    pub(super) fn from_diagnostics(diagnostics: Vec<Diagnostic>) -> Fault {
        Fault(Box::new(Cause { diagnostics, frames: 0 }))
    }

    /// A fault at `span`.
    pub(super) fn new(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Fault {
        Fault::from_diagnostic(Diagnostic::new(code, message, span, label))
    }

    /// Adds a place that made it wrong.
    pub(super) fn because(self, span: Span, text: impl Into<String>) -> Fault {
        self.map(|diagnostic| diagnostic.because(span, text))
    }

    /// Adds a fact.
    pub(super) fn note(self, text: impl Into<String>) -> Fault {
        self.map(|diagnostic| diagnostic.note(text))
    }

    /// Adds something the user can do, if there is something.
    pub(super) fn help(self, text: impl Into<Option<String>>) -> Fault {
        match text.into() {
            Some(text) => self.map(|diagnostic| diagnostic.help(text)),
            None => self,
        }
    }

    /// Says that this happened within `function`, which was called at `call`.
    pub(super) fn within(mut self, function: &str, call: Span) -> Fault {
        self.0.frames += 1;
        if self.0.frames > MAX_FRAMES {
            return self;
        }
        self.because(call, format!("`{function}` called here"))
    }

    /// What to tell the user; the calls left out are counted in a note.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        let left_out = self.0.frames.saturating_sub(MAX_FRAMES);
        let it = match left_out {
            0 => self,
            1 => self.note("one more call around these is not shown"),
            more => self.note(format!("{more} more calls around these are not shown")),
        };
        it.0.diagnostics
    }

    fn map(mut self, change: impl FnOnce(Diagnostic) -> Diagnostic) -> Fault {
        if !self.0.diagnostics.is_empty() {
            let first = self.0.diagnostics.remove(0);
            self.0.diagnostics.insert(0, change(first));
        }
        self
    }
}
