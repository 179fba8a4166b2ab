//! Channels, thread blocks, chunks and what is done with them, with the names of MSCCL++.
//!
//! A kernel that uses them says what its rank does in an execution plan; each call is one op
//! [`ir::Channel`], whose numbers the launch decides.

mod request;

use self::request::{Request, done, handle_of};
use super::{Call, Row};
use crate::ir::channel::{FIRST_SCRATCH, INPUT, OUTPUT, TO_THE_END};
use crate::ir::{self, Type, Value, Verb};
use crate::ops::BinaryOp;
use crate::sema::analysis::Analysis;
use crate::sema::errors::plans as errors;
use crate::sema::value::{Handle, HandleKind, Spanned, Val};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind};

/// What combines values.
const REDUCTIONS: [&str; 3] = ["sum", "min", "max"];
/// What a switch channel may span.
const BUFFERS: [&str; 3] = ["input", "output", "scratch"];
/// What ranks can compute together.
const COLLECTIVES: [&str; 8] = [
    "allreduce",
    "allgather",
    "reducescatter",
    "alltoall",
    "sendrecv",
    "broadcast",
    "test",
    "custom",
];
/// How data is sent.
const PROTOCOLS: [&str; 2] = ["Simple", "LL"];
/// The number of a count that is not given.
const NOT_GIVEN: i64 = -1;

const RANK: &[Row] = rows! {
    /// The input of the rank.
    "get_input_buffer", "rank", input_buffer;
    /// The output of the rank.
    "get_output_buffer", "rank", output_buffer;
    /// Copies chunks within the rank.
    "copy", "rank, dst_chunk, src_chunk, tb=None, tb_group=None", copy;
    /// Copies a chunk into packets of scratch.
    "copy_packets", "rank, dst_chunk, src_chunk, tb=None, tb_group=None", copy_packets;
    /// Waits for packets of scratch and copies what they hold.
    "unpack_packets", "rank, dst_chunk, src_chunk, tb=None, tb_group=None", unpack_packets;
    /// Combines chunks of the rank; with `packet`, the others are packets.
    "reduce", "rank, src_chunk, other_chunks, tb=None, tb_group=None, dst_chunk=None, reduce_op='sum', packet=False", local_reduce;
    /// The thread blocks meet.
    "barrier", "rank, tb_list", barrier;
};

const MEMORY: &[Row] = rows! {
    /// Adds one to the peer's counter.
    "signal", "channel, tb, data_sync='both', relaxed=False", signal;
    /// Waits until the peer has signalled once more.
    "wait", "channel, tb, data_sync='both', relaxed=False", wait;
    /// Reads chunks of the peer.
    "get", "channel, dst_chunk, src_chunk, tb=None, tb_group=None", get;
    /// Writes chunks of the peer.
    "put", "channel, dst_chunk, src_chunk, tb=None, tb_group=None", put;
    /// Writes packets to scratch of the peer.
    "put_packets", "channel, dst_chunk, src_chunk, tb=None, tb_group=None", put_packets;
    /// Waits for own packets and passes them on to scratch of the peer.
    "read_put_packets", "channel, dst_chunk, src_chunk, tb=None, tb_group=None", read_put_packets;
    /// Combines an own chunk with chunks of peers.
    "reduce", "channel, local_src_chunk, remote_src_chunks, tb=None, tb_group=None, local_dst_chunk=None, reduce_op='sum'", read_reduce;
};

const PORT: &[Row] = rows! {
    /// Adds one to the peer's counter, behind what was asked before.
    "signal", "channel, tb, data_sync='both'", signal;
    /// Waits until the peer has signalled once more.
    "wait", "channel, tb, data_sync='both'", wait;
    /// Waits until all that was asked is done.
    "flush", "channel, tb, data_sync='both'", flush;
    /// Asks that chunks of the peer be written.
    "put", "channel, dst_chunk, src_chunk, tb", put;
    /// Asks for a put and a signal.
    "put_with_signal", "channel, dst_chunk, src_chunk, tb", put_with_signal;
    /// Asks for a put and a signal, and waits for both.
    "put_with_signal_and_flush", "channel, dst_chunk, src_chunk, tb", put_with_signal_and_flush;
    /// Asks that packets be copied to scratch of the peer.
    "put_packets", "channel, dst_chunk, src_chunk, tb", put_packets;
    /// Waits for own packets and asks that they be copied to scratch of the peer.
    "read_put_packets", "channel, dst_chunk, src_chunk, tb=None, tb_group=None", read_put_packets;
};

