//! The allocator's part in giving memory back to the system, and in getting it.
//!
//! mimalloc keeps freed memory for a second and returns it when a later allocation passes by. A
//! server whose last queue was drained makes none, so a thread of its own collects: 3 to 15 us
//! when there is nothing to do, up to 120 ms after a gigabyte was freed, which is why no worker
//! does it. While memory is short it returns at once what is free, so that the resident size, by
//! which memory is judged, follows what was let go of.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A page of memory, or a part of it on machines that have larger ones, whose system then refuses
/// what [`back`] asks for.
const PAGE_BYTES: usize = 4096;
/// How often the thread looks whether memory is short.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Looks between two collections while it is not: longer than mimalloc keeps what was freed, short
/// enough that a drained queue's memory is back within seconds.
const LOOKS_PER_COLLECTION: u32 = 20;

/// The thread that collects; it ends when this is dropped.
#[derive(Debug)]
pub struct Collector {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Starts collecting; `is_short` says whether memory is short.
    pub fn start(is_short: impl Fn() -> bool + Send + 'static) -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&is_over);
        let thread = thread::Builder::new()
            .name("weir-memory".into())
            .spawn(move || {
                let mut looks = 0;
                while !watched.load(Ordering::Relaxed) {
                    thread::park_timeout(LOOK_INTERVAL);
                    looks += 1;
                    let is_short = is_short();
                    if is_short || looks >= LOOKS_PER_COLLECTION {
                        collect(is_short);
                        looks = 0;
                    }
                }
            })?;
        Ok(Self {
            is_over,
            thread: Some(thread),
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there has nothing left to break.
            let _ = thread.join();
        }
    }
}

/// Returns what was freed more than a second ago, or all of it.
fn collect(is_all: bool) {
    // SAFETY: mi_collect takes no pointers, may be called from any thread at any time, and does
    // nothing of note where mimalloc is not the global allocator.
    unsafe { libmimalloc_sys::mi_collect(is_all) }
}

/// Has the system back the first `bytes` of a buffer's unused room with memory, as far as it is not:
/// in one call, which costs two thirds of a fault for each page, and half a microsecond where all
/// is there. For room that is about to be filled.
pub fn back(buffer: &mut Vec<u8>, bytes: usize) {
    let room = buffer.spare_capacity_mut();
    let start = room.as_mut_ptr();
    let before = start.align_offset(PAGE_BYTES);
    let len = bytes.min(room.len()).saturating_sub(before);
    if len < PAGE_BYTES {
        return;
    }
    // SAFETY: the range lies in the buffer's own room, begins at a page as the call demands, and
    // the advice changes no byte. It only saves time, so a refusal is passed over.
    #[cfg(target_os = "linux")]
    let _ = unsafe {
        let start = start.add(before).cast();
        rustix::mm::madvise(start, len, rustix::mm::Advice::LinuxPopulateWrite)
    };
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::{Collector, PAGE_BYTES, back};

    #[test]
    fn backing_memory_changes_nothing_in_it() {
        for filled in [0, 1, 5000] {
            let mut buffer = Vec::with_capacity(10 * PAGE_BYTES);
            buffer.resize(filled, b'x');
            for bytes in [0, 1, PAGE_BYTES, 3 * PAGE_BYTES + 1, usize::MAX] {
                back(&mut buffer, bytes);
            }
            assert_eq!(buffer, vec![b'x'; filled]);
        }
    }

    #[test]
    fn memory_is_collected_while_it_is_short() {
        let (asked, answers) = sync_channel(0);
        let collector = Collector::start(move || asked.send(()).is_ok()).unwrap();
        // Whoever is asked again has collected in between.
        for _ in 0..2 {
            answers.recv().unwrap();
        }
        drop(answers);
        drop(collector);
    }
}
