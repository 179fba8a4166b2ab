//! Which parameters of a `@triton.jit` kernel are pointers.
//!
//! Nothing in the signature says so. All parameters begin as integers; where an address is used,
//! the parameters that were added up to make it are its candidates, and a parameter that is
//! multiplied, compared or counts something is an integer. What remains is the pointer.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::dtype::DType;
use crate::ir::Value;
use crate::source::Span;

/// What is known of the integers of one function.
#[derive(Clone, Debug, Default)]
pub(super) struct Pointers {
    /// The parameters that an integer is the sum of.
    roots: FxHashMap<Value, Vec<usize>>,
    /// The addresses used.
    pub(super) used: Vec<Used>,
    /// Parameters that are integers for certain.
    pub(super) integers: BTreeSet<usize>,
}

/// An address used.
#[derive(Clone, Debug)]
pub(super) struct Used {
    /// The parameters that it is the sum of.
    pub(super) candidates: Vec<usize>,
    /// What is there, if the use says it.
    pub(super) dtype: Option<DType>,
    /// The text that says what is there, or that it is an address.
    pub(super) span: Span,
}

/// A parameter found to be a pointer, what it points at if a use says so, and that use; or the
/// candidates of an address of which several may be.
pub(super) type Found = Result<(usize, Option<DType>, Span), Used>;

impl Pointers {
    /// `value` is the parameter at `place`.
    pub(super) fn begin(&mut self, value: Value, place: usize) {
        self.roots.insert(value, vec![place]);
    }

    /// The parameters that `value` is the sum of.
    pub(super) fn roots(&self, value: Value) -> &[usize] {
        self.roots.get(&value).map_or(&[], Vec::as_slice)
    }

    /// `result` is `from`, or `from` plus what is no parameter.
    pub(super) fn derive(&mut self, result: Value, from: &[Value]) {
        let roots = self.roots_of_all(from);
        if !roots.is_empty() {
            self.roots.insert(result, roots);
        }
    }

    /// The parameters that any of `values` is the sum of, each once, leftmost first.
    pub(super) fn roots_of_all(&self, values: &[Value]) -> Vec<usize> {
        let mut roots = Vec::new();
        for root in values.iter().flat_map(|it| self.roots(*it)) {
            if !roots.contains(root) {
                roots.push(*root);
            }
        }
        roots
    }

    /// `value` is an integer: so is the parameter that it is.
    pub(super) fn integer(&mut self, value: Value) {
        if let [only] = self.roots(value) {
            let only = *only;
            self.integers.insert(only);
        }
    }

    /// `value` is used as the address of elements, of type `dtype` if that is said. False if it
    /// comes from no parameter.
    pub(super) fn address(&mut self, value: Value, dtype: Option<DType>, span: Span) -> bool {
        let candidates = self.roots(value).to_vec();
        let known = !candidates.is_empty();
        if known {
            self.used.push(Used { candidates, dtype, span });
        }
        known
    }

    /// What the addresses used say, in the order in which they were used. Of several parameters
    /// that an address is the sum of, and that nothing shows to be integers, the pointer is the
    /// one that `is_named_so`, or the leftmost.
    pub(super) fn found(&self, is_named_so: &dyn Fn(usize) -> bool) -> Vec<Found> {
        let find = |used: &Used| {
            let alone = used.candidates.len() == 1;
            let is_open = |it: &&usize| alone || !self.integers.contains(it);
            let open: Vec<usize> = used.candidates.iter().filter(is_open).copied().collect();
            let named = open.iter().find(|it| is_named_so(**it));
            match named.or(open.first()) {
                Some(place) => Ok((*place, used.dtype, used.span)),
                None => Err(used.clone()),
            }
        };
        self.used.iter().map(find).collect()
    }
}
