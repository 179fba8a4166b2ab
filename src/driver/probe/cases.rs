//! The cases of the probe: who moves bytes where, on whatever machine it is.

use super::measure::Transfer;
use crate::sim::{Access, Host};
use crate::topology::{Machine, PeCoord, PeId};

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The host moves bytes.
    Host,
    /// One PE moves bytes.
    Dma,
    /// Several PEs move bytes at once.
    Contention,
}

impl Group {
    /// Every group, in the order in which they are told.
    pub const ALL: [Group; 3] = [Group::Host, Group::Dma, Group::Contention];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Host => "host",
            Group::Dma => "dma",
            Group::Contention => "contention",
        }
    }
}

/// Who moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// PEs, all at once.
    Pes(Vec<Transfer>),
    /// The host.
    Host(Access),
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its name on the command line.
    pub name: String,
    /// What happens, in words.
    pub what: String,
    /// What it is about.
    pub group: Group,
    /// Who moves.
    pub work: Work,
}

/// Every case that the machine has, in order. `writes` says which way PEs move bytes.
pub(super) fn all(machine: &Machine, writes: bool) -> Vec<Case> {
    let mut cases = hosts(machine, writes);
    cases.extend(singles(machine, writes));
    cases.extend(crowds(machine, writes));
    cases
}

/// The host and one slice of HBM, near and far. None where no host reaches the PEs.
fn hosts(machine: &Machine, writes: bool) -> Vec<Case> {
    if Host::new(machine, machine.pe_count()).is_none() {
        return Vec::new();
    }
    let extent = machine.extent();
    let (near, bytes) = (PeId(0), 0);
    let far = PeId(extent.cubes.count() * extent.pes.count() - 1);
    let mut found = vec![
        ("h2d-near", "MemoryWrite to the first PE", Access::Write { owner: near, bytes }),
        ("h2d-far", "MemoryWrite to the last PE of the SIP", Access::Write { owner: far, bytes }),
        ("d2h-near", "MemoryRead from the first PE", Access::Read { owner: near, bytes }),
        ("d2h-far", "MemoryRead from the last PE of the SIP", Access::Read { owner: far, bytes }),
    ];
    found.retain(|(_, _, access)| access.owner() == near || near != far);
    let order = Access::PeDma { issuer: near, owner: near, bytes, writes };
    found.push(("host-pe-dma", "PeDma: the first PE moves its own slice", order));
    let case = |(name, what, access): (&str, &str, Access)| {
        let (name, what) = (name.into(), what.into());
        Case { name, what, group: Group::Host, work: Work::Host(access) }
    };
    found.into_iter().map(case).collect()
}

/// PE 0 and one slice of HBM, near and far.
fn singles(machine: &Machine, writes: bool) -> Vec<Case> {
    let extent = machine.extent();
    let (cubes, sips) = (extent.cubes.count(), extent.sips.count());
    let mut found = vec![("pe-local", "own slice", Some(PeId(0)))];
    let halves = halves(machine);
    let place = |sip, cube, pe| Some(extent.pe_at(PeCoord { sip, cube, pe }));
    let last = extent.pes.count() - 1;
    found.push(("pe-same-half", "farthest of the own half of the cube", halves.0));
    found.push(("pe-cross-half", "farthest of the other half", halves.1));
    let at = |some: bool, pe: Option<PeId>| pe.filter(|_| some);
    let next = place(0, 1.min(cubes - 1), 0);
    found.push(("pe-next-cube", "same PE of the next cube", at(cubes > 1, next)));
    let far = place(0, cubes - 1, last);
    found.push(("pe-far-cube", "last PE of the last cube", at(cubes > 2, far)));
    let other = place(1.min(sips - 1), 0, 0);
    found.push(("pe-cross-sip", "same PE of the next SIP", at(sips > 1, other)));
    let case = |(name, what, owner): (&str, &str, Option<PeId>)| {
        let issuer = PeId(0);
        let work = Work::Pes(vec![Transfer { issuer, owner: owner?, writes }]);
        Some(Case { name: name.into(), what: what.into(), group: Group::Dma, work })
    };
    found.into_iter().filter_map(case).collect()
}

