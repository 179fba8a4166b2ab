//! An agent's commands one by one, as its PE_CPU issues them.

use std::fmt::{self, Write};

use super::{desc, message, sites};
use crate::arena::Id;
use crate::command::channel::ChannelCmd;
use crate::command::{
    self, AgentId, AxisWindow, Code, MathArg, Peer, Place, Program, QueueId, Step, TileRef, Visit,
    WalkError, Walker, Window,
};
use crate::ir::DmaDesc;
use crate::source::SourceMap;

/// Writes the stream of `agent`, a line a command: its number, its name, its operands, its length
/// in bytes, its queue and its place in the source. Memory does not grow with the stream.
///
/// # Errors
/// `out` does not take more. A stream that cannot go on ends in a line that says why.
pub fn stream(
    program: &Program,
    agent: AgentId,
    sources: &SourceMap,
    out: &mut dyn Write,
) -> fmt::Result {
    let binding = program.agents[agent];
    writeln!(out, "pe{} ({agent}): {}", binding.pe.0, program.code(agent).name)?;
    let mut walker = Walker::new(program, agent);
    let feeders = feeders(program, agent);
    loop {
        match walker.next(program) {
            Ok(Some(step)) => write_step(program, (agent, &feeders), (step, sources), out)?,
            Ok(None) => return Ok(()),
            Err(error) => return writeln!(out, "  stops: {}", stops(&error, sources)),
        }
    }
}

/// Who sends into each queue of `agent`.
fn feeders(program: &Program, agent: AgentId) -> Vec<Option<Peer>> {
    let count = program.comm.directions.len();
    let mut feeders = vec![None; count];
    for (index, peer) in program.comm.peers.iter().enumerate() {
        let Some(peer) = peer.filter(|peer| peer.agent == agent) else { continue };
        if let Some(feeder) = feeders.get_mut(usize::from(peer.queue.0)) {
            let queue = QueueId((index % count) as u8);
            *feeder = Some(Peer { agent: AgentId::from_index(index / count), queue });
        }
    }
    feeders
}

fn stops(error: &WalkError, sources: &SourceMap) -> String {
    let (why, span) = match error {
        WalkError::DivisionByZero { span } => (String::from("division by zero"), span),
        WalkError::Endless { span } => (String::from("a loop never ends"), span),
        WalkError::Assertion { span, message } => (format!("assertion: {message}"), span),
        WalkError::TooLong { span } => (String::from("too many commands"), span),
    };
    format!("{why} at {}", sources.location(*span))
}

fn write_step(
    program: &Program,
    (agent, feeders): (AgentId, &[Option<Peer>]),
    (step, sources): (Step, &SourceMap),
    out: &mut dyn Write,
) -> fmt::Result {
    let mut row = Row { program, agent, feeders, code: program.code(agent) };
    let Columns { operands, bytes, queue } = step.command.visit(&mut row);
    let name = step.command.name();
    let bytes = bytes.map_or(String::new(), |bytes| bytes.to_string());
    let location = sources.location(program.span(agent, step.site));
    let seq = step.seq;
    writeln!(out, "{seq:>6}  {name:<15} {operands:<52} {bytes:>9}  {queue:<16} {location}")
}

/// What a line says of a command.
#[derive(Default)]
struct Columns {
    operands: String,
    bytes: Option<u64>,
    queue: String,
}

struct Row<'a> {
    program: &'a Program,
    agent: AgentId,
    feeders: &'a [Option<Peer>],
    code: &'a Code,
}

