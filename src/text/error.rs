//! Why a file of word vectors cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::base::remedy::{Remedied, Remedy};

/// Failure of the text side; each names the file, and the line where there is one. A text within an archive is
/// named `archive.zip:member`.
#[derive(Debug, Error)]
pub enum TextError {
    #[error("{}: cannot be read ({source})", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: is packed ({kind})", path.display())]
    Packed { path: PathBuf, kind: &'static str },
    #[error("{}: its {kind} data are cut short or damaged ({reason})", path.display())]
    Damaged { path: PathBuf, kind: &'static str, reason: String },
    #[error("{}: cannot be unpacked ({reason})", path.display())]
    Unpack { path: PathBuf, reason: String },
    #[error("{}: holds several texts ({})", path.display(), members.join(", "))]
    SeveralMembers { path: PathBuf, members: Vec<String> },
    #[error("{}: holds no text '{member}'", path.display())]
    NoMember { path: PathBuf, member: String, members: Vec<String> },
    #[error("{}: is no zip archive that could hold '{member}'", path.display())]
    NoArchive { path: PathBuf, member: String },
    #[error("{}: holds no word vectors", path.display())]
    NoVectors { path: PathBuf },
    #[error("{}, line {line}: is no text", path.display())]
    NotText { path: PathBuf, line: u64 },
    #[error("{}, line {line}: has {found} numbers, {by} {expected}", path.display())]
    Width { path: PathBuf, line: u64, found: usize, by: &'static str, expected: usize },
    #[error("{}, line {line}: '{value}' is not a finite number", path.display())]
    NotANumber { path: PathBuf, line: u64, value: String },
}

impl Remedied for TextError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { .. } => vec![Remedy::CheckPath],
            Self::Packed { .. } | Self::Unpack { .. } => vec![Remedy::advice("unpack it and name the text file")],
            Self::Damaged { .. } | Self::Width { .. } | Self::NotANumber { .. } => vec![Remedy::advice("fetch the file again")],
            Self::SeveralMembers { path, members } => {
                members.first().map(|member| Remedy::NameMember { archive: path.clone(), member: member.clone() }).into_iter().collect()
            }
            Self::NoMember { members, .. } => vec![Remedy::OneOf(members.clone())],
            Self::NoArchive { .. } => vec![Remedy::advice("name the file alone")],
            Self::NoVectors { .. } => vec![Remedy::advice("name a text file of lines 'word number number …'")],
            Self::NotText { .. } => vec![Remedy::advice("name word vectors as text (word2vec's binary files must be converted)")],
        }
    }
}
