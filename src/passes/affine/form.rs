//! Affine forms: integers that a tile holds as a function of the place in it.
//!
//! The element at index `(i, j, …)` of a tile with a form is `base + stride₀ · i + stride₁ · j + …`,
//! where strides are constants and the base is a sum of scalars that each program computes for
//! itself. Along an axis that wraps, `(start + i) mod period` stands in the place of `i`.
//!
//! Everything here counts in whole numbers; whether an integer type holds them is asked of
//! [`Affine::interval`].

use super::symbol::{Symbol, Symbols};
use crate::passes::intervals::Interval;

/// A sum of scalars, each times a constant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Linear {
    /// Scalars in order, each once, with what it is multiplied by, never 0.
    pub(super) terms: Vec<(Symbol, i64)>,
    pub(super) constant: i64,
}

/// The form of a tile of integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Affine {
    pub(super) base: Linear,
    /// One for each axis of the tile, outermost first.
    pub(super) axes: Vec<Axis>,
}

/// What an axis adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) extent: u64,
    /// 0 where there is one element and no wrap.
    pub(super) stride: i64,
    pub(super) wrap: Option<Wrap>,
}

/// Index `i` counts as `(start + i) mod period`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrap {
    pub(super) start: Linear,
    pub(super) period: i64,
}

impl Linear {
    pub(super) fn constant(constant: i64) -> Linear {
        Linear { terms: Vec::new(), constant }
    }

    pub(super) fn symbol(symbol: Symbol) -> Linear {
        Linear { terms: vec![(symbol, 1)], constant: 0 }
    }

    /// The constant it is, if it is one.
    pub(super) fn as_constant(&self) -> Option<i64> {
        self.terms.is_empty().then_some(self.constant)
    }

    pub(super) fn scale(&self, factor: i64) -> Option<Linear> {
        if factor == 0 {
            return Some(Linear::default());
        }
        let scaled = |(symbol, times): &(Symbol, i64)| Some((*symbol, times.checked_mul(factor)?));
        let terms = self.terms.iter().map(scaled).collect::<Option<Vec<_>>>()?;
        Some(Linear { terms, constant: self.constant.checked_mul(factor)? })
    }

    pub(super) fn add(&self, other: &Linear) -> Option<Linear> {
        let mut terms = self.terms.clone();
        for (symbol, times) in &other.terms {
            match terms.binary_search_by_key(symbol, |(symbol, _)| *symbol) {
                Ok(place) => terms[place].1 = terms[place].1.checked_add(*times)?,
                Err(place) => terms.insert(place, (*symbol, *times)),
            }
        }
        terms.retain(|(_, times)| *times != 0);
        Some(Linear { terms, constant: self.constant.checked_add(other.constant)? })
    }

    pub(super) fn add_constant(&self, constant: i64) -> Option<Linear> {
        self.add(&Linear::constant(constant))
    }

    /// How often it counts `symbol`.
    pub(super) fn times(&self, symbol: Symbol) -> i64 {
        let place = self.terms.binary_search_by_key(&symbol, |(symbol, _)| *symbol);
        place.map_or(0, |place| self.terms[place].1)
    }

    /// What it is in any program.
    pub(super) fn interval(&self, symbols: &Symbols) -> Interval {
        let sum = |sum: Interval, (symbol, times): &(Symbol, i64)| {
            sum.add(symbols.interval(*symbol).scale(i128::from(*times)))
        };
        self.terms.iter().fold(Interval::point(self.constant.into()), sum)
    }

    /// Whether it is a multiple of `divisor`, whatever the scalars are.
    fn divisible(&self, divisor: i64) -> bool {
        self.constant % divisor == 0 && self.terms.iter().all(|(_, times)| times % divisor == 0)
    }

    fn divided(&self, divisor: i64) -> Linear {
        let terms = self.terms.iter().map(|(symbol, times)| (*symbol, times / divisor));
        Linear { terms: terms.collect(), constant: self.constant / divisor }
    }
}

impl Axis {
    pub(super) fn new(extent: u64, stride: i64) -> Axis {
        Axis { extent, stride: if extent == 1 { 0 } else { stride }, wrap: None }
    }

