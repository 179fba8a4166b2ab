//! Scalars as expressions. A scalar that is used once, where everything it was computed from still
//! holds the same, is written where it is used; every other is a line of its own.

use super::names::Names;
use crate::arena::Id;
use crate::command::{Access, Code, Inst, Operand, Pc, Reg, ScalarExpr};
use crate::dtype::{DType, Rounding};
use crate::ir::Literal;
use crate::ops::BinaryOp;

/// Expressions longer than this are a line of their own.
const MAX_LEN: usize = 64;

/// Text and how tightly it binds: 0 loosest.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) text: String,
    binds: u8,
}

/// Binds more tightly than any operator.
const ATOM: u8 = 9;

impl Text {
    fn atom(text: String) -> Text {
        Text { text, binds: ATOM }
    }

    /// In brackets if it binds less tightly than `needed`.
    fn within(&self, needed: u8) -> String {
        if self.binds < needed { format!("({})", self.text) } else { self.text.clone() }
    }
}

/// The scalars that wait to be written where they are used.
pub(super) struct Pending {
    /// By register: the text, if it waits.
    waiting: Vec<Option<Text>>,
    /// Whether the scalar instruction at each place is to wait.
    inlined: Vec<bool>,
}

impl Pending {
    pub(super) fn new(code: &Code) -> Pending {
        let waiting = vec![None; code.regs.max(3) as usize];
        Pending { waiting, inlined: inlined(code) }
    }

    /// Whether the instruction at `pc` only computes what is written elsewhere.
    pub(super) fn is_inlined(&self, pc: Pc) -> bool {
        self.inlined[pc.index()]
    }

    /// Notes the scalar instruction at `pc`, and gives its text if it is a line of its own.
    pub(super) fn scalar(
        &mut self,
        pc: Pc,
        (dst, expr): (Reg, &ScalarExpr),
        names: &Names<'_>,
    ) -> Option<String> {
        let text = self.expr(expr, names);
        if self.is_inlined(pc) && text.text.len() <= MAX_LEN {
            self.waiting[dst.index()] = Some(text);
            return None;
        }
        self.inlined[pc.index()] = false;
        self.waiting[dst.index()] = None;
        Some(text.text)
    }

    /// An operand.
    pub(super) fn operand(&self, operand: Operand, names: &Names<'_>) -> Text {
        match operand {
            Operand::Const(value) => literal(value),
            Operand::Reg(reg) => self.waiting[reg.index()]
                .clone()
                .unwrap_or_else(|| Text::atom(names.reg(reg).into())),
        }
    }

    /// The register is written anew.
    pub(super) fn overwrite(&mut self, reg: Reg) {
        self.waiting[reg.index()] = None;
    }

    fn expr(&self, expr: &ScalarExpr, names: &Names<'_>) -> Text {
        let of = |operand: &Operand| self.operand(*operand, names);
        let list = |xs: &[Operand]| xs.iter().map(|x| of(x).text).collect::<Vec<_>>().join(", ");
        match expr {
            ScalarExpr::Copy(x) => of(x),
            ScalarExpr::Unary(op, dtype, x) => {
                Text::atom(format!("{}{}({})", op.name(), typed(*dtype), of(x).text))
            }
            ScalarExpr::Binary(op, dtype, x, y) => binary(*op, *dtype, &of(x), &of(y)),
            ScalarExpr::Ternary(op, dtype, xs) => {
                Text::atom(format!("{}{}({})", op.name(), typed(*dtype), list(xs)))
            }
            ScalarExpr::Compare(op, _, x, y) => Text {
                text: format!("{} {} {}", of(x).within(2), op.symbol(), of(y).within(2)),
                binds: 1,
            },
            ScalarExpr::Select([condition, x, y]) => Text {
                text: format!(
                    "{} if {} else {}",
                    of(x).within(1),
                    of(condition).within(1),
                    of(y).within(1)
                ),
                binds: 0,
            },
            ScalarExpr::Cast(dtype, x, Rounding::NearestEven) => {
                Text::atom(format!("{dtype}({})", of(x).text))
            }
            ScalarExpr::Cast(dtype, x, Rounding::TowardZero) => {
                Text::atom(format!("{dtype}({}, toward_zero)", of(x).text))
            }
        }
    }
}

fn literal(value: Literal) -> Text {
    match value {
        Literal::Int(value) if value >= 1 << 32 => Text::atom(format!("{value:#x}")),
        Literal::Int(value) => {
            Text { text: value.to_string(), binds: if value < 0 { 6 } else { ATOM } }
        }
        Literal::Float(value) => Text::atom(format!("{value:?}")),
    }
}

/// `.i32` after the name of an op that does not compute in `i64`.
fn typed(dtype: DType) -> String {
    if dtype == DType::I64 { String::new() } else { format!(".{dtype}") }
}

