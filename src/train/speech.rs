//! A trained model on a device, for utterances as they are spoken.

use super::TrainError;
use super::batches::{FrozenVectors, upload_vectors};
use super::inference::{Inference, all};
use super::predict::{Attention, Predictor};
use super::session::check_room;
use super::spoken::{Further, Spoken, parts};
use super::vocabulary::FrontEnd;
use crate::backend::{Backend, MfccTables};
use crate::base::streams::{AUDIO, TEXT};
use crate::dataset::{DataStream, Dataset, FeatureMatrix, FeatureRows, UtteranceInfo};
use crate::prepare::{VectorTables, extract};
use crate::text::tokenise;

impl Predictor {
    /// Puts the model on a device.
    ///
    /// # Errors
    /// A model that reads other streams than [`Spoken`] has, which [`super::Checkpoint::inference`] takes; settings of the front-end that the
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
