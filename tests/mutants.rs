//! A thousand damaged kernels and machines go the whole way: checked, compiled and simulated on
//! four ranks. Each ends, quickly, with a result or with a diagnostic that has a code and points
//! into a file; none panics.
//!
//! The damage is the fuzzer's (`fuzz/src/mutate.rs`). The mutants are the same on every run. A failure
//! names the mutant's number and shows its text; `KBC_MUTANT=number cargo test --test mutants` runs
//! that one alone.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

#[path = "../fuzz/src/dice.rs"]
#[allow(dead_code, unreachable_pub, reason = "the fuzzer uses all of it")]
mod dice;
#[path = "../fuzz/src/mutate.rs"]
#[allow(dead_code, unreachable_pub, reason = "the fuzzer uses all of it")]
mod mutate;
#[path = "../fuzz/src/said.rs"]
#[allow(unreachable_pub, reason = "it is public in the fuzzer")]
mod said;
#[path = "../fuzz/src/words.rs"]
#[allow(dead_code, unreachable_pub, reason = "the fuzzer uses all of it")]
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use dice::Dice;
use kbc::diag::Diagnostic;
use kbc::driver::{
    LaunchOptions, Session, SimError, SimOptions, SimRequest, Stage, StreamChoice, Unit,
};
use mutate::mutate;
use said::well_formed;

const KERNELS: [&str; 9] = [
    include_str!("../kernels/hello_send.kb"),
    include_str!("../kernels/ring_allreduce.kb"),
    include_str!("../kernels/ring_reduce_scatter.kb"),
    include_str!("../kernels/mesh_allreduce.kb"),
    include_str!("../kernels/tree_allreduce.kb"),
    include_str!("../kernels/hierarchical_allreduce.kb"),
    include_str!("../kernels/vector_add.kb"),
    include_str!("../kernels/softmax.kb"),
    include_str!("../kernels/gemm.kb"),
];

const MACHINES: [&str; 4] = [
    include_str!("../topology/default.yaml"),
    include_str!("../topology/kernbench.yaml"),
    include_str!("../topology/ring8.yaml"),
    include_str!("../topology/small.yaml"),
];

/// A damaged kernel or machine.
struct Mutant {
    kernel: Vec<u8>,
    machine: Option<Vec<u8>>,
}

impl Mutant {
    /// The mutant of this number. Three of ten have a machine; in half of these only the machine
    /// is damaged.
    fn new(number: u64) -> Mutant {
        let mut dice = Dice::new(number);
        let [kernel, other] = [0; 2].map(|_| KERNELS[dice.below(KERNELS.len())]);
        let (has_machine, whole) = (dice.below(10) < 3, dice.below(2) == 0);
        let machine = has_machine.then(|| {
            let [machine, other] = [0; 2].map(|_| MACHINES[dice.below(MACHINES.len())].as_bytes());
            mutate(machine, other, &words::YAML, &mut dice)
        });
        let kernel = match has_machine && whole {
            true => kernel.as_bytes().to_vec(),
            false => mutate(kernel.as_bytes(), other.as_bytes(), &words::SOURCE, &mut dice),
        };
        Mutant { kernel, machine }
    }

