//! What the front end accepts and refuses, against the verdicts of Triton's own on 107 kernels.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sema_common;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use kbc::dtype::DType;
use kbc::sema::{ArgType, Constant, Dialect};
use sema_common::{Compiled, compile_dialect};

/// Where kbc differs even when a file is held to Triton's language, and why.
const OF_TRITON: &[(&str, &str)] = &[(
    "if on 1-element block",
    "what a PE runs is decided at the launch, not by the data of a tile",
)];

/// Where kbc differs, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    ("for over list", "extension: a loop over a list or tuple is written out, turn by turn"),
    ("chained assign", "extension: `a = b = x` binds both names"),
    ("non pow2 arange", "extension: tiles of any size"),
    ("store wider than ptr", "extension: a tile stored at a scalar address is a contiguous block"),
    ("in operator", "extension: `in` looks for a constant among constants"),
    (
        "unused advance / make_block_ptr",
        "extension: block pointers, which Triton had until 3.7; `tl.advance` may not be dropped",
    ),
    ("if on 1-element block", "what a PE runs is decided at the launch, not by the data of a tile"),
];

/// A kernel and what Triton says of it.
struct Probe {
    construct: String,
    source: String,
    accepted: bool,
}

/// The probes, which lie beside the repository.
fn probes() -> Option<Vec<Probe>> {
    let shared = std::env::var("KBC_SHARED").unwrap_or_else(|_| String::from("../shared"));
    let path = PathBuf::from(shared).join("triton-vectors/frontend_verdicts.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        // Not `eprintln!`, which the harness keeps to itself where a test passes.
        let _ = writeln!(std::io::stderr(), "NOT RUN: no {}: set KBC_SHARED", path.display());
        return None;
    };
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let probe = |it: &serde_json::Value| {
        let field = |name: &str| it[name].as_str().unwrap().to_owned();
        let accepted = field("triton_3_9") == "accept";
        Probe { construct: field("construct"), source: field("source"), accepted }
    };
    Some(all.as_array().unwrap().iter().map(probe).collect())
}

/// Every probe is for a launch with two f32 tensors and an i32, and with `N` of 16.
fn run(source: &str, dialect: Dialect) -> Compiled {
    let arguments = BTreeMap::from([
        (String::from("X"), ArgType::Pointer(DType::F32)),
        (String::from("Y"), ArgType::Pointer(DType::F32)),
        (String::from("n"), ArgType::Scalar(DType::I32)),
    ]);
    let constants = BTreeMap::from([(String::from("N"), Constant::Int(16))]);
    compile_dialect(source, constants, arguments, dialect)
}

/// Probes whose verdict is another than Triton's, but for the differences that are known.
fn surprises(probes: &[Probe], dialect: Dialect, differences: &[(&str, &str)]) -> Vec<String> {
    for (construct, reason) in differences {
        assert!(probes.iter().any(|it| it.construct == *construct), "{construct}: {reason}");
    }
    let mut wrong = Vec::new();
    for probe in probes {
        let found = run(&probe.source, dialect);
        let differs = differences.iter().any(|(construct, _)| *construct == probe.construct);
        if (found.module.is_some() == probe.accepted) == differs {
            let verdict = if probe.accepted { "accepts" } else { "refuses" };
            let text = found.text();
            wrong.push(format!("{}: Triton {verdict}\n{}\n{text}", probe.construct, probe.source));
        }
    }
    wrong
}

#[test]
fn verdicts_agree_with_triton() {
    let Some(probes) = probes() else { return };
    assert_eq!(probes.len(), 107);
    for (dialect, differences) in [(Dialect::Kbc, DIFFERENCES), (Dialect::Triton, OF_TRITON)] {
        let wrong = surprises(&probes, dialect, differences);
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), probes.len(), wrong.join("\n"));
    }
}
