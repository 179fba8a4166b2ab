//! Ops that pick, order and combine the elements of tiles.

use super::Parser;
use super::cursor::Parse;
use crate::diag::syntax;
use crate::ir::{
    Bitcast, BlockId, Concat, Flip, Gather, Histogram, Inspect, Inspection, Op, OpId, ReduceBy,
    Scan, ScanBy, Slice, Sort, SortKind, Value,
};
use crate::ops::BinaryOp;

impl Parser<'_, '_> {
    /// Reads an op of this family that owns no block; its name has been read.
    pub(super) fn tile_op(&mut self, name: &str) -> Parse<Op> {
        match name {
            "slice" => self.slice(),
            "flip" => self.with_axis().map(|([x], axis)| Flip { x, axis }.into()),
            "bitcast" => self.operands().map(|[x]| Bitcast { x }.into()),
            "concat" => self.with_axis().map(|([x, y], axis)| Concat { x, y, axis }.into()),
            "scan" => self.scan(),
            "sort" => self.sort(),
            "gather" => self.with_axis().map(|([x, index], axis)| Gather { x, index, axis }.into()),
            "inspect" => self.inspect(),
            _ => self.histogram(),
        }
    }

    /// Reads `%x, %y axis 0`.
    fn with_axis<const N: usize>(&mut self) -> Parse<([Value; N], u32)> {
        let values = self.operands()?;
        self.cursor.expect_word("axis")?;
        Ok((values, self.index()?))
    }

    fn slice(&mut self) -> Parse<Op> {
        let ([x], axis) = self.with_axis()?;
        self.cursor.expect_word("from")?;
        let start = self.cursor.number("a place", |text| text.parse().ok())?;
        let step = if self.cursor.eat_word("step") {
            self.cursor.number("a distance", |text| text.parse().ok())?
        } else {
            1
        };
        Ok(Slice { x, axis, start, step }.into())
    }

    fn scan(&mut self) -> Parse<Op> {
        let (name, span) = self.cursor.word("an operation of two operands")?;
        let Some(op) = BinaryOp::from_name(name) else {
            let message = format!("`{name}` does not combine two elements");
            let label = "an elementwise operation of two operands is expected";
            return Err(self.cursor.wrong(syntax::KIR_UNKNOWN_OP, message, span, label));
        };
        let ([x], axis) = self.with_axis()?;
        let reverse = self.cursor.eat_word("reverse");
        Ok(Scan { op, x, axis, reverse }.into())
    }

    fn sort(&mut self) -> Parse<Op> {
        let [x] = self.operands()?;
        let kind = if self.cursor.eat_word("merge") { SortKind::Merge } else { SortKind::Full };
        let descending = self.cursor.eat_word("descending");
        Ok(Sort { kind, x, descending }.into())
    }

    fn inspect(&mut self) -> Parse<Op> {
        let known = Inspection::ALL.into_iter().find(|it| self.cursor.eat_word(it.name()));
        let how = known.unwrap_or(Inspection::Assert);
        if known.is_none() {
            self.cursor.expect(how.name())?;
        }
        let x = self.value()?;
        self.cursor.expect(",")?;
        Ok(Inspect { how, x, text: self.cursor.string()? }.into())
    }

    fn histogram(&mut self) -> Parse<Op> {
        let [x] = self.operands()?;
        let mask = if self.cursor.eat_word("mask") { Some(self.value()?) } else { None };
        Ok(Histogram { x, mask }.into())
    }

    /// Reads `reduce_by %x, %y axis 0 -> (types) by (%a: type, …) { … }`, its name apart.
    pub(super) fn reduce_by(&mut self, op: OpId, start: usize) -> Parse<()> {
        let (xs, axis) = (self.values()?, self.worded_axis()?);
        let combine = self.combined(op, start)?;
        self.function.ops[op].op = ReduceBy { xs, axis, combine }.into();
        Ok(())
    }

    /// Reads `scan_by %x, %y axis 0 reverse -> (types) by (%a: type, …) { … }`, its name apart.
    pub(super) fn scan_by(&mut self, op: OpId, start: usize) -> Parse<()> {
        let (xs, axis) = (self.values()?, self.worded_axis()?);
        let reverse = self.cursor.eat_word("reverse");
        let combine = self.combined(op, start)?;
        self.function.ops[op].op = ScanBy { xs, axis, reverse, combine }.into();
        Ok(())
    }

    fn worded_axis(&mut self) -> Parse<u32> {
        self.cursor.expect_word("axis")?;
        self.index()
    }

    /// Reads `-> (types) by (%a: type, …) { … }`.
    fn combined(&mut self, op: OpId, start: usize) -> Parse<BlockId> {
        self.control_results(op, &[])?;
        self.function.spans.set(op, self.cursor.since(start));
        self.cursor.expect_word("by")?;
        let combine = self.function.add_block();
        self.arguments(combine)?;
        self.braced(combine)?;
        Ok(combine)
    }
}
