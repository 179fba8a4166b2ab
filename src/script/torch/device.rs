//! `torch.ahbm` and `torch.accelerator`: on which device the tensors of a rank lie.

use super::launched::DeviceProperties;
use super::{always, machine};
use crate::diag::hosting;
use crate::script::args::{Args, Given, Signature};
use crate::script::evaluator::Evaluator;
use crate::script::fault::{Fault, Result};
use crate::script::object::Module;
use crate::script::value::Value;

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

/// The tensors that this rank makes from now on lie on this PE.
fn set_device(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [device] = args.bind(Signature { name: "set_device", params: ["device"] })?;
    let Some(given) = device else { return Ok(Value::None) };
    let world = machine(evaluator, args.span)?.world_size();
    let device = device_of(&given, world)?;
    let Some(seat) = &mut evaluator.seat else {
        let message = "the device of a rank, and this program speaks for all of them";
        return Err(Fault::new(hosting::HOST_UNSUPPORTED, message, args.span, "called here")
            .help(String::from(
                "call it in a worker of `torch.multiprocessing.spawn`; here `placement=` says where \
                 a tensor lies",
            )));
    };
    seat.device = device;
    Ok(Value::None)
}

/// The device that an argument names: an int, or `ahbm:3`.
fn device_of(given: &Given, world: u32) -> Result<u32> {
    let number = match given.value.as_str() {
        Some(text) => text.strip_prefix("ahbm:").and_then(|number| number.parse::<i128>().ok()),
        None => Some(given.int("`device`")?),
    };
    let known = number.and_then(|it| u32::try_from(it).ok()).filter(|device| *device < world);
    known.ok_or_else(|| {
        let shown = number.map_or_else(|| String::from("that"), |number| number.to_string());
        let message = format!("there is no device {shown}: there are {world}, from 0 on");
        Fault::new(hosting::HOST_VALUE, message, given.span, "not a device")
    })
}

fn current_device(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "current_device", params: [] })?;
    let device = evaluator.seat.as_ref().map(|seat| Value::Int(i128::from(seat.device)));
    Ok(device.unwrap_or(Value::None))
}

fn device_count(evaluator: &mut Evaluator<'_>, args: Args) -> Result<Value> {
    let [] = args.bind(Signature { name: "device_count", params: [] })?;
    Ok(Value::Int(i128::from(machine(evaluator, args.span)?.world_size())))
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
