//! Tensors and their contents, as a host program sees them.
//!
//! Contents are kept where they were last changed: what the host writes goes to the device when a
//! launch needs it, and what a launch may have changed is fetched when the host reads it.

use std::sync::{Arc, Mutex};

use super::array::Array;
use super::device::{
    Argument, Completion, Device, Exchange, LaunchRequest, PeCosts, Properties, Refusal, Ticket,
    Writer,
};
use super::index::Index;
use super::ledger::Holder;
use super::shares::Share;
use super::tensor::{Placement, Tensor, TensorId};
use super::{HostError, array};
use crate::arena::{Arena, Id};
use crate::dtype::DType;
use crate::launch::{AddressAllocator, IpcqOptions, NoRoom};
use crate::shape::Shape;
use crate::source::Span;
use crate::topology::Extent;
use crate::units::grouped;

/// The contents of a tensor, as a host read finds them.
#[derive(Clone, Debug)]
pub enum Data {
    /// They are these.
    Known(Array),
    /// The run has no data.
    Absent,
}

/// A tensor and what the host knows of its contents.
#[derive(Debug)]
struct Entry {
    tensor: Tensor,
    /// Its contents, if the host knows them.
    host: Option<Array>,
    /// Whether the device has other contents than the host.
    is_newer: bool,
    /// Whether the host has filled it, or a launch was given it.
    is_written: bool,
    is_alive: bool,
    /// Where the program freed it, if it did.
    freed: Option<Span>,
}

/// The tensors that nobody holds any more. The ranks of a host program run on threads of their own,
/// one at a time, and pass the context on; what they drop meanwhile is written here.
type Released = Arc<Mutex<Vec<TensorId>>>;

/// A host program's view of one device.
pub struct Context<'d> {
    device: &'d mut (dyn Device + Send),
    entries: Arena<TensorId, Entry>,
    addresses: AddressAllocator,
    pending: Vec<Ticket>,
    completions: Vec<Completion>,
    released: Released,
}

/// Keeps a tensor alive: when the last copy is dropped, its addresses may be given out again.
#[derive(Debug)]
pub struct TensorHandle {
    id: TensorId,
    released: Released,
}

impl TensorHandle {
    /// The tensor's id.
    pub fn id(&self) -> TensorId {
        self.id
    }
}

impl Drop for TensorHandle {
    fn drop(&mut self) {
        if let Ok(mut released) = self.released.lock() {
            released.push(self.id);
        }
    }
}

/// What a tensor is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Its name, for messages.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
    /// Which rank holds what.
    pub placement: Placement,
}

fn refused(refusal: Refusal) -> HostError {
    HostError::Refused(refusal.diagnostics)
}

