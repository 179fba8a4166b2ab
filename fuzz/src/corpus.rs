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

/// A kernel for each operation that `docs/ir.md` lists, on tiles that it loads; what the operation
/// gives is stored, if it is a tile.
pub fn operations() -> Vec<Vec<u8>> {
    let page = fs::read_to_string(root().join("docs/ir.md")).unwrap_or_default();
    let table = page.split("## Operations").nth(1).unwrap_or_default();
    let rows = table.split("\n## ").next().unwrap_or_default().lines();
    rows.filter(|line| line.starts_with("| `")).map(operation).map(String::into_bytes).collect()
}

fn operation(row: &str) -> String {
    let cell = row.split(" |").next().unwrap_or_default();
    let code: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
    let code = code.join("\n  ");
    let gives_tile = code.contains("%r = ") && code.contains("tile<");
    let store = if gives_tile { "  store %p, %r\n" } else { "" };
    format!(
        "kernel @k(%p: i64, %q: *f16, %n: i64) {{
  %a = load %p : tile<4x4xf16>
  %b = load %q : tile<4x4xf16>
  %t = add %a, %b : tile<4x4xf16>
  %u = mul %t, %b : tile<4x4xf16>
  %c = lt %n, %p : i1
  %s = const 0.5 : f16
  {code}
{store}  store %p, %u
  return
}}

func @helper(%p: i64) {{
  return
}}
"
    )
}
