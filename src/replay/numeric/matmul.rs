//! Matrix products: each element of the result starts from its addend, or from zero, and adds
//! its products in order of `k`. A product is rounded before it is added; nothing is fused. So
//! the bits depend neither on the CPU nor on how the work is cut up, and a product over `k` in
//! two pieces, the first the addend of the second, is the product in one piece.
//!
//! The factors are packed into panels, widened to what the sums are held in (`f32`, `f64`, and
//! integers of 32 or 64 bits that wrap), and a kernel that keeps a small tile of sums in
//! registers runs over pairs of panels. Which tile is fastest depends on the width of the CPU's
//! registers; its size changes no bit.

use multiversion::multiversion;

use super::NumericError;
use super::element::{Element, Lane, elements_mut, store};
use super::operand::{BLOCK, Operand};
use crate::command::{FactorSpec, GemmSpec};
use crate::dtype::DType;
use crate::shape::Shape;

/// Products summed between two visits of a tile of sums: a panel of the right factor then fits
/// the first-level cache.
const DEPTH: usize = 128;
/// Columns of the right factor that are packed at once, to fit the second-level cache.
const COLUMNS: usize = 768;

/// Rows up to which factors are not packed.
const THIN: usize = 3;

/// What a product is made of, as bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::replay) struct Factors<'a> {
    /// `[batch, m, k]` by the spec's strides.
    pub(in crate::replay) a: &'a [u8],
    /// `[batch, k, n]` by the spec's strides.
    pub(in crate::replay) b: &'a [u8],
    /// `[batch, m, n]`, dense, of the result's type.
    pub(in crate::replay) acc: Option<&'a [u8]>,
}

/// `out = a · b (+ acc)`, dense, for each of the batch.
///
/// # Errors
/// Where the spec does not fit its operands.
pub(in crate::replay) fn matmul(
    spec: &GemmSpec,
    factors: Factors<'_>,
    out: &mut [u8],
) -> Result<(), NumericError> {
    let whole = Shape::new([spec.batch, spec.m, spec.n]);
    if whole.elements().saturating_mul(spec.out.bytes()) != out.len() as u64 {
        return Err(NumericError::Malformed("a product does not have the size of its tile"));
    }
    let factor = |bytes, spec: &FactorSpec, shape: Shape| {
        Operand::tile(spec.dtype, bytes, &shape, &spec.strides)
    };
    let acc = |acc| Operand::tile(spec.out, acc, &whole, &whole.row_major_strides());
    let mut product = Product {
        m: spec.m as usize,
        n: spec.n as usize,
        k: spec.k as usize,
        place: 0,
        a: factor(factors.a, &spec.a, spec.a_shape())?,
        b: factor(factors.b, &spec.b, spec.b_shape())?,
        acc: factors.acc.map(acc).transpose()?,
    };
    super::with_aligned(out, spec.out.bytes(), |out| {
        let size = product.m * product.n * spec.out.bytes() as usize;
        for (place, out) in out.chunks_mut(size.max(1)).enumerate() {
            product.place = place;
            product.compute(spec.out, out);
        }
        Ok(())
    })
}

/// A product of a batch, to compute.
struct Product<'a> {
    m: usize,
    n: usize,
    k: usize,
    /// Which of the batch.
    place: usize,
    /// The left factors, `[batch, m, k]`.
    a: Operand<'a>,
    /// The right factors, `[batch, k, n]`.
    b: Operand<'a>,
    /// The addends, `[batch, m, n]`.
    acc: Option<Operand<'a>>,
}

