//! Who waits for whom when nothing can go on.

use super::agent::{Status, Wait};
use super::failure::{Failure, Waiting, WaitsFor};
use super::state::Simulation;
use crate::arena::Id;
use crate::command::{AgentId, Command, Place, QueueId};
use crate::oplog::LogSink;

impl<L: LogSink> Simulation<'_, L> {
    /// Why agents are left that have not ended: a cycle if there is one, else the chain from the
    /// first of them.
    pub(super) fn find_stuck(&self) -> Option<Failure> {
        let blocks = self.stuck_blocks();
        if !blocks.is_empty() {
            return Some(Failure::Stuck(blocks));
        }
        let mut first_chain = None;
        // The walk that an agent was seen in, from 1; 0 for none yet.
        let mut seen = vec![0u32; self.agents.len()];
        for (start, number) in self.program.agents.ids().zip(1..) {
            let (mut agent, mut path) = (Some(start), Vec::new());
            while let Some(waiting) = agent.and_then(|agent| self.waiting(agent)) {
                let mark = &mut seen[waiting.agent.index()];
                if *mark != 0 {
                    if *mark == number {
                        return Some(Failure::Deadlock(cycle(&path, waiting.agent)));
                    }
                    path.clear();
                    break;
                }
                *mark = number;
                path.push(waiting);
                agent = self.waits_for(waiting.agent);
            }
            if !path.is_empty() && first_chain.is_none() {
                first_chain = Some(Failure::Starved { chain: path, ended: agent });
            }
        }
        first_chain
    }

    /// What an agent waits in; `None` if it has ended.
    fn waiting(&self, agent: AgentId) -> Option<Waiting> {
        let state = &self.agents[agent.index()];
        let Status::Waits(wait) = state.status else {
            let (op, (connection, _)) = self.stuck_stream(agent.0)?;
            let queue = self.ipcq.connection(connection).queue;
            return Some(Waiting { agent, site: op.site, on: WaitsFor::Message, queue });
        };
        let step = state.held.as_ref()?;
        let on = match wait {
            Wait::Message { .. } if matches!(step.command, Command::Wait(_)) => WaitsFor::Claimed,
            Wait::Message { .. } | Wait::Local | Wait::Channel => WaitsFor::Message,
            Wait::Credit { connection, .. } => {
                let (taken, slots) = self.ipcq.fill(connection);
                WaitsFor::Slot { taken, slots }
            }
        };
        let over = if let Wait::Credit { connection, .. } = wait { Some(connection) } else { None };
        let leads = |queue: &QueueId| over.is_some() && self.ipcq.sends_to(agent, *queue) == over;
        let sent = step.command.sends_to().find(leads);
        let queue = sent.unwrap_or_else(|| direction(&step.command));
        Some(Waiting { agent, site: step.site, on, queue })
    }

    fn waits_for(&self, agent: AgentId) -> Option<AgentId> {
        let Status::Waits(wait) = self.agents[agent.index()].status else {
            let (_, (connection, _)) = self.stuck_stream(agent.0)?;
            return Some(self.ipcq.connection(connection).sender);
        };
        match wait {
            Wait::Message { connection, .. } => Some(self.ipcq.connection(connection?).sender),
            Wait::Credit { connection, .. } => Some(self.ipcq.connection(connection).receiver),
            Wait::Local | Wait::Channel => None,
        }
    }
}

/// The direction that a command waits in.
fn direction(command: &Command) -> QueueId {
    let of_slot = |place: Place| match place {
        Place::Slot { queue, .. } => queue,
        Place::Scratch(_) => QueueId(0),
    };
    match command {
        Command::IpcqSend(it) => it.queue,
        Command::IpcqRecv(it) => of_slot(it.slot.place),
        Command::IpcqStream(it) => of_slot(it.slot.place),
        Command::IpcqRecvAsync(it) => of_slot(it.slot.place),
        Command::Wait(it) => of_slot(it.slot.place),
        Command::IpcqRelease(it) => of_slot(it.slot.place),
        Command::DmaRead(_)
        | Command::DmaWrite(_)
        | Command::DmaGather(_)
        | Command::DmaScatter(_)
        | Command::DmaAtomic(_)
        | Command::MathCmd(_)
        | Command::GemmCmd(_)
        | Command::CompositeCmd(_)
        | Command::CompositeWait(_)
        | Command::ChannelCmd(_) => QueueId(0),
    }
}

/// The agents of `path` from `again` on, which comes after the last; the lowest first.
fn cycle(path: &[Waiting], again: AgentId) -> Vec<Waiting> {
    let begin = path.iter().position(|it| it.agent == again).unwrap_or(0);
    let mut cycle = path[begin..].to_vec();
    let lowest = (0..cycle.len()).min_by_key(|index| cycle[*index].agent).unwrap_or(0);
    cycle.rotate_left(lowest);
    cycle
}
