//! What can be typed.

use std::cell::Cell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, value_parser};

use crate::audio::change::Changes;
use crate::audio::vectors::VectorFrontEnd;
use crate::backend::gpu::Feature;
use crate::base::streams::{FUNCTIONALS, PROSODY};
use crate::corpus::iemocap::{IemocapClasses, OtherEmotions};
use crate::corpus::msp_podcast::MspClasses;
use crate::corpus::{CorpusLayout, Split};
use crate::dataset::FeatureType;
use crate::picture;
use crate::prepare::Allowance;
use crate::text::OutOfVocabulary;
use crate::train::bootstrap::Bootstrap;
use crate::train::groups::Grouping;

use super::data::Data;
use super::effect::no_effect;
use super::noting::Notes;
use super::settings::{Configuration, ExecutionFlags, FrontEnd, Training};

/// Most shards of a data set, each of which is an open file.
const MOST_SHARDS: i64 = 500;

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
#[command(after_help = "Example: mcsan prepare manifest corpus/manifest.csv --out corpus.safetensors --vectors glove.6B.300d.txt")]
pub(crate) struct Prepare {
    /// Layout of the corpus
    pub corpus: CorpusKind,
    /// Folder of the corpus; of a manifest the CSV, with the columns audio, text (one of them may be absent), label and optionally
    /// id, split, speaker, gender, session, dialogue, audio_features (files of features to take in place of recordings),
    /// visual, prosody, functionals (files of features besides)
    pub path: PathBuf,
    /// Classes: 7 or 4 of IEMOCAP (4: happiness with excitement), 8 or 4 of MSP-Podcast, names between commas for a manifest
    #[arg(long, value_name = "CLASSES")]
    pub classes: Option<String>,
    /// Keep IEMOCAP's utterances of other emotions, or of none that raters agreed on, as utterances without label, which some systems
    /// learn from
    #[arg(long)]
    pub unlabelled: bool,
    /// Where the splits come from [default: own; of a manifest or folders that name none, speakers, or else chance, decide, 8 : 1 : 1]
    #[arg(long, value_name = "SOURCE")]
    pub split: Option<SplitSource>,
    /// Which speakers or utterances go into which split, with --split speaker or random [default: 0]
    #[arg(long, value_name = "N")]
    pub split_seed: Option<u64>,
    /// Take the splits of a fold of EmoBox: its folder, as data/ravdess/fold_1 of that repository; where the fold does not say what
    /// validates, a fifth of what it trains on does, each class evenly
    #[arg(long, value_name = "FOLDER", conflicts_with = "split")]
    pub emobox_split: Option<PathBuf>,
    /// The prepared file to write
    #[arg(long, value_name = "DATA.safetensors")]
    pub out: PathBuf,
    /// Word vectors: GloVe, word2vec or fastText as text, .gz or .zip (ARCHIVE.zip:MEMBER chooses of several); with none,
    /// or left out, the word table is trained
    #[arg(long, value_name = "VECTORS")]
    pub vectors: Option<PathBuf>,
    /// What stands for words that the vectors lack
    #[arg(long, value_name = "OOV", default_value = "zero", requires = "vectors")]
    pub oov: OutOfVocabulary,
    /// Acoustic features that another program computed, in place of the recordings: a folder that holds ID.npy or ID.safetensors
    /// of each utterance, or a file by its recording's name, a matrix of frames and columns
    #[arg(long, value_name = "FOLDER")]
    pub audio_features: Option<PathBuf>,
    /// Take features of the words from this folder instead of vectors of words: ID.npy or ID.safetensors, or with the recording's name
    /// for ID, [tokens, columns] of any width
    #[arg(long, value_name = "DIR")]
    pub text_features: Option<PathBuf>,
    /// Features of pictures besides, from files of the same kinds, a row a picture; an utterance without a file has none
    #[arg(long, value_name = "FOLDER")]
    pub visual_features: Option<PathBuf>,
    /// Functionals of prosody besides: a folder of files with a vector each, or one table (CSV or ARFF of openSMILE); or 'shs': 35
    /// functionals of pitch, voicing, harmonics-to-noise ratio and loudness, computed of the recordings (a file of that name is ./shs)
    #[arg(long, value_name = "PATH|shs")]
    pub prosody: Option<PathBuf>,
    /// Functionals of acoustic features, from the same; or 'mfcc': nine functionals of 40 MFCC, their deltas and double deltas,
    /// computed of the recordings (a folder of that name is ./mfcc)
    #[arg(long, value_name = "PATH|mfcc")]
    pub functionals: Option<PathBuf>,
    /// When the words are said: a folder with a file an utterance, ID.csv with the columns word, start and end in seconds, or
    /// ID.wdseg
    #[arg(long, value_name = "DIR")]
    pub align: Option<PathBuf>,
    /// Train on copies with changed recordings besides, one for each change: speed=0.9,1.1 (pitch shifts as well), noise=20dB (white, so
    /// far below the speech), gain=6dB; of all utterances but those of the corpus' own validation and test splits
    #[arg(long, value_name = "CHANGES")]
    pub augment: Option<Changes>,
    /// Write N files DATA-00001-of-0000N.safetensors of about as many utterances each, and DATA.safetensors.index.json, which --data
    /// then takes; commands with the same arguments divide the work among them, and go on where one was stopped
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=MOST_SHARDS))]
    pub shards: Option<u16>,
    /// Of which type frames of features are in the file
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    pub dtype: FeatureType,
    /// Take only the first N utterances
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// How many of the listed utterances may be left out because a file is missing or cannot be read: a share like 1%, or a
    /// number
    #[arg(long, value_name = "SHARE", default_value_t = Allowance::default())]
    pub allow_missing: Allowance,
    #[command(flatten)]
    pub front_end: FrontEnd,
}

