//! Plans as the JSON that MSCCL++ loads.

use serde::Serialize;

use super::schema::{Block, Gpu, Op, Plan};

/// The JSON of a plan: a line for each rank, each thread block and each op.
pub fn export(plan: &Plan) -> String {
    let gpus = plan.gpus.iter().map(|gpu| format!("\n  {}", rank(gpu)));
    let head = Plan { gpus: Vec::new(), ..plan.clone() };
    with_list(&head, "gpus", gpus) + "\n"
}

fn rank(gpu: &Gpu) -> String {
    let blocks = gpu.threadblocks.iter().map(|it| format!("\n    {}", block(it)));
    with_list(&Gpu { threadblocks: Vec::new(), ..gpu.clone() }, "threadblocks", blocks)
}

fn block(it: &Block) -> String {
    let ops = it.ops.iter().map(|op| format!("\n      {}", json(op)));
    with_list(&Block { ops: Vec::new(), ..it.clone() }, "ops", ops)
}

/// The JSON of something whose list `key` is left empty, with the items of that list.
fn with_list(it: &impl Serialize, key: &str, items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    // Within strings quotes are escaped, so that this is the key and nothing else.
    json(it).replacen(&format!("\"{key}\":[]"), &format!("\"{key}\":[{}]", items.join(",")), 1)
}

fn json(it: &impl Serialize) -> String {
    serde_json::to_string(it).expect("strings, numbers and lists can be written as JSON")
}

impl Plan {
    /// Whether a kernel is the recipe of it.
    pub fn is_written(&self) -> bool {
        self.written.is_some()
    }

    /// The op at a key path such as `gpus[0].threadblocks[1].ops[2].src_buff[0]`.
    pub(super) fn op_at(&self, path: &str) -> Option<&Op> {
        let mut found: Option<&Op> = None;
        let (mut gpu, mut block) = (None, None);
        for part in path.split('.') {
            let Some((name, index)) = part.split_once('[') else { continue };
            let index: usize = index.trim_end_matches(']').parse().ok()?;
            match name {
                "gpus" => gpu = self.gpus.get(index),
                "threadblocks" => block = gpu.and_then(|gpu| gpu.threadblocks.get(index)),
                "ops" => {
                    let ops = found.map(|op| &op.ops).or(block.map(|block| &block.ops));
                    found = ops.and_then(|ops| ops.get(index));
                }
                _ => {}
            }
        }
        found
    }
}
