//! Ops that own no blocks.

use super::cursor::{Failed, Parse, shortened};
use super::{Parser, PendingCall};
use crate::arena::Id;
use crate::diag::{Diagnostic, nearest_help, syntax};
use crate::dtype::{DType, Rounding};
use crate::ir::{
    Arange, Assert, Atomic, Binary, Broadcast, Call, Cast, Channel, Clip, Compare, Condition,
    Const, Copy, DimRule, DmaDesc, DmaDim, DmaRead, DmaWrite, Dot, ExpandDims, Extent, Full,
    FuncId, GatherLoad, Literal, Load, NumPrograms, OP_KINDS, Op, OpId, PointerCast, ProgramId,
    Recv, RecvAsync, Reduce, Release, Reshape, Return, ScatterStore, Select, Send, Store, Stream,
    Ternary, Transpose, Unary, Value, Verb, Wait, Window, Wrap, Yield,
};
use crate::ops::{AtomicOp, BinaryOp, CompareOp, ReduceOp, TernaryOp, UnaryOp};
use crate::source::Span;

/// Ops that text IR calls by a word of Python's, or shorter: the kind, and the name.
const SPELT: &[(&str, &str)] = &[
    ("constant", "const"),
    ("for_loop", "for"),
    ("while_loop", "while"),
    ("branch", "if"),
    ("yields", "yield"),
    ("returns", "return"),
];

/// Kinds of ops that are spelt by the names of their tables.
const IN_TABLES: [&str; 6] = ["unary", "binary", "ternary", "compare", "reduce", "atomic"];

/// Every name an op may have in text IR.
pub fn op_names() -> Vec<&'static str> {
    let spelt = |kind: &'static str| {
        SPELT.iter().find(|(known, _)| *known == kind).map_or(kind, |(_, name)| name)
    };
    let kinds = OP_KINDS.iter().filter(|kind| !IN_TABLES.contains(kind));
    let mut names: Vec<&str> = kinds.map(|kind| spelt(kind)).collect();
    names.extend(AtomicOp::ALL.iter().map(|op| op.name()));
    names.extend(UnaryOp::ALL.iter().map(|op| op.name()));
    names.extend(BinaryOp::ALL.iter().map(|op| op.name()));
    names.extend(TernaryOp::ALL.iter().map(|op| op.name()));
    names.extend(CompareOp::ALL.iter().map(|op| op.name()));
    names.extend(ReduceOp::ALL.iter().map(|op| op.name()));
    names
}

impl Parser<'_, '_> {
    /// Reads an op whose name, `word`, has been read, and the types of its results.
    pub(super) fn plain(&mut self, id: OpId, word: (&str, Span), start: usize) -> Parse<()> {
        let op = match self.elementwise(word.0) {
            Some(op) => op?,
            None => self.named(id, word)?,
        };
        let wants_cast = matches!(op, Op::Cast(_));
        let is_return = matches!(op, Op::Return(_));
        self.function.ops[id].op = op;
        self.plain_types(id, is_return)?;
        self.function.spans.set(id, self.cursor.since(start));
        if wants_cast {
            self.set_cast_type(id);
        }
        Ok(())
    }

    /// Reads `: types`, which an op with results must have and one without must not.
    fn plain_types(&mut self, id: OpId, is_return: bool) -> Parse<()> {
        let results = self.function.ops[id].results.len();
        if is_return {
            return self.returned_types();
        }
        self.cursor.skip_blanks();
        let start = self.cursor.position();
        if results == 0 && !self.cursor.sees(":") {
            return Ok(());
        }
        self.cursor.expect(":")?;
        if results > 0 {
            self.result_types(id)?;
        }
        if results == 0 || self.cursor.sees(",") {
            let span = self.cursor.since(start);
            let message = format!("{results} results are named, and more types are given");
            return Err(self.cursor.wrong(syntax::KIR_RESULTS, message, span, "these types"));
        }
        Ok(())
    }

