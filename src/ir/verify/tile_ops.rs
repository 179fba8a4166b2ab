//! What the ops that pick, order and combine elements take and give.

use super::control::{agree, same_extents};
use super::types::{Checked, Checker, require};
use crate::dtype::{DType, Kind};
use crate::ir::{
    Bitcast, BlockId, Concat, Dim, Dot, Gather, Histogram, Inspect, Inspection, Slice, Sort,
    SortKind, TileType, Type, Value,
};

impl<'a> Checker<'a> {
    pub(super) fn slice_of(&self, it: &Slice) -> Checked {
        let (from, to) = (self.tile(it.x)?, self.result_tile()?);
        self.axis(it.axis, from.dims.len())?;
        let axis = it.axis as usize;
        let mut dims = from.dims.clone();
        if let (Some(dim), Some(taken)) = (dims.get_mut(axis), to.dims.get(axis)) {
            self.fits(*dim, *taken, it)?;
            *dim = *taken;
        }
        self.gives_tile(&dims, from.dtype)
    }

    /// Whether `taken` elements from the start of a slice on are among `whole`.
    fn fits(&self, whole: Dim, taken: Dim, it: &Slice) -> Checked {
        require(it.step > 0, || String::from("a slice takes a step of at least 1"))?;
        let known = self.function.extent(whole).zip(self.function.extent(taken));
        let Some((whole, taken)) = known else { return Ok(()) };
        let last = i128::from(it.start) + i128::from(taken - 1) * i128::from(it.step);
        require(last < i128::from(whole), || {
            format!("a slice takes element {last} of {whole} along axis {}", it.axis)
        })
    }

    pub(super) fn dot_of(&self, it: &Dot) -> Checked {
        let (a, b, out) = (self.tile(it.a)?, self.tile(it.b)?, self.result_tile()?);
        let narrow = |it: &TileType| it.dtype.is_float() && it.dtype.bits() == 8;
        require(a.dtype == b.dtype || (narrow(a) && narrow(b)), || {
            format!("the factors of `dot` are {} and {}", a.dtype, b.dtype)
        })?;
        let kinds = (a.dtype.kind() == Kind::Float) == (out.dtype.kind() == Kind::Float);
        require(kinds, || format!("`dot` of {} does not give {}", a.dtype, out.dtype))?;
        let ([batch @ .., m, k], [batch2 @ .., k2, n]) = (a.dims.as_slice(), b.dims.as_slice())
        else {
            return Err(String::from("`dot` takes tiles of two axes, or three of a batch"));
        };
        let one_batch = batch.len() <= 1
            && batch.len() == batch2.len()
            && same_extents(self.function, batch, batch2);
        let shape = |tile: &TileType| self.function.display_shape(&tile.dims);
        require(one_batch, || {
            format!("`dot` of {} and {}: the batches differ", shape(a), shape(b))
        })?;
        require(same_extents(self.function, &[*k], &[*k2]), || {
            format!("`dot` of {} and {}: the inner extents differ", shape(a), shape(b))
        })?;
        let dims: Vec<Dim> = batch.iter().copied().chain([*m, *n]).collect();
        self.gives_tile(&dims, out.dtype)?;
        match it.acc {
            Some(acc) => {
                self.tile(acc)?;
                self.gives(self.ty(acc))
            }
            None => Ok(()),
        }
    }

    pub(super) fn bitcast_of(&self, it: &Bitcast) -> Checked {
        let (from, to) = (self.tile(it.x)?, self.result_tile()?);
        let fits = from.dtype.bits() == to.dtype.bits()
            && from.dtype.bytes() == to.dtype.bytes()
            && same_extents(self.function, &from.dims, &to.dims);
        require(fits, || {
            let to = self.function.display_type(&Type::Tile(to.clone()));
            format!("the bits of {} are not those of {to}", self.show(it.x))
        })
    }

    pub(super) fn concat_of(&self, it: &Concat) -> Checked {
        let (x, y, to) = (self.tile(it.x)?, self.tile(it.y)?, self.result_tile()?);
        self.axis(it.axis, x.dims.len())?;
        require(x.dtype == y.dtype, || {
            format!("{} is put after {}", self.show(it.y), self.show(it.x))
        })?;
        let axis = it.axis as usize;
        let extent =
            |tile: &TileType| tile.dims.get(axis).and_then(|dim| self.function.extent(*dim));
        let known = extent(x).zip(extent(y)).zip(extent(to));
        require(known.is_none_or(|((x, y), to)| x.saturating_add(y) == to), || {
            format!("axis {axis} of the result is not as long as both parts")
        })?;
        for part in [x, y] {
            let mut dims = part.dims.clone();
            if let (Some(dim), Some(whole)) = (dims.get_mut(axis), to.dims.get(axis)) {
                *dim = *whole;
            }
            self.gives_tile(&dims, x.dtype)?;
        }
        Ok(())
    }

