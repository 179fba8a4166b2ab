//! Kernels of channels: each computes its collective, each is the same as a plan, and what single
//! calls become is what MSCCL++'s own DSL made of them.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    clippy::print_stderr,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod plan_kit;

use std::collections::BTreeSet;

use kbc::driver::{LaunchOptions, Stage};
use kbc::dtype::DType;
use kbc::import::Semantics;
use plan_kit::{check_file, emit, run, run_file, settings};

/// The kernels that ship, and worlds for them.
const KERNELS: [(&str, &[u32]); 10] = [
    ("allgather_all_pairs", &[2, 3, 8]),
    ("allgather_ring", &[2, 3, 8]),
    ("allreduce_all_pairs", &[2, 3, 8]),
    ("allreduce_hierarchical", &[4, 6, 16]),
    ("allreduce_packets", &[2, 3, 8]),
    ("allreduce_ring", &[2, 3, 8]),
    ("allreduce_switch", &[2, 3, 8]),
    ("alltoall_all_pairs", &[2, 3, 8]),
    ("reduce_scatter_all_pairs", &[2, 3, 8]),
    ("reduce_scatter_ring", &[2, 3, 8]),
];

fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn kernel(name: &str) -> String {
    file(&format!("kernels/channels/{name}.kb"))
}

fn launch(world: u32, bytes: u64, dtype: DType) -> LaunchOptions {
    let plan = settings(bytes, dtype, 3, Semantics::Intent);
    LaunchOptions { world: Some(world), plan, ..LaunchOptions::default() }
}

#[test]
fn every_shipped_kernel_is_run_here() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/channels");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".kb").unwrap().to_owned()
    });
    let known: BTreeSet<String> = KERNELS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names.collect::<BTreeSet<String>>(), known);
}

#[test]
fn kernels_compute_their_collective_at_every_size_and_type() {
    for (name, worlds) in KERNELS {
        let text = kernel(name);
        for world in worlds {
            for (bytes, dtype) in [
                (64, DType::F16),
                (20_000, DType::F32),
                (65_536, DType::I32),
                (40_000, DType::BF16),
            ] {
                let ran = run_file(("k.kb", &text), launch(*world, bytes, dtype));
                let what = format!("{name} of {world}, {bytes} B {dtype}: {}", ran.text());
                assert_eq!(ran.verdict, "verified", "{what}");
                assert!(ran.diagnostics.is_empty(), "{what}");
            }
        }
    }
}

#[test]
fn a_kernel_is_the_plan_that_it_is_written_as() {
    for (name, worlds) in KERNELS {
        let text = kernel(name);
        for world in worlds {
            let options = launch(*world, 40_000, DType::F16);
            let plan = emit(("k.kb", &text), &options, Stage::Plan);
            let (own, as_plan) = (
                run_file(("k.kb", &text), options.clone()),
                run_file(("plan.json", &plan), options.clone()),
            );
            let what = format!("{name} of {world}: {}", as_plan.text());
            assert_eq!((own.verdict, own.time), (as_plan.verdict, as_plan.time), "{what}");
            assert!(as_plan.diagnostics.is_empty(), "{what}");
            let again = emit(("plan.json", &plan), &options, Stage::Plan);
            assert_eq!(again, plan, "{name} of {world}");
            let device = settings(40_000, DType::F16, 3, Semantics::Device);
            let device = run(&plan, device, None);
            assert_eq!(device.verdict, "verified", "{name} of {world}: {}", device.text());
        }
    }
}

#[test]
fn kernels_run_on_the_shipped_machines() {
    for machine in ["a100x8", "h100x8", "a100x2x8", "h100x2x8"] {
        let topology = Some((String::from("m.yaml"), file(&format!("topology/{machine}.yaml"))));
        let two_nodes = machine.contains("x2x");
        for (name, _) in KERNELS {
            if two_nodes != (name == "allreduce_hierarchical") {
                continue;
            }
            let plan = settings(65_536, DType::F16, 2, Semantics::Intent);
            let options = LaunchOptions { plan, topology: topology.clone(), ..Default::default() };
            let ran = run_file(("k.kb", &kernel(name)), options);
            assert_eq!(ran.verdict, "verified", "{name} on {machine}: {}", ran.text());
            assert!(ran.diagnostics.is_empty(), "{name} on {machine}: {}", ran.text());
        }
    }
}

