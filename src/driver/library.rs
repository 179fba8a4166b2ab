//! The standard library: `lib/*.kb`, embedded in the binary, imported by name.

/// Every module: its name and its text.
pub(super) const MODULES: &[(&str, &str)] = &[
    ("ccl", include_str!("../../lib/ccl.kb")),
    ("ccl.all_gather_doubling", include_str!("../../lib/ccl/all_gather_doubling.kb")),
    ("ccl.all_gather_ring", include_str!("../../lib/ccl/all_gather_ring.kb")),
    ("ccl.all_to_all", include_str!("../../lib/ccl/all_to_all.kb")),
    ("ccl.barrier", include_str!("../../lib/ccl/barrier.kb")),
    ("ccl.broadcast_tree", include_str!("../../lib/ccl/broadcast_tree.kb")),
    ("ccl.double_tree", include_str!("../../lib/ccl/double_tree.kb")),
    ("ccl.halving_doubling", include_str!("../../lib/ccl/halving_doubling.kb")),
    ("ccl.hello_send", include_str!("../../lib/ccl/hello_send.kb")),
    ("ccl.hierarchical", include_str!("../../lib/ccl/hierarchical.kb")),
    ("ccl.lrab", include_str!("../../lib/ccl/lrab.kb")),
    ("ccl.mesh", include_str!("../../lib/ccl/mesh.kb")),
    ("ccl.reduce_scatter_ring", include_str!("../../lib/ccl/reduce_scatter_ring.kb")),
    ("ccl.reduce_tree", include_str!("../../lib/ccl/reduce_tree.kb")),
    ("ccl.ring", include_str!("../../lib/ccl/ring.kb")),
    ("ccl.ring_bidirectional", include_str!("../../lib/ccl/ring_bidirectional.kb")),
    ("ccl.ring_chunked", include_str!("../../lib/ccl/ring_chunked.kb")),
    ("ccl.send", include_str!("../../lib/ccl/send.kb")),
    ("ccl.torus", include_str!("../../lib/ccl/torus.kb")),
    ("ccl.tree", include_str!("../../lib/ccl/tree.kb")),
    ("nn", include_str!("../../lib/nn.kb")),
    ("random", include_str!("../../lib/random.kb")),
    ("tp", include_str!("../../lib/tp.kb")),
    ("tl", include_str!("../../lib/tl.kb")),
    ("libdevice", include_str!("../../lib/libdevice.kb")),
];

/// The modules that every file has without importing them: `tl` and `libdevice` look there for
/// functions that are not built in.
pub(super) const IMPLIED: &[&str] = &["tl", "libdevice"];

/// The modules that a host program can launch: `torch.distributed` does. `ccl.ring` lies in
/// `lib/ccl/ring.kb`.
pub(super) fn launchable() -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_launched = |name: &str| name.starts_with("ccl.") || name == "tp";
    MODULES.iter().copied().filter(move |(name, _)| is_launched(name))
}

/// Whether the host program of this text can come to what [`launchable`] gives: it has to name
/// `torch.distributed` or `tp` for that. Most do not, and reading all of it takes longer than they run.
pub(super) fn is_launched_from(text: &str) -> bool {
    let mut words = text.split(|it: char| !it.is_alphanumeric() && it != '_');
    words.any(|word| matches!(word, "distributed" | "tp"))
}

/// The file of the module `name`.
pub(super) fn path(name: &str) -> String {
    format!("lib/{}.kb", name.replace('.', "/"))
}

/// The text of the module `name`.
pub(super) fn text(name: &str) -> Option<&'static str> {
    MODULES.iter().find(|(module, _)| *module == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_names_what_it_launches() {
        let launches = ["import torch.distributed as dist", "from torch import tp", "torch.tp.x()"];
        assert!(launches.into_iter().all(is_launched_from));
        assert!(!is_launched_from("def run(torch):\n    torch.launch('k', kernel, x_tp, http)\n"));
    }
}
