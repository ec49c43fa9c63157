//! Logits and metrics of a model on some utterances.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(feature = "files")]
use super::Checkpoint;
#[cfg(feature = "files")]
use super::Misfit;
use super::TrainError;
use super::batches::Batches;
use super::group::Together;
#[cfg(feature = "files")]
use super::inference::check_streams;
use super::metrics::Metrics;
#[cfg(feature = "files")]
use super::metrics::{largest, softmax};
#[cfg(feature = "files")]
use super::session::Session;
use crate::backend::{Backend, as_f32};
use crate::dataset::Dataset;
#[cfg(feature = "files")]
use crate::dataset::Part;
#[cfg(feature = "files")]
use crate::model;
use crate::model::{Batch, Network};
use crate::svm::Machine;

/// Utterances of a batch where no gradient is wanted.
pub(crate) const BATCH: usize = 64;

/// A prediction for one utterance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The utterance's.
    pub id: String,
    /// The name of its true class.
    pub label: String,
    /// The name of the class with the largest logit.
    pub predicted: String,
    /// In the order of the classes.
    pub probabilities: Vec<f64>,
}

/// Metrics and predictions of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Over all its utterances.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Over those of each corpus, where they are of several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corpora: Vec<CorpusEvaluation>,
    /// One an utterance, in the order that they were asked for in.
    pub predictions: Vec<Prediction>,
}

/// Metrics of a split over the utterances of one corpus.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusEvaluation {
    /// What ids of its utterances begin with.
    pub corpus: String,
    /// Over all its utterances.
    #[serde(flatten)]
    pub metrics: Metrics,
    /// Of each of its classes that is called otherwise in the whole, what it is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// Utterances of its classes that the whole has not, of all splits, by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, usize>,
}

/// Logits `[utterances, classes]`, all of them finite.
///
/// # Errors
/// [`TrainError::ResultNotFinite`], or whatever went wrong on the device.
pub async fn logits<B: Backend>(network: &Network<'_, B>, batches: &Batches<'_, B>, utterances: &[usize]) -> Result<Vec<f32>, TrainError> {
    finite(unchecked_results(network, None, batches, utterances).await?, batches, utterances)
}

/// Results of some utterances where all of them are finite.
///
/// # Errors
/// [`TrainError::ResultNotFinite`]
pub(super) fn finite<B: Backend>(all: Vec<f32>, batches: &Batches<'_, B>, utterances: &[usize]) -> Result<Vec<f32>, TrainError> {
    let places = not_finite(&all, utterances.len());
    if places.is_empty() {
        return Ok(all);
    }
    let ids = places.iter().map(|&place| batches.id(utterances[place]).to_owned()).collect();
    Err(TrainError::ResultNotFinite { places, ids, kept: None })
}

/// Logits `[utterances, classes]`, or in their place the decision values of a machine on the network.
///
/// # Errors
/// Whatever went wrong on the device.
pub(super) async fn unchecked_results<B: Backend>(
    network: &Network<'_, B>,
    machine: Option<&Machine>,
    batches: &Batches<'_, B>,
    utterances: &[usize],
) -> Result<Vec<f32>, TrainError> {
    match machine {
        None => read_all(network, batches, utterances, Network::infer).await,
        Some(machine) => Ok(machine.decide(&network_features(network, batches, utterances).await?)),
    }
}

/// What a machine on the network takes of some utterances, `[utterances, columns]`.
///
/// # Errors
/// Whatever went wrong on the device.
pub(super) async fn network_features<B: Backend>(
    network: &Network<'_, B>,
    batches: &Batches<'_, B>,
    utterances: &[usize],
) -> Result<Vec<f32>, TrainError> {
    read_all(network, batches, utterances, Network::infer_features).await
}

/// What a network gives of some utterances, in batches; the next one is sent before the last one is waited for.
async fn read_all<'n, B: Backend>(
    network: &Network<'n, B>,
    batches: &Batches<'_, B>,
    utterances: &[usize],
    infer: impl Fn(&Network<'n, B>, &Batch<B>) -> B::Readback,
) -> Result<Vec<f32>, TrainError> {
    let backend = network.backend();
    if let Some(error) = backend.failure() {
        return Err(error.into());
    }
    let mut all = Vec::new();
    let mut waiting: Option<B::Readback> = None;
    let (mut size, mut start) = (BATCH, 0);
    while start < utterances.len() {
        let part = &utterances[start..utterances.len().min(start + size)];
        let next = infer(network, &batches.batch(part)?);
        // Results do not depend on what else is in a batch, so where the device has no room for one, fewer at a time do.
        match backend.failure() {
            Some(error) if error.smaller_batch_helps() && part.len() > 1 => {
                backend.recover().await;
                size = part.len() / 2;
                continue;
            }
            Some(error) => return Err(error.into()),
            None => start += part.len(),
        }
        if let Some(readback) = waiting.replace(next) {
            all.extend(as_f32(backend.finish_read(readback).await?));
        }
    }
    if let Some(readback) = waiting {
        all.extend(as_f32(backend.finish_read(readback).await?));
    }
    Ok(all)
}

