//! What fuzzing begins with: the files that ship, the programs of the documentation, and
//! `fuzz/corpus`, which holds what was found.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the repository is.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The corpus that belongs to the repository.
pub fn directory() -> PathBuf {
    root().join("fuzz/corpus")
}

/// The files of a folder with this ending, in the order of their names.
pub fn files(folder: &Path, ending: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let ends =
        |path: &PathBuf| path.extension().is_some_and(|it| it == ending) || ending.is_empty();
    let read = |path: PathBuf| fs::read(&path).ok().map(|bytes| (path, bytes));
    paths.into_iter().filter(ends).filter_map(read).collect()
}

/// The fenced programs in one language of every page under `docs`.
pub fn fences(language: &str) -> Vec<Vec<u8>> {
    let docs = root().join("docs");
    let mut found = Vec::new();
    for (_, page) in files(&docs, "md").into_iter().chain(files(&docs.join("errors"), "md")) {
        let page = String::from_utf8_lossy(&page).into_owned();
        let mut parts = page.split("\n```");
        // Every second part is inside a fence.
        parts.next();
        for part in parts.step_by(2) {
            let (info, body) = part.split_once('\n').unwrap_or((part, ""));
            if info.split_whitespace().next() == Some(language) {
                found.push(format!("{body}\n").into_bytes());
            }
        }
    }
    found
}
