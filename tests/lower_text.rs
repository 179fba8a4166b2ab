//! Programs as text, and what the communication check says of wrong ones.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod lowering;

use kbc::command::AgentId;
use kbc::command::print;
use kbc::commcheck;
use kbc::diag::{ColorChoice, Sink, to_text};
use kbc::launch::{IpcqOptions, Launch};
use lowering::{compile, launch, ring_all_reduce, showcase, sources};

#[test]
fn the_compact_form_of_a_ring() {
    let program = compile(&ring_all_reduce(16), &launch(16));
    insta::assert_snapshot!(print::program(&program, &sources()));
}

#[test]
fn the_compact_form_of_everything_else() {
    let program = compile(&showcase(), &launch(4));
    insta::assert_snapshot!(print::program(&program, &sources()));
}

#[test]
fn streams_of_chosen_agents() {
    let mut text = String::new();
    for (function, agent) in [(ring_all_reduce(4), 3), (showcase(), 2)] {
        let program = compile(&function, &launch(4));
        print::stream(&program, AgentId(agent), &sources(), &mut text).expect("strings take all");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn summaries_group_pes_that_do_the_same() {
    let ring = compile(&ring_all_reduce(256), &launch(256));
    let mixed = compile(&showcase(), &launch(5));
    let summaries = [print::summarise(&ring, 2_000), print::summarise(&mixed, 1_000)];
    assert_eq!(summaries[0].groups.len(), 1, "one walk serves all 256");
    insta::assert_snapshot!(format!("{}\n{}", summaries[0], summaries[1]));
}

#[test]
fn a_summary_says_what_it_did_not_count() {
    let mixed = compile(&showcase(), &launch(4));
    let summary = print::summarise(&mixed, 20);
    assert_eq!(summary.uncounted, 3);
    assert!(summary.to_string().contains("3 PEs were not counted"));
}

#[test]
fn a_deadlock_is_shown_as_its_cycle() {
    let ipcq = IpcqOptions { slots: Some(1), ..IpcqOptions::default() };
    let program = compile(&ring_all_reduce(16), &Launch { ipcq, ..launch(16) });
    let mut sink = Sink::new();
    let result = commcheck::check(&program, &sources(), 10_000, &mut sink);
    assert!(result.is_err());
    let text = sink.diagnostics().iter().map(|it| to_text(it, &sources(), ColorChoice::Plain));
    insta::assert_snapshot!(text.collect::<String>());
}
