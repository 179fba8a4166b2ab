//! Where the parts of a cube lie: which routers HBM leaves, and which router each part joins.
//!
//! Columns are counted from the west, rows from the north. A part joins the router nearest to its
//! place; of several equally near, the first row by row.

use std::collections::VecDeque;

/// A corner of a cube.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Corner {
    NorthWest,
    NorthEast,
    SouthWest,
    SouthEast,
}

impl Corner {
    pub(super) const ALL: [Corner; 4] =
        [Corner::NorthWest, Corner::NorthEast, Corner::SouthWest, Corner::SouthEast];

    /// Its name in YAML.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Corner::NorthWest => "NW",
            Corner::NorthEast => "NE",
            Corner::SouthWest => "SW",
            Corner::SouthEast => "SE",
        }
    }
}

/// A side of a router, of a cube, or of a grid, in the order in which links are numbered and
/// detours are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    East,
    South,
    West,
    North,
}

impl Side {
    pub(super) const ALL: [Side; 4] = [Side::East, Side::South, Side::West, Side::North];

    /// Its place in [`Side::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The side across.
    pub(super) const fn opposite(self) -> Side {
        match self {
            Side::East => Side::West,
            Side::South => Side::North,
            Side::West => Side::East,
            Side::North => Side::South,
        }
    }

    /// Its letter, as names have it.
    pub(super) const fn letter(self) -> char {
        match self {
            Side::East => 'E',
            Side::South => 'S',
            Side::West => 'W',
            Side::North => 'N',
        }
    }

    /// The place one step away in a grid of `w` × `h` that does not wrap.
    pub(super) fn step(self, at: (u32, u32), w: u32, h: u32) -> Option<(u32, u32)> {
        let (col, row) = at;
        let (col, row) = match self {
            Side::East => (col + 1, row),
            Side::South => (col, row + 1),
            Side::West => (col.checked_sub(1)?, row),
            Side::North => (col, row.checked_sub(1)?),
        };
        (col < w && row < h).then_some((col, row))
    }
}

/// Routers that HBM displaces: columns `x..x + w` of rows `y..y + h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) w: u32,
    pub(super) h: u32,
}

impl Zone {
    pub(super) const NONE: Zone = Zone { x: 0, y: 0, w: 0, h: 0 };

    /// Whether the router at this column and row is displaced.
    pub(super) const fn covers(self, col: u32, row: u32) -> bool {
        col >= self.x && col - self.x < self.w && row >= self.y && row - self.y < self.h
    }

    /// The centre third, with as many routers on its left as on its right; none where that would
    /// leave no way around.
    pub(super) fn centre(w: u32, h: u32) -> Zone {
        if w < 5 || h < 5 {
            return Zone::NONE;
        }
        let third = |side: u32| side / 3 - u32::from(!(side - side / 3).is_multiple_of(2));
        let (zone_w, zone_h) = (third(w), third(h));
        Zone { x: (w - zone_w) / 2, y: (h - zone_h) / 2, w: zone_w, h: zone_h }
    }
}

/// How the PEs of a cube lie: a block of `columns` × `rows` in each of its corners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    columns: u32,
    rows: u32,
    west: bool,
    east: bool,
    north: bool,
    south: bool,
}

impl Blocks {
    /// Blocks of `each` PEs, at least as wide as high, in `corners`; `None` unless the corners
    /// are distinct and their blocks form one grid.
    pub(super) fn new(corners: &[Corner], each: u32) -> Option<Blocks> {
        let [nw, ne, sw, se] = Corner::ALL.map(|corner| corners.contains(&corner));
        let (west, east, north, south) = (nw || sw, ne || se, nw || ne, sw || se);
        let both = |a: bool, b: bool| usize::from(a) + usize::from(b);
        let distinct = both(nw, ne) + both(sw, se);
        let full = both(west, east) * both(north, south);
        if corners.is_empty() || corners.len() != full || distinct != full {
            return None;
        }
        let block = super::spec::near_square(each, false);
        Some(Blocks { columns: block.w, rows: block.h, west, east, north, south })
    }

    /// Columns and rows of PEs.
    pub(super) fn grid(self) -> (u32, u32) {
        let columns = self.columns * (u32::from(self.west) + u32::from(self.east));
        (columns, self.rows * (u32::from(self.north) + u32::from(self.south)))
    }

    /// PEs of a cube.
    pub(super) fn pe_count(self) -> u32 {
        let (columns, rows) = self.grid();
        columns * rows
    }

