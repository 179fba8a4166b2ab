//! The definitions of the collectives, checked in `f64` whatever order an algorithm adds in.

use std::fmt;

use super::super::value::{Value, value};
use super::KEPT;
use crate::dtype::{DType, convert};
use crate::ir::{Literal, eval};
use crate::ops::BinaryOp;

/// What combines the contributions of ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Sum.
    Sum,
    /// Largest.
    Max,
    /// Smallest.
    Min,
    /// Product.
    Prod,
}

impl Reduction {
    /// Every reduction, with its name.
    pub const ALL: [(&'static str, Reduction); 4] = [
        ("sum", Reduction::Sum),
        ("max", Reduction::Max),
        ("min", Reduction::Min),
        ("prod", Reduction::Prod),
    ];

    fn op(self) -> BinaryOp {
        match self {
            Reduction::Sum => BinaryOp::Add,
            Reduction::Max => BinaryOp::Maximum,
            Reduction::Min => BinaryOp::Minimum,
            Reduction::Prod => BinaryOp::Mul,
        }
    }
}

/// A collective, by what it leaves on each rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Collective {
    /// Every rank gets the reduction of all blocks.
    AllReduce(Reduction),
    /// The root gets the reduction of all blocks; what others have is not looked at.
    Reduce(Reduction, u32),
    /// Rank `r` gets part `r` of the reduction of all blocks.
    ReduceScatter(Reduction),
    /// Every rank gets all blocks, in the order of ranks.
    AllGather,
    /// Every rank gets the root's block.
    Broadcast(u32),
    /// Rank `r` gets part `r` of every block, in the order of ranks.
    AllToAll,
    /// With ranks in groups of so many, each gets the block of its like in the group before.
    SendReceive(u32),
}

impl Collective {
    /// The collective that `text` names: `all_reduce:max`, `broadcast`, `broadcast:3`,
    /// `reduce:sum:3`. A reduction is a sum and a root is rank 0 where nothing is said.
    pub fn from_name(text: &str) -> Option<Collective> {
        let mut parts = text.split(':');
        let (name, first, second) = (parts.next()?, parts.next(), parts.next());
        if parts.next().is_some() {
            return None;
        }
        let reduction = match first {
            None => Some(Reduction::Sum),
            Some(name) => {
                Reduction::ALL.iter().find(|(known, _)| *known == name).map(|(_, it)| *it)
            }
        };
        let root = |text: Option<&str>| text.map_or(Some(0), |text| text.parse().ok());
        match (name, second) {
            ("all_reduce", None) => reduction.map(Collective::AllReduce),
            ("reduce_scatter", None) => reduction.map(Collective::ReduceScatter),
            ("reduce", root_text) => Some(Collective::Reduce(reduction?, root(root_text)?)),
            ("broadcast", None) => root(first).map(Collective::Broadcast),
            ("all_gather", None) if first.is_none() => Some(Collective::AllGather),
            ("all_to_all", None) if first.is_none() => Some(Collective::AllToAll),
            ("send_receive", None) => {
                first.map_or(Some(1), |text| text.parse().ok()).map(Collective::SendReceive)
            }
            _ => None,
        }
    }

    /// Elements of a rank's result where each rank gives `elements`; `None` where that does not
    /// divide among the ranks.
    pub fn output_elements(self, elements: u64, ranks: u64) -> Option<u64> {
        match self {
            Collective::AllReduce(_)
            | Collective::Reduce(..)
            | Collective::Broadcast(_)
            | Collective::SendReceive(_) => Some(elements),
            Collective::AllGather => elements.checked_mul(ranks),
            Collective::ReduceScatter(_) => {
                (elements.checked_rem(ranks)? == 0).then(|| elements / ranks)
            }
            Collective::AllToAll => (elements.checked_rem(ranks)? == 0).then_some(elements),
        }
    }