    pub(super) fn sort_of(&self, it: &Sort) -> Checked {
        let tile = self.tile(it.x)?;
        let Some(last) = tile.dims.last() else {
            return Err(String::from("a tile without axes is not sorted"));
        };
        let extent = self.function.extent(*last).unwrap_or(1);
        let even = it.kind == SortKind::Full || (extent > 0 && extent & (extent - 1) == 0);
        require(even, || format!("{extent} elements are merged; that takes a power of two"))?;
        self.gives(self.ty(it.x))
    }

    pub(super) fn gather_of(&self, it: &Gather) -> Checked {
        let (from, index) = (self.tile(it.x)?, self.tile(it.index)?);
        self.axis(it.axis, from.dims.len())?;
        require(index.dtype.is_int(), || format!("places are integers, not {}", index.dtype))?;
        let mut dims = from.dims.clone();
        let axis = it.axis as usize;
        if let (Some(dim), Some(taken)) = (dims.get_mut(axis), index.dims.get(axis)) {
            *dim = *taken;
        }
        self.gives_tile(&index.dims, from.dtype)?;
        self.gives_tile(&dims, from.dtype)
    }

    pub(super) fn histogram_of(&self, it: &Histogram) -> Checked {
        let (from, to) = (self.tile(it.x)?, self.result_tile()?);
        let fits = from.dtype.is_int() && from.dims.len() == 1 && to.dims.len() == 1;
        require(fits && to.dtype == DType::I32, || {
            format!("a histogram counts integers along one axis in i32, not {}", self.show(it.x))
        })?;
        let Some(mask) = it.mask else { return Ok(()) };
        let mask = self.tile(mask)?;
        let fits = mask.dtype == DType::I1 && same_extents(self.function, &mask.dims, &from.dims);
        require(fits, || String::from("the mask of a histogram is an i1 for each integer"))
    }

    pub(super) fn inspect_of(&self, it: &Inspect) -> Checked {
        let tile = self.tile(it.x)?;
        require(it.how != Inspection::Assert || tile.dtype == DType::I1, || {
            format!("what is asserted is i1, not {}", self.show(it.x))
        })?;
        self.gives_tile(&[], DType::I1)
    }

    /// Checks a reduction or scan of `xs` by the block `combine`.
    pub(super) fn combined(
        &self,
        (xs, axis): (&[Value], u32),
        combine: BlockId,
        reduces: bool,
    ) -> Checked {
        let tiles: Vec<&TileType> = xs.iter().map(|x| self.tile(*x)).collect::<Result<_, _>>()?;
        let Some(first) = tiles.first() else { return Err(String::from("nothing is combined")) };
        self.axis(axis, first.dims.len())?;
        let alike = |it: &&TileType| same_extents(self.function, &first.dims, &it.dims);
        require(tiles.iter().all(alike), || String::from("what is combined differs in shape"))?;
        let element = |tile: &&TileType| Type::Tile(TileType::new(Vec::new(), tile.dtype));
        let elements: Vec<Type> = tiles.iter().map(element).collect();
        let args = &self.function.blocks[combine].args;
        let twice: Vec<&Type> = elements.iter().chain(&elements).collect();
        self.are(args, &twice, "a combination takes")?;
        let handed = self.function.handed_on(combine);
        self.are(handed, &elements.iter().collect::<Vec<_>>(), "a combination gives")?;
        let mut whole = first.dims.clone();
        if reduces {
            whole.remove(axis as usize);
        }
        let whole = tiles.iter().map(|it| Type::Tile(TileType::new(whole.clone(), it.dtype)));
        let whole: Vec<Type> = whole.collect();
        let results = &self.function.ops[self.op].results;
        self.are(results, &whole.iter().collect::<Vec<_>>(), "this gives")
    }

    fn are(&self, values: &[Value], types: &[&Type], what: &str) -> Checked {
        require(values.len() == types.len(), || {
            format!("{what} {} values, not {}", types.len(), values.len())
        })?;
        for (value, ty) in values.iter().zip(types) {
            require(agree(self.function, self.ty(*value), ty), || {
                format!("{what} {}, not {}", self.function.display_type(ty), self.show(*value))
            })?;
        }
        Ok(())
    }
}
