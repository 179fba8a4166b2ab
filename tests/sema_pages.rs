//! The pages of K02, K03 and K04: the failing program reports the page's code and nothing else,
//! the mended one nothing.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use kbc::diag::Sink;
use kbc::diag::all_codes;
use kbc::source::FileId;
use sema_common::compile;

/// The fenced program under `heading`, if it runs with `kb check`.
fn program<'p>(page: &'p str, heading: &str) -> Option<&'p str> {
    let section = page.split(heading).nth(1)?;
    section.split("```kb check\n").nth(1)?.split("```").next()
}

/// The stages that come after the analysis have these.
fn is_of_a_launch(id: &str) -> bool {
    ("K0380".."K0400").contains(&id) || ("K0450".."K0470").contains(&id)
}

/// The codes of the names that nothing reads, which are looked for in programs that are right.
fn unused(text: &str) -> Vec<&'static str> {
    let mut sink = Sink::new();
    let tree = kbc::syntax::parse(FileId(0), text, &mut sink);
    if sink.reported().is_none() && compile(text).codes().is_empty() {
        kbc::sema::unused(&tree, &mut sink);
    }
    sink.into_sorted().iter().map(|it| it.code.id).collect()
}

#[test]
fn pages_fail_and_are_mended_as_they_say() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    let stages = ["K02", "K03", "K04"];
    for code in all_codes().filter(|code| stages.contains(&&code.id[..3])) {
        if is_of_a_launch(code.id) {
            continue;
        }
        assert!(code.page.starts_with(&format!("# {}: ", code.id)), "the title of {}", code.id);
        assert!(code.page.contains("\n## Fails\n"), "{} shows nothing that fails", code.id);
        let Some(failing) = program(code.page, "## Fails\n") else { continue };
        let found = compile(failing);
        let codes = [found.codes(), unused(failing)].concat();
        if codes != [code.id] {
            wrong.push(format!("the failing program of {}:\n{}", code.id, found.text()));
        }
        let mended = program(code.page, "## Mended\n").expect("what fails is mended");
        let found = compile(mended);
        if !found.codes().is_empty() {
            wrong.push(format!("the mended program of {}:\n{}", code.id, found.text()));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 70, "{seen} pages have programs");
}
