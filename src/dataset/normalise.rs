//! Z-score per column of every stream of frames or vectors: whose rows the mean and the deviation are taken over.
//!
//! Statistics see the frames that remain after the cut and are taken in f64, in two passes: mean = Σ x / n,
//! deviation = √(Σ (x - mean)² / n). A column that does not vary (deviation below 1e-8) is divided by 1.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use super::batch::BatchStatistics;
use super::error::DatasetError;
use super::prepared::Dataset;
use super::streams::DataStream;
use crate::base::streams::{AUDIO, Readings};
use crate::base::utterances::Split;
use crate::config::Normalise;

/// Deviation below which a column counts as constant.
pub(crate) const SMALLEST_DEVIATION: f64 = 1e-8;

/// Mean and population standard deviation of each column of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// `[columns]`
    pub mean: Vec<f64>,
    /// `[columns]`, never 0.
    pub deviation: Vec<f64>,
}

impl Statistics {
    /// Those that change nothing.
    fn identity(columns: usize) -> Self {
        Self { mean: vec![0.0; columns], deviation: vec![1.0; columns] }
    }

    /// Whether they are another's but for rounding.
    #[cfg(feature = "files")]
    fn is_like(&self, other: &Self) -> bool {
        let near = |own: &[f64], other: &[f64]| {
            let each = own.iter().zip(other).zip(&self.deviation);
            own.len() == other.len() && each.into_iter().all(|((own, other), deviation)| (own - other).abs() <= 1e-4 * deviation)
        };
        near(&self.mean, &other.mean) && near(&self.deviation, &other.deviation)
    }

    /// Whether they are of so many columns, which can be divided by them.
    ///
    /// # Errors
    /// What they are instead, in words.
    #[cfg(feature = "files")]
    pub(crate) fn validate(&self, columns: usize) -> Result<(), String> {
        let Self { mean, deviation } = self;
        if [mean.len(), deviation.len()] != [columns; 2] {
            return Err(format!("has {} means and {} deviations for {columns} columns", mean.len(), deviation.len()));
        }
        let is_usable = |column: &usize| (mean[*column] as f32).is_finite() && (deviation[*column].recip() as f32).is_finite();
        match (0..columns).find(|column| !(is_usable(column) && deviation[*column] > 0.0 && deviation[*column].is_finite())) {
            Some(column) => Err(format!("has the mean {:?} and the deviation {:?} of column {column}", mean[column], deviation[column])),
            None => Ok(()),
        }
    }

    /// Those of the given utterances' rows; [`Statistics::identity`] where there are none. Where a pass has left their sums, that is one
    /// reading of them, and none where they were asked for before.
    fn of(stream: &DataStream, utterances: &[usize], most: usize) -> Result<Self, DatasetError> {
        let Some(sums) = stream.values().map(|values| values.sums(stream.offsets(), utterances, most)).transpose()?.flatten() else {
            return Self::by_reading(stream, utterances, most, None);
        };
        // Who comes while they are taken waits for them.
        let mut known = sums.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        let statistics = Self::by_reading(stream, utterances, most, Some((sums.count, sums.sum.clone())))?;
        Ok(known.insert(statistics).clone())
    }

    /// The same, with the number of rows and their sum where they are known.
    fn by_reading(stream: &DataStream, utterances: &[usize], most: usize, sums: Option<(usize, Vec<f64>)>) -> Result<Self, DatasetError> {
        let columns = stream.columns().unwrap_or(0);
        // One utterance's rows are read once.
        let held = match utterances {
            [only] => Some(stream.rows(*only, most)?),
            _ => None,
        };
        let each_row = |seen: &mut dyn FnMut(&[f32])| match &held {
            Some(rows) => {
                rows.chunks_exact(columns.max(1)).for_each(&mut *seen);
                Ok(())
            }
            None => utterances.iter().try_for_each(|&utterance| {
                stream.rows(utterance, most)?.chunks_exact(columns.max(1)).for_each(&mut *seen);
                Ok::<_, DatasetError>(())
            }),
        };
        let (count, mut mean) = match sums {
            Some(sums) => sums,
            None => {
                let (mut count, mut sum) = (0, vec![0.0; columns]);
                each_row(&mut |row| {
                    count += 1;
                    sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
                })?;
                (count, sum)
            }
        };
        if count == 0 {
            return Ok(Self::identity(columns));
        }
        mean.iter_mut().for_each(|sum| *sum /= count as f64);

        let mut deviation = vec![0.0; columns];
        each_row(&mut |row| {
            deviation.iter_mut().zip(row).zip(&mean).for_each(|((sum, &x), mean)| *sum += (f64::from(x) - mean).powi(2));
        })?;
        for sum in &mut deviation {
            let root = (*sum / count as f64).sqrt();
            *sum = if root < SMALLEST_DEVIATION { 1.0 } else { root };
        }
        Ok(Self { mean, deviation })
    }
}

