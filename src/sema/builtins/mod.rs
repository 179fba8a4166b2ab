//! The built-in functions: one table of signatures, and one function for each.
//!
//! A row gives the name, the signature as the documentation prints it, one line of English and
//! the function that checks the arguments and makes the IR. In a signature `name=default` may be
//! left out, `name|other` has two spellings, and `*name` takes the arguments that remain. The
//! elementwise ops and reductions of the op tables are built-ins of their own names without a
//! row here.

/// Makes rows: `/// doc  "name", "signature", function;`
macro_rules! rows {
    ($($(#[doc = $doc:literal])+ $name:literal, $signature:literal, $run:path;)*) => {
        &[$(Row { name: $name, signature: $signature, doc: concat!($($doc,)+), run: $run },)*]
    };
}

mod addresses;
mod args;
mod atomics;
mod attributes;
mod blocks;
mod channels;
mod checks;
mod combine;
mod composite;
mod create;
mod elementwise;
mod epilogue;
mod hints;
mod lanes;
mod launch;
mod matrix;
mod memory;
mod not_yet;
mod plans;
mod prints;
mod python;
mod reduce;
mod reflection;
mod tiles;
mod views;

pub(super) use args::Call;
pub(super) use not_yet::not_yet;

use super::analysis::Analysis;
use super::value::{HandleKind, Val};
use crate::ops::{AtomicOp, BinaryOp, ReduceOp, TernaryOp, UnaryOp};

/// Checks the arguments of a call and makes its IR.
type Handler = fn(&mut Analysis<'_>, &Call) -> Val;

/// A built-in function of `tl` or of Python.
#[derive(Debug)]
pub(super) struct Row {
    name: &'static str,
    signature: &'static str,
    doc: &'static str,
    run: Handler,
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.name == other.name && self.signature == other.signature
    }
}

/// A built-in function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Builtin {
    /// One with a row in [`TL`].
    Tl(&'static Row),
    /// One with a row in [`PYTHON`].
    Python(&'static Row),
    /// A method with a row in [`DESCRIPTOR`].
    Descriptor(&'static Row),
    /// A method of channels, ranks, buffers, semaphores, with a row in [`plans`].
    Handle(&'static Row),
    /// One with a row in [`TRITON`].
    Triton(&'static Row),
    /// What an element type is asked, with a row in [`reflection`].
    Question(&'static Row),
    /// An elementwise op of one operand.
    Unary(UnaryOp),
    /// An elementwise op of two operands.
    Binary(BinaryOp),
    /// An elementwise op of three operands.
    Ternary(TernaryOp),
    /// A reduction.
    Reduce(ReduceOp),
    /// A change of memory as one.
    Atomic(AtomicOp),
    /// The same of a block, a method of tensor descriptors.
    DescriptorAtomic(AtomicOp),
}

/// The built-ins of `tl`.
const TL: &[Row] = rows! {
    /// This program's coordinate: axis 0 is the PE in its cube, 1 the cube, 2 the SIP.
    "program_id", "axis", launch::program_id;
    /// How many programs the launch has along an axis.
    "num_programs", "axis", launch::num_programs;
    /// Reads what pointers point at into a tile: one element each, or a contiguous block.
    "load", "ptr|pointer, shape=None, dtype=None, mask=None, other=None, boundary_check=(), padding_option='', cache_modifier='', eviction_policy='', volatile=False", memory::load;
    /// Writes a tile to where pointers point: one element each, or a contiguous block.
    "store", "ptr|pointer, value|tile, mask=None, boundary_check=(), cache_modifier='', eviction_policy=''", memory::store;
    /// A strided array in memory of which blocks are loaded and stored.
    "make_tensor_descriptor", "base, shape, strides, block_shape, padding_option='zero'", blocks::make_tensor_descriptor;
    /// The block of a descriptor's array at `offsets`; what lies outside is the padding.
    "load_tensor_descriptor", "desc, offsets", blocks::load_descriptor;
    /// Writes a block of a descriptor's array at `offsets`; what lies outside is dropped.
    "store_tensor_descriptor", "desc, offsets, value", blocks::store_descriptor;
    /// A pointer to a block of a strided array.
    "make_block_ptr", "base, shape, strides, offsets, block_shape, order", blocks::make_block_ptr;
    /// A block pointer moved along the axes.
    "advance", "base, offsets", blocks::advance;
    /// The type of pointers to elements of a type, for casts: `ptr.to(tl.pointer_type(tl.int8))`.
    "pointer_type", "element_ty, address_space=1, const=False", addresses::pointer_type;
    /// A tile filled with zeros.
    "zeros", "shape, dtype", create::zeros;
    /// A tile of zeros with the shape and element type of another.
    "zeros_like", "x|input", create::zeros_like;
    /// A tile filled with one number.
    "full", "shape, value, dtype", create::full;
    /// The integers from `start` up to but not including `end`.
    "arange", "start, end", create::arange;
    /// A Python number as a scalar of its own type; anything else as it is.
    "to_tensor", "x", create::to_tensor;
    /// Converts the elements to another type.
    "cast", "x|input, dtype, fp_downcast_rounding=None, bitcast=False", create::cast;
    /// The same elements, row by row, under another shape.
    "reshape", "x|input, *shape, can_reorder=False", views::reshape;
    /// Axes in another order; without `dims` the last two change places.
    "trans", "x|input, *dims", views::trans;
    /// Axes in another order.
    "permute", "x|input, *dims", views::trans;
    /// A tile repeated to a shape.
    "broadcast_to", "x|input, *shape", views::broadcast_to;
    /// A new axis of extent 1.
    "expand_dims", "x|input, axis", views::expand_dims;
    /// The same elements, row by row, under another shape.
    "view", "x|input, *shape", views::reshape;
    /// All elements, row by row, along one axis.
    "ravel", "x, can_reorder=False", tiles::ravel;
    /// A new axis of extent 1.
    "unsqueeze", "x, dim", views::unsqueeze;
    /// An axis of extent 1 taken away.
    "squeeze", "x, dim", tiles::squeeze;
    /// Two tiles, each in the shape that they broadcast to.
    "broadcast", "x|input, y|other", tiles::broadcast;
    /// Two tiles beside each other, along a new last axis of two.
    "join", "a, b", tiles::join;
    /// The two parts of a tile whose last axis is of two.
    "split", "x|a", tiles::split;
    /// The elements of two tiles in turn, along the last axis.
    "interleave", "a, b", tiles::interleave;
    /// One tile after the other, along an axis.
    "cat", "a|input, b|other, can_reorder=False, dim=0", tiles::cat;
    /// The elements along an axis, the last one if none is named, in the opposite order.
    "flip", "x, dim=None", tiles::flip;
    /// Elements of a tile at places along an axis: `x[index[i, j], j]` for axis 0.
    "gather", "x|src, index, axis", tiles::gather;
    /// The element of a tile of one.
    "item", "x", tiles::item;
    /// The elements along an axis, the last one if none is named, in ascending order; NaNs last.
    "sort", "x, dim=None, descending=False", tiles::sort;
    /// The `k` largest elements along the last axis, the largest first.
    "topk", "x, k, dim=None", tiles::topk;
    /// Sorts elements that rise and then fall, or fall and then rise.
    "bitonic_merge", "x, dim=None, descending=False", tiles::bitonic_merge;
    /// How often each integer below `num_bins` occurs, where the mask holds.
    "histogram", "x|input, num_bins, mask=None", tiles::histogram;
    /// Tiles reduced along an axis, or altogether, by a function of two elements.
    "reduce", "input, axis, combine_fn, keep_dims=False", combine::reduce;
    /// Running results along an axis by a function of two elements.
    "associative_scan", "input, axis, combine_fn, reverse=False", combine::associative_scan;
    /// Running sums along an axis; integers below 32 bits widen to 32.
    "cumsum", "x|input, axis=0, reverse=False, dtype=None", combine::cumsum;
    /// Running products along an axis.
    "cumprod", "x|input, axis=0, reverse=False, dtype=None", combine::cumprod;
    /// A function of the program on each element of tiles.
    "map_elementwise", "scalar_fn, *args, pack=1", combine::map_elementwise;
    /// `x` where the condition holds, else `y`.
    "where", "condition, x, y", elementwise::select;
    /// `exp(x - max(x))` divided by its sum along an axis.
    "softmax", "x|input, axis|dim=None, keep_dims=False, ieee_rounding=False", reduce::softmax;
    /// The quotient of integers rounded up.
    "cdiv", "x, div", elementwise::cdiv;
    /// The matrix product of two tiles, added to `acc` if there is one.
    "dot", "a|input, b|other, acc=None, input_precision=None, allow_tf32=None, max_num_imprecise_acc=None, out_dtype=None", matrix::dot;
    /// A block of memory that a composite streams tile by tile; nothing is moved here.
    "ref", "ptr|pointer, shape, dtype=None", composite::reference;
    /// A tile pipeline from memory or TCM to memory; `wait` waits for its end.
    "composite", "op, a, b=None, out_ptr, epilogue=None, out_dtype=None, math_op=None", composite::composite;
    /// Sends a tile to the neighbour in a direction.
    "send", "dir, src", channels::send;
    /// Receives a tile from the neighbour in a direction, waiting for it.
    "recv", "dir, shape=None, dtype=None, dst=None", channels::recv;
    /// Receives a tile, combines it with `acc` and sends it on, element by element as it arrives.
    "recv_reduce_send", "dir_in, dir_out, acc, op='sum'", channels::recv_reduce_send;
    /// Receives a tile and sends it on, element by element as it arrives.
    "recv_send", "dir_in, dir_out, shape, dtype", channels::recv_send;
    /// Asks for a tile from the neighbour in a direction; `wait` gives it.
    "recv_async", "dir, shape, dtype", channels::recv_async;
    /// Receives without paying for reading the slot; for measurements.
    "recv_no_consume", "dir, shape, dtype", channels::recv_no_consume;
    /// The tile that a future stands for, or the end of a composite.
    "wait", "future", channels::wait;
    /// Says what all ranks compute together, of what chunks, and how scratch is used.
    "collective", "name, chunk_factor=1, inplace=False, protocol='Simple', reuse_resources=False, use_double_scratch_buffer=False, input_chunks=None, output_chunks=None, instr_fusion=True, auto_sync=True, num_threads_per_block=1024, buffer_alignment=16, min_message_size=None, max_message_size=None", plans::collective;
    /// A rank by its number, or the own one.
    "rank", "rank=None", plans::rank;
    /// A new channel over which threads reach a peer's memory.
    "memory_channel", "peer|dst_rank", plans::memory_channel;
    /// A new channel over which a DMA engine or NIC reaches a peer's memory.
    "port_channel", "peer|dst_rank", plans::port_channel;
    /// A new channel through the switch to a buffer of several ranks.
    "switch_channel", "ranks|rank_list, buffer|buffer_type", plans::switch_channel;
    /// A new scratch buffer of so many chunks.
    "scratch_buffer", "size", plans::scratch_buffer;
    /// A new semaphore of the rank.
    "semaphore", "initial_value=0", plans::semaphore;
    /// Thread blocks that share ops, a slice of each chunk for each.
    "thread_block_group", "tb_list", plans::thread_block_group;
    /// What a `for` over pieces of chunks walks: pieces of `unit` bytes of `num_chunks` chunks.
    "loop_iteration_context", "unit, num_chunks", plans::loop_iteration_context;
    /// Loops like `range`, with hints for the pipeline.
    "range", "arg1, arg2=None, step=None, num_stages=None, loop_unroll_factor=None, disallow_acc_multi_buffer=False, flatten=False, warp_specialize=False, disable_licm=False", python::tl_range;
    /// A range whose loop is written out at compile time.
    "static_range", "arg1, arg2=None, step=None", python::static_range;
    /// Refuses to compile unless a condition holds.
    "static_assert", "cond, msg=''", checks::static_assert;
    /// Refuses the run unless a condition holds, of every element that the mask does not leave out.
    "device_assert", "cond, msg='', mask=None", checks::device_assert;
    /// Says something while compiling: values that are known, types of the others.
    "static_print", "*values, sep=' '", prints::static_print;
    /// Prints elements of tiles and scalars, as a run has them, with the line and the PE.
    "device_print", "prefix, *values, hex=False", prints::device_print;
    /// A value of the compile time.
    "constexpr", "value", hints::constexpr;
    /// The condition of a `while`, with hints.
    "condition", "arg1, disable_licm=False", hints::condition;
    /// The value; a sanitizer is told that masked-off elements are zero.
    "expect_zero", "x, mask", hints::expect_zero;
    /// A hint that a condition holds.
    "assume", "cond", hints::assume;
    /// A hint that values are multiples of a number.
    "multiple_of", "input, values", hints::same;
    /// A hint that values are contiguous.
    "max_contiguous", "input, values", hints::same;
    /// A hint that values are constant.
    "max_constancy", "input, values", hints::same;
    /// A barrier of a program's threads; a PE has one.
    "debug_barrier", "", hints::nothing;
};

/// The methods of tensor descriptors.
const DESCRIPTOR: &[Row] = rows! {
    /// The block of the array at `offsets`; what lies outside is the padding.
    "load", "desc, offsets", blocks::load_descriptor;
    /// Writes a block of the array at `offsets`; what lies outside is dropped.
    "store", "desc, offsets, value", blocks::store_descriptor;
    /// Rows of the array, as many columns of each as a block has.
    "gather", "desc, x_offsets, y_offset", blocks::gather;
    /// Writes rows of the array, as many columns of each as a block has.
    "scatter", "desc, value, x_offsets, y_offset", blocks::scatter;
};

/// The atomics of tensor descriptors.
const DESCRIPTOR_ATOMICS: [AtomicOp; 6] =
    [AtomicOp::Add, AtomicOp::Max, AtomicOp::Min, AtomicOp::And, AtomicOp::Or, AtomicOp::Xor];

/// The built-ins of Python.
const PYTHON: &[Row] = rows! {
    /// What a `for` walks.
    "range", "arg1, arg2=None, step=None", python::range;
    /// The items of a tuple or the axes of a shape.
    "len", "items", python::len;
    /// The smaller of scalars.
    "min", "*values", python::min;
    /// The larger of scalars.
    "max", "*values", python::max;
    /// Distance from zero.
    "abs", "x", python::abs;
    /// A scalar as an integer.
    "int", "x", python::int;
    /// A scalar as a float.
    "float", "x", python::float;
    /// As `tl.device_print`.
    "print", "prefix, *values, hex=False", prints::device_print;
    /// A scalar as a truth value.
    "bool", "x", python::bool;
};

/// The functions of `triton` itself.
const TRITON: &[Row] = rows! {
    /// The smallest power of two that is not below a number.
    "next_power_of_2", "n", python::next_power_of_2;
};

impl Builtin {
    /// The built-in `triton.name`.
    pub(super) fn of_triton(name: &str) -> Option<Builtin> {
        TRITON.iter().find(|row| row.name == name).map(Builtin::Triton)
    }

    /// The built-in `tl.name`.
    pub(super) fn of_tl(name: &str) -> Option<Builtin> {
        TL.iter()
            .find(|row| row.name == name)
            .map(Builtin::Tl)
            .or_else(|| UnaryOp::from_name(name).map(Builtin::Unary))
            .or_else(|| BinaryOp::from_name(name).map(Builtin::Binary))
            .or_else(|| TernaryOp::from_name(name).map(Builtin::Ternary))
            .or_else(|| ReduceOp::from_name(name).map(Builtin::Reduce))
            .or_else(|| AtomicOp::from_name(name).map(Builtin::Atomic))
    }

    /// The method `name` of handles of a kind.
    fn of_handle(kind: HandleKind, name: &str) -> Option<Builtin> {
        plans::methods(kind).iter().find(|row| row.name == name).map(Builtin::Handle)
    }

    /// The names of the methods and attributes of handles of a kind.
    fn handle_methods(kind: HandleKind) -> impl Iterator<Item = &'static str> {
        let id = (kind == HandleKind::Rank).then_some("id");
        plans::methods(kind).iter().map(|row| row.name).chain(id)
    }

    /// The method `name` of tensor descriptors.
    fn of_descriptor(name: &str) -> Option<Builtin> {
        let row = DESCRIPTOR.iter().find(|row| row.name == name).map(Builtin::Descriptor);
        let listed = || DESCRIPTOR_ATOMICS.iter().find(|op| op.name() == name);
        row.or_else(|| listed().map(|op| Builtin::DescriptorAtomic(*op)))
    }

    /// The names of the methods of tensor descriptors.
    fn descriptor_methods() -> impl Iterator<Item = &'static str> {
        DESCRIPTOR.iter().map(|row| row.name).chain(DESCRIPTOR_ATOMICS.iter().map(|op| op.name()))
    }

    /// The built-in of Python called `name`.
    pub(super) fn of_python(name: &str) -> Option<Builtin> {
        PYTHON.iter().find(|row| row.name == name).map(Builtin::Python)
    }

    /// The names of all built-ins of `tl`.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        all_of_tl().map(Builtin::name)
    }

    /// The names of all built-ins of Python.
    pub(super) fn python_names() -> impl Iterator<Item = &'static str> {
        PYTHON.iter().map(|row| row.name)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Builtin::Tl(row)
            | Builtin::Python(row)
            | Builtin::Descriptor(row)
            | Builtin::Handle(row)
            | Builtin::Triton(row)
            | Builtin::Question(row) => row.name,
            Builtin::Unary(op) => op.name(),
            Builtin::Binary(op) => op.name(),
            Builtin::Ternary(op) => op.name(),
            Builtin::Reduce(op) => op.name(),
            Builtin::Atomic(op) | Builtin::DescriptorAtomic(op) => op.name(),
        }
    }

    /// Its name as a program writes it: `tl.load`, `len`.
    pub(super) fn display_name(self) -> String {
        match self {
            Builtin::Python(row) => row.name.to_owned(),
            Builtin::Descriptor(_) | Builtin::DescriptorAtomic(_) => {
                format!("desc.{}", self.name())
            }
            Builtin::Handle(row) => {
                let receiver = row.signature.split([',', '|']).next().unwrap_or("");
                format!("{receiver}.{}", row.name)
            }
            Builtin::Triton(row) => format!("triton.{}", row.name),
            Builtin::Question(row) => format!("dtype.{}", row.name),
            Builtin::Tl(_)
            | Builtin::Unary(_)
            | Builtin::Binary(_)
            | Builtin::Ternary(_)
            | Builtin::Reduce(_)
            | Builtin::Atomic(_) => format!("tl.{}", self.name()),
        }
    }

    /// Its parameters, as the documentation prints them.
    pub(super) fn signature(self) -> &'static str {
        match self {
            Builtin::Tl(row)
            | Builtin::Python(row)
            | Builtin::Descriptor(row)
            | Builtin::Handle(row)
            | Builtin::Triton(row)
            | Builtin::Question(row) => row.signature,
            Builtin::Unary(_) => "x",
            Builtin::Binary(BinaryOp::Minimum | BinaryOp::Maximum) => "x, y, propagate_nan=None",
            Builtin::Binary(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul) => {
                "x|input, y|other, sanitize_overflow=True"
            }
            Builtin::Binary(_) => "x, y",
            Builtin::Ternary(TernaryOp::Clamp) => "x, min, max, propagate_nan=None",
            Builtin::Ternary(TernaryOp::ClampNan) => "x, min, max",
            Builtin::Ternary(TernaryOp::Fma) => "x, y, z",
            Builtin::Reduce(ReduceOp::Sum) => "x|input, axis=None, keep_dims=False, dtype=None",
            Builtin::Reduce(ReduceOp::Max | ReduceOp::Min) => {
                "x|input, axis=None, return_indices=False, return_indices_tie_break_left=True, keep_dims=False, propagate_nan=None"
            }
            Builtin::Reduce(ReduceOp::ArgMax | ReduceOp::ArgMin) => {
                "x|input, axis, tie_break_left=True, keep_dims=False"
            }
            Builtin::Atomic(AtomicOp::Cas) => "pointer, cmp, val, sem=None, scope=None",
            Builtin::Atomic(_) => "pointer, val, mask=None, sem=None, scope=None",
            Builtin::DescriptorAtomic(_) => "desc, offsets, value",
            Builtin::Reduce(
                ReduceOp::MaxNan | ReduceOp::MinNan | ReduceOp::XorSum | ReduceOp::ReduceOr,
            ) => "x|input, axis=None, keep_dims=False",
        }
    }

    /// What it does, in one line.
    pub(super) fn doc(self) -> &'static str {
        let doc = match self {
            Builtin::Tl(row)
            | Builtin::Python(row)
            | Builtin::Descriptor(row)
            | Builtin::Handle(row)
            | Builtin::Triton(row)
            | Builtin::Question(row) => row.doc,
            Builtin::Unary(op) => op.summary(),
            Builtin::Binary(op) => op.summary(),
            Builtin::Ternary(op) => op.summary(),
            Builtin::Reduce(op) => op.summary(),
            Builtin::Atomic(op) | Builtin::DescriptorAtomic(op) => op.summary(),
        };
        doc.trim()
    }

    /// Checks the arguments and makes the IR.
    fn run(self, analysis: &mut Analysis<'_>, call: &Call) -> Val {
        match self {
            Builtin::Tl(row)
            | Builtin::Python(row)
            | Builtin::Descriptor(row)
            | Builtin::Handle(row)
            | Builtin::Triton(row)
            | Builtin::Question(row) => (row.run)(analysis, call),
            Builtin::Unary(op) => elementwise::unary(analysis, op, call),
            Builtin::Binary(op) => elementwise::binary(analysis, op, call),
            Builtin::Ternary(op) => elementwise::ternary(analysis, op, call),
            Builtin::Reduce(op) => reduce::reduce(analysis, op, call),
            Builtin::Atomic(op) => atomics::atomic(analysis, op, call),
            Builtin::DescriptorAtomic(op) => atomics::of_descriptor(analysis, op, call),
        }
    }
}

