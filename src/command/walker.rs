//! Unrolls an agent's commands, one at a time, from the code it shares.

use super::channel::{ChannelCmd, Moment};
use super::{
    Agent, AgentId, Arg, AxisWindow, Code, Command, CompositeCmd, CompositeWait, DescId, DmaAtomic,
    DmaGather, DmaRead, DmaScatter, DmaWrite, GemmCmd, Inst, IpcqRecv, IpcqRecvAsync, IpcqRelease,
    IpcqSend, IpcqStream, LaneArgs, Lanes, LiveSet, MAX_STREAM_OUTPUTS, MathArg, MathCmd, Message,
    Operand, Pc, Place, Program, QueueId, Reg, ScalarExpr, SiteId, Source, SourceArg, Template,
    TileRef, TileReg, Wait, Window, WindowArgs,
};
use crate::arena::Id;
use crate::ir::eval;
use crate::ir::{Literal, MAX_WINDOW_AXES};
use crate::source::Span;

/// Instructions without a command after which a walk is given up as endless.
const MAX_SILENT_INSTS: u64 = 20_000_000;

/// A command of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its number in the stream, from 0.
    pub seq: u32,
    /// Where it comes from.
    pub site: SiteId,
    /// The command.
    pub command: Command,
}

/// Why a stream cannot go on.
#[derive(Clone, Debug, PartialEq)]
pub enum WalkError {
    /// An integer is divided by zero.
    DivisionByZero {
        /// The division.
        span: Span,
    },
    /// A loop would never end: its step is zero, or it runs on without a command.
    Endless {
        /// The loop.
        span: Span,
    },
    /// An assertion does not hold.
    Assertion {
        /// The assertion.
        span: Span,
        /// Its message.
        message: String,
    },
    /// More than 2^32 commands.
    TooLong {
        /// The command that does not fit.
        span: Span,
    },
}

/// An agent's place in its stream. Plain data: cloning it forks the walk.
#[derive(Clone, Debug)]
pub struct Walker {
    agent: Agent,
    pc: u32,
    seq: u32,
    /// Programs begun.
    begun: u32,
    /// Instructions run.
    insts: u64,
    regs: Vec<Literal>,
    tiles: Vec<TileRef>,
    /// The copy of each buffer whose turn it is.
    turns: Vec<u32>,
    /// Messages sent in each direction.
    sent: Vec<u64>,
    /// Messages claimed from each direction.
    received: Vec<u64>,
    /// Composites issued.
    composites: u64,
}

const NO_TILE: TileRef = TileRef { place: Place::Scratch(0), bytes: 0 };

impl Walker {
    /// The start of `agent`'s stream.
    pub fn new(program: &Program, agent: AgentId) -> Walker {
        let code = program.code(agent);
        let directions = program.comm.directions.len();
        let mut walker = Walker {
            agent: program.agents[agent],
            pc: 0,
            seq: 0,
            begun: 0,
            insts: 0,
            regs: vec![Literal::Int(0); (code.regs as usize).max(3)],
            tiles: vec![NO_TILE; code.tiles as usize],
            turns: vec![0; code.buffers.len()],
            sent: vec![0; directions],
            received: vec![0; directions],
            composites: 0,
        };
        if !walker.begin_program(program) {
            walker.pc = code.insts.len().saturating_sub(1) as u32;
        }
        walker
    }

    /// The number of commands walked so far.
    pub fn position(&self) -> u32 {
        self.seq
    }

    /// The number of instructions run so far: what the walk itself costs.
    pub fn instructions(&self) -> u64 {
        self.insts
    }

    /// The value of a scalar register, for checks that look into a walk.
    pub fn reg(&self, reg: Reg) -> Literal {
        self.regs[reg.index()]
    }