/// Statistics that were taken of some streams, by name.
///
/// On disk those of [`AUDIO`] stand by themselves, `{"mean", "deviation"}`, and others under `streams`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Recorded", into = "Recorded")]
pub struct Fitted(BTreeMap<String, Statistics>);

impl Fitted {
    /// Of the stream of that name.
    pub fn get(&self, stream: &str) -> Option<&Statistics> {
        self.0.get(stream)
    }
}

/// [`Fitted`] as it is written.
#[derive(Serialize, Deserialize)]
struct Recorded {
    #[serde(flatten)]
    audio: Option<Statistics>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    streams: BTreeMap<String, Statistics>,
}

impl From<Fitted> for Recorded {
    fn from(Fitted(mut streams): Fitted) -> Self {
        Self { audio: streams.remove(AUDIO), streams }
    }
}

impl From<Recorded> for Fitted {
    fn from(Recorded { audio, mut streams }: Recorded) -> Self {
        streams.extend(audio.map(|audio| (AUDIO.to_owned(), audio)));
        Self(streams)
    }
}

/// How a trained model wants its streams: what a checkpoint keeps of the normalisation.
///
/// An utterance has frames enough for statistics of its own, but one vector: by utterance, vectors are normalised as by corpus.
/// What is not kept is taken from the data set at hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Normalisation {
    /// By the statistics of the training split, which are kept; utterances without label, which may be another corpus', by their own.
    Corpus(Fitted),
    /// Frames by each utterance's own statistics; vectors by those of the training split, which are kept.
    Utterance(Fitted),
    /// By the statistics of each speaker's utterances in the data set at hand.
    Speaker,
    /// Not at all.
    None,
}

impl Normalisation {
    /// The setting that it follows from.
    #[cfg(feature = "files")]
    pub(crate) fn by(&self) -> Normalise {
        match self {
            Self::Corpus(_) => Normalise::Corpus,
            Self::Utterance(_) => Normalise::Utterance,
            Self::Speaker => Normalise::Speaker,
            Self::None => Normalise::None,
        }
    }

