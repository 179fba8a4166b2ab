//! Assertions.

use super::Call;
use crate::dtype::DType;
use crate::ir;
use crate::sema::analysis::Analysis;
use crate::sema::errors::constexpr;
use crate::sema::logic::Truth;
use crate::sema::value::{Spanned, Val};
use crate::syntax::ast;

/// `tl.static_assert(cond, msg)`: now if the compiler knows, else when the launch does.
pub(super) fn static_assert(it: &mut Analysis<'_>, call: &Call) -> Val {
    it.assertion("tl.static_assert", call.arg("cond"), call.some("msg"));
    Val::NONE
}

/// `tl.device_assert(cond, msg, mask)`: where the mask is not set, the condition need not hold.
pub(super) fn device_assert(it: &mut Analysis<'_>, call: &Call) -> Val {
    let (cond, name) = (call.arg("cond"), "tl.device_assert");
    let Some(mask) = call.some("mask") else {
        it.assertion(name, cond, call.some("msg"));
        return Val::NONE;
    };
    let truths = [mask, cond].map(|arg| Spanned { val: it.truths(arg), span: arg.span });
    let [set, holds] = truths;
    let unset = match it.tile(&set.val).is_some() {
        true => it.unary(ast::UnaryOp::Invert, &set, mask.span),
        false => it.not(&set),
    };
    let unset = Spanned { val: unset, span: mask.span };
    let val = it.binary(ast::BinaryOp::BitOr, &unset, &holds, cond.span);
    it.assertion(name, &Spanned { val, span: cond.span }, call.some("msg"));
    Val::NONE
}

impl Analysis<'_> {
    /// Numbers as truth values: those that are not 0.
    fn truths(&mut self, numbers: &Spanned) -> Val {
        let is_number = self.operand_dtype(&numbers.val).is_some_and(|it| it != DType::I1);
        if !is_number {
            return numbers.val.clone();
        }
        let zero = Spanned { val: Val::int(0), span: numbers.span };
        self.compare(ast::CompareOp::Ne, numbers, &zero, numbers.span)
    }

    /// Refuses to go on unless `condition` holds.
    pub(in crate::sema) fn assertion(
        &mut self,
        name: &str,
        condition: &Spanned,
        message: Option<&Spanned>,
    ) {
        let said = message.map(|it| match (it.val.text(), it.val.constant()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(other)) => crate::sema::describe::constant(other),
            (None, None) => String::new(),
        });
        if self.tile(&condition.val).is_some() {
            let Some(x) = self.truths(condition).value() else { return };
            let text = said.unwrap_or_default();
            let op = ir::Inspect { how: ir::Inspection::Assert, x, text };
            return self.inspect(op, condition.span);
        }
        match self.truth(&format!("the condition of `{name}`"), condition) {
            Truth::Known(true) | Truth::Error => {}
            Truth::Known(false) => {
                self.report(constexpr::assertion_fails(said.as_deref(), condition.span));
            }
            Truth::Launch(holds) => {
                let message = said.unwrap_or_default();
                let op = ir::Assert { condition: holds, message };
                self.frame.build.emit(op, Vec::new(), condition.span);
            }
        }
    }
}
