//! `mcsan predict`: one utterance, or a list of them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgGroup, Args, CommandFactory, ValueEnum};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::arguments::{Common, Options};
use super::device::{self, Device, on_device};
use super::notes::Note;
use super::output::{self, Kind};
use super::streams::print_data;
use super::{Done, Failure, cannot_write, remedy, tables};
use crate::audio::mfcc::SAMPLE_RATE;
use crate::audio::{PcmFormat, decode, read_pcm};
use crate::backend::Backend;
use crate::base::shown::{in_line, percent};
use crate::base::streams::{AUDIO, TEXT};
use crate::corpus::list::{self, Listed};
use crate::dataset::replace_file;
use crate::picture::{self, Heads, Picture, PictureError};
use crate::prepare::{GROUP_BYTES, GROUP_CLIPS};
use crate::train::{Predictor, SpeechInference, Spoken};

#[derive(Args)]
#[command(
    after_help = "Examples: mcsan predict --run runs/first --audio clip.wav --text \"I cannot believe it\" --attention clip.svg\n          \
                  mcsan predict --run runs/first --list clips.csv > predictions.csv",
    group = ArgGroup::new("utterances").args(["audio", "text", "list"]).multiple(true).required(true)
)]
pub(crate) struct Predict {
    #[arg(long, value_name = "RUN")]
    run: PathBuf,
    /// The recording; - reads raw mono samples from standard input
    #[arg(long, value_name = "CLIP")]
    audio: Option<PathBuf>,
    /// What is said in the clip
    #[arg(long)]
    text: Option<String>,
    /// Many utterances: a CSV with the columns audio and text, and optionally id; paths are relative to it
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
    pcm_rate: Option<u32>,
    /// Coding of raw samples, little-endian [default: s16]
    #[arg(long, value_name = "FORMAT")]
    pcm_format: Option<PcmFormat>,
}

fn parse_picture(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    picture::Format::of(&path).map(|_| path.clone()).ok_or_else(|| format!("'{text}' ends neither in .svg nor in .png"))
}

impl Predict {
    /// # Errors
    /// Wrong usage: what is said of raw samples where there are none.
    fn check_usage(&self) -> Result<(), clap::Error> {
        let is_raw = self.audio.as_deref() == Some(Path::new("-"));
        let given = [("--pcm-rate", self.pcm_rate.is_some()), ("--pcm-format", self.pcm_format.is_some())];
        match given.into_iter().find(|&(_, given)| given && !is_raw) {
            None => Ok(()),
            Some((option, _)) => {
                let message = format!("{option} is of raw samples alone; give them with --audio -, or leave it out");
                Err(Options::command().error(ErrorKind::ArgumentConflict, message))
            }
        }
    }
}

pub(crate) fn run(common: &Common, arguments: &Predict) -> Done {
    arguments.check_usage().unwrap_or_else(|usage| usage.exit());
    if let Some(path) = &arguments.attention {
        output::check(path, if picture::Format::of(path) == Some(picture::Format::Png) { Kind::Png } else { Kind::Svg })?;
    }
    let predictor = Predictor::load(&arguments.run)?;
    let device = || device::open(common, &predictor.checkpoint.device);
    match &arguments.list {
        Some(path) => {
            let required = required(&predictor);
            let lines = list::read(path, &required)?;
            on_device!(device()?, |backend| predict_list(common.json, &predictor, backend, lines))
        }
        None => {
            let utterance = read_utterance(common, arguments, &predictor)?;
            predict_one(common, arguments, &predictor, &device()?, utterance)
        }
    }
}

/// The columns that a model needs of a list.
fn required(predictor: &Predictor) -> Vec<&'static str> {
    [("audio", AUDIO), ("text", TEXT)].into_iter().filter_map(|(column, stream)| predictor.reads(stream).then_some(column)).collect()
}

