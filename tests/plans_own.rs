//! Plans written for these tests: each kind of op once, on data; times in closed form; and what the
//! check says of plans with a mistake. Nothing here needs the shared folder.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise and reads files"
)]

mod plan_kit;

use kbc::dtype::DType;
use kbc::import::Semantics;
use plan_kit::{Ran, check, run, settings};

fn fixture(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plans");
    std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap()
}

const COLLECTIVES: [&str; 7] = [
    "allgather_packets",
    "allgather_put",
    "allgather_get",
    "allreduce_packets",
    "reducescatter_port",
    "allreduce_switch_pipeline",
    "alltoall_groups",
];

#[test]
fn each_collective_is_its_definition_at_every_size_and_type() {
    for name in COLLECTIVES {
        let text = fixture(name);
        for bytes in [64, 4096, 20_000, 65_536] {
            for dtype in [DType::F16, DType::F32, DType::I32, DType::BF16] {
                for semantics in [Semantics::Intent, Semantics::Device] {
                    if name == "allgather_get" && semantics == Semantics::Device {
                        continue;
                    }
                    let ran = run(&text, settings(bytes, dtype, 3, semantics), None);
                    let what = format!("{name} {bytes} {dtype} {semantics:?}\n{}", ran.text());
                    assert_eq!(ran.verdict, "verified", "{what}");
                    assert!(ran.diagnostics.is_empty(), "{what}");
                }
            }
        }
    }
}

fn intent(name: &str, mend: impl Fn(String) -> String) -> Ran {
    check(&mend(fixture(name)), settings(4096, DType::F16, 3, Semantics::Intent))
}

#[test]
fn the_device_swaps_the_offsets_of_a_get() {
    let with = settings(4096, DType::F16, 3, Semantics::Device);
    let ran = check(&fixture("allgather_get"), with);
    // It reads what is beyond the input of the peer, which has one chunk.
    assert!(ran.says("K0908"), "{}", ran.text());
}

#[test]
fn packets_without_double_buffering_are_written_under_a_slow_reader() {
    let ran = intent("allgather_packets", |it| it.replace("_buffer\": true", "_buffer\": false"));
    assert!(ran.says("K0913") || ran.says("K0915"), "{}", ran.text());
}

#[test]
fn a_flush_that_is_left_out_lets_a_port_read_what_is_written_again() {
    // What rank r sends is what it adds up in the next launch, where the flush keeps them apart.
    let swapped = |it: String| it.replace("\"pwsf\"", "\"pws\"");
    let again = |it: String| {
        it.replace("\"re\", \"src_buff\": [", "\"copy\", \"src_buff\": [{\"type\": \"s\", \"index\": 0, \
                    \"size\": 1}], \"dst_buff\": [{\"type\": \"i\", \"index\": 1, \"size\": 1}]},\n   \
                    {\"name\": \"re\", \"src_buff\": [")
    };
    let flushed = intent("reducescatter_port", again);
    assert!(!flushed.says("K0915"), "{}", flushed.text());
    let raced = intent("reducescatter_port", |it| again(swapped(it)));
    assert!(raced.says("K0915") && raced.text().contains("(its port)"), "{}", raced.text());
}

/// Two GPUs with a direct link of 100 GB/s and 500 ns, where nothing takes time but what is given.
fn machine(blocks: &str, port: &str) -> String {
    let free = "copy_bw_gbs: inf, packet_bw_gbs: inf, memory_bw_gbs: inf, access_ns: 0, sync_ns: 0, \
                barrier_ns: 0, fence_ns: 0, poll_ns: 0, launch_ns: 0, signal_bytes: 100, load_bytes: 0";
    let mut attrs = String::from(free);
    for (key, value) in blocks.split_whitespace().filter_map(|it| it.split_once('=')) {
        let start = attrs.find(&format!("{key}:")).unwrap();
        let end = attrs[start..].find(',').map_or(attrs.len(), |at| start + at);
        attrs.replace_range(start..end, &format!("{key}: {value}"));
    }
    format!(
        "machine:\n  replicate:\n    count: 2\n    links:\n      \
         - {{offset: 1, bw_gbs: 100, latency_ns: 500}}\n      \
         - {{offset: -1, bw_gbs: 100, latency_ns: 500}}\n  pe_template:\n    components:\n      \
         pe_cpu: {{attrs: {{dispatch_ns: 0}}}}\n      pe_blocks:\n        attrs: {{{attrs}, \
         port: {{{port}}}}}\n"
    )
}

const FREE_PORT: &str = "post_ns: 0, service_ns: 0, complete_ns: 0, bw_gbs: inf";

fn time_ns(name: &str, bytes: u64, blocks: &str, port: &str) -> f64 {
    time_of(&fixture(name), bytes, blocks, port)
}

fn time_of(text: &str, bytes: u64, blocks: &str, port: &str) -> f64 {
    let with = settings(bytes, DType::F16, 1, Semantics::Intent);
    let ran = run(text, with, Some(&machine(blocks, port)));
    assert_eq!(ran.verdict, "unchecked", "{}", ran.text());
    ran.time as f64 / 1000.0
}

/// Times are whole picoseconds; sums of decimal fractions are not.
fn assert_ns(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-6, "{got} ns, expected {expected} ns");
}

/// Where a rate follows from bytes and times, its rounding may be a picosecond.
fn assert_near_ns(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1.5e-3, "{got} ns, expected {expected} ns");
}