fn binary(op: BinaryOp, dtype: DType, x: &Text, y: &Text) -> Text {
    let Some((symbol, binds)) = symbol(op).filter(|_| dtype == DType::I64) else {
        return Text::atom(format!("{}{}({}, {})", op.name(), typed(dtype), x.text, y.text));
    };
    Text { text: format!("{} {symbol} {}", x.within(binds), y.within(binds + 1)), binds }
}

/// The operator of the language and how tightly it binds.
fn symbol(op: BinaryOp) -> Option<(&'static str, u8)> {
    match op {
        BinaryOp::Mul => Some(("*", 7)),
        BinaryOp::FloorDiv => Some(("//", 7)),
        BinaryOp::Add => Some(("+", 6)),
        BinaryOp::Sub => Some(("-", 6)),
        BinaryOp::Shl => Some(("<<", 5)),
        BinaryOp::Shr => Some((">>", 5)),
        BinaryOp::BitAnd => Some(("&", 4)),
        BinaryOp::BitXor => Some(("^", 3)),
        BinaryOp::BitOr => Some(("|", 2)),
        BinaryOp::Div
        | BinaryOp::IntDiv
        | BinaryOp::Rem
        | BinaryOp::FloorMod
        | BinaryOp::Minimum
        | BinaryOp::Maximum
        | BinaryOp::MinimumNan
        | BinaryOp::Pow
        | BinaryOp::MaximumNan
        | BinaryOp::UMulHi
        | BinaryOp::UMulHi64 => None,
    }
}

/// The scalar instructions whose text is to stand where it is used: once, before any loop or
/// branch begins or ends, with nothing written in between that it reads.
///
/// Copies are how loops and branches hand values on; every other scalar instruction writes a value
/// that nothing else writes, so the register's next use in the text is the value's only one if the
/// use after that writes it.
fn inlined(code: &Code) -> Vec<bool> {
    let once = read_once(code);
    let mut waiting =
        Waiting { by_reg: vec![None; code.regs.max(3) as usize], inlined: Vec::new() };
    for (index, inst) in code.insts.iter().enumerate() {
        waiting.inlined.push(false);
        let mut bases = Vec::new();
        code.accesses(inst, &mut |access| match access {
            Access::Read(reg) => match waiting.by_reg[reg.index()].take() {
                Some((at, below)) => {
                    waiting.inlined[at] = true;
                    bases.extend(below);
                }
                None => bases.push(reg),
            },
            Access::Write(reg) => waiting.spoil(reg),
            Access::ReadTile(_) | Access::WriteTile(_) => {}
        });
        if is_boundary(inst) {
            waiting.by_reg.fill(None);
        } else if let Inst::Scalar { dst, .. } = inst
            && once[index]
        {
            waiting.by_reg[dst.index()] = Some((index, bases));
        }
    }
    waiting.inlined
}

/// Scalars that may still be written where they are used.
struct Waiting {
    /// By register: the instruction, and the registers that its text names.
    by_reg: Vec<Option<(usize, Vec<Reg>)>>,
    /// What was written where it is used, by instruction.
    inlined: Vec<bool>,
}

impl Waiting {
    /// `reg` is written: text that names it cannot wait any longer.
    fn spoil(&mut self, reg: Reg) {
        for waiting in &mut self.by_reg {
            if waiting.as_ref().is_some_and(|(_, bases)| bases.contains(&reg)) {
                *waiting = None;
            }
        }
        self.by_reg[reg.index()] = None;
    }
}

/// The scalar instructions, copies left out, whose result is read once in the text before its
/// register is written again.
fn read_once(code: &Code) -> Vec<bool> {
    let mut once = vec![false; code.insts.len()];
    // By register, going back: the reads since it was last written.
    let mut reads = vec![0u32; code.regs.max(3) as usize];
    for (index, inst) in code.insts.iter().enumerate().rev() {
        let mut writes = Vec::new();
        code.accesses(inst, &mut |access| {
            if let Access::Write(reg) = access {
                writes.push(reg);
            }
        });
        for reg in writes {
            let is_copy = matches!(inst, Inst::Scalar { expr: ScalarExpr::Copy(_), .. });
            let is_scalar = matches!(inst, Inst::Scalar { .. });
            once[index] = is_scalar && !is_copy && reads[reg.index()] == 1;
            reads[reg.index()] = 0;
        }
        code.accesses(inst, &mut |access| {
            if let Access::Read(reg) = access {
                reads[reg.index()] += 1;
            }
        });
    }
    once
}

/// Whether a loop or branch begins or ends here.
fn is_boundary(inst: &Inst) -> bool {
    match inst {
        Inst::LoopBegin { .. }
        | Inst::LoopEnd { .. }
        | Inst::WhileBegin
        | Inst::WhileTest { .. }
        | Inst::WhileEnd { .. }
        | Inst::IfBegin { .. }
        | Inst::Else { .. }
        | Inst::IfEnd
        | Inst::End => true,
        Inst::Scalar { .. }
        | Inst::MoveTile { .. }
        | Inst::Define { .. }
        | Inst::Issue { .. }
        | Inst::Assert { .. } => false,
    }
}
