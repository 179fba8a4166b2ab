//! `torch.testing`: is a tensor what it should be?

use super::tensor::{Operand, TensorValue, operand};
use super::{check, fault, machine};
use crate::diag::{Diagnostic, hosting, runtime};
use crate::dtype::DType;
use crate::host::{Array, Placement};
use crate::replay::{ulps, value, verify};
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;
use verify::Tolerance;

pub(super) const TABLE: &[Native] =
    &[check("assert_close", assert_close), check("assert_equal", assert_equal)];

/// `assert_close(actual, expected, rtol=, atol=)`: what PyTorch allows for the type of `actual`
/// where nothing is said. The types may differ; the comparison is then made in `f64`.
fn assert_close(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["actual", "expected", "rtol?", "atol?"];
    let [actual, expected, rtol, atol] = args.bind(Signature { name: "assert_close", params })?;
    let (Some(actual), Some(expected)) = (actual, expected) else { return Ok(Value::None) };
    let tolerance = match (rtol, atol) {
        (None, None) => None,
        (rtol, atol) => {
            let relative = rtol.map_or(Ok(0.0), |given| given.float("`rtol`"))?;
            let absolute = atol.map_or(Ok(0.0), |given| given.float("`atol`"))?;
            Some(Tolerance::Close { relative, absolute })
        }
    };
    let rule = |dtype| tolerance.unwrap_or_else(|| Tolerance::torch(dtype));
    compare(evaluator, (&actual, &expected), rule, &args)
}

/// `assert_equal(actual, expected)`: the same numbers; NaNs are equal.
fn assert_equal(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "assert_equal", params: ["actual", "expected"] };
    let [actual, expected] = args.bind(signature)?;
    let (Some(actual), Some(expected)) = (actual, expected) else { return Ok(Value::None) };
    compare(evaluator, (&actual, &expected), |_| Tolerance::Ulps(0), &args)
}

pub(super) fn compare(
    evaluator: &mut Evaluator<'_>,
    (actual, expected): (&Given, &Given),
    tolerance: impl Fn(DType) -> Tolerance,
    args: &Args,
) -> Result<Value> {
    let Some(got) = contents(evaluator, actual, DType::F32)? else {
        evaluator.journal.skipped += 1;
        return Ok(Value::None);
    };
    let Some(wanted) = contents(evaluator, expected, got.dtype())? else {
        evaluator.journal.skipped += 1;
        return Ok(Value::None);
    };
    let wanted = same_shape((&got, &wanted), (actual, expected))?;
    let tolerance = tolerance(got.dtype());
    let common = if got.dtype() == wanted.dtype() { got.dtype() } else { DType::F64 };
    let (left, right) = (got.cast(common).to_bytes(), wanted.cast(common).to_bytes());
    let found = verify::compare(common, &left, &right, tolerance);
    evaluator.journal.checks += 1;
    if found.is_good() {
        return Ok(Value::None);
    }
    let (got_bytes, wanted_bytes) = (got.to_bytes(), wanted.cast(got.dtype()).to_bytes());
    let size = got.dtype().bytes() as usize;
    let at = |bytes: &[u8], place: u64| {
        let start = place as usize * size;
        bytes.get(start..start + size).map_or_else(Vec::new, <[u8]>::to_vec)
    };
    let wrong: Vec<Wrong> = found
        .first
        .iter()
        .map(|it| {
            let (x, y) = (at(&got_bytes, it.place), at(&wanted_bytes, it.place));
            let apart = ulps(got.dtype(), &x, &y).filter(|apart| *apart > 0);
            let said = format!("got {}, expected {}", value(got.dtype(), &x), it.expected);
            let said = apart.map_or(said.clone(), |ulps| format!("{said} ({ulps} ulp apart)"));
            Wrong { place: it.place, said }
        })
        .collect();
    let counts = (found.bad, found.elements);
    Err(wrong_result(evaluator, actual, &got.shape(), Complaint { counts, wrong, at: args.span }))
}

