//! Who is next to whom when a program does not say: the default directions of a communicator.
//!
//! | directions | what they walk |
//! |---|---|
//! | `E W` | a ring over all ranks |
//! | `N S` | the columns of the near-square grid of all ranks, wrapping; `S` is the next row |
//! | `parent child_left child_right` | a binary tree over all ranks, rooted at 0 |
//! | `intra_N intra_S intra_E intra_W` | the PEs of a cube, no wrapping |
//! | `cube_N cube_S cube_E cube_W` | the cubes of a SIP, same PE, no wrapping |
//! | `global_N global_S global_E global_W` | the SIPs, same cube and PE, wrapping as the fabric does |
//!
//! A rank is never its own neighbour, and a neighbour outside the world is none.

use Compass::{E, N, S, W};

use super::spec::near_square;
use super::{Extent, Grid, PeCoord, PeId};

/// A point of the compass; south is the next row, east the next column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compass {
    /// The row before.
    N,
    /// The row after.
    S,
    /// The column after.
    E,
    /// The column before.
    W,
}

/// An edge of the binary tree over the ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TreeEdge {
    /// `(r - 1) / 2`.
    Parent,
    /// `2r + 1`.
    ChildLeft,
    /// `2r + 2`.
    ChildRight,
}

/// A direction that every program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Over all ranks: `E W` the ring, `N S` the columns of the grid.
    World(Compass),
    /// Over all ranks as a tree.
    Tree(TreeEdge),
    /// Among the PEs of a cube.
    Intra(Compass),
    /// Among the cubes of a SIP.
    Cube(Compass),
    /// Among the SIPs.
    Global(Compass),
}

impl Direction {
    /// Every direction with its name, family by family.
    pub const NAMED: [(Direction, &'static str); 19] = [
        (Direction::World(N), "N"),
        (Direction::World(S), "S"),
        (Direction::World(E), "E"),
        (Direction::World(W), "W"),
        (Direction::Tree(TreeEdge::Parent), "parent"),
        (Direction::Tree(TreeEdge::ChildLeft), "child_left"),
        (Direction::Tree(TreeEdge::ChildRight), "child_right"),
        (Direction::Intra(N), "intra_N"),
        (Direction::Intra(S), "intra_S"),
        (Direction::Intra(E), "intra_E"),
        (Direction::Intra(W), "intra_W"),
        (Direction::Cube(N), "cube_N"),
        (Direction::Cube(S), "cube_S"),
        (Direction::Cube(E), "cube_E"),
        (Direction::Cube(W), "cube_W"),
        (Direction::Global(N), "global_N"),
        (Direction::Global(S), "global_S"),
        (Direction::Global(E), "global_E"),
        (Direction::Global(W), "global_W"),
    ];

    /// Every name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMED.into_iter().map(|(_, name)| name)
    }

    /// The direction of this name.
    pub fn from_name(name: &str) -> Option<Direction> {
        Self::NAMED.into_iter().find(|(_, other)| *other == name).map(|(direction, _)| direction)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let row = Self::NAMED.into_iter().find(|(direction, _)| *direction == self);
        row.map(|(_, name)| name).expect("every direction has a row")
    }

    /// The one direction that leads back wherever this one leads: `W` for `E`, `parent` for a
    /// child. `parent` has none, since it may lead to either side of the tree.
    pub const fn opposite(self) -> Option<Direction> {
        Some(match self {
            Direction::World(compass) => Direction::World(compass.opposite()),
            Direction::Intra(compass) => Direction::Intra(compass.opposite()),
            Direction::Cube(compass) => Direction::Cube(compass.opposite()),
            Direction::Global(compass) => Direction::Global(compass.opposite()),
            Direction::Tree(TreeEdge::ChildLeft | TreeEdge::ChildRight) => {
                Direction::Tree(TreeEdge::Parent)
            }
            Direction::Tree(TreeEdge::Parent) => return None,
        })
    }

    /// Whether both walk the same things.
    const fn is_like(self, other: Direction) -> bool {
        matches!(
            (self, other),
            (Direction::World(_), Direction::World(_))
                | (Direction::Tree(_), Direction::Tree(_))
                | (Direction::Intra(_), Direction::Intra(_))
                | (Direction::Cube(_), Direction::Cube(_))
                | (Direction::Global(_), Direction::Global(_))
        )
    }
}

impl Compass {
    /// The point across.
    pub const fn opposite(self) -> Compass {
        match self {
            N => S,
            S => N,
            E => W,
            W => E,
        }
    }
}

/// The default neighbours in a world of the first ranks of a machine. Small and `Copy`; asking it
/// allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Neighbors {
    extent: Extent,
    world: u32,
    /// All ranks, row by row.
    grid: Grid,
}

impl Neighbors {
    /// The neighbours among ranks `0..world` of a machine with this extent.
    pub fn new(extent: &Extent, world: u32) -> Neighbors {
        Neighbors { extent: *extent, world, grid: near_square(world.max(1), true) }
    }

