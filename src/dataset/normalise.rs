//! Z-score per coefficient: whose frames the mean and the deviation are taken over.
//!
//! Statistics see the frames that remain after the cut at `data.max_frames` and are taken in f64, in two passes:
//! mean = Σ x / n, deviation = √(Σ (x - mean)² / n). A coefficient that does not vary (deviation below 1e-8) is
//! divided by 1.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::DatasetError;
use super::prepared::Dataset;
use crate::config::Normalise;

/// Deviation below which a coefficient counts as constant.
const SMALLEST_DEVIATION: f64 = 1e-8;

/// Mean and population standard deviation of each coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// `[coefficients]`
    pub mean: Vec<f64>,
    /// `[coefficients]`, never 0.
    pub deviation: Vec<f64>,
}

impl Statistics {
    /// Those that change nothing.
    fn identity(coefficients: usize) -> Self {
        Self { mean: vec![0.0; coefficients], deviation: vec![1.0; coefficients] }
    }

    /// Those of the given utterances' frames; [`Statistics::identity`] where there are no frames.
    fn of(dataset: &Dataset, utterances: &[usize], max_frames: usize) -> Self {
        let coefficients = dataset.coefficients;
        let frames = || utterances.iter().flat_map(|&u| dataset.rows(dataset.frames(u, max_frames)).chunks_exact(coefficients));
        let count = frames().count();
        if count == 0 {
            return Self::identity(coefficients);
        }
        let mut mean = vec![0.0; coefficients];
        for frame in frames() {
            mean.iter_mut().zip(frame).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= count as f64);

        let mut deviation = vec![0.0; coefficients];
        for frame in frames() {
            deviation.iter_mut().zip(frame).zip(&mean).for_each(|((sum, &x), mean)| *sum += (f64::from(x) - mean).powi(2));
        }
        for sum in &mut deviation {
            let root = (*sum / count as f64).sqrt();
            *sum = if root < SMALLEST_DEVIATION { 1.0 } else { root };
        }
        Self { mean, deviation }
    }
}

/// How a trained model wants its features: what a checkpoint keeps of the normalisation.
///
/// Only `corpus` has statistics to keep; the others are taken from the data set at hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Normalisation {
    Corpus(Statistics),
    Utterance,
    Speaker,
    None,
}

impl Normalisation {
    /// The normalisation for a model that learns from the utterances `training` of `dataset`.
    ///
    /// # Errors
    /// [`DatasetError::NoTraining`] where `corpus` has no utterance to take its statistics of.
    pub fn fit(by: Normalise, dataset: &Dataset, training: &[usize], max_frames: usize) -> Result<Self, DatasetError> {
        Ok(match by {
            Normalise::Corpus if training.is_empty() => return Err(DatasetError::NoTraining),
            Normalise::Corpus => Self::Corpus(Statistics::of(dataset, training, max_frames)),
            Normalise::Utterance => Self::Utterance,
            Normalise::Speaker => Self::Speaker,
            Normalise::None => Self::None,
        })
    }

    /// The statistics of every group of `dataset`.
    ///
    /// # Errors
    /// [`DatasetError::NoSpeaker`], or [`DatasetError::Coefficients`] where the features are not those learnt from.
    pub fn groups(&self, dataset: &Dataset, max_frames: usize) -> Result<Groups, DatasetError> {
        let (members, statistics): (Vec<usize>, Vec<Statistics>) = match self {
            Self::None => (vec![0; dataset.len()], vec![Statistics::identity(dataset.coefficients)]),
            Self::Corpus(statistics) if statistics.mean.len() != dataset.coefficients => {
                return Err(DatasetError::Coefficients { found: dataset.coefficients, expected: statistics.mean.len() });
            }
            Self::Corpus(statistics) => (vec![0; dataset.len()], vec![statistics.clone()]),
            Self::Utterance => {
                let own = |utterance| Statistics::of(dataset, &[utterance], max_frames);
                ((0..dataset.len()).collect(), (0..dataset.len()).map(own).collect())
            }
            Self::Speaker => {
                let (members, speakers) = by_speaker(dataset)?;
                (members, speakers.iter().map(|utterances| Statistics::of(dataset, utterances, max_frames)).collect())
            }
        };
        let coefficients = dataset.coefficients;
        let mean = statistics.iter().flat_map(|group| group.mean.iter().map(|&mean| mean as f32)).collect();
        let reciprocal_deviation =
            statistics.iter().flat_map(|group| group.deviation.iter().map(|deviation| deviation.recip() as f32)).collect();
        Ok(Groups { members, coefficients, mean, reciprocal_deviation })
    }
}

/// Each utterance's speaker, numbered by first appearance, and each speaker's utterances.
fn by_speaker(dataset: &Dataset) -> Result<(Vec<usize>, Vec<Vec<usize>>), DatasetError> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut members = Vec::with_capacity(dataset.len());
    let mut speakers: Vec<Vec<usize>> = Vec::new();
    for (utterance, info) in dataset.utterances.iter().enumerate() {
        let name = info.speaker.as_deref().ok_or_else(|| DatasetError::NoSpeaker { utterance: info.id.clone() })?;
        let number = *numbers.entry(name).or_insert(speakers.len());
        if number == speakers.len() {
            speakers.push(Vec::new());
        }
        speakers[number].push(utterance);
        members.push(number);
    }
    Ok((members, speakers))
}

/// The groups of a data set, in the numbers that the kernel reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// `[utterances]`: each one's group.
    pub members: Vec<usize>,
    pub coefficients: usize,
    /// `[groups, coefficients]`
    pub mean: Vec<f32>,
    /// `[groups, coefficients]`: 1 / deviation.
    pub reciprocal_deviation: Vec<f32>,
}

impl Groups {
    /// Mean and reciprocal deviation of a group, `[coefficients]` each.
    pub fn statistics(&self, group: usize) -> (&[f32], &[f32]) {
        let columns = group * self.coefficients..(group + 1) * self.coefficients;
        (&self.mean[columns.clone()], &self.reciprocal_deviation[columns])
    }
}
