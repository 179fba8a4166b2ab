//! The report as text: what bounds the run first, then where the time went, then how the machine
//! was used. At most 40 lines.

use std::fmt::Write;

use super::usage::percent;
use super::{EngineUsage, PathRow, Rate, Report, engine_name};
use crate::oplog::Cause;
use crate::units::{Ps, grouped};

/// Lines of the critical path that are shown.
const MAX_ROWS: usize = 8;
/// Links that are shown.
const MAX_LINKS: usize = 3;
/// Resources in the line that splits the path.
const MAX_SHARES: usize = 4;
/// Characters of a source line or of a node's name.
const MAX_CHARS: usize = 44;

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = head(report, &mut out)
        .and_then(|()| path(report, &mut out))
        .and_then(|()| engines(report, &mut out))
        .and_then(|()| waiting(report, &mut out))
        .and_then(|()| links(report, &mut out))
        .and_then(|()| traffic(report, &mut out));
    out
}

type Written = std::fmt::Result;

fn head(report: &Report, out: &mut String) -> Written {
    let Report { kernel, machine, time, .. } = report;
    let Some(first) = report.shares.first() else {
        return writeln!(out, "{kernel} on {machine}: {time}, nothing ran");
    };
    let share = percent(first.total, report.time);
    let (name, place) = (first.resource.name(), &first.location);
    let at = if first.at_location < first.total { ", mostly at" } else { " at" };
    writeln!(out, "{kernel} on {machine}: {time}, bound by {name} ({share:.0} %){at} {place}")?;
    writeln!(out, "  {}", first.resource.advice())?;
    let parts = report.shares.iter().take(MAX_SHARES);
    let mut parts: Vec<String> =
        parts.map(|it| format!("{} {}", it.resource.name(), it.total)).collect();
    let others: Ps = report.shares.iter().skip(MAX_SHARES).map(|it| it.total).sum();
    if others > Ps::ZERO {
        parts.push(format!("others {others}"));
    }
    writeln!(out, "  {time} = {}", parts.join(" + "))
}

fn path(report: &Report, out: &mut String) -> Written {
    if report.rows.is_empty() {
        return Ok(());
    }
    let steps: u64 = report.rows.iter().map(|row| row.count).sum();
    writeln!(out, "\ncritical path: {} steps", grouped(steps))?;
    writeln!(out, "   share        time  steps  engine     released by  line")?;
    let shown = report.rows.len().min(MAX_ROWS);
    let width = report.rows.iter().take(shown).map(|row| row.location.chars().count()).max();
    for row in report.rows.iter().take(shown) {
        path_row(report, row, width.unwrap_or(0), out)?;
    }
    let rest = report.rows.get(shown..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(());
    }
    let total: Ps = rest.iter().map(|row| row.total).sum();
    let steps: u64 = rest.iter().map(|row| row.count).sum();
    let share = percent(total, report.time);
    writeln!(out, "{share:>6.1} % {total:>11} {steps:>6}  others ({} rows)", rest.len())
}

fn path_row(report: &Report, row: &PathRow, width: usize, out: &mut String) -> Written {
    let (share, total, steps) = (percent(row.total, report.time), row.total, row.count);
    let (engine, cause) = (engine_name(row.engine), row.cause.name());
    let source = shortened(&row.source);
    let line = format!("{:width$}  {source}", row.location);
    let line = line.trim_end();
    writeln!(out, "{share:>6.1} % {total:>11} {steps:>6}  {engine:<9}  {cause:<11}  {line}")
}

fn engines(report: &Report, out: &mut String) -> Written {
    if report.engines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nengines: busy, in % of the run")?;
    let width = report.engines.iter().map(|it| it.busiest.chars().count()).max().unwrap_or(0);
    for usage in &report.engines {
        engine(usage, width, out)?;
    }
    Ok(())
}

fn engine(usage: &EngineUsage, width: usize, out: &mut String) -> Written {
    let EngineUsage { mean_percent: mean, max_percent: max, busiest, .. } = usage;
    let name = engine_name(usage.engine);
    write!(out, "  {name:<9} mean {mean:>5.1} %  max {max:>5.1} % on ")?;
    let Some(rate) = usage.rate.filter(|rate| rate.amount > 0) else {
        return writeln!(out, "{busiest}");
    };
    writeln!(out, "{busiest:<width$}  {}", rate_text(&rate))
}

