//! Rules 3 to 5: what names what.

use super::Broken;
use crate::arena::Id;
use crate::command::channel::{self, VisitChannel};
use crate::command::{Access, Code, Inst, Pc, Template, WindowArgs};
use crate::ir::{DmaDesc, MAX_WINDOW_AXES};

/// Checks rules 3, 4 and 5.
pub(super) fn check(code: &Code) -> Result<(), Broken> {
    let last = Pc::from_index(code.insts.len().saturating_sub(1));
    if code.spans.len() != code.insts.len() {
        return Err((last, "there is not one span an instruction".into()));
    }
    if code.insts.last() != Some(&Inst::End) {
        return Err((last, "the code does not end in its end".into()));
    }
    let mut open = Vec::new();
    for (index, inst) in code.insts.iter().enumerate() {
        let pc = Pc::from_index(index);
        tables(code, inst).map_err(|what| (pc, what))?;
        nesting(code, pc, &mut open).map_err(|what| (pc, what))?;
        if *inst == Inst::End && pc != last {
            return Err((pc, "the code ends before its last instruction".into()));
        }
    }
    match open.last() {
        Some(begin) => Err((*begin, "it never ends".into())),
        None => Ok(()),
    }
}

/// Rule 4. `open` holds where the regions around `pc` begin; for a loop's test or a branch's second
/// block, where that begins.
fn nesting(code: &Code, pc: Pc, open: &mut Vec<Pc>) -> Result<(), String> {
    let inst = *code.inst(pc);
    let is_at =
        |at: Pc, is_wanted: fn(&Inst) -> bool| code.insts.get(at.index()).is_some_and(is_wanted);
    let closes = |begin: Option<Pc>, is_wanted: &dyn Fn(&Inst) -> bool| match begin {
        Some(begin) if is_wanted(code.inst(begin)) => Ok(begin),
        Some(_) | None => Err(String::from("it ends what it does not belong to")),
    };
    match inst {
        Inst::LoopBegin { end, .. } => {
            open.push(pc);
            let matches = is_at(end, |it| matches!(it, Inst::LoopEnd { .. }));
            matches.then_some(()).ok_or_else(|| String::from("the loop has no end"))
        }
        Inst::WhileBegin => {
            open.push(pc);
            Ok(())
        }
        Inst::IfBegin { otherwise, .. } => {
            open.push(pc);
            let matches = is_at(otherwise, |it| matches!(it, Inst::Else { .. }));
            matches.then_some(()).ok_or_else(|| String::from("the branch has no second block"))
        }
        Inst::LoopEnd { begin } => {
            let is_mine = |it: &Inst| matches!(it, Inst::LoopBegin { end, .. } if *end == pc);
            let top = closes(open.pop(), &is_mine)?;
            (top == begin).then_some(()).ok_or_else(|| String::from("it names another loop"))
        }
        Inst::WhileTest { .. } => {
            closes(open.pop(), &|it| *it == Inst::WhileBegin)?;
            open.push(pc);
            Ok(())
        }
        Inst::WhileEnd { begin } => {
            let is_mine = |it: &Inst| matches!(it, Inst::WhileTest { end, .. } if *end == pc);
            let test = closes(open.pop(), &is_mine)?;
            let matches = begin < test && is_at(begin, |it| *it == Inst::WhileBegin);
            matches.then_some(()).ok_or_else(|| String::from("it names another loop"))
        }
        Inst::Else { .. } => {
            let is_mine =
                |it: &Inst| matches!(it, Inst::IfBegin { otherwise, .. } if *otherwise == pc);
            closes(open.pop(), &is_mine)?;
            open.push(pc);
            Ok(())
        }
        Inst::IfEnd => {
            let is_mine = |it: &Inst| matches!(it, Inst::Else { end } if *end == pc);
            closes(open.pop(), &is_mine).map(|_| ())
        }
        Inst::Scalar { .. }
        | Inst::MoveTile { .. }
        | Inst::Define { .. }
        | Inst::Issue { .. }
        | Inst::Assert { .. }
        | Inst::End => Ok(()),
    }
}

