//! What is to be looked at: each item at most once at a time, and again when it changed meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Add;

use tokio::time::{Duration, Instant};

use crate::keys::Item;

/// The first pause before an unsettled item is looked at again; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Failed runs in a row after which an item waits out its pauses, whatever the data plane says.
const FAILURES_MAX: u32 = 8;

/// See the module. Plain data: the loop around it does the waiting. `T` is a point in time.
#[derive(Debug)]
pub(crate) struct Queue<T = Instant> {
    ready: VecDeque<Item>,
    queued: HashSet<Item>,
    running: HashSet<Item>,
    dirty_while_running: HashSet<Item>,
    heard_while_running: HashSet<Item>,
    /// Items that wait out a pause, and when each is over; `due` holds the same in order of time.
    later: HashMap<Item, T>,
    due: BTreeSet<(T, Item)>,
    pauses: HashMap<Item, Duration>,
    failures: HashMap<Item, u32>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            ready: VecDeque::new(),
            queued: HashSet::new(),
            running: HashSet::new(),
            dirty_while_running: HashSet::new(),
            heard_while_running: HashSet::new(),
            later: HashMap::new(),
            due: BTreeSet::new(),
            pauses: HashMap::new(),
            failures: HashMap::new(),
        }
    }
}

impl<T: Copy + Ord + Add<Duration, Output = T>> Queue<T> {
    /// The item may have changed.
    pub fn wake(&mut self, item: Item) {
        if let Some(at) = self.later.remove(&item) {
            self.due.remove(&(at, item));
        }
        if self.running.contains(&item) {
            self.dirty_while_running.insert(item);
        } else if self.queued.insert(item) {
            self.ready.push_back(item);
        }
    }

    /// The data plane says that the item may have changed. What is heard of an item that keeps failing may be its own
    /// failures: then its pause goes on, or it would be tried as fast as it can fail.
    pub fn hear(&mut self, item: Item) {
        if self.running.contains(&item) {
            self.heard_while_running.insert(item);
        } else if !(self.keeps_failing(item) && self.later.contains_key(&item)) {
            self.wake(item);
        }
    }

    fn keeps_failing(&self, item: Item) -> bool {
        self.failures.get(&item).is_some_and(|count| *count >= FAILURES_MAX)
    }

    /// Takes the next item to look at.
    pub fn start(&mut self) -> Option<Item> {
        let item = self.ready.pop_front()?;
        self.queued.remove(&item);
        self.running.insert(item);
        Some(item)
    }

    /// The run of an item ended and left nothing to do.
    pub fn settled(&mut self, item: Item) {
        self.pauses.remove(&item);
        self.failures.remove(&item);
        self.finish(item);
    }

    /// The run of an item ended, and something of it is under way: it is repeated after a pause, if no event comes
    /// before.
    pub fn unsettled(&mut self, item: Item, now: T) {
        self.failures.remove(&item);
        self.repeat(item, now);
    }

    /// The run of an item failed: it is repeated after a pause.
    pub fn failed(&mut self, item: Item, now: T) {
        let count = self.failures.entry(item).or_default();
        *count = count.saturating_add(1);
        self.repeat(item, now);
    }

    fn repeat(&mut self, item: Item, now: T) {
        let pause = self
            .pauses
            .entry(item)
            .and_modify(|pause| *pause = (*pause * 2).min(PAUSE_MAX))
            .or_insert(PAUSE_MIN);
        let at = now + *pause;
        if let Some(earlier) = self.later.insert(item, at) {
            self.due.remove(&(earlier, item));
        }
        self.due.insert((at, item));
        self.finish(item);
    }

    fn finish(&mut self, item: Item) {
        self.running.remove(&item);
        let is_heard = self.heard_while_running.remove(&item) && !self.keeps_failing(item);
        if self.dirty_while_running.remove(&item) || is_heard {
            self.wake(item);
        }
    }

    /// Makes items ready whose pause is over; gives the time of the next one.
    pub fn tick(&mut self, now: T) -> Option<T> {
        while let Some(&(at, item)) = self.due.first()
            && at <= now
        {
            self.wake(item);
        }
        self.due.first().map(|(at, _)| *at)
    }

