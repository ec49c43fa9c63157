//! The words of other data as a run knows them: by its vocabulary, since rows of another one are other words.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::vocabulary::{self, read_vectors, read_words, row};
use super::{Misfit, TrainError};
use crate::base::streams::TEXT;
use crate::dataset::{DataStream, Dataset, TokenLists};

/// What became of the words of data that were read anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reread {
    /// Tokens that are none of the run's words.
    pub unknown: usize,
    /// Of how many.
    pub tokens: usize,
    /// Whether the data have vectors of their own, of which some are not the run's.
    pub other_vectors: bool,
}

/// Gives the words of a data set the rows that they have in a run, whose vocabulary is the file at `path`, where these are not the same:
/// those of a table that was trained, or tuned, are of the run alone; frozen vectors travel with the data, and only where a word of both has
/// another vector the run's are taken. Nothing is done where the words are the same, or not represented alike.
///
/// # Errors
/// [`TrainError::Misfit`] where the data do not say which words they have, or [`TrainError`] naming the run's file.
pub(crate) fn adopt(path: &Path, data: &mut Dataset, is_tuned: bool) -> Result<Option<Reread>, TrainError> {
    let store = vocabulary::open(path)?;
    let Some(text) = data.text() else { return Ok(None) };
    let words = read_words(&store, path)?;
    let vectors = read_vectors(&store, path, words.len())?;
    let other_vectors = match (&vectors, &text.vectors) {
        (Some(own), Some(table)) if own.width == table.width && !text.vocabulary.is_empty() => {
            let drawn: BTreeSet<&str> = data.drawn.iter().map(String::as_str).collect();
            let own_rows: HashMap<&str, usize> = words.iter().enumerate().map(|(row, word)| (word.as_str(), row)).collect();
            let differs = |(place, word): (usize, &String)| {
                let row = own_rows.get(word.as_str()).filter(|_| !drawn.contains(word.as_str()))?;
                let [own, theirs] =
                    [(own, *row), (table, place)].map(|(table, row)| table.values.get(row * table.width..(row + 1) * table.width));
                Some(own != theirs)
            };
            if !text.vocabulary.iter().enumerate().filter_map(differs).any(|differs| differs) {
                return Ok(None);
            }
            true
        }
        (Some(_), _) => return Ok(None),
        (None, Some(_)) if !is_tuned => return Ok(None),
        (None, _) if words == text.vocabulary => return Ok(None),
        (None, _) if text.vocabulary.is_empty() => return Err(Misfit::Vocabulary.into()),
        (None, _) => false,
    };
    let rows: HashMap<String, i32> = words.iter().enumerate().map(|(row, word)| (word.clone(), row as i32)).collect();
    let to: Vec<i32> = text.vocabulary.iter().map(|word| row(&rows, word)).collect();
    let tokens: Vec<i32> =
        text.tokens.iter().map(|&token| usize::try_from(token).ok().and_then(|token| to.get(token)).map_or(-1, |&row| row)).collect();
    let reread = Reread { unknown: tokens.iter().filter(|&&token| token < 0).count(), tokens: tokens.len(), other_vectors };
    let text = TokenLists { tokens, offsets: text.offsets.clone(), vectors, vocabulary: words };
    if let Some(stream) = data.streams.get_mut(TEXT) {
        *stream = DataStream::Tokens(text);
    }
    Ok(Some(reread))
}
