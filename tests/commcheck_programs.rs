//! The communication check on kernels built by hand: what must pass passes, what must not is
//! blamed on the right lines, and the shortcut for symmetric programs says what the whole walk
//! says.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod lowering;

use kbc::command::{Program, QueueId};
use kbc::commcheck::{self, DEFAULT_BUDGET, Report, Verdict};
use kbc::diag::{ColorChoice, Diagnostic, Reported, Sink, to_text};
use kbc::dtype::DType;
use kbc::ir::{self, Assert, Dim, Function, TileType, Type};
use kbc::launch::{Deal, Launch};
use kbc::ops::{BinaryOp, CompareOp};
use lowering::{Kernel, compile, f16s, launch, line, ring_all_reduce, sources};

type Check = fn(&Program, &kbc::source::SourceMap, u64, &mut Sink) -> Result<Report, Reported>;

fn run(check: Check, program: &Program) -> Result<Report, Vec<Diagnostic>> {
    let mut sink = Sink::new();
    check(program, &sources(), DEFAULT_BUDGET, &mut sink).map_err(|_| sink.into_sorted())
}

fn check(program: &Program) -> Result<Report, Vec<Diagnostic>> {
    run(commcheck::check, program)
}

/// The one diagnostic that the check of `program` ends in.
fn fault(program: &Program) -> Diagnostic {
    let mut found = check(program).expect_err("the program is wrong");
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn text(diagnostic: &Diagnostic) -> String {
    to_text(diagnostic, &sources(), ColorChoice::Plain)
}

fn with_slots(slots: u32, launch: Launch) -> Launch {
    Launch { ipcq: kbc::launch::IpcqOptions { slots: Some(slots), ..launch.ipcq }, ..launch }
}

/// A kernel that loads its tile of 64 `f16`s and does the rest with it.
fn kernel(rest: impl FnOnce(&mut Kernel, kbc::ir::Value)) -> Function {
    let (mut kernel, t_ptr) = Kernel::new();
    let tile = kernel.load(t_ptr, &f16s(64), 2);
    rest(&mut kernel, tile);
    kernel.end()
}

fn receives_first() -> Function {
    kernel(|kernel, tile| {
        kernel.recv("W", &f16s(64), 40);
        kernel.send("E", tile, 41);
    })
}

/// Sends `count` tiles, then receives them.
fn sends_ahead(count: i64) -> Function {
    kernel(|kernel, tile| {
        kernel.repeat(count, &[], 40, |kernel, _| {
            kernel.send("E", tile, 40);
            vec![]
        });
        kernel.repeat(count, &[], 41, |kernel, _| {
            kernel.recv("W", &f16s(64), 41);
            vec![]
        });
    })
}

/// Every rank sends `sent` messages to the east and receives `received` from the west.
fn exchanges(sent: i64, received: i64) -> Function {
    kernel(|kernel, tile| {
        kernel.repeat(sent, &[], 40, |kernel, _| {
            kernel.send("E", tile, 40);
            vec![]
        });
        for _ in 0..received {
            kernel.recv("W", &f16s(64), 41);
        }
    })
}

#[test]
fn a_ring_is_good_and_one_agent_stands_for_all() {
    let program = compile(&ring_all_reduce(8), &launch(8));
    let report = check(&program).expect("the ring is good");
    assert_eq!(report.verdict, Verdict::Symmetric);
    let every = run(commcheck::check_every_agent, &program).expect("the ring is good");
    assert_eq!(every.verdict, Verdict::Checked);
    assert_eq!(every.operations, 8 * report.operations);
    // A read, 7 rounds of send, receive and add, 7 releases, a write.
    assert_eq!(report.operations, 1 + 7 * 3 + 7 + 1);
}

#[test]
fn a_hundred_thousand_ranks_are_one() {
    let program = compile(&ring_all_reduce(100_000), &launch(100_000));
    let report = check(&program).expect("the ring is good");
    assert_eq!(report.verdict, Verdict::Symmetric);
    assert_eq!(report.operations, 99_999 * 4 + 2);
}

#[test]
fn receiving_before_sending_is_a_deadlock() {
    let found = fault(&compile(&receives_first(), &launch(4)));
    assert_eq!(found.code.id, "K0535");
    assert_eq!(found.primary.as_ref().map(|label| label.span), Some(line(40)));
    let chain = found.notes.first().expect("the cycle is shown");
    let expected = "PE 0 waits in recv(W) ring.kb:40\n← PE 3 waits in recv(W) ring.kb:40\n\
                    ← PE 2 waits in recv(W) ring.kb:40\n← PE 1 waits in recv(W) ring.kb:40\n← PE 0";
    assert_eq!(chain, expected);
    assert!(found.help.is_empty(), "no number of slots mends it");
}

#[test]
fn sending_more_than_the_queues_hold_is_a_deadlock() {
    assert!(check(&compile(&sends_ahead(4), &with_slots(4, launch(4)))).is_ok());
    let found = fault(&compile(&sends_ahead(5), &with_slots(4, launch(4))));
    assert_eq!(found.code.id, "K0535");
    let chain = found.notes.first().expect("the cycle is shown");
    assert!(chain.starts_with("PE 0 waits in send(E) ring.kb:40: queue full 4/4\n← PE 1"));
    assert!(found.help[0].contains("5 slots"), "{:?}", found.help);
}

#[test]
fn a_forwarding_ring_needs_two_slots() {
    let ring = ring_all_reduce(4);
    let found = fault(&compile(&ring, &with_slots(1, launch(4))));
    assert_eq!(found.code.id, "K0535");
    assert!(text(&found).contains("PE 0 waits in send(E) ring.kb:16: queue full 1/1"));
    assert!(check(&compile(&ring, &with_slots(2, launch(4)))).is_ok());
}

#[test]
fn what_is_sent_must_be_received() {
    let found = fault(&compile(&exchanges(2, 1), &launch(4)));
    assert_eq!(found.code.id, "K0533");
    assert_eq!(found.message, "4 messages are sent to `E` but never received");
    assert_eq!(found.primary.as_ref().map(|label| label.span), Some(line(40)));
    assert_eq!(found.secondary[0].span, line(41));
}

#[test]
fn what_is_received_must_be_sent() {
    let (mut kernel, t_ptr) = Kernel::new();
    let rank = kernel.rank(3);
    let tile = kernel.load(t_ptr, &f16s(64), 4);
    let is_first = kernel.compare(CompareOp::Eq, rank, 0, 5);
    kernel.when(is_first, 5, |kernel| {
        kernel.recv("W", &f16s(64), 6);
        kernel.recv("W", &f16s(64), 7);
    });
    let is_last = kernel.compare(CompareOp::Eq, rank, 3, 8);
    kernel.when(is_last, 8, |kernel| kernel.send("E", tile, 9));
    let found = fault(&compile(&kernel.end(), &launch(4)));
    assert_eq!(found.code.id, "K0534");
    assert_eq!(found.message, "PE 0 waits for message 1 from `W`, but PE 3 ended after sending 1");
    assert_eq!(found.primary.as_ref().map(|label| label.span), Some(line(7)));
    assert_eq!(found.secondary[0].span, line(9));
}

#[test]
fn a_one_sided_wrong_direction_names_both_lines() {
    let wrong = kernel(|kernel, tile| {
        kernel.send("E", tile, 40);
        kernel.recv("E", &f16s(64), 41);
    });
    let found = fault(&compile(&wrong, &launch(4)));
    assert_eq!(found.code.id, "K0534");
    assert_eq!(found.primary.as_ref().map(|label| label.span), Some(line(41)));
    assert_eq!(found.secondary[0].span, line(40));
    assert_eq!(found.secondary[0].text, "what PE 1 sends to `E` here arrives from `W` at PE 2");
}

#[test]
fn a_full_queue_that_nobody_reads_is_named() {
    let wrong = kernel(|kernel, tile| {
        kernel.repeat(9, &[], 40, |kernel, _| {
            kernel.send("E", tile, 40);
            vec![]
        });
        kernel.repeat(9, &[], 41, |kernel, _| {
            kernel.recv("E", &f16s(64), 41);
            vec![]
        });
    });
    let found = fault(&compile(&wrong, &with_slots(4, launch(4))));
    assert_eq!(found.code.id, "K0533");
    assert!(found.message.contains("full (4/4)"), "{}", found.message);
}

#[test]
fn the_edge_of_a_mesh_has_no_neighbour() {
    let wrong = kernel(|kernel, tile| {
        kernel.send("intra_E", tile, 40);
        kernel.recv("intra_W", &f16s(64), 41);
    });
    let found = check(&compile(&wrong, &launch(8))).expect_err("a mesh has edges");
    let codes: Vec<_> = found.iter().map(|it| (it.code.id, it.message.as_str())).collect();
    assert_eq!(
        codes,
        [
            ("K0530", "PE 3 (and 1 other PE) sends to `intra_E`, where it has no neighbour"),
            ("K0530", "PE 0 (and 1 other PE) receives from `intra_W`, where it has no neighbour"),
        ]
    );
}

#[test]
fn both_sides_agree_on_size_and_type() {
    let expecting = |ty: Type| {
        kernel(|kernel, tile| {
            kernel.send("E", tile, 40);
            kernel.recv("W", &ty, 41);
        })
    };
    let found = fault(&compile(&expecting(f16s(32)), &launch(4)));
    assert_eq!(found.code.id, "K0531");
    assert_eq!(
        found.message,
        "PE 0 expects 32 x f16 = 64 B from `W`, but PE 3 sends 64 x f16 = 128 B"
    );
    assert_eq!(found.primary.as_ref().map(|label| label.span), Some(line(41)));
    assert_eq!(found.secondary[0].span, line(40));
    let f32s = Type::Tile(TileType::new(vec![Dim::Const(32)], DType::F32));
    let found = fault(&compile(&expecting(f32s), &launch(4)));
    assert_eq!(found.code.id, "K0532");
}

#[test]
fn scalar_code_that_fails_is_reported_with_its_pe() {
    let (mut kernel, t_ptr) = Kernel::new();
    let rank = kernel.rank(3);
    let ten = kernel.int(10);
    let two = kernel.int(2);
    let divisor = kernel.binary(BinaryOp::Sub, rank, two, 4);
    let quotient = kernel.binary(BinaryOp::FloorDiv, ten, divisor, 5);
    let addr = kernel.binary(BinaryOp::Add, t_ptr, quotient, 6);
    let tile = kernel.load(t_ptr, &f16s(64), 6);
    kernel.store(addr, tile, 6);
    let found = fault(&compile(&kernel.end(), &launch(4)));
    assert_eq!(found.code.id, "K0536");
    assert_eq!(found.message, "an integer is divided by zero on PE 2");

    let (mut kernel, _) = Kernel::new();
    let rank = kernel.rank(3);
    let condition = kernel.compare(CompareOp::Lt, rank, 2, 4);
    kernel.op(Assert { condition, message: "few ranks".into() }, vec![], 4);
    let found = fault(&compile(&kernel.end(), &launch(4)));
    assert_eq!(found.code.id, "K0538");
    assert_eq!(found.message, "an assertion does not hold on PE 2 (and 1 other PE): few ranks");
}

#[test]
fn a_promise_that_nobody_waits_for_still_takes_its_message() {
    let promises = |sends: i64| {
        kernel(|kernel, tile| {
            let ir::Type::Tile(of) = f16s(64) else { panic!("it is a tile") };
            kernel.op(ir::RecvAsync { dir: "W".into() }, vec![Type::Future(of)], 40);
            for _ in 0..sends {
                kernel.send("E", tile, 41);
            }
        })
    };
    assert!(check(&compile(&promises(1), &with_slots(1, launch(4)))).is_ok());
    let found = fault(&compile(&promises(0), &launch(4)));
    assert_eq!(found.code.id, "K0534");
    assert_eq!(found.message, "4 messages are asked for from `W` but never sent");
    let found = fault(&compile(&promises(3), &with_slots(1, launch(4))));
    assert_eq!(found.code.id, "K0535", "the third finds the second in its slot");
}

#[test]
fn an_endless_loop_is_found_once() {
    let (mut kernel, t_ptr) = Kernel::new();
    let rank = kernel.rank(3);
    let left = kernel.forever(rank, 5);
    let addr = kernel.binary(BinaryOp::Add, t_ptr, left, 6);
    let tile = kernel.load(t_ptr, &f16s(64), 6);
    kernel.store(addr, tile, 6);
    let found = fault(&compile(&kernel.end(), &launch(64)));
    assert_eq!(found.code.id, "K0537");
    assert_eq!(found.message, "a loop never ends on PE 0");
}

#[test]
fn who_waits_for_a_failed_pe_is_not_reported() {
    let (mut kernel, t_ptr) = Kernel::new();
    let rank = kernel.rank(3);
    let tile = kernel.load(t_ptr, &f16s(64), 4);
    let condition = kernel.compare(CompareOp::Ne, rank, 2, 5);
    kernel.op(Assert { condition, message: String::new() }, vec![], 5);
    kernel.send("E", tile, 40);
    kernel.recv("W", &f16s(64), 41);
    let found = fault(&compile(&kernel.end(), &launch(4)));
    assert_eq!(found.code.id, "K0538");
}

#[test]
fn a_small_budget_says_how_far_it_came() {
    // 64 ranks of 63 rounds are more than the budget.
    let program = compile(&ring_all_reduce(64), &launch(64));
    let mut sink = Sink::new();
    let report = commcheck::check_every_agent(&program, &sources(), 1000, &mut sink);
    let report = report.expect("nothing wrong was seen");
    let Verdict::Partial { operations } = report.verdict else { panic!("{report:?}") };
    assert!(operations >= 1000);
    assert_eq!(report.verdict.to_string(), format!("partial: {operations} operations"));
}

#[test]
fn a_branch_on_the_program_id_refuses_the_shortcut() {
    // Even ranks send first, odd ranks receive first: right, but not the same for all.
    let (mut kernel, t_ptr) = Kernel::new();
    let rank = kernel.rank(3);
    let tile = kernel.load(t_ptr, &f16s(64), 4);
    let two = kernel.int(2);
    let parity = kernel.binary(BinaryOp::Rem, rank, two, 5);
    let even = kernel.compare(CompareOp::Eq, parity, 0, 5);
    kernel.when(even, 5, |kernel| kernel.send("E", tile, 6));
    kernel.recv("W", &f16s(64), 7);
    let odd = kernel.compare(CompareOp::Eq, parity, 1, 8);
    kernel.when(odd, 8, |kernel| kernel.send("E", tile, 9));
    let function = kernel.end();
    let report = check(&compile(&function, &launch(4))).expect("it is right for an even world");
    assert_eq!(report.verdict, Verdict::Checked);
    // In an odd world ranks 0 and 2 both send first; that is right, too.
    assert!(check(&compile(&function, &launch(3))).is_ok());
}

#[test]
fn a_branch_without_communication_keeps_the_shortcut() {
    let (mut kernel, t_ptr) = Kernel::new();
    let rank = kernel.rank(3);
    let tile = kernel.load(t_ptr, &f16s(64), 4);
    kernel.send("E", tile, 40);
    kernel.recv("W", &f16s(64), 41);
    let is_first = kernel.compare(CompareOp::Eq, rank, 0, 50);
    kernel.when(is_first, 50, |kernel| kernel.store(t_ptr, tile, 51));
    let report = check(&compile(&kernel.end(), &launch(4))).expect("it is right");
    assert_eq!(report.verdict, Verdict::Symmetric);
}

#[test]
fn agents_with_more_programs_refuse_the_shortcut() {
    let uneven = Launch { grid: Some([5, 1, 1]), deal: Deal::Cyclic, ..launch(4) };
    let found = check(&compile(&exchanges(1, 1), &uneven)).expect_err("rank 0 sends twice");
    assert!(found.iter().all(|it| ["K0533", "K0534"].contains(&it.code.id)), "{found:#?}");
    let even = Launch { grid: Some([8, 1, 1]), ..launch(4) };
    let report = check(&compile(&exchanges(1, 1), &even)).expect("all send twice");
    assert_eq!(report.verdict, Verdict::Symmetric);
}

#[test]
fn the_shortcut_says_what_the_whole_walk_says() {
    let programs = [
        (ring_all_reduce(6), 4),
        (ring_all_reduce(6), 1),
        (receives_first(), 4),
        (sends_ahead(5), 4),
        (sends_ahead(4), 4),
        (exchanges(3, 1), 4),
        (exchanges(1, 2), 4),
        (exchanges(7, 2), 4),
    ];
    for (index, (function, slots)) in programs.iter().enumerate() {
        let program = compile(function, &with_slots(*slots, launch(6)));
        let codes = |result: Result<Report, Vec<Diagnostic>>| match result {
            Ok(_) => Vec::new(),
            Err(found) => found.iter().map(|it| (it.code.id, it.message.clone())).collect(),
        };
        let folded = check(&program);
        assert!(
            folded.as_ref().is_ok_and(|it| it.verdict == Verdict::Symmetric) || folded.is_err()
        );
        let every = run(commcheck::check_every_agent, &program);
        assert_eq!(codes(folded), codes(every), "program {index}");
    }
}

#[test]
fn directions_that_are_not_one_to_one_refuse_the_shortcut() {
    let mut program = compile(&exchanges(1, 1), &launch(4));
    let east = QueueId(0);
    assert_eq!(program.comm.direction(east), "E");
    // Ranks 0 and 1 swap their eastern neighbours' places with 2 and 3: two rings of two.
    let count = program.comm.directions.len();
    let peers: Vec<_> =
        [1, 0, 3, 2].map(|rank| program.comm.peers[((rank + 3) % 4) * count]).into();
    for (rank, peer) in peers.into_iter().enumerate() {
        program.comm.peers[rank * count] = peer;
    }
    let still_one_to_one = check(&program).expect("each is reached once");
    assert_eq!(still_one_to_one.verdict, Verdict::Symmetric);
    program.comm.peers[0] = program.comm.peers[count];
    assert!(check(&program).is_err(), "one rank is reached twice, another never");
}
