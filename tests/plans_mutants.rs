//! Plans with one mistake: a signal, a wait, a barrier or a data op dropped, or an index shifted.
//! Nearly all must be caught before anything is timed: as a deadlock, a race, signals left over or a
//! wrong result. The rest is redundant: what it writes is there already (an in-place block that is
//! unpacked over itself, a sum that is unpacked where it was added up), so the data stays right,
//! which is verified.

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
use kbc::replay::data::Random;
use plan_kit::{Ran, check, expected, run, settings, shared};
use serde_json::Value;

const MUTANTS: usize = 300;
const SEED: u64 = 6;

/// A place in a plan where one mistake can be made.
#[derive(Clone, Debug)]
struct Site {
    kind: &'static str,
    /// The JSON pointer of the list of ops, and the place of the op there.
    ops: String,
    op: usize,
    /// Of a shifted index: the operand.
    operand: Option<(&'static str, usize)>,
}

fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "signal" | "rlxsignal" => "signal",
        "wait" | "rlxwait" => "wait",
        "barrier" => "barrier",
        "nop" | "sem_acquire" | "sem_release" | "pipeline" | "flush" => return None,
        _ => "data op",
    })
}

fn sites_of(list: &Value, pointer: &str, sites: &mut Vec<Site>) {
    for (place, op) in list.as_array().into_iter().flatten().enumerate() {
        let name = op["name"].as_str().unwrap_or("");
        if name == "pipeline" {
            sites_of(&op["ops"], &format!("{pointer}/{place}/ops"), sites);
        }
        let Some(kind) = kind(name) else { continue };
        let site = |kind, operand| Site { kind, ops: pointer.to_owned(), op: place, operand };
        sites.push(site(kind, None));
        for side in ["src_buff", "dst_buff"] {
            let count = op[side].as_array().map_or(0, Vec::len);
            sites.extend((0..count).map(|at| site("index", Some((side, at)))));
        }
    }
}

fn sites(plan: &Value) -> Vec<Site> {
    let mut sites = Vec::new();
    for (rank, gpu) in plan["gpus"].as_array().unwrap().iter().enumerate() {
        for (block, it) in gpu["threadblocks"].as_array().unwrap().iter().enumerate() {
            sites_of(&it["ops"], &format!("/gpus/{rank}/threadblocks/{block}/ops"), &mut sites);
        }
    }
    sites
}

fn mutate(plan: &Value, site: &Site) -> Value {
    let mut plan = plan.clone();
    let ops = plan.pointer_mut(&site.ops).unwrap().as_array_mut().unwrap();
    match site.operand {
        None => drop(ops.remove(site.op)),
        Some((side, at)) => {
            let index = &mut ops[site.op][side][at]["index"];
            let old = index.as_u64().unwrap();
            *index = Value::from(if old > 0 { old - 1 } else { old + 1 });
        }
    }
    plan
}

/// What caught a mutant beyond what is said of the plan itself.
fn caught(ran: &Ran, races_before: usize) -> Option<&'static str> {
    let races = ran.diagnostics.iter().filter(|it| it.code.id == "K0915").count();
    if ran.says("K0913") {
        Some("deadlock")
    } else if ran.says("K0914") {
        Some("wrong result")
    } else if races > races_before {
        Some("race")
    } else if ran.says("K0918") {
        Some("signals left over")
    } else if ran.verdict == "refused" {
        Some("import")
    } else {
        None
    }
}

#[test]
fn nearly_every_mutant_is_caught() {
    let Some(folder) = shared() else {
        eprintln!("LEFT OUT: no plans of MSCCL++ at $KBC_SHARED/mscclpp-plans");
        return;
    };
    let small = |it: &plan_kit::Expected| it.verdict == "PASS" && it.text.len() < 40_000;
    let plans: Vec<_> = expected(&folder).into_iter().filter(small).collect();
    let random = Random::new(SEED);
    let with = settings(8 << 10, DType::F32, 3, Semantics::Intent);
    let (mut by, mut survivors) = (BTreeMap::<(&str, &str), usize>::new(), Vec::new());
    for number in 0..MUTANTS {
        let draw =
            |of: u64, count: usize| (random.bits(3 * number as u64 + of) % count as u64) as usize;
        let plan = &plans[draw(0, plans.len())];
        let json: Value = serde_json::from_str(&plan.text).unwrap();
        let all = sites(&json);
        // Kinds are drawn evenly, as far as the plan has them.
        let kinds = ["signal", "wait", "barrier", "data op", "index"];
        let first = draw(1, kinds.len());
        let wanted = (0..kinds.len()).map(|turn| kinds[(first + turn) % kinds.len()]);
        let wanted = wanted.into_iter().find(|kind| all.iter().any(|it| it.kind == *kind)).unwrap();
        let of_kind: Vec<&Site> = all.iter().filter(|it| it.kind == wanted).collect();
        let site = of_kind[draw(2, of_kind.len())];
        let before = check(&plan.text, with);
        let races = before.diagnostics.iter().filter(|it| it.code.id == "K0915").count();
        let ran = check(&mutate(&json, site).to_string(), with);
        match caught(&ran, races) {
            Some(how) => *by.entry((site.kind, how)).or_default() += 1,
            // What changes nothing that anybody sees is no mistake: the data is what it must be.
            None => {
                let data = run(&mutate(&json, site).to_string(), with, None);
                assert_eq!(data.verdict, "verified", "{}: {site:?}", plan.file);
                survivors.push(format!("{}: {site:?}", plan.file));
            }
        }
    }
    for ((kind, how), count) in &by {
        println!("{kind:<10} {how:<18} {count:>4}");
    }
    println!("{} of {MUTANTS} survive:\n{}", survivors.len(), survivors.join("\n"));
    assert!(survivors.len() * 20 <= MUTANTS, "more than one in twenty survives");
}