    /// Whether it is of the same data as another: equal but for rounding, which versions of the program may do otherwise.
    #[cfg(feature = "files")]
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Corpus(own), Self::Corpus(other)) | (Self::Utterance(own), Self::Utterance(other)) => {
                own.0.len() == other.0.len() && own.0.iter().all(|(name, own)| other.get(name).is_some_and(|other| own.is_like(other)))
            }
            (own, other) => own == other,
        }
    }

    /// The normalisation for a model that learns from the utterances `training` of `dataset`.
    ///
    /// # Errors
    /// [`DatasetError::NoTraining`] where `corpus` has no utterance to take its statistics of, or features that cannot be read.
    pub fn fit(by: Normalise, dataset: &Dataset, training: &[usize], readings: &Readings) -> Result<Self, DatasetError> {
        let own = without_copies(dataset, training);
        let fitted = |wanted: fn(&DataStream) -> bool| {
            let wanted = dataset.streams.iter().filter(|(_, stream)| wanted(stream));
            let statistics = |(name, stream): (&str, _)| Ok((name.to_owned(), Statistics::of(stream, &own, readings.most(name))?));
            wanted.map(statistics).collect::<Result<_, DatasetError>>().map(Fitted)
        };
        Ok(match by {
            Normalise::Corpus if training.is_empty() => return Err(DatasetError::NoTraining),
            Normalise::Corpus => Self::Corpus(fitted(|stream| stream.columns().is_some())?),
            Normalise::Utterance => Self::Utterance(fitted(|stream| matches!(stream, DataStream::Vector(_)))?),
            Normalise::Speaker => Self::Speaker,
            Normalise::None => Self::None,
        })
    }

    /// The statistics of every group of `dataset`, of the stream `name`, which has columns.
    ///
    /// # Errors
    /// [`DatasetError::NoSpeaker`], [`DatasetError::Columns`] where the stream is not the one learnt from, or features that cannot be read.
    pub fn groups(&self, dataset: &Dataset, name: &str, readings: &Readings) -> Result<Groups, DatasetError> {
        let avoided_by = readings.iter().find(|reading| reading.stream == name).and_then(|reading| reading.avoided_by);
        let no_stream = || DatasetError::NoStream { stream: name.into(), kind: "frames or vectors", avoided_by };
        let stream = dataset.streams.get(name).ok_or_else(no_stream)?;
        let columns = stream.columns().ok_or_else(no_stream)?;
        let most = readings.most(name);
        let all_alike = |statistics: Statistics| (vec![0; dataset.len()], vec![statistics]);
        let kept = |fitted: &Fitted| {
            let statistics = fitted.get(name).filter(|statistics| statistics.mean.len() == columns).cloned();
            let expected = fitted.get(name).map_or(0, |statistics| statistics.mean.len());
            statistics.ok_or_else(|| DatasetError::Columns { stream: name.into(), found: columns, expected })
        };
        let by_kept = |fitted: &Fitted| {
            let (kept, unlabelled) = (kept(fitted)?, dataset.split(Split::Unlabelled));
            if unlabelled.is_empty() {
                return Ok(all_alike(kept));
            }
            let members = (0..dataset.len()).map(|utterance| usize::from(!dataset.is_labelled(utterance))).collect();
            Ok::<_, DatasetError>((members, vec![kept, Statistics::of(stream, &unlabelled, most)?]))
        };
        let (members, statistics): (Vec<usize>, Vec<Statistics>) = match (self, stream) {
            (Self::None, _) => all_alike(Statistics::identity(columns)),
            (Self::Corpus(fitted), _) | (Self::Utterance(fitted), DataStream::Vector(_)) => by_kept(fitted)?,
            (Self::Utterance(_), _) => {
                let own = |utterance| Statistics::of(stream, &[utterance], most);
                ((0..dataset.len()).collect(), (0..dataset.len()).map(own).collect::<Result<_, _>>()?)
            }
            (Self::Speaker, _) => {
                let (members, speakers) = by_speaker(dataset)?;
                let of_speaker = |utterances: &Vec<usize>| Statistics::of(stream, utterances, most);
                (members, speakers.iter().map(of_speaker).collect::<Result<_, _>>()?)
            }
        };
        let mean = statistics.iter().flat_map(|group| group.mean.iter().map(|&mean| mean as f32)).collect();
        let reciprocal_deviation =
            statistics.iter().flat_map(|group| group.deviation.iter().map(|deviation| deviation.recip() as f32)).collect();
        Ok(Groups { members, columns, mean, reciprocal_deviation })
    }
}

/// Copies count in no statistics: what is validated and tested is the same with them and without.
fn without_copies(dataset: &Dataset, training: &[usize]) -> Vec<usize> {
    training.iter().copied().filter(|&utterance| dataset.utterances[utterance].copy_of.is_none()).collect()
}

