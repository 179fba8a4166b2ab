//! Ops that pick, order and combine the elements of tiles.

use super::number::{self, Number};
use super::program::{Flow, Held, Open, Program};
use super::tile::{Tile, count, index_of};
use super::{Reason, World};
use crate::dtype::DType;
use crate::ir::{BlockId, Function, Op, Value};
use crate::ops::{BinaryOp, CompareOp};

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
