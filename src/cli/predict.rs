//! `mcsan predict`: one utterance, or a list of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::{Map, json};

use super::arguments::{Common, parse_text};
use super::device::{self, Device, on_device};
use super::effect::no_effect;
use super::evaluate::check_run;
use super::notes::Note;
use super::output::{self, Kind};
use super::segments::{self, Segmentation};
use super::{Done, Failure, cannot_write, listed, tables};
use crate::audio::mfcc::SAMPLE_RATE;
use crate::audio::{PcmFormat, decode, read_pcm};
use crate::base::shown::percent;
use crate::base::streams::{FUNCTIONALS, PROSODY, TEXT, VISUAL, is_vector};
use crate::corpus::{Alignment, CorpusError, list};
use crate::dataset::{FeatureMatrix, MatrixFileError, replace_file};
use crate::picture::{self, Heads, Picture, PictureError};
use crate::train::{Further, Predictor, Spoken, TrainError, run as train_run};

#[derive(Args)]
#[command(
    after_help = "Examples: mcsan predict --run runs/first --audio clip.wav --text \"I cannot believe it\" --attention clip.svg\n          \
                  mcsan predict --run runs/first --list clips.csv > predictions.csv\n          \
                  mcsan predict --run runs/first --audio talk.mp3 --transcript talk.srt --segments voice --out talk.csv",
    group = ArgGroup::new("utterances").args(["audio", "audio_features", "text", "text_features", "list"]).multiple(true).required(true)
)]
pub(crate) struct Predict {
    #[arg(long, value_name = "RUN")]
    pub(super) run: PathBuf,
    /// Give probabilities at the temperature that 'mcsan evaluate --calibrate' has fitted
    #[arg(long)]
    calibrated: bool,
    /// The recording; - reads raw mono samples from standard input. With --segments a folder, too
    #[arg(long, value_name = "CLIP")]
    audio: Option<PathBuf>,
    /// Features of the clip, .npy or .safetensors, for a model that was trained on features from files
    #[arg(long, value_name = "FILE", conflicts_with_all = ["audio", "list", "attention"])]
    audio_features: Option<PathBuf>,
    /// Features of the words, for a model that was trained on such from files
    #[arg(long, value_name = "FILE", conflicts_with_all = ["text", "list", "attention"])]
    text_features: Option<PathBuf>,
    /// Features of pictures, for a model that reads them
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    visual_features: Option<PathBuf>,
    /// Functionals of prosody, for a model that reads them
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    prosody: Option<PathBuf>,
    /// Functionals of acoustic features, for a model that reads them
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    functionals: Option<PathBuf>,
    /// When the words are said, for a model that is told: a CSV with the columns word, start and end in seconds, or a .wdseg
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    align: Option<PathBuf>,
    /// What is said in the clip
    #[arg(long, allow_hyphen_values = true, value_parser = parse_text)]
    text: Option<String>,
    /// Many utterances: a CSV with the columns audio (or audio_features) and text (or text_features), and optionally id, speaker, visual,
    /// prosody, functionals and align; paths are relative to it. Answers as CSV, with --json as a line of JSON for each
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["audio", "text"])]
    list: Option<PathBuf>,
    /// Draw which words attend to which moments and the other way round: .svg or .png
    #[arg(long, value_name = "A.png", value_parser = parse_picture, conflicts_with = "list")]
    attention: Option<PathBuf>,
    /// The picture shows the heads' mean, or each
    #[arg(long, value_name = "HEADS", default_value = "mean")]
    heads: Heads,
    /// Sampling rate of raw samples, in hertz [default: 16000]
    #[arg(long, value_name = "HZ")]
    pub(super) pcm_rate: Option<u32>,
    /// Coding of raw samples, little-endian [default: s16]
    #[arg(long, value_name = "FORMAT")]
    pub(super) pcm_format: Option<PcmFormat>,
    #[command(flatten)]
    pub(super) segmentation: Segmentation,
}

