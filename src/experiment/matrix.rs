//! Corpora against each other: a run on each data set, on its own splits in `DIR/NAME/run`, tested on the test split of every other, in
//! `DIR/NAME/on-NAME.json`, by the classes that both have; with several seeds both lie in `DIR/NAME/seed-K`.
//!
//! What is done is kept, and several processes share the work, as in a cross-validation: a run is trained by one of them, and tested by
//! whichever finds it done and not tested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ExperimentError;
use super::crossval::CrossValidation;
use super::folds::{By, Folds};
use super::seeds::{Seeded, seeds_in};
use super::spec::{self, Identity, newer_file};
use super::table::write_text;
use crate::backend::Backend;
use crate::base::contents::first_foreign;
use crate::base::format::Format;
use crate::base::hash::of_words;
use crate::base::input;
use crate::base::remedy::Remedy;
use crate::base::streams::{StreamShape, TEXT};
use crate::config::Config;
use crate::corpus::Split;
use crate::corpus::label_map::Labels;
use crate::dataset::Dataset;
use crate::model::{self, Dimensions};
use crate::report;
use crate::train::claim::Claim;
use crate::train::mapped::{Mapped, map_classes};
use crate::train::metrics::is_confusion;
use crate::train::run::files;
use crate::train::{Checkpoint, Metrics, Misfit, TrainError, vocabulary, words};

/// Name of the summary's files, without their endings.
pub(super) const STEM: &str = "matrix";

/// A data set of a matrix.
pub(crate) struct Set {
    /// Its file's name without ending: the name in the tables, and of the folder of its run.
    pub name: String,
    pub path: PathBuf,
    pub data: Dataset,
    identity: Identity,
    folds: Folds,
}

impl Set {
    /// Reads a prepared file.
    ///
    /// # Errors
    /// A file that cannot be read, or one without a split to train on or to test.
    pub(crate) fn load(path: &Path, seed: u64) -> Result<Self, ExperimentError> {
        let data = Dataset::load(path)?;
        for split in [Split::Train, Split::Test] {
            if data.split(split).is_empty() {
                return Err(ExperimentError::NoSuchSplit { path: path.into(), split });
            }
        }
        let (identity, folds) = (Identity::of(&data, By::Given)?, Folds::given(&data, seed)?);
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, path: path.into(), data, identity, folds })
    }
}

/// Data sets, what they are trained with, and the folder of all.
pub(crate) struct Matrix<'m> {
    pub sets: &'m [Set],
    pub labels: &'m Labels,
    pub config: &'m Config,
    pub folder: &'m Path,
    /// How many runs on each data set, of `train.seed` and those that follow it.
    pub seeds: usize,
}

/// The trainings on a data set, by seed.
pub(crate) type Trainings<'m> = Vec<(usize, CrossValidation<'m>)>;

/// What a file of one says of itself.
const CELL: Format = Format::new("mcsan-cell", 1);

/// What the model of one data set makes of the test split of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    /// Of which kind the file is; at first it said nothing.
    #[serde(default)]
    format: String,
    /// The data that are tested.
    data: Identity,
    /// Which model: a hash of its weights.
    model: String,
    /// Which classes of the data are the model's.
    #[serde(flatten)]
    pub mapped: Mapped,
    /// Tokens that are none of the model's words, of how many; none where the data's own rows were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unknown_words: Option<[usize; 2]>,
    /// Over the utterances that were tested.
    pub metrics: Metrics,
}

impl<'m> Matrix<'m> {
    /// Whether the folder is one of a matrix: it is not there, holds nothing, or runs and what is made of them.
    ///
    /// # Errors
    /// [`ExperimentError::Folder`], naming what else is there.
    pub(crate) fn check_folder(&self) -> Result<(), ExperimentError> {
        let is_run = |name: &str| {
            let folder = self.folder.join(name);
            folder.join(spec::FILE).is_file() || !seeds_in(&folder).is_empty()
        };
        let is_own = |name: &str| is_run(name) || self.sets.iter().any(|set| set.name == name) && self.folder.join(name).is_dir();
        let is_summary =
            |name: &str| name.starts_with(&format!("{STEM}.")) || name.starts_with(&format!("{STEM}-")) || name == report::FILE;
        let has_runs = self.sets.iter().any(|set| is_own(&set.name));
        match first_foreign(self.folder, |name| is_own(name) || has_runs && is_summary(name)) {
            None => Ok(()),
            Some(name) => {
                let problem = format!("holds '{name}', which is none of a matrix's files");
                Err(ExperimentError::Folder { path: self.folder.into(), problem, remedy: Remedy::OtherFolder })
            }
        }
    }

