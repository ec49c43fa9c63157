//! Folds of a data set: K parts; fold k tests on part k, validates on part k + 1 (after the last comes the first) and
//! trains on the rest, which is 8 : 1 : 1 at K = 10.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ExperimentError;
use super::groups::{check_count, deal, members, merge};
use crate::corpus::Split;
use crate::dataset::{Dataset, Doubles, UtteranceInfo};

/// Random streams of the folds start here, apart from those of a run; one more for each class.
pub(super) const FOLD_STREAMS: u64 = 1 << 59;

/// Fewest folds: training, validation and test need a part each.
pub(super) const FEWEST: usize = 3;

/// Folds where nobody says how many, by random.
const USUAL: usize = 10;

/// What stays together in a fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Nothing: utterances at random, every class spread evenly
    Random,
    /// Whole speakers
    Speaker,
    /// Whole sessions
    Session,
    /// The data's own splits: one fold, which tests what they test
    #[cfg_attr(feature = "cli", value(skip))]
    Given,
    /// The folds of EmoBox, as its files have them
    #[cfg_attr(feature = "cli", value(skip))]
    EmoBox,
}

impl fmt::Display for By {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Random => "random",
            Self::Speaker => "speaker",
            Self::Session => "session",
            Self::Given => "given",
            Self::EmoBox => "EmoBox",
        })
    }
}

impl By {
    /// The folder of a fold's run, in that of all of them.
    pub(crate) fn folder(self, all: &Path, fold: usize) -> PathBuf {
        all.join(if self == Self::Given { "run".into() } else { format!("fold-{fold}") })
    }

    /// The group of an utterance.
    pub(super) fn group(self, utterance: &UtteranceInfo) -> Option<&str> {
        match self {
            Self::Random | Self::Given | Self::EmoBox => None,
            Self::Speaker => utterance.speaker.as_deref(),
            Self::Session => utterance.session.as_deref(),
        }
    }
}

/// Which utterances each fold tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folds {
    /// What stays together.
    pub by: By,
    /// Of the shuffle.
    pub seed: u64,
    /// Of each part, its utterances, rising.
    parts: Vec<Vec<usize>>,
    /// Of each part, the speakers or sessions in it, sorted; empty by random.
    groups: Vec<Vec<String>>,
    /// Of each fold of files, the split of each utterance; else empty: a fold then trains on what it neither tests nor validates.
    listed: Vec<Vec<Option<Split>>>,
    /// What is in one part whatever divides them.
    doubles: Doubles,
}

/// Folds of which the first says the splits, where a data set has none.
pub(crate) const PARTS: usize = 10;

/// Gives the utterances the splits of the first of ten folds at random: 8 : 1 : 1.
///
/// # Errors
/// Fewer recordings than ten.
pub(crate) fn divide(data: &mut Dataset, doubles: &Doubles, seed: u64) -> Result<(), ExperimentError> {
    let folds = Folds::divide(data, doubles.clone(), By::Random, PARTS, seed)?;
    *data = folds.dataset(data, 1);
    Ok(())
}

impl Folds {
    /// The data set's own splits, as one fold.
    ///
    /// # Errors
    /// [`ExperimentError::EmptySplit`] where there is nothing to train on or nothing to test.
    pub fn given(data: &Dataset, seed: u64) -> Result<Self, ExperimentError> {
        let test = data.split(Split::Test);
        for (split, is_empty) in [(Split::Train, data.training().is_empty()), (Split::Test, test.is_empty())] {
            if is_empty {
                return Err(ExperimentError::EmptySplit { split });
            }
        }
        let doubles = Doubles::of(data)?;
        Ok(Self { parts: vec![test], groups: vec![Vec::new()], ..Self::undivided(By::Given, seed, doubles) })
    }

    /// Divides a data set into ten, or so that every speaker or session is a part of its own, in the order of their names; the
    /// same data and seed give the same folds.
    ///
    /// # Errors
    /// Those of [`Folds::assign_count`].
    pub fn assign(data: &Dataset, by: By, seed: u64) -> Result<Self, ExperimentError> {
        if by == By::Given {
            return Self::given(data, seed);
        }
        let doubles = Doubles::of(data)?.among(|utterance| data.is_divided(utterance));
        let count = if by == By::Random { USUAL } else { members(data, by, &doubles)?.len() };
        Self::divide(data, doubles, by, count, seed)
    }

