//! What can be typed.

mod prepare;

use std::cell::Cell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::backend::gpu::Feature;
use crate::corpus::Split;
use crate::picture;
use crate::train::bootstrap::Bootstrap;
use crate::train::groups::Grouping;

use super::data::Data;
use super::effect::no_effect;
use super::noting::Notes;
use super::settings::{Configuration, ExecutionFlags, FrontEnd, Training};
pub(crate) use prepare::{Prepare, SplitSource};

#[derive(Parser)]
#[command(name = "mcsan", version, about, propagate_version = true, max_term_width = 100)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub execution: ExecutionFlags,
    /// Graphics interface to look for adapters in
    #[arg(long, global = true, value_name = "INTERFACE")]
    pub backend: Option<Interface>,
    /// Optional features to compute without, though the adapter has them ('mcsan devices' shows which): subgroups, f16,
    /// int64, cooperative-matrices, timestamps, robustness (the driver's checks of addresses),
    /// registers (255 of an invocation)
    #[arg(long, global = true, value_name = "FEATURE", value_delimiter = ',', env = "MCSAN_WITHOUT", hide_env_values = true)]
    pub without: Vec<Feature>,
    /// Report as one JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// What was said besides the result.
    #[arg(skip)]
    pub notes: Notes,
    /// Whether other processes of this command have trained before it sums up.
    #[arg(skip)]
    pub is_spread: Cell<bool>,
    /// Which options stand on the command line.
    #[arg(skip)]
    pub typed: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Interface {
    Vulkan,
    Metal,
    Dx12,
    Gl,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the adapters with their drivers and limits
    #[command(after_help = "Example: mcsan devices --json")]
    Devices,
    /// Prepare the embedded corpus, train, test and predict: no arguments, no downloads
    Demo(Demo),
    /// Turn a corpus into one prepared file
    Prepare(Prepare),
    /// Show what a prepared file holds
    Inspect(Inspect),
    /// Train a model
    Train(Train),
    /// Test a trained model
    Evaluate(Evaluate),
    /// Cross-validate: every fold a run of its own, then mean ± standard deviation and a pooled confusion matrix
    Crossval(super::crossval::Crossval),
    /// Cross-validate the rows of the paper's Table 3 over the same folds and compare them
    Ablate(super::ablate::Ablate),
    /// Train systems over the same folds, or the data's own splits, and compare them as the paper's Tables 1 and 2 do
    Compare(super::compare::Compare),
    /// Train on each of some corpora and test on all of them: a matrix of train × test
    Matrix(super::matrix::MatrixArguments),
    /// Try settings over the same folds and seeds, and choose the best by validation
    Sweep(super::sweep::Sweeping),
    /// Predict the emotion of an utterance, or of a list of them
    Predict(super::predict::Predict),
    /// Write a trained model's weights as safetensors, or the model as ONNX
    Export(super::export::Export),
    /// Write a model card: what is known of a run, in Markdown
    Card(super::card::Card),
    /// Write a run's report.html anew
    Report(super::report::Report),
    /// Write the MFCC matrix of a recording
    Features(Features),
    /// Show the tokens of texts
    Tokens(Tokens),
    /// Write logits, loss and every gradient of one batch
    Gradients(Gradients),
    /// Compare every kernel, or a pass of the whole model, with the CPU reference on this device
    Check(super::check::Check),
    /// Time every kernel of a step and hold it against what the device can do at best
    Profile(super::profile::Profile),
    /// Write the final WGSL of every kernel variant
    Shaders(Shaders),
    /// List every setting with its default and meaning
    #[command(after_help = "Example: mcsan config > settings.toml")]
    Config,
    /// Write what a shell completes the command line with
    Completions(super::manual::Completions),
    /// Write the manual pages
    Man(super::manual::Man),
}

#[derive(Args)]
#[command(after_help = "Example: mcsan demo --out demo")]
pub(crate) struct Demo {
    /// Folder for the corpus, the prepared data and the run with its report [default: a new one, mcsan-demo]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Example: mcsan inspect corpus.safetensors")]
pub(crate) struct Inspect {
    #[arg(value_name = "DATA.safetensors")]
    pub data: PathBuf,
}

#[derive(Args)]
#[command(after_help = "Example: mcsan train --data corpus.safetensors --out runs/first --epochs 15 --set train.batch_size=64")]
pub(crate) struct Train {
    #[command(flatten)]
    pub data: Data,
    /// The run's folder, which must not hold a run yet
    #[arg(long, value_name = "RUN", required_unless_present = "overfit_one_batch")]
    pub out: Option<PathBuf>,
    /// Go on with the run in that folder, with its settings, as if it had never stopped; where it has no checkpoint, begin
    #[arg(long, conflicts_with = "seeds")]
    pub resume: bool,
    /// Train with so many seeds, train.seed and those that follow it, each a run in the folder seed-K, and sum them up; a call that
    /// was stopped goes on when it is made again
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(2..=1000))]
    pub seeds: Option<u16>,
    /// Only see whether one batch is learned by heart, as it must be, in at most --steps steps (1000)
    #[arg(long, conflicts_with_all = ["out", "resume", "seeds", "checkpoint_every", "weights", "from", "normalisation"])]
    pub overfit_one_batch: bool,
    #[command(flatten)]
    pub settings: Training,
}

