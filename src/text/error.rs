//! Why a file of word vectors cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Failure of the text side; each names the file, the line where there is one, and the mend.
#[derive(Debug, Error)]
pub enum TextError {
    #[error("{}: cannot be read ({source}); check the path and its permissions", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: is packed ({kind}); unpack it and name the text file", path.display())]
    Packed { path: PathBuf, kind: &'static str },
    #[error("{}: holds no word vectors; name a text file of lines 'word number number …'", path.display())]
    NoVectors { path: PathBuf },
    #[error("{}, line {line}: has {found} numbers, the lines before it {expected}; fetch the file again", path.display())]
    Width { path: PathBuf, line: u64, found: usize, expected: usize },
    #[error("{}, line {line}: '{value}' is not a finite number; fetch the file again", path.display())]
    NotANumber { path: PathBuf, line: u64, value: String },
}
