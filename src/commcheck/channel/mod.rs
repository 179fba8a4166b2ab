//! The check of channel programs: thread blocks run without time, on symbols for data.
//!
//! Three things are found before anything is timed:
//!
//! - *deadlock*: blocks that wait for ever. Signals, barriers and packets only ever come; who goes
//!   first changes nothing of what can go on;
//! - *races*: two accesses to the same bytes, one of them a write, that nothing puts in order. What
//!   does: the order of a block, signals, barriers, semaphores, packets, the end of a kernel, and a
//!   flush for what a port does;
//! - *wrong results*: after each launch, every byte of every output is looked at for which bytes
//!   of which inputs were combined into it.
//!
//! The blocks are run in one order. What is found in it is found in all, unless there is a race,
//! which is reported.

mod clock;
mod memory;
mod run;
mod values;

use std::collections::BTreeSet;

use self::memory::{Access, Conflict};
use self::run::{Run, State, Wrong};
use super::{Report, Verdict};
use crate::arena::Id;
use crate::command::channel::{ChannelOp, Form};
use crate::command::{AgentId, Code, Program, SiteId, Template};
use crate::diag::{Diagnostic, Reported, Sink, plans as codes};
use crate::units::grouped;

/// Waiting blocks that are named.
const MAX_NAMED: usize = 32;

/// Races and wrong outputs that are told.
const MAX_TOLD: usize = 8;

/// Checks a channel program, running at most `budget` commands. Races are warnings.
///
/// # Errors
/// Blocks wait for ever, or an output is not what its definition says; it has been reported.
pub fn check_channels(program: &Program, budget: u64, sink: &mut Sink) -> Result<Report, Reported> {
    let mut run = Run::new(program, budget);
    let is_whole = run.run();
    let operations = run.operations;
    races(program, &run, sink);
    let mut reported = None;
    if let Some((agent, error)) = &run.failed {
        let name = block(program, *agent);
        reported = Some(sink.error(super::walk_failure(&name, error, 0)));
    }
    if is_whole {
        let stuck: Vec<(AgentId, SiteId, u32)> = program
            .agents
            .ids()
            .filter(|it| !matches!(run.states[it.index()], State::Ended | State::Failed))
            .filter_map(|it| {
                let step = run.held[it.index()].as_ref()?;
                let crate::command::Command::ChannelCmd(command) = step.command else {
                    return None;
                };
                Some((it, step.site, command.at.launch))
            })
            .collect();
        if stuck.is_empty() {
            left_over(program, &run, sink);
        } else {
            reported = Some(sink.error(self::stuck(program, &stuck)));
        }
    }
    let wrong = run.wrong.iter().take(MAX_TOLD);
    let told = wrong.map(|it| sink.error(wrong_output(program, it))).last();
    if let Some(reported) = told.or(reported) {
        return Err(reported);
    }
    let verdict = if is_whole { Verdict::Checked } else { Verdict::Partial { operations } };
    Ok(Report { verdict, operations })
}

/// Blocks that wait for ever, each in a command of a launch.
pub fn stuck(program: &Program, blocks: &[(AgentId, SiteId, u32)]) -> Diagnostic {
    // Those at the end of their kernel wait only for the others.
    let in_op = |it: &&(AgentId, SiteId, u32)| waits(program.code(it.0), it.1).is_some();
    let mut named: Vec<&(AgentId, SiteId, u32)> = blocks.iter().filter(in_op).collect();
    if named.is_empty() {
        named = blocks.iter().collect();
    }
    let count = named.len();
    let noun = if count == 1 { "thread block waits" } else { "thread blocks wait" };
    let message = format!("deadlock: {} {noun} for ever", grouped(count as u64));
    let Some((agent, site, _)) = named.first() else {
        return Diagnostic::global(codes::STUCK, message);
    };
    let span = program.span(*agent, *site);
    let mut it = Diagnostic::new(codes::STUCK, message, span, "waits here");
    for (agent, site, launch) in named.iter().take(MAX_NAMED) {
        let code = program.code(*agent);
        let why = waits(code, *site).unwrap_or("the other blocks of its rank");
        let (name, op) = (block(program, *agent), op_number(program, *agent, *site));
        it = it.note(format!("{name}, op {op}, launch {launch}: waits for {why}"));
    }
    if count > MAX_NAMED {
        it = it.note(format!("and {} more", grouped((count - MAX_NAMED) as u64)));
    }
    it
}

/// `rank 0, thread block 3`.
fn block(program: &Program, agent: AgentId) -> String {
    let agent = program.agents[agent];
    format!("rank {}, thread block {}", agent.pe.0, agent.lane)
}

/// The number of an op among those of its block: of its pipeline, then in it.
fn op_number(program: &Program, agent: AgentId, site: SiteId) -> String {
    program.code(agent).site_name(site).unwrap_or_else(|| site.0.to_string())
}