    /// Sets the program id of the next program; false where there is none.
    fn begin_program(&mut self, program: &Program) -> bool {
        if self.begun == self.agent.count {
            return false;
        }
        let number = self.agent.first + self.begun * self.agent.step;
        self.begun += 1;
        self.pc = 0;
        for (reg, id) in self.regs.iter_mut().zip(program.grid.program_id(number)) {
            *reg = Literal::Int(i64::from(id));
        }
        true
    }

    /// The next command, or `None` at the end of the stream.
    ///
    /// # Errors
    /// Why the stream cannot go on; it is then at its end.
    pub fn next(&mut self, program: &Program) -> Result<Option<Step>, WalkError> {
        let mut step = None;
        self.next_into(program, &mut step)?;
        Ok(step)
    }

    /// The same, into a place of the caller's: commands are large, and a simulator moves many.
    ///
    /// # Errors
    /// As [`Walker::next`].
    pub fn next_into(
        &mut self,
        program: &Program,
        step: &mut Option<Step>,
    ) -> Result<(), WalkError> {
        let code = &program.codes[self.agent.code];
        let went = self.advance(program, code, step);
        if went.is_err() {
            self.begun = self.agent.count;
            self.pc = code.insts.len().saturating_sub(1) as u32;
        }
        went
    }

    fn advance(
        &mut self,
        program: &Program,
        code: &Code,
        step: &mut Option<Step>,
    ) -> Result<(), WalkError> {
        for _ in 0..MAX_SILENT_INSTS {
            let pc = Pc(self.pc);
            self.pc += 1;
            self.insts += 1;
            let inst = code.inst(pc);
            if let Inst::Issue { site } = *inst {
                if let Some(command) = self.issue(code, site) {
                    let seq = self.seq;
                    self.seq = seq.checked_add(1).ok_or_else(|| self.too_long(code, pc))?;
                    *step = Some(Step { seq, site, command });
                    return Ok(());
                }
            } else if matches!(inst, Inst::End) {
                if !self.begin_program(program) {
                    self.pc = pc.0;
                    *step = None;
                    return Ok(());
                }
            } else {
                self.run(code, pc)?;
            }
        }
        Err(WalkError::Endless { span: code.spans[self.pc.saturating_sub(1) as usize] })
    }

    fn too_long(&self, code: &Code, pc: Pc) -> WalkError {
        WalkError::TooLong { span: code.spans[pc.index()] }
    }

    /// Runs an instruction that issues nothing.
    fn run(&mut self, code: &Code, pc: Pc) -> Result<(), WalkError> {
        let span = || code.spans[pc.index()];
        match *code.inst(pc) {
            Inst::Scalar { dst, expr } => {
                let value =
                    self.scalar(expr).ok_or_else(|| WalkError::DivisionByZero { span: span() })?;
                self.regs[dst.index()] = value;
            }
            Inst::LoopBegin { var, lo, hi, step, end } => {
                self.regs[var.index()] = self.operand(lo);
                if self.int(step) == 0 {
                    return Err(WalkError::Endless { span: span() });
                }
                if !self.loop_goes_on(var, hi, step) {
                    self.pc = end.0 + 1;
                }
            }
            Inst::LoopEnd { begin } => self.step_loop(code, begin),
            Inst::WhileTest { condition, end } => {
                if self.int(condition) == 0 {
                    self.pc = end.0 + 1;
                }
            }
            Inst::WhileEnd { begin } => self.pc = begin.0,
            Inst::IfBegin { condition, otherwise } => {
                if self.int(condition) == 0 {
                    self.pc = otherwise.0 + 1;
                }
            }
            Inst::Else { end } => self.pc = end.0,
            Inst::MoveTile { dst, src } => self.tiles[dst.index()] = self.tiles[src.index()],
            Inst::Define { dst, buffer, bytes, live } => {
                self.tiles[dst.index()] = self.define(code, buffer, bytes, live);
            }
            Inst::Assert { condition, site } => {
                if self.int(condition) == 0 {
                    return Err(assertion(code, site));
                }
            }
            Inst::WhileBegin | Inst::IfEnd | Inst::Issue { .. } | Inst::End => {}
        }
        Ok(())
    }

