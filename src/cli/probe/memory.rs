//! `kbc probe --memory`: what the banks of one HBM channel make of traffic.

use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use crate::cli::console::{Console, Failure, WorldError};
use crate::sim::hbm::traffic::{Measured, Pattern, Traffic};
use crate::topology::{BankParams, Machine};

/// What the traffic at a memory is like.
#[derive(Debug, Args)]
pub(super) struct MemoryArgs {
    /// Saturates the banks of one HBM channel with accesses in these orders: sequential, random, or
    /// stride=BYTES.
    #[arg(long, value_name = "ORDER,…", value_delimiter = ',', value_parser = parse_pattern,
          conflicts_with_all = ["case", "traffic", "write"])]
    memory: Vec<Pattern>,
    /// Reads and writes among the accesses, such as 66:34.
    #[arg(long, value_name = "READS:WRITES", default_value = "100:0", requires = "memory",
          value_parser = parse_mix)]
    mix: u32,
    /// Cycles to run for.
    #[arg(long, value_name = "N", default_value_t = 60_000, requires = "memory",
          value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    cycles: u64,
    /// One access in so many cycles, instead of as many as there is room for.
    #[arg(long, value_name = "CYCLES", requires = "memory",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    every: Option<u64>,
}

impl MemoryArgs {
    /// Whether traffic at a memory is asked for at all.
    pub(super) fn is_asked(&self) -> bool {
        !self.memory.is_empty()
    }

    fn traffic(&self, pattern: Pattern) -> Traffic {
        let (offered, every) = self.every.map_or((2, 1), |every| (1, every));
        Traffic { pattern, reads: self.mix, offered, every, cycles: self.cycles, seed: 1 }
    }
}

/// Measures each order and prints what comes of it.
pub(super) fn run(
    console: Console,
    machine: &Machine,
    args: &MemoryArgs,
    json: bool,
) -> Result<(), Failure> {
    let Some(banks) = &machine.params().hbm.banks else {
        return Err(Failure::World(WorldError(String::from(
            "`--memory` measures the banks of HBM, which this machine does not model: say \
             `banks: {enabled: true}` under `hbm_ctrl`",
        ))));
    };
    let measure = |pattern: &Pattern| (*pattern, args.traffic(*pattern).measure(banks));
    let rows: Vec<(Pattern, Measured)> = args.memory.iter().map(measure).collect();
    let text = if json { as_json(&rows, args) } else { as_text(&rows, (args, banks)) };
    Ok(console.output(&text, None)?)
}

fn as_text(rows: &[(Pattern, Measured)], (args, banks): (&MemoryArgs, &BankParams)) -> String {
    let (reads, ns) = (args.mix, args.cycles as f64 * banks.t_ck.as_ns());
    let mut out = format!(
        "one channel, {} banks, {ns} ns, {reads} % reads\n{:16} {:>8} {:>7}  {:>14}\n",
        banks.banks(),
        "order",
        "GB/s",
        "of peak",
        "read latency"
    );
    for (pattern, found) in rows {
        let share = found.bandwidth / found.peak * 100.0;
        let latency = found.read_latency.map_or_else(
            || String::from("-"),
            |cycles| format!("{:.1} ns", cycles * banks.t_ck.as_ns()),
        );
        let _ = writeln!(
            out,
            "{:16} {:8.2} {share:5.1} %  {latency:>14}",
            name(*pattern),
            found.bandwidth
        );
    }
    out
}

fn as_json(rows: &[(Pattern, Measured)], args: &MemoryArgs) -> String {
    let row = |(pattern, found): &(Pattern, Measured)| {
        json!({
            "order": name(*pattern),
            "gb_per_s": found.bandwidth,
            "peak_gb_per_s": found.peak,
            "read_latency_cycles": found.read_latency,
            "accesses": found.accesses,
        })
    };
    let memory: Vec<_> = rows.iter().map(row).collect();
    format!("{}\n", json!({ "memory": memory, "cycles": args.cycles, "reads_percent": args.mix }))
}

fn name(pattern: Pattern) -> String {
    match pattern {
        Pattern::Sequential => String::from("sequential"),
        Pattern::Random => String::from("random"),
        Pattern::Stride(bytes) => format!("stride={bytes}"),
    }
}

fn parse_pattern(text: &str) -> Result<Pattern, String> {
    match text {
        "sequential" => return Ok(Pattern::Sequential),
        "random" => return Ok(Pattern::Random),
        _ => {}
    }
    let bytes = text.strip_prefix("stride=").and_then(|it| super::parse_size(it).ok());
    let expected = || String::from("expected sequential, random, or a stride such as stride=4K");
    bytes.map(Pattern::Stride).ok_or_else(expected)
}

/// Reads of a hundred accesses.
fn parse_mix(text: &str) -> Result<u32, String> {
    let parts = text.split_once(':').and_then(|(reads, writes)| {
        Some((reads.parse::<u32>().ok()?, writes.parse::<u32>().ok()?))
    });
    let shares = parts.filter(|(reads, writes)| reads.checked_add(*writes) == Some(100));
    shares.map(|(reads, _)| reads).ok_or_else(|| {
        String::from("expected the reads and the writes among 100 accesses, such as 66:34")
    })
}
