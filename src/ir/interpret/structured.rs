//! Ops that pick, order and combine the elements of tiles.

use super::number::{self, Number};
use super::program::{Flow, Held, Open, Program};
use super::step::{Out, Step};
use super::tile::{Tile, count, index_of};
use super::{Reason, World};
use crate::dtype::DType;
use crate::ir::{
    BlockId, Function, Gather, Histogram, Op, Reduce, ReduceBy, Scan, ScanBy, Sort, SortKind,
    Value, Visit,
};
use crate::ops::{BinaryOp, CompareOp, ReduceOp};

/// What an op along an axis that is not there is.
pub(super) const AXIS: Reason = Reason::Malformed("an axis is not there");

const SHAPES: Reason = Reason::Malformed("shapes do not fit");

impl Tile {
    /// The tile of `shape` whose element at an index is this tile's at what `from` makes of it.
    pub(super) fn picked(
        &self,
        shape: Vec<usize>,
        from: impl Fn(&mut Vec<usize>) -> Result<(), Reason>,
    ) -> Result<Tile, Reason> {
        Tile::build(self.dtype, shape.clone(), |place| {
            let mut index = index_of(place, &shape);
            from(&mut index)?;
            self.at(&index)
        })
    }

    /// This tile, then `other` along an axis.
    pub(super) fn then(&self, other: &Tile, axis: usize) -> Result<Tile, Reason> {
        let first = *self.shape.get(axis).ok_or(SHAPES)?;
        let mut shape = self.shape.clone();
        shape[axis] += *other.shape.get(axis).ok_or(SHAPES)?;
        Tile::build(self.dtype, shape.clone(), |place| {
            let mut index = index_of(place, &shape);
            if index[axis] < first {
                return self.at(&index);
            }
            index[axis] -= first;
            other.at(&index)
        })
    }

    /// The lines along an axis: the index of the first element of each.
    fn lines(&self, axis: usize) -> Result<Vec<Vec<usize>>, Reason> {
        let mut across = self.shape.clone();
        *across.get_mut(axis).ok_or(SHAPES)? = 1;
        Ok((0..count(&across)?).map(|place| index_of(place, &across)).collect())
    }

    /// Each line along an axis in the order that `ordered` gives it.
    pub(super) fn by_line(
        &self,
        axis: usize,
        mut ordered: impl FnMut(Vec<u64>) -> Result<Vec<u64>, Reason>,
    ) -> Result<Tile, Reason> {
        let mut result = self.clone();
        for first in self.lines(axis)? {
            let at = |step: usize| {
                let mut index = first.clone();
                index[axis] = step;
                index
            };
            let line = (0..self.shape[axis]).map(|step| self.at(&at(step)));
            let line = ordered(line.collect::<Result<Vec<u64>, Reason>>()?)?;
            for (step, element) in line.into_iter().enumerate() {
                let place = super::tile::place_of(&at(step), &self.shape);
                *result.elements.get_mut(place).ok_or(SHAPES)? = element;
            }
        }
        Ok(result)
    }

    /// The running combination of one line in the lane, each result rounded once.
    pub(super) fn scanned(
        &self,
        op: BinaryOp,
        reverse: bool,
        mut line: Vec<u64>,
    ) -> Result<Vec<u64>, Reason> {
        let lane = self.lane();
        if reverse {
            line.reverse();
        }
        let mut so_far = None;
        for element in &mut line {
            let wide = number::encode(lane, number::decode(self.dtype, *element));
            let next = match so_far {
                None => wide,
                Some(so_far) => number::binary(op, lane, so_far, wide)?,
            };
            so_far = Some(next);
            *element = number::encode(self.dtype, number::decode(lane, next));
        }
        if reverse {
            line.reverse();
        }
        Ok(line)
    }

    /// Whether element `x` must not stand before `y`: it is larger (smaller, if descending), where
    /// a NaN is larger than every number.
    pub(super) fn is_after(&self, x: u64, y: u64, descending: bool) -> bool {
        let (x, y) = if descending { (y, x) } else { (x, y) };
        let holds = |op, x, y| number::compare(op, self.dtype, x, y) != 0;
        let is_nan = |x: u64| !holds(CompareOp::Eq, x, x);
        holds(CompareOp::Gt, x, y) || (is_nan(x) && !is_nan(y))
    }

    /// How often each integer below `bins` occurs where `mask` holds.
    pub(super) fn counted(&self, bins: usize, mask: Option<&Tile>) -> Result<Tile, Reason> {
        let counts = |bin: usize| {
            let counts = self.elements.iter().enumerate().filter(|(place, element)| {
                let holds = mask
                    .is_none_or(|mask| mask.elements.get(*place).is_some_and(|it| it & 0xff != 0));
                holds && number::as_int(self.dtype, **element) == bin as i128
            });
            Ok(number::encode(DType::I32, Number::Int(counts.count() as i128)))
        };
        Tile::build(DType::I32, vec![bins], counts)
    }
}

