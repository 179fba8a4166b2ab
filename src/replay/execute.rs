//! What each command does to data.

use super::block::Block;
use super::bytes::Bytes;
use super::fault::{Fault, FaultKind};
use super::image::{Origin, Writer};
use super::inspect::{Printed, Seen};
use super::local::Local;
use super::memory::Memory;
use super::numeric::{self, Factors, Input, NumericError};
use crate::command::channel::ChannelCmd;
use crate::command::{
    AgentId, CompositeCmd, CompositeWait, DmaAtomic, DmaGather, DmaRead, DmaScatter, DmaWrite,
    GemmCmd, IpcqRecv, IpcqRecvAsync, IpcqRelease, IpcqSend, IpcqStream, MathArg, MathCmd, MathOp,
    MathSpec, Program, Step, TileRef, Visit, Wait,
};
use crate::launch;
use crate::topology::PeId;

/// Runs one command of one agent.
pub(super) struct Executor<'a> {
    pub(super) program: &'a Program,
    pub(super) memory: &'a Memory,
    pub(super) agent: AgentId,
    pub(super) step: Step,
    pub(super) local: &'a mut Local,
    /// What is found wrong.
    pub(super) faults: &'a mut Vec<Fault>,
    /// What is printed.
    pub(super) printed: &'a mut Vec<Printed>,
    /// What the command sends, if it is a send.
    pub(super) message: Vec<u8>,
}

impl Executor<'_> {
    /// Runs the command. Returns what it sends, or as it was the buffer for that.
    pub(super) fn run(mut self) -> Vec<u8> {
        let step = self.step;
        step.command.visit(&mut self);
        self.message
    }

    pub(super) fn pe(&self) -> PeId {
        self.program.agents[self.agent].pe
    }

    pub(super) fn fault(&mut self, kind: FaultKind) {
        let (site, seq) = (self.step.site, self.step.seq);
        self.faults.push(Fault { agent: self.agent, site, seq, kind });
    }

    /// Where a tile that is read lies. One that cannot be read is a fault, but its bytes are used
    /// as they are, so that one mistake is reported once.
    pub(super) fn readable(&mut self, tile: TileRef) -> Option<std::ops::Range<usize>> {
        match self.local.readable(tile) {
            Ok(range) => Some(range),
            Err(why) => {
                self.fault(FaultKind::Tile(tile, why));
                self.local.locate(tile)
            }
        }
    }

    /// Where a tile that is written lies, `bytes` long.
    pub(super) fn writable(&mut self, tile: TileRef) -> Option<std::ops::Range<usize>> {
        let range = self.local.locate(tile);
        if range.is_none() {
            self.fault(FaultKind::Tile(tile, super::local::Unreadable::Outside));
        }
        range
    }

    pub(super) fn broken(&mut self, what: &str) {
        self.fault(FaultKind::Broken(what.to_owned()));
    }

    /// The tensor that a block of `base` lies in, and its offset there; `None`, with a fault
    /// where it lies in none.
    fn region(&mut self, block: &Block<'_>, base: u64, writes: bool) -> Option<(usize, u64)> {
        let bounds = block.bounds(base)?;
        match find(self.memory, &bounds) {
            Ok(region) => Some((region, self.memory.map().regions()[region].base)),
            Err(fault) => {
                self.fault(FaultKind::OutOfBounds { fault, bounds, writes });
                None
            }
        }
    }

    pub(super) fn numeric(&mut self, result: Result<(), NumericError>, spec: Option<&MathSpec>) {
        match result {
            Ok(()) => {}
            Err(NumericError::Malformed(what)) => self.broken(what),
            Err(NumericError::DivisionByZero { place }) => {
                let shape = spec.map(|spec| spec.shape.clone()).unwrap_or_default();
                self.fault(FaultKind::DivisionByZero { place, shape });
            }
            Err(NumericError::NoSuchElement { place, index, extent }) => {
                let shape = spec.map(|spec| spec.shape.clone()).unwrap_or_default();
                self.fault(FaultKind::NoSuchElement { place, shape, index, extent });
            }
        }
    }
}

/// The tensor that holds `bounds`.
pub(super) fn find(memory: &Memory, bounds: &std::ops::Range<u64>) -> Result<usize, launch::Fault> {
    memory.map().find(bounds.start, bounds.end - bounds.start)
}