/// Where a mistake is found, and what is quoted of it.
fn said(text: &str, world: u32) -> Vec<String> {
    let ran = run_file(("k.kb", text), launch(world, 4096, DType::F16));
    ran.diagnostics.iter().map(|it| it.code.id.to_owned()).collect()
}

#[test]
fn mistakes_in_kernels_are_found() {
    let good = kernel("allgather_all_pairs");
    assert!(said(&good, 4).is_empty());
    let relaxed = "        channel.wait(tb=i, relaxed=True)\n";
    // A wait less: not as many as signals.
    assert_eq!(said(&good.replace(relaxed, ""), 4), ["K0934"]);
    // No handshake: a peer's output may be written while its host still reads it.
    let handshake =
        "        channel.signal(tb=i, relaxed=True)\n        channel.wait(tb=i, relaxed=True)\n";
    assert!(said(&good.replace(handshake, ""), 4).contains(&String::from("K0915")));
    // The put goes to the wrong place.
    let put = "peer.get_output_buffer()[me.id:me.id + 1], mine";
    let wrong = "peer.get_output_buffer()[peer.id:peer.id + 1], mine";
    assert!(good.contains(put));
    assert!(said(&good.replace(put, wrong), 4).contains(&String::from("K0914")));
    // Each waits before it signals.
    let first =
        good.replace(handshake, &format!("{relaxed}        channel.signal(tb=i, relaxed=True)\n"));
    assert_eq!(said(&first, 4), ["K0913"]);
}

