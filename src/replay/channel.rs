//! Replays channel programs: thread blocks that read and write each other's memory.
//!
//! Commands run in the order of the log, on one memory. A command that threads carry out runs where
//! its record begins it; what a port is asked runs where its source is read, which is later. At the
//! end of its kernel the host takes the output of a rank and gives it new input, so ranks that run
//! ahead find what is there by then; when all ranks have ended a launch, it is compared with the
//! definition.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::data::{Values, generate};
use super::image::{Origin, Writer};
use super::memory::Memory;
use super::numeric::{self, Input};
use super::stream::Stream;
use super::verify::{Collective, CollectiveReport, Reduction};
use crate::arena::Id;
use crate::command::channel::{
    ChannelOp, Definition, ExchangeId, Form, Moment, Move, PortId, Stretch, Unit,
};
use crate::command::{AgentId, ArgSpec, Command, MathOp, MathSpec, Program, SiteId};
use crate::dtype::DType;
use crate::oplog::{Action, Engine, Record};
use crate::ops::{BinaryOp, CostClass};
use crate::shape::Shape;
use crate::topology::PeId;

/// Bytes of a word of a packet, before its flag.
const WORD: usize = 4;

/// What became of the data of one launch.
#[derive(Clone, Debug)]
pub struct LaunchData {
    /// The launch, from 1.
    pub launch: u32,
    /// What it was compared with.
    pub collective: Collective,
    /// What the comparison found.
    pub report: CollectiveReport,
}

/// Outputs of one launch, as ranks end it.
#[derive(Debug, Default)]
struct Outputs {
    blocks: BTreeMap<u32, Vec<u8>>,
}

/// The data of a channel program, as far as its log has been replayed.
#[derive(Debug)]
pub struct ChannelReplay<'p> {
    program: &'p Program,
    memory: Memory,
    streams: Vec<Stream>,
    /// What ports were asked and have not done: the command, and the next of its requests.
    asked: FxHashMap<(AgentId, u32), (PortId, Moment, SiteId, usize)>,
    outputs: BTreeMap<u32, Outputs>,
    seed: u64,
    dtype: DType,
    /// Every launch that all ranks have ended.
    launches: Vec<LaunchData>,
    /// What is wrong with the log, if anything.
    broken: Option<String>,
}

/// Who moves bytes.
#[derive(Clone, Copy)]
struct By {
    agent: AgentId,
    site: SiteId,
    seq: u32,
    at: Moment,
}