impl Prepare {
    /// # Errors
    /// Wrong usage: what nothing would use.
    pub(crate) fn check_usage(&self) -> Result<(), clap::Error> {
        if self.split_seed.is_some() && !matches!(self.split, Some(SplitSource::Speaker | SplitSource::Random)) {
            return Err(no_effect("--split-seed draws what --split speaker or random divides; add one of them, or leave it out"));
        }
        if self.oov == OutOfVocabulary::Random && vectors(&self.vectors).is_none() {
            return Err(no_effect("--oov random draws vectors beside those of a file; name one with --vectors, or leave it out"));
        }
        for (option, stream, given) in [("prosody", PROSODY, &self.prosody), ("functionals", FUNCTIONALS, &self.functionals)] {
            let word = given.as_deref().and_then(Path::to_str).unwrap_or_default();
            if self.audio_features.is_some() && VectorFrontEnd::named(stream, word).is_some() {
                let message =
                    format!("--{option} {word} is computed of the recordings, whose place --audio-features takes; leave one of them out");
                return Err(no_effect(message));
            }
        }
        if self.audio_features.is_some() && self.augment.is_some() {
            return Err(no_effect("--augment changes recordings, whose place --audio-features takes; leave one of them out"));
        }
        if self.unlabelled && !matches!(self.corpus, CorpusKind::Iemocap) {
            return Err(no_effect(
                "--unlabelled keeps IEMOCAP's other emotions; of a manifest, give the split unlabelled to utterances without label",
            ));
        }
        self.layout().map(drop)
    }

