//! How a wrong result is reported: at the line that wrote it.

use super::{Collective, CollectiveReport, Comparison, Difference, Disagreement};
use crate::command::Program;
use crate::diag::{Diagnostic, runtime};
use crate::dtype::DType;
use crate::replay::fault::index_of;
use crate::replay::{Memory, Origin};
use crate::shape::Shape;
use crate::topology::PeId;

/// The array that was compared.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its name.
    pub name: &'a str,
    /// The PE whose view of it was compared.
    pub pe: PeId,
    /// The virtual address of its first element.
    pub address: u64,
    /// Its shape.
    pub shape: &'a Shape,
    /// The type of its elements.
    pub dtype: DType,
}

/// The diagnostic of a comparison that found differences: the first of them, with the command
/// that wrote it, then the next ones.
pub fn wrong_result(
    program: &Program,
    memory: &Memory,
    subject: Subject<'_>,
    comparison: &Comparison,
) -> Diagnostic {
    let Comparison { bad, elements, first, .. } = comparison;
    let message =
        format!("{bad} of {elements} elements of `{}` are not what they should be", subject.name);
    let Some(worst) = first.first() else {
        return Diagnostic::global(runtime::WRONG_RESULT, message);
    };
    let at = index_of(worst.place, subject.shape);
    let label = format!("wrote `{}{at}`: {}", subject.name, said(worst));
    let address = subject.address + worst.place * subject.dtype.bytes();
    let mut it = at_writer(program, memory.origin(subject.pe, address), message, &label);
    for difference in &first[1..] {
        let at = index_of(difference.place, subject.shape);
        it = it.note(format!("`{}{at}`: {}", subject.name, said(difference)));
    }
    it
}

/// The diagnostic of a collective that is not its definition. `locate` gives the PE and the
/// virtual address of an element of a rank's result.
pub fn wrong_collective(
    program: &Program,
    memory: &Memory,
    (collective, report): (Collective, &CollectiveReport),
    locate: &dyn Fn(u32, u64) -> (PeId, u64),
) -> Diagnostic {
    let CollectiveReport { bad, elements, first, .. } = report;
    let message = format!("{bad} of {elements} elements are not what {collective} leaves");
    let Some(worst) = first.first() else {
        return Diagnostic::global(runtime::WRONG_RESULT, message);
    };
    let (pe, address) = locate(worst.rank, worst.place);
    let label = format!("wrote {}", disagreement(worst));
    let mut it = at_writer(program, memory.origin(pe, address), message, &label);
    for next in &first[1..] {
        it = it.note(disagreement(next));
    }
    it
}

/// `element 5 of rank 2: got 3.5, expected 3 within 0.001`.
fn disagreement(it: &Disagreement) -> String {
    let Disagreement { rank, place, got, expected, bound } = it;
    let within = if *bound > 0.0 { format!(" within {bound:.3e}") } else { String::new() };
    format!("element {place} of rank {rank}: got {got}, expected {expected}{within}")
}

/// A diagnostic at the line of whoever wrote a wrong element.
fn at_writer(
    program: &Program,
    origin: Option<Origin>,
    message: String,
    label: &str,
) -> Diagnostic {
    let code = runtime::WRONG_RESULT;
    match origin {
        Some(Origin::Command(writer)) => {
            let pe = program.agents[writer.agent].pe;
            let span = program.span(writer.agent, writer.site);
            Diagnostic::new(code, message, span, format!("{pe} {label}"))
        }
        Some(Origin::Host) => Diagnostic::global(code, message)
            .note(format!("the host {label}, and no command wrote there after it")),
        None => Diagnostic::global(code, message).note(format!("nothing {label}")),
    }
}

/// `got 3.5, expected 3 (2097152 ulp apart)`.
fn said(difference: &Difference) -> String {
    let Difference { got, expected, ulps, .. } = difference;
    match ulps {
        Some(ulps) => format!("got {got}, expected {expected} ({ulps} ulp apart)"),
        None => format!("got {got}, expected {expected}"),
    }
}