/// One line of several tiles: the elements of each tile at every step.
type Line = Vec<Vec<Held>>;

impl<'a> Program<'a> {
    /// What the block `combine` makes of two elements.
    fn combine(
        &mut self,
        world: &mut World<'a>,
        combine: BlockId,
        (left, right): (&[Held], &[Held]),
    ) -> Result<Vec<Held>, Reason> {
        let frame = self.frame()?;
        let function = frame.function;
        let args = &function.blocks[combine].args;
        frame.define(args, left.iter().chain(right).cloned().collect());
        frame.open.push(Open { block: combine, next: 0, owner: None });
        let depth = self.depth();
        while self.depth() != depth || !self.frame()?.is_at_end() {
            if let Flow::Waits(_) = self.advance(world)? {
                return Err(Reason::Malformed("a combination waits for a message"));
            }
        }
        self.frame()?.open.pop();
        self.frame()?.all_held(function.handed_on(combine))
    }

    fn depth(&self) -> (usize, usize) {
        (self.frames.len(), self.frames.last().map_or(0, |frame| frame.open.len()))
    }

    /// The lines of `xs` along an axis, and the tile whose shape they have.
    fn lines_of(&mut self, xs: &[Value], axis: usize) -> Result<(Tile, Vec<Line>), Reason> {
        let frame = self.frame()?;
        let tiles = xs.iter().map(|x| frame.tile(*x).cloned());
        let tiles = tiles.collect::<Result<Vec<Tile>, Reason>>()?;
        let first = tiles.first().ok_or(SHAPES)?.clone();
        let mut lines = Vec::new();
        for start in first.lines(axis)? {
            let mut line = Line::new();
            for step in 0..first.shape[axis] {
                let mut index = start.clone();
                index[axis] = step;
                let element =
                    |tile: &Tile| Ok(Held::Tile(Tile::scalar(tile.dtype, tile.at(&index)?)));
                line.push(tiles.iter().map(element).collect::<Result<Vec<Held>, Reason>>()?);
            }
            lines.push(line);
        }
        Ok((first, lines))
    }

    /// Each line of `xs` along an axis, combined to one element of each tile.
    pub(super) fn reduce_by(
        &mut self,
        world: &mut World<'a>,
        (xs, axis): (&[Value], usize),
        combine: BlockId,
    ) -> Result<Vec<Vec<Held>>, Reason> {
        let (_, lines) = self.lines_of(xs, axis)?;
        let mut reduced = Vec::new();
        for mut line in lines {
            let mut over = Vec::new();
            while line.len() > 1 {
                if line.len() % 2 == 1 {
                    over.extend(line.pop());
                }
                let mut next = Line::new();
                for pair in line.chunks(2) {
                    let [left, right] = pair else { return Err(SHAPES) };
                    next.push(self.combine(world, combine, (left, right))?);
                }
                line = next;
            }
            let mut left = line.pop().ok_or(SHAPES)?;
            while let Some(right) = over.pop() {
                left = self.combine(world, combine, (&left, &right))?;
            }
            reduced.push(left);
        }
        Ok(reduced)
    }

    /// Each line of `xs` along an axis, every element combined with all before it.
    pub(super) fn scan_by(
        &mut self,
        world: &mut World<'a>,
        (xs, axis, reverse): (&[Value], usize, bool),
        combine: BlockId,
    ) -> Result<(Tile, Vec<Line>), Reason> {
        let (like, mut lines) = self.lines_of(xs, axis)?;
        for line in &mut lines {
            if reverse {
                line.reverse();
            }
            let mut distance = 1;
            while distance < line.len() {
                let before = line.clone();
                for at in distance..line.len() {
                    let pair = (before[at - distance].as_slice(), before[at].as_slice());
                    line[at] = self.combine(world, combine, pair)?;
                }
                distance *= 2;
            }
            if reverse {
                line.reverse();
            }
        }
        Ok((like, lines))
    }
}

/// The op of a computation that does nothing but combine its two operands by one. A reduction or
/// scan by it is that of the op, which has an order of its own.
pub(super) fn only_op(function: &Function, combine: BlockId) -> Option<BinaryOp> {
    let block = &function.blocks[combine];
    let ([left, right], [op, _]) = (block.args.as_slice(), block.ops.as_slice()) else {
        return None;
    };
    let Op::Binary(it) = &function.ops[*op].op else { return None };
    let mut operands = vec![(*left, *right)];
    if it.op.is_commutative() {
        operands.push((*right, *left));
    }
    let is_given = function.handed_on(combine) == [function.result(*op)];
    (is_given && operands.contains(&(it.x, it.y))).then_some(it.op)
}

/// The bits of a rank-0 tile.
pub(super) fn only(held: &Held) -> Result<u64, Reason> {
    match held {
        Held::Tile(tile) => tile.elements.first().copied().ok_or(SHAPES),
        Held::Scalar(bits) => Ok(*bits),
        Held::Future(..) => Err(SHAPES),
    }
}

