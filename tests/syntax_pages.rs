//! The pages of the codes of `.kb` syntax: the failing program reports its code, the mended one nothing.
//!
//! Only the front end runs here; that the mended programs also pass the later stages is checked
//! with all other pages.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use kbc::diag::{Sink, all_codes};
use kbc::source::FileId;
use kbc::syntax::parse;

/// The program of `section`, if it has one.
fn program<'p>(page: &'p str, section: &str) -> Option<&'p str> {
    let from = page.find(&format!("## {section}"))?;
    let section = &page[from..];
    let start = section.find("```kb")?;
    let body = &section[start..][section[start..].find('\n')? + 1..];
    Some(&body[..body.find("```")?])
}

fn reported(text: &str) -> Vec<&'static str> {
    let mut sink = Sink::new();
    parse(FileId(0), text, &mut sink);
    sink.diagnostics().iter().map(|it| it.code.id).collect()
}

#[test]
fn every_page_fails_and_is_mended() {
    let codes: Vec<_> = all_codes().filter(|code| ("K0101".."K0150").contains(&code.id)).collect();
    assert!(codes.len() >= 12);
    for code in codes {
        assert!(code.page.starts_with(&format!("# {}: ", code.id)), "{}", code.id);
        let fails = program(code.page, "Fails")
            .unwrap_or_else(|| panic!("{} has no failing program", code.id));
        let mended = program(code.page, "Mended").expect("a mended program");
        assert_eq!(reported(fails), [code.id], "{fails}");
        assert_eq!(reported(mended), [""; 0], "{mended}");
    }
}
