//! Rules 6 to 8, and the sizes that rules 10 to 12 ask for: the code is followed from front to
//! back, with what each register holds.

use super::sites;
use crate::arena::Id;
use crate::command::{Access, Code, Comm, Inst, Pc, Template};

/// What a tile register holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing yet, on some path.
    Nothing,
    /// A tile of this many bytes.
    Bytes(u64),
    /// Tiles of different lengths, by the path taken.
    Tile,
}

#[derive(Clone)]
pub(super) struct State {
    regs: Vec<bool>,
    pub(super) tiles: Vec<Held>,
}

impl State {
    /// What is known after either of two paths.
    fn join(&mut self, other: &State) {
        for (it, other) in self.regs.iter_mut().zip(&other.regs) {
            *it &= other;
        }
        for (it, other) in self.tiles.iter_mut().zip(&other.tiles) {
            *it = match (*it, *other) {
                (x, y) if x == y => x,
                (Held::Nothing, _) | (_, Held::Nothing) => Held::Nothing,
                (Held::Bytes(_) | Held::Tile, Held::Bytes(_) | Held::Tile) => Held::Tile,
            };
        }
    }
}

/// Checks rules 6 to 12, at most one violation an instruction.
pub(super) fn check(code: &Code, comm: &Comm, broken: &mut dyn FnMut(Pc, String)) {
    let mut regs = vec![false; code.regs.max(3) as usize];
    regs[..3].fill(true);
    let state = State { regs, tiles: vec![Held::Nothing; code.tiles as usize] };
    let mut flow = Flow { code, comm, state, frames: Vec::new() };
    for index in 0..code.insts.len() {
        let pc = Pc::from_index(index);
        if let Err(what) = flow.step(pc) {
            broken(pc, what);
        }
    }
}

struct Flow<'a> {
    code: &'a Code,
    comm: &'a Comm,
    state: State,
    /// For each loop or branch around the instruction, what is known where it is left otherwise:
    /// before a counted loop, at a conditional loop's test, before a branch's second block, after
    /// its first.
    frames: Vec<State>,
}

impl Flow<'_> {
    fn step(&mut self, pc: Pc) -> Result<(), String> {
        let inst = *self.code.inst(pc);
        let checked = self.reads(&inst).and_then(|()| self.command(pc, &inst));
        match inst {
            Inst::Else { .. } => {
                if let Some(frame) = self.frames.last_mut() {
                    std::mem::swap(&mut self.state, frame);
                }
            }
            Inst::LoopEnd { .. } | Inst::IfEnd => {
                if let Some(frame) = self.frames.pop() {
                    self.state.join(&frame);
                }
            }
            Inst::WhileEnd { .. } => {
                if let Some(frame) = self.frames.pop() {
                    self.state = frame;
                }
            }
            Inst::LoopBegin { .. } => {
                self.writes(pc, &inst);
                self.frames.push(self.state.clone());
            }
            Inst::IfBegin { .. } | Inst::WhileTest { .. } => self.frames.push(self.state.clone()),
            Inst::Scalar { .. }
            | Inst::MoveTile { .. }
            | Inst::Define { .. }
            | Inst::Issue { .. } => self.writes(pc, &inst),
            Inst::WhileBegin | Inst::Assert { .. } | Inst::End => {}
        }
        checked
    }

    /// Rule 6.
    fn reads(&self, inst: &Inst) -> Result<(), String> {
        let mut wrong = None;
        self.code.accesses(inst, &mut |access| match access {
            Access::Read(reg) if !self.state.regs[reg.index()] => {
                wrong = Some(format!("{reg} is read but may not have been written"));
            }
            Access::ReadTile(tile) if self.state.tiles[tile.index()] == Held::Nothing => {
                wrong = Some(format!("{tile} is read but may not have been written"));
            }
            Access::Write(reg) if reg.0 < 3 => {
                wrong = Some(format!("{reg} holds the program id and is written"));
            }
            Access::Read(_) | Access::Write(_) | Access::ReadTile(_) | Access::WriteTile(_) => {}
        });
        for tile in self.code.live_set(inst).map_or(&[][..], |set| self.code.live(set)) {
            if self.state.tiles[tile.index()] == Held::Nothing {
                wrong = Some(format!("{tile} is live but may not have been written"));
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    fn command(&self, pc: Pc, inst: &Inst) -> Result<(), String> {
        if let Inst::Define { buffer, bytes, .. } = inst {
            let room = self.code.buffers[*buffer as usize].bytes;
            if *bytes > room {
                return Err(format!("a tile of {bytes} bytes is made in a buffer of {room}"));
            }
        }
        let Inst::Issue { site } = inst else { return Ok(()) };
        let template = &self.code.sites[*site].template;
        self.follows_define(pc, template)?;
        let sizes = sites::Sizes { code: self.code, comm: self.comm, tiles: &self.state.tiles };
        sizes.check(template)
    }

    /// Rule 8.
    fn follows_define(&self, pc: Pc, template: &Template) -> Result<(), String> {
        let (Template::DmaRead { dst: made, .. }
        | Template::DmaGather { dst: made, .. }
        | Template::Math { out: made, .. }
        | Template::Gemm { out: made, .. }) = template
        else {
            return Ok(());
        };
        let before = pc.index().checked_sub(1).map(|index| self.code.insts[index]);
        let follows = matches!(before, Some(Inst::Define { dst, .. }) if dst == *made);
        follows.then_some(()).ok_or_else(|| format!("no room was made for {made} just before"))
    }

    fn writes(&mut self, pc: Pc, inst: &Inst) {
        let held = self.held(inst);
        let state = &mut self.state;
        self.code.accesses(self.code.inst(pc), &mut |access| match access {
            Access::Write(reg) => state.regs[reg.index()] = true,
            Access::WriteTile(tile) => state.tiles[tile.index()] = held,
            Access::Read(_) | Access::ReadTile(_) => {}
        });
    }

    /// What `inst` puts into the tile register that it writes.
    fn held(&self, inst: &Inst) -> Held {
        if let Inst::MoveTile { src, .. } = inst {
            return self.state.tiles[src.index()];
        }
        if let Inst::Define { bytes, .. } = inst {
            return Held::Bytes(*bytes);
        }
        let Inst::Issue { site } = inst else { return Held::Tile };
        let template = &self.code.sites[*site].template;
        if let Template::Recv { dst: Some(dst), .. } = template {
            return self.state.tiles[dst.index()];
        }
        let (Template::Recv { message, .. } | Template::RecvAsync { message, .. }) = template
        else {
            return Held::Tile;
        };
        Held::Bytes(message.bytes())
    }
}
