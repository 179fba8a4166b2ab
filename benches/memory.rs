//! What the banks of one HBM channel make of traffic, against DRAMsim3, and how fast that is worked
//! out: mean, least and most of five seeds, 60 µs each.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench stops at the first surprise, reads the clock and prints"
)]

use std::time::Instant;

use kbc::diag::Sink;
use kbc::sim::hbm::traffic::{Pattern, Traffic};
use kbc::source::SourceMap;
use kbc::topology::{BankParams, load};

const CYCLES: u64 = 60_000;

fn banks() -> BankParams {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let text = include_str!("../topology/hbm_banks.yaml");
    let file = sources.add("hbm_banks.yaml", text);
    load(&sources, file, &mut sink).unwrap().params().hbm.banks.clone().unwrap()
}

fn main() {
    let banks = banks();
    let rows: [(&str, Pattern, u32, f64); 12] = [
        ("sequential reads", Pattern::Sequential, 100, 29.49),
        ("sequential writes", Pattern::Sequential, 0, 29.52),
        ("reads 512 B apart", Pattern::Stride(512), 100, 29.42),
        ("reads 4 KB apart", Pattern::Stride(4096), 100, 7.88),
        ("reads 64 KB apart", Pattern::Stride(1 << 16), 100, 1.24),
        ("reads 1 MB apart", Pattern::Stride(1 << 20), 100, 1.24),
        ("random reads", Pattern::Random, 100, 7.88),
        ("random writes", Pattern::Random, 0, 7.96),
        ("sequential, 90 % reads", Pattern::Sequential, 90, 28.46),
        ("sequential, 66 % reads", Pattern::Sequential, 66, 26.59),
        ("sequential, 50 % reads", Pattern::Sequential, 50, 26.51),
        ("random, 50 % reads", Pattern::Random, 50, 7.91),
    ];
    println!("{:24} {:>8} {:>8} {:>7}   of five seeds", "traffic", "DRAMsim3", "kbc GB/s", "error");
    let start = Instant::now();
    for (name, pattern, reads, expected) in rows {
        let measure = |seed| {
            let traffic = Traffic { pattern, reads, offered: 2, every: 1, cycles: CYCLES, seed };
            traffic.measure(&banks).bandwidth
        };
        let all: Vec<f64> = (1..=5).map(measure).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let (least, most) =
            all.iter().fold((f64::INFINITY, 0f64), |(lo, hi), it| (lo.min(*it), hi.max(*it)));
        let error = (mean / expected - 1.0) * 100.0;
        println!("{name:24} {expected:8.2} {mean:8.2} {error:+6.1} %  {least:.2} to {most:.2}");
    }
    let cycles = (rows.len() as u64 * 5 * CYCLES) as f64;
    println!("{:.1} M cycles a second", cycles / start.elapsed().as_secs_f64() / 1e6);
}
