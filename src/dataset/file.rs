//! The prepared file, format `mcsan-dataset/1`.
//!
//! Tensors: `labels` I32 `[U]`, -1 of utterances of the split `unlabelled`, and of every stream, under its NAME,
//! - frames: `NAME.features` F32 or F16 `[frames, columns]`, `NAME.offsets` I64 `[U + 1]`;
//! - tokens: `NAME.tokens` I32 `[tokens]`, `NAME.offsets` I64 `[U + 1]`, `NAME.vectors` F32 `[words, width]` (absent where vectors
//!   are learned);
//! - a vector an utterance: `NAME.values` F32 or F16 `[U, columns]`, zeros where an utterance lacks it;
//! - of frames and tokens, where it is known when they begin and end: `NAME.times` F32 `[rows, 2]`, seconds, NaN of some.
//!
//! `mcsan prepare` makes the frames `audio` and `visual`, the tokens `text`, and the vectors `audio.prosody` and `audio.functionals`.
//! Metadata: `format`, `classes`, and as far as known `corpus`,
//! `vocabulary` (of `text`; of other tokens `NAME.vocabulary`), `utterances`, `features` (how `audio` was made), `front_ends` (how we made
//! vectors ourselves, by stream), `left_out`, `other_labels`, `drawn`; of a shard `shard`, and as a
//! tensor `recordings` (see [`shards`](super::shards)).

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::DatasetError;
use super::features::{FeatureRows, FeatureType};
use super::look::{Unseen, Wanted};
use super::prepared::{Dataset, UtteranceInfo};
use super::shards::{Belonging, INDEX, Index, Place, RECORDINGS, SHARD};
use super::spool::Spool;
use super::store::{self, Content, Store, StoreError, Tensor};
use super::streams::{DataStream, Frames, Streams, TokenLists, Vectors};
use super::validate::{self, Originals};
use crate::base::files::{self, File};
use crate::base::format::Format;
use crate::base::input;
use crate::base::streams::{AUDIO, TEXT};
#[cfg(feature = "cli")]
use crate::base::utterances::Split;
use crate::base::words::WordTable;

/// What the metadata `format` must say.
pub(crate) const FORMAT: Format = Format::new("mcsan-dataset", 1);

/// Bytes that tell what a file is that is none.
const HEAD: u64 = 512;

/// Values of a stream that lie in a file.
struct SpooledValues {
    count: usize,
    kind: FeatureType,
    file: File,
}

type Spooled = BTreeMap<&'static str, SpooledValues>;

impl Dataset {
    /// Reads the file at `path`, or the shards that an index there lists, and checks all of it.
    ///
    /// # Errors
    /// [`DatasetError`]: not a safetensors file, another format, no stream, a tensor that is missing or of the wrong type or shape,
    /// offsets that do not rise from 0 to the end, a label, token or number out of range; a shard that is not as the index says.
    pub fn load(path: &Path) -> Result<Self, DatasetError> {
        Self::unseen(path)?.look(&Wanted::default())
    }

    /// The same, with features that are still to be looked at.
    ///
    /// # Errors
    /// Those of [`Dataset::load`], but for numbers that are none.
    pub(crate) fn unseen(path: &Path) -> Result<Unseen, DatasetError> {
        match Index::read(path)? {
            Some(index) => index.open(path),
            None => {
                let store = Self::open(path)?;
                let data = Self::of_store(&store)?;
                // Who has damaged what only its index asks for has the data still.
                Ok(Unseen { data, path: path.to_path_buf(), shards: Vec::new(), place: Place::of(&store).ok().flatten() })
            }
        }
    }

    /// The splits of a file's utterances, of which nothing else is looked at.
    ///
    /// # Errors
    /// Those of [`Dataset::load`].
    #[cfg(feature = "cli")]
    pub(crate) fn splits_of(path: &Path) -> Result<Vec<Option<Split>>, DatasetError> {
        let store = Self::open(path)?;
        let [count] = store.tensor("labels")?.dimensions()?;
        Ok(utterances(&store, count)?.into_iter().map(|info| info.split).collect())
    }

    /// Opens one file.
    pub(super) fn open(path: &Path) -> Result<Store, DatasetError> {
        Store::open(path).map_err(|error| other_than_prepared(path, error))
    }

