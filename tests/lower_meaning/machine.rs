//! A memory of terms on which commands are run one by one, by place alone.

use std::collections::BTreeMap;

use kbc::command::{
    self, AgentId, Code, MathArg, MathOp, Place, Program, QueueId, Source, SourceSpec, TileRef,
    Visit, Walker,
};
use kbc::ir::Head;

use crate::support::interpreter::{Event, hash, indices, reduced, scalar_term, word};

/// The memory of one agent, and what it has done.
struct Machine<'a> {
    program: &'a Program,
    code: &'a Code,
    /// Which term each byte of scratch belongs to, and which byte of it.
    bytes: BTreeMap<u64, (u64, u64)>,
    /// The messages received, and how often each was released.
    slots: BTreeMap<(QueueId, u64), (Vec<u64>, usize)>,
    world: BTreeMap<i64, (u64, u64)>,
    /// The numbers of the composites begun, and whether something has waited for them.
    composites: Vec<(u64, bool)>,
    events: Vec<Event>,
    faults: Vec<String>,
}

impl Machine<'_> {
    fn term(&mut self, tile: TileRef, at: u64, size: u64) -> u64 {
        let found = match tile.place {
            Place::Slot { queue, token } => match self.slots.get(&(queue, token)) {
                Some((tile, 0)) => tile.get(at as usize).copied(),
                Some(_) | None => None,
            },
            Place::Scratch(base) => {
                let byte = |index| self.bytes.get(&(base + at * size + index)).copied();
                let first = byte(0).map(|(term, _)| term);
                let is_whole = (0..size).all(|index| byte(index) == first.map(|it| (it, index)));
                first.filter(|_| is_whole)
            }
        };
        found.unwrap_or_else(|| {
            self.faults.push(format!("element {at} of {tile:?} is not there"));
            0
        })
    }

    fn dense(&mut self, tile: TileRef, elements: u64, size: u64) -> Vec<u64> {
        (0..elements).map(|at| self.term(tile, at, size)).collect()
    }

    /// The elements that strides read over a shape, row by row.
    fn strided(
        &mut self,
        tile: TileRef,
        (shape, strides): (&[u64], &[i64]),
        size: u64,
    ) -> Vec<u64> {
        let shape: Vec<usize> = shape.iter().map(|extent| *extent as usize).collect();
        let offset = |index: Vec<usize>| -> u64 {
            index.iter().zip(strides).map(|(at, step)| *at as u64 * *step as u64).sum()
        };
        let offsets: Vec<u64> = indices(&shape).into_iter().map(offset).collect();
        offsets.into_iter().map(|at| self.term(tile, at, size)).collect()
    }

    fn write(&mut self, tile: TileRef, terms: &[u64], size: u64) {
        let Place::Scratch(base) = tile.place else {
            return self.faults.push(format!("{tile:?} is written but no scratch"));
        };
        if base + tile.bytes > self.code.scratch_bytes || tile.bytes != terms.len() as u64 * size {
            self.faults.push(format!("{tile:?} is no place for {} terms", terms.len()));
        }
        for (at, term) in terms.iter().enumerate() {
            for index in 0..size {
                self.bytes.insert(base + at as u64 * size + index, (*term, index));
            }
        }
    }

    fn receive(&mut self, slot: TileRef, elements: u64) -> Vec<u64> {
        let Place::Slot { queue, token } = slot.place else { panic!("a message is in a slot") };
        let dir = self.program.comm.direction(queue);
        self.events.push(Event::Recv { dir: dir.into() });
        let term = |index| hash(&[5, word(dir), token + 1, index]);
        let tile: Vec<u64> = (0..elements).map(term).collect();
        self.slots.insert((queue, token), (tile.clone(), 0));
        tile
    }

    fn release(&mut self, slot: TileRef) {
        let Place::Slot { queue, token } = slot.place else {
            return self.faults.push(format!("{slot:?} is released but no slot"));
        };
        if let Some((_, releases)) = self.slots.get_mut(&(queue, token)) {
            *releases += 1;
        }
    }

    /// The elements at an address.
    fn fetch(&mut self, address: i64, elements: u64, size: u64) -> Vec<u64> {
        self.events.push(Event::Load { address, elements: elements as usize });
        let element = |index: u64| {
            let at = address.wrapping_add((index * size) as i64);
            match self.world.get(&at) {
                Some((term, bytes)) if *bytes == size => *term,
                Some((term, _)) => hash(&[3, *term, size]),
                None => hash(&[4, at as u64, size]),
            }
        };
        (0..elements).map(element).collect()
    }

    fn put(&mut self, address: i64, tile: Vec<u64>, size: u64) {
        for (index, term) in tile.iter().enumerate() {
            let at = address.wrapping_add(index as i64 * size as i64);
            self.world.insert(at, (*term, size));
        }
        self.events.push(Event::Store { address, tile });
    }

    /// The elements of an operand of a composite, row by row.
    fn source(&mut self, source: Source, read: &SourceSpec, [rows, columns]: [u64; 2]) -> Vec<u64> {
        let size = read.dtype.bytes();
        match source {
            Source::Tile(tile) => self.strided(tile, (&[rows, columns], &read.strides), size),
            Source::Memory(address) => {
                assert_eq!(read.strides, [columns as i64, 1], "blocks of memory lie row by row");
                self.fetch(address as i64, rows * columns, size)
            }
        }
    }

    fn elementwise(&mut self, it: &command::MathCmd, name: &str) -> Vec<u64> {
        let spec = &self.code.maths[it.spec];
        let count = spec.shape.elements() as usize;
        let mut operands: Vec<Vec<u64>> = Vec::new();
        for (arg, read) in it.args.iter().flatten().zip(&spec.args) {
            operands.push(match arg {
                MathArg::Scalar(value) => vec![scalar_term(*value); count],
                MathArg::Tile(tile) => {
                    let walk = (spec.shape.0.as_slice(), read.strides.as_slice());
                    self.strided(*tile, walk, read.dtype.bytes())
                }
            });
        }
        let element = |at: usize| {
            let mut parts = vec![6, word(name), word(spec.out.name())];
            parts.extend(operands.iter().map(|operand| operand[at]));
            hash(&parts)
        };
        (0..count).map(element).collect()
    }

    /// The elements of the one operand, row by row.
    fn operand(&mut self, it: &command::MathCmd) -> Vec<u64> {
        let spec = &self.code.maths[it.spec];
        let Some(MathArg::Tile(tile)) = it.args[0] else { panic!("the operand is a tile") };
        let walk = (spec.shape.0.as_slice(), spec.args[0].strides.as_slice());
        self.strided(tile, walk, spec.args[0].dtype.bytes())
    }
}

