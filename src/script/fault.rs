//! Why a host function stopped: diagnostics that gather the calls they pass through.

use std::sync::Arc;

use super::exceptions::Class;
use crate::diag::{Code, Diagnostic, Frame, Label, hosting};
use crate::source::Span;

/// A host function could not go on. At least one diagnostic, all of them errors.
#[derive(Clone, Debug)]
pub struct Fault(Box<Cause>);

#[derive(Clone, Debug, Default)]
struct Cause {
    diagnostics: Vec<Diagnostic>,
    /// The calls it has passed through, innermost first, each place once.
    frames: Vec<Frame>,
    /// Where the machine was asked for what it refused: the innermost line of the host.
    asked: Option<Span>,
    /// What Python would raise, where it is not what the code says.
    class: Option<Class>,
    /// What `str` makes of the exception, where it is not the message.
    text: Option<String>,
    /// Which exception of the evaluator this is, if it was raised by name.
    raised: Option<u64>,
    /// Whether `raise … from` has said why.
    is_explained: bool,
    /// The ranks of a spawn that have failed.
    failures: Vec<(u32, Fault)>,
    /// What several ranks hear of: the same for all copies of it.
    shared: Option<Arc<()>>,
    /// Whether the rank that hears of it calls elsewhere than where it is shown.
    is_elsewhere: bool,
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
        Fault(Box::new(Cause { diagnostics, ..Cause::default() }))
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

