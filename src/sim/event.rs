//! Events and the queue they wait in.
//!
//! The order of events is (time, key, push), and the key says what happens first at one instant:
//!
//! 1. flits arrive at links, link by link, by class and then by the link they come from;
//! 2. links that were busy pick the next flit, link by link;
//! 3. last bytes come to PEs and memories, PE by PE, by the link they come over;
//! 4. engines and PE_CPUs act, agent by agent.
//!
//! So all arrivals of an instant are known before anything is picked, and what a PE injects comes
//! after what passes by. Nothing in the order depends on threads or on hashing.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::units::Ps;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventKind {
    /// The head of a train arrives at the queue of its next link.
    Head,
    /// One flit arrives at the queue of the link at `hop`.
    Flit,
    /// The next flit of a train arrives where it was split.
    Feed,
    /// A link picks the next flit; or all wormhole routers go through a cycle.
    Serve,
    /// The last byte of a train has arrived.
    Deliver,
    /// The last byte of a train has left its source.
    SourceRead,
    /// A memory has carried out the oldest of its atomic ops.
    Modified,
    /// A DMA command begins its transfer.
    Inject,
    /// A proxy has taken a request to a port.
    Port,
    /// An agent goes on.
    Resume,
}

/// Something that happens at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) time: Ps,
    pub(super) key: EventKey,
    /// Told apart by when they were pushed if all else is equal.
    order: u32,
    /// The train, link or agent.
    pub(super) subject: u32,
    /// The flit, command or stamp.
    pub(super) detail: u32,
    /// The hop of a flit.
    pub(super) hop: u16,
    pub(super) kind: EventKind,
}

/// What decides at one instant: 2 bits of phase, 30 of component, 32 within the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventKey(u64);

const PHASE: u32 = 62;
const COMPONENT: u32 = 32;

impl EventKey {
    /// Before everything else of an instant, or at the beginning of it.
    pub(super) const FIRST: EventKey = EventKey(0);

    /// After everything else of an instant.
    pub(super) const LAST: EventKey = EventKey(u64::MAX);

    /// An arrival at `link` in class number `class` over link number `input`. What is empty comes
    /// after what is not: it has left that link in no time when the other had just done so.
    pub(super) fn arrival(link: u32, class: u8, input: u32, empty: bool) -> EventKey {
        let within = u64::from(class) << 30 | u64::from(input) << 1 | u64::from(empty);
        EventKey(u64::from(link) << COMPONENT | within)
    }

    /// Before every arrival at `link`.
    pub(super) fn before_arrivals(link: u32) -> EventKey {
        EventKey::arrival(link, 0, 0, false)
    }

    /// A pick of `link`.
    pub(super) fn serve(link: u32) -> EventKey {
        EventKey(1 << PHASE | u64::from(link) << COMPONENT)
    }

    /// The last byte of something comes to PE number `pe` over link number `input`.
    pub(super) fn delivery(pe: u32, input: u32) -> EventKey {
        EventKey(2 << PHASE | u64::from(pe) << COMPONENT | u64::from(input))
    }

    /// A memory, that of PE number `pe`, acts after all that comes to it.
    pub(super) fn memory(pe: u32) -> EventKey {
        EventKey::delivery(pe, u32::MAX)
    }

    /// An act of agent number `agent`, of the command `seq` if it is of one.
    pub(super) fn act(agent: u32, seq: u32) -> EventKey {
        EventKey(3 << PHASE | u64::from(agent) << COMPONENT | u64::from(seq))
    }

    /// Whether this is an arrival.
    pub(super) fn is_arrival(self) -> bool {
        self.0 >> PHASE == 0
    }

    /// Whether both are of the same phase and component.
    pub(super) fn same_place(self, other: EventKey) -> bool {
        self.0 >> COMPONENT == other.0 >> COMPONENT
    }

    /// The component.
    pub(super) fn component(self) -> u32 {
        (self.0 >> COMPONENT) as u32 & ((1 << (PHASE - COMPONENT)) - 1)
    }
}

