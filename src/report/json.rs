//! The report as JSON. Times are integers in picoseconds and sizes in bytes; the keys say so.

use serde_json::{Value, json};

use super::{EngineUsage, LinkRow, PathRow, Report, Segment, Share, engine_name};
use crate::oplog::Cause;

/// Segments that are listed one by one; `critical_path.segments_total` says how many there are.
const MAX_SEGMENTS: usize = 10_000;

pub(super) fn render(report: &Report) -> Value {
    let (traffic, network) = (&report.traffic, report.network());
    let waiting: serde_json::Map<String, Value> = Cause::ALL
        .iter()
        .map(|cause| (cause.name().to_owned(), json!(report.waiting.of(*cause).0)))
        .collect();
    json!({
        "kernel": report.kernel,
        "machine": report.machine,
        "time_ps": report.time.0,
        "records": report.records,
        "bound_by": report.bound_by(),
        "critical_path": {
            "by_resource": report.shares.iter().map(share).collect::<Vec<_>>(),
            "by_line": report.rows.iter().map(row).collect::<Vec<_>>(),
            "segments": report.segments.iter().take(MAX_SEGMENTS).map(segment).collect::<Vec<_>>(),
            "segments_total": report.segments.len(),
        },
        "engines": report.engines.iter().map(engine).collect::<Vec<_>>(),
        "network": {
            "overhead_ps": network.overhead.0,
            "wire_ps": network.wire.0,
            "serialisation_ps": network.serialisation.0,
            "queueing_ps": network.queueing.0,
        },
        "links": report.links.iter().map(link).collect::<Vec<_>>(),
        "traffic": {
            "messages": traffic.messages,
            "message_bytes": traffic.message_bytes,
            "largest_message_bytes": traffic.largest_message,
            "hbm_bytes_read": traffic.bytes_read,
            "hbm_bytes_written": traffic.bytes_written,
        },
        "messages": report.messages.as_ref().map(super::MessageTable::json),
        "waiting_ps": { "by_cause": waiting, "in_receives": report.waiting.in_receives.0 },
    })
}

fn share(share: &Share) -> Value {
    json!({
        "resource": share.resource.name(),
        "time_ps": share.total.0,
        "location": share.location,
        "at_location_ps": share.at_location.0,
        "source": share.source,
    })
}

fn row(row: &PathRow) -> Value {
    json!({
        "location": row.location,
        "source": row.source,
        "engine": engine_name(row.engine),
        "cause": row.cause.name(),
        "time_ps": row.total.0,
        "waited_ps": row.waited.0,
        "segments": row.count,
    })
}

fn segment(segment: &Segment) -> Value {
    let span = (!segment.span.is_none())
        .then(|| json!([segment.span.file.0, segment.span.start, segment.span.end]));
    json!({
        "record": segment.record.map(|record| record.0),
        "span": span,
        "agent": segment.agent.0,
        "engine": engine_name(segment.engine),
        "cause": segment.cause.name(),
        "link": segment.link.map(|link| link.0),
        "start_ps": segment.start.0,
        "length_ps": segment.length.0,
        "waited_ps": segment.waited.0,
    })
}

fn engine(usage: &EngineUsage) -> Value {
    let rate = usage.rate.map(|rate| {
        json!({
            "amount": rate.amount,
            "unit": rate.unit,
            "per_second": rate.achieved,
            "peak_per_second": limit(rate.peak),
        })
    });
    json!({
        "engine": engine_name(usage.engine),
        "count": usage.count,
        "busy_ps": usage.busy.0,
        "max_busy_ps": usage.max_busy.0,
        "busiest": usage.busiest,
        "rate": rate,
    })
}

fn link(row: &LinkRow) -> Value {
    json!({
        "link": row.usage.link.0,
        "from": row.from,
        "to": row.to,
        "bytes": row.usage.bytes,
        "messages": row.usage.messages,
        "overhead_ps": row.overhead.0,
        "wire_ps": row.wire.0,
        "busy_ps": row.usage.busy.0,
        "queued_ps": row.usage.queued.0,
        "peak_gb_per_s": limit(row.peak_gb_per_s),
    })
}

/// JSON has no infinity: `null` where nothing limits.
fn limit(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
