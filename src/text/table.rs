//! The words of a data set: a vocabulary, each utterance's tokens as rows of it, and the rows' vectors.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
#[cfg(feature = "cli")]
use std::ops::Range;
use std::path::Path;

use super::drawn::{Distribution, OutOfVocabulary};
use super::{TextError, tokenise, vectors};
use crate::base::words::WordTable;
use crate::corpus::{Split, Utterance};

/// Words that are told where none has a vector.
const EXAMPLES: usize = 3;

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
    /// Words of the vocabulary whose vectors were drawn, sorted; none but with [`OutOfVocabulary::Random`].
    pub drawn: Vec<String>,
    /// What the file of vectors lacks (or, where they are to be learned, the training utterances).
    pub missing: Missing,
}

/// Words without a vector of their own. Those that a vector was drawn for count too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missing {
    /// All tokens of the corpus.
    pub tokens: usize,
    /// Those of such words.
    pub missing: usize,
    /// Different words of the corpus, as they are written.
    pub words: usize,
    /// Such words and how often each occurs: the commonest first, equals by name.
    pub commonest: Vec<(String, usize)>,
}

impl Missing {
    fn count(tokens: &[Vec<String>], rows: &Rows<'_>) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for word in tokens.iter().flatten().filter(|word| rows.of(word).is_none()) {
            *counts.entry(word).or_default() += 1;
        }
        let mut commonest: Vec<(String, usize)> = counts.into_iter().map(|(word, count)| (word.to_owned(), count)).collect();
        commonest.sort_by_key(|&(_, count)| Reverse(count));
        Self {
            tokens: tokens.iter().map(Vec::len).sum(),
            missing: commonest.iter().map(|(_, count)| count).sum(),
            words: tokens.iter().flatten().collect::<HashSet<_>>().len(),
            commonest,
        }
    }

    /// Part of all tokens, 0 to 1.
    pub fn share(&self) -> f64 {
        self.missing as f64 / self.tokens.max(1) as f64
    }

    /// Whether more than half of the tokens, or of the different words, are of these.
    pub fn is_most(&self) -> bool {
        2 * self.missing > self.tokens || 2 * self.commonest.len() > self.words
    }
}

impl TextTable {
    /// Tokenises the transcripts; the table holds the lower-cased words of the training utterances (of all, where no utterance
    /// is of any split), whose vectors are to be learned.
    pub fn learned(utterances: &[Utterance]) -> Self {
        let tokens = tokenised(utterances);
        let vocabulary = training_words(utterances, &tokens);
        let missing = Missing::count(&tokens, &Rows::new(&vocabulary));
        Self::of(&tokens, vocabulary, missing)
    }

    /// Tokenises the transcripts; the table holds the words that occur of a file of vectors.
    ///
    /// A word is looked up as it is written, then in lower case. One that the file lacks has no row, or with
    /// [`OutOfVocabulary::Random`] one of its own, as it is written, whose vector is drawn.
    ///
    /// # Errors
    /// Those of [`vectors::read`], and [`TextError::NoneFound`] where there are words and the file has none of them.
    pub fn with_vectors(utterances: &[Utterance], path: &Path, oov: OutOfVocabulary) -> Result<Self, TextError> {
        let tokens = tokenised(utterances);
        let (found, table) = vectors::read(path, &forms(tokens.iter().flatten()))?;
        let (mut vocabulary, mut table) = keep_used(found, &table, &tokens);
        let missing = Missing::count(&tokens, &Rows::new(&vocabulary));
        if vocabulary.is_empty() && missing.tokens > 0 {
            let examples: Vec<&str> = missing.commonest.iter().take(EXAMPLES).map(|(word, _)| word.as_str()).collect();
            return Err(TextError::NoneFound { path: path.into(), words: missing.words, examples: examples.join(" ") });
        }
        let mut drawn = Vec::new();
        if oov == OutOfVocabulary::Random {
            drawn.extend(missing.commonest.iter().map(|(word, _)| word.clone()));
            drawn.sort();
            (vocabulary, table) = with_drawn(vocabulary, &table, &drawn);
        }
        Ok(Self { vectors: Some(table), drawn, ..Self::of(&tokens, vocabulary, missing) })
    }

