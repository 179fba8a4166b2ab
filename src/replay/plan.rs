//! From records of the log to tasks: which agent does what, and in which order.

use rustc_hash::FxHashMap;

use super::access::{self, Access, Summary, Use, for_each_access};
use super::fault::{self, Fault, FaultKind};
use super::local::Arrival;
use super::memory::Memory;
use super::stream::Stream;
use crate::arena::Id;
use crate::command::{AgentId, Command, Place, Program, QueueId, Step, Template};
use crate::oplog::{Action, Engine, Record, TransferId};

/// The most stretches that are looked at to find out whether agents may run at once.
const MAX_STRETCHES: usize = 1 << 20;

/// A message by its sender, the number of the command that sends it, and which of that command's
/// messages it is.
pub(super) type MessageId = (AgentId, u32, u8);

/// Something that one agent does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) agent: AgentId,
    pub(super) action: Deed,
}

/// What it does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    /// Runs a command.
    Run(Step),
    /// Runs a send, whose message goes to another agent.
    Send(Step, AgentId),
    /// Runs a stream, whose result goes to several, or to none.
    Stream(Step),
    /// Takes a message into a slot of a queue.
    Take(MessageId, QueueId, Arrival),
}

/// A message on its way.
#[derive(Clone, Copy, Debug)]
struct Sent {
    to: AgentId,
    queue: QueueId,
    arrival: Arrival,
}

/// Walks the streams as the log asks.
#[derive(Debug)]
pub(super) struct Planner {
    streams: Vec<Stream>,
    /// Messages that were sent and have not arrived.
    sent: FxHashMap<MessageId, Sent>,
    /// Of a program with streams, the same by where they arrive: a stream takes what is still on its
    /// way.
    on_the_way: Option<FxHashMap<(AgentId, QueueId, u64), MessageId>>,
    /// The first transfer of each stream that sends more than once.
    first_transfers: FxHashMap<(AgentId, u32), TransferId>,
    /// What has been touched in HBM.
    pub(super) touched: Summary,
    /// The same, of the tasks of one plan.
    touched_now: Summary,
}

/// Tasks in causal order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) tasks: Vec<Task>,
    /// Whether an agent's tasks may run while another's do: nothing but messages goes between
    /// them.
    pub(super) independent: bool,
    /// What is wrong with the log, and with which record.
    pub(super) faults: Vec<(usize, Fault)>,
}

impl Planner {
    /// At the start of every stream.
    pub(super) fn new(program: &Program) -> Planner {
        Planner {
            streams: program.agents.ids().map(|agent| Stream::new(program, agent)).collect(),
            sent: FxHashMap::default(),
            on_the_way: has_streams(program).then(FxHashMap::default),
            first_transfers: FxHashMap::default(),
            touched: Summary::default(),
            touched_now: Summary::default(),
        }
    }

    /// How many commands of `agent` have been walked.
    pub(super) fn walked(&self, agent: AgentId) -> u32 {
        self.streams[agent.index()].walked()
    }

    /// The tasks of the next records, one each, but for records that do not fit the program.
    pub(super) fn plan(
        &mut self,
        program: &Program,
        memory: &mut Memory,
        records: &[Record],
    ) -> Plan {
        let mut plan = Plan { tasks: Vec::with_capacity(records.len()), ..Plan::default() };
        self.touched_now.clear();
        for (index, record) in records.iter().enumerate() {
            let task = match record.action {
                Action::Command => self.command(program, memory, record, &mut plan.tasks),
                // A write is carried out when its source is read: nothing that is ordered after
                // it can tell the difference.
                Action::Delivery if record.engine == Engine::DmaWrite => continue,
                // What a composite computes is computed when all of it has been read.
                Action::Stage => continue,
                Action::Delivery => self.delivery(record),
            };
            match task {
                Ok(task) => plan.tasks.push(task),
                Err(what) => plan.faults.push((index, broken(record, what))),
            }
        }
        plan.independent = self.is_independent(program, memory, &plan.tasks);
        plan
    }

