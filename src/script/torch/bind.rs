//! Values of host functions as shapes, indices and placements, and back.

use crate::diag::hosting;
use crate::host::{Array, Index, Placement, RankUnit, Ranks, Slice};
use crate::script::args::Given;
use crate::script::evaluator::{Evaluator, float_text, undecided};
use crate::script::fault::{Fault, Result};
use crate::script::object::{SliceBounds, Subscript};
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;

/// A shape as a tuple of ints.
pub(super) fn shape_value(shape: &Shape) -> Value {
    Value::tuple(shape.0.iter().map(|extent| Value::Int(i128::from(*extent))).collect())
}

/// The shape that an argument gives: an int, or a tuple or list of them.
pub(super) fn shape(given: &Given) -> Result<Shape> {
    let items = given.value.as_sequence().unwrap_or_else(|| vec![given.value.clone()]);
    let extent = |value: &Value| {
        if let Value::Unknown(made) = value {
            return Err(undecided("this shape", *made, given.span));
        }
        let Some(extent) = value.as_int() else {
            let part = Given { value: value.clone(), span: given.span };
            return Err(part.wrong("an extent of a shape", "an int"));
        };
        u64::try_from(extent).map_err(|_| {
            let message = format!("{extent} is not an extent of a shape");
            Fault::new(hosting::HOST_VALUE, message, given.span, "not an extent")
        })
    };
    items.iter().map(extent).collect::<Result<Vec<u64>>>().map(Shape)
}

/// The shape that `args` give: all of them ints, or one tuple.
pub(super) fn shape_of_many(args: &[Given], span: Span) -> Result<Shape> {
    if let [one] = args {
        return shape(one);
    }
    let items = args.iter().map(|given| given.value.clone()).collect();
    shape(&Given { value: Value::tuple(items), span })
}

/// The axis that an argument names; negative ones count from the end.
pub(super) fn axis(given: &Given, rank: usize) -> Result<usize> {
    let wanted = given.int("a dimension")?;
    let place = if wanted < 0 { wanted + rank as i128 } else { wanted };
    usize::try_from(place).ok().filter(|place| *place < rank).ok_or_else(|| {
        let message = format!("dimension {wanted} of a tensor of {rank} dimensions");
        Fault::new(hosting::HOST_INDEX, message, given.span, "no such dimension")
    })
}

/// The axes that an argument names: an int, or a tuple or list of them.
pub(super) fn axes(given: &Given, rank: usize) -> Result<Vec<usize>> {
    let items = given.value.as_sequence().unwrap_or_else(|| vec![given.value.clone()]);
    let one = |value| axis(&Given { value, span: given.span }, rank);
    items.into_iter().map(one).collect()
}

/// Where a tensor of `shape` is to lie: in even slices of rows where nothing is said, copied to
/// every PE for `"replicate"`, all on one for a rank, or in slices of these many rows. What is a rank's lies
/// on its first PE.
pub(super) fn placement(given: Option<&Given>, shape: &Shape, ranks: &Ranks) -> Result<Placement> {
    let rows = shape.0.first().copied().unwrap_or(1);
    let even = || on_first_pes(Placement::even(rows, ranks.count()), ranks);
    let Some(given) = given else { return Ok(even()) };
    match given.value.as_str() {
        Some("shard") => return Ok(even()),
        Some("replicate") => return Ok(Placement::Replicated),
        Some(name) => {
            let message = format!("there is no placement `{name}`");
            return Err(Fault::new(hosting::HOST_VALUE, message, given.span, "not a placement")
                .note("placements are \"shard\", \"replicate\", a rank, or rows of each rank"));
        }
        None => {}
    }
    if let Some(rank) = given.value.as_int() {
        let known = u32::try_from(rank).unwrap_or(u32::MAX);
        refuse_rank(given, (rank, known), ranks)?;
        return Ok(Placement::Single(ranks.first_pe(known)));
    }
    let Some(counts) = given.value.as_sequence() else {
        return Err(given.wrong("a placement", "\"shard\", \"replicate\", a rank or a list"));
    };
    let mut slices = Vec::new();
    for (rank, count) in counts.iter().enumerate() {
        let count = Given { value: count.clone(), span: given.span };
        let rows = u64::try_from(count.int("rows of a rank")?).unwrap_or(u64::MAX);
        if rows > 0 {
            refuse_rank(given, (rank as i128, rank as u32), ranks)?;
            slices.push(Slice { rank: rank as u32, rows });
        }
    }
    Ok(on_first_pes(Placement::Sharded(slices), ranks))
}