impl<'p> ChannelReplay<'p> {
    /// The start: inputs are made from `seed`, scratch is zero.
    pub fn new(program: &'p Program, seed: u64) -> ChannelReplay<'p> {
        let dtype = program.channels.dtype.unwrap_or(DType::F32);
        let mut it = ChannelReplay {
            program,
            memory: Memory::new(program.memory.clone()),
            streams: program.agents.ids().map(|agent| Stream::new(program, agent)).collect(),
            asked: FxHashMap::default(),
            outputs: BTreeMap::new(),
            seed,
            dtype,
            launches: Vec::new(),
            broken: None,
        };
        for rank in 0..program.channels.ranks.len() as u32 {
            it.give_input(rank, 1);
        }
        it
    }

    /// Executes the next records of the log.
    pub fn advance(&mut self, records: &[Record]) {
        for record in records {
            let done = match (record.action, record.engine) {
                (Action::Command, _) => self.command(record),
                (Action::Delivery, Engine::DmaRead) => self.port_reads(record),
                (Action::Delivery | Action::Stage, _) => Ok(()),
            };
            if let Err(what) = done {
                self.broken.get_or_insert(what);
            }
        }
    }

    /// Every launch that all ranks have ended, and has a definition.
    pub fn launches(&self) -> &[LaunchData] {
        &self.launches
    }

    /// What is wrong with the log or the program, if anything.
    pub fn trouble(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// The memory of all ranks.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    fn command(&mut self, record: &Record) -> Result<(), String> {
        let agent = record.agent;
        let stream = self.streams.get_mut(agent.index()).ok_or("the log names no such agent")?;
        let step = stream.take(self.program, record.seq).map_err(|it| format!("{it:?}"))?;
        let Command::ChannelCmd(it) = step.command else {
            return Err(format!("{} is no channel command", step.command.name()));
        };
        let by = By { agent, site: step.site, seq: step.seq, at: it.at };
        if let ChannelOp::Exchange(op) = it.op {
            self.exchange(by, op.spec)
        } else if let ChannelOp::PortPut(op) = it.op {
            self.asked.insert((agent, step.seq), (op.spec, it.at, step.site, 0));
            Ok(())
        } else if let ChannelOp::KernelEnd(_) = it.op {
            self.kernel_ends(by)
        } else {
            Ok(())
        }
    }

    fn exchange(&mut self, by: By, spec: ExchangeId) -> Result<(), String> {
        let program = self.program;
        let spec = &program.code(by.agent).exchanges[spec];
        // All is read before anything is written.
        let mut values = Vec::with_capacity(spec.moves.len());
        for it in &spec.moves {
            values.push(self.value(by, it, spec.unit)?);
        }
        for (it, value) in spec.moves.iter().zip(values) {
            for target in &it.targets {
                self.write(by, (target, spec.unit), &value)?;
            }
        }
        Ok(())
    }

    /// The combined data of the sources of a move.
    fn value(&self, by: By, it: &Move, unit: Unit) -> Result<Vec<u8>, String> {
        let mut value: Option<Vec<u8>> = None;
        for source in &it.sources {
            for place in 0..source.at.len() {
                let data = self.read(by, (source, unit), place)?;
                value = Some(match value {
                    None => data,
                    Some(value) => combine(it.reduce, self.dtype, &value, &data)?,
                });
            }
        }
        Ok(value.unwrap_or_default())
    }

    /// The data of a stretch on one of its ranks.
    fn read(
        &self,
        by: By,
        (from, unit): (&Stretch, Unit),
        place: usize,
    ) -> Result<Vec<u8>, String> {
        let bytes = by.at.bytes(from, unit);
        let raw = self.bytes(by.at.address(from, place, unit), from.form.room(bytes))?;
        Ok(match from.form {
            Form::Plain => raw,
            Form::Packets => unpack(&raw, bytes as usize),
        })
    }

    fn bytes(&self, address: u64, bytes: u64) -> Result<Vec<u8>, String> {
        if bytes == 0 {
            return Ok(Vec::new());
        }
        let outside = || format!("{bytes} B at {address:#x} are in no buffer");
        self.memory.read(PeId(0), address, bytes).map_err(|_| outside())
    }

    fn write(&mut self, by: By, (to, unit): (&Stretch, Unit), data: &[u8]) -> Result<(), String> {
        let raw = match to.form {
            Form::Plain => data.to_vec(),
            Form::Packets => pack(data, by.at.launch),
        };
        for place in 0..to.at.len() {
            self.put(by, by.at.address(to, place, unit), &raw)?;
        }
        Ok(())
    }

    fn put(&mut self, by: By, address: u64, raw: &[u8]) -> Result<(), String> {
        if raw.is_empty() {
            return Ok(());
        }
        let outside = |_| format!("{} B at {address:#x} are in no buffer", raw.len());
        let region = self.memory.map().find(address, raw.len() as u64).map_err(outside)?;
        let offset = address - self.memory.map().regions()[region].base;
        let writer = Writer { agent: by.agent, site: by.site, seq: by.seq };
        let view = self.memory.view(region, PeId(0));
        view.writer(Origin::Command(writer)).write(offset, raw);
        Ok(())
    }

    /// A port reads the source of its next request, and what it reads is on its way.
    fn port_reads(&mut self, record: &Record) -> Result<(), String> {
        let key = (record.agent, record.seq);
        let asked = self.asked.get_mut(&key).ok_or("a port does what it was not asked")?;
        let (spec, at, site, next) = *asked;
        asked.3 += 1;
        let program = self.program;
        let spec = &program.code(record.agent).ports[spec];
        let request = spec.requests.get(next).ok_or("a port does more than it was asked")?;
        if next + 1 == spec.requests.len() {
            self.asked.remove(&key);
        }
        let by = By { agent: record.agent, site, seq: record.seq, at };
        let bytes = request.source.form.room(at.bytes(&request.source, spec.unit));
        let raw = self.bytes(at.address(&request.source, 0, spec.unit), bytes)?;
        self.put(by, at.address(&request.target, 0, spec.unit), &raw)
    }

    /// A block ends its kernel; the first of a rank is the last to.
    fn kernel_ends(&mut self, by: By) -> Result<(), String> {
        let rank = self.program.agents[by.agent].pe.0;
        let memory = self.program.channels.ranks[rank as usize];
        if memory.first_agent != by.agent.0 {
            return Ok(());
        }
        let launch = by.at.launch;
        if self.program.channels.definition.is_some() {
            let output = self.bytes(memory.output.base, memory.output.bytes)?;
            let outputs = self.outputs.entry(launch).or_default();
            outputs.blocks.insert(rank, output);
            if outputs.blocks.len() == self.program.channels.ranks.len() {
                self.compare(launch)?;
            }
        }
        if launch < self.program.channels.launches {
            self.give_input(rank, launch + 1);
        }
        Ok(())
    }

    fn input(&self, rank: u32, launch: u32) -> Vec<u8> {
        let bytes = self.program.channels.ranks[rank as usize].input.bytes;
        let seed = self.seed.wrapping_add(u64::from(launch) << 32 | u64::from(rank));
        let values = if self.dtype.is_float() {
            Values::Uniform { low: -1.0, high: 1.0 }
        } else {
            Values::Integers { low: -1000, high: 1000 }
        };
        generate(self.dtype, bytes / self.dtype.bytes(), values, seed)
    }

    fn give_input(&mut self, rank: u32, launch: u32) {
        let base = self.program.channels.ranks[rank as usize].input.base;
        let input = self.input(rank, launch);
        if !input.is_empty() {
            let given = self.memory.write(None, base, &input);
            debug_assert!(given.is_ok(), "an input lies in a buffer of its rank");
        }
    }

    fn compare(&mut self, launch: u32) -> Result<(), String> {
        let Some(definition) = self.program.channels.definition else { return Ok(()) };
        let outputs = self.outputs.remove(&launch).unwrap_or_default();
        let ranks = self.program.channels.ranks.len() as u32;
        let inputs: Vec<Vec<u8>> = (0..ranks).map(|rank| self.input(rank, launch)).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let got: Vec<&[u8]> = outputs.blocks.values().map(Vec::as_slice).collect();
        let collective = collective(definition);
        let report = collective.check(self.dtype, &inputs, &got).map_err(|it| it.0)?;
        self.launches.push(LaunchData { launch, collective, report });
        Ok(())
    }
}

/// The collective that a definition is.
fn collective(definition: Definition) -> Collective {
    let reduction = |op: BinaryOp| {
        if op == BinaryOp::Minimum {
            Reduction::Min
        } else if op == BinaryOp::Maximum {
            Reduction::Max
        } else {
            Reduction::Sum
        }
    };
    match definition {
        Definition::AllReduce(op) => Collective::AllReduce(reduction(op)),
        Definition::AllGather => Collective::AllGather,
        Definition::ReduceScatter(op) => Collective::ReduceScatter(reduction(op)),
        Definition::AllToAll => Collective::AllToAll,
        Definition::Broadcast => Collective::Broadcast(0),
        Definition::SendReceive { group } => Collective::SendReceive(group),
    }
}

/// Two operands combined element by element, each result rounded to the type.
fn combine(op: BinaryOp, dtype: DType, one: &[u8], two: &[u8]) -> Result<Vec<u8>, String> {
    let elements = one.len() as u64 / dtype.bytes();
    let arg = ArgSpec { dtype, offset: 0, strides: vec![1] };
    let spec = MathSpec {
        op: MathOp::Binary(op),
        shape: Shape::new([elements]),
        args: vec![arg.clone(), arg],
        out: dtype,
        cost: CostClass::Simple,
    };
    let mut out = vec![0; one.len()];
    let inputs = [Input::Tile(one), Input::Tile(two)];
    numeric::math(&spec, &inputs, &mut out).map_err(|it| format!("{it:?}"))?;
    Ok(out)
}

/// Each word of data, followed by the flag.
fn pack(data: &[u8], flag: u32) -> Vec<u8> {
    let mut raw = Vec::with_capacity(data.len() * 2);
    for word in data.chunks(WORD) {
        raw.extend_from_slice(word);
        raw.extend_from_slice(&flag.to_le_bytes()[..word.len()]);
    }
    raw
}

/// The data of packets, without their flags.
fn unpack(raw: &[u8], bytes: usize) -> Vec<u8> {
    let words = raw.chunks(2 * WORD).flat_map(|pair| &pair[..pair.len() / 2]);
    words.copied().take(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_hold_words_and_flags() {
        let raw = pack(&[1, 2, 3, 4, 5, 6, 7, 8], 7);
        assert_eq!(raw, [1, 2, 3, 4, 7, 0, 0, 0, 5, 6, 7, 8, 7, 0, 0, 0]);
        assert_eq!(unpack(&raw, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(unpack(&pack(&[1, 2, 3, 4, 5, 6], 1), 6), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_sum_is_rounded_each_time() {
        let half = |value: f32| half::f16::from_f32(value).to_le_bytes();
        let sum = combine(BinaryOp::Add, DType::F16, &half(2048.0), &half(1.0)).unwrap();
        assert_eq!(sum, half(2048.0), "2049 is no f16, and ties go to even");
        let most =
            combine(BinaryOp::Maximum, DType::I32, &5i32.to_le_bytes(), &(-9i32).to_le_bytes());
        assert_eq!(most.unwrap(), 5i32.to_le_bytes());
    }
}
