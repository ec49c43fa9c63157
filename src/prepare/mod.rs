//! From a corpus to a prepared data set: recordings decoded on all cores while the device computes MFCC of those before, or files of
//! features, and transcripts as rows of word vectors. Nothing is held whole: features go where the caller says as they come.

mod alignment;
mod error;
mod feature_files;
mod further;
mod prosody;
mod recordings;
mod vectors;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;

use crate::audio::mfcc::MfccSettings;
use crate::audio::vectors::VectorFrontEnd;
use crate::backend::Backend;
use crate::base::streams::{AUDIO, TEXT};
use crate::corpus::{Corpus, FeatureSource, LeftOut};
use crate::dataset::{DataStream, Dataset, Doubles, FeatureRows, Frames, Streams, TokenLists, UtteranceInfo, Vectors};
use crate::text::TextTable;
pub use error::PrepareError;
pub use prosody::{Contours, ProsodyTables};
pub use recordings::extract;
pub(crate) use recordings::{DEVICE_SAMPLES, GROUP_BYTES, GROUP_CLIPS};
pub(crate) use vectors::VectorTables;

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
    /// These utterances lack features that others have.
    Lacking {
        /// Which.
        stream: &'static str,
        /// Their ids, in order.
        utterances: &'a [String],
    },
    /// Of these utterances it is not known when their words are said, though of others it is.
    Unaligned {
        /// Those without a file, by id.
        without: &'a [String],
        /// Those whose file has other words.
        differing: &'a [String],
    },
}

