//! Replays a run on real data: executes the commands of an op log on memory images.
//!
//! The log says in which causal order commands ran and messages arrived; the program says what
//! each command does. Nothing here knows a time. A [`Replay`] is fed records as they become
//! known, so a host can read what has been computed so far; any order of the records that keeps
//! each after what it depends on gives the same bytes.
//!
//! Each agent's stream is walked again, by the walker that the simulator used. A send is copied
//! when it runs, and the copy goes into the receiver's slot when the log says that it arrived: a
//! slot that is reused too early holds wrong data here as it would there.
//!
//! What is wrong with the data (a read of what nothing wrote, an address outside of every
//! tensor, a division by zero) is reported with the line that did it, and the replay goes on.

mod block;
mod bytes;
pub mod data;
mod execute;
mod fault;
mod image;
mod local;
mod memory;
pub mod npy;
mod numeric;
mod ranges;
mod stream;
mod value;
pub mod verify;

pub use image::{Origin, Writer};
pub use memory::Memory;
pub use value::{Value, ulps, value};

use rustc_hash::FxHashMap;

use crate::arena::Id;
use crate::command::{AgentId, Command, Program, QueueId, Step};
use crate::diag::Sink;
use crate::oplog::{Action, Record};
use block::Block;
use execute::Executor;
use fault::{Fault, FaultKind, Reporter};
use local::{Arrival, Local};
use stream::Stream;

/// The data of one launch, as far as its log has been replayed.
#[derive(Debug)]
pub struct Replay<'p> {
    program: &'p Program,
    memory: Memory,
    streams: Vec<Stream>,
    locals: Vec<Local>,
    /// Messages that were sent and have not arrived, by sender and command number.
    sent: FxHashMap<(AgentId, u32), Sent>,
    /// Buffers of messages that have arrived, to be used again.
    spare: Vec<Vec<u8>>,
    reporter: Reporter,
}

/// A message on its way.
#[derive(Clone, Debug)]
struct Sent {
    to: AgentId,
    queue: QueueId,
    arrival: Arrival,
    bytes: Vec<u8>,
}

impl<'p> Replay<'p> {
    /// The start of a launch of `program` on `memory`, whose address map is the program's.
    pub fn new(program: &'p Program, memory: Memory) -> Replay<'p> {
        Replay {
            program,
            memory,
            streams: program.agents.ids().map(|agent| Stream::new(program, agent)).collect(),
            locals: local::locals(program),
            sent: FxHashMap::default(),
            spare: Vec::new(),
            reporter: Reporter::default(),
        }
    }

    /// Executes the next records of the log. What is wrong with the data goes to `sink`.
    pub fn advance(&mut self, records: &[Record], sink: &mut Sink) {
        let mut faults = Vec::new();
        for record in records {
            match record.action {
                Action::Command => self.command(record, &mut faults),
                Action::Delivery => self.delivery(record, &mut faults),
            }
        }
        self.reporter.report(self.program, faults, sink);
    }

    /// Whether anything wrong with the data was reported.
    pub fn has_faults(&self) -> bool {
        self.reporter.any
    }

    /// The contents of the tensors after what has been replayed.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The contents of the tensors, for the next launch.
    pub fn into_memory(self) -> Memory {
        self.memory
    }

    fn command(&mut self, record: &Record, faults: &mut Vec<Fault>) {
        let stream = &mut self.streams[record.agent.index()];
        match stream.take(self.program, record.seq) {
            Ok(step) => self.execute(record.agent, step, faults),
            Err(error) => faults.push(broken(record, fault::stream_fault(&error))),
        }
    }

    fn execute(&mut self, agent: AgentId, step: Step, faults: &mut Vec<Fault>) {
        self.claim(agent, &step);
        let executor = Executor {
            program: self.program,
            memory: &self.memory,
            agent,
            step,
            local: local::of(&mut self.locals, agent),
            faults,
            message: self.spare.pop().unwrap_or_default(),
        };
        let bytes = executor.run();
        let Command::IpcqSend(send) = step.command else { return self.spare.push(bytes) };
        let Some(peer) = self.program.comm.peer(agent, send.queue) else {
            let kind = FaultKind::Broken(String::from("a message has no receiver"));
            return faults.push(Fault { agent, site: step.site, seq: step.seq, kind });
        };
        let arrival = Arrival { token: send.token, from: agent, site: step.site };
        let sent = Sent { to: peer.agent, queue: peer.queue, arrival, bytes };
        self.sent.insert((agent, step.seq), sent);
    }

    /// Makes room for what a command writes to its PE's own copy of a tensor.
    fn claim(&mut self, agent: AgentId, step: &Step) {
        let Command::DmaWrite(write) = step.command else { return };
        let block = Block::new(&self.program.code(agent).descs[write.desc]);
        if let Some(Ok(region)) =
            block.bounds(write.base).map(|bounds| execute::find(&self.memory, &bounds))
        {
            self.memory.claim(region, self.program.agents[agent].pe);
        }
    }

    fn delivery(&mut self, record: &Record, faults: &mut Vec<Fault>) {
        let Some(sent) = self.sent.remove(&(record.agent, record.seq)) else {
            return faults.push(broken(record, "a message arrives that was not sent".into()));
        };
        let Sent { to, queue, arrival, bytes } = sent;
        if !local::of(&mut self.locals, to).deliver(queue, arrival, &bytes) {
            faults.push(broken(record, "a message is larger than its slot".into()));
        }
        self.spare.push(bytes);
    }
}

/// A log that does not fit its program.
fn broken(record: &Record, what: String) -> Fault {
    let (agent, seq) = (record.agent, record.seq);
    Fault { agent, site: record.site, seq, kind: FaultKind::Broken(what) }
}
