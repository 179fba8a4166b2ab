//! Where the parts of a tensor that a [`DpPolicy`] places lie: which PE holds which block, and in which
//! order the blocks lie in the tensor's stretch of the address space.
//!
//! A tensor of shape `(a, …, z)` is a matrix to a policy: `a` rows, `z` columns, whatever lies between going
//! with each element; `(z,)` is one row. Blocks lie one after another, those of the first cube first, each
//! dense and row by row in its own shape, so that a PE's share is one stretch of memory: what DTensor calls
//! the local tensor. Row-wise that is the tensor's own order; column-wise it is not, and the host puts
//! elements in their places as it writes and reads.

use std::ops::Range;
use std::sync::Arc;

use super::policy::{DpPolicy, Field, Form, Part, PolicyFault};
use crate::launch::{Copies, Placement as Stretches, Shard};
use crate::shape::Shape;
use crate::topology::{Extent, PeCoord, PeId};

/// What one PE holds of a tensor, or several that hold the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its rows: indices of the first axis.
    pub rows: Range<u64>,
    /// Its columns: indices of the last axis.
    pub columns: Range<u64>,
    /// Where it begins in the tensor's stretch, in elements.
    pub offset: u64,
}

/// A policy, resolved for one tensor on one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    policy: DpPolicy,
    part: Part,
    extent: Extent,
    shape: Shape,
    /// What each cube holds, all its PEs together; one where all hold the same.
    of_cubes: Vec<Block>,
    /// What each PE holds, cube after cube; one for each cube where its PEs hold the same.
    blocks: Vec<Block>,
    /// Whether the order in memory is that of the tensor.
    is_in_order: bool,
}

/// One PE's share of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardSpec {
    /// Whose.
    pub pe: PeCoord,
    /// Where it begins in the tensor's stretch, in bytes.
    pub offset_bytes: u64,
    /// Its size in bytes.
    pub nbytes: u64,
    /// Its rows.
    pub rows: Range<u64>,
    /// Its columns.
    pub columns: Range<u64>,
    /// Its shape.
    pub shape: Shape,
}

impl Layout {
    /// `policy` for a tensor of `shape` on `part` of a machine.
    ///
    /// # Errors
    /// A tensor without axes cannot be cut, one of a single axis not by rows.
    pub fn new(
        policy: DpPolicy,
        shape: &Shape,
        (part, extent): (Part, Extent),
    ) -> Result<Layout, PolicyFault> {
        for (form, count, field) in
            [(policy.cube, part.cubes, Field::Cube), (policy.pe, part.pes, Field::Pe)]
        {
            let is_by_rows = form.is_cut() && form != Form::ColumnWise;
            let why = match shape.rank() {
                0 if form.is_cut() => "a single element, no rows or columns",
                1 if is_by_rows && count > 1 => "a single row",
                _rank => continue,
            };
            let name = form.name();
            let message = format!("a tensor of shape {shape} is {why}, which {name} cannot cut");
            return Err(PolicyFault { field, message });
        }
        let mut layout = Layout {
            policy,
            part,
            extent,
            shape: shape.clone(),
            of_cubes: Vec::new(),
            blocks: Vec::new(),
            is_in_order: true,
        };
        layout.cut();
        layout.is_in_order = layout.runs_in_order();
        Ok(layout)
    }

    fn cut(&mut self) {
        let (policy, part) = (self.policy, self.part);
        let cubes = if policy.cube.is_cut() { part.cubes } else { 1 };
        let pes = if policy.pe.is_cut() { part.pes } else { 1 };
        let whole = [0..self.rows(), 0..self.columns()];
        let mut offset = 0;
        for cube in 0..cubes {
            let of_cube = policy.cube.part(cube, cubes, &whole);
            let [rows, columns] = of_cube.clone();
            self.of_cubes.push(Block { rows, columns, offset });
            for pe in 0..pes {
                let [rows, columns] = policy.pe.part(pe, pes, &of_cube);
                let block = Block { rows, columns, offset };
                offset += self.elements_of(&block);
                self.blocks.push(block);
            }
        }
    }

    /// The policy.
    pub fn policy(&self) -> &DpPolicy {
        &self.policy
    }

    /// The PEs that hold it.
    pub fn part(&self) -> Part {
        self.part
    }

    /// How the PEs of the machine stand.
    pub(super) fn machine(&self) -> &Extent {
        &self.extent
    }

    /// Whether both cut tensors of one shape.
    pub(super) fn is_of_shape(&self, other: &Layout) -> bool {
        self.shape == other.shape
    }

    /// Whether the order in memory is that of the tensor.
    pub fn is_in_order(&self) -> bool {
        self.is_in_order
    }

