//! Changed copies of utterances, to be trained on besides.

use super::{Corpus, FeatureSource, Split, Utterance};
use crate::audio::change::Change;

/// What a copy is of, and what is changed of its recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioCopy {
    /// The utterance's id.
    pub of: String,
    /// What is changed.
    pub change: Change,
}

impl Corpus {
    /// Adds a copy for each change of every utterance with a label and a recording that is `wanted`, of the split
    /// [`Split::Augmented`]; returns of which utterances, in the order of the copies.
    ///
    /// # Errors
    /// The id of an utterance that is called as a copy would be.
    pub fn add_copies(&mut self, changes: &[Change], wanted: impl Fn(&Utterance) -> bool) -> Result<Vec<usize>, String> {
        let ids: std::collections::BTreeSet<String> = self.utterances.iter().map(|utterance| utterance.id.clone()).collect();
        let can_be = |utterance: &Utterance| !utterance.label.is_empty() && !utterance.audio.as_os_str().is_empty() && wanted(utterance);
        let of: Vec<usize> = (0..self.utterances.len()).filter(|&place| can_be(&self.utterances[place])).collect();
        for &change in changes {
            for &place in &of {
                let own = &self.utterances[place];
                let id = format!("{}~{change}", own.id);
                if ids.contains(&id) {
                    return Err(id);
                }
                for source in self.further.values_mut() {
                    if let FeatureSource::Files(files) = source
                        && let Some(file) = files.get(&own.id).cloned()
                    {
                        files.insert(id.clone(), file);
                    }
                }
                self.copies.insert(id.clone(), AudioCopy { of: own.id.clone(), change });
                let copy = Utterance { id, split: Some(Split::Augmented), ..own.clone() };
                self.utterances.push(copy);
            }
        }
        Ok(changes.iter().flat_map(|_| of.iter().copied()).collect())
    }

    /// What an utterance is called of which one may be a copy.
    pub(crate) fn own_id<'a>(&'a self, utterance: &'a Utterance) -> &'a str {
        self.copies.get(&utterance.id).map_or(&utterance.id, |copy| &copy.of)
    }

    /// How many times as fast as its recording an utterance is.
    pub(crate) fn speed(&self, utterance: &Utterance) -> f64 {
        self.copies.get(&utterance.id).map_or(1.0, |copy| copy.change.speed())
    }
}
