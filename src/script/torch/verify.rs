//! `torch.verify`: is the result of a collective its definition?

use std::ops::Range;

use super::check::{Complaint, Wrong, contents, wrong_result};
use super::distributed::chosen;
use super::tensor::TensorValue;
use super::{check, device, fault, machine};
use crate::diag::hosting;
use crate::dtype::DType;
use crate::host::{Arithmetic, Array, Data, Index, OrderedSums, Placement, SumOrder};
use crate::ops::BinaryOp;
use crate::replay::verify::{self, Collective, Reduction, Tolerance};
use crate::script::args::{Args, Given, Signature};
use crate::script::entry::Script;
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Native;
use crate::script::value::Value;
use crate::shape::Shape;
use crate::source::Span;

pub(super) const TABLE: &[Native] =
    &[check("all_reduce", all_reduce), check("reduce", reduce), check("broadcast", broadcast)];

/// The deepest nesting of an order.
const MAX_NESTING: u32 = 64;

/// `all_reduce(result, inputs, op="sum", order=, reference=, chunks=1)`.
///
/// Row `r` of `inputs` is what rank `r` gave, row `r` of `result` what it has (its own copy where
/// the result is replicated). Every row must lie within `adds * eps * Σ|x|` of the definition
/// computed in `f64`. With `order`, which gives the order in which a rank adds, it must also be
/// equal to the sum in that order to the bit; with `reference`, to what that returns.
fn all_reduce(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["result", "inputs", "op?", "order?", "reference?", "chunks?", "algorithm?"];
    let [result, inputs, op, order, reference, chunks, algorithm] =
        args.bind(Signature { name: "all_reduce", params })?;
    let (Some(result), Some(inputs)) = (result, inputs) else { return Ok(Value::None) };
    let Some(rows) = Rows::read(evaluator, (&result, &inputs), args.span)? else {
        evaluator.journal.skipped += 1;
        return Ok(Value::None);
    };
    let reduction = reduction_of(op.as_ref())?;
    let chunks = chunks.map_or(Ok(1), |given| given.int("`chunks`"))?;
    let collective = Collective::AllReduce(reduction);
    let mut run = Check::new(evaluator, rows, (result, args.span), (collective, reduction));
    run.against_definition()?;
    if let Some(order) = order {
        run.against_order(&Order::Given(order), chunks)?;
    }
    if let Some(work) = algorithm {
        let Some(choice) = chosen(&work) else {
            return Err(work.wrong("`algorithm`", "what `all_reduce` has given back"));
        };
        let script = choice.script(run.evaluator)?;
        let order = Order::Library { script: Box::new(script), span: work.span };
        run.against_order(&order, i128::from(choice.chunks))?;
    }
    if let Some(reference) = reference {
        run.against_reference(&reference)?;
    }
    run.evaluator.journal.checks += 1;
    Ok(Value::None)
}

/// `reduce(result, inputs, op="sum", root=0, order=, chunks=1)`: as [`all_reduce`], but only row
/// `root` of `result` is looked at.
fn reduce(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["result", "inputs", "op?", "root?", "order?", "chunks?"];
    let [result, inputs, op, root, order, chunks] =
        args.bind(Signature { name: "reduce", params })?;
    let (Some(result), Some(inputs)) = (result, inputs) else { return Ok(Value::None) };
    let Some(rows) = Rows::read(evaluator, (&result, &inputs), args.span)? else {
        evaluator.journal.skipped += 1;
        return Ok(Value::None);
    };
    let reduction = reduction_of(op.as_ref())?;
    let root = root_of(root.as_ref(), &rows)?;
    let chunks = chunks.map_or(Ok(1), |given| given.int("`chunks`"))?;
    let collective = Collective::Reduce(reduction, root);
    let mut run = Check::new(evaluator, rows, (result, args.span), (collective, reduction));
    run.ranks = root..root + 1;
    run.against_definition()?;
    if let Some(order) = order {
        run.against_order(&Order::Given(order), chunks)?;
    }
    run.evaluator.journal.checks += 1;
    Ok(Value::None)
}

/// `broadcast(result, inputs, root=0)`: every row of `result` is row `root` of `inputs`, to the bit.
fn broadcast(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let params = ["result", "inputs", "root?"];
    let [result, inputs, root] = args.bind(Signature { name: "broadcast", params })?;
    let (Some(result), Some(inputs)) = (result, inputs) else { return Ok(Value::None) };
    let Some(rows) = Rows::read(evaluator, (&result, &inputs), args.span)? else {
        evaluator.journal.skipped += 1;
        return Ok(Value::None);
    };
    let collective = Collective::Broadcast(root_of(root.as_ref(), &rows)?);
    let what = (collective, Reduction::Sum);
    let mut run = Check::new(evaluator, rows, (result, args.span), what);
    run.against_definition()?;
    run.evaluator.journal.checks += 1;
    Ok(Value::None)
}

