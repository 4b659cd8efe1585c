//! The allocator's part in giving memory back to the system.
//!
//! mimalloc keeps freed memory for a second and returns it when a later allocation passes by. A
//! server whose last queue was drained makes none, so a thread of its own collects: 3 to 15 us
//! when there is nothing to do, up to 120 ms after a gigabyte was freed, which is why no worker
//! does it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often memory is collected. Longer than mimalloc keeps what was freed, short enough that a
/// drained queue's memory is back within seconds.
const COLLECT_INTERVAL: Duration = Duration::from_secs(2);

/// The thread that collects; it ends when this is dropped.
#[derive(Debug)]
pub struct Collector {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    /// Starts collecting.
    pub fn start() -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&is_over);
        let thread = thread::Builder::new()
            .name("weir-memory".into())
            .spawn(move || {
                while !watched.load(Ordering::Relaxed) {
                    thread::park_timeout(COLLECT_INTERVAL);
                    collect();
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

/// Returns what was freed more than a second ago.
fn collect() {
    // SAFETY: mi_collect takes no pointers, may be called from any thread at any time, and does
    // nothing of note where mimalloc is not the global allocator.
    unsafe { libmimalloc_sys::mi_collect(false) }
}
