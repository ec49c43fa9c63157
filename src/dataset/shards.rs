//! A data set in shards: files of the same format, each a data set of its own, whose utterances follow on one another, and an index.
//!
//! The index, format `mcsan-shards/1`, is JSON: `format`, `shards`, a list of `{file, utterances, bytes, fingerprint}` of files beside the
//! index, and as far as known `plan` and `corpus`. Of a shard only `file` is required: without the others it is taken as it is. A shard of
//! `mcsan prepare` says under `shard` of its metadata which it is, `{number, of, plan}`, and holds the vocabulary and the vectors of the
//! whole; its tensor `recordings`, I64 `[U]`, has a number of each utterance's recording, 0 of none.

use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::DatasetError;
use super::features::FeatureRows;
use super::file::metadata;
use super::fingerprint::Fingerprint;
use super::look::Unseen;
#[cfg(feature = "cli")]
use super::look::Wanted;
use super::prepared::Dataset;
use super::store::{Store, StoreError};
use super::streams::{DataStream, Frames, Streams, TokenLists, Vectors};
use super::validate::{Originals, check_copies};
use crate::base::files;
use crate::base::format::Format;
use crate::base::input;
use crate::base::remedy::Preparation;

/// What an index is called behind the name of the data set.
pub(crate) const INDEX: &str = ".index.json";

/// What the index says as its `format`.
pub(crate) const FORMAT: Format = Format::new("mcsan-shards", 1);
/// Under which a shard's metadata say which it is.
pub(super) const SHARD: &str = "shard";
/// The tensor of numbers of recordings.
pub(super) const RECORDINGS: &str = "recordings";

/// Bytes of a file that tell whether it is a text.
const HEAD: u64 = 8;

/// Which files a data set is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    pub format: String,
    /// What the shards were prepared of and by; shards of another do not go with them.
    #[serde(default)]
    pub plan: Option<String>,
    #[serde(default)]
    pub corpus: String,
    pub shards: Vec<Entry>,
}

/// What an index says of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its name, beside the index.
    pub file: String,
    #[serde(default)]
    pub utterances: Option<usize>,
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Of its data and of its metadata.
    #[serde(default)]
    pub fingerprint: Option<String>,
}

/// Which shard a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// From 1 on.
    pub number: usize,
    pub of: usize,
    pub plan: String,
}

/// What a shard has besides a data set of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Belonging {
    pub place: Place,
    /// `[utterances]`: a number of each one's recording, the same for the same, 0 of none; empty where none is known.
    pub recordings: Vec<i64>,
}

/// A shard that was read.
pub(crate) struct Shard {
    pub data: Dataset,
    /// `None` of a data set that does not say so.
    pub belonging: Option<Belonging>,
    pub bytes: u64,
    pub fingerprint: String,
}

/// Why a shard is not the one that an index lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShardFault {
    /// There is none.
    Missing,
    /// It is another of the same data: number, of how many.
    Exchanged(usize, usize),
    /// It is of other data, or of the same prepared otherwise.
    Foreign,
    /// It is of another size, in bytes.
    Size {
        /// Its own.
        found: u64,
        /// That of the index.
        expected: u64,
    },
    /// It has other utterances.
    Utterances {
        /// Its own.
        found: usize,
        /// Those of the index.
        expected: usize,
    },
    /// Its content is another.
    Changed,
}

impl Display for ShardFault {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("is missing"),
            Self::Exchanged(number, of) => write!(formatter, "is shard {number} of {of}, not this one"),
            Self::Foreign => formatter.write_str("is of other data, or was prepared otherwise"),
            Self::Size { found, expected } => write!(formatter, "has {found} bytes, not {expected}"),
            Self::Utterances { found, expected } => write!(formatter, "has {found} utterances, not {expected}"),
            Self::Changed => formatter.write_str("was changed: its content is not what the index says"),
        }
    }
}

