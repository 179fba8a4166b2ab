//! Where the passes before and inside the parser put their errors.
//!
//! Besides reporting, it remembers where: once a pass has reported something on a logical line,
//! the parser's own complaints about that line are consequences and stay silent.

use std::collections::BTreeSet;

use crate::diag::{Code, Diagnostic, Sink};
use crate::source::{FileId, Span};

/// Errors reported for one file; more would help nobody.
const LIMIT: usize = 500;

/// The errors of one file.
pub(super) struct Faults<'s> {
    file: FileId,
    sink: &'s mut Sink,
    reported: usize,
    places: BTreeSet<u32>,
}

impl<'s> Faults<'s> {
    /// None yet.
    pub(super) fn new(file: FileId, sink: &'s mut Sink) -> Faults<'s> {
        Faults { file, sink, reported: 0, places: BTreeSet::new() }
    }

    /// The span of bytes `start..end` of the file.
    pub(super) fn span(&self, start: u32, end: u32) -> Span {
        Span { file: self.file, start, end }
    }

    /// An error over bytes `start..end`, to complete and then [`Faults::report`].
    pub(super) fn at(
        &self,
        code: Code,
        (start, end): (u32, u32),
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(code, message, self.span(start, end), label)
    }

    /// Reports `diagnostic`.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if let Some(primary) = &diagnostic.primary {
            self.places.insert(primary.span.start);
        }
        self.report_quietly(diagnostic);
    }

    /// Reports an error of the parser, which silences no other.
    pub(super) fn report_quietly(&mut self, diagnostic: Diagnostic) {
        self.reported += 1;
        if self.reported < LIMIT {
            self.sink.error(diagnostic);
        } else if self.reported == LIMIT {
            self.sink.error(diagnostic.note("further errors in this file are not shown"));
        }
    }

    /// Says that bytes from `at` on were refused without a message of their own.
    pub(super) fn silence(&mut self, at: u32) {
        self.places.insert(at);
    }

    /// Whether anything was reported over bytes `start..=end`.
    pub(super) fn any_within(&self, start: u32, end: u32) -> bool {
        start <= end && self.places.range(start..=end).next().is_some()
    }
}
