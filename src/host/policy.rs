//! kernbench's `DPPolicy`: how a tensor is divided over the cubes of a SIP, and each cube's part over its
//! PEs.
//!
//! | form | what the parts of a matrix are |
//! |---|---|
//! | `replicate` | the whole, for each |
//! | `row_wise` | bands of rows |
//! | `column_wise` | bands of columns |
//! | `tiled_row_major`, `tiled` | tiles of a near-square grid, dealt row after row |
//! | `tiled_column_major` | the same tiles, dealt column after column |
//!
//! `n` things are dealt to `k` as PyTorch's `chunk` does: each gets ⌈n/k⌉, the last ones what is left, which
//! may be nothing. So part `i` begins at `i · ⌈n/k⌉`, whatever `n` is.

use std::fmt;
use std::ops::Range;

use crate::topology::{Extent, Grid, PeCoord, PeId};

/// How one level divides what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Each has all of it.
    #[default]
    Replicate,
    /// Each has a band of columns.
    ColumnWise,
    /// Each has a band of rows.
    RowWise,
    /// Each has a tile; neighbours in a row follow one another.
    TiledRowMajor,
    /// Each has a tile; neighbours in a column follow one another.
    TiledColumnMajor,
}

impl Form {
    /// Every form by the names that programs use; the first name of a form is its own.
    pub const NAMED: [(&'static str, Form); 6] = [
        ("replicate", Form::Replicate),
        ("column_wise", Form::ColumnWise),
        ("row_wise", Form::RowWise),
        ("tiled_row_major", Form::TiledRowMajor),
        ("tiled_column_major", Form::TiledColumnMajor),
        ("tiled", Form::TiledRowMajor),
    ];

    /// The form of this name.
    pub fn from_name(name: &str) -> Option<Form> {
        Form::NAMED.iter().find(|(known, _)| *known == name).map(|(_, form)| *form)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let own = Form::NAMED.iter().find(|(_, form)| *form == self);
        own.map_or("", |(name, _)| name)
    }

    /// Whether parts differ.
    pub fn is_cut(self) -> bool {
        self != Form::Replicate
    }

    /// The rows and columns of part `index` of `count`, of these rows and columns.
    pub(super) fn part(self, index: u32, count: u32, whole: &[Range<u64>; 2]) -> [Range<u64>; 2] {
        let [rows, columns] = whole.clone();
        match self {
            Form::Replicate => [rows, columns],
            Form::RowWise => [chunk(&rows, index, count), columns],
            Form::ColumnWise => [rows, chunk(&columns, index, count)],
            Form::TiledRowMajor | Form::TiledColumnMajor => {
                let [down, across] = tile_grid(count);
                let (i, j) = if self == Form::TiledColumnMajor {
                    (index % down, index / down)
                } else {
                    (index / across, index % across)
                };
                [chunk(&rows, i, down), chunk(&columns, j, across)]
            }
        }
    }
}

/// The rows and columns of the grid of `count` tiles: its rows are the largest divisor that is not
/// above the square root.
pub(super) fn tile_grid(count: u32) -> [u32; 2] {
    let count = count.max(1);
    let rows = (1..=count.isqrt()).rev().find(|rows| count.is_multiple_of(*rows)).unwrap_or(1);
    [rows, count / rows]
}

/// Chunk `index` of `count` of a range.
fn chunk(range: &Range<u64>, index: u32, count: u32) -> Range<u64> {
    let size = (range.end - range.start).div_ceil(u64::from(count.max(1)));
    let at = |index: u64| range.end.min(range.start.saturating_add(index.saturating_mul(size)));
    at(u64::from(index))..at(u64::from(index) + 1)
}

/// How a tensor is divided within a SIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DpPolicy {
    /// Over the cubes.
    pub cube: Form,
    /// Over the PEs of each cube, each cube's part.
    pub pe: Form,
    /// The PEs of each cube that take part: the first ones. All where it is not given.
    pub num_pes: Option<u32>,
    /// The cubes that take part: the first ones. All where it is not given.
    pub num_cubes: Option<u32>,
}

