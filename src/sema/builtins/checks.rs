//! Assertions.

use super::Call;
use crate::ir;
use crate::sema::analysis::Analysis;
use crate::sema::errors::{constexpr, warnings};
use crate::sema::logic::Truth;
use crate::sema::value::{Spanned, Val};

/// `tl.static_assert(cond, msg)`: now if the compiler knows, else when the launch does.
pub(super) fn static_assert(it: &mut Analysis<'_>, call: &Call) -> Val {
    it.assertion("tl.static_assert", call.arg("cond"), call.some("msg"));
    Val::NONE
}

/// `tl.device_assert(cond, msg)`.
pub(super) fn device_assert(it: &mut Analysis<'_>, call: &Call) -> Val {
    if call.some("mask").is_some() {
        let found = it.describe(&call.arg("cond").val);
        it.say(warnings::not_checked("tl.device_assert", &found, call.span));
        return Val::NONE;
    }
    it.assertion("tl.device_assert", call.arg("cond"), call.some("msg"));
    Val::NONE
}

impl Analysis<'_> {
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
            let found = self.describe(&condition.val);
            self.say(warnings::not_checked(name, &found, condition.span));
            return;
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
