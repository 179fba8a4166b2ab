//! What must hold of every diagnostic.

use kbc::diag::{ColorChoice, Diagnostic, Label, to_json, to_text};
use kbc::source::SourceMap;

/// Checks that it has a code, a message, places inside the files, and renderings, and blames no mistake
/// of kbc's.
///
/// # Panics
/// It has not.
pub fn well_formed(diagnostic: &Diagnostic, sources: &SourceMap) {
    let shown = to_text(diagnostic, sources, ColorChoice::Plain);
    assert!(diagnostic.code.id.starts_with('K') && !diagnostic.message.is_empty(), "{shown}");
    assert_ne!(diagnostic.code.id, "K0001", "kbc blames itself: {shown}");
    assert!(shown.contains(diagnostic.code.id), "{shown}");
    to_json(diagnostic, sources);
    for Label { span, .. } in diagnostic.primary.iter().chain(&diagnostic.secondary) {
        if span.is_none() {
            continue;
        }
        let text = sources.get(span.file).expect("a span is in a file that was read").text();
        let range = span.start as usize..span.end as usize;
        assert!(text.get(range).is_some(), "{span:?} is outside of its file: {shown}");
    }
}
