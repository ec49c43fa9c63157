//! Why a corpus cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Failure of a corpus loader; each names the file, the line where there is one, and the remedy.
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
    #[error("{}, line {line}: unknown emotion '{label}'; correct it to one of {known}", path.display())]
    UnknownEmotion { path: PathBuf, line: u64, label: String, known: String },
    #[error("{}, line {line}: the label '{label}' is none of the classes, the nearest is '{nearest}'; correct it or add it to --classes", path.display())]
    NoSuchClass { path: PathBuf, line: u64, label: String, nearest: String },
    #[error("{}, line {line}: {column} '{value}' is not a whole number; correct it", path.display())]
    NotANumber { path: PathBuf, line: u64, column: &'static str, value: String },
    #[error("{}, line {line}: is not '[start - end]<TAB>utterance<TAB>emotion'; restore the line from the archive", path.display())]
    NotALabelLine { path: PathBuf, line: u64 },
    #[error("{}, line {line}: the id '{id}' does not end in _F or _M and a number, which name the speaker; restore the line from the archive", path.display())]
    NoSpeakerInId { path: PathBuf, line: u64, id: String },
    #[error("{}, line {line}: the id '{id}' stands in {}, line {first_line} too; remove one of the two lines", path.display(), first.display())]
    LabelledTwice { path: PathBuf, line: u64, id: String, first: PathBuf, first_line: u64 },
    #[error("{}: has the same id, '{id}', as {}; remove one of the two files", path.display(), first.display())]
    RecordedTwice { path: PathBuf, id: String, first: PathBuf },
    #[error("no Session1..5 under {}; is it IEMOCAP_full_release?", path.display())]
    NoSessions { path: PathBuf },
    #[error("no label in the files of {}; unpack the corpus again", path.display())]
    NoLabels { path: PathBuf },
    #[error("no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv under {}; is it MELD.Raw?", path.display())]
    NoSplitTables { path: PathBuf },
    #[error("no recording named {pattern} under {}{passed_over}; is it the folder of {corpus}?", path.display())]
    NoRecordings { path: PathBuf, pattern: &'static str, corpus: &'static str, passed_over: String },
    #[error("{}: none of its utterances has one of the classes (it has {labels}); choose other classes", path.display())]
    OtherLabelsOnly { path: PathBuf, labels: String },
    #[error("{}: none of its {listed} utterances can be used; the first, {id}: {reason}", path.display())]
    NothingUsable { path: PathBuf, listed: usize, id: String, reason: String },
    #[error("{}: the utterance '{id}' has no speaker; name one for each utterance or keep the corpus' own split", path.display())]
    NoSpeaker { path: PathBuf, id: String },
    #[error("{}: speakers are too few for three splits, which need 3 at least (found: {found}); add some or keep the corpus' own split", path.display())]
    FewSpeakers { path: PathBuf, found: String },
    #[error("{}: cannot be read as CSV ({reason}); check its quotes", path.display())]
    Malformed { path: PathBuf, reason: String },
}
