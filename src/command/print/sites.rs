//! What a site issues, in one line, with registers by their names.

use super::expr::Pending;
use super::names::Names;
use super::{desc, message};
use crate::command::Comm;
use crate::command::{
    Arg, ArgSpec, Code, CompositeId, CompositeSpec, DescId, FactorSpec, GemmSpec, LaneArgs,
    LaneSpec, LiveSet, MathOp, MathSpec, Operand, Reg, SourceArg, Template, TileReg, WindowArgs,
};
use crate::dtype::Rounding;
use crate::ir::{Head, SortKind};
use crate::ops::AtomicOp;
use crate::shape::Shape;

/// What a site's text needs.
pub(super) struct Sites<'a> {
    pub(super) code: &'a Code,
    pub(super) comm: &'a Comm,
    pub(super) names: &'a Names<'a>,
    pub(super) pending: &'a Pending,
    /// By tile register: where the tile that is about to be made lies.
    pub(super) defined: &'a [String],
}

impl Sites<'_> {
    /// The text of a template.
    pub(super) fn text(&self, template: &Template) -> String {
        match template {
            Template::DmaRead { base, desc, window, dst } => {
                let from = self.shown(*desc, *base, window.as_deref());
                format!("{} = dma_read {from}{}", self.tile(*dst), self.place(*dst))
            }
            Template::DmaWrite { base, desc, window, src } => {
                let to = self.shown(*desc, *base, window.as_deref());
                format!("dma_write {to} from {}", self.tile(*src))
            }
            Template::DmaGather { lanes, other, dst } => {
                let spec = &self.code.lanes[lanes.spec];
                let other = self.lane_arg("other", *other, spec.value.as_ref(), spec);
                let (lanes, dst) = (self.lanes(lanes, spec), *dst);
                format!("{} = dma_gather {lanes}{other}{}", self.tile(dst), self.place(dst))
            }
            Template::DmaScatter { lanes, src } => {
                let spec = &self.code.lanes[lanes.spec];
                let src = Some(Arg::Tile(*src));
                let src = self.lane_arg("from", src, spec.value.as_ref(), spec);
                format!("dma_scatter {}{src}", self.lanes(lanes, spec))
            }
            Template::DmaAtomic { op, lanes, src, expected, dst } => {
                self.atomic(*op, lanes, [Some(*src), *expected, *dst])
            }
            Template::Math { spec, args, out } => {
                let spec = &self.code.maths[*spec];
                let args = args.iter().flatten().zip(&spec.args);
                let args: Vec<String> =
                    args.map(|(arg, read)| self.arg(*arg, read, &spec.shape)).collect();
                format!("{} = {}{}", self.tile(*out), math(spec, &args), self.place(*out))
            }
            Template::Gemm { spec, a, b, acc, out } => self.gemm(*spec, [*a, *b], *acc, *out),
            Template::Composite { spec, a, b, args, out, number } => {
                self.composite(*spec, [Some(*a), *b], args, (*out, *number))
            }
            Template::CompositeWait { number } => {
                format!("composite_wait {}", self.operand(*number))
            }
            Template::Send { .. }
            | Template::Recv { .. }
            | Template::Stream { .. }
            | Template::RecvAsync { .. } => self.exchange(template),
            Template::Wait { slot } => format!("wait {}", self.tile(*slot)),
            Template::Release { tile, live } => {
                format!("ipcq_release {}{}", self.tile(*tile), self.unless(*live))
            }
            Template::Channel(it) => super::channel::text(self.code, it.op),
            Template::Assert { message } => format!("assert {message:?}"),
        }
    }

    /// The text of what sends or receives.
    fn exchange(&self, template: &Template) -> String {
        match template {
            Template::Send { queue, src, message: sent } => format!(
                "ipcq_send {} {}  {}",
                self.comm.direction(*queue),
                self.tile(*src),
                message(*sent)
            ),
            Template::Recv { queue, dst, out, consume, message: expected } => format!(
                "{} = ipcq_recv {}{}  {}{}",
                self.tile(*out),
                self.comm.direction(*queue),
                dst.map_or(String::new(), |dst| format!(" into {}", self.tile(dst))),
                message(*expected),
                if *consume { "" } else { ", not consumed" }
            ),
            Template::Stream { queue, spec, acc, out, to, message: expected } => {
                let from = self.comm.direction(*queue);
                let args: Vec<String> = std::iter::once(from.to_owned())
                    .chain(acc.map(|acc| self.tile(acc).to_owned()))
                    .collect();
                let to: Vec<&str> = to.iter().map(|queue| self.comm.direction(*queue)).collect();
                let to =
                    if to.is_empty() { String::new() } else { format!(" to {}", to.join(", ")) };
                let name = out.map_or(String::new(), |out| format!("{} = ", self.tile(out)));
                let place = out.map_or("", |out| self.place(out));
                let made = math(&self.code.maths[*spec], &args);
                format!("{name}ipcq_stream {made}{to}  {}{place}", message(*expected))
            }
            Template::RecvAsync { queue, out, message: expected } => format!(
                "{} = ipcq_recv_async {}  {}",
                self.tile(*out),
                self.comm.direction(*queue),
                message(*expected)
            ),
            Template::DmaRead { .. }
            | Template::DmaWrite { .. }
            | Template::DmaGather { .. }
            | Template::DmaScatter { .. }
            | Template::DmaAtomic { .. }
            | Template::Math { .. }
            | Template::Gemm { .. }
            | Template::Composite { .. }
            | Template::CompositeWait { .. }
            | Template::Wait { .. }
            | Template::Release { .. }
            | Template::Channel(_)
            | Template::Assert { .. } => String::new(),
        }
    }

    fn gemm(
        &self,
        spec: crate::command::GemmId,
        [a, b]: [TileReg; 2],
        acc: Option<TileReg>,
        out: TileReg,
    ) -> String {
        let spec = &self.code.gemms[spec];
        let acc = acc.map_or(String::new(), |acc| format!(", {}", self.tile(acc)));
        format!(
            "{} = gemm({}{}, {}{}{acc})  {}{}",
            self.tile(out),
            self.tile(a),
            factor_strides(&spec.a, [spec.batch, spec.m, spec.k]),
            self.tile(b),
            factor_strides(&spec.b, [spec.batch, spec.k, spec.n]),
            gemm(spec),
            self.place(out)
        )
    }

    fn composite(
        &self,
        spec: CompositeId,
        sources: [Option<SourceArg>; 2],
        args: &[Option<Arg>],
        (out, number): (Operand, Reg),
    ) -> String {
        let spec = &self.code.composites[spec];
        let sources = sources.map(|it| it.map(|it| self.source(it)));
        let read = spec.steps.iter().filter_map(|step| step.operand.as_ref());
        let shape = Shape::new([spec.m, spec.n]);
        let args = args.iter().flatten().zip(read);
        let args: Vec<String> = args.map(|(arg, read)| self.arg(*arg, read, &shape)).collect();
        let text = composite(spec, sources, &args);
        let number = self.operand(Operand::Reg(number));
        format!("{number} = composite {text} -> {}", self.operand(out))
    }

    fn source(&self, source: SourceArg) -> String {
        match source {
            SourceArg::Tile(tile) => self.tile(tile).to_owned(),
            SourceArg::Memory(address) => format!("[{}]", self.operand(address)),
        }
    }

    /// `[64:4] elem 4 at base clip [0: 0..n]`: a block, and what of it is moved.
    fn shown(&self, desc: DescId, base: Operand, window: Option<&WindowArgs>) -> String {
        format!("{} at {}{}", self.block(desc), self.operand(base), self.window(window))
    }

    /// ` clip [0: 0..n] wrap [1: start mod 512] fill 1.0`, of what there is.
    fn window(&self, window: Option<&WindowArgs>) -> String {
        let Some(window) = window else { return String::new() };
        let bound = |it: &Option<Operand>| it.map_or(String::new(), |it| self.operand(it));
        let clips = window.clips.iter();
        let clips = clips.map(|(axis, lo, hi)| format!("{axis}: {}..{}", bound(lo), bound(hi)));
        let wraps = window.wraps.iter();
        let wraps = wraps
            .map(|(axis, start, period)| format!("{axis}: {} mod {period}", self.operand(*start)));
        let fill = window.fill.map_or(String::new(), |it| format!(" fill {}", self.operand(it)));
        format!("{}{}{fill}", listed(" clip", clips), listed(" wrap", wraps))
    }

    /// `f32[64] at base index rows mask live`.
    fn lanes(&self, lanes: &LaneArgs, spec: &LaneSpec) -> String {
        let index = lanes.index.map(Arg::Tile);
        let index = self.lane_arg("index", index, spec.index.as_ref(), spec);
        let mask = self.lane_arg("mask", lanes.mask, spec.mask.as_ref(), spec);
        format!("{} at {}{index}{mask}", lane_shape(spec), self.operand(lanes.base))
    }

    /// `old = dma_atomic add 16 x f32 at x index i with v`.
    fn atomic(
        &self,
        op: AtomicOp,
        lanes: &LaneArgs,
        [src, expected, dst]: [Option<TileReg>; 3],
    ) -> String {
        let spec = &self.code.lanes[lanes.spec];
        let read = |word, tile: Option<TileReg>| {
            self.lane_arg(word, tile.map(Arg::Tile), spec.value.as_ref(), spec)
        };
        let (src, expected) = (read("with", src), read("expected", expected));
        let found = dst.map_or(String::new(), |dst| format!("{} = ", self.tile(dst)));
        let place = dst.map_or("", |dst| self.place(dst));
        format!("{found}dma_atomic {} {}{src}{expected}{place}", verb(op), self.lanes(lanes, spec))
    }

    /// ` mask live{0, 1}`.
    fn lane_arg(
        &self,
        word: &str,
        arg: Option<Arg>,
        read: Option<&ArgSpec>,
        spec: &LaneSpec,
    ) -> String {
        let text = arg.zip(read).map(|(arg, read)| self.arg(arg, read, &spec.shape));
        text.map_or(String::new(), |text| format!(" {word} {text}"))
    }

    /// ` unless in a, b`.
    fn unless(&self, live: LiveSet) -> String {
        let live: Vec<&str> =
            self.code.live(live).iter().map(|tile| self.names.tile(*tile)).collect();
        if live.is_empty() { String::new() } else { format!(" unless held by {}", live.join(", ")) }
    }

    fn tile(&self, tile: TileReg) -> &str {
        self.names.tile(tile)
    }

    fn operand(&self, operand: Operand) -> String {
        self.pending.operand(operand, self.names).text
    }

    fn block(&self, block: DescId) -> String {
        desc(&self.code.descs[block])
    }

    fn place(&self, tile: TileReg) -> &str {
        self.defined.get(crate::arena::Id::index(tile)).map_or("", String::as_str)
    }

    fn arg(&self, arg: Arg, read: &ArgSpec, shape: &Shape) -> String {
        match arg {
            Arg::Tile(tile) => {
                let from =
                    if read.offset == 0 { String::new() } else { format!("+{}", read.offset) };
                format!("{}{from}{}", self.tile(tile), strides(&read.strides, shape))
            }
            Arg::Scalar(operand) => self.operand(operand),
        }
    }
}