#[test]
fn a_put_and_its_signal_cross_the_link_one_after_the_other() {
    // 500 + 65536/100 for the data; then 500 + 100/100 for the signal.
    assert_ns(time_ns("put_signal", 65_536, "", FREE_PORT), 655.36 + 500.0 + 501.0);
    // The threads feed the link at 50 GB/s, a flit of 256 B ahead of it.
    let slow = time_ns("put_signal", 65_536, "copy_bw_gbs=50", FREE_PORT);
    assert_ns(slow, 1310.72 + 2.56 + 500.0 + 501.0);
    // Fences on both sides, and the look at the counter.
    let fenced = time_ns("put_signal", 65_536, "fence_ns=30 poll_ns=7", FREE_PORT);
    assert_ns(fenced, 655.36 + 500.0 + 30.0 + 501.0 + 7.0 + 30.0);
    assert_ns(time_ns("put_signal", 65_536, "launch_ns=1000", FREE_PORT), 1656.36 + 1000.0);
}

#[test]
fn a_port_is_asked_served_and_signals_right_behind_its_data() {
    assert_ns(time_ns("put_with_signal", 65_536, "", FREE_PORT), 655.36 + 1.0 + 500.0);
    let port = "post_ns: 40, service_ns: 300, complete_ns: 0, bw_gbs: inf";
    // The signal is taken 300 ns after the data, while the data is still entering the link.
    assert_ns(time_ns("put_with_signal", 65_536, "", port), 40.0 + 300.0 + 655.36 + 1.0 + 500.0);
    let small = time_ns("put_with_signal", 1600, "", port);
    // The signal leaves 600 ns after it was asked, long after its data.
    assert_ns(small, 40.0 + 600.0 + 1.0 + 500.0);
}

#[test]
fn packets_take_twice_the_bytes_and_no_signal() {
    assert_ns(time_ns("put_packets", 65_536, "", FREE_PORT), 2.0 * 655.36 + 500.0);
    let copied = time_ns("put_packets", 65_536, "packet_bw_gbs=200", FREE_PORT);
    // In at twice the link's rate; out of the packets again at 200 GB/s.
    assert_ns(copied, 1.28 + 2.0 * 655.36 + 500.0 + 655.36);
    // The reader looks at its one source once the last packet has come.
    let polled = time_ns("put_packets", 65_536, "poll_ns=7", FREE_PORT);
    assert_ns(polled, 2.0 * 655.36 + 500.0 + 7.0);
    // 1,024 threads move 16,384 of the 131,072 bytes at once, on either side.
    let copied = time_ns("put_packets", 65_536, "packet_bw_gbs=200 load_bytes=16", FREE_PORT);
    assert_near_ns(copied, 256.0 / 131_072.0 * 573.44 + 2.0 * 655.36 + 500.0 + 573.44);
}

#[test]
fn a_relaxed_signal_leaves_right_behind_the_stores() {
    let text = fixture("put_signal").replace("\"signal\"", "\"rlxsignal\"");
    let text = text.replace("\"wait\"", "\"rlxwait\"");
    assert_ns(time_of(&text, 65_536, "fence_ns=30", FREE_PORT), 655.36 + 1.0 + 500.0);
}

#[test]
fn what_threads_load_at_once_limits_what_a_block_reads_from_a_peer() {
    let put = "\"put\", \"src_buff\": [{\"type\": \"i\", \"index\": 0, \"size\": 1}], \
               \"dst_buff\": [{\"buffer_id\": 0, \"index\": 0, \"size\": 1}]";
    let get = "\"get\", \"src_buff\": [{\"buffer_id\": 0, \"index\": 0, \"size\": 1}], \
               \"dst_buff\": [{\"type\": \"i\", \"index\": 0, \"size\": 1}]";
    let text = fixture("put_signal").replace(put, get);
    // A question, the data, and a signal.
    let free = time_of(&text, 65_536, "", FREE_PORT);
    assert_ns(free, 500.0 + 655.36 + 500.0 + 501.0);
    // 16,384 bytes go around in 1000 ns: the data takes four times that, the first of them as
    // latency; and a flit of 256 B follows on the link.
    let limited = time_of(&text, 65_536, "load_bytes=16", FREE_PORT);
    assert_near_ns(limited, 500.0 + 3000.0 + 2.56 + 500.0 + 501.0);
    let halved = text.replacen("\"protocol\"", "\"num_threads_per_block\": 512, \"protocol\"", 1);
    let limited = time_of(&halved, 65_536, "load_bytes=16", FREE_PORT);
    assert_near_ns(limited, 500.0 + 7000.0 + 2.56 + 500.0 + 501.0);
}

#[test]
fn no_text_makes_the_importer_panic() {
    let with = settings(4096, DType::F16, 2, Semantics::Intent);
    for name in COLLECTIVES {
        let text = fixture(name);
        let step = text.len() / 60;
        for cut in (0..text.len()).step_by(step.max(1)) {
            check(&text[..cut], with);
            let gone = format!("{}{}", &text[..cut], &text[(cut + 7).min(text.len())..]);
            check(&gone, with);
        }
        for (old, new) in
            [(": 0", ": 4294967295"), (": 1", ": 0"), ("\"i\"", "\"s\""), ("\"o\"", "\"i\"")]
        {
            check(&text.replace(old, new), with);
        }
    }
}
