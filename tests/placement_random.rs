//! Any shape, policy and machine: what is scattered is gathered again, shares never overlap nor leave the
//! memory, and freeing returns all of it. The numbers come from a fixed seed.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, and reads files"
)]

use std::collections::BTreeSet;

use kbc::diag::Sink;
use kbc::dtype::DType;
use kbc::host::{
    Array, Completion, Context, Data, Device, DpPolicy, Form, LaunchRequest, Layout, Part,
    Placement, Refusal, SipChoice, Tensor, TensorId, TensorSpec, Ticket,
};
use kbc::launch::{AddressMap, Mapping, Placement as Stretches, Pool, Pools, Region, Shard};
use kbc::shape::Shape;
use kbc::source::{SourceMap, Span};
use kbc::topology::{self, AddressLayout, Extent, Grid, PeCoord, PeId, Spec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRng, TestRunner};

/// Checks `property` of `cases` things, the same ones in every run.
fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    TestRunner::new_with_rng(config, rng).run(strategy, property).unwrap();
}

fn any_form() -> impl Strategy<Value = Form> {
    prop::sample::select(Form::NAMED.map(|(_, form)| form).to_vec())
}

fn any_policy() -> impl Strategy<Value = DpPolicy> {
    let count = || prop::option::of(1u32..9);
    (any_form(), any_form(), count(), count()).prop_map(|(cube, pe, num_pes, num_cubes)| DpPolicy {
        cube,
        pe,
        num_pes,
        num_cubes,
    })
}

fn any_extent() -> impl Strategy<Value = Extent> {
    let grid =
        |w: u32, h: u32| (1..=w, 1..=h).prop_map(|(w, h)| Grid { w, h, wraps: false }).boxed();
    (grid(3, 1), grid(3, 2), grid(4, 2)).prop_map(|(sips, cubes, pes)| Extent { sips, cubes, pes })
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop::collection::vec(0u64..14, 1..4).prop_map(Shape::new)
}

fn any_sips() -> impl Strategy<Value = SipChoice> {
    prop_oneof![Just(SipChoice::All), (0u32..3).prop_map(SipChoice::One)]
}

/// A tensor's layout, its size in bytes, and those of an element.
#[derive(Clone, Debug)]
struct Case {
    layout: Layout,
    extent: Extent,
    part: Part,
    world: u32,
    shape: Shape,
    itemsize: u64,
}

/// The case of a policy, if it fits the machine and the tensor.
fn case(
    policy: DpPolicy,
    (extent, world): (Extent, u32),
    sips: SipChoice,
    (shape, itemsize): (Shape, u64),
) -> Option<Case> {
    let part = policy.part(sips, (&extent, world)).ok()?;
    let layout = Layout::new(policy, &shape, (part, extent)).ok()?;
    Some(Case { layout, extent, part, world, shape, itemsize })
}

fn any_case() -> impl Strategy<Value = Case> {
    let itemsize = prop::sample::select(vec![1u64, 2, 4, 8]);
    (any_policy(), any_extent(), 0u32..200, any_sips(), any_shape(), itemsize).prop_filter_map(
        "a policy that fits",
        |(policy, extent, world, sips, shape, itemsize)| {
            let world = world % extent.pe_count() + 1;
            case(policy, (extent, world), sips, (shape, itemsize))
        },
    )
}

/// The element of `shape` at a row, a column and a place between them, counted row by row.
fn place(shape: &Shape, row: u64, between: u64, column: u64) -> u64 {
    let columns = *shape.0.last().unwrap();
    let depth: u64 = shape.0.iter().skip(1).rev().skip(1).product();
    (row * depth + between) * columns + column
}

