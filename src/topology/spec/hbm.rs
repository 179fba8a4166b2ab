//! The keys under `hbm_ctrl`: what a PE's slice of memory costs.

use crate::diag::machine as codes;
use crate::topology::section::{
    Errors, Given, Problem, Section, bandwidth, count_or_auto, ns, share,
};
use crate::topology::yaml::{Node, Value};
use crate::topology::{ChannelParams, HbmParams};
use crate::units::Bandwidth;

/// The most pseudo-channels of a controller.
const MAX_CHANNELS: u32 = 64;

/// What the keys of both forms of machine say of a controller, and its efficiency. Its bytes are
/// said elsewhere; a burst of 0 bytes stands for one of a flit.
pub(super) fn read(
    ctrl: &mut Section<'_>,
    always_channels: bool,
    errors: &mut Errors<'_>,
) -> (HbmParams, f64) {
    let overhead = ctrl.read("overhead_ns", errors, ns).value;
    let atomic = ctrl.read("atomic_ns", errors, ns).value;
    let burst = ctrl.read("burst_bytes", errors, count_or_auto(1..=1 << 20)).value;
    let efficiency = ctrl.read("efficiency", errors, share).value;
    let channels = read_channels(ctrl, (efficiency, always_channels), errors);
    let burst = burst.map_or(0, u64::from);
    (HbmParams { bytes: 0, overhead, atomic, burst, channels }, efficiency)
}

/// Where they are not always there, channels are modelled only if the file asks for them.
fn read_channels(
    ctrl: &mut Section<'_>,
    (efficiency, always): (f64, bool),
    errors: &mut Errors<'_>,
) -> Option<ChannelParams> {
    let given = ctrl.has("pseudo_channels");
    let count = ctrl.read("pseudo_channels", errors, power_of_two_or_none);
    let rate = ctrl.read("channel_bw_gbs", errors, bandwidth).value;
    let commit = ctrl.read("commit_ns", errors, ns).value;
    let turnaround = ctrl.read("turnaround_ns", errors, ns).value;
    let Given { value: Some(count), .. } = count else { return None };
    let bandwidth = scaled(rate, efficiency);
    (given || always).then_some(ChannelParams { count, bandwidth, commit, turnaround })
}

/// A share of a bandwidth.
pub(super) fn scaled(rate: Bandwidth, share: f64) -> Bandwidth {
    Bandwidth::from_gb_per_s(rate.gb_per_s() * share).unwrap_or(rate)
}

fn power_of_two_or_none(node: &Node) -> Result<Option<u32>, Problem> {
    let wanted = format!("a power of two from 1 to {MAX_CHANNELS}, or none");
    match &node.value {
        Value::Text(word) if word == "none" => Ok(None),
        Value::Int(value) => {
            let count = u32::try_from(*value).ok();
            let good = count.filter(|it| it.is_power_of_two() && *it <= MAX_CHANNELS);
            good.map(Some).ok_or(Problem::new(codes::IMPOSSIBLE_COUNT, wanted))
        }
        Value::Null
        | Value::Bool(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Keys(_) => Err(Problem::new(codes::WRONG_TYPE, wanted)),
    }
}
