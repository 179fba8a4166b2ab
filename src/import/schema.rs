//! The JSON of an execution plan, key by key, and what is wrong with a text that is none.

use serde::{Deserialize, Serialize};

use super::json;
use crate::diag::{Diagnostic, Reported, Sink, nearest_help, plans as codes};
use crate::source::{FileId, SourceMap, Span};

/// A plan: what every rank does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it is called.
    pub name: String,
    /// What it computes.
    pub collective: String,
    /// Whether scratch has room for packets.
    pub protocol: Protocol,
    /// Whether the caller passes one buffer.
    pub inplace: bool,
    /// The ranks.
    pub gpus: Vec<Gpu>,
    /// Whether scratch is a pool of fixed size.
    #[serde(default)]
    pub reuse_resources: bool,
    /// Whether launches use two halves of scratch in turn.
    #[serde(default)]
    pub use_double_scratch_buffer: bool,
    /// Threads of a block.
    #[serde(default = "threads")]
    pub num_threads_per_block: u32,
    /// What splits are multiples of, in bytes.
    #[serde(default = "alignment")]
    pub buffer_alignment: u64,
    /// The smallest message.
    #[serde(default)]
    pub min_message_size: u64,
    /// The largest message.
    #[serde(default = "unlimited")]
    pub max_message_size: u64,
    /// The kernel that it is written as, if it is one.
    #[serde(skip)]
    pub written: Option<Span>,
}

const fn threads() -> u32 {
    1024
}

const fn alignment() -> u64 {
    16
}

const fn unlimited() -> u64 {
    u64::MAX
}

/// How data is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Protocol {
    /// Plain.
    Simple,
    /// In packets, which take twice the room.
    LL,
}

/// A rank.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Its place in the list.
    pub id: u32,
    /// Chunks of its input.
    pub input_chunks: u32,
    /// Chunks of its output.
    pub output_chunks: u32,
    /// Chunks of its scratch.
    pub scratch_chunks: u32,
    /// What its thread blocks do.
    pub threadblocks: Vec<Block>,
    /// Its channels.
    pub channels: Vec<Channels>,
    /// What of others it reaches.
    pub remote_buffers: Vec<RemoteBuffer>,
    /// Its semaphores.
    #[serde(default)]
    pub semaphores: Vec<SemaphoreEntry>,
}

/// A semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SemaphoreEntry {
    /// Its value before the first launch.
    pub init_value: u32,
}

/// What a channel goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelType {
    /// Threads read and write the peer's memory.
    Memory,
    /// A proxy does.
    Port,
    /// The switch does, for a group of ranks at once.
    Switch,
}

impl ChannelType {
    /// Its name in plans.
    pub const fn name(self) -> &'static str {
        match self {
            ChannelType::Memory => "memory",
            ChannelType::Port => "port",
            ChannelType::Switch => "switch",
        }
    }
}

/// A buffer of a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum BufferType {
    /// Input.
    #[serde(rename = "i")]
    Input,
    /// Output.
    #[serde(rename = "o")]
    Output,
    /// Scratch.
    #[serde(rename = "s")]
    Scratch,
}

impl BufferType {
    /// Its name in plans.
    pub const fn name(self) -> &'static str {
        match self {
            BufferType::Input => "i",
            BufferType::Output => "o",
            BufferType::Scratch => "s",
        }
    }
}

/// Channels of a rank.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// Of which type.
    pub channel_type: ChannelType,
    /// The peers of memory and port channels, one a channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connected_to: Vec<u32>,
    /// The buffer of a switch channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_type: Option<BufferType>,
    /// The ranks of switch channels, one entry a channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rank_groups: Vec<RankGroup>,
}

/// The ranks of a switch channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RankGroup {
    /// How many.
    pub size: u32,
    /// Which.
    pub ranks: Vec<u32>,
}

/// A buffer of another rank.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteBuffer {
    /// Whose.
    pub rank: u32,
    /// Which.
    #[serde(rename = "type")]
    pub buffer: BufferType,
    /// How it is reached.
    pub access_channel_types: Vec<ChannelType>,
}

/// A thread block.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Its place in the list.
    pub id: u32,
    /// What it does, in order.
    pub ops: Vec<Op>,
    /// The channels that it names.
    pub channels: Vec<BlockChannels>,
    /// The buffers of others that it names.
    pub remote_buffer_refs: Vec<BlockBuffers>,
}

/// Channels of one type that a block names, by their places at the rank.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BlockChannels {
    /// The type.
    pub channel_type: ChannelType,
    /// The places.
    pub channel_ids: Vec<u32>,
}

/// Buffers of others that a block names, by their places at the rank.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BlockBuffers {
    /// How they are reached.
    pub access_channel_type: ChannelType,
    /// The places.
    pub remote_buffer_ids: Vec<u32>,
}

