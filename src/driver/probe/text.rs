//! The probe as text: a table of single transfers, how they saturate, what a crowd gets, and, when
//! few cases are asked for, the way of each hop by hop.

use std::fmt::Write;

use super::{Group, Hop, ProbeReport, Probed, SWEEP, Sample};
use crate::units::{Ps, grouped};

/// Cases whose routes and costs are printed at most.
const ROUTES: usize = 2;

/// Links and messages whose costs are printed.
const SHOWN: usize = 5;

impl ProbeReport {
    /// Text for people.
    pub fn text(&self) -> String {
        let does = if self.writes { "written" } else { "read" };
        let (pes, size) = (grouped(self.pes.into()), size(self.bytes));
        let mut out =
            format!("{}: {pes} PEs, {size} {does} by each PE that takes part\n", self.machine);
        let of = |group: Group| self.cases.iter().filter(move |it| it.case.group == group);
        let (hosts, pes): (Vec<&Probed>, Vec<&Probed>) =
            (of(Group::Host).collect(), of(Group::Dma).collect());
        if !hosts.is_empty() {
            section(&mut out, "the host, until the bytes are there", &alone(&hosts));
        }
        if !pes.is_empty() {
            section(&mut out, "one PE at a time", &alone(&pes));
        }
        let singles: Vec<&Probed> = hosts.into_iter().chain(pes).collect();
        if !singles.is_empty() {
            section(&mut out, "share of the slowest link that is used, by size", &sweep(&singles));
        }
        let crowds: Vec<&Probed> = of(Group::Contention).collect();
        if !crowds.is_empty() {
            section(&mut out, "many PEs at once", &together(&crowds));
        }
        if singles.len() <= ROUTES {
            for probed in singles {
                let title = format!("route of the bytes: {}", probed.case.name);
                section(&mut out, &title, &route(&probed.hops));
            }
        }
        if self.cases.len() <= ROUTES {
            for probed in &self.cases {
                out.push_str(&format!("\n{}: ", probed.case.name));
                out.push_str(probed.accounts.text(SHOWN).trim_start_matches('\n'));
            }
        }
        out
    }
}

type Rows = Vec<Vec<String>>;

fn heading<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

fn alone(cases: &[&Probed]) -> Rows {
    let mut rows = vec![heading([
        "case", "", "links", "total ns", "overhead", "wire", "serial", "GB/s", "of peak",
    ])];
    rows.extend(cases.iter().map(|probed| {
        let Sample { total, split, gb_per_s, peak, .. } = &probed.sample;
        vec![
            probed.case.name.clone(),
            probed.case.what.clone(),
            probed.hops.len().to_string(),
            ns(*total),
            ns(split.overhead),
            ns(split.wire),
            ns(split.serialisation),
            rate(*gb_per_s),
            if peak.is_finite() {
                format!("{} of {}", share(*gb_per_s, *peak), rate(*peak))
            } else {
                rate(*peak)
            },
        ]
    }));
    rows
}

fn sweep(cases: &[&Probed]) -> Rows {
    let mut first = vec![String::from("case")];
    first.extend(SWEEP.map(size));
    let mut rows = vec![first];
    rows.extend(cases.iter().map(|probed| {
        let mut row = vec![probed.case.name.clone()];
        row.extend(probed.sweep.iter().map(|it| share(it.gb_per_s, it.peak)));
        row
    }));
    rows
}

fn together(cases: &[&Probed]) -> Rows {
    let mut rows = vec![heading([
        "case", "", "last ns", "first ns", "alone", "queueing", "GB/s", "best", "of best",
    ])];
    rows.extend(cases.iter().map(|probed| {
        let it = &probed.sample;
        vec![
            probed.case.name.clone(),
            probed.case.what.clone(),
            ns(it.total),
            ns(it.first),
            ns(it.total.since(it.split.queueing)),
            ns(it.split.queueing),
            rate(it.gb_per_s),
            rate(it.aggregate),
            share(it.gb_per_s, it.aggregate),
        ]
    }));
    rows
}

fn route(hops: &[Hop]) -> Rows {
    let mut rows = vec![heading(["enters", "first byte ns", "last byte ns"])];
    rows.extend(hops.iter().map(|hop| vec![hop.enters.clone(), ns(hop.first), ns(hop.last)]));
    rows
}

fn section(out: &mut String, title: &str, rows: &Rows) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\n{title}");
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| rows.iter().filter_map(move |row| row.get(at)).map(|it| it.chars().count()))
        .map(|lengths| lengths.max().unwrap_or(0))
        .collect();
    // Names and descriptions begin at the left, under a heading that says nothing or is the first.
    let is_words = |at: usize| {
        at == 0 || rows.first().and_then(|row| row.get(at)).is_some_and(String::is_empty)
    };
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if is_words(at) {
                write!(line, "  {cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn ns(time: Ps) -> String {
    let ns = time.as_ns();
    let (whole, rest) = (ns.trunc() as u64, ns.fract());
    let rest = format!("{rest:.2}");
    match rest.strip_prefix("0") {
        Some(rest) => format!("{}{rest}", grouped(whole)),
        // The fraction was rounded up to a whole.
        None => format!("{}.00", grouped(whole + 1)),
    }
}

fn rate(gb_per_s: f64) -> String {
    if gb_per_s.is_infinite() {
        return String::from("no limit");
    }
    if gb_per_s >= 10_000.0 {
        return format!("{:.1}k", gb_per_s / 1000.0);
    }
    format!("{gb_per_s:.1}")
}

/// How much of a rate is reached; nothing where there is no limit.
fn share(gb_per_s: f64, peak: f64) -> String {
    let percent = gb_per_s / peak * 100.0;
    if peak.is_finite() { format!("{percent:.1} %") } else { String::from("-") }
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) {
        format!("{} MiB", bytes >> 20)
    } else if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) {
        format!("{} KiB", bytes >> 10)
    } else {
        format!("{} B", grouped(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(ns(Ps(1_234_565)), "1,234.57");
        assert_eq!(ns(Ps(999_999)), "1,000.00");
        assert_eq!(ns(Ps(77_000)), "77.00");
        assert_eq!(size(4096), "4 KiB");
        assert_eq!(size(1 << 20), "1 MiB");
        assert_eq!(size(1000), "1,000 B");
        assert_eq!(rate(27_200.0), "27.2k");
    }
}