impl Visit for Machine<'_> {
    type Out = ();

    fn channel(&mut self, _: &kbc::command::channel::ChannelCmd) -> Self::Out {
        panic!("kernels have no channels")
    }

    fn dma_read(&mut self, it: &command::DmaRead) {
        let desc = &self.code.descs[it.desc];
        assert!(desc.is_contiguous());
        let size = desc.elem_bytes;
        let terms = self.fetch(it.base as i64, desc.bytes() / size, size);
        self.write(it.dst, &terms, size);
    }

    fn dma_write(&mut self, it: &command::DmaWrite) {
        let desc = &self.code.descs[it.desc];
        let size = desc.elem_bytes;
        let tile = self.dense(it.src, desc.bytes() / size, size);
        self.put(it.base as i64, tile, size);
    }

    fn dma_gather(&mut self, it: &command::DmaGather) {
        panic!("no kernel here has lanes: {it:?}");
    }

    fn dma_scatter(&mut self, it: &command::DmaScatter) {
        panic!("no kernel here has lanes: {it:?}");
    }

    fn dma_atomic(&mut self, it: &command::DmaAtomic) {
        panic!("no kernel here has lanes: {it:?}");
    }

    fn math(&mut self, it: &command::MathCmd) {
        let spec = &self.code.maths[it.spec];
        let terms = match spec.op {
            MathOp::Unary(op) => self.elementwise(it, op.name()),
            MathOp::Binary(op) => self.elementwise(it, op.name()),
            MathOp::Ternary(op) => self.elementwise(it, op.name()),
            MathOp::Compare(op) => self.elementwise(it, op.name()),
            MathOp::Select => self.elementwise(it, "select"),
            MathOp::Cast(_) => self.elementwise(it, "cast"),
            MathOp::Full => self.elementwise(it, "full"),
            MathOp::Arange(start) => {
                (0..spec.shape.elements()).map(|at| hash(&[7, start as u64, at])).collect()
            }
            MathOp::Copy => self.operand(it),
            MathOp::Reduce(op, axis) => {
                let tile = self.operand(it);
                let from: Vec<usize> = spec.shape.0.iter().map(|it| *it as usize).collect();
                let mut left = from.clone();
                match axis {
                    Some(axis) => drop(left.remove(axis as usize)),
                    None => left.clear(),
                }
                reduced(op.name(), (&tile, &from), axis, &left)
            }
            MathOp::Scan { .. }
            | MathOp::Sort { .. }
            | MathOp::Concat { .. }
            | MathOp::Gather { .. }
            | MathOp::Inspect(..)
            | MathOp::Histogram { .. } => panic!("no kernel here has this: {:?}", spec.op),
        };
        self.write(it.out, &terms, spec.out.bytes());
    }

    fn gemm(&mut self, it: &command::GemmCmd) {
        let spec = &self.code.gemms[it.spec];
        let (m, n, k) = (spec.m, spec.n, spec.k);
        let (a_shape, b_shape) = (spec.a_shape(), spec.b_shape());
        let a = self.strided(it.a, (&a_shape.0, &spec.a.strides), spec.a.dtype.bytes());
        let b = self.strided(it.b, (&b_shape.0, &spec.b.strides), spec.b.dtype.bytes());
        let acc = it.acc.map(|acc| self.dense(acc, spec.elements(), spec.out.bytes()));
        let element = |place: u64| {
            let (batch, row, column) = (place / (m * n), place / n % m, place % n);
            let mut parts = vec![9];
            for at in 0..k {
                let (x, y) = ((batch * m + row) * k + at, (batch * k + at) * n + column);
                parts.extend([a[x as usize], b[y as usize]]);
            }
            parts.extend(acc.iter().map(|acc| acc[place as usize]));
            hash(&parts)
        };
        let terms: Vec<u64> = (0..spec.elements()).map(element).collect();
        self.write(it.out, &terms, spec.out.bytes());
    }

    /// All of the block at once: how it is cut into tiles changes no term.
    fn composite(&mut self, it: &command::CompositeCmd) {
        let spec = &self.code.composites[it.spec];
        let [m, n, k] = [spec.m, spec.n, spec.k];
        let sides = if spec.head == Head::Gemm { [[m, k], [k, n]] } else { [[m, n], [m, n]] };
        let a = self.source(it.a, &spec.a, sides[0]);
        let b = it.b.zip(spec.b).map(|(b, read)| self.source(b, &read, sides[1]));
        let mut tile: Vec<u64> = match (spec.head, b) {
            (Head::Gemm, Some(b)) => (0..m * n)
                .map(|place| {
                    let (row, column) = (place / n, place % n);
                    let pair =
                        |at: u64| [a[(row * k + at) as usize], b[(at * n + column) as usize]];
                    hash(&[9].into_iter().chain((0..k).flat_map(pair)).collect::<Vec<u64>>())
                })
                .collect(),
            (_, b) => (0..(m * n) as usize)
                .map(|at| hash(&[12, a[at], b.as_ref().map_or(0, |b| b[at])]))
                .collect(),
        };
        let mut args = it.args.iter().flatten();
        for step in &spec.steps {
            let operand = step.operand.as_ref().map(|read| match args.next().unwrap() {
                MathArg::Scalar(value) => vec![scalar_term(*value); tile.len()],
                MathArg::Tile(of) => {
                    self.strided(*of, (&[m, n], &read.strides), read.dtype.bytes())
                }
            });
            let names = [word(step.op.name()), word(step.scope.name())];
            for (at, term) in tile.iter_mut().enumerate() {
                let own = operand.as_ref().map_or(0, |operand| operand[at]);
                *term = hash(&[13, names[0], names[1], *term, own]);
            }
        }
        self.composites.push((it.number, false));
        self.put(it.out as i64, tile, spec.out.bytes());
    }

    fn composite_wait(&mut self, it: &command::CompositeWait) {
        match self.composites.iter_mut().find(|(number, _)| *number == it.number) {
            Some((_, is_waited_for)) => *is_waited_for = true,
            None => self.faults.push(format!("{it:?} waits for what has not begun")),
        }
    }

    fn ipcq_send(&mut self, it: &command::IpcqSend) {
        let tile = self.dense(it.src, it.message.elements, it.message.dtype.bytes());
        let dir = self.program.comm.direction(it.queue).into();
        self.events.push(Event::Send { dir, tile });
    }

    fn ipcq_recv(&mut self, it: &command::IpcqRecv) {
        let tile = self.receive(it.slot, it.message.elements);
        if let Some(dst) = it.dst {
            self.write(dst, &tile, it.message.dtype.bytes());
            self.release(it.slot);
        }
    }

    fn ipcq_stream(&mut self, it: &command::IpcqStream) {
        panic!("no kernel here streams: {it:?}");
    }

    fn ipcq_recv_async(&mut self, it: &command::IpcqRecvAsync) {
        self.receive(it.slot, it.message.elements);
    }

    fn wait(&mut self, _: &command::Wait) {}

    fn ipcq_release(&mut self, it: &command::IpcqRelease) {
        self.release(it.slot);
    }
}

/// What an agent does, and what went wrong.
pub(crate) fn run(program: &Program, agent: AgentId) -> (Vec<Event>, Vec<String>) {
    let mut machine = Machine {
        program,
        code: program.code(agent),
        bytes: BTreeMap::new(),
        slots: BTreeMap::new(),
        world: BTreeMap::new(),
        composites: Vec::new(),
        events: Vec::new(),
        faults: Vec::new(),
    };
    let mut walker = Walker::new(program, agent);
    loop {
        match walker.next(program) {
            Ok(Some(step)) => step.command.visit(&mut machine),
            Ok(None) => break,
            Err(_) => {
                machine.events.push(Event::Stop);
                return (machine.events, machine.faults);
            }
        }
    }
    for ((queue, token), (_, releases)) in &machine.slots {
        if *releases != 1 {
            machine.faults.push(format!("message {token} of {queue:?}: {releases} releases"));
        }
    }
    for (number, _) in machine.composites.iter().filter(|(_, is_waited_for)| !is_waited_for) {
        machine.faults.push(format!("nothing waits for composite {number}"));
    }
    (machine.events, machine.faults)
}
