//! Composites: which tile pipeline an op becomes.

use super::emit::Emitter;
use crate::arena::Id;
use crate::command::{Arg, ArgSpec, CompositeSpec, Pc, SourceArg, SourceSpec, StepSpec, Template};
use crate::diag::Reported;
use crate::ir::{Composite, Dim, End, EpilogueStep, Head, MAX_STEP_OPERANDS, Reading};
use crate::shape::Shape;

impl Emitter<'_> {
    pub(super) fn tile_pipeline(&mut self, it: &Composite) -> Result<(), Reported> {
        let mut sizes = [0; 3];
        for (size, dim) in sizes.iter_mut().zip(it.sizes) {
            *size = self.size(dim)?;
        }
        let [m, n, k] = sizes;
        let columns = if it.head == Head::Gemm { [k, n] } else { [n, n] };
        let (a, a_spec) = self.source(&it.a, columns[0])?;
        let (b, b_spec) = match &it.b {
            Some(end) => {
                let (b, spec) = self.source(end, columns[1])?;
                (Some(b), Some(spec))
            }
            None => (None, None),
        };
        let (args, steps) = self.steps(&it.epilogue, &Shape::new([m, n]))?;
        let out = self.operand(it.out.value)?;
        let spec = CompositeSpec {
            head: it.head,
            m,
            n,
            k,
            a: a_spec,
            b: b_spec,
            sums: it.accumulates_in(),
            works: it.works_in(),
            out: it.out.dtype,
            steps,
            tile: it.tile.unwrap_or(sizes),
        };
        let spec = self.composite_spec(spec);
        let number = self.fresh_reg();
        let pc = Pc::from_index(self.code.insts.len());
        self.issue(Template::Composite { spec, a, b, args, out, number });
        let result = self.result()?;
        self.name_at(pc, result);
        self.set_scalar(result, crate::command::Operand::Reg(number));
        Ok(())
    }

    fn size(&mut self, dim: Dim) -> Result<u64, Reported> {
        let extent = self.function.extent(dim).and_then(|extent| u64::try_from(extent).ok());
        extent.ok_or_else(|| self.bug("the size of a composite is still to become a constant"))
    }

    /// Where an operand is and how it is read; what lies in memory has rows of `columns` elements.
    fn source(&mut self, end: &End, columns: u64) -> Result<(SourceArg, SourceSpec), Reported> {
        let dtype = end.dtype;
        if !self.is_tile(end.value) {
            let strides = [columns as i64, 1];
            let spec = SourceSpec { dtype, strides, is_streamed: true };
            return Ok((SourceArg::Memory(self.operand(end.value)?), spec));
        }
        let tile = self.tile(end.value)?;
        let Reading { offset: 0, strides } = self.reading(end.value)? else {
            return Err(self.bug("a composite reads its tiles from their first element on"));
        };
        let [row, column] = strides[..] else {
            return Err(self.bug("a composite reads tiles of two axes"));
        };
        let spec = SourceSpec { dtype, strides: [row, column], is_streamed: false };
        Ok((SourceArg::Tile(tile), spec))
    }

    /// The steps of an epilogue over `shape`, and their operands.
    fn steps(
        &mut self,
        steps: &[EpilogueStep],
        shape: &Shape,
    ) -> Result<([Option<Arg>; MAX_STEP_OPERANDS], Vec<StepSpec>), Reported> {
        let mut args = [None; MAX_STEP_OPERANDS];
        let mut specs = Vec::with_capacity(steps.len());
        let mut free = args.iter_mut();
        for step in steps {
            let mut operand = None;
            if let Some(value) = step.operand {
                let (arg, Reading { offset, strides }) = self.vector_arg(value, shape)?;
                let Some(place) = free.next().filter(|_| offset == 0) else {
                    return Err(self.bug("an epilogue takes operands that do not fit a command"));
                };
                *place = Some(arg);
                let dtype = self.data(value).ty.dtype();
                operand = Some(ArgSpec { dtype, offset: 0, strides });
            }
            specs.push(StepSpec { op: step.op, scope: step.scope, operand });
        }
        Ok((args, specs))
    }
}