impl Product<'_> {
    /// Computes in what the sums of a result of `dtype` are held in.
    fn compute(&self, dtype: DType, out: &mut [u8]) {
        if dtype == DType::F64 {
            self.store::<f64>(dtype, out);
        } else if dtype.is_float() {
            self.store::<f32>(dtype, out);
        } else if dtype.bits() <= 32 {
            self.store::<i32>(dtype, out);
        } else {
            self.store::<i64>(dtype, out);
        }
    }

    /// Computes into `out` itself if it holds sums, else by way of a buffer.
    fn store<S: Sum>(&self, dtype: DType, out: &mut [u8]) {
        if dtype == S::DTYPE {
            let sums = elements_mut::<S>(out);
            self.sum(sums);
            return sums.iter_mut().for_each(|sum| *sum = S::from_lane(sum.to_lane()));
        }
        let mut sums = vec![S::default(); self.m * self.n];
        self.sum(&mut sums);
        let size = dtype.bytes() as usize;
        let mut lanes = [S::Lane::default(); BLOCK];
        for (sums, out) in sums.chunks(BLOCK).zip(out.chunks_mut(BLOCK * size)) {
            for (lane, sum) in lanes.iter_mut().zip(sums) {
                *lane = sum.to_lane();
            }
            store(dtype, &lanes[..sums.len()], out);
        }
    }

    /// Computes every sum.
    fn sum<S: Sum>(&self, sums: &mut [S]) {
        match &self.acc {
            Some(acc) => widen(acc, self.place * self.m * self.n, sums),
            None => sums.fill(S::default()),
        }
        if self.m <= THIN {
            return self.sum_thin(sums);
        }
        let kernel = S::kernel(self.n);
        let mut panels = Panels { a: Vec::new(), b: Vec::new() };
        for first in (0..self.k).step_by(DEPTH) {
            let depth = DEPTH.min(self.k - first);
            self.pack_a(&kernel, first, depth, &mut panels.a);
            for column in (0..self.n).step_by(COLUMNS) {
                let columns = COLUMNS.min(self.n - column);
                self.pack_b(&kernel, (first, depth), (column, columns), &mut panels.b);
                self.run(&kernel, &panels, (depth, column, columns), sums);
            }
        }
    }

    /// Computes every sum of a few rows: packing would cost more than it saves.
    fn sum_thin<S: Sum>(&self, sums: &mut [S]) {
        let mut factors = vec![S::default(); self.m * self.k];
        widen(&self.a, self.a_place(0), &mut factors);
        let mut row = [S::default(); COLUMNS];
        for column in (0..self.n).step_by(COLUMNS) {
            let columns = COLUMNS.min(self.n - column);
            let row = &mut row[..columns];
            for k in 0..self.k {
                widen(&self.b, self.b_place(k) + column, row);
                for i in 0..self.m {
                    let sums = &mut sums[i * self.n + column..][..columns];
                    add_scaled(sums, factors[i * self.k + k], row);
                }
            }
        }
    }

    /// Where row `i` of the left factor begins.
    fn a_place(&self, i: usize) -> usize {
        (self.place * self.m + i) * self.k
    }

    /// Where row `k` of the right factor begins.
    fn b_place(&self, k: usize) -> usize {
        (self.place * self.k + k) * self.n
    }

    /// Packs columns `first..first + depth` of `a` into panels of the kernel's rows; rows beyond
    /// the last are zero.
    fn pack_a<S: Sum>(&self, kernel: &Kernel<S>, first: usize, depth: usize, panels: &mut Vec<S>) {
        panels.clear();
        panels.resize(self.m.div_ceil(kernel.rows) * kernel.rows * depth, S::default());
        let mut row = [S::default(); DEPTH];
        for i in 0..self.m {
            widen(&self.a, self.a_place(i) + first, &mut row[..depth]);
            let panel = &mut panels[i / kernel.rows * kernel.rows * depth..];
            let places = panel[i % kernel.rows..].iter_mut().step_by(kernel.rows);
            for (place, value) in places.zip(&row[..depth]) {
                *place = *value;
            }
        }
    }

    /// Packs a block of `b` into panels of the kernel's columns; columns beyond the last are zero.
    fn pack_b<S: Sum>(
        &self,
        kernel: &Kernel<S>,
        (first, depth): (usize, usize),
        (column, columns): (usize, usize),
        panels: &mut Vec<S>,
    ) {
        let panel = kernel.columns * depth;
        panels.clear();
        panels.resize(columns.div_ceil(kernel.columns) * panel, S::default());
        let mut row = [S::default(); COLUMNS];
        for k in 0..depth {
            let row = &mut row[..columns];
            widen(&self.b, self.b_place(first + k) + column, row);
            for (index, part) in row.chunks(kernel.columns).enumerate() {
                let at = index * panel + k * kernel.columns;
                panels[at..at + part.len()].copy_from_slice(part);
            }
        }
    }

    /// Adds the products of the packed panels to the sums of their columns.
    fn run<S: Sum>(
        &self,
        kernel: &Kernel<S>,
        panels: &Panels<S>,
        (depth, column, columns): (usize, usize, usize),
        sums: &mut [S],
    ) {
        let b_panels = panels.b.chunks(kernel.columns * depth);
        for (b, j) in b_panels.zip((column..column + columns).step_by(kernel.columns)) {
            let width = kernel.columns.min(column + columns - j);
            for (a, i) in panels.a.chunks(kernel.rows * depth).zip((0..self.m).step_by(kernel.rows))
            {
                let height = kernel.rows.min(self.m - i);
                let tile =
                    Tile { width, height, stride: self.n, sums: &mut sums[i * self.n + j..] };
                (kernel.run)(a, b, tile);
            }
        }
    }
}

/// Both factors, packed.
struct Panels<S> {
    a: Vec<S>,
    b: Vec<S>,
}

/// Places `start..` of an operand, widened to sums.
fn widen<S: Sum>(operand: &Operand<'_>, start: usize, out: &mut [S]) {
    let mut buffer = [S::Lane::default(); BLOCK];
    for (index, out) in out.chunks_mut(BLOCK).enumerate() {
        let lanes = operand.lanes(start + index * BLOCK, &mut buffer[..out.len()]);
        for (out, lane) in out.iter_mut().zip(lanes) {
            *out = S::from_lane(*lane);
        }
    }
}

