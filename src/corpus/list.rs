//! Utterances to be predicted, listed in a CSV: UTF-8, with a first line that names the columns.
//!
//! `audio`, or `audio_features` for a model that was trained on features from files, and `text` are required where the model needs them;
//! `id` and `speaker` are optional; other columns are passed over. Paths are relative to the CSV.

use std::path::{Path, PathBuf};

use super::CorpusError;
use super::table::{Row, Table};

/// An utterance of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// The columns that name an utterance's recording, or the file of its acoustic features.
pub const RECORDING: &str = "audio";
/// See [`RECORDING`].
pub const FEATURES: &str = "audio_features";

/// Reads the list at `path`, which must have the columns `required`; its files are in the column [`FEATURES`] where that is one of them,
/// else in [`RECORDING`]. A line that cannot be used is an error of its own.
///
/// # Errors
/// [`CorpusError`]: a file that cannot be understood as a whole.
pub fn read(path: &Path, required: &[&'static str]) -> Result<Vec<Result<Listed, CorpusError>>, CorpusError> {
    let table = Table::read(path, required, &[])?;
    let column = if required.contains(&FEATURES) { FEATURES } else { RECORDING };
    let listed = table.rows().map(|row| listed(row, column, required.contains(&column)));
    Ok(listed.collect())
}

fn listed(row: Row<'_>, column: &'static str, is_needed: bool) -> Result<Listed, CorpusError> {
    let audio = if is_needed { Some(row.required_path(column)?) } else { row.path_in(column)? };
    let path = audio.as_ref().map(|audio| row.path().parent().unwrap_or(Path::new("")).join(audio));
    Ok(Listed { line: row.line(), id: row.field("id")?, audio, path, text: row.field("text")?, speaker: row.field("speaker")? })
}