fn all_of_tl() -> impl Iterator<Item = Builtin> {
    TL.iter()
        .map(Builtin::Tl)
        .chain(UnaryOp::ALL.iter().map(|op| Builtin::Unary(*op)))
        .chain(BinaryOp::ALL.iter().map(|op| Builtin::Binary(*op)))
        .chain(TernaryOp::ALL.iter().map(|op| Builtin::Ternary(*op)))
        .chain(ReduceOp::ALL.iter().map(|op| Builtin::Reduce(*op)))
        .chain(AtomicOp::ALL.iter().map(|op| Builtin::Atomic(*op)))
}

/// Every built-in of `tl` with its signature and what it does, for the documentation.
pub fn reference() -> Vec<(String, &'static str)> {
    let spelt = |it: &str| it.split('|').next().unwrap_or(it).to_owned();
    all_of_tl()
        .map(|it| {
            let params = it.signature().split(", ").map(|param| match param.split_once('=') {
                Some((name, default)) => format!("{}={default}", spelt(name)),
                None => spelt(param),
            });
            let params: Vec<String> = params.collect();
            (format!("{}({})", it.name(), params.join(", ")), it.doc())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_built_in_has_its_own_name_and_a_line_of_documentation() {
        let mut names = BTreeSet::new();
        for builtin in all_of_tl() {
            assert!(names.insert(builtin.name()), "`{}` is there twice", builtin.name());
            assert!(builtin.doc().ends_with('.'), "`{}`: {}", builtin.name(), builtin.doc());
            assert!(not_yet(builtin.name()).is_none(), "`{}` is supported", builtin.name());
        }
    }
}
