//! The compact form: what the agents are, then each code with its loops.

use std::fmt::Write;

use super::expr::Pending;
use super::names::Names;
use super::sites::Sites;
use super::{all_agents, pe_ranges};
use crate::arena::Id;
use crate::command::{
    Code, Comm, GridShape, Inst, Operand, Pc, Program, ScalarExpr, SiteId, Template,
};
use crate::source::{SourceMap, Span};
use crate::units::grouped;

/// Where the place in the source begins on a line.
const LOCATION_COLUMN: usize = 76;

/// Runs of PEs that are named.
const MAX_RANGES: usize = 6;

/// The program as text: agents, queues, and each code once. `sources` gives the lines.
pub fn program(program: &Program, sources: &SourceMap) -> String {
    let mut out = String::new();
    header(program, &mut out);
    for (id, code) in program.codes.iter() {
        let tiles = vec![String::new(); code.tiles as usize];
        let printer = Printer {
            code,
            comm: &program.comm,
            sources,
            out: &mut out,
            names: Names::new(code),
            pending: Pending::new(code),
            defined: tiles,
            depth: 1,
        };
        printer.print(&format!("{id} {}", code.name));
    }
    out
}

fn header(program: &Program, out: &mut String) {
    let agents = all_agents(program);
    let count = grouped(agents.len() as u64);
    let pes = pe_ranges(program, &agents, MAX_RANGES);
    line(out, &format!("program {}: {count} agents on {pes}", program.name));
    let grid = match program.grid {
        GridShape::Machine { pes_per_cube, cubes_per_sip } => {
            format!("machine axes, {pes_per_cube} PEs a cube, {cubes_per_sip} cubes a SIP")
        }
        GridShape::Flat([x, y, z]) => format!("{x} x {y} x {z}"),
    };
    line(out, &format!("  grid    {grid}"));
    let comm = &program.comm;
    if !comm.directions.is_empty() {
        line(
            out,
            &format!(
                "  queues  {}: {} slots of {} B each in {}",
                comm.directions.join(", "),
                comm.slots,
                grouped(comm.slot_bytes),
                comm.kind.name()
            ),
        );
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

struct Printer<'a> {
    code: &'a Code,
    comm: &'a Comm,
    sources: &'a SourceMap,
    out: &'a mut String,
    names: Names<'a>,
    pending: Pending,
    /// By tile register: where the tile that is about to be made lies.
    defined: Vec<String>,
    depth: usize,
}

impl Printer<'_> {
    fn print(mut self, title: &str) {
        let scratch = grouped(self.code.scratch_bytes);
        line(self.out, &format!("\n{title}: {scratch} B of scratch"));
        for (index, buffer) in self.code.buffers.iter().enumerate() {
            let copies =
                if buffer.copies > 1 { format!(" x {}", buffer.copies) } else { String::new() };
            let (bytes, offset) = (grouped(buffer.bytes), grouped(buffer.offset));
            line(self.out, &format!("    buf{index}: {bytes} B{copies} at {offset}"));
        }
        for index in 0..self.code.insts.len() {
            self.inst(Pc::from_index(index));
        }
    }

    fn inst(&mut self, pc: Pc) {
        let inst = *self.code.inst(pc);
        if let Inst::Scalar { dst, expr } = inst {
            return self.scalar(pc, (dst, expr));
        }
        if ends_region(&inst) {
            self.depth = self.depth.saturating_sub(1);
        }
        let depth = self.depth;
        if begins_region(&inst) {
            self.depth += 1;
        }
        if let Some(text) = self.text(pc, inst) {
            self.line(depth, &text, self.code.spans[pc.index()]);
        }
    }

    /// The text of an instruction; `None` for one that says nothing of its own.
    fn text(&mut self, pc: Pc, inst: Inst) -> Option<String> {
        let of = |operand: Operand| self.pending.operand(operand, &self.names).text;
        match inst {
            Inst::LoopBegin { var, lo, hi, step, .. } => {
                let bounds = (of(lo), of(hi), of(step));
                self.names.pass(pc);
                self.pending.overwrite(var);
                let (lo, hi, step) = bounds;
                let by = if step == "1" { String::new() } else { format!(" by {step}") };
                Some(format!("for {} in {lo}..{hi}{by}:", self.names.reg(var)))
            }
            Inst::WhileBegin => Some("while:".into()),
            Inst::WhileTest { condition, .. } => Some(format!("exit unless {}", of(condition))),
            Inst::IfBegin { condition, .. } => Some(format!("if {}:", of(condition))),
            Inst::Else { end } => (pc.0 + 1 != end.0).then(|| "else:".into()),
            Inst::MoveTile { dst, src } => {
                let src = self.names.tile(src).to_owned();
                self.names.pass(pc);
                let dst = self.names.tile(dst);
                (dst != src).then(|| format!("{dst} = {src}"))
            }
            Inst::Define { dst, buffer, live, .. } => {
                let live: Vec<&str> =
                    self.code.live(live).iter().map(|tile| self.names.tile(*tile)).collect();
                let besides = if live.is_empty() {
                    String::new()
                } else {
                    format!(" beside {}", live.join(", "))
                };
                self.defined[dst.index()] = format!("  in buf{buffer}{besides}");
                None
            }
            Inst::Issue { site } => Some(self.issue(pc, site)),
            Inst::Assert { condition, site } => {
                let condition = of(condition);
                Some(self.assertion(&condition, site))
            }
            Inst::Scalar { .. }
            | Inst::LoopEnd { .. }
            | Inst::WhileEnd { .. }
            | Inst::IfEnd
            | Inst::End => None,
        }
    }

    fn scalar(&mut self, pc: Pc, (dst, expr): (crate::command::Reg, ScalarExpr)) {
        let text = self.pending.scalar(pc, (dst, &expr), &self.names);
        self.names.pass(pc);
        let Some(text) = text else { return };
        let name = self.names.reg(dst);
        if name != text {
            let text = format!("{name} = {text}");
            self.line(self.depth, &text, self.code.spans[pc.index()]);
        }
    }

    /// A command. Its result is called by its new name, its operands by their old ones.
    fn issue(&mut self, pc: Pc, site: SiteId) -> String {
        let template = &self.code.sites[site].template;
        let define = Pc(pc.0.saturating_sub(1));
        let made = matches!(self.code.inst(define), Inst::Define { .. });
        let text = self.site_text(template);
        self.names.pass(if made { define } else { pc });
        if let Template::Composite { number, .. } = template {
            // What was in its register is gone.
            self.pending.overwrite(*number);
        }
        let (old, new) = (text, self.site_text(template));
        self.defined.iter_mut().for_each(String::clear);
        // Only the result, before the `=`, takes the new name.
        match (old.split_once(" = "), new.split_once(" = ")) {
            (Some((_, operands)), Some((result, _))) => format!("{result} = {operands}"),
            _ => old,
        }
    }

    fn site_text(&self, template: &Template) -> String {
        let Printer { code, comm, names, pending, defined, .. } = self;
        Sites { code, comm, names, pending, defined }.text(template)
    }

    fn assertion(&self, condition: &str, site: SiteId) -> String {
        let Template::Assert { message } = &self.code.sites[site].template else {
            return format!("assert {condition}");
        };
        if message.is_empty() {
            return format!("assert {condition}");
        }
        format!("assert {condition}, {message:?}")
    }

    /// Writes a line with its place in the source.
    fn line(&mut self, depth: usize, text: &str, span: Span) {
        let indented = format!("{:indent$}{text}", "", indent = depth * 4);
        // Writing to a string does not fail.
        let _ = if span.is_none() {
            writeln!(self.out, "{indented}")
        } else {
            let location = self.sources.location(span);
            writeln!(self.out, "{indented:<LOCATION_COLUMN$}  # {location}")
        };
    }
}

fn begins_region(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::LoopBegin { .. } | Inst::WhileBegin | Inst::IfBegin { .. } | Inst::Else { .. }
    )
}

fn ends_region(inst: &Inst) -> bool {
    matches!(inst, Inst::LoopEnd { .. } | Inst::WhileEnd { .. } | Inst::IfEnd | Inst::Else { .. })
}