fn root_of(given: Option<&Given>, rows: &Rows) -> Result<u32> {
    let Some(given) = given else { return Ok(0) };
    let ranks = rows.inputs.len();
    let root = u32::try_from(given.int("`root`")?).ok().filter(|root| (*root as usize) < ranks);
    root.ok_or_else(|| {
        let message = format!("`root` is a rank, from 0 to {}", ranks - 1);
        Fault::new(hosting::HOST_VALUE, message, given.span, "no such rank")
    })
}

fn reduction_of(given: Option<&Given>) -> Result<Reduction> {
    let Some(given) = given else { return Ok(Reduction::Sum) };
    let name = given.text("`op`")?;
    let found = Reduction::ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, reduction)| *reduction).ok_or_else(|| {
        let names = Reduction::ALL.map(|(name, _)| name).join(", ");
        let message = format!("there is no reduction `{name}`");
        Fault::new(hosting::HOST_VALUE, message, given.span, "not a reduction")
            .note(format!("reductions are {names}"))
    })
}

/// Who says in which order a rank adds.
enum Order<'a> {
    /// A function of the program.
    Given(Given),
    /// The `order` of an algorithm of the library.
    Library { script: Box<Script<'a>>, span: Span },
}

impl<'a> Order<'a> {
    fn span(&self) -> Span {
        match self {
            Order::Given(given) => given.span,
            Order::Library { span, .. } => *span,
        }
    }

    /// What it says, told `offered`.
    fn ask(&self, evaluator: &mut Evaluator<'a>, offered: &[(&str, Value)]) -> Result<Value> {
        let Order::Library { script, span } = self else {
            let Order::Given(given) = self else { return Ok(Value::None) };
            return evaluator.call_by_name(&given.value, offered, given.span);
        };
        let Some(function) = script.function("order") else {
            let message = "the module of the algorithm says no order";
            return Err(Fault::new(hosting::HOST_VALUE, message, *span, "asked for its order"));
        };
        script.call(&mut script.evaluator(), function, offered)
    }

    /// Whether it depends on the rank.
    fn is_of_rank(&self, evaluator: &Evaluator<'_>) -> bool {
        match self {
            Order::Given(given) => evaluator.takes(&given.value, "rank"),
            Order::Library { script, .. } => script
                .function("order")
                .is_none_or(|it| it.params.iter().any(|param| param.name.name == "rank")),
        }
    }
}

/// What each rank gave, and what it has.
struct Rows {
    inputs: Vec<Array>,
    outputs: Vec<Array>,
    shape: Shape,
    dtype: DType,
}

impl Rows {
    /// Reads both; `None` in a run without data.
    fn read(
        evaluator: &mut Evaluator<'_>,
        (result, inputs): (&Given, &Given),
        span: Span,
    ) -> Result<Option<Rows>> {
        let Some(given) = contents(evaluator, inputs, DType::F32)? else { return Ok(None) };
        let given_rows = rows_of(&given, inputs.span)?;
        let Some(outputs) = outputs_of(evaluator, result)? else { return Ok(None) };
        let world = device::ranks(evaluator, span)?.count() as usize;
        let shape = given_rows.first().map(Array::shape).unwrap_or_default();
        let fits = |rows: &[Array]| {
            rows.len() == world
                && rows.iter().all(|row| row.shape() == shape && row.dtype() == given.dtype())
        };
        if !fits(&given_rows) || !fits(&outputs) {
            let message = format!(
                "a collective over {world} ranks needs {world} rows of one shape and type in \
                 the inputs and in the result"
            );
            let row = |rows: &[Array]| rows.first().map(Array::shape).unwrap_or_default();
            let of = |rows: &[Array]| format!("{} rows of shape {}", rows.len(), row(rows));
            return Err(Fault::new(hosting::HOST_SHAPE, message, result.span, of(&outputs))
                .because(inputs.span, of(&given_rows)));
        }
        Ok(Some(Rows { inputs: given_rows, outputs, shape, dtype: given.dtype() }))
    }
}

fn rows_of(array: &Array, span: Span) -> Result<Vec<Array>> {
    let count = array.shape().0.first().copied().unwrap_or(0);
    let row = |row: u64| array.index(&[Index::At(i128::from(row))]);
    (0..count).map(row).collect::<std::result::Result<_, _>>().map_err(|error| fault(error, span))
}

