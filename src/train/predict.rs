//! A trained model for new utterances: read once, put on a device once, and then many utterances at a time.

use std::path::Path;

use super::batches::{FrozenVectors, upload_vectors};
use super::inference::{Inference, all};
use super::session::check_room;
use super::spoken::{Further, Spoken, parts};
use super::vocabulary::{self, FrontEnd, Vocabulary};
use super::{Checkpoint, RunFault, TrainError, calibration, packed, run};
use crate::audio::mfcc::SAMPLE_RATE;
use crate::audio::vectors::VectorFrontEnd;
use crate::backend::MfccTables;
use crate::backend::{Backend, Device};
use crate::base::files;
use crate::base::streams::{AUDIO, Readings, StreamShape, TEXT};
use crate::corpus::CorpusError;
use crate::dataset::store::Store;
use crate::dataset::{
    DataStream, Dataset, FeatureMatrix, FeatureRows, Frames, Normalisation, Streams, TokenLists, UtteranceInfo, Vectors, hop_seconds,
};
use crate::model::layers::Attended;
use crate::on_device;
use crate::prepare::{VectorTables, extract};
use crate::text::tokenise;

/// A model with what it needs to read audio and text.
pub struct Predictor {
    /// The model as it was trained.
    pub checkpoint: Checkpoint,
    readings: Readings,
    vocabulary: Vocabulary,
    /// What computes vectors that the model reads from the recording.
    own: Vec<VectorFrontEnd>,
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
            let missing = || TrainError::Run { path: file.clone(), fault: RunFault::NotCalibrated { reason: "is not there".into() } };
            let text = packed::Packed::read(path, &packed::bytes(path)?)?.take_if_there(calibration::FILE).ok_or_else(missing)?;
            calibration::Fitted::read(&String::from_utf8_lossy(&text), &file, &predictor.checkpoint)?
        } else {
            calibration::Fitted::load(path, &predictor.checkpoint)?
        };
        Ok(Self { temperature: fitted.temperature, ..predictor })
    }

    /// Probabilities as they are told.
    fn tempered(&self, probabilities: Vec<f64>) -> Vec<f64> {
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
    fn data(&self) -> Dataset {
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

    /// Puts the model on a device.
    ///
    /// # Errors
    /// A model that reads other streams than [`Spoken`] has, which [`Checkpoint::inference`] takes; settings of the front-end that the
    /// device cannot have.
    pub fn on<'p, B: Backend>(&'p self, backend: &'p B) -> Result<SpeechInference<'p, B>, TrainError> {
        let data = self.data();
        self.checkpoint.check_fit(&data)?;
        let tables = match &self.vocabulary.front_end {
            FrontEnd::Files { .. } => None,
            FrontEnd::Mfcc(settings) => Some(MfccTables::new(backend, settings)?),
        };
        check_room(backend, &self.checkpoint.layout(), 1)?;
        Ok(SpeechInference {
            predictor: self,
            backend,
            inference: self.checkpoint.inference(backend),
            tables,
            own: self.own.iter().map(|&front_end| VectorTables::new(backend, front_end)).collect::<Result<_, _>>()?,
            vectors: upload_vectors(backend, &data, &self.readings),
            data,
        })
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

/// A model on a device, for utterances as they are spoken.
pub struct SpeechInference<'p, B: Backend> {
    pub(super) predictor: &'p Predictor,
    backend: &'p B,
    inference: Inference<'p, B>,
    /// Of the front-end; none where features come from elsewhere.
    tables: Option<MfccTables<B>>,
    /// Of vectors that are computed from the recording.
    own: Vec<VectorTables<B>>,
    vectors: FrozenVectors<B>,
    /// The utterances at hand as a data set; classes, words and vectors stay from call to call.
    data: Dataset,
}

/// Utterances as a data set has them, but for their acoustic features.
#[derive(Default)]
pub(super) struct Said {
    /// Of each utterance.
    frames: Vec<usize>,
    /// Of each utterance, rows of the word table.
    tokens: Vec<Vec<i32>>,
    /// Of each utterance.
    further: Vec<Further>,
    /// Of each token, NaN where they are not known; nothing where the model is not told.
    times: Vec<[f32; 2]>,
}

impl Said {
    /// Takes more utterances.
    pub(super) fn extend(&mut self, more: Self) {
        self.frames.extend(more.frames);
        self.tokens.extend(more.tokens);
        self.further.extend(more.further);
        self.times.extend(more.times);
    }
}

impl<B: Backend> SpeechInference<'_, B> {
    /// Probability of each class for each utterance, in the order of the model's classes. Every result is that of the
    /// utterance alone, whatever it is given with; where the model is normalised by speaker, each is a speaker of its own.
    ///
    /// # Errors
    /// [`TrainError::Missing`], [`TrainError::ResultNotFinite`], or whatever went wrong on the device.
    pub async fn predict(&mut self, utterances: &[Spoken]) -> Result<Vec<Vec<f64>>, TrainError> {
        all(self.predict_each(utterances).await?)
    }

    /// As [`SpeechInference::predict`]; none of an utterance whose results are not finite numbers.
    ///
    /// # Errors
    /// [`TrainError::Missing`], or whatever went wrong on the device.
    pub(crate) async fn predict_each(&mut self, utterances: &[Spoken]) -> Result<Vec<Option<Vec<f64>>>, TrainError> {
        let mut probabilities = Vec::with_capacity(utterances.len());
        for part in parts(utterances) {
            self.take(part).await?;
            probabilities.extend(self.probabilities().await?);
        }
        Ok(probabilities)
    }

    /// As [`SpeechInference::predict`] for one utterance, with what attends to what.
    ///
    /// # Errors
    /// [`TrainError::NoCross`]; [`TrainError::NoTimes`] where features come from elsewhere; and those of [`SpeechInference::predict`].
    pub async fn attend(&mut self, utterance: &Spoken) -> Result<(Vec<f64>, Attention), TrainError> {
        let hop = self.tables.as_ref().ok_or(TrainError::NoTimes)?.settings.hop;
        self.take(std::slice::from_ref(utterance)).await?;
        let (probabilities, layers) = self.inference.attend(&self.data, &self.vectors).await?;
        let probabilities = self.predictor.tempered(probabilities);
        let attention = Attention {
            words: tokenise(utterance.text.as_deref().unwrap_or_default()),
            known: self.data.text().map_or_else(Vec::new, |text| text.tokens.iter().map(|&token| token >= 0).collect()),
            hop,
            frames: self.predictor.readings.least(AUDIO),
            layers,
        };
        Ok((probabilities, attention))
    }

    /// Puts utterances into the data set, each a speaker of its own.
    async fn take(&mut self, utterances: &[Spoken]) -> Result<(), TrainError> {
        let (features, said) = self.read(utterances).await?;
        let unknown = |place: usize| UtteranceInfo { id: place.to_string(), speaker: Some(place.to_string()), ..Default::default() };
        self.lay_out(features.into(), &said, (0..utterances.len()).map(unknown).collect());
        Ok(())
    }

    /// Acoustic features `[Σ frames, columns]` on the device, tokens by the vocabulary; nothing of a modality that the model does not use.
    ///
    /// # Errors
    /// [`TrainError::Missing`], or whatever went wrong on the device.
    pub(super) async fn read(&self, utterances: &[Spoken]) -> Result<(Vec<f32>, Said), TrainError> {
        let predictor = self.predictor;
        let (mut features, mut frames) = (Vec::new(), vec![0; utterances.len()]);
        let clips = || {
            let clips: Option<Vec<Vec<f32>>> = utterances.iter().map(|utterance| utterance.samples.clone()).collect();
            clips.ok_or(TrainError::Missing { what: "audio" })
        };
        match &self.tables {
            _ if !predictor.reads(AUDIO) => {}
            Some(tables) => (features, frames) = extract(self.backend, tables, &clips()?).await?,
            None => {
                let columns = predictor.vocabulary.front_end.columns();
                for (place, utterance) in utterances.iter().enumerate() {
                    let own = utterance.features.as_ref().filter(|own| own.columns == columns);
                    let own = own.ok_or(TrainError::Missing { what: "acoustic features like those that it was trained on" })?;
                    features.extend_from_slice(&own.values);
                    frames[place] = own.rows();
                }
            }
        }
        let tokens = |utterance: &Spoken| {
            if let Some(columns) = predictor.text_columns() {
                let own = utterance.further.get(TEXT).filter(|own| own.columns == columns);
                return own
                    .map(|_| Vec::new())
                    .ok_or(TrainError::Missing { what: "features of its words like those that it was trained on" });
            }
            if !predictor.reads(TEXT) {
                return Ok(Vec::new());
            }
            let text = utterance.text.as_deref().ok_or(TrainError::Missing { what: "text" })?;
            Ok(tokenise(text).iter().map(|token| predictor.vocabulary.row(token)).collect())
        };
        let mut further: Vec<Further> = utterances.iter().map(|utterance| utterance.further.clone()).collect();
        for own in &self.own {
            let (stream, columns) = (own.front_end.stream(), own.front_end.columns());
            let vectors = own.extract(self.backend, &clips()?).await?;
            for (further, vector) in further.iter_mut().zip(vectors.chunks_exact(columns)) {
                further.insert(stream, FeatureMatrix { columns, values: vector.to_vec() });
            }
        }
        let tokens = utterances.iter().map(tokens).collect::<Result<Vec<_>, TrainError>>()?;
        let times = |(utterance, tokens): (&Spoken, &Vec<i32>)| {
            let rows = utterance.further.get(TEXT).map_or(tokens.len(), FeatureMatrix::rows);
            utterance.times().unwrap_or_else(|| vec![[f32::NAN; 2]; rows])
        };
        let times = if predictor.reads_times() { utterances.iter().zip(&tokens).flat_map(times).collect() } else { Vec::new() };
        Ok((features, Said { frames, tokens, further, times }))
    }

    /// Puts utterances into the data set.
    pub(super) fn lay_out(&mut self, features: FeatureRows, said: &Said, utterances: Vec<UtteranceInfo>) {
        let Said { frames, tokens, further, times } = said;
        for (stream, columns) in self.predictor.further() {
            let own = || further.iter().map(|own| own.get(stream).filter(|matrix| matrix.columns == columns));
            match self.data.streams.get_mut(stream) {
                Some(DataStream::Frames(frames)) => {
                    frames.values = own().flatten().flat_map(|matrix| matrix.values.iter().copied()).collect::<Vec<_>>().into();
                    frames.offsets = offsets(own().map(|matrix| matrix.map_or(0, FeatureMatrix::rows)));
                }
                Some(DataStream::Vector(vectors)) => {
                    let row = |matrix: Option<&FeatureMatrix>| matrix.map_or_else(|| vec![0.0; columns], |matrix| matrix.values.clone());
                    vectors.values = own().flat_map(row).collect::<Vec<_>>().into();
                }
                Some(DataStream::Tokens(_)) | None => {}
            }
        }
        self.data.labels = vec![0; utterances.len()];
        self.data.utterances = utterances;
        if let Some(DataStream::Frames(audio)) = self.data.streams.get_mut(AUDIO) {
            (audio.values, audio.offsets) = (features, offsets(frames.iter().copied()));
        }
        if let Some(DataStream::Tokens(text)) = self.data.streams.get_mut(TEXT) {
            (text.tokens, text.offsets) = (tokens.concat(), offsets(tokens.iter().map(Vec::len)));
        }
        if self.predictor.reads_times() {
            self.data.streams.set_times(TEXT, times.clone());
        }
    }

    /// Probabilities of the utterances in the data set; none of one whose results are not finite numbers.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub(super) async fn probabilities(&self) -> Result<Vec<Option<Vec<f64>>>, TrainError> {
        let found = self.inference.probabilities(&self.data, &self.vectors).await?;
        Ok(found.into_iter().map(|own| own.map(|own| self.predictor.tempered(own))).collect())
    }
}

/// Where each of some lengths begins when they lie one behind the other, and where the last one ends.
fn offsets(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let ends = lengths.scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}
