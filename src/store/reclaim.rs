//! Freeing what takes too long to free at once.
//!
//! Freeing a queue of ten million messages takes tens of milliseconds. Whoever lets go of one
//! holds a shard and has other clients to serve, so a value that is heavy is handed to a thread of
//! its own, which frees it in slices and rests between them. Values hand themselves over when they
//! are dropped (see `Queue`), so no path by which a value goes can forget it: deletion,
//! overwriting, expiry, emptying a database. [`free`] is for what has no such `Drop`, a whole table.
//!
//! Bounded by count and by bytes: while more is pending, whoever lets go of a heavy value frees it
//! on the spot, which slows down exactly those who throw away faster than memory can be freed.
//!
//! One thread for the process, of low priority, started by the first heavy value. It touches
//! nothing but what it was handed. What it freed goes back to the system by `allocator`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use super::table::IntoIter;

/// A value that owns more than this is freed elsewhere. A megabyte is freed in about 50 us, and
/// handing it over costs under 1 us.
pub const HEAVY_BYTES_MIN: usize = 1 << 20;
/// Bytes freed before the thread rests.
pub const SLICE_BYTES: usize = 1 << 20;
/// Rest between slices: workers that share the core with the thread wait for one slice at most,
/// and it still frees about 3 GB a second.
const REST: Duration = Duration::from_micros(200);
/// How far the thread steps back for workers on its core: it gets a tenth of a core that is busy.
const NICENESS: libc::c_int = 10;
/// Values that may be pending.
const PENDING_LEN_MAX: usize = 1024;
/// Bytes pending past which the next value is not taken.
const PENDING_BYTES_MAX: u64 = 1 << 30;

/// Something that can be freed piece by piece.
pub trait Shed: Send {
    /// Frees about [`SLICE_BYTES`]; true while there is more.
    fn shed(&mut self) -> bool;
}

/// What is left of a table: elements of about equal size, freed some thousands at a time.
pub(super) struct Remains<T> {
    elements: IntoIter<T>,
    mean_bytes: usize,
}

impl<T> Remains<T> {
    /// Elements that take about `mean_bytes` each, their share of the table included.
    pub(super) fn new(elements: IntoIter<T>, mean_bytes: usize) -> Self {
        Self {
            elements,
            mean_bytes: mean_bytes.max(1),
        }
    }
}

impl<T: Send> Shed for Remains<T> {
    fn shed(&mut self) -> bool {
        let slice_len = (SLICE_BYTES / self.mean_bytes).max(1);
        self.elements.by_ref().take(slice_len).for_each(drop);
        self.elements.len() > 0
    }
}

struct Pending {
    value: Box<dyn Shed>,
    bytes: u64,
}

/// Bytes handed over and not yet freed. Relaxed, as all counters here: they bound and inform, and
/// order nothing.
static PENDING_BYTES: AtomicU64 = AtomicU64::new(0);
static PENDING_LEN: AtomicU64 = AtomicU64::new(0);
static FREED_TOTAL: AtomicU64 = AtomicU64::new(0);

/// How many values wait to be freed, for INFO.
pub fn pending_len() -> u64 {
    PENDING_LEN.load(Ordering::Relaxed)
}

/// How many values were freed by the thread since the start, for INFO.
pub fn freed_total() -> u64 {
    FREED_TOTAL.load(Ordering::Relaxed)
}

/// Frees a value that owns `bytes`: elsewhere if it is heavy, else or if too much is pending here.
pub fn free(value: impl Shed + 'static, bytes: usize) {
    if bytes < HEAVY_BYTES_MIN {
        return;
    }
    let bytes = bytes as u64;
    let mut pending = Pending {
        value: Box::new(value),
        bytes,
    };
    if PENDING_BYTES.load(Ordering::Relaxed) <= PENDING_BYTES_MAX
        && let Some(sender) = sender()
    {
        PENDING_BYTES.fetch_add(bytes, Ordering::Relaxed);
        PENDING_LEN.fetch_add(1, Ordering::Relaxed);
        pending = match sender.try_send(pending) {
            Ok(()) => return,
            Err(TrySendError::Full(pending) | TrySendError::Disconnected(pending)) => pending,
        };
        PENDING_BYTES.fetch_sub(bytes, Ordering::Relaxed);
        PENDING_LEN.fetch_sub(1, Ordering::Relaxed);
    }
    while pending.value.shed() {}
}