/// What each rank has of the result.
fn outputs_of(evaluator: &mut Evaluator<'_>, result: &Given) -> Result<Option<Vec<Array>>> {
    let span = result.span;
    let whole = result.value.downcast::<TensorValue>().filter(|tensor| !tensor.is_part());
    if let Some(id) = whole.and_then(TensorValue::device_id) {
        let ranks = device::ranks(evaluator, span)?;
        let machine = machine(evaluator, span)?;
        if machine.tensor(id).placement == Placement::Replicated {
            let mut copies = Vec::new();
            for rank in 0..ranks.count() {
                match machine
                    .read_local(id, ranks.first_pe(rank))
                    .map_err(|error| fault(error, span))?
                {
                    Data::Known(array) => copies.push(array),
                    Data::Absent => return Ok(None),
                }
            }
            return Ok(Some(copies));
        }
    }
    match contents(evaluator, result, DType::F32)? {
        Some(array) => rows_of(&array, span).map(Some),
        None => Ok(None),
    }
}

/// One check of a collective.
struct Check<'e, 'a> {
    evaluator: &'e mut Evaluator<'a>,
    rows: Rows,
    result: Given,
    collective: Collective,
    reduction: Reduction,
    /// The ranks whose results are looked at.
    ranks: Range<u32>,
    at: Span,
}

impl<'e, 'a> Check<'e, 'a> {
    fn new(
        evaluator: &'e mut Evaluator<'a>,
        rows: Rows,
        (result, at): (Given, Span),
        (collective, reduction): (Collective, Reduction),
    ) -> Check<'e, 'a> {
        let ranks = 0..rows.outputs.len() as u32;
        Check { evaluator, rows, result, collective, reduction, ranks, at }
    }
}

impl<'a> Check<'_, 'a> {
    fn against_definition(&mut self) -> Result<()> {
        let bytes = |rows: &[Array]| rows.iter().map(Array::to_bytes).collect::<Vec<_>>();
        let (inputs, outputs) = (bytes(&self.rows.inputs), bytes(&self.rows.outputs));
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let outputs: Vec<&[u8]> = outputs.iter().map(Vec::as_slice).collect();
        let collective = self.collective;
        let report = collective.check(self.rows.dtype, &inputs, &outputs);
        let report = report
            .map_err(|error| Fault::new(hosting::HOST_SHAPE, error.0, self.at, "does not fit"))?;
        if report.is_good() {
            return Ok(());
        }
        let row = self.rows.shape.elements();
        let wrong = report.first.iter().map(|it| {
            let place = u64::from(it.rank) * row + it.place;
            let said = format!("got {}, expected {} within {:.3e}", it.got, it.expected, it.bound);
            Wrong { place, said }
        });
        let wrong = wrong.collect();
        Err(self.wrong((report.bad, report.elements), wrong).note(format!(
            "the definition of {collective}, computed in f64, allows what rounding explains"
        )))
    }

    /// The fault of wrong elements, counted over the rows of all ranks.
    fn wrong(&mut self, counts: (u64, u64), wrong: Vec<Wrong>) -> Fault {
        let ranks = self.rows.outputs.len() as u64;
        let shape = Shape([&[ranks], &self.rows.shape.0[..]].concat());
        let complaint = Complaint { counts, wrong, at: self.at };
        wrong_result(self.evaluator, &self.result, &shape, complaint)
    }

    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::Op(match self.reduction {
            Reduction::Sum => BinaryOp::Add,
            Reduction::Prod => BinaryOp::Mul,
            Reduction::Max => BinaryOp::Maximum,
            Reduction::Min => BinaryOp::Minimum,
        })
    }

    /// Every rank's row, chunk by chunk, against the sum in the order that `order` gives.
    fn against_order(&mut self, order: &Order<'a>, chunks: i128) -> Result<()> {
        let elements = self.rows.shape.elements();
        let Some(chunks) = u64::try_from(chunks).ok().filter(|chunks| *chunks > 0) else {
            let message = format!("{elements} elements do not divide into such chunks");
            return Err(Fault::new(hosting::HOST_VALUE, message, self.at, "bad `chunks`"));
        };
        let inputs = std::mem::take(&mut self.rows.inputs);
        let is_of_rank = order.is_of_rank(self.evaluator);
        let size = elements.div_ceil(chunks);
        for chunk in 0..chunks {
            let start = (chunk * size).min(elements);
            let parts = Part { start, count: size.min(elements - start) };
            let mut common = None;
            let contributions = parts.of_all(&inputs, self.at)?;
            let mut sums = OrderedSums::new(&contributions, self.arithmetic());
            for rank in self.ranks.clone() {
                let order = match common.take() {
                    Some(order) => order,
                    None => self.order_of(order, rank, chunk)?,
                };
                let steps = order.terms() as u64 * (parts.count / 256 + 1);
                self.evaluator.spend(steps, self.at)?;
                let expected = sums.sum(&order).map_err(|error| fault(error, self.at))?;
                self.compare_part(rank, &parts, &expected)?;
                common = Some(order).filter(|_| !is_of_rank);
            }
        }
        self.rows.inputs = inputs;
        Ok(())
    }

    /// The order in which `rank` adds `chunk`.
    fn order_of(&mut self, order: &Order<'a>, rank: u32, chunk: u64) -> Result<SumOrder> {
        let ranks = self.rows.outputs.len();
        let offered = [
            ("rank", Value::Int(i128::from(rank))),
            ("chunk", Value::Int(i128::from(chunk))),
            ("world_size", Value::Int(ranks as i128)),
        ];
        let value = order.ask(self.evaluator, &offered)?;
        let span = order.span();
        let order_read = read_order(&value, &Given { value: value.clone(), span }, 0)?;
        let mut given = order_read.ranks();
        given.sort_unstable();
        if given.iter().copied().eq(0..ranks as u32) {
            return Ok(order_read);
        }
        let message = format!(
            "the order of rank {rank} adds {} contributions, and has to add each of {ranks} ranks \
             once",
            given.len()
        );
        Err(Fault::new(hosting::HOST_VALUE, message, span, "not an order of all ranks"))
    }

    /// Every rank's row against what `reference` returns for it.
    fn against_reference(&mut self, reference: &Given) -> Result<()> {
        let whole = Part { start: 0, count: self.rows.shape.elements() };
        for rank in 0..self.rows.outputs.len() as u32 {
            let offered = [
                ("rank", Value::Int(i128::from(rank))),
                ("world_size", Value::Int(self.rows.outputs.len() as i128)),
            ];
            let value = self.evaluator.call_by_name(&reference.value, &offered, reference.span)?;
            let given = Given { value, span: reference.span };
            let Some(expected) = contents(self.evaluator, &given, self.rows.dtype)? else {
                self.evaluator.journal.skipped += 1;
                return Ok(());
            };
            if expected.shape() != self.rows.shape {
                let (found, row) = (expected.shape(), &self.rows.shape);
                let message = format!("the reference has shape {found}, and a row has {row}");
                let label = format!("returns shape {found}");
                return Err(Fault::new(hosting::HOST_SHAPE, message, reference.span, label));
            }
            self.compare_part(rank, &whole, &expected.cast(self.rows.dtype))?;
        }
        Ok(())
    }

    /// A part of a rank's row against what it has to be, to the bit.
    fn compare_part(&mut self, rank: u32, part: &Part, expected: &Array) -> Result<()> {
        let Some(output) = self.rows.outputs.get(rank as usize) else { return Ok(()) };
        let got = part.of(output, self.at)?.to_bytes();
        let found =
            verify::compare(self.rows.dtype, &got, &expected.to_bytes(), Tolerance::Ulps(0));
        if found.is_good() {
            return Ok(());
        }
        let first = u64::from(rank) * self.rows.shape.elements() + part.start;
        let wrong = found.first.iter().map(|it| {
            let apart = it.ulps.map_or(String::new(), |ulps| format!(" ({ulps} ulp apart)"));
            let said = format!("got {}, expected {}{apart}", it.got, it.expected);
            Wrong { place: first + it.place, said }
        });
        let wrong = wrong.collect();
        Err(self.wrong((found.bad, found.elements), wrong).note(format!(
            "rank {rank} is compared to the bit with the sum in the algorithm's own order"
        )))
    }
}