    /// Whether every index gives the same.
    pub(super) fn is_constant(&self) -> bool {
        self.stride == 0
    }

    /// The sum of two axes of one extent.
    fn add(&self, other: &Axis) -> Option<Axis> {
        if other.is_constant() {
            return Some(self.clone());
        }
        if self.is_constant() {
            return Some(other.clone());
        }
        let stride = self.stride.checked_add(other.stride)?;
        let wrap = if stride == 0 { None } else { self.wrap.clone() };
        (self.wrap == other.wrap).then_some(Axis { extent: self.extent, stride, wrap })
    }

    /// The least and the most that it adds.
    fn interval(&self) -> Interval {
        let period = self.wrap.as_ref().map_or(i128::from(self.extent), |it| it.period.into());
        Interval::point(0).union(Interval::point((period - 1).max(0)).scale(self.stride.into()))
    }
}

impl Affine {
    /// The same everywhere.
    pub(super) fn uniform(base: Linear, shape: &[u64]) -> Affine {
        Affine { base, axes: shape.iter().map(|extent| Axis::new(*extent, 0)).collect() }
    }

    /// Whether it is the same everywhere.
    pub(super) fn is_uniform(&self) -> bool {
        self.axes.iter().all(Axis::is_constant)
    }

    /// The constant that it is everywhere, if it is one.
    pub(super) fn as_constant(&self) -> Option<i64> {
        self.base.as_constant().filter(|_| self.is_uniform())
    }

    /// What its elements are in any program.
    pub(super) fn interval(&self, symbols: &Symbols) -> Interval {
        self.axes.iter().fold(self.base.interval(symbols), |sum, axis| sum.add(axis.interval()))
    }

    pub(super) fn add(&self, other: &Affine) -> Option<Affine> {
        let axes = self.axes.iter().zip(&other.axes).map(|(x, y)| x.add(y));
        Some(Affine { base: self.base.add(&other.base)?, axes: axes.collect::<Option<_>>()? })
    }

    pub(super) fn add_constant(&self, constant: i64) -> Option<Affine> {
        Some(Affine { base: self.base.add_constant(constant)?, axes: self.axes.clone() })
    }

    pub(super) fn scale(&self, factor: i64) -> Option<Affine> {
        let scaled = |axis: &Axis| {
            let stride = axis.stride.checked_mul(factor)?;
            let wrap = if stride == 0 { None } else { axis.wrap.clone() };
            Some(Axis { stride, wrap, ..axis.clone() })
        };
        let axes = self.axes.iter().map(scaled).collect::<Option<_>>()?;
        Some(Affine { base: self.base.scale(factor)?, axes })
    }

    pub(super) fn sub(&self, other: &Affine) -> Option<Affine> {
        self.add(&other.scale(-1)?)
    }

    /// The quotient where a constant divides every part.
    pub(super) fn divided(&self, divisor: i64) -> Option<Affine> {
        let divisible = divisor > 0
            && self.base.divisible(divisor)
            && self.axes.iter().all(|axis| axis.stride % divisor == 0);
        let divided = |axis: &Axis| Axis { stride: axis.stride / divisor, ..axis.clone() };
        divisible.then(|| Affine {
            base: self.base.divided(divisor),
            axes: self.axes.iter().map(divided).collect(),
        })
    }

    /// The remainders of a division by `period`, where they count up along one axis.
    pub(super) fn wrapped(&self, period: i64) -> Option<Affine> {
        let place = self.axes.iter().position(|axis| !axis.is_constant())?;
        let (axis, others) = (&self.axes[place], &self.axes[place + 1..]);
        let counts_up = axis.stride == 1 && axis.wrap.is_none();
        if !counts_up || others.iter().any(|axis| !axis.is_constant()) {
            return None;
        }
        let mut axes = self.axes.clone();
        axes[place].wrap = Some(Wrap { start: self.base.clone(), period });
        Some(Affine { base: Linear::default(), axes })
    }

