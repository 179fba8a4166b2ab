//! What the integration tests share: running the `kbc` command in a directory of its own.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// What a run of the command left behind.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; -1 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs `kbc` with `args` in `dir`.
pub fn kbc(dir: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_kbc"))
        .args(args)
        .current_dir(dir)
        .env_remove("NO_COLOR")
        .output()
        .expect("the command is built before its tests run");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("diagnostics are UTF-8"),
    }
}

/// Runs `kbc` with a command line split at spaces, in the root of the project.
pub fn kbc_here(line: &str) -> Ran {
    kbc(root(), &line.split_whitespace().collect::<Vec<_>>())
}

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty directory that is removed when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A fresh directory.
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("kbc-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Scratch(dir)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A directory that stays behind in the system's temporary place does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A fenced block of a Markdown page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The heading above it.
    pub section: String,
    /// The words after the opening backquotes.
    pub info: String,
    /// What stands between the fences.
    pub text: String,
    /// The line of the opening fence, from one.
    pub line: usize,
}

/// Every fenced block of a page.
pub fn fences(page: &str) -> Vec<Fence> {
    let (mut found, mut section) = (Vec::new(), String::new());
    let mut open: Option<Fence> = None;
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(fence), None) => {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            (None, Some(info)) => {
                let (section, info) = (section.clone(), String::from(info.trim()));
                open = Some(Fence { section, info, text: String::new(), line: number + 1 });
            }
            (None, None) if line.starts_with('#') => {
                section = String::from(line.trim_start_matches('#').trim());
            }
            (None, None) => {}
        }
    }
    found
}
