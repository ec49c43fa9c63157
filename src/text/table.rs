//! The words of a data set: a vocabulary, each utterance's tokens as rows of it, and the rows' vectors.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::{TextError, tokenise, vectors};
use crate::corpus::{Split, Utterance};
use crate::dataset::WordTable;

/// Tokens of a corpus, and the table that they point into.
#[derive(Debug, Clone, PartialEq)]
pub struct TextTable {
    /// `[words]`: the table's rows, sorted.
    pub vocabulary: Vec<String>,
    /// `[tokens]`: row of the table, -1 for a word that is not in it.
    pub tokens: Vec<i32>,
    /// `[utterances + 1]`: where each utterance's tokens start.
    pub offsets: Vec<usize>,
    /// `[words, width]`; `None` where vectors are to be learned.
    pub vectors: Option<WordTable>,
    /// What the table lacks.
    pub missing: Missing,
}

/// Words that have no row in the table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missing {
    /// All tokens of the corpus.
    pub tokens: usize,
    /// Those without a row.
    pub missing: usize,
    /// The words without a row and how often each occurs: the commonest first, equals by name.
    pub commonest: Vec<(String, usize)>,
}

impl Missing {
    /// Part of all tokens, 0 to 1.
    pub fn share(&self) -> f64 {
        self.missing as f64 / self.tokens.max(1) as f64
    }
}

impl TextTable {
    /// Tokenises the transcripts and finds each word's row.
    ///
    /// With a file of vectors, the table holds its words that occur: a word is looked up as it is written, then in lower
    /// case. Without one, it holds the lower-cased words of the training utterances (of all, where no utterance is of any
    /// split), whose vectors are to be learned.
    ///
    /// # Errors
    /// Those of [`vectors::read`].
    pub fn build(utterances: &[Utterance], vectors: Option<&Path>) -> Result<Self, TextError> {
        let tokens: Vec<Vec<String>> = utterances.iter().map(|utterance| tokenise(&utterance.text)).collect();
        let (vocabulary, vectors) = match vectors {
            Some(path) => {
                let forms = tokens.iter().flatten().flat_map(|word| [word.clone(), word.to_lowercase()]);
                let (found, table) = vectors::read(path, &forms.collect())?;
                let (vocabulary, table) = keep_used(found, &table, &tokens);
                (vocabulary, Some(table))
            }
            None => (training_words(utterances, &tokens), None),
        };
        let rows = Rows::new(&vocabulary);
        let mut offsets = vec![0];
        let mut indices = Vec::new();
        let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
        for utterance in &tokens {
            for word in utterance {
                let row = rows.of(word);
                indices.push(row.map_or(-1, |row| row as i32));
                if row.is_none() {
                    *missing.entry(word).or_default() += 1;
                }
            }
            offsets.push(indices.len());
        }
        let mut commonest: Vec<(String, usize)> = missing.into_iter().map(|(word, count)| (word.to_owned(), count)).collect();
        commonest.sort_by_key(|&(_, count)| Reverse(count));
        let missing = Missing { tokens: indices.len(), missing: commonest.iter().map(|(_, count)| count).sum(), commonest };
        Ok(Self { vocabulary, tokens: indices, offsets, vectors, missing })
    }
}

/// Rows by word.
struct Rows<'a>(HashMap<&'a str, usize>);

impl<'a> Rows<'a> {
    fn new(words: &'a [String]) -> Self {
        Self(words.iter().enumerate().map(|(row, word)| (word.as_str(), row)).collect())
    }

    /// As written, then in lower case.
    fn of(&self, word: &str) -> Option<usize> {
        self.0.get(word).or_else(|| self.0.get(word.to_lowercase().as_str())).copied()
    }
}

/// The rows that a token leads to: of "The" and "the" in a cased file, the lower-case form goes where nobody writes it.
fn keep_used(found: Vec<String>, table: &WordTable, tokens: &[Vec<String>]) -> (Vec<String>, WordTable) {
    let rows = Rows::new(&found);
    let used: BTreeSet<usize> = tokens.iter().flatten().filter_map(|word| rows.of(word)).collect();
    let width = table.width;
    let values = used.iter().flat_map(|&row| &table.values[row * width..(row + 1) * width]).copied().collect();
    (used.iter().map(|&row| found[row].clone()).collect(), WordTable { width, values })
}

fn training_words(utterances: &[Utterance], tokens: &[Vec<String>]) -> Vec<String> {
    let has_splits = utterances.iter().any(|utterance| utterance.split.is_some());
    let is_training = |utterance: &Utterance| !has_splits || utterance.split == Some(Split::Train);
    let training = utterances.iter().zip(tokens).filter(|(utterance, _)| is_training(utterance));
    let words: BTreeSet<String> = training.flat_map(|(_, words)| words).map(|word| word.to_lowercase()).collect();
    words.into_iter().collect()
}
