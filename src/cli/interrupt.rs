//! Ctrl-C, a request to end and a closed terminal, while a command works on what it can leave whole.
//!
//! The first Ctrl-C (SIGINT) or SIGTERM is a wish that the work looks at between its steps; the second ends the program at once.
//! Either way the exit code says which signal it was, as shells do: 128 and its number. A terminal that is closed (SIGHUP) ends
//! nothing: only what would have been said is lost.
//!
//! A process that another one started to work for it ends with that one, however that ends: see [`end_with_parent`].

use std::io::{self, ErrorKind, Read};
use std::process::exit;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

static IS_WISHED: AtomicBool = AtomicBool::new(false);
/// The signal that the wish came by, 0 before there is one.
static SIGNAL: AtomicUsize = AtomicUsize::new(0);
/// Done once signals are wishes.
static LISTENS: Once = Once::new();

/// The variable that is set for a process whose standard input is a pipe that its parent holds as long as it lives, and never writes to.
pub(super) const TIED: &str = "MCSAN_ENDS_WITH_STDIN";

/// From now on signals are wishes; the one to look at between steps.
pub(super) fn wish() -> &'static AtomicBool {
    LISTENS.call_once(|| {
        for signal in [SIGINT, SIGTERM] {
            // In this order: what is set by the first ends the program at the second. Where the system refuses, a signal does what
            // it always does.
            let _listens = flag::register_conditional_shutdown(signal, exit_code(signal as usize).into(), &IS_WISHED)
                .and_then(|_| flag::register_usize(signal, &SIGNAL, signal as usize))
                .and_then(|_| flag::register(signal, &IS_WISHED));
        }
        #[cfg(unix)]
        {
            static IS_CLOSED: AtomicBool = AtomicBool::new(false);
            let _listens = flag::register(signal_hook::consts::SIGHUP, &IS_CLOSED);
        }
    });
    &IS_WISHED
}

/// Where the parent has said so by [`TIED`], waits beside the work for the end of standard input, which comes when the parent has closed it
/// or has ended, be it by `kill -9`. That is a wish, as SIGTERM is; a command that listens to none is ended.
pub(super) fn end_with_parent() {
    if std::env::var_os(TIED).is_none() {
        return;
    }
    thread::spawn(|| {
        let mut unread = [0; 64];
        loop {
            match io::stdin().read(&mut unread) {
                Ok(0) => break,
                Err(error) if error.kind() != ErrorKind::Interrupted => break,
                Ok(_) | Err(_) => {}
            }
        }
        let _came_first = SIGNAL.compare_exchange(0, SIGTERM as usize, Ordering::Relaxed, Ordering::Relaxed);
        IS_WISHED.store(true, Ordering::Relaxed);
        if !LISTENS.is_completed() {
            exit(exit_code(SIGTERM as usize).into());
        }
    });
}

fn exit_code(signal: usize) -> u8 {
    128 + signal as u8
}

/// The exit code of a command that did not finish because it was wished.
pub(super) fn code() -> Option<u8> {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(exit_code(signal)),
    }
}
