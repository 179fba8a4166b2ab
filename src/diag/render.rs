//! Diagnostics as text for people and as JSON for editors.

use codespan_reporting::diagnostic as codespan;
use codespan_reporting::files;
use codespan_reporting::term;
use codespan_reporting::term::termcolor;

use super::{Diagnostic, Frame, Label, Severity};
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
    let rendered = to_codespan(diagnostic, sources);
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
        "trace": diagnostic.trace.iter().map(|frame| frame_json(frame, sources)).collect::<Vec<_>>(),
    })
}

fn frame_json(frame: &Frame, sources: &SourceMap) -> serde_json::Value {
    let mut object = place(frame.span, sources);
    object.insert("function".into(), frame.function.clone().into());
    object.insert("times".into(), frame.times.into());
    object.insert("text".into(), line_of(frame.span, sources).into());
    object.into()
}

/// The line in which `span` begins, without its indentation.
fn line_of(span: Span, sources: &SourceMap) -> String {
    let Some(file) = sources.get(span.file) else { return String::new() };
    let (line, _) = file.line_column(span.start);
    let place = usize::try_from(line).unwrap_or(1).saturating_sub(1);
    file.text().lines().nth(place).unwrap_or("").trim().to_owned()
}

/// The outermost and the innermost lines of a traceback that are shown.
const OUTERMOST: usize = 4;
const INNERMOST: usize = 8;

/// A traceback as Python prints it.
fn traceback(trace: &[Frame], sources: &SourceMap) -> Option<String> {
    if trace.is_empty() {
        return None;
    }
    let mut text = String::from("traceback (most recent call last):");
    let left_out = trace.len().saturating_sub(OUTERMOST + INNERMOST);
    for (at, frame) in trace.iter().enumerate() {
        if left_out > 0 && at == OUTERMOST {
            text.push_str(&format!("\n  … {left_out} more calls …"));
        }
        if at >= OUTERMOST && at < OUTERMOST + left_out {
            continue;
        }
        let Some(file) = sources.get(frame.span.file) else { continue };
        let (line, _) = file.line_column(frame.span.start);
        let within = match frame.function.as_str() {
            "" => String::new(),
            function => format!(", in {function}"),
        };
        text.push_str(&format!("\n  File \"{}\", line {line}{within}", file.name()));
        text.push_str(&format!("\n    {}", line_of(frame.span, sources)));
        if frame.times > 1 {
            text.push_str(&format!("\n  [this call {} times]", frame.times));
        }
    }
    Some(text)
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

fn to_codespan(diagnostic: &Diagnostic, sources: &SourceMap) -> codespan::Diagnostic<FileId> {
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
        .with_notes(notes.chain(help).chain(traceback(&diagnostic.trace, sources)).collect())
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
