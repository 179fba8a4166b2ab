//! The pages of K06: the failing machine reports the page's code, the mended one nothing.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::diag::{Diagnostic, Sink, all_codes};
use kbc::source::SourceMap;
use kbc::topology::load;

/// What `kbc topo check` would report about `text`.
fn check(text: &str) -> Vec<Diagnostic> {
    let mut sources = SourceMap::new();
    let file = sources.add("machine.yaml", text);
    let mut sink = Sink::new();
    if let Ok(spec) = load(&sources, file, &mut sink) {
        // The diagnostic of a failed build is in the sink.
        let _ = spec.build(&mut sink);
    }
    sink.into_sorted()
}

/// The first fenced machine under `heading`.
fn machine<'p>(page: &'p str, heading: &str) -> Option<&'p str> {
    let section = page.split(heading).nth(1)?;
    section.split("```yaml topo check\n").nth(1)?.split("```").next()
}

#[test]
fn pages_fail_and_are_mended_as_they_say() {
    for code in all_codes().filter(|code| code.id.starts_with("K06")) {
        let Some(failing) = machine(code.page, "## Fails\n") else { continue };
        let found: Vec<&str> = check(failing).iter().map(|it| it.code.id).collect();
        assert_eq!(found, [code.id], "the failing machine of {}", code.id);
        let mended = machine(code.page, "## Mended\n").unwrap();
        assert!(check(mended).is_empty(), "the mended machine of {}", code.id);
    }
}