/// The utterances that statistics of a stream are taken of together, where a model learns from the training split, each at most once; those
/// that are an utterance's own are read when they are taken.
#[cfg(feature = "files")]
pub(super) fn fitted_groups(by: Normalise, dataset: &Dataset, stream: &DataStream) -> Vec<Vec<usize>> {
    match (by, stream) {
        (Normalise::None, _) | (Normalise::Utterance, DataStream::Frames(_) | DataStream::Tokens(_)) => Vec::new(),
        (Normalise::Corpus, _) | (Normalise::Utterance, DataStream::Vector(_)) => {
            vec![without_copies(dataset, &dataset.training()), dataset.split(Split::Unlabelled)]
        }
        (Normalise::Speaker, _) => by_speaker(dataset).map(|(_, speakers)| speakers).unwrap_or_default(),
    }
}

/// Each utterance's speaker, numbered by first appearance, and each speaker's utterances. Those without label of which nobody says who
/// speaks are one's.
fn by_speaker(dataset: &Dataset) -> Result<(Vec<usize>, Vec<Vec<usize>>), DatasetError> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut members = Vec::with_capacity(dataset.len());
    let mut speakers: Vec<Vec<usize>> = Vec::new();
    for (utterance, info) in dataset.utterances.iter().enumerate() {
        let unknown = (info.split == Some(Split::Unlabelled)).then_some("");
        let name = info.speaker.as_deref().or(unknown).ok_or_else(|| DatasetError::NoSpeaker { utterance: info.id.clone() })?;
        let number = *numbers.entry(name).or_insert(speakers.len());
        if number == speakers.len() {
            speakers.push(Vec::new());
        }
        if info.copy_of.is_none() || speakers[number].is_empty() {
            speakers[number].push(utterance);
        }
        members.push(number);
    }
    Ok((members, speakers))
}

/// The groups of a stream, in the numbers that the kernel reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// `[utterances]`: each one's group.
    pub members: Vec<usize>,
    /// Values of a row of the stream.
    pub columns: usize,
    /// `[groups, columns]`
    pub mean: Vec<f32>,
    /// `[groups, columns]`: 1 / deviation.
    pub reciprocal_deviation: Vec<f32>,
}

impl Groups {
    /// Mean and reciprocal deviation of a group, `[columns]` each.
    pub fn statistics(&self, group: usize) -> (&[f32], &[f32]) {
        let columns = group * self.columns..(group + 1) * self.columns;
        (&self.mean[columns.clone()], &self.reciprocal_deviation[columns])
    }

    /// The statistics of the groups that occur in a batch.
    pub(super) fn of_batch(&self, utterances: &[usize]) -> BatchStatistics {
        let mut present: Vec<usize> = Vec::new();
        let mut statistics = BatchStatistics::default();
        for &utterance in utterances {
            let group = self.members[utterance];
            let row = present.iter().position(|&other| other == group).unwrap_or_else(|| {
                let (mean, reciprocal_deviation) = self.statistics(group);
                statistics.mean.extend_from_slice(mean);
                statistics.reciprocal_deviation.extend_from_slice(reciprocal_deviation);
                present.push(group);
                present.len() - 1
            });
            statistics.groups.push(row as u32);
        }
        statistics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_have_the_statistics_of_audio_as_they_always_had_them() {
        let statistics = Statistics { mean: vec![0.1, 2.0], deviation: vec![1.5, 0.30000000000000004] };
        let corpus = Normalisation::Corpus(Fitted([(AUDIO.to_owned(), statistics.clone())].into()));
        for (normalisation, old) in [
            (corpus, r#"{"by":"corpus","deviation":[1.5,0.30000000000000004],"mean":[0.1,2.0]}"#),
            (Normalisation::Utterance(Fitted::default()), r#"{"by":"utterance"}"#),
            (Normalisation::Speaker, r#"{"by":"speaker"}"#),
            (Normalisation::None, r#"{"by":"none"}"#),
        ] {
            assert_eq!(serde_json::json!(normalisation).to_string(), old);
            assert_eq!(serde_json::from_str::<Normalisation>(old).unwrap(), normalisation);
        }
        let both = Fitted([(AUDIO.to_owned(), statistics.clone()), ("visual".to_owned(), statistics)].into());
        let normalisation = Normalisation::Corpus(both);
        assert_eq!(serde_json::from_str::<Normalisation>(&serde_json::to_string(&normalisation).unwrap()).unwrap(), normalisation);
    }
}