    fn step_loop(&mut self, code: &Code, begin: Pc) {
        let Inst::LoopBegin { var, hi, step, .. } = *code.inst(begin) else { return };
        // A step past the last integer is past `hi`, too.
        let next = self.int(Operand::Reg(var)).checked_add(self.int(step));
        let Some(next) = next else { return };
        self.regs[var.index()] = Literal::Int(next);
        if self.loop_goes_on(var, hi, step) {
            self.pc = begin.0 + 1;
        }
    }

    fn loop_goes_on(&self, var: Reg, hi: Operand, step: Operand) -> bool {
        let (at, hi) = (self.int(Operand::Reg(var)), self.int(hi));
        if self.int(step) > 0 { at < hi } else { at > hi }
    }

    /// The next copy of a buffer, going round, that no live tile is in.
    fn define(&mut self, code: &Code, index: u32, bytes: u64, live: LiveSet) -> TileRef {
        let buffer = &code.buffers[index as usize];
        let copy_at = |copy: u32| Place::Scratch(buffer.offset + u64::from(copy) * buffer.bytes);
        let held =
            |place: Place| code.live(live).iter().any(|tile| self.tile(*tile).place == place);
        let first = self.turns[index as usize];
        let mut turns = (0..buffer.copies).map(|turn| (first + turn) % buffer.copies);
        let free = turns.find(|copy| !held(copy_at(*copy)));
        debug_assert!(free.is_some(), "allocation gives every loop-carried buffer enough copies");
        let copy = free.unwrap_or(0);
        self.turns[index as usize] = (copy + 1) % buffer.copies.max(1);
        TileRef { place: copy_at(copy), bytes }
    }

    fn operand(&self, operand: Operand) -> Literal {
        match operand {
            Operand::Reg(reg) => self.regs[reg.index()],
            Operand::Const(value) => value,
        }
    }

    fn int(&self, operand: Operand) -> i64 {
        self.operand(operand).as_int().unwrap_or(0)
    }

    fn tile(&self, tile: TileReg) -> TileRef {
        self.tiles[tile.index()]
    }

    /// The value of a scalar expression; `None` where it divides by zero.
    fn scalar(&self, expr: ScalarExpr) -> Option<Literal> {
        let of = |operand| self.operand(operand);
        Some(match expr {
            ScalarExpr::Copy(x) => of(x),
            ScalarExpr::Unary(op, dtype, x) => eval::unary(op, dtype, of(x)),
            ScalarExpr::Binary(op, dtype, x, y) => eval::binary(op, dtype, of(x), of(y))?,
            ScalarExpr::Ternary(op, dtype, xs) => eval::ternary(op, dtype, xs.map(of)),
            ScalarExpr::Compare(op, dtype, x, y) => eval::compare(op, dtype, of(x), of(y)),
            ScalarExpr::Select([condition, x, y]) => {
                if self.int(condition) != 0 {
                    of(x)
                } else {
                    of(y)
                }
            }
            ScalarExpr::Cast(dtype, x, rounding) => eval::convert(dtype, of(x), rounding),
        })
    }