impl Step<'_, '_> {
    pub(super) fn run_sort(&mut self, it: &Sort) -> Out {
        let shape = self.shape()?;
        let axis = shape.len().checked_sub(1).ok_or(AXIS)?;
        // A line is compared with itself.
        self.world.spend(count(&shape)?.saturating_mul(shape[axis]))?;
        let tile = self.frame()?.tile(it.x)?;
        let is_after = |x: u64, y: u64| tile.is_after(x, y, it.descending);
        let sorted = tile.by_line(axis, |line| {
            Ok(match it.kind {
                SortKind::Full => inserted(&line, is_after),
                SortKind::Merge => merged(line, is_after),
            })
        })?;
        self.gives_tile(sorted)
    }

    pub(super) fn run_gather(&mut self, it: &Gather) -> Out {
        let (shape, axis) = (self.shape()?, it.axis as usize);
        let frame = self.frame()?;
        let (x, places) = (frame.tile(it.x)?, frame.tile(it.index)?);
        let extent = *x.shape.get(axis).ok_or(AXIS)?;
        let tile = x.picked(shape, |index| {
            let place = number::as_int(places.dtype, places.at(index)?);
            let there = usize::try_from(place).ok().filter(|place| *place < extent);
            *index.get_mut(axis).ok_or(AXIS)? = there.ok_or(Reason::NoSuchElement(place))?;
            Ok(())
        })?;
        self.gives_tile(tile)
    }

    pub(super) fn run_histogram(&mut self, it: &Histogram) -> Out {
        let bins = self.shape()?.first().copied().ok_or(AXIS)?;
        let frame = self.frame()?;
        let mask = it.mask.map(|mask| frame.tile(mask)).transpose()?;
        let x = frame.tile(it.x)?;
        let (elements, tile) = (x.elements.len(), x.counted(bins, mask)?);
        self.world.spend(elements.saturating_mul(bins))?;
        self.gives_tile(tile)
    }

    pub(super) fn run_reduce_by(&mut self, it: &ReduceBy) -> Out {
        let op = only_op(self.frame()?.function, it.combine);
        let known = ReduceOp::ALL.iter().find(|it| !it.gives_index() && Some(it.combine()) == op);
        if let ([x], Some(op)) = (it.xs.as_slice(), known) {
            let axis = Some(it.axis);
            return self.reduce(&Reduce { op: *op, x: *x, axis, keep_dims: false });
        }
        let shape = self.shape()?;
        let lines = self.program.reduce_by(self.world, (&it.xs, it.axis as usize), it.combine)?;
        let results = self.frame()?.function.ops[self.op].results.clone();
        for (place, result) in results.iter().enumerate() {
            let dtype = self.dtype(*result)?;
            let tile = Tile::build(dtype, shape.clone(), |line| {
                lines.get(line).and_then(|line| line.get(place)).map_or(Err(AXIS), only)
            })?;
            self.frame()?.define(&[*result], vec![Held::Tile(tile)]);
        }
        Ok(Flow::Next)
    }

    pub(super) fn run_scan_by(&mut self, it: &ScanBy) -> Out {
        if let ([x], Some(op)) = (it.xs.as_slice(), only_op(self.frame()?.function, it.combine)) {
            return self.scan(&Scan { op, x: *x, axis: it.axis, reverse: it.reverse });
        }
        self.shape()?;
        let along = (it.xs.as_slice(), it.axis as usize, it.reverse);
        let (like, lines) = self.program.scan_by(self.world, along, it.combine)?;
        let results = self.frame()?.function.ops[self.op].results.clone();
        for (place, result) in results.iter().enumerate() {
            let mut next = lines.iter();
            let mut tile = like.by_line(it.axis as usize, |_| {
                let line = next.next().ok_or(AXIS)?;
                line.iter().map(|step| step.get(place).map_or(Err(AXIS), only)).collect()
            })?;
            tile.dtype = self.dtype(*result)?;
            self.frame()?.define(&[*result], vec![Held::Tile(tile)]);
        }
        Ok(Flow::Next)
    }
}

/// A line in order, by putting each element before those that must come after it.
fn inserted(line: &[u64], is_after: impl Fn(u64, u64) -> bool) -> Vec<u64> {
    let mut sorted: Vec<u64> = Vec::with_capacity(line.len());
    for element in line {
        let place = sorted.iter().position(|other| is_after(*other, *element));
        sorted.insert(place.unwrap_or(sorted.len()), *element);
    }
    sorted
}

/// The last merge of a bitonic sorter.
fn merged(mut line: Vec<u64>, is_after: impl Fn(u64, u64) -> bool) -> Vec<u64> {
    let mut distance = line.len() / 2;
    while distance > 0 {
        for at in 0..line.len() {
            let (low, high) = (at, at ^ distance);
            if low < high && high < line.len() && is_after(line[low], line[high]) {
                line.swap(low, high);
            }
        }
        distance /= 2;
    }
    line
}
