//! Types and storage.

use super::Parser;
use super::cursor::{Parse, shortened};
use crate::diag::{Diagnostic, nearest_help, syntax};
use crate::dtype::DType;
use crate::ir::{BufferId, Dim, OpId, Storage, TileType, Type, Value};
use crate::source::Span;

impl Parser<'_, '_> {
    pub(super) fn ty(&mut self) -> Parse<Type> {
        if self.cursor.eat("*") {
            return Ok(Type::Pointer(self.dtype()?));
        }
        match self.cursor.peek_word() {
            "tile" => {
                self.cursor.expect_word("tile")?;
                Ok(Type::Tile(self.tile()?))
            }
            "future" => {
                self.cursor.expect_word("future")?;
                Ok(Type::Future(self.tile()?))
            }
            "completion" => {
                self.cursor.expect_word("completion")?;
                Ok(Type::Completion)
            }
            _ => Ok(Type::Scalar(self.dtype()?)),
        }
    }

    pub(super) fn dtype(&mut self) -> Parse<DType> {
        let (word, span) = self.cursor.word("a type")?;
        let known = DType::ALL.iter().copied().find(|dtype| dtype.name() == word);
        if let Some(dtype) = known {
            return Ok(dtype);
        }
        let message = format!("there is no element type `{}`", shortened(word));
        let mut error = Diagnostic::new(syntax::KIR_UNKNOWN_TYPE, message, span, "unknown type");
        let names = DType::ALL.iter().map(|dtype| dtype.name());
        if let Some(help) = nearest_help("type", &shortened(word), names) {
            error = error.help(help);
        }
        Err(self.cursor.report(error))
    }

    /// Reads `<64x%n x f16>`.
    fn tile(&mut self) -> Parse<TileType> {
        self.cursor.expect("<")?;
        let mut dims = Vec::new();
        while let Some(dim) = self.dim()? {
            dims.push(dim);
            self.cursor.expect("x")?;
        }
        let dtype = self.dtype()?;
        self.cursor.expect(">")?;
        Ok(TileType::new(dims, dtype))
    }

    /// Reads an extent, if one stands here.
    pub(super) fn dim(&mut self) -> Parse<Option<Dim>> {
        Ok(if self.cursor.sees("%") {
            Some(Dim::Value(self.value()?))
        } else if self.cursor.sees_number() {
            Some(Dim::Const(self.cursor.extent()?))
        } else {
            None
        })
    }

    /// Reads a type and where the bytes of a value of it are: `tile<64xf16> in buf0`.
    pub(super) fn stored_type(&mut self) -> Parse<(Type, Option<Storage>)> {
        let ty = self.ty()?;
        if !self.cursor.eat_word("in") {
            return Ok((ty, None));
        }
        let (word, span) = self.cursor.word("`slot`, `alias` or a buffer")?;
        let storage = match word {
            "slot" => Storage::Slot,
            "alias" => Storage::Alias,
            _ => Storage::Buffer(self.buffer(word, span)?),
        };
        Ok((ty, Some(storage)))
    }

    /// The buffer named `word`, which the head of the function must list.
    fn buffer(&mut self, word: &str, span: Span) -> Parse<BufferId> {
        let number = word.strip_prefix("buf").and_then(|number| number.parse().ok());
        let id = number.map(BufferId);
        match id.filter(|id| self.function.buffers.get(*id).is_some()) {
            Some(id) => Ok(id),
            None => {
                let message = format!("there is no buffer `{}`", shortened(word));
                let label = "this is not defined";
                Err(self.cursor.wrong(syntax::KIR_UNDEFINED, message, span, label))
            }
        }
    }

    /// Reads the types of the results of `op`, commas between. An extent may be an earlier result.
    pub(super) fn result_types(&mut self, op: OpId) -> Parse<()> {
        for (index, result) in self.function.ops[op].results.clone().into_iter().enumerate() {
            if index > 0 {
                self.cursor.expect(",")?;
            }
            self.stored_type_of(result)?;
        }
        Ok(())
    }

    /// Reads the type of `value`, and where its bytes are.
    pub(super) fn stored_type_of(&mut self, value: Value) -> Parse<()> {
        let (ty, storage) = self.stored_type()?;
        let data = &mut self.function.values[value];
        (data.ty, data.storage) = (ty, storage);
        Ok(())
    }
}
