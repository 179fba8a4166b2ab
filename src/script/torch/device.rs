//! `torch.ahbm` and `torch.accelerator`: on which device tensors lie.
//!
//! A host program that speaks for all ranks chooses SIPs, on which its policies place tensors; cubes where
//! its ranks are cubes. A rank of `torch.multiprocessing.spawn` chooses the PE, the cube or the SIP that its
//! tensors lie on, whichever ranks are, or the SIPs of its policies.

use super::launched::DeviceProperties;
use super::{always, machine};
use crate::diag::hosting;
use crate::host::{RankUnit, Ranks, SipChoice};
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Module;
use crate::script::value::Value;
use crate::source::Span;

/// `torch.ahbm`, as `torch.cuda` in PyTorch.
pub(super) const AHBM: Module = Module {
    name: "torch.ahbm",
    functions: &[
        always("set_device", set_device),
        always("current_device", current_device),
        always("device_count", device_count),
        always("get_device_properties", get_device_properties),
    ],
    constants: &[],
};

/// `torch.accelerator`, PyTorch's name for whichever device there is.
pub(super) const ACCELERATOR: Module = Module {
    name: "torch.accelerator",
    functions: &[
        always("set_device_index", set_device),
        always("current_device_index", current_device),
        always("device_count", device_count),
    ],
    constants: &[],
};

/// The ranks of the world, in the unit of the group.
pub(super) fn ranks(evaluator: &mut Evaluator<'_>, span: Span) -> Result<Ranks> {
    let unit = evaluator.unit;
    let machine = machine(evaluator, span)?;
    Ranks::new(unit, (&machine.extent(), machine.world_size())).map_err(|message| {
        Fault::new(hosting::HOST_VALUE, message, span, "asked for here")
            .help(format!("`--ws` counts PEs: choose one that fills every {}", unit.word()))
    })
}

/// The PE that the tensors of this rank lie on where no policy places them.
pub(super) fn home(evaluator: &mut Evaluator<'_>, span: Span) -> Result<u32> {
    let device = evaluator.seat.as_ref().map_or(0, |seat| seat.device);
    Ok(ranks(evaluator, span)?.first_pe(device))
}

/// The tensors that this program, or this rank, makes from now on lie on this device.
fn set_device(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [device] = args.bind(Signature { name: "set_device", params: ["device"] })?;
    let Some(given) = device else { return Ok(Value::None) };
    if evaluator.seat.is_none() {
        evaluator.sips = Some(sips_of(evaluator, &given)?);
        return Ok(Value::None);
    }
    let ranks = ranks(evaluator, args.span)?;
    let named = given.value.as_str().and_then(SipChoice::parse);
    // What a rank is may be named or numbered.
    let own = named.and_then(|named| match (ranks.unit(), named) {
        (RankUnit::Sip, SipChoice::One(number)) | (RankUnit::Cube, SipChoice::Cube(number)) => {
            Some(number)
        }
        (RankUnit::Pe | RankUnit::Cube | RankUnit::Sip, _) => None,
    });
    let (device, sips) = match (named, own) {
        (Some(_), None) => (None, Some(sips_of(evaluator, &given)?)),
        (_, Some(number)) => (Some(known(&given, Some(i128::from(number)), &ranks)?), None),
        (None, None) => (Some(device_of(&given, &ranks)?), None),
    };
    if let Some(seat) = &mut evaluator.seat {
        seat.device = device.unwrap_or(seat.device);
        seat.sips = sips;
    }
    Ok(Value::None)
}

/// The device that an argument names, in a worker: an int, or `ahbm:3`.
fn device_of(given: &Given, ranks: &Ranks) -> Result<u32> {
    known(given, number_of(given)?, ranks)
}

fn known(given: &Given, number: Option<i128>, ranks: &Ranks) -> Result<u32> {
    let count = ranks.count();
    let known = number.and_then(|it| u32::try_from(it).ok()).filter(|device| *device < count);
    known.ok_or_else(|| {
        let there = match ranks.unit() {
            RankUnit::Pe => format!("there are {count}, from 0 on"),
            unit @ (RankUnit::Cube | RankUnit::Sip) => {
                format!("the world has {}, from 0 on", unit.counted(count))
            }
        };
        no_device(given, number, &there)
    })
}

