//! `mcsan predict --segments`: recordings of any length, and folders of recordings, segment by segment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::arguments::Common;
use super::device::{self, on_device};
use super::effect::no_effect;
use super::notes::Note;
use super::output::{self, Kind};
use super::predict::{Predict, draw, likeliest, named, parse_picture, picture_kind};
use super::segment_lines::{Format, Lines};
use super::{Done, Failure, remedy, tables};
use crate::audio::Stream;
use crate::audio::mfcc::SAMPLE_RATE;
use crate::audio::segment::{self, MOST_ABOVE, SegmentError, Segmenter, Stretches, USUAL_ABOVE};
use crate::backend::Backend;
use crate::base::shown::{in_line, percent};
use crate::base::streams::TEXT;
use crate::corpus::{files_below, is_recording};
use crate::picture::TimelinePicture;
use crate::text::transcript::{self, Transcript};
use crate::train::{Predictor, SpeechInference, Timeline};

/// Usual length of a window, in seconds, and the share of it by which windows overlap.
const WINDOW: f64 = 5.0;
const OVERLAP: f64 = 0.2;
/// Longest window of a model that reads recordings of any length: as long as a recording that is read whole.
const LONGEST: f64 = 1200.0;

/// By what a recording is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    /// Stretches with voice, told by energy; longer ones than a window are divided into windows
    Voice,
    /// Windows over all of it
    Windows,
}

#[derive(Args)]
pub(super) struct Segmentation {
    /// Predict a recording of any length, or every recording of a folder, segment by segment. Answers as CSV, with --json as one
    /// document
    #[arg(
        long,
        value_name = "BY",
        conflicts_with_all = ["text", "text_features", "visual_features", "prosody", "functionals", "align", "attention"]
    )]
    pub segments: Option<By>,
    /// Longest segment, in seconds [default: 5, or what the model reads]
    #[arg(long, value_name = "SECONDS")]
    window: Option<f64>,
    /// By how much windows overlap, in seconds [default: a fifth of the window]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    overlap: Option<f64>,
    /// By how many decibels voice stands out from the background [default: 9]
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    voice_db: Option<f64>,
    /// What is said when: SubRip (.srt), WebVTT (.vtt) or CTM (.ctm), or a folder with one of the recording's name for each
    #[arg(long, value_name = "FILE")]
    transcript: Option<PathBuf>,
    /// Write the segments there, a line each: .csv, .jsonl or .rttm
    #[arg(long, value_name = "FILE.csv", value_parser = parse_lines)]
    out: Option<PathBuf>,
    /// Draw the classes over the time of the recording: .svg or .png
    #[arg(long, value_name = "T.svg", value_parser = parse_picture)]
    timeline: Option<PathBuf>,
}

fn parse_lines(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    Format::of(&path).map(|_| path.clone()).ok_or_else(|| format!("'{text}' ends neither in .csv, .jsonl nor in .rttm"))
}

impl Segmentation {
    /// # Errors
    /// Wrong usage: windows that cannot be, and what would have no effect.
    pub(super) fn check_usage(&self) -> Result<(), clap::Error> {
        if self.voice_db.is_some() && self.segments == Some(By::Windows) {
            return Err(no_effect("--voice-db finds voice, which --segments windows does not look for; leave it out"));
        }
        if let Some(above) = self.voice_db.filter(|above| !(0.0..=MOST_ABOVE).contains(above)) {
            return Err(no_effect(format!("--voice-db: {}", SegmentError::Above(above))));
        }
        let window = self.window.unwrap_or(WINDOW);
        let overlap = self.overlap.unwrap_or(OVERLAP * window);
        let options = if self.overlap.is_some() { "--window, --overlap" } else { "--window" };
        segment::check(window, overlap).map_err(|error| no_effect(format!("{options}: {error}")))
    }

    /// The divider for a model.
    ///
    /// # Errors
    /// A window that is longer than the model reads.
    fn segmenter(&self, model: &Path, predictor: &Predictor) -> Result<Segmenter, Failure> {
        let longest = predictor.longest().unwrap_or(LONGEST).min(LONGEST);
        let window = self.window.unwrap_or(WINDOW.min(longest));
        if window > longest {
            let line = format!(
                "--window {window}: the model of {} reads {longest} s of a segment and would cut the rest; give less",
                model.display()
            );
            return Err(Failure(line));
        }
        let stretches = match self.segments {
            Some(By::Windows) => Stretches::Whole,
            _ => Stretches::Voice { above: self.voice_db.unwrap_or(USUAL_ABOVE) },
        };
        Ok(Segmenter::new(stretches, window, self.overlap.unwrap_or(OVERLAP * window))?)
    }
}

