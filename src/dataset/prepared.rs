//! The prepared data set, format `mcsan-dataset/1`.
//!
//! Tensors: `audio.features` F32 or F16 `[frames, coefficients]`, `audio.offsets` I64 `[U + 1]`, `text.tokens` I32
//! `[tokens]`, `text.offsets` I64 `[U + 1]`, `text.vectors` F32 `[words, width]` (absent where vectors are learned),
//! `labels` I32 `[U]`. Metadata: `format`, `classes`, and as far as known `corpus`, `vocabulary`, `utterances`, `features`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::DatasetError;
use super::store::{self, Store, Tensor};
use super::validate;
use crate::corpus::{Split, Utterance};

/// What the metadata `format` must say.
pub const FORMAT: &str = "mcsan-dataset/1";

/// Features, tokens and labels of a corpus, ragged: utterance u has the rows `offsets[u]..offsets[u + 1]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// Names of the emotions.
    pub classes: Vec<String>,
    /// Columns of `features`.
    pub coefficients: usize,
    /// `[frames, coefficients]`: MFCC before normalisation, all of every utterance.
    pub features: Vec<f32>,
    /// `[utterances + 1]`
    pub frame_offsets: Vec<usize>,
    /// `[tokens]`: row of the word table, -1 for a word that is not in it.
    pub tokens: Vec<i32>,
    /// `[utterances + 1]`
    pub token_offsets: Vec<usize>,
    /// The words' vectors; `None` where they are to be learned.
    pub vectors: Option<WordTable>,
    /// The words of the table's rows; empty where the file does not name them.
    pub vocabulary: Vec<String>,
    /// `[utterances]`: index into `classes`.
    pub labels: Vec<u32>,
    /// `[utterances]`
    pub utterances: Vec<UtteranceInfo>,
    /// Name of the corpus; empty where unknown.
    pub corpus: String,
    /// Settings of the front-end that made the features; null where unknown.
    pub feature_settings: serde_json::Value,
}

/// Word vectors, row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WordTable {
    pub width: usize,
    /// `[words, width]`
    pub values: Vec<f32>,
}

/// What is known of an utterance beside its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UtteranceInfo {
    pub id: String,
    #[serde(serialize_with = "write_split", deserialize_with = "read_split")]
    pub split: Option<Split>,
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub speaker: Option<String>,
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub session: Option<String>,
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub dialogue: Option<String>,
    pub text: String,
    pub audio: String,
}

impl From<&Utterance> for UtteranceInfo {
    fn from(utterance: &Utterance) -> Self {
        Self {
            id: utterance.id.clone(),
            split: utterance.split,
            speaker: utterance.speaker.clone(),
            session: utterance.session.clone(),
            dialogue: utterance.dialogue.clone(),
            text: utterance.text.clone(),
            audio: utterance.audio.display().to_string(),
        }
    }
}

impl Dataset {
    /// Number of utterances.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none; never so of a data set that was loaded.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Rows of `features` that utterance `utterance` has, at most `max_frames`.
    pub fn frames(&self, utterance: usize, max_frames: usize) -> Range<usize> {
        let start = self.frame_offsets[utterance];
        start..self.frame_offsets[utterance + 1].min(start.saturating_add(max_frames))
    }

    /// `[frames, coefficients]`: the features of those rows.
    pub fn rows(&self, frames: Range<usize>) -> &[f32] {
        &self.features[frames.start * self.coefficients..frames.end * self.coefficients]
    }

    /// The tokens of an utterance.
    pub fn tokens_of(&self, utterance: usize) -> &[i32] {
        &self.tokens[self.token_offsets[utterance]..self.token_offsets[utterance + 1]]
    }

    /// Rows of the word table, given or to be learned.
    pub fn words(&self) -> usize {
        match &self.vectors {
            Some(table) => table.values.len() / table.width.max(1),
            None if self.vocabulary.is_empty() => self.tokens.iter().max().map_or(0, |&last| (last + 1) as usize),
            None => self.vocabulary.len(),
        }
    }

    /// The utterances of a split, in the file's order.
    pub fn split(&self, split: Split) -> Vec<usize> {
        (0..self.len()).filter(|&utterance| self.utterances[utterance].split == Some(split)).collect()
    }

    /// The utterances to learn from: the training split, or all where no utterance is of any split.
    pub fn training(&self) -> Vec<usize> {
        if self.utterances.iter().all(|utterance| utterance.split.is_none()) {
            return (0..self.len()).collect();
        }
        self.split(Split::Train)
    }

    /// `[classes]`: how many of the given utterances are of each class.
    pub fn class_counts(&self, utterances: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &utterance in utterances {
            counts[self.labels[utterance] as usize] += 1;
        }
        counts
    }

