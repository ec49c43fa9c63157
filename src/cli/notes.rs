//! What a user should know besides the result: said on standard error, and again as `notes` in the document of `--json`.

use std::cell::RefCell;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use serde_json::{Value, json};

use super::arguments::Common;
use super::streams::print_data;
use crate::base::shown::in_line;
use crate::train::metrics::json_text;

/// Something that a user did not ask for, or might not expect.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Note {
    /// There is no graphics adapter: the CPU reference computes.
    NoAdapter,
    /// The adapter that was found is none of hardware.
    SoftwareAdapter { adapter: String },
    /// The CPU reference computes, though there is an adapter, of software.
    ReferenceIsFaster { adapter: String },
    /// A run goes on on another device than it was computed on.
    OtherDevice { before: String, now: String },
    /// Mixed precision was asked for and brings no speed.
    MixedIsNotFaster { lacks: String },
    /// What was given and the model has no use for.
    NotUsed { option: &'static str, model: String, needs: &'static str },
    /// The choices of tiles cannot be written down.
    TilesNotKept { path: String, error: String },
    /// Shaders with run-time checks are not compared.
    UncheckedOnly,
    /// A recording cannot be used.
    LeftOut {
        /// The utterance.
        id: String,
        /// Why, with the file's name.
        reason: String,
    },
    /// A fold was not trained, because it is there.
    DoneBefore(FoldName),
    /// A fold is not trained here.
    TrainedElsewhere(FoldName),
    /// The device has no room for a batch.
    Split { step: u64, parts: usize, error: String },
    /// A step was left out, a gradient having overflowed.
    Skipped { step: u64, scale: f32 },
    /// The run ended before its last epoch.
    Stopped { epochs: u64 },
}

impl Display for Note {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAdapter => formatter.write_str("no graphics adapter found: computing with the CPU reference"),
            Self::SoftwareAdapter { adapter } => write!(formatter, "only a software adapter found: {adapter}"),
            Self::ReferenceIsFaster { adapter } => {
                write!(
                    formatter,
                    "only a software adapter found: {adapter}; the CPU reference computes, which is faster (--device 0 \
                                   takes the adapter)"
                )
            }
            Self::OtherDevice { before, now } => {
                write!(
                    formatter,
                    "the run was computed on {before} and goes on on {now}: its last bits may differ from those of a run that \
                                   nobody stopped"
                )
            }
            Self::MixedIsNotFaster { lacks } => {
                write!(formatter, "mixed precision: {lacks}; factors are rounded to f16 all the same, which is no faster than f32")
            }
            Self::NotUsed { option, model, needs } => write!(formatter, "{option} is not used: the model of {model} needs {needs}"),
            Self::TilesNotKept { path, error } => {
                write!(formatter, "{path}: tiles cannot be kept ({error}) and are timed again next time; --tiles names another file")
            }
            Self::UncheckedOnly => {
                formatter.write_str("GL takes minutes to compile run-time checks: only unchecked shaders (--shaders both for all)")
            }
            Self::LeftOut { id, reason } => write!(formatter, "left out: {id}: {reason}"),
            Self::DoneBefore(fold) => write!(formatter, "{fold}: done before"),
            Self::TrainedElsewhere(fold) => write!(formatter, "{fold}: another process trains it"),
            Self::Split { step, parts, error } => {
                write!(formatter, "step {step}: {error}: from here on each batch is computed in {parts} parts")
            }
            Self::Skipped { step, scale } => {
                write!(formatter, "step {step}: skipped, a gradient overflowed f16; the loss scale is now {scale}")
            }
            Self::Stopped { epochs } => {
                write!(formatter, "stopped: {epochs} epochs without a better validation figure (train.patience)")
            }
        }
    }
}

/// Which fold of an experiment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FoldName {
    /// The row of an ablation; of a cross-validation there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub row: String,
    /// Counted from 1.
    pub fold: usize,
    /// How many there are.
    pub folds: usize,
}

impl Display for FoldName {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { row, fold, folds } = self;
        if !row.is_empty() {
            write!(formatter, "{row}: ")?;
        }
        write!(formatter, "fold {fold} of {folds}")
    }
}

/// The notes of a command so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(RefCell<Vec<Note>>);

impl Common {
    /// Says a note.
    pub(crate) fn note(&self, note: Note) {
        eprintln!("{}", in_line(&note.to_string()));
        self.keep_note(note);
    }

    /// Keeps a note that was said, or is one of too many to be said.
    pub(crate) fn keep_note(&self, note: Note) {
        self.notes.0.borrow_mut().push(note);
    }

    /// Prints the one JSON document of a command, with the notes there were.
    pub(crate) fn print_json(&self, mut document: Value) {
        let notes = self.notes.0.borrow();
        if let (Value::Object(fields), false) = (&mut document, notes.is_empty()) {
            let told = |note: &Note| {
                let mut value = json!(note);
                value["text"] = json!(note.to_string());
                value
            };
            fields.insert("notes".into(), notes.iter().map(told).collect());
        }
        print_data(&json_text(&document));
    }
}