/// What combines values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reduce {
    /// Sum.
    Sum,
    /// Smallest.
    Min,
    /// Largest.
    Max,
}

/// An op of a thread block. Which keys it has depends on its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Op {
    /// Which it is.
    pub name: OpName,
    /// What channels it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<ChannelType>,
    /// The channels, by their places at the block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channel_ids: Vec<u32>,
    /// What is read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub src_buff: Vec<Chunk>,
    /// What is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dst_buff: Vec<Chunk>,
    /// What combines values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduce_op: Option<Reduce>,
    /// The slice of a group that this block handles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tbg_info: Option<GroupSlice>,
    /// The barrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barrier_id: Option<u32>,
    /// How many blocks meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_threadblocks: Option<u32>,
    /// The semaphores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub semaphore_ids: Vec<u32>,
    /// How a pipeline goes over its chunks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iter_context: Option<IterContext>,
    /// What a pipeline repeats.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ops: Vec<Op>,
    /// Of a bare multicast reduction: the buffer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_type: Option<BufferType>,
    /// Of a bare multicast reduction: the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_offset: Option<u32>,
    /// Of a bare multicast reduction: how many chunks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// Of a bare multicast reduction: where the result goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_chunk: Option<Chunk>,
    /// Where a kernel writes it, if it is written so.
    #[serde(skip)]
    pub span: Option<Span>,
}

impl Op {
    /// An op with nothing but its name.
    pub(super) fn new(name: OpName) -> Op {
        Op {
            name,
            channel_type: None,
            channel_ids: Vec::new(),
            src_buff: Vec::new(),
            dst_buff: Vec::new(),
            reduce_op: None,
            tbg_info: None,
            barrier_id: None,
            num_threadblocks: None,
            semaphore_ids: Vec::new(),
            iter_context: None,
            ops: Vec::new(),
            buffer_type: None,
            buffer_offset: None,
            size: None,
            dst_chunk: None,
            span: None,
        }
    }
}

/// An operand: chunks of the own buffer, of another's, or through a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// The own buffer.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub buffer: Option<BufferType>,
    /// Another's, by its place at the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buffer_id: Option<u32>,
    /// A switch channel, by its place at the block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch_channel_id: Option<u32>,
    /// Whose the own buffer is, where that is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// The first chunk.
    pub index: u32,
    /// How many chunks.
    pub size: u32,
}

/// A slice of a group of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSlice {
    /// Which.
    pub tb_id: u32,
    /// Of how many.
    pub tbg_size: u32,
}

/// How a pipeline goes over its chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IterContext {
    /// Bytes of an iteration.
    pub unit_size: u64,
    /// Chunks of all.
    pub num_chunks: u32,
}

/// Makes [`OpName`] from its rows.
macro_rules! op_names {
    ($($(#[doc = $doc:literal])+ $Name:ident = $text:literal;)*) => {
        /// The ops of plans.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
        pub enum OpName {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $Name,)*
        }

        impl OpName {
            /// Its name in plans.
            pub const fn name(self) -> &'static str {
                match self { $(OpName::$Name => $text,)* }
            }
        }
    };
}

op_names! {
    /// The threads of the block meet.
    Nop = "nop";
    /// Blocks of the rank meet.
    Barrier = "barrier";
    /// Adds one to the peer's counter, after what was written.
    Signal = "signal";
    /// The same, in no order with data.
    RelaxedSignal = "rlxsignal";
    /// Waits for a signal.
    Wait = "wait";
    /// The same, in no order with data.
    RelaxedWait = "rlxwait";
    /// Waits until a port has done everything.
    Flush = "flush";
    /// Takes from semaphores.
    SemAcquire = "sem_acquire";
    /// Gives to semaphores.
    SemRelease = "sem_release";
    /// Copies within the rank.
    Copy = "copy";
    /// Writes to a peer.
    Put = "put";
    /// Writes to a peer through a port, then signals.
    PutWithSignal = "pws";
    /// The same, and waits until both are done.
    PutWithSignalAndFlush = "pwsf";
    /// Reads from a peer.
    Get = "get";
    /// Adds up within the rank.
    Reduce = "re";
    /// The same, and writes the result to peers.
    ReduceSend = "res";
    /// Adds what peers have.
    ReadReduce = "rre";
    /// The same, and writes the result to peers.
    ReadReduceSend = "rres";
    /// Adds up through a switch and stores through it.
    GroupLoadReduceStore = "glres";
    /// Stores through a switch.
    GroupStore = "gstore";
    /// Adds up through a switch.
    GroupLoadReduce = "glre";
    /// Copies into packets.
    CopyPackets = "cpkt";
    /// Copies out of packets.
    UnpackPackets = "upkt";
    /// Writes packets to a peer.
    PutPackets = "ppkt";
    /// Passes packets on to peers.
    ReadPutPackets = "rppkt";
    /// Adds up packets.
    ReducePackets = "repkt";
    /// The same, and writes the result as packets to peers.
    ReduceSendPackets = "respkt";
    /// The same, and copies the result as packets.
    ReduceCopyPackets = "recpkt";
    /// Both.
    ReduceCopySendPackets = "recspkt";
    /// Stores packets through a switch.
    GroupStorePackets = "gstorepkt";
    /// Repeats ops over pieces of chunks.
    Pipeline = "pipeline";
}

