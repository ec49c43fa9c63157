//! The prepared file, format `mcsan-dataset/1`.
//!
//! Tensors: `audio.features` F32 or F16 `[frames, coefficients]`, `audio.offsets` I64 `[U + 1]`, `text.tokens` I32
//! `[tokens]`, `text.offsets` I64 `[U + 1]`, `text.vectors` F32 `[words, width]` (absent where vectors are learned),
//! `labels` I32 `[U]`. Metadata: `format`, `classes`, and as far as known `corpus`, `vocabulary`, `utterances`, `features`,
//! `left_out`, `other_labels`, `drawn`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::DatasetError;
use super::prepared::{Dataset, UtteranceInfo};
use super::spool::Spool;
use super::store::{self, Content, Dtype, Store, StoreError, Tensor};
use super::validate;
use crate::base::words::WordTable;

/// What the metadata `format` must say.
pub const FORMAT: &str = "mcsan-dataset/1";

impl Dataset {
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
            features: features.into_rows()?,
            vocabulary: metadata(&store, "vocabulary")?.unwrap_or_default(),
            corpus: store.metadata("corpus").unwrap_or_default().into(),
            feature_settings: metadata(&store, "features")?.unwrap_or_default(),
            left_out: metadata(&store, "left_out")?.unwrap_or_default(),
            other_labels: metadata(&store, "other_labels")?.unwrap_or_default(),
            drawn: metadata(&store, "drawn")?.unwrap_or_default(),
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
        self.write(path, self.features.len(), Content::Bytes(bytemuck::cast_slice(&self.features)))
    }

    /// As [`Dataset::save`], with the features that lie in `spool`; `features` is empty.
    ///
    /// # Errors
    /// Those of [`Dataset::save`].
    pub fn save_spooled(&self, path: &Path, spool: Spool) -> Result<(), DatasetError> {
        let count = spool.values();
        let file = spool.into_file().map_err(|source| StoreError::Write { path: path.to_path_buf(), source })?;
        self.write(path, count, Content::File(&file))
    }

    fn write(&self, path: &Path, feature_values: usize, features: Content<'_>) -> Result<(), DatasetError> {
        let wide = |offsets: &[usize]| offsets.iter().map(|&offset| offset as i64).collect::<Vec<i64>>();
        let (frame_offsets, token_offsets) = (wide(&self.frame_offsets), wide(&self.token_offsets));
        let labels: Vec<i64> = self.labels.iter().map(|&label| label.into()).collect();

        let check = validate::Checks { path, utterances: &self.utterances };
        let rows = feature_values / self.coefficients.max(1);
        check.offsets("audio.offsets", &frame_offsets, rows)?;
        check.offsets("text.offsets", &token_offsets, self.tokens.len())?;
        check.labels(&labels, &self.classes)?;
        check.numbers(self)?;

        let count = self.len();
        let shape = vec![rows, self.coefficients];
        let mut tensors = vec![
            Tensor { name: "audio.features".into(), dtype: Dtype::F32, shape, content: features },
            Tensor::i64("audio.offsets", &[count + 1], &frame_offsets),
            Tensor::i32("text.tokens", &[self.tokens.len()], &self.tokens),
            Tensor::i64("text.offsets", &[count + 1], &token_offsets),
            Tensor::i32("labels", &[count], bytemuck::cast_slice(&self.labels)),
        ];
        if let Some(table) = &self.vectors {
            tensors.push(Tensor::f32("text.vectors", &[self.words(), table.width], &table.values));
        }
        Ok(store::write(path, &self.metadata(path)?, &tensors)?)
    }

    fn metadata(&self, path: &Path) -> Result<BTreeMap<String, String>, DatasetError> {
        fn json(path: &Path, key: &'static str, value: impl Serialize) -> Result<(String, String), DatasetError> {
            let failed = |error| DatasetError::Metadata { path: path.to_path_buf(), key, problem: format!("cannot be written ({error})") };
            Ok((key.into(), serde_json::to_string(&value).map_err(failed)?))
        }
        Ok(BTreeMap::from([
            ("format".into(), FORMAT.into()),
            ("corpus".into(), self.corpus.clone()),
            json(path, "classes", &self.classes)?,
            json(path, "vocabulary", &self.vocabulary)?,
            json(path, "utterances", &self.utterances)?,
            json(path, "features", &self.feature_settings)?,
            json(path, "left_out", &self.left_out)?,
            json(path, "other_labels", &self.other_labels)?,
            json(path, "drawn", &self.drawn)?,
        ]))
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