/// Plans that MSCCL++'s DSL made of single calls, and the same calls here: the name of the plan,
/// its ranks, the collective, the lines of the kernel.
const FRAGMENTS: &[(&str, u32, &str, &str)] = &[
    ("unit_barrier", 1, "input_chunks=0, output_chunks=0", "me.barrier([0, 1])"),
    ("unit_copy", 1, "", "me.copy(out[0:1], inp[0:1], tb=0)"),
    (
        "unit_copy_packet",
        1,
        "protocol='LL'",
        "s = tl.scratch_buffer(1)\nme.copy_packets(s[0:1], inp[0:1], tb=0)",
    ),
    (
        "unit_unpack_packet",
        1,
        "protocol='LL'",
        "s = tl.scratch_buffer(1)\nme.copy_packets(s[0:1], inp[0:1], tb=0)\nme.unpack_packets(out[0:1], s[0:1], tb=0)",
    ),
    (
        "unit_pipeline",
        1,
        "",
        "for _ in tl.loop_iteration_context(1048576, 1):\n    me.copy(out[0:1], inp[0:1], tb=0)",
    ),
    (
        "unit_reduce",
        1,
        "input_chunks=2, output_chunks=1",
        "me.reduce(inp[0:1], [inp[1:2]], tb=0, dst_chunk=out[0:1])",
    ),
    (
        "unit_tbg_copy",
        1,
        "",
        "me.copy(out[0:1], inp[0:1], tb_group=tl.thread_block_group([0, 1, 2, 3]))",
    ),
    (
        "unit_tbg_reduce",
        1,
        "input_chunks=2, output_chunks=1",
        "me.reduce(inp[0:1], [inp[1:2]], tb_group=tl.thread_block_group(range(4)), dst_chunk=out[0:1])",
    ),
    (
        "unit_semaphore",
        1,
        "input_chunks=0, output_chunks=0",
        "s = tl.semaphore(0)\ns.acquire(tb=0, data_sync='after')\ns.release(tb=1, data_sync='before')",
    ),
    (
        "unit_reduce_packets",
        1,
        "input_chunks=0, output_chunks=0, protocol='LL'",
        "s = tl.scratch_buffer(3)\nme.reduce(s[0:1], [s[1:2]], tb=0, dst_chunk=s[2:3], packet=True)",
    ),
    (
        "unit_reduce_copy_packet",
        1,
        "input_chunks=1, output_chunks=0, protocol='LL'",
        "s = tl.scratch_buffer(2)\nme.reduce(inp[0:1], [s[0:1]], tb=0, packet=True)\nme.copy_packets(s[1:2], inp[0:1], tb=0)",
    ),
    (
        "unit_put",
        2,
        "input_chunks=2, output_chunks=0",
        "HELLO\nc.put(theirs[1:2], inp[0:1], tb=0)\nBYE",
    ),
    (
        "unit_put_fuse",
        2,
        "input_chunks=2, output_chunks=0",
        "HELLO\nc.put(theirs[1:2], inp[0:1], tb=0)\nc = tl.memory_channel(1 - me.id)\nc.put(theirs[0:1], inp[1:2], tb=0)\nBYE",
    ),
    (
        "unit_get",
        2,
        "input_chunks=2, output_chunks=0",
        "HELLO\nc.get(inp[0:1], theirs[1:2], tb=0)\nBYE",
    ),
    (
        "unit_get_fuse",
        2,
        "input_chunks=2, output_chunks=0",
        "HELLO\nc.get(inp[0:1], theirs[1:2], tb=0)\nc.get(inp[0:1], theirs[1:2], tb=0)\nBYE",
    ),
    (
        "unit_read_reduce",
        2,
        "input_chunks=2, output_chunks=2",
        "HELLO\nc.reduce(inp[0:1], [theirs[1:2]], tb=0, local_dst_chunk=out[0:1])\nBYE",
    ),
    (
        "unit_read_reduce_send",
        2,
        "input_chunks=2, output_chunks=2",
        "HELLO\nc.reduce(inp[0:1], [theirs[1:2]], tb=0, local_dst_chunk=out[0:1])\nc.put(peer.get_output_buffer()[1:2], out[0:1], tb=0)\nBYE",
    ),
    (
        "unit_reduce_send",
        2,
        "input_chunks=2, output_chunks=2",
        "HELLO\nme.reduce(inp[0:1], [inp[1:2]], tb=0, dst_chunk=out[0:1])\nc.put(peer.get_output_buffer()[1:2], out[0:1], tb=0)\nBYE",
    ),
    (
        "unit_tbg_reduce_send",
        2,
        "input_chunks=2, output_chunks=2",
        "HELLO\ng = tl.thread_block_group(range(4))\nme.reduce(inp[0:1], [inp[1:2]], tb_group=g, dst_chunk=out[0:1])\nc.put(peer.get_output_buffer()[1:2], out[0:1], tb_group=g)\nBYE",
    ),
    (
        "unit_signal_wait",
        2,
        "input_chunks=0, output_chunks=0",
        "c = tl.memory_channel(1 - me.id)\nBYE",
    ),
    ("unit_relaxed_signal_wait", 2, "input_chunks=0, output_chunks=0", "HELLO"),
    (
        "unit_signal_wait_fuse",
        2,
        "input_chunks=0, output_chunks=0",
        "c = [tl.memory_channel(1 - me.id) for _ in range(4)]\nc[0].signal(tb=0)\nc[1].signal(tb=0)\nc[2].wait(tb=0)\nc[3].wait(tb=0)",
    ),
    (
        "unit_put_packet",
        2,
        "input_chunks=1, output_chunks=0, protocol='LL'",
        "s = tl.scratch_buffer(1)\nc = tl.memory_channel(1 - me.id)\nc.put_packets(s.at_rank(1 - me.id)[0:1], inp[0:1], tb=0)",
    ),
    (
        "unit_read_put_packet",
        2,
        "input_chunks=0, output_chunks=0, protocol='LL'",
        "s = tl.scratch_buffer(2)\nc = tl.memory_channel(1 - me.id)\nc.read_put_packets(s.at_rank(1 - me.id)[1:2], s[0:1], tb=0)",
    ),
    (
        "unit_reduce_send_packet",
        2,
        "input_chunks=0, output_chunks=0, protocol='LL'",
        "s = tl.scratch_buffer(4)\nc = tl.memory_channel(1 - me.id)\nme.reduce(s[0:1], [s[1:2]], tb=0, dst_chunk=s[2:3], packet=True)\nc.put_packets(s.at_rank(1 - me.id)[3:4], s[2:3], tb=0)",
    ),
    (
        "unit_put_with_signal",
        2,
        "input_chunks=2, output_chunks=0",
        "c = tl.port_channel(1 - me.id)\nc.signal(tb=0)\nc.wait(tb=0)\nc.put_with_signal(theirs[1:2], inp[0:1], tb=0)\nc.wait(tb=0, data_sync='after')",
    ),
    (
        "unit_put_with_signal_and_flush",
        2,
        "input_chunks=2, output_chunks=0",
        "c = tl.port_channel(1 - me.id)\nc.signal(tb=0)\nc.wait(tb=0)\nc.put_with_signal_and_flush(theirs[1:2], inp[0:1], tb=0)\nc.wait(tb=0, data_sync='after')",
    ),
    (
        "unit_flush",
        2,
        "input_chunks=0, output_chunks=0",
        "if me.id == 0:\n    c = tl.port_channel(1)\n    c.flush(tb=0, data_sync='before')",
    ),
    (
        "unit_flush_fuse",
        2,
        "input_chunks=0, output_chunks=0",
        "if me.id == 0:\n    c = tl.port_channel(1)\n    d = tl.port_channel(1)\n    c.flush(tb=0)\n    d.flush(tb=0)",
    ),
    (
        "unit_switch_broadcast",
        3,
        "input_chunks=1, output_chunks=1",
        "if me.id < 2:\n    w = tl.switch_channel([0, 1], 'input')\n    if me.id == 0:\n        s = tl.scratch_buffer(1)\n        w.at_rank(0).broadcast(s[0:1], 0, 1, tb=0)",
    ),
    (
        "unit_switch_reduce",
        3,
        "input_chunks=1, output_chunks=1",
        "if me.id < 2:\n    w = tl.switch_channel([0, 1], 'input')\n    if me.id == 0:\n        s = tl.scratch_buffer(1)\n        w.at_rank(0).reduce(0, 1, s[0:1], tb=0)",
    ),
    (
        "single_allgather_tbg_r2",
        2,
        "C:allgather inplace=True",
        "HELLO\nme.barrier(range(4))\nc.put(peer.get_output_buffer()[me.id:me.id + 1], out[me.id:me.id + 1], tb_group=tl.thread_block_group(range(4)))\nme.barrier(range(4))\nBYE",
    ),
    (
        "single_allreduce_naivy_r2",
        2,
        "C:allreduce inplace=True, protocol='LL'",
        "s = tl.scratch_buffer(4)\nc = tl.memory_channel(1 - me.id)\nr = me.id\nt = s.at_rank(1 - r)\nc.put_packets(t[r:r + 1], inp[1 - r:2 - r], tb=0)\nme.reduce(inp[r:r + 1], [s[1 - r:2 - r]], tb=0, packet=True)\nc.put_packets(t[2 + r:3 + r], inp[r:r + 1], tb=0)\nme.unpack_packets(inp[1 - r:2 - r], s[3 - r:4 - r], tb=0)",
    ),
];