#[derive(Args)]
#[command(after_help = "Examples: mcsan evaluate --run runs/first --data corpus.safetensors --split test --map auto --json\n          \
                  mcsan evaluate --run runs/first --data corpus.safetensors --by speaker,gender --predictions predictions.csv")]
pub(crate) struct Evaluate {
    #[arg(long, value_name = "RUN")]
    pub run: PathBuf,
    #[command(flatten)]
    pub data: Data,
    /// Which utterances; a fold's are those of its own division
    #[arg(long, default_value = "test")]
    pub split: Split,
    /// Figures of groups besides
    #[arg(long, value_name = "GROUPING", value_delimiter = ',')]
    pub by: Vec<Grouping>,
    /// Draws of speakers (of utterances where speakers are not named) that confidence intervals are made of; 0 makes none
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().draws,
          value_parser = RangedU64ValueParser::<usize>::new().range(..=1_000_000))]
    pub bootstrap: usize,
    /// Which draws [default: 0]
    #[arg(long, value_name = "N")]
    pub bootstrap_seed: Option<u64>,
    /// Fit a temperature for the probabilities on the validation split, keep it in the run's folder, and use it
    #[arg(long, conflicts_with = "map")]
    pub calibrate: bool,
    /// Use the temperature that was fitted
    #[arg(long, conflicts_with = "calibrate")]
    pub calibrated: bool,
    /// Write every prediction: id, speaker, label, predicted, and the probability of each class
    #[arg(long, value_name = "FILE.csv")]
    pub predictions: Option<PathBuf>,
    /// Write the confusion matrix as a table, or as a picture
    #[arg(long, value_name = "FILE.csv|.svg|.png", value_parser = parse_confusion)]
    pub confusion: Option<PathBuf>,
}

impl Evaluate {
    /// # Errors
    /// Wrong usage: draws that are not made.
    pub(crate) fn check_usage(&self) -> Result<(), clap::Error> {
        match self.bootstrap {
            0 if self.bootstrap_seed.is_some() => {
                Err(no_effect("--bootstrap-seed chooses draws, and --bootstrap 0 makes none; leave one of them out"))
            }
            _ => Ok(()),
        }
    }
}

fn parse_confusion(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_table = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if is_table || picture::Format::of(&path).is_some() {
        Ok(path)
    } else {
        Err(format!("'{text}' ends neither in .csv nor in .svg nor in .png"))
    }
}

#[derive(Args)]
#[command(after_help = "Example: mcsan features --audio clip.wav --out clip.npy")]
pub(crate) struct Features {
    #[arg(long, value_name = "CLIP")]
    pub audio: PathBuf,
    /// NumPy file to write: [frames, columns] float32
    #[arg(long, value_name = "A.npy")]
    pub out: PathBuf,
    #[command(flatten)]
    pub front_end: FrontEnd,
}

/// A text may begin with a dash, as captions do; one that is an option's name was forgotten.
pub(super) fn parse_text(text: &str) -> Result<String, String> {
    let is_option = |name: &str| name.starts_with(|first: char| first.is_ascii_lowercase()) && !name.contains(char::is_whitespace);
    if text.strip_prefix("--").is_some_and(is_option) { Err("is an option, where a text is to stand".into()) } else { Ok(text.into()) }
}

#[derive(Args)]
#[command(after_help = "Example: mcsan tokens --text \"I can't believe it.\" --vectors glove.6B.zip:glove.6B.300d.txt")]
pub(crate) struct Tokens {
    /// One text
    #[arg(long, required_unless_present = "list", conflicts_with = "list", allow_hyphen_values = true, value_parser = parse_text)]
    pub text: Option<String>,
    /// A text a line, UTF-8
    #[arg(long, value_name = "FILE.txt")]
    pub list: Option<PathBuf>,
    /// Tell also which words these vectors lack (as for 'mcsan prepare')
    #[arg(long, value_name = "VECTORS")]
    pub vectors: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Example: mcsan gradients --data corpus.safetensors --weights weights.safetensors --utterances 0..8 \
                  --out gradients.safetensors")]
pub(crate) struct Gradients {
    #[arg(long, value_name = "DATA")]
    pub data: PathBuf,
    /// Weights in PyTorch's layout
    #[arg(long, value_name = "W.safetensors")]
    pub weights: PathBuf,
    #[arg(long, value_name = "G.safetensors")]
    pub out: PathBuf,
    /// Which utterances make the batch; all of them where not given
    #[arg(long, value_name = "FROM..TO", value_parser = parse_range)]
    pub utterances: Option<Range<usize>>,
    #[command(flatten)]
    pub configuration: Configuration,
}

#[derive(Args)]
#[command(after_help = "Example: mcsan shaders --out wgsl")]
pub(crate) struct Shaders {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// The file of word vectors; `none` is the same as naming none.
pub(crate) fn vectors(given: &Option<PathBuf>) -> Option<&Path> {
    given.as_deref().filter(|path| *path != Path::new("none"))
}

fn parse_range(text: &str) -> Result<Range<usize>, String> {
    let usage = || format!("'{text}' is not FROM..TO, for example 0..8");
    let (from, to) = text.split_once("..").ok_or_else(usage)?;
    Ok(from.parse().map_err(|_| usage())?..to.parse().map_err(|_| usage())?)
}
