//! Why a host function stopped: diagnostics that gather the calls they pass through.

use crate::diag::{Code, Diagnostic};
use crate::source::Span;

/// The most places of calls that a diagnostic shows; the innermost ones.
const MAX_FRAMES: usize = 6;

/// A host function could not go on. At least one diagnostic, all of them errors.
#[derive(Clone, Debug)]
pub struct Fault(Box<Cause>);

#[derive(Clone, Debug)]
struct Cause {
    diagnostics: Vec<Diagnostic>,
    /// The calls it has passed through, innermost first, each place once.
    frames: Vec<Frame>,
}

/// A place where a function was called.
#[derive(Clone, Debug)]
struct Frame {
    function: String,
    call: Span,
    /// How often the fault passed through a call there.
    times: usize,
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
        Fault(Box::new(Cause { diagnostics, frames: Vec::new() }))
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

    /// Several at once, at least one.
    pub(super) fn all(faults: impl IntoIterator<Item = Fault>) -> Fault {
        Fault::from_diagnostics(faults.into_iter().flat_map(Fault::into_diagnostics).collect())
    }

    /// Says which rank of a spawn it happened in.
    pub(super) fn of_rank(self, rank: usize) -> Fault {
        self.map(|diagnostic| {
            let message = format!("rank {rank}: {}", diagnostic.message);
            Diagnostic { message, ..diagnostic }
        })
    }

    /// Says that this happened within `function`, which was called at `call`.
    pub(super) fn within(mut self, function: &str, call: Span) -> Fault {
        let frames = &mut self.0.frames;
        match frames.iter_mut().find(|frame| frame.call == call) {
            Some(frame) => frame.times += 1,
            None => frames.push(Frame { function: function.to_owned(), call, times: 1 }),
        }
        self
    }

    /// What to tell the user, with the calls that led there.
    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        let frames = std::mem::take(&mut self.0.frames);
        let left_out = frames.len().saturating_sub(MAX_FRAMES);
        let mut it = self;
        for Frame { function, call, times } in frames.into_iter().take(MAX_FRAMES) {
            let often = if times > 1 { format!(", {times} times") } else { String::new() };
            it = it.because(call, format!("`{function}` called here{often}"));
        }
        let it = match left_out {
            0 => it,
            1 => it.note("one more call around these is not shown"),
            more => it.note(format!("{more} more calls around these are not shown")),
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
