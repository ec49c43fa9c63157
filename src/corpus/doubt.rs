//! What a corpus can be read with, and is hardly meant: said, since it makes figures of other classes, voices or utterances.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Utterance;
use super::names::{Named, alike};

/// More classes than this are hardly emotions; the largest sets that are published have 28.
const MOST_CLASSES: usize = 30;

/// Names of a set that are told; [`Doubt::Alike`] holds more.
const TOLD: usize = 5;

/// Something of a table that is hardly meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum Doubt {
    /// Names of a column that look alike and are not the same.
    Alike {
        /// The table.
        path: PathBuf,
        /// Which column.
        column: &'static str,
        /// The names, in the order of their lines.
        names: Vec<Named>,
    },
    /// A column that is not read, though its name is nearly that of one that is.
    PassedOver {
        /// The table.
        path: PathBuf,
        /// As it is written.
        column: String,
        /// As it is read.
        known: &'static str,
    },
    /// Lines that quotes make one, each of which has as many fields as there are columns.
    Joined {
        /// The table.
        path: PathBuf,
        /// The first line.
        line: u64,
        /// The last one.
        last: u64,
    },
    /// Some recordings have a transcript, others none.
    WithoutTranscript {
        /// The corpus' folder.
        path: PathBuf,
        /// How many have none.
        utterances: usize,
        /// Of how many.
        of: usize,
        /// The first of those without.
        first: String,
    },
    /// So many labels that they are hardly emotions.
    ManyClasses {
        /// The table.
        path: PathBuf,
        /// Different labels.
        classes: usize,
        /// Lines that have one.
        utterances: usize,
    },
}

impl Display for Doubt {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alike { path, column, names } => {
                let count = names.len();
                let told: Vec<String> = names.iter().take(TOLD).map(told).collect();
                let more = if count > TOLD { ", …" } else { "" };
                write!(
                    formatter,
                    "{}: {count} {column}s look alike and are not the same: {}{more}; write them alike, if they are one",
                    path.display(),
                    told.join(", ")
                )
            }
            Self::PassedOver { path, column, known } => {
                write!(formatter, "{}: the column {column:?} is not read; name it '{known}', if it is that", path.display())
            }
            Self::Joined { path, line, last } => write!(
                formatter,
                "{}, lines {line} to {last}: are one utterance, since a quote is opened in the one and closed in the other, though each \
                 could be one; if so, remove the quotes or double them",
                path.display()
            ),
            Self::WithoutTranscript { path, utterances, of, first } => write!(
                formatter,
                "{}: {utterances} of {of} recordings have no transcript and are read without words, as {first}",
                path.display()
            ),
            Self::ManyClasses { path, classes, utterances } => write!(
                formatter,
                "{}: {classes} different labels in {utterances} utterances are hardly emotions; is 'label' the right column?",
                path.display()
            ),
        }
    }
}

/// Quoted as in a program, so that what has no width is seen.
fn told(named: &Named) -> String {
    let Named { name, count, line } = named;
    let short: String = name.chars().take(40).collect();
    match count {
        1 => format!("{short:?} (line {line})"),
        _ => format!("{short:?} (line {line} and {} more)", count - 1),
    }
}

/// What a column says of an utterance, where it says something.
type Field = fn(&Utterance) -> Option<&str>;

/// What is hardly meant of a manifest's utterances, each with its line.
pub(super) fn of_utterances(path: &Path, utterances: &[Utterance], lines: &[u64]) -> Vec<Doubt> {
    let path = || path.to_path_buf();
    let mut doubts = Vec::new();
    let columns: [(&str, Field); 3] = [
        ("label", |utterance| Some(utterance.label.as_str())),
        ("speaker", |utterance| utterance.speaker.as_deref()),
        ("session", |utterance| utterance.session.as_deref()),
    ];
    for (column, field) in columns {
        let names = utterances.iter().zip(lines).filter_map(|(utterance, &line)| Some((field(utterance)?, line)));
        doubts.extend(alike(names).into_iter().map(|names| Doubt::Alike { path: path(), column, names }));
    }
    let labels = utterances.iter().map(|utterance| utterance.label.as_str()).filter(|label| !label.is_empty());
    let classes = labels.collect::<BTreeSet<_>>().len();
    if classes > MOST_CLASSES {
        doubts.push(Doubt::ManyClasses { path: path(), classes, utterances: utterances.len() });
    }
    doubts
}
