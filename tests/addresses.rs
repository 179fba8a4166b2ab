//! Physical addresses, memory pools, MMUs: round trips and definitions.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

use kbc::diag::Sink;
use kbc::launch::{AddressMap, Mapping, Mmu, Placement, Pool, Pools, Region, Shard};
use kbc::source::SourceMap;
use kbc::topology::{
    self, AddressError, AddressLayout, Die, IoUnit, Location, MCpuUnit, PeCoord, PeId, PeUnit,
    PhysAddr, Spec, Unit,
};
use proptest::prelude::*;

fn spec(text: &str) -> Spec {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let id = sources.add("m.yaml", text);
    topology::load(&sources, id, &mut sink).unwrap()
}

fn layout(spec: &Spec) -> AddressLayout {
    AddressLayout::new(spec.extent(), spec.params()).unwrap()
}

fn sips(count: u32) -> Spec {
    spec(&format!("system: {{sips: {{count: {count}}}}}"))
}

#[test]
fn fields_are_4_5_and_42_bits_up_to_16_sips() {
    for count in [1, 2, 16] {
        let layout = layout(&sips(count));
        assert_eq!((layout.sip_bits, layout.die_bits, layout.offset_bits), (4, 5, 42));
        assert_eq!(layout.bits(), 51);
    }
    let wide = layout(&sips(33));
    assert_eq!((wide.sip_bits, wide.die_bits, wide.offset_bits), (6, 5, 42));
    let cubes = layout(&spec("sip: {cube_mesh: {w: 8, h: 8}}"));
    assert_eq!(cubes.die_bits, 7, "64 cubes and 5 IO chiplets");
    let nodes = spec(
        "machine: {replicate: {count: 100000, links: [{offset: 1, bw_gbs: 1, latency_ns: 1}]}}",
    );
    assert!(layout(&nodes).offset_bits > 42, "a cube of 100,000 PEs");
}

/// By hand: SIP 3 is bits 50 to 47, cube 5 bits 46 to 42; HBM begins at 0, slices are 6 GiB.
#[test]
fn known_addresses() {
    let layout = layout(&sips(16));
    let at = layout.hbm(PeCoord { sip: 3, cube: 5, pe: 2 }, 0x100).unwrap();
    assert_eq!(at, PhysAddr(3 << 47 | 5 << 42 | (2 * (6 << 30) + 0x100)));
    assert_eq!(layout.hbm_owner(at), Ok((PeCoord { sip: 3, cube: 5, pe: 2 }, 0x100)));
    let io = Location { sip: 0, die: Die::Io(0), unit: Unit::IoCpu(IoUnit::Memory), offset: 7 };
    assert_eq!(layout.encode(&io), Ok(PhysAddr(16 << 42 | 7)));
    // All of a cube lies in the low 256 GiB of its 4 TiB.
    for unit in [Unit::Hbm, Unit::Sram, Unit::Pe(7, PeUnit::Ipcq), Unit::MCpu(MCpuUnit::Dma)] {
        let (base, bytes) = layout.window(Die::Cube(0), unit).unwrap();
        assert!(base + bytes <= 256 << 30, "{unit:?}");
    }
    assert_eq!(layout.decode(PhysAddr(25 << 42)), Err(AddressError::NoDie(25)));
    assert_eq!(layout.decode(PhysAddr(48 << 30)), Err(AddressError::Reserved));
    let slice = layout.hbm(PeCoord { sip: 0, cube: 0, pe: 0 }, 6 << 30);
    assert_eq!(slice, Err(AddressError::PastUnit(6 << 30)));
}

fn any_unit() -> impl Strategy<Value = (Die, Unit)> {
    let cube = (0u32..18).prop_map(Die::Cube);
    let of_cube = prop_oneof![
        Just(Unit::Hbm),
        Just(Unit::Sram),
        (0u32..10, prop::sample::select(PeUnit::ALL.to_vec()))
            .prop_map(|(pe, it)| Unit::Pe(pe, it)),
        prop::sample::select(MCpuUnit::ALL.to_vec()).prop_map(Unit::MCpu),
    ];
    let io = (0u32..7).prop_map(Die::Io);
    let of_io = prop::sample::select(IoUnit::ALL.to_vec()).prop_map(Unit::IoCpu);
    prop_oneof![(cube, of_cube), (io, of_io)]
}

