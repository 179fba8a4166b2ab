//! Printing: while compiling, and while a kernel runs.

use super::{Call, addresses};
use crate::dtype::DType;
use crate::ir::{self, Inspection, TileType, Type, Value};
use crate::sema::analysis::Analysis;
use crate::sema::describe;
use crate::sema::errors::{habits, warnings};
use crate::sema::value::{Spanned, Val};
use crate::source::Span;

/// `tl.static_print(…)`.
pub(super) fn static_print(it: &mut Analysis<'_>, call: &Call) -> Val {
    let items = call.get("values").and_then(|values| values.val.items()).unwrap_or(&[]);
    let separator = call.get("sep").and_then(|sep| sep.val.text()).unwrap_or(" ");
    let texts: Vec<String> = items.iter().map(|item| it.shown(item)).collect();
    let text = texts.join(separator);
    it.say(warnings::printed(&text, call.span));
    Val::NONE
}

/// `tl.device_print(prefix, …)` and `print(prefix, …)`: each value by itself, as Triton does. What
/// the compiler holds is text; a run-time scalar is a tile of rank 0; a pointer, its address.
pub(super) fn device_print(it: &mut Analysis<'_>, call: &Call) -> Val {
    let prefix = call.arg("prefix");
    let Some(text) = prefix.val.text() else {
        let found = it.describe(&prefix.val);
        return it.report(habits::print_without_prefix(&call.name(), &found, prefix.span));
    };
    let items = call.get("values").and_then(|values| values.val.items()).unwrap_or(&[]);
    let (mut text, mut tiles) = (text.to_owned(), Vec::new());
    for item in items {
        if !it.printed(item, (&mut text, &mut tiles), call.span) {
            let item = Spanned { val: item.clone(), span: call.span };
            return it.expected_tile(call, &item);
        }
    }
    let how = if tiles.is_empty() { Inspection::Say } else { Inspection::Print };
    if tiles.is_empty() {
        let nothing = it.frame.build.constant(ir::Literal::Int(1), DType::I1, call.span);
        tiles.push(it.as_tile(nothing, call.span));
    }
    for x in tiles {
        it.inspect(ir::Inspect { how, x, text: text.clone() }, call.span);
    }
    Val::NONE
}

impl Analysis<'_> {
    /// Adds a value to what is printed: to the text, or to the tiles. False if it is none that can
    /// be.
    fn printed(
        &mut self,
        val: &Val,
        (text, tiles): (&mut String, &mut Vec<Value>),
        span: Span,
    ) -> bool {
        if let Val::Tuple(items) = val {
            return items.iter().all(|item| self.printed(item, (text, tiles), span));
        }
        let address = if let Val::Pointer(pointer) = val {
            addresses::address(self, *pointer, DType::I64, span)
        } else {
            val.clone()
        };
        if let Some(value) = address.value() {
            tiles.push(self.as_tile(value, span));
        } else if val.text().is_some() || val.constant().is_some() {
            text.push(' ');
            text.push_str(&self.shown(val));
        }
        !matches!(
            val,
            Val::Function(_)
                | Val::Namespace(_)
                | Val::Range(_)
                | Val::View(_)
                | Val::Handle(_)
                | Val::Builtin(_)
        )
    }

    /// A tile as it is, a scalar as a tile of rank 0.
    pub(super) fn as_tile(&mut self, value: Value, span: Span) -> Value {
        if self.tile(&Val::Value(value)).is_some() {
            return value;
        }
        let ty = Type::Tile(TileType::new(Vec::new(), self.ty(value).dtype()));
        self.frame.build.emit_value(ir::Full { value }, ty, span)
    }

    /// Looks at a tile while the kernel runs.
    pub(super) fn inspect(&mut self, op: ir::Inspect, span: Span) {
        let ty = Type::Tile(TileType::new(Vec::new(), DType::I1));
        self.frame.build.emit_value(op, ty, span);
    }

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