/// Elements of a row, counted over all its axes.
struct Part {
    start: u64,
    count: u64,
}

impl Part {
    fn of(&self, row: &Array, span: Span) -> Result<Array> {
        let flat = Shape::new([row.elements()]);
        let (start, count) = (self.start as usize, self.count as usize);
        let range = Index::Range { start, count, step: 1 };
        row.reshape(&flat).and_then(|flat| flat.index(&[range])).map_err(|error| fault(error, span))
    }

    fn of_all(&self, rows: &[Array], span: Span) -> Result<Vec<Array>> {
        rows.iter().map(|row| self.of(row, span)).collect()
    }
}

/// A nested list of ranks as an order.
fn read_order(value: &Value, given: &Given, depth: u32) -> Result<SumOrder> {
    if depth > MAX_NESTING {
        let message = format!("an order nests more than {MAX_NESTING} deep");
        return Err(Fault::new(hosting::HOST_BUDGET, message, given.span, "too deep"));
    }
    if let Some(rank) = value.as_int() {
        return Ok(SumOrder::Rank(u32::try_from(rank).unwrap_or(u32::MAX)));
    }
    let Some(items) = value.as_sequence() else {
        let found = Given { value: value.clone(), span: given.span };
        return Err(found.wrong("an item of an order", "a rank or a list of them"));
    };
    let items = items.iter().map(|item| read_order(item, given, depth + 1));
    items.collect::<Result<Vec<SumOrder>>>().map(SumOrder::Sum)
}