    /// The layout with its classes.
    ///
    /// # Errors
    /// Wrong usage: classes that the corpus does not have.
    pub(crate) fn layout(&self) -> Result<CorpusLayout, clap::Error> {
        let wrong = |kind, message: String| Options::command().error(kind, message);
        let others = if self.unlabelled { OtherEmotions::Unlabelled } else { OtherEmotions::PassedOver };
        let layout = match (self.corpus, self.classes.as_deref()) {
            (CorpusKind::Iemocap, None | Some("7")) => CorpusLayout::Iemocap(IemocapClasses::Seven, others),
            (CorpusKind::Iemocap, Some("4")) => CorpusLayout::Iemocap(IemocapClasses::Four, others),
            (CorpusKind::Iemocap, Some(other)) => {
                return Err(wrong(ErrorKind::InvalidValue, format!("--classes '{other}': IEMOCAP has 7 or 4")));
            }
            (CorpusKind::MspPodcast, None | Some("8")) => CorpusLayout::MspPodcast(MspClasses::Eight),
            (CorpusKind::MspPodcast, Some("4")) => CorpusLayout::MspPodcast(MspClasses::Four),
            (CorpusKind::MspPodcast, Some(other)) => {
                return Err(wrong(ErrorKind::InvalidValue, format!("--classes '{other}': MSP-Podcast has 8 or 4")));
            }
            (CorpusKind::Manifest, None) => CorpusLayout::Manifest { classes: None },
            (CorpusKind::Manifest, Some(names)) => {
                let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
                if names.iter().any(String::is_empty) {
                    return Err(wrong(ErrorKind::InvalidValue, "--classes: a name is empty; write them as anger,joy,neutral".into()));
                }
                CorpusLayout::Manifest { classes: Some(names) }
            }
            (_, Some(_)) => {
                let message =
                    "--classes can be chosen for iemocap (7 or 4), msp-podcast (8 or 4) and manifest (names); other corpora have their own";
                return Err(wrong(ErrorKind::ArgumentConflict, message.into()));
            }
            (CorpusKind::Meld, None) => CorpusLayout::Meld,
            (CorpusKind::Emodb, None) => CorpusLayout::Emodb,
            (CorpusKind::Ravdess, None) => CorpusLayout::Ravdess,
            (CorpusKind::Cremad, None) => CorpusLayout::Cremad,
            (CorpusKind::Tess, None) => CorpusLayout::Tess,
            (CorpusKind::Savee, None) => CorpusLayout::Savee,
            (CorpusKind::Esd, None) => CorpusLayout::Esd,
            (CorpusKind::Emovo, None) => CorpusLayout::Emovo,
            (CorpusKind::Nemo, None) => CorpusLayout::Nemo,
            (CorpusKind::Ased, None) => CorpusLayout::Ased,
            (CorpusKind::Folders, None) => CorpusLayout::Folders,
        };
        Ok(layout)
    }
}

/// Where the splits come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitSource {
    /// What the corpus itself says
    Own,
    /// Whole speakers, about 8 : 1 : 1, by --split-seed
    Speaker,
    /// Utterances at random, each class evenly, 8 : 1 : 1, by --split-seed
    Random,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CorpusKind {
    /// IEMOCAP_full_release
    Iemocap,
    /// MELD.Raw
    Meld,
    /// EmoDB, the folder that holds wav
    Emodb,
    /// RAVDESS, the folder that holds Actor_01 to Actor_24
    Ravdess,
    /// CREMA-D, the folder that holds AudioWAV
    Cremad,
    /// TESS, the folder that holds OAF_angry and the others
    Tess,
    /// SAVEE, the folder that holds AudioData, or ALL
    Savee,
    /// ESD, the folder that holds 0001 to 0020
    Esd,
    /// EMOVO, the folder that holds f1 to m3
    Emovo,
    /// nEMO, the folder that holds data.tsv and samples
    Nemo,
    /// ASED, the folder that holds 01Neutral to 05Angry
    Ased,
    /// MSP-Podcast, the folder that holds Labels and Audios
    MspPodcast,
    /// A folder for each class, or for each split with such in it; NAME.txt beside NAME.wav is its transcript
    Folders,
    /// A CSV that lists recordings
    Manifest,
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

#[derive(Args)]
#[command(after_help = "Example: mcsan tokens --text \"I can't believe it.\" --vectors glove.6B.zip:glove.6B.300d.txt")]
pub(crate) struct Tokens {
    /// One text
    #[arg(long, required_unless_present = "list", conflicts_with = "list")]
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
