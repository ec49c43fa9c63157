//! From a transcript to rows of word vectors: tokens, vector files, and the table that a data set keeps.

mod error;
mod rewrite;
mod sentences;
mod table;
mod tokens;
pub mod vectors;

pub use error::TextError;
pub use table::{Missing, TextTable};
pub use tokens::tokenise;
