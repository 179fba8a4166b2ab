//! How fast programs are simulated: the ring all-reduce of PEERS.md, 1 MiB over N PEs.
//!
//! Counts are printed once; items a second are messages. "no log" drops records, as
//! `--no-explain` does; "log" keeps them in memory. The direct ring is the machine of PEERS.md,
//! one link a message; the row has routers and slots that cost time: a message passes three links
//! and shares them with what comes back.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench stops at the first surprise and prints"
)]

#[path = "../tests/sim_kit/mod.rs"]
mod sim_kit;

use divan::Bencher;
use divan::counter::ItemsCount;
use kbc::command::Program;
use kbc::oplog::{LogSink, MemoryLog, NoLog};
use kbc::sim::{Mode, Options, Outcome, simulate};
use kbc::topology::Machine;
use sim_kit::{costly_pe, free_pe, link, ring_all_reduce, ring_machine, row_machine};

fn main() {
    for (name, n) in [("direct", 256), ("direct", 1024), ("row", 256)] {
        let (program, machine) = case(name, n);
        let outcome = run(&program, &machine, &mut NoLog::default(), Mode::Trains);
        let (messages, events) = (outcome.messages, outcome.events);
        let commands = outcome.counters.commands;
        let hops = outcome.counters.hops;
        println!(
            "{name} ring of {n}: {} simulated, {messages} messages, {hops} link-hops, \
             {commands} commands, {events} events ({:.2} a message)",
            outcome.time,
            events as f64 / messages as f64
        );
    }
    divan::main();
}

fn case(name: &str, n: u32) -> (Program, Machine) {
    let program = ring_all_reduce(n, (1 << 20) / u64::from(n), 4);
    let machine = match name {
        "direct" => ring_machine(n, free_pe(), &link(64.0, 100_000)),
        _ => row_machine(n, costly_pe(), &link(64.0, 500), 2000),
    };
    (program, machine)
}

fn run(program: &Program, machine: &Machine, log: &mut impl LogSink, mode: Mode) -> Outcome {
    let options = Options { mode, ..Options::default() };
    simulate(program, machine, &options, log, &mut |_| {}).expect("the ring runs to its end")
}

fn bench<L: LogSink + Default>(bencher: Bencher<'_, '_>, name: &str, n: u32, mode: Mode) {
    let (program, machine) = case(name, n);
    bencher
        .counter(ItemsCount::new(2 * u64::from(n) * u64::from(n - 1)))
        .bench(|| run(&program, &machine, &mut L::default(), mode).time);
}

#[divan::bench(args = [256, 1024], sample_count = 5, sample_size = 1)]
fn direct_no_log(bencher: Bencher<'_, '_>, n: u32) {
    bench::<NoLog>(bencher, "direct", n, Mode::Trains);
}

#[divan::bench(args = [256, 1024], sample_count = 5, sample_size = 1)]
fn direct_log(bencher: Bencher<'_, '_>, n: u32) {
    bench::<MemoryLog>(bencher, "direct", n, Mode::Trains);
}

#[divan::bench(args = [256], sample_count = 5, sample_size = 1)]
fn row_no_log(bencher: Bencher<'_, '_>, n: u32) {
    bench::<NoLog>(bencher, "row", n, Mode::Trains);
}

#[divan::bench(args = [256], sample_count = 3, sample_size = 1)]
fn direct_flit_by_flit(bencher: Bencher<'_, '_>, n: u32) {
    bench::<NoLog>(bencher, "direct", n, Mode::FlitByFlit);
}