/// The way to the thread, which starts at the first call; none where the system refuses one.
fn sender() -> Option<&'static SyncSender<Pending>> {
    static SENDER: OnceLock<Option<SyncSender<Pending>>> = OnceLock::new();
    let start = || {
        let (sender, receiver) = sync_channel(PENDING_LEN_MAX);
        let thread = thread::Builder::new().name("weir-reclaim".into());
        thread.spawn(move || run(&receiver)).ok().map(|_| sender)
    };
    SENDER.get_or_init(start).as_ref()
}

fn run(receiver: &Receiver<Pending>) {
    step_back();
    while let Ok(pending) = receiver.recv() {
        free_slowly(pending);
    }
}

fn free_slowly(pending: Pending) {
    let Pending { mut value, bytes } = pending;
    while value.shed() {
        thread::sleep(REST);
    }
    drop(value);
    PENDING_BYTES.fetch_sub(bytes, Ordering::Relaxed);
    PENDING_LEN.fetch_sub(1, Ordering::Relaxed);
    FREED_TOTAL.fetch_add(1, Ordering::Relaxed);
}

/// Lowers the priority of this thread; without success all works, less smoothly.
fn step_back() {
    // SAFETY: it takes numbers only; on Linux process 0 here means the calling thread.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::sync::mpsc::{Sender, channel, sync_channel};
    use std::thread;

    use super::{
        HEAVY_BYTES_MIN, PENDING_BYTES, PENDING_LEN, Pending, Remains, SLICE_BYTES, Shed, free, run,
    };
    use crate::store::table::Table;

    /// Says on which thread each slice was freed.
    struct Slices(u32, Sender<Option<String>>);

    impl Shed for Slices {
        fn shed(&mut self) -> bool {
            self.0 -= 1;
            let name = std::thread::current().name().map(str::to_owned);
            self.1.send(name).unwrap();
            self.0 > 0
        }
    }

    /// A thread of its own: the other tests' values may fill the line of the shared one.
    #[test]
    fn what_is_left_of_a_table_goes_in_slices() {
        let mut table = Table::default();
        for element in 0..100_u64 {
            table.insert_unique(element, element, |element| *element);
        }
        let mut remains = Remains::new(table.into_iter(), SLICE_BYTES / 30);
        let mut slices = 1;
        while remains.shed() {
            slices += 1;
        }
        assert_eq!(slices, 4);
    }

    #[test]
    fn heavy_values_are_freed_elsewhere_to_the_last_slice() {
        let (sender, receiver) = sync_channel(1);
        let reclaiming = thread::Builder::new().name("elsewhere".into());
        let reclaiming = reclaiming.spawn(move || run(&receiver)).unwrap();
        let (slices, freed) = channel();
        PENDING_BYTES.fetch_add(HEAVY_BYTES_MIN as u64, Ordering::Relaxed);
        PENDING_LEN.fetch_add(1, Ordering::Relaxed);
        let pending = Pending {
            value: Box::new(Slices(3, slices)),
            bytes: HEAVY_BYTES_MIN as u64,
        };
        sender.send(pending).unwrap();
        let names: Vec<_> = freed.iter().collect();
        assert_eq!(names, vec![Some("elsewhere".to_owned()); 3]);
        drop(sender);
        reclaiming.join().unwrap();
    }

    #[test]
    fn light_values_go_at_once() {
        let (sender, freed) = channel();
        free(Slices(1, sender), HEAVY_BYTES_MIN - 1);
        assert_eq!(freed.iter().count(), 0);
    }
}
