//! Execution plans: how long import and check of a plan of 8 MB take, and every plan that MSCCL++
//! made at four sizes, of three types, with both semantics.
//!
//! `cargo bench --bench plans -- published` prints times of all-reduce beside those that MSCCL++ has
//! published. `cargo bench --bench plans` prints all, with `KBC_SHARED` for the plans of MSCCL++.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark prints and reads clocks"
)]

#[path = "../tests/plan_kit/mod.rs"]
mod plan_kit;

use std::collections::BTreeMap;
use std::time::Instant;

use kbc::dtype::DType;
use kbc::import::Semantics;
use plan_kit::published::{mean, points};
use plan_kit::{check, expected, run, settings, shared};

/// An operand of one rank's own buffer.
fn chunk(buffer: &str, index: u32, size: u32) -> String {
    format!("{{\"type\":\"{buffer}\",\"index\":{index},\"size\":{size}}}")
}

fn op(name: &str, source: &str, target: &str) -> String {
    format!("{{\"name\":\"{name}\",\"src_buff\":[{source}],\"dst_buff\":[{target}]}}")
}

fn block(id: usize, channel: Option<usize>, ops: &[String]) -> String {
    let (channels, buffers) = match channel {
        Some(place) => (
            format!("{{\"channel_type\":\"memory\",\"channel_ids\":[{place}]}}"),
            format!("{{\"access_channel_type\":\"memory\",\"remote_buffer_ids\":[{place}]}}"),
        ),
        None => (String::new(), String::new()),
    };
    let ops = ops.join(",");
    format!(
        "{{\"id\":{id},\"channels\":[{channels}],\"remote_buffer_refs\":[{buffers}],\"ops\":[{ops}]}}"
    )
}

/// What one rank of [`all_to_all`] does.
fn rank_of(rank: u32, ranks: u32, parts: u32) -> String {
    let peers: Vec<u32> = (0..ranks).filter(|it| *it != rank).collect();
    let own = rank * parts;
    let mut blocks =
        vec![block(0, None, &[op("copy", &chunk("i", own, parts), &chunk("o", own, parts))])];
    for (place, peer) in peers.iter().enumerate() {
        let put = |part: u32| {
            let target = format!("{{\"buffer_id\":0,\"index\":{},\"size\":1}}", own + part);
            let put = op("ppkt", &chunk("i", peer * parts + part, 1), &target);
            put.replacen('{', "{\"channel_type\":\"memory\",", 1)
        };
        let unpack = |part: u32| {
            op("upkt", &chunk("s", peer * parts + part, 1), &chunk("o", peer * parts + part, 1))
        };
        blocks.push(block(2 * place + 1, Some(place), &(0..parts).map(put).collect::<Vec<_>>()));
        blocks.push(block(2 * place + 2, None, &(0..parts).map(unpack).collect::<Vec<_>>()));
    }
    let remote = |peer: &u32| {
        format!("{{\"rank\":{peer},\"type\":\"s\",\"access_channel_types\":[\"memory\"]}}")
    };
    let remotes: Vec<String> = peers.iter().map(remote).collect();
    let (chunks, remotes, blocks) = (ranks * parts, remotes.join(","), blocks.join(","));
    format!(
        "{{\"id\":{rank},\"input_chunks\":{chunks},\"output_chunks\":{chunks},\"scratch_chunks\":{chunks},\
         \"channels\":[{{\"channel_type\":\"memory\",\"connected_to\":{peers:?}}}],\
         \"remote_buffers\":[{remotes}],\"semaphores\":[],\"threadblocks\":[{blocks}]}}"
    )
}

/// An all-to-all of `ranks` ranks by packets, `parts` to each peer, each peer's in two blocks.
fn all_to_all(ranks: u32, parts: u32) -> String {
    let gpus: Vec<String> = (0..ranks).map(|rank| rank_of(rank, ranks, parts)).collect();
    let head = "{\"name\":\"alltoall\",\"collective\":\"alltoall\",\"protocol\":\"LL\",\
                \"inplace\":false,\"use_double_scratch_buffer\":true,\"gpus\":[";
    format!("{head}{}]}}", gpus.join(","))
}

fn import_and_check() {
    let text = all_to_all(32, 32);
    let started = Instant::now();
    let ran = check(&text, settings(1 << 20, DType::F16, 3, Semantics::Intent));
    let seconds = started.elapsed().as_secs_f64();
    assert!(ran.diagnostics.is_empty(), "{}", ran.text());
    let megabytes = text.len() as f64 / 1e6;
    println!("import and check of {megabytes:.1} MB, 32 ranks, 3 launches: {seconds:.3} s");
    let started = Instant::now();
    let ran = run(&text, settings(1 << 20, DType::F16, 3, Semantics::Intent), None);
    println!(
        "and simulated and replayed: {:.3} s, {}",
        started.elapsed().as_secs_f64(),
        ran.verdict
    );
}

fn every_plan() {
    let Some(folder) = shared() else {
        println!("LEFT OUT: no plans of MSCCL++ at $KBC_SHARED/mscclpp-plans");
        return;
    };
    let mut counts = BTreeMap::<(String, &str), u32>::new();
    let started = Instant::now();
    for plan in expected(&folder) {
        for bytes in [4 << 10, 48 << 10, 192 << 10, 1 << 20] {
            for dtype in [DType::F16, DType::F32, DType::I32] {
                for semantics in [Semantics::Intent, Semantics::Device] {
                    let ran = run(&plan.text, settings(bytes, dtype, 3, semantics), None);
                    let stuck = ran.says("K0913");
                    let got = if stuck { "deadlock" } else { ran.verdict };
                    *counts.entry((plan.verdict.clone(), got)).or_default() += 1;
                    if plan.verdict == "PASS" && got != "verified" {
                        println!("{} {bytes} {dtype} {semantics:?}: {got}", plan.file);
                    }
                }
            }
        }
    }
    for ((expected, got), count) in &counts {
        println!("{expected:<24} {got:<12} {count:>5} runs");
    }
    println!("{:.1} s", started.elapsed().as_secs_f64());
}

/// The table of docs/validation.md.
fn published() {
    let mut errors = Vec::new();
    for point in points() {
        let simulated = point.simulate();
        println!("{}", point.row(simulated));
        if !point.is_fitted {
            errors.push((point, point.error(simulated)));
        }
    }
    for machine in ["a100x8", "h100x8"] {
        for is_target in [true, false] {
            let some =
                errors.iter().filter(|it| (it.0.machine, it.0.is_target) == (machine, is_target));
            let (count, mean) = (some.clone().count(), mean(some.map(|it| it.1)));
            println!(
                "{machine} {is_target}: {count} predicted, {:.1} % apart in the mean",
                100.0 * mean
            );
        }
    }
}

fn main() {
    published();
    if std::env::args().any(|it| it == "published") {
        return;
    }
    import_and_check();
    every_plan();
}
