//! Host functions mean what Python means by them.
//!
//! `tests/script/expressions.txt` holds expressions with what CPython prints for them, and
//! `tests/script/programs/*.py` whole programs that assert what they expect; both are checked
//! against python3, too, where there is one.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kbc::diag::{self, Sink};
use kbc::host::Scalar;
use kbc::script::{Script, Settings};
use kbc::source::SourceMap;
use kbc::syntax;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/script")
}

/// What `kernel_args` of `text` returns, in a world of four.
fn kernel_args(name: &str, text: &str) -> Result<Vec<Scalar>, String> {
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let mut sink = Sink::new();
    let module = syntax::parse(file, text, &mut sink);
    let render = |diagnostics: &[diag::Diagnostic]| {
        let text = |it| diag::to_text(it, &sources, diag::ColorChoice::Plain);
        diagnostics.iter().map(text).collect::<String>()
    };
    if sink.has_errors() {
        return Err(render(sink.diagnostics()));
    }
    let settings = Settings { world_size: 4, ..Settings::default() };
    let kernel = module.functions().find(|it| it.name.name == "kernel").unwrap();
    match Script::new(&module, settings).kernel_args(kernel) {
        Ok(args) => Ok(args.scalars.into_iter().map(|(_, value)| value).collect()),
        Err(fault) => Err(render(&fault.into_diagnostics())),
    }
}

fn python3() -> Option<PathBuf> {
    let found = Command::new("python3").arg("--version").output().ok()?;
    found.status.success().then(|| PathBuf::from("python3"))
}

fn expressions() -> Vec<(String, String)> {
    let text = fs::read_to_string(folder().join("expressions.txt")).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|row| {
        let (expression, expected) = row.rsplit_once(" -> ").unwrap();
        (expression.to_owned(), expected.to_owned())
    })
    .collect()
}

#[test]
fn expressions_give_what_python_gives() {
    let mut wrong = Vec::new();
    for (expression, expected) in expressions() {
        let text = format!(
            "def kernel(x, tl):\n    pass\ndef kernel_args(world_size):\n    return repr(({expression}))\n"
        );
        match kernel_args("expression.kb", &text) {
            Ok(found) if found == [Scalar::Text(expected.clone())] => {}
            Ok(found) => {
                wrong.push(format!("{expression}\n   gives {found:?}\n  python {expected}"))
            }
            Err(fault) => wrong.push(format!("{expression}\n{fault}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_expected_values_are_python_s_own() {
    let Some(python) = python3() else { return };
    let lines: Vec<String> = expressions()
        .iter()
        .map(|(expression, expected)| format!("assert repr(({expression})) == {expected:?}\n"))
        .collect();
    let program = lines.concat();
    let run = Command::new(python).args(["-W", "ignore", "-c", &program]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

fn programs() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder().join("programs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// Each program defines `check()`, which asserts.
#[test]
fn programs_assert_the_same_in_kbc_and_in_python() {
    for path in programs() {
        let text = fs::read_to_string(&path).unwrap();
        let whole = format!(
            "{text}\ndef kernel(x, tl):\n    pass\n\ndef kernel_args(world_size):\n    check()\n    return 1\n"
        );
        if let Err(fault) = kernel_args(&path.display().to_string(), &whole) {
            panic!("{fault}");
        }
        let Some(python) = python3() else { continue };
        let program = format!("{text}\ncheck()\n");
        let run = Command::new(python).args(["-c", &program]).output().unwrap();
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{}: {error}", path.display());
    }
}
