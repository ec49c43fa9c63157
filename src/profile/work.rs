//! The pieces of work that are profiled: a training step, inference, the front-end, one kernel alone.

use std::path::PathBuf;

use thiserror::Error;

use super::measure::{Measurement, Plan, Profiled, Stopwatch, measure};
use super::report::ReportError;
use crate::audio::mfcc::{MfccError, MfccSettings, SAMPLE_RATE};
use crate::audio::{AudioError, decode};
use crate::backend::BackendError;
use crate::backend::MfccTables;
use crate::base::philox::Stream;
use crate::check::Case;
use crate::config::Settings;
use crate::dataset::{BatchShape, Dataset, Normalisation};
use crate::model::{Dimensions, Mcsan};
use crate::prepare;
use crate::train::batches::{Batches, epoch_batches};
use crate::train::{TrainError, Trainer};

/// What can stop a profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    FrontEnd(#[from] MfccError),
    #[error(transparent)]
    Audio(#[from] AudioError),
}

impl ProfileError {
    /// As [`BackendError::smaller_batch_helps`].
    pub fn smaller_batch_helps(&self) -> bool {
        match self {
            Self::Backend(error) | Self::Train(TrainError::Backend(error)) => error.smaller_batch_helps(),
            _ => false,
        }
    }
}

/// Which way through the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Forward, back and the optimiser.
    Train,
    /// Forward alone.
    Inference,
}

/// Settings under which a batch is of the shape, whatever they were.
pub fn settings_of(shape: BatchShape, settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    settings.train.batch_size = shape.batch;
    settings.data.max_frames = settings.data.max_frames.max(shape.frames);
    settings
}

/// Steps on the first batch of a data set's training split.
///
/// # Errors
/// [`ProfileError`].
pub async fn steps<B: Profiled>(
    backend: &B,
    plan: Plan,
    pass: Pass,
    settings: &Settings,
    data: &Dataset,
) -> Result<Measurement, ProfileError> {
    let training = data.training();
    let utterances = epoch_batches(data, &training, settings, 0).into_iter().next();
    let utterances = utterances.ok_or(TrainError::EmptySplit { split: crate::corpus::Split::Train })?;
    settings.train.check_class_weights(data.classes.len()).map_err(TrainError::from)?;
    let dimensions = Dimensions::of(data, settings.model.word_width);
    let parameters = Mcsan::new(&settings.model, &dimensions).layout().initial_values(settings.train.seed);
    let class_weights = settings.train.class_weights(&data.class_counts(&training));
    let max_frames = settings.data.max_frames;
    let normalisation = Normalisation::fit(settings.data.normalise, data, &training, max_frames).map_err(TrainError::from)?;
    let mut trainer = Trainer::new(backend, settings, &dimensions, &parameters, &class_weights);
    let batches = Batches::new(backend, data, &normalisation, max_frames).map_err(TrainError::from)?;
    measure(backend, plan, async |watch: &Stopwatch| {
        let batch = watch.time("batch", || batches.batch(&utterances));
        match pass {
            Pass::Train => {
                let pending = watch.wait("record", trainer.train_step(&batch)).await?;
                watch.wait("wait", trainer.outcome(pending)).await?;
            }
            Pass::Inference => {
                let logits = watch.time("record", || trainer.infer(&batch));
                watch.wait("wait", backend.finish_read(logits)).await?;
            }
        }
        Ok(())
    })
    .await
}

/// The front-end on recordings.
///
/// # Errors
/// [`ProfileError`].
pub async fn front_end<B: Profiled>(backend: &B, plan: Plan, clips: &[Vec<f32>]) -> Result<Measurement, ProfileError> {
    let tables = MfccTables::new(backend, &MfccSettings::default())?;
    measure(backend, plan, async |watch: &Stopwatch| {
        watch.wait("features", prepare::extract(backend, &tables, clips)).await?;
        Ok(())
    })
    .await
}

/// Noise of so many seconds, the same everywhere, as recordings of five seconds each.
pub fn noise(seconds: f64) -> Vec<Vec<f32>> {
    const CLIP: usize = 5 * SAMPLE_RATE as usize;
    let samples = ((seconds * f64::from(SAMPLE_RATE)) as usize).max(1);
    let clip = |(number, start): (usize, usize)| {
        let stream = Stream { seed: 0, stream: number as u64 };
        (0..CLIP.min(samples - start) as u64).map(|index| stream.uniform(index) - 0.5).collect()
    };
    (0..samples).step_by(CLIP).enumerate().map(clip).collect()
}

/// Decoded recordings.
///
/// # Errors
/// Of the first that cannot be read.
pub fn recordings(paths: &[PathBuf]) -> Result<Vec<Vec<f32>>, ProfileError> {
    Ok(paths.iter().map(|path| decode(path)).collect::<Result<_, _>>()?)
}

/// One kernel on drawn inputs, forward and back.
///
/// # Errors
/// [`ProfileError`].
pub async fn kernel<B: Profiled>(backend: &B, plan: Plan, case: &Case) -> Result<Measurement, ProfileError> {
    measure(backend, plan, async |watch: &Stopwatch| {
        let recorded = watch.time("record", || case.record(backend));
        let Some(last) = recorded.last() else { return Ok(()) };
        watch.wait("wait", backend.read(&last.tensor)).await?;
        Ok(())
    })
    .await
}
