//! The critical path: walked back from the end of the run, then added up.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::resource::{Resource, Split};
use super::sites::{self, Line, Sites};
use super::{PathRow, Run, Segment, Share};
use crate::arena::Id;
use crate::oplog::{Cause, Engine, Record, RecordId};
use crate::source::Span;
use crate::units::Ps;

/// The critical path, first segment first. The segments lie end to end from 0 to the makespan,
/// whatever the log says: a handoff later than its successor's counts as that one, and a
/// predecessor that does not come before its record is not followed.
pub(super) fn walk(run: &Run<'_>, sites: &Sites) -> Vec<Segment> {
    let mut segments = Vec::new();
    let Some((last, mut until)) = last_record(run) else {
        segments.extend((run.time > Ps::ZERO).then(|| unrecorded(Ps::ZERO, run.time)));
        return segments;
    };
    if until < run.time {
        segments.push(unrecorded(until, run.time));
    }
    let mut next = Some(last);
    while let Some(id) = next {
        let Some(record) = run.log.get(id) else { break };
        next = record.predecessor.filter(|before| *before < id);
        let from = if next.is_some() { record.handoff.min(until) } else { Ps::ZERO };
        let span = sites.of(&record).span;
        segments.push(segment((id, &record), span, from, until));
        until = from;
    }
    segments.reverse();
    segments
}

/// The record that ends the run: the first of those that end last. What ends after the run (a
/// receive whose tile nobody uses) does not bound it.
fn last_record(run: &Run<'_>) -> Option<(RecordId, Ps)> {
    let mut last: Option<(usize, Ps)> = None;
    let mut index = 0;
    run.log.for_each_batch(&mut |batch| {
        for record in batch {
            let is_later = last.is_none_or(|(_, end)| record.end > end);
            if is_later && record.end <= run.time {
                last = Some((index, record.end));
            }
            index += 1;
        }
    });
    last.map(|(index, end)| (RecordId::from_index(index), end))
}

fn segment((id, record): (RecordId, &Record), span: Span, from: Ps, until: Ps) -> Segment {
    let length = until.since(from);
    Segment {
        record: Some(id),
        span,
        agent: record.agent,
        engine: record.engine,
        cause: record.cause,
        link: record.link,
        start: from,
        length,
        waited: record.start.since(from).min(length),
    }
}

/// Time after the last record, or all of it where there is none.
fn unrecorded(from: Ps, until: Ps) -> Segment {
    Segment {
        record: None,
        span: Span::NONE,
        agent: crate::command::AgentId(0),
        engine: Engine::Network,
        cause: Cause::Barrier,
        link: None,
        start: from,
        length: until.since(from),
        waited: Ps::ZERO,
    }
}

/// Segments added up.
#[derive(Default)]
struct Sum {
    total: Ps,
    waited: Ps,
    count: u64,
}

/// The path by line, engine and cause, and by resource; longest first, then in the order of the
/// source.
pub(super) fn merge(
    run: &Run<'_>,
    sites: &Sites,
    segments: &[Segment],
) -> (Vec<PathRow>, Vec<Share>) {
    let mut rows: BTreeMap<(Line, Engine, Cause), Sum> = BTreeMap::new();
    let mut shares: BTreeMap<Resource, BTreeMap<Line, Ps>> = BTreeMap::new();
    let mut split = Split::new(run, sites);
    for segment in segments {
        let record = segment.record.and_then(|id| run.log.get(id));
        let line = record.as_ref().map_or((Span::NONE.file, 0), |record| sites.of(record).line);
        split.each(segment, &mut |resource, time| {
            if time > Ps::ZERO {
                *shares.entry(resource).or_default().entry(line).or_default() += time;
            }
        });
        if segment.length > Ps::ZERO && record.is_some() {
            let sum = rows.entry((line, segment.engine, segment.cause)).or_default();
            sum.total += segment.length;
            sum.waited += segment.waited;
            sum.count += 1;
        }
    }
    let mut rows: Vec<PathRow> = rows.into_iter().map(|(key, sum)| row(run, key, &sum)).collect();
    rows.sort_by_key(|row| Reverse(row.total));
    let mut shares: Vec<Share> =
        shares.into_iter().map(|(resource, lines)| share(run, resource, &lines)).collect();
    shares.sort_by_key(|share| Reverse(share.total));
    (rows, shares)
}

fn row(run: &Run<'_>, (line, engine, cause): (Line, Engine, Cause), sum: &Sum) -> PathRow {
    let (location, source) = sites::describe(run.sources, line);
    let Sum { total, waited, count } = *sum;
    PathRow { location, source, engine, cause, total, waited, count }
}

fn share(run: &Run<'_>, resource: Resource, lines: &BTreeMap<Line, Ps>) -> Share {
    let longest = lines.iter().max_by_key(|(line, total)| (**total, Reverse(**line)));
    let (line, at_location) =
        longest.map_or(((Span::NONE.file, 0), Ps::ZERO), |(line, total)| (*line, *total));
    let (location, source) = sites::describe(run.sources, line);
    let total = lines.values().copied().sum();
    Share { resource, total, location, at_location, source }
}