    /// Says where it is, if nothing did.
    pub(super) fn located(self, span: Span) -> Fault {
        self.map(|mut it| {
            match &mut it.primary {
                Some(label) if label.span.is_none() => label.span = span,
                Some(_) => {}
                None => it.primary = Some(Label { span, text: String::from("here") }),
            }
            it
        })
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

    /// Says that the machine refused what was asked at `span`.
    pub(super) fn asked(mut self, span: Span) -> Fault {
        self.0.asked.get_or_insert(span);
        self
    }

    // ---- As an exception -------------------------------------------------------------------

    /// Says what Python would raise, and what `str` makes of it.
    pub(super) fn raising(mut self, class: &str, text: Option<String>) -> Fault {
        self.0.class = Class::named(class);
        self.0.text = text.or(self.0.text);
        self
    }

    /// What Python would raise; `None` where nothing can catch it.
    pub(super) fn class(&self) -> Option<Class> {
        self.0.class.or_else(|| Class::of_code(self.0.diagnostics.first()?.code))
    }

    /// What `str` makes of the exception.
    pub(super) fn text(&self) -> String {
        let message = || self.0.diagnostics.first().map_or(String::new(), |it| it.message.clone());
        self.0.text.clone().unwrap_or_else(message)
    }

    /// Says which exception of the evaluator it is.
    pub(super) fn of_exception(mut self, number: u64) -> Fault {
        self.0.raised = Some(number);
        self
    }

    /// Which exception of the evaluator it is.
    pub(super) fn exception(&self) -> Option<u64> {
        self.0.raised
    }

    /// Says that `raise … from` has said why it happened.
    pub(super) fn explained(mut self) -> Fault {
        self.0.is_explained = true;
        self
    }

    /// Says what was being handled when it happened, unless it said why itself, or is that again.
    pub(super) fn while_handling(self, other: &Fault) -> Fault {
        let is_again = self.0.raised.is_some() && self.0.raised == other.0.raised;
        if is_again || self.0.is_explained {
            return self;
        }
        self.after(other, "while this was handled:")
    }

    /// Says that it happened because of `other`, or while that was handled.
    pub(super) fn after(self, other: &Fault, how: &str) -> Fault {
        let class = other.class().map_or("Exception", Class::name);
        let text = other.text();
        let what = if text.is_empty() { class.to_owned() } else { format!("{class}: {text}") };
        let at = other.0.asked.or_else(|| other.primary());
        match at {
            Some(span) => self.because(span, format!("{how} {what}")),
            None => self.note(format!("{how} {what}")),
        }
    }

    /// The ranks of a spawn that have failed, each with its own.
    pub(super) fn failures(&self) -> &[(u32, Fault)] {
        &self.0.failures
    }

    /// One fault of all the ranks that have failed.
    pub(super) fn of_ranks(failures: Vec<(u32, Fault)>, told: Vec<Fault>) -> Fault {
        let said = |(ranks, fault): &(Vec<u32>, Fault)| {
            let class = fault.class().map_or("Exception", Class::name);
            format!("{}: {class}: {}", ranks_in_words(ranks), fault.text())
        };
        let text = Fault::by_cause(&failures).iter().map(said).collect::<Vec<_>>().join("; ");
        // What nothing can catch in a rank cannot be caught around it.
        let can_be_caught = failures.iter().all(|(_, fault)| fault.class().is_some());
        let mut all = Fault::all(told);
        all.0.failures = failures;
        if can_be_caught { all.raising("SpawnException", Some(text)) } else { all }
    }

    /// What went wrong in ranks, each once, with all who have heard of it. Of a fault that they share
    /// the one is kept that is shown where its rank calls.
    pub(super) fn by_cause(failures: &[(u32, Fault)]) -> Vec<(Vec<u32>, Fault)> {
        let mut causes: Vec<(Vec<u32>, Fault)> = Vec::new();
        for (rank, fault) in failures {
            let known = causes.iter_mut().find(|(_, known)| known.is_same(fault));
            let Some((ranks, known)) = known else {
                causes.push((vec![*rank], fault.clone()));
                continue;
            };
            ranks.push(*rank);
            if known.0.is_elsewhere && !fault.0.is_elsewhere {
                *known = fault.clone();
            }
        }
        causes
    }

    /// Says where the worker was spawned that it has passed through.
    pub(super) fn of_worker(mut self, spawned: Span) -> Fault {
        if let Some(worker) = self.0.frames.iter_mut().rfind(|frame| frame.span.is_none()) {
            worker.span = spawned;
        }
        self
    }

    /// Says who it happened to.
    pub(super) fn prefixed(self, who: &str) -> Fault {
        self.map(|diagnostic| {
            let message = format!("{who}: {}", diagnostic.message);
            Diagnostic { message, ..diagnostic }
        })
    }

    // ---- Of several ranks ------------------------------------------------------------------

    /// Makes all copies of it one fault, which several ranks hear of.
    pub(super) fn shared(mut self) -> Fault {
        self.0.shared = Some(Arc::new(()));
        self
    }

    /// Whether all its ranks have heard of it at once: it speaks of all of them itself.
    pub(super) fn is_shared(&self) -> bool {
        self.0.shared.is_some()
    }

    /// Whether another rank has heard of the same, or has come to the same line by the same way and
    /// says the same of it.
    fn is_same(&self, other: &Fault) -> bool {
        let same = |(mine, theirs): (&Arc<()>, &Arc<()>)| Arc::ptr_eq(mine, theirs);
        self.0.shared.as_ref().zip(other.0.shared.as_ref()).is_some_and(same)
            || (self.0.frames == other.0.frames
                && self.0.diagnostics.iter().map(said).eq(other.0.diagnostics.iter().map(said)))
    }

    /// Says where a rank called what it hears of now.
    pub(super) fn heard(mut self, call: Span) -> Fault {
        self.0.is_elsewhere = self.0.asked.is_none() && self.primary() != Some(call);
        self.0.asked = Some(call);
        self
    }

    /// What an algorithm of the library says in an assertion is, to its caller, a refusal.
    pub(super) fn refusal(self) -> Fault {
        let is_assertion =
            self.0.diagnostics.first().is_some_and(|it| it.code == hosting::HOST_ASSERTION);
        if is_assertion { self.raising("RuntimeError", None) } else { self }
    }

    // ---- As diagnostics --------------------------------------------------------------------

    /// Several at once, at least one.
    pub(super) fn all(faults: impl IntoIterator<Item = Fault>) -> Fault {
        Fault::from_diagnostics(faults.into_iter().flat_map(Fault::into_diagnostics).collect())
    }

    /// Says that this happened within `function`, which was called at `call`.
    pub(super) fn within(mut self, function: &str, call: Span) -> Fault {
        let frames = &mut self.0.frames;
        match frames.iter_mut().find(|frame| frame.span == call && frame.function == function) {
            Some(frame) => frame.times += 1,
            None => frames.push(Frame { function: function.to_owned(), span: call, times: 1 }),
        }
        self
    }

    fn primary(&self) -> Option<Span> {
        self.0.diagnostics.first()?.primary.as_ref().map(|label| label.span)
    }

    /// What to tell the user, with the calls that led there.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        let Cause { mut diagnostics, frames, asked, is_elsewhere, failures, .. } = *self.0;
        for (at, diagnostic) in diagnostics.iter_mut().enumerate() {
            let inner = std::mem::take(&mut diagnostic.trace);
            diagnostic.trace = match inner.is_empty() {
                true => {
                    let place = diagnostic.primary.as_ref().map(|it| it.span);
                    traced(&frames, asked, place.filter(|_| !is_elsewhere))
                }
                // What a rank has told already, seen from where it was spawned.
                false => calls(&frames).chain(inner).collect(),
            };
            let is_place_only = diagnostic.trace.len() == 1;
            // The place itself is shown as it is; and all that the machine says of a launch has come
            // by the same way, which is told once.
            if is_place_only || (at > 0 && asked.is_some() && failures.is_empty()) {
                diagnostic.trace.clear();
            }
        }
        diagnostics
    }