    /// What element `place` of the result of `rank` is made of: the ranks that give to it, and
    /// the place in their blocks. `None` where the result is not looked at.
    fn sources(self, place: usize, rank: usize, sizes: Sizes) -> Option<(Ranks, usize)> {
        match self {
            Collective::AllReduce(_) => Some((Ranks::All, place)),
            Collective::Reduce(_, root) => (rank == root as usize).then_some((Ranks::All, place)),
            Collective::ReduceScatter(_) => Some((Ranks::All, rank * sizes.output + place)),
            Collective::AllGather => Some((Ranks::One(place / sizes.input), place % sizes.input)),
            Collective::Broadcast(root) => Some((Ranks::One(root as usize), place)),
            Collective::SendReceive(group) => {
                let group = (group as usize).clamp(1, sizes.ranks);
                let groups = sizes.ranks / group;
                let before = (rank / group + groups - 1) % groups;
                Some((Ranks::One((before * group + rank % group).min(sizes.ranks - 1)), place))
            }
            Collective::AllToAll => {
                let part = sizes.input / sizes.ranks;
                Some((Ranks::One(place / part), rank * part + place % part))
            }
        }
    }

    fn reduction(self) -> Reduction {
        match self {
            Collective::AllReduce(it)
            | Collective::Reduce(it, _)
            | Collective::ReduceScatter(it) => it,
            Collective::AllGather
            | Collective::Broadcast(_)
            | Collective::AllToAll
            | Collective::SendReceive(_) => Reduction::Sum,
        }
    }
}

impl fmt::Display for Collective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |it: &Reduction| {
            Reduction::ALL.iter().find(|(_, known)| known == it).map_or("?", |(name, _)| *name)
        };
        match self {
            Collective::AllReduce(it) => write!(f, "all_reduce:{}", name(it)),
            Collective::Reduce(it, root) => write!(f, "reduce:{}:{root}", name(it)),
            Collective::ReduceScatter(it) => write!(f, "reduce_scatter:{}", name(it)),
            Collective::AllGather => f.write_str("all_gather"),
            Collective::Broadcast(root) => write!(f, "broadcast:{root}"),
            Collective::AllToAll => f.write_str("all_to_all"),
            Collective::SendReceive(group) => write!(f, "send_receive:{group}"),
        }
    }
}

/// Which ranks an element comes from.
#[derive(Clone, Copy)]
enum Ranks {
    All,
    One(usize),
}

/// Elements of each block.
#[derive(Clone, Copy)]
struct Sizes {
    ranks: usize,
    input: usize,
    output: usize,
}

/// Blocks that do not fit the collective: what is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutError(pub String);

/// An element that the definition does not give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disagreement {
    /// Whose result.
    pub rank: u32,
    /// Its place in that rank's result.
    pub place: u64,
    /// What is there.
    pub got: Value,
    /// What the definition gives, computed in `f64` or in integers that wrap.
    pub expected: Value,
    /// How far `got` may be from that.
    pub bound: f64,
}

/// What a check against a definition found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollectiveReport {
    /// Elements looked at.
    pub elements: u64,
    /// Elements farther from the definition than rounding explains.
    pub bad: u64,
    /// The first of these, at most [`KEPT`].
    pub first: Vec<Disagreement>,
    /// The largest error of any element, as a share of its bound; at most 1 where all is good.
    pub worst: f64,
}

impl CollectiveReport {
    /// Whether the definition holds.
    pub fn is_good(&self) -> bool {
        self.bad == 0
    }
}

impl Collective {
    /// Checks what each rank has (`outputs`) against what each gave (`inputs`), one block of
    /// elements of `dtype` a rank.
    ///
    /// Moved elements must be equal bit by bit, integers exactly. A float sum may be off by
    /// `adds * eps * Σ|x|`, which no order of `adds` additions exceeds that rounds each result to
    /// `dtype`, a product by `multiplications * eps * |product|`. Where `Σ|x|` passes the largest number, an
    /// order may overflow, and infinities are taken.
    ///
    /// # Errors
    /// Where the blocks do not fit the collective.
    pub fn check(
        self,
        dtype: DType,
        inputs: &[&[u8]],
        outputs: &[&[u8]],
    ) -> Result<CollectiveReport, LayoutError> {
        let sizes = self.sizes(dtype, inputs, outputs)?;
        let size = dtype.bytes() as usize;
        let mut report = CollectiveReport::default();
        let definitions = self.definitions(dtype, inputs, sizes);
        for (rank, output) in outputs.iter().enumerate() {
            for (place, got) in output.chunks_exact(size).enumerate() {
                let Some((ranks, from)) = self.sources(place, rank, sizes) else { break };
                let at = from * size..(from + 1) * size;
                report.elements += 1;
                let verdict = match ranks {
                    Ranks::One(rank) => moved(dtype, got, &inputs[rank][at]),
                    Ranks::All => definitions[from].judge(value(dtype, got)),
                };
                report.worst = report.worst.max(verdict.share);
                if verdict.share > 1.0 {
                    report.note(rank, place, value(dtype, got), verdict);
                }
            }
        }
        Ok(report)
    }