    /// The column and row of the PE at `x`, `y` of the PE grid among `w` × `h` routers.
    fn place(self, x: u32, y: u32, w: u32, h: u32) -> (u32, u32) {
        let along = |at: u32, block: u32, first: bool, last: bool, side: u32| {
            let blocks = block * (u32::from(first) + u32::from(last));
            let in_first = first && at < block;
            if in_first { at } else { side + at - blocks }
        };
        (
            along(x, self.columns, self.west, self.east, w),
            along(y, self.rows, self.north, self.south, h),
        )
    }
}

/// A grid of routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Routers {
    pub(super) w: u32,
    pub(super) h: u32,
    pub(super) zone: Zone,
}

/// What is to be joined to the routers.
#[derive(Clone, Debug)]
pub(super) struct Attachments {
    pub(super) blocks: Blocks,
    /// UCIe connections on each side.
    pub(super) connections: u32,
    /// Places as shares of the cube's width and height.
    pub(super) m_cpu_at: (f64, f64),
    pub(super) sram_at: (f64, f64),
}

/// Why the parts cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// More PEs than routers in a row or column.
    Pes,
    /// More connections on a side than routers there.
    Connections,
    /// No router is left.
    NoRouter,
    /// No way from pe0 to this part.
    Unreachable(String),
}

/// The routers of a cube and what joins each. Routers are numbered row by row, displaced ones
/// left out.
#[derive(Clone, Debug)]
pub(super) struct Floorplan {
    grid: Routers,
    pe_grid: (u32, u32),
    /// The column and row of each router.
    places: Vec<(u32, u32)>,
    /// The router at each column and row, row by row.
    numbers: Vec<Option<u32>>,
    /// The router of each PE.
    pub(super) pes: Vec<u32>,
    /// The router of M_CPU.
    pub(super) m_cpu: u32,
    /// The router of the SRAM.
    pub(super) sram: u32,
    /// The routers of the UCIe connections of each side, in the order of [`Side::ALL`].
    pub(super) ports: [Vec<u32>; 4],
}

impl Floorplan {
    /// Places everything.
    pub(super) fn new(grid: Routers, parts: &Attachments) -> Result<Floorplan, Misfit> {
        let pe_grid = parts.blocks.grid();
        if pe_grid.0 > grid.w || pe_grid.1 > grid.h {
            return Err(Misfit::Pes);
        }
        if parts.connections > grid.w.min(grid.h) {
            return Err(Misfit::Connections);
        }
        let mut plan = Floorplan::empty(grid, pe_grid);
        if plan.places.is_empty() {
            return Err(Misfit::NoRouter);
        }
        plan.attach(parts);
        plan.check_reach()?;
        Ok(plan)
    }

    fn empty(grid: Routers, pe_grid: (u32, u32)) -> Floorplan {
        let mut places = Vec::new();
        let mut numbers = Vec::new();
        for row in 0..grid.h {
            for col in 0..grid.w {
                let displaced = grid.zone.covers(col, row);
                numbers.push((!displaced).then_some(places.len() as u32));
                if !displaced {
                    places.push((col, row));
                }
            }
        }
        let (pes, ports) = (Vec::new(), [const { Vec::new() }; 4]);
        Floorplan { grid, pe_grid, places, numbers, pes, m_cpu: 0, sram: 0, ports }
    }

    fn attach(&mut self, parts: &Attachments) {
        let Routers { w, h, zone: _ } = self.grid;
        let (pe_w, pe_h) = self.pe_grid;
        for y in 0..pe_h {
            for x in 0..pe_w {
                let (col, row) = parts.blocks.place(x, y, w, h);
                self.pes.push(self.nearest(f64::from(col), f64::from(row)));
            }
        }
        let share = |at: (f64, f64)| (at.0 * f64::from(w - 1), at.1 * f64::from(h - 1));
        let (m_cpu, sram) = (share(parts.m_cpu_at), share(parts.sram_at));
        self.m_cpu = self.nearest(m_cpu.0, m_cpu.1);
        self.sram = self.nearest(sram.0, sram.1);
        for side in Side::ALL {
            let length = if matches!(side, Side::East | Side::West) { h } else { w };
            self.ports[side.index()] = (0..parts.connections)
                .map(|connection| {
                    // The middles of as many equal pieces of the side.
                    let along = f64::from((2 * connection + 1) * length / (2 * parts.connections));
                    let (last_col, last_row) = (f64::from(w - 1), f64::from(h - 1));
                    match side {
                        Side::East => self.nearest(last_col, along),
                        Side::South => self.nearest(along, last_row),
                        Side::West => self.nearest(0.0, along),
                        Side::North => self.nearest(along, 0.0),
                    }
                })
                .collect();
        }
    }

