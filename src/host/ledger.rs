//! Who holds what of a memory that is full, as a message says it.

use super::tensor::Tensor;
use crate::diag::Diagnostic;
use crate::source::Span;
use crate::units::grouped;

/// A tensor and what it holds of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its name.
    pub name: String,
    /// What it holds, in bytes.
    pub bytes: u64,
    /// Where the program makes it.
    pub made: Span,
}

impl Holder {
    /// A tensor that holds these bytes.
    pub fn of(tensor: &Tensor, bytes: u64) -> Holder {
        Holder { name: tensor.name.clone(), bytes, made: tensor.made }
    }
}

/// Holders that are named one by one.
const NAMED: usize = 4;

/// Says who holds a memory: the largest first, each with where it was made, the rest together.
pub fn with_ledger(diagnostic: Diagnostic, mut holders: Vec<Holder>) -> Diagnostic {
    holders.sort_by(|x, y| y.bytes.cmp(&x.bytes).then(x.name.cmp(&y.name)));
    let total: u64 = holders.iter().map(|it| it.bytes).sum();
    if holders.is_empty() {
        return diagnostic.note("no other tensor holds any of it");
    }
    let mut said: Vec<String> = Vec::new();
    let mut it = diagnostic;
    for holder in holders.iter().take(NAMED) {
        let Holder { name, bytes, made } = holder;
        let bytes = grouped(*bytes);
        if !made.is_none() && it.primary.as_ref().is_none_or(|label| label.span != *made) {
            it = it.because(*made, format!("`{name}` holds {bytes} B"));
        }
        said.push(format!("`{name}` {bytes} B"));
    }
    let rest = holders.get(NAMED..).unwrap_or_default();
    if !rest.is_empty() {
        let bytes: u64 = rest.iter().map(|it| it.bytes).sum();
        said.push(format!("{} more {} B", rest.len(), grouped(bytes)));
    }
    it.note(format!("in use are {} B: {}", grouped(total), said.join(", ")))
}
