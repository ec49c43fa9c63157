//! The commands: arguments in, text or JSON out. The only place that prints.

/// As the standard library's, but a standard output that is closed (`mcsan config | head -1`) or full ends the program
/// without a panic. It stands before the modules so that they all print by it.
macro_rules! println {
    ($($argument:tt)*) => { $crate::cli::print_line(format_args!($($argument)*)) };
}

mod ablate;
mod arguments;
mod check;
mod config;
mod crossval;
mod demo;
mod device;
mod devices;
mod evaluate;
mod export;
mod features;
mod gradients;
mod inspect;
mod manual;
mod notes;
mod predict;
mod prepare;
mod profile;
mod progress;
mod remedy;
mod report;
mod settings;
mod shaders;
mod tables;
mod tiles;
mod tokens;
mod train;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::base::remedy::{Remedied, Remedy};
use crate::base::shown::{in_line, in_lines};
use crate::train::TrainError;
use arguments::{Command, Options};

/// Why a command failed, in one line.
pub(crate) struct Failure(String);

impl<E: Remedied> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(remedy::line(&error))
    }
}

impl Failure {
    /// An error that does not say what it is of.
    fn of(what: impl Display, error: impl Remedied) -> Self {
        Self(format!("{what}: {}", remedy::line(&error)))
    }
}

type Done = Result<ExitCode, Failure>;

/// Runs the program; exit code 0 done, 1 the work failed, 2 wrong usage.
pub fn run() -> ExitCode {
    device::quiet_drivers();
    let options = Options::parse();
    match dispatch(&options) {
        Ok(code) => code,
        Err(Failure(message)) => {
            eprintln!("mcsan: {}", in_line(&message));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(options: &Options) -> Done {
    let common = &options.common;
    match &options.command {
        Command::Devices => devices::run(common),
        Command::Demo(arguments) => demo::run(common, arguments),
        Command::Prepare(arguments) => prepare::run(common, arguments),
        Command::Inspect(arguments) => inspect::run(common, arguments),
        Command::Train(arguments) => train::run(common, arguments),
        Command::Evaluate(arguments) => evaluate::run(common, arguments),
        Command::Crossval(arguments) => crossval::run(common, arguments),
        Command::Ablate(arguments) => ablate::run(common, arguments),
        Command::Predict(arguments) => predict::run(common, arguments),
        Command::Export(arguments) => export::run(common, arguments),
        Command::Report(arguments) => report::run(common, arguments),
        Command::Features(arguments) => features::run(common, arguments),
        Command::Tokens(arguments) => tokens::run(arguments),
        Command::Gradients(arguments) => gradients::run(common, arguments),
        Command::Check(arguments) => check::run(common, arguments),
        Command::Profile(arguments) => profile::run(common, arguments),
        Command::Shaders(arguments) => shaders::run(common, arguments),
        Command::Config => config::run(common),
        Command::Completions(arguments) => manual::completions(arguments),
        Command::Man(arguments) => manual::man(arguments),
    }
}

/// Names the file or folder that could not be written, and the remedy.
fn cannot_write(path: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Failure(format!("{}: cannot be written ({error}); {}", path.display(), Remedy::CheckFolder))
}

/// Names the data set in those failures that know only what it holds.
fn in_data(path: &Path) -> impl Fn(TrainError) -> Failure {
    move |error| match error {
        TrainError::EmptySplit { .. } | TrainError::Misfit(_) => Failure::of(path.display(), error),
        error => error.into(),
    }
}

/// Writes a line that people read to standard output, the orders in texts of others written out.
fn print_line(line: std::fmt::Arguments<'_>) {
    write_line(&in_lines(&line.to_string()));
}

/// Writes a line that programs read, JSON or CSV, to standard output: as it is, but to a terminal as [`print_line`] does.
fn print_data(line: &str) {
    write_line(&if io::stdout().is_terminal() { in_lines(line) } else { line.into() });
}

/// Nobody reads on where standard output is closed; any other fault is a failure.
fn write_line(line: &str) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        let closed = error.kind() == io::ErrorKind::BrokenPipe;
        if !closed {
            eprintln!("mcsan: standard output: cannot be written ({error}); free some space, or send it elsewhere");
        }
        std::process::exit(i32::from(!closed));
    }
}
