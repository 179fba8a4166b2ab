//! Execution plans: how long import and check of a plan of 8 MB take, and every plan that MSCCL++
//! made at four sizes, of three types, with both semantics.
//!
//! `cargo bench --bench plans`, with `KBC_SHARED` for the plans of MSCCL++.

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
use std::fmt::Write;
use std::time::Instant;

use kbc::dtype::DType;
use kbc::import::Semantics;
use plan_kit::{check, expected, run, settings, shared};

/// An all-to-all of `ranks` ranks by packets, `parts` to each peer, each pair of a part's ops in
/// the two thread blocks of its peer.
fn all_to_all(ranks: u32, parts: u32) -> String {
    let chunks = ranks * parts;
    let mut text = format!(
        "{{\"name\":\"alltoall\",\"collective\":\"alltoall\",\"protocol\":\"LL\",\"inplace\":false,\
         \"use_double_scratch_buffer\":true,\"gpus\":["
    );
    for rank in 0..ranks {
        let peers: Vec<u32> = (0..ranks).filter(|it| *it != rank).collect();
        let comma = if rank > 0 { "," } else { "" };
        let connected: Vec<String> = peers.iter().map(u32::to_string).collect();
        let remote = |peer: &u32| {
            format!("{{\"rank\":{peer},\"type\":\"s\",\"access_channel_types\":[\"memory\"]}}")
        };
        let remotes: Vec<String> = peers.iter().map(remote).collect();
        write!(
            text,
            "{comma}{{\"id\":{rank},\"input_chunks\":{chunks},\"output_chunks\":{chunks},\
             \"scratch_chunks\":{chunks},\"channels\":[{{\"channel_type\":\"memory\",\
             \"connected_to\":[{}]}}],\"remote_buffers\":[{}],\"semaphores\":[],\"threadblocks\":[",
            connected.join(","),
            remotes.join(",")
        )
        .unwrap();
        let copy = format!(
            "{{\"id\":0,\"channels\":[],\"remote_buffer_refs\":[],\"ops\":[{{\"name\":\"copy\",\
             \"src_buff\":[{{\"type\":\"i\",\"index\":{0},\"size\":{parts}}}],\
             \"dst_buff\":[{{\"type\":\"o\",\"index\":{0},\"size\":{parts}}}]}}]}}",
            rank * parts
        );
        text.push_str(&copy);
        for (place, peer) in peers.iter().enumerate() {
            let op = |part: u32| {
                format!(
                    "{{\"name\":\"ppkt\",\"channel_type\":\"memory\",\
                     \"src_buff\":[{{\"type\":\"i\",\"index\":{},\"size\":1}}],\
                     \"dst_buff\":[{{\"buffer_id\":0,\"index\":{},\"size\":1}}]}}",
                    peer * parts + part,
                    rank * parts + part
                )
            };
            let ops: Vec<String> = (0..parts).map(op).collect();
            write!(
                text,
                ",{{\"id\":{},\"channels\":[{{\"channel_type\":\"memory\",\"channel_ids\":[{place}]}}],\
                 \"remote_buffer_refs\":[{{\"access_channel_type\":\"memory\",\
                 \"remote_buffer_ids\":[{place}]}}],\"ops\":[{}]}}",
                2 * place + 1,
                ops.join(",")
            )
            .unwrap();
            let op = |part: u32| {
                format!(
                    "{{\"name\":\"upkt\",\"src_buff\":[{{\"type\":\"s\",\"index\":{0},\"size\":1}}],\
                     \"dst_buff\":[{{\"type\":\"o\",\"index\":{0},\"size\":1}}]}}",
                    peer * parts + part
                )
            };
            let ops: Vec<String> = (0..parts).map(op).collect();
            write!(
                text,
                ",{{\"id\":{},\"channels\":[],\"remote_buffer_refs\":[],\"ops\":[{}]}}",
                2 * place + 2,
                ops.join(",")
            )
            .unwrap();
        }
        text.push_str("]}");
    }
    text.push_str("]}");
    text
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

fn main() {
    import_and_check();
    every_plan();
}
