//! What a rank is: a PE, a cube or a SIP, by the group.
//!
//! Launches count PEs, whatever a rank is. What is said by rank, the size of the world, roots, devices, is
//! said in this unit, and a rank's tensors lie on the PEs of its own: on the first one, or where a policy
//! puts them among these.

use super::policy::SipChoice;
use crate::topology::Extent;

/// What one rank is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RankUnit {
    /// One PE.
    #[default]
    Pe,
    /// All PEs of one cube.
    Cube,
    /// All cubes of one SIP.
    Sip,
}

impl RankUnit {
    /// Every unit by the name that programs, files and the command line use.
    pub const NAMED: &'static [(&'static str, RankUnit)] =
        &[("pe", RankUnit::Pe), ("cube", RankUnit::Cube), ("sip", RankUnit::Sip)];

    /// The unit of this name.
    pub fn from_name(name: &str) -> Option<RankUnit> {
        RankUnit::NAMED.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
    }

    /// `count` of them in words: `1 PE`, `4 cubes`.
    pub fn counted(self, count: u32) -> String {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {}{plural}", self.word())
    }

    /// One of them in a sentence.
    pub fn word(self) -> &'static str {
        match self {
            RankUnit::Pe => "PE",
            RankUnit::Cube => "cube",
            RankUnit::Sip => "SIP",
        }
    }
}

/// The ranks of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranks {
    unit: RankUnit,
    /// PEs of each.
    pes: u32,
    /// How many there are.
    count: u32,
    /// Cubes of a SIP.
    cubes_per_sip: u32,
    /// PEs of a cube.
    pes_per_cube: u32,
}

impl Ranks {
    /// The ranks of a world of the first `world` PEs of a machine.
    ///
    /// # Errors
    /// The world ends within a rank; why, in words.
    pub fn new(unit: RankUnit, (extent, world): (&Extent, u32)) -> Result<Ranks, String> {
        let (pes_per_cube, cubes_per_sip) =
            (extent.pes.count().max(1), extent.cubes.count().max(1));
        let pes = match unit {
            RankUnit::Pe => 1,
            RankUnit::Cube => pes_per_cube,
            RankUnit::Sip => pes_per_cube.saturating_mul(cubes_per_sip),
        };
        let count = world / pes;
        if !world.is_multiple_of(pes) {
            let (word, left) = (unit.word(), world % pes);
            return Err(format!(
                "ranks are {word}s of {pes} PEs, and a world of {world} PEs ends within one: \
                 {} and {left} PEs",
                unit.counted(count)
            ));
        }
        Ok(Ranks { unit, pes, count, cubes_per_sip, pes_per_cube })
    }

    /// What one is.
    pub fn unit(&self) -> RankUnit {
        self.unit
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// PEs of each.
    pub fn pes(&self) -> u32 {
        self.pes
    }

    /// The PE on which a rank's tensors lie that no policy places.
    pub fn first_pe(&self, rank: u32) -> u32 {
        rank.saturating_mul(self.pes)
    }

    /// The rank that has this PE.
    pub fn of_pe(&self, pe: u32) -> u32 {
        pe / self.pes
    }

    /// Where a policy of a rank puts tensors: a PE's on its SIP.
    pub fn device(&self, rank: u32) -> SipChoice {
        match self.unit {
            RankUnit::Pe => SipChoice::One(rank / self.pes_per_cube / self.cubes_per_sip),
            RankUnit::Cube => SipChoice::Cube(rank),
            RankUnit::Sip => SipChoice::One(rank),
        }
    }

    /// A fact of the machine, as host functions of a collective ask for it by name, where each rank stands
    /// for one PE: a cube is then a cube of one PE, a SIP a SIP of one cube.
    pub fn fact(&self, name: &str, value: i64) -> i64 {
        let is_one = match (self.unit, name) {
            (RankUnit::Cube | RankUnit::Sip, "pes_per_cube") => true,
            (RankUnit::Sip, "cubes_per_sip" | "cube_w" | "cube_h") => true,
            (RankUnit::Pe | RankUnit::Cube | RankUnit::Sip, _) => false,
        };
        if is_one { 1 } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Grid;

    const fn grid(w: u32, h: u32) -> Grid {
        Grid { w, h, wraps: false }
    }

    const EXTENT: Extent = Extent { sips: grid(2, 1), cubes: grid(4, 4), pes: grid(4, 2) };

    fn ranks(unit: RankUnit, world: u32) -> Ranks {
        Ranks::new(unit, (&EXTENT, world)).unwrap()
    }

    #[test]
    fn the_default_machine_has_256_pes_32_cubes_and_2_sips() {
        let counts = RankUnit::NAMED.iter().map(|(_, unit)| ranks(*unit, 256).count());
        assert_eq!(counts.collect::<Vec<_>>(), [256, 32, 2]);
        assert_eq!(ranks(RankUnit::Cube, 256).first_pe(17), 136);
        assert_eq!(ranks(RankUnit::Cube, 256).of_pe(143), 17);
        assert_eq!(ranks(RankUnit::Sip, 256).first_pe(1), 128);
        assert_eq!(ranks(RankUnit::Sip, 128).count(), 1);
        assert_eq!(ranks(RankUnit::Pe, 256).device(128), SipChoice::One(1));
        assert_eq!(ranks(RankUnit::Cube, 256).device(17), SipChoice::Cube(17));
    }

    #[test]
    fn a_world_that_ends_within_a_rank_is_refused() {
        let why = Ranks::new(RankUnit::Cube, (&EXTENT, 12)).unwrap_err();
        assert_eq!(
            why,
            "ranks are cubes of 8 PEs, and a world of 12 PEs ends within one: 1 cube and 4 PEs"
        );
        assert!(Ranks::new(RankUnit::Sip, (&EXTENT, 4)).is_err());
        assert!(Ranks::new(RankUnit::Pe, (&EXTENT, 3)).is_ok());
    }

    #[test]
    fn names_read_back() {
        for (name, unit) in RankUnit::NAMED {
            assert_eq!(RankUnit::from_name(name), Some(*unit));
        }
        assert_eq!(RankUnit::from_name("node"), None);
        assert_eq!(RankUnit::Cube.counted(1), "1 cube");
        assert_eq!(RankUnit::Sip.counted(2), "2 SIPs");
    }
}