impl Row<'_> {
    /// `tcm+128`, `W#3`: message 3 of the queue from `W`.
    fn place(&self, tile: TileRef) -> String {
        match tile.place {
            Place::Scratch(offset) => format!("tcm+{offset}"),
            Place::Slot { queue, token } => {
                format!("{}#{token}", self.program.comm.direction(queue))
            }
        }
    }

    fn peer_name(&self, peer: Option<Peer>) -> String {
        let name = |peer: Peer| {
            let pe = self.program.agents[peer.agent].pe.0;
            format!("pe{pe}.{}", self.program.comm.direction(peer.queue))
        };
        peer.map_or(String::from("nobody"), name)
    }

    /// `E -> pe1.W`: a queue and where it leads.
    fn to(&self, queue: QueueId) -> String {
        let peer = self.program.comm.peer(self.agent, queue);
        format!("{} -> {}", self.program.comm.direction(queue), self.peer_name(peer))
    }

    /// `W <- pe7.E`: the queue of a slot and who fills it.
    fn from(&self, slot: TileRef) -> String {
        let Place::Slot { queue, .. } = slot.place else { return String::new() };
        let feeder = self.feeders.get(usize::from(queue.0)).copied().flatten();
        format!("{} <- {}", self.program.comm.direction(queue), self.peer_name(feeder))
    }

    /// `f32[64] at 0x1000 index tcm+0 mask tcm+256`.
    fn lanes(&self, lanes: &command::Lanes) -> String {
        let shape = sites::lane_shape(&self.code.lanes[lanes.spec]);
        let index = lanes.index.map_or(String::new(), |it| format!(" index {}", self.place(it)));
        let mask = lanes.mask.map_or(String::new(), |it| format!(" mask {}", self.arg(it)));
        format!("{shape} at {:#x}{index}{mask}", lanes.base)
    }

    fn arg(&self, arg: MathArg) -> String {
        match arg {
            MathArg::Tile(tile) => self.place(tile),
            MathArg::Scalar(crate::ir::Literal::Int(value)) => value.to_string(),
            MathArg::Scalar(crate::ir::Literal::Float(value)) => format!("{value:?}"),
        }
    }
}

/// ` [0..64, 3..8 from 60 mod 64]`: what of each axis a window moves; and the bytes of that.
fn windowed(block: &DmaDesc, window: Option<&Window>) -> (String, u64) {
    let Some(window) = window else { return (String::new(), block.bytes()) };
    let axes = block.dims.iter().zip(&window.axes).map(|(_, axis)| {
        let AxisWindow { lo, len, start, period } = *axis;
        let wrap = if period == 0 { String::new() } else { format!(" from {start} mod {period}") };
        format!("{lo}..{}{wrap}", lo + len)
    });
    let axes: Vec<String> = axes.collect();
    (format!(" [{}]", axes.join(", ")), window.bytes(block))
}

