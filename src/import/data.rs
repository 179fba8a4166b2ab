//! Ops that move data: from their operands to moves and requests to ports.

use super::lower::Body;
use super::operands::{Resolved, Wanted};
use super::schema::{ChannelType, Chunk, Op, OpName};
use super::shapes::{Operands, Pattern, Shape, Whose, shape_of};
use super::{Refused, Semantics, combines};
use crate::command::channel::{
    ChannelOp, Exchange, ExchangeSpec, Form, Move, PortPut, PortRequest, PortSpec, Stretch,
};
use crate::diag::plans as codes;
use crate::ops::BinaryOp;

type Result<T> = std::result::Result<T, Box<Refused>>;

/// The command of an op that moves data.
pub(super) fn data(body: &mut Body<'_>, op: &Op, path: &str) -> Result<(ChannelOp, String)> {
    let Some(shape) = shape_of(op.name, op.channel_type) else {
        let message = format!("`{}` moves no data", op.name.name());
        return Err(Refused::at(codes::BAD_OP, path, message));
    };
    check_channel(op, &shape, path)?;
    let op = &as_device(op, body.scope.semantics);
    let slice = op.tbg_info;
    if slice.is_some_and(|it| it.tb_id >= it.tbg_size) {
        let message = "`tb_id` is not below `tbg_size`";
        return Err(Refused::at(codes::BAD_INDEX, format!("{path}.tbg_info"), message));
    }
    let side = |chunks: &[Chunk], wanted: &Operands, key: &str| {
        if !wanted.takes(chunks.len()) {
            let (name, fewest) = (op.name.name(), wanted.fewest());
            let more = if wanted.more.is_some() { " or more" } else { "" };
            let message =
                format!("`{name}` has {} in `{key}`, expected {fewest}{more}", chunks.len());
            return Err(Refused::at(codes::BAD_OP, path, message));
        }
        let mut resolved = Vec::with_capacity(chunks.len());
        for (place, chunk) in chunks.iter().enumerate() {
            let Some((whose, form)) = wanted.slot(place) else { break };
            let wanted = Wanted { whose, form, channel: op.channel_type, slice };
            resolved.push(body.scope.resolve(chunk, wanted, &format!("{path}.{key}[{place}]"))?);
        }
        Ok(resolved)
    };
    let sources = side(&op.src_buff, &shape.sources, "src_buff")?;
    let targets = side(&op.dst_buff, &shape.targets, "dst_buff")?;
    let text = shown(&sources, &targets);
    let command = if op.channel_type == Some(ChannelType::Port) {
        port(body, op, (sources, targets), path)?
    } else {
        let moves = moves(op, &shape, (sources, targets), (body.scope.semantics, path))?;
        let spec = ExchangeSpec { name: op.name.name(), moves, unit: body.unit };
        ChannelOp::Exchange(Exchange { spec: body.code.exchanges.push(spec) })
    };
    Ok((command, text))
}

/// A reduction through the switch that is stored at one place, which the device cannot load.
pub(super) fn group_load_reduce(
    body: &mut Body<'_>,
    op: &Op,
    path: &str,
) -> Result<(ChannelOp, String)> {
    let (Some(index), Some(size), Some(target), Some(id)) =
        (op.buffer_offset, op.size, op.dst_chunk, op.channel_ids.first())
    else {
        let message = "`glre` needs `buffer_offset`, `size`, `dst_chunk` and `channel_ids`";
        return Err(Refused::at(codes::MISSING_KEY, path, message));
    };
    if body.scope.semantics == Semantics::Device {
        let message = "the device's loader knows no `glre` that is not part of a `glres`";
        return Err(Refused::at(codes::NOT_LOADABLE, path, message));
    }
    let source = Chunk {
        buffer: None,
        buffer_id: None,
        switch_channel_id: Some(*id),
        rank: None,
        index,
        size,
    };
    let wanted =
        |whose| Wanted { whose, form: Form::Plain, channel: op.channel_type, slice: op.tbg_info };
    let sources = vec![body.scope.resolve(&source, wanted(Whose::Group), path)?];
    let path = format!("{path}.dst_chunk");
    let targets = vec![body.scope.resolve(&target, wanted(Whose::Own), &path)?];
    let text = shown(&sources, &targets);
    let moves = vec![combined((sources, targets), reduce(body.scope.semantics, op), &path)?];
    let spec = ExchangeSpec { name: op.name.name(), moves, unit: body.unit };
    let spec = body.code.exchanges.push(spec);
    Ok((ChannelOp::Exchange(Exchange { spec }), text))
}

/// What an op combines values with. The device always adds.
fn reduce(semantics: Semantics, op: &Op) -> BinaryOp {
    match semantics {
        Semantics::Intent => op.reduce_op.map_or(BinaryOp::Add, combines),
        Semantics::Device => BinaryOp::Add,
    }
}