/// Rule 5.
fn tables(code: &Code, inst: &Inst) -> Result<(), String> {
    if let Inst::Issue { site } | Inst::Assert { site, .. } = inst {
        let Some(site) = code.sites.get(*site) else {
            return Err("its site does not exist".into());
        };
        specs(code, &site.template)?;
        let is_assertion = matches!(site.template, Template::Assert { .. });
        if is_assertion != matches!(inst, Inst::Assert { .. }) {
            return Err("an assertion is not issued, and a command is not asserted".into());
        }
    }
    if let Inst::LoopEnd { begin } = inst
        && begin.index() >= code.insts.len()
    {
        return Err("its loop does not exist".into());
    }
    if let Inst::Define { buffer, .. } = inst
        && *buffer as usize >= code.buffers.len()
    {
        return Err(format!("buffer {buffer} does not exist"));
    }
    if let Some(set) = code.live_set(inst) {
        let end = set.start as usize + set.len as usize;
        let tiles = code.live.get(set.start as usize..end);
        if !tiles.is_some_and(|tiles| tiles.iter().all(|tile| tile.0 < code.tiles)) {
            return Err("its live set names what does not exist".into());
        }
    }
    let mut missing = None;
    code.accesses(inst, &mut |access| match access {
        Access::Read(reg) | Access::Write(reg) if reg.0 >= code.regs.max(3) => {
            missing = Some(format!("the register {reg} does not exist"));
        }
        Access::ReadTile(tile) | Access::WriteTile(tile) if tile.0 >= code.tiles => {
            missing = Some(format!("the tile register {tile} does not exist"));
        }
        Access::Read(_) | Access::Write(_) | Access::ReadTile(_) | Access::WriteTile(_) => {}
    });
    missing.map_or(Ok(()), Err)
}

/// Whether a window is one of the axes of `desc`, and short enough to be held by a command.
fn is_window(window: &WindowArgs, desc: &DmaDesc) -> bool {
    let rank = desc.dims.len();
    let short = |extent: u64| u32::try_from(extent).is_ok();
    (1..=MAX_WINDOW_AXES).contains(&rank)
        && desc.dims.iter().all(|dim| short(dim.extent))
        && window.clips.iter().all(|(axis, ..)| (*axis as usize) < rank)
        && window
            .wraps
            .iter()
            .all(|(axis, _, period)| (*axis as usize) < rank && *period > 0 && short(*period))
}

/// Whether the tables of a code hold what a channel command names.
struct Tables<'a> {
    code: &'a Code,
}

impl VisitChannel for Tables<'_> {
    type Out = bool;

    fn exchange(&mut self, it: &channel::Exchange) -> bool {
        self.code.exchanges.get(it.spec).is_some()
    }

    fn port_put(&mut self, it: &channel::PortPut) -> bool {
        self.code.ports.get(it.spec).is_some()
    }

    fn flush(&mut self, it: &channel::Flush) -> bool {
        self.code.lists.get(it.channels).is_some()
    }

    fn signal(&mut self, it: &channel::Signal) -> bool {
        self.code.lists.get(it.channels).is_some()
    }

    fn await_signal(&mut self, it: &channel::AwaitSignal) -> bool {
        self.code.lists.get(it.channels).is_some()
    }

    fn sync(&mut self, _: &channel::BlockSync) -> bool {
        true
    }

    fn barrier(&mut self, _: &channel::BlockBarrier) -> bool {
        true
    }

    fn acquire(&mut self, it: &channel::Acquire) -> bool {
        self.code.lists.get(it.semaphores).is_some()
    }

    fn release(&mut self, it: &channel::Release) -> bool {
        self.code.lists.get(it.semaphores).is_some()
    }

    fn kernel_end(&mut self, _: &channel::KernelEnd) -> bool {
        true
    }
}

fn specs(code: &Code, template: &Template) -> Result<(), String> {
    let exists = match template {
        Template::DmaRead { desc, window, .. } | Template::DmaWrite { desc, window, .. } => {
            let window = window.as_deref();
            code.descs.get(*desc).is_some_and(|desc| window.is_none_or(|it| is_window(it, desc)))
        }
        Template::DmaGather { lanes, .. }
        | Template::DmaScatter { lanes, .. }
        | Template::DmaAtomic { lanes, .. } => code.lanes.get(lanes.spec).is_some(),
        Template::Math { spec, .. } | Template::Stream { spec, .. } => {
            code.maths.get(*spec).is_some()
        }
        Template::Gemm { spec, .. } => code.gemms.get(*spec).is_some(),
        Template::Composite { spec, .. } => code.composites.get(*spec).is_some(),
        Template::CompositeWait { .. }
        | Template::Send { .. }
        | Template::Recv { .. }
        | Template::RecvAsync { .. }
        | Template::Wait { .. }
        | Template::Release { .. }
        | Template::Assert { .. } => true,
        Template::Channel(it) => it.op.visit(&mut Tables { code }),
    };
    exists.then_some(()).ok_or_else(|| String::from("what it computes or moves does not exist"))
}
