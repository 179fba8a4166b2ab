//! What to call registers: as the kernel calls what is in them, told apart by `.1`, `.2`, … where
//! one name is in several registers; else by number.

use std::collections::BTreeMap;

use crate::arena::Id;
use crate::command::{Access, Code, Pc, Reg, TileReg};

/// Registers and what is in them while a code is read from front to back.
pub(super) struct Names<'a> {
    code: &'a Code,
    regs: Vec<String>,
    tiles: Vec<String>,
    /// For each name of the kernel, the registers that have been called so; tiles and scalars
    /// apart.
    called: BTreeMap<(&'a str, bool), Vec<u32>>,
}

impl<'a> Names<'a> {
    /// Nothing but the program id is known.
    pub(super) fn new(code: &'a Code) -> Names<'a> {
        let mut regs: Vec<String> = (0..code.regs.max(3)).map(|reg| format!("%{reg}")).collect();
        for (axis, reg) in regs.iter_mut().take(3).enumerate() {
            *reg = format!("pid{axis}");
        }
        let tiles = (0..code.tiles).map(|tile| format!("%t{tile}")).collect();
        Names { code, regs, tiles, called: BTreeMap::new() }
    }

    /// Calls what the instruction at `pc` writes by the name it has from there on.
    pub(super) fn pass(&mut self, pc: Pc) {
        let code = self.code;
        let Some(name) = code.name(pc) else { return self.forget(pc) };
        code.accesses(code.inst(pc), &mut |access| match access {
            Access::Write(reg) => {
                self.regs[reg.index()] = told_apart(&mut self.called, (name, false), reg.0);
            }
            Access::WriteTile(tile) => {
                self.tiles[tile.index()] = told_apart(&mut self.called, (name, true), tile.0);
            }
            Access::Read(_) | Access::ReadTile(_) => {}
        });
    }

    /// What the instruction at `pc` writes has no name.
    fn forget(&mut self, pc: Pc) {
        let code = self.code;
        code.accesses(code.inst(pc), &mut |access| match access {
            Access::Write(reg) => self.regs[reg.index()] = format!("%{}", reg.0),
            Access::WriteTile(tile) => self.tiles[tile.index()] = format!("%t{}", tile.0),
            Access::Read(_) | Access::ReadTile(_) => {}
        });
    }

    /// What to call a scalar.
    pub(super) fn reg(&self, reg: Reg) -> &str {
        &self.regs[reg.index()]
    }

    /// What to call a tile.
    pub(super) fn tile(&self, tile: TileReg) -> &str {
        &self.tiles[tile.index()]
    }
}

fn told_apart<'a>(
    called: &mut BTreeMap<(&'a str, bool), Vec<u32>>,
    key: (&'a str, bool),
    register: u32,
) -> String {
    let registers = called.entry(key).or_default();
    let index = registers.iter().position(|it| *it == register).unwrap_or_else(|| {
        registers.push(register);
        registers.len() - 1
    });
    if index == 0 { key.0.into() } else { format!("{}.{index}", key.0) }
}