const SWITCH: &[Row] = rows! {
    /// The channel as a rank sees it.
    "at_rank", "channel, rank", at_rank;
    /// Combines chunks of all ranks.
    "reduce", "channel, rank, buffer_offset, size, dst_chunk, tb, reduce_op='sum'", switch_reduce;
    /// Writes chunks of all ranks.
    "broadcast", "channel, rank, src_chunk, buffer_offset, size, tb", broadcast;
    /// Waits for own packets and writes them to all ranks.
    "broadcast_packets", "channel, rank, src_chunk, buffer_offset, size, tb", broadcast_packets;
};

const SWITCH_VIEW: &[Row] = rows! {
    /// Combines chunks of all ranks.
    "reduce", "channel, buffer_offset, size, dst_chunk, tb, reduce_op='sum'", switch_reduce;
    /// Writes chunks of all ranks.
    "broadcast", "channel, src_chunk, buffer_offset, size, tb", broadcast;
    /// Waits for own packets and writes them to all ranks.
    "broadcast_packets", "channel, src_chunk, buffer_offset, size, tb", broadcast_packets;
};

const BUFFER: &[Row] = rows! {
    /// The buffer that another rank made as this one made its own.
    "at_rank", "buffer, rank", buffer_at_rank;
};

const SEMAPHORE: &[Row] = rows! {
    /// Takes one, waiting until there is one.
    "acquire", "semaphore, tb, data_sync='both'", acquire;
    /// Gives one.
    "release", "semaphore, tb, data_sync='both'", release;
};

/// The methods of handles of a kind.
pub(super) const fn methods(kind: HandleKind) -> &'static [Row] {
    match kind {
        HandleKind::Rank => RANK,
        HandleKind::MemoryChannel => MEMORY,
        HandleKind::PortChannel => PORT,
        HandleKind::SwitchChannel => SWITCH,
        HandleKind::SwitchView => SWITCH_VIEW,
        HandleKind::Buffer => BUFFER,
        HandleKind::Semaphore => SEMAPHORE,
        HandleKind::Chunk | HandleKind::Group | HandleKind::Pipeline => &[],
    }
}

