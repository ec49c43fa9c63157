//! Starting from a trained run: its weights for other classes and other words, and its normalisation.
//!
//! A parameter of the same name keeps its values; one of another shape is refused. Two kinds have rows that mean something:
//! of a layer whose rows are classes, those of classes of the same name are kept (`run.head`), and of a table of words those of the same
//! word. Other rows start as they do in any run. A table that the run did not train has the vectors that it read instead.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::checkpoint::Checkpoint;
use super::run::files;
use super::vocabulary::{self, Words};
use super::{Misfit, RunFault, TrainError, some_of};
use crate::base::streams::{Readings, StreamShape, TEXT};
use crate::base::words::WordTable;
use crate::config::{Config, ConfigError, Head, Settings, SourceStatistics};
use crate::dataset::{Dataset, Normalisation};
use crate::model::parameters::{Initial, Parameter, Parameters};
use crate::model::{self, Dimensions};

/// What a run has of the one that it started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The other run's folder.
    pub run: PathBuf,
    /// Numbers of the model that are the other run's, and how many there are.
    pub parameters: [usize; 2],
    /// Classes whose rows of the last layer are the other run's.
    pub classes: Vec<String>,
    /// Classes whose rows were drawn.
    pub new_classes: Vec<String>,
    /// Of a table of words: rows that are the other run's, and how many there are.
    pub words: Option<[usize; 2]>,
}

impl Display for Taken {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let [kept, all] = self.parameters;
        write!(formatter, "starts from {}: {kept} of {all} weights are that run's", self.run.display())?;
        match (self.classes.is_empty(), self.new_classes.is_empty()) {
            (_, true) => formatter.write_str("; all classes keep their rows of the last layer")?,
            (true, false) => formatter.write_str("; the last layer is drawn")?,
            (false, false) => {
                let (kept, new) = (some_of(&self.classes), some_of(&self.new_classes));
                write!(formatter, "; of the last layer rows are kept of {kept}, drawn of {new}")?;
            }
        }
        self.words.map_or(Ok(()), |[kept, all]| write!(formatter, "; of {all} words it knows {kept}"))
    }
}

/// The setting that names it.
pub(crate) const FROM: &str = "run.from";

/// What a training's settings come over: where a run is named that it starts from, by `from`, or else by assignments or a file, `defaults` with
/// that one's network and settings of the data.
///
/// # Errors
/// [`TrainError`], where the run cannot be read.
pub fn over_source(defaults: Config, from: Option<&Path>, file: Option<&Path>, assignments: &[String]) -> Result<Config, TrainError> {
    let said = || Config::said(FROM, file, assignments)?.as_str().map(PathBuf::from);
    match from.map(Path::to_owned).or_else(said).filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => Ok(defaults.with_network_of(&Source::load(&folder)?.settings())),
        None => Ok(defaults),
    }
}

/// A run that another starts from.
pub(crate) struct Source {
    folder: PathBuf,
    best: Checkpoint,
}

/// What a starting value is made of where the source has nothing.
type Usual<'u> = &'u dyn Fn(&Parameter) -> Vec<f32>;

impl Source {
    /// Reads the best model of a run.
    ///
    /// # Errors
    /// [`TrainError`], naming the file.
    pub(crate) fn load(folder: &Path) -> Result<Self, TrainError> {
        Ok(Self { folder: folder.into(), best: Checkpoint::load_unfitted(&folder.join(files::BEST))? })
    }