    fn rows(&self) -> u64 {
        if self.shape.rank() < 2 { 1 } else { self.shape.0[0] }
    }

    fn columns(&self) -> u64 {
        self.shape.0.last().copied().unwrap_or(1)
    }

    /// Elements that go with each row and column: the extents between.
    fn depth(&self) -> u64 {
        let inner = self.shape.0.iter().skip(1).rev().skip(1);
        inner.fold(1, |product: u64, extent| product.saturating_mul(*extent))
    }

    pub(super) fn elements_of(&self, block: &Block) -> u64 {
        let (rows, columns) = (&block.rows, &block.columns);
        let plane = (rows.end - rows.start).saturating_mul(columns.end - columns.start);
        plane.saturating_mul(self.depth())
    }

    fn shape_of(&self, block: &Block) -> Shape {
        let mut shape = self.shape.clone();
        if shape.rank() >= 2 {
            shape.0[0] = block.rows.end - block.rows.start;
        }
        if let Some(last) = shape.0.last_mut() {
            let is_there = block.rows.start < block.rows.end || self.shape.rank() >= 2;
            *last = if is_there { block.columns.end - block.columns.start } else { 0 };
        }
        shape
    }

    /// The block of a PE of the part, counted from its first cube and PE; of one outside, some other's.
    fn block(&self, cube: u32, pe: u32) -> &Block {
        let pes = if self.policy.pe.is_cut() { self.part.pes } else { 1 };
        let (cube, pe) = (if self.policy.cube.is_cut() { cube } else { 0 }, pe.min(pes - 1));
        &self.blocks[(cube * pes + pe) as usize]
    }

    /// What `pe` holds; `None` where it holds nothing.
    pub fn held_by(&self, pe: PeId) -> Option<&Block> {
        let PeCoord { cube, pe, .. } = self.part.place(self.extent.coord(pe))?;
        let block = self.block(cube, pe);
        (self.elements_of(block) > 0).then_some(block)
    }

    /// The shape of the first PE's share, which is the largest.
    pub fn local_shape(&self) -> Shape {
        self.shape_of(self.block(0, 0))
    }

    /// The shape of what the PEs of the first cube hold together, which is the largest.
    pub fn cube_shape(&self) -> Shape {
        self.of_cubes.first().map_or_else(Shape::default, |block| self.shape_of(block))
    }

    /// Every PE's share, those without elements included, in the order of the PEs.
    pub fn shards(&self, itemsize: u64) -> Vec<ShardSpec> {
        let of = |pe: PeId| {
            let pe = self.extent.coord(pe);
            let block = self.block(pe.cube - self.part.first_cube, pe.pe);
            ShardSpec {
                pe,
                offset_bytes: block.offset.saturating_mul(itemsize),
                nbytes: self.elements_of(block).saturating_mul(itemsize),
                rows: block.rows.clone(),
                columns: block.columns.clone(),
                shape: self.shape_of(block),
            }
        };
        self.part.members(&self.extent).into_iter().map(of).collect()
    }

    /// How many complete copies there are.
    pub fn copies(&self) -> u32 {
        let [cubes, pes] = self.copies_of_each();
        self.part.sips * cubes * pes
    }

    /// Copies among the cubes of a SIP, and among the PEs of a cube.
    fn copies_of_each(&self) -> [u32; 2] {
        let of = |is_cut: bool, count: u32| if is_cut { 1 } else { count };
        let (policy, part) = (&self.policy, &self.part);
        [of(policy.cube.is_cut(), part.cubes), of(policy.pe.is_cut(), part.pes)]
    }

    /// Which copy `pe` sees: the one that it holds a part of; where that is not one, the one of the first
    /// SIP, of the first cube, of the first PE.
    fn seen_by(&self, pe: PeId) -> u32 {
        let PeCoord { sip, cube, pe } = self.extent.coord(pe);
        let [cubes, pes] = self.copies_of_each();
        let within = |at: u32, count: u32| if at < count { at } else { 0 };
        let sip = within(sip.wrapping_sub(self.part.first_sip), self.part.sips);
        let cube = within(cube.wrapping_sub(self.part.first_cube), cubes);
        (sip * cubes + cube) * pes + within(pe, pes)
    }

    /// A PE that sees copy 0.
    pub fn first_reader(&self) -> PeId {
        self.extent.pe_at(PeCoord { sip: self.part.first_sip, cube: self.part.first_cube, pe: 0 })
    }

