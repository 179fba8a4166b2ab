//! What messages paid on links, as the report counts it: overhead, wire, serialisation, queueing.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise"
)]

mod command_line;

use command_line::{Scratch, kbc, root};
use serde_json::Value;

/// The report of `kernel` on a machine, as JSON.
fn report(kernel: &str, world: &str, machine: &str) -> Value {
    let scratch = Scratch::new();
    scratch.write("machine.yaml", machine);
    let file = root().join(format!("kernels/{kernel}.kb"));
    let line =
        ["sim", file.to_str().unwrap(), "--ws", world, "--topology", "machine.yaml", "--json"];
    let out = kbc(scratch.path(), &line);
    let json: Value = serde_json::from_str(&out.stdout).unwrap_or_else(|_| panic!("{out:?}"));
    json["launches"][0]["report"].clone()
}

#[test]
fn messages_of_a_ring_pay_one_wire_and_their_bytes_and_never_queue() {
    let ring = std::fs::read_to_string(root().join("topology/ring8.yaml")).unwrap();
    let report = report("ring_allreduce", "8", &ring);
    let (network, traffic) = (&report["network"], &report["traffic"]);
    // Each of 8 PEs sends 7 times, over one link of 100 ns and 64 bytes a nanosecond.
    assert_eq!(traffic["messages"], 56);
    assert_eq!(network["wire_ps"], 56 * 100_000);
    assert_eq!(network["overhead_ps"], 0);
    let bytes = traffic["message_bytes"].as_u64().unwrap();
    assert_eq!(network["serialisation_ps"].as_u64().unwrap(), bytes * 1000 / 64);
    assert_eq!(network["queueing_ps"], 0);
    let links = report["links"].as_array().unwrap();
    assert_eq!(links.len(), 8);
    assert!(links.iter().all(|it| it["messages"] == 7 && it["wire_ps"] == 700_000), "{links:?}");
}

#[test]
fn a_switch_costs_its_overhead_once_a_message_and_its_links_are_queued_for() {
    let machine = "
machine:
  nodes:
    - {name: gpu0, kind: pe}
    - {name: gpu1, kind: pe}
    - {name: gpu2, kind: pe}
    - {name: hub, kind: switch, overhead_ns: 5}
  links:
    - {from: gpu0, to: hub, bw_gbs: 8, latency_ns: 20, both_ways: true}
    - {from: gpu1, to: hub, bw_gbs: 8, latency_ns: 20, both_ways: true}
    - {from: gpu2, to: hub, bw_gbs: 8, latency_ns: 20, both_ways: true}
";
    // The leaves of the tree, PEs 1 and 2, send to PE 0 at once, and the link from the hub serves them
    // flit by flit.
    let report = report("tree_allreduce", "3", machine);
    let (network, traffic) = (&report["network"], &report["traffic"]);
    let messages = traffic["messages"].as_u64().unwrap();
    assert_eq!(messages, 4);
    assert_eq!(network["wire_ps"], messages * 2 * 20_000);
    assert_eq!(network["overhead_ps"], messages * 5000);
    let bytes = traffic["message_bytes"].as_u64().unwrap();
    assert_eq!(network["serialisation_ps"], 2 * bytes * 1000 / 8);
    assert!(network["queueing_ps"].as_u64().unwrap() > 0);
    let most = &report["links"][0];
    assert_eq!((&most["from"], &most["to"]), (&Value::from("hub"), &Value::from("gpu0")));
}

/// The parts of a latency.
const PARTS: [&str; 6] =
    ["overhead_ps", "wire_ps", "serialisation_ps", "queueing_ps", "credit_ps", "memory_ps"];

fn sum(parts: &Value) -> u64 {
    PARTS.iter().map(|part| parts[part].as_u64().unwrap()).sum()
}