pub(super) fn parse_picture(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    picture::Format::of(&path).map(|_| path.clone()).ok_or_else(|| format!("'{text}' ends neither in .svg nor in .png"))
}

impl Predict {
    /// The model.
    pub(super) fn predictor(&self) -> Result<Predictor, TrainError> {
        if self.calibrated { Predictor::load_calibrated(&self.run) } else { Predictor::load(&self.run) }
    }

    /// # Errors
    /// Wrong usage: what is said of raw samples where there are none, or of segments that cannot be.
    pub(super) fn check_usage(&self) -> Result<(), clap::Error> {
        let is_raw = self.audio.as_deref() == Some(Path::new("-"));
        let given = [("--pcm-rate", self.pcm_rate.is_some()), ("--pcm-format", self.pcm_format.is_some())];
        match given.into_iter().find(|&(_, given)| given && !is_raw) {
            None => self.segmentation.check_usage(),
            Some((option, _)) => Err(no_effect(format!("{option} is of raw samples alone; give them with --audio -, or leave it out"))),
        }
    }
}

pub(crate) fn run(common: &Common, arguments: &Predict) -> Done {
    check_run(&arguments.run)?;
    if let (Some(_), Some(audio)) = (arguments.segmentation.segments, &arguments.audio) {
        return segments::run(common, arguments, audio);
    }
    output::check_all([(arguments.attention.as_ref(), picture_kind(arguments.attention.as_deref()))])?;
    let predictor = arguments.predictor()?;
    let device = || device::open(common, &predictor.checkpoint.device);
    match &arguments.list {
        Some(path) => {
            let required = required(&predictor);
            let (lines, doubts) = list::read_with_doubts(path, &required)?;
            doubts.into_iter().for_each(|doubt| common.note(Note::Doubtful(doubt)));
            on_device!(device()?, |backend| listed::predict(common, &arguments.run, &predictor, backend, lines))
        }
        None => {
            let utterance = read_utterance(common, arguments, &predictor)?;
            predict_one(common, arguments, &predictor, &device()?, utterance)
        }
    }
}

/// The column of a list that names what a model hears: recordings, or files of their features.
pub(super) fn file_column(predictor: &Predictor) -> &'static str {
    if predictor.feature_columns().is_some() { list::FEATURES } else { list::RECORDING }
}

/// Whether a model hears anything: the recording, or another program's features of it.
pub(super) fn hears(predictor: &Predictor) -> bool {
    predictor.hears() || predictor.feature_columns().is_some()
}

/// The columns that a model needs of a list.
fn required(predictor: &Predictor) -> Vec<&'static str> {
    let words = if predictor.text_columns().is_some() { list::TEXT_FEATURES } else { "text" };
    let needed = [(file_column(predictor), hears(predictor)), (words, predictor.reads(TEXT))];
    needed.into_iter().filter_map(|(column, needed)| needed.then_some(column)).collect()
}

