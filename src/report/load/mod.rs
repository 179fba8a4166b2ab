//! Latency against load: what synthetic traffic found out of a machine, as text, JSON and a picture.

mod svg;

use std::fmt::Write;

use serde_json::{Value, json};

use crate::sim::traffic::{LoadPoint, Pattern};
use crate::topology::Machine;
use crate::units::Ps;

/// The latencies of one machine under one kind of traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadCurve {
    /// The machine's name.
    pub machine: String,
    /// Who sent to whom.
    pub pattern: Pattern,
    /// Flits of each packet.
    pub packet_flits: u32,
    /// Runs behind each load.
    pub seeds: u32,
    /// The length of a cycle.
    pub cycle: Ps,
    /// What each load gave.
    pub loads: Vec<LoadMean>,
}

/// The mean of the runs of one load. Latencies are in cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoadMean {
    /// Offered flits of each PE and cycle.
    pub load: f64,
    /// Mean latency, if no run was saturated.
    pub latency: Option<f64>,
    /// The standard deviation of the runs' latencies.
    pub deviation: f64,
    /// The part of the latency after the source's queue, where that is known.
    pub network: Option<f64>,
    /// The longest latency of any packet.
    pub longest: f64,
    /// Flits that arrived, of each PE and cycle.
    pub accepted: f64,
    /// Links that the mean packet passed.
    pub hops: f64,
    /// Packets measured in all runs.
    pub packets: u64,
}

impl LoadMean {
    /// The mean of the runs of one load, of which there is at least one.
    pub fn of(runs: &[LoadPoint]) -> LoadMean {
        let count = runs.len().max(1) as f64;
        let mean = |value: fn(&LoadPoint) -> f64| runs.iter().map(value).sum::<f64>() / count;
        let latencies: Option<Vec<f64>> = runs.iter().map(|run| run.latency).collect();
        let latency = latencies.as_ref().map(|them| them.iter().sum::<f64>() / count);
        let off = |it: &f64| (it - latency.unwrap_or(0.0)).powi(2);
        let squares: f64 = latencies.iter().flatten().map(off).sum();
        let networks: Option<Vec<f64>> = runs.iter().map(|run| run.network_latency).collect();
        LoadMean {
            load: runs.first().map_or(0.0, |run| run.load),
            latency,
            deviation: (squares / (count - 1.0).max(1.0)).sqrt(),
            network: networks.map(|them| them.iter().sum::<f64>() / count),
            longest: runs.iter().map(|run| run.longest).fold(0.0, f64::max),
            accepted: mean(|run| run.accepted),
            hops: mean(|run| run.hops),
            packets: runs.iter().map(|run| run.packets).sum(),
        }
    }
}

impl LoadCurve {
    /// A curve of `machine` without loads.
    pub fn new(machine: &Machine, pattern: Pattern, (packet_flits, seeds): (u32, u32)) -> Self {
        LoadCurve {
            machine: machine.name().to_owned(),
            pattern,
            packet_flits,
            seeds,
            cycle: machine.network().router.clock.time(1),
            loads: Vec::new(),
        }
    }

    fn title(&self) -> String {
        let plural =
            |count: u32, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        format!(
            "{}: {} traffic, packets of {}, {}, cycles of {}",
            self.machine,
            self.pattern.name(),
            plural(self.packet_flits, "flit"),
            plural(self.seeds, "seed"),
            self.cycle
        )
    }

    /// A table: a line a load, latencies in cycles.
    pub fn text(&self) -> String {
        let mut out = self.title();
        out.push_str("\n\n    load    latency       ±    network    longest   accepted    hops\n");
        for it in &self.loads {
            let network = it.network.map_or_else(|| String::from("-"), |it| format!("{it:.2}"));
            let _ = match it.latency {
                Some(latency) => writeln!(
                    out,
                    "  {:6.3} {latency:10.2} {:7.2} {network:>10} {:10.0} {:10.4} {:7.2}",
                    it.load, it.deviation, it.longest, it.accepted, it.hops
                ),
                None => writeln!(
                    out,
                    "  {:6.3}  saturated       -          -          - {:10.4}       -",
                    it.load, it.accepted
                ),
            };
        }
        out.push_str(
            "\nload and accepted: flits of each PE and cycle; the rest: cycles and links\n",
        );
        out
    }

    /// The same as one object.
    pub fn json(&self) -> Value {
        let ns = |cycles: f64| cycles * self.cycle.as_ns();
        let load = |it: &LoadMean| {
            json!({
                "load": it.load,
                "saturated": it.latency.is_none(),
                "latency_cycles": it.latency,
                "latency_ns": it.latency.map(ns),
                "deviation_cycles": it.latency.map(|_| it.deviation),
                "network_latency_cycles": it.network,
                "longest_cycles": it.latency.map(|_| it.longest),
                "accepted": it.accepted,
                "hops": it.latency.map(|_| it.hops),
                "packets": it.packets,
            })
        };
        json!({
            "machine": self.machine,
            "traffic": self.pattern.name(),
            "packet_flits": self.packet_flits,
            "seeds": self.seeds,
            "cycle_ps": self.cycle.0,
            "points": self.loads.iter().map(load).collect::<Vec<_>>(),
        })
    }

    /// The same as a picture, complete with its axes.
    pub fn svg(&self) -> String {
        svg::draw(self, &self.title())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(load: f64, latency: Option<f64>) -> LoadPoint {
        LoadPoint {
            load,
            latency,
            network_latency: latency.map(|it| it - 1.0),
            longest: 99.0,
            accepted: load,
            hops: 2.5,
            packets: 10,
            cycles: 100,
        }
    }

    fn curve() -> LoadCurve {
        LoadCurve {
            machine: String::from("m<esh"),
            pattern: Pattern::Uniform,
            packet_flits: 4,
            seeds: 2,
            cycle: Ps(500),
            loads: vec![
                LoadMean::of(&[point(0.1, Some(20.0)), point(0.1, Some(22.0))]),
                LoadMean::of(&[point(0.5, Some(40.0)), point(0.5, None)]),
            ],
        }
    }

    #[test]
    fn a_load_is_the_mean_of_its_runs_and_saturated_if_one_is() {
        let curve = curve();
        assert_eq!(curve.loads[0].latency, Some(21.0));
        // Both are one off the mean, and of two one is free.
        assert!((curve.loads[0].deviation - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!((curve.loads[0].network, curve.loads[0].packets), (Some(20.0), 20));
        assert_eq!(curve.loads[1].latency, None);
    }

    #[test]
    fn text_json_and_picture_say_the_same() {
        let curve = curve();
        let text = curve.text();
        assert!(text.contains("0.100      21.00"), "{text}");
        assert!(text.contains("0.500  saturated"), "{text}");
        let json = curve.json();
        assert_eq!(json["points"][0]["latency_ns"], 10.5);
        assert_eq!(json["points"][1]["saturated"], true);
        assert_eq!(json["points"][1]["latency_cycles"], Value::Null);
        let svg = curve.svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("m&lt;esh") && svg.contains("saturated at 0.5"), "{svg}");
    }
}
