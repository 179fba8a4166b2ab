//! The communication check against a naive executor on random kernels.
//!
//! The executor unrolls every stream, runs the agents in a random order, and knows nothing of
//! symmetry. Whatever the order, it must come to the verdict of the check, with and without the
//! shortcut: streams are deterministic and queues have one sender and one receiver.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod lowering;

use std::collections::BTreeMap;

use kbc::command::{AgentId, Command, Message, Place, Program, QueueId, TileRef, Walker};
use kbc::commcheck::{self, Verdict};
use kbc::diag::Sink;
use kbc::ir::{Dim, Function, RecvAsync, TileType, Type, Value, Wait};
use kbc::launch::{IpcqOptions, Launch};
use kbc::ops::{BinaryOp, CompareOp};
use lowering::{Kernel, compile, f16s, launch, sources};

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// A random kernel; `rank` may decide a branch only if `by_rank`.
struct Maker {
    rng: Rng,
    by_rank: bool,
    rank: Option<Value>,
    tile: Option<Value>,
    /// Ops still to be made.
    budget: usize,
}

impl Maker {
    fn function(seed: u64) -> Function {
        let (mut kernel, t_ptr) = Kernel::new();
        let mut rng = Rng(seed);
        let by_rank = rng.below(3) == 0;
        let budget = 3 + rng.below(8);
        let rank = Some(kernel.rank(2));
        let tile = Some(kernel.load(t_ptr, &f16s(8), 3));
        let mut maker = Maker { rng, by_rank, rank, tile, budget };
        maker.block(&mut kernel, 2);
        kernel.end()
    }

    fn block(&mut self, kernel: &mut Kernel, depth: usize) {
        for _ in 0..=self.rng.below(4) {
            if self.budget > 0 {
                self.budget -= 1;
                self.statement(kernel, depth);
            }
        }
    }

    fn statement(&mut self, kernel: &mut Kernel, depth: usize) {
        let tile = self.tile.expect("a tile was loaded");
        match self.rng.below(if depth == 0 { 4 } else { 6 }) {
            // Sends to the east are common, so that receives from the west are fed.
            0 => kernel.send(["E", "E", "S"][self.rng.below(3)], tile, 10),
            1 => self.exchange(kernel),
            2 => {
                let ty = f16s(if self.rng.below(6) == 0 { 4 } else { 8 });
                self.tile = Some(kernel.recv(["W", "W", "N"][self.rng.below(3)], &ty, 11));
                self.tile = Some(tile);
            }
            3 => self.later(kernel),
            4 => {
                let count = 1 + self.rng.below(3) as i64;
                kernel.repeat(count, &[], 14, |kernel, _| {
                    self.block(kernel, depth - 1);
                    vec![]
                });
            }
            _ => self.branch(kernel, depth),
        }
    }

    /// Sends to the east and forwards what came from the west.
    fn exchange(&mut self, kernel: &mut Kernel) {
        let tile = self.tile.expect("a tile was loaded");
        kernel.send("E", tile, 12);
        let received = kernel.recv("W", &f16s(8), 12);
        if self.rng.below(2) == 0 {
            kernel.send("E", received, 12);
            kernel.recv("W", &f16s(8), 12);
        }
    }

    /// Claims a message, sends, then waits for it.
    fn later(&mut self, kernel: &mut Kernel) {
        let tile = TileType::new(vec![Dim::Const(8)], kbc::dtype::DType::F16);
        let future = Type::Future(tile.clone());
        let future = kernel.op(RecvAsync { dir: "W".into() }, vec![future], 13)[0];
        kernel.send("E", self.tile.expect("a tile was loaded"), 13);
        kernel.op(Wait { future }, vec![Type::Tile(tile)], 13);
    }

    fn branch(&mut self, kernel: &mut Kernel, depth: usize) {
        let rank = self.rank.expect("the rank was computed");
        let by = if self.by_rank { rank } else { kernel.int(self.rng.below(3) as i64) };
        let one = kernel.int(1);
        let value = kernel.binary(BinaryOp::Add, by, one, 15);
        let op = if self.rng.below(2) == 0 { CompareOp::Lt } else { CompareOp::Ge };
        let condition = kernel.compare(op, value, 2, 15);
        kernel.when(condition, 15, |kernel| self.block(kernel, depth - 1));
    }
}

/// How a program ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Good,
    Stuck,
    Leftovers,
    Mismatch,
}

#[derive(Default)]
struct Queue {
    sent: Vec<Message>,
    claimed: Vec<Message>,
    released: Vec<bool>,
}

fn slot(tile: TileRef) -> (QueueId, usize) {
    let Place::Slot { queue, token } = tile.place else { panic!("it is in a slot") };
    (queue, token as usize)
}