pub(super) fn run(common: &Common, arguments: &Predict, audio: &Path) -> Done {
    let options = &arguments.segmentation;
    output::check_all([(options.out.as_ref(), Kind::Segments), (options.timeline.as_ref(), picture_kind(options.timeline.as_deref()))])?;
    let predictor = arguments.predictor()?;
    check_model(arguments, &predictor)?;
    options.segmenter(&arguments.run, &predictor)?;
    let (recordings, others) = recordings(audio)?;
    if options.timeline.is_some() && recordings.len() > 1 {
        let (folder, count) = (audio.display(), recordings.len());
        return Err(Failure(format!("--timeline draws one recording, and {folder} holds {count}; give one of them to --audio")));
    }
    let transcripts = Transcripts::of(options.transcript.as_deref(), &recordings)?;
    // Transcripts beside their recordings are no strangers.
    let is_known = |name: &str| {
        let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy().to_lowercase());
        options.transcript.as_deref().is_some_and(Path::is_dir)
            && extension.is_some_and(|own| transcript::EXTENSIONS.contains(&own.as_str()))
    };
    let others: Vec<String> = others.into_iter().filter(|name| !is_known(name)).collect();
    if !others.is_empty() {
        common.note(Note::PassedOver { files: others });
    }
    let device = device::open(common, &predictor.checkpoint.device)?;
    on_device!(device, |backend| {
        let inference = predictor.on(backend)?;
        let mut all = All { common, arguments, predictor: &predictor, transcripts, done: Vec::new(), failed: 0 };
        all.predict(inference, &recordings)?;
        all.finish(&recordings)
    })
}

/// Refuses a model that needs more than recordings and transcripts give.
fn check_model(arguments: &Predict, predictor: &Predictor) -> Result<(), Failure> {
    let model = arguments.run.display();
    let from_files = predictor.from_files().into_iter().map(|(stream, _)| stream);
    let given = [("audio", predictor.feature_columns().is_some()), (TEXT, predictor.text_columns().is_some())];
    let own = given.into_iter().filter_map(|(stream, is_from_file)| is_from_file.then_some(stream));
    if let Some(stream) = own.chain(from_files).next() {
        let line = format!(
            "{model}: its model reads features '{stream}' from files, which segments have none of; cut the recording and use --list"
        );
        return Err(Failure(line));
    }
    if predictor.reads(TEXT) && arguments.segmentation.transcript.is_none() {
        return Err(Failure(format!("{model}: its model needs words, too; give --transcript (.srt, .vtt or .ctm) besides")));
    }
    Ok(())
}

/// A recording to be predicted.
pub(super) struct Recording {
    /// As tables name it.
    pub name: String,
    /// Its name without folders, or within the folder that was given: as RTTM has it, without its extension.
    pub within: PathBuf,
    /// None of standard input.
    pub path: Option<PathBuf>,
}

impl Recording {
    /// Its file's name without extension.
    fn stem(&self) -> String {
        let stem = self.path.as_deref().and_then(Path::file_stem);
        stem.map_or_else(|| self.name.clone(), |stem| stem.to_string_lossy().into_owned())
    }

    fn open(&self, arguments: &Predict) -> Stream {
        match &self.path {
            Some(path) => Stream::of_file(path),
            None => {
                let (format, rate) = (arguments.pcm_format.unwrap_or_default(), arguments.pcm_rate.unwrap_or(SAMPLE_RATE));
                Stream::of_pcm(std::io::stdin(), &self.name, format, rate)
            }
        }
    }
}

/// The one that is named, or those of a folder, and which files of it are none, by their names.
fn recordings(audio: &Path) -> Result<(Vec<Recording>, Vec<String>), Failure> {
    if audio == Path::new("-") {
        return Ok((vec![Recording { name: "standard input".into(), within: "standard input".into(), path: None }], Vec::new()));
    }
    let folder = if audio.is_dir() { Some(audio) } else { audio.parent() };
    let of_file = |path: PathBuf| {
        let within = folder.and_then(|folder| path.strip_prefix(folder).ok()).unwrap_or(&path).to_owned();
        Recording { name: path.display().to_string(), within, path: Some(path) }
    };
    if !audio.is_dir() {
        return Ok((vec![of_file(audio.into())], Vec::new()));
    }
    let (found, others): (Vec<PathBuf>, Vec<PathBuf>) = files_below(audio)?.into_iter().partition(|path| is_recording(path));
    if found.is_empty() {
        let there = if others.is_empty() { "is empty".to_owned() } else { format!("none of its {} files is named as one", others.len()) };
        return Err(Failure(format!(
            "{}: holds no recording ({there}); give a folder of recordings, .wav or .flac for example",
            audio.display()
        )));
    }
    Ok((found.into_iter().map(of_file).collect(), others.iter().map(|path| path.display().to_string()).collect()))
}

