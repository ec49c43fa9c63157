//! A trained network for new utterances that are given as streams: what a prepared data set would hold of them.

use std::sync::Arc;

#[cfg(feature = "files")]
use super::Checkpoint;
use super::batches::{Batches, FrozenVectors, upload_vectors};
#[cfg(feature = "files")]
use super::evaluate::not_finite;
use super::evaluate::unchecked_results;
use super::metrics::softmax;
use super::{Misfit, TrainError};
use crate::backend::Backend;
#[cfg(feature = "files")]
use crate::backend::as_f32;
use crate::base::streams::{Readings, StreamShape};
use crate::dataset::{Dataset, Normalisation, Streams};
#[cfg(feature = "files")]
use crate::model::layers::Attended;
use crate::model::{Dimensions, Network};
use crate::svm::Machine;

/// A network with its weights, and how the streams must be that it reads.
pub struct Inference<'b, B: Backend> {
    network: Network<'b, B>,
    machine: Option<Arc<Machine>>,
    dimensions: Dimensions,
    normalisation: Normalisation,
    readings: Readings,
}

#[cfg(feature = "files")]
impl Checkpoint {
    /// Puts the model on a device, for utterances as streams; [`Predictor`](super::Predictor) takes them as they are spoken.
    pub fn inference<'b, B: Backend>(&self, backend: &'b B) -> Inference<'b, B> {
        let max_frames = self.settings.data.max_frames;
        let network = Inference::new(self.network(backend), self.dimensions.clone(), self.normalisation.clone(), max_frames);
        Inference { machine: self.machine.clone(), ..network }
    }
}

impl<'b, B: Backend> Inference<'b, B> {
    /// Any network that was trained on data of these dimensions, normalised so and cut after `max_frames` frames.
    pub fn new(network: Network<'b, B>, dimensions: Dimensions, normalisation: Normalisation, max_frames: usize) -> Self {
        let readings = Readings::new(&network.model().reads(), max_frames);
        Self { network, machine: None, dimensions, normalisation, readings }
    }

    /// Probability of each class for each utterance, in the order of the model's classes. The streams are as a prepared data set
    /// has them, before normalisation; tokens come with the frozen vectors that they are rows of, or are rows of the table that was
    /// trained. Every result is that of the utterance alone; where the model is normalised by speaker, each is a speaker of its own.
    ///
    /// # Errors
    /// [`DatasetError`](crate::dataset::DatasetError) for a stream that is missing or does not hold together,
    /// [`TrainError::Misfit`] for one that the model was not trained on, [`TrainError::ResultNotFinite`], or whatever went wrong on the device.
    pub async fn predict(&self, streams: Streams) -> Result<Vec<Vec<f64>>, TrainError> {
        let data = Dataset::of_streams(streams)?;
        check_streams(&data, &self.readings, &self.dimensions, false)?;
        all(self.probabilities(&data, &upload_vectors(self.network.backend(), &data, &self.readings)).await?)
    }

    /// Probabilities of all utterances of a data set that fits, whose vectors are on the device; none of one whose logits are not
    /// finite.
    pub(super) async fn probabilities(&self, data: &Dataset, vectors: &FrozenVectors<B>) -> Result<Vec<Option<Vec<f64>>>, TrainError> {
        let utterances: Vec<usize> = (0..data.len()).collect();
        let logits = unchecked_results(&self.network, self.machine.as_deref(), &self.batches(data, vectors)?, &utterances).await?;
        let of_finite = |row: &[f32]| row.iter().all(|logit| logit.is_finite()).then(|| softmax(row));
        Ok(logits.chunks_exact(self.dimensions.classes).map(of_finite).collect())
    }

    /// The same of one utterance, and what attends to what in it.
    #[cfg(feature = "files")]
    pub(super) async fn attend(
        &self,
        data: &Dataset,
        vectors: &FrozenVectors<B>,
    ) -> Result<(Vec<f64>, Vec<Attended<Vec<f32>>>), TrainError> {
        let backend = self.network.backend();
        let (logits, watched) = self.network.infer_watched(&self.batches(data, vectors)?.batch(&[0])?);
        if watched.is_empty() {
            return Err(TrainError::NoCross);
        }
        let asked: Vec<_> = watched.iter().map(|attended| backend.start_read(&attended.weights)).collect();
        let logits = as_f32(backend.finish_read(logits).await?);
        let mut on_host = Vec::new();
        for (Attended { by, over, heads, rows, .. }, weights) in watched.into_iter().zip(asked) {
            on_host.push(Attended { by, over, heads, rows, weights: as_f32(backend.finish_read(weights).await?) });
        }
        let all = std::iter::once(&logits).chain(on_host.iter().map(|attended| &attended.weights));
        if all.into_iter().any(|values| !not_finite(values, 1).is_empty()) {
            return Err(TrainError::ResultNotFinite { places: vec![0], ids: vec![data.utterances[0].id.clone()], kept: None });
        }
        Ok((softmax(&logits), on_host))
    }

    fn batches<'a>(&'a self, data: &'a Dataset, vectors: &FrozenVectors<B>) -> Result<Batches<'a, B>, TrainError> {
        let (backend, normalisation) = (self.network.backend(), &self.normalisation);
        Ok(Batches::with_vectors(backend, data, normalisation, self.readings.clone(), vectors.clone())?)
    }
}

/// The probabilities of every utterance, where every one has some.
///
/// # Errors
/// [`TrainError::ResultNotFinite`], the utterances named by their places from 0.
pub(super) fn all(found: Vec<Option<Vec<f64>>>) -> Result<Vec<Vec<f64>>, TrainError> {
    let places: Vec<usize> = (0..found.len()).filter(|&place| found[place].is_none()).collect();
    if places.is_empty() {
        return Ok(found.into_iter().flatten().collect());
    }
    Err(TrainError::ResultNotFinite { ids: places.iter().map(usize::to_string).collect(), places, kept: None })
}

/// Compares the streams of a data set that a model reads with those that it was trained on; `is_tuned` where it trained the vectors of
/// words further.
pub(super) fn check_streams(data: &Dataset, readings: &Readings, dimensions: &Dimensions, is_tuned: bool) -> Result<(), TrainError> {
    for reading in readings.iter() {
        let name = reading.stream;
        match (data.stream(reading)?.shape(0), dimensions.streams.get(name)) {
            (StreamShape::Frames { columns: found }, Some(&StreamShape::Frames { columns: expected })) if found != expected => {
                return Err(Misfit::Coefficients { stream: name.into(), found, expected }.into());
            }
            (StreamShape::Vector { columns: found }, Some(&StreamShape::Vector { columns: expected })) if found != expected => {
                return Err(Misfit::Columns { stream: name.into(), found, expected }.into());
            }
            (StreamShape::Tokens { width, learned }, Some(&StreamShape::Tokens { width: expected, learned: rows })) => {
                let fits = match (learned, rows) {
                    (None, None) => width == expected,
                    (Some(words), Some(rows)) => words <= rows,
                    // Given vectors that were trained further: which words they are is compared elsewhere.
                    (None, Some(_)) if is_tuned => width == expected,
                    _ => false,
                };
                if !fits {
                    return Err(Misfit::Words.into());
                }
            }
            (StreamShape::Frames { .. }, Some(StreamShape::Tokens { .. }))
            | (StreamShape::Tokens { .. }, Some(StreamShape::Frames { .. })) => {
                return Err(Misfit::Words.into());
            }
            _ => {}
        }
    }
    Ok(())
}
