//! Printing: while compiling, which is done, and while running, which is not traced.

use super::Call;
use crate::sema::analysis::Analysis;
use crate::sema::describe;
use crate::sema::errors::{habits, warnings};
use crate::sema::value::{Spanned, Val};

/// `tl.static_print(…)`.
pub(super) fn static_print(it: &mut Analysis<'_>, call: &Call) -> Val {
    let items = call.get("values").and_then(|values| values.val.items()).unwrap_or(&[]);
    let separator = call.get("sep").and_then(|sep| sep.val.text()).unwrap_or(" ");
    let texts: Vec<String> = items.iter().map(|item| it.shown(item)).collect();
    let text = texts.join(separator);
    it.say(warnings::printed(&text, call.span));
    Val::NONE
}

/// `tl.device_print(prefix, …)` and `print(prefix, …)`.
pub(super) fn device_print(it: &mut Analysis<'_>, call: &Call) -> Val {
    let prefix = call.arg("prefix");
    if prefix.val.text().is_none() {
        let found = it.describe(&prefix.val);
        return it.report(habits::print_without_prefix(&call.name(), &found, prefix.span));
    }
    let items = call.get("values").and_then(|values| values.val.items()).unwrap_or(&[]);
    let printable =
        |val: &Val| !matches!(val, Val::Function(_) | Val::Namespace(_) | Val::Range(_));
    if let Some(item) = items.iter().find(|item| !printable(item)) {
        let item = Spanned { val: item.clone(), span: call.span };
        return it.expected_tile(call, &item);
    }
    it.say(warnings::not_traced(&call.name(), call.span));
    Val::NONE
}

impl Analysis<'_> {
    /// A value as `tl.static_print` shows it: the type of what is not known yet.
    fn shown(&self, val: &Val) -> String {
        if let Val::Tuple(items) = val {
            let items: Vec<String> = items.iter().map(|item| self.shown(item)).collect();
            return format!("({})", items.join(", "));
        }
        match (val.text(), val.constant(), val.value()) {
            (Some(text), _, _) => text.to_owned(),
            (None, Some(constant), _) => describe::constant(constant),
            (None, None, Some(value)) => {
                let func = &self.frame.build.func;
                let name = func.values[value].name.as_ref();
                let ty = func.display_type(self.ty(value));
                name.map_or(ty.clone(), |name| format!("{name}: {ty}"))
            }
            (None, None, None) => self.describe(val),
        }
    }
}