    /// The command of `site`; `None` for a release that releases nothing.
    fn issue(&mut self, code: &Code, site: SiteId) -> Option<Command> {
        Some(match code.sites[site].template {
            Template::DmaRead { base, desc, ref window, dst } => {
                let (base, window) = self.windowed(code, (base, desc), window.as_deref());
                DmaRead { base, desc, window, dst: self.tile(dst) }.into()
            }
            Template::DmaWrite { base, desc, ref window, src } => {
                let (base, window) = self.windowed(code, (base, desc), window.as_deref());
                DmaWrite { base, desc, window, src: self.tile(src) }.into()
            }
            Template::DmaGather { lanes, other, dst } => {
                let other = other.map(|other| self.math_arg(other));
                DmaGather { lanes: self.lanes(lanes), other, dst: self.tile(dst) }.into()
            }
            Template::DmaScatter { lanes, src } => {
                DmaScatter { lanes: self.lanes(lanes), src: self.tile(src) }.into()
            }
            Template::DmaAtomic { op, lanes, src, expected, dst } => {
                let (lanes, src) = (self.lanes(lanes), self.tile(src));
                let [expected, dst] = [expected, dst].map(|it| it.map(|tile| self.tile(tile)));
                DmaAtomic { op, lanes, src, expected, dst }.into()
            }
            Template::Math { spec, args, out } => {
                let args = args.map(|arg| arg.map(|arg| self.math_arg(arg)));
                MathCmd { spec, args, out: self.tile(out) }.into()
            }
            Template::Gemm { spec, a, b, acc, out } => {
                let acc = acc.map(|acc| self.tile(acc));
                GemmCmd { spec, a: self.tile(a), b: self.tile(b), acc, out: self.tile(out) }.into()
            }
            Template::Composite { spec, a, b, args, out, number } => {
                let args = args.map(|arg| arg.map(|arg| self.math_arg(arg)));
                let (a, b) = (self.source(a), b.map(|b| self.source(b)));
                let out = self.int(out) as u64;
                // Its register may be that of an operand, which has been read by now.
                let number = self.count_composite(number);
                CompositeCmd { spec, a, b, args, out, number }.into()
            }
            Template::CompositeWait { number } => {
                CompositeWait { number: self.int(number) as u64 }.into()
            }
            Template::Send { queue, src, message } => {
                let token = count(&mut self.sent, queue);
                IpcqSend { queue, token, src: self.tile(src), message }.into()
            }
            Template::Recv { .. } | Template::Stream { .. } | Template::RecvAsync { .. } => {
                return self.incoming(&code.sites[site].template);
            }
            Template::Wait { slot } => Wait { slot: self.tile(slot) }.into(),
            Template::Release { tile, live } => return self.release(code, tile, live),
            Template::Channel(it) => {
                let launch = u32::try_from(self.int(it.launch)).unwrap_or(0);
                let at = Moment { launch, offset: self.int(it.offset) as u64 };
                ChannelCmd { op: it.op, at }.into()
            }
            Template::Assert { .. } => return None,
        })
    }

    fn recv(
        &mut self,
        queue: QueueId,
        (dst, out): (Option<TileReg>, TileReg),
        (consume, message): (bool, Message),
    ) -> IpcqRecv {
        let slot = self.claim(queue, message);
        let dst = dst.map(|dst| self.tile(dst));
        self.tiles[out.index()] = dst.unwrap_or(slot);
        IpcqRecv { slot, dst, consume, message }
    }

    /// The command of a template that takes the next message of a queue.
    fn incoming(&mut self, template: &Template) -> Option<Command> {
        if let Template::Recv { queue, dst, out, consume, message } = *template {
            return Some(self.recv(queue, (dst, out), (consume, message)).into());
        }
        if let Template::RecvAsync { queue, out, message } = *template {
            let slot = self.claim(queue, message);
            self.tiles[out.index()] = slot;
            return Some(IpcqRecvAsync { slot, message }.into());
        }
        let Template::Stream { queue, spec, acc, out, ref to, message } = *template else {
            return None;
        };
        let slot = self.claim(queue, message);
        let mut sent = [(QueueId(0), 0); MAX_STREAM_OUTPUTS];
        for (output, queue) in sent.iter_mut().zip(to) {
            *output = (*queue, count(&mut self.sent, *queue));
        }
        let outputs = to.len().min(sent.len()) as u8;
        let (acc, out) = (acc.map(|acc| self.tile(acc)), out.map(|out| self.tile(out)));
        Some(IpcqStream { slot, spec, acc, out, to: sent, outputs, message }.into())
    }