impl Event {
    /// An event about `subject`.
    pub(super) fn new(time: Ps, key: EventKey, kind: EventKind, subject: u32) -> Event {
        Event { time, key, order: 0, subject, detail: 0, hop: 0, kind }
    }

    /// The same with a detail.
    pub(super) fn with(mut self, detail: u32) -> Event {
        self.detail = detail;
        self
    }

    /// The same at a hop.
    pub(super) fn at_hop(mut self, hop: usize) -> Event {
        self.hop = hop as u16;
        self
    }

    /// The time and the key in one number.
    fn instant(&self) -> u128 {
        u128::from(self.time.0) << 64 | u128::from(self.key.0)
    }

    fn rank(&self, other: &Event) -> Ordering {
        let instant = (self.time, self.key).cmp(&(other.time, other.key));
        // Pending events were pushed within 2^31 of each other, so the counter may wrap.
        instant.then_with(|| (self.order.wrapping_sub(other.order) as i32).cmp(&0))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        self.rank(other) == Ordering::Equal
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Event) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    // What the heap asks, without a branch that depends on which is earlier.
    fn le(&self, other: &Event) -> bool {
        let (mine, others) = (self.instant(), other.instant());
        if mine == others { self.cmp(other).is_le() } else { mine > others }
    }
}

/// Earlier events are greater, as [`BinaryHeap`] wants it.
impl Ord for Event {
    fn cmp(&self, other: &Event) -> Ordering {
        other.rank(self)
    }
}

/// What is still to happen.
#[derive(Debug, Default)]
pub(super) struct EventQueue {
    heap: BinaryHeap<Event>,
    pushed: u32,
}

impl EventQueue {
    /// Adds an event, which must not lie in the past.
    pub(super) fn push(&mut self, mut event: Event) {
        event.order = self.pushed;
        self.pushed = self.pushed.wrapping_add(1);
        self.heap.push(event);
    }

    /// Adds an event that was popped before it could happen, in its old place.
    pub(super) fn put_back(&mut self, event: Event) {
        self.heap.push(event);
    }

    /// Lets an event that was popped happen later.
    pub(super) fn postpone(&mut self, event: &Event, at: Ps) {
        let again = Event::new(at, event.key, event.kind, event.subject);
        self.push(again.with(event.detail));
    }

    /// Takes the first event.
    pub(super) fn pop(&mut self) -> Option<Event> {
        self.heap.pop()
    }

    /// The first event.
    pub(super) fn peek(&self) -> Option<&Event> {
        self.heap.peek()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_goes_arrivals_picks_deliveries_acts() {
        let mut queue = EventQueue::default();
        let keys = [
            EventKey::act(0, 0),
            EventKey::delivery(1, 0),
            EventKey::serve(3),
            EventKey::arrival(3, 1, 2, false),
            EventKey::arrival(3, 0, 9, true),
            EventKey::arrival(3, 0, 9, false),
            EventKey::arrival(2, 2, 9, false),
        ];
        for key in keys {
            queue.push(Event::new(Ps(5), key, EventKind::Head, 0));
        }
        queue.push(Event::new(Ps(4), EventKey::LAST, EventKind::Head, 0));
        let popped: Vec<EventKey> =
            std::iter::from_fn(|| queue.pop()).map(|event| event.key).collect();
        let mut expected = vec![EventKey::LAST];
        expected.extend(keys.iter().rev());
        assert_eq!(popped, expected);
    }

    #[test]
    fn equal_keys_keep_the_order_of_pushing() {
        let mut queue = EventQueue::default();
        for subject in 0..100 {
            queue.push(Event::new(Ps(1), EventKey::serve(0), EventKind::Head, subject));
        }
        let popped: Vec<u32> =
            std::iter::from_fn(|| queue.pop()).map(|event| event.subject).collect();
        assert_eq!(popped, (0..100).collect::<Vec<_>>());
    }
}