impl Analysis<'_> {
    /// `buffer[first:end]`; `buffer` is the buffer's number and rank.
    pub(in crate::sema) fn chunk(&mut self, buffer: Vec<Val>, index: ExprId, span: Span) -> Val {
        let ExprKind::Slice { lower, upper, step } = self.kind(index) else {
            return self.report(errors::no_slice(false, span));
        };
        let (lower, upper, step) = (*lower, *upper, *step);
        if step.is_some() {
            return self.report(errors::no_slice(true, span));
        }
        let mut bound = |it: Option<ExprId>, otherwise: i64| match it {
            None => Some(Val::int(otherwise)),
            Some(expr) => {
                let val = self.spanned(expr);
                if val.val.is_error() {
                    return None;
                }
                let Some(value) = self.integer_scalar(&val) else {
                    let found = self.describe(&val.val);
                    let place = ("buffer", "an end of a slice");
                    self.report(errors::argument(place, [&found, "an integer"], val.span));
                    return None;
                };
                Some(Val::Value(value))
            }
        };
        let (first, end) = (bound(lower, 0), bound(upper, TO_THE_END));
        let (Some(first), Some(end)) = (first, end) else { return Val::Error };
        let parts = buffer.into_iter().chain([first, end]);
        let number = |it: &mut Self, val: Val| it.integer_scalar(&Spanned { val, span });
        let numbers: Option<Vec<Value>> = parts.map(|val| number(self, val)).collect();
        let Some(numbers) = numbers else { return Val::Error };
        let op = ir::Channel { verb: Verb::Chunk, words: Vec::new(), numbers: vec![numbers] };
        let number = self.frame.build.emit_value(op, Type::I64, span);
        Handle::val(HandleKind::Chunk, vec![Val::Value(number)])
    }

    /// Begins a loop over pieces of chunks.
    pub(in crate::sema) fn begin_pipeline(&mut self, parts: &[Val], span: Span) {
        let group = |it: &mut Self, val: &Val| {
            it.integer_scalar(&Spanned { val: val.clone(), span }).into_iter().collect()
        };
        let numbers: Vec<Vec<Value>> = parts.iter().map(|val| group(self, val)).collect();
        let op = ir::Channel { verb: Verb::BeginPipeline, words: Vec::new(), numbers };
        self.frame.build.emit(op, Vec::new(), span);
    }

    /// Ends it.
    pub(in crate::sema) fn end_pipeline(&mut self, span: Span) {
        let (words, numbers) = (Vec::new(), Vec::new());
        let op = ir::Channel { verb: Verb::EndPipeline, words, numbers };
        self.frame.build.emit(op, Vec::new(), span);
    }

    /// The number of the own rank.
    fn own_rank(&mut self, span: Span) -> Value {
        let build = &mut self.frame.build;
        let i64 = crate::dtype::DType::I64;
        let [pe, cube] = [0, 1].map(|axis| build.scalar(ir::ProgramId { axis }, i64, span));
        let pes = build.scalar(ir::NumPrograms { axis: 0 }, i64, span);
        let before = build.scalar(ir::Binary { op: BinaryOp::Mul, x: cube, y: pes }, i64, span);
        build.scalar(ir::Binary { op: BinaryOp::Add, x: before, y: pe }, i64, span)
    }
}

/// `tl.collective(name, …)`.
pub(super) fn collective(it: &mut Analysis<'_>, call: &Call) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        let name = made.word(("name", "the collective"), &COLLECTIVES)?;
        let protocol = made.word(("protocol", "`protocol`"), &PROTOCOLS)?;
        made.words.extend([name, protocol]);
        for flag in ["inplace", "reuse_resources", "use_double_scratch_buffer"] {
            made.words.extend(call.flag(flag).then(|| String::from(flag)));
        }
        for flag in ["instr_fusion", "auto_sync"] {
            let is_off = call.get(flag).is_some() && !call.flag(flag);
            made.words.extend(is_off.then(|| format!("no_{flag}")));
        }
        let mut numbers = Vec::new();
        for (name, otherwise) in [
            ("chunk_factor", 1),
            ("input_chunks", NOT_GIVEN),
            ("output_chunks", NOT_GIVEN),
            ("num_threads_per_block", 1024),
            ("buffer_alignment", 16),
            ("min_message_size", NOT_GIVEN),
            ("max_message_size", NOT_GIVEN),
        ] {
            numbers.push(match call.some(name) {
                Some(arg) => made.integer(name, &arg.clone())?,
                None => made.number(otherwise),
            });
        }
        made.numbers.push(numbers);
        Some(made.emit(Verb::Collective))
    })())
}

/// `tl.rank(rank=None)`.
pub(super) fn rank(it: &mut Analysis<'_>, call: &Call) -> Val {
    let Some(arg) = call.some("rank") else {
        let own = it.own_rank(call.span);
        return Handle::val(HandleKind::Rank, vec![Val::Value(own)]);
    };
    let number = Request::new(it, call).integer("rank", &arg.clone());
    number.map_or(Val::Error, |it| Handle::val(HandleKind::Rank, vec![Val::Value(it)]))
}

/// Makes something of one integer.
fn make(it: &mut Analysis<'_>, call: &Call, name: &str, (verb, kind): (Verb, HandleKind)) -> Val {
    let mut made = Request::new(it, call);
    match call.get(name) {
        Some(_) if made.one(name).is_none() => return Val::Error,
        Some(_) => {}
        None => {
            let zero = made.number(0);
            made.numbers.push(vec![zero]);
        }
    }
    Handle::val(kind, vec![Val::Value(made.make(verb))])
}

/// `tl.memory_channel(peer)`.
pub(super) fn memory_channel(it: &mut Analysis<'_>, call: &Call) -> Val {
    make(it, call, "peer", (Verb::MemoryChannel, HandleKind::MemoryChannel))
}

