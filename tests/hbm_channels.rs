//! Pseudo-channels of HBM: what blocks that are not contiguous cost, and what transfers that meet
//! at one controller do, against closed forms and kernbench's published times.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod sim_kit;

use kbc::command::Program;
use kbc::diag::Sink;
use kbc::launch::{AddressMap, Placement, Region, Shard};
use kbc::oplog::Engine;
use kbc::source::SourceMap;
use kbc::topology::{Machine, PeId, load};
use sim_kit::*;

/// A machine as YAML.
fn machine(name: &str, text: &str) -> Machine {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let file = sources.add(name, text);
    load(&sources, file, &mut sink).unwrap().build(&mut sink).unwrap()
}

fn kernbench() -> Machine {
    machine("kernbench.yaml", include_str!("../topology/kernbench.yaml"))
}

/// Memory at address 0 that lies in one PE's slice.
fn in_slice_of(pe: u32, bytes: u64, mut it: Program) -> Program {
    let shards = vec![Shard { offset: 0, bytes, pe: PeId(pe) }];
    let placement = Placement::Sharded(shards);
    it.memory = AddressMap::new(vec![Region { name: "x".into(), base: 0, bytes, placement }]);
    it
}

/// The time in which `issuers` each write, or read, `bytes` of one slice, in nanoseconds.
fn together(machine: &Machine, issuers: &[u32], slice: u32, (bytes, writes): (u64, bool)) -> f64 {
    let codes = issuers.iter().map(|_| {
        let mut it = Writer::new();
        let tile = it.fresh(bytes);
        if writes {
            it.store(tile, 0, bytes / 4)
        } else {
            it.load(tile, 0, bytes / 4)
        }
        it.done()
    });
    let mut it = program(codes.collect());
    let pes: Vec<_> = it.agents.ids().zip(issuers).collect();
    for (agent, pe) in pes {
        it.agents[agent].pe = PeId(*pe);
    }
    run(&in_slice_of(slice, bytes, it), machine).outcome.time.as_ns()
}

fn implied() -> Machine {
    kbc::topology::Spec::implied().build(&mut Sink::new()).unwrap()
}

/// The time of one load, or store, of a block of the own slice, in picoseconds.
fn block(machine: &Machine, dims: &[(u64, i64)], writes: bool) -> u64 {
    let mut it = Writer::new();
    let tile = it.fresh(dims.iter().map(|(extent, _)| extent).product::<u64>() * 4);
    if writes {
        it.store_block(tile, 0, dims)
    } else {
        it.load_block(tile, 0, dims)
    }
    run(&in_slice_of(0, 1 << 26, program(vec![it.done()])), machine).outcome.time.0
}

/// Dispatch and DMA.
const ISSUE: u64 = 1000 + 1000;

/// From when a load's last flit has left the controller: the link of the router, then TCM.
const BACK: u64 = 1000 + 500;

/// To when a store's first flit is at the controller: TCM, then two links.
const OUT: u64 = 500 + 1000 + 1000;

#[test]
fn what_is_contiguous_costs_its_bytes() {
    let machine = implied();
    for bytes in [4u64, 256, 1000, 4096, 16384] {
        let at_256 = (bytes * 1000).div_ceil(256);
        // The last flit follows a whole one over the second link, and has its true size in TCM.
        let (whole, tail) = (256.min(bytes), bytes - (bytes - 1) / 256 * 256);
        let behind = (whole * 1000).div_ceil(256) + (tail * 1000).div_ceil(512);
        let found = block(&machine, &[(bytes / 4, 4)], false);
        assert!(found.abs_diff(ISSUE + at_256 + behind) <= 1, "{bytes}: {found}");
    }
    // In whatever order the tile has it, and by rows that follow each other.
    let whole = ISSUE + 64_000 + BACK;
    assert_eq!(block(&machine, &[(64, 4), (64, 256)], false), whole);
    assert_eq!(block(&machine, &[(64, 256), (64, 4)], false), whole);
}

#[test]
fn rows_shorter_than_a_burst_cost_bursts() {
    let machine = implied();
    // 32 rows of 128 bytes, 256 apart: 32 bursts of 1 ns, not 16.
    assert_eq!(block(&machine, &[(32, 256), (32, 4)], false), ISSUE + 32_000 + BACK);
    // A column of 64 elements, five bursts apart: over 64 steps all eight channels serve eight.
    assert_eq!(block(&machine, &[(64, 1280)], false), ISSUE + 64_000 + BACK);
    // A row of every other element: the bursts between its ends.
    assert_eq!(block(&machine, &[(512, 8)], false), ISSUE + 16_000 + BACK);
}

#[test]
fn a_column_costs_what_its_busiest_channel_costs() {
    let machine = implied();
    // Four bursts apart: channels 0 and 4, with 32 bursts of 8 ns each. Their last two begin at
    // 31 x 8 ns and leave one after the other.
    assert_eq!(block(&machine, &[(64, 1024)], false), ISSUE + 248_000 + 2000 + BACK);
    // Eight apart: one channel. The 64th begins at 63 x 8 ns.
    assert_eq!(block(&machine, &[(64, 2048)], false), ISSUE + 504_000 + 1000 + BACK);
    // Stored, bursts come one a ns and wait in front of their channel; what is taken is stored.
    assert_eq!(block(&machine, &[(64, 2048)], true), ISSUE + OUT + 504_000);
    assert_eq!(block(&machine, &[(64, 1024)], true), ISSUE + OUT + 1000 + 248_000);
}