    /// Reads the types that the function returns.
    fn returned_types(&mut self) -> Parse<()> {
        if !self.cursor.eat(":") {
            return Ok(());
        }
        let mut types = vec![self.ty()?];
        while self.cursor.eat(",") {
            types.push(self.ty()?);
        }
        self.function.results = types;
        Ok(())
    }

    /// A cast is to the element type of its result.
    fn set_cast_type(&mut self, id: OpId) {
        let to =
            self.function.ops[id].results.first().map(|result| self.function.ty(*result).dtype());
        if let (Op::Cast(it), Some(to)) = (&mut self.function.ops[id].op, to) {
            it.to = to;
        }
    }

    /// Reads an op of one of the tables, if `name` is in one.
    fn elementwise(&mut self, name: &str) -> Option<Parse<Op>> {
        if let Some(op) = UnaryOp::from_name(name) {
            return Some(self.operands().map(|[x]| Unary { op, x }.into()));
        }
        if let Some(op) = BinaryOp::from_name(name) {
            return Some(self.operands().map(|[x, y]| Binary { op, x, y }.into()));
        }
        if let Some(op) = TernaryOp::from_name(name) {
            return Some(self.operands().map(|[x, y, z]| Ternary { op, x, y, z }.into()));
        }
        if let Some(op) = CompareOp::from_name(name) {
            return Some(self.operands().map(|[x, y]| Compare { op, x, y }.into()));
        }
        ReduceOp::from_name(name).map(|op| self.reduce(op))
    }

    fn named(&mut self, id: OpId, (name, span): (&str, Span)) -> Parse<Op> {
        match name {
            "const" => self.constant(),
            "select" => self.operands().map(|[condition, x, y]| Select { condition, x, y }.into()),
            "cast" => self.cast(),
            "pointer_cast" => self.operands().map(|[x]| PointerCast { x }.into()),
            "extent" => self.extent(),
            "program_id" => self.index().map(|axis| ProgramId { axis }.into()),
            "num_programs" => self.index().map(|axis| NumPrograms { axis }.into()),
            "full" => self.operands().map(|[value]| Full { value }.into()),
            "arange" => self.arange(),
            "reshape" => self.operands().map(|[x]| Reshape { x }.into()),
            "transpose" => self.transpose(),
            "expand_dims" => self.expand_dims(),
            "broadcast" => self.operands().map(|[x]| Broadcast { x }.into()),
            "copy" => self.operands().map(|[x]| Copy { x }.into()),
            "dot" => self.dot(),
            "slice" | "flip" | "bitcast" | "concat" | "scan" | "sort" | "gather" | "histogram" => {
                self.tile_op(name)
            }
            "yield" => self.listed().map(|values| Yield { values }.into()),
            "return" => self.listed().map(|values| Return { values }.into()),
            "condition" => self.condition(),
            _ => self.effect(id, (name, span)),
        }
    }

    /// Reads an op that does something beside giving a value.
    fn effect(&mut self, id: OpId, (name, span): (&str, Span)) -> Parse<Op> {
        match name {
            "load" => self.operands().map(|[ptr]| Load { ptr }.into()),
            "store" => self.operands().map(|[ptr, value]| Store { ptr, value }.into()),
            "gather_load" => self.gather_load(),
            "scatter_store" => self.scatter_store(),
            "dma_read" => self.dma_read(),
            "dma_write" => self.dma_write(),
            "composite" => self.composite(),
            "send" => self.send(),
            "recv" => self.recv(),
            "stream" => self.stream(),
            "recv_async" => self.cursor.string().map(|dir| RecvAsync { dir }.into()),
            "wait" => self.operands().map(|[future]| Wait { future }.into()),
            "channel" => self.channel(),
            "release" => self.operands().map(|[tile]| Release { tile }.into()),
            "inspect" => self.tile_op(name),
            "assert" => self.assert(),
            "call" => self.call(id),
            _ => match AtomicOp::from_name(name) {
                Some(op) => self.atomic(op),
                None => Err(self.unknown(name, span)),
            },
        }
    }