/// `tl.port_channel(peer)`.
pub(super) fn port_channel(it: &mut Analysis<'_>, call: &Call) -> Val {
    make(it, call, "peer", (Verb::PortChannel, HandleKind::PortChannel))
}

/// `tl.semaphore(initial_value)`.
pub(super) fn semaphore(it: &mut Analysis<'_>, call: &Call) -> Val {
    make(it, call, "initial_value", (Verb::Semaphore, HandleKind::Semaphore))
}

/// `tl.switch_channel(ranks, buffer)`.
pub(super) fn switch_channel(it: &mut Analysis<'_>, call: &Call) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        made.integers("ranks")?;
        let word = made.word(("buffer", "`buffer`"), &BUFFERS)?;
        let place = BUFFERS.iter().position(|it| *it == word).unwrap_or(0);
        let number = made.number([INPUT, OUTPUT, FIRST_SCRATCH][place]);
        made.numbers.push(vec![number]);
        let number = Val::Value(made.make(Verb::SwitchChannel));
        Some(Handle::val(HandleKind::SwitchChannel, vec![number]))
    })())
}

/// `tl.scratch_buffer(size)`.
pub(super) fn scratch_buffer(it: &mut Analysis<'_>, call: &Call) -> Val {
    let mut made = Request::new(it, call);
    if made.one("size").is_none() {
        return Val::Error;
    }
    let number = Val::Value(made.make(Verb::Buffer));
    let own = Val::Value(it.own_rank(call.span));
    Handle::val(HandleKind::Buffer, vec![number, own])
}

/// `tl.thread_block_group(tb_list)`.
pub(super) fn thread_block_group(it: &mut Analysis<'_>, call: &Call) -> Val {
    let mut made = Request::new(it, call);
    let blocks = made.integers("tb_list").and_then(|()| made.numbers.pop());
    let group =
        |it: Vec<Value>| Handle::val(HandleKind::Group, it.into_iter().map(Val::Value).collect());
    blocks.map_or(Val::Error, group)
}

/// `tl.loop_iteration_context(unit, num_chunks)`.
pub(super) fn loop_iteration_context(it: &mut Analysis<'_>, call: &Call) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        made.one("unit")?;
        made.one("num_chunks")?;
        let parts = made.numbers.iter().flatten().map(|it| Val::Value(*it)).collect();
        Some(Handle::val(HandleKind::Pipeline, parts))
    })())
}

fn buffer_of(call: &Call, number: i64) -> Val {
    let rank = handle_of(&call.arg("rank").val, &[HandleKind::Rank]);
    let rank = rank.and_then(|it| it.parts.first().cloned()).unwrap_or(Val::Error);
    Handle::val(HandleKind::Buffer, vec![Val::int(number), rank])
}

/// `rank.get_input_buffer()`.
fn input_buffer(_: &mut Analysis<'_>, call: &Call) -> Val {
    buffer_of(call, INPUT)
}

/// `rank.get_output_buffer()`.
fn output_buffer(_: &mut Analysis<'_>, call: &Call) -> Val {
    buffer_of(call, OUTPUT)
}

/// `buffer.at_rank(rank)`.
fn buffer_at_rank(it: &mut Analysis<'_>, call: &Call) -> Val {
    let number = handle_of(&call.arg("buffer").val, &[HandleKind::Buffer]);
    let number = number.and_then(|it| it.parts.first().cloned()).unwrap_or(Val::Error);
    let rank = Request::new(it, call).integer("rank", &call.arg("rank").clone());
    let at = |rank| Handle::val(HandleKind::Buffer, vec![number, Val::Value(rank)]);
    rank.map_or(Val::Error, at)
}

/// `channel.at_rank(rank)`.
fn at_rank(it: &mut Analysis<'_>, call: &Call) -> Val {
    let number = handle_of(&call.arg("channel").val, &[HandleKind::SwitchChannel]);
    let number = number.and_then(|it| it.parts.first().cloned()).unwrap_or(Val::Error);
    let rank = Request::new(it, call).integer("rank", &call.arg("rank").clone());
    let at = |rank| Handle::val(HandleKind::SwitchView, vec![number, Val::Value(rank)]);
    rank.map_or(Val::Error, at)
}

