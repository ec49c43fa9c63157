//! Sets up what a training, a check, a profile or an evaluation works with, from settings or a checkpoint and a data set:
//! dimensions, weights, class weights, normalisation, batches.

#[cfg(feature = "files")]
use std::path::Path;

use super::batches::Batches;
#[cfg(feature = "files")]
use super::checkpoint::{Checkpoint, read_weights};
use super::error::Room;
#[cfg(feature = "files")]
use super::source::{Source, Taken};
use super::{TrainError, Trainer};
use crate::backend::Backend;
#[cfg(feature = "files")]
use crate::backend::BackendError;
use crate::base::memory::{self, Bytes};
use crate::base::streams::{AUDIO, Reading, Readings, TEXT};
use crate::base::utterances::Split;
use crate::config::Settings;
#[cfg(feature = "files")]
use crate::config::SourceStatistics;
use crate::dataset::{Dataset, Normalisation};
#[cfg(feature = "files")]
use crate::dataset::{DatasetError, Wanted};
use crate::model::parameters::{Initial, Parameter, Parameters};
use crate::model::{self, Dimensions, Network, cost, trained};

/// The weights that a session begins with.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'w> {
    /// Drawn, as `train.seed` says.
    Drawn,
    /// Those of a file, under PyTorch's names.
    #[cfg(feature = "files")]
    File(&'w Path),
    /// A buffer in the order of the model's parameters.
    Given(&'w [f32]),
    /// Those of the run in a folder, for the classes and words of the data.
    #[cfg(feature = "files")]
    Run(&'w Path),
    /// Those of a run that goes on.
    #[cfg(feature = "files")]
    Saved(&'w Checkpoint),
}

#[cfg(feature = "files")]
impl<'w> Weights<'w> {
    /// What `run.weights` and `run.from` say.
    pub(crate) fn of(settings: &'w Settings) -> Self {
        match (settings.start.weights.as_str(), settings.start.from.as_str()) {
            ("", "") => Self::Drawn,
            ("", folder) => Self::Run(Path::new(folder)),
            (path, _) => Self::File(Path::new(path)),
        }
    }
}

/// Buffers of the weights' size that a training has at least: weights, gradients, both moments, where one is wanted the average, and where
/// batches are divided the gradients of a part.
fn training_copies(settings: &Settings) -> u64 {
    4 + u64::from(settings.train.average > 0.0) + u64::from(settings.train.accumulate > 1)
}

/// Refuses a network that the host or the device cannot hold, before either tries.
///
/// # Errors
/// [`TrainError::NoRoom`].
pub(super) fn check_room<B: Backend>(backend: &B, parameters: &Parameters, copies: u64) -> Result<(), TrainError> {
    let refused = |needed, room| TrainError::NoRoom { parameters: parameters.count(), needed, room };
    let one = (parameters.len() as u64).saturating_mul(size_of::<f32>() as u64);
    let needed = Bytes(one.saturating_mul(copies));
    memory::room_for(needed).map_err(|free| refused(needed, Room::Host { free }))?;
    match backend.largest_matrix() {
        Some(most) if one > most => Err(refused(Bytes(one), Room::Matrix { most: Bytes(most) })),
        _ => Ok(()),
    }
}

/// Refuses a word table that is to be trained and has no word.
fn check_words(dimensions: &Dimensions, readings: &Readings) -> Result<(), TrainError> {
    let is_empty = |reading: &&Reading| dimensions.words(reading.stream).1 == Some(0);
    readings
        .iter()
        .find(is_empty)
        .map_or(Ok(()), |reading| Err(TrainError::NoWords { stream: reading.stream, avoided_by: reading.avoided_by }))
}

/// What a training by these settings asks of the features before its first step.
#[cfg(feature = "files")]
pub(crate) fn wanted(settings: &Settings, data: &Dataset) -> Wanted {
    // Settings that cannot be are told by who trains.
    let readings = || model::readings(settings, &Dimensions::of(data, &settings.model));
    let means = settings.validate().is_ok().then(|| (settings.data.normalise, readings()));
    Wanted { identity: true, means }
}

/// Reads a prepared file, or shards, for a training by these settings: as [`Dataset::load`], whose one pass over the features also takes what
/// the training needs to know of them, but for the deviations of a z-score, for which it reads them once more.
///
/// # Errors
/// Those of [`Dataset::load`].
#[cfg(feature = "files")]
pub fn load_to_train(path: &Path, settings: &Settings) -> Result<Dataset, DatasetError> {
    let unseen = Dataset::unseen(path)?;
    let wanted = wanted(settings, &unseen.data);
    unseen.look(&wanted)
}

/// A model and a data set that belong together.
pub struct Session<'s, B: Backend> {
    backend: &'s B,
    /// What the model is trained with.
    pub(crate) settings: Settings,
    /// What the data decide of the model.
    pub(crate) dimensions: Dimensions,
    /// How the model takes its streams.
    pub normalisation: Normalisation,
    /// Makes the data set's batches on the device.
    pub batches: Batches<'s, B>,
    /// In the order of the model's parameters.
    weights: Vec<f32>,
    class_weights: Vec<f32>,
    /// What the weights have of another run, where they started from one.
    #[cfg(feature = "files")]
    pub(super) taken: Option<Taken>,
}

impl<'s, B: Backend> Session<'s, B> {
    /// A model at its beginning, normalised by the training split of `data`; class weights count the given `utterances`.
    ///
    /// # Errors
    /// [`TrainError::EmptySplit`] without an utterance; settings, weights or speakers that do not fit the data.
    pub fn new(
        backend: &'s B,
        settings: &Settings,
        data: &'s Dataset,
        utterances: &[usize],
        weights: Weights<'_>,
    ) -> Result<Self, TrainError> {
        if utterances.is_empty() {
            return Err(TrainError::EmptySplit { split: Split::Train });
        }
        settings.validate()?;
        settings.train.check_class_weights(data.classes.len())?;
        let dimensions = Dimensions::of(data, &settings.model);
        let parameters = model::parameters(settings, &dimensions);
        let readings = model::readings(settings, &dimensions);
        check_words(&dimensions, &readings)?;
        check_room(backend, &parameters, training_copies(settings))?;
        trained::check(&settings.train, &parameters)?;
        let given = data.text().and_then(|text| text.vectors.as_ref()).filter(|_| settings.model.tune_words);
        let usual = |parameter: &Parameter| match (parameter.initial, given) {
            (Initial::WordTable, Some(table)) => table.values.clone(),
            _ => parameter.initial_values(settings.train.seed),
        };
        #[cfg(feature = "files")]
        let mut taken = None;
        let (weights, normalisation) = match weights {
            Weights::Drawn => (parameters.assemble(usual), None),
            #[cfg(feature = "files")]
            Weights::File(path) => (read_weights(path, &parameters, &data.classes)?, None),
            Weights::Given(weights) => (weights.to_vec(), None),
            #[cfg(feature = "files")]
            Weights::Run(folder) => {
                let source = Source::load(folder)?;
                source.check(settings, data, &dimensions, &readings)?;
                let (weights, of) = source.weights(settings, data, (&dimensions, &parameters), &usual)?;
                taken = Some(of);
                (weights, source.normalisation(settings))
            }
            #[cfg(feature = "files")]
            Weights::Saved(last) => {
                let started = &settings.start;
                let is_kept = !started.from.is_empty() && started.normalisation == SourceStatistics::Source;
                (last.parameters.clone(), is_kept.then(|| last.normalisation.clone()))
            }
        };
        let normalisation = match normalisation {
            Some(normalisation) => normalisation,
            None => Normalisation::fit(settings.data.normalise, data, &data.training(), &readings)?,
        };
        Ok(Self {
            batches: Batches::new(backend, data, &normalisation, readings)?,
            class_weights: settings.train.class_weights(&data.class_counts(utterances)),
            settings: settings.clone(),
            backend,
            dimensions,
            normalisation,
            weights,
            #[cfg(feature = "files")]
            taken,
        })
    }

    /// Refuses batches of so many of some utterances that a step has no room for, where that is the host's.
    ///
    /// # Errors
    /// [`TrainError::BatchTooLarge`].
    pub(crate) fn check_batch(&self, of: &[usize], utterances: usize) -> Result<(), TrainError> {
        if self.backend.largest_matrix().is_some() {
            // A device says itself that it has no room; a process that takes too much of the host's is ended.
            return Ok(());
        }
        let [frames, tokens] = [AUDIO, TEXT].map(|stream| vec![self.batches.mean_length(stream, of) as u32; utterances]);
        let needed = cost::activations(&self.settings, &self.dimensions, &frames, &tokens);
        let divisible = !self.settings.compares_utterances();
        memory::room_for(needed).map_err(|free| TrainError::BatchTooLarge { utterances, needed, free, divisible })
    }

    /// A trained model on a data set.
    ///
    /// # Errors
    /// [`TrainError::Misfit`] where they do not belong together.
    #[cfg(feature = "files")]
    pub fn trained(backend: &'s B, checkpoint: &Checkpoint, data: &'s Dataset) -> Result<Self, TrainError> {
        checkpoint.check_fit(data)?;
        check_room(backend, &checkpoint.layout(), 1)?;
        Ok(Self {
            batches: Batches::new(backend, data, &checkpoint.normalisation, checkpoint.readings())?,
            class_weights: vec![1.0; checkpoint.classes.len()],
            settings: checkpoint.settings.clone(),
            backend,
            dimensions: checkpoint.dimensions.clone(),
            normalisation: checkpoint.normalisation.clone(),
            weights: checkpoint.parameters.clone(),
            taken: None,
        })
    }

    /// What a device means that is full before the first batch.
    #[cfg(feature = "files")]
    pub(super) fn no_room(&self, error: &BackendError) -> TrainError {
        let parameters = model::parameters(&self.settings, &self.dimensions).count();
        let needed = Bytes(training_copies(&self.settings) * size_of_val(self.weights.as_slice()) as u64);
        TrainError::NoRoom { parameters, needed, room: Room::Device { reason: error.to_string() } }
    }

    /// Puts the model on the device.
    pub fn network(&self) -> Network<'s, B> {
        let model = model::build(&self.settings, &self.dimensions);
        Network::new(self.backend, model, &self.weights, self.settings.train.precision)
    }

    /// Puts the model and its optimiser on the device.
    pub fn trainer(&self) -> Trainer<'s, B> {
        Trainer::new(self.network(), &self.settings, &self.class_weights)
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::backend::cpu::Cpu;
    use crate::base::streams::{FUNCTIONALS, StreamShape};
    use crate::config::{Config, Normalise};
    use crate::dataset::{BatchShape, Doubles, READ};
    use crate::train::corpora;

    /// Bytes read of files until a training could begin its first step, with all that `mcsan train` asks of data; and its normalisation.
    fn read_before_the_first_step(paths: &[PathBuf], by: Normalise, from_scratch: bool) -> (u64, Vec<u32>) {
        let mut settings = Config::default().settings;
        (settings.data.normalise, settings.data.max_frames) = (by, 50);
        let before = READ.get();
        let data = corpora::load(paths, None, &|data| if from_scratch { Wanted::default() } else { wanted(&settings, data) }).unwrap().data;
        Doubles::of(&data).unwrap();
        data.fingerprint_with_splits().unwrap();
        let backend = Cpu::<f32>::default();
        // Twice, as ranks that are threads, or a rehearsal and a training.
        for _ in 0..2 {
            Session::new(&backend, &settings, &data, &data.training(), Weights::Drawn).unwrap();
        }
        let session = Session::new(&backend, &settings, &data, &data.training(), Weights::Drawn).unwrap();
        let read = READ.get() - before;
        let groups = session.normalisation.groups(&data, AUDIO, &model::readings(&settings, &session.dimensions)).unwrap();
        (read, groups.mean.iter().chain(&groups.reciprocal_deviation).map(|value| value.to_bits()).collect())
    }

    #[test]
    fn all_features_are_read_twice_at_most_before_the_first_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // Of each file its path, the bytes of its features, and those of all else.
        let [one, other] = [("one", 24), ("other", 17)].map(|(name, batch)| {
            let functionals = [(FUNCTIONALS, StreamShape::Vector { columns: 9 })];
            let mut data = BatchShape { batch, frames: 120, words: 3, ragged: true }.dataset_with(&functionals);
            for (number, info) in data.utterances.iter_mut().enumerate() {
                info.split = Some([Split::Train, Split::Train, Split::Validation, Split::Test][number % 4]);
                info.speaker = Some(format!("s{}", number % 5));
            }
            data.corpus = name.into();
            data.save(&path(name)).unwrap();
            let values = data.streams.iter().filter_map(|(_, stream)| Some(stream.rows_of_all() * stream.columns()?));
            let features = 4 * values.sum::<usize>() as u64;
            (path(name), features, std::fs::metadata(path(name)).unwrap().len() - features)
        });
        let index = path("both.index.json");
        std::fs::write(&index, r#"{"format": "mcsan-shards/1", "shards": [{"file": "one"}, {"file": "other"}]}"#).unwrap();
        let both = (one.1 + other.1, one.2 + other.2);
        let all = [(vec![one.0.clone()], (one.1, one.2)), (vec![one.0.clone(), other.0.clone()], both), (vec![index], both)];
        for (paths, (features, rest)) in all {
            for (by, passes) in [(Normalise::Corpus, 2), (Normalise::Speaker, 2), (Normalise::None, 1)] {
                let (read, statistics) = read_before_the_first_step(&paths, by, false);
                let most = passes * features + rest;
                assert!(read > features && read <= most, "{paths:?} by {by}: {read} bytes, {most} are {passes} times all features");
                // With a pass for each question the statistics have the same bits.
                let (more, expected) = read_before_the_first_step(&paths, by, true);
                assert!(more > read && statistics == expected, "{paths:?} by {by}: {more} bytes");
            }
        }
    }
}