/// Where the words come from.
enum Words {
    None,
    One(Transcript),
    Folder(PathBuf),
}

/// Where they come from, and which names without folders say too little.
struct Transcripts {
    words: Words,
    /// Names that recordings of several folders have.
    shared: BTreeSet<String>,
}

impl Transcripts {
    fn of(path: Option<&Path>, recordings: &[Recording]) -> Result<Self, Failure> {
        let places: BTreeSet<(String, PathBuf)> = recordings.iter().map(|own| (own.stem(), own.within.with_extension(""))).collect();
        let next = places.iter().skip(1);
        let shared = places.iter().zip(next).filter(|(own, next)| own.0 == next.0).map(|(own, _)| own.0.clone()).collect();
        let Some(path) = path else { return Ok(Self { words: Words::None, shared }) };
        if path.is_dir() {
            return Ok(Self { words: Words::Folder(path.into()), shared });
        }
        let one = Transcript::read(path)?;
        let count = recordings.len();
        if count > 1 && !one.names_recordings() {
            let line = format!(
                "{}: does not say which of {count} recordings it is of; give a folder with one of each recording's name, or a CTM",
                path.display()
            );
            return Err(Failure(line));
        }
        Ok(Self { words: Words::One(one), shared })
    }

    /// The names by which a recording's words may be found: without folders where no other has that name, and within the folder.
    fn names(&self, recording: &Recording) -> Vec<String> {
        let stem = recording.stem();
        let within = recording.within.with_extension("");
        let within = within.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        match stem == within {
            true => vec![within],
            false if self.shared.contains(&stem) => vec![within],
            false => vec![stem, within],
        }
    }

    /// What is said in a recording.
    fn of_recording(&self, recording: &Recording) -> Result<Option<Transcript>, Failure> {
        let names = self.names(recording);
        let folder = match &self.words {
            Words::None => return Ok(None),
            Words::One(one) => {
                let mut found: Vec<_> = names.iter().map(|name| one.of_recording(name)).collect();
                let place = found.iter().position(Result::is_ok).unwrap_or(0);
                return Ok(Some(found.swap_remove(place)?));
            }
            Words::Folder(folder) => folder,
        };
        let files = |name: &String| transcript::EXTENSIONS.map(|extension| folder.join(format!("{name}.{extension}")));
        let found: Vec<PathBuf> = names.iter().flat_map(files).filter(|file| file.exists()).collect();
        match &found[..] {
            [file] => Ok(Some(Transcript::read(file)?.of_recording(&recording.stem())?)),
            [] => {
                let line = format!("{}: holds no {}.srt, .vtt or .ctm; add one, or leave the recording out", folder.display(), names[0]);
                Err(Failure(line))
            }
            [first, second, ..] => Err(Failure(format!("{}: there is {} too; leave one of them", first.display(), second.display()))),
        }
    }
}

/// Recordings on their way through a model.
struct All<'a> {
    common: &'a Common,
    arguments: &'a Predict,
    predictor: &'a Predictor,
    transcripts: Transcripts,
    /// Places of the recordings that are predicted, and what of them.
    done: Vec<(usize, Timeline)>,
    failed: usize,
}

