//! How much each PE is told to do.

use std::collections::BTreeMap;
use std::fmt;

use super::{all_agents, pe_ranges};
use crate::command::{AgentId, Code, Command, Program, Walker, uniformity};
use crate::topology::SlotKind;
use crate::units::grouped;

/// Runs of PEs that are named for one group.
const MAX_RANGES: usize = 6;

/// Groups that are listed.
const MAX_GROUPS: usize = 16;

/// Instructions that cost as much of the budget as a command.
const INSTS_PER_COMMAND: u64 = 16;

/// The commands of one stream, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work {
    /// Commands of each kind, in the order of [`Command::NAMES`].
    pub commands: Vec<u64>,
    /// Bytes read from HBM.
    pub read: u64,
    /// Bytes written to HBM.
    pub written: u64,
    /// Bytes sent to neighbours.
    pub sent: u64,
    /// Bytes received from neighbours.
    pub received: u64,
    /// Multiply-adds of matrix commands.
    pub macs: u64,
    /// Elements that vector commands walk.
    pub elements: u64,
}

/// Agents that do the same work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The agents.
    pub agents: Vec<AgentId>,
    /// Their PEs, for reading.
    pub pes: String,
    /// What each of them does.
    pub work: Work,
}

/// A program in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The kernel's name.
    pub name: String,
    /// Agents by what they do, the group of the first agent first.
    pub groups: Vec<Group>,
    /// Agents that were not counted, since the budget was spent.
    pub uncounted: u64,
    /// Bytes of TCM that tiles take, in the code that takes most.
    pub scratch_bytes: u64,
    /// Bytes of TCM that receive slots take.
    pub slot_bytes: u64,
}

/// Counts the commands of `program`, walking at most `budget` of them. Agents of which the code
/// says that they issue the same commands are walked once.
pub fn summarise(program: &Program, budget: u64) -> Summary {
    let mut counting = Counting { program, left: budget, known: BTreeMap::new() };
    let uniform: Vec<bool> =
        program.codes.values().map(|code| uniformity(code).stream.is_none()).collect();
    let (mut groups, mut uncounted): (Vec<Group>, u64) = (Vec::new(), 0);
    let mut index: BTreeMap<Work, usize> = BTreeMap::new();
    for agent in all_agents(program) {
        let code = crate::arena::Id::index(program.agents[agent].code);
        let Some(work) = counting.work(agent, uniform[code]) else {
            uncounted += 1;
            continue;
        };
        let group = *index.entry(work).or_insert_with_key(|work| {
            let (agents, pes) = (Vec::new(), String::new());
            groups.push(Group { agents, pes, work: work.clone() });
            groups.len() - 1
        });
        groups[group].agents.push(agent);
    }
    for group in &mut groups {
        group.pes = pe_ranges(program, &group.agents, MAX_RANGES);
    }
    let comm = &program.comm;
    let slot_bytes = if comm.kind == SlotKind::Tcm { comm.bytes_per_agent() } else { 0 };
    let scratch_bytes = program.codes.values().map(|code| code.scratch_bytes).max().unwrap_or(0);
    Summary { name: program.name.clone(), groups, uncounted, scratch_bytes, slot_bytes }
}

struct Counting<'a> {
    program: &'a Program,
    /// Commands that may still be walked.
    left: u64,
    /// The work of uniform codes, by code and number of programs.
    known: BTreeMap<(u32, u32), Work>,
}

impl Counting<'_> {
    /// What `agent` does; `None` where the budget is spent.
    fn work(&mut self, agent: AgentId, is_uniform: bool) -> Option<Work> {
        let binding = self.program.agents[agent];
        let key = (binding.code.0, binding.count);
        if let Some(work) = self.known.get(&key).filter(|_| is_uniform) {
            return Some(work.clone());
        }
        let work = self.walk(agent)?;
        if is_uniform {
            self.known.insert(key, work.clone());
        }
        Some(work)
    }

    fn walk(&mut self, agent: AgentId) -> Option<Work> {
        let code = self.program.code(agent);
        let mut work = Work { commands: vec![0; Command::NAMES.len()], ..Work::default() };
        let mut walker = Walker::new(self.program, agent);
        // A stream that fails is counted up to there; the communication check says why.
        let mut before = 0;
        while let Ok(Some(step)) = walker.next(self.program) {
            let cost = 1 + (walker.instructions() - before) / INSTS_PER_COMMAND;
            before = walker.instructions();
            self.left = self.left.checked_sub(cost)?;
            work.add(code, &step.command);
        }
        self.left = self.left.saturating_sub((walker.instructions() - before) / INSTS_PER_COMMAND);
        Some(work)
    }
}

