//! Who each rank's neighbours are: what a file's `neighbors` function said, as plain data.

/// A map from (rank, direction) to a neighbour.
pub trait Neighbors {
    /// The neighbour of `rank` in `direction` and, where the map says so, the neighbour's own
    /// direction in which it receives what `rank` sends.
    fn neighbor(&self, rank: u32, direction: &str) -> Option<(u32, Option<&str>)>;

    /// The directions that lead back from the far end of `direction`, most likely first.
    fn opposites(&self, direction: &str) -> Vec<&str>;

    /// Every direction that some rank may have, for messages.
    fn directions(&self) -> Vec<&str>;
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

    /// The column of `name`, which is made if need be.
    fn column(&mut self, name: &str) -> usize {
        self.names.iter().position(|it| it == name).unwrap_or_else(|| {
            self.names.push(name.into());
            self.columns.push(vec![None; self.world as usize]);
            self.names.len() - 1
        })
    }
}

impl Neighbors for NeighborTable {
    fn neighbor(&self, rank: u32, direction: &str) -> Option<(u32, Option<&str>)> {
        let column = self.names.iter().position(|it| it == direction)?;
        let entry = self.columns[column].get(rank as usize).copied().flatten()?;
        let theirs = entry.theirs.and_then(|index| self.names.get(index as usize));
        Some((entry.rank, theirs.map(String::as_str)))
    }

    fn opposites(&self, direction: &str) -> Vec<&str> {
        opposites(direction)
            .into_iter()
            .filter_map(|name| self.names.iter().find(|it| **it == name))
            .map(String::as_str)
            .collect()
    }

    fn directions(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }
}

/// The directions that by their names lead back from the far end of `direction`.
fn opposites(direction: &str) -> Vec<String> {
    let (prefix, last) = match direction.rfind('_') {
        Some(at) => direction.split_at(at + 1),
        None => ("", direction),
    };
    let back: &[&str] = match last {
        "N" => &["S"],
        "S" => &["N"],
        "E" => &["W"],
        "W" => &["E"],
        _ if direction == "parent" => return vec!["child_left".into(), "child_right".into()],
        _ if direction.starts_with("child_") => return vec!["parent".into()],
        _ => &[],
    };
    back.iter().map(|name| format!("{prefix}{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_gives_back_what_was_said() {
        let mut table = NeighborTable::new(3);
        table.set(0, "E", 1, None);
        table.set(1, "up", 0, Some("down"));
        table.set(7, "E", 1, None);
        assert_eq!(table.neighbor(0, "E"), Some((1, None)));
        assert_eq!(table.neighbor(1, "up"), Some((0, Some("down"))));
        assert_eq!(table.neighbor(1, "E"), None);
        assert_eq!(table.neighbor(7, "E"), None);
        assert_eq!(table.directions(), ["E", "down", "up"]);
    }

    #[test]
    fn opposites_follow_the_compass_and_the_tree() {
        assert_eq!(opposites("E"), ["W"]);
        assert_eq!(opposites("cube_N"), ["cube_S"]);
        assert_eq!(opposites("parent"), ["child_left", "child_right"]);
        assert_eq!(opposites("child_right"), ["parent"]);
        assert!(opposites("sideways").is_empty());
    }
}
