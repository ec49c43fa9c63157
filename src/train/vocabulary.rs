//! What a run must remember of its data to read new utterances: the words with their vectors, and the front-end.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Misfit, RunFault, TrainError};
use crate::audio::mfcc::MfccSettings;
use crate::audio::vectors::VectorFrontEnd;
use crate::base::format::Format;
use crate::base::streams::{AUDIO, Readings};
use crate::base::words::WordTable;
use crate::dataset::store::{self, Store, StoreError, Tensor};
use crate::dataset::{Dataset, TokenLists};

/// The file's name in a run folder.
pub(crate) const FILE: &str = "vocabulary.safetensors";

/// What the file says of itself; at first it said nothing.
const FORMAT: Format = Format::new("mcsan-vocabulary", 1);

/// Where a model's acoustic features come from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum FrontEnd {
    /// Files of matrices of so many columns, which another program made, so many samples from frame to frame where it is known.
    Files { from: FromFiles, columns: usize, hop: Option<usize> },
    /// Our own MFCC.
    Mfcc(MfccSettings),
}

/// What tells them from our own.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromFiles {
    Files,
}

impl FrontEnd {
    /// Every setting with its value, in one order.
    fn described(&self) -> Vec<(String, String)> {
        let settings = match self {
            Self::Files { columns, hop, .. } => json!({ "columns": columns, "hop": hop }),
            Self::Mfcc(settings) => json!(settings),
        };
        let each = settings.as_object().into_iter().flatten();
        each.map(|(key, value)| (key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
    }

    /// Whether features may be made alike, as far as both say it.
    fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Files { columns: own, hop: Some(hop), .. }, Self::Files { columns, hop: Some(other), .. }) => {
                (own, hop) == (columns, other)
            }
            (Self::Files { columns: own, .. }, Self::Files { columns, .. }) => own == columns,
            _ => self == other,
        }
    }

    /// Features of a frame.
    pub(crate) fn columns(&self) -> usize {
        match self {
            Self::Files { columns, .. } => *columns,
            Self::Mfcc(settings) => settings.columns(),
        }
    }
}

/// Words by row of the vector table, the vectors where they are frozen, and the acoustic front-end.
pub(crate) struct Vocabulary {
    pub words: Vec<String>,
    pub vectors: Option<WordTable>,
    pub front_end: FrontEnd,
    /// As the data set has them.
    pub feature_settings: Value,
    /// The same of vectors that we made ourselves, by stream.
    pub front_ends: BTreeMap<String, Value>,
    rows: HashMap<String, i32>,
}

/// Writes the vocabulary of a data set, with the vectors unless they are trained further and are parameters of the model.
///
/// # Errors
/// [`StoreError::Write`].
pub(crate) fn save(path: &Path, data: &Dataset, is_tuned: bool) -> Result<(), StoreError> {
    let none = TokenLists::default();
    let text = data.text().unwrap_or(&none);
    let mut metadata = BTreeMap::from([
        ("format".to_owned(), FORMAT.to_string()),
        ("vocabulary".to_owned(), json!(text.vocabulary).to_string()),
        ("features".to_owned(), data.feature_settings.to_string()),
    ]);
    if !data.front_ends.is_empty() {
        metadata.insert("front_ends".to_owned(), json!(data.front_ends).to_string());
    }
    let vectors =
        text.vectors.iter().filter(|_| !is_tuned).map(|table| Tensor::f32("text.vectors", &[text.words(), table.width], &table.values));
    store::write(path, &metadata, &vectors.collect::<Vec<_>>())
}

/// Compares how the acoustic features of a data set that a model reads were made with how those of its run were: of the same width they
/// may be anything. Frames as far as both say it; vectors are from files where nothing is said.
///
/// # Errors
/// [`TrainError::Misfit`], or [`TrainError`] naming the run's file.
pub(crate) fn check_features(path: &Path, data: &Dataset, readings: &Readings) -> Result<(), TrainError> {
    let store = open(path)?;
    let own = front_ends(&store, path)?;
    let settings: Value = serde_json::from_str(store.metadata("features").unwrap_or_default()).unwrap_or_default();
    Ok(compare_features(&own, &settings, data, readings)?)
}

