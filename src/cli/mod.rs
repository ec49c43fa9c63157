//! The commands: arguments in, text or JSON out. The only place that prints.

mod arguments;
mod check;
mod config;
mod demo;
mod device;
mod devices;
mod evaluate;
mod features;
mod gradients;
mod inspect;
mod predict;
mod prepare;
mod progress;
mod shaders;
mod tables;
mod train;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Command, Options};

/// Why a command failed, in one line.
pub struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

type Done = Result<ExitCode, Failure>;

/// Runs the program; exit code 0 done, 1 the work failed, 2 wrong usage.
pub fn run() -> ExitCode {
    let options = Options::parse();
    match dispatch(&options) {
        Ok(code) => code,
        Err(Failure(message)) => {
            eprintln!("mcsan: {message}");
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
        Command::Predict(arguments) => predict::run(common, arguments),
        Command::Features(arguments) => features::run(common, arguments),
        Command::Gradients(arguments) => gradients::run(common, arguments),
        Command::Check(arguments) => check::run(common, arguments),
        Command::Shaders(arguments) => shaders::run(common, arguments),
        Command::Config => config::run(common),
    }
}

/// Prints one JSON document on standard output.
fn print_json(value: &serde_json::Value) {
    println!("{value:#}");
}