    /// The PE of the first copy that holds the element at `place`, counted row by row.
    pub fn owner(&self, place: u64) -> PeId {
        let at = self.in_memory(place);
        let pes = if self.policy.pe.is_cut() { self.part.pes } else { 1 };
        let index =
            self.blocks.partition_point(|block| block.offset <= at).saturating_sub(1) as u32;
        let (cube, pe) = (self.part.first_cube + index / pes, index % pes);
        self.extent.pe_at(PeCoord { sip: self.part.first_sip, cube, pe })
    }

    /// The stretches of memory of elements of `itemsize` bytes, as a launch is told of them.
    pub fn stretches(&self, itemsize: u64) -> Stretches {
        let mut copies: Vec<Vec<Shard>> = vec![Vec::new(); self.copies() as usize];
        for pe in self.part.members(&self.extent) {
            let at = self.extent.coord(pe);
            let block = self.block(at.cube - self.part.first_cube, at.pe);
            let bytes = self.elements_of(block).saturating_mul(itemsize);
            if bytes > 0 {
                let offset = block.offset.saturating_mul(itemsize);
                copies[self.seen_by(pe) as usize].push(Shard { offset, bytes, pe });
            }
        }
        if copies.len() == 1 {
            return Stretches::Sharded(copies.pop().unwrap_or_default());
        }
        let seen = (0..self.extent.pe_count()).map(|pe| self.seen_by(PeId(pe))).collect();
        let copies =
            Copies::new(copies, seen).expect("each copy is cut alike and seen by its holders");
        Stretches::Copied(Arc::new(copies))
    }

    // ---- the order of elements --------------------------------------------------------------

    /// Calls `visit(place, place in memory, elements)` for each run of elements that follow one another in
    /// both orders, in the order of memory.
    fn each_run(&self, visit: &mut dyn FnMut(u64, u64, u64)) {
        for block in &self.blocks {
            self.each_run_of(block, visit);
        }
    }

    fn each_run_of(&self, block: &Block, visit: &mut dyn FnMut(u64, u64, u64)) {
        let (depth, columns) = (self.depth(), self.columns());
        let width = block.columns.end - block.columns.start;
        if width == 0 {
            return;
        }
        let planes = block.rows.start * depth..block.rows.end * depth;
        if width == columns {
            let count = (planes.end - planes.start) * columns;
            visit(planes.start * columns, block.offset, count);
            return;
        }
        for (index, plane) in (0u64..).zip(planes) {
            visit(plane * columns + block.columns.start, block.offset + index * width, width);
        }
    }

    /// The elements of a block, in the order of memory: the first of each run of elements that follow one
    /// another in the tensor, counted row by row, and how many.
    pub fn runs(&self, block: &Block) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        self.each_run_of(block, &mut |place, _, count| found.push((place, count)));
        found
    }

    fn runs_in_order(&self) -> bool {
        let mut is_in_order = true;
        self.each_run(&mut |place, at, _| is_in_order &= place == at);
        is_in_order
    }

    /// Where in memory the element at `place`, counted row by row, lies, in elements.
    pub fn in_memory(&self, place: u64) -> u64 {
        let (depth, columns) = (self.depth().max(1), self.columns().max(1));
        let (plane, column) = (place / columns, place % columns);
        let row = plane / depth;
        let has = |it: &&Block| it.rows.contains(&row) && it.columns.contains(&column);
        self.blocks.iter().find(has).map_or(place, |block| {
            let width = block.columns.end - block.columns.start;
            block.offset + (plane - block.rows.start * depth) * width + column - block.columns.start
        })
    }

    /// The bytes of a tensor, given row by row, in the order of memory.
    pub fn scatter(&self, bytes: Vec<u8>, itemsize: u64) -> Vec<u8> {
        if self.is_in_order {
            return bytes;
        }
        let mut out = vec![0; bytes.len()];
        self.each_run(&mut |place, at, count| {
            let (from, to) = (span(place, count, itemsize), span(at, count, itemsize));
            out[to].copy_from_slice(&bytes[from]);
        });
        out
    }

    /// The bytes of a tensor, given in the order of memory, row by row.
    pub fn gather(&self, bytes: Vec<u8>, itemsize: u64) -> Vec<u8> {
        if self.is_in_order {
            return bytes;
        }
        let mut out = vec![0; bytes.len()];
        self.each_run(&mut |place, at, count| {
            let (to, from) = (span(place, count, itemsize), span(at, count, itemsize));
            out[to].copy_from_slice(&bytes[from]);
        });
        out
    }
}

/// The bytes of `count` elements from `first` on.
fn span(first: u64, count: u64, itemsize: u64) -> Range<usize> {
    (first * itemsize) as usize..((first + count) * itemsize) as usize
}