impl Index {
    /// Reads an index; `None` of a file that is none, whatever else it is.
    ///
    /// # Errors
    /// A document that is no right index, or of a newer version.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, DatasetError> {
        // What cannot be opened is told by who reads the data.
        let Ok(file) = input::file(path) else { return Ok(None) };
        let mut text = Vec::new();
        let failed = |source| StoreError::Read { path: path.to_path_buf(), source };
        file.take(HEAD).read_to_end(&mut text).map_err(failed)?;
        // The length of a header, which is no text, has a zero among its bytes.
        if !text.starts_with(b"{") || text.contains(&0) {
            return Ok(None);
        }
        text.clear();
        input::file(path).and_then(|mut file| file.read_to_end(&mut text)).map_err(failed)?;
        let Ok(text) = String::from_utf8(text) else { return Ok(None) };
        Self::of_text(path, &text)
    }

    fn of_text(path: &Path, text: &str) -> Result<Option<Self>, DatasetError> {
        let wrong = |problem: String| DatasetError::Index { path: path.to_path_buf(), problem };
        /// Whatever else is in it.
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
        }
        let head: Head = match serde_json::from_str(text) {
            Ok(head) => head,
            Err(error) if text.contains(FORMAT.name) => return Err(wrong(format!("is no whole index of shards ({error})"))),
            Err(_) => return Ok(None),
        };
        let said = head.format.unwrap_or_else(|| "none".into());
        let version = FORMAT.version_of(&said).map_err(|newer| DatasetError::Newer { path: path.to_path_buf(), newer })?;
        if version.is_none() {
            return Err(DatasetError::Format { path: path.to_path_buf(), found: said, expected: FORMAT.to_string() });
        }
        let index: Self = serde_json::from_str(text).map_err(|error| wrong(format!("is not as it should be ({error})")))?;
        if index.shards.is_empty() {
            return Err(wrong("lists no shards".into()));
        }
        let mut seen = HashSet::new();
        for Entry { file, .. } in &index.shards {
            if Path::new(file).file_name().is_none_or(|name| name != file.as_str()) || file.contains(['/', '\\']) {
                return Err(wrong(format!("lists '{file}', which is no name of a file beside it")));
            }
            if !seen.insert(file.as_str()) {
                return Err(wrong(format!("lists '{file}' twice")));
            }
        }
        Ok(Some(index))
    }

    /// Its shards, in their order. Of an index that is a link to another folder they may lie beside either.
    pub(crate) fn paths(&self, path: &Path) -> Vec<PathBuf> {
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let file = |entry: &Entry| {
            let beside = [path, &target].map(|index| index.with_file_name(&entry.file));
            let [own, there] = beside;
            if !files::exists(&own) && files::exists(&there) { there } else { own }
        };
        self.shards.iter().map(file).collect()
    }

    /// As it is written.
    ///
    /// # Errors
    /// What JSON cannot hold.
    #[cfg(feature = "cli")]
    pub(crate) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Opens the shards, checks each but for its features, and puts them together: what the data set is in one file.
    pub(super) fn open(&self, path: &Path) -> Result<Unseen, DatasetError> {
        let (mut whole, mut shards) = (Shards::default(), Vec::new());
        for (place, (entry, file)) in self.shards.iter().zip(self.paths(path)).enumerate() {
            let fault = |fault: ShardFault| DatasetError::Shard { path: file.clone(), index: path.to_path_buf(), fault };
            let about = files::metadata(&file);
            if about.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                return Err(fault(ShardFault::Missing));
            }
            let found = about.map_or(0, |about| about.len());
            let size = || entry.bytes.filter(|&bytes| bytes != found).map(|expected| fault(ShardFault::Size { found, expected }));
            let store = Dataset::open(&file).map_err(|error| size().unwrap_or(error))?;
            // What was right when its fingerprint was taken is wrong because it was changed.
            let changed = |error| match error {
                DatasetError::Invalid { .. } | DatasetError::Metadata { .. } if entry.fingerprint.is_some() => fault(ShardFault::Changed),
                error => error,
            };
            if let (Some(own), Some(plan)) = (Place::of(&store).map_err(changed)?, &self.plan) {
                if own.plan != *plan || own.of != self.shards.len() {
                    return Err(fault(ShardFault::Foreign));
                }
                if own.number != place + 1 {
                    return Err(fault(ShardFault::Exchanged(own.number, own.of)));
                }
            } else if self.plan.is_some() {
                return Err(fault(ShardFault::Foreign));
            }
            if let Some(error) = size() {
                return Err(error);
            }
            let shard = Shard::of_store(&store).map_err(changed)?;
            if let Some(expected) = entry.utterances.filter(|&count| count != shard.data.len()) {
                return Err(fault(ShardFault::Utterances { found: shard.data.len(), expected }));
            }
            let promised = entry.fingerprint.as_ref().map(|expected| Promised {
                path: file.clone(),
                index: path.to_path_buf(),
                own: ShardFingerprint::of(&shard.data, &store),
                expected: expected.clone(),
            });
            if let Err(error) = whole.push(file, shard.data) {
                // One that was changed is told so, however it differs now.
                return Err(promised.and_then(|shard| shard.check().err()).unwrap_or(error));
            }
            shards.extend(promised);
        }
        let data = whole.into_data();
        check_copies(&data.utterances, Originals::Here).map_err(|problem| DatasetError::Metadata {
            path: path.to_path_buf(),
            key: "utterances".into(),
            problem,
        })?;
        Ok(Unseen { data, path: path.to_path_buf(), shards, place: None })
    }
}