#[test]
fn what_is_scattered_is_gathered_again_and_lies_where_the_table_says() {
    check(600, &any_case(), |case| {
        let Case { layout, shape, itemsize, .. } = &case;
        let elements = shape.elements();
        let bytes: Vec<u8> = (0..elements * itemsize).map(|it| (it * 37 % 251) as u8).collect();
        let there = layout.scatter(bytes.clone(), *itemsize);
        prop_assert_eq!(&layout.gather(there.clone(), *itemsize), &bytes);
        let depth: u64 = shape.0.iter().skip(1).rev().skip(1).product();
        for shard in layout.shards(*itemsize) {
            prop_assert_eq!(shard.shape.elements() * itemsize, shard.nbytes);
            let mut at = shard.offset_bytes;
            for row in shard.rows.clone() {
                for between in 0..depth {
                    for column in shard.columns.clone() {
                        let from = place(shape, row, between, column);
                        prop_assert_eq!(layout.in_memory(from) * itemsize, at);
                        let size = *itemsize as usize;
                        let (from, to) = (from as usize * size, at as usize);
                        prop_assert_eq!(&there[to..to + size], &bytes[from..from + size]);
                        at += itemsize;
                    }
                }
            }
            prop_assert_eq!(at - shard.offset_bytes, shard.nbytes);
        }
        Ok(())
    });
}

/// The shards of every copy.
fn copies(stretches: &Stretches) -> Vec<Vec<Shard>> {
    match stretches {
        Stretches::Sharded(shards) => vec![shards.clone()],
        Stretches::Copied(copies) => copies.all().to_vec(),
        Stretches::Replicated => panic!("a policy names its PEs"),
    }
}

#[test]
fn shares_cover_a_tensor_without_overlap_and_pes_see_their_own() {
    check(600, &any_case(), |case| {
        let Case { layout, extent, part, world, shape, itemsize } = &case;
        let total = shape.elements() * itemsize;
        let members: BTreeSet<PeId> = part.members(extent).into_iter().collect();
        prop_assert_eq!(members.len() as u32, part.count());
        prop_assert!(members.iter().all(|pe| pe.0 < *world), "of the world");
        let stretches = layout.stretches(*itemsize);
        let all = copies(&stretches);
        prop_assert_eq!(all.len() as u32, layout.copies());
        for shards in &all {
            let mut end = 0;
            for shard in shards {
                prop_assert_eq!(shard.offset, end, "one after another");
                prop_assert!(shard.bytes > 0 && members.contains(&shard.pe));
                end += shard.bytes;
            }
            prop_assert_eq!(end, total, "all of it");
        }
        for (spec, pe) in layout.shards(*itemsize).iter().zip(&members) {
            prop_assert_eq!(extent.pe_at(spec.pe), *pe);
            let own = Shard { offset: spec.offset_bytes, bytes: spec.nbytes, pe: *pe };
            let seen = stretches.shards(*pe).unwrap();
            prop_assert!(own.bytes == 0 || seen.contains(&own), "{own:?} in {seen:?}");
            let block = layout.held_by(*pe);
            prop_assert_eq!(block.is_some(), own.bytes > 0);
        }
        if let Some(last) = shape.elements().checked_sub(1) {
            for at in [0, last / 2, last] {
                let owner = layout.owner(at);
                let offset = layout.in_memory(at) * itemsize;
                let holds = |it: &&Shard| (it.offset..it.offset + it.bytes).contains(&offset);
                prop_assert_eq!(all[0].iter().find(holds).unwrap().pe, owner);
            }
        }
        Ok(())
    });
}

fn spec(text: &str) -> Spec {
    let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
    let id = sources.add("m.yaml", text);
    topology::load(&sources, id, &mut sink).unwrap()
}