/// Reads the one utterance that was given; says what the model needs, or does not.
fn read_utterance(common: &Common, arguments: &Predict, predictor: &Predictor) -> Result<Spoken, Failure> {
    let [reads_audio, reads_text] = [AUDIO, TEXT].map(|stream| predictor.reads(stream));
    let needs = match (reads_audio, reads_text) {
        (true, true) => "both --audio and --text",
        (true, false) => "--audio alone",
        _ => "--text alone",
    };
    let model = arguments.run.display();
    for (option, needed, given) in [("--audio", reads_audio, arguments.audio.is_some()), ("--text", reads_text, arguments.text.is_some())] {
        if needed && !given {
            return Err(Failure(format!("{model}: its model needs {needs}; give {option} too")));
        }
        if given && !needed {
            common.note(Note::NotUsed { option, model: model.to_string(), needs });
        }
    }
    let samples = match &arguments.audio {
        Some(path) if reads_audio => Some(if path == Path::new("-") {
            let rate = arguments.pcm_rate.unwrap_or(SAMPLE_RATE);
            read_pcm(std::io::stdin().lock(), "standard input", arguments.pcm_format.unwrap_or_default(), rate)?
        } else {
            decode(path)?
        }),
        _ => None,
    };
    Ok(Spoken { samples, text: arguments.text.clone() })
}