/// Slices of ranks as slices of PEs.
fn on_first_pes(placement: Placement, ranks: &Ranks) -> Placement {
    let Placement::Sharded(slices) = placement else { return placement };
    let of = |it: Slice| Slice { rank: ranks.first_pe(it.rank), ..it };
    Placement::Sharded(slices.into_iter().map(of).collect())
}

/// Refuses a cube or a SIP that is not there; what is said of a PE is said where the tensor is made.
fn refuse_rank(given: &Given, (rank, known): (i128, u32), ranks: &Ranks) -> Result<()> {
    if ranks.unit() == RankUnit::Pe || known < ranks.count() {
        return Ok(());
    }
    let world = ranks.unit().counted(ranks.count());
    let message = format!("a tensor is placed on rank {rank}, in a world of {world}");
    Err(Fault::new(hosting::HOST_VALUE, message, given.span, "no such rank"))
}

/// What a subscript takes of a tensor of `shape`.
pub(super) fn indices(
    evaluator: &mut Evaluator<'_>,
    index: &Subscript,
    shape: &Shape,
) -> Result<Vec<Index>> {
    let parts = match index {
        Subscript::Many(parts, _) => parts.clone(),
        Subscript::At(Value::Tuple(items), span) => {
            items.values().iter().map(|item| Subscript::At(item.clone(), *span)).collect()
        }
        Subscript::At(..) | Subscript::Slice(..) => vec![index.clone()],
    };
    let mut extents = shape.0.iter().copied();
    let mut found = Vec::with_capacity(parts.len());
    for part in &parts {
        let is_new = matches!(part, Subscript::At(Value::None, _));
        let extent = if is_new { 0 } else { extents.next().unwrap_or(0) };
        found.push(one_index(evaluator, part, extent)?);
    }
    Ok(found)
}

fn one_index(evaluator: &mut Evaluator<'_>, part: &Subscript, extent: u64) -> Result<Index> {
    match part {
        Subscript::At(Value::None, _) => Ok(Index::New),
        Subscript::At(Value::Unknown(made), span) => Err(undecided("this index", *made, *span)),
        Subscript::At(value, span) => {
            let number = evaluator.number(value, *span)?;
            let place = number.as_ref().and_then(Value::as_int);
            place.map(Index::At).ok_or_else(|| {
                let found = value.a_type();
                let message = format!("an index of a tensor is {found}, and an int is needed");
                let label = format!("this is {found}");
                Fault::new(hosting::HOST_TYPE, message, *span, label)
                    .note("tensors are indexed by ints, slices and None, or by one list or tensor that stands alone")
            })
        }
        Subscript::Slice(bounds, _) if *bounds == SliceBounds::default() => Ok(Index::All),
        Subscript::Slice(bounds, span) => {
            let extent = usize::try_from(extent).unwrap_or(usize::MAX);
            let (start, count, step) = bounds.resolve(extent, *span)?;
            let start = usize::try_from(start).unwrap_or(0);
            let count = usize::try_from(count).unwrap_or(0);
            // A step beyond the axis takes one place, whichever it is.
            let step = isize::try_from(step).unwrap_or(1);
            Ok(Index::Range { start, count, step })
        }
        Subscript::Many(_, span) => {
            let message = "a tuple within the indices of a tensor";
            Err(Fault::new(hosting::HOST_TYPE, message, *span, "not an index"))
        }
    }
}

