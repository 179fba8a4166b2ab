//! What may stand left of `=` and after `for`.

use super::{Builder, Node};
use crate::diag::syntax::BAD_TARGET;
use crate::syntax::ast::{ExprId, ExprKind};

impl Builder<'_> {
    /// Refuses a target of `=` that cannot be assigned to.
    pub(super) fn check_assigned(&mut self, target: Node) {
        self.check_target(target.id, "assigned to");
    }

    /// Refuses a target of `for` that cannot be bound.
    pub(super) fn check_bound(&mut self, target: Node) {
        self.check_target(target.id, "bound by `for`");
    }

    /// Refuses a target of `del` that cannot be deleted.
    pub(super) fn check_deleted(&mut self, target: Node) {
        if let ExprKind::Starred(_) = self.kind(target) {
            self.refuse_target(target.id, "what `*` spreads", "deleted");
        } else {
            self.check_target(target.id, "deleted");
        }
    }

    /// Refuses a target that is not one name, attribute or subscript.
    pub(super) fn check_single(&mut self, target: Node, action: &str) {
        if let ExprKind::Tuple(_) | ExprKind::List(_) = self.kind(target) {
            let message = format!("several values cannot be {action} at once");
            let place = (target.start, target.end);
            let label = "only a name, an attribute or an item can stand here";
            let diagnostic = self.faults.at(BAD_TARGET, place, message, label);
            self.faults.report(diagnostic.help("write one statement for each"));
        } else {
            self.check_target(target.id, action);
        }
    }

    fn check_target(&mut self, id: ExprId, action: &str) {
        let kind = &self.exprs[id].kind;
        if let ExprKind::Tuple(items) | ExprKind::List(items) = kind {
            let items = items.clone();
            self.check_stars(&items);
            for item in items {
                self.check_target(item, action);
            }
        } else if let ExprKind::Starred(inner) = kind {
            let inner = *inner;
            self.check_target(inner, action);
        } else if let Some(what) = not_a_target(kind) {
            self.refuse_target(id, what, action);
        }
    }

    fn check_stars(&mut self, items: &[ExprId]) {
        let starred = |id: &&ExprId| matches!(self.exprs[**id].kind, ExprKind::Starred(_));
        let mut stars = items.iter().filter(starred);
        if let (Some(first), Some(second)) = (stars.next(), stars.next()) {
            let (first, second) = (self.exprs[*first].span, self.exprs[*second].span);
            let place = (second.start, second.end);
            let message = "only one target can take the rest";
            let diagnostic = self
                .faults
                .at(BAD_TARGET, place, message, "a second `*`")
                .because(first, "this one takes the rest already");
            self.faults.report(diagnostic);
        }
    }

    fn refuse_target(&mut self, id: ExprId, what: &str, action: &str) {
        let span = self.exprs[id].span;
        if self.faults.any_within(span.start, span.end) {
            return;
        }
        let message = format!("{what} cannot be {action}");
        let label = "only a name, an attribute or an item can stand here";
        let mut diagnostic = self.faults.at(BAD_TARGET, (span.start, span.end), message, label);
        let compared = matches!(self.exprs[id].kind, ExprKind::Compare { .. });
        if compared || action == "assigned to" {
            diagnostic = diagnostic.help("`==` compares; `=` assigns to what stands left of it");
        }
        self.faults.report(diagnostic);
    }
}

/// What an expression is called that is no target; none if it is one, or was refused already.
fn not_a_target(kind: &ExprKind) -> Option<&'static str> {
    Some(match kind {
        ExprKind::Name(_)
        | ExprKind::Attribute { .. }
        | ExprKind::Subscript { .. }
        | ExprKind::Tuple(_)
        | ExprKind::List(_)
        | ExprKind::Starred(_)
        | ExprKind::Error => return None,
        ExprKind::Int(_) | ExprKind::Float(_) => "a number",
        ExprKind::Str(_) | ExprKind::FString(_) => "a string",
        ExprKind::Bool(true) => "`True`",
        ExprKind::Bool(false) => "`False`",
        ExprKind::None => "`None`",
        ExprKind::Ellipsis => "`...`",
        ExprKind::Call { .. } => "the result of a call",
        ExprKind::Compare { .. } => "a comparison",
        ExprKind::Unary { .. } | ExprKind::Binary { .. } | ExprKind::BoolOp { .. } => {
            "the result of an operator"
        }
        ExprKind::IfElse { .. } => "a conditional expression",
        ExprKind::Dict(_) => "a dict",
        ExprKind::Lambda { .. } => "a lambda",
        ExprKind::Comprehension { .. } => "a comprehension",
        ExprKind::Walrus { .. } => "a `:=` expression",
        ExprKind::Slice { .. } => "a slice",
    })
}
