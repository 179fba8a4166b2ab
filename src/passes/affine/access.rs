//! What a gather or scatter at affine offsets moves: a block, and the window of it.

use super::analysis::{Analysis, Form};
use super::form::{Affine, Axis, Linear, Wrap};
use super::mask::Mask;
use crate::dtype::DType;
use crate::ir::{Atomic, DmaDesc, DmaDim, GatherLoad, MAX_WINDOW_AXES, ScatterStore, Value};

/// A block and its window, in scalars that are still to be computed.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// The byte address of the first element.
    pub(super) base: Linear,
    pub(super) desc: DmaDesc,
    /// The axes that are moved in part.
    pub(super) clips: Vec<Bounds>,
    /// The axes that wrap.
    pub(super) wraps: Vec<(u32, Wrap)>,
    /// What must hold for anything to be moved.
    pub(super) conditions: Vec<Condition>,
}

/// The indices of an axis that are moved: those that no bound excludes.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    pub(super) axis: u32,
    /// Each excludes the indices below it.
    pub(super) lo: Vec<Quotient>,
    /// Each excludes the indices from it on.
    pub(super) hi: Vec<Quotient>,
}

/// A division rounded down.
#[derive(Clone, Debug)]
pub(super) struct Quotient {
    pub(super) numerator: Linear,
    /// Positive.
    pub(super) divisor: i64,
}

/// A truth value that does not depend on the lane.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// It never holds.
    Never,
    /// A number is below 0.
    Below(Linear),
    /// An `i1` scalar is as told.
    Flag(Value, bool),
}

/// Where lanes are, and which take part.
pub(super) struct Lanes<'a> {
    ptr: Value,
    pub(super) strides: &'a [i64],
    pub(super) offsets: Option<Value>,
    mask: Option<Value>,
}

impl<'a> From<&'a GatherLoad> for Lanes<'a> {
    fn from(it: &'a GatherLoad) -> Lanes<'a> {
        Lanes { ptr: it.ptr, strides: &it.strides, offsets: it.offsets, mask: it.mask }
    }
}

impl<'a> From<&'a ScatterStore> for Lanes<'a> {
    fn from(it: &'a ScatterStore) -> Lanes<'a> {
        Lanes { ptr: it.ptr, strides: &it.strides, offsets: it.offsets, mask: it.mask }
    }
}

impl<'a> From<&'a Atomic> for Lanes<'a> {
    fn from(it: &'a Atomic) -> Lanes<'a> {
        Lanes { ptr: it.ptr, strides: &it.strides, offsets: it.offsets, mask: it.mask }
    }
}

/// One axis of the lanes: what it adds to the offset, and to each form of the mask.
struct Lane {
    place: Axis,
    tests: Vec<i64>,
}

impl Access {
    /// The access of these lanes, which are `tile`; `None` if they are not a window of a block.
    pub(super) fn of(
        analysis: &mut Analysis<'_>,
        lanes: &Lanes<'_>,
        (shape, dtype): (&[u64], DType),
    ) -> Option<Access> {
        let offsets = analysis.offsets(lanes, shape)?;
        let mask = analysis.mask(lanes.mask, shape)?;
        let tests: Vec<Affine> =
            mask.below.iter().map(|form| form.broadcast(shape)).collect::<Option<_>>()?;
        let axes = merged(&offsets.axes, &tests)?;
        let size = i64::try_from(dtype.bytes()).ok()?;
        let base = analysis.linear(lanes.ptr).add(&offsets.base.scale(size)?)?;
        let dims = axes.iter().map(|axis| {
            let stride = axis.place.stride.checked_mul(size)?;
            Some(DmaDim { extent: axis.place.extent, stride })
        });
        let desc = DmaDesc { dims: dims.collect::<Option<_>>()?, elem_bytes: dtype.bytes() };
        let (clips, wraps) = (Vec::new(), Vec::new());
        let mut access = Access { base, desc, clips, wraps, conditions: Vec::new() };
        access.wrap(&axes);
        access.clip(&axes, &tests)?;
        let flags = mask.flags.iter().map(|(value, expected)| Condition::Flag(*value, *expected));
        access.conditions.extend(flags);
        access.conditions.extend(mask.never.then_some(Condition::Never));
        access.fits().then_some(access)
    }

