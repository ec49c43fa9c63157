//! A trained model for new utterances: read once, put on a device once, and then many utterances at a time.

use std::path::Path;

use super::spoken::Spoken;
use super::vocabulary::{self, FrontEnd, Vocabulary};
use super::{Checkpoint, RunFault, TrainError, calibration, packed, run};
use crate::audio::mfcc::SAMPLE_RATE;
use crate::audio::vectors::VectorFrontEnd;
use crate::backend::Device;
use crate::base::files;
use crate::base::streams::{AUDIO, Readings, StreamShape, TEXT};
use crate::corpus::CorpusError;
use crate::dataset::store::Store;
use crate::dataset::{DataStream, Dataset, FeatureMatrix, Frames, Normalisation, Streams, TokenLists, Vectors, hop_seconds};
use crate::model::layers::Attended;
use crate::on_device;
use crate::text::tokenise;

/// A model with what it needs to read audio and text.
pub struct Predictor {
    /// The model as it was trained.
    pub checkpoint: Checkpoint,
    pub(super) readings: Readings,
    pub(super) vocabulary: Vocabulary,
    /// What computes vectors that the model reads from the recording.
    pub(super) own: Vec<VectorFrontEnd>,
    /// What probabilities are taken at: 1, as the model gives them.
    temperature: f64,
}

/// What attends to what in one utterance, and what the rows are: of MCSAN the last cross layer, of others what their pages have.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// The utterance's tokens; none where there is no text, which the model reads as one word without a vector.
    pub words: Vec<String>,
    /// `[words]`: whether the word has a row in the table.
    pub known: Vec<bool>,
    /// Samples from the middle of an acoustic frame to that of the next.
    pub hop: usize,
    /// Frames that a row of the recording stands for: more than one behind pools.
    pub frames: usize,
    /// In the order of the pass, at least one.
    pub layers: Vec<Attended<Vec<f32>>>,
}

/// Whether a file stands in place of a run's folder.
fn is_packed(path: &Path) -> bool {
    files::metadata(path).is_ok_and(|about| about.file_type().is_file())
}

