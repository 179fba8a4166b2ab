//! Every diagnostic code: its page is there, its failing program fails with that code, its mended
//! program does not fail, and the message reads as reviewed.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod command_line;

use std::collections::BTreeSet;
use std::fs;

use command_line::{Fence, Ran, Scratch, fences, kbc, root};
use kbc::diag::{Code, all_codes};

/// Codes whose pages show no program: it would be huge, or no file, or kbc's own mistake. Each is
/// raised by a test of its stage.
const WITHOUT_PROGRAM: &[&str] = &[
    "K0001", "K0157", "K0170", "K0414", "K0418", "K0503", "K0504", "K0521", "K0529", "K0539",
    "K0703", "K0704", "K0734",
];

#[test]
fn codes_are_unique_and_in_order() {
    let ids: Vec<&str> = all_codes().map(|code| code.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "codes are listed once, in order: {ids:#?}");
    let names: BTreeSet<&str> = all_codes().map(|code| code.name).collect();
    assert_eq!(names.len(), ids.len(), "two codes have one name");
}

#[test]
fn every_page_belongs_to_a_code_and_is_titled_by_it() {
    for entry in fs::read_dir(root().join("docs/errors")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(id) = name.strip_suffix(".md").filter(|id| id.starts_with('K')) else { continue };
        assert!(all_codes().any(|code| code.id == id), "docs/errors/{name} has no code");
    }
    for code in all_codes() {
        let title = format!("# {}: ", code.id);
        assert!(
            code.page.starts_with(&title),
            "the page of {} does not open with `{title}`",
            code.id
        );
    }
}

#[test]
fn failing_programs_fail_with_their_code_and_mended_ones_pass() {
    let mut wrong = Vec::new();
    for code in all_codes().filter(|code| !WITHOUT_PROGRAM.contains(&code.id)) {
        let (fails, mended) = (run_section(code, "Fails"), run_section(code, "Mended"));
        match fails {
            Some(ran) if ran.stderr.contains(&format!("[{}]", code.id)) => snapshot(code, &ran),
            Some(ran) => {
                wrong.push(format!("{}: the failing program says\n{}", code.id, ran.stderr))
            }
            None => wrong.push(format!("{}: no failing program", code.id)),
        }
        match mended {
            Some(ran) if ran.code == 0 && !ran.stderr.contains(&format!("[{}]", code.id)) => {}
            Some(ran) => wrong.push(format!(
                "{}: the mended program says\n{}{}",
                code.id, ran.stderr, ran.stdout
            )),
            None => wrong.push(format!("{}: no mended program", code.id)),
        }
    }
    assert!(wrong.is_empty(), "{} pages are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Runs the program of a section: the first fence is the program and its command line, the others
/// are files beside it.
fn run_section(code: &Code, section: &str) -> Option<Ran> {
    let fences: Vec<Fence> =
        fences(code.page).into_iter().filter(|fence| fence.section == section).collect();
    let (program, others) = fences.split_first()?;
    let mut words = program.info.split_whitespace();
    let (language, verb) = (words.next()?, words.next()?);
    let scratch = Scratch::new();
    let file = format!("{}.{language}", code.name.replace('-', "_"));
    scratch.write(&file, &program.text);
    for other in others {
        scratch.write(other.info.split_whitespace().nth(1)?, &other.text);
    }
    let mut args = vec![verb];
    let rest: Vec<&str> = words.collect();
    if verb == "topo" {
        args.extend(rest.iter().take(1));
        args.push(&file);
        args.extend(rest.iter().skip(1));
    } else {
        args.push(&file);
        args.extend(rest);
    }
    Some(kbc(scratch.path(), &args))
}

fn snapshot(code: &Code, ran: &Ran) {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "ui/codes" }, {
        insta::assert_snapshot!(code.id, ran.stderr);
    });
}
