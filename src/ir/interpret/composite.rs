//! Composites: all of the block at once, each element in the plainest way.

use super::Reason;
use super::number;
use super::program::{Frame, Held};
use super::step::{Out, Step};
use super::tile::{Tile, count, element_of};
use crate::dtype::{DType, Rounding};
use crate::ir::{Composite, Dim, End, EpilogueStep, Head, Scope, StepOp};
use crate::ops::BinaryOp;

/// A composite whose operands are known.
struct Block<'c> {
    it: &'c Composite,
    a: Tile,
    b: Option<Tile>,
    /// The operands of the steps.
    operands: Vec<Option<Tile>>,
}

impl Step<'_, '_> {
    pub(super) fn run_composite(&mut self, it: &Composite) -> Out {
        let mut sizes = [0; 3];
        for (size, dim) in sizes.iter_mut().zip(it.sizes) {
            *size = self.size(dim)?;
        }
        let [m, n, k] = sizes;
        self.world.spend(m.saturating_mul(n).saturating_mul(k))?;
        let (rows, columns) = match it.head {
            Head::Gemm => ([m, k], [k, n]),
            Head::Math(_) => ([m, n], [m, n]),
        };
        let a = self.end(&it.a, rows)?;
        let b = it.b.as_ref().map(|b| self.end(b, columns)).transpose()?;
        let frame = self.frame()?;
        let operand = |step: &EpilogueStep| step.operand.map(|it| frame.operand(it)).transpose();
        let operands = it.epilogue.iter().map(operand).collect::<Result<_, _>>()?;
        let block = Block { it, a, b, operands };
        let result = block.result()?;
        let base = self.frame()?.address(it.out.value)?;
        let bytes = converted(&result, it.out.dtype).to_bytes();
        let outside = Reason::OutOfBounds { address: base, bytes: bytes.len() as u64 };
        self.world.memory.get_mut(base, bytes.len()).ok_or(outside)?.copy_from_slice(&bytes);
        self.gives(Held::Scalar(Frame::i64_bits(0)))
    }

    fn size(&mut self, dim: Dim) -> Result<usize, Reason> {
        let extent = match dim {
            Dim::Const(extent) => i128::from(extent),
            Dim::Value(value) => self.frame()?.int(value)?,
        };
        if extent < 1 {
            Err(Reason::Extents)
        } else {
            extent.try_into().map_err(|_| Reason::TooLarge)
        }
    }

    /// A tile, or the block of memory at an address.
    fn end(&mut self, end: &End, shape: [usize; 2]) -> Result<Tile, Reason> {
        if self.frame()?.function.is_tile(end.value) {
            return self.frame()?.tile(end.value).cloned();
        }
        let base = self.frame()?.address(end.value)?;
        let size = end.dtype.bytes() as usize;
        let length = count(&shape)?.checked_mul(size).ok_or(Reason::TooLarge)?;
        let outside = Reason::OutOfBounds { address: base, bytes: length as u64 };
        let bytes = self.world.memory.get(base, length).ok_or(outside)?;
        let elements = bytes.chunks(size).map(element_of).collect();
        Ok(Tile { dtype: end.dtype, shape: shape.to_vec(), elements })
    }
}

impl Block<'_> {
    /// What is written, before its last rounding.
    fn result(&self) -> Result<Tile, Reason> {
        let head = match (self.it.head, &self.b) {
            (Head::Gemm, Some(b)) => self.product(b)?,
            (Head::Math(Some(op)), Some(b)) => {
                let sums = self.it.accumulates_in();
                let operands = [converted(&self.a, sums), converted(b, sums)];
                let head = Tile::elementwise(sums, self.a.shape.clone(), &operands, |[x, y]| {
                    number::binary(op, sums, x, y)
                })?;
                self.steps(converted(&head, self.it.works_in()), Scope::KTile)?
            }
            (Head::Math(None), _) => {
                self.steps(converted(&self.a, self.it.works_in()), Scope::KTile)?
            }
            (Head::Gemm | Head::Math(Some(_)), None) => {
                return Err(Reason::Malformed("a composite lacks its second operand"));
            }
        };
        self.steps(self.steps(head, Scope::OutputTile)?, Scope::Kernel)
    }

    /// The matrix product with what is done to the part of each tile along k.
    fn product(&self, b: &Tile) -> Result<Tile, Reason> {
        let (sums, works) = (self.it.accumulates_in(), self.it.works_in());
        if !self.it.epilogue.iter().any(|step| step.scope == Scope::KTile) {
            return Ok(converted(&self.a.dot(b, None, sums)?, works));
        }
        let depth = self.a.shape.get(1).copied().unwrap_or(0);
        let tile = self.it.tile.map_or(depth, |tile| tile[2].try_into().unwrap_or(depth)).max(1);
        let mut total: Option<Tile> = None;
        for first in (0..depth).step_by(tile) {
            let last = depth.min(first + tile);
            let part = columns(&self.a, first..last)?.dot(&rows(b, first..last)?, None, sums)?;
            let part = self.steps(converted(&part, works), Scope::KTile)?;
            total = Some(match total {
                None => part,
                Some(total) => {
                    let shape = part.shape.clone();
                    Tile::elementwise(works, shape, &[total, part], |[x, y]| {
                        number::binary(BinaryOp::Add, works, x, y)
                    })?
                }
            });
        }
        total.ok_or(Reason::Extents)
    }

    /// The steps of one scope, one after another.
    fn steps(&self, mut tile: Tile, scope: Scope) -> Result<Tile, Reason> {
        let works = self.it.works_in();
        for (step, operand) in self.it.epilogue.iter().zip(&self.operands) {
            if step.scope != scope {
                continue;
            }
            let shape = tile.shape.clone();
            tile = match (step.op, operand) {
                (StepOp::Unary(op), _) => {
                    Tile::elementwise(works, shape, &[tile], |[x]| Ok(number::unary(op, works, x)))?
                }
                (StepOp::Binary(op), Some(operand)) => {
                    let operands = [tile, converted(operand, works)];
                    Tile::elementwise(works, shape, &operands, |[x, y]| {
                        number::binary(op, works, x, y)
                    })?
                }
                (StepOp::Binary(_), None) => {
                    return Err(Reason::Malformed("a step lacks its operand"));
                }
            };
        }
        Ok(tile)
    }
}

/// The same elements, each rounded to another type.
fn converted(tile: &Tile, to: DType) -> Tile {
    let convert =
        |bits: &u64| number::convert(to, number::decode(tile.dtype, *bits), Rounding::NearestEven);
    let elements = tile.elements.iter().map(convert).collect();
    Tile { dtype: to, shape: tile.shape.clone(), elements }
}

fn columns(tile: &Tile, range: std::ops::Range<usize>) -> Result<Tile, Reason> {
    let shape = vec![tile.shape.first().copied().unwrap_or(0), range.len()];
    Tile::build(tile.dtype, shape, |place| {
        tile.at(&[place / range.len(), range.start + place % range.len()])
    })
}

fn rows(tile: &Tile, range: std::ops::Range<usize>) -> Result<Tile, Reason> {
    let width = tile.shape.get(1).copied().unwrap_or(1).max(1);
    Tile::build(tile.dtype, vec![range.len(), width], |place| {
        tile.at(&[range.start + place / width, place % width])
    })
}
