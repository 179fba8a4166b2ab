//! `torch.ahbm` and `torch.accelerator`: on which device tensors lie.
//!
//! A host program that speaks for all ranks chooses SIPs, on which its policies place tensors. A rank of
//! `torch.multiprocessing.spawn` chooses the PE that its tensors lie on, or the SIPs of its policies.

use super::launched::DeviceProperties;
use super::{always, machine};
use crate::diag::hosting;
use crate::host::SipChoice;
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Module;
use crate::script::value::Value;
use crate::source::Span;
use crate::topology::PeId;

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

/// The tensors that this program, or this rank, makes from now on lie on this device.
fn set_device(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [device] = args.bind(Signature { name: "set_device", params: ["device"] })?;
    let Some(given) = device else { return Ok(Value::None) };
    let names_sips = given.value.as_str().and_then(SipChoice::parse).is_some();
    if evaluator.seat.is_none() || names_sips {
        let sips = sips_of(evaluator, &given)?;
        match &mut evaluator.seat {
            Some(seat) => seat.sips = Some(sips),
            None => evaluator.sips = sips,
        }
        return Ok(Value::None);
    }
    let world = machine(evaluator, args.span)?.world_size();
    let device = device_of(&given, world)?;
    if let Some(seat) = &mut evaluator.seat {
        (seat.device, seat.sips) = (device, None);
    }
    Ok(Value::None)
}

/// The PE that an argument names: an int, or `ahbm:3`.
fn device_of(given: &Given, world: u32) -> Result<u32> {
    let number = number_of(given)?;
    let known = number.and_then(|it| u32::try_from(it).ok()).filter(|device| *device < world);
    known.ok_or_else(|| no_device(given, number, &format!("there are {world}, from 0 on")))
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
        .note("devices are written 0, \"sip:0\" or \"all\"")
}

/// The SIPs that an argument names: `sip:1`, `all`, or the number of one.
pub(super) fn sips_of(evaluator: &mut Evaluator<'_>, given: &Given) -> Result<SipChoice> {
    let count = sip_count(evaluator, given.span)?;
    let named = given.value.as_str().and_then(SipChoice::parse);
    let (choice, number) = match named {
        Some(SipChoice::All) => return Ok(SipChoice::All),
        Some(SipChoice::One(sip)) => (Some(sip), Some(i128::from(sip))),
        None => {
            let number = number_of(given)?;
            (number.and_then(|it| u32::try_from(it).ok()), number)
        }
    };
    let known = choice.filter(|sip| *sip < count).map(SipChoice::One);
    known.ok_or_else(|| {
        let have = if count == 1 { "SIP" } else { "SIPs" };
        no_device(given, number, &format!("the world reaches {count} {have}, from 0 on"))
    })
}

/// The SIPs on which a policy places a tensor where nothing else is said.
pub(super) fn current_sips(evaluator: &mut Evaluator<'_>, span: Span) -> Result<SipChoice> {
    let Some(seat) = &evaluator.seat else { return Ok(evaluator.sips) };
    let (said, device) = (seat.sips, seat.device);
    let extent = machine(evaluator, span)?.extent();
    Ok(said.unwrap_or(SipChoice::One(extent.coord(PeId(device)).sip)))
}

/// The SIPs that the world reaches.
fn sip_count(evaluator: &mut Evaluator<'_>, span: Span) -> Result<u32> {
    let machine = machine(evaluator, span)?;
    let extent = machine.extent();
    let of_sip = (extent.cubes.count() * extent.pes.count()).max(1);
    Ok(machine.world_size().div_ceil(of_sip))
}

/// The number of the device: a PE's in a worker, else a SIP's; `"all"` where it is all of them.
fn current_device(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "current_device", params: [] })?;
    let sips = match &evaluator.seat {
        Some(seat) => match seat.sips {
            Some(sips) => sips,
            None => return Ok(Value::Int(i128::from(seat.device))),
        },
        None => evaluator.sips,
    };
    Ok(match sips {
        SipChoice::One(sip) => Value::Int(i128::from(sip)),
        SipChoice::All => Value::str("all"),
    })
}

/// How many devices there are: PEs in a worker, else SIPs.
fn device_count(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "device_count", params: [] })?;
    let count = match evaluator.seat.is_some() {
        true => machine(evaluator, args.span)?.world_size(),
        false => sip_count(evaluator, args.span)?,
    };
    Ok(Value::Int(i128::from(count)))
}

/// `get_device_properties(device=0)`: what a PE can do at most. All are alike.
fn get_device_properties(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let signature = Signature { name: "get_device_properties", params: ["device?"] };
    let [device] = args.bind(signature)?;
    let machine = machine(evaluator, args.span)?;
    if let Some(given) = device {
        device_of(&given, machine.world_size())?;
    }
    let known = machine.properties();
    Ok(known.map_or(Value::None, |known| Value::object(DeviceProperties(known))))
}
