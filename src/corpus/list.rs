//! Utterances to be predicted, listed in a CSV: UTF-8, with a first line that names the columns.
//!
//! `audio` and `text`, or `audio_features` and `text_features` for a model that was trained on features from files, are required where the
//! model needs them;
//! `id`, `speaker`, the files of features beside those, `visual`, `prosody` and `functionals`, and `align`, the file of when the words are
//! said, are optional; other columns are passed over. Paths are relative to the CSV.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::CorpusError;
use super::doubt::Doubt;
use super::table::{Row, Table};
use crate::base::streams::{FUNCTIONALS, PROSODY, TEXT, VISUAL};

/// An utterance of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// The line in which it starts.
    pub line: u64,
    /// Its name, where the list gives it one.
    pub id: Option<String>,
    /// The recording, or the file of its features, as the list names it.
    pub audio: Option<String>,
    /// Where that is.
    pub path: Option<PathBuf>,
    /// What is said in it.
    pub text: Option<String>,
    /// Who speaks, where the list says it.
    pub speaker: Option<String>,
    /// Files of features beside recording and words, by the stream that they are of.
    pub further: BTreeMap<&'static str, PathBuf>,
    /// The file that says when the words are said.
    pub alignment: Option<PathBuf>,
}

/// The columns that name an utterance's recording, or the file of its acoustic features.
pub const RECORDING: &str = "audio";
/// See [`RECORDING`].
pub const FEATURES: &str = "audio_features";

/// The column of files that say when the words are said.
pub(crate) const ALIGNMENT: &str = "align";

/// Columns of files with features beside recording and words, and the stream that each is of.
pub(crate) const FURTHER: [(&str, &str); 3] = [("visual", VISUAL), ("prosody", PROSODY), ("functionals", FUNCTIONALS)];

/// The column of files with features of the words, in place of these.
pub const TEXT_FEATURES: &str = "text_features";

/// Columns that need not be there.
const OPTIONAL: [&str; 6] = ["id", "speaker", ALIGNMENT, "visual", "prosody", "functionals"];

/// Reads the list at `path`, which must have the columns `required`; its files are in the column [`FEATURES`] where that is one of them,
/// else in [`RECORDING`]. A line that cannot be used is an error of its own.
///
/// # Errors
/// [`CorpusError`]: a file that cannot be understood as a whole.
pub fn read(path: &Path, required: &[&'static str]) -> Result<Vec<Result<Listed, CorpusError>>, CorpusError> {
    read_with_doubts(path, required).map(|(listed, _)| listed)
}

/// Each line, and what of the list's form is hardly meant.
type Doubted = (Vec<Result<Listed, CorpusError>>, Vec<Doubt>);

/// As [`read`], with what of the list's form is hardly meant.
///
/// # Errors
/// Those of [`read`].
pub(crate) fn read_with_doubts(path: &Path, required: &[&'static str]) -> Result<Doubted, CorpusError> {
    let table = Table::read(path, required, &OPTIONAL)?;
    let column = if required.contains(&FEATURES) { FEATURES } else { RECORDING };
    let listed = table.rows().map(|row| listed(row, column, required));
    Ok((listed.collect(), table.doubts.clone()))
}

fn listed(row: Row<'_>, column: &'static str, required: &[&'static str]) -> Result<Listed, CorpusError> {
    let audio = if required.contains(&column) { Some(row.required_path(column)?) } else { row.path_in(column)? };
    let beside = |file: &String| row.path().parent().unwrap_or(Path::new("")).join(file);
    let path = audio.as_ref().map(beside);
    let mut further = BTreeMap::new();
    for (column, stream) in FURTHER {
        further.extend(row.path_in(column)?.map(|file| (stream, beside(&file))));
    }
    if required.contains(&TEXT_FEATURES) {
        further.insert(TEXT, beside(&row.required_path(TEXT_FEATURES)?));
    }
    let alignment = row.path_in(ALIGNMENT)?.as_ref().map(beside);
    let (id, text, speaker) = (row.field("id")?, row.field("text")?, row.field("speaker")?);
    Ok(Listed { line: row.line(), id, audio, path, text, speaker, further, alignment })
}