/// Element `place` of an array as a Python number.
pub(super) fn element(array: &Array, place: usize) -> Value {
    let is_truth = array.dtype().kind() == crate::dtype::Kind::Bool;
    if let Some(whole) = array.to_ints().and_then(|values| values.get(place).copied()) {
        return if is_truth { Value::Bool(whole != 0) } else { Value::Int(whole) };
    }
    Value::Float(array.to_f64s().get(place).copied().unwrap_or(f64::NAN))
}

/// An array as nested lists.
pub(super) fn nested_list(array: &Array) -> Value {
    let is_truth = array.dtype().kind() == crate::dtype::Kind::Bool;
    let leaves: Vec<Value> = match array.to_ints() {
        Some(values) if is_truth => values.into_iter().map(|it| Value::Bool(it != 0)).collect(),
        Some(values) => values.into_iter().map(Value::Int).collect(),
        None => array.to_f64s().into_iter().map(Value::Float).collect(),
    };
    let mut level = leaves;
    for extent in array.shape().0.iter().skip(1).rev() {
        let size = usize::try_from(*extent).unwrap_or(1).max(1);
        level = level.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect();
    }
    let mut leaf = level.into_iter();
    if array.shape().rank() == 0 {
        leaf.next().unwrap_or(Value::None)
    } else {
        Value::list(leaf.collect())
    }
}

/// The most elements that are shown in full; beyond that, the first and the last three of each
/// axis.
const SHOWN: u64 = 1000;

/// An array as `print` shows it.
pub(super) fn shown(array: &Array) -> String {
    let numbers: Vec<String> = match array.to_ints() {
        Some(values) if array.dtype().kind() == crate::dtype::Kind::Bool => {
            values.iter().map(|it| if *it != 0 { "True".into() } else { "False".into() }).collect()
        }
        Some(values) => values.iter().map(i128::to_string).collect(),
        None => array.to_f64s().iter().map(|value| number(*value, array)).collect(),
    };
    let shape = array.shape();
    let mut out = String::new();
    write_axis(&numbers, &shape.0, shape.elements() > SHOWN, &mut out);
    out
}

/// A float with the digits that its type has.
fn number(value: f64, array: &Array) -> String {
    let is_narrow = array.dtype() != crate::dtype::DType::F64 && value.is_finite();
    let short: f64 =
        if is_narrow { format!("{}", value as f32).parse().unwrap_or(value) } else { value };
    float_text(short)
}

fn write_axis(numbers: &[String], extents: &[u64], is_cut: bool, out: &mut String) {
    let Some((extent, inner)) = extents.split_first() else {
        out.push_str(numbers.first().map_or("", String::as_str));
        return;
    };
    let extent = *extent as usize;
    let size = numbers.len().checked_div(extent).unwrap_or(0);
    let cut = is_cut && extent > 6;
    out.push('[');
    for index in 0..extent {
        if cut && (3..extent - 3).contains(&index) {
            if index == 3 {
                out.push_str(", ...");
            }
            continue;
        }
        if index > 0 {
            out.push_str(", ");
        }
        let part = numbers.get(index * size..(index + 1) * size).unwrap_or(&[]);
        write_axis(part, inner, is_cut, out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    #[test]
    fn arrays_print_as_nested_lists() {
        let array = |dtype, shape: &[u64], values: Vec<f64>| {
            Array::from_f64s(dtype, &Shape::new(shape), values).unwrap()
        };
        let grid = array(DType::F16, &[2, 2], vec![0.1, 1.0, -2.5, 3.0]);
        assert_eq!(shown(&grid), "[[0.099975586, 1.0], [-2.5, 3.0]]");
        assert_eq!(shown(&array(DType::I32, &[], vec![7.0])), "7");
        assert_eq!(shown(&array(DType::I1, &[2], vec![0.0, 1.0])), "[False, True]");
        let long = array(DType::I64, &[2000], (0..2000).map(f64::from).collect());
        assert_eq!(shown(&long), "[0, 1, 2, ..., 1997, 1998, 1999]");
        assert_eq!(shown(&array(DType::F32, &[0, 3], vec![])), "[]");
    }
}
