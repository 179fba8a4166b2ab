//! What translating addresses costs: a PE's DMA pays for each entry of its MMU that a transfer touches,
//! and more for one that its TLB does not remember.

use std::collections::{BTreeSet, VecDeque};

use super::state::Simulation;
use crate::arena::Id;
use crate::command::AgentId;
use crate::oplog::LogSink;
use crate::topology::MmuParams;
use crate::units::Ps;

/// The TLBs of all PEs that take part.
#[derive(Clone, Debug)]
pub(super) struct Tlbs {
    params: MmuParams,
    /// Of each PE, the entries that it remembers, the one used last at the end. Empty where a TLB
    /// holds them all.
    remembered: Vec<VecDeque<u64>>,
}

impl Tlbs {
    /// Empty TLBs of so many PEs.
    pub(super) fn new(params: &MmuParams, pes: usize) -> Tlbs {
        Tlbs { params: params.clone(), remembered: vec![VecDeque::new(); pes] }
    }

    /// Whether translation never takes time.
    fn is_free(&self) -> bool {
        let misses = self.params.tlb_entries > 0 && self.params.tlb_miss > Ps::ZERO;
        self.params.tlb_overhead == Ps::ZERO && !misses
    }

    /// Uses an entry, known by its first address.
    fn touch(&mut self, pe: u32, entry: u64) -> Ps {
        let room = self.params.tlb_entries as usize;
        if room == 0 {
            return self.params.tlb_overhead;
        }
        let known = &mut self.remembered[pe as usize];
        let at = known.iter().position(|it| *it == entry);
        match at {
            Some(at) => {
                known.remove(at);
            }
            None if known.len() >= room => {
                known.pop_front();
            }
            None => {}
        }
        known.push_back(entry);
        let miss = if at.is_none() { self.params.tlb_miss } else { Ps::ZERO };
        self.params.tlb_overhead + miss
    }
}

impl<L: LogSink> Simulation<'_, L> {
    /// What the MMU takes before a transfer leaves.
    pub(super) fn translation(&mut self, agent: u32, seq: u32) -> Ps {
        if self.tlbs.is_free() {
            return Ps::ZERO;
        }
        let Some(block) = self.agents[agent as usize].block(seq) else { return Ps::ZERO };
        let code = self.program.code(AgentId::from_index(agent as usize));
        let (memory, page) = (&self.program.memory, self.params.mmu.page_bytes);
        let mut entries = BTreeSet::new();
        block.each_row(code, &mut |at, bytes| {
            memory.each_entry(at, bytes, page, &mut |entry| {
                entries.insert(entry);
            });
        });
        let pe = self.agents[agent as usize].pe;
        entries.into_iter().map(|entry| self.tlbs.touch(pe, entry)).sum()
    }
}
