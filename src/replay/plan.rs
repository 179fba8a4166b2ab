//! From records of the log to tasks: which agent does what, and in which order.

use rustc_hash::FxHashMap;

use super::access::{self, Access, Summary, Use, for_each_access};
use super::fault::{self, Fault, FaultKind};
use super::local::Arrival;
use super::memory::Memory;
use super::stream::Stream;
use crate::arena::Id;
use crate::command::{AgentId, Command, Program, QueueId, Step};
use crate::oplog::{Action, Engine, Record};

/// The most stretches that are looked at to find out whether agents may run at once.
const MAX_STRETCHES: usize = 1 << 20;

/// A message by its sender and the number of the send.
pub(super) type MessageId = (AgentId, u32);

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
                Action::Command => self.command(program, memory, record),
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
        let Command::IpcqSend(send) = step.command else {
            return Ok(Task { agent, action: Deed::Run(step) });
        };
        let peer = program.comm.peer(agent, send.queue).ok_or("a message has no receiver")?;
        let arrival = Arrival { token: send.token, from: agent, site: step.site };
        let sent = Sent { to: peer.agent, queue: peer.queue, arrival };
        self.sent.insert((agent, step.seq), sent);
        Ok(Task { agent, action: Deed::Send(step, peer.agent) })
    }

    fn delivery(&mut self, record: &Record) -> Result<Task, String> {
        let message = (record.agent, record.seq);
        let sent = self.sent.remove(&message).ok_or("a message arrives that was not sent")?;
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

/// A record that does not fit its program.
fn broken(record: &Record, what: String) -> Fault {
    let (agent, seq) = (record.agent, record.seq);
    Fault { agent, site: record.site, seq, kind: FaultKind::Broken(what) }
}
