//! What a prepared data set holds.

use std::collections::BTreeMap;
use std::ops::Range;
#[cfg(feature = "files")]
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::features::FeatureRows;
use crate::base::utterances::{LeftOut, Split};
use crate::base::words::WordTable;
#[cfg(feature = "files")]
use crate::corpus::Utterance;

/// Features, tokens and labels of a corpus, ragged: utterance u has the rows `offsets[u]..offsets[u + 1]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Dataset {
    /// Names of the emotions.
    pub classes: Vec<String>,
    /// Columns of `features`.
    pub coefficients: usize,
    /// `[frames, coefficients]`: MFCC before normalisation, all of every utterance.
    pub features: FeatureRows,
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
    /// Utterances that the corpus lists and that could not be used.
    pub left_out: Vec<LeftOut>,
    /// Utterances of labels that are none of `classes`, by label: passed over on purpose.
    pub other_labels: BTreeMap<String, usize>,
    /// Words of `vocabulary` that no file has a vector for and whose vector was drawn at random.
    pub drawn: Vec<String>,
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

#[cfg(feature = "files")]
impl UtteranceInfo {
    /// What is known of an utterance of the corpus below `root`; its recording is named from there.
    pub fn of(utterance: &Utterance, root: &Path) -> Self {
        Self {
            id: utterance.id.clone(),
            split: utterance.split,
            speaker: utterance.speaker.clone(),
            session: utterance.session.clone(),
            dialogue: utterance.dialogue.clone(),
            text: utterance.text.clone(),
            audio: utterance.audio.strip_prefix(root).unwrap_or(&utterance.audio).display().to_string(),
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
