//! Utterances that stay together in a fold, and how they are dealt to folds.

use std::collections::BTreeMap;

use super::ExperimentError;
use super::folds::{By, FEWEST, FOLD_STREAMS};
use crate::base::philox::Stream;
use crate::dataset::{Dataset, Doubles};

/// What stays together.
pub(super) struct Group {
    /// The speakers or sessions, sorted; several where they share a recording.
    pub names: Vec<String>,
    pub utterances: Vec<usize>,
}

/// The utterances of every speaker or session, in the order of their names.
pub(super) fn members(data: &Dataset, by: By, doubles: &Doubles) -> Result<Vec<Group>, ExperimentError> {
    let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (utterance, info) in data.utterances.iter().enumerate().filter(|(utterance, _)| data.is_divided(*utterance)) {
        let group = by.group(info).ok_or_else(|| ExperimentError::NoGroup { utterance: info.id.clone(), by })?;
        members.entry(group).or_default().push(utterance);
    }
    let mut group_of = vec![0; data.len()];
    for (group, utterance) in members.values().enumerate().flat_map(|(group, own)| own.iter().map(move |&utterance| (group, utterance))) {
        group_of[utterance] = group;
    }
    // Of each group, one before it with which it shares a recording; of the first, itself.
    let mut with: Vec<usize> = (0..members.len()).collect();
    let first = |with: &[usize], mut group: usize| {
        while with[group] != group {
            group = with[group];
        }
        group
    };
    for utterance in labelled(data) {
        let [here, there] = [utterance, doubles.first(utterance)].map(|utterance| first(&with, group_of[utterance]));
        with[here.max(there)] = here.min(there);
    }
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for (place, (name, utterances)) in members.into_iter().enumerate() {
        let group = groups.entry(first(&with, place)).or_insert_with(|| Group { names: Vec::new(), utterances: Vec::new() });
        group.names.push(name.to_owned());
        group.utterances.extend(utterances);
    }
    Ok(groups.into_values().collect())
}

/// The utterances that are divided.
fn labelled(data: &Dataset) -> impl Iterator<Item = usize> {
    (0..data.len()).filter(|&utterance| data.is_divided(utterance))
}

/// Whether `found` things can be divided into so many parts.
pub(super) fn check_count(asked: usize, found: usize, names: impl Fn() -> String) -> Result<(), ExperimentError> {
    match asked {
        _ if found < FEWEST => Err(ExperimentError::TooFew { found, names: names() }),
        _ if (FEWEST..=found).contains(&asked) => Ok(()),
        _ => Err(ExperimentError::FoldCount { asked, found, names: names() }),
    }
}

/// Recordings dealt to so many parts, class by class.
pub(super) fn deal(data: &Dataset, doubles: &Doubles, count: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut own = vec![Vec::new(); data.classes.len()];
    for utterance in labelled(data).filter(|&utterance| doubles.first(utterance) == utterance) {
        own[data.labels[utterance] as usize].push(utterance);
    }
    let mut part_of = vec![0; data.len()];
    let mut dealt = 0;
    for (class, own) in own.iter().enumerate() {
        for place in (Stream { seed, stream: FOLD_STREAMS + 1 + class as u64 }).permutation(own.len()) {
            part_of[own[place]] = dealt % count;
            dealt += 1;
        }
    }
    let mut parts = vec![Vec::new(); count];
    for utterance in labelled(data) {
        parts[part_of[doubles.first(utterance)]].push(utterance);
    }
    parts
}

/// Groups of each part.
pub(super) fn merge(members: &[Group], count: usize, seed: u64) -> Vec<Vec<usize>> {
    let size = |group: usize| members[group].utterances.len();
    let mut order = Stream { seed, stream: FOLD_STREAMS }.permutation(members.len());
    // Stable: the seed decides among groups of one size.
    order.sort_by_key(|&group| std::cmp::Reverse(size(group)));
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); count];
    for group in order {
        if let Some(smallest) = parts.iter_mut().min_by_key(|part| part.iter().map(|&group| size(group)).sum::<usize>()) {
            smallest.push(group);
        }
    }
    parts
}
