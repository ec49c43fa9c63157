//! Why a file of word vectors, of texts, or a transcript cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::base::foreign::Foreign;
use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};

/// Failure of the text side; each names the file, and the line where there is one. A text within an archive is
/// named `archive.zip:member`.
#[derive(Debug, Error)]
pub enum TextError {
    /// The file is not there, or the system does not let it be read to its end.
    #[error("{}: cannot be read ({source})", path.display())]
    Read {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another file in its place.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// What it is.
        what: Foreign,
    },
    /// It is packed in a way that is not read, or once more inside the archive.
    #[error("{}: is packed ({kind})", path.display())]
    Packed {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// What it is packed by, as its first bytes tell: `xz`.
        kind: &'static str,
    },
    /// What is packed ends early or contradicts itself.
    #[error("{}: its {kind} data are cut short or damaged ({reason})", path.display())]
    Damaged {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// What it is packed by: `gzip` or `zip`.
        kind: &'static str,
        /// What the unpacker says.
        reason: String,
    },
    /// The archive may be whole, but is coded in a way that is not read.
    #[error("{}: cannot be unpacked ({reason})", path.display())]
    Unpack {
        /// The archive.
        path: PathBuf,
        /// What the unpacker says.
        reason: String,
    },
    /// The archive holds several texts, and none was chosen.
    #[error("{}: holds several texts ({})", path.display(), members.join(", "))]
    SeveralMembers {
        /// The archive.
        path: PathBuf,
        /// Their names, folders included.
        members: Vec<String>,
    },
    /// The archive does not have the text that was chosen.
    #[error("{}: holds no text '{member}'", path.display())]
    NoMember {
        /// The archive.
        path: PathBuf,
        /// The name that was given behind the archive's.
        member: String,
        /// The texts that it has, by name, folders included.
        members: Vec<String>,
    },
    /// A text was chosen out of a file that is no archive.
    #[error("{}: is no zip archive that could hold '{member}'", path.display())]
    NoArchive {
        /// The file.
        path: PathBuf,
        /// The name that was given behind the file's.
        member: String,
    },
    /// It is empty but for a heading, or an archive without a text.
    #[error("{}: holds no word vectors", path.display())]
    NoVectors {
        /// The file, or the text in an archive.
        path: PathBuf,
    },
    /// A line has control characters, or is longer than any line of vectors.
    #[error("{}, line {line}: is no text", path.display())]
    NotText {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
    },
    /// It is text in another coding.
    #[error("{}, line {line}: is no text in UTF-8, but {coding}", path.display())]
    NotUtf8 {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// The coding.
        coding: &'static str,
    },
    /// A text of several is in another coding.
    #[error("{}, line {line}: is not UTF-8", path.display())]
    LineNotUtf8 {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
    },
    /// Its lines end as those of old Macintoshes do.
    #[error("{}, line {line}: has carriage returns within it", path.display())]
    CarriageReturns {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
    },
    /// Vectors that are wider than any.
    #[error("{}, line {line}: vectors of {width} numbers are none of words, which have at most {widest}", path.display())]
    TooWide {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// Numbers of a vector.
        width: usize,
        /// The most that are read.
        widest: usize,
    },
    /// The file has vectors, and none of a word of the corpus.
    #[error("{}: has no vector for any of the corpus' {words} different words ({examples})", path.display())]
    NoneFound {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// Different words of the corpus.
        words: usize,
        /// The commonest of them.
        examples: String,
    },
    /// A line has more or fewer numbers than the file's vectors are wide.
    #[error("{}, line {line}: has {found} numbers, {by} {expected}", path.display())]
    Width {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// How many numbers it has.
        found: usize,
        /// What tells how many it should have: `its heading announces`.
        by: &'static str,
        /// How many that is.
        expected: usize,
    },
    /// A transcript of no format that is read, by its name.
    #[error("{}: is neither .srt, .vtt nor .ctm", path.display())]
    NoTranscript {
        /// The file.
        path: PathBuf,
    },
    /// A line of a transcript that cannot be understood.
    #[error("{}, line {line}: {problem}", path.display())]
    Cue {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A transcript in which nothing is said.
    #[error("{}: holds no words", path.display())]
    NoWords {
        /// The file.
        path: PathBuf,
    },
    /// A transcript of other recordings, which it names.
    #[error("{}: has no words of '{recording}', but of {}", path.display(), some_of(names))]
    OtherRecordings {
        /// The file.
        path: PathBuf,
        /// What the recording is called.
        recording: String,
        /// Those that it names.
        names: Vec<String>,
    },
    /// A transcript all of whose words are said after the recording's end.
    #[error("{}: its first word is said at {first:.2} s, and {recording} ends at {seconds:.2} s", path.display())]
    OtherTimes {
        /// The file.
        path: PathBuf,
        /// What the recording is called.
        recording: String,
        /// When its first word is said.
        first: f64,
        /// How long the recording is.
        seconds: f64,
    },
    /// What should be a number is none, or is NaN or infinite.
    #[error("{}, line {line}: '{value}' is not a finite number", path.display())]
    NotANumber {
        /// The file, or the text in an archive.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// As it is written there.
        value: String,
    },
}

/// Names, of which a few are enough.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown}, …") } else { shown }
}

impl Remedied for TextError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { source, .. } => vec![input::remedy(source)],
            Self::Foreign { what, .. } => vec![Remedy::advice(what.mend())],
            Self::NotUtf8 { .. } | Self::LineNotUtf8 { .. } => vec![Remedy::advice("save the file as UTF-8")],
            Self::CarriageReturns { .. } => vec![Remedy::advice("save the file with a line feed behind each line")],
            Self::TooWide { .. } => vec![Remedy::advice("name word vectors")],
            Self::NoneFound { .. } => vec![Remedy::advice("name vectors of the corpus' language and spelling")],
            Self::Packed { .. } | Self::Unpack { .. } => vec![Remedy::advice("unpack it and name the text file")],
            Self::Damaged { .. } => vec![Remedy::advice("fetch the file again")],
            Self::Width { .. } | Self::NotANumber { .. } => {
                vec![
                    Remedy::advice("fetch the file again"),
                    Remedy::advice("name lines 'word number number …' with spaces or tabs between"),
                ]
            }
            Self::SeveralMembers { path, members } => {
                members.first().map(|member| Remedy::NameMember { archive: path.clone(), member: member.clone() }).into_iter().collect()
            }
            Self::NoMember { members, .. } => vec![Remedy::OneOf(members.clone())],
            Self::NoTranscript { .. } => vec![Remedy::advice("give a transcript as SubRip, WebVTT or CTM")],
            Self::Cue { .. } => vec![Remedy::advice("mend the line")],
            Self::NoWords { .. } => vec![Remedy::advice("give a transcript in which something is said")],
            Self::OtherRecordings { .. } => vec![Remedy::advice("name the recording as it is there")],
            Self::OtherTimes { .. } => vec![Remedy::advice("give the transcript of this recording")],
            Self::NoArchive { .. } => vec![Remedy::advice("name the file alone")],
            Self::NoVectors { .. } => vec![Remedy::advice("name a text file of lines 'word number number …'")],
            Self::NotText { .. } => vec![Remedy::advice("name word vectors as text (word2vec's binary files must be converted)")],
        }
    }
}
