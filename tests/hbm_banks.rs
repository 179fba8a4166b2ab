//! The banks of HBM against DRAMsim3: what one channel of its HBM2_8Gb_x128 makes of traffic.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod command_line;
mod outside;

use std::fmt::Write as _;
use std::io::Write as _;

use command_line::kbc_here;
use kbc::diag::Sink;
use kbc::sim::hbm::queue::{Controller, Request};
use kbc::sim::hbm::traffic::{Measured, Pattern, Traffic};
use kbc::source::SourceMap;
use kbc::topology::{BankParams, load};

fn banks(keys: &str) -> BankParams {
    let text = format!("cube: {{hbm_ctrl: {{banks: {{enabled: true{keys}}}}}}}");
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let file = sources.add("banks.yaml", text);
    load(&sources, file, &mut sink).unwrap().params().hbm.banks.clone().unwrap()
}

/// What a channel makes of as many accesses as it takes, for 60 µs.
fn saturate(pattern: Pattern, reads: u32) -> Measured {
    let cycles = 60_000;
    Traffic { pattern, reads, offered: 2, every: 1, cycles, seed: 1 }.measure(&banks(""))
}

/// The mean latency of a read now and then.
fn seldom(pattern: Pattern) -> f64 {
    let (every, cycles) = (500, 60_000);
    let traffic = Traffic { pattern, reads: 100, offered: 1, every, cycles, seed: 1 };
    traffic.measure(&banks("")).read_latency.unwrap()
}

/// What the traffic of a row of the table gives: bytes a nanosecond, or cycles of an idle channel.
///
/// The table does not say how seldom its idle reads come. A bank closes its rows for refreshes and
/// reads wait for them, so that matters; with a read every 500 ns both agree.
fn found(name: &str) -> f64 {
    match name {
        "seq64_read" => saturate(Pattern::Sequential, 100).bandwidth,
        "seq64_write" => saturate(Pattern::Sequential, 0).bandwidth,
        "stride512_read" => saturate(Pattern::Stride(512), 100).bandwidth,
        "stride4K_read" => saturate(Pattern::Stride(4096), 100).bandwidth,
        "stride64K_read" => saturate(Pattern::Stride(1 << 16), 100).bandwidth,
        "stride1M_read" => saturate(Pattern::Stride(1 << 20), 100).bandwidth,
        "random_read" => saturate(Pattern::Random, 100).bandwidth,
        "random_write" => saturate(Pattern::Random, 0).bandwidth,
        "seq_mix90R" => saturate(Pattern::Sequential, 90).bandwidth,
        "seq_mix66R" => saturate(Pattern::Sequential, 66).bandwidth,
        "seq_mix50R" => saturate(Pattern::Sequential, 50).bandwidth,
        "rand_mix50R" => saturate(Pattern::Random, 50).bandwidth,
        "idle_row_miss" => seldom(Pattern::Random),
        "idle_row_hit" => seldom(Pattern::Stride(0)),
        other => panic!("the table has a row `{other}`"),
    }
}

fn check(rows: &[(String, f64)]) -> String {
    let mut table = String::from("traffic           DRAMsim3      kbc   error\n");
    let mut worst = 0f64;
    for (name, expected) in rows {
        let found = found(name);
        let error = (found / expected - 1.0) * 100.0;
        worst = worst.max(error.abs());
        writeln!(table, "{name:16} {expected:9.2} {found:8.2} {error:+6.1} %").unwrap();
    }
    assert!(worst <= 5.0, "{table}");
    table
}

#[test]
fn some_traffic_agrees_with_dramsim3() {
    let rows = [
        ("seq64_read", 29.49),
        ("stride4K_read", 7.88),
        ("stride64K_read", 1.24),
        ("random_write", 7.96),
        ("seq_mix66R", 26.59),
        ("idle_row_hit", 30.7),
        ("idle_row_miss", 45.2),
    ];
    check(&rows.map(|(name, expected)| (name.to_owned(), expected)));
}