/// What an argument holds; `None` in a run without data.
pub(super) fn contents(
    evaluator: &mut Evaluator<'_>,
    given: &Given,
    dtype: DType,
) -> Result<Option<Array>> {
    match operand(evaluator, &given.value, dtype, given.span)? {
        Some(Operand::Array(array)) => Ok(Some(array)),
        Some(Operand::Unknown) => Ok(None),
        None => super::create::array_of_list(evaluator, given, DType::F32).map(Some),
    }
}

/// `wanted` in the shape of `got`: a single number stands for all elements.
fn same_shape(
    (got, wanted): (&Array, &Array),
    (actual, expected): (&Given, &Given),
) -> Result<Array> {
    let (left, right) = (got.shape(), wanted.shape());
    if left == right {
        return Ok(wanted.clone());
    }
    if right.rank() == 0 {
        return wanted.broadcast_to(&left).map_err(|error| fault(error, expected.span));
    }
    let message = format!("a tensor of shape {left} is compared with one of shape {right}");
    Err(Fault::new(hosting::HOST_SHAPE, message, expected.span, format!("this has shape {right}"))
        .because(actual.span, format!("this has shape {left}")))
}

/// An element that is not what it should be.
pub(super) struct Wrong {
    /// Its place in the tensor that was checked, counted row by row.
    pub(super) place: u64,
    /// What is there and what should be.
    pub(super) said: String,
}

/// A check that failed.
pub(super) struct Complaint {
    /// Wrong elements, and all of them.
    pub(super) counts: (u64, u64),
    /// The first wrong ones.
    pub(super) wrong: Vec<Wrong>,
    /// The text of the check.
    pub(super) at: Span,
}

/// The fault of a failed check on `actual`, whose elements have `shape`: at the command that wrote
/// the first wrong element, if the device knows it.
pub(super) fn wrong_result(
    evaluator: &mut Evaluator<'_>,
    actual: &Given,
    shape: &Shape,
    complaint: Complaint,
) -> Fault {
    let Complaint { counts: (bad, all), wrong, at } = complaint;
    let message = format!("{bad} of {all} elements are not what they should be");
    let code = runtime::WRONG_RESULT;
    let mut wrong = wrong.iter();
    let Some(first) = wrong.next() else {
        return Fault::new(code, message, at, "this check fails");
    };
    let label = format!("element {}: {}", index_text(first.place, shape), first.said);
    let writer = writer_of(evaluator, actual, first.place, at);
    let mut it = match writer {
        Some(writer) if !writer.span.is_none() => {
            Diagnostic::new(code, message, writer.span, format!("{} wrote {label}", writer.who))
                .because(at, "this check fails")
        }
        Some(writer) => Diagnostic::new(code, message, at, label)
            .note(format!("{} wrote it; no command did since", writer.who)),
        None => Diagnostic::new(code, message, at, label),
    };
    for next in wrong {
        it = it.note(format!("element {}: {}", index_text(next.place, shape), next.said));
    }
    Fault::from_diagnostic(it)
}

/// Who wrote an element of a tensor of the machine.
fn writer_of(
    evaluator: &mut Evaluator<'_>,
    actual: &Given,
    place: u64,
    span: Span,
) -> Option<crate::host::Writer> {
    let tensor = actual.value.downcast::<TensorValue>()?;
    let id = tensor.device_id()?;
    let machine = machine(evaluator, span).ok()?;
    let root = machine.tensor(id).clone();
    let elements = root.shape.elements().max(1);
    if root.placement == Placement::Replicated && !tensor.is_part() {
        return machine.writer(id, place % elements, (place / elements) as u32);
    }
    let place = match tensor.is_part() {
        true => tensor.places(&root.shape)?.get(place as usize).copied()?,
        false => place,
    };
    machine.writer(id, place, root.owner(place))
}

/// `[2, 5]`: the index of element `place` of a tensor of `shape`.
fn index_text(place: u64, shape: &Shape) -> String {
    let mut rest = place;
    let mut index: Vec<String> = Vec::new();
    for extent in shape.0.iter().rev() {
        index.push((rest % (*extent).max(1)).to_string());
        rest /= (*extent).max(1);
    }
    index.reverse();
    format!("[{}]", index.join(", "))
}
