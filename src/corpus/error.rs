//! Why a corpus cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Split;
use crate::base::foreign::Foreign;
use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};

/// Failure of a corpus loader; each names the file, and the line where there is one.
#[derive(Debug, Error)]
pub enum CorpusError {
    /// A file or a folder is not there, or the system does not let it be read.
    #[error("{}: cannot be read ({source})", path.display())]
    Read {
        /// The file or the folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another file in place of a table.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Foreign,
    },
    /// A table that is no text in UTF-8.
    #[error("{}: {what}, not a table of text in UTF-8", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// What it is instead, as words that follow its name.
        what: &'static str,
    },
    /// A line of a table is in another coding.
    #[error("{}, line {line}: is not UTF-8", path.display())]
    NotUtf8 {
        /// The table.
        path: PathBuf,
        /// The line in which the record starts, from 1.
        line: u64,
    },
    /// A table lacks a column that its layout requires.
    #[error("{}: has no column '{column}' (found: {found})", path.display())]
    MissingColumn {
        /// The table.
        path: PathBuf,
        /// The column's name.
        column: &'static str,
        /// The columns that it has, between commas.
        found: String,
        /// The one of nearly that name.
        like: Option<String>,
    },
    /// Two columns of a table have one name.
    #[error("{}, line {line}: has two columns '{column}'", path.display())]
    DuplicateColumn {
        /// The table.
        path: PathBuf,
        /// The line with the columns' names.
        line: u64,
        /// The name.
        column: String,
    },
    /// A field in quotes does not end where they are closed.
    #[error("{}, line {line}: a quote that is opened here and closed in line {closed} has text behind it", path.display())]
    TextBehindQuote {
        /// The table.
        path: PathBuf,
        /// The line in which it is opened, from 1.
        line: u64,
        /// The line in which it is closed.
        closed: u64,
    },
    /// A quote that is opened and never closed.
    #[error("{}, line {line}: a quote is opened here and never closed", path.display())]
    QuoteNotClosed {
        /// The table.
        path: PathBuf,
        /// The line in which it is opened, from 1.
        line: u64,
    },
    /// A record has more or fewer fields than the table has columns.
    #[error("{}, line {line}: has {fields} fields, the first line {expected}", path.display())]
    Ragged {
        /// The table.
        path: PathBuf,
        /// The line in which the record starts, from 1.
        line: u64,
        /// How many fields the record has.
        fields: u64,
        /// How many columns the first line names.
        expected: u64,
        /// What parts the table's fields: a comma, semicolon or tab.
        delimiter: &'static str,
    },
    /// A field that must be filled in is empty.
    #[error("{}, line {line}: no {column}", path.display())]
    EmptyField {
        /// The table.
        path: PathBuf,
        /// The line in which the record starts, from 1.
        line: u64,
        /// The field's column.
        column: &'static str,
    },
    /// A manifest names a split that is none.
    #[error("{}, line {line}: unknown split '{value}'", path.display())]
    UnknownSplit {
        /// The manifest.
        path: PathBuf,
        /// The line in which the record starts, from 1.
        line: u64,
        /// As it is written there.
        value: String,
    },
    /// Two lines of a table are of one utterance.
    #[error("{}, line {line}: the id '{id}' stands in line {first} too", path.display())]
    DuplicateId {
        /// The table.
        path: PathBuf,
        /// The line in which the second starts, from 1.
        line: u64,
        /// The name that both have.
        id: String,
        /// The line in which the first starts.
        first: u64,
    },
    /// A table has its first line and no other.
    #[error("{}: holds no utterances", path.display())]
    NoUtterances {
        /// The table.
        path: PathBuf,
    },
    /// The corpus has no such emotion.
    #[error("{}, line {line}: unknown emotion '{label}'", path.display())]
    UnknownEmotion {
        /// The file with the labels.
        path: PathBuf,
        /// The label's line, from 1.
        line: u64,
        /// As it is written there.
        label: String,
        /// The labels that the corpus has, between commas.
        known: String,
    },
    /// A manifest has a label that is none of the classes that were given.
    #[error("{}, line {line}: the label '{label}' is none of the classes, the nearest is '{nearest}'", path.display())]
    NoSuchClass {
        /// The manifest.
        path: PathBuf,
        /// The line in which the record starts, from 1.
        line: u64,
        /// As it is written there.
        label: String,
        /// The class with the most similar name.
        nearest: String,
    },
    /// A field that counts something is no whole number from 0.
    #[error("{}, line {line}: {column} '{value}' is not a whole number", path.display())]
    NotANumber {
        /// The table.
        path: PathBuf,
        /// The line in which the record starts, from 1.
        line: u64,
        /// The field's column.
        column: &'static str,
        /// As it is written there.
        value: String,
    },
    /// A word whose time cannot be.
    #[error("{}, line {line}: {problem}", path.display())]
    Alignment {
        /// The file of times.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A line of IEMOCAP's label files starts as one and has not its fields.
    #[error("{}, line {line}: is not '[start - end]<TAB>utterance<TAB>emotion'", path.display())]
    NotALabelLine {
        /// The file with the labels.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
    },
    /// An id of IEMOCAP does not say who speaks.
    #[error("{}, line {line}: the id '{id}' does not end in _F or _M and a number, which name the speaker", path.display())]
    NoSpeakerInId {
        /// The file with the labels.
        path: PathBuf,
        /// The id's line, from 1.
        line: u64,
        /// As it is written there.
        id: String,
    },
    /// Two lines of IEMOCAP's label files are of one utterance.
    #[error("{}, line {line}: the id '{id}' stands in {}, line {first_line} too", path.display(), first.display())]
    LabelledTwice {
        /// The file with the second.
        path: PathBuf,
        /// The second's line, from 1.
        line: u64,
        /// The id that both have.
        id: String,
        /// The file with the first.
        first: PathBuf,
        /// The first's line, from 1.
        first_line: u64,
    },
    /// Two recordings have one name, which is the utterance's id.
    #[error("{}: has the same id, '{id}', as {}", path.display(), first.display())]
    RecordedTwice {
        /// The second recording.
        path: PathBuf,
        /// The name without its extension.
        id: String,
        /// The first recording.
        first: PathBuf,
    },
    /// The folder has none of IEMOCAP's sessions.
    #[error("no Session1..5 under {}", path.display())]
    NoSessions {
        /// The folder that was given.
        path: PathBuf,
    },
    /// The sessions of IEMOCAP are there, but no label in them.
    #[error("no label in the files of {}", path.display())]
    NoLabels {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// The folder has none of MELD's tables.
    #[error("no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv under {}", path.display())]
    NoSplitTables {
        /// The folder that was given.
        path: PathBuf,
    },
    /// The folder has no table that lists the corpus' utterances.
    #[error("no {table} under {}", path.display())]
    NoTable {
        /// The folder that was given.
        path: PathBuf,
        /// The table, from there.
        table: &'static str,
        /// The name of the corpus.
        corpus: &'static str,
    },
    /// No folder in the folder holds a recording.
    #[error("no folder with recordings under {}", path.display())]
    NoClassFolders {
        /// The folder that was given.
        path: PathBuf,
    },
    /// No name of a recording is one of the corpus'.
    #[error("no recording named {pattern} under {}{passed_over}", path.display())]
    NoRecordings {
        /// The folder that was given.
        path: PathBuf,
        /// How the corpus names its recordings, in words.
        pattern: &'static str,
        /// The name of the corpus.
        corpus: &'static str,
        /// What was passed over on purpose, in brackets; empty where nothing was.
        passed_over: String,
    },
    /// All utterances are labelled, none with one of the chosen classes.
    #[error("{}: none of its utterances has one of the classes (it has {labels})", path.display())]
    OtherLabelsOnly {
        /// The corpus' folder.
        path: PathBuf,
        /// The labels that there are, each with how often it occurs.
        labels: String,
    },
    /// A folder that should hold the files of a fold of EmoBox.
    #[error("{}: has no files of a fold, NAME_train_fold_1.jsonl and NAME_test_fold_1.jsonl", path.display())]
    NoFold {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that should hold the folds of EmoBox of a corpus.
    #[error("{}: {problem}", path.display())]
    NoFolds {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A line that is no recording as JSON.
    #[error("{}, line {line}: is no recording as JSON ({reason})", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What the parser says.
        reason: String,
    },
    /// A recording that two files of a fold list.
    #[error("{}, line {line}: '{id}' is to be {second}, and is listed as {first} too", path.display())]
    InTwoSplits {
        /// The second file.
        path: PathBuf,
        /// Which line of it, from 1.
        line: u64,
        /// The utterance.
        id: String,
        /// What the first file says.
        first: Split,
        /// What the second says.
        second: Split,
    },
    /// Files of a fold whose recordings the corpus does not have.
    #[error("{}: none of its {listed} recordings is one of '{corpus}'", path.display())]
    OtherCorpus {
        /// The folder.
        path: PathBuf,
        /// How many it lists.
        listed: usize,
        /// The corpus' name.
        corpus: String,
    },
    /// Every utterance that the corpus lists is left out.
    #[error("{}: none of its {listed} utterances can be used; the first, {id}: {reason}", path.display())]
    NothingUsable {
        /// The corpus' folder.
        path: PathBuf,
        /// How many there are.
        listed: usize,
        /// The first of them.
        id: String,
        /// Why that one is left out.
        reason: String,
    },
    /// Speakers are to be divided among the splits, and an utterance names none.
    #[error("{}: the utterance '{id}' has no speaker", path.display())]
    NoSpeaker {
        /// The corpus' folder.
        path: PathBuf,
        /// Which utterance.
        id: String,
    },
    /// Each split needs a speaker of its own.
    #[error("{}: speakers are too few for three splits, which need 3 at least (found: {found})", path.display())]
    FewSpeakers {
        /// The corpus' folder.
        path: PathBuf,
        /// The speakers that there are, between commas.
        found: String,
    },
    /// The file cannot be taken apart into records.
    #[error("{}: cannot be read as CSV ({reason})", path.display())]
    Malformed {
        /// The table.
        path: PathBuf,
        /// What the CSV reader says.
        reason: String,
    },
}

impl Remedied for CorpusError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { source, .. } => vec![input::remedy(source)],
            Self::Foreign { what, .. } => vec![Remedy::advice(what.mend())],
            Self::NoText { .. } => vec![Remedy::advice("save it as CSV in UTF-8")],
            Self::NotUtf8 { .. } => vec![Remedy::advice("save the file as UTF-8")],
            Self::MissingColumn { column, like: Some(like), .. } => {
                vec![Remedy::advice(format!("name '{like}' in the first line '{column}'"))]
            }
            Self::MissingColumn { .. } => vec![Remedy::advice("add it to the first line")],
            Self::DuplicateColumn { .. } => vec![Remedy::advice("name one of them otherwise, or remove it")],
            Self::TextBehindQuote { .. } | Self::QuoteNotClosed { .. } => {
                vec![Remedy::advice("put the whole text in quotes and write each quote in it twice")]
            }
            Self::Ragged { delimiter, .. } => vec![Remedy::advice(format!("put text that holds a {delimiter} in quotes"))],
            Self::EmptyField { .. } => vec![Remedy::advice("fill it in or leave the line out")],
            Self::UnknownSplit { .. } => vec![Remedy::advice("write train, validation, test, unlabelled or nothing")],
            Self::DuplicateId { .. } => vec![Remedy::advice("give each utterance its own")],
            Self::NoUtterances { .. } => vec![Remedy::advice("add a line for each")],
            Self::UnknownEmotion { known, .. } => vec![Remedy::advice(format!("correct it to one of {known}"))],
            Self::NoSuchClass { .. } => vec![Remedy::advice("correct it"), Remedy::AddClass],
            Self::NotANumber { .. } => vec![Remedy::advice("correct it")],
            Self::Alignment { .. } => vec![Remedy::advice("correct it, or leave the file out: its words are then spread evenly")],
            Self::NotALabelLine { .. } | Self::NoSpeakerInId { .. } => vec![Remedy::advice("restore the line from the archive")],
            Self::LabelledTwice { .. } => vec![Remedy::advice("remove one of the two lines")],
            Self::RecordedTwice { .. } => vec![Remedy::advice("remove one of the two files, or give a folder that holds one of them")],
            Self::NoSessions { .. } => vec![Remedy::CorpusFolder("IEMOCAP_full_release".into())],
            Self::NoLabels { .. } => vec![Remedy::advice("unpack the corpus again")],
            Self::NoSplitTables { .. } => vec![Remedy::CorpusFolder("MELD.Raw".into())],
            Self::NoClassFolders { .. } => vec![Remedy::advice("give the folder that holds one for each class")],
            Self::NoTable { corpus, .. } | Self::NoRecordings { corpus, .. } => {
                vec![Remedy::CorpusFolder(format!("the folder of {corpus}"))]
            }
            Self::OtherLabelsOnly { .. } => vec![Remedy::OtherClasses],
            Self::NoSpeaker { .. } => vec![Remedy::advice("name one for each utterance or keep the corpus' own split")],
            Self::FewSpeakers { .. } => vec![Remedy::advice("add some or keep the corpus' own split")],
            Self::NoFold { .. } => vec![Remedy::advice("give a folder fold_1, fold_2 and so on of EmoBox' data")],
            Self::NoFolds { .. } => vec![Remedy::advice("give the folder of the corpus in EmoBox' data, as data/iemocap")],
            Self::NotJson { .. } => vec![Remedy::advice("fetch the file again")],
            Self::InTwoSplits { .. } => vec![Remedy::advice("remove one of the two lines")],
            Self::OtherCorpus { .. } => vec![Remedy::advice("give the fold of that corpus")],
            Self::NothingUsable { .. } => Vec::new(),
            Self::Malformed { .. } => vec![Remedy::advice("check its quotes")],
        }
    }
}