    fn unknown(&mut self, name: &str, span: Span) -> Failed {
        let message = format!("there is no operation `{}`", shortened(name));
        let mut error = Diagnostic::new(syntax::KIR_UNKNOWN_OP, message, span, "unknown operation");
        if let Some(help) = nearest_help("operation", &shortened(name), op_names()) {
            error = error.help(help);
        }
        self.cursor.report(error)
    }

    /// Reads `N` values, commas between.
    pub(super) fn operands<const N: usize>(&mut self) -> Parse<[Value; N]> {
        let mut values = [Value(0); N];
        for (index, value) in values.iter_mut().enumerate() {
            if index > 0 {
                self.cursor.expect(",")?;
            }
            *value = self.value()?;
        }
        Ok(values)
    }

    /// Reads the values that a terminator lists on its line.
    fn listed(&mut self) -> Parse<Vec<Value>> {
        if self.cursor.line_goes_on() { self.values() } else { Ok(Vec::new()) }
    }

    pub(super) fn index(&mut self) -> Parse<u32> {
        self.cursor.number("a small number", |text| text.parse().ok())
    }

    fn signed(&mut self) -> Parse<i64> {
        self.cursor.number("a 64-bit integer", |text| text.parse().ok())
    }

    fn constant(&mut self) -> Parse<Op> {
        let value = self.cursor.number("a 64-bit integer or a float", literal)?;
        Ok(Const { value }.into())
    }

    fn extent(&mut self) -> Parse<Op> {
        let rule = if self.cursor.eat_word("broadcast") {
            DimRule::Broadcast
        } else if self.cursor.eat_word("equal") {
            DimRule::Equal
        } else {
            return Err(self.cursor.unexpected("`broadcast` or `equal`"));
        };
        let [x, y] = self.operands()?;
        self.cursor.expect_word("axis")?;
        let axis = self.index()?;
        self.cursor.expect_word("of")?;
        let what = self.cursor.string()?;
        Ok(Extent { rule, x, y, what, axis }.into())
    }

    fn arange(&mut self) -> Parse<Op> {
        Ok(Arange { start: self.signed()? }.into())
    }

    fn transpose(&mut self) -> Parse<Op> {
        let [x] = self.operands()?;
        let axes = self.bracketed(Self::index)?;
        Ok(Transpose { x, axes }.into())
    }

