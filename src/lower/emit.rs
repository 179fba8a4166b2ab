//! A code in the making: its registers, its instructions, and which value is where. What single
//! ops become is in `ops`, loops and branches are in `control`.
//!
//! A view shares the register of what it views and differs in strides only.

use rustc_hash::FxHashMap;

use super::control::Task;
use super::slice::Slice;
use crate::arena::{Arena, Id, SideTable};
use crate::command::{
    Code, Comm, CompositeId, CompositeSpec, DescId, GemmId, GemmSpec, Inst, LaneId, LaneSpec,
    LiveSet, MathId, MathSpec, Operand, Pc, QueueId, Reg, ScalarExpr, Site, Template, TextId,
    TileReg,
};
use crate::diag::{Diagnostic, Reported, Sink, internal, lowering};
use crate::ir::{DmaDesc, Function, Literal, OpId, Reading, Storage, TileType, Value, ValueData};
use crate::launch::Launch;
use crate::passes::liveness::Liveness;
use crate::shape::Shape;
use crate::source::Span;

/// Entries that are kept once.
pub(super) struct Interned<T, I>(FxHashMap<T, I>);

impl<T: Clone + Eq + std::hash::Hash, I: Id> Interned<T, I> {
    fn id(&mut self, table: &mut Arena<I, T>, entry: T) -> I {
        *self.0.entry(entry).or_insert_with_key(|entry| table.push(entry.clone()))
    }
}

/// A code in the making.
pub(super) struct Emitter<'a> {
    pub(super) function: &'a Function,
    pub(super) launch: &'a Launch,
    pub(super) num_programs: [u32; 3],
    /// The queues by the name of their direction.
    queues: FxHashMap<&'a str, QueueId>,
    sink: &'a mut Sink,
    part: Part<'a>,
    pub(super) code: Code,
    /// The op that is being emitted.
    pub(super) current: OpId,
    pub(super) scalars: SideTable<Value, Option<Operand>>,
    pub(super) tiles: SideTable<Value, Option<TileReg>>,
    descs: Interned<DmaDesc, DescId>,
    maths: Interned<MathSpec, MathId>,
    texts: Interned<String, TextId>,
    gemms: Interned<GemmSpec, GemmId>,
    lanes: Interned<LaneSpec, LaneId>,
    composites: Interned<CompositeSpec, CompositeId>,
    pub(super) tasks: Vec<Task>,
}

/// What a code is made from.
pub(super) struct Source<'a> {
    pub(super) function: &'a Function,
    pub(super) launch: &'a Launch,
    pub(super) num_programs: [u32; 3],
    pub(super) comm: &'a Comm,
    /// What to emit.
    pub(super) part: Part<'a>,
}