    /// The lanes as an axis each, none of them clipped: what an atomic op changes. `None` if they do
    /// not lie at constant strides.
    pub(super) fn strided(
        analysis: &mut Analysis<'_>,
        lanes: &Lanes<'_>,
        (shape, dtype): (&[u64], DType),
    ) -> Option<Access> {
        let offsets = analysis.offsets(lanes, shape)?;
        let size = i64::try_from(dtype.bytes()).ok()?;
        let base = analysis.linear(lanes.ptr).add(&offsets.base.scale(size)?)?;
        let dims = offsets.axes.iter().map(|axis| {
            let stride = axis.stride.checked_mul(size).filter(|_| axis.wrap.is_none())?;
            Some(DmaDim { extent: axis.extent, stride })
        });
        let desc = DmaDesc { dims: dims.collect::<Option<_>>()?, elem_bytes: dtype.bytes() };
        let (clips, wraps) = (Vec::new(), Vec::new());
        Some(Access { base, desc, clips, wraps, conditions: Vec::new() })
    }

    /// Whether all of the block is moved, and lies as the descriptor says.
    pub(super) fn is_whole(&self) -> bool {
        self.clips.is_empty() && self.wraps.is_empty() && self.conditions.is_empty()
    }

    fn wrap(&mut self, axes: &[Lane]) {
        for (at, axis) in axes.iter().enumerate() {
            let wrap = axis.place.wrap.iter().cloned();
            self.wraps.extend(wrap.map(|wrap| (at as u32, wrap)));
        }
    }

    /// Makes a bound of each test; `None` where one depends on more than one axis.
    fn clip(&mut self, axes: &[Lane], tests: &[Affine]) -> Option<()> {
        for (index, test) in tests.iter().enumerate() {
            let mut moving = axes.iter().enumerate().filter(|(_, axis)| axis.tests[index] != 0);
            match (moving.next(), moving.next()) {
                (None, _) => self.conditions.push(Condition::Below(test.base.clone())),
                (Some((at, axis)), None) => self.bound(at, (&test.base, axis.tests[index]))?,
                (Some(_), Some(_)) => return None,
            }
        }
        Some(())
    }

    /// Keeps the indices `i` of an axis where `base + stride · i < 0`.
    fn bound(&mut self, axis: usize, (base, stride): (&Linear, i64)) -> Option<()> {
        let axis = axis as u32;
        let place = self.clips.iter().position(|it| it.axis == axis).unwrap_or_else(|| {
            self.clips.push(Bounds { axis, lo: Vec::new(), hi: Vec::new() });
            self.clips.len() - 1
        });
        let divisor = stride.checked_abs()?;
        if stride > 0 {
            // i <= (-1 - base) / stride
            let numerator = base.scale(-1)?.add_constant(divisor - 1)?;
            self.clips[place].hi.push(Quotient { numerator, divisor });
        } else {
            // i >= (base + 1) / -stride
            let numerator = base.add_constant(divisor)?;
            self.clips[place].lo.push(Quotient { numerator, divisor });
        }
        Some(())
    }

    /// Puts the axes of the window in order; says whether a window can be so.
    fn fits(&mut self) -> bool {
        if self.is_whole() {
            return true;
        }
        if self.desc.dims.is_empty() {
            let stride = self.desc.elem_bytes as i64;
            self.desc.dims.push(DmaDim { extent: 1, stride });
        }
        self.clips.sort_by_key(|clip| clip.axis);
        let short = |dim: &DmaDim| u32::try_from(dim.extent).is_ok();
        self.desc.dims.len() <= MAX_WINDOW_AXES && self.desc.dims.iter().all(short)
    }

    /// Whether lanes may be written turn by turn of the axes that wrap: a block without wraps is
    /// written row by row, as a scatter is, but of one with wraps no two lanes may share an address.
    pub(super) fn keeps_order(&self) -> bool {
        self.wraps.is_empty() || self.is_apart()
    }