    fn map(mut self, change: impl FnOnce(Diagnostic) -> Diagnostic) -> Fault {
        if !self.0.diagnostics.is_empty() {
            let first = self.0.diagnostics.remove(0);
            self.0.diagnostics.insert(0, change(first));
        }
        self
    }
}

/// `rank 3`, `ranks 0 and 1`, `ranks 0 to 6`.
pub(super) fn ranks_in_words(ranks: &[u32]) -> String {
    match ranks {
        [] => String::from("no rank"),
        [one] => format!("rank {one}"),
        [first, .., last] if ranks.len() > 2 && (last - first) as usize + 1 == ranks.len() => {
            format!("ranks {first} to {last}")
        }
        [rest @ .., last] => {
            let rest: Vec<String> = rest.iter().map(u32::to_string).collect();
            format!("ranks {} and {last}", rest.join(", "))
        }
    }
}

/// Everything that a diagnostic says.
fn said(it: &Diagnostic) -> (Code, &str, Option<&Label>, &[Label], [&[String]; 2]) {
    (it.code, &it.message, it.primary.as_ref(), &it.secondary, [&it.notes, &it.help])
}

/// The calls, outermost first: each where it stands, and the function in which it stands.
fn calls(frames: &[Frame]) -> impl Iterator<Item = Frame> {
    let caller = |at: usize| frames.get(at + 1).map_or("", |frame| frame.function.as_str());
    let of = move |(at, frame): (usize, &Frame)| Frame {
        function: caller(at).to_owned(),
        span: frame.span,
        times: frame.times,
    };
    frames.iter().enumerate().rev().filter(|(_, frame)| !frame.span.is_none()).map(of)
}

/// The calls, then the line at which they end, then the line of a kernel that was run there.
fn traced(frames: &[Frame], asked: Option<Span>, place: Option<Span>) -> Vec<Frame> {
    let innermost = frames.first().map_or("", |frame| frame.function.as_str());
    let line = |function: &str, span| Frame { function: function.to_owned(), span, times: 1 };
    let mut trace: Vec<Frame> = calls(frames).collect();
    trace.extend(asked.map(|span| line(innermost, span)));
    // Which function a kernel's line is in, whoever knows the files says.
    let inside = if asked.is_some() { "" } else { innermost };
    trace.extend(place.filter(|place| Some(*place) != asked).map(|span| line(inside, span)));
    trace
}
