//! Races are found where nothing orders two PEs, and only there.

use kbc::command::{Message, Program};
use kbc::diag::{Diagnostic, Sink};
use kbc::dtype::DType;
use kbc::ir::{DmaDesc, DmaDim};
use kbc::launch::{Placement, Region};
use kbc::replay::{Memory, RaceCheck, Replay};

use crate::kit::{Choices, CodeKit, EAST, WEST, line, log, place, program, said, tensor};

const TOKEN: Message = Message { elements: 1, dtype: DType::I32 };

fn check(program: &Program) -> (RaceCheck, Vec<Diagnostic>) {
    let mut memory = Memory::new(program.memory.clone());
    for region in program.memory.regions() {
        memory.write(None, region.base, &vec![0; region.bytes as usize]).unwrap();
    }
    let mut sink = Sink::new();
    let mut replay = Replay::new(program, memory);
    replay.advance(&log(program, &mut Choices(3)), &mut sink);
    let check = replay.check_races(&mut sink);
    (check, sink.into_sorted())
}

fn regions() -> Vec<Region> {
    vec![tensor("x", 0x1000, 256), tensor("flag", 0x2000, 4)]
}

/// Agent 0 stores, and agent `reader` of three loads; a token goes east over `hops` agents.
fn handed_on(hops: usize) -> Program {
    let codes = (0..3).map(|agent| {
        let mut code = CodeKit::new();
        let token = code.read(0x2000, line(1, DType::I32));
        if agent == 0 {
            let tile = code.read(0x1080, line(8, DType::F32));
            code.write(0x1000, line(8, DType::F32), tile);
        }
        if agent > 0 && agent <= hops {
            let came = code.recv(WEST, TOKEN);
            code.release(came);
        }
        if agent < hops {
            code.send(EAST, token, TOKEN);
        }
        if agent == 2 {
            code.read(0x1010, line(8, DType::F32));
        }
        code
    });
    program(codes.collect(), regions(), 1, 4)
}

#[test]
fn a_message_over_any_number_of_hops_orders() {
    let (check, found) = check(&handed_on(2));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((check.pairs, check.races, check.complete), (1, 0, true));
}

#[test]
fn a_message_to_someone_else_does_not() {
    for hops in [0, 1] {
        let (check, found) = check(&handed_on(hops));
        let text = "pe2 reads `x` where pe0 writes it, in no fixed order";
        assert_eq!(said(&found), [("K0731", text)]);
        assert_eq!(check.races, 1);
        assert_eq!(found[0].primary.as_ref().unwrap().text, "pe2 reads bytes 16 to 48");
        assert_eq!(found[0].secondary[0].text, "pe0 writes bytes 0 to 32");
        assert_eq!((place(&found[0]), found[0].secondary[0].span.start), (10, 20));
    }
}

/// The send is before the store, so the receiver may load before it.
#[test]
fn a_message_sent_too_early_does_not_order() {
    let mut writer = CodeKit::new();
    let tile = writer.read(0x1080, line(8, DType::F32));
    let token = writer.read(0x2000, line(1, DType::I32));
    writer.send(EAST, token, TOKEN);
    writer.write(0x1000, line(8, DType::F32), tile);
    let mut reader = CodeKit::new();
    let came = reader.recv(WEST, TOKEN);
    reader.release(came);
    reader.read(0x1000, line(8, DType::F32));
    let (check, found) = check(&program(vec![writer, reader], regions(), 1, 4));
    assert_eq!(check.races, 1);
    assert_eq!(found[0].code.id, "K0731");
}

/// Two agents write every other element: their bounds overlap, their bytes do not.
#[test]
fn interleaved_writes_are_no_race() {
    let every_other = |agent: u64| {
        let mut code = CodeKit::new();
        let tile = code.read(0x1080, line(8, DType::F32));
        let dims = vec![DmaDim { extent: 8, stride: 8 }];
        code.write(0x1000 + 4 * agent, DmaDesc { dims, elem_bytes: 4 }, tile);
        code
    };
    let (check, found) = check(&program((0..2).map(every_other).collect(), regions(), 1, 4));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((check.pairs, check.races), (0, 0));
}

#[test]
fn two_writes_race_and_reads_do_not() {
    let both = |_| {
        let mut code = CodeKit::new();
        let tile = code.read(0x1080, line(8, DType::F32));
        code.write(0x1000, line(8, DType::F32), tile);
        code
    };
    let (_, found) = check(&program((0..2).map(both).collect(), regions(), 1, 4));
    let text = "pe1 writes `x` where pe0 writes it, in no fixed order";
    assert_eq!(said(&found), [("K0731", text)]);
    let reads = |_| {
        let mut code = CodeKit::new();
        code.read(0x1080, line(8, DType::F32));
        code
    };
    let (check, found) = check(&program((0..2).map(reads).collect(), regions(), 1, 4));
    assert!(found.is_empty() && check.pairs == 0);
}

/// Each PE has its own copy of a replicated tensor.
#[test]
fn copies_do_not_race() {
    let both = |_| {
        let mut code = CodeKit::new();
        let tile = code.read(0x1080, line(8, DType::F32));
        code.write(0x1000, line(8, DType::F32), tile);
        code
    };
    let own = vec![Region { placement: Placement::Replicated, ..tensor("x", 0x1000, 256) }];
    let (check, found) = check(&program((0..2).map(both).collect(), own, 1, 4));
    assert!(found.is_empty() && check.pairs == 0, "{found:?}");
}
