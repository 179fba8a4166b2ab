//! The names of a kernel and what they are bound to.
//!
//! Python has one scope per function. What a branch or loop changes is undone when it ends and
//! handed to whoever joins its paths, so a scope is kept as one table and a log of changes.

use std::collections::BTreeMap;

use super::value::Val;
use crate::source::Span;

/// What a name stands for at some point of a kernel.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// A value.
    Bound(Binding),
    /// It had a value on some path, and has none now.
    Gone(Gone),
}

/// A name's value.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    /// The value.
    pub(super) val: Val,
    /// Where the name was bound to it.
    pub(super) span: Span,
    /// Whether it was annotated `tl.constexpr`, and so is bound once.
    pub(super) constexpr: bool,
}

/// Why a name has no value any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    /// How it was lost.
    pub(super) why: Loss,
    /// Where it was bound.
    pub(super) bound: Span,
    /// The branch or loop that lost it.
    pub(super) by: Span,
}

/// How a name is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Bound on one path of a branch only.
    OnePath,
    /// Bound in the body of a loop, which may run no time.
    LoopBody,
    /// What the compiler holds differs between the paths of a branch.
    Differs,
}

/// The names of one kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    slots: BTreeMap<String, Slot>,
    log: Vec<(String, Option<Slot>)>,
    marks: Vec<usize>,
}

/// What one path changed: each name with its last slot.
pub(super) type Changes = BTreeMap<String, Slot>;

impl Scope {
    /// What `name` stands for.
    pub(super) fn get(&self, name: &str) -> Option<&Slot> {
        self.slots.get(name)
    }

    /// The value of `name`, if it has one.
    pub(super) fn binding(&self, name: &str) -> Option<&Binding> {
        match self.slots.get(name) {
            Some(Slot::Bound(binding)) => Some(binding),
            Some(Slot::Gone(_)) | None => None,
        }
    }

    /// Lets `name` stand for `slot`.
    pub(super) fn set(&mut self, name: &str, slot: Slot) {
        let before = self.slots.insert(name.to_owned(), slot);
        if !self.marks.is_empty() {
            self.log.push((name.to_owned(), before));
        }
    }

    /// Begins a path.
    pub(super) fn enter(&mut self) {
        self.marks.push(self.log.len());
    }

    /// Ends the path begun last: undoes its changes and returns them.
    pub(super) fn leave(&mut self) -> Changes {
        let mark = self.marks.pop().expect("a path that ends has begun");
        let mut changes = Changes::new();
        for (name, before) in self.log.drain(mark..).rev() {
            let now = match before {
                Some(slot) => self.slots.insert(name.clone(), slot),
                None => self.slots.remove(&name),
            };
            if let Some(now) = now {
                changes.entry(name).or_insert(now);
            }
        }
        changes
    }

    /// Every name that has a value.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.bindings().map(|(name, _)| name)
    }

    /// Every name that has a value, with it.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.slots.iter().filter_map(|(name, slot)| match slot {
            Slot::Bound(binding) => Some((name.as_str(), binding)),
            Slot::Gone(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(value: i128) -> Slot {
        Slot::Bound(Binding { val: Val::int(value), span: Span::NONE, constexpr: false })
    }

    fn int(scope: &Scope, name: &str) -> Option<i128> {
        scope.binding(name).and_then(|it| it.val.constant()).and_then(|it| it.as_int())
    }

    #[test]
    fn leaving_a_path_undoes_it_and_returns_its_last_changes() {
        let mut scope = Scope::default();
        scope.set("a", bound(1));
        scope.enter();
        scope.set("a", bound(2));
        scope.set("a", bound(3));
        scope.set("b", bound(4));
        let changes = scope.leave();
        assert_eq!(int(&scope, "a"), Some(1));
        assert!(scope.get("b").is_none());
        let names: Vec<&str> = changes.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "b"]);
        let Some(Slot::Bound(last)) = changes.get("a") else { panic!("`a` was changed") };
        assert!(last.val.is_same(&Val::int(3)));
    }

    #[test]
    fn what_an_inner_path_leaves_belongs_to_the_outer() {
        let mut scope = Scope::default();
        scope.set("a", bound(1));
        scope.enter();
        scope.enter();
        scope.set("a", bound(2));
        let inner = scope.leave();
        for (name, slot) in inner {
            scope.set(&name, slot);
        }
        assert_eq!(int(&scope, "a"), Some(2));
        assert_eq!(scope.leave().len(), 1);
        assert_eq!(int(&scope, "a"), Some(1));
    }
}
