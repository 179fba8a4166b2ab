//! The probe against closed forms and against what must hold of every machine.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

use kbc::diag::Sink;
use kbc::driver::{ProbeOptions, ProbeReport, Probed, probe};
use kbc::source::SourceMap;
use kbc::topology::{self, Machine};
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
