//! What a user sees when a file has several things wrong, or is wrong in a way that more than one
//! stage could say something about.
//!
//! Each case is a file of `tests/ui/<stage>/`. Its first line is `# kbc: <arguments>`. A line that
//! a diagnostic points at ends in `#~ Kxxxx`, once for each diagnostic; the whole rendering is a
//! snapshot beside the file. The marker catches a diagnostic that moved, the snapshot one whose
//! words changed.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod command_line;

use std::fs;
use std::path::Path;

use command_line::{kbc, root};

#[test]
fn every_case_says_what_its_markers_say() {
    let mut wrong = Vec::new();
    for stage in fs::read_dir(root().join("tests/ui")).unwrap() {
        let stage = stage.unwrap().path();
        if !stage.is_dir() || stage.ends_with("codes") {
            continue;
        }
        let mut cases: Vec<_> =
            fs::read_dir(&stage).unwrap().map(|case| case.unwrap().path()).collect();
        cases.retain(|path| {
            path.extension()
                .is_some_and(|ending| ending == "kb" || ending == "yaml" || ending == "kir")
        });
        cases.sort();
        for case in cases {
            wrong.extend(check(&case));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(case: &Path) -> Option<String> {
    let dir = case.parent().unwrap();
    let file = case.file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(case).unwrap();
    let header = text.lines().next().unwrap_or_default();
    let line = header.strip_prefix("# kbc: ").unwrap_or_else(|| panic!("{file}: no `# kbc:` line"));
    let args: Vec<String> =
        line.split_whitespace().map(|word| word.replace("FILE", file)).collect();
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    let human = kbc(dir, &args);
    args.extend(["--error-format", "json"]);
    let found = places(&kbc(dir, &args).stderr, file);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => dir }, {
        insta::assert_snapshot!(file, human.stderr);
    });
    let expected = markers(&text);
    (found != expected).then(|| format!("{file}: markers say {expected:?}, kbc says {found:?}"))
}

/// `(line, code)` of each diagnostic that points into `file`.
fn places(json: &str, file: &str) -> Vec<(u64, String)> {
    let mut found: Vec<(u64, String)> = json
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|it| {
            let label =
                it["labels"].as_array()?.iter().find(|label| label["primary"] == true)?.clone();
            (label["file"] == file).then_some(())?;
            Some((label["line"].as_u64()?, String::from(it["code"].as_str()?)))
        })
        .collect();
    found.sort();
    found
}

fn markers(text: &str) -> Vec<(u64, String)> {
    let mut expected = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((_, marks)) = line.split_once("#~") else { continue };
        expected
            .extend(marks.split_whitespace().map(|code| (number as u64 + 1, String::from(code))));
    }
    expected.sort();
    expected
}