impl Visit for Executor<'_> {
    type Out = ();

    fn dma_read(&mut self, it: &DmaRead) {
        let program = self.program;
        let desc = &program.code(self.agent).descs[it.desc];
        let Some(out) = self.writable(it.dst) else { return };
        if desc.bytes() != it.dst.bytes {
            return self.broken("a DMA reads other than the bytes of its tile");
        }
        self.local.mark(out.clone());
        if let Some(window) = it.window {
            return self.read_window((it.base, desc), &window, out);
        }
        let block = Block::new(desc);
        let Some((region, base)) = self.region(&block, it.base, false) else { return };
        let mut reader = self.memory.view(region, self.pe()).reader();
        let mut unwritten = None;
        let mut runs = self.local.bytes_mut(out).chunks_exact_mut(block.run);
        block.for_each(it.base, |at| {
            let gap = runs.next().and_then(|run| reader.read(at - base, run));
            unwritten = unwritten.or(gap);
        });
        if let Some(offset) = unwritten {
            let elem_bytes = desc.elem_bytes;
            self.fault(FaultKind::UnwrittenTensor { region, offset, elem_bytes });
        }
    }

    fn dma_write(&mut self, it: &DmaWrite) {
        let program = self.program;
        let desc = &program.code(self.agent).descs[it.desc];
        let Some(src) = self.readable(it.src) else { return };
        if desc.bytes() != it.src.bytes {
            return self.broken("a DMA writes other than the bytes of its tile");
        }
        if let Some(window) = it.window {
            return self.write_window((it.base, desc), &window, src);
        }
        let block = Block::new(desc);
        let Some((region, base)) = self.region(&block, it.base, true) else { return };
        let writer = Writer { agent: self.agent, site: self.step.site, seq: self.step.seq };
        let mut writer = self.memory.view(region, self.pe()).writer(Origin::Command(writer));
        let mut runs = self.local.bytes()[src].chunks_exact(block.run);
        block.for_each(it.base, |at| {
            if let Some(run) = runs.next() {
                writer.write(at - base, run);
            }
        });
    }

    fn dma_gather(&mut self, it: &DmaGather) {
        self.gather(it);
    }

    fn dma_scatter(&mut self, it: &DmaScatter) {
        self.scatter(it);
    }

    fn dma_atomic(&mut self, it: &DmaAtomic) {
        self.atomic(it);
    }

    fn math(&mut self, it: &MathCmd) {
        let program = self.program;
        let spec = &program.code(self.agent).maths[it.spec];
        let tiles = it.args.map(|arg| match arg {
            Some(MathArg::Tile(tile)) => Some(tile),
            Some(MathArg::Scalar(_)) | None => None,
        });
        let ranges = tiles.map(|tile| tile.and_then(|tile| self.readable(tile)));
        let Some(out) = self.writable(it.out) else { return };
        self.local.mark(out.clone());
        let mut copies = [Bytes::default(), Bytes::default(), Bytes::default()];
        let (slices, target) = self.local.operands(&ranges, out, &mut copies);
        if let MathOp::Inspect(how, text) = spec.op {
            target.fill(1);
            let seen = Seen::of(spec, slices[0].unwrap_or_default());
            return self.inspected(how, text, seen);
        }
        let inputs: Vec<Input<'_>> = it
            .args
            .iter()
            .zip(slices)
            .filter_map(|(arg, slice)| match arg {
                Some(MathArg::Scalar(value)) => Some(Input::Scalar(*value)),
                Some(MathArg::Tile(_)) => slice.map(Input::Tile),
                None => None,
            })
            .collect();
        let result = numeric::math(spec, &inputs, target);
        self.numeric(result, Some(spec));
    }

    fn gemm(&mut self, it: &GemmCmd) {
        let program = self.program;
        let spec = &program.code(self.agent).gemms[it.spec];
        let tiles = [Some(it.a), Some(it.b), it.acc];
        let ranges = tiles.map(|tile| tile.and_then(|tile| self.readable(tile)));
        let Some(out) = self.writable(it.out) else { return };
        self.local.mark(out.clone());
        let mut copies = [Bytes::default(), Bytes::default(), Bytes::default()];
        let (slices, target) = self.local.operands(&ranges, out, &mut copies);
        let [Some(a), Some(b), acc] = slices else { return };
        let result = numeric::matmul(spec, Factors { a, b, acc }, target);
        self.numeric(result, None);
    }

    fn composite(&mut self, it: &CompositeCmd) {
        self.run_composite(it);
    }

    fn composite_wait(&mut self, _: &CompositeWait) {}

    fn ipcq_send(&mut self, it: &IpcqSend) {
        self.message.clear();
        if let Some(src) = self.readable(it.src) {
            self.message.extend_from_slice(&self.local.bytes()[src]);
        }
    }

    fn ipcq_recv(&mut self, it: &IpcqRecv) {
        let Some(slot) = self.readable(it.slot) else { return };
        let Some(dst) = it.dst else { return };
        let Some(out) = self.writable(dst) else { return };
        if out.len() != slot.len() {
            return self.broken("a message is copied to a tile of another size");
        }
        let mut copies = [Bytes::default()];
        let ([message], target) = self.local.operands(&[Some(slot)], out.clone(), &mut copies);
        target.copy_from_slice(message.unwrap_or_default());
        self.local.mark(out);
        self.local.release(it.slot);
    }

    fn ipcq_stream(&mut self, it: &IpcqStream) {
        let program = self.program;
        let spec = &program.code(self.agent).maths[it.spec];
        let tiles = [Some(it.slot), it.acc];
        let ranges = tiles.map(|tile| tile.and_then(|tile| self.readable(tile)));
        self.message.clear();
        self.message.resize(it.message.bytes() as usize, 0);
        let bytes = self.local.bytes();
        let inputs = ranges.into_iter().flatten().map(|range| Input::Tile(&bytes[range]));
        let result = numeric::math(spec, &inputs.collect::<Vec<_>>(), &mut self.message);
        self.numeric(result, Some(spec));
        if let Some(out) = it.out.and_then(|out| self.writable(out)) {
            self.local.mark(out.clone());
            let (message, target) = (&self.message, self.local.bytes_mut(out));
            if target.len() == message.len() {
                target.copy_from_slice(message);
            } else {
                self.broken("a stream's result is of another size than its message");
            }
        }
        self.local.release(it.slot);
    }

    fn ipcq_recv_async(&mut self, _: &IpcqRecvAsync) {}

    fn wait(&mut self, it: &Wait) {
        self.readable(it.slot);
    }

    fn channel(&mut self, _: &ChannelCmd) {
        // Replayed by `channel`, which orders what ranks do to each other's memory.
    }

    fn ipcq_release(&mut self, it: &IpcqRelease) {
        self.local.release(it.slot);
    }
}