fn predict_one(common: &Common, arguments: &Predict, predictor: &Predictor, device: &Device, utterance: Spoken) -> Done {
    let classes = &predictor.checkpoint.classes;
    let probabilities = match &arguments.attention {
        None => on_device!(*device, |backend| pollster::block_on(async {
            Ok::<_, Failure>(predictor.on(backend)?.predict(std::slice::from_ref(&utterance)).await?.remove(0))
        }))?,
        Some(path) => {
            let (probabilities, attention) = on_device!(*device, |backend| pollster::block_on(async {
                Ok::<_, Failure>(predictor.on(backend)?.attend(&utterance).await?)
            }))?;
            let best = likeliest(&probabilities);
            let title = format!("{} ({})", classes[best], percent(probabilities[best]));
            let samples = utterance.samples.as_deref().unwrap_or_default();
            let picture = Picture { attention: &attention, samples, title: &title, heads: arguments.heads };
            draw(&picture, path)?;
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

fn draw(picture: &Picture<'_>, path: &Path) -> Result<(), Failure> {
    let bytes = match picture::Format::of(path) {
        Some(picture::Format::Png) => picture::png(&picture.svg()).map_err(|error: PictureError| Failure::of(path.display(), error))?,
        _ => picture.svg().into_bytes(),
    };
    replace_file(path, |file| std::io::Write::write_all(file, &bytes)).map_err(cannot_write(path))
}

/// Predicts every line that can be read; those that cannot are reported one by one and make the command fail.
fn predict_list<B: Backend>(
    json: bool,
    predictor: &Predictor,
    backend: &B,
    lines: Vec<Result<Listed, crate::corpus::CorpusError>>,
) -> Done {
    let classes = &predictor.checkpoint.classes;
    let mut inference = predictor.on(backend)?;
    let count = lines.len();
    let columns = Columns::of(&lines);
    if !json {
        print_data(&csv_line(columns.names().into_iter().chain(["label".to_owned()]).chain(classes.iter().cloned()))?);
    }
    let mut failed = 0;
    let mut lines = lines.into_iter().peekable();
    while lines.peek().is_some() {
        let (mut listed, mut bytes) = (Vec::new(), 0);
        while let Some(line) = lines.next_if(|_| listed.len() < GROUP_CLIPS && bytes < GROUP_BYTES) {
            let path = line.as_ref().ok().and_then(|listed| listed.path.as_deref());
            bytes += path.and_then(|path| path.metadata().ok()).map_or(0, |metadata| metadata.len());
            listed.push(line);
        }
        for (listed, probabilities) in predict_lines(&mut inference, predictor, listed, &mut failed)? {
            let label = &classes[likeliest(&probabilities)];
            if json {
                let mut line = columns.json(&listed);
                line.extend([
                    ("label".to_owned(), json!(label)),
                    ("probabilities".to_owned(), Value::Object(named(classes, &probabilities))),
                ]);
                print_data(&Value::Object(line).to_string());
            } else {
                let numbers = probabilities.iter().map(f64::to_string);
                print_data(&csv_line(columns.fields(&listed).into_iter().chain([label.clone()]).chain(numbers))?);
            }
        }
    }
    match failed {
        0 => Ok(ExitCode::SUCCESS),
        _ => Err(Failure(format!("{failed} of {count} listed utterances could not be predicted; they are named above"))),
    }
}

/// Reads some lines' recordings on all cores and predicts those that could be read.
fn predict_lines<B: Backend>(
    inference: &mut SpeechInference<'_, B>,
    predictor: &Predictor,
    lines: Vec<Result<Listed, crate::corpus::CorpusError>>,
    failed: &mut usize,
) -> Result<Vec<(Listed, Vec<f64>)>, Failure> {
    let has_audio = predictor.reads(AUDIO);
    let read = |line: Result<Listed, crate::corpus::CorpusError>| {
        let listed = line.map_err(|error| remedy::line(&error))?;
        let path = listed.path.as_deref().filter(|_| has_audio);
        let samples = path.map(decode).transpose().map_err(|error| format!("line {}: {}", listed.line, remedy::line(&error)))?;
        let utterance = Spoken { samples, text: Some(listed.text.clone().unwrap_or_default()) };
        Ok::<_, String>((listed, utterance))
    };
    let mut listed = Vec::new();
    let mut utterances = Vec::new();
    for line in lines.into_par_iter().map(read).collect::<Vec<_>>() {
        match line {
            Ok((line, utterance)) => {
                listed.push(line);
                utterances.push(utterance);
            }
            Err(reason) => {
                *failed += 1;
                eprintln!("mcsan: {}", in_line(&reason));
            }
        }
    }
    let probabilities = pollster::block_on(inference.predict(&utterances))?;
    Ok(listed.into_iter().zip(probabilities).collect())
}

/// By which of a list's columns its lines are told apart in the output.
struct Columns {
    id: bool,
    audio: bool,
}

impl Columns {
    fn of(lines: &[Result<Listed, crate::corpus::CorpusError>]) -> Self {
        let any = |has: fn(&Listed) -> bool| lines.iter().flatten().any(has);
        Self { id: any(|line| line.id.is_some()), audio: any(|line| line.audio.is_some()) }
    }

    /// Name and field of each column of a line; the text where nothing else is there.
    fn of_line<'l>(&self, listed: &'l Listed) -> Vec<(&'static str, &'l str)> {
        let field = |field: &'l Option<String>| field.as_deref().unwrap_or_default();
        let columns =
            [("id", self.id, field(&listed.id)), ("audio", self.audio, field(&listed.audio)), ("text", !self.audio, field(&listed.text))];
        columns.into_iter().filter_map(|(name, shown, field)| shown.then_some((name, field))).collect()
    }

    fn names(&self) -> Vec<String> {
        let empty = Listed { line: 0, id: None, audio: None, path: None, text: None };
        self.of_line(&empty).into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    fn fields(&self, listed: &Listed) -> Vec<String> {
        self.of_line(listed).into_iter().map(|(_, field)| field.to_owned()).collect()
    }

    fn json(&self, listed: &Listed) -> Map<String, Value> {
        self.of_line(listed).into_iter().map(|(name, field)| (name.to_owned(), json!(field))).collect()
    }
}

/// A record without its line end.
fn csv_line(fields: impl Iterator<Item = String>) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields.collect::<Vec<_>>())?;
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

fn named(classes: &[String], probabilities: &[f64]) -> Map<String, Value> {
    classes.iter().cloned().zip(probabilities.iter().map(|&p| json!(p))).collect()
}

/// The class of the largest probability, the first one of equals.
fn likeliest(probabilities: &[f64]) -> usize {
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