impl<'d> Context<'d> {
    /// A context without tensors.
    pub fn new(device: &'d mut (dyn Device + Send)) -> Context<'d> {
        Context {
            device,
            entries: Arena::new(),
            addresses: AddressAllocator::default(),
            pending: Vec::new(),
            completions: Vec::new(),
            released: Released::default(),
        }
    }

    /// The number of ranks.
    pub fn world_size(&self) -> u32 {
        self.device.world_size()
    }

    /// How the PEs of the device stand.
    pub fn extent(&self) -> Extent {
        self.device.extent()
    }

    /// Whether tensors have contents.
    pub fn has_data(&self) -> bool {
        self.device.has_data()
    }

    /// What a PE's part of an exchange costs, with these queues, as the device says.
    pub fn costs(&self, queues: IpcqOptions) -> Option<PeCosts> {
        self.device.costs(queues)
    }

    /// What the device can do at most, as it says.
    pub fn properties(&self) -> Option<Properties> {
        self.device.properties()
    }

    /// What messages take when each of these pairs of ranks sends one, as the device says.
    pub fn exchange(&self, pairs: &[(u32, u32)]) -> Option<Exchange> {
        self.device.exchange(pairs)
    }

    /// How the launches that have ended did so, in order.
    pub fn completions(&self) -> &[Completion] {
        &self.completions
    }

    /// How many launches were begun.
    pub fn launches(&self) -> usize {
        self.completions.len() + self.pending.len()
    }

    /// How launch number `index` ended, once it has; launches are numbered from 0 on.
    ///
    /// # Errors
    /// What went wrong while one ran.
    pub fn completion(&mut self, index: usize) -> Result<Option<Completion>, HostError> {
        self.wait_all()?;
        Ok(self.completions.get(index).copied())
    }

    /// Makes a tensor whose contents `fill` gives; it is not called where there is no data. A
    /// tensor for which it gives nothing is left unwritten, and a kernel that reads it is wrong.
    ///
    /// # Errors
    /// A placement that does not fit, no room, or what `fill` says.
    pub fn create(
        &mut self,
        spec: TensorSpec,
        fill: impl FnOnce() -> Result<Option<Array>, HostError>,
    ) -> Result<TensorHandle, HostError> {
        self.create_at(spec, Span::NONE, fill)
    }

    /// As [`Context::create`], at this text of the program.
    ///
    /// # Errors
    /// As [`Context::create`].
    pub fn create_at(
        &mut self,
        spec: TensorSpec,
        made: Span,
        fill: impl FnOnce() -> Result<Option<Array>, HostError>,
    ) -> Result<TensorHandle, HostError> {
        self.free_released()?;
        let TensorSpec { name, shape, dtype, placement } = spec;
        array::check_shape(&shape)?;
        let id = TensorId::from_index(self.entries.len());
        let mut tensor = Tensor { id, name, shape, dtype, base: 0, placement, made };
        if let Some(fault) = tensor.placement.fault(tensor.rows(), self.world_size()) {
            return Err(HostError::Value(format!("tensor `{}`: {fault}", tensor.name)));
        }
        let host = if self.has_data() { fill()?.map(|it| it.cast(dtype)) } else { None };
        let base = self.addresses.allocate(tensor.bytes());
        tensor.base = base.map_err(|it| self.no_room(&tensor, it))?;
        if let Err(refusal) = self.device.place(&tensor) {
            self.addresses.free(tensor.base);
            return Err(refused(refusal));
        }
        let is_newer = host.is_some();
        let is_written = is_newer;
        self.entries.push(Entry {
            tensor,
            host,
            is_newer,
            is_written,
            is_alive: true,
            freed: None,
        });
        Ok(TensorHandle { id, released: self.released.clone() })
    }

    /// A tensor.
    pub fn tensor(&self, id: TensorId) -> &Tensor {
        &self.entries[id].tensor
    }

    /// The contents of a tensor; of one with copies that a launch may have changed, the first of
    /// them: that of rank 0, or of the first PE that a policy puts it on.
    ///
    /// # Errors
    /// As the device says.
    pub fn read(&mut self, id: TensorId) -> Result<Data, HostError> {
        self.check_alive(id)?;
        if !self.has_data() {
            return Ok(Data::Absent);
        }
        if let Some(array) = &self.entries[id].host {
            return Ok(Data::Known(array.clone()));
        }
        let array = self.fetch(id, self.tensor(id).first_reader())?;
        // What one of several copies holds says nothing of the others.
        if !self.entries[id].tensor.has_copies() {
            self.entries[id].host = Some(array.clone());
        }
        Ok(Data::Known(array))
    }

    /// What `rank` holds, as it sees it.
    ///
    /// # Errors
    /// As the device says.
    pub fn read_local(&mut self, id: TensorId, rank: u32) -> Result<Data, HostError> {
        self.check_alive(id)?;
        let tensor = self.tensor(id);
        let part = tensor.local_part(rank);
        let is_copy = tensor.has_copies();
        let whole = if is_copy && self.has_data() && self.entries[id].host.is_none() {
            Data::Known(self.fetch(id, rank)?)
        } else {
            self.read(id)?
        };
        let Data::Known(array) = whole else { return Ok(Data::Absent) };
        let [rows, columns] = part.map(|it| {
            let (start, count) = (it.start as usize, (it.end - it.start) as usize);
            Index::Range { start, count, step: 1 }
        });
        let part = match array.shape().rank() {
            0 => return Ok(Data::Known(array)),
            // One axis is columns to a policy, and rows to the other placements.
            1 if self.tensor(id).layout().is_some() => array.index(&[columns]),
            1 => array.index(&[rows]),
            rank => {
                let mut indices = vec![Index::All; rank];
                indices[0] = rows;
                indices[rank - 1] = columns;
                array.index(&indices)
            }
        };
        part.map(Data::Known)
    }

    fn fetch(&mut self, id: TensorId, rank: u32) -> Result<Array, HostError> {
        self.wait_all()?;
        let tensor = &self.entries[id].tensor;
        let bytes = self.device.read(tensor, rank).map_err(refused)?;
        let bytes = match tensor.layout() {
            Some(layout) => layout.gather(bytes, tensor.dtype.bytes()),
            None => bytes,
        };
        Array::from_bytes(tensor.dtype, &tensor.shape, &bytes)
    }

    /// Puts `value`, cast and broadcast, into the part of a tensor that `indices` take.
    ///
    /// # Errors
    /// As [`Array::assign`], and as the device says.
    pub fn assign(
        &mut self,
        id: TensorId,
        indices: &[Index],
        value: &Array,
    ) -> Result<(), HostError> {
        self.check_alive(id)?;
        self.wait_all()?;
        let Data::Known(mut array) = self.read(id)? else { return Ok(()) };
        let entry = &mut self.entries[id];
        // Without another owner the array is changed in place.
        let before = entry.host.take().is_some();
        let result = array.assign(indices, value);
        if before || result.is_ok() {
            entry.host = Some(array);
        }
        entry.is_newer |= result.is_ok();
        entry.is_written |= result.is_ok();
        result
    }

    /// Begins a launch. Contents that the host has changed go to the device first.
    ///
    /// # Errors
    /// As the device says.
    pub fn launch(&mut self, request: LaunchRequest) -> Result<Ticket, HostError> {
        let used: Vec<TensorId> = request.tensors().iter().map(|tensor| tensor.id).collect();
        for id in &used {
            self.check_alive(*id)?;
            self.flush(*id)?;
        }
        let ticket = self.device.submit(request).map_err(refused)?;
        self.pending.push(ticket);
        for id in used {
            self.entries[id].host = None;
            self.entries[id].is_written = true;
        }
        Ok(ticket)
    }

    /// Whether anything may have written a tensor.
    pub fn is_written(&self, id: TensorId) -> bool {
        self.entries[id].is_written
    }

    /// The bytes of what a PE holds of a tensor, in the order of its memory; zeros where nothing has written
    /// it. `None` where the run has no data.
    ///
    /// # Errors
    /// It was freed before, or as the device says.
    pub fn read_share(&mut self, id: TensorId, share: Share) -> Result<Option<Vec<u8>>, HostError> {
        self.check_alive(id)?;
        if !self.has_data() {
            return Ok(None);
        }
        self.flush(id)?;
        self.wait_all()?;
        let tensor = &self.entries[id].tensor;
        let itemsize = tensor.dtype.bytes();
        let place = (share.offset * itemsize, share.elements * itemsize);
        self.device.read_bytes((tensor, share.pe), place).map(Some).map_err(refused)
    }

    /// Puts `bytes` where a PE holds a share of a tensor, in its own copy if there are several. Nothing
    /// where the run has no data.
    ///
    /// # Errors
    /// As [`Context::read_share`].
    pub fn write_share(
        &mut self,
        id: TensorId,
        share: Share,
        bytes: &[u8],
    ) -> Result<(), HostError> {
        self.check_alive(id)?;
        if !self.has_data() {
            return Ok(());
        }
        self.flush(id)?;
        self.wait_all()?;
        let entry = &mut self.entries[id];
        let first = share.offset * entry.tensor.dtype.bytes();
        entry.host = None;
        entry.is_written = true;
        self.device.write_bytes((&entry.tensor, share.pe), first, bytes).map_err(refused)
    }

    /// Frees a tensor for good, at this text of the program: its addresses, its memory and its entries in
    /// the MMUs may go to others.
    ///
    /// # Errors
    /// It was freed before, or what went wrong in the launches before.
    pub fn free(&mut self, id: TensorId, at: Span) -> Result<(), HostError> {
        self.check_alive(id)?;
        self.wait_all()?;
        self.entries[id].freed = Some(at);
        self.give_back(id);
        Ok(())
    }

    /// Refuses a tensor that was freed.
    ///
    /// # Errors
    /// That it was.
    pub fn check_alive(&self, id: TensorId) -> Result<(), HostError> {
        let entry = &self.entries[id];
        match entry.freed {
            Some(at) => Err(HostError::Freed { name: entry.tensor.name.clone(), at }),
            None => Ok(()),
        }
    }

    /// Bytes of addresses that tensors have, whole pages counted.
    pub fn used_bytes(&self) -> u64 {
        self.addresses.used_bytes()
    }

    /// An argument that is a tensor.
    pub fn argument(&self, id: TensorId) -> Argument {
        Argument::Tensor(self.tensor(id).clone())
    }

    /// Sends contents that the device does not have.
    fn flush(&mut self, id: TensorId) -> Result<(), HostError> {
        if !self.entries[id].is_newer || !self.has_data() {
            return Ok(());
        }
        self.wait_all()?;
        let entry = &mut self.entries[id];
        if let Some(array) = &entry.host {
            let bytes = match entry.tensor.layout() {
                Some(layout) => layout.scatter(array.to_bytes(), entry.tensor.dtype.bytes()),
                None => array.to_bytes(),
            };
            self.device.write(&entry.tensor, &bytes).map_err(refused)?;
        }
        entry.is_newer = false;
        Ok(())
    }

    /// Lets every launch end.
    ///
    /// # Errors
    /// What went wrong while one ran.
    pub fn wait_all(&mut self) -> Result<(), HostError> {
        for ticket in std::mem::take(&mut self.pending) {
            self.completions.push(self.device.wait(ticket).map_err(refused)?);
        }
        Ok(())
    }

    /// Who wrote element `place` of a tensor last, as `rank` sees it.
    pub fn writer(&self, id: TensorId, place: u64, rank: u32) -> Option<Writer> {
        let tensor = self.tensor(id);
        let place = tensor.layout().map_or(place, |layout| layout.in_memory(place));
        self.device.writer(tensor, place, rank)
    }

    /// Gives back the addresses of tensors that nobody holds any more.
    fn free_released(&mut self) -> Result<(), HostError> {
        let released = self.released.lock().map(|mut it| std::mem::take(&mut *it));
        let released = released.unwrap_or_default();
        if released.is_empty() {
            return Ok(());
        }
        self.wait_all()?;
        for id in released {
            self.give_back(id);
        }
        Ok(())
    }

    fn give_back(&mut self, id: TensorId) {
        let entry = &mut self.entries[id];
        if entry.is_alive {
            entry.is_alive = false;
            entry.host = None;
            self.addresses.free(entry.tensor.base);
            self.device.forget(id);
        }
    }

    fn no_room(&self, tensor: &Tensor, it: NoRoom) -> HostError {
        let NoRoom { needed, longest, free } = it;
        let (needed, longest, free) = (grouped(needed), grouped(longest), grouped(free));
        let text = format!(
            "tensor `{}` of shape {} needs {needed} bytes of addresses, page by page; {free} are \
             free, {longest} of them in one piece",
            tensor.name, tensor.shape
        );
        let alive = self.entries.values().filter(|entry| entry.is_alive);
        let holders = alive.map(|it| Holder::of(&it.tensor, it.tensor.bytes())).collect();
        HostError::NoRoom { text, holders }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Ps;
    use std::collections::BTreeMap;

    /// Adds one to every byte of each tensor that it is given.
    #[derive(Default)]
    struct Adder {
        memory: BTreeMap<u64, Vec<u8>>,
        writes: u32,
        reads: u32,
        no_data: bool,
    }

    impl Device for Adder {
        fn world_size(&self) -> u32 {
            2
        }
        fn has_data(&self) -> bool {
            !self.no_data
        }
        fn write(&mut self, tensor: &Tensor, bytes: &[u8]) -> Result<(), Refusal> {
            self.writes += 1;
            self.memory.insert(tensor.base, bytes.to_vec());
            Ok(())
        }
        fn submit(&mut self, request: LaunchRequest) -> Result<Ticket, Refusal> {
            for tensor in request.tensors() {
                for byte in self.memory.entry(tensor.base).or_default() {
                    *byte += 1;
                }
            }
            Ok(Ticket(0))
        }
        fn wait(&mut self, _: Ticket) -> Result<Completion, Refusal> {
            Ok(Completion { time: Ps(5), ..Completion::default() })
        }
        fn read(&mut self, tensor: &Tensor, _: u32) -> Result<Vec<u8>, Refusal> {
            self.reads += 1;
            Ok(self.memory[&tensor.base].clone())
        }
    }

    fn spec(rows: u64) -> TensorSpec {
        let (name, shape) = (String::from("x"), Shape::new([rows]));
        TensorSpec { name, shape, dtype: DType::U8, placement: Placement::even(rows, 2) }
    }

    fn launch(context: &mut Context<'_>, id: TensorId) {
        let args = vec![("x".into(), context.argument(id))];
        let (label, kernel) = (String::from("add"), String::from("add"));
        context.launch(LaunchRequest { label, kernel, args, ..LaunchRequest::default() }).unwrap();
    }

    fn values(data: Data) -> Vec<f64> {
        let Data::Known(array) = data else { return vec![] };
        array.to_f64s()
    }

    #[test]
    fn contents_move_only_when_they_must() {
        let mut device = Adder::default();
        let mut context = Context::new(&mut device);
        let fill = || Array::from_f64s(DType::F64, &Shape::new([3]), vec![1.0, 2.0, 3.0]).map(Some);
        let x = context.create(spec(3), fill).unwrap();
        assert_eq!(values(context.read(x.id()).unwrap()), [1.0, 2.0, 3.0]);
        launch(&mut context, x.id());
        launch(&mut context, x.id());
        assert_eq!(values(context.read(x.id()).unwrap()), [3.0, 4.0, 5.0]);
        assert_eq!(values(context.read(x.id()).unwrap()), [3.0, 4.0, 5.0]);
        context.assign(x.id(), &[Index::At(0)], &Array::scalar(DType::F32, 9.0)).unwrap();
        launch(&mut context, x.id());
        assert_eq!(values(context.read_local(x.id(), 0).unwrap()), [10.0, 5.0]);
        assert_eq!(values(context.read_local(x.id(), 1).unwrap()), [6.0]);
        assert_eq!(context.completions().len(), 3);
        drop(context);
        assert_eq!((device.writes, device.reads), (2, 2));
    }

    #[test]
    fn addresses_come_back_when_nobody_holds_the_tensor() {
        let mut device = Adder::default();
        let mut context = Context::new(&mut device);
        let zeros = || Array::full(DType::U8, &Shape::new([2]), 0.0).map(Some);
        let first = context.create(spec(2), zeros).unwrap();
        let base = context.tensor(first.id()).base;
        let second = context.create(spec(2), zeros).unwrap();
        assert_ne!(context.tensor(second.id()).base, base);
        drop(first);
        let third = context.create(spec(2), zeros).unwrap();
        assert_eq!(context.tensor(third.id()).base, base);
    }

    #[test]
    fn without_data_nothing_is_made_or_read() {
        let mut device = Adder { no_data: true, ..Adder::default() };
        let mut context = Context::new(&mut device);
        let x = context.create(spec(2), || panic!("not called")).unwrap();
        launch(&mut context, x.id());
        assert!(matches!(context.read(x.id()), Ok(Data::Absent)));
        drop(context);
        assert_eq!((device.writes, device.reads), (0, 0));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut device = Adder::default();
        let mut context = Context::new(&mut device);
        let zeros = || Array::full(DType::U8, &Shape::new([2]), 0.0).map(Some);
        let elsewhere = TensorSpec { placement: Placement::Single(2), ..spec(2) };
        assert!(matches!(context.create(elsewhere, zeros), Err(HostError::Value(_))));
        let huge = TensorSpec { shape: Shape::new([1 << 50]), ..spec(2) };
        assert!(matches!(context.create(huge, zeros), Err(HostError::Memory(_))));
    }
}
