//! Sums in the order that an algorithm adds in, so that its result can be compared bit by bit.

use rustc_hash::FxHashMap;

use super::HostError;
use super::array::Array;
use super::elementwise::Arithmetic;

/// A sum of contributions, as a nested list: a number is the contribution of that rank, a list is
/// the left-to-right sum of its items. `[3, 2, [1, 0]]` is `(x3 + x2) + (x1 + x0)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SumOrder {
    /// What one rank gives.
    Rank(u32),
    /// The sum of these, first one first; never empty.
    Sum(Vec<SumOrder>),
}

/// Sums of the contributions of ranks. Orders that come back are not added again.
#[derive(Debug)]
pub struct OrderedSums<'a> {
    contributions: &'a [Array],
    op: Arithmetic,
    known: FxHashMap<SumOrder, Array>,
}

impl SumOrder {
    /// How many contributions it adds; a rank that occurs twice counts twice.
    pub fn terms(&self) -> usize {
        match self {
            SumOrder::Rank(_) => 1,
            SumOrder::Sum(items) => items.iter().map(SumOrder::terms).sum(),
        }
    }

    /// Every rank that gives, in order of addition.
    pub fn ranks(&self) -> Vec<u32> {
        match self {
            SumOrder::Rank(rank) => vec![*rank],
            SumOrder::Sum(items) => items.iter().flat_map(SumOrder::ranks).collect(),
        }
    }
}

impl<'a> OrderedSums<'a> {
    /// Sums, by `op`, of `contributions`, one a rank.
    pub fn new(contributions: &'a [Array], op: Arithmetic) -> OrderedSums<'a> {
        OrderedSums { contributions, op, known: FxHashMap::default() }
    }

    /// The sum in this order, each addition rounded to the type of the contributions.
    ///
    /// # Errors
    /// A rank without a contribution, an empty sum, contributions that do not add.
    pub fn sum(&mut self, order: &SumOrder) -> Result<Array, HostError> {
        if let Some(sum) = self.known.get(order) {
            return Ok(sum.clone());
        }
        let sum = self.add(order)?;
        self.known.insert(order.clone(), sum.clone());
        Ok(sum)
    }

    fn add(&self, order: &SumOrder) -> Result<Array, HostError> {
        match order {
            SumOrder::Rank(rank) => {
                let found = self.contributions.get(*rank as usize).cloned();
                found.ok_or_else(|| {
                    let ranks = self.contributions.len();
                    HostError::Value(format!("rank {rank} gives nothing: there are {ranks} ranks"))
                })
            }
            SumOrder::Sum(items) => {
                let Some((first, rest)) = items.split_first() else {
                    return Err(HostError::Value(String::from("a sum of nothing")));
                };
                let mut sum = self.add(first)?;
                for item in rest {
                    sum = sum.arithmetic(self.op, &self.add(item)?)?;
                }
                Ok(sum)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::ops::BinaryOp;
    use crate::shape::Shape;

    fn rank(rank: u32) -> SumOrder {
        SumOrder::Rank(rank)
    }

    #[test]
    fn order_decides_the_bits() {
        let one = |value| Array::from_f64s(DType::F16, &Shape::new([1]), vec![value]).unwrap();
        let contributions = [one(2048.0), one(1.0), one(1.0)];
        let mut sums = OrderedSums::new(&contributions, Arithmetic::Op(BinaryOp::Add));
        let forward = SumOrder::Sum(vec![rank(0), rank(1), rank(2)]);
        assert_eq!(sums.sum(&forward).unwrap().to_f64s(), [2048.0]);
        let nested = SumOrder::Sum(vec![rank(0), SumOrder::Sum(vec![rank(1), rank(2)])]);
        assert_eq!(sums.sum(&nested).unwrap().to_f64s(), [2050.0]);
        assert_eq!((nested.terms(), nested.ranks()), (3, vec![0, 1, 2]));
        assert!(sums.sum(&rank(3)).is_err());
        assert!(sums.sum(&SumOrder::Sum(vec![])).is_err());
    }
}
