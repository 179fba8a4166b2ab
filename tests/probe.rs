//! The probe against closed forms and against what must hold of every machine.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

mod sim_kit;

use kbc::diag::Sink;
use kbc::driver::{ProbeOptions, ProbeReport, Probed, Transfer, max_min, measure, probe};
use kbc::source::SourceMap;
use kbc::topology::{self, Machine, PeId, SlotKind};
use kbc::units::Ps;

fn machine(file: &str) -> Machine {
    let text = std::fs::read_to_string(format!("topology/{file}.yaml")).unwrap();
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let id = sources.add(format!("{file}.yaml"), text);
    topology::load(&sources, id, &mut sink).unwrap().build(&mut sink).unwrap()
}

fn options(cases: &[&str], bytes: u64) -> ProbeOptions {
    ProbeOptions { cases: cases.iter().map(|it| it.to_string()).collect(), bytes, writes: false }
}

fn writing(cases: &[&str], bytes: u64) -> ProbeOptions {
    ProbeOptions { writes: true, ..options(cases, bytes) }
}

fn case<'r>(report: &'r ProbeReport, name: &str) -> &'r Probed {
    report.cases.iter().find(|it| it.case.name == name).unwrap()
}

#[test]
fn parts_add_up_and_latency_grows_with_distance() {
    let machine = machine("default");
    for bytes in [256, 4096, 16 << 10] {
        let report = probe(&machine, &options(&["dma"], bytes)).unwrap();
        for probed in &report.cases {
            let split = probed.sample.split;
            let sum = split.overhead + split.wire + split.serialisation + split.queueing;
            assert_eq!(sum, probed.sample.total, "{}", probed.case.name);
            assert_eq!(split.queueing, Ps::ZERO, "{} is alone", probed.case.name);
        }
        let total = |name| case(&report, name).sample.total;
        let order = ["pe-local", "pe-same-half", "pe-cross-half", "pe-next-cube", "pe-far-cube"];
        for pair in order.windows(2) {
            assert!(total(pair[0]) < total(pair[1]), "{pair:?} at {bytes} B");
        }
    }
}

#[test]
fn every_shipped_machine_can_be_probed() {
    for file in ["default", "kernbench", "small", "ring8"] {
        let report = probe(&machine(file), &options(&["dma"], 4096)).unwrap();
        assert!(report.cases.iter().any(|it| it.case.name == "pe-local"), "{file}");
        assert!(report.text().contains("one PE at a time"));
    }
}

#[test]
fn cases_are_chosen_by_name_or_group() {
    let machine = machine("small");
    let report = probe(&machine, &options(&["pe-local", "pe-next-cube"], 4096)).unwrap();
    assert_eq!(report.cases.len(), 2);
    assert!(report.text().contains("route of the bytes: pe-next-cube"));
    assert!(probe(&machine, &options(&["nowhere"], 4096)).is_err());
}

/// The own slice of 16 KiB on the default machine, by hand: 1 ns to dispatch, 1 of DMA; 64 bursts at
/// 256 B/ns, one of which is on each of the two links and half a one in TCM beside.
#[test]
fn the_own_slice_has_a_closed_form() {
    let report = probe(&machine("default"), &options(&["pe-local"], 16 << 10)).unwrap();
    assert_eq!(case(&report, "pe-local").sample.total, Ps(1000 + 1000 + 64_000 + 1000 + 500));
}

/// kernbench's published times of 16 KB (its PEs write), in nanoseconds. Those of one controller must
/// be met within 5 %; the others are held to what `docs/validation.md` says of them, line by line.
#[test]
fn kernbench_times_of_pe_dma() {
    let machine = machine("kernbench");
    let report = probe(&machine, &writing(&["dma", "contention"], 16 << 10)).unwrap();
    let found = |name: &str| case(&report, name).sample.total.as_ns();
    for (name, published) in
        [("pe-local", 77.0), ("ctrl-1", 82.0), ("ctrl-2", 158.0), ("ctrl-3", 230.0)]
    {
        let error = found(name) / published - 1.0;
        assert!(error.abs() <= 0.05, "{name}: {} ns, published {published}", found(name));
    }
    let all: Vec<Transfer> =
        (0..8).map(|pe| Transfer { issuer: PeId(pe), owner: PeId(0), writes: true }).collect();
    let eight = measure(&machine, &all, 16 << 10).unwrap().makespan.as_ns();
    assert!((eight / 558.0 - 1.0).abs() <= 0.05, "8 PEs at the slice of pe0: {eight} ns");
}

/// What 128 PEs get of kernbench's aggregate peaks: 27.2 TB/s of their own slices, 83 %.
#[test]
fn kernbench_rates_of_all_pes() {
    let report = probe(&machine("kernbench"), &writing(&["all-own"], 16 << 10)).unwrap();
    let sample = &case(&report, "all-own").sample;
    assert!((sample.gb_per_s / 27_200.0 - 1.0).abs() <= 0.05, "{} GB/s", sample.gb_per_s);
    assert!((sample.utilisation() - 83.0).abs() <= 5.0, "{} %", sample.utilisation());
}