const CHANNELS: [HandleKind; 2] = [HandleKind::MemoryChannel, HandleKind::PortChannel];

/// An op of one thread block on a memory or port channel.
fn synchronise(it: &mut Analysis<'_>, call: &Call, verb: Verb) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        channel(&mut made)?;
        made.words.extend(call.flag("relaxed").then(|| String::from("relaxed")));
        made.sync()?;
        made.one("tb")?;
        Some(made.emit(verb))
    })())
}

/// The receiver of a method of memory and port channels.
fn channel(made: &mut Request<'_, '_, '_>) -> Option<()> {
    let kind = made.handle("channel", &CHANNELS)?;
    let word = if kind == HandleKind::PortChannel { "port" } else { "memory" };
    made.words.push(word.into());
    Some(())
}

/// `channel.signal(tb, data_sync, relaxed)`.
fn signal(it: &mut Analysis<'_>, call: &Call) -> Val {
    synchronise(it, call, Verb::Signal)
}

/// `channel.wait(tb, data_sync, relaxed)`.
fn wait(it: &mut Analysis<'_>, call: &Call) -> Val {
    synchronise(it, call, Verb::Wait)
}

/// `channel.flush(tb, data_sync)`.
fn flush(it: &mut Analysis<'_>, call: &Call) -> Val {
    synchronise(it, call, Verb::Flush)
}

/// An op on a target and a source, through a channel.
fn transfer(it: &mut Analysis<'_>, call: &Call, verb: Verb) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        channel(&mut made)?;
        made.chunk("dst_chunk")?;
        made.chunk("src_chunk")?;
        made.blocks()?;
        Some(made.emit(verb))
    })())
}

/// `channel.put(dst_chunk, src_chunk, …)`.
fn put(it: &mut Analysis<'_>, call: &Call) -> Val {
    transfer(it, call, Verb::Put)
}

/// `channel.get(dst_chunk, src_chunk, …)`.
fn get(it: &mut Analysis<'_>, call: &Call) -> Val {
    transfer(it, call, Verb::Get)
}

/// `channel.put_packets(dst_chunk, src_chunk, …)`.
fn put_packets(it: &mut Analysis<'_>, call: &Call) -> Val {
    transfer(it, call, Verb::PutPackets)
}

/// `channel.read_put_packets(dst_chunk, src_chunk, …)`.
fn read_put_packets(it: &mut Analysis<'_>, call: &Call) -> Val {
    transfer(it, call, Verb::ReadPutPackets)
}

/// `channel.put_with_signal(dst_chunk, src_chunk, tb)`.
fn put_with_signal(it: &mut Analysis<'_>, call: &Call) -> Val {
    transfer(it, call, Verb::PutWithSignal)
}

/// `channel.put_with_signal_and_flush(dst_chunk, src_chunk, tb)`.
fn put_with_signal_and_flush(it: &mut Analysis<'_>, call: &Call) -> Val {
    transfer(it, call, Verb::PutWithSignalAndFlush)
}

/// An op on a target and a source within a rank.
fn local(it: &mut Analysis<'_>, call: &Call, verb: Verb) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        made.handle("rank", &[HandleKind::Rank])?;
        made.chunk("dst_chunk")?;
        made.chunk("src_chunk")?;
        made.blocks()?;
        Some(made.emit(verb))
    })())
}

/// `rank.copy(dst_chunk, src_chunk, …)`.
fn copy(it: &mut Analysis<'_>, call: &Call) -> Val {
    local(it, call, Verb::Copy)
}

/// `rank.copy_packets(dst_chunk, src_chunk, …)`.
fn copy_packets(it: &mut Analysis<'_>, call: &Call) -> Val {
    local(it, call, Verb::CopyPackets)
}

/// `rank.unpack_packets(dst_chunk, src_chunk, …)`.
fn unpack_packets(it: &mut Analysis<'_>, call: &Call) -> Val {
    local(it, call, Verb::UnpackPackets)
}

