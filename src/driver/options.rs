//! What the user asks of a launch.

use super::given::{Argument, Expectation};
use crate::dtype::DType;
use crate::host::{RankUnit, SipChoice};
use crate::import::Semantics;
use crate::launch::{Deal, IpcqOptions};
use crate::topology::SlotKind;

/// What launches have in common.
#[derive(Clone, Debug, Default)]
pub struct LaunchOptions {
    /// The machine's file: its name and its text. The built-in machine where there is none.
    pub topology: Option<(String, String)>,
    /// Ranks that take part; all PEs where it is not given.
    pub world: Option<u32>,
    /// `--ranks`: what a rank is to host programs that do not say; a PE where nothing is said.
    pub ranks: Option<RankUnit>,
    /// `--set name=value`, in order.
    pub settings: Vec<(String, String)>,
    /// `--arg name=value`, in order.
    pub arguments: Vec<Argument>,
    /// `--grid`: how many programs run, on three axes.
    pub grid: Option<[u32; 3]>,
    /// `--map`: how they are dealt to ranks.
    pub deal: Deal,
    /// The kernel, or the host function, to run.
    pub entry: Option<String>,
    /// The queues.
    pub ipcq: IpcqOptions,
    /// Whether the communication check is left out.
    pub skip_check: bool,
    /// What execution plans are run with.
    pub plan: PlanSettings,
}

/// What execution plans are run with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanSettings {
    /// `--size`: bytes of a message; 1 MiB, or what the plan is meant for, where it is not given.
    pub bytes: Option<u64>,
    /// `--dtype`.
    pub dtype: DType,
    /// `--launches`.
    pub launches: u32,
    /// `--semantics`.
    pub semantics: Semantics,
}

impl Default for PlanSettings {
    fn default() -> PlanSettings {
        PlanSettings { bytes: None, dtype: DType::F16, launches: 3, semantics: Semantics::Intent }
    }
}

/// Reads a count of bytes: `4096`, `64K`, `1M`, `1GiB`. K, M and G are 2^10, 2^20 and 2^30.
///
/// # Errors
/// It is no such count, or none at all.
pub fn parse_bytes(text: &str) -> Result<u64, UsageError> {
    let usage = || UsageError(format!("--size {text}: expected bytes, such as 4096, 64K or 1M"));
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().trim_end_matches("ib") {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        _ => return Err(usage()),
    };
    let count: u64 = digits.replace('_', "").parse().map_err(|_| usage())?;
    count.checked_mul(unit).filter(|bytes| *bytes > 0).ok_or_else(usage)
}

impl LaunchOptions {
    /// Whether the kernel is launched on what the shell gives it.
    pub fn is_given(&self) -> bool {
        self.grid.is_some() || !self.arguments.is_empty()
    }
}

/// What simulations have beside.
#[derive(Clone, Debug, Default)]
pub struct SimOptions {
    /// `--check`: what the result must equal.
    pub definition: Option<String>,
    /// Whether data is left out.
    pub no_data: bool,
    /// Whether the log is left out, and data with it.
    pub no_explain: bool,
    /// Seed of made data.
    pub seed: u64,
    /// Threads that replay; as many as there are cores where it is not given.
    pub threads: Option<usize>,
    /// Where logs go that do not fit in memory; they stay there all the same without it.
    pub spill: Option<crate::oplog::OpenStore>,
    /// The tensors whose contents are asked for, by parameter.
    pub save: Vec<String>,
    /// What tensors must hold in the end.
    pub expect: Vec<Expectation>,
    /// How far elements may be from that, relative to it.
    pub rtol: Option<f64>,
    /// How far they may be beside.
    pub atol: Option<f64>,
    /// Links and messages whose costs the text shows.
    pub messages: usize,
    /// `--device`: the SIPs on which a host program's policies place tensors until it says otherwise.
    pub device: Option<SipChoice>,
}

impl SimOptions {
    /// How many of the worst messages are kept, for the text or for JSON.
    pub(super) fn kept_messages(&self) -> Option<usize> {
        (!self.no_explain).then(|| self.messages.max(KEPT_MESSAGES))
    }
}

/// The messages that the JSON has at least.
const KEPT_MESSAGES: usize = 10;

/// An option that means nothing: a mistake on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

/// Reads `sip:1`, `sip1`, `cube:17` or `all`.
///
/// # Errors
/// It is none of them.
pub fn parse_device(text: &str) -> Result<SipChoice, UsageError> {
    SipChoice::parse(text).ok_or_else(|| {
        UsageError(format!(
            "--device {text}: expected a SIP, such as sip:0, a cube, such as cube:17, or `all`"
        ))
    })
}

/// Reads `kind=tcm,slots=4,slot_size=auto`.
///
/// # Errors
/// The first part that is not understood.
pub fn parse_ipcq(text: &str) -> Result<IpcqOptions, UsageError> {
    let mut options = IpcqOptions::default();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let Some((key, value)) = part.split_once('=') else {
            return Err(UsageError(format!("--ipcq: `{part}` is not KEY=VALUE")));
        };
        match (key.trim(), value.trim()) {
            ("kind", name) => {
                let kind = SlotKind::ALL.into_iter().find(|kind| kind.name() == name);
                let unknown = || format!("--ipcq: kind is tcm, sram or hbm, not `{name}`");
                options.kind = Some(kind.ok_or_else(|| UsageError(unknown()))?);
            }
            // Whether so many slots are enough, the compiler says with the kernel at hand.
            ("slots", count) => options.slots = Some(number("slots", count)?),
            ("slot_size", "auto") => options.slot_bytes = None,
            ("slot_size", bytes) => options.slot_bytes = Some(number("slot_size", bytes)?),
            (key, _) => {
                let keys = "the keys are kind, slots and slot_size";
                return Err(UsageError(format!("--ipcq: there is no key `{key}`; {keys}")));
            }
        }
    }
    Ok(options)
}

fn number<T: std::str::FromStr>(key: &str, text: &str) -> Result<T, UsageError> {
    let wrong = |_| UsageError(format!("--ipcq: {key} is a whole number, not `{text}`"));
    text.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_described_in_words() {
        let options = parse_ipcq("kind=hbm, slots=2,slot_size=4096").unwrap();
        assert_eq!(options.kind, Some(SlotKind::Hbm));
        assert_eq!((options.slots, options.slot_bytes), (Some(2), Some(4096)));
        assert_eq!(parse_ipcq("slot_size=auto").unwrap(), IpcqOptions::default());
        for wrong in ["slots", "slots=-1", "kind=disk", "colour=blue"] {
            assert!(parse_ipcq(wrong).is_err(), "{wrong}");
        }
    }
}