/// What a command may wait for; `None` where only for the end of the others.
fn waits(code: &Code, site: SiteId) -> Option<&'static str> {
    let Template::Channel(it) = &code.sites[site].template else { return None };
    match it.op {
        ChannelOp::Exchange(op) => {
            let sources = code.exchanges[op.spec].moves.iter().flat_map(|it| &it.sources);
            let mut packets = sources.filter(|it| it.form == Form::Packets);
            Some(packets.next().map_or("its data", |_| "packets"))
        }
        ChannelOp::PortPut(op) => {
            Some(if code.ports[op.spec].awaits { "packets" } else { "its port" })
        }
        ChannelOp::Flush(_) => Some("its port"),
        ChannelOp::Signal(_) => Some("its stores"),
        ChannelOp::AwaitSignal(_) => Some("a signal"),
        ChannelOp::BlockSync(_) => Some("its threads"),
        ChannelOp::BlockBarrier(_) => Some("other blocks at the barrier"),
        ChannelOp::Acquire(_) | ChannelOp::Release(_) => Some("a semaphore"),
        ChannelOp::KernelEnd(_) => None,
    }
}

/// Warns of signals that nobody waits for: the next launch takes them for its own.
fn left_over(program: &Program, run: &Run<'_>, sink: &mut Sink) {
    for (end, more, agent, site) in run.left_over().into_iter().take(MAX_TOLD) {
        let it = program.channels.ends[end as usize];
        let noun = if more == 1 { "signal is" } else { "signals are" };
        let message = format!("{more} {noun} left over on a channel of rank {}", it.rank);
        let span = program.span(agent, site);
        let (name, launches) = (block(program, agent), program.channels.launches);
        sink.warning(
            Diagnostic::new(codes::LEFT_OVER, message, span, "the last of them")
                .note(format!("from {name}, after {launches} launches"))
                .note("a wait that comes later takes a signal that was meant for an earlier one"),
        );
    }
}

fn wrong_output(program: &Program, wrong: &Wrong) -> Diagnostic {
    let Wrong { rank, launch, at, bytes, found, expected, writer } = wrong;
    let chunk = program.channels.ranks[*rank as usize].chunk.max(1);
    let message = format!(
        "rank {rank}: output chunk {} does not hold what the collective says after launch {launch}",
        at / chunk
    );
    let it = match writer {
        Some(by) => {
            let span = program.span(by.agent, by.site);
            Diagnostic::new(codes::WRONG_CONTRIBUTIONS, message, span, "written last here")
        }
        None => Diagnostic::global(codes::WRONG_CONTRIBUTIONS, message),
    };
    it.note(format!("bytes {at} to {}", at + bytes))
        .note(format!("found    {found}"))
        .note(format!("expected {expected}"))
}

fn races(program: &Program, run: &Run<'_>, sink: &mut Sink) {
    let mut seen = BTreeSet::new();
    let mut told = 0;
    for conflict in &run.memory.conflicts {
        let place = |it: &Access| (it.agent, it.site);
        let key = (place(&conflict.first.0), place(&conflict.second.0));
        if !seen.insert(key) {
            continue;
        }
        told += 1;
        if told <= MAX_TOLD {
            sink.warning(race(program, conflict));
        }
    }
    if told > MAX_TOLD {
        let message = format!("{} more pairs of ops are in no order", told - MAX_TOLD);
        sink.warning(Diagnostic::global(codes::UNORDERED, message));
    }
}

fn race(program: &Program, conflict: &Conflict) -> Diagnostic {
    let ((first, first_writes), (second, second_writes)) = (conflict.first, conflict.second);
    let who = |it: &Access| {
        let (name, op) = (block(program, it.agent), op_number(program, it.agent, it.site));
        let ports = program.agents.len()..program.agents.len() + 2 * program.channels.ends.len();
        let by = it.thread as usize;
        let port = if ports.contains(&by) {
            " (its port)"
        } else if by >= ports.end {
            " (the host)"
        } else {
            ""
        };
        format!("{name}, op {op}{port}, launch {}", it.launch)
    };
    let verb = |writes: bool| if writes { "writes" } else { "reads" };
    let region = program.memory.nearest(conflict.at).map(|it| &program.memory.regions()[it]);
    let (name, offset) =
        region.map_or(("memory", conflict.at), |it| (it.name.as_str(), conflict.at - it.base));
    let message = format!(
        "race: the {name} is {} and {} in no order",
        if first_writes { "written" } else { "read" },
        if second_writes { "written" } else { "read" },
    );
    let (one, two) =
        (program.span(first.agent, first.site), program.span(second.agent, second.site));
    Diagnostic::new(codes::UNORDERED, message, two, format!("{} here", verb(second_writes)))
        .because(one, format!("{} here", verb(first_writes)))
        .note(format!("byte {offset} of the {name}"))
        .note(format!("{} {}", who(&first), verb(first_writes)))
        .note(format!("{} {}", who(&second), verb(second_writes)))
        .as_warning()
}
