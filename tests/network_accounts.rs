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
