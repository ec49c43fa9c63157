//! From a corpus to a prepared data set: recordings decoded on all cores while the device computes MFCC of those before,
//! transcripts as rows of word vectors. Nothing is held whole: features go where the caller says as they come.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc::sync_channel;
use std::thread;

use rayon::prelude::*;
use thiserror::Error;

use crate::audio::mfcc::{MfccError, MfccSettings};
use crate::audio::{AudioError, decode};
use crate::backend::ops::{Deltas, Mfcc};
use crate::backend::{Backend, BackendError, MfccTables, Ragged, as_f32};
use crate::base::remedy::{self, Remedied, Remedy};
use crate::base::streams::{AUDIO, TEXT};
use crate::corpus::{Corpus, LeftOut};
use crate::dataset::doubles::{Doubles, of_samples};
use crate::dataset::{DataStream, Dataset, FeatureRows, Frames, Streams, TokenLists, UtteranceInfo};
use crate::text::TextTable;

/// What can stop a preparation.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// Settings of the features that cannot be.
    #[error(transparent)]
    FrontEnd(#[from] MfccError),
    /// A fault of the device.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// More utterances without a recording that can be read, or otherwise unusable, than are allowed.
    #[error("{first} ({missing} of {listed} utterances cannot be used, at most {most} may be)")]
    TooManyMissing {
        /// Why the first of them cannot be used.
        first: String,
        /// How many cannot be used, as far as was looked.
        missing: usize,
        /// Utterances that the corpus lists.
        listed: usize,
        /// How many of them may be left out.
        most: usize,
    },
    /// A corpus that is empty, or none of whose recordings can be used.
    #[error("no utterance is left to prepare; {}", first.as_deref().unwrap_or("the corpus is empty"))]
    NothingLeft {
        /// Why the first of them cannot be used; `None` of an empty corpus.
        first: Option<String>,
    },
    /// A corpus of which neither what is heard nor what is said is known.
    #[error("none of the {utterances} utterances has a recording, and none a word")]
    NothingToLearn {
        /// How many there are.
        utterances: usize,
    },
    /// Features that are NaN or infinite: decoded samples are finite.
    #[error("{}: its features are not finite, which is a fault of the device", path.display())]
    NotFinite {
        /// The recording.
        path: PathBuf,
    },
    /// A recording that is too long for the device.
    #[error(
        "{}: its features do not fit the device ({what} needs {needed}, {limit} are allowed)", path.display()
    )]
    TooLarge {
        /// The recording, the longest of those that were sent together.
        path: PathBuf,
        /// What the device limits.
        what: &'static str,
        /// How much of it the features need.
        needed: u64,
        /// How much of it the device allows.
        limit: u64,
    },
    /// Features that cannot go where they are to be kept.
    #[error("the features cannot be written ({0})")]
    Write(#[source] io::Error),
}

impl Remedied for PrepareError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::FrontEnd(error) => error.remedies(),
            Self::Backend(error) => error.remedies(),
            Self::TooManyMissing { .. } => vec![Remedy::AllowMissing],
            Self::NothingLeft { .. } => Vec::new(),
            Self::NothingToLearn { .. } => vec![Remedy::Data("a corpus with recordings or words")],
            Self::NotFinite { .. } => vec![Remedy::UseCpu],
            Self::TooLarge { .. } => vec![Remedy::FewerFrames, Remedy::UseCpu],
            Self::Write(_) => vec![Remedy::CheckFolder],
        }
    }
}

/// How many of the utterances that a corpus lists may be left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Allowance {
    /// So many parts of a hundred.
    Percent(f64),
    /// So many utterances.
    Utterances(usize),
}

impl Default for Allowance {
    fn default() -> Self {
        Self::Percent(1.0)
    }
}

