//! Word vectors, and the token that has none.

/// Word vectors, row by row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WordTable {
    /// Numbers of a vector.
    pub width: usize,
    /// `[words, width]`
    pub values: Vec<f32>,
}

/// The token that has no vector.
pub const OUT_OF_VOCABULARY: u32 = u32::MAX;
