//! Which predictions of the same utterances only one of two models has right.

use std::collections::BTreeMap;

use super::statistics::{mcnemar, sign_flips};

/// What only one of two has right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Discordant {
    /// How many predictions only the first has right.
    pub only_first: usize,
    /// How many only the second.
    pub only_second: usize,
    /// Of each utterance, how many more predictions of the second than of the first are right.
    differences: Vec<i64>,
    /// Whether an utterance has several predictions.
    is_repeated: bool,
}

impl Discordant {
    /// Of pairs of predictions, each with its utterance and whether the first and the second are right.
    pub(super) fn of<U: Ord>(pairs: impl IntoIterator<Item = (U, [bool; 2])>) -> Self {
        let mut all = Self::default();
        let mut utterances: BTreeMap<U, i64> = BTreeMap::new();
        let mut count = 0;
        for (utterance, [first, second]) in pairs {
            all.only_first += usize::from(first && !second);
            all.only_second += usize::from(second && !first);
            *utterances.entry(utterance).or_default() += i64::from(second) - i64::from(first);
            count += 1;
        }
        all.is_repeated = count > utterances.len();
        all.differences = utterances.into_values().collect();
        all
    }

    /// McNemar's exact test, or where utterances have several predictions its like over the utterances, see [`sign_flips`].
    pub(super) fn p(&self) -> f64 {
        if self.is_repeated { sign_flips(&self.differences) } else { mcnemar(self.only_first, self.only_second) }
    }
}