/// As [`check_features`], of features made by `own`, vectors by stream, and with these settings.
///
/// # Errors
/// [`Misfit::Features`]
pub(crate) fn compare_features(own: &BTreeMap<String, Value>, settings: &Value, data: &Dataset, readings: &Readings) -> Result<(), Misfit> {
    let streams: Vec<&str> = readings.iter().map(|reading| reading.stream).collect();
    let difference = difference(Origins { front_ends: own, features: settings }, Origins::of(data), &streams, "the model's");
    difference.map_or(Ok(()), |difference| Err(Misfit::Features { difference }))
}

/// What differs in how the streams were made that two data sets have, as far as both say it; in words of the second.
pub(crate) fn difference_of(first: &Dataset, second: &Dataset) -> Option<String> {
    let streams: Vec<&str> = first.streams.iter().map(|(name, _)| name).filter(|name| second.streams.get(name).is_some()).collect();
    let difference = difference(Origins::of(first), Origins::of(second), &streams, "the other's")?;
    Some(format!("its acoustic features are made otherwise: {difference}"))
}

/// What is said of how streams were made: vectors of our own, and the acoustic features.
#[derive(Clone, Copy)]
struct Origins<'o> {
    front_ends: &'o BTreeMap<String, Value>,
    features: &'o Value,
}

impl<'o> Origins<'o> {
    fn of(data: &'o Dataset) -> Self {
        Self { front_ends: &data.front_ends, features: &data.feature_settings }
    }
}

/// The first difference in how some streams were made; `whose` are the first ones.
fn difference(first: Origins<'_>, second: Origins<'_>, streams: &[&str], whose: &str) -> Option<String> {
    for stream in streams {
        match [first.front_ends.get(*stream), second.front_ends.get(*stream)] {
            [own, other] if own == other => {}
            [Some(_), None] => return Some(format!("its {stream} comes from files")),
            [None, _] => return Some(format!("{whose} {stream} comes from files")),
            [Some(_), Some(_)] => return Some(format!("its {stream} is computed by another program or version")),
        }
    }
    let known = |settings: &Value| serde_json::from_value::<FrontEnd>(settings.clone()).ok();
    let (true, Some(own), Some(other)) = (streams.contains(&AUDIO), known(first.features), known(second.features)) else { return None };
    if own.agrees_with(&other) {
        return None;
    }
    Some(match (&own, &other) {
        (FrontEnd::Mfcc(_), FrontEnd::Files { .. }) => "they come from files".to_owned(),
        (FrontEnd::Files { .. }, FrontEnd::Mfcc(_)) => format!("{whose} come from files"),
        _ => {
            let [own, other] = [own, other].map(|front_end| front_end.described());
            let differing = own.into_iter().zip(other).find(|(own, other)| own != other);
            differing.map_or_else(String::new, |((key, own), (_, other))| format!("{key} is {other}, not {own}"))
        }
    })
}

/// Opens a run's vocabulary.
///
/// # Errors
/// [`TrainError`], naming the file at `path`: of a newer version too.
pub(super) fn open(path: &Path) -> Result<Store, TrainError> {
    let store = Store::open(path)?;
    check_version(&store)?;
    Ok(store)
}

/// Refuses a vocabulary of a newer version.
fn check_version(store: &Store) -> Result<(), TrainError> {
    let version = FORMAT.version_or_first(store.metadata("format"));
    version.map(drop).map_err(|newer| TrainError::Run { path: store.path().into(), fault: newer.into() })
}

/// The words of a run, by row.
///
/// # Errors
/// [`TrainError`], naming the file at `path`.
pub(super) fn read_words(store: &Store, path: &Path) -> Result<Vec<String>, TrainError> {
    let text = store.metadata("vocabulary").unwrap_or_default();
    serde_json::from_str(text).map_err(|error| unreadable(path, format!("metadata 'vocabulary' is not a list of words ({error})")))
}

/// The vectors of a run's words where they are frozen.
///
/// # Errors
/// [`TrainError`], naming the file at `path`.
pub(super) fn read_vectors(store: &Store, path: &Path, words: usize) -> Result<Option<WordTable>, TrainError> {
    if !store.contains("text.vectors") {
        return Ok(None);
    }
    let table = store.tensor("text.vectors")?;
    let [rows, width] = table.dimensions()?;
    // Without words there is nothing that the rows could be of: that is the data's, and said by who needs words.
    if width == 0 || rows != words && words > 0 {
        return Err(unreadable(path, format!("has {rows} vectors of {width} numbers for {words} words")));
    }
    Ok(Some(WordTable { width, values: table.finite_floats()? }))
}

