//! Why a run stops before its end, and how the user is told.

use std::collections::BTreeSet;

use crate::command::{AgentId, Program, QueueId, SiteId, WalkError};
use crate::commcheck;
use crate::diag::{Diagnostic, lowering, plans, runtime};
use crate::launch::Fault;
use crate::source::{SourceMap, Span};
use crate::topology::PeId;
use crate::units::grouped;

/// Agents of a chain that are named before the rest are only counted.
const NAMED: usize = 6;

/// Why a run stopped.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Agents wait for each other: each for the next, the last for the first.
    Deadlock(Vec<Waiting>),
    /// Agents wait, each for the next, and the last for one that will never do its part.
    Starved {
        /// Who waits.
        chain: Vec<Waiting>,
        /// Whom the last one waits for; `None` where nobody is connected.
        ended: Option<AgentId>,
    },
    /// An agent's stream cannot go on.
    Walk {
        /// Whose stream.
        agent: AgentId,
        /// Why.
        error: WalkError,
    },
    /// A command touches memory that no tensor has.
    Fault {
        /// Whose command.
        agent: AgentId,
        /// The command.
        site: SiteId,
        /// Whether it writes.
        writes: bool,
        /// The address.
        fault: Fault,
    },
    /// An agent sends where it has no neighbour.
    NoNeighbor {
        /// Who.
        agent: AgentId,
        /// The command.
        site: SiteId,
        /// The direction.
        queue: QueueId,
    },
    /// Thread blocks wait for ever: each with the launch it is in.
    Stuck(Vec<(AgentId, SiteId, u32)>),
    /// No switch lies between two ranks of a switch channel.
    NoSwitch {
        /// Who uses it.
        agent: AgentId,
        /// The command.
        site: SiteId,
        /// One rank.
        from: PeId,
        /// The other.
        to: PeId,
    },
    /// No links lead from one PE to another.
    NoRoute {
        /// Who asks.
        agent: AgentId,
        /// The command.
        site: SiteId,
        /// From where.
        from: PeId,
        /// To where.
        to: PeId,
    },
}

/// An agent that waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Who.
    pub agent: AgentId,
    /// In which command.
    pub site: SiteId,
    /// What for.
    pub on: WaitsFor,
    /// The direction.
    pub queue: QueueId,
}

/// What an agent waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// A message, in a receive.
    Message,
    /// A message that was asked for before, in a wait.
    Claimed,
    /// A free slot: so many are taken, of so many.
    Slot {
        /// Taken slots.
        taken: u64,
        /// All slots.
        slots: u64,
    },
}

impl Failure {
    /// What the user is told.
    pub fn diagnostic(&self, program: &Program, sources: &SourceMap) -> Diagnostic {
        let say = Say { program, sources };
        match self {
            Failure::Deadlock(cycle) => say.deadlock(cycle),
            Failure::Starved { chain, ended } => say.starved(chain, *ended),
            Failure::Walk { agent, error } => commcheck::walk_failure(&say.name(*agent), error, 0),
            Failure::Fault { agent, site, writes, fault } => {
                say.fault(*agent, *site, (*writes, fault))
            }
            Failure::NoNeighbor { agent, site, queue } => say.no_neighbor(*agent, *site, *queue),
            Failure::Stuck(blocks) => commcheck::stuck(program, blocks),
            Failure::NoSwitch { agent, site, from, to } => {
                let (from, to) = (from.0, to.0);
                let message = format!("no switch joins rank {from} and rank {to}");
                let span = program.span(*agent, *site);
                Diagnostic::new(plans::NO_SWITCH, message, span, "goes through a switch")
            }
            Failure::NoRoute { agent, site, from, to } => {
                let message = format!("no links lead from PE {} to PE {}", from.0, to.0);
                let label = format!("{} needs them here", say.name(*agent));
                Diagnostic::new(runtime::NO_ROUTE, message, program.span(*agent, *site), label)
            }
        }
    }
}

struct Say<'a> {
    program: &'a Program,
    sources: &'a SourceMap,
}

