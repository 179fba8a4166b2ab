//! What of a code is the same for every program id.
//!
//! Two agents that run a code whose control flow does not depend on the program id issue the same
//! commands in the same order, with other addresses; so a summary of one is a summary of both,
//! and a communication check of one is a check of both (see `commcheck`).
//!
//! The code is run once on truth values: does a register depend on the program id? Loops are
//! repeated until nothing more is found to depend on it. Within a branch whose condition depends
//! on the id, everything that is written does.

use super::{Access, Code, Inst, LiveSet, Operand, Pc, ScalarExpr, Template};
use crate::arena::Id;
use crate::ir::Literal;
use crate::ops::BinaryOp;
use crate::source::Span;

/// What two agents with the same code and the same number of programs have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uniformity {
    /// Where the streams of commands may differ in more than addresses and scalar operands;
    /// `None` if nowhere.
    pub stream: Option<Span>,
    /// Where the sends, receives and releases, or what stops a stream with an error, may differ;
    /// `None` if nowhere.
    pub communication: Option<Span>,
}

/// Steps after which the analysis gives up and calls nothing uniform.
const MAX_STEPS: u64 = 20_000_000;

/// What of `code` is the same for every program id.
pub fn uniformity(code: &Code) -> Uniformity {
    let depends = |count: u32| vec![false; count as usize];
    let mut state = State { regs: depends(code.regs.max(3)), tiles: depends(code.tiles) };
    state.regs[..3].fill(true);
    let mut analysis = Analysis {
        code,
        state,
        frames: Vec::new(),
        divergent: 0,
        found: Uniformity { stream: None, communication: None },
    };
    let (mut pc, mut steps) = (Pc(0), 0);
    while pc.index() < code.insts.len() {
        pc = analysis.step(pc);
        steps += 1;
        if steps > MAX_STEPS {
            let span = code.spans.first().copied().unwrap_or_default();
            return Uniformity { stream: Some(span), communication: Some(span) };
        }
    }
    analysis.found
}

/// Which registers depend on the program id.
#[derive(Clone, PartialEq, Eq)]
struct State {
    regs: Vec<bool>,
    tiles: Vec<bool>,
}

impl State {
    /// Depends on what either depends on.
    fn join(&mut self, other: &State) {
        let both = |into: &mut [bool], from: &[bool]| {
            into.iter_mut().zip(from).for_each(|(it, other)| *it |= other);
        };
        both(&mut self.regs, &other.regs);
        both(&mut self.tiles, &other.tiles);
    }
}

/// A loop or branch around the instruction.
enum Frame {
    Loop {
        /// Before each iteration.
        entry: State,
        /// After the loop, so far as a test of it was passed.
        exit: Option<State>,
    },
    Branch {
        /// Before the branch, then after its first block.
        other: State,
        /// Whether the condition depends on the program id.
        divergent: bool,
    },
}

struct Analysis<'a> {
    code: &'a Code,
    state: State,
    frames: Vec<Frame>,
    /// Branches around the instruction whose condition depends on the program id.
    divergent: u32,
    found: Uniformity,
}