    fn command(
        &mut self,
        program: &Program,
        memory: &mut Memory,
        record: &Record,
        tasks: &mut Vec<Task>,
    ) -> Result<Task, String> {
        let agent = record.agent;
        let stream = self.streams.get_mut(agent.index()).ok_or("the log names no such agent")?;
        let step = stream.take(program, record.seq).map_err(|it| fault::stream_fault(&it))?;
        let mut claims = None;
        let (touched, touched_now) = (&mut self.touched, &mut self.touched_now);
        for_each_access(program, memory, (agent, &step), &mut |access| {
            if let (region, Some(pe)) = access.image
                && access.how != Use::Reads
            {
                claims = Some((region, pe));
            }
            touched.add(agent, access, access.how);
            touched_now.add(agent, access, access.how.in_order());
        });
        // A command writes to one tensor at most.
        if let Some((region, pe)) = claims {
            memory.claim(region, pe);
        }
        if let Command::IpcqStream(it) = &step.command {
            tasks.extend(self.take_now(agent, it.slot.place));
            for (index, (queue, token)) in (0..).zip(it.outputs()) {
                self.send(program, (agent, &step, index), (queue, token))?;
            }
            if let Some(first) = record.transfer.filter(|_| it.outputs().nth(1).is_some()) {
                self.first_transfers.insert((agent, step.seq), first);
            }
            return Ok(Task { agent, action: Deed::Stream(step) });
        }
        let Command::IpcqSend(send) = step.command else {
            return Ok(Task { agent, action: Deed::Run(step) });
        };
        let to = self.send(program, (agent, &step, 0), (send.queue, send.token))?;
        Ok(Task { agent, action: Deed::Send(step, to) })
    }

    /// A message leaves; gives the agent that it goes to.
    fn send(
        &mut self,
        program: &Program,
        (agent, step, index): (AgentId, &Step, u8),
        (queue, token): (QueueId, u64),
    ) -> Result<AgentId, String> {
        let peer = program.comm.peer(agent, queue).ok_or("a message has no receiver")?;
        let arrival = Arrival { token, from: agent, site: step.site };
        let message = (agent, step.seq, index);
        self.sent.insert(message, Sent { to: peer.agent, queue: peer.queue, arrival });
        if let Some(on_the_way) = &mut self.on_the_way {
            on_the_way.insert((peer.agent, peer.queue, token), message);
        }
        Ok(peer.agent)
    }

    /// The task of taking a message that a stream uses as it arrives, if it has not arrived yet.
    fn take_now(&mut self, agent: AgentId, place: Place) -> Option<Task> {
        let Place::Slot { queue, token } = place else { return None };
        let message = self.on_the_way.as_mut()?.remove(&(agent, queue, token))?;
        let sent = self.sent.remove(&message)?;
        Some(Task { agent, action: Deed::Take(message, queue, sent.arrival) })
    }

    fn delivery(&mut self, record: &Record) -> Result<Task, String> {
        let (agent, seq) = (record.agent, record.seq);
        let first = self.first_transfers.get(&(agent, seq)).copied();
        let index = match (first, record.transfer) {
            (Some(first), Some(transfer)) => transfer.0.wrapping_sub(first.0) as u8,
            (None, _) | (_, None) => 0,
        };
        let message = (agent, seq, index);
        let sent = self.sent.remove(&message).ok_or("a message arrives that was not sent")?;
        if let Some(on_the_way) = &mut self.on_the_way {
            on_the_way.remove(&(sent.to, sent.queue, sent.arrival.token));
        }
        Ok(Task { agent: sent.to, action: Deed::Take(message, sent.queue, sent.arrival) })
    }

    /// Whether no agent writes in HBM what another touches.
    fn is_independent(&self, program: &Program, memory: &Memory, tasks: &[Task]) -> bool {
        let suspects = self.touched_now.suspects();
        suspects.iter().all(|image| {
            let mut stretches = Vec::new();
            for task in tasks {
                let Deed::Run(step) = &task.action else { continue };
                let (id, mut fits) = ((task.agent, step.seq), true);
                for_each_access(program, memory, (task.agent, step), &mut |access| {
                    if access.image != *image {
                        return;
                    }
                    let access = Access { how: access.how.in_order(), ..access.clone() };
                    // Nobody knows yet what the data will say: all of the tensor, perhaps.
                    let all = std::slice::from_ref(&access.bounds);
                    fits &=
                        access::add_stretches(&mut stretches, id, (&access, all), MAX_STRETCHES);
                });
                if !fits {
                    return false;
                }
            }
            !access::any_conflict(&mut stretches)
        })
    }
}

fn has_streams(program: &Program) -> bool {
    let is_stream = |template: &Template| matches!(template, Template::Stream { .. });
    let mut sites = program.codes.values().flat_map(|code| code.sites.values());
    sites.any(|site| is_stream(&site.template))
}

/// A record that does not fit its program.
fn broken(record: &Record, what: String) -> Fault {
    let (agent, seq) = (record.agent, record.seq);
    Fault { agent, site: record.site, seq, kind: FaultKind::Broken(what) }
}