    /// Its settings, with word tables as wide as what it read.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = self.best.settings.clone();
        if let Some(&StreamShape::Tokens { width, .. }) = self.best.dimensions.streams.get(TEXT) {
            settings.model.word_width = width;
        }
        settings
    }

    fn vocabulary(&self) -> PathBuf {
        self.folder.join(vocabulary::FILE)
    }

    fn refused(&self, fault: RunFault) -> TrainError {
        TrainError::Run { path: self.folder.join(files::BEST), fault }
    }

    /// Refuses settings of another system or normalisation, and data whose streams were made otherwise.
    ///
    /// # Errors
    /// [`ConfigError::Value`], [`TrainError::Misfit`], or [`TrainError`] naming the run's file.
    pub(super) fn check(
        &self,
        settings: &Settings,
        data: &Dataset,
        dimensions: &Dimensions,
        readings: &Readings,
    ) -> Result<(), TrainError> {
        let refused = |key: &str, value: String, allowed: String| ConfigError::Value { key: key.into(), value, allowed }.into();
        let (own, run) = (&self.best.settings, self.folder.display());
        if own.model.system != settings.model.system {
            return Err(refused("model.system", settings.model.system.to_string(), format!("{}, which {run} is", own.model.system)));
        }
        let keeps = settings.start.normalisation == SourceStatistics::Source;
        if keeps && own.data.normalise != settings.data.normalise {
            let allowed = format!("{}, by which {run} is normalised (run.normalisation = data takes another)", own.data.normalise);
            return Err(refused("data.normalise", settings.data.normalise.to_string(), allowed));
        }
        for name in readings.iter().map(|reading| reading.stream) {
            let [own, other] = [&self.best.dimensions, dimensions].map(|dimensions| dimensions.streams.get(name));
            let words_are_other = match (own, other) {
                (Some(StreamShape::Tokens { .. }), Some(StreamShape::Frames { .. })) => true,
                (Some(StreamShape::Frames { .. }), Some(StreamShape::Tokens { .. })) => true,
                // A trained table gives way to vectors that it knows nothing of.
                (Some(StreamShape::Tokens { learned, .. }), Some(StreamShape::Tokens { learned: None, .. })) => learned.is_some(),
                _ => false,
            };
            if words_are_other {
                return Err(Misfit::Words.into());
            }
        }
        vocabulary::check_features(&self.vocabulary(), data, readings)
    }

    /// The normalisation that a run takes over, where it is to take one.
    pub(super) fn normalisation(&self, settings: &Settings) -> Option<Normalisation> {
        (settings.start.normalisation == SourceStatistics::Source).then(|| self.best.normalisation.clone())
    }

    /// The weights of a model on other data; `usual` gives those of a parameter that the source has nothing of.
    ///
    /// # Errors
    /// [`RunFault::OtherNetwork`] naming the parameter and both shapes; words that have no names.
    pub(super) fn weights(
        &self,
        settings: &Settings,
        data: &Dataset,
        (dimensions, parameters): (&Dimensions, &Parameters),
        usual: Usual<'_>,
    ) -> Result<(Vec<f32>, Taken), TrainError> {
        let (layout, by_classes) = (self.best.layout(), of_classes(settings, dimensions));
        let places = self.places_of_classes(data, settings);
        let named = |kept: bool| {
            let classes = data.classes.iter().zip(&places).filter(|(_, place)| place.is_some() == kept);
            classes.map(|(class, _)| class.clone()).collect::<Vec<_>>()
        };
        let count = parameters.count();
        let mut taken =
            Taken { run: self.folder.clone(), parameters: [0, count], classes: named(true), new_classes: named(false), words: None };
        let mut buffer = vec![0.0; parameters.len()];
        for parameter in parameters {
            let own = layout.get(&parameter.name);
            let (values, numbers) = if parameter.initial == Initial::WordTable {
                let (values, rows) = self.word_table(data, parameter, own, usual)?;
                taken.words = Some([rows, parameter.shape[0]]);
                (values, rows * parameter.shape[1])
            } else {
                let found = own.map(|own| own.shape.as_slice());
                let own = own.ok_or_else(|| self.other_network(parameter, None))?;
                let is_of_classes = by_classes.contains(&parameter.name);
                let rows_alike = is_of_classes && own.shape[0] == self.best.classes.len() && own.shape[1..] == parameter.shape[1..];
                match own.shape == parameter.shape && !is_of_classes {
                    true => (self.values(own).to_vec(), own.len()),
                    false if rows_alike => with_rows(usual(parameter), self.values(own), &places),
                    false => return Err(self.other_network(parameter, found)),
                }
            };
            buffer[parameter.offset..][..parameter.len()].copy_from_slice(&values);
            taken.parameters[0] += numbers;
        }
        Ok((buffer, taken))
    }

    fn values(&self, parameter: &Parameter) -> &[f32] {
        &self.best.parameters[parameter.offset..][..parameter.len()]
    }

    fn other_network(&self, parameter: &Parameter, found: Option<&[usize]>) -> TrainError {
        let (parameter, expected) = (parameter.name.clone(), parameter.shape.clone());
        self.refused(RunFault::OtherNetwork { parameter, found: found.map(<[usize]>::to_vec), expected })
    }

    /// Of each class of the data, its place among the source's, where its row is kept.
    fn places_of_classes(&self, data: &Dataset, settings: &Settings) -> Vec<Option<usize>> {
        let place = |class: &String| self.best.classes.iter().position(|own| own == class).filter(|_| settings.start.head == Head::Shared);
        data.classes.iter().map(place).collect()
    }

    /// A table of the data's words, and how many of its rows are the source's.
    fn word_table(
        &self,
        data: &Dataset,
        parameter: &Parameter,
        own: Option<&Parameter>,
        usual: Usual<'_>,
    ) -> Result<(Vec<f32>, usize), TrainError> {
        let words = Words::load(&self.vocabulary())?;
        let width = parameter.shape[1];
        let (rows, found) = match (own, &words.vectors) {
            (Some(own), _) => (self.values(own), own.shape[1]),
            (None, Some(WordTable { width, values })) => (values.as_slice(), *width),
            (None, None) => return Ok((usual(parameter), 0)),
        };
        if found != width {
            return Err(self.other_network(parameter, Some(&[rows.len() / found.max(1), found])));
        }
        let vocabulary = data.text().map_or(&[][..], |text| &text.vocabulary);
        if words.is_empty() {
            return Err(TrainError::Run { path: self.vocabulary(), fault: RunFault::NoWords });
        }
        if vocabulary.is_empty() {
            return Err(Misfit::NoVocabulary.into());
        }
        let places: Vec<Option<usize>> = vocabulary.iter().map(|word| usize::try_from(words.row(word)).ok()).collect();
        let (values, numbers) = with_rows(usual(parameter), rows, &places);
        Ok((values, numbers / width.max(1)))
    }
}

