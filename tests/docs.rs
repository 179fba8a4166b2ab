//! What the documents say is true: every kernel and command in them runs, and every `.kb` file that
//! ships is valid Python.

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
use std::path::{Path, PathBuf};
use std::process::Command;

use command_line::{Fence, Scratch, fences, kbc, kbc_here, root};

/// Every Markdown page but those of the diagnostics, which `tests/errors.rs` runs.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    paths.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    paths.sort();
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().display().to_string();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn kernel_files() -> Vec<PathBuf> {
    let mut pending = vec![root().join("kernels"), root().join("lib")];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "kb") {
            found.push(path);
        }
    }
    found.sort();
    assert!(found.len() >= 8, "the project ships kernels");
    found
}

/// Fenced kernels: a fence that opens ```` ```kb ````, with the command line after it if it is not
/// plain `check`. A fence marked `fails` shows a mistake and must be refused.
#[test]
fn fenced_kernels_do_what_their_page_says() {
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        for fence in
            fences(&text).iter().filter(|fence| fence.info.split_whitespace().next() == Some("kb"))
        {
            wrong.extend(run_fence(&page, fence));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run_fence(page: &str, fence: &Fence) -> Option<String> {
    let scratch = Scratch::new();
    scratch.write("page.kb", &fence.text);
    let mut words: Vec<&str> = fence.info.split_whitespace().skip(1).collect();
    let must_fail = words.first() == Some(&"fails");
    if must_fail {
        words.remove(0);
    }
    let verb = if words.is_empty() { "check" } else { words.remove(0) };
    let mut args = vec![verb, "page.kb"];
    args.extend(words);
    let ran = kbc(scratch.path(), &args);
    let as_said = (ran.code == 0) != must_fail;
    (!as_said).then(|| {
        format!(
            "{page}:{}: `kbc {}` gives {}\n{}{}",
            fence.line,
            args.join(" "),
            ran.code,
            ran.stderr,
            ran.stdout
        )
    })
}

/// Command lines: the lines of a ```` ```sh ```` fence that begin with `kbc` or with
/// `cargo run --release --`.
#[test]
fn commands_of_the_documents_run() {
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        for fence in fences(&text).iter().filter(|fence| fence.info == "sh") {
            for line in
                fence.text.lines().map(|line| line.split('#').next().unwrap_or_default().trim())
            {
                let line = line
                    .strip_prefix("cargo run --release -- ")
                    .or_else(|| line.strip_prefix("kbc "));
                let Some(line) = line else { continue };
                let ran = kbc_here(line);
                if ran.code != 0 {
                    wrong.push(format!("{page}: `kbc {line}` gives {}\n{}", ran.code, ran.stderr));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Commands that build on each other: the lines of ```` ```sh in order ```` fences, run one after
/// the other in a directory that holds the page's ```` ```py NAME ```` fences.
#[test]
fn commands_that_build_on_each_other_run() {
    let mut count = 0;
    for (page, text) in pages() {
        let scratch = Scratch::new();
        let found = fences(&text);
        for (fence, name) in found.iter().filter_map(|it| Some((it, it.info.strip_prefix("py ")?)))
        {
            scratch.write(name, &fence.text);
        }
        let commands =
            found.iter().filter(|it| it.info == "sh in order").flat_map(|it| it.text.lines());
        for line in commands {
            let words: Vec<&str> = line.split_whitespace().skip(1).collect();
            let ran = kbc(scratch.path(), &words);
            assert_eq!(ran.code, 0, "{page}: `{line}`\n{}", ran.stderr);
            let is_compared = line.contains("--expect");
            assert!(!is_compared || ran.stdout.contains("verified"), "{line}\n{}", ran.stdout);
            count += 1;
        }
    }
    assert!(count >= 3, "docs/data.md shows commands that build on each other");
}

/// Relative links lead to files that are there.
#[test]
fn links_between_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        let dir = root().join(&page).parent().unwrap().to_path_buf();
        // Code like `kernel[grid](x, n)` is no link: fenced, every second part is code.
        let prose: String = text.split("```").step_by(2).collect();
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            let is_link = !path.is_empty() && !path.contains("://") && !path.contains(' ');
            if is_link && !dir.join(path).exists() {
                wrong.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_shipped_kernel_checks_without_a_complaint() {
    let mut wrong = Vec::new();
    // That a `ccl.yaml` beside it is used is no complaint.
    let is_told = |line: &str| !line.starts_with("note: ") && !line.is_empty();
    // Library modules are helpers, which are analysed where kernels call them.
    for path in kernel_files().into_iter().filter(|path| path.starts_with(root().join("kernels"))) {
        let ran = kbc(root(), &["check", path.to_str().unwrap()]);
        if ran.code != 0 || ran.stderr.lines().any(is_told) {
            wrong.push(format!("{}: {}{}", path.display(), ran.stderr, ran.stdout));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// CPython reads every shipped file and every fenced kernel that is not about a mistake.
#[test]
fn python_parses_every_kernel() {
    let Some(python) = python() else {
        eprintln!("python3 is not here: NOT CHECKED that kernels are valid Python");
        return;
    };
    let scratch = Scratch::new();
    let mut files = kernel_files();
    for (number, (_, text)) in pages().into_iter().enumerate() {
        for (index, fence) in fences(&text).into_iter().enumerate() {
            if fence.info.split_whitespace().next() == Some("kb") && !fence.info.contains("fails") {
                files.push(scratch.write(&format!("{number}_{index}.kb"), &fence.text));
            }
        }
    }
    let script = "import ast, sys\nfor name in sys.argv[1:]:\n    ast.parse(open(name, encoding='utf-8').read(), name)\n";
    let output = Command::new(python).arg("-c").arg(script).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn python() -> Option<&'static Path> {
    let found = Command::new("python3").arg("--version").output().is_ok();
    found.then_some(Path::new("python3"))
}
