//! Features that another program computed, a file an utterance.

use std::path::Path;

use super::{Acoustic, Intake, PrepareError, RecordingEvent};
use crate::base::remedy;
use crate::corpus::{Corpus, LeftOut};
use crate::dataset::doubles::{Doubles, of_samples};
use crate::dataset::{FeatureMatrix, MatrixFileError};

/// Reads the files of a corpus' utterances one by one. All have as many columns as the first that can be read; one that has others is
/// left out, as one is that is missing or cannot be read.
pub(super) fn read(corpus: &Corpus, Intake { missing, features, observe }: &mut Intake<'_>) -> Result<Acoustic, PrepareError> {
    let mut acoustic = Acoustic::default();
    let mut hashes = Vec::new();
    for utterance in &corpus.utterances {
        let path = corpus.features.get(&utterance.id).map_or(Path::new(""), |path| path.as_path());
        let matrix = of_columns(path, acoustic.columns);
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
    acoustic.settings = serde_json::json!({ "from": "files", "columns": acoustic.columns });
    if let Some(hop) = corpus.feature_hop {
        acoustic.settings["hop"] = hop.into();
    }
    Ok(acoustic)
}

/// A file of so many columns, of any where they are 0.
fn of_columns(path: &Path, columns: usize) -> Result<FeatureMatrix, MatrixFileError> {
    if columns == 0 { FeatureMatrix::read(path) } else { FeatureMatrix::read_of(path, columns) }
}
