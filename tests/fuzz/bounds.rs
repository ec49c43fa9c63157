//! What the reading of a file may take: memory that follows the file's size, and seconds. What takes more ends the program, with
//! the place where it was about to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::process::abort;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{LazyLock, Once};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that may be held for a byte of input: a field of two bytes is a string with its own allocation, in several tables.
const PER_BYTE: usize = 200;

/// Longest that a file of this size may be read. A machine that does much else is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// The system's allocator, which counts.
pub struct Counted;

/// Bytes that are allocated, and the most that may be.
static HELD: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

fn take(bytes: usize) {
    let held = HELD.fetch_add(bytes, Relaxed).saturating_add(bytes);
    if held > LIMIT.load(Relaxed) {
        // What is told needs memory itself.
        LIMIT.store(usize::MAX, Relaxed);
        eprintln!("memory: {bytes} bytes more would be over the bound\n{}", Backtrace::force_capture());
        abort();
    }
}

#[expect(unsafe_code)]
// SAFETY: every request is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The clock, and when what goes on began by it, in milliseconds; 0 where nothing does.
static CLOCK: LazyLock<Instant> = LazyLock::new(Instant::now);
static BEGAN: AtomicU64 = AtomicU64::new(0);

fn watch() {
    loop {
        thread::sleep(Duration::from_secs(1));
        let began = BEGAN.load(Relaxed);
        let lasts = CLOCK.elapsed().saturating_sub(Duration::from_millis(began));
        if began > 0 && lasts > PATIENCE {
            eprintln!("time: it goes on after {} s", lasts.as_secs());
            abort();
        }
    }
}

/// Runs `work` on an input of `bytes` bytes, within [`PATIENCE`] and with at most `spare` bytes besides what follows the input.
pub fn within<T>(spare: usize, bytes: usize, work: impl FnOnce() -> T) -> T {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| drop(thread::spawn(watch)));
    BEGAN.store(CLOCK.elapsed().as_millis().max(1) as u64, Relaxed);
    LIMIT.store(HELD.load(Relaxed) + spare + PER_BYTE * bytes, Relaxed);
    let result = work();
    LIMIT.store(usize::MAX, Relaxed);
    BEGAN.store(0, Relaxed);
    result
}
