//! What `ablate` and `compare` do with the rows of their tables.

use super::arguments::Common;
use super::crossval::{self, Experiment, Part};
use super::{Failure, device, spread};
use crate::experiment::rows::{Begun, Rows};
use crate::experiment::table::Results;

/// Trains the rows of these names, in this order, and sums up all that were begun; nothing where no run is done.
pub(crate) fn train<'r>(
    common: &Common,
    experiment: &Experiment,
    rows: &'r Rows<'_>,
    names: &[&str],
) -> Result<Option<(Results, Vec<Begun<'r>>)>, Failure> {
    rows.check_folder()?;
    let chosen = spread::train(common, experiment.devices.as_deref())?;
    let device = device::open(common, chosen.as_deref().unwrap_or(&rows.base.execution.device))?;
    if rows.folder.exists() {
        // Rows that are there and do not belong to this are found before anything is trained.
        rows.gather()?;
    }
    let mut parts = Vec::new();
    for row in names.iter().filter_map(|name| rows.rows.iter().find(|row| row.name == *name)) {
        let part = |seed| Part { row: row.name.to_owned(), seed: Some(seed).filter(|_| rows.seeds > 1) };
        parts.extend(rows.open(row)?.into_iter().map(|(seed, validation)| (part(seed), validation)));
    }
    let trained = crossval::train(common, &rows.base.execution.tiles, &device, experiment.fold, &mut parts);
    let summary = rows.gather();
    trained?;
    Ok(summary?)
}
