//! The host's messages: the launch barrier, replies, memory accesses, against closed forms.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

use kbc::diag::Sink;
use kbc::sim::{Access, Host, HostPath, HostWork, Load};
use kbc::source::SourceMap;
use kbc::topology::{self, Machine, PeId, Spec};
use kbc::units::Ps;

fn spec(file: &str) -> Spec {
    let text = std::fs::read_to_string(format!("topology/{file}.yaml")).unwrap();
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let id = sources.add(format!("{file}.yaml"), text);
    topology::load(&sources, id, &mut sink).unwrap()
}

fn build(spec: &Spec) -> Machine {
    spec.build(&mut Sink::new()).unwrap()
}

/// Every PE has the launch before the barrier, the last one exactly then, and all start together.
fn no_spread(pes: u32) {
    let machine = build(&spec("default").grow_to(pes));
    assert_eq!(machine.pe_count(), pes);
    let mut host = Host::new(&machine, pes).unwrap();
    // A barrier after other messages is as good.
    host.tell(Load { shared: 240, own: 32 });
    let launched = host.launch();
    assert_eq!(launched.arrivals.len(), pes as usize);
    assert_eq!(launched.arrivals.iter().max(), Some(&launched.target_start));
    let (first, last) = (launched.starts().min().unwrap(), launched.starts().max().unwrap());
    assert_eq!(last - first, Ps::ZERO, "all start together");
    assert!(launched.arrivals.iter().min() < launched.arrivals.iter().max());
}

#[test]
fn all_of_256_pes_start_together() {
    no_spread(256);
}

#[test]
fn all_of_4096_pes_start_together() {
    no_spread(4096);
}

/// The barrier is the slowest way over IO_CPU and M_CPU, worked out from the default YAML: 300 mm and
/// PCIe endpoint; io_noc at 4 mm, IO_CPU at 4 mm; back, a UCIe crossing of two ports for each cube of
/// the column; routers of 2 mm each; M_CPU, PE_CPU.
#[test]
fn the_barrier_is_the_slowest_two_leg_path() {
    let machine = build(&spec("default"));
    let mut host = Host::new(&machine, 256).unwrap();
    let launched = host.launch();
    let way = host.way(PeId(255));
    let names: Vec<&str> = way.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["host", "sip1.io.io_cpu", "sip1.cube15.m_cpu", "sip1.cube15.pe7.cpu"];
    assert_eq!(names, expected);
    // 3 ns of cable + 5 of pcie_ep + 0.04 + 0.04 of io_noc's wires + 10 of io_cpu.
    assert_eq!(way[1].1, Ps(18_080));
    let latency = |from: &str, to: &str| {
        let [from, to] = [from, to].map(|name| machine.find(name).unwrap());
        machine.latency(&machine.route(from, to).unwrap())
    };
    let legs = |pe: u32| {
        let (sip, cube, pe) = (pe / 128, pe / 8 % 16, pe % 8);
        let [io, m, cpu] = [
            format!("sip{sip}.io.io_cpu"),
            format!("sip{sip}.cube{cube}.m_cpu"),
            format!("sip{sip}.cube{cube}.pe{pe}.cpu"),
        ];
        latency(&io, &m) + latency(&m, &cpu)
    };
    let slowest = (0..256).map(legs).max().unwrap();
    assert_eq!(launched.target_start - launched.sent, Ps(18_080) + slowest);
}

#[test]
fn reports_come_after_the_last_end() {
    let machine = build(&spec("default"));
    let work = HostWork { world: 256, ..HostWork::default() };
    let mut ends = vec![Ps(1_000_000); 256];
    let alike = HostPath::of(&machine, &work, (&ends, Ps(1_000_000))).unwrap();
    assert_eq!((alike.mapping, alike.queues), (Ps::ZERO, Ps::ZERO));
    // A PE near the host that ends later by more than the farthest has to go decides alone.
    ends[0] = Ps(2_000_000);
    let late = HostPath::of(&machine, &work, (&ends, Ps(2_000_000))).unwrap();
    assert_eq!(late.launch, alike.launch);
    assert!(late.completion < alike.completion);
}

#[test]
fn what_messages_carry_takes_time_once_a_level() {
    let machine = build(&spec("small"));
    let time = |load: Load| Host::new(&machine, 8).unwrap().tell(load);
    let (empty, full) = (time(Load::default()), time(Load { shared: 64 << 10, own: 0 }));
    assert!(full > empty);
    // The same bytes as own ones are eight times as many on the first leg and twice on the second.
    assert!(time(Load { shared: 0, own: 64 << 10 }) > full);
}

/// Reading takes the same way as writing, the other way round: the requests and answers have no
/// bytes, so D2H is never faster.
#[test]
fn reading_back_is_never_faster_than_writing() {
    for file in ["default", "kernbench", "small"] {
        let machine = build(&spec(file));
        for pe in (0..machine.pe_count()).step_by(7) {
            for bytes in [256, 4096, 32 << 10] {
                let access = |it| Host::new(&machine, 1).unwrap().access(it).unwrap();
                let write = access(Access::Write { owner: PeId(pe), bytes });
                let read = access(Access::Read { owner: PeId(pe), bytes });
                assert!(read.moved >= write.moved, "{file} PE {pe}: {read:?} {write:?}");
                assert!(write.answered > write.moved, "the answer comes after");
            }
        }
    }
}

#[test]
fn a_machine_without_a_host_has_no_host_path() {
    let machine = build(&spec("ring8"));
    assert!(Host::new(&machine, 8).is_none());
}
