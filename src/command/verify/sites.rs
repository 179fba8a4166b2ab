//! Rules 9 to 12: what a command is given is what it computes on.

use super::flow::Held;
use crate::arena::Id;
use crate::command::{
    Arg, ArgSpec, Code, Comm, CompositeSpec, FactorSpec, GemmSpec, LaneArgs, LaneSpec,
    MAX_STREAM_OUTPUTS, MathSpec, Message, QueueId, SourceArg, SourceSpec, Template, TileReg,
};
use crate::ops::AtomicOp;
use crate::shape::Shape;

type Check = Result<(), String>;

/// What is known of the tiles that a command names.
pub(super) struct Sizes<'a> {
    pub(super) code: &'a Code,
    pub(super) comm: &'a Comm,
    pub(super) tiles: &'a [Held],
}

impl Sizes<'_> {
    pub(super) fn check(&self, template: &Template) -> Check {
        match template {
            Template::DmaRead { desc, dst: tile, .. }
            | Template::DmaWrite { desc, src: tile, .. } => {
                self.is_long(*tile, self.code.descs[*desc].bytes(), "the block that is moved")
            }
            Template::DmaGather { lanes, other, dst } => {
                let spec = &self.code.lanes[lanes.spec];
                self.lanes(spec, lanes)?;
                self.operand(*other, spec.value.as_ref(), &spec.shape)?;
                self.is_long(*dst, spec.bytes(), "the result")
            }
            Template::DmaScatter { lanes, src } => {
                let spec = &self.code.lanes[lanes.spec];
                self.lanes(spec, lanes)?;
                self.operand(Some(Arg::Tile(*src)), spec.value.as_ref(), &spec.shape)
            }
            Template::DmaAtomic { op, lanes, src, expected, dst } => {
                let spec = &self.code.lanes[lanes.spec];
                self.lanes(spec, lanes)?;
                if expected.is_some() != (*op == AtomicOp::Cas) {
                    return Err("only a compare-and-swap expects something, and it does".into());
                }
                for tile in [Some(*src), *expected].into_iter().flatten() {
                    self.operand(Some(Arg::Tile(tile)), spec.value.as_ref(), &spec.shape)?;
                }
                dst.map_or(Ok(()), |dst| self.is_long(dst, spec.bytes(), "the result"))
            }
            Template::Math { spec, args, out } => self.math(&self.code.maths[*spec], args, *out),
            Template::Gemm { spec, a, b, acc, out } => {
                self.gemm(&self.code.gemms[*spec], [*a, *b], *acc, *out)
            }
            Template::Composite { spec, a, b, args, .. } => {
                let spec = &self.code.composites[*spec];
                self.sources(spec, [Some(*a), *b])?;
                self.step_operands(spec, args)
            }
            Template::CompositeWait { .. } => Ok(()),
            Template::Send { queue, src, message } => {
                self.message(*queue, *message)?;
                self.is_long(*src, message.bytes(), "the message")
            }
            Template::Recv { queue, dst, message, .. } => {
                self.message(*queue, *message)?;
                dst.map_or(Ok(()), |dst| self.is_long(dst, message.bytes(), "the message"))
            }
            Template::Stream { .. } => self.stream_site(template),
            Template::RecvAsync { queue, message, .. } => self.message(*queue, *message),
            Template::Wait { .. }
            | Template::Release { .. }
            | Template::Channel(_)
            | Template::Assert { .. } => Ok(()),
        }
    }

    fn stream_site(&self, template: &Template) -> Check {
        let Template::Stream { queue, spec, acc, out, to, message } = template else {
            return Ok(());
        };
        for queue in std::iter::once(queue).chain(to) {
            self.message(*queue, *message)?;
        }
        if to.len() > MAX_STREAM_OUTPUTS {
            return Err(format!("a stream goes on in {} directions", to.len()));
        }
        for tile in acc.iter().chain(out) {
            self.is_long(*tile, message.bytes(), "the message")?;
        }
        self.stream(&self.code.maths[*spec], *message, acc.is_some())
    }

    /// Rule 13: a stream computes as many elements as the message has, of the message and `acc`.
    fn stream(&self, spec: &MathSpec, message: Message, combines: bool) -> Check {
        let operands = 1 + usize::from(combines);
        let fits = spec.shape.elements() == message.elements && spec.args.len() == operands;
        let dtypes = spec.args.iter().map(|arg| arg.dtype).chain([spec.out]);
        if fits && dtypes.into_iter().all(|dtype| dtype == message.dtype) {
            return Ok(());
        }
        Err(String::from("what a stream computes does not fit its message"))
    }

    /// Rule 12.
    fn message(&self, queue: QueueId, message: Message) -> Check {
        if usize::from(queue.0) >= self.comm.directions.len() {
            return Err(format!("direction {} does not exist", queue.0));
        }
        let (bytes, slot) = (message.bytes(), self.comm.slot_bytes);
        if bytes > slot {
            return Err(format!("a message of {bytes} bytes does not fit in a slot of {slot}"));
        }
        Ok(())
    }

    /// Rule 11.
    fn is_long(&self, tile: TileReg, bytes: u64, what: &str) -> Check {
        match self.tiles[tile.index()] {
            Held::Bytes(held) if held != bytes => {
                Err(format!("{tile} has {held} bytes, but {what} has {bytes}"))
            }
            Held::Bytes(_) | Held::Tile | Held::Nothing => Ok(()),
        }
    }

    /// Rule 10: `tile` holds every element that is read over `shape`.
    fn holds(&self, tile: TileReg, read: &ArgSpec, shape: &Shape) -> Check {
        if read.strides.len() != shape.rank() {
            let (strides, rank) = (read.strides.len(), shape.rank());
            return Err(format!("{tile} is read with {strides} strides over {rank} axes"));
        }
        if shape.elements() == 0 {
            return Ok(());
        }
        let reach = |keep: fn(i64) -> bool| -> i128 {
            let steps = shape.0.iter().zip(&read.strides).filter(|(_, step)| keep(**step));
            steps.map(|(extent, step)| i128::from(extent - 1) * i128::from(*step)).sum()
        };
        let offset = i128::from(read.offset);
        let (first, last) = (offset + reach(|step| step < 0), offset + reach(|step| step > 0));
        if first < 0 {
            return Err(format!("{tile} is read {} elements before its first", -first));
        }
        let needed = (last + 1) * i128::from(read.dtype.bytes());
        match self.tiles[tile.index()] {
            Held::Bytes(held) if i128::from(held) < needed => {
                Err(format!("{tile} has {held} bytes, but {needed} are read"))
            }
            Held::Bytes(_) | Held::Tile | Held::Nothing => Ok(()),
        }
    }

    /// Rules 9 and 10 for the lanes of a command.
    fn lanes(&self, spec: &LaneSpec, args: &LaneArgs) -> Check {
        if spec.strides.len() != spec.shape.rank() {
            return Err(format!(
                "lanes over {} axes have {} strides",
                spec.shape.rank(),
                spec.strides.len()
            ));
        }
        self.operand(args.index.map(Arg::Tile), spec.index.as_ref(), &spec.shape)?;
        self.operand(args.mask, spec.mask.as_ref(), &spec.shape)
    }

    /// Rules 9 and 10 for an operand that may be left out.
    fn operand(&self, arg: Option<Arg>, read: Option<&ArgSpec>, shape: &Shape) -> Check {
        match (arg, read) {
            (None, None) => Ok(()),
            (Some(Arg::Tile(tile)), Some(read)) => self.holds(tile, read, shape),
            (Some(Arg::Scalar(_)), Some(read)) if read.strides.is_empty() => Ok(()),
            (Some(Arg::Scalar(_)), Some(_)) => Err("a scalar is read with strides".into()),
            (Some(_), None) | (None, Some(_)) => {
                Err("an operand is given that the command does not take, or the other way".into())
            }
        }
    }

    /// Rules 9 and 10 for the operands of a composite.
    fn sources(&self, spec: &CompositeSpec, given: [Option<SourceArg>; 2]) -> Check {
        let (rows, columns) = (spec.source_rows(), spec.source_columns());
        let taken: [Option<SourceSpec>; 2] = [Some(spec.a), spec.b];
        for side in 0..2 {
            match (given[side], taken[side]) {
                (None, None) => {}
                (Some(SourceArg::Memory(_)), Some(it)) if it.is_streamed => {}
                (Some(SourceArg::Tile(tile)), Some(it)) if !it.is_streamed => {
                    let strides = it.strides.to_vec();
                    let read = ArgSpec { dtype: it.dtype, offset: 0, strides };
                    self.holds(tile, &read, &Shape::new([rows[side], columns[side]]))?;
                }
                (Some(_) | None, Some(_) | None) => {
                    return Err("a composite is given other operands than its spec has".into());
                }
            }
        }
        Ok(())
    }

    /// Rules 9 and 10 for the operands of an epilogue.
    fn step_operands(&self, spec: &CompositeSpec, args: &[Option<Arg>]) -> Check {
        let shape = Shape::new([spec.m, spec.n]);
        let read = spec.steps.iter().filter_map(|step| step.operand.as_ref());
        if args.iter().flatten().count() != read.clone().count() {
            return Err("an epilogue is given other operands than its spec has".into());
        }
        let mut operands = args.iter().zip(read);
        operands.try_for_each(|(arg, read)| self.operand(*arg, Some(read), &shape))
    }

    fn math(&self, spec: &MathSpec, args: &[Option<Arg>; 3], out: TileReg) -> Check {
        let (given, taken) = (args.iter().flatten().count(), spec.args.len());
        let (least, most) = spec.op.arity();
        let fits = given == taken && (least..=most).contains(&taken);
        if !fits || args[..given].iter().any(Option::is_none) {
            return Err(format!("{given} operands are given to an op that takes {least}"));
        }
        for (index, (arg, read)) in args.iter().flatten().zip(&spec.args).enumerate() {
            match arg {
                Arg::Tile(tile) => {
                    self.holds(*tile, read, &spec.op.arg_shape(index, &spec.shape))?;
                }
                Arg::Scalar(_) if read.strides.is_empty() => {}
                Arg::Scalar(_) => return Err("a scalar is read with strides".into()),
            }
        }
        self.is_long(out, spec.result_elements().saturating_mul(spec.out.bytes()), "the result")
    }

    fn gemm(
        &self,
        spec: &GemmSpec,
        [a, b]: [TileReg; 2],
        acc: Option<TileReg>,
        out: TileReg,
    ) -> Check {
        let read =
            |it: &FactorSpec| ArgSpec { dtype: it.dtype, offset: 0, strides: it.strides.to_vec() };
        self.holds(a, &read(&spec.a), &spec.a_shape())?;
        self.holds(b, &read(&spec.b), &spec.b_shape())?;
        let bytes = spec.elements().saturating_mul(spec.out.bytes());
        acc.map_or(Ok(()), |acc| self.is_long(acc, bytes, "the addend"))?;
        self.is_long(out, bytes, "the result")
    }
}