/// `{1, 64}` where a factor is not simply read row by row; without the batch where there is one
/// product.
fn factor_strides(factor: &FactorSpec, [batch, rows, columns]: [u64; 3]) -> String {
    if batch == 1 {
        return strides(&factor.strides[1..], &Shape::new([rows, columns]));
    }
    strides(&factor.strides, &Shape::new([batch, rows, columns]))
}

/// `word [a, b]`, or nothing for no items.
fn listed(word: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { String::new() } else { format!("{word} [{}]", items.join(", ")) }
}

/// `{0, 1}` where a tile is not simply read row by row.
pub(super) fn strides(strides: &[i64], shape: &Shape) -> String {
    let rows = shape.row_major_strides();
    let axes = strides.iter().zip(&rows).zip(&shape.0);
    if axes.clone().all(|((own, row), extent)| own == row || *extent == 1) {
        return String::new();
    }
    let strides: Vec<String> = strides.iter().map(i64::to_string).collect();
    format!("{{{}}}", strides.join(", "))
}

/// `f32[4, 64]`, with the distances of lanes in bytes where there are any: `f32[4:0, 64:4]`.
pub(super) fn lane_shape(spec: &LaneSpec) -> String {
    if spec.strides.iter().all(|stride| *stride == 0) {
        return format!("{}{}", spec.dtype, spec.shape);
    }
    let axes = spec.shape.0.iter().zip(&spec.strides);
    let axes: Vec<String> = axes.map(|(extent, stride)| format!("{extent}:{stride}")).collect();
    format!("{}[{}]", spec.dtype, axes.join(", "))
}