    /// Divides a data set into `count` parts; the same data, seed and count give the same folds. Utterances without label are of no part,
    /// and there to be learned from in every fold; copies are of none either, and learned from where what they are copies of is.
    ///
    /// By random, each class is shuffled and dealt to the parts in turn, going on where the last class ended: no two parts
    /// differ by more than one utterance, of any class or together. By speaker or session, the shuffled groups are merged, the
    /// largest first, each into the part with the fewest utterances; as many parts as groups are one each, in the order of
    /// their names. Utterances of one recording are in one part: the others go where the first goes, and speakers or sessions that
    /// share one are one group. The data's own splits are one fold, whatever the count.
    ///
    /// # Errors
    /// An utterance without speaker or session, or a count that cannot be.
    pub fn assign_count(data: &Dataset, by: By, count: usize, seed: u64) -> Result<Self, ExperimentError> {
        Self::divide(data, Doubles::of(data)?, by, count, seed)
    }

    /// As [`Folds::assign_count`], where it is known which utterances are of one recording.
    ///
    /// # Errors
    /// Those of [`Folds::assign_count`].
    pub(crate) fn divide(data: &Dataset, doubles: Doubles, by: By, count: usize, seed: u64) -> Result<Self, ExperimentError> {
        if by == By::Given {
            return Self::given(data, seed);
        }
        let doubles = doubles.among(|utterance| data.is_divided(utterance));
        if by == By::Random {
            let of = if doubles.count() < data.len() { "recordings" } else { "utterances" };
            check_count(count, doubles.count() - (0..data.len()).filter(|&utterance| !data.is_divided(utterance)).count(), || {
                format!("{of} of '{}'", data.corpus)
            })?;
            let (parts, groups) = (deal(data, &doubles, count, seed), vec![Vec::new(); count]);
            return Ok(Self { parts, groups, ..Self::undivided(by, seed, doubles) });
        }
        let members = members(data, by, &doubles)?;
        let names = || members.iter().map(|group| group.names.join(" with ")).collect::<Vec<_>>().join(", ");
        check_count(count, members.len(), || format!("{by}s: {}", names()))?;
        let merged = if count == members.len() { (0..count).map(|group| vec![group]).collect() } else { merge(&members, count, seed) };
        let mut folds = Self::undivided(by, seed, doubles);
        for mut groups in merged {
            groups.sort_unstable();
            let mut part: Vec<usize> = groups.iter().flat_map(|&group| members[group].utterances.clone()).collect();
            part.sort_unstable();
            folds.parts.push(part);
            folds.groups.push(groups.into_iter().flat_map(|group| members[group].names.clone()).collect());
        }
        Ok(folds)
    }

    /// No folds yet.
    pub(super) fn undivided(by: By, seed: u64, doubles: Doubles) -> Self {
        Self { by, seed, parts: Vec::new(), groups: Vec::new(), listed: Vec::new(), doubles }
    }

    /// Adds a fold with a split for each utterance.
    pub(super) fn add_listed(&mut self, splits: Vec<Option<Split>>) {
        self.parts.push((0..splits.len()).filter(|&utterance| splits[utterance] == Some(Split::Test)).collect());
        self.groups.push(Vec::new());
        self.listed.push(splits);
    }

    /// Of a fold of files, the utterances of a split, rising; of others nothing.
    pub(super) fn listed(&self, fold: usize, split: Split) -> Vec<usize> {
        let splits = self.listed.get(fold - 1).map_or(&[][..], Vec::as_slice);
        (0..splits.len()).filter(|&utterance| splits[utterance] == Some(split)).collect()
    }

