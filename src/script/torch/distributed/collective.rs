//! One collective: the kernel of an algorithm, launched on the tensors of a group of ranks.
//!
//! The kernel walks one tensor in which row r is what rank r has. Tensors that lie like that are
//! used where they are. Any others are mapped as one for the launch, a window: what the ranks hold
//! is put there before and taken from there after. An MMU would map the pages; no time is counted.

use super::algorithm::{Choice, Need, choose};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{
    Argument, Array, HostError, Index, LaunchRequest, Placement, RankUnit, Runners, Scalar, Slice,
    TensorHandle, TensorId, TensorSpec,
};
use crate::launch::{IpcqOptions, NeighborTable};
use crate::script::entry::Script;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::torch::tensor::{DeviceTensor, TensorValue};
use crate::script::torch::{fault, machine};
use crate::shape::Shape;
use crate::source::Span;

/// What a collective computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum Kind {
    AllReduce,
    AllGather,
    ReduceScatter,
    Broadcast,
    Reduce,
    AllToAll,
    Send,
    Barrier,
}

impl Kind {
    /// Its name in PyTorch.
    pub(in crate::script) const fn name(self) -> &'static str {
        match self {
            Kind::AllReduce => "all_reduce",
            Kind::AllGather => "all_gather",
            Kind::ReduceScatter => "reduce_scatter",
            Kind::Broadcast => "broadcast",
            Kind::Reduce => "reduce",
            Kind::AllToAll => "all_to_all",
            Kind::Send => "send",
            Kind::Barrier => "barrier",
        }
    }

    /// Whether what comes out lies elsewhere than what goes in.
    pub(in crate::script::torch) const fn has_output(self) -> bool {
        matches!(self, Kind::AllGather | Kind::ReduceScatter | Kind::AllToAll)
    }
}

/// What is asked of a collective, the same of every rank.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::script::torch) struct Ask {
    /// What it computes.
    pub(in crate::script::torch) kind: Kind,
    /// How contributions are combined, where they are.
    pub(in crate::script::torch) op: &'static str,
    /// The ranks of the group that it starts from and goes to, where there are such.
    pub(in crate::script::torch) from_to: [Option<u32>; 2],
    /// The algorithm, by name; the default one without.
    pub(in crate::script::torch) algorithm: Option<String>,
    /// The ranks that take part, in the order of the group; once it runs, those on whose PEs tensors lie.
    pub(in crate::script::torch) members: Vec<u32>,
}

/// A collective with the tensors of all its ranks.
pub(in crate::script::torch) struct Collective {
    /// What is asked.
    pub(in crate::script::torch) ask: Ask,
    /// The PE of each rank, in the order of the group.
    pub(in crate::script::torch) pes: Vec<u32>,
    /// What each rank gives, in the order of the group.
    pub(in crate::script::torch) inputs: Vec<DeviceTensor>,
    /// Where each rank takes the result; empty where that is where its input is.
    pub(in crate::script::torch) outputs: Vec<DeviceTensor>,
    /// The tensors whose rows the inputs and the outputs are, if they are.
    pub(in crate::script::torch) whole: [Option<DeviceTensor>; 2],
    /// The text of the call.
    pub(in crate::script::torch) span: Span,
}

/// One side of a launch: a tensor with a row for each rank.
struct Window {
    id: TensorId,
    /// Elements of a row that are used.
    used: u64,
    /// The tensors that it stands for, to be given back what is in it; none where it is the tensor
    /// of the program itself.
    of: Vec<DeviceTensor>,
    _handle: Option<TensorHandle>,
}

impl Collective {
    /// Elements of what a rank gives.
    fn elements(&self) -> u64 {
        self.inputs.first().map_or(0, |input| input.shape().elements())
    }

