//! The shape of the source: modules point one way, every file says what lives in it, and none
//! outgrows a reader.
//!
//! The compiler does not check any of this inside one crate, so these tests do. Moving a line in
//! `ORDER` is an architecture change and belongs in its own commit.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Top-level modules, lowest first: a module may name only those before it.
const ORDER: &[&str] = &[
    "arena",
    "units",
    "dtype",
    "shape",
    "source",
    "diag",
    "ops",
    "syntax",
    "ir",
    "sema",
    "passes",
    "topology",
    "launch",
    "command",
    "host",
    "lower",
    "import",
    "commcheck",
    "oplog",
    "sim",
    "replay",
    "report",
    "script",
    "driver",
    "cli",
];

/// Pairs that do not know each other although their order would allow it.
const STRANGERS: &[(&str, &str)] =
    &[("lower", "host"), ("replay", "sim"), ("passes", "sema"), ("topology", "ir")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn modules_name_only_what_comes_before_them() {
    let mut violations = BTreeSet::new();
    for (rank, module) in ORDER.iter().enumerate() {
        for (path, text) in sources_of(module) {
            for name in crate_paths(&path, &text) {
                let target = ORDER.iter().position(|known| *known == name);
                if target.is_some_and(|target| target > rank) {
                    violations.insert(format!("{}: `{module}` names `{name}`", path.display()));
                }
                if STRANGERS.contains(&(module, name.as_str())) {
                    violations
                        .insert(format!("{}: `{module}` must not know `{name}`", path.display()));
                }
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn every_module_of_the_crate_is_in_the_order() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared: Vec<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(!declared.is_empty());
    let places: Vec<Option<usize>> =
        declared.iter().map(|name| ORDER.iter().position(|known| known == name)).collect();
    assert!(
        places.iter().all(Option::is_some),
        "{declared:?} has a module that ORDER does not know"
    );
    assert!(places.is_sorted(), "`src/lib.rs` lists its modules in another order than ORDER");
}

#[test]
fn every_file_opens_by_saying_what_lives_in_it() {
    let silent: Vec<PathBuf> = all_sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "these files do not open with `//!`: {silent:#?}");
}

#[test]
fn files_fit_in_a_head() {
    let mut lengths: Vec<(usize, PathBuf)> =
        all_sources().into_iter().map(|(path, text)| (lines_without_tests(&text), path)).collect();
    lengths.sort();
    let p90 = &lengths[lengths.len() * 9 / 10];
    let longest = lengths.last().unwrap();
    assert!(p90.0 <= 600, "one file in ten is longer than {} lines", p90.0);
    assert!(longest.0 <= 1000, "{} has {} lines", longest.1.display(), longest.0);
}

#[test]
fn only_the_command_line_touches_the_world() {
    let banned = ["std::fs", "std::env", "println!", "eprintln!", "std::process", "Instant::now"];
    let mut violations = BTreeSet::new();
    for (path, text) in all_sources() {
        let local = path.strip_prefix(root().join("src")).unwrap().display().to_string();
        if local.starts_with("cli") || local == "main.rs" {
            continue;
        }
        for name in banned.iter().filter(|name| code_of(&text).contains(*name)) {
            violations.insert(format!("src/{local}: {name}"));
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn nothing_is_left_for_later() {
    let banned = ["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX"];
    let mut left = BTreeSet::new();
    for (path, text) in all_sources() {
        for mark in banned.iter().filter(|mark| text.contains(*mark)) {
            left.insert(format!("{}: {mark}", path.display()));
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// The text before a file's own tests.
fn lines_without_tests(text: &str) -> usize {
    text.split("#[cfg(test)]").next().unwrap_or_default().lines().count()
}

/// The text without comments and without a file's own tests.
fn code_of(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = before_tests.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

fn all_sources() -> Vec<(PathBuf, String)> {
    sources_below(vec![root().join("src")])
}

/// The files of `module`: `src/<module>.rs` and everything under `src/<module>/`.
fn sources_of(module: &str) -> Vec<(PathBuf, String)> {
    let src = root().join("src");
    sources_below(vec![src.join(format!("{module}.rs")), src.join(module)])
}

fn sources_below(mut pending: Vec<PathBuf>) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            pending.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && let Ok(text) = fs::read_to_string(&path)
        {
            found.push((path, text));
        }
    }
    found.sort();
    found
}

/// Every `x` of a `crate::x` path outside a comment. Imports grouped at the crate root are banned,
/// which is what lets this be a scan.
fn crate_paths(path: &Path, text: &str) -> BTreeSet<String> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let joined = code.collect::<Vec<_>>().join("\n");
    assert!(
        !joined.contains("crate::{"),
        "{}: import per module, not at the crate root",
        path.display()
    );
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    joined.split("crate::").skip(1).map(name).collect()
}
