//! `tensor.shards()`: which PE holds which part of a tensor, as a table to print or to walk.

use std::any::Any;
use std::fmt::Write as _;
use std::ops::Range;

use super::bind;
use crate::diag::hosting;
use crate::host::{Placement, ShardSpec, Tensor};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::{Object, Subscript};
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;
use crate::topology::{Extent, PeId};
use crate::units::grouped;

/// The shares of a tensor, in the order of the PEs.
pub(super) struct ShardTable {
    /// What the table is of.
    title: String,
    /// How many axes the tensor has.
    rank: usize,
    shards: Vec<ShardSpec>,
}

/// One share.
#[derive(Clone)]
pub(super) struct ShardValue(ShardSpec, usize);

/// The most rows of a table that are printed.
const SHOWN: usize = 40;

impl ShardTable {
    /// The shares of `tensor` on a machine of this extent, of which `world` ranks take part.
    pub(super) fn of(tensor: &Tensor, extent: &Extent, world: u32) -> ShardTable {
        let (name, dtype, shape) = (&tensor.name, tensor.dtype, &tensor.shape);
        let (shards, how) = match &tensor.placement {
            Placement::Policy(layout) => {
                let (policy, part) = (layout.policy(), layout.part());
                let is_whole = part.first_cube == 0;
                let sips = match part.sips {
                    1 if is_whole => format!("sip:{}", part.first_sip),
                    1 => format!("cube {} of sip:{}", part.first_cube, part.first_sip),
                    _several => String::from("all"),
                };
                (layout.shards(dtype.bytes()), format!("{policy} on {sips}"))
            }
            Placement::Replicated | Placement::Copied(_) => {
                (of_ranks(tensor, extent, world), String::from("replicated"))
            }
            Placement::Single(rank) => (of_ranks(tensor, extent, world), format!("on rank {rank}")),
            Placement::Sharded(_) => {
                (of_ranks(tensor, extent, world), String::from("rows over the ranks"))
            }
        };
        let title = format!(
            "{name}: {} {}, {} B, {how}",
            dtype.name(),
            tuple(shape),
            grouped(tensor.bytes())
        );
        ShardTable { title, rank: shape.rank(), shards }
    }

    fn value(&self, index: usize) -> Value {
        Value::object(ShardValue(self.shards[index].clone(), self.rank))
    }
}

/// The shares of a tensor that no policy places.
fn of_ranks(tensor: &Tensor, extent: &Extent, world: u32) -> Vec<ShardSpec> {
    let of = |rank: u32| {
        let [rows, columns] = tensor.local_part(rank);
        let mut shape = tensor.shape.clone();
        if let Some(extent) = shape.0.first_mut() {
            *extent = rows.end - rows.start;
        }
        let nbytes = tensor.row_bytes().saturating_mul(rows.end - rows.start);
        let offset_bytes = tensor.row_bytes().saturating_mul(rows.start);
        let pe = extent.coord(PeId(rank));
        (nbytes > 0).then_some(ShardSpec { pe, offset_bytes, nbytes, rows, columns, shape })
    };
    (0..world).filter_map(of).collect()
}

/// A shape as Python writes it.
fn tuple(shape: &Shape) -> String {
    let extents: Vec<String> = shape.0.iter().map(u64::to_string).collect();
    let comma = if extents.len() == 1 { "," } else { "" };
    format!("({}{comma})", extents.join(", "))
}

/// `[0:4, 8:16]`: the elements of a share.
fn elements(shard: &ShardSpec, rank: usize) -> String {
    let range = |it: &Range<u64>| format!("{}:{}", it.start, it.end);
    let (rows, columns) = (&shard.rows, &shard.columns);
    match rank {
        0 => String::from("[]"),
        // A policy takes a single axis as columns, the other placements as rows.
        1 if rows.end - rows.start > 1 || rows.start > 0 => format!("[{}]", range(rows)),
        1 if shard.shape.elements() == 0 => String::from("[0:0]"),
        1 if columns.end - columns.start == shard.shape.elements() => {
            format!("[{}]", range(columns))
        }
        1 => format!("[{}]", range(rows)),
        2 => format!("[{}, {}]", range(rows), range(columns)),
        _more => format!("[{}, …, {}]", range(rows), range(columns)),
    }
}

