//! Values that a loop or a branch hands on all at once, as moves done one after the other.

/// An order in which `moves` (to, from) may be done one by one so that each reads what was there
/// before all of them. `fresh` gives a register that nothing uses, to break a cycle. A register
/// is the target of at most one move.
pub(super) fn sequence(
    mut moves: Vec<(u32, u32)>,
    fresh: &mut dyn FnMut() -> u32,
) -> Vec<(u32, u32)> {
    let mut ordered = Vec::with_capacity(moves.len());
    moves.retain(|(to, from)| to != from);
    let mut readers = rustc_hash::FxHashMap::default();
    for (_, from) in &moves {
        *readers.entry(*from).or_insert(0u32) += 1;
    }
    let mut ready: Vec<usize> =
        (0..moves.len()).filter(|index| !readers.contains_key(&moves[*index].0)).collect();
    ready.reverse();
    let into: rustc_hash::FxHashMap<u32, usize> =
        moves.iter().enumerate().map(|(index, (to, _))| (*to, index)).collect();
    let mut done = vec![false; moves.len()];
    let mut next = 0;
    loop {
        while let Some(index) = ready.pop() {
            let (to, from) = moves[index];
            done[index] = true;
            ordered.push((to, from));
            let left = readers.entry(from).and_modify(|left| *left -= 1).or_insert(0);
            if let (0, Some(blocked)) = (*left, into.get(&from)) {
                ready.push(*blocked);
            }
        }
        // What is left are cycles: the first target is saved, and its readers read the copy.
        while next < moves.len() && done[next] {
            next += 1;
        }
        let Some((to, _)) = moves.get(next).copied() else { return ordered };
        let copy = fresh();
        ordered.push((copy, to));
        moves.iter_mut().filter(|(_, from)| *from == to).for_each(|(_, from)| *from = copy);
        ready.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does the moves one by one on registers that hold their own numbers.
    fn run(moves: &[(u32, u32)]) -> Vec<u32> {
        let mut next = 10;
        let mut regs: Vec<u32> = (0..20).collect();
        let mut fresh = || {
            next += 1;
            next - 1
        };
        for (to, from) in sequence(moves.to_vec(), &mut fresh) {
            regs[to as usize] = regs[from as usize];
        }
        regs.truncate(10);
        regs
    }

    #[test]
    fn moves_read_what_was_there_before() {
        assert_eq!(run(&[(0, 1), (1, 2), (2, 3)])[..3], [1, 2, 3]);
        assert_eq!(run(&[(2, 1), (1, 0)])[..3], [0, 0, 1]);
        assert_eq!(run(&[(0, 1), (1, 0)])[..2], [1, 0]);
        assert_eq!(run(&[(0, 1), (1, 2), (2, 0), (3, 0), (5, 5)])[..4], [1, 2, 0, 0]);
        assert_eq!(run(&[(0, 1), (1, 0), (2, 3), (3, 2)])[..4], [1, 0, 3, 2]);
    }
}