/// Adds the product of `factor` and each of `row` to each of `sums`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_scaled<S: Sum>(sums: &mut [S], factor: S, row: &[S]) {
    for (sum, value) in sums.iter_mut().zip(row) {
        *sum = sum.add_product(factor, *value);
    }
}

/// A tile of the sums: `height` rows of `width`, `stride` apart.
struct Tile<'s, S> {
    width: usize,
    height: usize,
    stride: usize,
    sums: &'s mut [S],
}

/// A way to multiply two panels.
struct Kernel<S> {
    rows: usize,
    columns: usize,
    run: fn(&[S], &[S], Tile<'_, S>),
}

/// What products are summed in.
trait Sum: Element + Default {
    /// What elements are loaded and stored as.
    type Lane: Lane;
    /// The type whose elements are sums already.
    const DTYPE: DType;
    fn from_lane(lane: Self::Lane) -> Self;
    fn to_lane(self) -> Self::Lane;
    /// `self + x * y`, each rounded or wrapped.
    fn add_product(self, x: Self, y: Self) -> Self;
    /// The fastest kernel here for `n` columns.
    fn kernel(n: usize) -> Kernel<Self>;
}

/// Whether the CPU has 512-bit registers.
fn is_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Makes a [`Sum`]; a kernel of `wide` rows and columns where registers are wide and there are
/// columns to fill it, else of `narrow`.
macro_rules! sums {
    ($($Sum:ident: $DTYPE:ident by $Lane:ident, |$x:ident, $y:ident, $z:ident| $add_product:expr,
       wide $wide_rows:literal x $wide_columns:literal,
       narrow $rows:literal x $columns:literal;)*) => {$(
        impl Sum for $Sum {
            type Lane = $Lane;
            const DTYPE: DType = DType::$DTYPE;
            #[inline(always)]
            fn from_lane(lane: $Lane) -> Self {
                Lane::to_element(lane)
            }
            #[inline(always)]
            fn to_lane(self) -> $Lane {
                Lane::from_element(self)
            }
            #[inline(always)]
            fn add_product(self, x: Self, y: Self) -> Self {
                let ($x, $y, $z) = (x, y, self);
                $add_product
            }
            fn kernel(n: usize) -> Kernel<Self> {
                if is_wide() && n > $columns {
                    Kernel {
                        rows: $wide_rows,
                        columns: $wide_columns,
                        run: wide::<Self, $wide_rows, $wide_columns>,
                    }
                } else {
                    Kernel { rows: $rows, columns: $columns, run: narrow::<Self, $rows, $columns> }
                }
            }
        }
    )*};
}

// Sizes that the compiler turns into registers without a spill; see `benches/replay.rs`.
sums! {
    f32: F32 by f32, |x, y, sum| sum + x * y, wide 6 x 64, narrow 6 x 16;
    f64: F64 by f64, |x, y, sum| sum + x * y, wide 4 x 48, narrow 6 x 8;
    i32: I32 by i64, |x, y, sum| sum.wrapping_add(x.wrapping_mul(y)), wide 6 x 64, narrow 6 x 16;
    i64: I64 by i64, |x, y, sum| sum.wrapping_add(x.wrapping_mul(y)), wide 4 x 64, narrow 6 x 8;
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl"))]
fn wide<S: Sum, const ROWS: usize, const COLUMNS: usize>(a: &[S], b: &[S], tile: Tile<'_, S>) {
    multiply::<S, ROWS, COLUMNS>(a, b, tile);
}

#[multiversion(targets("x86_64+avx2"))]
fn narrow<S: Sum, const ROWS: usize, const COLUMNS: usize>(a: &[S], b: &[S], tile: Tile<'_, S>) {
    multiply::<S, ROWS, COLUMNS>(a, b, tile);
}

/// Adds the products of two panels to a tile.
#[inline(always)]
fn multiply<S: Sum, const ROWS: usize, const COLUMNS: usize>(a: &[S], b: &[S], tile: Tile<'_, S>) {
    let mut sums = [[S::default(); COLUMNS]; ROWS];
    let rows = tile.sums.chunks_mut(tile.stride).take(tile.height);
    for (sums, row) in sums.iter_mut().zip(rows) {
        sums[..tile.width].copy_from_slice(&row[..tile.width]);
    }
    for (a, b) in a.as_chunks::<ROWS>().0.iter().zip(b.as_chunks::<COLUMNS>().0) {
        for row in 0..ROWS {
            for column in 0..COLUMNS {
                sums[row][column] = sums[row][column].add_product(a[row], b[column]);
            }
        }
    }
    let rows = tile.sums.chunks_mut(tile.stride).take(tile.height);
    for (sums, row) in sums.iter().zip(rows) {
        row[..tile.width].copy_from_slice(&sums[..tile.width]);
    }
}