/// The parts of every latency add up to it; those of links and of ends add up to those of all.
fn parts_add_up(messages: &Value) {
    let number = |value: &Value| value.as_u64().unwrap();
    assert_eq!(sum(&messages["parts"]), number(&messages["latency_ps"]));
    let links = messages["links"].as_array().unwrap();
    for part in PARTS {
        let on_links: u64 = links.iter().map(|it| number(&it["parts"][part])).sum();
        assert_eq!(on_links + number(&messages["ends"][part]), number(&messages["parts"][part]));
    }
    for message in messages["worst"].as_array().unwrap() {
        let latency = number(&message["arrived_ps"]) - number(&message["sent_ps"]);
        assert_eq!(latency, number(&message["latency_ps"]));
        assert_eq!(sum(&message["parts"]), latency);
        let links = message["links"].as_array().unwrap();
        let on_links: u64 = links.iter().map(|it| sum(&it["parts"])).sum();
        assert_eq!(on_links + sum(&message["ends"]), latency);
    }
}

#[test]
fn latencies_are_divided_without_rest_on_every_kind_of_network() {
    let ring = std::fs::read_to_string(root().join("topology/ring8.yaml")).unwrap();
    let wormhole = format!("network: {{switching: wormhole}}\n{ring}");
    let narrow = format!("network: {{switching: wormhole, vcs: 2, buffer_flits: 1}}\n{ring}");
    for (kernel, world, machine) in [
        ("tree_allreduce", "16", ""),
        ("gemm", "8", "network: {lane: least_queued}\n"),
        ("mesh_allreduce", "16", "cube: {hbm_ctrl: {commit_ns: 8}}\n"),
        ("softmax", "4", "cube: {hbm_ctrl: {banks: {enabled: true}}}\n"),
        (
            "matmul_composite",
            "2",
            "network: {switching: wormhole, vcs: 8}\nsystem: {sips: {count: 1}}\nsip: {cube_mesh: {w: 2, h: 1}}\n",
        ),
        ("tree_allreduce", "8", &wormhole),
        ("mesh_allreduce", "8", &narrow),
    ] {
        let report = report(kernel, world, machine);
        let messages = &report["messages"];
        assert!(messages["count"].as_u64().unwrap() > 0, "{kernel}");
        parts_add_up(messages);
    }
}

/// A message on a link of a ring: 100 ns of wire and its bytes at 64 B/ns, whatever carries it; a router
/// of its PE adds its cycles, and nobody waits.
#[test]
fn a_message_alone_pays_its_closed_form() {
    let ring = std::fs::read_to_string(root().join("topology/ring8.yaml")).unwrap();
    let quiet = report("hello_send", "2", &ring);
    let message = &quiet["messages"]["worst"][0];
    let bytes = message["bytes"].as_u64().unwrap();
    assert_eq!(message["parts"]["wire_ps"], 100_000);
    assert_eq!(message["parts"]["serialisation_ps"], bytes * 1000 / 64);
    assert_eq!(message["latency_ps"], 100_000 + bytes * 1000 / 64);
    let routers = report("hello_send", "2", &format!("network: {{switching: wormhole}}\n{ring}"));
    let parts = &routers["messages"]["worst"][0]["parts"];
    // One router, of one cycle each for a virtual channel, the switch and the crossbar.
    assert_eq!(
        (&parts["queueing_ps"], &parts["wire_ps"]),
        (&Value::from(0), &Value::from(100_000))
    );
    assert!(parts["overhead_ps"].as_u64().unwrap() >= 3000, "{parts}");
}

/// Two leaves of a tree send to its root by one link: what the text shows is what the JSON has.
#[test]
fn the_text_shows_the_worst_messages() {
    let scratch = Scratch::new();
    let file = root().join("kernels/tree_allreduce.kb");
    let line = ["sim", file.to_str().unwrap(), "--ws", "16", "--messages", "3"];
    let text = kbc(scratch.path(), &line).stdout;
    let (_, table) = text.split_once("latencies of ").unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|row| !row.is_empty()).collect();
    // All, ends, three links, the other links, three messages.
    assert_eq!(rows.len(), 9, "{table}");
    for row in rows {
        let numbers: Vec<u64> = row
            .split_whitespace()
            .take(6)
            .map(|it| it.replace([',', '.'], "").parse().unwrap())
            .collect();
        assert_eq!(numbers[0], numbers[1..].iter().sum::<u64>(), "{row}");
    }
}
