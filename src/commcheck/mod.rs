//! The communication check: runs a program without time, on counters, before anything is timed.
//!
//! Streams do not depend on data and each queue has one sender and one receiver, so which agent
//! goes first changes nothing: a program that ends in one order ends in every order, with the
//! same messages in the same slots, and one that deadlocks always does. So agents are walked one
//! after the other, each until it must wait:
//!
//! - a send waits while the slot it needs holds a message that has not been released;
//! - a receive, or a wait for one, waits until its message has been sent;
//! - a release frees its slot at once.
//!
//! Checked are: every message is received, every receive is fed, both sides agree on size and
//! element type, nobody waits for ever, and no scalar code fails. Only counters and the messages in
//! flight are held, never a stream.
//!
//! **Symmetric programs.** Let all agents run one code, equally often, in which nothing that
//! communicates or fails depends on the program id, and let each direction that is sent in lead
//! from all agents, one to one, to one queue. Then, with all agents walked in step, all have sent
//! and received the same after each command: each next command can go on for all of them or for
//! none. So one agent is walked that is its own neighbour in every direction, and its verdict is
//! the verdict of all.

mod blame;
mod channel;
mod fold;
mod queues;
mod run;

pub use channel::{check_channels, stuck};

use std::fmt;

use crate::command::{Program, WalkError};
use crate::diag::{Diagnostic, Reported, Sink};
use crate::source::SourceMap;

/// Commands that a check walks before it gives up, unless the caller knows better.
pub const DEFAULT_BUDGET: u64 = 50_000_000;

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every command of every agent.
    Checked,
    /// Every command of one agent, which stands for all.
    Symmetric,
    /// So many commands; the rest is unknown.
    Partial {
        /// Commands walked.
        operations: u64,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Checked => write!(f, "checked"),
            Verdict::Symmetric => write!(f, "checked (symmetric)"),
            Verdict::Partial { operations } => write!(f, "partial: {operations} operations"),
        }
    }
}

/// A check that found nothing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was checked.
    pub verdict: Verdict,
    /// Commands walked.
    pub operations: u64,
}

/// Checks `program`, walking at most `budget` commands. `sources` is what messages quote lines
/// of.
///
/// # Errors
/// Everything that is wrong has been reported.
pub fn check(
    program: &Program,
    sources: &SourceMap,
    budget: u64,
    sink: &mut Sink,
) -> Result<Report, Reported> {
    let folded = fold::fold(program);
    check_as(program, folded, (sources, budget), sink)
}

/// The same without the shortcut for symmetric programs.
///
/// # Errors
/// As [`check`].
pub fn check_every_agent(
    program: &Program,
    sources: &SourceMap,
    budget: u64,
    sink: &mut Sink,
) -> Result<Report, Reported> {
    check_as(program, None, (sources, budget), sink)
}

fn check_as(
    program: &Program,
    folded: Option<queues::Wires>,
    (sources, budget): (&SourceMap, u64),
    sink: &mut Sink,
) -> Result<Report, Reported> {
    let is_symmetric = folded.is_some();
    let wires = folded.unwrap_or_else(|| queues::Wires::of(program));
    let mut run = run::Run::new(program, wires, budget);
    let is_whole = run.run();
    let operations = run.operations();
    blame::report(program, &run, (sources, is_whole), sink)?;
    let verdict = match (is_whole, is_symmetric) {
        (false, _) => Verdict::Partial { operations },
        (true, true) => Verdict::Symmetric,
        (true, false) => Verdict::Checked,
    };
    Ok(Report { verdict, operations })
}

/// What stopped the scalar code of the agent called `name`, and of so many others.
pub fn walk_failure(name: &str, error: &WalkError, others: u32) -> Diagnostic {
    blame::failure(name, error, others)
}