impl fmt::Display for DpPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DPPolicy(cube=\"{}\", pe=\"{}\"", self.cube.name(), self.pe.name())?;
        for (name, count) in [("num_pes", self.num_pes), ("num_cubes", self.num_cubes)] {
            if let Some(count) = count {
                write!(f, ", {name}={count}")?;
            }
        }
        f.write_str(")")
    }
}

/// On which SIPs, or on which cube, tensors that a policy places lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SipChoice {
    /// On one SIP.
    One(u32),
    /// On one cube, counted over all SIPs.
    Cube(u32),
    /// On each SIP, which has a copy of its own.
    All,
}

impl Default for SipChoice {
    /// The first SIP, as PyTorch's current device is the first.
    fn default() -> SipChoice {
        SipChoice::One(0)
    }
}

impl SipChoice {
    /// `all`, `sip:3` or `sip3`, `cube:17` or `cube17`.
    pub fn parse(text: &str) -> Option<SipChoice> {
        if text == "all" {
            return Some(SipChoice::All);
        }
        let number = |unit: &str| -> Option<u32> {
            let number = text.strip_prefix(unit)?;
            number.strip_prefix(':').unwrap_or(number).parse().ok()
        };
        number("sip").map(SipChoice::One).or_else(|| number("cube").map(SipChoice::Cube))
    }
}

impl fmt::Display for SipChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SipChoice::One(sip) => write!(f, "sip:{sip}"),
            SipChoice::Cube(cube) => write!(f, "cube:{cube}"),
            SipChoice::All => f.write_str("all"),
        }
    }
}

/// What of a policy does not fit the machine or the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `cube=`.
    Cube,
    /// `pe=`.
    Pe,
    /// `num_pes=`.
    NumPes,
    /// `num_cubes=`.
    NumCubes,
    /// The SIP, or the cube.
    Sip,
}

/// A policy that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFault {
    /// What of it.
    pub field: Field,
    /// Why.
    pub message: String,
}

/// A part of a machine: the first PEs of some cubes that follow one another, of some SIPs that do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first of the SIPs.
    pub first_sip: u32,
    /// How many SIPs.
    pub sips: u32,
    /// The first of the cubes of each.
    pub first_cube: u32,
    /// Cubes of each.
    pub cubes: u32,
    /// PEs of each of these.
    pub pes: u32,
}

impl Part {
    /// How many PEs it has.
    pub fn count(&self) -> u32 {
        self.sips * self.cubes * self.pes
    }

    /// Its PEs, in order.
    pub fn members(&self, extent: &Extent) -> Vec<PeId> {
        let part = *self;
        let of_sip = move |sip: u32| {
            let cubes = part.first_cube..part.first_cube + part.cubes;
            cubes.flat_map(move |cube| (0..part.pes).map(move |pe| (sip, cube, pe)))
        };
        let sips = self.first_sip..self.first_sip + self.sips;
        let at = |(sip, cube, pe)| extent.pe_at(PeCoord { sip, cube, pe });
        sips.flat_map(of_sip).map(at).collect()
    }

    /// How its PEs stand, as if it were the whole machine. Things of which only some take part stand as
    /// they do there if they fill its rows, else in one row.
    pub fn extent(&self, machine: &Extent) -> Extent {
        let some = |grid: Grid, count: u32| {
            let is_whole = count == grid.count();
            let rows = grid.w > 0 && count.is_multiple_of(grid.w);
            let (w, h) = if rows { (grid.w, count / grid.w) } else { (count, 1) };
            if is_whole { grid } else { Grid { w, h, wraps: false } }
        };
        Extent {
            sips: some(machine.sips, self.sips),
            cubes: some(machine.cubes, self.cubes),
            pes: some(machine.pes, self.pes),
        }
    }