/// `add(x, y)  f16[64]`.
pub(super) fn math(spec: &MathSpec, args: &[String]) -> String {
    let list = args.join(", ");
    let MathSpec { op, shape, out, .. } = spec;
    let result = format!("{out}{shape}");
    let from = spec.args.first().map_or(*out, |arg| arg.dtype);
    match op {
        MathOp::Unary(op) => format!("{}({list})  {result}", op.name()),
        MathOp::Binary(op) => format!("{}({list})  {result}", op.name()),
        MathOp::Ternary(op) => format!("{}({list})  {result}", op.name()),
        MathOp::Compare(op) => format!("{}({list})  {from}{shape}", op.name()),
        MathOp::Select => format!("select({list})  {result}"),
        MathOp::Cast(Rounding::NearestEven) => format!("cast({list}: {from})  {result}"),
        MathOp::Cast(Rounding::TowardZero) => {
            format!("cast({list}: {from}, toward_zero)  {result}")
        }
        MathOp::Full => format!("full({list})  {result}"),
        MathOp::Arange(start) => format!("arange({start})  {result}"),
        MathOp::Copy => format!("copy({list})  {result}"),
        MathOp::Reduce(op, axis) => {
            let axis = axis.map_or(String::from("all"), |axis| format!("axis {axis}"));
            format!("{}({list}, {axis})  {from}{shape}", op.name())
        }
        MathOp::Scan { op, axis, reverse } => {
            let reverse = if *reverse { ", reverse" } else { "" };
            format!("scan({}, {list}, axis {axis}{reverse})  {result}", op.name())
        }
        MathOp::Sort { kind, descending } => {
            let name = match kind {
                SortKind::Full => "sort",
                SortKind::Merge => "merge",
            };
            let order = if *descending { ", descending" } else { "" };
            format!("{name}({list}{order})  {result}")
        }
        MathOp::Concat { axis, .. } => format!("concat({list}, axis {axis})  {result}"),
        MathOp::Gather { axis, .. } => format!("gather({list}, axis {axis})  {result}"),
        MathOp::Inspect(how, _) => format!("{}({list})  {from}{shape}", how.name()),
        MathOp::Histogram { bins } => {
            format!("histogram({list}, {bins} bins)  {from}{shape}")
        }
    }
}

