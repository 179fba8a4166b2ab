//! How each op prints.

use super::{Printer, literal_text, quoted, symbol};
use crate::dtype::Rounding;
use crate::ir::{
    Arange, Assert, Atomic, Binary, Bitcast, BlockId, Broadcast, Call, Cast, Channel, Compare,
    Composite, Concat, Condition, Const, Copy, Dim, DimRule, DmaDesc, DmaRead, DmaWrite, Dot, End,
    EpilogueStep, ExpandDims, Extent, Flip, For, Full, FuncId, Gather, GatherLoad, Head, Histogram,
    If, Inspect, Load, NumPrograms, Op, OpId, PointerCast, ProgramId, Recv, RecvAsync, Reduce,
    ReduceBy, Release, Reshape, Return, Scan, ScanBy, ScatterStore, Select, Send, Slice, Sort,
    SortKind, Storage, Store, Stream, Ternary, Transpose, Type, Unary, Value, Visit, Wait, While,
    Window, Yield,
};

impl Op {
    /// The op's name in text IR: its table's, where it is in one.
    pub fn name(&self) -> &'static str {
        if let Op::Unary(it) = self {
            it.op.name()
        } else if let Op::Binary(it) = self {
            it.op.name()
        } else if let Op::Ternary(it) = self {
            it.op.name()
        } else if let Op::Compare(it) = self {
            it.op.name()
        } else if let Op::Reduce(it) = self {
            it.op.name()
        } else if let Op::Atomic(it) = self {
            it.op.name()
        } else {
            match self.kind_name() {
                "constant" => "const",
                "for_loop" => "for",
                "while_loop" => "while",
                "branch" => "if",
                "yields" => "yield",
                "returns" => "return",
                other => other,
            }
        }
    }
}

impl<'a> Printer<'a> {
    fn callee(&mut self, callee: FuncId) {
        let called = self.module.and_then(|module| module.functions.get(callee));
        self.put(called.map_or_else(|| format!("@{callee}"), |function| symbol(&function.name)));
    }

    /// Prints `name %x, %y`.
    fn simple(&mut self, name: &str, operands: &[Value]) {
        self.put(name);
        self.put(" ");
        self.values(operands);
    }

    fn desc(&mut self, desc: &DmaDesc) {
        let dims: Vec<String> =
            desc.dims.iter().map(|dim| format!("{}:{}", dim.extent, dim.stride)).collect();
        let text = format!(" desc [{}] elem {}", dims.join(", "), desc.elem_bytes);
        self.put(text);
    }

    /// ` clip [0: %lo to %hi, 1: to %hi] wrap [0: %s mod 512]`, of what there is.
    fn window(&mut self, window: &Window) {
        for (index, clip) in window.clips.iter().enumerate() {
            self.put(if index == 0 { " clip [" } else { ", " });
            self.put(format!("{}:", clip.axis));
            for (word, bound) in [(" ", clip.lo), (" to ", clip.hi)] {
                if let Some(bound) = bound {
                    self.put(word);
                    self.value(bound);
                }
            }
        }
        self.put(if window.clips.is_empty() { "" } else { "]" });
        for (index, wrap) in window.wraps.iter().enumerate() {
            self.put(if index == 0 { " wrap [" } else { ", " });
            self.put(format!("{}: ", wrap.axis));
            self.value(wrap.start);
            self.put(format!(" mod {}", wrap.period));
        }
        self.put(if window.wraps.is_empty() { "" } else { "]" });
    }

    /// ` offsets %o mask %m other %x strides [1, 64]`, of what there is.
    fn lanes(&mut self, operands: &[(&str, Option<Value>)], strides: &[i64]) {
        for (word, value) in operands {
            if let Some(value) = value {
                self.put(format!(" {word} "));
                self.value(*value);
            }
        }
        if !strides.is_empty() {
            let strides: Vec<String> = strides.iter().map(i64::to_string).collect();
            self.put(format!(" strides [{}]", strides.join(", ")));
        }
    }

    /// `%a f16`.
    fn end(&mut self, end: &End) {
        self.value(end.value);
        self.put(format!(" {}", end.dtype));
    }

    /// ` epilogue [add %bias output_tile]`, where there is one.
    fn epilogue(&mut self, steps: &[EpilogueStep]) {
        for (index, step) in steps.iter().enumerate() {
            self.put(if index == 0 { " epilogue [" } else { ", " });
            self.put(step.op.name());
            if let Some(operand) = step.operand {
                self.put(" ");
                self.value(operand);
            }
            self.put(format!(" {}", step.scope.name()));
        }
        self.put(if steps.is_empty() { "" } else { "]" });
    }