    /// The ratio of a fold's test and training utterances where folds share what they are trained on: of K parts, K - 2 are trained on and
    /// one is tested.
    pub(super) fn test_to_train(&self) -> Option<f64> {
        match self.by {
            By::Given => None,
            By::Random | By::Speaker | By::Session => Some(1.0 / (self.count() as f64 - 2.0)),
            By::EmoBox => {
                let of = |split| (1..=self.count()).map(|fold| self.listed(fold, split).len()).sum::<usize>() as f64;
                Some(of(Split::Test) / of(Split::Train))
            }
        }
    }

    /// Which utterances are of one recording, and so in one part where the parts are not those of files.
    pub fn doubles(&self) -> &Doubles {
        &self.doubles
    }

    /// How many folds there are.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// The utterances that fold `fold` (from 1) tests, rising.
    pub fn test(&self, fold: usize) -> &[usize] {
        &self.parts[fold - 1]
    }

    /// The speakers or sessions that fold `fold` tests.
    pub fn groups(&self, fold: usize) -> &[String] {
        &self.groups[fold - 1]
    }

    /// The data set with the splits of fold `fold` in place of its own; the features are shared.
    pub fn dataset(&self, data: &Dataset, fold: usize) -> Dataset {
        let mut data = data.clone();
        if self.by == By::Given {
            return data;
        }
        if let Some(splits) = self.listed.get(fold - 1) {
            let divided = |info: &UtteranceInfo| !matches!(info.split, Some(Split::Unlabelled | Split::Augmented));
            for (info, split) in data.utterances.iter_mut().zip(splits).filter(|(info, _)| divided(info)) {
                info.split = *split;
            }
            return data;
        }
        for utterance in
            data.utterances.iter_mut().filter(|utterance| !matches!(utterance.split, Some(Split::Unlabelled | Split::Augmented)))
        {
            utterance.split = Some(Split::Train);
        }
        for (part, split) in [(fold - 1, Split::Test), (fold % self.count(), Split::Validation)] {
            for &utterance in &self.parts[part] {
                data.utterances[utterance].split = Some(split);
            }
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::base::remedy;

    /// Utterances of a label and a speaker each, without a number in them.
    fn data(utterances: &[(u32, usize)]) -> Dataset {
        let info = |(place, &(_, speaker)): (usize, &(u32, usize))| UtteranceInfo {
            id: format!("u{place}"),
            speaker: Some(format!("speaker{speaker:02}")),
            session: Some(format!("session{}", speaker / 2)),
            ..Default::default()
        };
        Dataset {
            classes: (0..5).map(|class| format!("class{class}")).collect(),
            labels: utterances.iter().map(|&(label, _)| label).collect(),
            utterances: utterances.iter().enumerate().map(info).collect(),
            ..Default::default()
        }
    }

    /// The utterances of each split of a fold.
    fn splits(folds: &Folds, data: &Dataset, fold: usize) -> [Vec<usize>; 3] {
        let divided = folds.dataset(data, fold);
        Split::ALL.map(|split| divided.split(split))
    }

    fn utterances() -> impl Strategy<Value = Vec<(u32, usize)>> {
        prop::collection::vec((0u32..5, 0usize..12), 12..120)
    }

    proptest! {
        #[test]
        fn every_utterance_is_tested_once_and_no_split_shares_one(utterances in utterances(), count in 3usize..12, seed: u64) {
            let data = data(&utterances);
            let folds = Folds::assign_count(&data, By::Random, count, seed).unwrap();
            let mut tested: Vec<usize> = (1..=count).flat_map(|fold| folds.test(fold).to_vec()).collect();
            tested.sort_unstable();
            prop_assert_eq!(tested, (0..data.len()).collect::<Vec<_>>());
            for fold in 1..=count {
                let [train, validation, test] = splits(&folds, &data, fold);
                prop_assert_eq!(&test, folds.test(fold));
                prop_assert_eq!(&validation, folds.test(fold % count + 1));
                let mut all = [train, validation, test].concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..data.len()).collect::<Vec<_>>());
            }
        }

        #[test]
        fn classes_and_sizes_are_even_within_one_utterance(utterances in utterances(), count in 3usize..12, seed: u64) {
            let data = data(&utterances);
            let folds = Folds::assign_count(&data, By::Random, count, seed).unwrap();
            let even = |counts: Vec<usize>| counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1;
            prop_assert!(even((1..=count).map(|fold| folds.test(fold).len()).collect()));
            for class in 0..data.classes.len() {
                prop_assert!(even((1..=count).map(|fold| data.class_counts(folds.test(fold))[class]).collect()));
            }
        }

        #[test]
        fn folds_by_speaker_or_session_never_share_one(utterances in utterances(), merged: bool, seed: u64) {
            let data = data(&utterances);
            for by in [By::Speaker, By::Session] {
                let group = |utterance: usize| by.group(&data.utterances[utterance]).unwrap();
                let groups: BTreeSet<&str> = (0..data.len()).map(group).collect();
                prop_assume!(groups.len() >= 4);
                let folds = if merged { Folds::assign_count(&data, by, 3, seed) } else { Folds::assign(&data, by, seed) }.unwrap();
                prop_assert_eq!(folds.count(), if merged { 3 } else { groups.len() });
                for fold in 1..=folds.count() {
                    let parts = splits(&folds, &data, fold);
                    prop_assert!(parts.iter().all(|part| !part.is_empty()));
                    prop_assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), data.len());
                    let [train, validation, test] = parts.map(|part| part.into_iter().map(group).collect::<BTreeSet<_>>());
                    prop_assert!(train.is_disjoint(&validation) && train.is_disjoint(&test) && validation.is_disjoint(&test));
                    prop_assert_eq!(test.into_iter().collect::<Vec<_>>(), folds.groups(fold).iter().collect::<Vec<_>>());
                }
            }
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let utterances: Vec<(u32, usize)> = (0..60).map(|i| (i % 5, i as usize % 9)).collect();
        let data = data(&utterances);
        for (by, count) in [(By::Random, 10), (By::Speaker, 4)] {
            let assign = |seed| Folds::assign_count(&data, by, count, seed).unwrap();
            assert_eq!(assign(1), assign(1));
            assert_ne!(assign(1).parts, assign(2).parts, "{by}");
        }
    }

    #[test]
    fn each_speaker_is_a_fold_in_the_order_of_names_and_merged_ones_are_even() {
        let utterances: Vec<(u32, usize)> = (0..60).map(|i| (0, 5 - i % 6)).collect();
        let data = data(&utterances);
        let alone = Folds::assign(&data, By::Speaker, 7).unwrap();
        let names: Vec<&str> = (1..=6).map(|fold| alone.groups(fold)[0].as_str()).collect();
        assert_eq!(names, ["speaker00", "speaker01", "speaker02", "speaker03", "speaker04", "speaker05"]);
        let merged = Folds::assign_count(&data, By::Speaker, 3, 7).unwrap();
        assert_eq!((1..=3).map(|fold| merged.test(fold).len()).collect::<Vec<_>>(), [20, 20, 20]);
        assert_eq!(Folds::assign(&data, By::Random, 7).unwrap().count(), 10);
    }

    #[test]
    fn what_cannot_be_divided_is_named_with_the_remedy() {
        let refused = |data: &Dataset, by, count| remedy::line(&Folds::assign_count(data, by, count, 0).unwrap_err());
        let refused_alone = |data: &Dataset, by| remedy::line(&Folds::assign(data, by, 0).unwrap_err());
        let mut data = data(&[(0, 0), (0, 1), (1, 2), (1, 3), (1, 3)]);
        assert!(refused(&data, By::Random, 6).contains("6 folds cannot be made of 5"));
        assert!(refused(&data, By::Random, 2).contains("take 3 to 5 folds"));
        assert!(refused_alone(&data, By::Session).contains("2 (sessions: session0, session1) are too few"));
        assert!(refused(&data, By::Speaker, 5).contains("5 folds cannot be made of 4 (speakers: speaker00,"));
        data.utterances[3].speaker = None;
        let line = refused_alone(&data, By::Speaker);
        assert!(line.contains("utterance 'u3' names no speaker") && line.contains("divide at random"), "{line}");
    }
}
