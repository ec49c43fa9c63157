//! What must hold of a prepared data set before a kernel may index by it.

use std::path::Path;

use super::error::DatasetError;
use super::prepared::{Dataset, UtteranceInfo};

/// Mend for a file whose numbers contradict one another.
const MAKE_AGAIN: &str = "make the file again";

/// Checks of one file; each error names the tensor and, where there is one, the utterance.
pub(super) struct Checks<'a> {
    pub path: &'a Path,
    pub utterances: &'a [UtteranceInfo],
}

impl Checks<'_> {
    /// Offsets that rise from 0 to `rows`.
    pub fn offsets(&self, tensor: &'static str, offsets: &[i64], rows: usize) -> Result<Vec<usize>, DatasetError> {
        if self.utterances.is_empty() {
            return Err(self.invalid(tensor, None, "there are no utterances".into(), MAKE_AGAIN));
        }
        if offsets.len() != self.utterances.len() + 1 {
            let problem = format!("{} offsets for {} utterances, not one more", offsets.len(), self.utterances.len());
            return Err(self.invalid(tensor, None, problem, MAKE_AGAIN));
        }
        if offsets[0] != 0 {
            return Err(self.invalid(tensor, Some(0), format!("starts at row {}, not 0", offsets[0]), MAKE_AGAIN));
        }
        if let Some(utterance) = offsets.windows(2).position(|pair| pair[1] < pair[0]) {
            let problem = format!("starts at row {} and ends at {}", offsets[utterance], offsets[utterance + 1]);
            return Err(self.invalid(tensor, Some(utterance), problem, MAKE_AGAIN));
        }
        let end = offsets[self.utterances.len()];
        if end != rows as i64 {
            return Err(self.invalid(tensor, None, format!("the last offset is {end}, there are {rows} rows"), MAKE_AGAIN));
        }
        Ok(offsets.iter().map(|&offset| offset as usize).collect())
    }

    /// Labels that index `classes`.
    pub fn labels(&self, labels: &[i64], classes: &[String]) -> Result<Vec<u32>, DatasetError> {
        if labels.len() != self.utterances.len() {
            let problem = format!("{} labels for {} utterances", labels.len(), self.utterances.len());
            return Err(self.invalid("labels", None, problem, MAKE_AGAIN));
        }
        let known = 0..classes.len() as i64;
        if let Some(utterance) = labels.iter().position(|label| !known.contains(label)) {
            let problem = format!("label {} is not the index of one of {} classes", labels[utterance], classes.len());
            return Err(self.invalid("labels", Some(utterance), problem, "correct it, or list its class in the metadata"));
        }
        Ok(labels.iter().map(|&label| label as u32).collect())
    }

    /// Tokens that a 32-bit index holds; [`Checks::numbers`] compares them with the table.
    pub fn tokens(&self, tokens: &[i64]) -> Result<Vec<i32>, DatasetError> {
        let narrow = |&token: &i64| i32::try_from(token).map_err(|_| format!("token {token} is not a row of a table"));
        let tokens: Result<Vec<i32>, String> = tokens.iter().map(narrow).collect();
        tokens.map_err(|problem| self.invalid("text.tokens", None, problem, MAKE_AGAIN))
    }

    /// Features and vectors that are finite, and tokens that have a row in the word table.
    pub fn numbers(&self, dataset: &Dataset) -> Result<(), DatasetError> {
        if dataset.coefficients == 0 {
            return Err(self.invalid("audio.features", None, "a frame has no coefficients".into(), MAKE_AGAIN));
        }
        if let Some(place) = dataset.features.iter().position(|value| !value.is_finite()) {
            let (row, coefficient) = (place / dataset.coefficients, place % dataset.coefficients);
            let utterance = owner(&dataset.frame_offsets, row);
            let frame = row - dataset.frame_offsets[utterance];
            let problem = format!("coefficient {coefficient} of frame {frame} is {}", dataset.features[place]);
            return Err(self.invalid("audio.features", Some(utterance), problem, "repair its recording or leave it out"));
        }
        let words = dataset.words();
        if let Some(table) = &dataset.vectors {
            if let Some(place) = table.values.iter().position(|value| !value.is_finite()) {
                let row = place / table.width;
                let word = dataset.vocabulary.get(row).map_or_else(|| format!("row {row}"), |word| format!("the word '{word}'"));
                let problem = format!("the vector of {word} holds {}", table.values[place]);
                return Err(self.invalid("text.vectors", None, problem, "use another file of vectors"));
            }
            if !dataset.vocabulary.is_empty() && dataset.vocabulary.len() != words {
                let problem = format!("{words} rows for a vocabulary of {}", dataset.vocabulary.len());
                return Err(self.invalid("text.vectors", None, problem, MAKE_AGAIN));
            }
        }
        let known = -1..words as i64;
        if let Some(place) = dataset.tokens.iter().position(|&token| !known.contains(&token.into())) {
            let utterance = owner(&dataset.token_offsets, place);
            let problem = format!("token {} is neither -1 nor a row of the {words} words", dataset.tokens[place]);
            return Err(self.invalid("text.tokens", Some(utterance), problem, MAKE_AGAIN));
        }
        Ok(())
    }

    fn invalid(&self, tensor: &'static str, utterance: Option<usize>, problem: String, remedy: &'static str) -> DatasetError {
        let utterance = utterance.and_then(|utterance| self.utterances.get(utterance)).map(|utterance| utterance.id.clone());
        DatasetError::Invalid { path: self.path.to_path_buf(), tensor, utterance, problem, remedy }
    }
}

/// The utterance that a row belongs to.
fn owner(offsets: &[usize], row: usize) -> usize {
    offsets.partition_point(|&start| start <= row) - 1
}
