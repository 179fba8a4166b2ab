//! The keys under `hbm_ctrl`: what a PE's slice of memory costs.

use crate::diag::machine as codes;
use crate::topology::section::{
    Errors, Given, Problem, Section, bandwidth, count, count_or_auto, flag, ns, share,
};
use crate::topology::yaml::{Node, Value};
use crate::topology::{AddressMapping, BankParams, BankTiming, ChannelParams, HbmParams};
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
    let banks = read_banks(ctrl, errors).filter(|_| channels.is_some());
    let burst = burst.map_or(0, u64::from);
    (HbmParams { bytes: 0, overhead, atomic, burst, channels, banks }, efficiency)
}

fn read_banks(ctrl: &mut Section<'_>, errors: &mut Errors<'_>) -> Option<BankParams> {
    let mut banks = ctrl.section("banks", errors);
    let enabled = banks.read("enabled", errors, flag).value;
    let mut number = |key, most| banks.read(key, errors, power_of_two(most)).value;
    let bankgroups = number("bankgroups", 64);
    let banks_per_group = number("banks_per_group", 64);
    let rows = number("rows", 1 << 24);
    let row_bytes = number("row_bytes", 1 << 20);
    let access_bytes = number("access_bytes", 1 << 16);
    let mut count = |key, least| banks.read(key, errors, count(least..=1 << 20)).value;
    let burst_length = count("BL", 1);
    let cmd_queue = count("cmd_queue_size", 1);
    let trans_queue = count("trans_queue_size", 1);
    let write_buf = count("write_buf_size", 1);
    let t_ck = banks.read("tCK", errors, ns).value;
    let timing = read_timing(&mut banks, errors);
    let widths = [row_bytes / access_bytes.min(row_bytes), banks_per_group, bankgroups, rows];
    let mapping = banks
        .read("address_mapping", errors, mapping(widths.map(|it: u32| it.trailing_zeros())))
        .value;
    banks.finish(errors);
    enabled.then_some(BankParams {
        t_ck,
        bankgroups,
        banks_per_group,
        rows,
        row_bytes: row_bytes.into(),
        access_bytes: access_bytes.into(),
        burst_cycles: burst_length.div_ceil(2),
        timing,
        mapping,
        cmd_queue,
        trans_queue,
        write_buf,
    })
}

fn read_timing(banks: &mut Section<'_>, errors: &mut Errors<'_>) -> BankTiming {
    let mut cycles = |key| banks.read(key, errors, count(0..=1 << 20)).value;
    BankTiming {
        cl: cycles("CL"),
        cwl: cycles("CWL"),
        rcd_rd: cycles("tRCDRD"),
        rcd_wr: cycles("tRCDWR"),
        rp: cycles("tRP"),
        ras: cycles("tRAS"),
        rfc: cycles("tRFC"),
        refi: cycles("tREFI"),
        rrd_s: cycles("tRRD_S"),
        rrd_l: cycles("tRRD_L"),
        faw: cycles("tFAW"),
        wtr_s: cycles("tWTR_S"),
        wtr_l: cycles("tWTR_L"),
        wr: cycles("tWR"),
        rtp: cycles("tRTP"),
        ccd_s: cycles("tCCD_S"),
        ccd_l: cycles("tCCD_L"),
        rtrs: cycles("tRTRS"),
    }
}

/// The order of the parts of an address whose widths are known.
fn mapping(widths: [u32; 4]) -> impl Fn(&Node) -> Result<AddressMapping, Problem> {
    move |node| {
        let wanted = "the six parts `ro`, `ra`, `bg`, `ba`, `ch` and `co` in some order";
        let Value::Text(order) = &node.value else {
            return Err(Problem::new(codes::WRONG_TYPE, wanted));
        };
        AddressMapping::new(order, widths).ok_or(Problem::new(codes::UNKNOWN_CHOICE, wanted))
    }
}

fn power_of_two(most: u32) -> impl Fn(&Node) -> Result<u32, Problem> {
    move |node| {
        let wanted = format!("a power of two from 1 to {most}");
        let Value::Int(value) = node.value else {
            return Err(Problem::new(codes::WRONG_TYPE, wanted));
        };
        let value = u32::try_from(value).ok();
        let good = value.filter(|it| it.is_power_of_two() && *it <= most);
        good.ok_or(Problem::new(codes::IMPOSSIBLE_COUNT, wanted))
    }
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