    /// The signature that `values` print with, to see whether two lists print alike.
    fn signature(&self, values: &[Value]) -> Vec<(&'a Type, Option<Storage>)> {
        let of = |value: &Value| {
            let data = &self.function.values[*value];
            (&data.ty, data.storage)
        };
        values.iter().map(of).collect()
    }

    /// Opens a block with its carried arguments: `carry (%x: i64 = %a)`.
    fn carried(&mut self, args: &[Value], inits: &[Value]) {
        if args.is_empty() && inits.is_empty() {
            return;
        }
        self.put(" carry (");
        for (index, (arg, init)) in args.iter().zip(inits).enumerate() {
            self.put(if index == 0 { "" } else { ", " });
            self.define(*arg);
            self.put(" = ");
            self.value(*init);
        }
        self.put(")");
    }

    /// Prints the results' types, unless they are those of `like`.
    fn result_types(&mut self, op: OpId, like: &[Value]) {
        let function = self.function;
        let results = &function.ops[op].results;
        if self.signature(results) == self.signature(like) {
            return;
        }
        self.put(" -> (");
        self.list(results, Printer::type_of);
        self.put(")");
    }

    /// Prints how two elements are combined: ` -> (types) by (%x: tile<f32>, %y: tile<f32>) { … }`.
    fn combined(&mut self, combine: BlockId) {
        let op = self.op;
        self.result_types(op, &[]);
        self.put(" by (");
        let function = self.function;
        self.list(&function.blocks[combine].args, Printer::define);
        self.put(")");
        self.body(combine, Some(op));
    }

    /// Prints `{`, the place of `opener` if this is its first block, the ops, and `}`.
    fn body(&mut self, block: BlockId, opener: Option<OpId>) {
        self.put(" {");
        if let Some(op) = opener {
            self.place_comment(op);
        }
        self.put("\n");
        self.indent += 1;
        self.ops(block);
        self.indent -= 1;
        self.start_line();
        self.put("}");
    }
}

