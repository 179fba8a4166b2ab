//! How long the computations of a code take; worked out once, before the run.

use crate::arena::Id;
use crate::command::{Code, GemmId, GemmSpec, MathId, MathSpec, Program};
use crate::topology::{GemmParams, MathParams, PeParams};
use crate::units::Ps;

/// A computation: its time, and its elements or multiply-adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) time: Ps,
    pub(super) size: u64,
}

/// The computations of one code.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    math: Vec<Cost>,
    gemm: Vec<Cost>,
}

impl Costs {
    /// Of each code of `program`.
    pub(super) fn of(program: &Program, pe: &PeParams) -> Vec<Costs> {
        program.codes.values().map(|code| Costs::of_code(code, pe)).collect()
    }

    fn of_code(code: &Code, pe: &PeParams) -> Costs {
        Costs {
            math: code.maths.values().map(|spec| math(spec, &pe.math)).collect(),
            gemm: code.gemms.values().map(|spec| gemm(spec, &pe.gemm)).collect(),
        }
    }

    pub(super) fn math(&self, spec: MathId) -> Cost {
        self.math[spec.index()]
    }

    pub(super) fn gemm(&self, spec: GemmId) -> Cost {
        self.gemm[spec.index()]
    }
}

fn math(spec: &MathSpec, engine: &MathParams) -> Cost {
    let size = spec.shape.elements();
    let each = u64::from(engine.cycles(spec.cost));
    let pass = size.div_ceil(u64::from(engine.lanes.max(1))).saturating_mul(each);
    let cycles = pass.saturating_mul(spec.passes());
    Cost { time: engine.overhead + engine.clock.time(cycles), size }
}

/// How long a matrix computation takes.
pub(super) fn gemm(spec: &GemmSpec, engine: &GemmParams) -> Cost {
    let blocks = |extent: u64, side: u32| extent.div_ceil(u64::from(side.max(1)));
    let product = match engine.systolic {
        Some(array) => array.cycles([spec.m, spec.n, spec.k]),
        None => blocks(spec.m, engine.m)
            .saturating_mul(blocks(spec.n, engine.n))
            .saturating_mul(blocks(spec.k, engine.k)),
    };
    let cycles = spec.batch.saturating_mul(product);
    let size = spec.macs();
    Cost { time: engine.overhead + engine.clock.time(cycles), size }
}
