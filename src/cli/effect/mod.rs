//! What was typed and has no effect.
//!
//! Options that exclude or need each other are refused, by clap or by a command's `check_usage`. What every command takes, and what
//! depends on the data or on the device, is said by a note. A default that is not used is neither.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fmt::Display;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches};

use super::arguments::{Command, Common, Options};
use super::notes::Note;
use crate::base::streams::TEXT;
use crate::config::Settings;
use crate::config::effect::{Purpose, Use};
use crate::corpus::Split;
use crate::dataset::{Dataset, SHARDS};

/// Options that are of another one alone, by command. Not clap's `requires`: it says nothing where what is required conflicts with
/// something else that was typed.
const PARTS: [(&str, &str, &[&str]); 9] = [
    ("prepare", "vectors", &["oov"]),
    ("predict", "segments", &["window", "overlap", "voice-db", "transcript", "out", "timeline"]),
    ("predict", "audio", &["segments"]),
    ("predict", "attention", &["heads"]),
    ("export", "onnx", &["from", "batch"]),
    ("report", "data", &["map"]),
    ("check", "kernel", &["fuzz-seed"]),
    ("check", "model", &["shape"]),
    ("profile", "sweep", &["plot"]),
];

/// Options of every command that say where and how to compute.
const DEVICE: [&str; 3] = ["device", "backend", "without"];
const TILES: &str = "tiles";
const SUM: &str = "sum";
const JSON: &str = "json";

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// Wrong usage, options that nothing would use included.
    pub(crate) fn read(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let matches = Self::command().mut_subcommands(with_signs).try_get_matches_from(arguments)?;
        let mut options = Self::from_arg_matches(&matches)?;
        options.common.typed = typed(&matches);
        check_parts(matches.subcommand_name().unwrap_or_default(), &options.common.typed)?;
        options.command.check_usage()?;
        Ok(options)
    }
}

/// The options that stand on the command line, without those that are set elsewhere.
fn typed(matches: &ArgMatches) -> Vec<String> {
    let (program, Some((name, of_command))) = (Options::command(), matches.subcommand()) else { return Vec::new() };
    let own = program.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
    let is_typed = |option: &&Arg| of_command.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine);
    program.get_arguments().chain(own).filter(is_typed).filter_map(|option| option.get_long().map(str::to_owned)).collect()
}

/// A command whose options take numbers below zero for values, so that these are refused by what they may be.
fn with_signs(command: clap::Command) -> clap::Command {
    command.mut_args(|option| {
        let is_signed = option.get_long().is_some() && option.get_action().takes_values();
        if is_signed { option.allow_negative_numbers(true) } else { option }
    })
}

/// # Errors
/// An option without the one that it is of.
fn check_parts(command: &str, typed: &[String]) -> Result<(), clap::Error> {
    let is_typed = |option: &str| typed.iter().any(|typed| typed == option);
    let of_command = PARTS.iter().filter(|(of, whole, _)| *of == command && !is_typed(whole));
    match of_command.flat_map(|(_, whole, parts)| parts.iter().map(move |part| (whole, part))).find(|(_, part)| is_typed(part)) {
        None => Ok(()),
        Some((whole, part)) => Err(no_effect(format!("--{part} is of --{whole}, which is not given; give it, or leave --{part} out"))),
    }
}

/// Wrong usage: an option that nothing would use.
pub(super) fn no_effect(message: impl Display) -> clap::Error {
    Options::command().error(ErrorKind::ArgumentConflict, message)
}

impl Command {
    fn check_usage(&self) -> Result<(), clap::Error> {
        match self {
            Self::Prepare(arguments) => arguments.check_usage(),
            Self::Predict(arguments) => arguments.check_usage(),
            Self::Evaluate(arguments) => arguments.check_usage(),
            Self::Profile(arguments) => arguments.check_usage(),
            Self::Compare(arguments) => arguments.check_usage(),
            Self::Matrix(arguments) => arguments.check_usage(),
            Self::Sweep(arguments) => arguments.check_usage(),
            Self::Train(arguments) => arguments.data.check_usage(),
            Self::Crossval(arguments) => arguments.experiment.data.check_usage(),
            Self::Ablate(arguments) => arguments.experiment.data.check_usage(),
            Self::Report(arguments) => arguments.check_usage(),
            _ => Ok(()),
        }
    }