#[test]
fn memory_is_the_owner_s_and_comes_back() {
    let specs: Vec<Spec> = [
        "system: {sips: {count: 2}}",
        "system: {sips: {count: 3}}\nsip: {cube_mesh: {w: 2, h: 1}}",
        "sip: {cube_mesh: {w: 1, h: 3}}\ncube: {pe_layout: {pe_per_corner: 1}}",
    ]
    .map(spec)
    .into();
    let tensor = (any_policy(), any_sips(), any_shape(), 0usize..3, 1u64..5000, 0u64..9000);
    check(150, &tensor, |(policy, sips, shape, which, scale, base)| {
        let spec = &specs[which];
        let extent = *spec.extent();
        // Elements of any size, so that shares are of a few bytes or of several pages.
        let Some(case) = case(policy, (extent, extent.pe_count()), sips, (shape, scale)) else {
            return Ok(());
        };
        let bytes = case.shape.elements() * scale;
        let placement = case.layout.stretches(scale);
        let map = AddressMap::new(vec![Region { name: "x".into(), base, bytes, placement }]);
        let addresses = AddressLayout::new(&extent, spec.params()).unwrap();
        let mut pools = Pools::new(extent, spec.params(), addresses);
        let mapping = Mapping::new(&map, extent.pe_count(), &mut pools).unwrap();
        let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
        for (copy, shards) in copies(&map.regions()[0].placement).iter().enumerate() {
            let reader = match &map.regions()[0].placement {
                Stretches::Copied(all) => all.readers(copy, extent.pe_count()).next().unwrap(),
                Stretches::Sharded(_) | Stretches::Replicated => PeId(0),
            };
            let mmu = mapping.mmu(reader, 4096);
            let mut mapped = 0;
            for entry in mmu.entries() {
                prop_assert!(entry.va / 4096 == (entry.va + entry.bytes - 1) / 4096, "of one page");
                prop_assert!(taken.insert((entry.pa.0, entry.bytes)), "nobody else's");
                mapped += entry.bytes;
            }
            prop_assert_eq!(mapped, bytes);
            for shard in shards {
                for at in [shard.offset, shard.offset + shard.bytes - 1] {
                    let pa = mmu.translate(base + at).unwrap();
                    let (owner, _) = addresses.hbm_owner(pa).unwrap();
                    prop_assert_eq!(extent.pe_at(owner), shard.pe);
                }
            }
            prop_assert!(mmu.translate(base + bytes).is_err(), "nothing beyond");
        }
        let ends: Vec<(u64, u64)> = taken.into_iter().collect();
        prop_assert!(ends.windows(2).all(|it| it[0].0 + it[0].1 <= it[1].0), "apart");
        let used: u64 = (0..extent.pe_count()).map(|pe| pools.used(Pool::Hbm, PeId(pe))).sum();
        prop_assert!(used >= bytes * u64::from(case.layout.copies()));
        mapping.release(&mut pools);
        for pe in 0..extent.pe_count() {
            prop_assert_eq!(pools.used(Pool::Hbm, PeId(pe)), 0);
        }
        Ok(())
    });
}

/// A device that keeps what it is given, and counts who has memory.
#[derive(Default)]
struct Store {
    extent: Option<Extent>,
    bytes: std::collections::BTreeMap<TensorId, Vec<u8>>,
    placed: BTreeSet<TensorId>,
}

impl Device for Store {
    fn world_size(&self) -> u32 {
        self.extent.unwrap().pe_count()
    }
    fn extent(&self) -> Extent {
        self.extent.unwrap()
    }
    fn has_data(&self) -> bool {
        true
    }
    fn place(&mut self, tensor: &Tensor) -> Result<(), Refusal> {
        assert!(self.placed.insert(tensor.id));
        Ok(())
    }
    fn forget(&mut self, tensor: TensorId) {
        assert!(self.placed.remove(&tensor));
    }
    fn write(&mut self, tensor: &Tensor, bytes: &[u8]) -> Result<(), Refusal> {
        self.bytes.insert(tensor.id, bytes.to_vec());
        Ok(())
    }
    fn read(&mut self, tensor: &Tensor, _: u32) -> Result<Vec<u8>, Refusal> {
        Ok(self.bytes[&tensor.id].clone())
    }
    fn submit(&mut self, _: LaunchRequest) -> Result<Ticket, Refusal> {
        Ok(Ticket(0))
    }
    fn wait(&mut self, _: Ticket) -> Result<Completion, Refusal> {
        Ok(Completion::default())
    }
}

