//! The direct parts of expressions, and how operators are written.

use super::ast::{BinaryOp, BoolOp, Clause, CompareOp, ExprId, ExprKind, FStringPart, UnaryOp};

impl ExprKind {
    /// Calls `visit` with every expression that is a direct part of this one, in the order
    /// written but for the condition of a conditional expression, which comes first.
    pub fn each_child(&self, visit: &mut dyn FnMut(ExprId)) {
        match self {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Bool(_) => {}
            ExprKind::None | ExprKind::Ellipsis | ExprKind::Name(_) | ExprKind::Error => {}
            ExprKind::FString(parts) => parts.iter().for_each(|part| {
                if let FStringPart::Value { value, .. } = part {
                    visit(*value);
                }
            }),
            ExprKind::Attribute { value, .. }
            | ExprKind::Starred(value)
            | ExprKind::Walrus { value, .. }
            | ExprKind::Unary { operand: value, .. } => visit(*value),
            ExprKind::Call { func, args } => {
                visit(*func);
                args.iter().for_each(|arg| visit(arg.value));
            }
            ExprKind::Subscript { value: first, index: second }
            | ExprKind::Binary { left: first, right: second, .. } => {
                [first, second].into_iter().for_each(|id| visit(*id));
            }
            ExprKind::Slice { lower, upper, step } => {
                [lower, upper, step].into_iter().flatten().for_each(|id| visit(*id));
            }
            ExprKind::Compare { first, rest } => {
                visit(*first);
                rest.iter().for_each(|(_, id)| visit(*id));
            }
            ExprKind::BoolOp { operands: items, .. }
            | ExprKind::Tuple(items)
            | ExprKind::List(items) => items.iter().for_each(|id| visit(*id)),
            ExprKind::IfElse { condition, then, otherwise } => {
                [condition, then, otherwise].into_iter().for_each(|id| visit(*id));
            }
            ExprKind::Dict(pairs) => {
                pairs.iter().flat_map(|(key, value)| [key, value]).for_each(|id| visit(*id));
            }
            ExprKind::Lambda { params, body } => {
                params.iter().filter_map(|param| param.default).for_each(&mut *visit);
                visit(*body);
            }
            ExprKind::Comprehension { element, clauses, .. } => {
                visit(*element);
                clauses.iter().for_each(|clause| clause.each_child(visit));
            }
        }
    }
}

impl Clause {
    /// Calls `visit` with the target, the iterable and the filters.
    pub fn each_child(&self, visit: &mut dyn FnMut(ExprId)) {
        visit(self.target);
        visit(self.iter);
        self.conditions.iter().for_each(|id| visit(*id));
    }
}

impl UnaryOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Pos => "+",
            UnaryOp::Invert => "~",
            UnaryOp::Not => "not",
        }
    }
}

impl BinaryOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::FloorDiv => "//",
            BinaryOp::Mod => "%",
            BinaryOp::Pow => "**",
            BinaryOp::MatMul => "@",
            BinaryOp::BitAnd => "&",
            BinaryOp::BitOr => "|",
            BinaryOp::BitXor => "^",
            BinaryOp::Shl => "<<",
            BinaryOp::Shr => ">>",
        }
    }
}

impl CompareOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            CompareOp::Lt => "<",
            CompareOp::Le => "<=",
            CompareOp::Gt => ">",
            CompareOp::Ge => ">=",
            CompareOp::Eq => "==",
            CompareOp::Ne => "!=",
            CompareOp::Is => "is",
            CompareOp::IsNot => "is not",
            CompareOp::In => "in",
            CompareOp::NotIn => "not in",
        }
    }
}

impl BoolOp {
    /// How it is written.
    pub fn text(self) -> &'static str {
        match self {
            BoolOp::And => "and",
            BoolOp::Or => "or",
        }
    }
}