    /// The near-square grid of all ranks that `N` and `S` walk.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// The rank next to `rank` in `direction`, if there is another one.
    pub fn of(&self, rank: u32, direction: Direction) -> Option<u32> {
        if rank >= self.world {
            return None;
        }
        let found = match direction {
            Direction::World(compass) => self.in_world(rank, compass),
            Direction::Tree(edge) => in_tree(rank, edge)?,
            Direction::Intra(_) | Direction::Cube(_) | Direction::Global(_) => {
                self.in_machine(rank, direction)?
            }
        };
        (found != rank && found < self.world).then_some(found)
    }

    /// Where a tile that `rank` sends in `direction` arrives: the rank, and the direction from
    /// which it receives it there. That is the opposite direction if it leads back, else the only
    /// one of its family that does.
    pub fn receiver(&self, rank: u32, direction: Direction) -> Option<(u32, Direction)> {
        let peer = self.of(rank, direction)?;
        let leads_back = |back: &Direction| self.of(peer, *back) == Some(rank);
        if let Some(opposite) = direction.opposite().filter(leads_back) {
            return Some((peer, opposite));
        }
        let family = Direction::NAMED.into_iter().map(|(other, _)| other);
        let mut back = family.filter(|other| other.is_like(direction)).filter(leads_back);
        let only = back.next()?;
        back.next().is_none().then_some((peer, only))
    }

    fn in_world(&self, rank: u32, compass: Compass) -> u32 {
        let Grid { w, h, wraps: _ } = self.grid;
        let around = |forwards: u32| {
            let sum = u64::from(rank) + u64::from(forwards);
            (sum % u64::from(self.world)) as u32
        };
        match compass {
            E => around(1),
            W => around(self.world - 1),
            S => around(w),
            N => around(w * (h - 1)),
        }
    }

    fn in_machine(&self, rank: u32, direction: Direction) -> Option<u32> {
        let at = self.extent.coord(PeId(rank));
        let next = match direction {
            Direction::Intra(compass) => {
                PeCoord { pe: step(self.extent.pes, at.pe, compass)?, ..at }
            }
            Direction::Cube(compass) => {
                PeCoord { cube: step(self.extent.cubes, at.cube, compass)?, ..at }
            }
            Direction::Global(compass) => {
                PeCoord { sip: step(self.extent.sips, at.sip, compass)?, ..at }
            }
            Direction::World(_) | Direction::Tree(_) => return None,
        };
        Some(self.extent.pe_at(next).0)
    }
}

fn in_tree(rank: u32, edge: TreeEdge) -> Option<u32> {
    match edge {
        TreeEdge::Parent => Some(rank.checked_sub(1)? / 2),
        TreeEdge::ChildLeft => rank.checked_mul(2)?.checked_add(1),
        TreeEdge::ChildRight => rank.checked_mul(2)?.checked_add(2),
    }
}

/// The place next to `at` in a grid.
fn step(grid: Grid, at: u32, compass: Compass) -> Option<u32> {
    let Grid { w, h, wraps } = grid;
    let (x, y) = (at % w, at / w);
    let forwards = |at: u32, side: u32| {
        if at + 1 < side { Some(at + 1) } else { wraps.then_some(0) }
    };
    let backwards = |at: u32, side: u32| at.checked_sub(1).or(wraps.then_some(side - 1));
    let (x, y) = match compass {
        E => (forwards(x, w)?, y),
        W => (backwards(x, w)?, y),
        S => (x, forwards(y, h)?),
        N => (x, backwards(y, h)?),
    };
    Some(y * w + x)
}

/// The rank next to `rank` in the direction of this name; `None` also for a name that is none.
/// Asking often, make one [`Neighbors`].
pub fn neighbor(extent: &Extent, world: u32, rank: u32, direction: &str) -> Option<u32> {
    Neighbors::new(extent, world).of(rank, Direction::from_name(direction)?)
}

/// The name of the direction across from the one of this name.
pub fn opposite(direction: &str) -> Option<&'static str> {
    Some(Direction::from_name(direction)?.opposite()?.name())
}

/// Why a sent tile has no direction to arrive from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpaired {
    /// No direction of the receiver leads back to the sender.
    NoWayBack,
    /// Several do, and none of them is the opposite of the one sent in.
    Ambiguous,
}