    fn release(&self, code: &Code, tile: TileReg, live: LiveSet) -> Option<Command> {
        let slot = self.tile(tile);
        let held = code.live(live).iter().any(|other| self.tile(*other).place == slot.place);
        (matches!(slot.place, Place::Slot { .. }) && !held).then(|| IpcqRelease { slot }.into())
    }

    fn math_arg(&self, arg: Arg) -> MathArg {
        match arg {
            Arg::Tile(tile) => MathArg::Tile(self.tile(tile)),
            Arg::Scalar(operand) => MathArg::Scalar(self.operand(operand)),
        }
    }

    /// The number of the next composite, which `register` is to hold.
    fn count_composite(&mut self, register: Reg) -> u64 {
        let count = self.composites;
        self.composites += 1;
        self.regs[register.index()] = Literal::Int(count as i64);
        count
    }

    fn source(&self, source: SourceArg) -> Source {
        match source {
            SourceArg::Tile(tile) => Source::Tile(self.tile(tile)),
            SourceArg::Memory(address) => Source::Memory(self.int(address) as u64),
        }
    }

    /// Where a block begins, and what of it is moved. A window that turns out to be the whole
    /// block is none.
    fn windowed(
        &self,
        code: &Code,
        (base, desc): (Operand, DescId),
        args: Option<&WindowArgs>,
    ) -> (u64, Option<Window>) {
        let mut base = self.int(base) as u64;
        let Some(args) = args else { return (base, None) };
        let dims = &code.descs[desc].dims;
        let mut axes = [AxisWindow::default(); MAX_WINDOW_AXES];
        for (axis, dim) in axes.iter_mut().zip(dims) {
            *axis = AxisWindow::whole(dim.extent);
        }
        let mut whole = true;
        for (axis, lo, hi) in &args.clips {
            let Some(axis) = axes.get_mut(*axis as usize) else { continue };
            let extent = i64::from(axis.len);
            let lo = lo.map_or(0, |lo| self.int(lo)).clamp(0, extent);
            let hi = hi.map_or(extent, |hi| self.int(hi)).clamp(lo, extent);
            whole &= hi - lo == extent;
            (axis.lo, axis.len) = (lo as u32, (hi - lo) as u32);
        }
        for (at, start, period) in &args.wraps {
            let (Some(axis), Some(dim)) = (axes.get_mut(*at as usize), dims.get(*at as usize))
            else {
                continue;
            };
            let start = self.int(*start).checked_rem_euclid(*period as i64).unwrap_or(0);
            if start as u64 + u64::from(axis.lo) + u64::from(axis.len) <= *period {
                base = base.wrapping_add_signed(start.wrapping_mul(dim.stride));
                continue;
            }
            whole = false;
            (axis.start, axis.period) = (start as u32, *period as u32);
        }
        let fill = args.fill.map_or(Literal::Int(0), |fill| self.operand(fill));
        (base, (!whole).then_some(Window { axes, dtype: args.dtype, fill }))
    }

    fn lanes(&self, args: LaneArgs) -> Lanes {
        let LaneArgs { spec, base, index, mask } = args;
        let index = index.map(|index| self.tile(index));
        let mask = mask.map(|mask| self.math_arg(mask));
        Lanes { spec, base: self.int(base) as u64, index, mask }
    }

    /// The slot of the next message of `queue`.
    fn claim(&mut self, queue: QueueId, message: Message) -> TileRef {
        let token = count(&mut self.received, queue);
        TileRef { place: Place::Slot { queue, token }, bytes: message.bytes() }
    }
}

/// The count of `queue`, which goes up by one.
fn count(counts: &mut [u64], queue: QueueId) -> u64 {
    let count = &mut counts[usize::from(queue.0)];
    *count += 1;
    *count - 1
}

fn assertion(code: &Code, site: SiteId) -> WalkError {
    let site = &code.sites[site];
    let message = if let Template::Assert { message } = &site.template {
        message.clone()
    } else {
        String::new()
    };
    WalkError::Assertion { span: site.span, message }
}