    /// The smallest part that has both.
    pub fn with(self, other: Part) -> Part {
        let first_sip = self.first_sip.min(other.first_sip);
        let end = (self.first_sip + self.sips).max(other.first_sip + other.sips);
        let first_cube = self.first_cube.min(other.first_cube);
        let last_cube = (self.first_cube + self.cubes).max(other.first_cube + other.cubes);
        Part {
            first_sip,
            sips: end - first_sip,
            first_cube,
            cubes: last_cube - first_cube,
            pes: self.pes.max(other.pes),
        }
    }

    /// The place of a PE in the part, counted from its first SIP, cube and PE; `None` outside of it.
    pub fn place(&self, at: PeCoord) -> Option<PeCoord> {
        let sip = at.sip.checked_sub(self.first_sip).filter(|it| *it < self.sips)?;
        let cube = at.cube.checked_sub(self.first_cube).filter(|it| *it < self.cubes)?;
        (at.pe < self.pes).then_some(PeCoord { sip, cube, pe: at.pe })
    }

    /// Whether a PE is in both.
    pub fn overlaps(&self, other: &Part) -> bool {
        let meet = |(start, count): (u32, u32), (first, more): (u32, u32)| {
            start < first + more && first < start + count
        };
        meet((self.first_sip, self.sips), (other.first_sip, other.sips))
            && meet((self.first_cube, self.cubes), (other.first_cube, other.cubes))
    }

    /// Whether both have as many SIPs, cubes and PEs.
    pub fn is_like(&self, other: &Part) -> bool {
        (self.sips, self.cubes, self.pes) == (other.sips, other.cubes, other.pes)
    }
}

