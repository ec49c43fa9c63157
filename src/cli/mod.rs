//! The commands: arguments in, text or JSON out. The only place that prints.

// As the standard library's, but a stream that is closed or full is no panic; see [`streams`]. They stand before the modules so that
// all print by them.
macro_rules! println {
    ($($argument:tt)*) => { $crate::cli::streams::print(format_args!($($argument)*)) };
}
macro_rules! eprintln {
    ($($argument:tt)*) => { $crate::cli::streams::say(format_args!($($argument)*)) };
}

mod ablate;
mod arguments;
mod card;
mod check;
mod compare;
mod config;
mod crossval;
mod data;
mod demo;
mod device;
mod devices;
mod effect;
mod evaluate;
mod export;
mod features;
mod gradients;
mod inspect;
mod interrupt;
mod listed;
mod manual;
mod matrix;
mod notes;
mod noting;
mod output;
mod predict;
mod prediction;
mod prepare;
mod profile;
mod progress;
mod ranks;
mod remedy;
mod report;
mod rows;
mod segment_lines;
mod segments;
mod settings;
mod shaders;
mod sharding;
mod spread;
mod streams;
mod sweep;
mod tables;
mod tiles;
mod tokens;
mod train;

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use crate::base::remedy::{Remedied, Remedy};
use crate::base::shown::in_line;
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

/// Runs the program; exit code 0 done, 1 the work failed, 2 wrong usage, 130 or 143 stopped by Ctrl-C or SIGTERM.
pub fn run() -> ExitCode {
    run_from(std::env::args_os())
}

/// As [`run`], by a command line of which the first word is the program's name. Wrong usage ends the process.
pub fn run_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    interrupt::end_with_parent();
    device::quiet_drivers();
    let options = Options::read(arguments).unwrap_or_else(|usage| {
        if let Err(error) = usage.print()
            && !usage.use_stderr()
        {
            streams::failed(&error);
        }
        std::process::exit(usage.exit_code())
    });
    match dispatch(&options) {
        Ok(code) => code,
        Err(Failure(message)) => {
            eprintln!("mcsan: {}", in_line(&message));
            interrupt::code().map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

fn dispatch(options: &Options) -> Done {
    let common = &options.common;
    common.note_unused_by(&options.command);
    match &options.command {
        Command::Devices => devices::run(common),
        Command::Demo(arguments) => demo::run(common, arguments),
        Command::Prepare(arguments) => prepare::run(common, arguments),
        Command::Inspect(arguments) => inspect::run(common, arguments),
        Command::Train(arguments) => train::run(common, arguments),
        Command::Evaluate(arguments) => evaluate::run(common, arguments),
        Command::Crossval(arguments) => crossval::run(common, arguments),
        Command::Ablate(arguments) => ablate::run(common, arguments),
        Command::Compare(arguments) => compare::run(common, arguments),
        Command::Matrix(arguments) => matrix::run(common, arguments),
        Command::Sweep(arguments) => sweep::run(common, arguments),
        Command::Predict(arguments) => predict::run(common, arguments),
        Command::Export(arguments) => export::run(common, arguments),
        Command::Card(arguments) => card::run(common, arguments),
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
        TrainError::EmptySplit { .. } | TrainError::Misfit(_) | TrainError::ResultNotFinite { .. } => Failure::of(path.display(), error),
        error => error.into(),
    }
}
