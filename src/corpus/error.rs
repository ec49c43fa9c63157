//! Why a corpus cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Failure of a corpus loader; each names the file, the line where there is one, and the mend.
#[derive(Debug, Error)]
pub enum CorpusError {
    #[error("{}: cannot be read ({source}); check the path and its permissions", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}, line {line}: is not UTF-8; save the file as UTF-8", path.display())]
    NotUtf8 { path: PathBuf, line: u64 },
    #[error("{}: has no column '{column}' (found: {found}); add it to the first line", path.display())]
    MissingColumn { path: PathBuf, column: &'static str, found: String },
    #[error("{}, line {line}: has {fields} fields, the first line {expected}; put text that holds a comma in quotes", path.display())]
    Ragged { path: PathBuf, line: u64, fields: u64, expected: u64 },
    #[error("{}, line {line}: no {column}; fill it in or leave the line out", path.display())]
    EmptyField { path: PathBuf, line: u64, column: &'static str },
    #[error("{}, line {line}: unknown split '{value}'; write train, validation, test or nothing", path.display())]
    UnknownSplit { path: PathBuf, line: u64, value: String },
    #[error("{}, line {line}: the id '{id}' stands in line {first} too; give each utterance its own", path.display())]
    DuplicateId { path: PathBuf, line: u64, id: String, first: u64 },
    #[error("{}: holds no utterances; add a line for each", path.display())]
    NoUtterances { path: PathBuf },
    #[error("{}: cannot be read as CSV ({reason}); check its quotes", path.display())]
    Malformed { path: PathBuf, reason: String },
}