/// What to emit of a function.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    /// All of it, with what must be left alone where a tile is made or a slot given back.
    Whole(&'a Liveness),
    /// What decides the addresses of its transfers. Tiles have no place.
    Addresses(&'a Slice),
}

/// The code of a function, with a register for each value.
pub(super) fn emit(source: &Source<'_>, sink: &mut Sink) -> Result<Code, Reported> {
    let function = source.function;
    let directions = source.comm.directions.iter().zip(0..);
    let queues = directions.map(|(name, index)| (name.as_str(), QueueId(index))).collect();
    let buffers: Vec<_> = function.buffers.values().cloned().collect();
    let end = |buffer: &crate::ir::Buffer| {
        buffer.offset.saturating_add(buffer.bytes.saturating_mul(u64::from(buffer.copies)))
    };
    let code = Code {
        name: function.name.clone(),
        regs: 3,
        scratch_bytes: buffers.iter().map(end).max().unwrap_or(0),
        buffers,
        ..Code::default()
    };
    let mut emitter = Emitter {
        function,
        launch: source.launch,
        num_programs: source.num_programs,
        queues,
        sink,
        part: source.part,
        code,
        current: OpId(0),
        scalars: SideTable::new(),
        tiles: SideTable::new(),
        descs: Interned(FxHashMap::default()),
        maths: Interned(FxHashMap::default()),
        texts: Interned(FxHashMap::default()),
        gemms: Interned(FxHashMap::default()),
        lanes: Interned(FxHashMap::default()),
        composites: Interned(FxHashMap::default()),
        tasks: vec![Task::Ops { block: function.entry, at: 0 }],
    };
    emitter.bind_params();
    emitter.run()?;
    Ok(emitter.code)
}

impl<'a> Emitter<'a> {
    /// Whether tiles are left out.
    pub(super) fn only_addresses(&self) -> bool {
        matches!(self.part, Part::Addresses(_))
    }

    /// Whether `op` is to be emitted.
    pub(super) fn has(&self, op: OpId) -> bool {
        match self.part {
            Part::Whole(_) => true,
            Part::Addresses(slice) => slice.has(op),
        }
    }

    /// The tiles that the current op must leave alone.
    pub(super) fn live_set(&mut self) -> Result<LiveSet, Reported> {
        let Part::Whole(liveness) = self.part else { return Ok(LiveSet::default()) };
        let start = self.code.live.len() as u32;
        for rival in liveness.rivals(self.current) {
            let tile = self.tile(*rival)?;
            self.code.live.push(tile);
        }
        Ok(LiveSet { start, len: self.code.live.len() as u32 - start })
    }

    /// Gives each parameter the launch's argument.
    fn bind_params(&mut self) {
        for param in &self.function.params {
            let value = self.launch.arg(&param.name).map(Operand::Const);
            self.scalars.set(param.value, value);
        }
        if self.only_addresses() {
            self.code.tiles = 1;
        }
    }

    // ------------------------------------------------------------------ values

    pub(super) fn fresh_reg(&mut self) -> Reg {
        self.code.regs += 1;
        Reg(self.code.regs - 1)
    }

    pub(super) fn fresh_tile(&mut self) -> TileReg {
        if self.only_addresses() {
            return TileReg(0);
        }
        self.code.tiles += 1;
        TileReg(self.code.tiles - 1)
    }

    pub(super) fn data(&self, value: Value) -> &'a ValueData {
        &self.function.values[value]
    }

    pub(super) fn is_tile(&self, value: Value) -> bool {
        self.data(value).ty.tile().is_some()
    }

    /// The result of the current op.
    pub(super) fn result(&mut self) -> Result<Value, Reported> {
        let results = &self.function.ops[self.current].results;
        results.first().copied().ok_or_else(|| self.bug("an op lacks its result"))
    }

    /// Whether the current op has a result.
    pub(super) fn gives_anything(&self) -> bool {
        !self.function.ops[self.current].results.is_empty()
    }

    /// The register or constant that holds a scalar.
    pub(super) fn operand(&mut self, value: Value) -> Result<Operand, Reported> {
        if let Some(operand) = self.scalars[value] {
            return Ok(operand);
        }
        let name = self.function.display_name(value);
        Err(self.bug(&format!("the scalar `{name}` has no value when it is read")))
    }

    /// Says that the scalar `value` is `operand`.
    pub(super) fn set_scalar(&mut self, value: Value, operand: Operand) {
        self.scalars.set(value, Some(operand));
    }

    /// Computes the current op's scalar result.
    pub(super) fn compute(&mut self, expr: ScalarExpr) -> Result<(), Reported> {
        let result = self.result()?;
        let dst = self.compute_fresh(expr);
        self.name_at(Pc::from_index(self.code.insts.len() - 1), result);
        self.set_scalar(result, Operand::Reg(dst));
        Ok(())
    }

    /// Computes a scalar that the function does not name.
    pub(super) fn compute_fresh(&mut self, expr: ScalarExpr) -> Reg {
        let dst = self.fresh_reg();
        self.push(Inst::Scalar { dst, expr });
        dst
    }

    /// The shape of a tile.
    pub(super) fn shape(&mut self, value: Value) -> Result<Shape, Reported> {
        let shape = self.data(value).ty.tile().and_then(TileType::shape);
        shape.ok_or_else(|| {
            let name = self.function.display_name(value);
            self.bug(&format!("the tile `{name}` has no constant shape"))
        })
    }

    /// The register that names where a tile is.
    pub(super) fn tile(&mut self, value: Value) -> Result<TileReg, Reported> {
        if self.only_addresses() {
            return Ok(TileReg(0));
        }
        self.tiles[value].ok_or_else(|| {
            let name = self.function.display_name(value);
            self.bug(&format!("the tile `{name}` has no place when it is read"))
        })
    }

    /// The element strides by which a tile is read.
    pub(super) fn strides(&mut self, value: Value) -> Result<Vec<i64>, Reported> {
        self.reading(value).map(|reading| reading.strides)
    }

    /// How a tile is read.
    pub(super) fn reading(&mut self, value: Value) -> Result<Reading, Reported> {
        self.function.reading(value).ok_or_else(|| {
            let name = self.function.display_name(value);
            self.bug(&format!("the view `{name}` cannot be read by strides"))
        })
    }

    /// The register of a tile that must lie row by row.
    pub(super) fn dense(&mut self, value: Value) -> Result<TileReg, Reported> {
        if !self.only_addresses() && !self.function.is_row_major(value) {
            let name = self.function.display_name(value);
            let rule = "is used as a whole tile but does not lie row by row";
            return Err(self.bug(&format!("the view `{name}` {rule}")));
        }
        self.tile(value)
    }

    /// Says where the tile `value` is.
    pub(super) fn set_tile(&mut self, value: Value, tile: TileReg) {
        self.tiles.set(value, Some(tile));
    }

    /// A register for the current op's result.
    pub(super) fn name_tile_result(&mut self) -> Result<TileReg, Reported> {
        let result = self.result()?;
        self.fresh_for(&[result]);
        self.tile(result)
    }

    /// Makes room for the current op's result in the buffer it was given.
    pub(super) fn define(&mut self) -> Result<TileReg, Reported> {
        let result = self.result()?;
        let dst = self.name_tile_result()?;
        if self.only_addresses() {
            return Ok(dst);
        }
        let Some(Storage::Buffer(buffer)) = self.data(result).storage else {
            let name = self.function.display_name(result);
            return Err(self.bug(&format!("the tile `{name}` was given no buffer")));
        };
        let bytes = self.data(result).ty.tile().and_then(TileType::bytes).unwrap_or(0);
        let live = self.live_set()?;
        let pc = self.push(Inst::Define { dst, buffer: buffer.0, bytes, live });
        self.name_at(pc, result);
        Ok(dst)
    }

    /// The queue of a direction.
    pub(super) fn queue(&mut self, direction: &str) -> Result<QueueId, Reported> {
        self.queues
            .get(direction)
            .copied()
            .ok_or_else(|| self.bug(&format!("the direction `{direction}` was given no queue")))
    }

    /// Where the current op was written.
    pub(super) fn span(&self) -> Span {
        self.function.spans[self.current]
    }

    pub(super) fn push(&mut self, inst: Inst) -> Pc {
        self.code.insts.push(inst);
        self.code.spans.push(self.span());
        Pc::from_index(self.code.insts.len() - 1)
    }

    /// Remembers what the kernel calls `value`, which the instruction at `pc` defines.
    pub(super) fn name_at(&mut self, pc: Pc, value: Value) {
        if let Some(name) = &self.data(value).name {
            self.code.names.push((pc, name.clone()));
        }
    }

    /// Issues a command.
    pub(super) fn issue(&mut self, template: Template) {
        let site = self.code.sites.push(Site { template, span: self.span() });
        self.push(Inst::Issue { site });
    }

    /// Issues a command that says where the current op's result is.
    pub(super) fn issue_result(&mut self, template: Template) -> Result<(), Reported> {
        self.issue(template);
        let result = self.result()?;
        self.name_at(Pc::from_index(self.code.insts.len() - 1), result);
        Ok(())
    }

    /// Stops unless `condition` holds.
    pub(super) fn refuse_unless(&mut self, condition: Operand, message: String) {
        let template = Template::Assert { message };
        let site = self.code.sites.push(Site { template, span: self.span() });
        self.push(Inst::Assert { condition, site });
    }

    pub(super) fn desc(&mut self, desc: DmaDesc) -> DescId {
        self.descs.id(&mut self.code.descs, desc)
    }

    pub(super) fn math_spec(&mut self, spec: MathSpec) -> MathId {
        self.maths.id(&mut self.code.maths, spec)
    }

    /// The number of a text.
    pub(super) fn text(&mut self, text: &str) -> TextId {
        self.texts.id(&mut self.code.texts, text.to_owned())
    }

    pub(super) fn gemm_spec(&mut self, spec: GemmSpec) -> GemmId {
        self.gemms.id(&mut self.code.gemms, spec)
    }

    pub(super) fn lane_spec(&mut self, spec: LaneSpec) -> LaneId {
        self.lanes.id(&mut self.code.lanes, spec)
    }

    pub(super) fn composite_spec(&mut self, spec: CompositeSpec) -> CompositeId {
        self.composites.id(&mut self.code.composites, spec)
    }

    /// Reports that what came here breaks the rules of the passes before.
    /// Says that what is asked of channels needs a launch of its own.
    pub(super) fn no_channels_here(&mut self, asked: &str) -> Reported {
        let name = &self.function.name;
        let message = format!("a host program cannot launch `{name}`, which uses channels");
        let label = format!("`{asked}` is asked for here");
        let it = Diagnostic::new(lowering::CHANNELS_IN_LAUNCH, message, self.span(), label);
        self.sink.error(it.help("`kbc sim` runs a kernel of channels by itself: leave `run` out"))
    }

    pub(super) fn bug(&mut self, message: &str) -> Reported {
        let message = format!("lowering `{}`: {message}", self.function.name);
        let label = "while lowering this";
        self.sink.error(Diagnostic::new(internal::INTERNAL, message, self.span(), label))
    }

    /// A constant integer.
    pub(super) fn int(value: u64) -> Operand {
        Operand::Const(Literal::Int(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}