impl Object for ShardTable {
    fn type_name(&self) -> String {
        "shard table".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn len(&self, _: &mut Evaluator<'_>, _: Span) -> Result<Option<Value>> {
        Ok(Some(Value::Int(self.shards.len() as i128)))
    }

    fn items(&self, evaluator: &mut Evaluator<'_>, span: Span) -> Result<Option<Vec<Value>>> {
        evaluator.spend_elements(self.shards.len(), span)?;
        Ok(Some((0..self.shards.len()).map(|index| self.value(index)).collect()))
    }

    fn subscript(
        &self,
        _: &mut Evaluator<'_>,
        index: &Subscript,
        span: Span,
    ) -> Result<Option<Value>> {
        let Subscript::At(value, at) = index else { return Ok(None) };
        let Some(given) = value.as_int() else { return Ok(None) };
        let count = self.shards.len() as i128;
        let place = if given < 0 { given + count } else { given };
        let place = usize::try_from(place).ok().filter(|place| *place < self.shards.len());
        let place = place.ok_or_else(|| {
            let message = format!("shard {given} of {count}");
            Fault::new(hosting::HOST_INDEX, message, *at, "no such shard")
                .because(span, "asked here")
        })?;
        Ok(Some(self.value(place)))
    }

    fn show(&self, _: &mut Evaluator<'_>) -> Result<String> {
        let head = ["sip", "cube", "pe", "offset", "bytes", "shape", "elements"].map(String::from);
        let cells = |it: &ShardSpec| {
            [
                it.pe.sip.to_string(),
                it.pe.cube.to_string(),
                it.pe.pe.to_string(),
                grouped(it.offset_bytes),
                grouped(it.nbytes),
                tuple(&it.shape),
                elements(it, self.rank),
            ]
        };
        let mut rows = vec![head];
        rows.extend(self.shards.iter().take(SHOWN).map(cells));
        let mut widths = [0; 7];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut out = self.title.clone();
        for row in &rows {
            out.push('\n');
            let mut line = String::new();
            for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
                // Numbers stand to the right, the rest to the left.
                let written = match place < 5 {
                    true => write!(line, "{cell:>width$}  "),
                    false => write!(line, "{cell:<width$}  "),
                };
                debug_assert!(written.is_ok(), "text takes what is written to it");
            }
            out.push_str(line.trim_end());
        }
        if let Some(more) = self.shards.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            out.push_str(&format!("\n… and {more} more"));
        }
        Ok(out)
    }
}

impl Object for ShardValue {
    fn type_name(&self) -> String {
        "shard".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn names(&self) -> Vec<&'static str> {
        vec!["sip", "cube", "pe", "offset_bytes", "nbytes", "shape"]
    }

    fn attribute(&self, _: &mut Evaluator<'_>, name: &str, _: Span) -> Result<Option<Value>> {
        let count = |count: u64| Value::Int(i128::from(count));
        let ShardValue(shard, _) = self;
        Ok(Some(match name {
            "sip" => count(shard.pe.sip.into()),
            "cube" => count(shard.pe.cube.into()),
            "pe" => count(shard.pe.pe.into()),
            "offset_bytes" => count(shard.offset_bytes),
            "nbytes" => count(shard.nbytes),
            "shape" => bind::shape_value(&shard.shape),
            _ => return Ok(None),
        }))
    }

    fn show(&self, _: &mut Evaluator<'_>) -> Result<String> {
        let ShardValue(it, rank) = self;
        let at = it.pe;
        Ok(format!(
            "Shard(sip={}, cube={}, pe={}, offset_bytes={}, nbytes={}, elements={})",
            at.sip,
            at.cube,
            at.pe,
            it.offset_bytes,
            it.nbytes,
            elements(it, *rank)
        ))
    }
}
