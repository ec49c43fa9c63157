//! Ctrl-C, a request to end and a closed terminal, while a command works on what it can leave whole.
//!
//! The first Ctrl-C (SIGINT) or SIGTERM is a wish that the work looks at between its steps; the second ends the program at once.
//! Either way the exit code says which signal it was, as shells do: 128 and its number. A terminal that is closed (SIGHUP) ends
//! nothing: only what would have been said is lost.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

static IS_WISHED: AtomicBool = AtomicBool::new(false);
/// The signal that the wish came by, 0 before there is one.
static SIGNAL: AtomicUsize = AtomicUsize::new(0);

/// From now on signals are wishes; the one to look at between steps.
pub(super) fn wish() -> &'static AtomicBool {
    static LISTENS: Once = Once::new();
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