impl Allowance {
    /// How many that is of `listed` utterances.
    pub fn of(self, listed: usize) -> usize {
        match self {
            Self::Percent(percent) => (listed as f64 * percent / 100.0) as usize,
            Self::Utterances(count) => count,
        }
    }
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.strip_suffix('%').map(|number| number.trim().parse().ok().filter(|percent| (0.0..=100.0).contains(percent)));
        match percent {
            Some(percent) => percent.map(Self::Percent),
            None => text.parse().ok().map(Self::Utterances),
        }
        .ok_or_else(|| format!("'{text}' is neither a share like 1% nor a number of utterances"))
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(formatter, "{percent}%"),
            Self::Utterances(count) => write!(formatter, "{count}"),
        }
    }
}

/// What a preparation tells while it works.
#[derive(Debug)]
pub enum RecordingEvent<'a> {
    /// So many recordings have been dealt with.
    Done(usize),
    /// A recording cannot be used.
    LeftOut(&'a LeftOut),
    /// These utterances are of recordings without a sound: all samples are the same.
    Silent(&'a [String]),
    /// So many recordings are those of the utterances that are kept, some of them of several.
    Doubles(&'a Doubles),
}

/// Samples that go to the device together, some four minutes: its matrices then are some 30 MB.
pub(crate) const DEVICE_SAMPLES: usize = 1 << 22;
/// Recordings decoded ahead of the device, by their files' size and number, so that what is decoded fits into memory
/// whatever the corpus.
pub(crate) const GROUP_BYTES: u64 = 8 << 20;
pub(crate) const GROUP_CLIPS: usize = 64;

/// Reads every recording and puts tokens, labels and what is known of the utterances together.
///
/// The features' rows go to `features` in order, and those of the data set's [`AUDIO`] are empty; [`prepare_held`] keeps them. Recordings
/// that cannot be read are left out, with those of `corpus.left_out`, while `allowed` allows. A corpus without recordings gives no
/// [`AUDIO`], one without words no [`TEXT`].
///
/// # Errors
/// [`PrepareError`], naming the recording.
pub async fn prepare<B: Backend>(
    backend: &B,
    mut corpus: Corpus,
    mut text: TextTable,
    settings: &MfccSettings,
    allowed: Allowance,
    features: &mut dyn FnMut(&[f32]) -> io::Result<()>,
    observe: &mut dyn FnMut(RecordingEvent<'_>),
) -> Result<Dataset, PrepareError> {
    let tables = MfccTables::new(backend, settings)?;
    let mut missing = Missing { listed: corpus.utterances.len() + corpus.left_out.len(), allowed, left_out: Vec::new() };
    corpus.left_out.drain(..).try_for_each(|left_out| missing.add(left_out, observe))?;
    let has_audio = corpus.utterances.iter().any(|utterance| !utterance.audio.as_os_str().is_empty());
    let has_words = !text.vocabulary.is_empty();
    if !has_audio && !has_words && !corpus.utterances.is_empty() {
        return Err(PrepareError::NothingToLearn { utterances: corpus.utterances.len() });
    }

    let recordings = if has_audio { corpus.utterances.iter().map(|utterance| utterance.audio.clone()).collect() } else { Vec::new() };
    let mut frame_offsets = vec![0];
    let mut kept = vec![!has_audio; corpus.utterances.len()];
    let (mut hashes, mut silent) = (Vec::new(), Vec::new());
    let mut waiting = Waiting::default();
    for (place, (utterance, clip)) in corpus.utterances.iter().zip(decode_ahead(recordings)).enumerate() {
        match clip {
            Ok((samples, hash)) => {
                kept[place] = true;
                hashes.push(hash);
                silent.extend(hash.is_none().then(|| utterance.id.clone()));
                waiting.add(utterance.audio.clone(), samples);
            }
            Err(error) => missing.add(LeftOut { id: utterance.id.clone(), reason: remedy::line(&error) }, observe)?,
        }
        if waiting.samples >= DEVICE_SAMPLES || place + 1 == kept.len() {
            for count in waiting.extract(backend, &tables, features).await? {
                frame_offsets.push(frame_offsets[frame_offsets.len() - 1] + count);
            }
        }
        observe(RecordingEvent::Done(place + 1));
    }
    if !kept.contains(&true) {
        return Err(PrepareError::NothingLeft { first: missing.left_out.into_iter().next().map(|first| first.reason) });
    }
    if has_audio {
        observe(RecordingEvent::Silent(&silent));
        observe(RecordingEvent::Doubles(&Doubles::of_hashes(&hashes)));
    }

    let mut keep = kept.iter();
    corpus.utterances.retain(|_| keep.next() == Some(&true));
    text.retain(&kept);
    let mut streams = Streams::default();
    if has_audio {
        let audio = Frames { columns: settings.columns(), values: FeatureRows::default(), offsets: frame_offsets };
        streams.insert(AUDIO, DataStream::Frames(audio));
    }
    if has_words {
        let tokens = TokenLists { tokens: text.tokens, offsets: text.offsets, vectors: text.vectors, vocabulary: text.vocabulary };
        streams.insert(TEXT, DataStream::Tokens(tokens));
    }
    Ok(Dataset {
        labels: corpus.labels().into_iter().map(|label| label as u32).collect(),
        utterances: corpus.utterances.iter().map(|utterance| UtteranceInfo::of(utterance, &corpus.root)).collect(),
        corpus: corpus.name,
        classes: corpus.classes,
        feature_settings: serde_json::json!(settings),
        streams,
        drawn: text.drawn,
        left_out: missing.left_out,
        other_labels: corpus.other_labels,
    })
}

/// As [`prepare`], with the features in memory: for a corpus that is known to be small. Nothing may be left out.
///
/// # Errors
/// Those of [`prepare`].
pub async fn prepare_held<B: Backend>(
    backend: &B,
    corpus: Corpus,
    text: TextTable,
    settings: &MfccSettings,
) -> Result<Dataset, PrepareError> {
    let mut values: Vec<f32> = Vec::new();
    let mut keep = |rows: &[f32]| {
        values.extend_from_slice(rows);
        Ok(())
    };
    let mut data = prepare(backend, corpus, text, settings, Allowance::Utterances(0), &mut keep, &mut |_| ()).await?;
    if let Some(DataStream::Frames(audio)) = data.streams.get_mut(AUDIO) {
        audio.values = values.into();
    }
    Ok(data)
}

impl PrepareError {
    /// What a fault of the device means for the recording at `path`: that it is too long for it, where it is a limit.
    pub(crate) fn of_recording(error: BackendError, path: &Path) -> Self {
        match error {
            BackendError::Limit { what, needed, limit, .. } => Self::TooLarge { path: path.to_path_buf(), what, needed, limit },
            error => error.into(),
        }
    }
}

/// What is left out, while it is allowed.
struct Missing {
    listed: usize,
    allowed: Allowance,
    left_out: Vec<LeftOut>,
}

impl Missing {
    fn add(&mut self, left_out: LeftOut, observe: &mut dyn FnMut(RecordingEvent<'_>)) -> Result<(), PrepareError> {
        let most = self.allowed.of(self.listed);
        if self.left_out.len() == most {
            let first = self.left_out.first().unwrap_or(&left_out).reason.clone();
            let missing = self.left_out.len() + 1;
            return Err(PrepareError::TooManyMissing { first, missing, listed: self.listed, most });
        }
        observe(RecordingEvent::LeftOut(&left_out));
        self.left_out.push(left_out);
        Ok(())
    }
}

/// Recordings on their way to the device.
#[derive(Default)]
struct Waiting {
    paths: Vec<PathBuf>,
    clips: Vec<Vec<f32>>,
    samples: usize,
}

impl Waiting {
    fn add(&mut self, path: PathBuf, samples: Vec<f32>) {
        self.samples += samples.len();
        self.paths.push(path);
        self.clips.push(samples);
    }

    /// Computes the features of those that wait; returns the frames of each.
    async fn extract<B: Backend>(
        &mut self,
        backend: &B,
        tables: &MfccTables<B>,
        features: &mut dyn FnMut(&[f32]) -> io::Result<()>,
    ) -> Result<Vec<usize>, PrepareError> {
        let Self { paths, clips, .. } = std::mem::take(self);
        if clips.is_empty() {
            return Ok(Vec::new());
        }
        let longest = clips.iter().zip(&paths).max_by_key(|(clip, _)| clip.len()).map_or_else(PathBuf::new, |(_, path)| path.clone());
        let extracted = extract(backend, tables, &clips).await;
        let (values, frames) = extracted.map_err(|error| PrepareError::of_recording(error, &longest))?;
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let mut row = place / tables.settings.columns();
            let clip = frames.iter().position(|&count| {
                let within = row < count;
                row = row.saturating_sub(count);
                within
            });
            return Err(PrepareError::NotFinite { path: paths[clip.unwrap_or(0)].clone() });
        }
        features(&values).map_err(PrepareError::Write)?;
        Ok(frames)
    }
}

/// A recording's samples, and [`of_samples`] of them.
type Decoded = Result<(Vec<f32>, Option<u64>), AudioError>;

/// Decodes the recordings on all cores, a group ahead of whoever takes them; they come in order. Work ends when nobody
/// takes them any more.
fn decode_ahead(paths: Vec<PathBuf>) -> impl Iterator<Item = Decoded> {
    let (sender, receiver) = sync_channel::<Vec<Decoded>>(1);
    thread::spawn(move || {
        let clip = |path: &PathBuf| {
            let samples = decode(path)?;
            let hash = of_samples(&samples);
            Ok((samples, hash))
        };
        for group in groups(&paths) {
            let clips = group.par_iter().map(clip).collect();
            if sender.send(clips).is_err() {
                break;
            }
        }
    });
    receiver.into_iter().flatten()
}

/// Runs of recordings that are decoded together.
fn groups(paths: &[PathBuf]) -> Vec<&[PathBuf]> {
    let size = |path: &PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (place, path) in paths.iter().enumerate() {
        bytes += size(path);
        if bytes >= GROUP_BYTES || place + 1 - start == GROUP_CLIPS || place + 1 == paths.len() {
            groups.push(&paths[start..=place]);
            (start, bytes) = (place + 1, 0);
        }
    }
    groups
}

/// Features of some clips: `[frames, columns]` of all, and the frames of each.
///
/// # Errors
/// Whatever went wrong on the device.
pub async fn extract<B: Backend>(backend: &B, tables: &MfccTables<B>, clips: &[Vec<f32>]) -> Result<(Vec<f32>, Vec<usize>), BackendError> {
    let frames: Vec<usize> = clips.iter().map(|clip| tables.settings.frames(clip.len())).collect();
    let lengths = |counts: &mut dyn Iterator<Item = usize>| -> Vec<u32> { counts.map(|count| count as u32).collect() };
    let utterance_rows = Ragged::new(backend, &lengths(&mut clips.iter().map(Vec::len)));
    let frame_rows = Ragged::new(backend, &lengths(&mut frames.iter().copied()));
    let samples = clips.concat();
    let samples = backend.upload(&samples, [samples.len(), 1]);
    let mfcc = Mfcc { samples, utterances: utterance_rows, frames: frame_rows.clone(), tables: tables.clone() };
    let coefficients = backend.run(&mfcc);
    let matrix = match &tables.deltas {
        Some(filter) => backend.run(&Deltas { x: coefficients, frames: frame_rows, filter: filter.clone() }),
        None => coefficients,
    };
    let values = backend.read(&matrix).await?;
    Ok((as_f32(values), frames))
}
