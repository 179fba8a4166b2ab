//! How fast flows could go at best: alone, and all at once with every link shared fairly.

use std::collections::BTreeMap;

use crate::topology::{LinkId, Machine};

/// The rates of flows over these routes, in GB/s, when links share max-min fairly: no flow could be
/// faster without slowing one that is no faster. Worked out by filling: the link with the least for
/// each of its flows settles them, and takes what they use from the others; and so on.
pub fn max_min(machine: &Machine, routes: &[Vec<LinkId>]) -> Vec<f64> {
    let mut users: BTreeMap<LinkId, Vec<usize>> = BTreeMap::new();
    for (flow, route) in routes.iter().enumerate() {
        for link in route {
            users.entry(*link).or_default().push(flow);
        }
    }
    let mut left: BTreeMap<LinkId, f64> =
        users.keys().map(|link| (*link, machine.link(*link).bandwidth.gb_per_s())).collect();
    let mut open: BTreeMap<LinkId, usize> =
        users.iter().map(|(link, flows)| (*link, flows.len())).collect();
    let mut rates = vec![f64::INFINITY; routes.len()];
    loop {
        let share = |(link, flows): (&LinkId, &usize)| (left[link] / *flows as f64, *link);
        let shares = open.iter().filter(|(_, flows)| **flows > 0).map(share);
        let Some((rate, tight)) = shares.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
        else {
            return rates;
        };
        if rate.is_infinite() {
            return rates;
        }
        for flow in users[&tight].iter().copied() {
            if rates[flow].is_finite() {
                continue;
            }
            rates[flow] = rate;
            for link in &routes[flow] {
                *open.entry(*link).or_default() -= 1;
                *left.entry(*link).or_default() -= rate;
            }
        }
    }
}