/// Rows with others in the place of some, and how many numbers these are.
fn with_rows(mut rows: Vec<f32>, others: &[f32], places: &[Option<usize>]) -> (Vec<f32>, usize) {
    let width = rows.len() / places.len().max(1);
    let mut numbers = 0;
    for (row, place) in rows.chunks_exact_mut(width.max(1)).zip(places) {
        if let Some(other) = place.and_then(|place| others.get(place * width..(place + 1) * width)) {
            row.copy_from_slice(other);
            numbers += width;
        }
    }
    (rows, numbers)
}

/// The parameters whose rows are classes: those that one class more makes a row longer.
fn of_classes(settings: &Settings, dimensions: &Dimensions) -> Vec<String> {
    let more = Dimensions { classes: dimensions.classes + 1, ..dimensions.clone() };
    let [these, those] = [dimensions, &more].map(|dimensions| model::parameters(settings, dimensions));
    let differing = these.iter().zip(those.iter()).filter(|(one, other)| one.shape != other.shape);
    differing.map(|(parameter, _)| parameter.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::choice::Choice;
    use crate::base::streams::{AUDIO, FUNCTIONALS, PROSODY, VISUAL};
    use crate::config::System;

    #[test]
    fn rows_are_taken_by_their_places_and_others_stay() {
        let taken = with_rows(vec![0.0; 6], &[1.0, 2.0, 3.0, 4.0], &[Some(1), None, Some(0)]);
        assert_eq!(taken, (vec![3.0, 4.0, 0.0, 0.0, 1.0, 2.0], 4));
    }

    #[test]
    fn of_every_system_it_is_known_which_rows_are_classes() {
        let frames = [AUDIO, VISUAL].map(|name| (name.to_owned(), StreamShape::Frames { columns: 40 }));
        let vectors = [PROSODY, FUNCTIONALS].map(|name| (name.to_owned(), StreamShape::Vector { columns: 35 }));
        let text = (TEXT.to_owned(), StreamShape::Tokens { width: 8, learned: Some(9) });
        let dimensions = Dimensions { streams: frames.into_iter().chain(vectors).chain([text]).collect(), classes: 5 };
        for &system in System::ALL {
            let mut settings = Settings::default();
            settings.model.system = system;
            let parameters = model::parameters(&settings, &dimensions);
            let names = of_classes(&settings, &dimensions);
            assert!(!names.is_empty(), "{system}");
            for name in names {
                assert_eq!(parameters.get(&name).unwrap().shape[0], 5, "{system}: {name}");
            }
        }
    }
}