#[test]
fn a_host_gets_back_what_it_sent_and_freeing_returns_all() {
    let tensors =
        prop::collection::vec((any_policy(), any_sips(), any_shape(), any::<bool>()), 1..8);
    check(100, &(any_extent(), tensors), |(extent, tensors)| {
        let mut store = Store { extent: Some(extent), ..Store::default() };
        let mut context = Context::new(&mut store);
        let mut held = Vec::new();
        for (number, (policy, sips, shape, is_freed)) in tensors.into_iter().enumerate() {
            let place = (extent, extent.pe_count());
            let Some(case) = case(policy, place, sips, (shape.clone(), 2)) else { continue };
            let values: Vec<i64> =
                (0..shape.elements() as i64).map(|it| it + 100 * number as i64).collect();
            let array = Array::from_ints(DType::I16, &shape, values.clone()).unwrap();
            let spec = TensorSpec {
                name: format!("t{number}"),
                shape,
                dtype: DType::I16,
                placement: Placement::Policy(case.layout.into()),
            };
            let handle = context.create(spec, || Ok(Some(array))).unwrap();
            let args = vec![("x".to_owned(), context.argument(handle.id()))];
            context.launch(LaunchRequest { args, ..LaunchRequest::default() }).unwrap();
            let Data::Known(back) = context.read(handle.id()).unwrap() else { panic!("has data") };
            let back: Vec<i64> = back.to_ints().unwrap().iter().map(|it| *it as i64).collect();
            prop_assert_eq!(&back, &values);
            if is_freed {
                context.free(handle.id(), Span::NONE).unwrap();
                prop_assert!(context.read(handle.id()).is_err());
                prop_assert!(context.free(handle.id(), Span::NONE).is_err());
            }
            held.push(handle);
        }
        // What is dropped comes back with the next tensor that is made.
        held.clear();
        let spec = TensorSpec {
            name: "last".into(),
            shape: Shape::new([1]),
            dtype: DType::I16,
            placement: Placement::Replicated,
        };
        let last = context.create(spec, || Ok(None)).unwrap();
        context.free(last.id(), Span::NONE).unwrap();
        prop_assert_eq!(context.used_bytes(), 0);
        drop((context, last));
        prop_assert!(store.placed.is_empty());
        Ok(())
    });
}

/// By hand: 5 rows of 6 on 2 cubes of 2 PEs: bands of 3 and 2 rows, of 3 columns each.
#[test]
fn known_offsets() {
    let grid = |w| Grid { w, h: 1, wraps: false };
    let extent = Extent { sips: grid(1), cubes: grid(2), pes: grid(2) };
    let policy = DpPolicy { cube: Form::RowWise, pe: Form::ColumnWise, ..DpPolicy::default() };
    let shape = Shape::new([5, 6]);
    let case = case(policy, (extent, 4), SipChoice::One(0), (shape, 1)).unwrap();
    let seen: Vec<(PeCoord, u64, u64)> =
        case.layout.shards(1).iter().map(|it| (it.pe, it.offset_bytes, it.nbytes)).collect();
    let at = |cube, pe| PeCoord { sip: 0, cube, pe };
    assert_eq!(seen, [(at(0, 0), 0, 9), (at(0, 1), 9, 9), (at(1, 0), 18, 6), (at(1, 1), 24, 6)]);
    let there = case.layout.scatter((0..30).collect(), 1);
    assert_eq!(there[..9], [0, 1, 2, 6, 7, 8, 12, 13, 14]);
    assert_eq!(there[24..], [21, 22, 23, 27, 28, 29]);
}