    /// Which of the options of every command have no effect on this one, and why.
    fn unused(&self) -> (Vec<&'static str>, &'static str) {
        let none = |reason| ([DEVICE.as_slice(), &[TILES]].concat(), reason);
        let no_tiles = |reason| (vec![TILES], reason);
        match self {
            Self::Devices => (vec!["device", TILES], "it lists all adapters"),
            Self::Completions(_) | Self::Man(_) => {
                let (mut options, reason) = none("it writes down what can be typed");
                options.push(JSON);
                (options, reason)
            }
            Self::Inspect(_) | Self::Export(_) | Self::Card(_) | Self::Report(_) | Self::Tokens(_) | Self::Shaders(_) | Self::Config => {
                none("the command computes nothing on a device")
            }
            Self::Check(arguments) if arguments.list => none("--list runs no case"),
            Self::Profile(arguments) if arguments.from.is_some() => none("--from measures nothing"),
            Self::Profile(arguments) if arguments.predict.is_some() => {
                (vec!["without", TILES], "--predict lays a step out without optional features, by tiles that no one timed")
            }
            Self::Profile(arguments) if arguments.sweep.is_some() => no_tiles("--sweep chooses none"),
            Self::Train(arguments) if arguments.overfit_one_batch => no_tiles("--overfit-one-batch chooses none"),
            Self::Train(_)
            | Self::Crossval(_)
            | Self::Ablate(_)
            | Self::Compare(_)
            | Self::Matrix(_)
            | Self::Sweep(_)
            | Self::Profile(_) => (Vec::new(), ""),
            Self::Demo(_)
            | Self::Prepare(_)
            | Self::Evaluate(_)
            | Self::Predict(_)
            | Self::Features(_)
            | Self::Gradients(_)
            | Self::Check(_) => no_tiles("'train', 'crossval', 'ablate', 'compare', 'sweep' and 'profile' choose tiles"),
        }
    }
}

impl Common {
    /// Says which of these options were typed in vain.
    pub(crate) fn note_unused(&self, options: &[impl AsRef<str>], reason: impl Display) {
        let is_typed = |option: &&str| self.typed.iter().any(|typed| typed == option);
        for option in options.iter().map(AsRef::as_ref).filter(is_typed) {
            self.note_no_effect(format!("--{option}"), &reason);
        }
    }

    fn note_no_effect(&self, option: String, reason: impl Display) {
        if !self.notes.any(|note| matches!(note, Note::NoEffect { option: said, .. } if *said == option)) {
            self.note(Note::NoEffect { option, reason: reason.to_string() });
        }
    }

    /// Says which of the options of every command were typed in vain.
    pub(crate) fn note_unused_by(&self, command: &Command) {
        let (options, reason) = command.unused();
        self.note_unused(&options, reason);
        if !matches!(command, Command::Train(_)) {
            self.note_unused(&[SUM], "only 'train' has ranks whose gradients are added");
        }
    }

    /// Says which settings were changed in vain.
    pub(crate) fn note_settings(&self, settings: &Settings, usual: &Settings, purpose: Purpose, data: Option<&Dataset>) {
        self.note_settings_of_all(&[(settings, usual.clone())], purpose, data);
    }

    /// The same of several trainings, each with the settings that are usual for it: what none of them uses.
    pub(crate) fn note_settings_of_all(&self, all: &[(&Settings, Settings)], purpose: Purpose, data: Option<&Dataset>) {
        let has_word_files = data.is_some_and(|data| data.streams.frames(TEXT).is_some());
        let has_vectors = |data: &Dataset| has_word_files || data.text().is_some_and(|text| text.vectors.is_some());
        // A drawn batch has some, but for the pass that is checked.
        let vectors = data.map_or(purpose != Purpose::CheckedPass, has_vectors);
        let unlabelled = data.is_some_and(|data| !data.split(Split::Unlabelled).is_empty());
        let corpora = data.is_some_and(|data| data.parts.len() > 1);
        let shards = data.is_some_and(|data| data.shards.len() > SHARDS);
        let of = Use { purpose, drawn: data.is_none(), vectors, words: !has_word_files, unlabelled, corpora, shards };
        let unused = |(settings, usual): &(&Settings, Settings)| settings.without_effect(usual, of);
        let all: Vec<_> = all.iter().map(unused).collect();
        let Some((first, others)) = all.split_first() else { return };
        for (key, reason) in first {
            if others.iter().all(|other| other.iter().any(|(unused, _)| unused.name == key.name)) {
                self.note_no_effect(key.name.to_owned(), reason);
            }
        }
    }
}