/// What is combined, where it goes (to the first source unless said otherwise), and who does it.
fn reduction(made: &mut Request<'_, '_, '_>, [target, source, others]: [&str; 3]) -> Option<()> {
    let word = made.word(("reduce_op", "`reduce_op`"), &REDUCTIONS)?;
    made.words.push(word);
    made.chunk(if made.call.some(target).is_some() { target } else { source })?;
    made.chunk(source)?;
    made.blocks()?;
    made.chunks(others)
}

/// `rank.reduce(src_chunk, other_chunks, …)`.
fn local_reduce(it: &mut Analysis<'_>, call: &Call) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        made.handle("rank", &[HandleKind::Rank])?;
        made.words.extend(call.flag("packet").then(|| String::from("packet")));
        reduction(&mut made, ["dst_chunk", "src_chunk", "other_chunks"])?;
        Some(made.emit(Verb::Reduce))
    })())
}

/// `channel.reduce(local_src_chunk, remote_src_chunks, …)`.
fn read_reduce(it: &mut Analysis<'_>, call: &Call) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        channel(&mut made)?;
        reduction(&mut made, ["local_dst_chunk", "local_src_chunk", "remote_src_chunks"])?;
        Some(made.emit(Verb::ReadReduce))
    })())
}

/// `rank.barrier(tb_list)`.
fn barrier(it: &mut Analysis<'_>, call: &Call) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        made.handle("rank", &[HandleKind::Rank])?;
        made.integers("tb_list")?;
        Some(made.emit(Verb::Barrier))
    })())
}

/// `semaphore.acquire(tb, data_sync)`, `semaphore.release(tb, data_sync)`.
fn semaphore_op(it: &mut Analysis<'_>, call: &Call, verb: Verb) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        made.handle("semaphore", &[HandleKind::Semaphore])?;
        made.sync()?;
        made.one("tb")?;
        Some(made.emit(verb))
    })())
}

/// `semaphore.acquire(tb, data_sync)`.
fn acquire(it: &mut Analysis<'_>, call: &Call) -> Val {
    semaphore_op(it, call, Verb::Acquire)
}

/// `semaphore.release(tb, data_sync)`.
fn release(it: &mut Analysis<'_>, call: &Call) -> Val {
    semaphore_op(it, call, Verb::Release)
}

/// An op through a switch: the channel, the rank that does it, the range, a chunk, a block.
fn through_switch(it: &mut Analysis<'_>, call: &Call, (verb, chunk): (Verb, &str)) -> Val {
    let mut made = Request::new(it, call);
    done((|| {
        let kinds = [HandleKind::SwitchChannel, HandleKind::SwitchView];
        let kind = made.handle("channel", &kinds)?;
        if kind == HandleKind::SwitchView {
            let rank = made.numbers.last_mut().and_then(Vec::pop)?;
            made.numbers.push(vec![rank]);
        } else {
            made.one("rank")?;
        }
        made.one("buffer_offset")?;
        made.one("size")?;
        let size = made.numbers.pop()?;
        made.numbers.last_mut()?.extend(size);
        made.chunk(chunk)?;
        made.one("tb")?;
        if verb == Verb::SwitchReduce {
            let word = made.word(("reduce_op", "`reduce_op`"), &REDUCTIONS)?;
            made.words.push(word);
        }
        Some(made.emit(verb))
    })())
}

/// `channel.reduce(rank, buffer_offset, size, dst_chunk, tb, reduce_op)`.
fn switch_reduce(it: &mut Analysis<'_>, call: &Call) -> Val {
    through_switch(it, call, (Verb::SwitchReduce, "dst_chunk"))
}

/// `channel.broadcast(rank, src_chunk, buffer_offset, size, tb)`.
fn broadcast(it: &mut Analysis<'_>, call: &Call) -> Val {
    through_switch(it, call, (Verb::Broadcast, "src_chunk"))
}

/// `channel.broadcast_packets(rank, src_chunk, buffer_offset, size, tb)`.
fn broadcast_packets(it: &mut Analysis<'_>, call: &Call) -> Val {
    through_switch(it, call, (Verb::BroadcastPackets, "src_chunk"))
}
