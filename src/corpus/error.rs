//! Why a corpus cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::base::remedy::{Remedied, Remedy};

/// Failure of a corpus loader; each names the file, and the line where there is one.
#[derive(Debug, Error)]
pub enum CorpusError {
    #[error("{}: cannot be read ({source})", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}, line {line}: is not UTF-8", path.display())]
    NotUtf8 { path: PathBuf, line: u64 },
    #[error("{}: has no column '{column}' (found: {found})", path.display())]
    MissingColumn { path: PathBuf, column: &'static str, found: String },
    #[error("{}, line {line}: has {fields} fields, the first line {expected}", path.display())]
    Ragged { path: PathBuf, line: u64, fields: u64, expected: u64 },
    #[error("{}, line {line}: no {column}", path.display())]
    EmptyField { path: PathBuf, line: u64, column: &'static str },
    #[error("{}, line {line}: unknown split '{value}'", path.display())]
    UnknownSplit { path: PathBuf, line: u64, value: String },
    #[error("{}, line {line}: the id '{id}' stands in line {first} too", path.display())]
    DuplicateId { path: PathBuf, line: u64, id: String, first: u64 },
    #[error("{}: holds no utterances", path.display())]
    NoUtterances { path: PathBuf },
    #[error("{}, line {line}: unknown emotion '{label}'", path.display())]
    UnknownEmotion { path: PathBuf, line: u64, label: String, known: String },
    #[error("{}, line {line}: the label '{label}' is none of the classes, the nearest is '{nearest}'", path.display())]
    NoSuchClass { path: PathBuf, line: u64, label: String, nearest: String },
    #[error("{}, line {line}: {column} '{value}' is not a whole number", path.display())]
    NotANumber { path: PathBuf, line: u64, column: &'static str, value: String },
    #[error("{}, line {line}: is not '[start - end]<TAB>utterance<TAB>emotion'", path.display())]
    NotALabelLine { path: PathBuf, line: u64 },
    #[error("{}, line {line}: the id '{id}' does not end in _F or _M and a number, which name the speaker", path.display())]
    NoSpeakerInId { path: PathBuf, line: u64, id: String },
    #[error("{}, line {line}: the id '{id}' stands in {}, line {first_line} too", path.display(), first.display())]
    LabelledTwice { path: PathBuf, line: u64, id: String, first: PathBuf, first_line: u64 },
    #[error("{}: has the same id, '{id}', as {}", path.display(), first.display())]
    RecordedTwice { path: PathBuf, id: String, first: PathBuf },
    #[error("no Session1..5 under {}", path.display())]
    NoSessions { path: PathBuf },
    #[error("no label in the files of {}", path.display())]
    NoLabels { path: PathBuf },
    #[error("no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv under {}", path.display())]
    NoSplitTables { path: PathBuf },
    #[error("no recording named {pattern} under {}{passed_over}", path.display())]
    NoRecordings { path: PathBuf, pattern: &'static str, corpus: &'static str, passed_over: String },
    #[error("{}: none of its utterances has one of the classes (it has {labels})", path.display())]
    OtherLabelsOnly { path: PathBuf, labels: String },
    #[error("{}: none of its {listed} utterances can be used; the first, {id}: {reason}", path.display())]
    NothingUsable { path: PathBuf, listed: usize, id: String, reason: String },
    #[error("{}: the utterance '{id}' has no speaker", path.display())]
    NoSpeaker { path: PathBuf, id: String },
    #[error("{}: speakers are too few for three splits, which need 3 at least (found: {found})", path.display())]
    FewSpeakers { path: PathBuf, found: String },
    #[error("{}: cannot be read as CSV ({reason})", path.display())]
    Malformed { path: PathBuf, reason: String },
}

impl Remedied for CorpusError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { .. } => vec![Remedy::CheckPath],
            Self::NotUtf8 { .. } => vec![Remedy::advice("save the file as UTF-8")],
            Self::MissingColumn { .. } => vec![Remedy::advice("add it to the first line")],
            Self::Ragged { .. } => vec![Remedy::advice("put text that holds a comma in quotes")],
            Self::EmptyField { .. } => vec![Remedy::advice("fill it in or leave the line out")],
            Self::UnknownSplit { .. } => vec![Remedy::advice("write train, validation, test or nothing")],
            Self::DuplicateId { .. } => vec![Remedy::advice("give each utterance its own")],
            Self::NoUtterances { .. } => vec![Remedy::advice("add a line for each")],
            Self::UnknownEmotion { known, .. } => vec![Remedy::advice(format!("correct it to one of {known}"))],
            Self::NoSuchClass { .. } => vec![Remedy::advice("correct it"), Remedy::AddClass],
            Self::NotANumber { .. } => vec![Remedy::advice("correct it")],
            Self::NotALabelLine { .. } | Self::NoSpeakerInId { .. } => vec![Remedy::advice("restore the line from the archive")],
            Self::LabelledTwice { .. } => vec![Remedy::advice("remove one of the two lines")],
            Self::RecordedTwice { .. } => vec![Remedy::advice("remove one of the two files")],
            Self::NoSessions { .. } => vec![Remedy::CorpusFolder("IEMOCAP_full_release".into())],
            Self::NoLabels { .. } => vec![Remedy::advice("unpack the corpus again")],
            Self::NoSplitTables { .. } => vec![Remedy::CorpusFolder("MELD.Raw".into())],
            Self::NoRecordings { corpus, .. } => vec![Remedy::CorpusFolder(format!("the folder of {corpus}"))],
            Self::OtherLabelsOnly { .. } => vec![Remedy::OtherClasses],
            Self::NoSpeaker { .. } => vec![Remedy::advice("name one for each utterance or keep the corpus' own split")],
            Self::FewSpeakers { .. } => vec![Remedy::advice("add some or keep the corpus' own split")],
            Self::NothingUsable { .. } => Vec::new(),
            Self::Malformed { .. } => vec![Remedy::advice("check its quotes")],
        }
    }
}
