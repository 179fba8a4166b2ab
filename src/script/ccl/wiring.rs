//! Who is next to whom, by the name of a topology.

use crate::launch::NeighborTable;

/// A topology of ranks: which directions a kernel has, and where they lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::script) enum Wiring {
    /// `E` and `W` around a ring.
    Ring,
    /// `N`, `S`, `E` and `W` on a grid that wraps around.
    Torus,
    /// The same without wrapping.
    Mesh,
    /// `parent`, `child_left` and `child_right` of a binary tree from rank 0.
    Tree,
}

/// The names of topologies. kernbench takes `mesh_2d` for a torus, and so do we.
pub(super) const NAMES: &[(&str, Option<Wiring>)] = &[
    ("none", None),
    ("ring_1d", Some(Wiring::Ring)),
    ("torus_2d", Some(Wiring::Torus)),
    ("mesh_2d", Some(Wiring::Torus)),
    ("mesh_2d_no_wrap", Some(Wiring::Mesh)),
    ("tree_binary", Some(Wiring::Tree)),
];

impl Wiring {
    /// The neighbours of `world` ranks.
    pub(in crate::script) fn table(self, world: u32) -> NeighborTable {
        let mut table = NeighborTable::new(world);
        for rank in 0..world {
            match self {
                Wiring::Ring => ring(&mut table, rank, world),
                Wiring::Torus => grid(&mut table, rank, world, true),
                Wiring::Mesh => grid(&mut table, rank, world, false),
                Wiring::Tree => tree(&mut table, rank, world),
            }
        }
        table
    }
}

fn ring(table: &mut NeighborTable, rank: u32, world: u32) {
    // With two ranks both directions lead to the same one: which is which is said.
    table.set(rank, "E", (rank + 1) % world, Some("W"));
    table.set(rank, "W", (rank + world - 1) % world, Some("E"));
}

/// Rows of the most nearly square grid of `world` ranks: the largest divisor that is no larger than
/// its root.
fn rows(world: u32) -> u32 {
    let fits = |rows: &u32| u64::from(*rows) * u64::from(*rows) <= u64::from(world);
    (1..=world).take_while(fits).filter(|rows| world.is_multiple_of(*rows)).last().unwrap_or(1)
}

fn grid(table: &mut NeighborTable, rank: u32, world: u32, wraps: bool) {
    let rows = rows(world);
    let columns = world / rows;
    let (row, column) = (rank / columns, rank % columns);
    let step = |at: u32, by: u32, size: u32| (at + by) % size;
    let moves = [
        ("E", (row, step(column, 1, columns)), "W", wraps || column + 1 < columns),
        ("W", (row, step(column, columns - 1, columns)), "E", wraps || column > 0),
        ("S", (step(row, 1, rows), column), "N", wraps || row + 1 < rows),
        ("N", (step(row, rows - 1, rows), column), "S", wraps || row > 0),
    ];
    for (direction, (row, column), theirs, is_there) in moves {
        table.declare(direction);
        if is_there {
            table.set(rank, direction, row * columns + column, Some(theirs));
        }
    }
}

fn tree(table: &mut NeighborTable, rank: u32, world: u32) {
    let children =
        [("child_left", u64::from(rank) * 2 + 1), ("child_right", u64::from(rank) * 2 + 2)];
    table.declare("parent");
    for (direction, child) in children {
        table.declare(direction);
        if let Some(child) = u32::try_from(child).ok().filter(|child| *child < world) {
            table.set(rank, direction, child, Some("parent"));
            table.set(child, "parent", rank, Some(direction));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::NeighborMap;

    #[test]
    fn a_ring_of_two_keeps_its_directions_apart() {
        let table = Wiring::Ring.table(2);
        assert_eq!(table.receiver(0, "E"), Ok(Some((1, "W"))));
        assert_eq!(table.receiver(0, "W"), Ok(Some((1, "E"))));
    }

    #[test]
    fn grids_are_as_square_as_they_can_be() {
        assert_eq!([1, 2, 6, 7, 12, 16, 96].map(rows), [1, 1, 2, 1, 3, 4, 8]);
        let (torus, mesh) = (Wiring::Torus.table(6), Wiring::Mesh.table(6));
        // Rows of three: 0 1 2, 3 4 5.
        assert_eq!(torus.neighbor(2, "E"), Some(0));
        assert_eq!(torus.neighbor(1, "S"), Some(4));
        assert_eq!(torus.neighbor(4, "S"), Some(1));
        assert_eq!(mesh.neighbor(2, "E"), None);
        assert_eq!(mesh.neighbor(4, "S"), None);
        assert_eq!(mesh.neighbor(4, "N"), Some(1));
    }

    #[test]
    fn a_tree_leads_down_and_back() {
        let table = Wiring::Tree.table(6);
        assert_eq!(table.neighbor(0, "parent"), None);
        assert_eq!(table.receiver(2, "child_left"), Ok(Some((5, "parent"))));
        assert_eq!(table.receiver(5, "parent"), Ok(Some((2, "child_left"))));
        assert_eq!(table.neighbor(2, "child_right"), None);
    }
}