    /// Repeated to `shape`.
    pub(super) fn broadcast(&self, shape: &[u64]) -> Option<Affine> {
        let new = shape.len().checked_sub(self.axes.len())?;
        let mut axes: Vec<Axis> = shape[..new].iter().map(|it| Axis::new(*it, 0)).collect();
        for (axis, extent) in self.axes.iter().zip(&shape[new..]) {
            if axis.extent == *extent {
                axes.push(axis.clone());
            } else if axis.extent == 1 && axis.is_constant() {
                axes.push(Axis::new(*extent, 0));
            } else {
                return None;
            }
        }
        Some(Affine { base: self.base.clone(), axes })
    }

    pub(super) fn expanded(&self, at: usize) -> Option<Affine> {
        let mut axes = self.axes.clone();
        (at <= axes.len()).then(|| axes.insert(at, Axis::new(1, 0)))?;
        Some(Affine { base: self.base.clone(), axes })
    }

    pub(super) fn transposed(&self, order: &[u32]) -> Option<Affine> {
        let axes = order.iter().map(|axis| self.axes.get(*axis as usize).cloned());
        Some(Affine { base: self.base.clone(), axes: axes.collect::<Option<_>>()? })
    }

    /// Along `axis` the elements from `start` on, `step` apart, `extent` of them.
    pub(super) fn sliced(
        &self,
        axis: usize,
        (start, step): (i64, i64),
        extent: u64,
    ) -> Option<Affine> {
        let mut sliced = self.clone();
        let place = sliced.axes.get_mut(axis)?;
        let stride = place.stride;
        if let Some(wrap) = &mut place.wrap {
            wrap.start = wrap.start.add_constant(start)?;
            place.extent = extent;
            return (step == 1).then_some(sliced);
        }
        *place = Axis::new(extent, stride.checked_mul(step)?);
        sliced.base = self.base.add_constant(stride.checked_mul(start)?)?;
        Some(sliced)
    }

    /// Along `axis` the other way round.
    pub(super) fn flipped(&self, axis: usize) -> Option<Affine> {
        let last = i64::try_from(self.axes.get(axis)?.extent).ok()?.checked_sub(1)?;
        let extent = self.axes[axis].extent;
        self.sliced(axis, (last, -1), extent)
    }

    /// The same elements row by row in another shape, where each axis of it is a part of an axis
    /// of this one, or several that follow one another.
    pub(super) fn reshaped(&self, shape: &[u64]) -> Option<Affine> {
        let mut left = merged(&self.axes).into_iter().rev();
        let mut current = Axis::new(1, 0);
        let mut axes = Vec::with_capacity(shape.len());
        for extent in shape.iter().rev() {
            if *extent == 1 {
                axes.push(Axis::new(1, 0));
                continue;
            }
            if current.extent == 1 {
                current = left.next()?;
            }
            if current.wrap.is_some() && current.extent != *extent {
                return None;
            }
            if !current.extent.is_multiple_of(*extent) {
                return None;
            }
            axes.push(Axis { extent: *extent, ..current.clone() });
            let stride = current.stride.checked_mul(i64::try_from(*extent).ok()?)?;
            current = Axis::new(current.extent / extent, stride);
        }
        axes.reverse();
        let all = current.extent == 1 && left.next().is_none();
        all.then(|| Affine { base: self.base.clone(), axes })
    }
}

/// The axes of more than one element, those that run on into one another made one.
fn merged(axes: &[Axis]) -> Vec<Axis> {
    let mut merged: Vec<Axis> = Vec::new();
    for axis in axes {
        if axis.extent == 1 && axis.wrap.is_none() {
            continue;
        }
        let runs_on = |outer: &&mut Axis| {
            let row = i64::try_from(axis.extent).ok().and_then(|it| axis.stride.checked_mul(it));
            outer.wrap.is_none() && axis.wrap.is_none() && Some(outer.stride) == row
        };
        if let Some(outer) = merged.last_mut().filter(runs_on) {
            outer.extent = outer.extent.saturating_mul(axis.extent);
            outer.stride = axis.stride;
        } else {
            merged.push(axis.clone());
        }
    }
    merged
}
