//! Tables that others made, which are not part of the project.

#![allow(unreachable_pub, reason = "a test uses it")]

use std::io::Write;
use std::path::PathBuf;

/// The text of a table of the folder that `KBC_SHARED` names. `None`, which is said, where it is not there.
pub fn table(name: &str) -> Option<String> {
    let shared = std::env::var_os("KBC_SHARED").map_or_else(|| "../shared".into(), PathBuf::from);
    let path = shared.join("reference/validation").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        let _ = writeln!(std::io::stderr(), "NOT RUN: no {}: set KBC_SHARED", path.display());
    }
    text
}