    /// The tokens as rows of a vocabulary that has no vectors yet.
    fn of(tokens: &[Vec<String>], vocabulary: Vec<String>, missing: Missing) -> Self {
        let rows = Rows::new(&vocabulary);
        let mut offsets = vec![0];
        let mut indices = Vec::new();
        for utterance in tokens {
            indices.extend(utterance.iter().map(|word| rows.of(word).map_or(-1, |row| row as i32)));
            offsets.push(indices.len());
        }
        Self { vocabulary, tokens: indices, offsets, vectors: None, drawn: Vec::new(), missing }
    }

    /// Adds utterances with the tokens of others.
    pub(crate) fn repeat(&mut self, of: &[usize]) {
        for &utterance in of {
            self.tokens.extend_from_within(self.offsets[utterance]..self.offsets[utterance + 1]);
            self.offsets.push(self.tokens.len());
        }
    }

    /// The tokens of some utterances that follow on one another, in the table of all.
    #[cfg(feature = "cli")]
    pub(crate) fn part(&self, utterances: Range<usize>) -> Self {
        let bounds = &self.offsets[utterances.start..=utterances.end];
        let (start, end) = (bounds[0], bounds[bounds.len() - 1]);
        Self {
            vocabulary: self.vocabulary.clone(),
            tokens: self.tokens[start..end].to_vec(),
            offsets: bounds.iter().map(|offset| offset - start).collect(),
            vectors: self.vectors.clone(),
            drawn: self.drawn.clone(),
            missing: Missing::default(),
        }
    }

    /// Leaves out the utterances that are not to be kept, such as those whose recordings turn out to be unreadable.
    ///
    /// Only tokens go: the vocabulary, its vectors and [`Missing`] stay as the whole corpus made them, so that no row
    /// depends on which recordings could be read.
    ///
    /// # Panics
    /// Where `keep` is not as long as there are utterances.
    pub fn retain(&mut self, keep: &[bool]) {
        assert_eq!(keep.len(), self.offsets.len() - 1, "one decision for each utterance");
        let mut tokens = Vec::new();
        let mut offsets = vec![0];
        for (bounds, _) in self.offsets.windows(2).zip(keep).filter(|&(_, &keep)| keep) {
            tokens.extend_from_slice(&self.tokens[bounds[0]..bounds[1]]);
            offsets.push(tokens.len());
        }
        (self.tokens, self.offsets) = (tokens, offsets);
    }
}

/// Those of some words that a file of vectors lacks, as they are written and in lower case.
///
/// # Errors
/// Those of [`vectors::read`].
pub(crate) fn lacking<'a>(path: &Path, words: impl Iterator<Item = &'a String> + Clone) -> Result<BTreeSet<&'a str>, TextError> {
    let (found, _) = vectors::read(path, &forms(words.clone()))?;
    let rows = Rows::new(&found);
    Ok(words.map(String::as_str).filter(|word| rows.of(word).is_none()).collect())
}

/// The words to ask a file of vectors for: each as it is written and in lower case.
fn forms<'a>(words: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    words.flat_map(|word| [word.clone(), word.to_lowercase()]).collect()
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

/// The table with rows for the words that are drawn among those found, all sorted.
fn with_drawn(found: Vec<String>, table: &WordTable, drawn: &[String]) -> (Vec<String>, WordTable) {
    let distribution = Distribution::of(table);
    let given = found.into_iter().zip(table.values.chunks(table.width).map(<[f32]>::to_vec));
    let rows: BTreeMap<String, Vec<f32>> = given.chain(drawn.iter().map(|word| (word.clone(), distribution.draw(word)))).collect();
    let (vocabulary, values): (Vec<String>, Vec<Vec<f32>>) = rows.into_iter().unzip();
    (vocabulary, WordTable { width: table.width, values: values.concat() })
}

fn tokenised(utterances: &[Utterance]) -> Vec<Vec<String>> {
    utterances.iter().map(|utterance| tokenise(&utterance.text)).collect()
}

fn training_words(utterances: &[Utterance], tokens: &[Vec<String>]) -> Vec<String> {
    let has_splits = utterances.iter().any(|utterance| utterance.split.is_some_and(|split| split != Split::Unlabelled));
    let is_training = |utterance: &Utterance| match utterance.split {
        None => !has_splits,
        Some(split) => split == Split::Train,
    };
    let training = utterances.iter().zip(tokens).filter(|(utterance, _)| is_training(utterance));
    let words: BTreeSet<String> = training.flat_map(|(_, words)| words).map(|word| word.to_lowercase()).collect();
    words.into_iter().collect()
}
