//! Several prepared files in one training.

use std::path::PathBuf;

use super::{Misfit, TrainError, vocabulary};
use crate::base::remedy::Preparation;
use crate::dataset::{Dataset, DatasetError, LackedStream};

/// Reads prepared files, and joins them where they are several; of streams that not all have, which of them lacks each.
///
/// # Errors
/// [`TrainError`], naming the file: one that cannot be read, or that is not as the first: other classes, words or front-ends.
pub(crate) fn load(paths: &[PathBuf]) -> Result<(Dataset, Vec<LackedStream>), TrainError> {
    if let [path] = paths {
        return Ok((Dataset::load(path)?, Vec::new()));
    }
    // However it is written; what is not there is said by who reads it.
    let files: Vec<PathBuf> = paths.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect();
    if let Some(place) = (1..files.len()).find(|&place| files[..place].contains(&files[place])) {
        return Err(Misfit::Twice { path: paths[place].clone() }.into());
    }
    let parts = paths.iter().map(|path| Ok((path.clone(), Dataset::load(path)?))).collect::<Result<Vec<_>, DatasetError>>()?;
    if let Some(((first, own), others)) = parts.split_first() {
        for (path, other) in others {
            if let Some(difference) = vocabulary::difference_of(own, other) {
                let (path, first) = (path.clone(), first.clone());
                return Err(DatasetError::NotAlike { path, first, difference, remedy: Preparation::FrontEnd }.into());
            }
        }
    }
    Ok(Dataset::join(parts)?)
}