    /// Whether every model will be able to read every data set, and has classes in common with it.
    ///
    /// # Errors
    /// [`ExperimentError::Pair`], naming the first two that do not go together.
    pub(crate) fn check_pairs(&self) -> Result<(), ExperimentError> {
        for (train, test) in self.pairs() {
            let pair =
                |source: TrainError| ExperimentError::Pair { train: train.path.clone(), test: test.path.clone(), source: source.into() };
            self.check_streams(train, test).map_err(|misfit| pair(misfit.into()))?;
            let (mut data, mut utterances) = (test.data.clone(), test.data.split(Split::Test));
            let mapped = map_classes(&mut data, self.labels, &train.data.classes, &mut utterances);
            mapped.map_err(|error| pair(error.into()))?;
        }
        Ok(())
    }

    /// Those of different data sets.
    fn pairs(&self) -> impl Iterator<Item = (&'m Set, &'m Set)> {
        let sets = self.sets;
        sets.iter().flat_map(move |train| sets.iter().map(move |test| (train, test))).filter(|(train, test)| train.name != test.name)
    }

    fn check_streams(&self, train: &Set, test: &Set) -> Result<(), Misfit> {
        let settings = &self.config.settings;
        let [own, other] = [train, test].map(|set| Dimensions::of(&set.data, &settings.model));
        let readings = model::readings(settings, &own);
        for reading in readings.iter() {
            let stream = reading.stream;
            match (own.streams.get(stream), other.streams.get(stream)) {
                (Some(StreamShape::Frames { columns: expected }), Some(StreamShape::Frames { columns: found })) if expected != found => {
                    return Err(Misfit::Coefficients { stream: stream.into(), found: *found, expected: *expected });
                }
                (Some(StreamShape::Vector { columns: expected }), Some(StreamShape::Vector { columns: found })) if expected != found => {
                    return Err(Misfit::Columns { stream: stream.into(), found: *found, expected: *expected });
                }
                (Some(StreamShape::Tokens { width: expected, learned }), Some(StreamShape::Tokens { width: found, learned: of_other }))
                    if learned.is_some() != of_other.is_some() || learned.is_none() && expected != found =>
                {
                    return Err(Misfit::Words);
                }
                (Some(StreamShape::Tokens { .. }), Some(StreamShape::Frames { .. }))
                | (Some(StreamShape::Frames { .. }), Some(StreamShape::Tokens { .. })) => return Err(Misfit::Words),
                _ => {}
            }
        }
        vocabulary::compare_features(&train.data.front_ends, &train.data.feature_settings, &test.data, &readings)
    }

    /// The training on each data set, in a folder that is new or was begun with the same.
    ///
    /// # Errors
    /// Those of [`Seeded::open`].
    pub(crate) fn open(&self) -> Result<Vec<(String, Trainings<'m>)>, ExperimentError> {
        self.sets.iter().map(|set| Ok((set.name.clone(), self.seeded(set).open()?))).collect()
    }

