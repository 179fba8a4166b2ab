//! Which registers an instruction reads and writes: said once, for register allocation,
//! verification, printing and the analysis of what depends on the program id.

use super::{
    Arg, Code, Inst, LaneArgs, LiveSet, Operand, Reg, ScalarExpr, SourceArg, Template, TileReg,
    WindowArgs,
};

/// A use of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A scalar is read.
    Read(Reg),
    /// A scalar is written.
    Write(Reg),
    /// The place of a tile is read.
    ReadTile(TileReg),
    /// The place of a tile is written.
    WriteTile(TileReg),
}

/// Gives each register another name.
pub trait RegisterMap {
    /// For a scalar that is read.
    fn read(&mut self, reg: Reg) -> Reg;
    /// For a scalar that is written.
    fn write(&mut self, reg: Reg) -> Reg;
    /// For a tile whose place is read.
    fn read_tile(&mut self, tile: TileReg) -> TileReg;
    /// For a tile whose place is written.
    fn write_tile(&mut self, tile: TileReg) -> TileReg;
}

impl Code {
    /// Calls `visit` with each register that `inst` reads, then with each that it writes. Live
    /// sets are not read: they only name tiles that are read later.
    pub fn accesses(&self, inst: &Inst, visit: &mut dyn FnMut(Access)) {
        let mut inst = *inst;
        if let Inst::Issue { site } | Inst::Assert { site, .. } = inst {
            self.sites[site].template.clone().map_registers(&mut Report(visit));
        }
        if let Inst::LoopEnd { begin } = inst {
            self.loop_end_accesses(*self.inst(begin), visit);
        }
        inst.map_registers(&mut Report(visit));
    }

    /// The end of a loop reads what its beginning does, and steps the variable.
    fn loop_end_accesses(&self, begin: Inst, visit: &mut dyn FnMut(Access)) {
        let Inst::LoopBegin { var, mut hi, mut step, .. } = begin else { return };
        visit(Access::Read(var));
        hi.map_registers(&mut Report(visit));
        step.map_registers(&mut Report(visit));
        visit(Access::Write(var));
    }

    /// The tiles that `inst` must leave alone, if it says so.
    pub fn live_set(&self, inst: &Inst) -> Option<LiveSet> {
        if let Inst::Define { live, .. } = inst {
            return Some(*live);
        }
        let Inst::Issue { site } = inst else { return None };
        let Template::Release { live, .. } = self.sites[*site].template else { return None };
        Some(live)
    }
}

/// Maps every register to itself and tells of it.
struct Report<'a>(&'a mut dyn FnMut(Access));

impl RegisterMap for Report<'_> {
    fn read(&mut self, reg: Reg) -> Reg {
        (self.0)(Access::Read(reg));
        reg
    }
    fn write(&mut self, reg: Reg) -> Reg {
        (self.0)(Access::Write(reg));
        reg
    }
    fn read_tile(&mut self, tile: TileReg) -> TileReg {
        (self.0)(Access::ReadTile(tile));
        tile
    }
    fn write_tile(&mut self, tile: TileReg) -> TileReg {
        (self.0)(Access::WriteTile(tile));
        tile
    }
}

impl Operand {
    /// Maps the register that this reads, if it is one.
    pub fn map_registers(&mut self, map: &mut dyn RegisterMap) {
        if let Operand::Reg(reg) = self {
            *reg = map.read(*reg);
        }
    }
}

impl ScalarExpr {
    /// Its operands, in order.
    pub fn operands_mut(&mut self) -> Vec<&mut Operand> {
        match self {
            ScalarExpr::Copy(x) | ScalarExpr::Unary(_, _, x) | ScalarExpr::Cast(_, x, _) => vec![x],
            ScalarExpr::Binary(_, _, x, y) | ScalarExpr::Compare(_, _, x, y) => vec![x, y],
            ScalarExpr::Ternary(_, _, xs) | ScalarExpr::Select(xs) => xs.iter_mut().collect(),
        }
    }
}

