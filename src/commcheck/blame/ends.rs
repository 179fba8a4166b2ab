//! Agents that never do their part: what is never sent, never received, or has nowhere to go.

use std::collections::BTreeMap;

use super::{Blame, others};
use crate::command::{AgentId, CodeId, QueueId, SiteId};
use crate::commcheck::run::Blocked;
use crate::diag::{Diagnostic, lowering};
use crate::source::Span;
use crate::units::grouped;

/// Other places that one diagnostic shows.
const MAX_PLACES: usize = 3;

/// Adds places with one text.
fn because(mut diagnostic: Diagnostic, places: &[Span], text: &str) -> Diagnostic {
    for place in places.iter().take(MAX_PLACES) {
        diagnostic = diagnostic.because(*place, text);
    }
    diagnostic
}

impl Blame<'_> {
    pub(super) fn no_neighbor(&self, agent: AgentId, blocked: &Blocked, count: u32) -> Diagnostic {
        let (name, direction) = (self.name(agent), self.direction(blocked.queue));
        let does = if self.is_send(agent, blocked) { "sends to" } else { "receives from" };
        let message =
            format!("{name}{} {does} `{direction}`, where it has no neighbour", others(count - 1));
        let there: Vec<String> = (0..self.program.comm.directions.len())
            .map(|index| QueueId(index as u8))
            .filter(|queue| self.wires.peer(agent, *queue).is_some())
            .map(|queue| format!("`{}`", self.direction(queue)))
            .collect();
        let known = match there.as_slice() {
            [] => format!("{name} has a neighbour in none of the kernel's directions"),
            some => format!("of the kernel's directions, {name} has {}", some.join(", ")),
        };
        let at = self.span(agent, blocked.site);
        Diagnostic::new(lowering::NO_NEIGHBOR, message, at, format!("by {name}")).note(known)
    }

    /// `agent` waits for a message that its neighbour has no code to send.
    pub(super) fn not_sent(&self, agent: AgentId, blocked: &Blocked, count: u32) -> Diagnostic {
        let (name, direction) = (self.name(agent), self.direction(blocked.queue));
        let message = format!(
            "{name}{} waits for a message from `{direction}` that nobody sends",
            others(count - 1)
        );
        let at = self.span(agent, blocked.site);
        let label = format!("{name} waits here");
        let diagnostic = Diagnostic::new(lowering::NEVER_SENT, message, at, label);
        let feeder = self.wires.feeder(agent, blocked.queue);
        let neighbor = feeder.or_else(|| self.wires.peer(agent, blocked.queue));
        let Some(neighbor) = neighbor else { return diagnostic };
        let diagnostic = self.show_sends(diagnostic, neighbor.agent);
        let Some(feeder) = feeder else { return diagnostic };
        diagnostic.note(format!(
            "what arrives from `{direction}` at {name} is what {} sends to `{}`",
            self.name(feeder.agent),
            self.direction(feeder.queue),
        ))
    }

    /// Shows where `agent` sends, and where that arrives.
    fn show_sends(&self, mut diagnostic: Diagnostic, agent: AgentId) -> Diagnostic {
        for index in 0..self.program.comm.directions.len() {
            let direction = QueueId(index as u8);
            let Some(peer) = self.wires.peer(agent, direction) else { continue };
            let text = format!(
                "what {} sends to `{}` here arrives from `{}` at {}",
                self.name(agent),
                self.direction(direction),
                self.direction(peer.queue),
                self.name(peer.agent),
            );
            diagnostic = because(diagnostic, &self.sends(agent, direction), &text);
        }
        diagnostic
    }

    /// `agent` sends to a full queue that its neighbour has no code to receive from.
    pub(super) fn not_received(&self, agent: AgentId, blocked: &Blocked, count: u32) -> Diagnostic {
        let name = self.name(agent);
        let at = self.span(agent, blocked.site);
        let Some(peer) = self.wires.peer(agent, blocked.queue) else {
            return self.no_neighbor(agent, blocked, count);
        };
        let message = format!(
            "{name}{} sends to a queue that is full ({}) and that {} never receives from",
            others(count - 1),
            self.fill(agent, blocked),
            self.name(peer.agent),
        );
        let label = format!(
            "{name} waits here to send to `{}` of {}",
            self.direction(peer.queue),
            self.name(peer.agent)
        );
        let diagnostic = Diagnostic::new(lowering::NEVER_RECEIVED, message, at, label);
        self.show_recvs(diagnostic, peer.agent)
    }

    /// Shows where `agent` receives.
    fn show_recvs(&self, mut diagnostic: Diagnostic, agent: AgentId) -> Diagnostic {
        for index in 0..self.program.comm.directions.len() {
            let direction = QueueId(index as u8);
            let text =
                format!("{} receives from `{}` here", self.name(agent), self.direction(direction));
            diagnostic = because(diagnostic, &self.recvs(agent, direction), &text);
        }
        diagnostic
    }

    /// `agent` waits for a neighbour that has ended.
    pub(super) fn ended(&self, agent: AgentId, blocked: &Blocked, count: u32) -> Diagnostic {
        let (name, at) = (self.name(agent), self.span(agent, blocked.site));
        let (more, token) = (others(count - 1), grouped(blocked.token));
        let (direction, label) = (self.direction(blocked.queue), format!("{name} waits here"));
        if self.is_send(agent, blocked) {
            let Some(peer) = self.wires.peer(agent, blocked.queue) else {
                return self.no_neighbor(agent, blocked, count);
            };
            let (other, theirs) = (self.name(peer.agent), self.direction(peer.queue));
            let received = self
                .run
                .queue(self.walked(peer.agent), peer.queue)
                .map_or(0, |queue| queue.claimed);
            let message = format!(
                "{name}{more} waits to send message {token} to `{direction}`, but {other} ended \
                 after receiving {}",
                grouped(received)
            );
            let diagnostic = Diagnostic::new(lowering::NEVER_RECEIVED, message, at, label);
            let text = format!("{other} receives from `{theirs}` here");
            return because(diagnostic, &self.recvs(peer.agent, peer.queue), &text);
        }
        let Some(feeder) = self.wires.feeder(agent, blocked.queue) else {
            return self.not_sent(agent, blocked, count);
        };
        let (other, theirs) = (self.name(feeder.agent), self.direction(feeder.queue));
        let sent = self.run.queue(self.walked(agent), blocked.queue).map_or(0, |queue| queue.sent);
        let message = format!(
            "{name}{more} waits for message {token} from `{direction}`, but {other} ended after \
             sending {}",
            grouped(sent)
        );
        let diagnostic = Diagnostic::new(lowering::NEVER_SENT, message, at, label)
            .note("messages of a queue are counted from 0");
        let text = format!("{other} sends to `{theirs}` here");
        because(diagnostic, &self.sends(feeder.agent, feeder.queue), &text)
    }

    /// Messages that are in their slots when everybody has ended, and claims that nobody met.
    pub(in crate::commcheck) fn leftovers(&self) -> Vec<Diagnostic> {
        let mut found: BTreeMap<(CodeId, SiteId, QueueId, bool), (AgentId, u64)> = BTreeMap::new();
        for agent in self.program.agents.ids().take(self.run.wires.agents) {
            for index in 0..self.program.comm.directions.len() {
                let direction = QueueId(index as u8);
                let Some(queue) = self.run.queue(agent, direction) else { continue };
                let Some(end) = queue.first_unmatched() else { continue };
                let is_sent = queue.sent > queue.claimed;
                let code = self.program.agents[agent].code;
                let entry = found.entry((code, end.site, direction, is_sent)).or_insert((agent, 0));
                entry.1 += queue.sent.abs_diff(queue.claimed);
            }
        }
        let each = if self.is_folded() { self.program.agents.len() as u64 } else { 1 };
        found
            .into_iter()
            .map(|((_, site, queue, is_sent), (agent, count))| {
                let count = count * each;
                if is_sent {
                    self.left_in_queue(agent, queue, (site, count))
                } else {
                    self.never_came(agent, queue, (site, count))
                }
            })
            .collect()
    }

    fn left_in_queue(
        &self,
        agent: AgentId,
        queue: QueueId,
        (site, count): (SiteId, u64),
    ) -> Diagnostic {
        let feeder = self.wires.feeder(agent, queue);
        let sender = feeder.map_or(agent, |feeder| feeder.agent);
        let direction = feeder.map_or("?", |feeder| self.direction(feeder.queue));
        let (from, to) = (self.name(sender), self.name(agent));
        let are = if count == 1 { "message is" } else { "messages are" };
        let message = format!("{} {are} sent to `{direction}` but never received", grouped(count));
        let label = format!("{from} sends here, to `{}` of {to}", self.direction(queue));
        let at = self.span(sender, site);
        let diagnostic = Diagnostic::new(lowering::NEVER_RECEIVED, message, at, label);
        let received = self.run.queue(self.walked(agent), queue).map_or(0, |queue| queue.claimed);
        let recvs = self.recvs(agent, queue);
        if recvs.is_empty() {
            return self.show_recvs(diagnostic, agent);
        }
        let text = format!("{to} receives {} of them here", grouped(received));
        because(diagnostic, &recvs, &text)
    }

    fn never_came(
        &self,
        agent: AgentId,
        queue: QueueId,
        (site, count): (SiteId, u64),
    ) -> Diagnostic {
        let (name, direction) = (self.name(agent), self.direction(queue));
        let are = if count == 1 { "message is" } else { "messages are" };
        let message =
            format!("{} {are} asked for from `{direction}` but never sent", grouped(count));
        let label = format!("{name} asks here");
        let at = self.span(agent, site);
        let diagnostic = Diagnostic::new(lowering::NEVER_SENT, message, at, label);
        match self.wires.feeder(agent, queue) {
            Some(feeder) => self.show_sends(diagnostic, feeder.agent),
            None => diagnostic,
        }
    }
}