    /// Reads `[a, b, …]`.
    pub(super) fn bracketed<T>(&mut self, read: fn(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        self.cursor.expect("[")?;
        let mut items = Vec::new();
        while !self.cursor.eat("]") {
            if !items.is_empty() {
                self.cursor.expect(",")?;
            }
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn expand_dims(&mut self) -> Parse<Op> {
        let [x] = self.operands()?;
        self.cursor.expect_word("axis")?;
        let axis = self.index()?;
        Ok(ExpandDims { x, axis }.into())
    }

    fn reduce(&mut self, op: ReduceOp) -> Parse<Op> {
        let [x] = self.operands()?;
        let axis = if self.cursor.eat_word("axis") { Some(self.index()?) } else { None };
        let keep_dims = self.cursor.eat_word("keep_dims");
        Ok(Reduce { op, x, axis, keep_dims }.into())
    }

    /// Reads `%x toward_zero`; the element type follows with the type of the result.
    fn cast(&mut self) -> Parse<Op> {
        let [x] = self.operands()?;
        let toward_zero = self.cursor.eat_word("toward_zero");
        let rounding = if toward_zero { Rounding::TowardZero } else { Rounding::NearestEven };
        Ok(Cast { x, to: DType::I1, rounding }.into())
    }

    fn dot(&mut self) -> Parse<Op> {
        let [a, b] = self.operands()?;
        let acc = if self.cursor.eat(",") { Some(self.value()?) } else { None };
        Ok(Dot { a, b, acc }.into())
    }

    fn condition(&mut self) -> Parse<Op> {
        let condition = self.value()?;
        let values = if self.cursor.eat(",") { self.values()? } else { Vec::new() };
        Ok(Condition { condition, values }.into())
    }

    /// Reads `desc [64:2, 32:128] elem 2`.
    fn desc(&mut self) -> Parse<DmaDesc> {
        self.cursor.expect_word("desc")?;
        let dims = self.bracketed(Self::desc_dim)?;
        self.cursor.expect_word("elem")?;
        let elem_bytes = self.cursor.number("a size", |text| text.parse().ok())?;
        Ok(DmaDesc { dims, elem_bytes })
    }

    fn desc_dim(&mut self) -> Parse<DmaDim> {
        let extent = self.cursor.number("an extent", |text| text.parse().ok())?;
        self.cursor.expect(":")?;
        let stride = self.signed()?;
        Ok(DmaDim { extent, stride })
    }

    fn dma_read(&mut self) -> Parse<Op> {
        let [base] = self.operands()?;
        let (desc, window) = (self.desc()?, self.window()?);
        let fill = if self.cursor.eat_word("fill") { Some(self.value()?) } else { None };
        Ok(DmaRead { base, desc, window, fill }.into())
    }

    fn dma_write(&mut self) -> Parse<Op> {
        let [base, value] = self.operands()?;
        let (desc, window) = (self.desc()?, self.window()?);
        Ok(DmaWrite { base, desc, window, value }.into())
    }

    /// Reads `clip [0: %lo to %hi, 1: to %hi] wrap [0: %s mod 512]`, of what there is.
    fn window(&mut self) -> Parse<Window> {
        let mut window = Window::default();
        if self.cursor.eat_word("clip") {
            window.clips = self.bracketed(Self::clip)?;
        }
        if self.cursor.eat_word("wrap") {
            window.wraps = self.bracketed(Self::wrap)?;
        }
        Ok(window)
    }

    fn clip(&mut self) -> Parse<Clip> {
        let axis = self.index()?;
        self.cursor.expect(":")?;
        let lo = if self.cursor.sees("%") { Some(self.value()?) } else { None };
        let hi = if self.cursor.eat_word("to") { Some(self.value()?) } else { None };
        Ok(Clip { axis, lo, hi })
    }

    fn wrap(&mut self) -> Parse<Wrap> {
        let axis = self.index()?;
        self.cursor.expect(":")?;
        let start = self.value()?;
        self.cursor.expect_word("mod")?;
        let period = self.cursor.number("a period", |text| text.parse().ok())?;
        Ok(Wrap { axis, start, period })
    }

    fn gather_load(&mut self) -> Parse<Op> {
        let ptr = self.value()?;
        let [offsets, mask, other] = self.lanes(["offsets", "mask", "other"])?;
        Ok(GatherLoad { ptr, strides: self.strides()?, offsets, mask, other }.into())
    }

    fn scatter_store(&mut self) -> Parse<Op> {
        let [ptr, value] = self.operands()?;
        let [offsets, mask] = self.lanes(["offsets", "mask"])?;
        Ok(ScatterStore { ptr, strides: self.strides()?, offsets, value, mask }.into())
    }

    fn atomic(&mut self, op: AtomicOp) -> Parse<Op> {
        let [ptr, value] = self.operands()?;
        let [expected, offsets, mask] = self.lanes(["expected", "offsets", "mask"])?;
        Ok(Atomic { op, ptr, strides: self.strides()?, offsets, value, expected, mask }.into())
    }

    /// Reads the operands that stand after these words, each if its word is there.
    fn lanes<const N: usize>(&mut self, words: [&str; N]) -> Parse<[Option<Value>; N]> {
        let mut operands = [None; N];
        for (operand, word) in operands.iter_mut().zip(words) {
            if self.cursor.eat_word(word) {
                *operand = Some(self.value()?);
            }
        }
        Ok(operands)
    }

    fn strides(&mut self) -> Parse<Vec<i64>> {
        if self.cursor.eat_word("strides") { self.bracketed(Self::signed) } else { Ok(Vec::new()) }
    }

    fn send(&mut self) -> Parse<Op> {
        let dir = self.cursor.string()?;
        self.cursor.expect(",")?;
        let src = self.value()?;
        Ok(Send { dir, src }.into())
    }

    fn recv(&mut self) -> Parse<Op> {
        let dir = self.cursor.string()?;
        let dst = if self.cursor.eat_word("dst") { Some(self.value()?) } else { None };
        let consume = !self.cursor.eat_word("no_consume");
        Ok(Recv { dir, dst, consume }.into())
    }

    fn stream(&mut self) -> Parse<Op> {
        let from = self.cursor.string()?;
        let reduce = BinaryOp::ALL.iter().copied().find(|op| self.cursor.eat_word(op.name()));
        let acc = if reduce.is_some() { Some(self.value()?) } else { None };
        let has_outputs = self.cursor.eat_word("to");
        let to = if has_outputs { self.bracketed(|it| it.cursor.string())? } else { Vec::new() };
        Ok(Stream { from, reduce, acc, to }.into())
    }

    fn channel(&mut self) -> Parse<Op> {
        let (name, span) = self.cursor.word("what is asked for")?;
        let Some(verb) = Verb::from_name(name) else {
            let message = format!("nothing called `{}` can be asked for", shortened(name));
            let mut error =
                Diagnostic::new(syntax::KIR_UNKNOWN_OP, message, span, "not asked of channels");
            let names = Verb::ALL.iter().map(|verb| verb.name());
            if let Some(help) = nearest_help("request", &shortened(name), names) {
                error = error.help(help);
            }
            return Err(self.cursor.report(error));
        };
        let (mut words, mut numbers) = (Vec::new(), Vec::new());
        while self.cursor.sees("\"") {
            words.push(self.cursor.string()?);
        }
        while self.cursor.sees("[") {
            numbers.push(self.bracketed(|it| it.value())?);
        }
        Ok(Channel { verb, words, numbers }.into())
    }

    fn assert(&mut self) -> Parse<Op> {
        let condition = self.value()?;
        self.cursor.expect(",")?;
        let message = self.cursor.string()?;
        Ok(Assert { condition, message }.into())
    }

    fn call(&mut self, op: OpId) -> Parse<Op> {
        let (callee, span) = self.symbol()?;
        self.cursor.expect("(")?;
        let mut args = Vec::new();
        while !self.cursor.eat(")") {
            if !args.is_empty() {
                self.cursor.expect(",")?;
            }
            args.push(self.value()?);
        }
        let caller = FuncId::from_index(self.module.functions.len());
        self.calls.push(PendingCall { caller, op, callee, span });
        // Joined to the function of this name once every function is read.
        Ok(Call { callee: caller, args }.into())
    }
}

/// An integer, a float with a point or exponent, `inf`, `-inf` or `nan`.
fn literal(text: &str) -> Option<Literal> {
    match text {
        "inf" => return Some(Literal::Float(f64::INFINITY)),
        "-inf" => return Some(Literal::Float(f64::NEG_INFINITY)),
        "nan" => return Some(Literal::Float(f64::NAN)),
        _ => {}
    }
    let is_float = text.contains(['.', 'e', 'E']);
    let starts = text.trim_start_matches('-').starts_with(|char: char| char.is_ascii_digit());
    match (starts, is_float) {
        (false, _) => None,
        (true, true) => text.parse().ok().map(Literal::Float),
        (true, false) => text.parse().ok().map(Literal::Int),
    }
}
