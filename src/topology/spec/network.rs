//! The keys under `network`: switching, lanes, routers.

use crate::diag::machine as codes;
use crate::source::Span;
use crate::topology::params::Clock;
use crate::topology::section::{Errors, Problem, Section, bandwidth, choice, count, flag};
use crate::topology::switching::{LaneChoice, NetworkParams, RouterParams, Switching};
use crate::topology::yaml::Node;

const SWITCHINGS: &[(&str, Switching)] = &[
    (Switching::Interleaved.name(), Switching::Interleaved),
    (Switching::Wormhole.name(), Switching::Wormhole),
];

const LANES: &[(&str, LaneChoice)] = &[
    (LaneChoice::Fixed.name(), LaneChoice::Fixed),
    (LaneChoice::LeastQueued.name(), LaneChoice::LeastQueued),
];

const DATELINES: &[(&str, bool)] = &[("auto", true), ("none", false)];

/// Where the keys stand that decide whether messages can wait for each other for ever.
#[derive(Clone, Copy, Debug)]
pub(in crate::topology) struct NetworkSpans {
    pub(in crate::topology) switching: Span,
    pub(in crate::topology) vcs: Span,
}

/// Reads `network`.
pub(super) fn read(
    root: &mut Section<'_>,
    errors: &mut Errors<'_>,
) -> (NetworkParams, NetworkSpans) {
    let mut section = root.section("network", errors);
    let switching = section.read("switching", errors, choice(SWITCHINGS));
    let lane = section.read("lane", errors, choice(LANES)).value;
    let rate = section.read("clock_freq_ghz", errors, clock).value;
    let vcs = section.read("vcs", errors, count(1..=64));
    let mut delay = |key, least| section.read(key, errors, count(least..=1 << 20)).value;
    let router = RouterParams {
        clock: rate,
        vcs: vcs.value,
        buffer_flits: delay("buffer_flits", 0),
        routing_delay: delay("routing_delay", 0),
        vc_alloc_delay: delay("vc_alloc_delay", 1),
        switch_alloc_delay: delay("switch_alloc_delay", 1),
        crossbar_delay: delay("crossbar_delay", 0),
        credit_delay: delay("credit_delay", 0),
        wait_for_tail_credit: section.read("wait_for_tail_credit", errors, flag).value,
        input_speedup: section.read("input_speedup", errors, count(1..=64)).value,
        datelines: section.read("datelines", errors, choice(DATELINES)).value,
    };
    section.finish(errors);
    let spans = NetworkSpans { switching: switching.span, vcs: vcs.span };
    (NetworkParams { switching: switching.value, lane, router }, spans)
}

/// A clock whose cycles can be counted in picoseconds.
fn clock(node: &Node) -> Result<Clock, Problem> {
    let wanted = "a clock in GHz from 0.001 to 1000";
    let rate = bandwidth(node).map_err(|it| it.expecting(codes::BAD_QUANTITY, wanted))?;
    let good = (0.001..=1000.0).contains(&rate.gb_per_s());
    let clock = Clock::from_ghz(rate.gb_per_s()).filter(|_| good);
    clock.ok_or(Problem::new(codes::BAD_QUANTITY, wanted))
}