/// Reads every recording, or its features where the corpus has files of those, and puts tokens, labels and what is known of the
/// utterances together.
///
/// The rows of frames go to `features` in order, by their stream, and those of the data set's are empty; [`prepare_held`] keeps them.
/// Recordings that cannot be read are left out, with those of `corpus.left_out`, while `allowed` allows. A corpus without recordings gives no
/// [`AUDIO`], one without words no [`TEXT`]. Features that are taken in place of the words are read twice: before the recordings, since an
/// utterance without them is left out as well, and after.
///
/// # Errors
/// [`PrepareError`], naming the recording.
pub async fn prepare<B: Backend>(
    backend: &B,
    corpus: Corpus,
    text: TextTable,
    settings: &MfccSettings,
    allowed: Allowance,
    features: &mut dyn FnMut(&'static str, &[f32]) -> io::Result<()>,
    observe: &mut dyn FnMut(RecordingEvent<'_>),
) -> Result<Dataset, PrepareError> {
    let whole = Whole::of(&corpus);
    prepare_part(backend, corpus, text, settings, (&whole, allowed), features, observe).await.map(|(data, _)| data)
}

/// As [`prepare`], of a part of a corpus that becomes what it would in the whole; returns also a number of each utterance's recording, as
/// [`Doubles`] takes them.
///
/// # Errors
/// Those of [`prepare`].
pub(crate) async fn prepare_part<B: Backend>(
    backend: &B,
    mut corpus: Corpus,
    mut text: TextTable,
    settings: &MfccSettings,
    (whole, allowed): (&Whole, Allowance),
    features: &mut dyn FnMut(&'static str, &[f32]) -> io::Result<()>,
    observe: &mut dyn FnMut(RecordingEvent<'_>),
) -> Result<(Dataset, Vec<Option<u64>>), PrepareError> {
    let mut missing = Missing { listed: whole.listed, before: whole.missing, allowed, left_out: Vec::new() };
    corpus.left_out.drain(..).try_for_each(|left_out| missing.add(left_out, observe))?;
    if let Some(FeatureSource::Files(files)) = corpus.further.get(TEXT) {
        let readable = feature_files::readable(&corpus.utterances, files, whole.columns(TEXT), &mut missing, observe)?;
        keep(&mut corpus, &mut text, &readable);
    }
    let own = corpus.further.values().filter_map(|source| match source {
        FeatureSource::Recordings(front_end) => Some(*front_end),
        FeatureSource::Files(_) | FeatureSource::Table(_) => None,
    });
    let own: Vec<VectorFrontEnd> = own.collect();
    let has_word_files = corpus.further.contains_key(TEXT);
    let has_words = !text.vocabulary.is_empty() && !has_word_files;
    let mut acoustic_rows = |rows: &[f32]| features(AUDIO, rows);
    let mut intake = Intake { missing: &mut missing, features: &mut acoustic_rows, observe };
    let acoustic = if !corpus.features.is_empty() {
        Some(feature_files::read(&corpus, whole.columns(AUDIO), &mut intake)?)
    } else if whole.has_recordings {
        Some(recordings::read(backend, &corpus, settings, &own, &mut intake).await?)
    } else {
        None
    };
    if acoustic.is_none() && !has_words && !has_word_files && !corpus.utterances.is_empty() {
        return Err(PrepareError::NothingToLearn { utterances: corpus.utterances.len() });
    }
    if let (Some(front_end), true) = (own.first(), !corpus.features.is_empty() || acoustic.is_none()) {
        return Err(PrepareError::NoRecordings { stream: front_end.stream() });
    }
    let kept = acoustic.as_ref().map_or_else(|| vec![true; corpus.utterances.len()], |acoustic| acoustic.kept.clone());
    if !kept.contains(&true) {
        return Err(PrepareError::NothingLeft { first: missing.left_out.into_iter().next().map(|first| first.reason) });
    }

    keep(&mut corpus, &mut text, &kept);
    let mut streams = Streams::default();
    let mut feature_settings = settings.recorded();
    let mut recordings = Vec::new();
    if let Some(mut acoustic) = acoustic {
        recordings = std::mem::take(&mut acoustic.recordings);
        let audio = Frames { columns: acoustic.columns, values: FeatureRows::default(), offsets: acoustic.offsets() };
        streams.insert(AUDIO, DataStream::Frames(audio));
        feature_settings = acoustic.settings;
        let vectors = acoustic.vectors.into_iter().zip(&own);
        vectors.for_each(|(values, front_end)| {
            let vectors = Vectors { columns: front_end.columns(), values: values.into() };
            streams.insert(front_end.stream(), DataStream::Vector(vectors));
        });
    }
    if has_words {
        let tokens = TokenLists { tokens: text.tokens, offsets: text.offsets, vectors: text.vectors, vocabulary: text.vocabulary };
        streams.insert(TEXT, DataStream::Tokens(tokens));
    }
    further::read(&corpus, whole, features, observe)?.into_iter().for_each(|(name, stream)| streams.insert(name, stream));
    alignment::read(&corpus, &mut streams, &feature_settings, observe)?;
    let data = Dataset {
        labels: corpus.labels().into_iter().map(|label| label as u32).collect(),
        utterances: corpus.utterances.iter().map(|utterance| UtteranceInfo::of(utterance, &corpus)).collect(),
        parts: Vec::new(),
        shards: Vec::new(),
        corpus: corpus.name,
        classes: corpus.classes,
        feature_settings,
        front_ends: own.iter().map(|front_end| (front_end.stream().to_owned(), front_end.recorded())).collect(),
        streams,
        drawn: text.drawn,
        left_out: missing.left_out,
        other_labels: corpus.other_labels,
    };
    Ok((data, recordings))
}

/// What of a whole corpus decides what becomes of a part of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Whole {
    /// Utterances that it lists; copies are none of its own.
    pub listed: usize,
    /// Those that were left out of its other parts, as far as is known.
    pub missing: usize,
    /// Whether an utterance of it has a recording.
    has_recordings: bool,
    /// Columns of its first file of each stream of files; of a corpus that is prepared as one, those files tell.
    columns: BTreeMap<&'static str, usize>,
}

impl Whole {
    /// Of a corpus that is prepared as one.
    fn of(corpus: &Corpus) -> Self {
        Self {
            listed: corpus.utterances.len() - corpus.copies.len() + corpus.left_out.len(),
            has_recordings: corpus.utterances.iter().any(|utterance| !utterance.audio.as_os_str().is_empty()),
            ..Self::default()
        }
    }

    /// Of a corpus that is prepared in parts.
    ///
    /// # Errors
    /// A table of features that cannot be read.
    #[cfg(feature = "cli")]
    pub(crate) fn of_parts(corpus: &Corpus) -> Result<Self, PrepareError> {
        let mut columns = further::columns(corpus)?;
        columns.extend(feature_files::columns(&corpus.utterances, &corpus.features).map(|columns| (AUDIO, columns)));
        Ok(Self { columns, ..Self::of(corpus) })
    }

    /// Columns of a stream; 0 where the part's first file tells.
    fn columns(&self, stream: &str) -> usize {
        self.columns.get(stream).copied().unwrap_or(0)
    }
}

/// Keeps some of the utterances, and their tokens.
fn keep(corpus: &mut Corpus, text: &mut TextTable, kept: &[bool]) {
    let mut keep = kept.iter();
    corpus.utterances.retain(|_| keep.next() == Some(&true));
    text.retain(kept);
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
    prepare_held_telling(backend, corpus, text, settings, Allowance::Utterances(0), &mut |_| ()).await
}

/// As [`prepare_held`], where some may be left out; `observe` is told how it goes on.
///
/// # Errors
/// Those of [`prepare`].
pub async fn prepare_held_telling<B: Backend>(
    backend: &B,
    corpus: Corpus,
    text: TextTable,
    settings: &MfccSettings,
    allowed: Allowance,
    observe: &mut dyn FnMut(RecordingEvent<'_>),
) -> Result<Dataset, PrepareError> {
    let mut values: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut keep = |stream: &'static str, rows: &[f32]| {
        values.entry(stream).or_default().extend_from_slice(rows);
        Ok(())
    };
    let mut data = prepare(backend, corpus, text, settings, allowed, &mut keep, observe).await?;
    for (stream, values) in values {
        if let Some(DataStream::Frames(frames)) = data.streams.get_mut(stream) {
            frames.values = values.into();
        }
    }
    Ok(data)
}

/// The acoustic side of a corpus.
#[derive(Default)]
struct Acoustic {
    /// `[utterances]`: whether what belongs to an utterance could be read.
    kept: Vec<bool>,
    /// Where the frames of each that is kept end.
    ends: Vec<usize>,
    columns: usize,
    /// What the features are, as the data set says it.
    settings: serde_json::Value,
    /// Vectors that are computed from recordings, one a kept utterance, of each front-end.
    vectors: Vec<Vec<f32>>,
    /// Of each that is kept, a number of its recording.
    recordings: Vec<Option<u64>>,
}

impl Acoustic {
    fn add(&mut self, frames: usize) {
        self.ends.push(self.ends.last().unwrap_or(&0) + frames);
    }

    /// Where the frames of each that is kept begin, and the end of the last.
    fn offsets(&self) -> Vec<usize> {
        std::iter::once(0).chain(self.ends.iter().copied()).collect()
    }
}

/// Where what is read goes.
struct Intake<'a> {
    missing: &'a mut Missing,
    features: &'a mut dyn FnMut(&[f32]) -> io::Result<()>,
    observe: &'a mut dyn FnMut(RecordingEvent<'_>),
}

/// What is left out, while it is allowed.
struct Missing {
    listed: usize,
    /// Left out of other parts of the corpus.
    before: usize,
    allowed: Allowance,
    left_out: Vec<LeftOut>,
}

impl Missing {
    fn add(&mut self, left_out: LeftOut, observe: &mut dyn FnMut(RecordingEvent<'_>)) -> Result<(), PrepareError> {
        let most = self.allowed.of(self.listed);
        if self.before + self.left_out.len() >= most {
            let first = self.left_out.first().unwrap_or(&left_out).reason.clone();
            let missing = self.before + self.left_out.len() + 1;
            return Err(PrepareError::TooManyMissing { first, missing, listed: self.listed, most });
        }
        observe(RecordingEvent::LeftOut(&left_out));
        self.left_out.push(left_out);
        Ok(())
    }
}
