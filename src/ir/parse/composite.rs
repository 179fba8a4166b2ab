//! Composites.

use super::Parser;
use super::cursor::{Parse, shortened};
use crate::diag::{nearest_help, syntax};
use crate::ir::{Composite, Dim, End, EpilogueStep, Head, Op, Scope, StepOp};
use crate::ops::{BinaryOp, UnaryOp};

impl Parser<'_, '_> {
    /// Reads `gemm %a f16, %b f16 to %out f16 sizes [32, 64, 128]`, the epilogue and the tile.
    pub(super) fn composite(&mut self) -> Parse<Op> {
        let head = self.head()?;
        let a = self.end()?;
        let b = if self.cursor.eat(",") { Some(self.end()?) } else { None };
        self.cursor.expect_word("to")?;
        let out = self.end()?;
        self.cursor.expect_word("sizes")?;
        let sizes = self.three(Self::size)?;
        let has_epilogue = self.cursor.eat_word("epilogue");
        let epilogue = if has_epilogue { self.bracketed(Self::step)? } else { Vec::new() };
        let tiled = self.cursor.eat_word("tile");
        let tile = if tiled { Some(self.three(Self::tile_extent)?) } else { None };
        Ok(Composite { head, a, b, out, sizes, epilogue, tile }.into())
    }

    /// Reads `gemm`, `math` or `math add`.
    fn head(&mut self) -> Parse<Head> {
        if self.cursor.eat_word("gemm") {
            return Ok(Head::Gemm);
        }
        self.cursor.expect_word("math")?;
        if self.cursor.sees("%") {
            return Ok(Head::Math(None));
        }
        let (name, span) = self.cursor.word("an operation of two operands")?;
        let Some(op) = BinaryOp::from_name(name) else {
            let message = format!("`{}` does not combine two elements", shortened(name));
            let label = "an elementwise operation of two operands is expected";
            return Err(self.cursor.wrong(syntax::KIR_UNKNOWN_OP, message, span, label));
        };
        Ok(Head::Math(Some(op)))
    }

    /// Reads `%a f16`.
    fn end(&mut self) -> Parse<End> {
        Ok(End { value: self.value()?, dtype: self.dtype()? })
    }

    /// Reads `[x, y, z]`.
    fn three<T>(&mut self, read: fn(&mut Self) -> Parse<T>) -> Parse<[T; 3]> {
        match <[T; 3]>::try_from(self.bracketed(read)?) {
            Ok(three) => Ok(three),
            Err(_) => Err(self.cursor.unexpected("three extents before this")),
        }
    }

    fn size(&mut self) -> Parse<Dim> {
        match self.dim()? {
            Some(dim) => Ok(dim),
            None => Err(self.cursor.unexpected("an extent")),
        }
    }

    fn tile_extent(&mut self) -> Parse<u64> {
        self.cursor.number("an extent", |text| text.parse().ok().filter(|extent| *extent > 0))
    }

    /// Reads `add %bias output_tile`.
    fn step(&mut self) -> Parse<EpilogueStep> {
        let (name, span) = self.cursor.word("an elementwise operation")?;
        let op = UnaryOp::from_name(name).map(StepOp::Unary);
        let Some(op) = op.or_else(|| BinaryOp::from_name(name).map(StepOp::Binary)) else {
            let message = format!("`{}` is no step of an epilogue", shortened(name));
            let label = "an elementwise operation of one or two operands is expected";
            return Err(self.cursor.wrong(syntax::KIR_UNKNOWN_OP, message, span, label));
        };
        let operand = if self.cursor.sees("%") { Some(self.value()?) } else { None };
        let (name, span) = self.cursor.word("a scope")?;
        let Some(scope) = Scope::from_name(name) else {
            let message = format!("there is no scope `{}`", shortened(name));
            let scopes = Scope::ALL.map(Scope::name);
            let label = match nearest_help("scope", &shortened(name), scopes) {
                Some(help) => help,
                None => String::from("`k_tile`, `output_tile` or `kernel` is expected"),
            };
            return Err(self.cursor.wrong(syntax::KIR_UNKNOWN_OP, message, span, &label));
        };
        Ok(EpilogueStep { op, operand, scope })
    }
}