fn number_of(given: &Given) -> Result<Option<i128>> {
    Ok(match given.value.as_str() {
        Some(text) => text.strip_prefix("ahbm:").and_then(|number| number.parse::<i128>().ok()),
        None => Some(given.int("`device`")?),
    })
}

fn no_device(given: &Given, number: Option<i128>, there: &str) -> Fault {
    let shown = number.map_or_else(|| String::from("that"), |number| number.to_string());
    let message = format!("there is no device {shown}: {there}");
    Fault::new(hosting::HOST_VALUE, message, given.span, "not a device")
        .note("devices are written 0, \"sip:0\", \"cube:0\" or \"all\"")
}

/// The SIPs, or the cube, that an argument names: `sip:1`, `cube:17`, `all`, or the number of a SIP; of a cube
/// where ranks are cubes.
pub(super) fn sips_of(evaluator: &mut Evaluator<'_>, given: &Given) -> Result<SipChoice> {
    let of_cubes = evaluator.unit == RankUnit::Cube;
    let choice = match given.value.as_str().and_then(SipChoice::parse) {
        Some(SipChoice::All) => return Ok(SipChoice::All),
        Some(named) => Ok(named),
        None => {
            let number = number_of(given)?;
            let known = number.and_then(|it| u32::try_from(it).ok());
            let of = if of_cubes { SipChoice::Cube } else { SipChoice::One };
            known.map(of).ok_or(number)
        }
    };
    let (is_cube, number) = match choice {
        Ok(SipChoice::Cube(cube)) => (true, Some(i128::from(cube))),
        Ok(SipChoice::One(sip)) => (false, Some(i128::from(sip))),
        Ok(SipChoice::All) => (false, None),
        Err(number) => (of_cubes, number),
    };
    let count = reached(evaluator, is_cube, given.span)?;
    let is_there = number.is_some_and(|it| (0..i128::from(count)).contains(&it));
    choice.ok().filter(|_| is_there).ok_or_else(|| {
        let unit = if is_cube { RankUnit::Cube } else { RankUnit::Sip };
        no_device(given, number, &format!("the world reaches {}, from 0 on", unit.counted(count)))
    })
}

/// The SIPs, or the cube, on which a policy places a tensor where nothing else is said.
pub(super) fn current_sips(evaluator: &mut Evaluator<'_>, span: Span) -> Result<SipChoice> {
    let (said, device) = match &evaluator.seat {
        Some(seat) => (seat.sips, seat.device),
        None => (evaluator.sips, 0),
    };
    match said {
        Some(said) => Ok(said),
        None => Ok(ranks(evaluator, span)?.device(device)),
    }
}

/// The SIPs, or the cubes, that the world reaches.
fn reached(evaluator: &mut Evaluator<'_>, is_cubes: bool, span: Span) -> Result<u32> {
    let machine = machine(evaluator, span)?;
    let extent = machine.extent();
    let of_one = extent.pes.count() * if is_cubes { 1 } else { extent.cubes.count() };
    Ok(machine.world_size().div_ceil(of_one.max(1)))
}

/// The number of the device: a rank's own in a worker, else a SIP's, or a cube's where ranks are cubes;
/// `"all"` where it is all SIPs.
fn current_device(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "current_device", params: [] })?;
    if let Some(seat) = evaluator.seat.as_ref().filter(|seat| seat.sips.is_none()) {
        return Ok(Value::Int(i128::from(seat.device)));
    }
    Ok(match current_sips(evaluator, args.span)? {
        SipChoice::One(number) | SipChoice::Cube(number) => Value::Int(i128::from(number)),
        SipChoice::All => Value::str("all"),
    })
}

/// How many devices there are: ranks in a worker, else SIPs, or cubes where ranks are cubes.
fn device_count(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "device_count", params: [] })?;
    let count = match evaluator.seat.is_some() {
        true => ranks(evaluator, args.span)?.count(),
        false => reached(evaluator, evaluator.unit == RankUnit::Cube, args.span)?,
    };
    Ok(Value::Int(i128::from(count)))
}

/// `get_device_properties(device=0)`: what a PE can do at most. All are alike.
fn get_device_properties(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "get_device_properties", params: ["device?"] };
    let [device] = args.bind(signature)?;
    if let Some(given) = device {
        device_of(&given, &ranks(evaluator, args.span)?)?;
    }
    let known = machine(evaluator, args.span)?.properties();
    Ok(known.map_or(Value::None, |known| Value::object(DeviceProperties(known))))
}