/// Row of a token: cased, then in lower case, else -1.
pub(super) fn row(rows: &HashMap<String, i32>, token: &str) -> i32 {
    rows.get(token).or_else(|| rows.get(&token.to_lowercase())).copied().unwrap_or(-1)
}

/// How a run's vectors that we made ourselves were made, by stream.
fn front_ends(store: &Store, path: &Path) -> Result<BTreeMap<String, Value>, TrainError> {
    let text = store.metadata("front_ends").unwrap_or("{}");
    serde_json::from_str(text).map_err(|error| unreadable(path, format!("metadata 'front_ends' is no table of settings ({error})")))
}

fn unreadable(path: &Path, reason: String) -> TrainError {
    TrainError::Run { path: path.into(), fault: RunFault::Unreadable { reason } }
}

impl Vocabulary {
    /// Reads the vocabulary of a run.
    ///
    /// # Errors
    /// [`TrainError`], naming the file; also where the data came with features of unknown settings.
    pub(crate) fn load(path: &Path) -> Result<Self, TrainError> {
        Self::read(&open(path)?)
    }

    /// The same of a file that is open.
    ///
    /// # Errors
    /// Those of [`Vocabulary::load`].
    pub(super) fn read(store: &Store) -> Result<Self, TrainError> {
        check_version(store)?;
        let path = store.path();
        let words = read_words(store, path)?;
        let unknown = |_| TrainError::Run { path: path.into(), fault: RunFault::NoFrontEnd };
        let feature_settings: Value = serde_json::from_str(store.metadata("features").unwrap_or_default()).map_err(unknown)?;
        let front_end: FrontEnd = serde_json::from_value(feature_settings.clone()).map_err(unknown)?;
        if let FrontEnd::Mfcc(settings) = &front_end {
            settings.validate().map_err(|error| unreadable(path, format!("metadata 'features': {error}")))?;
        }
        let front_ends = front_ends(store, path)?;
        let vectors = read_vectors(store, path, words.len())?;
        Ok(Self { rows: rows_of(&words, path)?, words, vectors, front_end, feature_settings, front_ends })
    }

    /// What computes the vectors that a model reads and that were computed for it.
    ///
    /// # Errors
    /// [`TrainError`], naming the file at `path`: they were made in a way that this program does not know.
    pub(crate) fn own(&self, readings: &Readings, path: &Path) -> Result<Vec<VectorFrontEnd>, TrainError> {
        let recorded = readings.iter().filter_map(|reading| Some((reading.stream, self.front_ends.get(reading.stream)?)));
        let known = recorded.map(|(stream, recorded)| {
            let unknown = || unreadable(path, format!("metadata 'front_ends': no front-end is known that makes its {stream}"));
            VectorFrontEnd::of_recorded(stream, recorded).ok_or_else(unknown)
        });
        known.collect()
    }

    /// Row of a token: cased, then in lower case, else -1.
    pub(crate) fn row(&self, token: &str) -> i32 {
        row(&self.rows, token)
    }
}

/// The words of a run alone, with their vectors where they are frozen.
pub(crate) struct Words {
    pub vectors: Option<WordTable>,
    rows: HashMap<String, i32>,
}

impl Words {
    /// Reads the words of a run.
    ///
    /// # Errors
    /// [`TrainError`], naming the file.
    pub(crate) fn load(path: &Path) -> Result<Self, TrainError> {
        let store = open(path)?;
        let words = read_words(&store, path)?;
        Ok(Self { vectors: read_vectors(&store, path, words.len())?, rows: rows_of(&words, path)? })
    }

    /// Whether none has a name.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As [`Vocabulary::row`].
    pub(crate) fn row(&self, token: &str) -> i32 {
        row(&self.rows, token)
    }
}

/// The row of each of a run's words.
fn rows_of(words: &[String], path: &Path) -> Result<HashMap<String, i32>, TrainError> {
    let mut rows = HashMap::new();
    for (row, word) in words.iter().enumerate() {
        if rows.insert(word.clone(), row as i32).is_some() {
            return Err(unreadable(path, format!("names '{word}' twice")));
        }
    }
    Ok(rows)
}
