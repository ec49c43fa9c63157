//! Features that another program computed, a file an utterance.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Acoustic, Intake, Missing, PrepareError, RecordingEvent};
use crate::base::remedy;
use crate::corpus::{Corpus, LeftOut, Utterance};
use crate::dataset::doubles::{Doubles, of_samples};
use crate::dataset::{FeatureMatrix, MatrixFileError};

/// Reads the files of a corpus' utterances one by one. All have so many columns, or where they are 0 as many as the first that can be read; one
/// that has others is left out, as one is that is missing or cannot be read.
pub(super) fn read(
    corpus: &Corpus,
    columns: usize,
    Intake { missing, features, observe }: &mut Intake<'_>,
) -> Result<Acoustic, PrepareError> {
    let mut acoustic = Acoustic { columns, ..Acoustic::default() };
    let mut hashes = Vec::new();
    for utterance in &corpus.utterances {
        let matrix = of_columns(file_of(&corpus.features, utterance), acoustic.columns);
        acoustic.kept.push(matrix.is_ok());
        match matrix {
            Ok(matrix) => {
                features(&matrix.values).map_err(PrepareError::Write)?;
                hashes.push(of_samples(&matrix.values));
                acoustic.columns = matrix.columns;
                acoustic.add(matrix.rows());
            }
            Err(error) => missing.add(LeftOut { id: utterance.id.clone(), reason: remedy::line(&error) }, *observe)?,
        }
        observe(RecordingEvent::Done(acoustic.kept.len()));
    }
    observe(RecordingEvent::Doubles(&Doubles::of_hashes(&hashes)));
    acoustic.recordings = hashes;
    acoustic.settings = serde_json::json!({ "from": "files", "columns": acoustic.columns });
    if let Some(hop) = corpus.feature_hop {
        acoustic.settings["hop"] = hop.into();
    }
    Ok(acoustic)
}

/// Columns of the first of some utterances' files that can be read; `None` where there is none.
#[cfg(feature = "cli")]
pub(super) fn columns(utterances: &[Utterance], files: &BTreeMap<String, PathBuf>) -> Option<usize> {
    let first = |utterance: &Utterance| Some(FeatureMatrix::read(files.get(&utterance.id)?).ok()?.columns);
    utterances.iter().find_map(first)
}

/// Which utterances have a file that can be read, of so many columns, or where they are 0 of as many as the first; the others are left out.
pub(super) fn readable(
    utterances: &[Utterance],
    files: &BTreeMap<String, PathBuf>,
    mut columns: usize,
    missing: &mut Missing,
    observe: &mut dyn FnMut(RecordingEvent<'_>),
) -> Result<Vec<bool>, PrepareError> {
    let mut readable = Vec::new();
    for utterance in utterances {
        let matrix = of_columns(file_of(files, utterance), columns);
        readable.push(matrix.is_ok());
        match matrix {
            Ok(matrix) => columns = matrix.columns,
            Err(error) => missing.add(LeftOut { id: utterance.id.clone(), reason: remedy::line(&error) }, observe)?,
        }
    }
    Ok(readable)
}

fn file_of<'f>(files: &'f BTreeMap<String, PathBuf>, utterance: &Utterance) -> &'f Path {
    files.get(&utterance.id).map_or(Path::new(""), |path| path.as_path())
}

/// A file of so many columns, of any where they are 0.
fn of_columns(path: &Path, columns: usize) -> Result<FeatureMatrix, MatrixFileError> {
    if columns == 0 { FeatureMatrix::read(path) } else { FeatureMatrix::read_of(path, columns) }
}