#[test]
fn without_channels_a_column_costs_its_bursts_and_no_more() {
    let text = "cube: {hbm_ctrl: {pseudo_channels: none}}";
    let machine = machine("plain.yaml", text);
    for stride in [1024, 1280, 2048] {
        assert_eq!(block(&machine, &[(64, stride)], false), ISSUE + 64_000 + BACK, "{stride}");
    }
}

#[test]
fn efficiency_slows_channels_and_their_link_alike() {
    let machine = machine("slow.yaml", "cube: {hbm_ctrl: {efficiency: 0.8}}");
    // 256 bytes at 204.8 B/ns are 1.25 ns; a channel takes 10 ns.
    assert_eq!(block(&machine, &[(4096, 4)], false), ISSUE + 80_000 + BACK);
    assert_eq!(block(&machine, &[(64, 2048)], false), ISSUE + 630_000 + 1250 + BACK);
}

#[test]
fn a_change_of_direction_is_paid_by_a_busy_channel() {
    let time = |turnaround: u32| {
        let text = format!("cube: {{hbm_ctrl: {{turnaround_ns: {turnaround}, commit_ns: 8}}}}");
        let machine = machine("turns.yaml", &text);
        let mut it = Writer::new();
        let (out, back) = (it.fresh(2048), it.fresh(2048));
        it.store(out, 0, 512);
        it.load(back, 0, 512);
        let ran = run(&in_slice_of(0, 1 << 20, program(vec![it.done()])), &machine);
        ran.records.iter().find(|it| it.engine == Engine::DmaRead).unwrap().end.0
    };
    // Eight bursts were stored, one a ns, and the load's request comes 1 ns after the last channel
    // was done: 8 ns after the first one was. So much of a turn has passed by then; each channel
    // after the first is a ns later, as is its turn at the link.
    assert_eq!([time(8) - time(0), time(20) - time(0)], [0, 12_000]);
}

/// kernbench's published times of transfers of 16 KB, in nanoseconds. It does not say which PEs
/// meet at which controller; these are PEs 0, 1 and 2 at the slice of PE 5.
#[test]
fn kernbench_times_of_one_controller() {
    let machine = kernbench();
    let cases: [(&[u32], u32, f64); 4] =
        [(&[0], 0, 77.0), (&[0], 5, 82.0), (&[0, 1], 5, 158.0), (&[0, 1, 2], 5, 230.0)];
    for (issuers, slice, published) in cases {
        let found = together(&machine, issuers, slice, (16384, true));
        let error = found / published - 1.0;
        eprintln!(
            "{issuers:?} into the slice of PE {slice}: {found:7.2} ns, published {published} ns, {:+.1} %",
            error * 100.0
        );
        assert!(error.abs() <= 0.05, "{issuers:?}");
    }
    // Its eight PEs at the slice of PE 0 took 558 ns.
    let all: Vec<u32> = (0..8).collect();
    let found = together(&machine, &all, 0, (16384, true));
    assert!((found / 558.0 - 1.0).abs() <= 0.05, "{found}");
}

/// Loads, one when the one before is done, of 2 KB of the own slice at these addresses: what each
/// takes from its request to its last byte in TCM.
fn with_banks(addresses: &[u64]) -> Vec<u64> {
    let text = "cube: {hbm_ctrl: {banks: {enabled: true}}, pe_template: {components: {pe_dma: \
                {attrs: {outstanding: 1}}}}}";
    let mut it = Writer::new();
    for address in addresses {
        let tile = it.fresh(2048);
        it.load(tile, *address, 512);
    }
    let program = in_slice_of(0, 1 << 30, program(vec![it.done()]));
    let ran = run(&program, &machine("banks.yaml", text));
    ran.records.iter().map(|it| it.end.0 - it.start.0).collect()
}

#[test]
fn banks_make_rows_felt() {
    // 2 KB are a burst of each of eight channels: four accesses, two cycles apart, the first of
    // which waits for its row. A transfer pays DMA, this, eight flits, and the way back.
    let transfer = |row: u64| 1000 + (row + 3 * 2 + 14 + 2) * 1000 + 8000 + BACK;
    // A channel's row of 2 KB is 16 KB of the slice, and a bank's next row is 16 banks on.
    let next_row = 16 * 16384;
    let found = with_banks(&[0, 2048, next_row, next_row + 4096, 16384]);
    // Commands go by whole cycles of 1 ns; loads begin at fractions of one.
    let expected = [14, 0, 14 + 14, 0, 14].map(transfer);
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.abs_diff(expected) < 1000, "{found} and {expected}");
    }
}

#[test]
fn banks_stream_at_what_refreshes_leave() {
    let machine = machine("banks.yaml", "cube: {hbm_ctrl: {banks: {enabled: true}}}");
    // A megabyte: a bit more than one refresh in 4 us.
    let bytes = 1u64 << 20;
    let found = block(&machine, &[(bytes / 4, 4)], false) as f64 / 1000.0;
    let refreshed = bytes as f64 / 256.0 + 260.0;
    assert!(found > refreshed && found < refreshed * 1.03, "{found} and {refreshed}");
    // Row after row of one bank of each channel: one every tRAS + tRP, and nothing overlaps.
    let rows = 64;
    let found = block(&machine, &[(rows, 16 * 16384), (512, 4)], false) as f64 / 1000.0;
    assert!((found / (rows as f64 * 48.0) - 1.0).abs() < 0.05, "{found}");
}
