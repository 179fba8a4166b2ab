//! Variables at run time.

use std::cell::RefCell;
use std::rc::Rc;

use super::code::CodeId;
use crate::script::value::Value;

/// Where a name is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A variable `up` scopes further out.
    Slot {
        /// How many scopes out.
        up: u32,
        /// Which variable there.
        slot: u32,
    },
    /// A built-in function, by its place in the table.
    Builtin(usize),
}

/// The variables of one call, or of the file.
pub(super) struct Scope {
    /// Whose variables they are.
    pub(super) code: CodeId,
    slots: RefCell<Vec<Option<Value>>>,
    parent: Option<Rc<Scope>>,
}

impl Scope {
    /// A scope of `slots` variables, none of them bound.
    pub(super) fn new(code: CodeId, slots: usize, parent: Option<Rc<Scope>>) -> Scope {
        Scope { code, slots: RefCell::new(vec![None; slots]), parent }
    }

    /// The value of a variable, if it is bound.
    pub(super) fn get(&self, slot: u32) -> Option<Value> {
        self.slots.borrow().get(slot as usize).cloned().flatten()
    }

    /// Binds a variable.
    pub(super) fn set(&self, slot: u32, value: Value) {
        let before = match self.slots.borrow_mut().get_mut(slot as usize) {
            Some(place) => place.replace(value),
            None => None,
        };
        // Dropped only now: a value may hold this scope.
        drop(before);
    }

    /// Makes a variable one without a value.
    pub(super) fn unset(&self, slot: u32) {
        let before = self.slots.borrow_mut().get_mut(slot as usize).and_then(Option::take);
        drop(before);
    }

    /// This scope and those around it, innermost first.
    pub(super) fn outward(self: &Rc<Self>) -> impl Iterator<Item = &Rc<Scope>> {
        std::iter::successors(Some(self), |scope| scope.parent.as_ref())
    }

    /// The scope `up` scopes further out.
    pub(super) fn out(self: &Rc<Self>, up: u32) -> Option<&Rc<Scope>> {
        self.outward().nth(up as usize)
    }
}

/// A function with the variables around it.
pub(in crate::script) struct Closure {
    /// What it does.
    pub(super) code: CodeId,
    /// The values of its parameters' defaults, by parameter.
    pub(super) defaults: Vec<Option<Value>>,
    /// The variables around it.
    pub(super) scope: Rc<Scope>,
}

impl Closure {
    /// The values that die with it.
    pub(in crate::script) fn into_values(self) -> Vec<Value> {
        let own = Rc::into_inner(self.scope).map(|scope| scope.slots.into_inner());
        self.defaults.into_iter().chain(own.unwrap_or_default()).flatten().collect()
    }
}