    /// Reads an open file and checks all of it but the numbers of its features.
    pub(super) fn of_store(store: &Store) -> Result<Self, DatasetError> {
        let path = store.path();
        let format = store.metadata("format").unwrap_or("none");
        let version = FORMAT.version_of(format).map_err(|newer| DatasetError::Newer { path: path.to_path_buf(), newer })?;
        if version.is_none() {
            return Err(DatasetError::Format { path: path.to_path_buf(), found: format.into(), expected: FORMAT.to_string() });
        }
        let classes: Vec<String> = metadata(store, "classes")?.ok_or_else(|| DatasetError::Metadata {
            path: path.to_path_buf(),
            key: "classes".into(),
            problem: "is missing".into(),
        })?;

        let labels = store.tensor("labels")?;
        let [count] = labels.dimensions()?;
        let utterances = utterances(store, count)?;
        let check = validate::Checks { path, utterances: &utterances };
        let labels = check.labels(&labels.integers()?, &classes)?;
        validate::check_classes(&classes).map_err(|problem| not_classes(path, problem))?;
        let dataset = Self {
            labels,
            streams: streams(store, &check)?,
            corpus: store.metadata("corpus").unwrap_or_default().into(),
            parts: Vec::new(),
            shards: Vec::new(),
            feature_settings: metadata(store, "features")?.unwrap_or_default(),
            front_ends: metadata(store, "front_ends")?.unwrap_or_default(),
            left_out: metadata(store, "left_out")?.unwrap_or_default(),
            other_labels: metadata(store, "other_labels")?.unwrap_or_default(),
            drawn: metadata(store, "drawn")?.unwrap_or_default(),
            classes,
            utterances: Vec::new(),
        };
        Ok(Self { utterances, ..dataset })
    }

    /// Writes the data set to `path`, whole or not at all; equal data sets give equal files. Features of half precision stay so.
    ///
    /// # Errors
    /// [`DatasetError::Invalid`] for a data set that [`Dataset::load`] would refuse, [`DatasetError::Store`] where the file
    /// cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DatasetError> {
        self.write(path, &Spooled::new(), None)
    }

    /// The same of a shard.
    ///
    /// # Errors
    /// Those of [`Dataset::save`].
    #[cfg(feature = "cli")]
    pub(super) fn save_shard(&self, path: &Path, shard: &Belonging) -> Result<(), DatasetError> {
        self.write(path, &Spooled::new(), Some(shard))
    }

    /// As [`Dataset::save`], with the values of frames that lie in `spools`, by their stream; its own are empty.
    ///
    /// # Errors
    /// Those of [`Dataset::save`].
    pub fn save_spooled(&self, path: &Path, spools: BTreeMap<&'static str, Spool>) -> Result<(), DatasetError> {
        self.save_spooled_shard(path, spools, None)
    }

    /// As [`Dataset::save_spooled`], of a shard where it is one.
    ///
    /// # Errors
    /// Those of [`Dataset::save`].
    pub(crate) fn save_spooled_shard(
        &self,
        path: &Path,
        spools: BTreeMap<&'static str, Spool>,
        shard: Option<&Belonging>,
    ) -> Result<(), DatasetError> {
        let check = validate::Checks { path, utterances: &self.utterances };
        for (stream, spool) in &spools {
            if let (Some((place, value)), Some(frames)) = (spool.too_large(), self.streams.frames(stream)) {
                return Err(check.too_large(stream, frames, place, value));
            }
        }
        let file = |(stream, spool): (&'static str, Spool)| {
            let (count, kind) = (spool.values(), spool.kind());
            Ok((stream, SpooledValues { count, kind, file: spool.into_file()? }))
        };
        let files = spools.into_iter().map(file).collect::<io::Result<Spooled>>();
        self.write(path, &files.map_err(|source| StoreError::Write { path: path.to_path_buf(), source })?, shard)
    }

    fn write(&self, path: &Path, spooled: &Spooled, shard: Option<&Belonging>) -> Result<(), DatasetError> {
        let labels: Vec<i64> = self.labels.iter().map(|&label| i64::from(label as i32)).collect();
        let check = validate::Checks { path, utterances: &self.utterances };
        check.labels(&labels, &self.classes)?;
        validate::check_classes(&self.classes).map_err(|problem| not_classes(path, problem))?;
        let spooled = |name: &str| spooled.get(name);
        let mut offsets = Vec::new();
        for (name, stream) in self.streams.iter() {
            let own: Vec<i64> = stream.offsets().iter().map(|&offset| offset as i64).collect();
            match stream {
                DataStream::Frames(frames) => {
                    let values = spooled(name).map_or(frames.values.len(), |spooled| spooled.count);
                    check.offsets(&format!("{name}.offsets"), &own, values / frames.columns.max(1))?;
                }
                DataStream::Tokens(tokens) => {
                    check.offsets(&format!("{name}.offsets"), &own, tokens.tokens.len())?;
                }
                DataStream::Vector(_) => {}
            }
            check.stream(name, stream)?;
            check.times(name, stream, self.streams.times(name))?;
            offsets.push((format!("{name}.offsets"), own));
        }
        offsets.retain(|(_, own)| !own.is_empty());
        let mut tensors = vec![Tensor::i32("labels", &[self.len()], bytemuck::cast_slice(&self.labels))];
        tensors.extend(offsets.iter().map(|(name, own)| Tensor::i64(name, &[own.len()], own)));
        tensors.extend(self.streams.iter().flat_map(|(name, stream)| content(name, stream, spooled(name))));
        let times = self.streams.iter().filter_map(|(name, _)| Some((name, self.streams.times(name)?)));
        tensors.extend(times.map(|(name, times)| Tensor::f32(format!("{name}.times"), &[times.len(), 2], times.as_flattened())));
        let mut metadata = self.metadata(path)?;
        if let Some(shard) = shard {
            tensors.extend((!shard.recordings.is_empty()).then(|| Tensor::i64(RECORDINGS, &[shard.recordings.len()], &shard.recordings)));
            metadata.extend([json(path, SHARD.into(), &shard.place)?]);
        }
        Ok(store::write(path, &metadata, &tensors)?)
    }

    fn metadata(&self, path: &Path) -> Result<BTreeMap<String, String>, DatasetError> {
        let mut metadata = BTreeMap::from([
            ("format".into(), FORMAT.to_string()),
            ("corpus".into(), self.corpus.clone()),
            json(path, "classes".into(), &self.classes)?,
            json(path, vocabulary_key(TEXT), Vec::<String>::new())?,
            json(path, "utterances".into(), &self.utterances)?,
            json(path, "features".into(), &self.feature_settings)?,
            json(path, "left_out".into(), &self.left_out)?,
            json(path, "other_labels".into(), &self.other_labels)?,
            json(path, "drawn".into(), &self.drawn)?,
        ]);
        if !self.front_ends.is_empty() {
            metadata.extend([json(path, "front_ends".into(), &self.front_ends)?]);
        }
        for (name, stream) in self.streams.iter() {
            if let DataStream::Tokens(tokens) = stream {
                metadata.extend([json(path, vocabulary_key(name), &tokens.vocabulary)?]);
            }
        }
        Ok(metadata)
    }
}

