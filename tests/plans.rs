//! The plans that MSCCL++'s own DSL made: each gives the verdict that is expected of it.
//!
//! They lie outside of the project, in `$KBC_SHARED/mscclpp-plans`. Each passing plan runs here at
//! four sizes, its types and semantics taken in turn; `cargo bench --bench plans` runs them all.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod plan_kit;

use std::collections::BTreeMap;

use kbc::dtype::DType;
use kbc::import::Semantics;
use plan_kit::{Expected, check, expected, run, settings, shared};

const SIZES: [u64; 4] = [4 << 10, 12 << 10, 32 << 10, 128 << 10];
const TYPES: [DType; 3] = [DType::F16, DType::F32, DType::I32];
const SEMANTICS: [Semantics; 2] = [Semantics::Intent, Semantics::Device];

fn plans() -> Vec<Expected> {
    let Some(folder) = shared() else {
        eprintln!("LEFT OUT: no plans of MSCCL++ at $KBC_SHARED/mscclpp-plans");
        return Vec::new();
    };
    expected(&folder)
}

/// `rank r, thread block t` for each `r<r>:tb<t>` of a note.
fn stuck_blocks(note: &str) -> Vec<String> {
    let words = note.split([' ', ',', '"']).filter(|word| word.starts_with('r'));
    let block = |word: &str| {
        let (rank, rest) = word.strip_prefix('r')?.split_once(":tb")?;
        let block: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("rank {rank}, thread block {block},"))
    };
    words.filter_map(block).collect()
}

#[test]
fn every_plan_gives_its_expected_verdict() {
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::<(String, &str), u32>::new());
    for (index, plan) in plans().iter().enumerate() {
        for (turn, bytes) in SIZES.into_iter().enumerate() {
            let (dtype, semantics) = (TYPES[(index + turn) % 3], SEMANTICS[turn % 2]);
            if plan.verdict == "DEADLOCK" && turn > 1 {
                continue;
            }
            let ran = run(&plan.text, settings(bytes, dtype, 3, semantics), None);
            let got = if ran.says("K0913") { "deadlock" } else { ran.verdict };
            *counts.entry((plan.verdict.clone(), got)).or_default() += 1;
            let good = match plan.verdict.as_str() {
                "PASS" => got == "verified",
                "DEADLOCK" => {
                    let named = stuck_blocks(&plan.note);
                    got == "deadlock" && named.iter().all(|block| ran.text().contains(block))
                }
                // The device's loader knows no bare multicast reduction.
                _ => got == "unchecked" || (semantics == Semantics::Device && ran.says("K0911")),
            };
            if !good {
                wrong.push(format!(
                    "{} {bytes} {dtype} {semantics:?}: {got}\n{}",
                    plan.file,
                    ran.text()
                ));
            }
        }
    }
    for ((expected, got), count) in &counts {
        println!("{expected:<24} {got:<12} {count:>5} runs");
    }
    assert!(wrong.is_empty(), "{} runs are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_race_of_the_multi_node_reduce_scatter_is_found_and_named() {
    for plan in plans() {
        let ran = check(&plan.text, settings(64 << 10, DType::F16, 3, Semantics::Intent));
        let reuses = ran.diagnostics.iter().any(|it| {
            it.code.id == "K0915" && it.notes.iter().any(|note| note.contains("(its port)"))
        });
        // The compiler of MSCCL++ puts a `nop` wherever one is needed.
        assert!(!ran.says("K0919"), "{}\n{}", plan.file, ran.text());
        let known = ["multi_reducescatter_2x2_r4.json", "multi_reducescatter_2x4_r8.json"];
        assert_eq!(reuses, known.contains(&plan.file.as_str()), "{}\n{}", plan.file, ran.text());
        if plan.file == known[0] {
            let text = ran.text();
            assert!(
                text.contains("rank 0, thread block 0, op 12 (its port), launch 1 reads"),
                "{text}"
            );
            assert!(text.contains("rank 0, thread block 0, op 6, launch 2 writes"), "{text}");
        }
    }
}
