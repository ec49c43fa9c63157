//! What a prepared data set holds.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::DatasetError;
use super::streams::{DataStream, Frames, Streams, TokenLists};
use super::validate::Checks;
use crate::audio::mfcc::SAMPLE_RATE;
use crate::base::streams::{AUDIO, Reading, Readings, StreamShape, TEXT};
use crate::base::utterances::{LeftOut, NO_LABEL, Split};
#[cfg(feature = "files")]
use crate::corpus::{Corpus, Utterance};

/// A table of words to be learned, and none in it.
const WORDLESS: StreamShape = StreamShape::Tokens { width: 0, learned: Some(0) };

/// Streams and labels of a corpus.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// Names of the emotions.
    pub classes: Vec<String>,
    /// [`AUDIO`] and [`TEXT`] of our front-ends, and what a file brings besides.
    pub streams: Streams,
    /// `[utterances]`: index into `classes`; of those of the split [`Split::Unlabelled`], and of no others, [`NO_LABEL`].
    pub labels: Vec<u32>,
    /// `[utterances]`
    pub utterances: Vec<UtteranceInfo>,
    /// Name of the corpus; empty where unknown.
    pub corpus: String,
    /// The data sets that this was joined of; empty of one.
    pub parts: Vec<Part>,
    /// Of a data set in shards, the utterances of each, in order; empty of one file.
    pub shards: Vec<Range<usize>>,
    /// Settings of the front-end that made [`AUDIO`]; null where unknown.
    pub feature_settings: serde_json::Value,
    /// How we made vectors ourselves, by stream; those of other streams are from files.
    pub front_ends: BTreeMap<String, serde_json::Value>,
    /// Utterances that the corpus lists and that could not be used.
    pub left_out: Vec<LeftOut>,
    /// Utterances of labels that are none of `classes`, by label: passed over on purpose.
    pub other_labels: BTreeMap<String, usize>,
    /// Words of [`TEXT`] that no file has a vector for and whose vector was drawn at random.
    pub drawn: Vec<String>,
}

/// A data set that others were joined with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// What ids, speakers, sessions and dialogues of its utterances begin with: the corpus' name where that tells the parts apart, else the
    /// file's.
    pub name: String,
    /// Its utterances among all.
    pub utterances: Range<usize>,
    /// Of each class of its own that is called otherwise in the whole, what it is there.
    pub map: BTreeMap<String, String>,
    /// Utterances of its classes that the whole has not, which have no label, by class.
    pub left_out: BTreeMap<String, usize>,
}

/// What is known of an utterance beside its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UtteranceInfo {
    /// Unique within the data set.
    pub id: String,
    /// What the corpus uses it for; `None` where it does not say.
    #[serde(serialize_with = "write_split", deserialize_with = "read_split")]
    pub split: Option<Split>,
    /// Who speaks; `None` where the corpus does not say.
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub speaker: Option<String>,
    /// The speaker's gender; `None` where the corpus does not say.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "read_name")]
    pub gender: Option<String>,
    /// The recording session; `None` where the corpus does not say.
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub session: Option<String>,
    /// The dialogue that it is a part of; `None` where the corpus does not say.
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub dialogue: Option<String>,
    /// The transcript, as the corpus writes it; empty where there is none.
    pub text: String,
    /// The recording, named from the corpus' root; empty where there is none.
    pub audio: String,
    /// Of a copy, whose split is [`Split::Augmented`], the id of the utterance that it is a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<String>,
}

#[cfg(feature = "files")]
impl UtteranceInfo {
    /// What a corpus knows of an utterance; its recording is named from the corpus' root.
    pub(crate) fn of(utterance: &Utterance, corpus: &Corpus) -> Self {
        Self {
            id: utterance.id.clone(),
            split: utterance.split,
            speaker: utterance.speaker.clone(),
            gender: corpus.genders.get(corpus.own_id(utterance)).cloned(),
            session: utterance.session.clone(),
            dialogue: utterance.dialogue.clone(),
            text: utterance.text.clone(),
            audio: utterance.audio.strip_prefix(&corpus.root).unwrap_or(&utterance.audio).display().to_string(),
            copy_of: corpus.copies.get(&utterance.id).map(|copy| copy.of.clone()),
        }
    }
}