/// Reads a plan.
///
/// # Errors
/// The text is no JSON, or not that of a plan; reported with its place.
pub(super) fn read(sources: &SourceMap, file: FileId, sink: &mut Sink) -> Result<Plan, Reported> {
    let text = sources.get(file).map_or("", |file| file.text());
    serde_json::from_str(text).map_err(|error| sink.error(refused(sources, file, &error)))
}

/// What is wrong with a text that is no plan.
fn refused(sources: &SourceMap, file: FileId, error: &serde_json::Error) -> Diagnostic {
    let text = sources.get(file).map_or("", |file| file.text());
    let at = json::offset(text, error.line(), error.column());
    let (path, range) = json::trace(text, at.max(1));
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or("").to_owned();
    let place = ((sources, file), (path.as_str(), range));
    let say = |code, message: String, label: &str| {
        json::at_place((code, message), place.0, place.1.clone(), label)
    };
    if error.is_syntax() || error.is_eof() {
        return say(codes::NOT_JSON, format!("the plan is not JSON: {said}"), "here");
    }
    let mut quoted = said.split('`').skip(1).step_by(2);
    let name = quoted.next().unwrap_or("").to_owned();
    let known: Vec<&str> = quoted.collect();
    if said.starts_with("missing field") {
        let message = format!("`{path}` has no key `{name}`");
        return say(codes::MISSING_KEY, message, "ends here without it");
    }
    let (code, what, label) = if said.starts_with("unknown field") {
        (codes::UNKNOWN_KEY, "key", "no such key here")
    } else if said.starts_with("unknown variant") {
        let what = if path.ends_with(".name") { "op" } else { "name" };
        (codes::UNKNOWN_NAME, what, "not one of the names for this")
    } else {
        let message = format!("`{path}` is of another type than it must be: {said}");
        return say(codes::WRONG_TYPE, message, "this value");
    };
    let message = match what {
        "key" => format!("an execution plan has no key `{name}` here"),
        "op" => format!("there is no op `{name}` in execution plans"),
        _ => format!("`{name}` is none of the names for `{path}`"),
    };
    let it = say(code, message, label);
    let help = nearest_help(what, &name, known.iter().copied());
    let it = help.into_iter().fold(it, Diagnostic::help);
    it.note(format!("known: {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (String, String) {
        let (mut sources, mut sink) = (SourceMap::new(), Sink::new());
        let file = sources.add("p.json", text);
        read(&sources, file, &mut sink).unwrap_err();
        let it = &sink.diagnostics()[0];
        (format!("{} {}", it.code.id, it.message), it.notes.join("|"))
    }

    const HEAD: &str =
        "{\"name\":\"x\",\"collective\":\"test\",\"protocol\":\"LL\",\"inplace\":true,\"gpus\":[";

    #[test]
    fn mistakes_are_told_with_their_path() {
        let gpu = "{\"id\":0,\"input_chunks\":1,\"output_chunks\":1,\"scratch_chunks\":0,\
                   \"channels\":[],\"remote_buffers\":[],\"threadblocks\":[{\"id\":0,";
        let (message, notes) =
            error(&format!("{HEAD}{gpu}\"ops\":[{{\"name\":\"nop\"}},{{\"name\":\"putt\"}}]"));
        assert_eq!(message, "K0905 there is no op `putt` in execution plans");
        assert!(notes.contains("`gpus[0].threadblocks[0].ops[1].name`"), "{notes}");
        let (message, notes) = error(&format!("{HEAD}{{\"id\":\"0\"}}]}}"));
        assert!(message.starts_with("K0902 `gpus[0].id` is of another type"), "{message}");
        assert!(notes.contains("p.json:1:"), "{notes}");
        let (message, _) = error(&format!("{HEAD}],\"num_thread_per_block\":1}}"));
        assert_eq!(message, "K0904 an execution plan has no key `num_thread_per_block` here");
        assert!(error("{\"name\": 1").0.starts_with("K0902"), "the type comes first");
        assert!(error("{\"name\": ").0.starts_with("K0901"));
        assert!(error(&format!("{HEAD}{{\"id\":0}}]}}")).0.contains("`gpus[0]` has no key"));
    }
}