fn fragment(collective: &str, lines: &str) -> String {
    let hello = "c = tl.memory_channel(1 - me.id)\nc.signal(tb=0, relaxed=True)\nc.wait(tb=0, relaxed=True)";
    let bye = "c.signal(tb=0, data_sync='before')\nc.wait(tb=0, data_sync='after')";
    let said = match collective.strip_prefix("C:") {
        Some(said) => {
            let (name, rest) = said.split_once(' ').unwrap();
            format!("'{name}', {rest}")
        }
        None => format!("'test', {collective}"),
    };
    let head = format!(
        "tl.collective({said})\nme = tl.rank()\npeer = tl.rank(1 - me.id)\ninp = me.get_input_buffer()\n\
         out = me.get_output_buffer()\ntheirs = peer.get_input_buffer()\n"
    );
    let body = head + &lines.replace("HELLO", hello).replace("BYE", bye);
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    format!("def kernel(tl):\n{body}")
}

/// The ops of a plan: their names, and what they become with everything that they name resolved.
fn resolved(plan: &str, world: u32) -> (Vec<String>, String) {
    let options = LaunchOptions { skip_check: true, ..launch(world, 4096, DType::F16) };
    let plan = emit(("plan.json", plan), &options, Stage::Plan);
    let names =
        plan.split("{\"name\":\"").skip(1).map(|it| it.split('"').next().unwrap().to_owned());
    // The first is what the plan is called.
    let names: Vec<String> = names.skip(1).collect();
    assert!(!names.is_empty());
    (names, emit(("plan.json", &plan), &options, Stage::Stream))
}

