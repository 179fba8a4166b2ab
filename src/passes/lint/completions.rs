//! Composites that nothing waits for.

use crate::diag::{Diagnostic, Sink, lowering as codes};
use crate::ir::{Function, Op, OpId, UseCounts};

/// Warns of a composite whose completion is not used at all.
pub(super) fn check(function: &Function, id: OpId, uses: &UseCounts, sink: &mut Sink) {
    let data = &function.ops[id];
    let (Op::Composite(_), [completion]) = (&data.op, data.results.as_slice()) else { return };
    if uses.count(*completion) > 0 {
        return;
    }
    let said = "nothing waits for this composite";
    let code = codes::COMPOSITE_NEVER_AWAITED;
    let warning =
        Diagnostic::new(code, said, function.spans[id], "it goes on while the kernel does")
            .help("keep what it gives and wait for it: `f = tl.composite(…)`, then `tl.wait(f)`");
    sink.warning(warning);
}