/// Sizes from 64 B to 1 MiB, and those that kernbench publishes.
fn sizes() -> Vec<u64> {
    let mut sizes: Vec<u64> = (6..=20).map(|bits| 1 << bits).chain([384]).collect();
    sizes.sort_unstable();
    sizes
}

/// A store of so many bytes from PE 0 to the memory of another PE.
fn raw(machine: &Machine, to: u32, bytes: u64) -> Ps {
    let transfer = Transfer { issuer: PeId(0), owner: PeId(to), writes: true };
    measure(machine, &[transfer], bytes).unwrap().makespan
}

/// A message is never faster than a store of as many bytes to the same PE, over the same links to the
/// same kind of memory: to HBM, and, where HBM takes no time (as on the default machine, which commits
/// a burst when it has come), to TCM.
#[test]
fn queues_are_never_faster_than_raw_dma() {
    let cases =
        [("default", SlotKind::Tcm), ("default", SlotKind::Hbm), ("kernbench", SlotKind::Hbm)];
    for (file, kind) in cases {
        let machine = machine(file);
        for to in [1, 4, 7, 8, 127, 128] {
            for bytes in sizes() {
                let raw = raw(&machine, to, bytes);
                let queue = sim_kit::over_queue(&machine, kind, (0, to), bytes);
                assert!(queue >= raw, "{file} {bytes} B to PE {to}: {queue} < {raw}");
            }
        }
    }
}

/// PE 0 to PE 1 of its cube, whose figures kernbench publishes at three sizes: the table of docs/validation.md.
#[test]
fn queues_beside_raw_dma_and_kernbench() {
    let published = [(128, "31.14 / 12.02"), (256, "32.64 / 13.02"), (384, "34.14 / 14.02")];
    let machines = ["kernbench", "default"].map(machine);
    let page = std::fs::read_to_string("docs/validation.md").unwrap();
    for bytes in sizes() {
        let mut row = format!("| {bytes} |");
        for machine in &machines {
            row += &format!(" {:.2} |", raw(machine, 1, bytes).as_ns());
            for kind in [SlotKind::Tcm, SlotKind::Hbm] {
                let queue = sim_kit::over_queue(machine, kind, (0, 1), bytes);
                row += &format!(" {:.2} |", queue.as_ns());
            }
        }
        let theirs = published.iter().find(|it| it.0 == bytes).map_or("", |it| it.1);
        row += &format!(" {theirs} |");
        println!("{row}");
        assert!(page.contains(&row), "docs/validation.md has another row: {row}");
    }
}

/// By hand on a ring of links of 64 GB/s: PEs 1 and 2 both go through the link from 1 to 0, PE 7 comes
/// from the other side.
#[test]
fn max_min_shares_are_fair() {
    let machine = machine("ring8");
    let route = |from: u32, to: u32| {
        machine.route(machine.pe(PeId(from)).dma, machine.pe(PeId(to)).dma).unwrap()
    };
    let rates = max_min(&machine, &[route(1, 0), route(2, 0), route(7, 0), route(2, 1)]);
    // 2 -> 0 and 2 -> 1 share the link from 2 to 1, 1 -> 0 and 2 -> 0 the one from 1 to 0.
    assert_eq!(rates, [32.0, 32.0, 64.0, 32.0]);
}

#[test]
fn the_host_is_probed_too() {
    let report = probe(&machine("default"), &options(&["host"], 32 << 10)).unwrap();
    let total = |name| case(&report, name).sample.total;
    assert!(total("d2h-near") >= total("h2d-near"));
    assert!(total("d2h-far") >= total("h2d-far"));
    assert!(total("h2d-near") < total("h2d-far"));
    for probed in &report.cases {
        let split = probed.sample.split;
        assert_eq!(split.overhead + split.wire + split.serialisation, probed.sample.total);
        let far = probed.hops.last().unwrap().last;
        assert!(far <= probed.sample.total, "{}", probed.case.name);
    }
}

/// kernbench's 8 PEs that send to their likes in the next cube, 963 ns: seven of them take one UCIe
/// connection. Seven PEs and one connection here, in the same 6 x 6 routers.
#[test]
fn seven_pes_on_one_connection() {
    let text = "sip: {ucie: {connections: 1}}\ncube: {noc: {w: 6, h: 6}, hbm_ctrl: {commit_ns: 8}}";
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let id = sources.add("one.yaml", text);
    let machine = topology::load(&sources, id, &mut sink).unwrap().build(&mut sink).unwrap();
    let seven: Vec<Transfer> =
        (0..7).map(|pe| Transfer { issuer: PeId(pe), owner: PeId(8 + pe), writes: true }).collect();
    let found = measure(&machine, &seven, 16 << 10).unwrap().makespan.as_ns();
    assert!((found / 963.0 - 1.0).abs() <= 0.05, "{found} ns");
}
