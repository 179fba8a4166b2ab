//! Who each rank's neighbours are: what a file's `neighbors` function said, as plain data.

use crate::topology::neighbors::{self, Direction, Neighbors, Unpaired};

/// A map from (rank, direction) to a neighbour: the default one, or a file's own.
pub trait NeighborMap {
    /// The neighbour of `rank` in `direction`, if there is one.
    fn neighbor(&self, rank: u32, direction: &str) -> Option<u32>;

    /// Where a tile that `rank` sends in `direction` arrives: the neighbour, and the direction
    /// from which the neighbour receives it. `None` where there is no neighbour.
    ///
    /// # Errors
    /// Why no direction of the neighbour can be chosen.
    fn receiver(&self, rank: u32, direction: &str) -> Result<Option<(u32, &str)>, Unpaired>;

    /// Every direction that some rank may have, for messages.
    fn directions(&self) -> Vec<&str>;
}

impl NeighborMap for neighbors::Neighbors {
    fn neighbor(&self, rank: u32, direction: &str) -> Option<u32> {
        self.of(rank, Direction::from_name(direction)?)
    }

    fn receiver(&self, rank: u32, direction: &str) -> Result<Option<(u32, &str)>, Unpaired> {
        let Some(direction) = Direction::from_name(direction) else { return Ok(None) };
        let Some(peer) = self.of(rank, direction) else { return Ok(None) };
        // In a family of default directions, one at most leads back.
        let (_, theirs) = Neighbors::receiver(self, rank, direction).ok_or(Unpaired::NoWayBack)?;
        Ok(Some((peer, theirs.name())))
    }

    fn directions(&self) -> Vec<&str> {
        Direction::names().collect()
    }
}

/// Neighbours that were listed one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NeighborTable {
    world: u32,
    names: Vec<String>,
    /// By direction, then by rank.
    columns: Vec<Vec<Option<Entry>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    rank: u32,
    /// The neighbour's direction, by its place in the names.
    theirs: Option<u32>,
}

impl NeighborTable {
    /// A table of `world` ranks without neighbours.
    pub fn new(world: u32) -> NeighborTable {
        NeighborTable { world, ..NeighborTable::default() }
    }

    /// The number of ranks.
    pub fn world(&self) -> u32 {
        self.world
    }

    /// Says that `neighbor` lies in `direction` of `rank`, and receives in `theirs` if that is
    /// given. A rank outside the world says nothing.
    pub fn set(&mut self, rank: u32, direction: &str, neighbor: u32, theirs: Option<&str>) {
        let theirs = theirs.map(|name| self.column(name) as u32);
        let column = self.column(direction);
        if let Some(entry) = self.columns[column].get_mut(rank as usize) {
            *entry = Some(Entry { rank: neighbor, theirs });
        }
    }

    /// Says that there is such a direction, whoever has a neighbour in it.
    pub fn declare(&mut self, direction: &str) {
        self.column(direction);
    }

    fn entry(&self, rank: u32, direction: &str) -> Option<Entry> {
        let column = self.names.iter().position(|it| it == direction)?;
        self.columns[column].get(rank as usize).copied().flatten()
    }

    /// The column of `name`, which is made if need be.
    fn column(&mut self, name: &str) -> usize {
        self.names.iter().position(|it| it == name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.columns.push(vec![None; self.world as usize]);
            self.names.len() - 1
        })
    }
}

impl NeighborMap for NeighborTable {
    fn neighbor(&self, rank: u32, direction: &str) -> Option<u32> {
        self.entry(rank, direction).map(|entry| entry.rank)
    }

    fn receiver(&self, rank: u32, direction: &str) -> Result<Option<(u32, &str)>, Unpaired> {
        let Some(entry) = self.entry(rank, direction) else { return Ok(None) };
        if let Some(theirs) = entry.theirs.and_then(|index| self.names.get(index as usize)) {
            return Ok(Some((entry.rank, theirs)));
        }
        let leads_back = |name: &&str| self.neighbor(entry.rank, name) == Some(rank);
        let theirs = neighbors::pair(direction, self.directions().into_iter().filter(leads_back))?;
        Ok(Some((entry.rank, theirs)))
    }

    fn directions(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_back_what_was_said() {
        let mut table = NeighborTable::new(3);
        table.set(0, "E", 1, None);
        table.set(1, "W", 0, None);
        table.set(1, "up", 0, Some("down"));
        table.set(7, "E", 1, None);
        assert_eq!(table.neighbor(0, "E"), Some(1));
        assert_eq!(table.neighbor(1, "E"), None);
        assert_eq!(table.neighbor(7, "E"), None);
        assert_eq!(table.receiver(0, "E"), Ok(Some((1, "W"))));
        assert_eq!(table.receiver(1, "up"), Ok(Some((0, "down"))));
        assert_eq!(table.receiver(2, "up"), Ok(None));
        assert_eq!(table.directions(), ["E", "W", "down", "up"]);
    }

    #[test]
    fn a_tile_arrives_where_one_direction_leads_back() {
        let mut table = NeighborTable::new(2);
        table.set(0, "next", 1, None);
        assert_eq!(table.receiver(0, "next"), Err(Unpaired::NoWayBack));
        table.set(1, "last", 0, None);
        assert_eq!(table.receiver(0, "next"), Ok(Some((1, "last"))));
        table.set(1, "other", 0, None);
        assert_eq!(table.receiver(0, "next"), Err(Unpaired::Ambiguous));
    }
}