    fn seeded(&self, set: &'m Set) -> Seeded<'m> {
        let Set { data, identity, folds, .. } = set;
        Seeded { data, identity, folds, config: self.config.clone(), folder: self.folder.join(&set.name), seeds: self.seeds }
    }

    /// The folder of a data set's run, by its seed.
    pub(super) fn run(&self, set: &'m Set, seed: usize) -> PathBuf {
        self.seeded(set).run(seed, 1)
    }

    /// Tests every run that is done on every data set that it is not tested on yet; `observe` is told which pair is next.
    ///
    /// # Errors
    /// A run that cannot be read, data that it does not fit, or a file that cannot be written.
    pub(crate) async fn test<B: Backend>(&self, backend: &B, observe: &mut dyn FnMut(&str, usize, &str)) -> Result<(), ExperimentError> {
        for (set, seed) in self.sets.iter().flat_map(|set| (1..=self.seeds).map(move |seed| (set, seed))) {
            let run = self.run(set, seed);
            if !run.join(files::TEST).exists() {
                continue;
            }
            let folder = self.folder.join(&set.name);
            let checkpoint = Checkpoint::load(&run.join(files::BEST)).map_err(|source| ExperimentError::Run { source })?;
            // One process after the other: who comes later finds what the one before has tested.
            let _turn = Claim::wait(&folder).map_err(|source| ExperimentError::Write { path: folder.clone(), source })?;
            for test in self.sets.iter().filter(|test| test.name != set.name) {
                if self.cell_with((set, seed), test, &hash(&checkpoint))?.is_some() {
                    continue;
                }
                observe(&set.name, seed, &test.name);
                let pair =
                    |source: TrainError| ExperimentError::Pair { train: set.path.clone(), test: test.path.clone(), source: source.into() };
                let cell = self.evaluate(backend, &checkpoint, &run, test).await.map_err(pair)?;
                let path = self.cell_file((set, seed), test);
                let text = serde_json::to_string_pretty(&cell)
                    .map_err(|error| ExperimentError::Write { path: path.clone(), source: error.into() })?;
                write_text(&path, &(text + "\n"))?;
            }
        }
        Ok(())
    }

    async fn evaluate<B: Backend>(&self, backend: &B, checkpoint: &Checkpoint, run: &Path, test: &Set) -> Result<Cell, TrainError> {
        let path = run.join(vocabulary::FILE);
        let mut data = test.data.clone();
        vocabulary::check_features(&path, &data, &checkpoint.readings())?;
        let reread = match checkpoint.readings().has(TEXT) {
            true => words::adopt(&path, &mut data, checkpoint.settings.model.tune_words)?,
            false => None,
        };
        let mut utterances = data.split(Split::Test);
        let mapped = map_classes(&mut data, self.labels, &checkpoint.classes, &mut utterances)?;
        let metrics = checkpoint.evaluate(backend, &data, &utterances).await?.metrics;
        let unknown_words = reread.map(|reread| [reread.unknown, reread.tokens]);
        Ok(Cell { format: CELL.to_string(), data: test.identity.clone(), model: hash(checkpoint), mapped, unknown_words, metrics })
    }

    fn cell_file(&self, (train, seed): (&'m Set, usize), test: &Set) -> PathBuf {
        self.seeded(train).of_seed(seed).join(format!("on-{}.json", test.name))
    }

    /// What a run is tested with, where that is done; of its own data what the run itself found.
    ///
    /// # Errors
    /// Those of [`CrossValidation::result`].
    pub(super) fn cell(
        &self,
        (seed, of): &(usize, CrossValidation<'_>),
        train: &'m Set,
        test: &Set,
    ) -> Result<Option<Cell>, ExperimentError> {
        let Some(own) = of.result(1)? else { return Ok(None) };
        if train.name != test.name {
            let Ok(checkpoint) = Checkpoint::load(&self.run(train, *seed).join(files::BEST)) else { return Ok(None) };
            return self.cell_with((train, *seed), test, &hash(&checkpoint));
        }
        let counts = train.data.class_counts(&train.data.split(Split::Test));
        let absent = train.data.classes.iter().zip(counts).filter(|(_, count)| *count == 0).map(|(class, _)| class.clone()).collect();
        let map: BTreeMap<String, String> = train.data.classes.iter().map(|class| (class.clone(), class.clone())).collect();
        let mapped = Mapped { map, absent, ..Mapped::default() };
        Ok(Some(Cell {
            format: CELL.to_string(),
            data: test.identity.clone(),
            model: String::new(),
            mapped,
            unknown_words: None,
            metrics: own.metrics,
        }))
    }

    /// A cell that is there, of these data, this model and these classes; what is of others is tested anew.
    ///
    /// # Errors
    /// One that a newer program wrote.
    fn cell_with(&self, (train, seed): (&'m Set, usize), test: &Set, model: &str) -> Result<Option<Cell>, ExperimentError> {
        let path = self.cell_file((train, seed), test);
        let Ok(text) = input::text(&path) else { return Ok(None) };
        CELL.version_of_json(&text).map_err(|newer| newer_file(&path, &newer))?;
        Ok(self.cell_of(&text, train, test, model))
    }

    fn cell_of(&self, text: &str, train: &Set, test: &Set, model: &str) -> Option<Cell> {
        let cell: Cell = serde_json::from_str(text).ok()?;
        let to = self.labels.map(&test.data.classes, &train.data.classes).ok()?.to;
        let pairs = test.data.classes.iter().zip(&to).filter_map(|(class, to)| Some((class.clone(), train.data.classes[(*to)?].clone())));
        let is_same = cell.data == test.identity && cell.model == model && cell.mapped.map == pairs.collect::<BTreeMap<_, _>>();
        let classes: Vec<&String> = cell.metrics.classes.iter().map(|class| &class.name).collect();
        let is_whole = is_confusion(&cell.metrics.confusion, classes.len()) && classes.into_iter().eq(&train.data.classes);
        Some(cell).filter(|_| is_same && is_whole)
    }
}

fn hash(checkpoint: &Checkpoint) -> String {
    format!("{:016x}", of_words(bytemuck::cast_slice(&checkpoint.parameters)))
}
