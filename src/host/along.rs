//! What arrays do along an axis beside reducing it: running sums, order, elements picked out.

use std::cmp::Ordering;

use super::HostError;
use super::array::Array;
use super::lanes::{from_lanes, to_vec, with_lanes};
use crate::dtype::DType;
use crate::shape::Shape;

/// The lines of a shape along an axis: element `k` of the line at `outer`, `inner` has place
/// `(outer · extent + k) · inside + inner`, counted row by row.
struct Lines {
    outside: u64,
    extent: u64,
    inside: u64,
}

impl Lines {
    fn of(shape: &Shape, axis: usize) -> Result<Lines, HostError> {
        let Some(extent) = shape.0.get(axis).copied() else {
            let axes = shape.rank();
            let text = format!("axis {axis} of an array of shape {shape}, which has {axes} axes");
            return Err(HostError::Shape(text));
        };
        let product = |extents: &[u64]| extents.iter().product();
        Ok(Lines {
            outside: product(&shape.0[..axis]),
            extent,
            inside: product(&shape.0[axis + 1..]),
        })
    }

    /// Every line, by `outer` and `inner`.
    fn each(&self) -> impl Iterator<Item = (u64, u64)> {
        let inside = self.inside;
        (0..self.outside).flat_map(move |outer| (0..inside).map(move |inner| (outer, inner)))
    }

    fn place(&self, (outer, inner): (u64, u64), at: u64) -> u64 {
        (outer * self.extent + at) * self.inside + inner
    }

    /// The place along the axis that an index names; negative ones count from the end.
    fn at(&self, index: i128) -> Result<u64, HostError> {
        let place = if index < 0 { index + i128::from(self.extent) } else { index };
        u64::try_from(place).ok().filter(|place| *place < self.extent).ok_or_else(|| {
            let extent = self.extent;
            HostError::Index(format!("index {index} along an axis of {extent} elements"))
        })
    }
}

impl Array {
    /// The elements at these places, counted row by row, as an array of `shape`.
    ///
    /// # Errors
    /// Where there are not as many as the shape has elements, or one is outside of the array.
    pub fn pick(&self, shape: &Shape, places: &[u64]) -> Result<Array, HostError> {
        super::array::check_count(shape, places.len())?;
        let count = self.elements();
        if let Some(outside) = places.iter().find(|place| **place >= count) {
            let text = format!("element {outside} of an array of {count} elements");
            return Err(HostError::Index(text));
        }
        Ok(with_lanes!(&self.data, lanes => {
            let all = to_vec(lanes);
            from_lanes(self.dtype, shape, places.iter().map(|place| all[*place as usize]).collect())
        }))
    }

    /// This array with the elements at these places, counted row by row, replaced by those of `values`, each
    /// rounded to the array's type.
    ///
    /// # Errors
    /// There are not as many, or one is outside of the array.
    pub fn put(&self, places: &[u64], values: &Array) -> Result<Array, HostError> {
        let size = self.dtype.bytes() as usize;
        let mut bytes = self.to_bytes();
        let new = values.cast(self.dtype).to_bytes();
        if new.len() != places.len() * size {
            let (given, wanted) = (values.elements(), places.len());
            return Err(HostError::Shape(format!("{given} elements for {wanted} places")));
        }
        for (place, value) in places.iter().zip(new.chunks_exact(size)) {
            let start = *place as usize * size;
            let Some(old) = bytes.get_mut(start..start + size) else {
                let count = self.elements();
                return Err(HostError::Index(format!(
                    "element {place} of an array of {count} elements"
                )));
            };
            old.copy_from_slice(value);
        }
        Array::from_bytes(self.dtype, &self.shape(), &bytes)
    }

