//! Says what is wrong, and whose fault it is: from the state in which nobody can go on to
//! diagnostics.
//!
//! An agent that waits is blamed on what it waits for, and so on to the root: a cycle (`waits`),
//! or an agent that will never do its part (`ends`). What merely waits behind a root, or behind an
//! agent whose own code failed, is not reported: it is a consequence.

mod ends;
mod waits;

use std::collections::BTreeMap;

use super::queues::{Mismatch, Wires};
use super::run::{Run, State};
use crate::arena::Id;
use crate::command::{AgentId, Message, Program, QueueId, SiteId, Template, WalkError};
use crate::diag::{Diagnostic, Reported, Sink, lowering};
use crate::source::{SourceMap, Span};
use crate::units::grouped;

/// Reports everything that is wrong.
pub(super) fn report(
    program: &Program,
    run: &Run<'_>,
    (sources, is_whole): (&SourceMap, bool),
    sink: &mut Sink,
) -> Result<(), Reported> {
    let blame = Blame { program, run, wires: Wires::of(program), sources };
    let mut diagnostics: Vec<Diagnostic> =
        run.mismatches.iter().map(|it| blame.mismatch(it)).collect();
    diagnostics.extend(blame.failures());
    if is_whole {
        diagnostics.extend(blame.stuck());
    }
    if is_whole && diagnostics.is_empty() {
        diagnostics.extend(blame.leftovers());
    }
    let reported = diagnostics.into_iter().map(|diagnostic| sink.error(diagnostic)).last();
    reported.map_or(Ok(()), Err)
}

pub(super) struct Blame<'a> {
    program: &'a Program,
    run: &'a Run<'a>,
    /// The wires of all agents, also where one stands for all.
    wires: Wires,
    sources: &'a SourceMap,
}

impl Blame<'_> {
    /// Whether one agent was walked for all.
    fn is_folded(&self) -> bool {
        self.run.wires.agents < self.program.agents.len()
    }

    /// The agent that was walked for `agent`.
    fn walked(&self, agent: AgentId) -> AgentId {
        if self.is_folded() { AgentId(0) } else { agent }
    }

    fn state(&self, agent: AgentId) -> &State {
        &self.run.states[self.walked(agent).index()]
    }

    /// How messages call an agent.
    fn name(&self, agent: AgentId) -> String {
        format!("PE {}", self.program.agents[agent].pe.0)
    }

    fn direction(&self, queue: QueueId) -> &str {
        self.program.comm.direction(queue)
    }

    fn span(&self, agent: AgentId, site: SiteId) -> Span {
        self.program.span(agent, site)
    }

    /// Where `agent` sends in a direction.
    fn sends(&self, agent: AgentId, direction: QueueId) -> Vec<Span> {
        self.spans(agent, |template| template.sends_to().contains(&direction))
    }

    /// Where `agent` receives from a direction.
    fn recvs(&self, agent: AgentId, direction: QueueId) -> Vec<Span> {
        self.spans(agent, |template| template.receives_from() == Some(direction))
    }

    fn spans(&self, agent: AgentId, is_wanted: impl Fn(&Template) -> bool) -> Vec<Span> {
        let sites = self.program.code(agent).sites.values();
        let mut spans: Vec<Span> =
            sites.filter(|site| is_wanted(&site.template)).map(|site| site.span).collect();
        spans.sort();
        spans.dedup();
        spans
    }

    fn mismatch(&self, it: &Mismatch) -> Diagnostic {
        let feeder = self.wires.feeder(it.receiver, it.queue);
        let sender = feeder.map_or(it.sender, |feeder| feeder.agent);
        let (sent, expected) = (it.sent.message, it.expected.message);
        let code = if sent.dtype == expected.dtype {
            lowering::SIZE_MISMATCH
        } else {
            lowering::DTYPE_MISMATCH
        };
        let message = format!(
            "{} expects {} from `{}`, but {} sends {}",
            self.name(it.receiver),
            tile(expected),
            self.direction(it.queue),
            self.name(sender),
            tile(sent),
        );
        let at = self.span(it.receiver, it.expected.site);
        Diagnostic::new(code, message, at, format!("expects {}", tile(expected)))
            .because(self.span(sender, it.sent.site), format!("sends {}", tile(sent)))
            .note(format!("it is message {} of that queue, counted from 0", it.token))
    }

    /// What stopped scalar code, each place once.
    fn failures(&self) -> Vec<Diagnostic> {
        let mut found: BTreeMap<(Span, &'static str), (AgentId, &WalkError, u32)> = BTreeMap::new();
        for (index, state) in self.run.states.iter().enumerate() {
            let State::Failed(error) = state else { continue };
            let entry = found.entry((span_of(error), failure_code(error).id)).or_insert((
                AgentId::from_index(index),
                error,
                0,
            ));
            entry.2 += 1;
        }
        let all = self.program.agents.len() as u32;
        found
            .into_values()
            .map(|(agent, error, count)| {
                let count = if self.is_folded() { all } else { count };
                failure(&self.name(agent), error, count - 1)
            })
            .collect()
    }
}

/// `64 x f16 = 128 B`.
fn tile(message: Message) -> String {
    let Message { elements, dtype } = message;
    format!("{} x {dtype} = {} B", grouped(elements), grouped(message.bytes()))
}

/// ` (and 3 other PEs)`, or nothing.
fn others(count: u32) -> String {
    match count {
        0 => String::new(),
        1 => String::from(" (and 1 other PE)"),
        _ => format!(" (and {} other PEs)", grouped(u64::from(count))),
    }
}

fn span_of(error: &WalkError) -> Span {
    match error {
        WalkError::DivisionByZero { span }
        | WalkError::Endless { span }
        | WalkError::Assertion { span, .. }
        | WalkError::TooLong { span } => *span,
    }
}

fn failure_code(error: &WalkError) -> crate::diag::Code {
    match error {
        WalkError::DivisionByZero { .. } => lowering::SCALAR_DIVISION_BY_ZERO,
        WalkError::Endless { .. } => lowering::ENDLESS_LOOP,
        WalkError::Assertion { .. } => lowering::ASSERTION_FAILED,
        WalkError::TooLong { .. } => lowering::STREAM_TOO_LONG,
    }
}

/// What stopped the scalar code of `pe`, and of so many others.
pub(super) fn failure(pe: &str, error: &WalkError, more: u32) -> Diagnostic {
    let others = others(more);
    let (message, label) = match error {
        WalkError::DivisionByZero { .. } => {
            (format!("an integer is divided by zero on {pe}{others}"), "the divisor is 0")
        }
        WalkError::Endless { .. } => (
            format!("a loop never ends on {pe}{others}"),
            "its step is 0, or it goes on without a command",
        ),
        WalkError::Assertion { message, .. } if message.is_empty() => {
            (format!("an assertion does not hold on {pe}{others}"), "false")
        }
        WalkError::Assertion { message, .. } => {
            (format!("an assertion does not hold on {pe}{others}: {message}"), "false")
        }
        WalkError::TooLong { .. } => (
            format!("{pe} is given more than 4,294,967,295 commands{others}"),
            "the command that is one too many",
        ),
    };
    Diagnostic::new(failure_code(error), message, span_of(error), label)
}
