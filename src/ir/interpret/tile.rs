//! Tiles as vectors of elements, and what ops do to whole tiles.

use super::number::{self, Number};
use super::{MAX_ELEMENTS, Reason};
use crate::dtype::DType;
use crate::ir::Reduce;
use crate::ops::{BinaryOp, CompareOp};

/// A tile of known elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The element type.
    pub dtype: DType,
    /// The extents, outermost first.
    pub shape: Vec<usize>,
    /// The elements, row by row, each its bits in the low end.
    pub elements: Vec<u64>,
}

/// How many elements a shape has, if the interpreter holds so many.
pub(super) fn count(shape: &[usize]) -> Result<usize, Reason> {
    let product = shape.iter().try_fold(1usize, |product, extent| product.checked_mul(*extent));
    product.filter(|count| *count <= MAX_ELEMENTS).ok_or(Reason::TooLarge)
}

/// The index, one number an axis, of the element of `shape` that comes `flat`-th row by row.
pub(super) fn index_of(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (at, extent) in index.iter_mut().zip(shape).rev() {
        *at = flat % extent;
        flat /= extent;
    }
    index
}

/// The place, row by row, of the element of `shape` at `index`.
pub(super) fn place_of(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |place, (at, extent)| place * extent + at)
}

/// What a shape that breaks a rule of the verifier is.
const SHAPES: Reason = Reason::Malformed("shapes do not fit");

impl Tile {
    /// A tile of `shape` whose elements `element` gives by their places.
    ///
    /// # Errors
    /// The tile is too large, or what `element` says.
    pub(super) fn build(
        dtype: DType,
        shape: Vec<usize>,
        element: impl FnMut(usize) -> Result<u64, Reason>,
    ) -> Result<Tile, Reason> {
        let elements = (0..count(&shape)?).map(element).collect::<Result<Vec<u64>, Reason>>()?;
        Ok(Tile { dtype, shape, elements })
    }

    /// The element of a scalar as a tile of no axes.
    pub(super) fn scalar(dtype: DType, bits: u64) -> Tile {
        Tile { dtype, shape: Vec::new(), elements: vec![bits] }
    }

    /// The element at `index` of a shape that this tile broadcasts to: axes that it lacks in front
    /// do not count, and an axis of one element has that element everywhere.
    pub(super) fn at(&self, index: &[usize]) -> Result<u64, Reason> {
        let own = index.len().checked_sub(self.shape.len()).and_then(|lead| index.get(lead..));
        let own: Vec<usize> = own
            .ok_or(SHAPES)?
            .iter()
            .zip(&self.shape)
            .map(|(at, extent)| if *extent == 1 { 0 } else { *at })
            .collect();
        if own.iter().zip(&self.shape).any(|(at, extent)| at >= extent) {
            return Err(SHAPES);
        }
        self.elements.get(place_of(&own, &self.shape)).copied().ok_or(SHAPES)
    }

    /// `compute` of the elements of `operands` at each index of `shape`.
    pub(super) fn elementwise<const N: usize>(
        dtype: DType,
        shape: Vec<usize>,
        operands: &[Tile; N],
        mut compute: impl FnMut([u64; N]) -> Result<u64, Reason>,
    ) -> Result<Tile, Reason> {
        Tile::build(dtype, shape.clone(), |place| {
            let index = index_of(place, &shape);
            let mut elements = [0; N];
            for (element, operand) in elements.iter_mut().zip(operands) {
                *element = operand.at(&index)?;
            }
            compute(elements)
        })
    }

    /// The same elements row by row in another shape.
    pub(super) fn reshape(&self, shape: Vec<usize>) -> Result<Tile, Reason> {
        if count(&shape)? != self.elements.len() {
            return Err(SHAPES);
        }
        Ok(Tile { dtype: self.dtype, shape, elements: self.elements.clone() })
    }

    /// Axes permuted: axis `i` of the result is axis `axes[i]` of this.
    pub(super) fn transpose(&self, axes: &[u32]) -> Result<Tile, Reason> {
        let extent = |axis: &u32| self.shape.get(*axis as usize).copied().ok_or(SHAPES);
        let shape = axes.iter().map(extent).collect::<Result<Vec<usize>, Reason>>()?;
        Tile::build(self.dtype, shape.clone(), |place| {
            let mut own = vec![0; self.shape.len()];
            for (axis, at) in axes.iter().zip(index_of(place, &shape)) {
                *own.get_mut(*axis as usize).ok_or(SHAPES)? = at;
            }
            self.at(&own)
        })
    }

    /// Repeated to `shape`.
    pub(super) fn broadcast(&self, shape: Vec<usize>) -> Result<Tile, Reason> {
        Tile::elementwise(self.dtype, shape, std::array::from_ref(self), |[x]| Ok(x))
    }

