//! What the host does around a launch: which entries its MMU messages carry, what it tells of
//! queues, and how long all of it takes.

use super::simulator::Simulator;
use crate::command::Program;
use crate::launch::{AddressMap, Region};
use crate::sim::{HostPath, HostWork, Load, Outcome};
use crate::topology::PeParams;
use crate::units::Ps;

impl Simulator<'_> {
    /// The host's path around a launch. Afterwards the MMUs hold what the program needs.
    pub(super) fn host_path(&mut self, program: &Program, outcome: &Outcome) -> Option<HostPath> {
        let params = self.machine().params();
        let before = self.mapped();
        let map = entries(&program.memory, before, params);
        let unmap = entries(before, &program.memory, params);
        let directions = program.comm.directions.len() as u64;
        let setup = directions.saturating_mul(params.ipcq.setup_bytes);
        let work = HostWork {
            world: program.agents.values().map(|agent| agent.pe.0 + 1).max().unwrap_or(0),
            unmap,
            map,
            queues: (directions > 0).then_some(Load { shared: 0, own: setup }),
        };
        let mut ends = vec![Ps::ZERO; work.world as usize];
        for used in &outcome.counters.pes {
            ends[used.pe.0 as usize] = used.ended;
        }
        let path = HostPath::of(self.machine(), &work, (&ends, outcome.time));
        self.set_mapped(program.memory.clone());
        path
    }
}

/// The entries of `map` that are not those of `other`, as a message carries them; `None` where all
/// are.
fn entries(map: &AddressMap, other: &AddressMap, params: &PeParams) -> Option<Load> {
    let is_new = |region: &&Region| {
        let same = other.find(region.base, region.bytes);
        !same.is_ok_and(|index| other.regions()[index] == **region)
    };
    let new: Vec<Region> = map.regions().iter().filter(is_new).cloned().collect();
    let count = AddressMap::new(new).entries(params.mmu.page_bytes);
    if count == crate::launch::Entries::default() {
        return None;
    }
    let bytes = |count: u64| count.saturating_mul(params.mmu.entry_bytes);
    Some(Load { shared: bytes(count.shared), own: bytes(count.own) })
}
