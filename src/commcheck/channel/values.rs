//! What bytes hold, symbolically: which inputs have been combined into them.
//!
//! A value says which bytes of which ranks' inputs, in which launch, were added up. Places are
//! counted in bytes of data from some byte on, so a copied stretch is one value however long it is.

use rustc_hash::FxHashMap;

use crate::ops::BinaryOp;

/// Bytes of one rank's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Term {
    pub(super) rank: u32,
    pub(super) launch: u32,
    /// The first byte, counted from that of the first term.
    offset: i64,
    /// How often it was added.
    count: u32,
}

/// A set of terms, by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TermsId(u32);

/// What a stretch of bytes holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Value {
    pub(super) terms: TermsId,
    /// The byte of the first term's input that the byte at place 0 is made of.
    pub(super) shift: i64,
}

impl Value {
    /// Nothing was ever written.
    pub(super) const UNWRITTEN: Value = Value { terms: TermsId(0), shift: 0 };
    /// Zeros.
    pub(super) const ZERO: Value = Value { terms: TermsId(1), shift: 0 };
    /// Bytes that do not belong together.
    pub(super) const MIXED: Value = Value { terms: TermsId(2), shift: 0 };

    /// The same bytes, with places counted from `by` further on.
    pub(super) fn moved(self, by: i64) -> Value {
        let is_input = self.terms.0 > 2;
        if is_input { Value { shift: self.shift.wrapping_add(by), ..self } } else { self }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Terms {
    /// What combined them; `None` for a single one.
    op: Option<BinaryOp>,
    list: Vec<Term>,
}

type Combined = (BinaryOp, TermsId, TermsId, i64);

/// Every value that occurred.
#[derive(Clone, Debug)]
pub(super) struct Values {
    table: Vec<Terms>,
    known: FxHashMap<Terms, TermsId>,
    combined: FxHashMap<Combined, (TermsId, i64)>,
}

impl Values {
    pub(super) fn new() -> Values {
        let nothing = Terms { op: None, list: Vec::new() };
        Values {
            table: vec![nothing; 3],
            known: FxHashMap::default(),
            combined: FxHashMap::default(),
        }
    }

    fn intern(&mut self, mut terms: Terms) -> Value {
        terms.list.sort_unstable();
        let first = terms.list.first().map_or(0, |it| it.offset);
        terms.list.iter_mut().for_each(|it| it.offset = it.offset.wrapping_sub(first));
        let next = TermsId(self.table.len() as u32);
        let id = *self.known.entry(terms).or_insert_with_key(|terms| {
            self.table.push(terms.clone());
            next
        });
        Value { terms: id, shift: first }
    }

    /// Bytes of the input of `rank` in a launch, from `shift` on.
    pub(super) fn input(&mut self, rank: u32, launch: u32, shift: i64) -> Value {
        let term = Term { rank, launch, offset: 0, count: 1 };
        Value { shift, ..self.intern(Terms { op: None, list: vec![term] }) }
    }

    /// The same bytes of the inputs of all `ranks` in a launch, combined.
    pub(super) fn all(&mut self, op: BinaryOp, ranks: u32, launch: u32) -> Value {
        let term = |rank| Term { rank, launch, offset: 0, count: 1 };
        let op = (ranks > 1).then_some(op);
        self.intern(Terms { op, list: (0..ranks).map(term).collect() })
    }

    /// Two values combined.
    pub(super) fn combine(&mut self, op: BinaryOp, one: Value, two: Value) -> Value {
        if [one, two].iter().any(|it| *it == Value::UNWRITTEN || *it == Value::MIXED) {
            return Value::MIXED;
        }
        if one == Value::ZERO || two == Value::ZERO {
            let adds = op == BinaryOp::Add;
            let other = if one == Value::ZERO { two } else { one };
            return if adds { other } else { Value::MIXED };
        }
        let apart = two.shift.wrapping_sub(one.shift);
        let key = (op, one.terms, two.terms, apart);
        if let Some((terms, by)) = self.combined.get(&key) {
            return Value { terms: *terms, shift: one.shift.wrapping_add(*by) };
        }
        let value = self.merge(op, one.terms, two.terms, apart);
        self.combined.insert(key, (value.terms, value.shift));
        if value.terms.0 <= 2 { value } else { value.moved(one.shift) }
    }

    fn merge(&mut self, op: BinaryOp, one: TermsId, two: TermsId, apart: i64) -> Value {
        let (one, two) = (&self.table[one.0 as usize], &self.table[two.0 as usize]);
        if [one.op, two.op].into_iter().flatten().any(|other| other != op) {
            return Value::MIXED;
        }
        let mut list = one.list.clone();
        let adds = op == BinaryOp::Add;
        for term in &two.list {
            let term = Term { offset: term.offset.wrapping_add(apart), ..*term };
            let same = |it: &&mut Term| {
                (it.rank, it.launch, it.offset) == (term.rank, term.launch, term.offset)
            };
            match list.iter_mut().find(same) {
                Some(known) if adds => known.count = known.count.saturating_add(term.count),
                Some(_) => {}
                None => list.push(term),
            }
        }
        self.intern(Terms { op: Some(op), list })
    }

    /// A value in words, at place `place`, each term as `x0[64..]`.
    pub(super) fn describe(&self, value: Value, place: i64) -> String {
        if value == Value::UNWRITTEN {
            return String::from("nothing: no op writes it");
        }
        if value == Value::ZERO {
            return String::from("zeros of scratch");
        }
        if value == Value::MIXED {
            return String::from("bytes that do not belong together");
        }
        let terms = &self.table[value.terms.0 as usize];
        let sign = match terms.op {
            None | Some(BinaryOp::Add) => " + ",
            Some(_) => ", ",
        };
        let shown = |it: &Term| {
            let times = if it.count > 1 { format!("{}·", it.count) } else { String::new() };
            let at = value.shift.wrapping_add(it.offset).wrapping_add(place);
            format!("{times}x{}[{at}..] of launch {}", it.rank, it.launch)
        };
        let mut parts: Vec<String> = terms.list.iter().take(9).map(shown).collect();
        if terms.list.len() > parts.len() {
            parts.push(format!("{} more", terms.list.len() - parts.len()));
        }
        parts.join(sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_their_order_but_on_their_terms() {
        let mut values = Values::new();
        let [a, b, c] = [0, 1, 2].map(|rank| values.input(rank, 1, 100));
        let ab = values.combine(BinaryOp::Add, a, b);
        let abc = values.combine(BinaryOp::Add, ab, c);
        let bc = values.combine(BinaryOp::Add, c, b);
        let cba = values.combine(BinaryOp::Add, bc, a);
        assert_eq!(abc, cba);
        let all = values.all(BinaryOp::Add, 3, 1);
        assert_eq!(abc, all.moved(100));
        let twice = values.combine(BinaryOp::Add, abc, a);
        assert_ne!(twice, abc);
        let later = values.input(0, 2, 100);
        assert_ne!(values.combine(BinaryOp::Add, later, b), ab, "of another launch");
        let moved = values.combine(BinaryOp::Add, a, b.moved(8));
        assert_ne!(moved, ab, "of another place");
        assert_eq!(values.combine(BinaryOp::Add, a.moved(8), b.moved(8)), ab.moved(8));
        let most = values.combine(BinaryOp::Maximum, a, b);
        assert_eq!(values.combine(BinaryOp::Maximum, most, a), most, "is in it already");
        assert_eq!(values.combine(BinaryOp::Add, most, c), Value::MIXED);
        assert_eq!(values.combine(BinaryOp::Add, Value::ZERO, c), c);
        assert_eq!(values.combine(BinaryOp::Add, Value::UNWRITTEN, c), Value::MIXED);
    }
}