impl DpPolicy {
    /// The part of a machine that a tensor lies on, of which the first `world` PEs are there.
    ///
    /// # Errors
    /// More PEs or cubes than there are, none at all, or a SIP that is not there.
    pub fn part(
        &self,
        device: SipChoice,
        (extent, world): (&Extent, u32),
    ) -> Result<Part, PolicyFault> {
        let fault = |field, message| Err(PolicyFault { field, message });
        let (per_cube, per_sip) = (extent.pes.count().max(1), extent.cubes.count().max(1));
        for (field, name, given, most, of) in [
            (Field::NumPes, "num_pes", self.num_pes, per_cube, "a cube of this machine has {} PEs"),
            (
                Field::NumCubes,
                "num_cubes",
                self.num_cubes,
                per_sip,
                "a SIP of this machine has {} cubes",
            ),
        ] {
            let Some(given) = given else { continue };
            if given == 0 || given > most {
                let has = of.replace("{}", &most.to_string());
                return fault(field, format!("`{name}` is {given}, and {has}"));
            }
        }
        let of_sip = per_cube * per_sip;
        let whole = (world / of_sip).clamp(1, extent.sips.count().max(1));
        let (first_sip, sips, first_cube, most) = match device {
            SipChoice::One(sip) => (sip, 1, 0, per_sip),
            SipChoice::Cube(cube) => (cube / per_sip, 1, cube % per_sip, 1),
            SipChoice::All => (0, whole, 0, per_sip),
        };
        let before = first_sip.saturating_mul(of_sip).saturating_add(first_cube * per_cube);
        let Some(there) = world.checked_sub(before).filter(|it| *it > 0) else {
            let (what, number, of_it) = match device {
                SipChoice::Cube(cube) => ("cube", cube, per_cube),
                SipChoice::One(_) | SipChoice::All => ("SIP", first_sip, of_sip),
            };
            let there = world.div_ceil(of_it);
            let message =
                format!("there is no {what} {number}: the world reaches {there}, from 0 on");
            return fault(Field::Sip, message);
        };
        let pes = self.num_pes.unwrap_or_else(|| per_cube.min(there));
        let fit = if there < pes { 0 } else { ((there - pes) / per_cube + 1).min(most) };
        if fit == 0 {
            let message = format!("`num_pes` is {pes}, and the world has {there} PEs on this SIP");
            return fault(Field::NumPes, message);
        }
        let cubes = self.num_cubes.unwrap_or(fit);
        if cubes > most {
            let message = format!("`num_cubes` is {cubes}, and the device is one cube");
            return fault(Field::NumCubes, message);
        }
        if cubes > fit {
            let needed = (cubes - 1) * per_cube + pes;
            let message = format!(
                "`num_cubes` is {cubes}, for which the world needs {needed} PEs on this SIP, and it has {there}"
            );
            return fault(Field::NumCubes, message);
        }
        Ok(Part { first_sip, sips, first_cube, cubes, pes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn grid(w: u32, h: u32) -> Grid {
        Grid { w, h, wraps: false }
    }

    const EXTENT: Extent = Extent { sips: grid(2, 1), cubes: grid(4, 4), pes: grid(4, 2) };

    fn parts(form: Form, count: u32, rows: u64, columns: u64) -> Vec<[Range<u64>; 2]> {
        (0..count).map(|index| form.part(index, count, &[0..rows, 0..columns])).collect()
    }

    #[test]
    fn chunks_are_those_of_pytorch() {
        // torch.arange(10).chunk(4) has 3, 3, 3 and 1 elements; chunk(8) has 2, 2, 2, 2, 2.
        let lengths = |n, k| -> Vec<u64> {
            (0..k).map(|index| chunk(&(0..n), index, k)).map(|it| it.end - it.start).collect()
        };
        assert_eq!(lengths(10, 4), [3, 3, 3, 1]);
        assert_eq!(lengths(10, 8), [2, 2, 2, 2, 2, 0, 0, 0]);
        assert_eq!(lengths(0, 2), [0, 0]);
        assert_eq!(chunk(&(5..15), 3, 4), 14..15);
    }

    #[test]
    fn forms_cut_what_their_names_say() {
        assert_eq!(parts(Form::Replicate, 2, 4, 6), [[0..4, 0..6], [0..4, 0..6]]);
        assert_eq!(parts(Form::RowWise, 2, 4, 6), [[0..2, 0..6], [2..4, 0..6]]);
        assert_eq!(parts(Form::ColumnWise, 3, 4, 6), [[0..4, 0..2], [0..4, 2..4], [0..4, 4..6]]);
        let tiles = parts(Form::TiledRowMajor, 6, 4, 6);
        assert_eq!(tiles[1], [0..2, 2..4]);
        assert_eq!(tiles[3], [2..4, 0..2]);
        let tiles = parts(Form::TiledColumnMajor, 6, 4, 6);
        assert_eq!(tiles[1], [2..4, 0..2]);
        assert_eq!(tiles[2], [0..2, 2..4]);
        assert_eq!(
            [1, 2, 6, 7, 8, 16].map(tile_grid),
            [[1, 1], [1, 2], [2, 3], [1, 7], [2, 4], [4, 4]]
        );
    }

    #[test]
    fn names_and_devices_read_back() {
        for (name, form) in Form::NAMED {
            assert_eq!(Form::from_name(name), Some(form));
            assert_eq!(Form::from_name(form.name()), Some(form));
        }
        assert_eq!(SipChoice::parse("sip:12"), Some(SipChoice::One(12)));
        assert_eq!(SipChoice::parse("sip1"), Some(SipChoice::One(1)));
        assert_eq!(SipChoice::parse("cube:17"), Some(SipChoice::Cube(17)));
        assert_eq!(SipChoice::parse("all"), Some(SipChoice::All));
        for text in ["sip", "cube", "sip:", "sip:-1", "cuda:0", "sip::1", ""] {
            assert_eq!(SipChoice::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_policy_takes_what_the_world_has() {
        let part = |policy: DpPolicy, sips, world| policy.part(sips, (&EXTENT, world));
        let whole = DpPolicy::default();
        let of =
            |first_sip, sips, cubes, pes| Ok(Part { first_sip, sips, first_cube: 0, cubes, pes });
        assert_eq!(part(whole, SipChoice::One(0), 256), of(0, 1, 16, 8));
        assert_eq!(part(whole, SipChoice::One(1), 256), of(1, 1, 16, 8));
        assert_eq!(part(whole, SipChoice::All, 256), of(0, 2, 16, 8));
        assert_eq!(part(whole, SipChoice::One(0), 4), of(0, 1, 1, 4));
        assert_eq!(part(whole, SipChoice::One(0), 12), of(0, 1, 1, 8));
        let four = DpPolicy { num_pes: Some(4), ..whole };
        assert_eq!(part(four, SipChoice::One(0), 12), of(0, 1, 2, 4));
        let fault = |it: Result<Part, PolicyFault>| it.unwrap_err().field;
        assert_eq!(fault(part(whole, SipChoice::One(1), 128)), Field::Sip);
        let nine = DpPolicy { num_pes: Some(9), ..whole };
        assert_eq!(fault(part(nine, SipChoice::One(0), 256)), Field::NumPes);
        assert_eq!(fault(part(four, SipChoice::One(0), 3)), Field::NumPes);
        let two = DpPolicy { num_cubes: Some(2), ..whole };
        assert_eq!(fault(part(two, SipChoice::One(0), 15)), Field::NumCubes);
        assert_eq!(fault(part(two, SipChoice::Cube(3), 256)), Field::NumCubes);
        assert_eq!(fault(part(whole, SipChoice::Cube(32), 256)), Field::Sip);
        let cube = Part { first_sip: 1, sips: 1, first_cube: 1, cubes: 1, pes: 8 };
        assert_eq!(part(whole, SipChoice::Cube(17), 256), Ok(cube));
        assert_eq!(part(whole, SipChoice::Cube(1), 12).unwrap().pes, 4);
        let none = DpPolicy { num_cubes: Some(0), ..whole };
        assert_eq!(fault(part(none, SipChoice::One(0), 256)), Field::NumCubes);
    }

    #[test]
    fn parts_have_their_pes_in_order() {
        let part = Part { first_sip: 1, sips: 1, first_cube: 0, cubes: 2, pes: 3 };
        let members: Vec<u32> = part.members(&EXTENT).iter().map(|pe| pe.0).collect();
        assert_eq!(members, [128, 129, 130, 136, 137, 138]);
        let other = Part { first_sip: 0, sips: 1, first_cube: 3, cubes: 1, pes: 8 };
        let both = Part { first_sip: 0, sips: 2, first_cube: 0, cubes: 4, pes: 8 };
        assert_eq!(part.with(other), both);
        let of_other: Vec<u32> = other.members(&EXTENT).iter().map(|pe| pe.0).collect();
        assert_eq!(of_other, [24, 25, 26, 27, 28, 29, 30, 31]);
        let at = |sip, cube, pe| PeCoord { sip, cube, pe };
        assert_eq!(other.place(at(0, 3, 7)), Some(at(0, 0, 7)));
        assert_eq!(other.place(at(0, 2, 7)), None);
        assert!(other.overlaps(&both) && !other.overlaps(&part));
        assert_eq!(part.place(at(1, 1, 3)), None);
        let alone = part.extent(&EXTENT);
        assert_eq!([alone.sips, alone.cubes, alone.pes], [grid(1, 1), grid(2, 1), grid(3, 1)]);
        let rows = Part { first_sip: 0, sips: 2, first_cube: 0, cubes: 8, pes: 8 };
        let rows = rows.extent(&EXTENT);
        assert_eq!([rows.sips, rows.cubes, rows.pes], [grid(2, 1), grid(4, 2), grid(4, 2)]);
    }
}
