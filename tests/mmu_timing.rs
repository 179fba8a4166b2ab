//! What translation costs a transfer, worked out by hand.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first surprise")]

mod sim_kit;

use kbc::topology::PeParams;
use kbc::units::Ps;
use sim_kit::{INF, Writer, free_pe, link, own_memory, ring_machine, run, uniform};

/// A PE in which nothing but translation takes time: 5 ns an entry, 100 more for one that is none
/// of the last `entries`, in pages of 4 KiB.
fn pe(entries: u32) -> PeParams {
    let mut pe = free_pe();
    pe.mmu.page_bytes = 4096;
    pe.mmu.tlb_entries = entries;
    pe.mmu.tlb_overhead = Ps(5000);
    pe.mmu.tlb_miss = Ps(100_000);
    pe
}

/// Loads 1 KiB from each of these pages of one tensor, one after the other.
fn loads(entries: u32, pages: &[u64]) -> Ps {
    let mut it = Writer::new();
    for page in pages {
        let tile = it.fresh(1024);
        it.load(tile, 0x1_0000 + page * 4096, 256);
    }
    let program = own_memory(uniform(1, it.done()), 0x1_0000, 1 << 20);
    run(&program, &ring_machine(1, pe(entries), &link(INF, 0))).outcome.time
}

#[test]
fn an_entry_is_looked_up_for_each_transfer() {
    assert_eq!(loads(0, &[0, 0, 1]), Ps(3 * 5000), "all entries are remembered");
}

#[test]
fn what_is_not_remembered_costs_more() {
    assert_eq!(loads(1, &[0, 0, 1, 0]), Ps(4 * 5000 + 3 * 100_000), "one entry is remembered");
    assert_eq!(loads(2, &[0, 0, 1, 0]), Ps(4 * 5000 + 2 * 100_000), "two are");
    // Least recently used goes first: 1 has gone when 0 was used again and 2 came.
    assert_eq!(loads(2, &[0, 1, 0, 2, 0, 1]), Ps(6 * 5000 + 4 * 100_000));
}

#[test]
fn a_transfer_pays_for_every_page_that_it_touches() {
    let mut it = Writer::new();
    let tile = it.fresh(8192);
    // From the middle of one page over another into a third.
    it.load(tile, 0x1_0000 + 2048, 2048);
    let program = own_memory(uniform(1, it.done()), 0x1_0000, 1 << 20);
    let ran = run(&program, &ring_machine(1, pe(8), &link(INF, 0)));
    assert_eq!(ran.outcome.time, Ps(3 * 105_000));
}