fn rate_text(rate: &Rate) -> String {
    let achieved = metric(rate.achieved, rate.unit);
    if !rate.peak.is_finite() {
        return format!("{achieved}, no limit");
    }
    let share = rate.achieved / rate.peak * 100.0;
    let peak = metric(rate.peak, rate.unit);
    format!("{achieved} of {peak} ({share:.1} %; {:.0} % while busy)", rate.busy_percent)
}

fn waiting(report: &Report, out: &mut String) -> Written {
    let waiting = &report.waiting;
    let mut parts = Vec::new();
    if waiting.in_receives > Ps::ZERO {
        parts.push((String::from("PE_CPU in receives"), waiting.in_receives));
    }
    for cause in Cause::ALL.iter().copied() {
        if waiting.of(cause) > Ps::ZERO {
            parts.push((String::from(cause_words(cause)), waiting.of(cause)));
        }
    }
    if parts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nwaiting: all agents together")?;
    let width = parts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, time) in parts {
        writeln!(out, "  {name:<width$}  {time:>11}")?;
    }
    Ok(())
}

/// What records waited for, in words.
const fn cause_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Dispatch => "for PE_CPU to issue them",
        Cause::Operand => "for operands",
        Cause::Engine => "for a busy engine",
        Cause::Link => "for bytes on their way",
        Cause::Credit => "for slot credits on their way",
        Cause::Barrier => "for the launch",
    }
}

fn links(report: &Report, out: &mut String) -> Written {
    if report.links.is_empty() {
        return Ok(());
    }
    let more = report.links.len();
    writeln!(out, "\nlinks: the most contended of {} in use", grouped(more as u64))?;
    for row in report.links.iter().take(MAX_LINKS) {
        let usage = &row.usage;
        let (busy, bytes) = (percent(usage.busy, report.time), grouped(usage.bytes));
        let queued = usage.queued;
        let ends = format!("{} -> {}", row.from, row.to);
        writeln!(out, "  queued {queued:>11}  busy {busy:>5.1} %  {bytes:>13} B  {ends}")?;
    }
    Ok(())
}

fn traffic(report: &Report, out: &mut String) -> Written {
    let it = &report.traffic;
    let mut parts = Vec::new();
    if it.messages > 0 {
        let (count, bytes) = (grouped(it.messages), grouped(it.message_bytes));
        let plural = if it.messages == 1 { "message" } else { "messages" };
        let largest = grouped(it.largest_message);
        parts.push(format!("{count} {plural}, {bytes} B (largest {largest} B)"));
    }
    if it.bytes_read > 0 || it.bytes_written > 0 {
        let (read, written) = (grouped(it.bytes_read), grouped(it.bytes_written));
        parts.push(format!("HBM: {read} B read, {written} B written"));
    }
    if parts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\ntraffic: {}", parts.join("; "))
}

/// `text` with at most [`MAX_CHARS`] characters.
fn shortened(text: &str) -> String {
    if text.chars().count() <= MAX_CHARS {
        return text.to_owned();
    }
    let kept: String = text.chars().take(MAX_CHARS - 1).collect();
    format!("{}…", kept.trim_end())
}

/// A rate a second with three digits and a metric prefix: `12.8 GB/s`.
fn metric(value: f64, unit: &str) -> String {
    let scales = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let scale = scales.into_iter().find(|(scale, _)| value >= *scale);
    let (scale, prefix) = scale.unwrap_or((1.0, ""));
    let scaled = value / scale;
    let digits = if scaled < 10.0 { 2 } else { usize::from(scaled < 100.0) };
    format!("{scaled:.digits$} {prefix}{unit}/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_three_digits() {
        assert_eq!(metric(12.8e9, "B"), "12.8 GB/s");
        assert_eq!(metric(4.096e12, "MAC"), "4.10 TMAC/s");
        assert_eq!(metric(256e9, "elem"), "256 Gelem/s");
        assert_eq!(metric(0.0, "B"), "0.00 B/s");
    }

    #[test]
    fn long_lines_are_cut_with_a_mark() {
        let long = "x".repeat(MAX_CHARS + 1);
        assert_eq!(shortened(&long).chars().count(), MAX_CHARS);
        assert_eq!(shortened("short"), "short");
    }
}
