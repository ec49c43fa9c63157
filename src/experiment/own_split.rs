//! The splits that a fold's run was trained on, as its experiment's folder has them.

use std::path::{Path, PathBuf};

use super::ExperimentError;
use super::folds::By;
use super::spec::{self, Identity, Spec};
use crate::corpus::Split;
use crate::dataset::Dataset;

/// Whose splits are those of a run.
pub(crate) enum OwnSplit {
    /// The data's own: the run is none of a fold.
    Data,
    /// A fold's, from 1, of so many.
    Fold {
        /// Which.
        fold: usize,
        /// How many there are.
        folds: usize,
        /// What says so.
        path: PathBuf,
    },
    /// The data's own: they are not the data that the fold is of.
    OtherData {
        /// What says of which data it is.
        path: PathBuf,
    },
}

/// Gives data the splits of the fold whose run lies in a folder, where it is one of a fold.
///
/// # Errors
/// [`ExperimentError::FoldOfRun`] where what lies beside the fold's folder cannot be read or has no such fold.
pub(crate) fn take(run: &Path, data: &mut Dataset) -> Result<OwnSplit, ExperimentError> {
    // A run that is named '.' has a name and a parent, too.
    let whole = std::fs::canonicalize(run).unwrap_or_else(|_| run.into());
    let fold = whole.file_name().and_then(|name| name.to_str()?.strip_prefix("fold-")?.parse::<usize>().ok());
    let (Some(fold), Some(experiment)) = (fold, whole.parent()) else { return Ok(OwnSplit::Data) };
    if !experiment.join(spec::FILE).exists() {
        return Ok(OwnSplit::Data);
    }
    let shown = match run.parent() {
        Some(parent) if run.file_name().is_some() => parent.join(spec::FILE),
        _ => experiment.join(spec::FILE),
    };
    let spec = Spec::read(&shown).map_err(of_run)?;
    let folds = spec.count();
    if !(1..=folds).contains(&fold) {
        let problem = format!("has no fold {fold}, but those from 1 to {folds}");
        return Err(ExperimentError::FoldOfRun { path: shown, problem });
    }
    if spec.by() == By::Given {
        return Ok(OwnSplit::Data);
    }
    if Identity::of(data, spec.by())? != *spec.data() {
        return Ok(OwnSplit::OtherData { path: shown });
    }
    let of = spec.splits(fold);
    let rest = if spec.by() == By::EmoBox { None } else { Some(Split::Train) };
    for utterance in data.utterances.iter_mut().filter(|utterance| !matches!(utterance.split, Some(Split::Unlabelled | Split::Augmented))) {
        utterance.split = of.get(utterance.id.as_str()).copied().or(rest);
    }
    Ok(OwnSplit::Fold { fold, folds, path: shown })
}

/// Who evaluates a run has chosen nothing of the experiment that it is of.
fn of_run(error: ExperimentError) -> ExperimentError {
    match error {
        ExperimentError::Folder { path, problem, .. } => ExperimentError::FoldOfRun { path, problem },
        error => error,
    }
}