impl All<'_> {
    /// Predicts one recording after the other. What is wrong with one of several is said, and the others are predicted.
    fn predict<B: Backend>(&mut self, mut inference: SpeechInference<'_, B>, recordings: &[Recording]) -> Result<(), Failure> {
        for (place, recording) in recordings.iter().enumerate() {
            match self.predict_one(&mut inference, recording) {
                Ok(timeline) => self.done.push((place, timeline)),
                Err(failure) if recordings.len() == 1 => return Err(failure),
                Err(Failure(reason)) => {
                    self.failed += 1;
                    eprintln!("mcsan: {}", in_line(&reason));
                }
            }
        }
        Ok(())
    }

    fn predict_one<B: Backend>(&self, inference: &mut SpeechInference<'_, B>, recording: &Recording) -> Result<Timeline, Failure> {
        let transcript = self.transcripts.of_recording(recording)?;
        let segmenter = self.arguments.segmentation.segmenter(&self.arguments.run, self.predictor)?;
        let stream = recording.open(self.arguments);
        let predicted = pollster::block_on(inference.predict_segments(&recording.name, stream, segmenter, transcript.as_ref()));
        let timeline = predicted.map_err(|error| Failure(remedy::line(&error)))?;
        self.note(recording, &timeline, transcript.as_ref());
        Ok(timeline)
    }

    /// Says what should be known of a recording besides.
    fn note(&self, recording: &Recording, timeline: &Timeline, transcript: Option<&Transcript>) {
        let (audio, of) = (recording.name.clone(), timeline.segments.len());
        if of == 0 {
            self.common.note(Note::NoVoice { audio: audio.clone(), seconds: timeline.seconds });
        }
        let Some(transcript) = transcript else { return };
        let path = transcript.path.display().to_string();
        let channels = transcript.channels();
        if channels.len() > 1 {
            let channels = channels.into_iter().map(str::to_owned).collect();
            self.common.note(Note::SeveralChannels { transcript: path.clone(), channels });
        }
        if !timeline.unread.is_empty() {
            let words = timeline.unread.iter().map(|&place| &transcript.words()[place]);
            let words = words.map(|word| format!("'{}' in line {}", word.text, word.line)).collect();
            self.common.note(Note::Unread { transcript: path, of: transcript.words().len(), words });
        }
        let segments = timeline.without_words();
        if segments > 0 && self.predictor.reads(TEXT) {
            self.common.note(Note::WithoutWords { audio, segments, of });
        }
    }

    /// Writes and says what was found.
    fn finish(self, recordings: &[Recording]) -> Done {
        let Self { common, arguments, predictor, done, failed, .. } = self;
        let (options, classes) = (&arguments.segmentation, &predictor.checkpoint.classes);
        let all: Vec<(&Recording, &Timeline)> = done.iter().map(|(place, timeline)| (&recordings[*place], timeline)).collect();
        let segments = all.iter().map(|(_, timeline)| timeline.segments.len()).sum();
        if predictor.by_speaker() && segments > 0 {
            common.note(Note::SpeakerUnknown { model: arguments.run.display().to_string(), utterances: segments });
        }
        let lines = Lines { classes, recordings: &all, has_text: options.transcript.is_some() };
        if !all.is_empty() {
            if let Some(path) = &options.out {
                lines.write(path)?;
            }
            if let Some(path) = &options.timeline {
                for (recording, timeline) in &all {
                    let title = summary(classes, recording, timeline);
                    let svg = TimelinePicture { timeline, classes, title: &title }.svg();
                    draw(svg, path)?;
                }
            }
            let summaries: Vec<String> = all.iter().map(|(recording, timeline)| summary(classes, recording, timeline)).collect();
            if common.json {
                common.print_json(document(classes, &all));
            } else if options.out.is_none() {
                lines.print()?;
                summaries.iter().for_each(|line| eprintln!("{}", in_line(line)));
            } else {
                summaries.iter().for_each(|line| println!("{}", in_line(line)));
                if let [(_, timeline)] = all[..]
                    && let Some(mean) = timeline.mean()
                {
                    println!("{}", tables::probabilities(classes, &mean));
                }
            }
        }
        match failed {
            0 => Ok(ExitCode::SUCCESS),
            _ => Err(Failure(format!("{failed} of {} recordings could not be predicted; they are named above", recordings.len()))),
        }
    }
}

/// A line of what was found of a recording.
fn summary(classes: &[String], recording: &Recording, timeline: &Timeline) -> String {
    let Recording { name, .. } = recording;
    let Timeline { seconds, segments, .. } = timeline;
    match timeline.mean() {
        None => format!("{name}: no segment in {seconds:.1} s"),
        Some(mean) => {
            let best = likeliest(&mean);
            let plural = if segments.len() == 1 { "segment" } else { "segments" };
            let (count, covered) = (segments.len(), timeline.covered());
            format!("{name}: {} {}, {count} {plural} over {covered:.1} of {seconds:.1} s", classes[best], percent(mean[best]))
        }
    }
}

/// What `--json` prints.
fn document(classes: &[String], all: &[(&Recording, &Timeline)]) -> Value {
    let recording = |(recording, timeline): &(&Recording, &Timeline)| {
        let segments: Vec<Value> = timeline.segments.iter().map(|segment| super::segment_lines::object(classes, segment)).collect();
        let mean = timeline.mean();
        let label = mean.as_ref().map(|mean| &classes[likeliest(mean)]);
        let mean = mean.as_ref().map(|mean| named(classes, mean));
        let summary = json!({ "segments": segments.len(), "covered": timeline.covered(), "label": label, "probabilities": mean });
        json!({ "audio": recording.name, "seconds": timeline.seconds, "summary": summary, "segments": segments })
    };
    json!({ "recordings": all.iter().map(recording).collect::<Vec<_>>() })
}

/// What RTTM calls recordings: their names without extension, and with it where that would be one name for several.
pub(super) fn short_names<'r>(recordings: impl Iterator<Item = &'r Recording> + Clone) -> Vec<String> {
    let all: Vec<String> = recordings.clone().map(|own| own.within.with_extension("").display().to_string()).collect();
    let is_told_apart = all.iter().collect::<BTreeSet<_>>().len() == all.len();
    if is_told_apart { all } else { recordings.map(|own| own.within.display().to_string()).collect() }
}