impl Predictor {
    /// The best model of a run folder, or of a file of its own, see [`packed`].
    ///
    /// # Errors
    /// [`TrainError`], naming the file.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        if is_packed(path) {
            return Self::packed(path, &packed::bytes(path)?);
        }
        let open = |file: &str| Store::open(&path.join(file));
        Self::of(&open(run::files::BEST)?, &open(vocabulary::FILE)?)
    }

    /// A model of the bytes of a file of its own; `path` is what errors name.
    ///
    /// # Errors
    /// [`TrainError`], naming the file.
    pub fn packed(path: &Path, bytes: &[u8]) -> Result<Self, TrainError> {
        let mut parts = packed::Packed::read(path, bytes)?;
        let mut open = |file: &str| Ok::<_, TrainError>(Store::held(parts.take(file)?, &path.join(file))?);
        Self::of(&open(run::files::BEST)?, &open(vocabulary::FILE)?)
    }

    fn of(best: &Store, vocabulary: &Store) -> Result<Self, TrainError> {
        let (checkpoint, path) = (Checkpoint::read(best)?, vocabulary.path().to_path_buf());
        let vocabulary = Vocabulary::read(vocabulary)?;
        let readings = checkpoint.readings();
        let (_, learned) = checkpoint.dimensions.words(TEXT);
        let rows = vocabulary.vectors.as_ref().map(|table| table.values.len()).or(learned);
        if readings.has(TEXT) && vocabulary.words.is_empty() && rows.is_some_and(|rows| rows > 0) {
            return Err(TrainError::Run { path, fault: RunFault::NoWords });
        }
        let own = vocabulary.own(&readings, &path)?;
        let predictor = Self { checkpoint, readings, vocabulary, own, temperature: 1.0 };
        match predictor.checkpoint.check_fit(&predictor.data()) {
            Err(TrainError::Misfit(misfit)) => {
                let reason = format!("is of another run than {}: {misfit}", run::files::BEST);
                Err(TrainError::Run { path, fault: RunFault::Unreadable { reason } })
            }
            // A model may read other streams, which come from elsewhere.
            _ => Ok(predictor),
        }
    }

    /// The same with the temperature that was fitted for it, see [`calibration`].
    ///
    /// # Errors
    /// Those of [`Predictor::load`]; [`RunFault::NotCalibrated`].
    pub fn load_calibrated(path: &Path) -> Result<Self, TrainError> {
        let predictor = Self::load(path)?;
        let fitted = if is_packed(path) {
            let file = path.join(calibration::FILE);
            let missing = || TrainError::Run { path: path.into(), fault: RunFault::PackedUncalibrated };
            let text = packed::Packed::read(path, &packed::bytes(path)?)?.take_if_there(calibration::FILE).ok_or_else(missing)?;
            calibration::Fitted::read(&String::from_utf8_lossy(&text), &file, &predictor.checkpoint)?
        } else {
            calibration::Fitted::load(path, &predictor.checkpoint)?
        };
        Ok(Self { temperature: fitted.temperature, ..predictor })
    }

    /// Probabilities as they are told.
    pub(super) fn tempered(&self, probabilities: Vec<f64>) -> Vec<f64> {
        // As they are they keep their bits.
        if self.temperature == 1.0 { probabilities } else { calibration::at_temperature(&probabilities, self.temperature) }
    }

    /// Whether the model reads the stream of that name.
    pub fn reads(&self, stream: &str) -> bool {
        self.readings.has(stream)
    }

    /// Whether the model needs the recording itself, and not another program's features of it.
    pub fn hears(&self) -> bool {
        self.reads(AUDIO) && self.feature_columns().is_none() || !self.own.is_empty()
    }

    /// Whether the model is told when words are said.
    pub fn reads_times(&self) -> bool {
        self.readings.iter().any(|reading| reading.aligned_with.is_some())
    }

    /// Whether an utterance says when other words are said than its own.
    pub fn is_misaligned(&self, utterance: &Spoken) -> bool {
        self.reads_times() && utterance.alignment.is_some() && utterance.times().is_none()
    }

    /// Whether the model reads features that are normalised by who speaks.
    pub fn by_speaker(&self) -> bool {
        self.reads(AUDIO) && self.checkpoint.normalisation == Normalisation::Speaker
    }

    /// Columns of the acoustic features that the model was trained on, where another program computed them.
    pub fn feature_columns(&self) -> Option<usize> {
        match self.vocabulary.front_end {
            FrontEnd::Files { columns, .. } if self.reads(AUDIO) => Some(columns),
            _ => None,
        }
    }

    /// Columns of the features of words that the model was trained on, where another program computed them.
    pub fn text_columns(&self) -> Option<usize> {
        match self.checkpoint.dimensions.streams.get(TEXT) {
            Some(&StreamShape::Frames { columns }) if self.reads(TEXT) => Some(columns),
            _ => None,
        }
    }

    /// The streams beside recording and words that the model reads, with their columns, and that of the words where it is of features.
    pub fn further(&self) -> Vec<(&'static str, usize)> {
        let own: &[&str] = if self.text_columns().is_some() { &[AUDIO] } else { &[AUDIO, TEXT] };
        let streams = self.readings.iter().map(|reading| reading.stream).filter(|stream| !own.contains(stream));
        streams.map(|stream| (stream, self.checkpoint.dimensions.columns(stream))).collect()
    }

    /// Those of them that come from files: others are computed from the recording.
    pub fn from_files(&self) -> Vec<(&'static str, usize)> {
        let is_own = |stream: &str| self.own.iter().any(|front_end| front_end.stream() == stream);
        self.further().into_iter().filter(|(stream, _)| !is_own(stream)).collect()
    }

    /// The longest recording in seconds, a whole number of hundredths, of which the model reads all frames of our front-end; none where
    /// it reads no such frames.
    pub fn longest(&self) -> Option<f64> {
        match &self.vocabulary.front_end {
            FrontEnd::Mfcc(settings) if self.reads(AUDIO) => {
                let samples = self.readings.most(AUDIO).saturating_mul(settings.hop).saturating_sub(1) as u64;
                Some((samples / u64::from(SAMPLE_RATE / 100)) as f64 / 100.0)
            }
            _ => None,
        }
    }

    /// Acoustic frames of an utterance, where it has some.
    fn frames(&self, utterance: &Spoken) -> Option<usize> {
        match &self.vocabulary.front_end {
            FrontEnd::Files { .. } => utterance.features.as_ref().map(FeatureMatrix::rows),
            FrontEnd::Mfcc(settings) => utterance.samples.as_ref().map(|samples| settings.frames(samples.len())),
        }
    }

    /// Refuses words that are said to begin after an utterance's recording.
    ///
    /// # Errors
    /// [`CorpusError::Alignment`]
    pub fn check_times(&self, utterance: &Spoken) -> Result<(), CorpusError> {
        match (&utterance.alignment, self.frames(utterance)) {
            (Some(alignment), Some(frames)) => alignment.check_within(frames as f64 * hop_seconds(&self.vocabulary.feature_settings)),
            _ => Ok(()),
        }
    }

    /// Whether an utterance has more frames than the model reads.
    pub fn cuts(&self, utterance: &Spoken) -> bool {
        let frames = self.frames(utterance);
        let is_longer =
            |stream: &str, rows: Option<usize>| self.reads(stream) && rows.is_some_and(|rows| rows > self.readings.most(stream));
        is_longer(AUDIO, frames) || utterance.further.iter().any(|(stream, matrix)| is_longer(stream, Some(matrix.rows())))
    }

    /// Classes, words and front-end as a data set without utterances.
    pub(super) fn data(&self) -> Dataset {
        let audio = Frames { columns: self.vocabulary.front_end.columns(), ..Frames::default() };
        let text =
            TokenLists { vocabulary: self.vocabulary.words.clone(), vectors: self.vocabulary.vectors.clone(), ..TokenLists::default() };
        let mut streams = Streams::from([(AUDIO, DataStream::Frames(audio)), (TEXT, DataStream::Tokens(text))]);
        for (stream, columns) in self.further() {
            let is_vector = matches!(self.checkpoint.dimensions.streams.get(stream), Some(StreamShape::Vector { .. }));
            let frames = || DataStream::Frames(Frames { columns, ..Frames::default() });
            streams.insert(stream, if is_vector { DataStream::Vector(Vectors { columns, ..Vectors::default() }) } else { frames() });
        }
        Dataset {
            classes: self.checkpoint.classes.clone(),
            streams,
            feature_settings: self.vocabulary.feature_settings.clone(),
            front_ends: self.vocabulary.front_ends.clone(),
            ..Dataset::default()
        }
    }

    /// The words of a text as the model takes them, and whether each has a row in its table.
    pub fn words(&self, text: &str) -> Vec<(String, bool)> {
        let known = |word: String| (self.vocabulary.row(&word) >= 0, word);
        tokenise(text).into_iter().map(known).map(|(known, word)| (word, known)).collect()
    }

    /// How many words the model knows.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary.words.len()
    }

    /// Probability of each class for one utterance, in the order of the model's classes; `samples`: mono, 16 kHz.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn predict(&self, device: &Device, samples: &[f32], text: &str) -> Result<Vec<f64>, TrainError> {
        let utterance = Spoken { samples: Some(samples.to_vec()), text: Some(text.to_owned()), ..Spoken::default() };
        on_device!(*device, |backend| Ok(self.on(backend)?.predict(&[utterance]).await?.remove(0)))
    }
}
