//! From a transcript to rows of word vectors: tokens, vector files, and the table that a data set keeps.

mod drawn;
mod error;
mod lines;
mod punkt;
mod rewrite;
mod sentences;
mod table;
mod tokens;
pub mod transcript;
mod unpack;
pub mod vectors;

pub use drawn::OutOfVocabulary;
pub use error::TextError;
pub use lines::read_lines;
pub(crate) use table::lacking;
pub use table::{Missing, TextTable};
pub use tokens::tokenise;
