//! The folds of EmoBox (see [`crate::corpus::emobox`]) of a data set: each says itself what is trained on, validated and tested.

use std::path::Path;

use serde::Serialize;

use super::ExperimentError;
use super::folds::{By, Folds};
use crate::corpus::emobox::{self, Divided, Listed};
use crate::corpus::{CorpusError, Split};
use crate::dataset::{Dataset, Doubles};

/// What is to be known of the folds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Found {
    /// How many there are.
    pub folds: usize,
    /// Whether those that validate were drawn of those to train on.
    pub is_drawn: bool,
    /// Utterances that no fold has.
    pub unlisted: usize,
    /// Recordings of a fold that the data do not have, at most.
    pub missing: usize,
}

impl Folds {
    /// The folds in `folder`, which holds folders fold_1, fold_2 and so on; copies are learned from where what they are copies of is.
    ///
    /// # Errors
    /// [`ExperimentError::Listed`]: data of several corpora, a fold that trains on nothing or tests nothing, an utterance that two folds
    /// test; [`ExperimentError::Corpus`], naming the file and its line.
    pub(crate) fn of_emobox(data: &Dataset, folder: &Path, seed: u64) -> Result<(Self, Found), ExperimentError> {
        let refused = |path: &Path, problem: String| Err(ExperimentError::Listed { path: path.into(), problem });
        if !data.parts.is_empty() {
            return refused(folder, "its folds are of one corpus, and the data are several".into());
        }
        let folders = emobox::folds(folder)?;
        let mut folds = Self::undivided(By::EmoBox, seed, Doubles::of(data)?);
        let mut tested: Vec<Option<usize>> = vec![None; data.len()];
        let mut listed = vec![false; data.len()];
        let mut found = Found { folds: folders.len(), is_drawn: false, unlisted: 0, missing: 0 };
        for (number, fold) in (1..).zip(&folders) {
            let (splits, Divided { splits: [train, _, test], is_drawn, missing, .. }) = splits_of(data, fold)?;
            for (count, does) in [(train, "trained on"), (test, "tested")] {
                if count == 0 {
                    return refused(fold, format!("none of its recordings that are to be {does} is one of '{}'", data.corpus));
                }
            }
            for (utterance, split) in splits.iter().enumerate().filter(|(_, split)| split.is_some()) {
                listed[utterance] = true;
                match tested[utterance].filter(|_| *split == Some(Split::Test)) {
                    None if *split == Some(Split::Test) => tested[utterance] = Some(number),
                    None => {}
                    Some(other) => {
                        let id = &data.utterances[utterance].id;
                        return refused(fold, format!("'{id}' is to be tested, as in fold_{other}"));
                    }
                }
            }
            (found.is_drawn, found.missing) = (found.is_drawn || is_drawn, found.missing.max(missing));
            folds.add_listed(splits);
        }
        found.unlisted = (0..data.len()).filter(|&utterance| data.is_divided(utterance) && !listed[utterance]).count();
        Ok((folds, found))
    }
}

fn splits_of(data: &Dataset, fold: &Path) -> Result<(Vec<Option<Split>>, Divided), CorpusError> {
    let listed = |place: usize| Listed {
        id: &data.utterances[place].id,
        audio: Path::new(&data.utterances[place].audio),
        label: data.class_of(place).unwrap_or_default(),
        is_labelled: data.is_divided(place),
    };
    emobox::splits(&data.corpus, &(0..data.len()).map(listed).collect::<Vec<_>>(), fold)
}
