//! What is printed: results on standard output, all else on standard error.
//!
//! A program that others wait for must not end because nobody reads what it says. What goes to standard error is lost where that is
//! closed or full, and the work goes on. Standard output is the result of most commands, so a fault of it is one, unless whoever
//! read it has read enough.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::shown::in_lines;

/// Whether this process says nothing: another says the same.
static IS_MUTE: AtomicBool = AtomicBool::new(false);

/// Says nothing from here on.
#[cfg(feature = "mpi")]
pub(super) fn mute() {
    IS_MUTE.store(true, Ordering::Relaxed);
}

/// Writes a line to standard error, in one piece; what cannot be written is not missed.
pub(super) fn say(line: Arguments<'_>) {
    if IS_MUTE.load(Ordering::Relaxed) {
        return;
    }
    let _nobody_reads = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Writes a line that people read to standard output, the orders in texts of others written out.
pub(super) fn print(line: Arguments<'_>) {
    write(&in_lines(&line.to_string()));
}

/// Writes a line that programs read, JSON or CSV, to standard output: as it is, but to a terminal as [`print`] does.
pub(super) fn print_data(line: &str) {
    write(&if io::stdout().is_terminal() { in_lines(line) } else { line.into() });
}

fn write(line: &str) {
    if IS_MUTE.load(Ordering::Relaxed) {
        return;
    }
    writeln!(io::stdout(), "{line}").unwrap_or_else(|error| failed(&error));
}

/// Ends the program, since a line cannot be written to standard output: with 0 where that is closed, since nobody reads on
/// (`mcsan config | head -1`), else with 1.
pub(super) fn failed(error: &io::Error) -> ! {
    let is_closed = error.kind() == ErrorKind::BrokenPipe;
    if !is_closed {
        eprintln!("mcsan: standard output: cannot be written ({error}); free some space, or send it elsewhere");
    }
    exit(i32::from(!is_closed));
}
