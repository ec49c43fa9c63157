//! What the data decide of a model.

use crate::dataset::Dataset;

/// Sizes that the data decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Dimensions {
    /// Acoustic features a frame.
    pub coefficients: usize,
    /// Width of the word vectors.
    pub word_width: usize,
    /// Rows of the trainable word table; none where vectors are given and frozen.
    pub learned_words: Option<usize>,
    pub classes: usize,
}

impl Dimensions {
    /// The sizes of a data set; `word_width` is used where it holds no vectors.
    pub fn of(data: &Dataset, word_width: usize) -> Self {
        Self {
            coefficients: data.coefficients,
            word_width: data.vectors.as_ref().map_or(word_width, |vectors| vectors.width),
            learned_words: data.vectors.is_none().then(|| data.words()),
            classes: data.classes.len(),
        }
    }
}
