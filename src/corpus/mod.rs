//! From a corpus on disk to a list of utterances: one file per corpus layout. Recordings are looked for, not decoded.
//!
//! | layout | what is read |
//! | --- | --- |
//! | [`iemocap`] | `Session{1..5}` of IEMOCAP_full_release: label files, transcripts, sentence WAVs |
//! | [`meld`] | MELD.Raw: a CSV and a folder of clips for each split |
//! | [`ravdess`], [`emodb`], [`cremad`], [`tess`], [`savee`], [`emovo`], [`ased`] | recordings whose names say speaker, sentence and emotion |
//! | [`esd`] | such, and a file of transcripts for each speaker |
//! | [`nemo`], [`msp_podcast`] | a table of labels and a folder of recordings |
//! | [`folders`] | a folder of recordings for each class |
//! | [`manifest`] | a CSV with a line for each utterance |
//! | `list` | a CSV of utterances without labels, to be predicted |
//!
//! [`CorpusLayout`] chooses one; [`split`] divides a corpus anew, [`emobox`] as EmoBox does; [`label_map`] knows which class of one corpus is which of another; [`published`] knows how many utterances there should be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

mod alignment;
pub mod ased;
mod copies;
pub mod cremad;
mod doubt;
pub mod emobox;
pub mod emodb;
pub mod emovo;
mod error;
pub mod esd;
mod folder;
pub mod folders;
pub mod iemocap;
pub mod label_map;
mod layout;
pub mod list;
pub mod manifest;
pub mod meld;
pub mod msp_podcast;
mod named;
mod names;
pub mod nemo;
pub mod published;
mod quotes;
pub mod ravdess;
pub mod savee;
pub mod split;
mod table;
pub mod tess;
pub mod transcript;

pub use alignment::Alignment;
pub use copies::AudioCopy;
pub use doubt::Doubt;
pub use error::CorpusError;
#[cfg(feature = "cli")]
pub(crate) use folder::{files_below, is_recording};
pub use layout::CorpusLayout;
pub use names::Named;

use crate::audio::vectors::VectorFrontEnd;
use crate::base::streams::TEXT;
pub use crate::base::utterances::{LeftOut, Split};

/// One spoken sentence: a recording, its transcript and its emotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Utterance {
    /// Unique within the corpus.
    pub id: String,
    /// The recording; empty in a corpus without any.
    pub audio: PathBuf,
    /// The transcript, as the corpus writes it.
    pub text: String,
    /// The emotion's name, one of [`Corpus::classes`]; empty of the split [`Split::Unlabelled`], and of no other.
    pub label: String,
    /// What the corpus itself uses it for, where it says so.
    pub split: Option<Split>,
    /// Who speaks, as the corpus names them.
    pub speaker: Option<String>,
    /// The recording session that it is from.
    pub session: Option<String>,
    /// The conversation that it is a part of.
    pub dialogue: Option<String>,
}

/// The utterances of a corpus, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Corpus {
    /// As the prepared file keeps it: the layout's name, of a manifest the file's.
    pub name: String,
    /// The folder that holds the corpus; the prepared file names recordings relative to it.
    pub root: PathBuf,
    /// Names of the emotions, sorted: the order does not change with the order of the files.
    pub classes: Vec<String>,
    /// Those that can be used, for all that is known before their recordings are decoded.
    pub utterances: Vec<Utterance>,
    /// What the corpus lists but cannot be used, in its order.
    pub left_out: Vec<LeftOut>,
    /// Utterances whose label is none of the chosen classes, counted by label. They are passed over on purpose.
    pub other_labels: BTreeMap<String, usize>,
    /// Files of acoustic features by id, where those are taken in place of the recordings.
    pub features: BTreeMap<String, PathBuf>,
    /// Samples from a frame of those to the next, where it is known.
    pub feature_hop: Option<usize>,
    /// Where features beside recording and words lie, by the stream that they become; under [`TEXT`] those that are taken in place of the
    /// words, a file for every utterance.
    pub further: BTreeMap<&'static str, FeatureSource>,
    /// Files that say when the words of an utterance are said, by id.
    pub alignments: BTreeMap<String, PathBuf>,
    /// Genders of those who speak, by the id of the utterance, where they are known: `female`, `male`, or as the corpus has them.
    pub genders: BTreeMap<String, String>,
    /// Utterances that are changed copies of others, which stand before them, by id.
    pub copies: BTreeMap<String, AudioCopy>,
    /// Of a manifest, the line in which each utterance starts, by id.
    pub lines: BTreeMap<String, u64>,
    /// What it can be read with and is hardly meant.
    pub doubts: Vec<Doubt>,
}

/// Where the features of a stream lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeatureSource {
    /// A file of each utterance that has some, by id.
    Files(BTreeMap<String, PathBuf>),
    /// A table with a line for each of them.
    Table(PathBuf),
    /// The recordings, of which we compute it.
    Recordings(VectorFrontEnd),
}

impl Corpus {
    /// A corpus whose classes are the labels that occur, sorted by name.
    pub fn new(name: impl Into<String>, root: impl Into<PathBuf>, utterances: Vec<Utterance>) -> Self {
        let labels = utterances.iter().map(|utterance| utterance.label.as_str());
        let classes: BTreeSet<&str> = labels.filter(|label| !label.is_empty()).collect();
        let classes = classes.into_iter().map(str::to_owned).collect();
        Self { name: name.into(), root: root.into(), classes, utterances, ..Self::default() }
    }

