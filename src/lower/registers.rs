//! Gives the values of a code as few registers as their lifetimes allow: every agent's walker
//! holds its registers, so at 100,000 agents each one counts.
//!
//! A value lives from where it is first written to where it is last used, in the order of the
//! code; one that a loop uses but that was written before the loop lives until the loop's end.
//! Registers are then dealt in the order in which lives begin, the lowest free one first.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use crate::arena::Id;
use crate::command::{Access, Code, Inst, Pc, Reg, RegisterMap, TileReg};

/// The registers that hold the program id.
const PINNED: u32 = 3;

/// Renames the registers of `code`.
pub(super) fn assign_registers(code: &mut Code) {
    let lives = lives(code);
    let (regs, reg_count) = deal(&lives.regs, PINNED);
    let (tiles, tile_count) = deal(&lives.tiles, 0);
    let mut renaming = Renaming { regs, tiles };
    for inst in &mut code.insts {
        inst.map_registers(&mut renaming);
    }
    for (_, site) in code.sites.iter_mut() {
        site.template.map_registers(&mut renaming);
    }
    for tile in &mut code.live {
        *tile = renaming.read_tile(*tile);
    }
    (code.regs, code.tiles) = (reg_count, tile_count);
}

/// From where to where a value lives.
#[derive(Clone, Copy)]
struct Life {
    start: u32,
    end: u32,
}

struct Lives {
    regs: Vec<Option<Life>>,
    tiles: Vec<Option<Life>>,
}

fn lives(code: &Code) -> Lives {
    let ends = loop_ends(code);
    let mut lives =
        Lives { regs: vec![None; code.regs as usize], tiles: vec![None; code.tiles as usize] };
    // The loops around the instruction, outermost first: where they begin and end.
    let mut around: Vec<(u32, u32)> = Vec::new();
    for (index, inst) in code.insts.iter().enumerate() {
        let at = index as u32;
        code.accesses(inst, &mut |access| {
            let life = match access {
                Access::Read(reg) | Access::Write(reg) => &mut lives.regs[reg.index()],
                Access::ReadTile(tile) | Access::WriteTile(tile) => &mut lives.tiles[tile.index()],
            };
            let start = life.map_or(at, |life| life.start);
            let enclosing = around.iter().find(|(begin, _)| *begin > start);
            let end = enclosing.map_or(at, |(_, end)| *end);
            *life = Some(Life { start, end: life.map_or(end, |life| life.end.max(end)) });
        });
        if matches!(inst, Inst::LoopBegin { .. } | Inst::WhileBegin) {
            around.push((at, ends[index].0));
        } else if matches!(inst, Inst::LoopEnd { .. } | Inst::WhileEnd { .. }) {
            around.pop();
        }
    }
    lives
}

/// Where the loop that begins at each instruction ends.
fn loop_ends(code: &Code) -> Vec<Pc> {
    let mut ends = vec![Pc(0); code.insts.len()];
    for (index, inst) in code.insts.iter().enumerate() {
        if let Inst::LoopEnd { begin } | Inst::WhileEnd { begin } = inst {
            ends[begin.index()] = Pc::from_index(index);
        }
    }
    ends
}

/// A register for each life, and how many there are. The first `pinned` stay as they are.
fn deal(lives: &[Option<Life>], pinned: u32) -> (Vec<u32>, u32) {
    let mut order: Vec<(Life, usize)> = lives
        .iter()
        .enumerate()
        .skip(pinned as usize)
        .filter_map(|(index, life)| life.map(|life| (life, index)))
        .collect();
    order.sort_by_key(|(life, index)| (life.start, *index));
    let mut given: Vec<u32> = (0..lives.len() as u32).collect();
    let mut count = pinned;
    let mut free = BTreeSet::new();
    let mut busy = BinaryHeap::new();
    for (life, index) in order {
        while let Some(Reverse((end, register))) = busy.peek().copied() {
            if end > life.start {
                break;
            }
            busy.pop();
            free.insert(register);
        }
        let register = free.pop_first().unwrap_or_else(|| {
            count += 1;
            count - 1
        });
        given[index] = register;
        busy.push(Reverse((life.end, register)));
    }
    (given, count)
}

struct Renaming {
    regs: Vec<u32>,
    tiles: Vec<u32>,
}

impl RegisterMap for Renaming {
    fn read(&mut self, reg: Reg) -> Reg {
        Reg(self.regs[reg.index()])
    }
    fn write(&mut self, reg: Reg) -> Reg {
        Reg(self.regs[reg.index()])
    }
    fn read_tile(&mut self, tile: TileReg) -> TileReg {
        TileReg(self.tiles[tile.index()])
    }
    fn write_tile(&mut self, tile: TileReg) -> TileReg {
        TileReg(self.tiles[tile.index()])
    }
}