/// Runs all agents in a random order.
fn execute(program: &Program, rng: &mut Rng) -> End {
    let streams: Vec<Vec<Command>> = program
        .agents
        .ids()
        .map(|agent| {
            let mut walker = Walker::new(program, agent);
            std::iter::from_fn(|| walker.next(program).expect("scalars are good"))
                .map(|step| step.command)
                .collect()
        })
        .collect();
    let mut at = vec![0; streams.len()];
    let mut queues: BTreeMap<(u32, u8), Queue> = BTreeMap::new();
    loop {
        let able: Vec<usize> = (0..streams.len())
            .filter(|agent| {
                streams[*agent].get(at[*agent]).is_some_and(|command| {
                    let agent = AgentId(*agent as u32);
                    can_go_on(program, agent, command, &mut queues)
                })
            })
            .collect();
        if able.is_empty() {
            break;
        }
        let agent = able[rng.below(able.len())];
        go_on(program, AgentId(agent as u32), &streams[agent][at[agent]], &mut queues);
        at[agent] += 1;
    }
    let differs = |queue: &Queue| queue.sent.iter().zip(&queue.claimed).any(|(x, y)| x != y);
    let is_even = |queue: &Queue| queue.sent.len() == queue.claimed.len();
    if queues.values().any(differs) {
        End::Mismatch
    } else if at.iter().zip(&streams).any(|(at, stream)| *at < stream.len()) {
        End::Stuck
    } else if !queues.values().all(is_even) {
        End::Leftovers
    } else {
        End::Good
    }
}

fn can_go_on(
    program: &Program,
    agent: AgentId,
    command: &Command,
    queues: &mut BTreeMap<(u32, u8), Queue>,
) -> bool {
    let mut has_come = |tile| {
        let (queue, token) = slot(tile);
        queues.entry((agent.0, queue.0)).or_default().sent.len() > token
    };
    match command {
        Command::IpcqSend(it) => {
            let Some(peer) = program.comm.peer(agent, it.queue) else { return false };
            let queue = queues.entry((peer.agent.0, peer.queue.0)).or_default();
            let before = (it.token as usize).checked_sub(program.comm.slots as usize);
            before.is_none_or(|before| queue.released.get(before) == Some(&true))
        }
        Command::IpcqRecv(it) => {
            // Asking is part of waiting: an agent that waits has claimed its message.
            let come = has_come(it.slot);
            let (queue, token) = slot(it.slot);
            let claimed = &mut queues.entry((agent.0, queue.0)).or_default().claimed;
            if claimed.len() == token {
                claimed.push(it.message);
            }
            come
        }
        Command::Wait(it) => has_come(it.slot),
        Command::DmaRead(_)
        | Command::DmaWrite(_)
        | Command::DmaGather(_)
        | Command::DmaScatter(_)
        | Command::DmaAtomic(_)
        | Command::MathCmd(_)
        | Command::GemmCmd(_)
        | Command::CompositeCmd(_)
        | Command::CompositeWait(_)
        | Command::IpcqStream(_)
        | Command::IpcqRecvAsync(_)
        | Command::IpcqRelease(_)
        | Command::ChannelCmd(_) => true,
    }
}

fn go_on(
    program: &Program,
    agent: AgentId,
    command: &Command,
    queues: &mut BTreeMap<(u32, u8), Queue>,
) {
    if let Command::IpcqSend(it) = command
        && let Some(peer) = program.comm.peer(agent, it.queue)
    {
        let queue = queues.entry((peer.agent.0, peer.queue.0)).or_default();
        queue.sent.push(it.message);
        queue.released.push(false);
    } else if let Command::IpcqRecvAsync(it) = command {
        let (queue, _) = slot(it.slot);
        queues.entry((agent.0, queue.0)).or_default().claimed.push(it.message);
    } else if let Command::IpcqRelease(it) = command {
        let (queue, token) = slot(it.slot);
        let queue = queues.entry((agent.0, queue.0)).or_default();
        assert!(!queue.released[token], "a slot is released once");
        queue.released[token] = true;
    }
}

#[test]
fn the_check_agrees_with_a_naive_executor() {
    let (mut ends, mut symmetric) = (BTreeMap::new(), 0);
    for seed in 0..1500 {
        let mut rng = Rng(seed ^ 0xabcd);
        let world = 1 + rng.below(6) as u32;
        let slots = Some(1 + rng.below(3) as u32);
        let ipcq = IpcqOptions { slots, ..IpcqOptions::default() };
        let program = compile(&Maker::function(seed), &Launch { ipcq, ..launch(world) });
        let end = execute(&program, &mut rng);
        assert_eq!(execute(&program, &mut rng), end, "the order decides nothing: seed {seed}");
        let verdict = commcheck::check(&program, &sources(), 1 << 20, &mut Sink::new());
        let every = commcheck::check_every_agent(&program, &sources(), 1 << 20, &mut Sink::new());
        assert_eq!(verdict.is_ok(), end == End::Good, "seed {seed}: {end:?}");
        assert_eq!(every.is_ok(), end == End::Good, "seed {seed}: {end:?}");
        let is_symmetric = verdict.is_ok_and(|report| report.verdict == Verdict::Symmetric);
        symmetric += u32::from(is_symmetric);
        *ends.entry(format!("{end:?}")).or_insert(0) += 1;
    }
    assert!(ends.len() == 4 && ends.values().all(|count| *count > 5), "{ends:?}");
    assert!(symmetric > 100, "{symmetric} programs were checked on one agent");
}