    /// A corpus of these classes, whether they occur or not: part of a corpus has the classes of the whole.
    pub(crate) fn with_classes(
        name: impl Into<String>,
        root: impl Into<PathBuf>,
        classes: &[impl AsRef<str>],
        utterances: Vec<Utterance>,
    ) -> Self {
        let classes: BTreeSet<&str> = classes.iter().map(AsRef::as_ref).collect();
        let classes = classes.into_iter().map(str::to_owned).collect();
        Self { name: name.into(), root: root.into(), classes, utterances, ..Self::default() }
    }

    /// Takes the acoustic features of each utterance from a folder: `ID.npy` or `ID.safetensors`, or with the recording's name in place
    /// of the id. One that has neither will be missing when it is read.
    pub fn take_features_from(&mut self, folder: &Path) {
        self.features = self.files_in(folder);
    }

    /// Takes features of the words of each utterance from such a folder.
    pub fn take_text_features_from(&mut self, folder: &Path) {
        self.further.insert(TEXT, FeatureSource::Files(self.files_in(folder)));
    }

    /// The file of each utterance, the first that it may be called where there is none.
    fn files_in(&self, folder: &Path) -> BTreeMap<String, PathBuf> {
        let file = |utterance: &Utterance| {
            let mut files = files_of(utterance, folder, MATRICES);
            let first = files.first().cloned().unwrap_or_else(|| folder.into());
            files.retain(|file| file.exists());
            (utterance.id.clone(), files.into_iter().next().unwrap_or(first))
        };
        self.utterances.iter().map(file).collect()
    }

    /// Takes features beside recording and words from a folder with files as above, where an utterance without one lacks them, or from a
    /// table of a line an utterance.
    pub fn take_further_from(&mut self, stream: &'static str, path: &Path) {
        let file = |utterance: &Utterance| {
            let there = files_of(utterance, path, MATRICES).into_iter().find(|file| file.exists())?;
            Some((utterance.id.clone(), there))
        };
        let folder = path.is_dir().then(|| FeatureSource::Files(self.utterances.iter().filter_map(file).collect()));
        self.further.insert(stream, folder.unwrap_or_else(|| FeatureSource::Table(path.into())));
    }

    /// Takes when the words are said from a folder: `ID.csv` or `ID.wdseg`, or with the recording's name in place of the id, where there is
    /// such a file.
    pub fn take_alignments_from(&mut self, folder: &Path) {
        let file = |utterance: &Utterance| {
            let mut files = files_of(utterance, folder, ALIGNMENTS).into_iter();
            Some((utterance.id.clone(), files.find(|file| file.exists())?))
        };
        self.alignments = self.utterances.iter().filter_map(file).collect();
    }

    /// The corpus with genders of those who speak, where `of` knows them.
    pub(crate) fn with_genders(mut self, of: impl Fn(&Utterance) -> Option<String>) -> Self {
        let known = |utterance: &Utterance| Some((utterance.id.clone(), of(utterance)?));
        self.genders = self.utterances.iter().filter_map(known).collect();
        self
    }

    /// `[utterances]`: each one's index into `classes`, -1 of those without label.
    pub fn labels(&self) -> Vec<i32> {
        let index = |label| self.classes.binary_search(label).map_or(-1, |index| index as i32);
        self.utterances.iter().map(|utterance| index(&utterance.label)).collect()
    }

    /// The corpus, if there is anything in it to use.
    fn unless_empty(self) -> Result<Self, CorpusError> {
        let path = self.root.clone();
        match self.left_out.first() {
            _ if !self.utterances.is_empty() => Ok(self),
            Some(LeftOut { id, reason }) => {
                Err(CorpusError::NothingUsable { path, listed: self.left_out.len(), id: id.clone(), reason: reason.clone() })
            }
            None => Err(CorpusError::OtherLabelsOnly { path, labels: counted(&self.other_labels) }),
        }
    }
}

/// The name of a gender: a letter alone stands for a word.
fn gender(name: &str) -> String {
    match name.to_lowercase().as_str() {
        "f" | "female" => "female".into(),
        "m" | "male" => "male".into(),
        _ => name.into(),
    }
}

/// What files of features, and of the times of words, end with.
const MATRICES: [&str; 2] = ["npy", "safetensors"];
const ALIGNMENTS: [&str; 2] = ["csv", "wdseg"];

/// What a file of an utterance may be called in a folder.
fn files_of(utterance: &Utterance, folder: &Path, extensions: [&str; 2]) -> Vec<PathBuf> {
    let stem = folder::stem(&utterance.audio);
    let names = [utterance.id.as_str(), &stem].into_iter().filter(|name| !name.is_empty());
    names.flat_map(|name| extensions.map(|extension| folder.join(format!("{name}.{extension}")))).collect()
}

/// Labels and how often each occurs, in words.
fn counted(labels: &BTreeMap<String, usize>) -> String {
    labels.iter().map(|(label, count)| format!("{count} {label}")).collect::<Vec<_>>().join(", ")
}

/// `PATH`, or the folder `name` in it where the user gave the folder that holds the corpus.
fn inner(path: &Path, name: &str) -> PathBuf {
    let inner = path.join(name);
    if inner.is_dir() { inner } else { path.into() }
}