    /// How many runs are under way.
    pub fn running(&self) -> usize {
        self.running.len()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::cmp::Ordering;

    use causeway_model::GatewayId;

    use super::*;

    const ITEM: Item = Item::Gateway(GatewayId(1));

    #[tokio::test]
    async fn an_item_runs_once_at_a_time_and_again_when_it_changed() {
        let mut queue: Queue = Queue::default();
        queue.wake(ITEM);
        queue.wake(ITEM);
        assert_eq!(queue.start(), Some(ITEM));
        assert_eq!(queue.start(), None);
        queue.wake(ITEM);
        assert_eq!(queue.start(), None, "it is running");
        queue.settled(ITEM);
        assert_eq!(queue.start(), Some(ITEM), "it changed while it ran");
        queue.settled(ITEM);
        assert_eq!(queue.start(), None);
    }

    #[tokio::test]
    async fn pauses_grow_until_the_item_settles() {
        let mut queue: Queue = Queue::default();
        let mut now = Instant::now();
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            queue.wake(ITEM);
            assert_eq!(queue.start(), Some(ITEM));
            queue.unsettled(ITEM, now);
            let next = queue.tick(now).expect("it waits");
            assert!(next - now >= last && next - now <= PAUSE_MAX);
            last = next - now;
            now = next;
            queue.tick(now);
            assert_eq!(queue.start(), Some(ITEM));
            queue.unsettled(ITEM, now);
        }
        assert_eq!(last, PAUSE_MAX);
    }

    thread_local! {
        static COMPARISONS: Cell<u64> = const { Cell::new(0) };
    }

    /// A point in time that counts how often two are compared.
    #[derive(Clone, Copy, Debug)]
    struct Counted(Duration);

    impl Ord for Counted {
        fn cmp(&self, other: &Self) -> Ordering {
            COMPARISONS.set(COMPARISONS.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counted {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other).is_eq()
        }
    }

    impl Eq for Counted {}

    impl Add<Duration> for Counted {
        type Output = Self;

        fn add(self, pause: Duration) -> Self {
            Self(self.0 + pause)
        }
    }

    /// Each turn of the loop walked all items that wait: to know what is due it had to look at their times.
    #[test]
    fn a_turn_compares_as_few_times_however_many_items_wait() {
        const ITEMS: u64 = 20_000;
        // To put an item into order and to take it out, in a tree of so many.
        const COMPARISONS_MAX: u64 = 200;
        let mut queue = Queue::default();
        let now = Counted(Duration::ZERO);
        for id in 0..ITEMS {
            queue.wake(Item::Gateway(GatewayId(id)));
            assert!(queue.start().is_some());
            queue.unsettled(Item::Gateway(GatewayId(id)), now);
            assert_eq!(queue.tick(now), Some(now + PAUSE_MIN));
        }
        assert_eq!(queue.tick(now + PAUSE_MIN), None);
        assert!(COMPARISONS.get() < ITEMS * COMPARISONS_MAX, "{} for {ITEMS} items", COMPARISONS.get());
        assert_eq!(std::iter::from_fn(|| queue.start()).count(), ITEMS as usize);
    }

    #[tokio::test]
    async fn an_item_that_keeps_failing_is_not_driven_by_what_its_failures_cause() {
        let mut queue: Queue = Queue::default();
        let now = Instant::now();
        let mut runs = 0;
        queue.wake(ITEM);
        while queue.start().is_some() {
            runs += 1;
            assert!(runs <= FAILURES_MAX, "it runs as fast as it fails");
            // Its failure is heard while it runs and after it.
            queue.hear(ITEM);
            queue.failed(ITEM, now);
            queue.hear(ITEM);
        }
        assert_eq!(runs, FAILURES_MAX);
        queue.wake(ITEM);
        assert_eq!(queue.start(), Some(ITEM), "a change of what is wished is another thing");
        queue.hear(ITEM);
        queue.settled(ITEM);
        assert_eq!(queue.start(), Some(ITEM), "what was heard during the run that settled it is looked at");
    }
}