    /// Reads the file at `path` and checks all of it.
    ///
    /// # Errors
    /// [`DatasetError`]: not a safetensors file, another format, a tensor that is missing or of the wrong type or shape,
    /// offsets that do not rise from 0 to the end, a label, token or number out of range.
    pub fn load(path: &Path) -> Result<Self, DatasetError> {
        let store = Store::open(path)?;
        let format = store.metadata("format").unwrap_or("none");
        if format != FORMAT {
            return Err(DatasetError::Format { path: path.to_path_buf(), found: format.into(), expected: FORMAT });
        }
        let classes: Vec<String> = metadata(&store, "classes")?.ok_or_else(|| DatasetError::Metadata {
            path: path.to_path_buf(),
            key: "classes",
            problem: "is missing".into(),
        })?;

        let labels = store.tensor("labels")?;
        let [count] = labels.dimensions()?;
        let features = store.tensor("audio.features")?;
        let [frames, coefficients] = features.dimensions()?;
        let tokens = store.tensor("text.tokens")?;
        let [token_count] = tokens.dimensions()?;
        let vectors = match store.contains("text.vectors") {
            true => {
                let table = store.tensor("text.vectors")?;
                let [_, width] = table.dimensions()?;
                Some(WordTable { width, values: table.floats()? })
            }
            false => None,
        };

        let offsets = |tensor| store.tensor(tensor)?.shaped(&[count + 1])?.integers();
        let utterances = utterances(&store, count)?;
        let check = validate::Checks { path, utterances: &utterances };
        let dataset = Self {
            frame_offsets: check.offsets("audio.offsets", &offsets("audio.offsets")?, frames)?,
            token_offsets: check.offsets("text.offsets", &offsets("text.offsets")?, token_count)?,
            tokens: check.tokens(&tokens.integers()?)?,
            labels: check.labels(&labels.integers()?, &classes)?,
            features: features.floats()?,
            vocabulary: metadata(&store, "vocabulary")?.unwrap_or_default(),
            corpus: store.metadata("corpus").unwrap_or_default().into(),
            feature_settings: metadata(&store, "features")?.unwrap_or_default(),
            coefficients,
            vectors,
            classes,
            utterances: Vec::new(),
        };
        check.numbers(&dataset)?;
        Ok(Self { utterances, ..dataset })
    }

    /// Writes the data set to `path`, whole or not at all; equal data sets give equal files.
    ///
    /// # Errors
    /// [`DatasetError::Invalid`] for a data set that [`Dataset::load`] would refuse, [`DatasetError::Store`] where the file
    /// cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DatasetError> {
        let wide = |offsets: &[usize]| offsets.iter().map(|&offset| offset as i64).collect::<Vec<i64>>();
        let (frame_offsets, token_offsets) = (wide(&self.frame_offsets), wide(&self.token_offsets));
        let labels: Vec<i64> = self.labels.iter().map(|&label| label.into()).collect();

        let check = validate::Checks { path, utterances: &self.utterances };
        let rows = self.features.len() / self.coefficients.max(1);
        check.offsets("audio.offsets", &frame_offsets, rows)?;
        check.offsets("text.offsets", &token_offsets, self.tokens.len())?;
        check.labels(&labels, &self.classes)?;
        check.numbers(self)?;

        let count = self.len();
        let mut tensors = vec![
            Tensor::f32("audio.features", &[rows, self.coefficients], &self.features),
            Tensor::i64("audio.offsets", &[count + 1], &frame_offsets),
            Tensor::i32("text.tokens", &[self.tokens.len()], &self.tokens),
            Tensor::i64("text.offsets", &[count + 1], &token_offsets),
            Tensor::i32("labels", &[count], bytemuck::cast_slice(&self.labels)),
        ];
        if let Some(table) = &self.vectors {
            tensors.push(Tensor::f32("text.vectors", &[self.words(), table.width], &table.values));
        }
        let json = |key, value: serde_json::Result<String>| match value {
            Ok(text) => Ok((String::from(key), text)),
            Err(error) => Err(DatasetError::Metadata { path: path.to_path_buf(), key, problem: format!("cannot be written ({error})") }),
        };
        let metadata = BTreeMap::from([
            ("format".into(), FORMAT.into()),
            ("corpus".into(), self.corpus.clone()),
            json("classes", serde_json::to_string(&self.classes))?,
            json("vocabulary", serde_json::to_string(&self.vocabulary))?,
            json("utterances", serde_json::to_string(&self.utterances))?,
            json("features", serde_json::to_string(&self.feature_settings))?,
        ]);
        Ok(store::write(path, &metadata, &tensors)?)
    }
}

/// The JSON under a metadata key, where the key is there.
fn metadata<T: for<'de> Deserialize<'de>>(store: &Store, key: &'static str) -> Result<Option<T>, DatasetError> {
    let parse = |text| {
        serde_json::from_str(text).map_err(|error| DatasetError::Metadata {
            path: store.path().to_path_buf(),
            key,
            problem: format!("is not the JSON that it should be ({error})"),
        })
    };
    store.metadata(key).map(parse).transpose()
}

/// What the file says of its utterances; where it says nothing, they are named by their number.
fn utterances(store: &Store, count: usize) -> Result<Vec<UtteranceInfo>, DatasetError> {
    let named = |utterance: usize| UtteranceInfo { id: utterance.to_string(), ..UtteranceInfo::default() };
    let Some(entries) = metadata::<Vec<serde_json::Value>>(store, "utterances")? else {
        return Ok((0..count).map(named).collect());
    };
    let failed = |problem| DatasetError::Metadata { path: store.path().to_path_buf(), key: "utterances", problem };
    if entries.len() != count {
        return Err(failed(format!("has {} entries for {count} utterances", entries.len())));
    }
    let read = |(utterance, entry): (usize, serde_json::Value)| {
        let mut info: UtteranceInfo =
            serde_json::from_value(entry).map_err(|error| failed(format!("is wrong for utterance {utterance} ({error})")))?;
        if info.id.is_empty() {
            info.id = utterance.to_string();
        }
        Ok(info)
    };
    entries.into_iter().enumerate().map(read).collect()
}

fn write_name<S: Serializer>(name: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.as_deref().unwrap_or(""))
}

/// A name; nothing, null and "" all mean that there is none.
fn read_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|name| !name.is_empty()))
}

fn write_split<S: Serializer>(split: &Option<Split>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(split.map_or("", Split::name))
}

fn read_split<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Split>, D::Error> {
    let unknown = |name: &str| serde::de::Error::custom(format!("unknown split '{name}', known are train, validation, test"));
    read_name(deserializer)?.map(|name| Split::from_name(&name).ok_or_else(|| unknown(&name))).transpose()
}