    /// What each element of the reduction of all blocks is, for collectives that have one. Made
    /// once, since every rank may be compared with it.
    fn definitions(self, dtype: DType, inputs: &[&[u8]], sizes: Sizes) -> Vec<Definition> {
        let (size, reduction) = (dtype.bytes() as usize, self.reduction());
        let is_moved = matches!(
            self,
            Collective::AllGather
                | Collective::Broadcast(_)
                | Collective::AllToAll
                | Collective::SendReceive(_)
        );
        let places = if is_moved { 0 } else { sizes.input };
        let definition = |place: usize| {
            let at = place * size..(place + 1) * size;
            let terms = inputs.iter().map(|input| value(dtype, &input[at.clone()]));
            Definition::of(reduction, dtype, terms)
        };
        (0..places).map(definition).collect()
    }

    fn sizes(
        self,
        dtype: DType,
        inputs: &[&[u8]],
        outputs: &[&[u8]],
    ) -> Result<Sizes, LayoutError> {
        let (ranks, size) = (inputs.len(), dtype.bytes() as usize);
        let misfit = |text: String| Err(LayoutError(text));
        if ranks == 0 || outputs.len() != ranks {
            return misfit(format!("{ranks} ranks give and {} get", outputs.len()));
        }
        let input = inputs[0].len() / size;
        if inputs.iter().any(|block| block.len() != input * size) {
            return misfit(String::from("not every rank gives as many elements"));
        }
        if let Collective::Broadcast(root) | Collective::Reduce(_, root) = self
            && root as usize >= ranks
        {
            return misfit(format!("the root is rank {root} of {ranks}"));
        }
        let Some(output) = self.output_elements(input as u64, ranks as u64) else {
            return misfit(format!("{input} elements do not divide among {ranks} ranks"));
        };
        let output = output as usize;
        if let Some(block) = outputs.iter().find(|block| block.len() != output * size) {
            let got = block.len() / size;
            return misfit(format!("{self} leaves {output} elements on each rank, not {got}"));
        }
        Ok(Sizes { ranks, input, output })
    }
}

impl CollectiveReport {
    fn note(&mut self, rank: usize, place: usize, got: Value, verdict: Verdict) {
        self.bad += 1;
        if self.first.len() < KEPT {
            let Verdict { expected, bound, .. } = verdict;
            let (rank, place) = (rank as u32, place as u64);
            self.first.push(Disagreement { rank, place, got, expected, bound });
        }
    }
}

/// How an element compares with its definition.
struct Verdict {
    expected: Value,
    bound: f64,
    /// The error as a share of the bound: above 1 is wrong.
    share: f64,
}

impl Verdict {
    /// One that must be equal.
    fn exact(expected: Value, equal: bool) -> Verdict {
        Verdict { expected, bound: 0.0, share: if equal { 0.0 } else { f64::INFINITY } }
    }
}

fn moved(dtype: DType, got: &[u8], from: &[u8]) -> Verdict {
    Verdict::exact(value(dtype, from), got == from)
}

/// An element of a reduction, and how far a result may be from it.
#[derive(Clone, Copy, Debug)]
struct Definition {
    /// In `f64`, or in integers that wrap.
    expected: Value,
    /// How far a float may be off; `None` where it must be equal.
    bound: Option<f64>,
    /// Whether some order of the operations may overflow.
    may_overflow: bool,
}

