//! How many signals go from rank to rank and how many are waited for: as many.

use std::collections::BTreeMap;

use super::declare::counted;
use super::{Problems, problem};
use crate::diag::plans as codes;
use crate::import::schema::ChannelType;
use crate::source::Span;

/// Signals and waits from one rank to another over channels of a type.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<(u32, u32, ChannelType), [(u32, Span); 2]>);

impl Counts {
    pub(super) fn add(&mut self, way: (u32, u32, ChannelType), is_wait: bool, span: Span) {
        let both = self.0.entry(way).or_insert([(0, Span::NONE); 2]);
        let own = &mut both[usize::from(is_wait)];
        *own = (own.0 + 1, if own.0 == 0 { span } else { own.1 });
    }

    /// Every signal is waited for and every wait signalled, loops not counted.
    pub(super) fn check(&self, problems: &mut Problems) {
        for ((from, to, kind), [signals, waits]) in &self.0 {
            if signals.0 == waits.0 {
                continue;
            }
            let (sent, awaited) = (counted(signals.0, "signal"), none_or(waits.0));
            let message = format!(
                "over {} channels, rank {from} sends {sent} to rank {to}, which waits for {awaited}",
                kind.name()
            );
            let (first, label) = if signals.0 > 0 {
                (signals.1, "signalled here")
            } else {
                (waits.1, "waited here")
            };
            let mut it = *problem(codes::UNPAIRED_SIGNALS, message, (first, label));
            if signals.0 > 0 && waits.0 > 0 {
                it = it.because(waits.1, "waited for here");
            }
            problems.add(it);
        }
    }
}

fn none_or(count: u32) -> String {
    if count == 0 { String::from("none") } else { count.to_string() }
}