impl Visit for Printer<'_> {
    type Out = ();

    fn constant(&mut self, it: &Const) {
        self.put(format!("const {}", literal_text(it.value)));
    }
    fn unary(&mut self, it: &Unary) {
        self.simple(it.op.name(), &[it.x]);
    }
    fn binary(&mut self, it: &Binary) {
        self.simple(it.op.name(), &[it.x, it.y]);
    }
    fn ternary(&mut self, it: &Ternary) {
        self.simple(it.op.name(), &[it.x, it.y, it.z]);
    }
    fn compare(&mut self, it: &Compare) {
        self.simple(it.op.name(), &[it.x, it.y]);
    }
    fn select(&mut self, it: &Select) {
        self.simple("select", &[it.condition, it.x, it.y]);
    }
    fn cast(&mut self, it: &Cast) {
        self.simple("cast", &[it.x]);
        self.put(match it.rounding {
            Rounding::NearestEven => "",
            Rounding::TowardZero => " toward_zero",
        });
    }
    fn pointer_cast(&mut self, it: &PointerCast) {
        self.simple("pointer_cast", &[it.x]);
    }
    fn extent(&mut self, it: &Extent) {
        let rule = match it.rule {
            DimRule::Broadcast => "extent broadcast",
            DimRule::Equal => "extent equal",
        };
        self.simple(rule, &[it.x, it.y]);
        self.put(format!(" axis {} of {}", it.axis, quoted(&it.what)));
    }
    fn program_id(&mut self, it: &ProgramId) {
        self.put(format!("program_id {}", it.axis));
    }
    fn num_programs(&mut self, it: &NumPrograms) {
        self.put(format!("num_programs {}", it.axis));
    }
    fn full(&mut self, it: &Full) {
        self.simple("full", &[it.value]);
    }
    fn arange(&mut self, it: &Arange) {
        self.put(format!("arange {}", it.start));
    }
    fn reshape(&mut self, it: &Reshape) {
        self.simple("reshape", &[it.x]);
    }
    fn transpose(&mut self, it: &Transpose) {
        self.simple("transpose", &[it.x]);
        let axes: Vec<String> = it.axes.iter().map(u32::to_string).collect();
        self.put(format!(" [{}]", axes.join(", ")));
    }
    fn expand_dims(&mut self, it: &ExpandDims) {
        self.simple("expand_dims", &[it.x]);
        self.put(format!(" axis {}", it.axis));
    }
    fn broadcast(&mut self, it: &Broadcast) {
        self.simple("broadcast", &[it.x]);
    }
    fn copy(&mut self, it: &Copy) {
        self.simple("copy", &[it.x]);
    }
    fn slice(&mut self, it: &Slice) {
        self.simple("slice", &[it.x]);
        self.put(format!(" axis {} from {}", it.axis, it.start));
        if it.step != 1 {
            self.put(format!(" step {}", it.step));
        }
    }
    fn flip(&mut self, it: &Flip) {
        self.simple("flip", &[it.x]);
        self.put(format!(" axis {}", it.axis));
    }
    fn bitcast(&mut self, it: &Bitcast) {
        self.simple("bitcast", &[it.x]);
    }
    fn concat(&mut self, it: &Concat) {
        self.simple("concat", &[it.x, it.y]);
        self.put(format!(" axis {}", it.axis));
    }
    fn scan(&mut self, it: &Scan) {
        self.put(format!("scan {} ", it.op.name()));
        self.value(it.x);
        self.put(format!(" axis {}", it.axis));
        self.put(if it.reverse { " reverse" } else { "" });
    }
    fn sort(&mut self, it: &Sort) {
        self.simple("sort", &[it.x]);
        self.put(match it.kind {
            SortKind::Full => "",
            SortKind::Merge => " merge",
        });
        self.put(if it.descending { " descending" } else { "" });
    }
    fn gather(&mut self, it: &Gather) {
        self.simple("gather", &[it.x, it.index]);
        self.put(format!(" axis {}", it.axis));
    }
    fn inspect(&mut self, it: &Inspect) {
        self.simple(&format!("inspect {}", it.how.name()), &[it.x]);
        self.put(format!(", {}", quoted(&it.text)));
    }
    fn histogram(&mut self, it: &Histogram) {
        self.simple("histogram", &[it.x]);
        if let Some(mask) = it.mask {
            self.put(" mask ");
            self.value(mask);
        }
    }
    fn reduce_by(&mut self, it: &ReduceBy) {
        self.simple("reduce_by", &it.xs);
        self.put(format!(" axis {}", it.axis));
        self.combined(it.combine);
    }
    fn scan_by(&mut self, it: &ScanBy) {
        self.simple("scan_by", &it.xs);
        self.put(format!(" axis {}", it.axis));
        self.put(if it.reverse { " reverse" } else { "" });
        self.combined(it.combine);
    }
    fn reduce(&mut self, it: &Reduce) {
        self.simple(it.op.name(), &[it.x]);
        if let Some(axis) = it.axis {
            self.put(format!(" axis {axis}"));
        }
        self.put(if it.keep_dims { " keep_dims" } else { "" });
    }
    fn dot(&mut self, it: &Dot) {
        self.simple("dot", &[it.a, it.b]);
        if let Some(acc) = it.acc {
            self.put(", ");
            self.value(acc);
        }
    }
    fn load(&mut self, it: &Load) {
        self.simple("load", &[it.ptr]);
    }
    fn store(&mut self, it: &Store) {
        self.simple("store", &[it.ptr, it.value]);
    }
    fn gather_load(&mut self, it: &GatherLoad) {
        self.simple("gather_load", &[it.ptr]);
        let operands = [("offsets", it.offsets), ("mask", it.mask), ("other", it.other)];
        self.lanes(&operands, &it.strides);
    }
    fn scatter_store(&mut self, it: &ScatterStore) {
        self.simple("scatter_store", &[it.ptr, it.value]);
        self.lanes(&[("offsets", it.offsets), ("mask", it.mask)], &it.strides);
    }
    fn atomic(&mut self, it: &Atomic) {
        self.simple(it.op.name(), &[it.ptr, it.value]);
        let operands = [("expected", it.expected), ("offsets", it.offsets), ("mask", it.mask)];
        self.lanes(&operands, &it.strides);
    }
    fn dma_read(&mut self, it: &DmaRead) {
        self.simple("dma_read", &[it.base]);
        self.desc(&it.desc);
        self.window(&it.window);
        if let Some(fill) = it.fill {
            self.put(" fill ");
            self.value(fill);
        }
    }
    fn dma_write(&mut self, it: &DmaWrite) {
        self.simple("dma_write", &[it.base, it.value]);
        self.desc(&it.desc);
        self.window(&it.window);
    }
    fn composite(&mut self, it: &Composite) {
        self.put("composite ");
        self.put(match it.head {
            Head::Gemm => String::from("gemm "),
            Head::Math(None) => String::from("math "),
            Head::Math(Some(op)) => format!("math {} ", op.name()),
        });
        self.end(&it.a);
        if let Some(b) = &it.b {
            self.put(", ");
            self.end(b);
        }
        self.put(" to ");
        self.end(&it.out);
        self.put(" sizes [");
        for (index, size) in it.sizes.iter().enumerate() {
            self.put(if index == 0 { "" } else { ", " });
            match size {
                Dim::Const(extent) => self.put(extent.to_string()),
                Dim::Value(value) => self.value(*value),
            }
        }
        self.put("]");
        self.epilogue(&it.epilogue);
        if let Some([m, n, k]) = it.tile {
            self.put(format!(" tile [{m}, {n}, {k}]"));
        }
    }
    fn send(&mut self, it: &Send) {
        self.put(format!("send {}, ", quoted(&it.dir)));
        self.value(it.src);
    }
    fn recv(&mut self, it: &Recv) {
        self.put(format!("recv {}", quoted(&it.dir)));
        if let Some(dst) = it.dst {
            self.put(" dst ");
            self.value(dst);
        }
        self.put(if it.consume { "" } else { " no_consume" });
    }
    fn stream(&mut self, it: &Stream) {
        self.put(format!("stream {}", quoted(&it.from)));
        if let (Some(op), Some(acc)) = (it.reduce, it.acc) {
            self.put(format!(" {} ", op.name()));
            self.value(acc);
        }
        if !it.to.is_empty() {
            let to: Vec<String> = it.to.iter().map(|dir| quoted(dir)).collect();
            self.put(format!(" to [{}]", to.join(", ")));
        }
    }
    fn recv_async(&mut self, it: &RecvAsync) {
        self.put(format!("recv_async {}", quoted(&it.dir)));
    }
    fn wait(&mut self, it: &Wait) {
        self.simple("wait", &[it.future]);
    }
    fn channel(&mut self, it: &Channel) {
        self.put(format!("channel {}", it.verb.name()));
        for word in &it.words {
            self.put(format!(" {}", quoted(word)));
        }
        for group in &it.numbers {
            self.put(" [");
            self.values(group);
            self.put("]");
        }
    }
    fn release(&mut self, it: &Release) {
        self.simple("release", &[it.tile]);
    }
    fn assert(&mut self, it: &Assert) {
        self.simple("assert", &[it.condition]);
        self.put(format!(", {}", quoted(&it.message)));
    }
    fn call(&mut self, it: &Call) {
        self.put("call ");
        self.callee(it.callee);
        self.put("(");
        self.values(&it.args);
        self.put(")");
    }
    fn for_loop(&mut self, it: &For) {
        let op = self.op;
        let args = &self.function.blocks[it.body].args;
        let (induction, carried) = match args.split_first() {
            Some((first, rest)) => (Some(*first), rest),
            None => (None, &[][..]),
        };
        self.put("for ");
        if let Some(induction) = induction {
            self.name(induction);
            self.value(induction);
            if *self.function.ty(induction) != Type::I64 {
                self.put(": ");
                self.type_of(induction);
            }
        }
        for (word, value) in [(" = ", it.lo), (" to ", it.hi), (" step ", it.step)] {
            self.put(word);
            self.value(value);
        }
        self.put(if it.unroll { " unroll" } else { "" });
        if it.stages != 1 {
            self.put(format!(" stages {}", it.stages));
        }
        self.carried(carried, &it.inits);
        self.result_types(op, carried);
        self.body(it.body, Some(op));
    }

    fn while_loop(&mut self, it: &While) {
        let op = self.op;
        let args = &self.function.blocks[it.test].args;
        self.put("while");
        self.carried(args, &it.inits);
        self.result_types(op, args);
        self.body(it.test, Some(op));
        self.put(" do (");
        let function = self.function;
        self.list(&function.blocks[it.body].args, Printer::define);
        self.put(")");
        self.body(it.body, None);
    }

    fn branch(&mut self, it: &If) {
        let op = self.op;
        self.put("if ");
        self.value(it.condition);
        self.result_types(op, &[]);
        self.body(it.then, Some(op));
        self.put(" else");
        self.body(it.otherwise, None);
    }
    fn yields(&mut self, it: &Yield) {
        self.put("yield");
        self.put(if it.values.is_empty() { "" } else { " " });
        self.values(&it.values);
    }
    fn condition(&mut self, it: &Condition) {
        self.simple("condition", &[it.condition]);
        self.put(if it.values.is_empty() { "" } else { ", " });
        self.values(&it.values);
    }
    fn returns(&mut self, it: &Return) {
        self.put("return");
        self.put(if it.values.is_empty() { "" } else { " " });
        self.values(&it.values);
        let function = self.function;
        for (index, ty) in function.results.iter().enumerate() {
            self.put(if index == 0 { " : " } else { ", " });
            self.ty(ty);
        }
    }
}