/// The PEs of cube 0 that are farthest from PE 0: in its own half, and in the other one. Halves are
/// rows of PEs, or columns where there is one row.
fn halves(machine: &Machine) -> (Option<PeId>, Option<PeId>) {
    let grid = machine.extent().pes;
    let is_own = |pe: PeId| {
        let (col, row) = (pe.0 % grid.w, pe.0 / grid.w);
        if grid.h > 1 { row < grid.h.div_ceil(2) } else { col < grid.w.div_ceil(2) }
    };
    let others = || (1..grid.count()).map(PeId);
    let own = farthest(machine, others().filter(|pe| is_own(*pe)));
    (own, farthest(machine, others().filter(|pe| !is_own(*pe))))
}

/// The first of those that are most time, then most links away from PE 0.
fn farthest(machine: &Machine, pes: impl Iterator<Item = PeId>) -> Option<PeId> {
    let from = machine.pe(PeId(0)).dma;
    let far = |pe: PeId| {
        let route = machine.route(from, machine.pe(pe).hbm)?;
        Some((machine.latency(&route), route.len(), std::cmp::Reverse(pe), pe))
    };
    pes.filter_map(far).max().map(|it| it.3)
}

/// The PE at whose controller others meet: the second of the last row of cube 0, which none of the
/// first ones is.
fn crowded(machine: &Machine) -> PeId {
    let grid = machine.extent().pes;
    PeId(if grid.h > 1 { (grid.h - 1) * grid.w + 1.min(grid.w - 1) } else { grid.w - 1 })
}

/// The most PEs of one case.
const MOST: u32 = 512;

/// Many PEs at once.
fn crowds(machine: &Machine, writes: bool) -> Vec<Case> {
    let extent = machine.extent();
    let (pes, cubes) = (extent.pes.count(), extent.cubes.count());
    let case = |name: String, what: String, pairs: &[(u32, u32)]| {
        let transfers = pairs.iter().map(|(issuer, owner)| Transfer {
            issuer: PeId(*issuer),
            owner: PeId(*owner),
            writes,
        });
        let work = Work::Pes(transfers.collect());
        Case { name, what, group: Group::Contention, work }
    };
    let mut cases = Vec::new();
    let target = crowded(machine);
    if pes > 1 {
        for count in crowd_sizes(pes - 1) {
            let issuers = (0..pes).filter(|pe| *pe != target.0).take(count as usize);
            let pairs: Vec<(u32, u32)> = issuers.map(|pe| (pe, target.0)).collect();
            let what = format!("{} on the controller of pe{}", some_pes(count), target.0);
            cases.push(case(format!("ctrl-{count}"), what, &pairs));
        }
    }
    if cubes > 1 {
        for count in crowd_sizes(pes) {
            let pairs: Vec<(u32, u32)> = (0..count).map(|pe| (pe, pes + pe)).collect();
            let what = format!("{} of cube 0, each to its like in cube 1", some_pes(count));
            cases.push(case(format!("east-{count}"), what, &pairs));
        }
    }
    let sip = (pes * cubes).min(MOST);
    if sip > 1 {
        let own: Vec<(u32, u32)> = (0..sip).map(|pe| (pe, pe)).collect();
        cases.push(case(String::from("all-own"), format!("{}, own slices", some_pes(sip)), &own));
        let one: Vec<(u32, u32)> = (0..sip).map(|pe| (pe, 0)).collect();
        let what = format!("{} on the controller of pe0", some_pes(sip));
        cases.push(case(String::from("all-one"), what, &one));
    }
    cases
}

fn some_pes(count: u32) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} PE{plural}")
}

/// 1, 2, 3, then powers of two up to `most`, and `most`.
fn crowd_sizes(most: u32) -> Vec<u32> {
    let mut sizes: Vec<u32> = [1, 2, 3].into_iter().filter(|size| *size <= most).collect();
    sizes.extend((2..31).map(|power| 1 << power).take_while(|size| *size < most.min(64)));
    if most > 3 {
        sizes.push(most.min(64));
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowds_grow_to_all() {
        assert_eq!(crowd_sizes(1), [1]);
        assert_eq!(crowd_sizes(3), [1, 2, 3]);
        assert_eq!(crowd_sizes(7), [1, 2, 3, 4, 7]);
        assert_eq!(crowd_sizes(8), [1, 2, 3, 4, 8]);
        assert_eq!(crowd_sizes(4096), [1, 2, 3, 4, 8, 16, 32, 64]);
    }
}
