//! Who waits for whom, and the cycles in it.

use std::collections::{BTreeMap, BTreeSet};

use super::Blame;
use crate::arena::Id;
use crate::command::{AgentId, CodeId, Program, SiteId, Template};
use crate::commcheck::fold;
use crate::commcheck::queues::Wires;
use crate::commcheck::run::{Blocked, Run, State, Waits};
use crate::diag::{Diagnostic, lowering};
use crate::source::Span;
use crate::units::grouped;

/// Agents of a cycle that are named before the rest are only counted.
const NAMED: usize = 6;

/// Different cycles that are worth reporting.
const MAX_CYCLES: usize = 4;

/// The most slots that help proposes.
const MAX_PROPOSED_SLOTS: u32 = 1 << 10;

/// Commands walked to find out whether more slots help.
const TRIAL_BUDGET: u64 = 5_000_000;

/// What an agent waits for in the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Root {
    /// It has no neighbour there.
    NoNeighbor,
    /// The code of its neighbour never sends there.
    NotSent,
    /// The code of its neighbour never receives from there.
    NotReceived,
    /// Its neighbour ended first.
    Ended,
}

/// What an agent waits for next.
enum Next {
    Root(Root),
    Agent(AgentId),
    /// A failure that is reported itself.
    Silent,
}