impl Inst {
    /// Maps the registers that the instruction itself names, reads first. Those of a site are
    /// mapped by [`Template::map_registers`]; a loop's end names none.
    pub fn map_registers(&mut self, map: &mut dyn RegisterMap) {
        match self {
            Inst::Scalar { dst, expr } => {
                expr.operands_mut().into_iter().for_each(|it| it.map_registers(map));
                *dst = map.write(*dst);
            }
            Inst::LoopBegin { var, lo, hi, step, .. } => {
                [lo, hi, step].into_iter().for_each(|it| it.map_registers(map));
                *var = map.write(*var);
            }
            Inst::WhileTest { condition, .. }
            | Inst::IfBegin { condition, .. }
            | Inst::Assert { condition, .. } => condition.map_registers(map),
            Inst::MoveTile { dst, src } => {
                *src = map.read_tile(*src);
                *dst = map.write_tile(*dst);
            }
            Inst::Define { dst, .. } => *dst = map.write_tile(*dst),
            Inst::LoopEnd { .. }
            | Inst::WhileBegin
            | Inst::WhileEnd { .. }
            | Inst::Else { .. }
            | Inst::IfEnd
            | Inst::Issue { .. }
            | Inst::End => {}
        }
    }
}

impl Template {
    /// Maps its registers, reads first. A result that was defined before is read: its place is.
    pub fn map_registers(&mut self, map: &mut dyn RegisterMap) {
        match self {
            Template::DmaRead { base, window, dst: tile, .. }
            | Template::DmaWrite { base, window, src: tile, .. } => {
                base.map_registers(map);
                window.iter_mut().for_each(|window| window.map_registers(map));
                *tile = map.read_tile(*tile);
            }
            Template::DmaGather { lanes, other, dst } => {
                lanes.map_registers(map);
                other.iter_mut().for_each(|other| other.map_registers(map));
                *dst = map.read_tile(*dst);
            }
            Template::DmaScatter { lanes, src } => {
                lanes.map_registers(map);
                *src = map.read_tile(*src);
            }
            Template::DmaAtomic { lanes, src, expected, dst, .. } => {
                lanes.map_registers(map);
                let tiles = [src].into_iter().chain(expected).chain(dst);
                tiles.for_each(|tile| *tile = map.read_tile(*tile));
            }
            Template::Math { args, out, .. } => {
                args.iter_mut().flatten().for_each(|arg| arg.map_registers(map));
                *out = map.read_tile(*out);
            }
            Template::Gemm { a, b, acc, out, .. } => {
                let tiles = [a, b].into_iter().chain(acc).chain([out]);
                tiles.for_each(|tile| *tile = map.read_tile(*tile));
            }
            Template::Composite { a, b, args, out, number, .. } => {
                a.map_registers(map);
                b.iter_mut().for_each(|b| b.map_registers(map));
                args.iter_mut().flatten().for_each(|arg| arg.map_registers(map));
                out.map_registers(map);
                *number = map.write(*number);
            }
            Template::CompositeWait { number } => number.map_registers(map),
            Template::Recv { dst, out, .. } => {
                dst.iter_mut().for_each(|tile| *tile = map.read_tile(*tile));
                *out = map.write_tile(*out);
            }
            Template::Stream { acc, out, .. } => {
                let tiles = acc.iter_mut().chain(out);
                tiles.for_each(|tile| *tile = map.read_tile(*tile));
            }
            Template::RecvAsync { out, .. } => *out = map.write_tile(*out),
            Template::Send { src: tile, .. }
            | Template::Wait { slot: tile }
            | Template::Release { tile, .. } => *tile = map.read_tile(*tile),
            Template::Channel(it) => {
                [&mut it.launch, &mut it.offset].into_iter().for_each(|it| it.map_registers(map));
            }
            Template::Assert { .. } => {}
        }
    }
}

impl WindowArgs {
    fn map_registers(&mut self, map: &mut dyn RegisterMap) {
        for (_, lo, hi) in &mut self.clips {
            lo.iter_mut().chain(hi).for_each(|bound| bound.map_registers(map));
        }
        self.wraps.iter_mut().for_each(|(_, start, _)| start.map_registers(map));
        self.fill.iter_mut().for_each(|fill| fill.map_registers(map));
    }
}

impl LaneArgs {
    fn map_registers(&mut self, map: &mut dyn RegisterMap) {
        self.base.map_registers(map);
        self.index.iter_mut().for_each(|index| *index = map.read_tile(*index));
        self.mask.iter_mut().for_each(|mask| mask.map_registers(map));
    }
}

impl SourceArg {
    fn map_registers(&mut self, map: &mut dyn RegisterMap) {
        match self {
            SourceArg::Tile(tile) => *tile = map.read_tile(*tile),
            SourceArg::Memory(address) => address.map_registers(map),
        }
    }
}

impl Arg {
    fn map_registers(&mut self, map: &mut dyn RegisterMap) {
        match self {
            Arg::Tile(tile) => *tile = map.read_tile(*tile),
            Arg::Scalar(operand) => operand.map_registers(map),
        }
    }
}
