//! Why a file of word vectors cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Failure of the text side; each names the file, the line where there is one, and the remedy. A text within an archive is
/// named `archive.zip:member`.
#[derive(Debug, Error)]
pub enum TextError {
    #[error("{}: cannot be read ({source}); check the path and its permissions", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: is packed ({kind}); unpack it and name the text file", path.display())]
    Packed { path: PathBuf, kind: &'static str },
    #[error("{}: its {kind} data are cut short or damaged ({reason}); fetch the file again", path.display())]
    Damaged { path: PathBuf, kind: &'static str, reason: String },
    #[error("{}: cannot be unpacked ({reason}); unpack it and name the text file", path.display())]
    Unpack { path: PathBuf, reason: String },
    #[error("{}: holds several texts ({}); choose one, for example {}:{}", path.display(), members.join(", "), path.display(), members[0])]
    SeveralMembers { path: PathBuf, members: Vec<String> },
    #[error("{}: holds no text '{member}'; choose one of: {}", path.display(), members.join(", "))]
    NoMember { path: PathBuf, member: String, members: Vec<String> },
    #[error("{}: is no zip archive that could hold '{member}'; name the file alone", path.display())]
    NoArchive { path: PathBuf, member: String },
    #[error("{}: holds no word vectors; name a text file of lines 'word number number …'", path.display())]
    NoVectors { path: PathBuf },
    #[error("{}, line {line}: is no text; name word vectors as text (word2vec's binary files must be converted)", path.display())]
    NotText { path: PathBuf, line: u64 },
    #[error("{}, line {line}: has {found} numbers, {by} {expected}; fetch the file again", path.display())]
    Width { path: PathBuf, line: u64, found: usize, by: &'static str, expected: usize },
    #[error("{}, line {line}: '{value}' is not a finite number; fetch the file again", path.display())]
    NotANumber { path: PathBuf, line: u64, value: String },
}