#[test]
fn calls_become_what_the_dsl_of_mscclpp_makes_of_them() {
    let Some(folder) = plan_kit::shared() else {
        eprintln!("KBC_SHARED is not set: the plans of MSCCL++ are left out");
        return;
    };
    for (name, world, collective, lines) in FRAGMENTS {
        let kernel = fragment(collective, lines);
        let options = launch(*world, 4096, DType::F16);
        let own =
            emit(("k.kb", &kernel), &LaunchOptions { skip_check: true, ..options }, Stage::Plan);
        let theirs = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let (own, theirs) = (resolved(&own, *world), resolved(&theirs, *world));
        assert_eq!(own.0, theirs.0, "{name}\n{kernel}");
        assert_eq!(own.1, theirs.1, "{name}\n{kernel}");
    }
}

#[test]
fn plans_of_mscclpp_are_the_same_once_read_and_written() {
    let Some(folder) = plan_kit::shared() else { return };
    for it in plan_kit::expected(&folder) {
        let options = LaunchOptions { skip_check: true, ..launch(1, 4096, DType::F16) };
        let written = emit(("plan.json", &it.text), &options, Stage::Plan);
        let program = |text: &str| emit(("plan.json", text), &options, Stage::Program);
        assert_eq!(program(&written), program(&it.text), "{}", it.file);
        assert_eq!(emit(("plan.json", &written), &options, Stage::Plan), written, "{}", it.file);
    }
}

#[test]
fn ir_is_the_same_recipe_and_no_number_in_it_stops_kbc() {
    let mut seed = 1u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let odd = [-1, 0, 1, 2, 3, 5, 1 << 20, 1 << 31, i64::MAX, i64::MIN];
    for (name, worlds) in KERNELS {
        let set = [("world_size", 4), ("per_node", 2), ("blocks", 4), ("unit", 65536)];
        let text = kernel(name);
        let world = if worlds[0] == 4 { 4 } else { worlds[0] };
        let options = launch(world, 1024, DType::F16);
        let ir = emit(("k.kb", &text), &options, Stage::Ir);
        let settings = set.map(|(name, value)| match name {
            "world_size" => (name.to_owned(), world.to_string()),
            _ => (name.to_owned(), value.to_string()),
        });
        let taken = |it: &(String, String)| ir.contains(&format!("%{}: ", it.0));
        let settings = settings.into_iter().filter(taken).collect();
        let of_ir = LaunchOptions { settings, ..options.clone() };
        let plan =
            |file, options| emit(file, options, Stage::Plan).split_once(',').unwrap().1.to_owned();
        assert_eq!(plan(("k.kir", &ir), &of_ir), plan(("k.kb", &text), &options), "{name}");
        let places: Vec<usize> = ir.match_indices("= const ").map(|(at, _)| at + 8).collect();
        for _ in 0..12 {
            let at = places[random(places.len())];
            let end = at + ir[at..].find(' ').unwrap();
            let wrong = format!("{}{}{}", &ir[..at], odd[random(odd.len())], &ir[end..]);
            let ran = check_file(("k.kir", &wrong), &of_ir);
            assert!(!ran.says("K0001"), "{name}: {}\n{wrong}", ran.text());
        }
    }
}

#[test]
fn what_a_device_does_otherwise_is_said_when_a_plan_is_written() {
    // The device adds, whatever is asked for.
    let text = kernel("allreduce_all_pairs").replace("tb_group=group)\n    for i in tl.static_range(world_size - 1):\n        channels[i].put", "tb_group=group, reduce_op='max')\n    for i in tl.static_range(world_size - 1):\n        channels[i].put");
    assert!(text.contains("reduce_op='max'"));
    let options = launch(2, 4096, DType::F16);
    assert_eq!(run_file(("k.kb", &text), options.clone()).verdict, "verified");
    let mut session = kbc::driver::Session::new();
    let unit = session.load("k.kb", text.as_bytes()).unwrap();
    let pes = kbc::driver::StreamChoice::default();
    let made = session.emit(&unit, &options, (&[Stage::Plan], &pes));
    let said = session.take_diagnostics();
    assert!(made.is_err() && said.iter().any(|it| it.code.id == "K0914"), "{said:?}");
}

#[test]
fn every_verb_of_the_ir_is_in_its_table() {
    let page = file("docs/ir.md");
    let table = page.split("## Channels").nth(1).unwrap().split("\n## ").next().unwrap();
    for verb in kbc::ir::Verb::ALL {
        let row = format!("| `{}` | ", verb.name());
        let line = table.lines().find(|line| line.starts_with(&row));
        assert!(line.is_some_and(|line| line.ends_with(&format!("|{} |", verb.doc()))), "{row}");
    }
}