/// Reads the one utterance that was given; says what the model needs, or does not.
fn read_utterance(common: &Common, arguments: &Predict, predictor: &Predictor) -> Result<Spoken, Failure> {
    let (hears, reads_text) = (predictor.hears(), predictor.reads(TEXT));
    let columns = predictor.feature_columns();
    let reads_word_files = predictor.text_columns().is_some();
    let (audio, words) =
        (if columns.is_some() { "--audio-features" } else { "--audio" }, if reads_word_files { "--text-features" } else { "--text" });
    let needs = match (hears || columns.is_some(), reads_text) {
        (true, true) => format!("both {audio} and {words}"),
        (true, false) => format!("{audio} alone"),
        (false, _) => format!("{words} alone"),
    };
    let model = arguments.run.display();
    let given = [
        ("--audio", hears, arguments.audio.is_some()),
        ("--audio-features", columns.is_some(), arguments.audio_features.is_some()),
        ("--text", reads_text && !reads_word_files, arguments.text.is_some()),
        ("--text-features", reads_word_files, arguments.text_features.is_some()),
    ];
    if let Some((option, ..)) = given.iter().find(|&&(_, needed, given)| needed && !given) {
        return Err(Failure(format!("{model}: its model needs {needs}; give {option} too")));
    }
    for (option, ..) in given.into_iter().filter(|&(_, needed, given)| given && !needed) {
        common.note(Note::NotUsed { option, model: model.to_string(), needs: needs.clone() });
    }
    let samples = match &arguments.audio {
        Some(path) if hears => Some(if path == Path::new("-") {
            let rate = arguments.pcm_rate.unwrap_or(SAMPLE_RATE);
            read_pcm(std::io::stdin().lock(), "standard input", arguments.pcm_format.unwrap_or_default(), rate)?
        } else {
            decode(path)?
        }),
        _ => None,
    };
    let features = match (&arguments.audio_features, columns) {
        (Some(path), Some(columns)) => Some(FeatureMatrix::read_of(path, columns)?),
        _ => None,
    };
    let further = [
        (TEXT, "--text-features", &arguments.text_features),
        (VISUAL, "--visual-features", &arguments.visual_features),
        (PROSODY, "--prosody", &arguments.prosody),
        (FUNCTIONALS, "--functionals", &arguments.functionals),
    ];
    for (stream, option, path) in further {
        if path.is_some() && stream != TEXT && !predictor.from_files().iter().any(|(own, _)| *own == stream) {
            common.note(Note::NotUsed { option, model: model.to_string(), needs: needs.clone() });
        }
    }
    let file = |stream: &'static str| further.iter().find(|(own, ..)| *own == stream).and_then(|(_, _, path)| path.as_deref());
    let further = read_further(predictor, file)?;
    let lacking = predictor.from_files().into_iter().filter(|(stream, _)| !further.contains_key(stream));
    note_lacking(common, 1, lacking.map(|(stream, _)| (stream, vec!["the utterance".to_owned()])).collect());
    let alignment = read_alignment(predictor, arguments.align.as_deref())?;
    if arguments.align.is_some() && alignment.is_none() {
        common.note(Note::NotUsed { option: "--align", model: model.to_string(), needs: needs.clone() });
    }
    let utterance = Spoken { samples, features, text: arguments.text.clone(), further, alignment };
    predictor.check_times(&utterance)?;
    note_misaligned(common, 1, predictor.is_misaligned(&utterance).then(|| "the utterance".to_owned()).into_iter().collect());
    let name = arguments.audio.as_ref().or(arguments.audio_features.as_ref()).filter(|_| predictor.cuts(&utterance));
    note_cut(common, predictor, 1, name.map(|path| path.display().to_string()).into_iter().collect());
    if predictor.by_speaker() {
        common.note(Note::SpeakerUnknown { model: model.to_string(), utterances: 1 });
    }
    Ok(utterance)
}

fn predict_one(common: &Common, arguments: &Predict, predictor: &Predictor, device: &Device, utterance: Spoken) -> Done {
    let classes = &predictor.checkpoint.classes;
    let named_here = |error: TrainError| match error {
        TrainError::ResultNotFinite { places, kept, .. } => {
            let file = arguments.audio.as_ref().or(arguments.audio_features.as_ref());
            let id = file.map_or_else(|| "of --text".to_owned(), |path| path.display().to_string());
            let best = arguments.run.join(train_run::files::BEST);
            Failure::of(best.display(), TrainError::ResultNotFinite { places, ids: vec![id], kept })
        }
        error => error.into(),
    };
    let probabilities = match &arguments.attention {
        None => on_device!(*device, |backend| pollster::block_on(async {
            Ok(predictor.on(backend)?.predict(std::slice::from_ref(&utterance)).await?.remove(0))
        }))
        .map_err(named_here)?,
        Some(path) => {
            let (probabilities, attention) =
                on_device!(*device, |backend| pollster::block_on(async { predictor.on(backend)?.attend(&utterance).await }))
                    .map_err(named_here)?;
            let best = likeliest(&probabilities);
            let title = format!("{} ({})", classes[best], percent(probabilities[best]));
            let samples = utterance.samples.as_deref().unwrap_or_default();
            let picture = Picture { attention: &attention, samples, title: &title, heads: arguments.heads };
            draw(picture.svg(), path)?;
            probabilities
        }
    };
    if common.json {
        common.print_json(json!({ "label": classes[likeliest(&probabilities)], "probabilities": named(classes, &probabilities) }));
    } else {
        println!("{}", tables::probabilities(classes, &probabilities));
    }
    Ok(ExitCode::SUCCESS)
}