impl Definition {
    /// The reduction of `terms`, elements of `dtype`.
    fn of(
        reduction: Reduction,
        dtype: DType,
        terms: impl ExactSizeIterator<Item = Value> + Clone,
    ) -> Definition {
        let steps = terms.len().saturating_sub(1) as f64;
        if dtype.is_int() {
            let expected = reduced_integers(reduction, dtype, terms);
            return Definition { expected, bound: None, may_overflow: false };
        }
        let floats = terms.map(Value::as_f64);
        let exact = floats.clone().reduce(|x, y| reduction.op().eval_real(x, y)).unwrap_or(0.0);
        let expected = Value::Float(exact, DType::F64);
        let scale = match reduction {
            Reduction::Max | Reduction::Min => {
                return Definition { expected, bound: None, may_overflow: false };
            }
            Reduction::Prod => exact.abs(),
            Reduction::Sum => floats.map(f64::abs).sum(),
        };
        let slack =
            if reduction == Reduction::Prod { steps * convert::smallest(dtype) } else { 0.0 };
        let bound = steps * 2.0 * dtype.unit_roundoff() * scale + slack;
        Definition { expected, bound: Some(bound), may_overflow: scale >= convert::largest(dtype) }
    }

    /// How `got` compares with it.
    fn judge(&self, got: Value) -> Verdict {
        let Definition { expected, bound, may_overflow } = *self;
        let Value::Float(exact, _) = expected else {
            return Verdict::exact(expected, got == expected);
        };
        let got = got.as_f64();
        let Some(bound) = bound else {
            return Verdict::exact(expected, got == exact || (got.is_nan() && exact.is_nan()));
        };
        Verdict { expected, bound, share: share(got, exact, bound, may_overflow) }
    }
}

/// The error of `got` as a share of `bound`.
fn share(got: f64, exact: f64, bound: f64, may_overflow: bool) -> f64 {
    if got == exact || (got.is_nan() && exact.is_nan()) || (may_overflow && !got.is_finite()) {
        return 0.0;
    }
    let error = (got - exact).abs();
    if !error.is_finite() || bound == 0.0 { f64::INFINITY } else { error / bound }
}

