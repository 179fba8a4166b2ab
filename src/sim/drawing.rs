//! What links are doing, for those who draw it: spans, as they become certain.

use crate::arena::Id;
use crate::oplog::LinkSpan;
use crate::units::Ps;

/// Spans that go on, by link, and those that are over and have not been taken.
#[derive(Debug)]
pub(super) struct Drawing {
    /// What would go on with a span, and the span so far.
    open: Vec<Option<(u64, LinkSpan)>>,
    done: Vec<LinkSpan>,
}

impl Drawing {
    /// Nothing yet, of so many links.
    pub(super) fn new(links: usize) -> Drawing {
        Drawing { open: vec![None; links], done: Vec::new() }
    }

    /// Adds a span that is over.
    pub(super) fn close(&mut self, span: LinkSpan) {
        // What took no time and waited for nobody cannot be seen.
        if span.end > span.since {
            self.done.push(span);
        }
    }

    /// A link serves what is known by the first key; what has the second one would go on with it. It is
    /// one span with what the link served before if that says so, and ended at most `gap` ago.
    pub(super) fn serve(&mut self, (key, next): (u64, u64), gap: Ps, span: LinkSpan) {
        let link = span.link.index();
        if let Some((expected, open)) = &mut self.open[link]
            && *expected == key
            && open.end <= span.start
            && span.start.since(open.end) <= gap
        {
            (*expected, open.end) = (next, span.end);
            open.bytes += span.bytes;
            return;
        }
        if let Some((_, before)) = self.open[link].replace((next, span)) {
            self.close(before);
        }
    }

    /// Gives what is over; with `all`, what goes on, too.
    pub(super) fn take(&mut self, all: bool, take: &mut dyn FnMut(LinkSpan)) {
        if all {
            let open: Vec<_> = self.open.iter_mut().filter_map(Option::take).collect();
            open.into_iter().for_each(|(_, span)| self.close(span));
        }
        self.done.drain(..).for_each(take);
    }
}
