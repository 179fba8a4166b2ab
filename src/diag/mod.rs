//! Diagnostics: a registry of codes, and the one type that every stage reports with.
//!
//! This module knows no stage. A stage owns its errors and turns each into a [`Diagnostic`];
//! nothing here names a stage back. Rendering formats facts and decides nothing.

mod codes;
mod render;
mod suggest;

pub use codes::*;
pub use render::{ColorChoice, to_json, to_text};
pub use suggest::{nearest, nearest_help};

use crate::source::Span;

/// A registered code. Each has a page, `docs/errors/<id>.md`, that `kbc explain` prints.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// What the user quotes and searches for, such as `K0301`.
    pub id: &'static str,
    /// The same in words, such as `shape-mismatch`.
    pub name: &'static str,
    /// How bad it is unless the user says otherwise.
    pub severity: Severity,
    /// The text of the code's page.
    pub page: &'static str,
}

impl PartialEq for Code {
    fn eq(&self, other: &Code) -> bool {
        self.id == other.id
    }
}

impl Eq for Code {}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something that the program asked to be told.
    Note,
    /// The program is accepted; something in it is doubtful.
    Warning,
    /// The program is refused.
    Error,
    /// kbc itself is wrong. Never the user's fault.
    Bug,
}

/// Proof that an error has been reported: only [`Sink::error`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reported(());

/// Replaces the text of `span` by `replacement`, which mends what was reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The text to replace.
    pub span: Span,
    /// What to put there.
    pub replacement: String,
    /// A statement of the edit: "a name like it exists: `add`".
    pub text: String,
}

/// A message to the user about their program.
#[must_use = "a diagnostic does nothing until it is reported"]
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What kind of message this is.
    pub code: Code,
    /// Its severity; the code's own unless changed on the command line.
    pub severity: Severity,
    /// One sentence, lower-case, no full stop, true without the snippet.
    pub message: String,
    /// The smallest text that is wrong, and what is wrong there; none for what has no text.
    pub primary: Option<Label>,
    /// Every text that made it wrong.
    pub secondary: Vec<Label>,
    /// Facts.
    pub notes: Vec<String>,
    /// What the user can do.
    pub help: Vec<String>,
    /// Edits that mend it, safe to apply by machine.
    pub suggestions: Vec<Suggestion>,
    /// The calls that led to it, outermost first; the last one is where it is.
    pub trace: Vec<Frame>,
}

/// A line of a traceback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function that the line is in; empty where that is not known.
    pub function: String,
    /// The call, or what went wrong.
    pub span: Span,
    /// How often in a row it led there.
    pub times: usize,
}

/// A span and what to say beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text.
    pub span: Span,
    /// What to say.
    pub text: String,
}

impl Diagnostic {
    /// A diagnostic at `span`. `message` must stand alone; `label` says what is wrong there.
    pub fn new(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        let mut it = Diagnostic::global(code, message);
        if !span.is_none() {
            it.primary = Some(Label { span, text: label.into() });
        }
        it
    }

    /// A diagnostic that belongs to no text: a bad argument, a whole-run fact.
    pub fn global(code: Code, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: code.severity,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
            suggestions: Vec::new(),
            trace: Vec::new(),
        }
    }

    /// Adds a place that made the primary span wrong. [`Span::NONE`] adds nothing.
    pub fn because(mut self, span: Span, text: impl Into<String>) -> Self {
        let label = Label { span, text: text.into() };
        if !span.is_none() && !self.secondary.contains(&label) {
            self.secondary.push(label);
        }
        self
    }

    /// Adds a fact.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds something the user can do. Only help proposes; messages never do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Adds an edit that a machine may apply; it is shown as help, too.
    pub fn suggest(
        mut self,
        span: Span,
        replacement: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        let (replacement, text) = (replacement.into(), text.into());
        self.help.push(text.clone());
        self.suggestions.push(Suggestion { span, replacement, text });
        self
    }

    /// The same where the program is accepted all the same.
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether this refuses the program.
    pub fn is_error(&self) -> bool {
        self.severity >= Severity::Error
    }
}

/// Where every stage puts what it has to say.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    diagnostics: Vec<Diagnostic>,
}

impl Sink {
    /// Nothing said yet.
    pub fn new() -> Sink {
        Sink::default()
    }

    /// Reports `diagnostic`, an error, and proves it.
    pub fn error(&mut self, diagnostic: Diagnostic) -> Reported {
        debug_assert!(diagnostic.is_error(), "a warning proves nothing");
        self.diagnostics.push(diagnostic);
        Reported(())
    }

    /// Reports `diagnostic`, a warning or note, which refuses nothing.
    pub fn warning(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports errors, warnings and notes; the proof of an error, if there is one.
    pub fn take_all(&mut self, diagnostics: Vec<Diagnostic>) -> Option<Reported> {
        let failed = diagnostics.iter().any(Diagnostic::is_error);
        self.diagnostics.extend(diagnostics);
        failed.then_some(Reported(()))
    }

    /// Reports all that `other` holds.
    pub fn append(&mut self, other: Sink) {
        self.diagnostics.extend(other.diagnostics);
    }

    /// Whether any error has been reported.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Proof of an error reported before, if there was one.
    pub fn reported(&self) -> Option<Reported> {
        self.has_errors().then_some(Reported(()))
    }

    /// Everything reported, in the order of reporting.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Takes everything, ordered by file and position (messages without a place last), each
    /// thing said once.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        let place = |it: &Diagnostic| it.primary.as_ref().map_or(Span::NONE, |label| label.span);
        self.diagnostics.sort_by_key(place);
        self.diagnostics
            .dedup_by(|a, b| a.code == b.code && a.message == b.message && place(a) == place(b));
        self.diagnostics
    }
}
