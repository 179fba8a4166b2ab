//! `tl.constexpr` parameters of which nobody has said the value yet.
//!
//! A kernel of Triton is compiled for one value of each, and `kbc check` has none. Such a parameter
//! is a symbol: an `i64` of the launch that behaves like a Python number, gives way to the tiles
//! beside it, and may be an extent. Where the value itself is wanted (by the condition of an `if`,
//! a comparison with a string, an element type) one is assumed, and the kernel is analysed again
//! with it.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::analysis::{Analysis, Style};
use super::value::{Constant, Spanned, Val};
use crate::ir::{Type, Value};

/// The size that is assumed where a comparison decides what is compiled.
pub(super) const ASSUMED_SIZE: i128 = 64;

/// The turns that are assumed of a loop that is written out.
pub(super) const ASSUMED_TURNS: i128 = 4;

/// The values of one function that are made of symbols alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Symbols {
    /// The parameters of the kernel that a value is made of, by place.
    places: FxHashMap<Value, Vec<usize>>,
}

/// Values assumed of a kernel's parameters, by place.
pub(super) type Assumed = BTreeMap<usize, Constant>;

impl Symbols {
    /// The parameters that `value` is made of; none if it is no symbol.
    pub(super) fn of(&self, value: Value) -> &[usize] {
        self.places.get(&value).map_or(&[], Vec::as_slice)
    }

    /// `value` is made of the parameters at `places`, if there are any.
    pub(super) fn set(&mut self, value: Value, places: &[usize]) {
        if !places.is_empty() {
            self.places.insert(value, places.to_vec());
        }
    }
}

impl Analysis<'_> {
    /// The parameters that `val` is made of; none if it is no symbol.
    pub(super) fn symbols_of(&self, val: &Val) -> &[usize] {
        val.value().map_or(&[], |value| self.frame.symbols.of(value))
    }

    /// Whether `val` is a symbol.
    pub(super) fn is_symbol(&self, val: &Val) -> bool {
        !self.symbols_of(val).is_empty()
    }

    /// Whether `val` is a scalar of a `jit` kernel that only the launch knows, and no symbol.
    pub(super) fn is_run_time_in_jit(&self, val: &Spanned) -> bool {
        self.frame.style == Style::Jit
            && self.scalar(&val.val).is_some()
            && !self.is_symbol(&val.val)
    }

    /// The parameters that all of `operands` are made of; none unless each is a symbol or held by
    /// the compiler.
    pub(super) fn symbols_of_all(&self, operands: &[&Spanned]) -> Vec<usize> {
        let mut places: Vec<usize> = Vec::new();
        for operand in operands {
            let own = self.symbols_of(&operand.val);
            if own.is_empty() && operand.val.constant().is_none() {
                return Vec::new();
            }
            places.extend(own);
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Whether numbers follow Python here: in `tl` kernels, and between symbols.
    pub(super) fn is_python(&self, symbols: &[usize]) -> bool {
        self.frame.style == Style::Tl || !symbols.is_empty()
    }

    /// Assumes a value of the symbol `val`, if it is one: `direct` where it is a parameter itself,
    /// a size where it is computed. True if the kernel is analysed again, so that nothing needs
    /// to be said.
    pub(super) fn assume(&mut self, val: &Val, direct: &Constant) -> bool {
        let places = self.symbols_of(val).to_vec();
        let is_param = val.value().is_some_and(|value| {
            let func = &self.frame.build.func;
            func.params.iter().any(|param| param.value == value)
        });
        for place in &places {
            let known = if is_param { direct.clone() } else { Constant::Int(ASSUMED_SIZE) };
            self.assumed.entry(*place).or_insert(known);
        }
        !places.is_empty()
    }

    /// [`Analysis::assume`] for what decides which code is compiled.
    pub(super) fn assume_truth(&mut self, val: &Val) -> bool {
        self.assume(val, &Constant::Bool(true))
    }

    /// A symbol as the run-time scalar that a variable bound to it is; other values as they are.
    pub(super) fn run_time_symbol(&mut self, val: &Val, span: crate::source::Span) -> Val {
        let Some(value) = val.value().filter(|_| self.is_symbol(val)) else { return val.clone() };
        let Type::Scalar(dtype) = *self.ty(value) else { return val.clone() };
        let dtype = match dtype.bits() {
            1 => dtype,
            _ if dtype.is_float() => crate::dtype::DType::F32,
            _ => self.int_dtype(),
        };
        Val::Value(self.cast(value, dtype, span))
    }
}