/// What tells a shard from any other: a data set's fingerprint, and a hash of the file's header.
#[derive(Debug)]
struct ShardFingerprint {
    data: Fingerprint,
    header: u64,
}

impl ShardFingerprint {
    fn of(data: &Dataset, store: &Store) -> Self {
        Self { data: Fingerprint::of(data), header: store.header_hash() }
    }

    fn text(&self) -> Result<String, DatasetError> {
        Ok(format!("{}-{:016x}", self.data.with_splits()?, self.header))
    }
}

/// A shard of an index that says what is in it.
#[derive(Debug)]
pub(crate) struct Promised {
    path: PathBuf,
    index: PathBuf,
    own: ShardFingerprint,
    expected: String,
}

impl Promised {
    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is the one of the index.
    ///
    /// # Errors
    /// [`ShardFault::Changed`]; features that cannot be read.
    pub(super) fn check(&self) -> Result<(), DatasetError> {
        match self.own.text()? == self.expected {
            true => Ok(()),
            false => Err(DatasetError::Shard { path: self.path.clone(), index: self.index.clone(), fault: ShardFault::Changed }),
        }
    }
}

impl Place {
    /// That of a file, where it says so.
    pub(crate) fn of(store: &Store) -> Result<Option<Self>, DatasetError> {
        metadata(store, SHARD)
    }
}

impl Shard {
    /// Reads a file and checks all of it.
    ///
    /// # Errors
    /// Those of [`Dataset::load`].
    #[cfg(feature = "cli")]
    pub(crate) fn load(path: &Path) -> Result<Self, DatasetError> {
        let store = Dataset::open(path)?;
        let shard = Self::of_store(&store)?;
        let unseen = Unseen { data: shard.data, path: path.to_path_buf(), shards: Vec::new(), place: None };
        let data = unseen.look(&Wanted::default())?;
        let fingerprint = ShardFingerprint::of(&data, &store).text()?;
        Ok(Self { data, fingerprint, ..shard })
    }

    /// Without its fingerprint, which takes a pass over its features.
    fn of_store(store: &Store) -> Result<Self, DatasetError> {
        let data = Dataset::of_store(store)?;
        let recordings = || match store.contains(RECORDINGS) {
            true => store.tensor(RECORDINGS)?.shaped(&[data.len()])?.integers(),
            false => Ok(Vec::new()),
        };
        let belonging = match Place::of(store)? {
            Some(place) => Some(Belonging { place, recordings: recordings()? }),
            None => None,
        };
        Ok(Self { data, belonging, bytes: store.bytes(), fingerprint: String::new() })
    }

    /// Writes the shard anew, with what was changed of its data, and says what it is then.
    ///
    /// # Errors
    /// Those of [`Dataset::save`].
    #[cfg(feature = "cli")]
    pub(crate) fn save(&mut self, path: &Path) -> Result<(), DatasetError> {
        if let Some(belonging) = &self.belonging {
            self.data.save_shard(path, belonging)?;
        }
        let store = Dataset::open(path)?;
        self.fingerprint = ShardFingerprint::of(&self.data, &store).text()?;
        self.bytes = store.bytes();
        Ok(())
    }
}

/// Shards that are put together, one after the other.
#[derive(Default)]
pub(crate) struct Shards {
    whole: Dataset,
    first: PathBuf,
    /// Values of each stream of frames or vectors, of each shard.
    values: Vec<(String, Vec<FeatureRows>)>,
}

