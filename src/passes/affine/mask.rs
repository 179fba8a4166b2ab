//! Masks as conjunctions of comparisons.

use super::form::Affine;
use super::symbol::Symbols;
use crate::ir::Value;
use crate::ops::CompareOp;
use crate::passes::intervals::Interval;

/// The lanes where each form is below 0 and each truth value is as told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mask {
    /// Nowhere at all.
    pub(super) never: bool,
    pub(super) below: Vec<Affine>,
    /// `i1` scalars and what they must be.
    pub(super) flags: Vec<(Value, bool)>,
}

/// Numbers that a difference of two forms must lie between, so that nothing overflows that is
/// computed from it.
const SMALL: Interval = Interval { lo: -(1 << 62), hi: 1 << 62 };

impl Mask {
    /// Where a scalar is `expected`.
    pub(super) fn flag(value: Value, expected: bool) -> Mask {
        Mask { flags: vec![(value, expected)], ..Mask::default() }
    }

    /// Nowhere.
    pub(super) fn never() -> Mask {
        Mask { never: true, ..Mask::default() }
    }

    /// Where a comparison of two forms of one shape holds.
    pub(super) fn compare(
        op: CompareOp,
        (x, y): (&Affine, &Affine),
        symbols: &Symbols,
    ) -> Option<Mask> {
        let (less, more) = (x.sub(y)?, y.sub(x)?);
        let or_equal = |form: &Affine| form.add_constant(-1);
        let forms = match op {
            CompareOp::Lt => vec![less],
            CompareOp::Le => vec![or_equal(&less)?],
            CompareOp::Gt => vec![more],
            CompareOp::Ge => vec![or_equal(&more)?],
            CompareOp::Eq => vec![or_equal(&less)?, or_equal(&more)?],
            CompareOp::Ne => return Mask::differs(&less, symbols),
        };
        let small = |form: &Affine| form.interval(symbols).is_in(SMALL);
        forms.iter().all(small).then(|| Mask::of(forms, symbols))
    }

    /// Where a form is not 0, if that is everywhere or nowhere.
    fn differs(form: &Affine, symbols: &Symbols) -> Option<Mask> {
        let interval = form.interval(symbols);
        if interval == Interval::point(0) {
            return Some(Mask::never());
        }
        (interval.hi < 0 || interval.lo > 0).then(Mask::default)
    }

    /// Where each of these is below 0: those that always are left out.
    fn of(mut below: Vec<Affine>, symbols: &Symbols) -> Mask {
        below.retain(|form| form.interval(symbols).hi >= 0);
        if below.iter().any(|form| form.interval(symbols).lo >= 0) {
            return Mask::never();
        }
        Mask { below, ..Mask::default() }
    }

    pub(super) fn is_always(&self) -> bool {
        !self.never && self.below.is_empty() && self.flags.is_empty()
    }

    /// Where both hold.
    pub(super) fn and(mut self, other: Mask) -> Mask {
        self.never |= other.never;
        for form in other.below {
            if !self.below.contains(&form) {
                self.below.push(form);
            }
        }
        for flag in other.flags {
            if !self.flags.contains(&flag) {
                self.flags.push(flag);
            }
        }
        self
    }

    /// Where either holds, if that is a conjunction too.
    pub(super) fn or(self, other: Mask) -> Option<Mask> {
        if self.never || other.is_always() {
            return Some(other);
        }
        (other.never || self.is_always()).then_some(self)
    }

    /// Where it does not hold, if that is a conjunction too.
    pub(super) fn not(&self, symbols: &Symbols) -> Option<Mask> {
        if self.never {
            return Some(Mask::default());
        }
        match (self.below.as_slice(), self.flags.as_slice()) {
            ([], []) => Some(Mask::never()),
            ([], [(value, expected)]) => Some(Mask::flag(*value, !expected)),
            ([form], []) => {
                let other = form.scale(-1)?.add_constant(-1)?;
                Some(Mask::of(vec![other], symbols))
            }
            _ => None,
        }
    }

    /// The mask of a view.
    pub(super) fn viewed(&self, view: impl Fn(&Affine) -> Option<Affine>) -> Option<Mask> {
        let below = self.below.iter().map(view).collect::<Option<_>>()?;
        Some(Mask { never: self.never, below, flags: self.flags.clone() })
    }
}