impl Visit for Row<'_> {
    type Out = Columns;

    fn dma_read(&mut self, it: &command::DmaRead) -> Columns {
        let block = &self.code.descs[it.desc];
        let (window, bytes) = windowed(block, it.window.as_ref());
        let dst = self.place(it.dst);
        let operands = format!("{} at {:#x}{window} -> {dst}", desc(block), it.base);
        Columns { operands, bytes: Some(bytes), ..Columns::default() }
    }

    fn dma_write(&mut self, it: &command::DmaWrite) -> Columns {
        let block = &self.code.descs[it.desc];
        let (window, bytes) = windowed(block, it.window.as_ref());
        let src = self.place(it.src);
        let operands = format!("{src} -> {} at {:#x}{window}", desc(block), it.base);
        Columns { operands, bytes: Some(bytes), ..Columns::default() }
    }

    fn dma_gather(&mut self, it: &command::DmaGather) -> Columns {
        let other = it.other.map_or(String::new(), |other| format!(" other {}", self.arg(other)));
        let operands = format!("{}{other} -> {}", self.lanes(&it.lanes), self.place(it.dst));
        let bytes = self.code.lanes[it.lanes.spec].bytes();
        Columns { operands, bytes: Some(bytes), ..Columns::default() }
    }

    fn dma_scatter(&mut self, it: &command::DmaScatter) -> Columns {
        let operands = format!("{} -> {}", self.place(it.src), self.lanes(&it.lanes));
        let bytes = self.code.lanes[it.lanes.spec].bytes();
        Columns { operands, bytes: Some(bytes), ..Columns::default() }
    }

    fn dma_atomic(&mut self, it: &command::DmaAtomic) -> Columns {
        let shown = |word, tile: Option<TileRef>| {
            tile.map_or(String::new(), |tile| format!("{word}{}", self.place(tile)))
        };
        let expected = shown(" expected ", it.expected);
        let (verb, lanes) = (sites::verb(it.op), self.lanes(&it.lanes));
        let (src, found) = (self.place(it.src), shown(" -> ", it.dst));
        let operands = format!("{verb} {lanes} with {src}{expected}{found}");
        let bytes = self.code.lanes[it.lanes.spec].bytes();
        Columns { operands, bytes: Some(bytes), ..Columns::default() }
    }

    fn math(&mut self, it: &command::MathCmd) -> Columns {
        let spec = &self.code.maths[it.spec];
        let args: Vec<String> = it.args.iter().flatten().map(|arg| self.arg(*arg)).collect();
        let operands = format!("{} -> {}", sites::math(spec, &args), self.place(it.out));
        Columns { operands, bytes: Some(it.out.bytes), ..Columns::default() }
    }

    fn gemm(&mut self, it: &command::GemmCmd) -> Columns {
        let spec = sites::gemm(&self.code.gemms[it.spec]);
        let acc = it.acc.map_or(String::new(), |acc| format!(" + {}", self.place(acc)));
        let (a, b, out) = (self.place(it.a), self.place(it.b), self.place(it.out));
        let operands = format!("{a} @ {b}{acc} -> {out}  {spec}");
        Columns { operands, bytes: Some(it.out.bytes), ..Columns::default() }
    }

    fn composite(&mut self, it: &command::CompositeCmd) -> Columns {
        let spec = &self.code.composites[it.spec];
        let source = |source: command::Source| match source {
            command::Source::Tile(tile) => self.place(tile),
            command::Source::Memory(address) => format!("[{address:#x}]"),
        };
        let sources = [Some(it.a), it.b].map(|it| it.map(source));
        let args: Vec<String> = it.args.iter().flatten().map(|arg| self.arg(*arg)).collect();
        let text = sites::composite(spec, sources, &args);
        let operands = format!("#{} {text} -> {:#x}", it.number, it.out);
        Columns { operands, bytes: Some(spec.out_bytes()), ..Columns::default() }
    }

    fn composite_wait(&mut self, it: &command::CompositeWait) -> Columns {
        Columns { operands: format!("#{}", it.number), ..Columns::default() }
    }

    fn ipcq_send(&mut self, it: &command::IpcqSend) -> Columns {
        let operands = format!("{} as #{}  {}", self.place(it.src), it.token, message(it.message));
        Columns { operands, bytes: Some(it.message.bytes()), queue: self.to(it.queue) }
    }

    fn ipcq_recv(&mut self, it: &command::IpcqRecv) -> Columns {
        let into = it.dst.map_or(String::new(), |dst| format!(" -> {}", self.place(dst)));
        let free = if it.consume { "" } else { ", not consumed" };
        let operands = format!("{}{into}  {}{free}", self.place(it.slot), message(it.message));
        Columns { operands, bytes: Some(it.message.bytes()), queue: self.from(it.slot) }
    }

    fn ipcq_stream(&mut self, it: &command::IpcqStream) -> Columns {
        let spec = &self.code.maths[it.spec];
        let args: Vec<String> =
            std::iter::once(it.slot).chain(it.acc).map(|tile| self.place(tile)).collect();
        let to: Vec<String> =
            it.outputs().map(|(queue, token)| format!("{} as #{token}", self.to(queue))).collect();
        let to = if to.is_empty() { String::new() } else { format!(", {}", to.join(", ")) };
        let out = it.out.map_or(String::new(), |out| format!(" -> {}", self.place(out)));
        let made = sites::math(spec, &args);
        let operands = format!("{made}{out}{to}  {}", message(it.message));
        Columns { operands, bytes: Some(it.message.bytes()), queue: self.from(it.slot) }
    }

    fn ipcq_recv_async(&mut self, it: &command::IpcqRecvAsync) -> Columns {
        let operands = format!("{}  {}", self.place(it.slot), message(it.message));
        Columns { operands, bytes: Some(it.message.bytes()), queue: self.from(it.slot) }
    }

    fn wait(&mut self, it: &command::Wait) -> Columns {
        let queue = self.from(it.slot);
        Columns { operands: self.place(it.slot), bytes: Some(it.slot.bytes), queue }
    }

    fn channel(&mut self, it: &ChannelCmd) -> Columns {
        let moved = super::channel::moved(self.code, it);
        let bytes = moved.read.max(moved.written).max(moved.sent);
        let operands = super::channel::text(self.code, it.op);
        let at = match it.at.offset {
            0 => format!("launch {}", it.at.launch),
            offset => format!("launch {}+{offset}", it.at.launch),
        };
        Columns { operands, bytes: (bytes > 0).then_some(bytes), queue: at }
    }

    fn ipcq_release(&mut self, it: &command::IpcqRelease) -> Columns {
        Columns { operands: self.place(it.slot), bytes: None, queue: self.from(it.slot) }
    }
}