/// Seconds from a frame of [`AUDIO`] to the next: those of the front-end, ten milliseconds where nothing is said of them.
pub(crate) fn hop_seconds(feature_settings: &serde_json::Value) -> f64 {
    let hop = feature_settings.get("hop").and_then(serde_json::Value::as_u64).filter(|&hop| hop > 0);
    hop.map_or(0.01, |hop| hop as f64 / f64::from(SAMPLE_RATE))
}

impl Dataset {
    /// Utterances of which nothing is known but these streams, each a speaker of its own, and all of label 0: what is to be
    /// predicted.
    ///
    /// # Errors
    /// [`DatasetError::Invalid`] where streams are not of as many utterances, or offsets and tokens point beyond their rows.
    pub fn of_streams(streams: Streams) -> Result<Self, DatasetError> {
        let count = streams.iter().next().map_or(0, |(_, stream)| stream.utterances());
        let unknown = |place: usize| UtteranceInfo { id: place.to_string(), speaker: Some(place.to_string()), ..Default::default() };
        let utterances: Vec<UtteranceInfo> = (0..count).map(unknown).collect();
        Checks { path: Path::new("streams"), utterances: &utterances }.whole(&streams).map_err(|error| match error {
            DatasetError::Invalid { path, tensor, utterance, problem, .. } => {
                DatasetError::Invalid { path, tensor, utterance, problem, remedy: "give them as a prepared data set has them" }
            }
            error => error,
        })?;
        Ok(Self { labels: vec![0; count], utterances, streams, ..Self::default() })
    }

    /// Number of utterances.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none; never so of a data set that was loaded.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The acoustic features, where there are any.
    pub fn audio(&self) -> Option<&Frames> {
        self.streams.frames(AUDIO)
    }

    /// The tokens of the transcripts, where there are any.
    pub fn text(&self) -> Option<&TokenLists> {
        self.streams.tokens(TEXT)
    }

    /// The stream that a model reads.
    ///
    /// # Errors
    /// [`DatasetError::NoStream`] where there is none of that name and kind, or one of tokens without a word to learn.
    pub(crate) fn stream(&self, reading: &Reading) -> Result<&DataStream, DatasetError> {
        let suits = |stream: &&DataStream| reading.kind.suits(stream.shape(0)) && stream.shape(0) != WORDLESS;
        let stream = self.streams.get(reading.stream).filter(suits);
        stream.ok_or_else(|| DatasetError::NoStream {
            stream: reading.stream.into(),
            kind: reading.kind.name(),
            avoided_by: reading.avoided_by,
        })
    }

    /// Rows of an utterance of each stream, in the order of their names, at most `max_frames` frames: what tells how much work it
    /// is.
    pub(crate) fn lengths(&self, utterance: usize, max_frames: usize) -> Vec<usize> {
        self.streams.iter().map(|(_, stream)| stream.length(utterance, max_frames)).collect()
    }

    /// Those of some utterances that have more rows of a stream than are read of it.
    #[cfg(feature = "cli")]
    pub(crate) fn longer(&self, utterances: &[usize], readings: &Readings) -> Vec<usize> {
        let read = || readings.iter().filter_map(|reading| Some((self.streams.get(reading.stream)?, readings.most(reading.stream))));
        let is_cut = |utterance: usize| read().any(|(stream, most)| stream.length(utterance, usize::MAX) > stream.length(utterance, most));
        utterances.iter().copied().filter(|&utterance| is_cut(utterance)).collect()
    }

