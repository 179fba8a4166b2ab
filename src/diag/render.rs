//! Diagnostics as text for people and as JSON for editors.

use codespan_reporting::diagnostic as codespan;
use codespan_reporting::files;
use codespan_reporting::term;
use codespan_reporting::term::termcolor;

use super::{Diagnostic, Label, Severity};
use crate::source::{FileId, SourceFile, SourceMap, Span};

/// Whether rendered text carries ANSI colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorChoice {
    /// Escape codes for a terminal.
    Ansi,
    /// Plain text, as golden files hold it.
    Plain,
}

/// Renders to text, as a terminal or a golden file shows it.
pub fn to_text(diagnostic: &Diagnostic, sources: &SourceMap, color: ColorChoice) -> String {
    let rendered = to_codespan(diagnostic);
    let config = term::Config { chars: term::Chars::box_drawing(), ..term::Config::default() };
    let mut bytes = match color {
        ColorChoice::Ansi => termcolor::Buffer::ansi(),
        ColorChoice::Plain => termcolor::Buffer::no_color(),
    };
    // Writing into memory fails only on a span outside its file; then the message stands alone.
    match term::emit_to_write_style(&mut bytes, &config, &Files(sources), &rendered) {
        Ok(()) => String::from_utf8_lossy(bytes.as_slice()).into_owned(),
        Err(_) => format!(
            "{}[{}]: {}\n",
            severity_name(diagnostic.severity),
            diagnostic.code.id,
            diagnostic.message
        ),
    }
}

/// One JSON object: code, severity, message, labels with file, byte range, line and column,
/// notes, help, suggestions.
pub fn to_json(diagnostic: &Diagnostic, sources: &SourceMap) -> serde_json::Value {
    let labels: Vec<serde_json::Value> = labels(diagnostic)
        .map(|(primary, label)| {
            let mut object = place(label.span, sources);
            object.insert("primary".into(), primary.into());
            object.insert("text".into(), label.text.clone().into());
            object.into()
        })
        .collect();
    let suggestions: Vec<serde_json::Value> = diagnostic
        .suggestions
        .iter()
        .map(|suggestion| {
            let mut object = place(suggestion.span, sources);
            object.insert("replacement".into(), suggestion.replacement.clone().into());
            object.insert("text".into(), suggestion.text.clone().into());
            object.into()
        })
        .collect();
    serde_json::json!({
        "code": diagnostic.code.id,
        "name": diagnostic.code.name,
        "severity": severity_name(diagnostic.severity),
        "message": diagnostic.message,
        "labels": labels,
        "notes": diagnostic.notes,
        "help": diagnostic.help,
        "suggestions": suggestions,
    })
}

fn labels(diagnostic: &Diagnostic) -> impl Iterator<Item = (bool, &Label)> {
    let secondary = diagnostic.secondary.iter().map(|label| (false, label));
    diagnostic.primary.iter().map(|label| (true, label)).chain(secondary)
}

fn place(span: Span, sources: &SourceMap) -> serde_json::Map<String, serde_json::Value> {
    let mut object = serde_json::Map::new();
    let Some(file) = sources.get(span.file) else { return object };
    let (line, column) = file.line_column(span.start);
    let (end_line, end_column) = file.line_column(span.end);
    object.insert("file".into(), file.name().into());
    object.insert("start".into(), span.start.into());
    object.insert("end".into(), span.end.into());
    object.insert("line".into(), line.into());
    object.insert("column".into(), column.into());
    object.insert("end_line".into(), end_line.into());
    object.insert("end_column".into(), end_column.into());
    object
}

const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Bug => "bug",
    }
}

fn to_codespan(diagnostic: &Diagnostic) -> codespan::Diagnostic<FileId> {
    let severity = match diagnostic.severity {
        Severity::Note => codespan::Severity::Note,
        Severity::Warning => codespan::Severity::Warning,
        Severity::Error => codespan::Severity::Error,
        Severity::Bug => codespan::Severity::Bug,
    };
    let labels = labels(diagnostic).map(|(primary, label)| {
        let style =
            if primary { codespan::LabelStyle::Primary } else { codespan::LabelStyle::Secondary };
        let range = label.span.start as usize..label.span.end as usize;
        codespan::Label::new(style, label.span.file, range).with_message(&label.text)
    });
    let notes = diagnostic.notes.iter().map(|text| format!("note: {text}"));
    let help = diagnostic.help.iter().map(|text| format!("help: {text}"));
    codespan::Diagnostic::new(severity)
        .with_code(diagnostic.code.id)
        .with_message(&diagnostic.message)
        .with_labels(labels.collect())
        .with_notes(notes.chain(help).collect())
}

/// [`SourceMap`] as codespan asks for it.
struct Files<'a>(&'a SourceMap);

impl<'a> Files<'a> {
    fn file(&self, id: FileId) -> Result<&'a SourceFile, files::Error> {
        self.0.get(id).ok_or(files::Error::FileMissing)
    }
}

impl<'a> files::Files<'a> for Files<'a> {
    type FileId = FileId;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, id: FileId) -> Result<&'a str, files::Error> {
        Ok(self.file(id)?.name())
    }

    fn source(&'a self, id: FileId) -> Result<&'a str, files::Error> {
        Ok(self.file(id)?.text())
    }

    fn line_index(&'a self, id: FileId, at: usize) -> Result<usize, files::Error> {
        let starts = self.file(id)?.line_starts();
        Ok(starts.partition_point(|start| *start as usize <= at).saturating_sub(1))
    }

    fn line_range(
        &'a self,
        id: FileId,
        line: usize,
    ) -> Result<std::ops::Range<usize>, files::Error> {
        let file = self.file(id)?;
        let starts = file.line_starts();
        let missing = files::Error::LineTooLarge { given: line, max: starts.len() };
        let start = starts.get(line).ok_or(missing)?;
        let end = starts.get(line + 1).map_or(file.text().len(), |end| *end as usize);
        Ok(*start as usize..end)
    }
}
