//! Lists of tensors, one for each rank, as PyTorch's `all_gather`, `reduce_scatter` and `all_to_all`
//! take them: for the launch they are one tensor, whose rows they are. No time is counted for that.

use super::collective::on_machine;
use super::lanes::Bundle;
use crate::diag::hosting;
use crate::script::args::{Given, count};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::torch::create::new_tensor;
use crate::script::torch::machine;
use crate::script::torch::tensor::DeviceTensor;
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;

/// What a rank gives to a collective or takes from it.
pub(super) struct Side {
    /// One tensor; of a list whose tensors a policy has cut, all of them.
    pub(super) tensors: Bundle,
    /// The tensors of a list, whose contents are its rows; none where it is the tensor given.
    pub(super) parts: Vec<DeviceTensor>,
    /// The text of it.
    pub(super) span: Span,
}

/// Tensors that are given the rows of another once that is done.
pub(super) type Rows = (DeviceTensor, Vec<DeviceTensor>);

impl Side {
    /// Reads an argument: a tensor, or a list of one for each of `ranks` ranks.
    pub(super) fn of(
        evaluator: &mut Evaluator<'_>,
        given: &Given,
        (what, ranks, is_read): (&str, usize, bool),
    ) -> Result<Side> {
        let is_list = matches!(given.value, Value::List(_) | Value::Tuple(_));
        let items = given.value.as_sequence().filter(|_| is_list);
        let Some(items) = items else {
            let tensors = vec![on_machine(given, what)?];
            return Ok(Side { tensors, parts: Vec::new(), span: given.span });
        };
        let span = given.span;
        if evaluator.seat.is_none() {
            let message =
                "a list has the tensors of one rank, and this program speaks for all of them";
            return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, span, "a list")
                .help(String::from("pass one tensor with a row for each rank, or call it in a worker of `torch.multiprocessing.spawn`")));
        }
        let one = |value: &Value| on_machine(&Given { value: value.clone(), span }, what);
        let parts: Vec<DeviceTensor> = items.iter().map(one).collect::<Result<_>>()?;
        let Some(first) = parts.first().filter(|_| parts.len() == ranks) else {
            let (wanted, found) = (count(ranks, "tensor"), count(parts.len(), "tensor"));
            let message =
                format!("{what} is a list of {found}, and {wanted} are needed, one a rank");
            return Err(Fault::new(hosting::HOST_SHAPE, message, span, found));
        };
        refuse_unlike(evaluator, (first, &parts), what, span)?;
        if is_cut(evaluator, first, span)? {
            return Ok(Side { tensors: parts, parts: Vec::new(), span });
        }
        let whole = joined(evaluator, (first, &parts), span)?;
        if is_read {
            for (row, part) in (0..).zip(&parts) {
                copy(evaluator, part, &whole.row(row), span)?;
            }
        }
        Ok(Side { tensors: vec![whole], parts, span })
    }

    /// The tensors to be given what the collective has left, if there are any.
    pub(super) fn rows(self) -> Option<Rows> {
        let whole = self.tensors.into_iter().next()?;
        (!self.parts.is_empty()).then_some((whole, self.parts))
    }
}

/// Whether a policy has cut a tensor over PEs.
pub(in crate::script::torch) fn is_cut(
    evaluator: &mut Evaluator<'_>,
    tensor: &DeviceTensor,
    span: Span,
) -> Result<bool> {
    Ok(machine(evaluator, span)?.tensor(tensor.id()).layout().is_some())
}

/// The tensors of a list have one shape and type, and lie alike.
fn refuse_unlike(
    evaluator: &mut Evaluator<'_>,
    (first, parts): (&DeviceTensor, &[DeviceTensor]),
    what: &str,
    span: Span,
) -> Result<()> {
    let dtype = first.value().dtype(evaluator, span)?;
    let like = machine(evaluator, span)?.tensor(first.id()).shares();
    let is_cut_first = is_cut(evaluator, first, span)?;
    for (place, part) in parts.iter().enumerate() {
        let own = part.value().dtype(evaluator, span)?;
        let machine = machine(evaluator, span)?;
        let lies_alike = !is_cut_first || machine.tensor(part.id()).shares() == like;
        if own == dtype && part.shape() == first.shape() && lies_alike {
            continue;
        }
        let message = format!("the tensors of {what} are not alike");
        let label = match lies_alike {
            true => format!("number {place} has shape {} and type {own}", part.shape()),
            false => format!("number {place} is cut otherwise, or lies on other PEs"),
        };
        return Err(Fault::new(hosting::HOST_SHAPE, message, span, label)
            .note(format!("number 0 has shape {} and type {dtype}", first.shape())));
    }
    Ok(())
}

/// A tensor with a row for each of `parts`, which are all alike.
fn joined(
    evaluator: &mut Evaluator<'_>,
    (first, parts): (&DeviceTensor, &[DeviceTensor]),
    span: Span,
) -> Result<DeviceTensor> {
    let dtype = first.value().dtype(evaluator, span)?;
    let mut axes = vec![parts.len() as u64];
    axes.extend(&first.shape().0);
    let made = new_tensor(evaluator, (String::from("list"), Shape(axes), dtype), span)?;
    made.on_machine().ok_or_else(|| {
        Fault::new(hosting::HOST_VALUE, "a list of tensors has no place", span, "this list")
    })
}

/// Gives the rows of a tensor to the tensors that it stands for.
pub(super) fn give_back(
    evaluator: &mut Evaluator<'_>,
    (whole, parts): &Rows,
    span: Span,
) -> Result<()> {
    (0..).zip(parts).try_for_each(|(row, part)| copy(evaluator, &whole.row(row), part, span))
}

fn copy(
    evaluator: &mut Evaluator<'_>,
    from: &DeviceTensor,
    to: &DeviceTensor,
    span: Span,
) -> Result<()> {
    let Some(array) = from.value().read(evaluator, span)? else { return Ok(()) };
    to.value().assign(evaluator, &[], &array, span)
}