impl Blame<'_> {
    /// Whether `agent` waits, and in what.
    pub(super) fn blocked(&self, agent: AgentId) -> Option<Blocked> {
        if let State::Blocked(blocked) = self.state(agent) { Some(*blocked) } else { None }
    }

    /// Whether `blocked` is a send.
    pub(super) fn is_send(&self, agent: AgentId, blocked: &Blocked) -> bool {
        match blocked.waits {
            Waits::ToSend => true,
            Waits::ToReceive => false,
            Waits::ForNobody => {
                let template = &self.program.code(agent).sites[blocked.site].template;
                template.sends_to().contains(&blocked.queue)
                    && template.receives_from() != Some(blocked.queue)
            }
        }
    }

    fn next(&self, agent: AgentId, blocked: &Blocked) -> Next {
        let is_send = self.is_send(agent, blocked);
        let other = if is_send {
            self.wires.peer(agent, blocked.queue)
        } else {
            self.wires.feeder(agent, blocked.queue)
        };
        let Some(other) = other else {
            let has_neighbor = self.wires.peer(agent, blocked.queue).is_some();
            return Next::Root(if has_neighbor { Root::NotSent } else { Root::NoNeighbor });
        };
        if !is_send && self.sends(other.agent, other.queue).is_empty() {
            return Next::Root(Root::NotSent);
        }
        if is_send && self.recvs(other.agent, other.queue).is_empty() {
            return Next::Root(Root::NotReceived);
        }
        match self.state(other.agent) {
            State::Done => Next::Root(Root::Ended),
            State::Failed(_) => Next::Silent,
            State::Ready | State::Blocked(_) => Next::Agent(other.agent),
        }
    }

    /// Why agents wait for ever.
    pub(in crate::commcheck) fn stuck(&self) -> Vec<Diagnostic> {
        let mut roots: BTreeMap<(CodeId, SiteId, Root), (AgentId, u32)> = BTreeMap::new();
        let mut cycles: Vec<Vec<AgentId>> = Vec::new();
        // The walk that an agent was seen in, from 1; 0 for none yet.
        let mut seen = vec![0u32; self.program.agents.len()];
        let mut waiting = 0;
        for (start, number) in self.program.agents.ids().zip(1..) {
            waiting += u32::from(self.blocked(start).is_some());
            let (mut agent, mut path) = (start, Vec::new());
            while let Some(blocked) = self.blocked(agent) {
                if seen[agent.index()] != 0 {
                    if seen[agent.index()] == number {
                        cycles.push(cycle(&path, agent));
                    }
                    break;
                }
                seen[agent.index()] = number;
                path.push(agent);
                match self.next(agent, &blocked) {
                    Next::Agent(next) => agent = next,
                    Next::Silent => break,
                    Next::Root(root) => {
                        let code = self.program.agents[agent].code;
                        roots.entry((code, blocked.site, root)).or_insert((agent, 0)).1 += 1;
                        break;
                    }
                }
            }
        }
        let mut diagnostics: Vec<Diagnostic> = roots
            .into_iter()
            .filter_map(|((_, _, root), (agent, count))| self.root(root, agent, count))
            .collect();
        diagnostics.extend(self.cycles(&cycles, waiting));
        diagnostics
    }

    fn root(&self, root: Root, agent: AgentId, count: u32) -> Option<Diagnostic> {
        let blocked = self.blocked(agent)?;
        Some(match root {
            Root::NoNeighbor => self.no_neighbor(agent, &blocked, count),
            Root::NotSent => self.not_sent(agent, &blocked, count),
            Root::NotReceived => self.not_received(agent, &blocked, count),
            Root::Ended => self.ended(agent, &blocked, count),
        })
    }

    /// One diagnostic for each set of places in which agents wait for each other.
    fn cycles(&self, cycles: &[Vec<AgentId>], waiting: u32) -> Vec<Diagnostic> {
        let mut alike: BTreeMap<BTreeSet<Option<Span>>, (usize, u32)> = BTreeMap::new();
        for (index, cycle) in cycles.iter().enumerate() {
            let places = cycle.iter().map(|agent| self.place(*agent)).collect();
            alike.entry(places).or_insert((index, 0)).1 += 1;
        }
        let mut firsts: Vec<(usize, u32)> = alike.into_values().collect();
        firsts.sort_unstable();
        let on_cycles: usize = cycles.iter().map(Vec::len).sum();
        firsts
            .into_iter()
            .take(MAX_CYCLES)
            .map(|(index, count)| {
                let behind = waiting as usize - on_cycles.min(waiting as usize);
                self.deadlock(&cycles[index], count - 1, behind)
            })
            .collect()
    }

    /// Where `agent` waits.
    fn place(&self, agent: AgentId) -> Option<Span> {
        self.blocked(agent).map(|blocked| self.span(agent, blocked.site))
    }

    fn deadlock(&self, cycle: &[AgentId], alike: u32, behind: usize) -> Diagnostic {
        let first = cycle.first().copied().unwrap_or(AgentId(0));
        let message = match cycle.len() {
            1 => format!("deadlock: {} waits for itself", self.name(first)),
            count => format!("deadlock: {} PEs wait for each other", grouped(count as u64)),
        };
        let at = self.place(first).unwrap_or_default();
        let label = format!("{} waits here", self.name(first));
        let mut diagnostic = Diagnostic::new(lowering::DEADLOCK, message, at, label);
        let mut places = BTreeSet::from([at]);
        for agent in cycle {
            let place = self.place(*agent).unwrap_or_default();
            if places.insert(place) {
                diagnostic = diagnostic.because(place, format!("{} waits here", self.name(*agent)));
            }
        }
        diagnostic = diagnostic.note(self.chain(cycle));
        if alike > 0 {
            let alike = grouped(u64::from(alike));
            diagnostic =
                diagnostic.note(format!("{alike} more such cycles stand in the same lines"));
        }
        if behind > 0 {
            let behind = grouped(behind as u64);
            diagnostic = diagnostic.note(format!("{behind} more PEs wait behind a cycle"));
        }
        match self.enough_slots(cycle) {
            Some(slots) => diagnostic.help(format!(
                "with {slots} slots a queue (`--ipcq slots={slots}`) every PE can go on"
            )),
            None => diagnostic,
        }
    }

    /// `PE 3 waits in recv(W) ring.kb:41 ← PE 2 waits in send(E) ring.kb:40: queue full 4/4 ← …`,
    /// a line each.
    fn chain(&self, cycle: &[AgentId]) -> String {
        let named = if cycle.len() > NAMED + 1 { NAMED } else { cycle.len() };
        let mut lines: Vec<String> =
            cycle[..named].iter().map(|agent| self.waits(*agent)).collect();
        if named < cycle.len() {
            lines.push(format!("… {} more …", grouped((cycle.len() - named) as u64)));
        }
        lines.extend(cycle.first().map(|first| self.name(*first)));
        lines.join("\n← ")
    }

    /// `PE 2 waits in send(E) ring.kb:40: queue full 4/4`.
    fn waits(&self, agent: AgentId) -> String {
        let Some(blocked) = self.blocked(agent) else { return self.name(agent) };
        let template = &self.program.code(agent).sites[blocked.site].template;
        let verb = if let Template::Send { .. } = template {
            "send"
        } else if let Template::Wait { .. } = template {
            "wait"
        } else if let Template::Stream { .. } = template {
            "stream"
        } else {
            "recv"
        };
        let full = if blocked.waits == Waits::ToSend {
            format!(": queue full {}", self.fill(agent, &blocked))
        } else {
            String::new()
        };
        format!(
            "{} waits in {verb}({}) {}{full}",
            self.name(agent),
            self.direction(blocked.queue),
            self.sources.location(self.span(agent, blocked.site)),
        )
    }

    /// `4/4`: how many slots of the queue that `agent` sends to are taken.
    pub(super) fn fill(&self, agent: AgentId, blocked: &Blocked) -> String {
        let peer = self.wires.peer(agent, blocked.queue);
        let queue = peer.and_then(|peer| self.run.queue(self.walked(peer.agent), peer.queue));
        let held = queue.map_or(0, |queue| queue.held());
        format!("{held}/{}", self.program.comm.slots)
    }

    /// The number of slots with which the whole program runs through, if a full queue is part of
    /// the cycle and a moderate number helps.
    fn enough_slots(&self, cycle: &[AgentId]) -> Option<u32> {
        let is_full = |agent: &AgentId| {
            self.blocked(*agent).is_some_and(|blocked| blocked.waits == Waits::ToSend)
        };
        if !cycle.iter().any(is_full) {
            return None;
        }
        let mut program = self.program.clone();
        let mut slots = program.comm.slots.checked_add(1)?;
        while slots <= MAX_PROPOSED_SLOTS {
            program.comm.slots = slots;
            if runs_through(&program) {
                return Some(slots);
            }
            slots = slots.checked_mul(2)?;
        }
        None
    }
}

/// Whether nobody waits for ever.
fn runs_through(program: &Program) -> bool {
    let wires = fold::fold(program).unwrap_or_else(|| Wires::of(program));
    let mut run = Run::new(program, wires, TRIAL_BUDGET);
    run.run() && run.states.iter().all(|state| matches!(state, State::Done))
}

/// The agents from `again` on, which comes after the last of `path`; the lowest first.
fn cycle(path: &[AgentId], again: AgentId) -> Vec<AgentId> {
    let begin = path.iter().position(|agent| *agent == again).unwrap_or(0);
    let mut cycle = path[begin..].to_vec();
    let lowest = (0..cycle.len()).min_by_key(|index| cycle[*index]).unwrap_or(0);
    cycle.rotate_left(lowest);
    cycle
}