    /// Runs it, and says which algorithm that was.
    pub(in crate::script::torch) fn run(&self, evaluator: &mut Evaluator<'_>) -> Result<Choice> {
        let dtype = self.dtype(evaluator)?;
        let (elements, lanes) = (self.elements(), std::slice::from_ref(&self.pes));
        let need = Need { ask: &self.ask, lanes, elements, dtype, span: self.span };
        let choice = choose(evaluator, &need).map_err(Fault::refusal)?;
        if self.ask.members.len() == 1 {
            self.alone(evaluator)?;
            return Ok(choice);
        }
        self.launch(evaluator, &choice, dtype).map_err(|error| {
            error.because(self.span, format!("`{}` asked here", choice.label())).refusal()
        })?;
        Ok(choice)
    }

    fn dtype(&self, evaluator: &mut Evaluator<'_>) -> Result<DType> {
        match self.inputs.first() {
            Some(input) => input.value().dtype(evaluator, self.span),
            None => Ok(DType::I32),
        }
    }

    /// A rank alone in its group has the result already.
    fn alone(&self, evaluator: &mut Evaluator<'_>) -> Result<()> {
        for (input, output) in self.inputs.iter().zip(&self.outputs) {
            if let Some(array) = input.value().read(evaluator, self.span)? {
                let shape = output.shape();
                let array = array.reshape(shape).map_err(|error| fault(error, self.span))?;
                output.value().assign(evaluator, &[], &array, self.span)?;
            }
        }
        Ok(())
    }

    fn launch(&self, evaluator: &mut Evaluator<'_>, choice: &Choice, dtype: DType) -> Result<()> {
        let script = choice.script(evaluator)?;
        let padded = choice.padded(self.elements());
        let script = script.told([("n_elem".to_owned(), Scalar::Int(padded as i64))]);
        let mut windows = Vec::new();
        if !self.inputs.is_empty() {
            windows.push(self.window(evaluator, (padded, dtype), &self.inputs, &self.whole[0])?);
        }
        if self.ask.kind.has_output() {
            let row = self.outputs.first().map_or(0, |output| output.shape().elements());
            windows.push(self.window(evaluator, (row, dtype), &self.outputs, &self.whole[1])?);
        }
        let ids: Vec<TensorId> = windows.iter().map(|it| it.id).collect();
        let args = arguments(evaluator, &script, &ids, self.span)?;
        let request = LaunchRequest {
            label: choice.label(),
            kernel: "kernel".into(),
            args,
            grid: None,
            module: Some(choice.module()),
            runners: Runners::Groups(vec![self.pes.clone()]),
            neighbors: neighbors(evaluator, choice, &script)?,
            deal: None,
            queues: choice.queues(),
        };
        let launched = machine(evaluator, self.span)?.launch(request);
        launched.map_err(|error| fault(error, self.span))?;
        windows.iter().try_for_each(|window| self.give_back(evaluator, window))
    }

    /// Rows of `row` elements that hold what `parts` do, or `whole` itself where it lies like that.
    fn window(
        &self,
        evaluator: &mut Evaluator<'_>,
        (row, dtype): (u64, DType),
        parts: &[DeviceTensor],
        whole: &Option<DeviceTensor>,
    ) -> Result<Window> {
        let used = parts.first().map_or(0, |part| part.shape().elements());
        let slices: Vec<Slice> = self.pes.iter().map(|pe| Slice { rank: *pe, rows: 1 }).collect();
        let placement = Placement::Sharded(slices);
        if let Some(whole) = whole.as_ref().filter(|whole| !whole.is_part() && used == row)
            && machine(evaluator, self.span)?.tensor(whole.id()).placement == placement
        {
            return Ok(Window { id: whole.id(), used, of: Vec::new(), _handle: None });
        }
        let shape = Shape::new([self.pes.len() as u64, row]);
        let filled = self.filled(evaluator, &shape, dtype, parts)?;
        let name = self.ask.kind.name().to_owned();
        let spec = TensorSpec { name, shape, dtype, placement };
        let made = machine(evaluator, self.span)?.create(spec, || Ok(filled));
        let handle = made.map_err(|error| fault(error, self.span))?;
        Ok(Window { id: handle.id(), used, of: parts.to_vec(), _handle: Some(handle) })
    }

