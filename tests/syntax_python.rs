//! Every program that ships is Python: CPython's own parser accepts it, and so does ours.
//!
//! Without a `python3` on the path only our side is checked.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kbc::diag::{Sink, all_codes};
use kbc::source::FileId;
use kbc::syntax::parse;

/// Reads programs separated by NUL and answers `1` or `0` for each.
const SCRIPT: &str = "
import ast, sys, warnings
warnings.simplefilter('ignore')
for text in sys.stdin.buffer.read().split(b'\\0'):
    try:
        ast.parse(text)
        print(1, end='')
    except SyntaxError:
        print(0, end='')
";

/// Whether CPython parses each of `programs`; nothing where there is no CPython.
fn cpython(programs: &[String]) -> Option<Vec<bool>> {
    let mut child = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(programs.join("\0").as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then(|| output.stdout.iter().map(|byte| *byte == b'1').collect())
}

fn ours(text: &str) -> bool {
    let mut sink = Sink::new();
    parse(FileId(0), text, &mut sink);
    !sink.has_errors()
}

/// Every `.kb` file below `kernels/` and `lib/`.
fn shipped() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pending = vec![root.join("kernels"), root.join("lib")];
    let mut found = Vec::new();
    while let Some(folder) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|it| it == "kb") {
                #[expect(clippy::disallowed_methods, reason = "the test reads what ships")]
                let text = std::fs::read_to_string(&path).expect("kernels are UTF-8");
                found.push((path, text));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn shipped_programs_are_python() {
    let programs = shipped();
    let texts: Vec<String> = programs.iter().map(|(_, text)| text.clone()).collect();
    for (path, text) in &programs {
        assert!(ours(text), "{} does not parse", path.display());
    }
    let Some(accepted) = cpython(&texts) else { return };
    for ((path, _), accepted) in programs.iter().zip(accepted) {
        assert!(accepted, "{} is not Python", path.display());
    }
}

/// The programs of the pages in `.kb`, each with whether its section is the mended one.
fn pages() -> Vec<(&'static str, bool, String)> {
    let mut programs = Vec::new();
    for code in all_codes() {
        for section in code.page.split("\n## ").skip(1) {
            for block in section.split("```kb").skip(1) {
                let body = block.split_once('\n').map_or("", |(_, rest)| rest);
                let text = body.split("```").next().unwrap_or("").to_owned();
                programs.push((code.id, section.starts_with("Mended"), text));
            }
        }
    }
    programs
}

#[test]
fn mended_programs_of_the_pages_are_python() {
    let mended: Vec<_> = pages().into_iter().filter(|(_, mended, _)| *mended).collect();
    let texts: Vec<String> = mended.iter().map(|(_, _, text)| text.clone()).collect();
    let Some(accepted) = cpython(&texts) else { return };
    for ((code, _, text), accepted) in mended.iter().zip(accepted) {
        assert!(accepted, "{code} is mended by what is not Python:\n{text}");
    }
}

/// Programs on which both parsers must agree, whatever they say.
const TRIED: &[&str] = &[
    "x = 1",
    "x = = 1",
    "x = (1,\n2",
    "if x:\n y\n  z",
    "if x:\n\ty\n        z",
    "if x:\n  y\n z",
    "if x: y\nelse: z",
    "f(a=1, b)",
    "f(a, *b, c=1, *d, **e)",
    "f(**a, *b)",
    "f(**a, b=1)",
    "f(x for x in y)",
    "f(x for x in y, 1)",
    "def f(a, b=1, c): pass",
    "def f(a, b=1, *c, d): pass",
    "def f(*a, *b): pass",
    "lambda x=lambda: 1, *y: x",
    "[x for x in a if b if c for d in e]",
    "[x for x in a if b else c]",
    "[x for x in lambda: y]",
    "{a: b}[0] if 0 else {k: v for k, v in x}",
    "x[a:b, c, ::d]",
    "x[a=1]",
    "x[]",
    "x = yield_ = 3",
    "a, b += 1",
    "a.b: int",
    "(a): int = 3",
    "a, b: int",
    "f() = 1",
    "*a, b = c",
    "a if b",
    "a if b else c if d else e",
    "not not a",
    "a not in b not in c",
    "a is not not b",
    "-a ** -b",
    "a ** not b",
    "x = 0777",
    "x = 0o777",
    "x = 1__0",
    "x = 0x_f",
    "x = 1_e5",
    "x = 'a' f'{b}' r'\\'",
    "x = f'{a!z}'",
    "x = f'{}'",
    "x = f'{a'",
    "x = f'}'",
    "x = f'{a:{}'",
    "x = '\\x1'",
    "for x, *y in z: pass",
    "for x in y, z: pass",
    "for f() in y: pass",
    "while x: break; continue",
    "if x: if y: z",
    "import a.b as c, d",
    "import a.b.c as",
    "from . import (a, b as c,)",
    "from .. import a,",
    "from a import (b",
    "assert a, b, c",
    "return a, *b",
    "@a.b(c)[d]\ndef f(): pass",
    "@a\nx = 1",
    "a := 1",
    "(a := 1)",
    "if a := 1: pass",
    "f(a := 1)",
    "[a := 1, b]",
    "x = a := 1",
    "a ! b",
    "a $ b",
    "a\\\n+ b",
    "a \\ + b",
    "\u{feff}x = 1",
    "x = 1;",
    ";",
    "x;; y",
    "else: pass",
    "(a, b",
    "a)",
    "(a]",
    "None = 1",
    "x.None",
    "def None(): pass",
    "print 'a'",
    "größe = 1",
    "x = “a”",
];

#[test]
fn both_parsers_agree() {
    let programs: Vec<String> = TRIED.iter().map(|text| format!("{text}\n")).collect();
    let Some(accepted) = cpython(&programs) else { return };
    assert_eq!(accepted.len(), programs.len());
    let differ: Vec<&String> = programs
        .iter()
        .zip(accepted)
        .filter(|(text, accepted)| ours(text) != *accepted)
        .map(|(text, _)| text)
        .collect();
    assert!(differ.is_empty(), "{differ:#?}");
}