/// Integers reduce as the machine does: wrapped to their width at each step, in any order.
fn reduced_integers(
    reduction: Reduction,
    dtype: DType,
    terms: impl Iterator<Item = Value>,
) -> Value {
    let literal = |value: Value| match value {
        Value::Bool(value) => Literal::Int(i64::from(value)),
        Value::Int(value) => Literal::Int(value as i64),
        Value::Float(value, _) => Literal::Float(value),
    };
    let combine = |x: Literal, y: Literal| {
        eval::binary(reduction.op(), dtype, x, y).expect("no reduction divides")
    };
    let total = terms.map(literal).reduce(combine).unwrap_or(Literal::Int(0));
    let bits = total.as_int().unwrap_or(0);
    if dtype == DType::I1 {
        Value::Bool(bits != 0)
    } else if dtype == DType::U64 {
        Value::Int(i128::from(bits as u64))
    } else {
        Value::Int(i128::from(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn slices(blocks: &[Vec<u8>]) -> Vec<&[u8]> {
        blocks.iter().map(Vec::as_slice).collect()
    }

    fn good(name: &str, inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Result<bool, LayoutError> {
        let collective = Collective::from_name(name).unwrap();
        let report = collective.check(DType::F32, &slices(inputs), &slices(outputs))?;
        Ok(report.is_good())
    }

    #[test]
    fn names_are_read_and_printed() {
        for name in ["all_reduce:max", "reduce:prod:3", "reduce_scatter:sum", "all_gather"] {
            assert_eq!(Collective::from_name(name).unwrap().to_string(), name);
        }
        assert_eq!(Collective::from_name("all_reduce").unwrap().to_string(), "all_reduce:sum");
        assert_eq!(Collective::from_name("broadcast").unwrap().to_string(), "broadcast:0");
        for name in ["", "all_reduce:avg", "all_gather:sum", "broadcast:x", "reduce:sum:1:2"] {
            assert_eq!(Collective::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn each_collective_is_its_definition() {
        let inputs = [f32s(&[1.0, 2.0, 3.0, 4.0]), f32s(&[10.0, 20.0, 30.0, 40.0])];
        let sum = f32s(&[11.0, 22.0, 33.0, 44.0]);
        assert_eq!(good("all_reduce", &inputs, &[sum.clone(), sum.clone()]), Ok(true));
        assert_eq!(good("reduce:sum:1", &inputs, &[inputs[0].clone(), sum.clone()]), Ok(true));
        assert_eq!(good("reduce:sum:0", &inputs, &[inputs[0].clone(), sum.clone()]), Ok(false));
        let halves = [f32s(&[11.0, 22.0]), f32s(&[33.0, 44.0])];
        assert_eq!(good("reduce_scatter", &inputs, &halves), Ok(true));
        let all = [inputs[0].clone(), inputs[1].clone()].concat();
        assert_eq!(good("all_gather", &inputs, &[all.clone(), all.clone()]), Ok(true));
        let copies = [inputs[1].clone(), inputs[1].clone()];
        assert_eq!(good("broadcast:1", &inputs, &copies), Ok(true));
        assert_eq!(good("broadcast:0", &inputs, &copies), Ok(false));
        let swapped = [f32s(&[1.0, 2.0, 10.0, 20.0]), f32s(&[3.0, 4.0, 30.0, 40.0])];
        assert_eq!(good("all_to_all", &inputs, &swapped), Ok(true));
        let least = inputs[0].clone();
        assert_eq!(good("all_reduce:min", &inputs, &[least.clone(), least]), Ok(true));
        let product = f32s(&[10.0, 40.0, 90.0, 160.0]);
        assert_eq!(good("all_reduce:prod", &inputs, &[product.clone(), product]), Ok(true));
    }

    #[test]
    fn any_order_of_adding_is_within_the_bound_and_a_lost_term_is_not() {
        let ranks: Vec<Vec<u8>> = (0..16).map(|rank| f32s(&[1.0 / (rank as f32 + 1.0)])).collect();
        let terms: Vec<f32> = (0..16).map(|rank| 1.0 / (rank as f32 + 1.0)).collect();
        let forward = terms.iter().copied().reduce(|x, y| x + y).unwrap();
        let backward = terms.iter().rev().copied().reduce(|x, y| x + y).unwrap();
        let lost = terms[1..].iter().copied().reduce(|x, y| x + y).unwrap();
        for (value, right) in [(forward, true), (backward, true), (lost, false)] {
            let outputs = vec![f32s(&[value]); 16];
            assert_eq!(good("all_reduce", &ranks, &outputs), Ok(right));
        }
    }

    #[test]
    fn integers_wrap_and_are_exact() {
        let check = |a: u8, b: u8, got: u8, dtype| {
            let (inputs, outputs) = ([vec![a], vec![b]], [vec![got], vec![got]]);
            let collective = Collective::AllReduce(Reduction::Sum);
            collective.check(dtype, &slices(&inputs), &slices(&outputs)).unwrap().is_good()
        };
        assert!(check(200, 100, 44, DType::U8));
        assert!(check(100, 100, 200, DType::I8));
        assert!(!check(200, 100, 45, DType::U8));
    }

    #[test]
    fn an_overflow_of_some_order_is_taken() {
        let inputs = [vec![0xff, 0x7b], vec![0xff, 0x7b]];
        let infinity = [vec![0x00, 0x7c], vec![0x00, 0x7c]];
        let sum = Collective::AllReduce(Reduction::Sum);
        assert!(sum.check(DType::F16, &slices(&inputs), &slices(&infinity)).unwrap().is_good());
        let small = [vec![0x00, 0x3c], vec![0x00, 0x3c]];
        assert!(!sum.check(DType::F16, &slices(&small), &slices(&infinity)).unwrap().is_good());
    }

    #[test]
    fn blocks_that_do_not_fit_are_refused() {
        let inputs = [f32s(&[1.0, 2.0, 3.0]), f32s(&[1.0, 2.0, 3.0])];
        assert!(good("reduce_scatter", &inputs, &inputs).is_err());
        assert!(good("all_gather", &inputs, &inputs).is_err());
        assert!(good("broadcast:2", &inputs, &inputs).is_err());
        assert!(good("all_reduce", &inputs, &inputs[..1]).is_err());
    }
}
