//! Which tiles must be left alone where a tile is made or a slot is given back: those that some
//! later instruction still reads before writing them.
//!
//! The code is walked backwards twice. The first walk finds what each loop reads of what was
//! written before it, and so carries from one iteration to the next; with that, the second walk
//! needs no fixed point.

use std::collections::BTreeSet;

use crate::arena::Id;
use crate::command::{Access, Code, Inst, LiveSet, Pc, Template, TileReg};

type Set = BTreeSet<TileReg>;

/// Fills in every live set of `code`.
pub(super) fn fill_live_sets(code: &mut Code) {
    let first_writes = first_writes(code);
    let carried = carried(code, &first_writes);
    let mut walk = Walk { carried, first_writes, live: Set::new(), after: Vec::new() };
    for index in (0..code.insts.len()).rev() {
        let pc = Pc::from_index(index);
        walk.enter_backwards(code, pc);
        walk.note(code, pc);
        for access in accesses(code, pc).into_iter().rev() {
            apply(access, &mut walk.live);
        }
        walk.leave_backwards(code, pc);
    }
}

/// The tiles that the instruction at `pc` reads, then those it writes.
fn accesses(code: &Code, pc: Pc) -> Vec<Access> {
    let mut found = Vec::new();
    code.accesses(code.inst(pc), &mut |access| {
        if matches!(access, Access::ReadTile(_) | Access::WriteTile(_)) {
            found.push(access);
        }
    });
    found
}

/// What is live before an access, from what is live after it.
fn apply(access: Access, live: &mut Set) {
    match access {
        Access::ReadTile(tile) => {
            live.insert(tile);
        }
        Access::WriteTile(tile) => {
            live.remove(&tile);
        }
        Access::Read(_) | Access::Write(_) => {}
    }
}

/// Where each tile register is written first.
fn first_writes(code: &Code) -> Vec<Pc> {
    let mut first = vec![Pc(u32::MAX); code.tiles as usize];
    for index in 0..code.insts.len() {
        let pc = Pc::from_index(index);
        for access in accesses(code, pc) {
            if let Access::WriteTile(tile) = access {
                first[tile.index()] = first[tile.index()].min(pc);
            }
        }
    }
    first
}

/// For the end of each loop, the tiles that the loop reads before it writes them.
fn carried(code: &Code, first_writes: &[Pc]) -> Vec<(Pc, Vec<TileReg>)> {
    let mut carried = Vec::new();
    // What the regions around the instruction read first, with where loops end.
    let mut regions = vec![(Pc(0), Set::new())];
    for index in (0..code.insts.len()).rev() {
        let pc = Pc::from_index(index);
        if matches!(
            code.inst(pc),
            Inst::LoopEnd { .. } | Inst::WhileEnd { .. } | Inst::IfEnd | Inst::Else { .. }
        ) {
            regions.push((pc, Set::new()));
        }
        let top = regions.last_mut().map(|(_, reads)| reads).expect("the code is a region");
        for access in accesses(code, pc).into_iter().rev() {
            apply(access, top);
        }
        let inst = code.inst(pc);
        if matches!(inst, Inst::LoopBegin { .. } | Inst::WhileBegin) {
            let (end, mut reads) = regions.pop().expect("regions are nested");
            reads.retain(|tile| first_writes[tile.index()] < pc);
            carried.push((end, reads.iter().copied().collect()));
            merge(&mut regions, reads);
        } else if matches!(inst, Inst::IfBegin { .. }) {
            for _ in 0..2 {
                let (_, reads) = regions.pop().expect("regions are nested");
                merge(&mut regions, reads);
            }
        }
    }
    carried.sort_by_key(|(end, _)| *end);
    carried
}

/// Adds what a region reads to what the region around it reads.
fn merge(regions: &mut [(Pc, Set)], reads: Set) {
    let (_, outer) = regions.last_mut().expect("the code is a region");
    outer.extend(reads);
}

struct Walk {
    carried: Vec<(Pc, Vec<TileReg>)>,
    first_writes: Vec<Pc>,
    /// What is live after the instruction, then before it.
    live: Set,
    /// What is live after each loop and branch around the instruction; for a branch whose second
    /// block is done, what is live before that.
    after: Vec<Set>,
}

impl Walk {
    /// Goes into a region from its end.
    fn enter_backwards(&mut self, code: &Code, pc: Pc) {
        let inst = *code.inst(pc);
        if let Inst::LoopEnd { begin } | Inst::WhileEnd { begin } = inst {
            self.after.push(self.live.clone());
            let first_writes = &self.first_writes;
            self.live.retain(|tile| first_writes[tile.index()] < begin);
            let found = self.carried.binary_search_by_key(&pc, |(end, _)| *end);
            let carried = found.ok().map(|index| self.carried[index].1.iter());
            self.live.extend(carried.into_iter().flatten().copied());
        } else if inst == Inst::IfEnd {
            self.after.push(self.live.clone());
        } else if matches!(inst, Inst::Else { .. }) {
            let after = self.after.pop().expect("branches are nested");
            self.after.push(std::mem::replace(&mut self.live, after));
        }
    }

    /// Leaves a region at its beginning.
    fn leave_backwards(&mut self, code: &Code, pc: Pc) {
        let inst = *code.inst(pc);
        if matches!(inst, Inst::LoopBegin { .. } | Inst::IfBegin { .. }) {
            let other = self.after.pop().expect("regions are nested");
            self.live.extend(other);
        } else if matches!(inst, Inst::WhileTest { .. }) {
            let after = self.after.last().expect("a test is in its loop");
            self.live.extend(after.iter().copied());
        } else if inst == Inst::WhileBegin {
            self.after.pop();
        }
    }

    /// Writes down what is live where the instruction at `pc` asks for it.
    fn note(&mut self, code: &mut Code, pc: Pc) {
        let start = code.live.len() as u32;
        let live = |set: &Set, but: Option<TileReg>| -> Vec<TileReg> {
            set.iter().copied().filter(|tile| Some(*tile) != but).collect()
        };
        let noted = if let Inst::Define { dst, live: set, .. } = &mut code.insts[pc.index()] {
            let noted = live(&self.live, Some(*dst));
            *set = LiveSet { start, len: noted.len() as u32 };
            noted
        } else if let Inst::Issue { site } = code.insts[pc.index()]
            && let Template::Release { live: set, .. } = &mut code.sites[site].template
        {
            let noted = live(&self.live, None);
            *set = LiveSet { start, len: noted.len() as u32 };
            noted
        } else {
            return;
        };
        code.live.extend(noted);
    }
}