/// As [`unchecked_results`], by all ranks of a group where there is one: each computes its share, and all get all of them.
///
/// # Errors
/// Whatever went wrong on the device, or on another rank.
async fn results_of_all<B: Backend>(
    network: &Network<'_, B>,
    machine: Option<&Machine>,
    batches: &Batches<'_, B>,
    utterances: &[usize],
    together: Option<&Together<'_>>,
) -> Result<Vec<f32>, TrainError> {
    match together {
        None => unchecked_results(network, machine, batches, utterances).await,
        Some(together) => {
            let own = &utterances[together.own(utterances.len())];
            Ok(together.gather_values(&unchecked_results(network, machine, batches, own).await?)?)
        }
    }
}

/// Which of so many utterances have a value that is not finite.
pub(crate) fn not_finite(values: &[f32], utterances: usize) -> Vec<usize> {
    let each = (values.len() / utterances.max(1)).max(1);
    let rows = values.chunks_exact(each).enumerate();
    rows.filter(|(_, row)| !row.iter().all(|value| value.is_finite())).map(|(place, _)| place).collect()
}

/// Metrics of a model in training.
///
/// # Errors
/// Whatever went wrong on the device.
pub(crate) async fn metrics<B: Backend>(
    network: &Network<'_, B>,
    batches: &Batches<'_, B>,
    data: &Dataset,
    utterances: &[usize],
    together: Option<&Together<'_>>,
) -> Result<Metrics, TrainError> {
    let logits = finite(results_of_all(network, None, batches, utterances, together).await?, batches, utterances)?;
    Ok(Metrics::of(&logits, &batches.labels(utterances), &data.classes))
}

#[cfg(feature = "files")]
impl Checkpoint {
    /// Puts the model on a device.
    pub fn network<'b, B: Backend>(&self, backend: &'b B) -> Network<'b, B> {
        let model = model::build(&self.settings, &self.dimensions);
        Network::new(backend, model, &self.parameters, self.settings.train.precision)
    }

    /// Evaluates the model on some utterances of a data set.
    ///
    /// # Errors
    /// [`TrainError::Misfit`] where data and model do not belong together, or whatever went wrong on the device.
    pub async fn evaluate<B: Backend>(&self, backend: &B, data: &Dataset, utterances: &[usize]) -> Result<Evaluation, TrainError> {
        self.evaluate_together(backend, data, utterances, None).await
    }

    /// As [`Checkpoint::evaluate`], by all ranks of a group where there is one.
    ///
    /// # Errors
    /// Those of [`Checkpoint::evaluate`], or what another rank says.
    pub(super) async fn evaluate_together<B: Backend>(
        &self,
        backend: &B,
        data: &Dataset,
        utterances: &[usize],
        together: Option<&Together<'_>>,
    ) -> Result<Evaluation, TrainError> {
        let session = Session::trained(backend, self, data)?;
        let (network, batches) = (session.network(), &session.batches);
        let logits = results_of_all(&network, self.machine.as_deref(), batches, utterances, together).await?;
        let logits = finite(logits, batches, utterances)?;
        let predictions = utterances.iter().zip(logits.chunks_exact(self.classes.len())).map(|(&utterance, row)| Prediction {
            id: data.utterances[utterance].id.clone(),
            label: data.class_of(utterance).unwrap_or_default().to_owned(),
            predicted: self.classes[largest(row)].clone(),
            probabilities: softmax(row),
        });
        let labels = batches.labels(utterances);
        let of_part = |part: &Part| {
            let places = (0..utterances.len()).filter(|&place| part.utterances.contains(&utterances[place]));
            let (own, labels): (Vec<&[f32]>, Vec<u32>) =
                places.map(|place| (&logits[place * self.classes.len()..][..self.classes.len()], labels[place])).unzip();
            let Part { name, map, left_out, .. } = part.clone();
            CorpusEvaluation { corpus: name, metrics: Metrics::of(&own.concat(), &labels, &self.classes), map, left_out }
        };
        let corpora = data.by_part(utterances).into_iter().map(|(part, _)| of_part(part)).collect();
        Ok(Evaluation { metrics: Metrics::of(&logits, &labels, &self.classes), corpora, predictions: predictions.collect() })
    }

    /// Compares a data set's classes, and the streams that the model reads, with the model's.
    pub(super) fn check_fit(&self, data: &Dataset) -> Result<(), TrainError> {
        if data.classes != self.classes {
            return Err(Misfit::Classes { found: data.classes.clone(), expected: self.classes.clone() }.into());
        }
        check_streams(data, &self.readings(), &self.dimensions, self.settings.model.tune_words)
    }
}