proptest! {
    /// Every place that has an address is what the address decodes to; no two places share one.
    #[test]
    fn places_round_trip(sip in 0u32..18, place in any_unit(), offset in any::<u64>(), near in any::<bool>()) {
        let layout = layout(&sips(16));
        let (die, unit) = place;
        let bytes = layout.window(die, unit).map_or(1, |(_, bytes)| bytes);
        let place = Location { sip, die, unit, offset: if near { offset % bytes } else { offset } };
        if let Ok(address) = layout.encode(&place) {
            prop_assert!(address.0 < 1 << 51);
            prop_assert_eq!(layout.decode(address), Ok(place));
        } else {
            let pe_is_there = !matches!(unit, Unit::Pe(pe, _) if pe >= 8);
            let die_is_there = !matches!(die, Die::Cube(16..) | Die::Io(5..));
            prop_assert!(!near || sip >= 16 || !pe_is_there || !die_is_there);
        }
    }

    /// Every address that decodes is what its place encodes to.
    #[test]
    fn addresses_round_trip(sip in 0u64..16, die in 0u64..32, local in 0u64..(1 << 38)) {
        let layout = layout(&sips(16));
        let address = PhysAddr(sip << 47 | die << 42 | local);
        if let Ok(place) = layout.decode(address) {
            prop_assert_eq!(layout.encode(&place), Ok(address));
        }
    }

    /// Shards smaller than a page do not overwrite each other: each byte of each region is at the
    /// byte of its own shard's memory.
    #[test]
    fn shards_smaller_than_a_page_are_mapped_apart(
        cuts in prop::collection::btree_set(1u64..10_000, 1..12),
        base in 0u64..5000,
    ) {
        let machine = spec("system: {sips: {count: 1}}");
        let mut offset = 0;
        let shards: Vec<Shard> = cuts.iter().zip(0..).map(|(end, pe)| {
            let shard = Shard { offset, bytes: end - offset, pe: PeId(pe) };
            offset = *end;
            shard
        }).collect();
        let layout = layout(&machine);
        let region = Region {
            name: "x".into(), base, bytes: offset, placement: Placement::Sharded(shards.clone()),
        };
        let map = AddressMap::new(vec![region]);
        let mut pools = Pools::new(*machine.extent(), machine.params(), layout);
        let mmu = Mapping::new(&map, 12, &mut pools).unwrap().mmu(PeId(3), 4096);
        let mut seen = std::collections::BTreeSet::new();
        for shard in &shards {
            for at in [0, shard.bytes / 2, shard.bytes - 1] {
                let pa = mmu.translate(base + shard.offset + at).unwrap();
                let (owner, _) = layout.hbm_owner(pa).unwrap();
                prop_assert_eq!(machine.extent().pe_at(owner), shard.pe);
                seen.insert((shard.offset + at, pa));
            }
        }
        let places: std::collections::BTreeSet<PhysAddr> = seen.iter().map(|it| it.1).collect();
        prop_assert_eq!(places.len(), seen.len(), "no two bytes share an address");
        prop_assert_eq!(mmu.entries().count() as u64, map.entries(4096).shared);
        prop_assert_eq!(mmu.translate(base + offset).unwrap_err().address, base + offset);
    }
}

#[test]
fn replicated_regions_lie_in_each_pe() {
    let machine = spec("system: {sips: {count: 1}}");
    let layout = layout(&machine);
    let region =
        |name: &str, base, bytes, placement| Region { name: name.into(), base, bytes, placement };
    let shards = vec![Shard { offset: 0, bytes: 3 << 20, pe: PeId(1) }];
    let map = AddressMap::new(vec![
        region("x", 0x1_0000_0000, 3 << 20, Placement::Sharded(shards)),
        region("y", 0x1_0040_0000, 100, Placement::Replicated),
    ]);
    let mut pools = Pools::new(*machine.extent(), machine.params(), layout);
    let mapping = Mapping::new(&map, 4, &mut pools).unwrap();
    for pe in 0..4 {
        let mmu = mapping.mmu(PeId(pe), 2 << 20);
        assert_eq!(mmu.entries().count(), 3, "two pages of x and one of y");
        let owner = layout.hbm_owner(mmu.translate(0x1_0040_0000 + 99).unwrap()).unwrap().0;
        assert_eq!(machine.extent().pe_at(owner), PeId(pe));
        let owner = layout.hbm_owner(mmu.translate(0x1_0020_0000).unwrap()).unwrap().0;
        assert_eq!(machine.extent().pe_at(owner), PeId(1));
    }
    assert_eq!(pools.used(Pool::Hbm, PeId(1)), (3 << 20) + 4096);
    assert_eq!(pools.used(Pool::Hbm, PeId(5)), 0);
}

#[test]
fn pools_are_as_large_as_their_memories() {
    let machine = spec("system: {sips: {count: 1}}");
    let mut pools = Pools::new(*machine.extent(), machine.params(), layout(&machine));
    assert!(pools.allocate(Pool::Hbm, PeId(0), 6 << 30).is_ok());
    let full = pools.allocate(Pool::Hbm, PeId(0), 1).unwrap_err();
    assert_eq!((full.pool, full.pe, full.room.free), (Pool::Hbm, PeId(0), 0));
    assert!(pools.allocate(Pool::Hbm, PeId(1), 6 << 30).is_ok(), "another slice");
    // 16 MiB of TCM, 4 of them reserved.
    let tcm = pools.allocate(Pool::Tcm, PeId(9), 12 << 20).unwrap();
    assert!(pools.allocate(Pool::Tcm, PeId(9), 1).is_err());
    assert!(pools.free(tcm));
    assert!(!pools.free(tcm));
    assert!(pools.allocate(Pool::Tcm, PeId(9), 1).is_ok());
    // The PEs of a cube share its 32 MiB.
    assert!(pools.allocate(Pool::Sram, PeId(8), 30 << 20).is_ok());
    assert!(pools.allocate(Pool::Sram, PeId(15), 3 << 20).is_err());
    assert!(pools.allocate(Pool::Sram, PeId(16), 3 << 20).is_ok(), "the next cube");
}

#[test]
fn an_mmu_knows_what_is_mapped_and_nothing_else() {
    let mut mmu = Mmu::new(4096);
    mmu.map(0x1800, PhysAddr(0x9000), 0x1000).unwrap();
    assert_eq!(mmu.entries().count(), 2, "an entry for each page");
    assert_eq!(mmu.translate(0x17ff).unwrap_err().address, 0x17ff);
    assert_eq!(mmu.translate(0x1800), Ok(PhysAddr(0x9000)));
    assert_eq!(mmu.translate(0x27ff), Ok(PhysAddr(0x9fff)));
    assert!(mmu.translate(0x2800).is_err());
    assert_eq!(mmu.map(0x2700, PhysAddr(0), 0x200).unwrap_err().there.va, 0x2000);
    assert_eq!(mmu.unmap(0x1800, 0x1000), 2);
    assert!(mmu.translate(0x1800).is_err());
}