/// The op as the device reads it.
fn as_device(op: &Op, semantics: Semantics) -> Op {
    let mut op = op.clone();
    if semantics == Semantics::Intent {
        return op;
    }
    if op.name == OpName::Get {
        // The two offsets are swapped.
        for (source, target) in op.src_buff.iter_mut().zip(&mut op.dst_buff) {
            std::mem::swap(&mut source.index, &mut target.index);
        }
    }
    let is_memory = op.channel_type == Some(ChannelType::Memory);
    if is_memory && matches!(op.name, OpName::Put | OpName::PutPackets) {
        // All are read from the buffer of the first.
        let first = op.src_buff.first().and_then(|it| it.buffer);
        op.src_buff.iter_mut().for_each(|it| it.buffer = first);
    }
    op
}

fn check_channel(op: &Op, shape: &Shape, path: &str) -> Result<()> {
    let Some(types) = shape.channel else { return Ok(()) };
    if op.channel_type.is_some_and(|it| types.contains(&it)) {
        return Ok(());
    }
    let name = op.name.name();
    let wanted: Vec<&str> = types.iter().map(|it| it.name()).collect();
    let wanted = wanted.join(" or ");
    Err(match op.channel_type {
        Some(given) => {
            let message = format!("`{name}` uses {wanted} channels, not {}", given.name());
            Refused::at(codes::BAD_OP, format!("{path}.channel_type"), message)
        }
        None => {
            let message = format!("`{name}` has no `channel_type`; it uses {wanted} channels");
            Refused::at(codes::MISSING_KEY, path, message)
        }
    })
}

fn shown(sources: &[Resolved], targets: &[Resolved]) -> String {
    let list =
        |all: &[Resolved]| all.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(" ");
    format!("{} -> {}", list(sources), list(targets))
}

fn stretches(all: Vec<Resolved>) -> Vec<Stretch> {
    all.into_iter().map(|it| it.stretch).collect()
}

/// All sources, combined, to all targets; they must be alike.
fn combined(
    (sources, targets): (Vec<Resolved>, Vec<Resolved>),
    reduce: BinaryOp,
    path: &str,
) -> Result<Move> {
    let (sources, targets) = (stretches(sources), stretches(targets));
    let bytes = sources.first().map_or(0, |it| it.bytes);
    if let Some(other) = sources.iter().chain(&targets).find(|it| it.bytes != bytes) {
        let message = format!("the operands differ in size: {bytes} B and {} B", other.bytes);
        return Err(Refused::at(codes::BAD_OP, path, message));
    }
    Ok(Move { sources, reduce, targets })
}

fn moves(
    op: &Op,
    shape: &Shape,
    (mut sources, targets): (Vec<Resolved>, Vec<Resolved>),
    (semantics, path): (Semantics, &str),
) -> Result<Vec<Move>> {
    let reduce = reduce(semantics, op);
    if shape.pattern == Pattern::Pairs {
        check_pairs(op, path)?;
        let pairs = sources.into_iter().zip(targets);
        return pairs
            .map(|(source, target)| combined((vec![source], vec![target]), reduce, path))
            .collect();
    }
    if shape.pattern == Pattern::FirstLast {
        sources.rotate_left(1);
    }
    Ok(vec![combined((sources, targets), reduce, path)?])
}

fn check_pairs(op: &Op, path: &str) -> Result<()> {
    let (sources, targets) = (op.src_buff.len(), op.dst_buff.len());
    if sources == targets {
        return Ok(());
    }
    let message = format!("`{}` has {sources} sources and {targets} targets", op.name.name());
    Err(Refused::at(codes::BAD_OP, path, message))
}

/// Requests to the ports of an op's channels.
fn port(
    body: &mut Body<'_>,
    op: &Op,
    (sources, targets): (Vec<Resolved>, Vec<Resolved>),
    path: &str,
) -> Result<ChannelOp> {
    let (sources, targets) = (stretches(sources), stretches(targets));
    let awaits = op.name == OpName::ReadPutPackets;
    if !awaits {
        check_pairs(op, path)?;
    }
    if op.channel_ids.len() != targets.len() {
        let (channels, targets) = (op.channel_ids.len(), targets.len());
        let message = format!("`{}` has {channels} channels for {targets} targets", op.name.name());
        return Err(Refused::at(codes::BAD_OP, path, message));
    }
    let mut requests = Vec::with_capacity(targets.len());
    for (place, (target, id)) in targets.into_iter().zip(&op.channel_ids).enumerate() {
        let id_path = format!("{path}.channel_ids[{place}]");
        let channel = body.scope.end(ChannelType::Port, *id, &id_path)?;
        let source = sources.get(place).or(sources.first()).cloned();
        let Some(source) = source.filter(|it| it.bytes == target.bytes) else {
            return Err(Refused::at(codes::BAD_OP, path, "the operands differ in size"));
        };
        requests.push(PortRequest { channel, source, target });
    }
    let signals = matches!(op.name, OpName::PutWithSignal | OpName::PutWithSignalAndFlush);
    let flushes = op.name == OpName::PutWithSignalAndFlush;
    let spec =
        PortSpec { name: op.name.name(), requests, signals, flushes, awaits, unit: body.unit };
    Ok(ChannelOp::PortPut(PortPut { spec: body.code.ports.push(spec) }))
}