/// The direction from which a tile sent in `direction` arrives, for neighbours that a program
/// names itself. `leading_back` are the receiver's directions that lead to the sender: the
/// opposite one if it is among them, else the only one.
pub fn pair<'n>(
    direction: &str,
    leading_back: impl IntoIterator<Item = &'n str>,
) -> Result<&'n str, Unpaired> {
    let across = opposite(direction);
    let mut only = Err(Unpaired::NoWayBack);
    for name in leading_back {
        if Some(name) == across {
            return Ok(name);
        }
        only = match only {
            Err(Unpaired::NoWayBack) => Ok(name),
            Ok(_) | Err(Unpaired::Ambiguous) => Err(Unpaired::Ambiguous),
        };
    }
    only
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2 SIPs in a ring, 4 × 4 cubes, 4 × 2 PEs.
    const DEFAULT: Extent = Extent {
        sips: Grid { w: 2, h: 1, wraps: true },
        cubes: Grid { w: 4, h: 4, wraps: false },
        pes: Grid { w: 4, h: 2, wraps: false },
    };

    #[test]
    fn the_ring_wraps_over_the_world_not_the_machine() {
        assert_eq!(neighbor(&DEFAULT, 8, 7, "E"), Some(0));
        assert_eq!(neighbor(&DEFAULT, 8, 0, "W"), Some(7));
        assert_eq!(neighbor(&DEFAULT, 256, 7, "E"), Some(8));
        assert_eq!(neighbor(&DEFAULT, 1, 0, "E"), None);
        assert_eq!(neighbor(&DEFAULT, 2, 0, "E"), Some(1));
        assert_eq!(neighbor(&DEFAULT, 2, 0, "W"), Some(1));
        assert_eq!(neighbor(&DEFAULT, 8, 8, "E"), None); // not a rank of this world
    }

    #[test]
    fn columns_walk_the_near_square_grid() {
        // 12 = 3 rows of 4.
        assert_eq!(neighbor(&DEFAULT, 12, 1, "S"), Some(5));
        assert_eq!(neighbor(&DEFAULT, 12, 9, "S"), Some(1));
        assert_eq!(neighbor(&DEFAULT, 12, 1, "N"), Some(9));
        // 7 is prime: one row, so nobody is above or below.
        assert_eq!(neighbor(&DEFAULT, 7, 3, "S"), None);
    }

    #[test]
    fn the_tree_is_the_heap_order() {
        let all = Neighbors::new(&DEFAULT, 6);
        let of = |rank, edge| all.of(rank, Direction::Tree(edge));
        assert_eq!(of(0, TreeEdge::Parent), None);
        assert_eq!(of(5, TreeEdge::Parent), Some(2));
        assert_eq!(of(2, TreeEdge::ChildLeft), Some(5));
        assert_eq!(of(2, TreeEdge::ChildRight), None); // 6 is outside
    }

    #[test]
    fn physical_grids_end_where_they_end() {
        assert_eq!(neighbor(&DEFAULT, 256, 0, "intra_E"), Some(1));
        assert_eq!(neighbor(&DEFAULT, 256, 3, "intra_E"), None);
        assert_eq!(neighbor(&DEFAULT, 256, 0, "intra_S"), Some(4));
        assert_eq!(neighbor(&DEFAULT, 256, 0, "cube_E"), Some(8));
        assert_eq!(neighbor(&DEFAULT, 256, 0, "cube_S"), Some(32));
        assert_eq!(neighbor(&DEFAULT, 256, 3 * 8, "cube_E"), None);
        assert_eq!(neighbor(&DEFAULT, 256, 5, "global_E"), Some(133));
        assert_eq!(neighbor(&DEFAULT, 256, 133, "global_E"), Some(5));
        assert_eq!(neighbor(&DEFAULT, 256, 5, "global_N"), None); // one row of SIPs
        assert_eq!(neighbor(&DEFAULT, 130, 5, "global_E"), None); // rank 133 takes no part
    }

    #[test]
    fn whatever_is_sent_arrives_and_leads_back() {
        for world in [1, 2, 3, 4, 7, 8, 15, 16, 64, 129, 256] {
            let all = Neighbors::new(&DEFAULT, world);
            for rank in 0..world {
                for (direction, name) in Direction::NAMED {
                    let Some(peer) = all.of(rank, direction) else { continue };
                    let receiver = all.receiver(rank, direction);
                    let (to, back) = receiver.unwrap_or_else(|| panic!("{world} {rank} {name}"));
                    assert_eq!(
                        (to, all.of(peer, back)),
                        (peer, Some(rank)),
                        "{world} {rank} {name}"
                    );
                }
            }
        }
    }

    #[test]
    fn receivers_are_one_to_one() {
        for world in [2, 3, 6, 16, 256] {
            let all = Neighbors::new(&DEFAULT, world);
            let mut seen = std::collections::BTreeSet::new();
            for rank in 0..world {
                for (direction, _) in Direction::NAMED {
                    let Some(receiver) = all.receiver(rank, direction) else { continue };
                    assert!(seen.insert(receiver), "two senders to one queue: {receiver:?}");
                }
            }
        }
    }

    #[test]
    fn pairing_prefers_the_opposite() {
        assert_eq!(pair("E", ["W", "E"]), Ok("W"));
        assert_eq!(pair("right", ["left"]), Ok("left"));
        assert_eq!(pair("right", ["left", "up"]), Err(Unpaired::Ambiguous));
        assert_eq!(pair("right", ["left", "up", "down"]), Err(Unpaired::Ambiguous));
        assert_eq!(pair("right", []), Err(Unpaired::NoWayBack));
        assert_eq!(pair("parent", ["child_right"]), Ok("child_right"));
        assert_eq!(opposite("intra_N"), Some("intra_S"));
        assert_eq!(opposite("child_left"), Some("parent"));
        assert_eq!(opposite("parent"), None);
    }
}