    /// The contents of a window; nothing in a run without data.
    fn filled(
        &self,
        evaluator: &mut Evaluator<'_>,
        shape: &Shape,
        dtype: DType,
        parts: &[DeviceTensor],
    ) -> Result<Option<Array>> {
        evaluator.spend(shape.elements() / 64, self.span)?;
        let refuse = |error: HostError| fault(error, self.span);
        let mut all = Array::full(dtype, shape, 0.0).map_err(refuse)?;
        for (row, part) in parts.iter().enumerate() {
            let Some(array) = part.value().read(evaluator, self.span)? else { return Ok(None) };
            let count = array.elements();
            let flat = array.reshape(&Shape::new([count])).map_err(refuse)?;
            all.assign(&place(row, count), &flat).map_err(refuse)?;
        }
        Ok(Some(all))
    }

    /// Puts what a launch has left in a window into the tensors that it stands for.
    fn give_back(&self, evaluator: &mut Evaluator<'_>, window: &Window) -> Result<()> {
        if window.of.is_empty() {
            return Ok(());
        }
        let read = machine(evaluator, self.span)?.read(window.id);
        let crate::host::Data::Known(all) = read.map_err(|error| fault(error, self.span))? else {
            return Ok(());
        };
        for (row, part) in window.of.iter().enumerate() {
            let refuse = |error: HostError| fault(error, self.span);
            let flat = all.index(&place(row, window.used)).map_err(refuse)?;
            let array = flat.reshape(part.shape()).map_err(refuse)?;
            part.value().assign(evaluator, &[], &array, self.span)?;
        }
        Ok(())
    }
}

/// The first `count` elements of a row.
fn place(row: usize, count: u64) -> [Index; 2] {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    [Index::At(row as i128), Index::Range { start: 0, count, step: 1 }]
}

/// Who is next to whom, where the launch has to be told: the machine's own grids count PEs.
pub(super) fn neighbors(
    evaluator: &Evaluator<'_>,
    choice: &Choice,
    script: &Script<'_>,
) -> Result<Option<NeighborTable>> {
    match (choice.neighbors(), evaluator.unit) {
        (Some(table), _) => Ok(Some(table)),
        (None, RankUnit::Pe) => Ok(None),
        (None, RankUnit::Cube | RankUnit::Sip) => script.neighbors(&script.settings.set),
    }
}

/// The arguments of a library's kernel: the windows, then what its `kernel_args` gives.
pub(super) fn arguments(
    evaluator: &mut Evaluator<'_>,
    script: &Script<'_>,
    windows: &[TensorId],
    span: Span,
) -> Result<Vec<(String, Argument)>> {
    let kernel = script.module.functions().find(|function| function.name.name == "kernel");
    let Some(kernel) = kernel else {
        let message = "the module of the algorithm has no kernel";
        return Err(Fault::new(hosting::HOST_VALUE, message, span, "asked for here"));
    };
    let given = script.kernel_args(kernel)?;
    let machine = machine(evaluator, span)?;
    let tensors = given.pointers.into_iter().zip(windows);
    let mut args: Vec<(String, Argument)> =
        tensors.map(|(name, window)| (name, machine.argument(*window))).collect();
    args.extend(given.scalars.into_iter().map(|(name, it)| (name, Argument::Scalar(it))));
    Ok(args)
}

/// The queues of a launch where nothing is said of them.
pub(super) const PLAIN: IpcqOptions = IpcqOptions { slots: None, slot_bytes: None, kind: None };

/// The tensor of the machine that an argument is.
pub(super) fn on_machine(given: &crate::script::args::Given, what: &str) -> Result<DeviceTensor> {
    let Some(tensor) = given.value.downcast::<TensorValue>() else {
        return Err(given.wrong(what, "a tensor"));
    };
    tensor.on_machine().ok_or_else(|| {
        let message =
            format!("{what} lies on the host, and a collective moves data of the machine");
        Fault::new(hosting::HOST_VALUE, message, given.span, "not a tensor of the machine")
            .help(String::from("`torch.tensor(…)` of it makes one on the machine"))
    })
}
