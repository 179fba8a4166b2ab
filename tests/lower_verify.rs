//! The verifier of programs: what lowering makes passes, and each rule catches what breaks it.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test stops at the first surprise, reads files, and says what it left out"
)]

mod lowering;

use kbc::command::verify::verify;
use kbc::command::{
    AgentId, Arg, Code, CodeId, Inst, Operand, Program, QueueId, Reg, ScalarExpr, SiteId, Template,
    TileReg,
};
use kbc::ir::Literal;
use lowering::{compile, launch, ring_all_reduce, showcase};

#[test]
fn what_lowering_makes_is_whole() {
    for function in [ring_all_reduce(4), ring_all_reduce(16), showcase()] {
        assert_eq!(verify(&compile(&function, &launch(16))), []);
    }
}

/// The first rule that a showcase changed by `change` breaks.
fn broken(change: impl FnOnce(&mut Program)) -> String {
    let mut program = compile(&showcase(), &launch(4));
    change(&mut program);
    let found = verify(&program);
    found.first().map(|it| it.what.clone()).unwrap_or_default()
}

fn in_code(change: impl FnOnce(&mut Code)) -> String {
    broken(|program| change(&mut program.codes[CodeId(0)]))
}

/// The first site whose template `is_wanted`.
fn site(code: &Code, is_wanted: impl Fn(&Template) -> bool) -> SiteId {
    let mut sites = code.sites.iter();
    sites.find(|(_, site)| is_wanted(&site.template)).map(|(id, _)| id).expect("there is one")
}

fn find(code: &Code, is_wanted: impl Fn(&Inst) -> bool) -> usize {
    code.insts.iter().position(is_wanted).expect("there is one")
}

#[test]
fn agents_and_neighbours_must_exist() {
    let of = |change: fn(&mut Program)| broken(change);
    assert!(of(|it| it.agents[AgentId(2)].code = CodeId(7)).contains("code7"));
    assert!(of(|it| it.comm.peers.truncate(3)).contains("3 neighbours"));
    assert!(
        of(|it| it.comm.peers.iter_mut().flatten().for_each(|peer| peer.agent = AgentId(9)))
            .contains("a9")
    );
}

#[test]
fn control_flow_must_nest() {
    assert!(in_code(|code| _ = code.spans.pop()).contains("span"));
    let without_end = in_code(|code| {
        code.insts.pop();
        code.spans.pop();
    });
    assert!(without_end.contains("end"));
    let unclosed = in_code(|code| {
        let at = find(code, |it| *it == Inst::IfEnd);
        code.insts[at] = Inst::WhileBegin;
    });
    assert!(!unclosed.is_empty());
    let elsewhere = in_code(|code| {
        let at = find(code, |it| matches!(it, Inst::WhileEnd { .. }));
        code.insts[at] = Inst::WhileEnd { begin: kbc::command::Pc(0) };
    });
    assert!(elsewhere.contains("another loop"));
}

#[test]
fn registers_must_exist_and_be_written_first() {
    let read = |reg| Inst::Scalar { dst: Reg(3), expr: ScalarExpr::Copy(Operand::Reg(Reg(reg))) };
    let replaced = |inst: Inst| {
        in_code(|code| {
            let at = find(code, |it| matches!(it, Inst::Scalar { .. }));
            code.insts[at] = inst;
        })
    };
    assert!(replaced(read(99)).contains("r99 does not exist"));
    assert!(replaced(read(3)).contains("r3 is read but may not have been written"));
    let one = Operand::Const(Literal::Int(1));
    let overwrite = Inst::Scalar { dst: Reg(0), expr: ScalarExpr::Copy(one) };
    assert!(replaced(overwrite).contains("program id"));
    let early = in_code(|code| {
        let at = find(code, |it| matches!(it, Inst::Define { .. }));
        code.insts[at] = Inst::MoveTile { dst: TileReg(0), src: TileReg(1) };
    });
    assert!(early.contains("may not have been written"), "{early}");
}

#[test]
fn tiles_must_fit_their_buffers_and_buffers_scratch() {
    assert!(in_code(|code| code.scratch_bytes -= 1).contains("scratch"));
    assert!(in_code(|code| code.buffers[0].copies = 0).contains("0 copies"));
    let too_large = in_code(|code| {
        let at = find(code, |it| matches!(it, Inst::Define { .. }));
        if let Inst::Define { bytes, .. } = &mut code.insts[at] {
            *bytes += 1;
        }
    });
    assert!(too_large.contains("is made in a buffer of"));
}

#[test]
fn room_must_be_made_just_before() {
    let what = in_code(|code| {
        let at = find(code, |it| matches!(it, Inst::Define { .. }));
        code.insts[at] = Inst::WhileBegin;
        code.insts[at] =
            Inst::Scalar { dst: Reg(3), expr: ScalarExpr::Copy(Operand::Const(Literal::Int(0))) };
    });
    assert!(what.contains("may not have been written") || what.contains("no room"), "{what}");
}

#[test]
fn operands_must_match_their_spec() {
    let missing = in_code(|code| {
        let at = site(code, |it| matches!(it, Template::Math { args: [_, Some(_), _], .. }));
        if let Template::Math { args, .. } = &mut code.sites[at].template {
            args[1] = None;
        }
    });
    assert!(missing.contains("1 operands are given to an op that takes 2"), "{missing}");
    let scalar = in_code(|code| {
        let at = site(code, |it| matches!(it, Template::Math { args: [_, Some(_), _], .. }));
        if let Template::Math { args, .. } = &mut code.sites[at].template {
            args[1] = Some(Arg::Scalar(Operand::Const(Literal::Int(1))));
        }
    });
    assert!(scalar.contains("a scalar is read with strides"), "{scalar}");
    let too_far = in_code(|code| {
        let (_, gemm) = code.gemms.iter_mut().next().expect("there is a product");
        gemm.a.strides = [0, 4096, 1];
    });
    assert!(too_far.contains("are read"), "{too_far}");
}

#[test]
fn lengths_must_agree() {
    let block = in_code(|code| {
        let (_, desc) = code.descs.iter_mut().next().expect("there is a block");
        desc.dims[0].extent += 1;
    });
    assert!(block.contains("but the block that is moved has"), "{block}");
    let message = in_code(|code| {
        let at = site(code, |it| matches!(it, Template::Send { .. }));
        if let Template::Send { message, .. } = &mut code.sites[at].template {
            message.elements = 3;
        }
    });
    assert!(message.contains("but the message has 12"), "{message}");
}

#[test]
fn messages_need_a_direction_and_fit_a_slot() {
    assert!(broken(|it| it.comm.slot_bytes = 64).contains("does not fit in a slot of 64"));
    let nowhere = in_code(|code| {
        let at = site(code, |it| matches!(it, Template::Send { .. }));
        if let Template::Send { queue, .. } = &mut code.sites[at].template {
            *queue = QueueId(200);
        }
    });
    assert!(nowhere.contains("direction 200 does not exist"));
}
