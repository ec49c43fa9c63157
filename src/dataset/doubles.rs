//! Recordings that a data set has more than once, under whatever names: figures of a test utterance that was trained on say nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::error::DatasetError;
use super::prepared::Dataset;
use crate::base::hash;
use crate::base::utterances::Split;

/// Recordings, and utterances of each, that are told; [`Conflict`] holds all.
const TOLD: usize = 3;

/// Which utterances are of one recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doubles {
    /// `[utterances]`: the first utterance of the same recording, which most often is the utterance itself.
    first: Vec<usize>,
}

impl Doubles {
    /// Of recordings that were decoded: their [`of_samples`]; equal ones are of one recording.
    pub(crate) fn of_hashes(hashes: &[Option<u64>]) -> Self {
        let mut known: HashMap<u64, usize> = HashMap::new();
        let first = |(utterance, hash): (usize, &Option<u64>)| hash.map_or(utterance, |hash| *known.entry(hash).or_insert(utterance));
        Self { first: hashes.iter().enumerate().map(first).collect() }
    }

    /// Of acoustic features: equal ones are of one recording. Without features every utterance is one of its own.
    ///
    /// # Errors
    /// Those of [`FeatureRows::read`](super::FeatureRows::read).
    pub fn of(data: &Dataset) -> Result<Self, DatasetError> {
        let Some(audio) = data.audio() else { return Ok(Self { first: (0..data.len()).collect() }) };
        let rows = |utterance| audio.rows(audio.of(utterance, usize::MAX));
        // Frames that are all the same are of silence, which is no recording.
        let sounds = |rows: &[f32]| rows.chunks(audio.columns.max(1)).any(|frame| frame != &rows[..frame.len()]);
        let known = audio.values.recordings(&audio.offsets)?.filter(|known| known.len() == data.len());
        let hash = |utterance: usize| match (&data.utterances[utterance].copy_of, known) {
            // A copy goes with what it is of.
            (Some(_), _) => Ok(None),
            (None, Some(known)) => Ok(known[utterance]),
            (None, None) => rows(utterance).map(|rows| sounds(&rows).then(|| hash::of_words(bytemuck::cast_slice(&rows)))),
        };
        let mut doubles = Self::of_hashes(&(0..data.len()).map(hash).collect::<Result<Vec<_>, _>>()?);
        for utterance in 0..data.len() {
            // A hash says that they may be equal.
            let first = doubles.first[utterance];
            if first != utterance && rows(utterance)? != rows(first)? {
                doubles.first[utterance] = utterance;
            }
        }
        Ok(doubles)
    }

    /// The first utterance of an utterance's recording.
    pub(crate) fn first(&self, utterance: usize) -> usize {
        self.first[utterance]
    }

    /// Those among some utterances; every other is of a recording of its own.
    pub(crate) fn among(&self, is_meant: impl Fn(usize) -> bool) -> Self {
        let mut known: HashMap<usize, usize> = HashMap::new();
        let first = |utterance| if is_meant(utterance) { *known.entry(self.first[utterance]).or_insert(utterance) } else { utterance };
        Self { first: (0..self.first.len()).map(first).collect() }
    }

    /// The utterances of each recording that has several, rising.
    pub(crate) fn recordings(&self) -> Vec<Vec<usize>> {
        let mut recordings: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (utterance, &first) in self.first.iter().enumerate() {
            recordings.entry(first).or_default().push(utterance);
        }
        recordings.into_values().filter(|utterances| utterances.len() > 1).collect()
    }

    /// How many recordings there are.
    pub(crate) fn count(&self) -> usize {
        self.first.iter().enumerate().filter(|&(utterance, &first)| utterance == first).count()
    }

    /// What the data set says of one recording in two ways. `lines` are those of a table that lists the utterances, by id.
    pub fn conflicts(&self, data: &Dataset, lines: &BTreeMap<String, u64>) -> Vec<Conflict> {
        let twin = |&utterance: &usize| {
            let info = &data.utterances[utterance];
            let label = data.class_of(utterance).unwrap_or_default().to_owned();
            Twin { line: lines.get(&info.id).copied(), id: info.id.clone(), split: info.split, label }
        };
        let recordings: Vec<Vec<Twin>> = self.recordings().iter().map(|utterances| utterances.iter().map(twin).collect()).collect();
        let differ = |about: About, is_one: &dyn Fn(&[Twin]) -> bool| {
            let recordings: Vec<Vec<Twin>> = recordings.iter().filter(|twins| !is_one(twins)).cloned().collect();
            Some(Conflict { about, recordings }).filter(|conflict| !conflict.recordings.is_empty())
        };
        // What is learned from without a label is learned from.
        let learned = |split| if split == Split::Unlabelled { Split::Train } else { split };
        let one_split = |twins: &[Twin]| twins.iter().filter_map(|twin| twin.split.map(learned)).collect::<BTreeSet<_>>().len() < 2;
        let labels = |twins: &[Twin]| twins.iter().map(|twin| twin.label.clone()).filter(|label| !label.is_empty()).collect();
        let one_label = |twins: &[Twin]| {
            let labels: BTreeSet<String> = labels(twins);
            labels.len() < 2
        };
        [differ(About::Splits, &one_split), differ(About::Labels, &one_label)].into_iter().flatten().collect()
    }
}

