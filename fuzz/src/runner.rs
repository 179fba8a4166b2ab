//! The loop: makes inputs, runs them one at a time, keeps what is new, and stops at the first that
//! panics or does not end.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::target::{Drawn, Target};

/// The most inputs that a pool holds beside its seeds.
const MAX_KEPT: usize = 2048;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Inputs.
    pub executions: u64,
    /// Time in all.
    pub time: Duration,
    /// Time of one input, after which it counts as one that does not end.
    pub patience: Duration,
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Inputs run.
    pub executions: u64,
    /// How long it took.
    pub time: Duration,
    /// Different things drawn.
    pub drawn: BTreeSet<Drawn>,
    /// How many inputs got how far.
    pub reached: [u64; 8],
    /// The first input that failed, and how.
    pub failure: Option<Failure>,
}

/// An input of which something does not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// What it did.
    pub what: String,
}

enum Event {
    Begun(Vec<u8>),
    Ended(Result<Drawn, String>),
}

/// Fuzzes `target` with the inputs that `seed` decides. Each is written to `last` before it is run,
/// so that one that ends the process is not lost.
pub fn fuzz(target: Target, seed: u64, limits: Limits, last: Option<PathBuf>) -> Summary {
    let (sender, events) = channel();
    let work = move || inputs(target, seed, &sender, last.as_deref());
    let worker = spawn(work);
    let summary = watch(&events, limits);
    drop(events);
    if summary.failure.is_none() {
        // The worker ends when it finds that nobody listens.
        drop(worker.join());
    }
    summary
}

/// Runs one input; what it did if something does not hold.
pub fn run(target: Target, input: &[u8], patience: Duration) -> Option<Failure> {
    let (sender, events) = channel();
    let owned = input.to_vec();
    spawn(move || drop(send(target, owned, &sender)));
    let limits = Limits { executions: 1, time: Duration::MAX, patience };
    watch(&events, limits).failure
}

/// As much stack as the command's main thread has.
fn spawn(work: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    let builder = thread::Builder::new().stack_size(8 << 20);
    builder.spawn(work).expect("the system has a thread left")
}

/// Makes and runs inputs until nobody listens.
fn inputs(target: Target, seed: u64, sender: &Sender<Event>, last: Option<&Path>) {
    let mut dice = Dice::new(seed);
    let mut pool = target.seeds();
    let (seeds, mut seen) = (pool.len(), BTreeSet::new());
    for at in 0.. {
        let input = match pool.get(at).filter(|_| at < seeds) {
            Some(seed) => seed.clone(),
            None => {
                let (one, other) = (dice.below(pool.len()), dice.below(pool.len()));
                target.mutate(&pool[one], &pool[other], &mut dice)
            }
        };
        if last.is_some_and(|path| std::fs::write(path, &input).is_err()) {
            return;
        }
        let Some(drawn) = send(target, input.clone(), sender) else { return };
        if seen.insert(drawn) && at >= seeds && pool.len() < seeds + MAX_KEPT {
            pool.push(input);
        }
    }
}

/// Runs an input and tells of it; nothing if it failed or nobody listens.
fn send(target: Target, input: Vec<u8>, sender: &Sender<Event>) -> Option<Drawn> {
    sender.send(Event::Begun(input.clone())).ok()?;
    let ended = caught(|| target.run(&input));
    let drawn = ended.as_ref().ok().cloned();
    sender.send(Event::Ended(ended)).ok()?;
    drawn
}

/// What a panic said, and where.
fn caught(run: impl FnOnce() -> Drawn) -> Result<Drawn, String> {
    static LAST: OnceLock<Mutex<String>> = OnceLock::new();
    let last = LAST.get_or_init(|| {
        std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
            if let Some(Ok(mut last)) = LAST.get().map(Mutex::lock) {
                *last = info.to_string();
            }
        }));
        Mutex::new(String::new())
    });
    let said = |_| last.lock().map_or_else(|_| String::from("it panics"), |last| last.clone());
    catch_unwind(AssertUnwindSafe(run)).map_err(said)
}

fn watch(events: &Receiver<Event>, limits: Limits) -> Summary {
    let (mut summary, mut current) = (Summary::default(), Vec::new());
    let begun = Instant::now();
    while summary.executions < limits.executions && begun.elapsed() < limits.time {
        match events.recv_timeout(limits.patience) {
            Ok(Event::Begun(input)) => current = input,
            Ok(Event::Ended(Ok(drawn))) => {
                summary.executions += 1;
                summary.reached[usize::from(drawn.reached).min(7)] += 1;
                summary.drawn.insert(drawn);
            }
            Ok(Event::Ended(Err(what))) => {
                summary.failure = Some(Failure { input: current, what });
                break;
            }
            Err(RecvTimeoutError::Timeout) => {
                let what = format!("it does not end within {} s", limits.patience.as_secs());
                summary.failure = Some(Failure { input: current, what });
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    summary.time = begun.elapsed();
    summary
}
