//! The machine of systems that have one: once their network is trained, it is fitted to the network's features of the training split.

use super::evaluate::{finite, network_features};
use super::metrics::Metrics;
use super::{Checkpoint, Session, TrainError};
use crate::backend::Backend;
use crate::base::memory::Bytes;
use crate::base::streams::FUNCTIONALS;
use crate::config::Settings;
use crate::dataset::Dataset;
use crate::model::Dimensions;
use crate::svm::{self, FitOptions, GoingOn, Machine, Samples};

/// Says what a machine's fit to so many utterances takes of the host's memory.
///
/// # Errors
/// [`TrainError::KernelsTooLarge`]
pub(super) fn check_room(settings: &Settings, dimensions: &Dimensions, utterances: usize) -> Result<Bytes, TrainError> {
    let room = svm::room(utterances, settings.cmkl.features + dimensions.columns(FUNCTIONALS), settings.cmkl.subset);
    room.map_err(|[needed, free]| TrainError::KernelsTooLarge { utterances, needed, free })
}

/// Fits a machine to a network's features of some utterances; those of `validation`, where there are some, say which C is best. None where
/// it was not to go on.
///
/// # Errors
/// Whatever went wrong on the device.
pub(super) async fn machine<B: Backend>(
    backend: &B,
    trained: &Checkpoint,
    data: &Dataset,
    [train, validation]: [&[usize]; 2],
    going_on: GoingOn<'_>,
) -> Result<Option<Machine>, TrainError> {
    let session = Session::trained(backend, trained, data)?;
    let (network, batches) = (session.network(), &session.batches);
    let features = finite(network_features(&network, batches, train).await?, batches, train)?;
    let of_validation = finite(network_features(&network, batches, validation).await?, batches, validation)?;
    let (labels, expected) = (batches.labels(train), batches.labels(validation));
    let settings = &trained.settings.cmkl;
    let samples =
        Samples { features: &features, first: settings.features, second: trained.dimensions.columns(FUNCTIONALS), labels: &labels };
    let c = Some(settings.c).filter(|&c| c > 0.0);
    let options = FitOptions { classes: trained.classes.len(), c, subset: settings.subset, going_on };
    let mut judge = |machine: &Machine| Metrics::of(&machine.decide(&of_validation), &expected, &trained.classes).weighted_f1;
    let judge: Option<&mut dyn FnMut(&Machine) -> f64> = if validation.is_empty() { None } else { Some(&mut judge) };
    Ok(Machine::fit(samples, options, judge).ok())
}
