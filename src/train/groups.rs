//! Figures of groups of utterances: each speaker, each gender, utterances of about one length.

use std::collections::BTreeMap;

use serde::Serialize;

use super::metrics::Accuracies;
use crate::base::streams::{AUDIO, TEXT};
use crate::dataset::{DataStream, Dataset, hop_seconds};

/// Groups of utterances of about one length.
const LENGTHS: usize = 4;

/// What utterances of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Who speaks
    Speaker,
    /// The speaker's gender, as far as the data say it
    Gender,
    /// How long they are, in quarters
    Length,
}

impl Grouping {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Speaker => "speaker",
            Self::Gender => "gender",
            Self::Length => "length",
        }
    }
}

/// Utterances that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The speaker, the gender, the lengths from to; `None` of those of whom it is not known.
    pub name: Option<String>,
    /// How many there are.
    pub utterances: usize,
    /// Of these alone; UA is over those classes that they have.
    #[serde(flatten)]
    pub accuracies: Accuracies,
}

/// An utterance that was tested: its place in the data, its class and the predicted one.
pub type Tested = (usize, [usize; 2]);

/// The groups, speakers and genders by name, lengths rising; what is not known stands last.
pub fn groups(by: Grouping, data: &Dataset, tested: &[Tested]) -> Vec<Group> {
    let classes = data.classes.len();
    let group = |name: Option<String>, own: &[Tested]| Group {
        name,
        utterances: own.len(),
        accuracies: Accuracies::of_pairs(own.iter().map(|&(_, pair)| pair), classes),
    };
    if by == Grouping::Length {
        return lengths(data, tested).into_iter().map(|(name, own)| group(Some(name), &own)).collect();
    }
    let name = |place: usize| {
        let info = &data.utterances[place];
        if by == Grouping::Speaker { info.speaker.clone() } else { info.gender.clone() }
    };
    let mut members: BTreeMap<Option<String>, Vec<Tested>> = BTreeMap::new();
    for &(place, pair) in tested {
        members.entry(name(place)).or_default().push((place, pair));
    }
    let unknown = members.remove(&None);
    members.into_iter().chain(unknown.map(|own| (None, own))).map(|(name, own)| group(name, &own)).collect()
}

/// Utterances in quarters by their length, in seconds of sound, or in words or other rows where there is none.
fn lengths(data: &Dataset, tested: &[Tested]) -> Vec<(String, Vec<Tested>)> {
    let is_sequence = |stream: &&DataStream| !matches!(stream, DataStream::Vector(_));
    let audio = data.streams.get(AUDIO).filter(is_sequence);
    let first = || data.streams.iter().find(|(_, stream)| is_sequence(stream));
    let (unit, stream) = match (audio, data.streams.get(TEXT).filter(is_sequence)) {
        (Some(audio), _) => ("s", audio),
        (None, Some(text)) => ("words", text),
        _ => match first() {
            Some((_, stream)) => ("rows", stream),
            None => return Vec::new(),
        },
    };
    let length = |place: usize| stream.length(place, usize::MAX);
    let mut rising = tested.to_vec();
    rising.sort_by_key(|&(place, _)| (length(place), place));
    let hop = hop_seconds(&data.feature_settings);
    let shown = |place: usize| if unit == "s" { format!("{:.2}", length(place) as f64 * hop) } else { length(place).to_string() };
    let mut quarters: Vec<(String, Vec<Tested>)> = Vec::new();
    let (mut start, count) = (0, rising.len());
    for quarter in 1..=LENGTHS {
        // Those of one length stay together.
        let mut end = (quarter * count).div_ceil(LENGTHS).max(start);
        while end > start && end < count && length(rising[end].0) == length(rising[end - 1].0) {
            end += 1;
        }
        if let (Some((first, _)), Some((last, _))) = (rising.get(start), rising.get(end.wrapping_sub(1)).filter(|_| end > start)) {
            let (from, to) = (shown(*first), shown(*last));
            let name = if from == to { format!("{from} {unit}") } else { format!("{from}–{to} {unit}") };
            quarters.push((name, rising[start..end].to_vec()));
        }
        start = end;
    }
    quarters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{BatchShape, UtteranceInfo};

    fn data() -> Dataset {
        let mut data = BatchShape { batch: 12, frames: 120, words: 4, ragged: true }.dataset_with(&[]);
        for (place, info) in data.utterances.iter_mut().enumerate() {
            let gender = if place % 2 == 0 { Some("female".into()) } else { None };
            *info = UtteranceInfo { id: place.to_string(), speaker: Some(format!("s{}", place % 3)), gender, ..Default::default() };
        }
        data
    }

    #[test]
    fn every_utterance_is_in_one_group_and_those_of_a_group_are_counted_alone() {
        let data = data();
        // Of speaker s0 all are right, of the others none.
        let tested: Vec<Tested> = (0..12).map(|place| (place, [1, if place % 3 == 0 { 1 } else { 2 }])).collect();
        for by in [Grouping::Speaker, Grouping::Gender, Grouping::Length] {
            assert_eq!(groups(by, &data, &tested).iter().map(|group| group.utterances).sum::<usize>(), 12, "{by:?}");
        }
        let speakers = groups(Grouping::Speaker, &data, &tested);
        assert_eq!(speakers.iter().map(|group| group.accuracies.wa).collect::<Vec<_>>(), [1.0, 0.0, 0.0]);
        let genders: Vec<Option<String>> = groups(Grouping::Gender, &data, &tested).into_iter().map(|group| group.name).collect();
        assert_eq!(genders, [Some("female".to_owned()), None], "what is not known stands last");
        let lengths = groups(Grouping::Length, &data, &tested);
        assert_eq!(lengths.len(), 4, "{lengths:?}");
        assert!(lengths.iter().all(|group| group.utterances == 3 && group.name.as_ref().unwrap().ends_with(" s")), "{lengths:?}");
    }

    #[test]
    fn utterances_of_one_length_are_one_group() {
        let mut data = BatchShape { batch: 8, frames: 30, words: 4, ragged: false }.dataset_with(&[]);
        data.streams = [(TEXT, data.streams.get(TEXT).unwrap().clone())].into();
        let tested: Vec<Tested> = (0..8).map(|place| (place, [0, 0])).collect();
        let lengths = groups(Grouping::Length, &data, &tested);
        assert_eq!(
            lengths.iter().map(|group| (group.name.clone().unwrap(), group.utterances)).collect::<Vec<_>>(),
            [("4 words".to_owned(), 8)]
        );
        assert_eq!(groups(Grouping::Length, &data, &[]), []);
    }
}