/// What a picture of that name is.
pub(super) fn picture_kind(path: Option<&Path>) -> Kind {
    if path.and_then(picture::Format::of) == Some(picture::Format::Png) { Kind::Png } else { Kind::Svg }
}

/// Writes a picture as what its name says.
pub(super) fn draw(svg: String, path: &Path) -> Result<(), Failure> {
    let bytes = match picture::Format::of(path) {
        Some(picture::Format::Png) => picture::png(&svg).map_err(|error: PictureError| Failure::of(path.display(), error))?,
        _ => svg.into_bytes(),
    };
    replace_file(path, |file| std::io::Write::write_all(file, &bytes)).map_err(cannot_write(path))
}

/// The files of features beside recording and words that a model reads, as far as there are some.
pub(super) fn read_further<'f>(predictor: &Predictor, file: impl Fn(&'static str) -> Option<&'f Path>) -> Result<Further, MatrixFileError> {
    let mut further = Further::new();
    for (stream, columns) in predictor.from_files() {
        if let Some(path) = file(stream) {
            let matrix =
                if is_vector(stream) { FeatureMatrix::read_vector_of(path, columns) } else { FeatureMatrix::read_of(path, columns) };
            further.insert(stream, matrix?);
        }
    }
    Ok(further)
}

/// When words are said, for a model that is told.
pub(super) fn read_alignment(predictor: &Predictor, file: Option<&Path>) -> Result<Option<Alignment>, CorpusError> {
    file.filter(|_| predictor.reads_times()).map(Alignment::read).transpose()
}

/// Says of which utterances other words are said to be said.
pub(super) fn note_misaligned(common: &Common, of: usize, differing: Vec<String>) {
    if !differing.is_empty() {
        common.note(Note::Unaligned { of, without: Vec::new(), differing });
    }
}

/// Says which utterances lack features that the model reads beside recording and words.
pub(super) fn note_lacking(common: &Common, of: usize, lacking: BTreeMap<&'static str, Vec<String>>) {
    lacking.into_iter().for_each(|(stream, ids)| common.note(Note::LacksFeatures { stream, of, ids }));
}

/// Says which recordings are longer than the model reads.
pub(super) fn note_cut(common: &Common, predictor: &Predictor, of: usize, ids: Vec<String>) {
    if !ids.is_empty() {
        let max_frames = predictor.checkpoint.settings.data.max_frames;
        let rows = predictor.checkpoint.readings().own_limits();
        common.note(Note::Cut { utterances: ids.len(), of, max_frames, rows, ids });
    }
}

pub(super) fn named(classes: &[String], probabilities: &[f64]) -> Map<String, serde_json::Value> {
    classes.iter().cloned().zip(probabilities.iter().map(|&p| json!(p))).collect()
}

/// The class of the largest probability, the first one of equals.
pub(super) fn likeliest(probabilities: &[f64]) -> usize {
    (1..probabilities.len()).fold(0, |best, class| if probabilities[class] > probabilities[best] { class } else { best })
}

impl ValueEnum for Heads {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Mean, Self::All]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(match self {
            Self::Mean => "mean",
            Self::All => "all",
        }))
    }
}