#[test]
fn all_traffic_of_the_table_agrees_with_dramsim3() {
    let Some(text) = outside::table("dramsim3_hbm2_1ch.csv") else { return };
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let expected = cells[1].parse().or_else(|_| cells[3].parse()).unwrap();
        (cells[0].to_owned(), expected)
    };
    let rows: Vec<(String, f64)> = text.lines().skip(1).map(row).collect();
    assert_eq!(rows.len(), 14);
    let _ = write!(std::io::stderr(), "{}", check(&rows));
}

/// The latencies of reads that come one after the other, each when the one before is done and
/// everything but the open row forgotten.
fn one_by_one(addresses: &[u64]) -> Vec<u64> {
    let mut controller = Controller::new(&banks(", tREFI: 0"));
    let mut cycle = 0;
    let mut latencies = Vec::new();
    for address in addresses {
        controller.take(Request { number: cycle, address: *address, writes: false });
        let begun = cycle;
        let end = loop {
            cycle += 1;
            if let Some((_, end)) = controller.tick() {
                break end;
            }
        };
        latencies.push(end - begun);
        while cycle < end + 100 {
            assert_eq!(controller.tick(), None);
            cycle += 1;
        }
    }
    latencies
}

#[test]
fn a_lone_read_pays_what_its_row_needs() {
    // In front of its bank for a cycle, then: activate, read, two cycles of data.
    let closed = 1 + 14 + 14 + 2;
    // The row is open.
    let open = 1 + 14 + 2;
    // Another row is, and has to be closed first.
    let conflict = 1 + 14 + 14 + 14 + 2;
    // Rows have 2 KB, and those of one bank follow each other 32 KB apart.
    let found = one_by_one(&[0, 64, 32768, 0, 2048, 2048 + 1984]);
    assert_eq!(found, [closed, open, conflict, conflict, closed, open]);
}

#[test]
fn activates_and_refreshes_bound_what_is_random() {
    let measure = |pattern, keys| {
        let cycles = 120_000;
        Traffic { pattern, reads: 100, offered: 2, every: 1, cycles, seed: 7 }.measure(&banks(keys))
    };
    // At most four activates in 30 cycles, each for 64 bytes.
    let bound = 4.0 * 64.0 / 30.0;
    let random = measure(Pattern::Random, ", tREFI: 0").bandwidth;
    // (The first four of 16,000 come without having waited.)
    assert!(random <= 1.001 * bound && random > 0.97 * bound, "{random}");
    // One bank: a row every tRAS + tRP.
    let one_bank = measure(Pattern::Stride(1 << 16), ", tREFI: 0").bandwidth;
    assert!((one_bank / (64.0 / 48.0) - 1.0).abs() < 0.002, "{one_bank}");
    // In order the bus never waits but for the turn from bank to bank at the start.
    let in_order = measure(Pattern::Sequential, ", tREFI: 0").bandwidth;
    assert!(in_order <= 32.0 && in_order > 31.9, "{in_order}");
    // A refresh takes tRFC out of tREFI, and a little more to begin.
    let refreshed = measure(Pattern::Sequential, "").bandwidth;
    let left = 32.0 * (1.0 - 260.0 / 3900.0);
    assert!(refreshed <= left && refreshed > 0.98 * left, "{refreshed}");
}

#[test]
fn the_command_measures_what_the_library_does() {
    let line =
        "probe --topology topology/hbm_banks.yaml --memory random,stride=64K --mix 50:50 --json";
    let ran = kbc_here(line);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let result: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let random = saturate(Pattern::Random, 50);
    assert_eq!(result["memory"][0]["accesses"].as_u64(), Some(random.accesses));
    assert_eq!(result["memory"][1]["order"], "stride=65536");
    // Machines without banks have nothing to measure, and a mix is of a hundred.
    let refused = kbc_here("probe --memory random");
    assert_eq!((refused.code, refused.stderr.contains("enabled: true")), (2, true));
    assert_eq!(kbc_here("probe --memory random --mix 50:51").code, 2);
}