fn json(path: &Path, key: String, value: impl Serialize) -> Result<(String, String), DatasetError> {
    match serde_json::to_string(&value) {
        Ok(text) => Ok((key, text)),
        Err(error) => Err(DatasetError::Metadata { path: path.to_path_buf(), key, problem: format!("cannot be written ({error})") }),
    }
}

fn not_classes(path: &Path, problem: String) -> DatasetError {
    DatasetError::Metadata { path: path.to_path_buf(), key: "classes".into(), problem }
}

/// What a file that has no tensors is, where its beginning tells.
fn other_than_prepared(path: &Path, error: StoreError) -> DatasetError {
    let mut head = Vec::new();
    let is_read = input::file(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)).is_ok();
    let is_letter = |letter: char| !letter.is_control() || letter.is_whitespace();
    let mut index = path.as_os_str().to_owned();
    index.push(INDEX);
    match (&error, str::from_utf8(&head)) {
        (&StoreError::Foreign { what, .. }, _) => DatasetError::Foreign { path: path.into(), what },
        (StoreError::Read { source, .. }, _) if source.kind() == io::ErrorKind::NotFound && files::exists(Path::new(&index)) => {
            DatasetError::InShards { path: path.into(), index: index.into() }
        }
        // Eight bytes of a header's length have a zero among them; a text has none, though its last letter may be cut.
        (StoreError::NotSafetensors { .. }, text) if is_read && !head.is_empty() => {
            let whole = text.map_or_else(|cut| cut.valid_up_to() + 3, str::len);
            let letters = String::from_utf8_lossy(&head);
            let is_text = whole >= head.len() && letters.chars().all(is_letter);
            if is_text { DatasetError::Text { path: path.into() } } else { error.into() }
        }
        _ => error.into(),
    }
}

/// The tensors of a stream but for its offsets.
fn content<'t>(name: &str, stream: &'t DataStream, spooled: Option<&'t SpooledValues>) -> Vec<Tensor<'t>> {
    let matrix = |part: &str, kind: FeatureType, columns: usize, count: usize, content: Content<'t>| Tensor {
        name: format!("{name}.{part}"),
        dtype: kind.dtype(),
        shape: vec![count / columns.max(1), columns],
        content,
    };
    let rows = |part: &str, columns: usize, values: &'t FeatureRows| match spooled {
        Some(SpooledValues { count, kind, file }) => matrix(part, *kind, columns, *count, Content::File(file)),
        None => matrix(part, values.kind(), columns, values.len(), Content::Rows(values)),
    };
    match stream {
        DataStream::Frames(frames) => vec![rows("features", frames.columns, &frames.values)],
        DataStream::Vector(vectors) => vec![rows("values", vectors.columns, &vectors.values)],
        DataStream::Tokens(tokens) => {
            let table = tokens.vectors.as_ref();
            let table = table.map(|table| {
                let values = Content::Bytes(bytemuck::cast_slice(&table.values));
                matrix("vectors", FeatureType::F32, table.width, table.values.len(), values)
            });
            let ids = Tensor::i32(format!("{name}.tokens"), &[tokens.tokens.len()], &tokens.tokens);
            std::iter::once(ids).chain(table).collect()
        }
    }
}

