//! One file a program, one section a stage: what each shipped shape of kernel becomes on its way
//! from text to a timed and verified run.
//!
//! A case is a `.kb` file of `tests/golden/`; its first line is `# kbc: <launch arguments>`, and
//! ` ; stages=ir,program,…` after them chooses the sections. The snapshot stands beside it.

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

use command_line::{Scratch, kbc, root};

#[test]
fn each_stage_is_as_reviewed() {
    let dir = root().join("tests/golden");
    let mut cases: Vec<_> = fs::read_dir(&dir).unwrap().map(|case| case.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|ending| ending == "kb"));
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let file = case.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&case).unwrap();
        let (launch, stages) = header(&text);
        let mut golden = format!("SOURCE\n\n{text}");
        for stage in &stages {
            golden.push_str(&format!(
                "\n{}\n\n{}",
                stage.to_uppercase(),
                section(file, stage, &launch)
            ));
        }
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => &dir }, {
            insta::assert_snapshot!(file, golden);
        });
    }
}

/// The launch arguments and the stages of a case.
fn header(text: &str) -> (Vec<String>, Vec<String>) {
    let line = text.lines().next().and_then(|line| line.strip_prefix("# kbc:")).unwrap_or_default();
    let (launch, stages) = line.split_once("; stages=").unwrap_or((line, "ir,program,stream,sim"));
    let words = |text: &str, at: char| {
        text.split(at).map(str::trim).filter(|word| !word.is_empty()).map(String::from).collect()
    };
    (words(launch, ' '), words(stages, ','))
}

fn section(file: &str, stage: &str, launch: &[String]) -> String {
    let mut args: Vec<&str> = match stage {
        "sim" => vec!["sim", file],
        "stream" => vec!["compile", file, "--emit", "stream", "--pe", "0"],
        stage => vec!["compile", file, "--emit", stage],
    };
    args.extend(launch.iter().map(String::as_str));
    let ran = kbc(&root().join("tests/golden"), &args);
    assert_eq!(ran.code, 0, "{file}: {args:?}: {}", ran.stderr);
    if stage == "ir" {
        reparses(file, &ran.stdout);
    }
    ran.stdout
}

/// Textual IR is accepted wherever source is, and prints as it was.
fn reparses(file: &str, ir: &str) {
    let scratch = Scratch::new();
    scratch.write("again.kir", ir);
    let again = kbc(scratch.path(), &["compile", "again.kir", "--emit", "ir"]);
    assert_eq!(again.stdout, ir, "{file}: {}", again.stderr);
}