    /// The router nearest to a place.
    fn nearest(&self, col: f64, row: f64) -> u32 {
        let exact = (col.fract() == 0.0 && row.fract() == 0.0).then_some((col as u32, row as u32));
        if let Some(router) = exact.and_then(|place| self.at(place)) {
            return router;
        }
        let distance =
            |at: &(u32, u32)| (f64::from(at.0) - col).abs() + (f64::from(at.1) - row).abs();
        let nearest = self
            .places
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| distance(a).total_cmp(&distance(b)));
        nearest.map_or(0, |(number, _)| number as u32)
    }

    /// Whether everything can reach pe0.
    fn check_reach(&self) -> Result<(), Misfit> {
        let start = self.pes.first().copied().unwrap_or(0);
        let reached = self.distances(start);
        let cut_off = |router: u32| reached.get(router as usize).is_none_or(Option::is_none);
        let name = |what: &str| Err(Misfit::Unreachable(what.to_owned()));
        if let Some(pe) = self.pes.iter().position(|router| cut_off(*router)) {
            return name(&format!("pe{pe}"));
        }
        if cut_off(self.m_cpu) {
            return name("m_cpu");
        }
        if cut_off(self.sram) {
            return name("sram");
        }
        match self.ports.iter().flatten().any(|router| cut_off(*router)) {
            true => name("a UCIe connection"),
            false => Ok(()),
        }
    }

    /// Hops from `start` to each router.
    fn distances(&self, start: u32) -> Vec<Option<u32>> {
        let mut hops = vec![None; self.places.len()];
        let mut waiting = VecDeque::from([(start, 0)]);
        while let Some((router, far)) = waiting.pop_front() {
            let Some(slot @ None) = hops.get_mut(router as usize) else { continue };
            *slot = Some(far);
            let around = Side::ALL.into_iter().filter_map(|side| self.neighbor(router, side));
            waiting.extend(around.map(|next| (next, far + 1)));
        }
        hops
    }

    /// How many routers there are.
    pub(super) fn router_count(&self) -> u32 {
        self.places.len() as u32
    }

    /// The grid that the routers stand in.
    pub(super) fn grid(&self) -> Routers {
        self.grid
    }

    /// Columns and rows of PEs.
    pub(super) fn pe_grid(&self) -> (u32, u32) {
        self.pe_grid
    }

    /// The column and row of a router.
    pub(super) fn place(&self, router: u32) -> (u32, u32) {
        self.places[router as usize]
    }

    /// The router at a column and row, unless displaced.
    pub(super) fn at(&self, place: (u32, u32)) -> Option<u32> {
        self.numbers[(place.1 * self.grid.w + place.0) as usize]
    }

    /// The router next to `router` on `side`.
    pub(super) fn neighbor(&self, router: u32, side: Side) -> Option<u32> {
        self.at(side.step(self.place(router), self.grid.w, self.grid.h)?)
    }

    /// The sides by which to leave one router after another from `from` to `to`: along the row,
    /// then along the column; where a displaced router is in the way, the shortest way around,
    /// trying east, south, west, north in this order.
    pub(super) fn path(&self, from: u32, to: u32) -> Vec<Side> {
        self.straight(from, to).unwrap_or_else(|| self.detour(from, to))
    }

    fn straight(&self, from: u32, to: u32) -> Option<Vec<Side>> {
        let (start, end) = (self.place(from), self.place(to));
        let x = if end.0 > start.0 { Side::East } else { Side::West };
        let y = if end.1 > start.1 { Side::South } else { Side::North };
        let sides = std::iter::repeat_n(x, end.0.abs_diff(start.0) as usize)
            .chain(std::iter::repeat_n(y, end.1.abs_diff(start.1) as usize));
        let mut path = Vec::new();
        let mut router = from;
        for side in sides {
            router = self.neighbor(router, side)?;
            path.push(side);
        }
        Some(path)
    }

    fn detour(&self, from: u32, to: u32) -> Vec<Side> {
        let hops = self.distances(to);
        let left = |router: u32| hops.get(router as usize).copied().flatten();
        let mut path = Vec::new();
        let mut router = from;
        while let Some(here) = left(router).filter(|here| *here > 0) {
            let closer = |side: &Side| {
                let next = self.neighbor(router, *side)?;
                (left(next)? < here).then_some((*side, next))
            };
            let step = Side::ALL.iter().find_map(closer);
            let (side, next) = step.expect("a router with a distance has a closer neighbour");
            path.push(side);
            router = next;
        }
        path
    }
}