impl Say<'_> {
    fn name(&self, agent: AgentId) -> String {
        let agent = self.program.agents[agent];
        match agent.lane {
            0 => format!("PE {}", agent.pe.0),
            lane => format!("PE {} lane {lane}", agent.pe.0),
        }
    }

    fn span(&self, waiting: &Waiting) -> Span {
        self.program.span(waiting.agent, waiting.site)
    }

    /// `PE 2 waits in send(E) ring.kb:40: queue full 4/4`.
    fn waits(&self, waiting: &Waiting) -> String {
        let (verb, full) = match waiting.on {
            WaitsFor::Message => ("recv", String::new()),
            WaitsFor::Claimed => ("wait", String::new()),
            WaitsFor::Slot { taken, slots } => ("send", format!(": queue full {taken}/{slots}")),
        };
        format!(
            "{} waits in {verb}({}) {}{full}",
            self.name(waiting.agent),
            self.program.comm.direction(waiting.queue),
            self.sources.location(self.span(waiting)),
        )
    }

    /// Who waits for whom, a line each, ending with `last`.
    fn chain(&self, chain: &[Waiting], last: Option<String>) -> String {
        let named = if chain.len() > NAMED + 1 { NAMED } else { chain.len() };
        let mut lines: Vec<String> = chain[..named].iter().map(|it| self.waits(it)).collect();
        if named < chain.len() {
            lines.push(format!("… {} more …", grouped((chain.len() - named) as u64)));
        }
        lines.extend(last);
        lines.join("\n← ")
    }

    /// A diagnostic at the first of `chain`, with the places where the others wait.
    fn at_places(&self, code: crate::diag::Code, message: String, chain: &[Waiting]) -> Diagnostic {
        let Some(first) = chain.first() else { return Diagnostic::global(code, message) };
        let mut places = BTreeSet::from([self.span(first)]);
        let label = format!("{} waits here", self.name(first.agent));
        let mut it = Diagnostic::new(code, message, self.span(first), label);
        for waiting in &chain[1..] {
            if places.insert(self.span(waiting)) {
                it = it.because(
                    self.span(waiting),
                    format!("{} waits here", self.name(waiting.agent)),
                );
            }
        }
        it
    }

    fn deadlock(&self, cycle: &[Waiting]) -> Diagnostic {
        let first = cycle.first().map(|first| self.name(first.agent));
        let message = match (cycle, &first) {
            ([_], Some(name)) => format!("deadlock: {name} waits for itself"),
            _ => format!("deadlock: {} PEs wait for each other", grouped(cycle.len() as u64)),
        };
        self.at_places(runtime::DEADLOCK, message, cycle).note(self.chain(cycle, first))
    }

    fn starved(&self, chain: &[Waiting], ended: Option<AgentId>) -> Diagnostic {
        let name = chain.last().map_or_else(String::new, |last| self.name(last.agent));
        let (message, last) = match ended {
            Some(other) => {
                let other = self.name(other);
                let message = format!("{name} waits for {other}, which has ended");
                (message, format!("{other} has ended"))
            }
            None => (
                format!("{name} waits for a message that nobody sends"),
                String::from("nobody is connected there"),
            ),
        };
        let root: Vec<Waiting> = chain.iter().rev().copied().collect();
        self.at_places(runtime::STARVED, message, &root).note(self.chain(chain, Some(last)))
    }

    fn fault(&self, agent: AgentId, site: SiteId, (writes, fault): (bool, &Fault)) -> Diagnostic {
        let does = if writes { "writes" } else { "reads" };
        let message =
            format!("{} {does} address {:#x}, where no tensor is", self.name(agent), fault.address);
        let span = self.program.span(agent, site);
        let it = Diagnostic::new(runtime::OUT_OF_BOUNDS, message, span, "this access");
        let Some(near) = &fault.nearest else { return it.note("the launch has no tensors") };
        let end = near.base.saturating_add(near.bytes);
        let far = match fault.address.checked_sub(end) {
            Some(0) => String::from("the address is just past its end"),
            Some(past) => format!("the address is {} B past its end", grouped(past)),
            None => format!(
                "the address is {} B before its beginning",
                grouped(near.base.saturating_sub(fault.address))
            ),
        };
        it.note(format!(
            "the nearest tensor is `{}`, {} B at {:#x}; {far}",
            near.name,
            grouped(near.bytes),
            near.base
        ))
    }

    fn no_neighbor(&self, agent: AgentId, site: SiteId, queue: QueueId) -> Diagnostic {
        let (name, direction) = (self.name(agent), self.program.comm.direction(queue));
        let message = format!("{name} sends to `{direction}`, where it has no neighbour");
        let span = self.program.span(agent, site);
        Diagnostic::new(lowering::NO_NEIGHBOR, message, span, format!("by {name}"))
    }
}