    /// A reduction; `to` is the result's element type.
    pub(super) fn reduce(&self, it: &Reduce, to: DType) -> Result<Tile, Reason> {
        let is_reduced = |axis: usize| it.axis.is_none_or(|reduced| reduced as usize == axis);
        let extents = || self.shape.iter().enumerate();
        let (rows, row): (Vec<usize>, Vec<usize>) = extents()
            .map(|(axis, extent)| if is_reduced(axis) { (1, *extent) } else { (*extent, 1) })
            .unzip();
        let reduced = Tile::build(to, rows.clone(), |place| {
            let first = index_of(place, &rows);
            let along = |step: usize| {
                let step = index_of(step, &row);
                let index: Vec<usize> = first.iter().zip(step).map(|(a, b)| a + b).collect();
                self.at(&index)
            };
            let elements = (0..count(&row)?).map(along).collect::<Result<Vec<u64>, Reason>>()?;
            self.fold(it, to, &elements)
        })?;
        let left = extents().filter(|(axis, _)| !is_reduced(*axis)).map(|(_, extent)| *extent);
        if it.keep_dims { Ok(reduced) } else { reduced.reshape(left.collect()) }
    }

    /// Combines the elements of one row, the first with the second, that with the third, in the
    /// lane; what comes out is rounded to the result's type once.
    fn fold(&self, it: &Reduce, to: DType, elements: &[u64]) -> Result<u64, Reason> {
        if it.op.gives_index() {
            return Ok(number::encode(to, Number::Int(self.winner(it, elements) as i128)));
        }
        let lane = self.lane();
        let wide = |bits: &u64| number::encode(lane, number::decode(self.dtype, *bits));
        let mut rest = elements.iter().map(wide);
        let first = rest.next().ok_or(SHAPES)?;
        let folded = rest.try_fold(first, |so_far, element| {
            number::binary(it.op.combine(), lane, so_far, element)
        })?;
        Ok(number::encode(to, number::decode(lane, folded)))
    }

    /// The type in which elements are computed.
    pub(super) fn lane(&self) -> DType {
        match self.dtype.is_float() {
            true if self.dtype == DType::F64 => DType::F64,
            true => DType::F32,
            false if self.dtype.is_unsigned() => DType::U64,
            false => DType::I64,
        }
    }

    /// The place of the leftmost element that no other beats; a NaN beats nothing and is beaten by
    /// every number.
    fn winner(&self, it: &Reduce, elements: &[u64]) -> usize {
        let larger = it.op.combine() == BinaryOp::Maximum;
        let beats = if larger { CompareOp::Gt } else { CompareOp::Lt };
        let holds = |op, x, y| number::compare(op, self.dtype, x, y) != 0;
        let is_number = |x: u64| holds(CompareOp::Eq, x, x);
        let mut best = 0;
        for (place, element) in elements.iter().enumerate() {
            let so_far = elements[best];
            if holds(beats, *element, so_far) || (is_number(*element) && !is_number(so_far)) {
                best = place;
            }
        }
        best
    }

    /// `self @ b (+ acc)`; `to` is the result's element type.
    pub(super) fn dot(&self, b: &Tile, acc: Option<&Tile>, to: DType) -> Result<Tile, Reason> {
        let (&[ref batch @ .., m, k], &[ref others @ .., inner, n]) =
            (self.shape.as_slice(), b.shape.as_slice())
        else {
            return Err(SHAPES);
        };
        if k != inner || batch != others || batch.len() > 1 {
            return Err(SHAPES);
        }
        let sums = match (to.is_float(), to.bits()) {
            (true, 64) => DType::F64,
            (true, _) => DType::F32,
            (false, 64) => DType::I64,
            (false, _) => DType::I32,
        };
        let wide = |tile: &Tile, index: [usize; 3]| {
            let index = &index[1 - batch.len()..];
            Ok(number::encode(sums, number::decode(tile.dtype, tile.at(index)?)))
        };
        let shape: Vec<usize> = batch.iter().copied().chain([m, n]).collect();
        Tile::build(to, shape, |place| {
            let (of, row, column) = (place / (m * n), place / n % m, place % n);
            let mut sum = match acc {
                Some(acc) => wide(acc, [of, row, column])?,
                None => number::encode(sums, Number::Int(0)),
            };
            for at in 0..k {
                let (x, y) = (wide(self, [of, row, at])?, wide(b, [of, at, column])?);
                let product = number::binary(BinaryOp::Mul, sums, x, y)?;
                sum = number::binary(BinaryOp::Add, sums, sum, product)?;
            }
            Ok(number::encode(to, number::decode(sums, sum)))
        })
    }

    /// The bytes of the elements one after another.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let size = self.dtype.bytes() as usize;
        self.elements.iter().flat_map(|bits| bits.to_le_bytes().into_iter().take(size)).collect()
    }
}

/// The element whose bytes are `bytes`.
pub(super) fn element_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}