impl Work {
    fn add(&mut self, code: &Code, command: &Command) {
        self.commands[command.kind_index()] += 1;
        let add = |to: &mut u64, count: u64| *to = to.saturating_add(count);
        match command {
            Command::DmaRead(it) => add(&mut self.read, it.bytes(code)),
            Command::DmaWrite(it) => add(&mut self.written, it.bytes(code)),
            Command::DmaGather(it) => add(&mut self.read, code.lanes[it.lanes.spec].bytes()),
            Command::DmaScatter(it) => add(&mut self.written, code.lanes[it.lanes.spec].bytes()),
            Command::DmaAtomic(it) => {
                let bytes = code.lanes[it.lanes.spec].bytes();
                add(&mut self.written, bytes);
                add(&mut self.read, if it.dst.is_some() { bytes } else { 0 });
            }
            Command::MathCmd(it) => add(&mut self.elements, code.maths[it.spec].shape.elements()),
            Command::GemmCmd(it) => {
                add(&mut self.macs, code.gemms[it.spec].macs());
            }
            Command::CompositeCmd(it) => {
                let spec = &code.composites[it.spec];
                add(&mut self.macs, spec.macs());
                add(&mut self.elements, spec.elements());
                add(&mut self.read, spec.streamed_bytes());
                add(&mut self.written, spec.out_bytes());
            }
            Command::IpcqSend(it) => add(&mut self.sent, it.message.bytes()),
            Command::IpcqRecv(it) => add(&mut self.received, it.message.bytes()),
            Command::IpcqStream(it) => {
                let bytes = it.message.bytes();
                add(&mut self.received, bytes);
                it.outputs().for_each(|_| add(&mut self.sent, bytes));
                let combines = u64::from(it.acc.is_some());
                add(&mut self.elements, combines * it.message.elements);
            }
            Command::IpcqRecvAsync(it) => add(&mut self.received, it.message.bytes()),
            Command::ChannelCmd(it) => {
                let moved = super::channel::moved(code, it);
                add(&mut self.read, moved.read);
                add(&mut self.written, moved.written);
                add(&mut self.sent, moved.sent);
            }
            Command::CompositeWait(_) | Command::Wait(_) | Command::IpcqRelease(_) => {}
        }
    }

    /// Commands of all kinds.
    pub fn total(&self) -> u64 {
        self.commands.iter().sum()
    }
}

/// `31 commands: 1 dma_read, …`, then the bytes, a line each.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self
            .commands
            .iter()
            .zip(Command::NAMES)
            .filter(|(count, _)| **count > 0)
            .map(|(count, name)| format!("{} {name}", grouped(*count)))
            .collect();
        let total = self.total();
        let noun = if total == 1 { "command" } else { "commands" };
        write!(f, "{} {noun}", grouped(total))?;
        if !kinds.is_empty() {
            write!(f, ": {}", kinds.join(", "))?;
        }
        let bytes = [
            ("read", self.read),
            ("written", self.written),
            ("sent", self.sent),
            ("received", self.received),
        ];
        let moved: Vec<String> = bytes
            .into_iter()
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(what, bytes)| format!("{what} {} B", grouped(bytes)))
            .collect();
        if moved.is_empty() { Ok(()) } else { write!(f, "\n    {}", moved.join(", ")) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agents: u64 = self.groups.iter().map(|group| group.agents.len() as u64).sum();
        writeln!(f, "program {}: {} PEs", self.name, grouped(agents + self.uncounted))?;
        for group in self.groups.iter().take(MAX_GROUPS) {
            writeln!(f, "  {}: {}", group.pes, group.work)?;
        }
        if self.groups.len() > MAX_GROUPS {
            let hidden = &self.groups[MAX_GROUPS..];
            let pes: usize = hidden.iter().map(|group| group.agents.len()).sum();
            let (groups, pes) = (grouped(hidden.len() as u64), grouped(pes as u64));
            writeln!(f, "  {groups} more kinds of stream on {pes} PEs")?;
        }
        if self.uncounted > 0 {
            writeln!(f, "  {} PEs were not counted", grouped(self.uncounted))?;
        }
        let (tiles, slots) = (self.scratch_bytes, self.slot_bytes);
        write!(f, "  TCM: {} B of tiles", grouped(tiles))?;
        if slots > 0 {
            let all = grouped(tiles.saturating_add(slots));
            write!(f, " + {} B of receive slots = {all} B", grouped(slots))?;
        }
        writeln!(f)
    }
}