    fn options(&self) -> LaunchOptions {
        // A file that is no text never gets as far as the options.
        let read = |bytes: &Vec<u8>| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            (String::from("mutant.yaml"), text)
        };
        let topology = self.machine.as_ref().map(read);
        LaunchOptions { world: Some(4), topology, ..LaunchOptions::default() }
    }

    /// How far it got: `check`, `compile` and `sim` that succeeded.
    fn run(&self) -> u32 {
        let options = self.options();
        let checked = self.step(|session, unit| session.check(unit, &options).is_ok());
        let compiled = self.step(|session, unit| {
            let stages = [Stage::Program, Stage::Summary];
            session.emit(unit, &options, (&stages, &StreamChoice::default())).is_ok()
        });
        let simulated = self.step(|session, unit| {
            let sim = SimOptions { threads: Some(1), ..SimOptions::default() };
            let request = SimRequest { unit, launch: &options, sim: &sim };
            match session.simulate(request, &mut |_| {}) {
                // Wrong data are a result, too, and are reported.
                Ok(report) => report.data.verdict() != "mismatch",
                Err(SimError::Program(_)) => false,
                Err(SimError::Usage(error)) => panic!("nothing odd was asked for: {error:?}"),
            }
        });
        u32::from(checked) + u32::from(compiled) + u32::from(simulated)
    }

    /// One command in a session of its own.
    fn step(&self, act: impl FnOnce(&mut Session, &Unit) -> bool) -> bool {
        let mut session = Session::new();
        let unit = session.load("mutant.kb", &self.kernel);
        let is_good = unit.is_ok_and(|unit| act(&mut session, &unit));
        let diagnostics = session.take_diagnostics();
        let has_errors = diagnostics.iter().any(Diagnostic::is_error);
        assert!(is_good || has_errors, "it is refused, and nothing says why");
        diagnostics.iter().for_each(|diagnostic| well_formed(diagnostic, session.sources()));
        is_good && !has_errors
    }
}

/// Every mutant from `numbers`, on a thread of its own so that one that hangs can be named.
fn spawn(numbers: impl Iterator<Item = u64> + Send + 'static) -> Receiver<(u64, Event)> {
    let (sender, events) = channel();
    let work = move || {
        for number in numbers {
            if sender.send((number, Event::Begun)).is_err() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(|| Mutant::new(number).run()));
            let ended = result.map_err(|panic| match panic.downcast::<String>() {
                Ok(message) => *message,
                Err(other) => other.downcast::<&str>().map_or_else(
                    |_| String::from("a panic without words"),
                    |message| (*message).to_owned(),
                ),
            });
            if sender.send((number, Event::Ended(ended))).is_err() {
                return;
            }
        }
    };
    // As much stack as the command's main thread has.
    let builder = std::thread::Builder::new().stack_size(8 << 20);
    builder.spawn(work).expect("the system has a thread left");
    events
}

/// What happens to a mutant.
enum Event {
    Begun,
    /// How many of three commands succeeded, or what the panic said.
    Ended(Result<u32, String>),
}

fn shown(number: u64) -> String {
    let Mutant { kernel, machine } = Mutant::new(number);
    let kernel = String::from_utf8_lossy(&kernel).into_owned();
    let machine = machine.map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default();
    format!("mutant {number}\n{kernel}\n{machine}")
}

/// When a mutant counts as one that never ends: some loop on the host until their steps are used
/// up, which takes a busy machine half a minute.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many of the mutants got through each number of commands; and what went wrong.
fn watch(events: &Receiver<(u64, Event)>) -> ([u32; 4], Vec<String>) {
    let (mut counts, mut failures, mut current) = ([0; 4], Vec::new(), 0);
    loop {
        match events.recv_timeout(PATIENCE) {
            Ok((number, Event::Begun)) => current = number,
            Ok((_, Event::Ended(Ok(passed)))) => counts[passed as usize] += 1,
            Ok((number, Event::Ended(Err(panic)))) => {
                failures.push(format!("panic: {panic}\n{}", shown(number)));
            }
            Err(RecvTimeoutError::Timeout) => {
                failures.push(format!("hangs: {}", shown(current)));
                return (counts, failures);
            }
            Err(RecvTimeoutError::Disconnected) => return (counts, failures),
        }
    }
}

/// The most memory this process has held, where the system says so.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn a_thousand_mutants_end_with_a_result_or_a_reason() {
    let only = std::env::var("KBC_MUTANT").ok().and_then(|number| number.parse::<u64>().ok());
    let range = only.map_or(0..1000, |number| number..number + 1);
    let (counts, failures) = watch(&spawn(range));
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n\n"));
    if let Some(peak) = peak_memory_kib() {
        assert!(peak < 4 << 20, "one of the mutants took {peak} KiB");
    }
    if only.is_none() {
        // Some stop at once and some run to the end, or the mutants test little.
        let [none, .., all] = counts;
        assert!(none >= 100 && all >= 100, "{counts:?}");
    }
}
