//! Punkt's English model: `assets/punkt/english.json`, the numbers that NLTK has.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer};

/// Some 20 000 words, read where the first text with a candidate for a boundary comes.
pub(super) static ENGLISH: LazyLock<Model> = LazyLock::new(|| {
    // The file is a part of the program, and tests read it.
    serde_json::from_str(include_str!("../../assets/punkt/english.json")).unwrap_or_default()
});

/// What Punkt learned of a language from a text without marks.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Model {
    #[serde(rename = "abbrev_types")]
    abbreviations: HashSet<String>,
    sentence_starters: HashSet<String>,
    /// Two words each.
    collocations: HashSet<(String, String)>,
    /// How each word was written, as bits.
    #[serde(rename = "ortho_context", deserialize_with = "ungrouped")]
    cases: HashMap<String, u8>,
}

/// Words by their bits, sorted and with a space between them, which packs small.
fn ungrouped<'d, D: Deserializer<'d>>(from: D) -> Result<HashMap<String, u8>, D::Error> {
    let groups: HashMap<u8, String> = Deserialize::deserialize(from)?;
    Ok(groups.iter().flat_map(|(bits, words)| words.split(' ').map(|word| (word.to_owned(), *bits))).collect())
}

impl Model {
    /// Whether a word without its period is an abbreviation.
    pub(super) fn is_abbreviation(&self, word: &str) -> bool {
        self.abbreviations.contains(word)
    }

    /// Whether a word often starts sentences.
    pub(super) fn starts_sentences(&self, word: &str) -> bool {
        self.sentence_starters.contains(word)
    }

    /// Whether two words belong together, with a period between them.
    pub(super) fn is_collocation(&self, left: &str, right: &str) -> bool {
        self.collocations.contains(&(left.to_owned(), right.to_owned()))
    }

    /// How a word was written in the text; nothing of one that it does not have.
    pub(super) fn cases(&self, word: &str) -> u8 {
        self.cases.get(word).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_whole() {
        let counts = [ENGLISH.abbreviations.len(), ENGLISH.sentence_starters.len(), ENGLISH.collocations.len(), ENGLISH.cases.len()];
        assert_eq!(counts, [156, 39, 37, 20366]);
        assert_eq!(["the", "heat-processing-systems", "ann"].map(|word| ENGLISH.cases(word)), [126, 32, 14]);
    }
}
