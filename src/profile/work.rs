//! The pieces of work that are profiled: a training step, inference, the front-end, one kernel alone.

use std::path::PathBuf;

use thiserror::Error;

use super::measure::{Measurement, Plan, Profiled, Stopwatch, measure};
use crate::audio::mfcc::{MfccError, MfccSettings, SAMPLE_RATE};
use crate::audio::{AudioError, decode};
use crate::backend::{Backend, BackendError, MfccTables};
use crate::base::format::Newer;
use crate::base::memory::NoRoom;
use crate::base::philox::Stream;
use crate::base::remedy::{Remedied, Remedy};
use crate::base::streams::{AUDIO, FUNCTIONALS, PROSODY, StreamShape, TEXT, VISUAL};
use crate::check::Case;
use crate::config::Settings;
use crate::dataset::{BatchShape, Dataset};
use crate::model::{self, Dimensions, Network};
use crate::prepare;
use crate::tape::Mode;
use crate::train::batches::epoch_batches;
use crate::train::{Session, TrainError, Trainer, Weights};

/// What can stop a profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// A fault of the device.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A fault of the training whose step is profiled, or of its data.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The dispatches of its steps cannot be laid over one another.
    #[error("step {step} ran {found} kernels where the first ran {expected}")]
    UnequalSteps {
        /// From 1.
        step: usize,
        /// Kernels that it ran.
        found: usize,
        /// Those that the first step ran.
        expected: usize,
    },
    /// Settings of the features that cannot be.
    #[error(transparent)]
    FrontEnd(#[from] MfccError),
    /// A recording that cannot be read.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A batch that the host has no room for.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// A profile that a newer program wrote.
    #[error("{}: {newer}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        newer: Newer,
    },
    /// A profile that was kept cannot be read.
    #[error("{}: {reason}", path.display())]
    Kept {
        /// The file.
        path: PathBuf,
        /// What the system or the parser says.
        reason: String,
    },
}

impl Remedied for ProfileError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Backend(error) => error.remedies(),
            Self::Train(error) => error.remedies(),
            Self::UnequalSteps { .. } => vec![Remedy::EqualSteps],
            Self::FrontEnd(error) => error.remedies(),
            Self::Audio(error) => error.remedies(),
            Self::NoRoom(error) => error.remedies(),
            Self::Newer { .. } => vec![Remedy::NewerProgram],
            Self::Kept { .. } => vec![Remedy::KeptProfile],
        }
    }
}

impl ProfileError {
    /// As [`BackendError::smaller_batch_helps`].
    pub(crate) fn smaller_batch_helps(&self) -> bool {
        match self {
            Self::Backend(error) | Self::Train(TrainError::Backend(error)) => error.smaller_batch_helps(),
            Self::Train(TrainError::BatchTooLarge { .. }) | Self::NoRoom(_) => true,
            _ => false,
        }
    }
}

/// Settings under which a batch is of the shape, whatever they were.
pub(crate) fn settings_of(shape: BatchShape, settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    settings.train.batch_size = shape.batch;
    settings.data.max_frames = settings.data.max_frames.max(shape.frames);
    settings
}

/// A drawn batch with everything that a system reads, streams beside recording and words as wide as they were published.
pub(crate) fn data_of(shape: BatchShape, settings: &Settings) -> Dataset {
    const FURTHER: [(&str, StreamShape); 3] = [
        (VISUAL, StreamShape::Frames { columns: 2048 }),
        (PROSODY, StreamShape::Vector { columns: 35 }),
        (FUNCTIONALS, StreamShape::Vector { columns: 1582 }),
    ];
    let words = StreamShape::Tokens { width: settings.model.word_width, learned: None };
    let known = [(AUDIO, StreamShape::Frames { columns: 1 }), (TEXT, words)];
    let streams = known.iter().chain(&FURTHER).map(|&(name, shape)| (name.to_owned(), shape)).collect();
    let readings = model::readings(settings, &Dimensions { streams, classes: 2 });
    let is_read = |&(name, _): &(&'static str, StreamShape)| readings.iter().any(|reading| reading.stream == name);
    shape.dataset_with(&FURTHER.into_iter().filter(is_read).collect::<Vec<_>>())
}

/// The first batch of a data set's training split: forward, back and the optimiser, or forward alone.
///
/// # Errors
/// [`ProfileError`].
pub(crate) async fn steps<B: Profiled>(
    backend: &B,
    plan: Plan,
    mode: Mode,
    settings: &Settings,
    data: &Dataset,
) -> Result<Measurement, ProfileError> {
    let training = data.training();
    let utterances = epoch_batches(data, &training, settings, 0).into_iter().next();
    let utterances = utterances.ok_or(TrainError::EmptySplit { split: crate::corpus::Split::Train })?;
    let mut session = Session::new(backend, settings, data, &training, Weights::Drawn)?;
    if mode == Mode::Train {
        session.check_batch(&utterances, utterances.len())?;
        session.batches.keep_on_device().await.map_err(TrainError::from)?;
    }
    let mut step = match mode {
        Mode::Train => Step::Train(Box::new(session.trainer())),
        Mode::Infer => Step::Infer(session.network()),
    };
    measure(backend, plan, async |watch: &Stopwatch| {
        let augmentation = if let Step::Train(trainer) = &step { trainer.augmentation() } else { None };
        let batch = watch.time("batch", || session.batches.augmented(&utterances, augmentation.as_ref())).map_err(TrainError::from)?;
        match &mut step {
            Step::Train(trainer) => {
                let pending = watch.wait("record", trainer.train_step(&batch)).await?;
                watch.wait("wait", trainer.outcome(pending)).await?;
            }
            Step::Infer(network) => {
                let logits = watch.time("record", || network.infer(&batch));
                watch.wait("wait", backend.finish_read(logits)).await?;
            }
        }
        Ok(())
    })
    .await
}

/// What takes a batch.
enum Step<'s, B: Backend> {
    Train(Box<Trainer<'s, B>>),
    Infer(Network<'s, B>),
}

/// The front-end on recordings.
///
/// # Errors
/// [`ProfileError`].
pub(crate) async fn front_end<B: Profiled>(backend: &B, plan: Plan, clips: &[Vec<f32>]) -> Result<Measurement, ProfileError> {
    let tables = MfccTables::new(backend, &MfccSettings::default())?;
    measure(backend, plan, async |watch: &Stopwatch| {
        watch.wait("features", prepare::extract(backend, &tables, clips)).await?;
        Ok(())
    })
    .await
}

/// Noise of so many seconds, the same everywhere, as recordings of five seconds each.
pub(crate) fn noise(seconds: f64) -> Vec<Vec<f32>> {
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
pub(crate) fn recordings(paths: &[PathBuf]) -> Result<Vec<Vec<f32>>, ProfileError> {
    Ok(paths.iter().map(|path| decode(path)).collect::<Result<_, _>>()?)
}

/// One kernel on drawn inputs, forward and back.
///
/// # Errors
/// [`ProfileError`].
pub(crate) async fn kernel<B: Profiled>(backend: &B, plan: Plan, case: &Case) -> Result<Measurement, ProfileError> {
    let work = case.prepare(backend);
    measure(backend, plan, async |watch: &Stopwatch| {
        let recorded = watch.time("record", &work);
        let Some(last) = recorded.last() else { return Ok(()) };
        watch.wait("wait", backend.read(&last.tensor)).await?;
        Ok(())
    })
    .await
}