/// `f32[32, 64] = f16[32, 16] @ f16[16, 64]`.
pub(super) fn gemm(spec: &GemmSpec) -> String {
    let GemmSpec { batch, m, n, k, a, b, out } = spec;
    let (a, b) = (a.dtype, b.dtype);
    if *batch == 1 {
        return format!("{out}[{m}, {n}] = {a}[{m}, {k}] @ {b}[{k}, {n}]");
    }
    format!("{out}[{batch}, {m}, {n}] = {a}[{batch}, {m}, {k}] @ {b}[{batch}, {k}, {n}]")
}

/// `gemm(a, [b])  f16[64, 32] = f16[64, 96] @ f16[96, 32] by 32x32x64, add bias output_tile`.
pub(super) fn composite(
    spec: &CompositeSpec,
    sources: [Option<String>; 2],
    args: &[String],
) -> String {
    let CompositeSpec { head, m, n, k, out, .. } = spec;
    let (a, b) = (spec.a.dtype, spec.b.map(|b| b.dtype));
    let sources: Vec<String> = sources.into_iter().flatten().collect();
    let head = match (head, b) {
        (Head::Gemm, Some(b)) => format!("{out}[{m}, {n}] = {a}[{m}, {k}] @ {b}[{k}, {n}]"),
        (Head::Math(Some(op)), _) => format!("{out}[{m}, {n}] = {}({a}, {a})", op.name()),
        (Head::Gemm | Head::Math(None), _) => format!("{out}[{m}, {n}] = {a}"),
    };
    let [tile_m, tile_n, tile_k] = spec.tile_extents();
    let mut args = args.iter();
    let steps = spec.steps.iter().map(|step| {
        let arg = if step.operand.is_some() { args.next() } else { None };
        let arg = arg.map_or(String::new(), |arg| format!(" {arg}"));
        format!(", {}{arg} {}", step.op.name(), step.scope.name())
    });
    let steps: String = steps.collect();
    format!("({})  {head} by {tile_m}x{tile_n}x{tile_k}{steps}", sources.join(", "))
}

/// What an atomic command does: its name in the language without what all of them share.
pub(super) fn verb(op: AtomicOp) -> &'static str {
    op.name().trim_start_matches("atomic_")
}
