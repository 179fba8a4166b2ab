//! Which nodes of a list of links can be reached.

/// A directed link of two numbered nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    pub(super) from: u32,
    pub(super) to: u32,
}

/// The first of `wanted` that no way leads to from `start`, over `nodes` nodes. Linear in the
/// number of links.
pub(super) fn unreached(
    nodes: usize,
    arcs: &[Arc],
    start: u32,
    wanted: impl IntoIterator<Item = u32>,
) -> Option<u32> {
    let mut sorted: Vec<Arc> = arcs.to_vec();
    sorted.sort_unstable_by_key(|arc| arc.from);
    let mut reached = vec![false; nodes];
    let mut waiting = vec![start];
    while let Some(node) = waiting.pop() {
        let Some(seen @ false) = reached.get_mut(node as usize) else { continue };
        *seen = true;
        let first = sorted.partition_point(|arc| arc.from < node);
        let around = sorted.iter().skip(first).take_while(|arc| arc.from == node);
        waiting.extend(around.map(|arc| arc.to));
    }
    wanted.into_iter().find(|node| reached.get(*node as usize) != Some(&true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_way_chain_is_reached_forwards_only() {
        let chain = [Arc { from: 1, to: 2 }, Arc { from: 0, to: 1 }];
        assert_eq!(unreached(3, &chain, 0, 0..3), None);
        assert_eq!(unreached(3, &chain, 1, 0..3), Some(0));
        assert_eq!(unreached(0, &[], 0, [5]), Some(5));
    }
}