    /// Mean rows of some utterances of a stream as a model that reads it lays them out, rounded; 0 where there is none.
    pub(crate) fn mean_length(&self, stream: &str, utterances: &[usize], readings: &Readings) -> usize {
        let Some(data) = self.streams.get(stream) else { return 0 };
        let (least, most) = (readings.least(stream), readings.most(stream));
        let sum: usize = utterances.iter().map(|&utterance| data.length(utterance, most).max(least)).sum();
        (sum as f64 / utterances.len().max(1) as f64).round() as usize
    }

    /// Of some utterances, those of each part that has any, with the part; nothing of a data set that is one.
    pub(crate) fn by_part(&self, utterances: &[usize]) -> Vec<(&Part, Vec<usize>)> {
        let of = |part: &Part| utterances.iter().copied().filter(|utterance| part.utterances.contains(utterance)).collect::<Vec<_>>();
        self.parts.iter().map(|part| (part, of(part))).filter(|(_, own)| !own.is_empty()).collect()
    }

    /// The utterances of a split, in the file's order.
    pub fn split(&self, split: Split) -> Vec<usize> {
        (0..self.len()).filter(|&utterance| self.utterances[utterance].split == Some(split)).collect()
    }

    /// The utterances to learn from: the training split, or all with a label where none of these is of any split; and the copies of those.
    pub fn training(&self) -> Vec<usize> {
        let own: Vec<usize> = (0..self.len()).filter(|&utterance| self.is_divided(utterance)).collect();
        let is_undivided = own.iter().all(|&utterance| self.utterances[utterance].split.is_none());
        let own = if is_undivided { own } else { self.split(Split::Train) };
        if !self.utterances.iter().any(|info| info.copy_of.is_some()) {
            return own;
        }
        let ids: HashSet<&str> = own.iter().map(|&utterance| self.utterances[utterance].id.as_str()).collect();
        let is_copy = |info: &UtteranceInfo| info.copy_of.as_deref().is_some_and(|of| ids.contains(of));
        let copies = (0..self.len()).filter(|&utterance| is_copy(&self.utterances[utterance]));
        let mut all: Vec<usize> = own.iter().copied().chain(copies).collect();
        all.sort_unstable();
        all
    }

    /// Whether an utterance is one that splits and folds divide: it has a label, and is no copy.
    pub(crate) fn is_divided(&self, utterance: usize) -> bool {
        self.is_labelled(utterance) && self.utterances[utterance].copy_of.is_none()
    }

    /// Gives the utterances the classes of another data set, by the index that each of theirs has there; those of a class without one
    /// have no label any more.
    #[cfg(feature = "files")]
    pub(crate) fn map_labels(&mut self, to: &[Option<usize>], classes: &[String]) {
        for label in &mut self.labels {
            *label = to.get(*label as usize).copied().flatten().map_or(NO_LABEL, |class| class as u32);
        }
        self.classes = classes.to_vec();
    }

    /// Whether an utterance has a label.
    pub fn is_labelled(&self, utterance: usize) -> bool {
        self.labels[utterance] != NO_LABEL
    }

    /// The name of an utterance's class; `None` where it has no label.
    pub fn class_of(&self, utterance: usize) -> Option<&str> {
        self.classes.get(self.labels[utterance] as usize).map(String::as_str)
    }

    /// `[classes]`: how many of the given utterances are of each class; those without label are of none.
    pub(crate) fn class_counts(&self, utterances: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &utterance in utterances.iter().filter(|&&utterance| self.is_labelled(utterance)) {
            counts[self.labels[utterance] as usize] += 1;
        }
        counts
    }
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
    let unknown =
        |name: &str| serde::de::Error::custom(format!("unknown split '{name}', known are train, validation, test, unlabelled, augmented"));
    read_name(deserializer)?.map(|name| Split::from_name(&name).ok_or_else(|| unknown(&name))).transpose()
}