impl Shards {
    /// Adds the utterances of one.
    ///
    /// # Errors
    /// [`DatasetError::NotAlike`]: other classes, streams or words than those of the first.
    pub(crate) fn push(&mut self, path: PathBuf, mut data: Dataset) -> Result<(), DatasetError> {
        data.streams.iter().filter(|(_, stream)| stream.values().is_some()).for_each(|(name, stream)| {
            let values = stream.values().cloned().unwrap_or_default();
            match self.values.iter_mut().find(|(own, _)| own == name) {
                Some((_, all)) => all.push(values),
                None => self.values.push((name.to_owned(), vec![values])),
            }
        });
        let whole = &mut self.whole;
        if whole.is_empty() {
            self.first = path;
            *whole = data;
            whole.shards = std::iter::once(0..whole.len()).collect();
            return Ok(());
        }
        if let Some((difference, remedy)) = difference(whole, &data) {
            return Err(DatasetError::NotAlike { path, first: self.first.clone(), difference, remedy });
        }
        let first = whole.len();
        whole.labels.append(&mut data.labels);
        whole.utterances.append(&mut data.utterances);
        whole.shards.push(first..whole.len());
        whole.left_out.append(&mut data.left_out);
        data.other_labels.into_iter().for_each(|(label, count)| *whole.other_labels.entry(label).or_default() += count);
        let names: Vec<String> = data.streams.iter().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            join_times(&mut whole.streams, &data.streams, &name);
            let (Some(own), Some(other)) = (whole.streams.get_mut(&name), data.streams.get(&name)) else { continue };
            match (own, other) {
                (DataStream::Frames(own), DataStream::Frames(other)) => add_offsets(&mut own.offsets, &other.offsets),
                (DataStream::Tokens(own), DataStream::Tokens(other)) => {
                    own.tokens.extend_from_slice(&other.tokens);
                    add_offsets(&mut own.offsets, &other.offsets);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The whole.
    pub(crate) fn into_data(self) -> Dataset {
        let Self { mut whole, values, .. } = self;
        for (name, values) in values {
            let stream = whole.streams.get_mut(&name);
            if let Some(DataStream::Frames(Frames { values: own, .. }) | DataStream::Vector(Vectors { values: own, .. })) = stream {
                *own = values.into_iter().collect();
            }
        }
        whole
    }
}

fn add_offsets(offsets: &mut Vec<usize>, others: &[usize]) {
    let before = offsets.last().copied().unwrap_or(0);
    offsets.extend(others.iter().skip(1).map(|offset| before + offset));
}

/// Adds the times of a stream's rows, before its rows; where only one of two has some, the others' are not known.
fn join_times(whole: &mut Streams, other: &Streams, name: &str) {
    if whole.times(name).is_none() && other.times(name).is_none() {
        return;
    }
    let of = |streams: &Streams| match streams.times(name) {
        Some(times) => times.to_vec(),
        None => vec![[f32::NAN; 2]; streams.get(name).map_or(0, DataStream::rows_of_all)],
    };
    let mut times = of(whole);
    times.extend(of(other));
    whole.set_times(name, times);
}

/// What of a data set keeps its utterances from following on another's.
fn difference(whole: &Dataset, other: &Dataset) -> Option<(String, Preparation)> {
    if whole.classes != other.classes {
        return Some((
            format!("its classes are {}, there they are {}", other.classes.join(", "), whole.classes.join(", ")),
            Preparation::Labels,
        ));
    }
    if whole.feature_settings != other.feature_settings || whole.front_ends != other.front_ends {
        return Some(("its features were made otherwise".into(), Preparation::FrontEnd));
    }
    let names = |data: &Dataset| data.streams.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
    if names(whole) != names(other) {
        let [own, there] = [other, whole].map(|data| names(data).join(", "));
        return Some((format!("its streams are {own}, there they are {there}"), Preparation::FrontEnd));
    }
    for (name, own) in other.streams.iter() {
        let there = whole.streams.get(name)?;
        if std::mem::discriminant(own) != std::mem::discriminant(there) || own.columns() != there.columns() {
            return Some((format!("its '{name}' is of another kind or width"), Preparation::FrontEnd));
        }
        if let (DataStream::Tokens(own), DataStream::Tokens(there)) = (own, there)
            && !have_same_words(own, there)
        {
            return Some((format!("the words of '{name}', or their vectors, are others"), Preparation::Vectors));
        }
    }
    None
}

/// Whether tokens are rows of one table.
fn have_same_words(own: &TokenLists, there: &TokenLists) -> bool {
    own.vocabulary == there.vocabulary && own.vectors == there.vectors && (own.vectors.is_some() || !own.vocabulary.is_empty())
}