/// Where the words of a stream of tokens stand in the metadata.
fn vocabulary_key(stream: &str) -> String {
    if stream == TEXT { "vocabulary".into() } else { format!("{stream}.vocabulary") }
}

/// Every stream of a file, checked but for the numbers of its features.
fn streams(store: &Store, check: &validate::Checks<'_>) -> Result<Streams, DatasetError> {
    let count = check.utterances.len();
    let offsets = |name: &str, rows: usize| {
        let tensor = format!("{name}.offsets");
        let values = store.tensor(&tensor)?.shaped(&[count + 1])?.integers()?;
        check.offsets(&tensor, &values, rows)
    };
    let mut streams = Streams::default();
    for tensor in store.names() {
        let Some((name, part)) = tensor.rsplit_once('.') else { continue };
        let stream = match part {
            "features" => {
                let values = store.tensor(&tensor)?;
                let [rows, columns] = values.dimensions()?;
                DataStream::Frames(Frames { offsets: offsets(name, rows)?, values: values.into_rows()?, columns })
            }
            "tokens" => {
                let tokens = store.tensor(&tensor)?;
                let [rows] = tokens.dimensions()?;
                DataStream::Tokens(TokenLists {
                    offsets: offsets(name, rows)?,
                    tokens: check.tokens(&tensor, &tokens.integers()?)?,
                    vectors: word_table(store, &format!("{name}.vectors"))?,
                    vocabulary: metadata(store, &vocabulary_key(name))?.unwrap_or_default(),
                })
            }
            "values" => {
                let values = store.tensor(&tensor)?;
                let [_, columns] = values.dimensions()?;
                DataStream::Vector(Vectors { values: values.shaped(&[count, columns])?.into_rows()?, columns })
            }
            "offsets" => {
                // Of nothing, they are half of a stream.
                let rows = ["features", "tokens"].map(|part| format!("{name}.{part}"));
                if !rows.iter().any(|tensor| store.contains(tensor)) {
                    store.tensor(&rows[usize::from(name == TEXT)])?;
                }
                continue;
            }
            _ => continue,
        };
        if streams.get(name).is_some() {
            return Err(check.twice(&tensor));
        }
        check.shape(name, &stream)?;
        streams.insert(name, stream);
    }
    if streams.is_empty() {
        store.tensor(&format!("{AUDIO}.features"))?;
    }
    for tensor in store.names() {
        let Some(name) = tensor.strip_suffix(".times") else { continue };
        let Some(stream) = streams.get(name) else { return Err(check.of_nothing(&tensor)) };
        let times = store.tensor(&tensor)?.shaped(&[stream.rows_of_all(), 2])?.floats()?;
        let times: Vec<[f32; 2]> = times.as_chunks().0.to_vec();
        check.times(name, stream, Some(&times))?;
        streams.set_times(name, times);
    }
    Ok(streams)
}

fn word_table(store: &Store, tensor: &str) -> Result<Option<WordTable>, DatasetError> {
    if !store.contains(tensor) {
        return Ok(None);
    }
    let table = store.tensor(tensor)?;
    let [_, width] = table.dimensions()?;
    Ok(Some(WordTable { width, values: table.floats()? }))
}

/// The JSON under a metadata key, where the key is there.
pub(super) fn metadata<T: for<'de> Deserialize<'de>>(store: &Store, key: &str) -> Result<Option<T>, DatasetError> {
    let parse = |text| {
        serde_json::from_str(text).map_err(|error| DatasetError::Metadata {
            path: store.path().to_path_buf(),
            key: key.into(),
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
    let failed = |problem| DatasetError::Metadata { path: store.path().to_path_buf(), key: "utterances".into(), problem };
    if entries.len() != count {
        return Err(failed(format!("has {} entries for {count} utterances", entries.len())));
    }
    let read = |(utterance, entry): (usize, serde_json::Value)| {
        let mut info: UtteranceInfo =
            serde_json::from_value(entry).map_err(|error| failed(format!("is wrong for utterance {utterance} ({error})")))?;
        if info.id.is_empty() {
            info.id = utterance.to_string();
        }
        Ok::<_, DatasetError>(info)
    };
    let utterances: Vec<UtteranceInfo> = entries.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
    let originals = if store.metadata(SHARD).is_some() { Originals::Anywhere } else { Originals::Here };
    validate::check_copies(&utterances, originals).map_err(failed)?;
    Ok(utterances)
}