    /// The sums of the elements up to each, along an axis, computed in `f64` or in 128 bits, each rounded once.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn cumsum(&self, axis: usize) -> Result<Array, HostError> {
        let shape = self.shape();
        let lines = Lines::of(&shape, axis)?;
        let ints = self.to_ints().filter(|_| self.dtype.is_int());
        if let Some(mut values) = ints {
            run(&lines, &mut values, |sum, next| sum.wrapping_add(next));
            let wrapped = values.into_iter().map(|value| value as i64).collect();
            return Array::from_ints(DType::I64, &shape, wrapped);
        }
        let mut values = self.to_f64s();
        run(&lines, &mut values, |sum, next| sum + next);
        Array::from_f64s(self.dtype, &shape, values)
    }

    /// The elements in order along an axis, and the places they had; equal ones stay in their order,
    /// and NaNs are the largest.
    ///
    /// # Errors
    /// There is no such axis.
    pub fn sorted(&self, axis: usize, is_descending: bool) -> Result<(Array, Array), HostError> {
        let shape = self.shape();
        let lines = Lines::of(&shape, axis)?;
        let (ints, floats) = (self.to_ints(), self.to_f64s());
        let compare = |left: u64, right: u64| {
            let (left, right) = (left as usize, right as usize);
            let order = match &ints {
                Some(ints) => ints[left].cmp(&ints[right]),
                None => compare_floats(floats[left], floats[right]),
            };
            if is_descending { order.reverse() } else { order }
        };
        let mut places = vec![0; floats.len()];
        let mut came_from = vec![0; floats.len()];
        for line in lines.each() {
            let mut order: Vec<u64> = (0..lines.extent).collect();
            order.sort_by(|x, y| compare(lines.place(line, *x), lines.place(line, *y)));
            for (at, from) in (0..).zip(order) {
                let place = lines.place(line, at) as usize;
                (places[place], came_from[place]) = (lines.place(line, from), from as i64);
            }
        }
        Ok((self.pick(&shape, &places)?, Array::from_ints(DType::I64, &shape, came_from)?))
    }

    /// The parts that `indices` name along an axis, in their order.
    ///
    /// # Errors
    /// There is no such axis or no such part.
    pub fn take(&self, axis: usize, indices: &[i128]) -> Result<Array, HostError> {
        let mut shape = self.shape();
        let lines = Lines::of(&shape, axis)?;
        shape.0[axis] = indices.len() as u64;
        super::array::check_shape(&shape)?;
        let wanted: Vec<u64> = indices.iter().map(|it| lines.at(*it)).collect::<Result<_, _>>()?;
        let mut places = Vec::with_capacity(shape.elements() as usize);
        for outer in 0..lines.outside {
            for at in &wanted {
                places.extend((0..lines.inside).map(|inner| lines.place((outer, inner), *at)));
            }
        }
        self.pick(&shape, &places)
    }

    /// Of each line along an axis the elements that the same line of `index` names.
    ///
    /// # Errors
    /// The other axes differ, or an index is outside.
    pub fn gather(&self, axis: usize, index: &Array) -> Result<Array, HostError> {
        let (own, shape) = (self.shape(), index.shape());
        let lines = Lines::of(&own, axis)?;
        let mut like = own.0.clone();
        like[axis] = shape.0.get(axis).copied().unwrap_or(0);
        let Some(indices) = index.to_ints().filter(|_| like == shape.0) else {
            let text =
                format!("indices of shape {shape} for elements of shape {own}, along axis {axis}");
            return Err(HostError::Shape(text));
        };
        let of_index = Lines::of(&shape, axis)?;
        let mut places = vec![0; indices.len()];
        for line in of_index.each() {
            for at in 0..of_index.extent {
                let place = of_index.place(line, at) as usize;
                places[place] = lines.place(line, lines.at(indices[place])?);
            }
        }
        self.pick(&shape, &places)
    }
}

/// Replaces every element of a line by what `add` makes of all up to it.
fn run<T: Copy>(lines: &Lines, values: &mut [T], add: impl Fn(T, T) -> T) {
    for line in lines.each() {
        for at in 1..lines.extent {
            let (before, here) = (lines.place(line, at - 1), lines.place(line, at));
            values[here as usize] = add(values[before as usize], values[here as usize]);
        }
    }
}

fn compare_floats(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}