/// A number of a recording's samples, the same for the same; `None` of silence, which is no recording.
pub(crate) fn of_samples(samples: &[f32]) -> Option<u64> {
    let sounds = samples.iter().any(|sample| *sample != samples[0]);
    sounds.then(|| hash::of_words(bytemuck::cast_slice(samples)))
}

/// What is said of one recording in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Of which split it is: it is trained on and tested.
    Splits,
    /// Which label it has.
    Labels,
}

/// An utterance that is not alone in being of its recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// Unique within the data set.
    pub id: String,
    /// The line of the table that lists it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What it is for.
    pub split: Option<Split>,
    /// Its emotion.
    pub label: String,
}

/// Recordings of which different things are said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// In what they differ.
    pub about: About,
    /// Of each, its utterances.
    pub recordings: Vec<Vec<Twin>>,
}

impl Display for Conflict {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let count = self.recordings.len();
        let what = if count == 1 { "one recording has".into() } else { format!("{count} recordings have") };
        let (what, so) = match self.about {
            About::Splits => (format!("{what} more than one split"), "what was trained on is no test"),
            About::Labels => (format!("{what} more than one label"), "one at most is right"),
        };
        let of = |twin: &Twin| match (self.about, twin.split) {
            (About::Splits, split) => split.map_or("no split", Split::name).to_owned(),
            (About::Labels, _) => twin.label.clone(),
        };
        let twin = |twin: &Twin| {
            let line = twin.line.map_or(String::new(), |line| format!("line {line}, "));
            format!("{} ({line}{})", twin.id, of(twin))
        };
        let more = |all: usize| if all > TOLD { ", …" } else { "" };
        let recording = |twins: &Vec<Twin>| twins.iter().take(TOLD).map(twin).collect::<Vec<_>>().join(" = ") + more(twins.len());
        let told = self.recordings.iter().take(TOLD).map(recording).collect::<Vec<_>>().join(", ");
        write!(formatter, "{what}: {told}{}; {so}", more(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::streams::AUDIO;
    use crate::dataset::{DataStream, Frames, UtteranceInfo};

    /// Utterances of two frames of one value each, their label and split.
    fn data(utterances: &[([f32; 2], u32, Option<Split>)]) -> Dataset {
        let values: Vec<f32> = utterances.iter().flat_map(|(frames, ..)| *frames).collect();
        let audio = Frames { columns: 1, values: values.into(), offsets: (0..=utterances.len()).map(|place| 2 * place).collect() };
        let info = |(place, &(_, _, split)): (usize, &(_, _, Option<Split>))| UtteranceInfo {
            id: format!("u{place}"),
            split,
            ..Default::default()
        };
        Dataset {
            classes: vec!["glad".into(), "sad".into()],
            labels: utterances.iter().map(|&(_, label, _)| label).collect(),
            utterances: utterances.iter().enumerate().map(info).collect(),
            streams: [(AUDIO, DataStream::Frames(audio))].into(),
            ..Default::default()
        }
    }

    #[test]
    fn one_recording_is_known_by_its_features_and_silence_is_none() {
        let same = data(&[([1.0, 2.0], 0, None), ([3.0, 3.0], 0, None), ([1.0, 2.0], 0, None), ([3.0, 3.0], 0, None)]);
        let doubles = Doubles::of(&same).unwrap();
        assert_eq!((doubles.recordings(), doubles.count()), (vec![vec![0, 2]], 3));
        assert_eq!(doubles.conflicts(&same, &BTreeMap::new()), []);
        let without = Dataset { streams: Default::default(), ..same };
        assert_eq!(Doubles::of(&without).unwrap().count(), 4);
        assert_eq!(of_samples(&[0.5, 0.5]), None);
        assert_eq!(of_samples(&[]), None);
        assert!(of_samples(&[0.5, 0.0]).is_some_and(|hash| Some(hash) != of_samples(&[0.0, 0.5])));
    }

    #[test]
    fn two_splits_and_two_labels_of_one_recording_are_told_with_their_lines() {
        let (train, test) = (Some(Split::Train), Some(Split::Test));
        let data = data(&[([1.0, 2.0], 0, train), ([1.0, 2.0], 0, test), ([5.0, 6.0], 0, train), ([5.0, 6.0], 1, train)]);
        let lines = BTreeMap::from([("u0".to_owned(), 2), ("u1".to_owned(), 3)]);
        let told: Vec<String> = Doubles::of(&data).unwrap().conflicts(&data, &lines).iter().map(Conflict::to_string).collect();
        assert_eq!(
            told,
            [
                "one recording has more than one split: u0 (line 2, train) = u1 (line 3, test); what was trained on is no test",
                "one recording has more than one label: u2 (glad) = u3 (sad); one at most is right",
            ]
        );
    }
}