impl Analysis<'_> {
    /// Runs the instruction at `pc` and gives the next.
    fn step(&mut self, pc: Pc) -> Pc {
        let inst = *self.code.inst(pc);
        let next = Pc(pc.0 + 1);
        match inst {
            Inst::Scalar { expr, .. } => self.scalar(pc, expr),
            Inst::LoopBegin { lo, hi, step, .. } => self.begin_loop(pc, &[lo, hi, step]),
            Inst::WhileBegin => self.begin_loop(pc, &[]),
            Inst::WhileTest { condition, .. } => self.test(pc, condition),
            Inst::LoopEnd { begin } | Inst::WhileEnd { begin } => {
                return if self.end_loop() { Pc(begin.0 + 1) } else { next };
            }
            Inst::IfBegin { condition, .. } => self.begin_branch(pc, condition),
            Inst::Else { .. } => self.other_branch(),
            Inst::IfEnd => self.end_branch(),
            Inst::Assert { condition, .. } => {
                if self.depends(condition) || self.divergent > 0 {
                    self.differs(pc);
                }
            }
            Inst::Issue { site } => {
                self.issue(pc, &self.code.sites[site].template);
                self.write(inst);
            }
            Inst::MoveTile { .. } | Inst::Define { .. } | Inst::End => self.write(inst),
        }
        next
    }

    fn depends(&self, operand: Operand) -> bool {
        match operand {
            Operand::Reg(reg) => self.state.regs[reg.index()],
            Operand::Const(_) => false,
        }
    }

    /// Everything may differ from here on.
    fn differs(&mut self, pc: Pc) {
        let span = self.code.spans[pc.index()];
        self.found.stream.get_or_insert(span);
        self.found.communication.get_or_insert(span);
    }

    /// What an instruction writes depends on what it reads, and on the branches around it.
    fn write(&mut self, inst: Inst) {
        let mut depends = self.divergent > 0;
        let state = &mut self.state;
        self.code.accesses(&inst, &mut |access| match access {
            Access::Read(reg) => depends |= state.regs[reg.index()],
            Access::ReadTile(tile) => depends |= state.tiles[tile.index()],
            Access::Write(reg) => state.regs[reg.index()] = depends,
            Access::WriteTile(tile) => state.tiles[tile.index()] = depends,
        });
    }

    fn scalar(&mut self, pc: Pc, expr: ScalarExpr) {
        if let ScalarExpr::Binary(op, dtype, _, divisor) = expr {
            let divides = matches!(
                op,
                BinaryOp::IntDiv | BinaryOp::FloorDiv | BinaryOp::Rem | BinaryOp::FloorMod
            );
            let is_safe = matches!(divisor, Operand::Const(value) if value != Literal::Int(0));
            let differs = self.depends(divisor) || self.divergent > 0;
            if divides && dtype.is_int() && differs && !is_safe {
                self.differs(pc);
            }
        }
        self.write(*self.code.inst(pc));
    }

    fn begin_loop(&mut self, pc: Pc, bounds: &[Operand]) {
        if self.divergent > 0 || bounds.iter().any(|bound| self.depends(*bound)) {
            self.differs(pc);
        }
        self.write(*self.code.inst(pc));
        self.frames.push(Frame::Loop { entry: self.state.clone(), exit: None });
    }

    fn test(&mut self, pc: Pc, condition: Operand) {
        if self.depends(condition) {
            self.differs(pc);
        }
        if let Some(Frame::Loop { exit, .. }) = self.frames.last_mut() {
            exit.get_or_insert_with(|| self.state.clone()).join(&self.state);
        }
    }

    /// Whether the loop must be run again.
    fn end_loop(&mut self) -> bool {
        let Some(Frame::Loop { entry, exit }) = self.frames.last_mut() else { return false };
        let mut joined = self.state.clone();
        joined.join(entry);
        self.state.clone_from(&joined);
        if joined != *entry {
            *entry = joined;
            return true;
        }
        if let Some(exit) = exit.take() {
            self.state = exit;
        }
        self.frames.pop();
        false
    }

    fn begin_branch(&mut self, pc: Pc, condition: Operand) {
        let divergent = self.depends(condition);
        if divergent {
            self.found.stream.get_or_insert(self.code.spans[pc.index()]);
        }
        self.divergent += u32::from(divergent);
        self.frames.push(Frame::Branch { other: self.state.clone(), divergent });
    }

    fn other_branch(&mut self) {
        if let Some(Frame::Branch { other, .. }) = self.frames.last_mut() {
            std::mem::swap(&mut self.state, other);
        }
    }

    fn end_branch(&mut self) {
        if let Some(Frame::Branch { other, divergent }) = self.frames.pop() {
            self.state.join(&other);
            self.divergent -= u32::from(divergent);
        }
    }

    /// Communication must not stand in a branch that only some agents take, nor release what only
    /// some of them hold.
    fn issue(&mut self, pc: Pc, template: &Template) {
        let holds = |tile: crate::command::TileReg| self.state.tiles[tile.index()];
        if let Template::DmaRead { window: Some(window), .. }
        | Template::DmaWrite { window: Some(window), .. } = template
            && window.bounds().any(|bound| self.depends(bound))
        {
            // How much is moved differs, and so does the stream.
            self.found.stream.get_or_insert(self.code.spans[pc.index()]);
        }
        let differs = match template {
            Template::DmaRead { .. }
            | Template::DmaWrite { .. }
            | Template::DmaGather { .. }
            | Template::DmaScatter { .. }
            | Template::DmaAtomic { .. }
            | Template::Math { .. }
            | Template::Gemm { .. }
            | Template::Composite { .. }
            | Template::CompositeWait { .. }
            | Template::Assert { .. } => false,
            Template::Channel(_)
            | Template::Send { .. }
            | Template::Recv { .. }
            | Template::Stream { .. }
            | Template::RecvAsync { .. } => self.divergent > 0,
            Template::Wait { slot } => self.divergent > 0 || holds(*slot),
            Template::Release { tile, live } => {
                self.divergent > 0 || holds(*tile) || self.any_depends(*live)
            }
        };
        if differs {
            self.found.communication.get_or_insert(self.code.spans[pc.index()]);
        }
    }

    fn any_depends(&self, live: LiveSet) -> bool {
        self.code.live(live).iter().any(|tile| self.state.tiles[tile.index()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{QueueId, Reg, Site, SiteId, TileReg};
    use crate::dtype::DType;

    const ID: Operand = Operand::Reg(Reg(0));
    const ONE: Operand = Operand::Const(Literal::Int(1));

    fn add(dst: u32, x: Operand) -> Inst {
        let expr = ScalarExpr::Binary(BinaryOp::Add, DType::I64, x, ONE);
        Inst::Scalar { dst: Reg(dst), expr }
    }

    fn send() -> Inst {
        Inst::Issue { site: SiteId(0) }
    }

    /// Whether the stream and the communication are uniform.
    fn analyse(insts: &[Inst]) -> (bool, bool) {
        let mut code = Code { insts: insts.to_vec(), regs: 8, tiles: 2, ..Code::default() };
        code.insts.push(Inst::End);
        code.spans = vec![Span::new(crate::source::FileId(0), 0, 1); code.insts.len()];
        let message = crate::command::Message { elements: 1, dtype: DType::F32 };
        let template = Template::Send { queue: QueueId(0), src: TileReg(0), message };
        code.sites.push(Site { template, span: Span::NONE });
        let found = uniformity(&code);
        (found.stream.is_none(), found.communication.is_none())
    }

    #[test]
    fn addresses_may_depend_on_the_program_id() {
        assert_eq!(analyse(&[add(3, ID), send()]), (true, true));
    }

    #[test]
    fn a_branch_without_communication_changes_the_stream_only() {
        let (begin, other) =
            (Inst::IfBegin { condition: ID, otherwise: Pc(2) }, Inst::Else { end: Pc(3) });
        assert_eq!(analyse(&[begin, add(3, ONE), other, Inst::IfEnd, send()]), (false, true));
        assert_eq!(analyse(&[begin, send(), other, Inst::IfEnd]), (false, false));
    }

    #[test]
    fn what_a_divergent_branch_writes_depends_on_the_program_id() {
        let reg = Operand::Reg(Reg(3));
        let insts = [
            Inst::IfBegin { condition: ID, otherwise: Pc(2) },
            add(3, ONE),
            Inst::Else { end: Pc(4) },
            add(3, ONE),
            Inst::IfEnd,
            Inst::IfBegin { condition: reg, otherwise: Pc(7) },
            send(),
            Inst::Else { end: Pc(8) },
            Inst::IfEnd,
        ];
        assert_eq!(analyse(&insts), (false, false));
    }

    #[test]
    fn dependence_comes_round_a_loop() {
        // r4 = r3 before r3 depends on the id: only the second iteration shows it.
        let copy = |dst: u32, src: u32| Inst::Scalar {
            dst: Reg(dst),
            expr: ScalarExpr::Copy(Operand::Reg(Reg(src))),
        };
        let begin = |hi| Inst::LoopBegin { var: Reg(5), lo: ONE, hi, step: ONE, end: Pc(7) };
        let insts = [
            begin(ONE),
            copy(4, 3),
            copy(3, 0),
            Inst::IfBegin { condition: Operand::Reg(Reg(4)), otherwise: Pc(5) },
            send(),
            Inst::Else { end: Pc(6) },
            Inst::IfEnd,
            Inst::LoopEnd { begin: Pc(0) },
        ];
        assert_eq!(analyse(&insts), (false, false));
        let plain = [begin(ONE), send(), Inst::LoopEnd { begin: Pc(0) }];
        assert_eq!(analyse(&plain), (true, true));
        assert_eq!(analyse(&[begin(ID), send(), Inst::LoopEnd { begin: Pc(0) }]), (false, false));
    }

    #[test]
    fn a_division_that_may_fail_for_some_is_not_uniform() {
        let by = |divisor| Inst::Scalar {
            dst: Reg(3),
            expr: ScalarExpr::Binary(BinaryOp::FloorDiv, DType::I64, ONE, divisor),
        };
        assert_eq!(analyse(&[by(ID)]), (false, false));
        assert_eq!(analyse(&[by(ONE)]), (true, true));
    }
}
