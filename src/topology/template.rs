//! Machines that are made for a program: GPU nodes of any size, after one that ships.

use std::fmt::Write;

/// The text of a machine whose PE *r* is a GPU on node `nodes[r]`, with links and costs as in
/// `template`, the text of a node that ships. Nodes have a switch each; several are joined by a
/// NIC beside each GPU and a network.
///
/// The template says what its parts cost in lines `# nvlink: {…}`, `# nic: {…}` and
/// `# network: {…}`, which are links, and everything from `  pe_template:` on.
pub fn gpu_nodes(template: &str, nodes: &[u32]) -> String {
    let costs = |part: &str| {
        let line = template.lines().find_map(|line| line.strip_prefix(&format!("# {part}: {{")));
        line.map_or("bw_gbs: inf, latency_ns: 0", |line| line.trim_end_matches('}'))
    };
    let count = nodes.iter().max().map_or(0, |last| last + 1);
    let rest = template.find("  pe_template:").map_or("", |at| &template[at..]);
    let flits = template.lines().find(|line| line.starts_with("flit_bytes:")).unwrap_or("");
    let mut text = format!("name: {} GPUs\n{flits}\nmachine:\n  nodes:\n", nodes.len());
    let mut links = String::from("  links:\n");
    let mut link = |from: &str, to: &str, costs: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(links, "    - {{from: {from}, to: {to}, {costs}, both_ways: true}}");
    };
    for (rank, node) in nodes.iter().enumerate() {
        let _ = writeln!(text, "    - {{name: gpu{rank}, kind: pe}}");
        link(&format!("gpu{rank}"), &format!("nvswitch{node}"), costs("nvlink"));
        if count > 1 {
            link(&format!("gpu{rank}"), &format!("nic{rank}"), costs("nic"));
            link(&format!("nic{rank}"), "network", costs("network"));
        }
    }
    for node in 0..count {
        let _ = writeln!(text, "    - {{name: nvswitch{node}, kind: switch}}");
    }
    if count > 1 {
        for rank in 0..nodes.len() {
            let _ = writeln!(text, "    - {{name: nic{rank}, kind: router}}");
        }
        text.push_str("    - {name: network, kind: router}\n");
    }
    text + &links + rest
}
