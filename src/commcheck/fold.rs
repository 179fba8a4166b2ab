//! Folds a symmetric program to one agent; why that is enough is in the module's own page.

use crate::arena::Id;
use crate::command::{AgentId, Peer, Program, QueueId, uniformity};

use super::queues::Wires;

/// The wires of one agent that stands for all, where one does.
pub(super) fn fold(program: &Program) -> Option<Wires> {
    let mut agents = program.agents.values();
    let first = *agents.next()?;
    if !agents.all(|agent| agent.code == first.code && agent.count == first.count) {
        return None;
    }
    let code = &program.codes[first.code];
    if uniformity(code).communication.is_some() {
        return None;
    }
    let directions = program.comm.directions.len();
    let mut peers = vec![None; directions];
    for site in code.sites.values() {
        for queue in site.template.sends_to() {
            let at = usize::from(queue.0);
            if peers.get(at)?.is_none() {
                let into = one_to_one(program, *queue)?;
                if peers.iter().flatten().any(|other: &Peer| other.queue == into) {
                    return None;
                }
                peers[at] = Some(Peer { agent: AgentId(0), queue: into });
            }
        }
    }
    Some(Wires::new(1, directions, peers))
}

/// The queue that a direction leads to from every agent, if it is one and each agent is reached
/// once.
fn one_to_one(program: &Program, direction: QueueId) -> Option<QueueId> {
    let mut reached = vec![false; program.agents.len()];
    let mut into = None;
    for agent in program.agents.ids() {
        let peer = program.comm.peer(agent, direction)?;
        let seen = reached.get_mut(peer.agent.index())?;
        if std::mem::replace(seen, true) || *into.get_or_insert(peer.queue) != peer.queue {
            return None;
        }
    }
    into
}