    /// Whether no two lanes have one address, as far as the descriptor says.
    fn is_apart(&self) -> bool {
        let mut dims: Vec<(u64, u64)> = Vec::new();
        for (axis, dim) in self.desc.dims.iter().enumerate() {
            let wrap = self.wraps.iter().find(|(at, _)| *at as usize == axis);
            let steps = wrap.map_or(dim.extent, |(_, wrap)| wrap.period.unsigned_abs());
            if steps < dim.extent {
                return false;
            }
            dims.push((dim.stride.unsigned_abs(), steps));
        }
        dims.sort_unstable();
        let mut reach = u128::from(self.desc.elem_bytes);
        for (stride, steps) in dims.into_iter().filter(|(_, steps)| *steps > 1) {
            if u128::from(stride) < reach {
                return false;
            }
            reach += u128::from(stride) * u128::from(steps - 1);
        }
        true
    }

    /// Calls `visit` with every sum that the access needs.
    pub(super) fn for_each_linear(&self, visit: &mut dyn FnMut(&Linear)) {
        visit(&self.base);
        for it in self.clips.iter().flat_map(|clip| clip.lo.iter().chain(&clip.hi)) {
            visit(&it.numerator);
        }
        self.wraps.iter().for_each(|(_, wrap)| visit(&wrap.start));
        for it in &self.conditions {
            if let Condition::Below(linear) = it {
                visit(linear);
            }
        }
    }
}

impl Analysis<'_> {
    /// What lanes add to their pointer, in elements.
    fn offsets(&mut self, lanes: &Lanes<'_>, shape: &[u64]) -> Option<Affine> {
        let mut strided = Affine::uniform(Linear::default(), shape);
        for (axis, stride) in strided.axes.iter_mut().zip(lanes.strides) {
            *axis = Axis::new(axis.extent, *stride);
        }
        let Some(offsets) = lanes.offsets else { return Some(strided) };
        let dtype = self.function.ty(offsets).dtype();
        let Form::Numbers(form) = self.operand(offsets, (shape, dtype))? else { return None };
        // Addresses count modulo 2^64.
        if dtype.bits() < 64 && !self.is_exact(&form, dtype) {
            return None;
        }
        form.add(&strided)
    }

    fn mask(&mut self, mask: Option<Value>, shape: &[u64]) -> Option<Mask> {
        let Some(mask) = mask else { return Some(Mask::default()) };
        match self.operand(mask, (shape, DType::I1))? {
            Form::Mask(mask) => Some(mask),
            Form::Numbers(_) => None,
        }
    }
}

/// The axes of more than one lane; those that run on into one another, in memory and in every test,
/// are one. `None` where a test depends on an axis that wraps.
fn merged(axes: &[Axis], tests: &[Affine]) -> Option<Vec<Lane>> {
    let mut merged: Vec<Lane> = Vec::new();
    for (at, axis) in axes.iter().enumerate() {
        let own: Vec<&Axis> = tests.iter().map(|test| &test.axes[at]).collect();
        if own.iter().any(|axis| axis.wrap.is_some()) {
            return None;
        }
        if axis.extent == 1 && axis.wrap.is_none() {
            continue;
        }
        let tests: Vec<i64> = own.iter().map(|axis| axis.stride).collect();
        let rows = |stride: i64| i64::try_from(axis.extent).ok()?.checked_mul(stride);
        let runs_on = |outer: &&mut Lane| {
            let same_tests = outer.tests.iter().zip(&tests).all(|(x, y)| Some(*x) == rows(*y));
            let wraps = outer.place.wrap.is_some() || axis.wrap.is_some();
            !wraps && same_tests && Some(outer.place.stride) == rows(axis.stride)
        };
        if let Some(outer) = merged.last_mut().filter(runs_on) {
            outer.place.extent = outer.place.extent.checked_mul(axis.extent)?;
            outer.place.stride = axis.stride;
            outer.tests = tests;
        } else {
            merged.push(Lane { place: axis.clone(), tests });
        }
    }
    Some(merged)
}
