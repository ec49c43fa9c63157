//! What can stop a training, an evaluation or a prediction, as values.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use thiserror::Error;

use super::group::GroupError;
use super::overfit;
use super::run_fault::RunFault;
#[cfg(feature = "files")]
use crate::audio::AudioError;
use crate::audio::mfcc::MfccError;
use crate::backend::BackendError;
use crate::base::memory::Bytes;
use crate::base::remedy::{Preparation, Remedied, Remedy};
use crate::base::utterances::Split;
use crate::config::ConfigError;
#[cfg(feature = "files")]
use crate::corpus::label_map::LabelMapError;
use crate::dataset::DatasetError;
#[cfg(feature = "files")]
use crate::dataset::store::StoreError;
#[cfg(feature = "files")]
use crate::text::TextError;

/// What can stop a training or an evaluation.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A fault of the device.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A fault of the device or of the data's file while a run goes on.
    #[error("{error}")]
    Interrupted {
        /// What went wrong.
        error: Box<TrainError>,
        /// What there is to go on from.
        kept: Remedy,
    },
    /// A run that ends before its end because that was wished, see [`Training::stop`](super::Training::stop).
    #[error("stopped after {step} steps")]
    Stopped {
        /// Steps that are done.
        step: u64,
        /// What there is to go on from.
        kept: Option<Remedy>,
    },
    /// Features that cannot be made as the data's were.
    #[error(transparent)]
    FrontEnd(#[from] MfccError),
    /// A fault of the data set.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A fault of a file of tensors.
    #[cfg(feature = "files")]
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Classes that are none of the model's.
    #[cfg(feature = "files")]
    #[error(transparent)]
    Labels(#[from] LabelMapError),
    /// A fault of a recording that is predicted piece by piece.
    #[cfg(feature = "files")]
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// A fault of its transcript.
    #[cfg(feature = "files")]
    #[error(transparent)]
    Text(#[from] TextError),
    /// A fault of the settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Ranks that do not go on together.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// A loss that is no number any more.
    #[error("step {step}: the loss is {loss} ({origin} {})", some_of(utterances))]
    NotFinite {
        /// Which step, from 0.
        step: u64,
        /// NaN or infinite.
        loss: f32,
        /// Where it comes from, as far as is known.
        origin: Origin,
        /// Those of the batch that it comes from; all of them where that is not known.
        utterances: Vec<String>,
        /// What there is to go on from.
        kept: Option<Remedy>,
    },
    /// Results that are no numbers.
    #[error("utterances {}: the model's results are not finite numbers", some_of(ids))]
    ResultNotFinite {
        /// Which of the utterances that were asked for, from 0.
        places: Vec<usize>,
        /// What they are called.
        ids: Vec<String>,
        /// In a training, what there is to go on from.
        kept: Option<Remedy>,
    },
    /// A loss or gradients of a batch that are no numbers, though its results are.
    #[error("{what} is not finite (utterances {})", some_of(utterances))]
    DerivativeNotFinite {
        /// The loss, or the gradient of a parameter.
        what: String,
        /// The batch.
        utterances: Vec<String>,
    },
    /// Gradients that no loss scale keeps within float16.
    #[error("step {step}: the gradients overflow float16 even unscaled")]
    GradientNotFinite {
        /// Which step, from 0.
        step: u64,
        /// What there is to go on from.
        kept: Option<Remedy>,
    },
    /// A weight, or a moment of the optimiser, that is no number any more.
    #[error("step {step}: a weight is no longer a finite number ({tensor})")]
    WeightNotFinite {
        /// After how many steps.
        step: u64,
        /// What it is of, as checkpoints name it.
        tensor: String,
        /// What there is to go on from.
        kept: Option<Remedy>,
    },
    /// A batch that is not learned by heart, see `overfit`.
    #[error("one batch of {utterances} utterances is not learned: after {steps} steps its loss is {loss}, not below {}", overfit::LEARNED)]
    NotLearned {
        /// Utterances of the batch.
        utterances: usize,
        /// Steps that were done.
        steps: u64,
        /// Loss of the last.
        loss: f32,
    },
    /// A run that has gone further than it is asked to go.
    #[error("the run cannot go on: the run has done {done} steps already, more than the {planned} asked for")]
    Resume {
        /// Steps that it has done.
        done: u64,
        /// Steps that are asked for.
        planned: u64,
    },
    /// A network that is too large.
    #[error("the network has {parameters} parameters and needs {needed} {room}")]
    NoRoom {
        /// How many it has.
        parameters: usize,
        /// What they take, a training's gradients and moments included.
        needed: Bytes,
        /// What there is.
        room: Room,
    },
    /// A batch that the host has no room for.
    #[error("a batch of {utterances} utterances takes about {needed}, {free} are free")]
    BatchTooLarge {
        /// How many it has.
        utterances: usize,
        /// What a step keeps of it.
        needed: Bytes,
        /// What there is.
        free: Bytes,
        /// Whether it can be computed in parts.
        divisible: bool,
    },
    /// An SVM whose kernels the host has no room for.
    #[error("the kernels of {utterances} utterances to train on take {needed}, {free} are free")]
    KernelsTooLarge {
        /// How many there are.
        utterances: usize,
        /// What is held of them at least.
        needed: Bytes,
        /// What there is.
        free: Bytes,
    },
    /// A table of words to be trained, and no word.
    #[error("no utterance has a word: '{stream}' has nothing to learn from")]
    NoWords {
        /// The stream of tokens.
        stream: &'static str,
        /// The setting with which the model does without it.
        avoided_by: Option<&'static str>,
    },
    /// A split without utterances.
    #[error("the data have no utterance in the {split} split")]
    EmptySplit {
        /// Which split.
        split: Split,
    },
    /// A model and data that do not belong together.
    #[error("model and data do not belong together: {0}")]
    Misfit(#[from] Misfit),
    /// An utterance without what the model reads.
    #[error("the model needs {what} of every utterance")]
    Missing {
        /// The stream.
        what: &'static str,
    },
    /// Attention weights of a model that has none.
    #[error("the model has no cross-attention (model.system, model.variant); there are no weights to show")]
    NoCross,
    /// Attention over features that another program computed: of their frames no time is known.
    #[error("the model reads features from files, whose frames have no times to draw attention over")]
    NoTimes,
    /// A file of a run, or its folder.
    #[error("{path}: {fault}")]
    Run {
        /// The file or the folder.
        path: PathBuf,
        /// What is wrong with it.
        fault: RunFault,
    },
}

/// Where a loss comes from that is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// What these utterances hold: the others of the batch have results, or no step was done before.
    Utterances,
    /// The weights, or what the batch holds: no utterance of it has a result.
    Batch,
    /// The way from results, which are numbers, to the loss.
    Loss,
}

impl Display for Origin {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Utterances => "from utterances",
            Self::Batch => "utterances",
            Self::Loss => "the results are numbers; utterances",
        })
    }
}

/// Utterances that are named in a line.
const SHOWN: usize = 8;

/// The first of some utterances, and how many more there are.
pub(crate) fn some_of(ids: &[String]) -> String {
    let shown = ids[..ids.len().min(SHOWN)].join(", ");
    match ids.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What there is for a network that needs more, to follow what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Room {
    /// The host's memory.
    #[error("of memory, {free} are free")]
    Host {
        /// As far as the system says.
        free: Bytes,
    },
    /// What a device allows of one matrix: all weights lie in one.
    #[error("in one buffer, the device allows {most}")]
    Matrix {
        /// That limit.
        most: Bytes,
    },
    /// The device's memory, of which nobody says how much there is.
    #[error("on the device, which has less ({reason})")]
    Device {
        /// What the device says.
        reason: String,
    },
}

/// In what a model and data do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Misfit {
    /// Other classes, or in another order.
    #[error("its classes are {found:?}, the model's {expected:?}")]
    Classes {
        /// The data's.
        found: Vec<String>,
        /// The model's.
        expected: Vec<String>,
    },
    /// Frames of another width.
    #[error("'{stream}' has {found} coefficients a frame, the model takes {expected}")]
    Coefficients {
        /// Which stream.
        stream: String,
        /// Coefficients of the data.
        found: usize,
        /// Coefficients that the model takes.
        expected: usize,
    },
    /// Vectors of another width.
    #[error("'{stream}' has {found} columns, the model takes {expected}")]
    Columns {
        /// Which stream.
        stream: String,
        /// Columns of the data.
        found: usize,
        /// Columns that the model takes.
        expected: usize,
    },
    /// Word vectors here and a trained table there, or vectors of another width.
    #[error("its words are not represented as the model's")]
    Words,
    /// A trained word table whose rows are other words.
    #[error("its vocabulary is not the one that the model was trained with")]
    Vocabulary,
    /// A file that is given twice.
    #[error("{} is given twice", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
    },
    /// A shard that is given by its index and by itself, or by two.
    #[error("the utterances of {} are in {} and in {}", path.display(), of[0].display(), of[1].display())]
    TwiceAsShard {
        /// The shard.
        path: PathBuf,
        /// What is given, which both have it.
        of: [PathBuf; 2],
    },
    /// Words without names, which are to be found in a run's table.
    #[error("it does not name its words, by which rows of the run's table are taken")]
    NoVocabulary,
    /// Acoustic features of the same width that another front-end made, or other settings of it.
    #[error("its acoustic features are made otherwise than the model's: {difference}")]
    Features {
        /// The first of what differs, with both values.
        difference: String,
    },
    /// Data that a run would go on with and was not begun with.
    #[error("{} was started with other data", run.display())]
    OtherData {
        /// The run's folder.
        run: PathBuf,
    },
}

impl Misfit {
    fn remedies(&self) -> Vec<Remedy> {
        let with = |preparations: &[Preparation]| preparations.iter().copied().map(Remedy::PrepareWith).collect();
        match self {
            Self::Classes { .. } => vec![Remedy::PrepareWith(Preparation::Labels), Remedy::MapClasses],
            Self::Coefficients { .. } | Self::Columns { .. } | Self::Features { .. } => with(&[Preparation::FrontEnd]),
            Self::NoVocabulary => vec![Remedy::Prepare],
            Self::Twice { .. } => vec![Remedy::Data("it once")],
            Self::TwiceAsShard { .. } => vec![Remedy::Data("one of them")],
            Self::Words => with(&[Preparation::Vectors]),
            Self::Vocabulary => with(&[Preparation::OneManifest, Preparation::WordVectors]),
            Self::OtherData { .. } => vec![Remedy::Data("those"), Remedy::TrainAnew],
        }
    }
}

impl TrainError {
    /// Whether other settings might do: numbers that are none any more, and what there is no room for. The rest, of files and devices,
    /// is the same with all of them.
    pub(crate) fn is_of_settings(&self) -> bool {
        match self {
            Self::NotFinite { .. } | Self::ResultNotFinite { .. } | Self::DerivativeNotFinite { .. } => true,
            Self::GradientNotFinite { .. } | Self::WeightNotFinite { .. } => true,
            Self::NoRoom { .. } | Self::BatchTooLarge { .. } | Self::KernelsTooLarge { .. } => true,
            Self::Backend(error) => error.smaller_batch_helps(),
            Self::Interrupted { error, .. } => error.is_of_settings(),
            _ => false,
        }
    }

    /// Whether all ranks of a group know it.
    pub(super) fn is_told(&self) -> bool {
        match self {
            Self::Group(_) => true,
            Self::Interrupted { error, .. } => error.is_told(),
            _ => false,
        }
    }

    /// With what there is to go on from, where the device, another rank or the data's file failed a run that has something.
    pub(super) fn with_kept(self, kept: Option<Remedy>) -> Self {
        match (self, kept) {
            (
                error @ (Self::Backend(_) | Self::Dataset(_) | Self::Group(GroupError::Failed { .. } | GroupError::Weights { .. })),
                Some(kept),
            ) => Self::Interrupted { error: Box::new(error), kept },
            (error, _) => error,
        }
    }
}

impl Remedied for TrainError {
    fn remedies(&self) -> Vec<Remedy> {
        let or_go_on = |first: Vec<Remedy>, kept: &Option<Remedy>| first.into_iter().chain(kept.clone()).collect();
        match self {
            Self::Backend(error) => error.remedies(),
            Self::Interrupted { error, kept } => error.remedies().into_iter().chain([kept.clone()]).collect(),
            Self::Stopped { kept, .. } => kept.iter().cloned().collect(),
            Self::FrontEnd(error) => error.remedies(),
            Self::Dataset(error) => error.remedies(),
            #[cfg(feature = "files")]
            Self::Store(error) => error.remedies(),
            #[cfg(feature = "files")]
            Self::Labels(error) => error.remedies(),
            #[cfg(feature = "files")]
            Self::Audio(error) => error.remedies(),
            #[cfg(feature = "files")]
            Self::Text(error) => error.remedies(),
            Self::Config(error) => error.remedies(),
            Self::Group(error) => error.remedies(),
            Self::NotFinite { origin, kept, .. } => {
                let first = match origin {
                    Origin::Utterances => vec![Remedy::CheckFeatures, Remedy::Set("data.normalise=corpus")],
                    Origin::Batch => vec![Remedy::Lower("train.lr"), Remedy::Set("train.clip_norm"), Remedy::CheckFeatures],
                    Origin::Loss => vec![Remedy::Lower("train.class_weights"), Remedy::Lower("train.lr"), Remedy::Set("train.clip_norm")],
                };
                or_go_on(first, kept)
            }
            Self::WeightNotFinite { kept, .. } => {
                or_go_on(vec![Remedy::Lower("train.lr"), Remedy::Set("train.clip_norm"), Remedy::Raise("train.epsilon")], kept)
            }
            Self::ResultNotFinite { kept, .. } => {
                or_go_on(vec![Remedy::CheckFeatures, Remedy::TrainAgain, Remedy::Lower("train.lr")], kept)
            }
            Self::DerivativeNotFinite { .. } => vec![Remedy::CheckFeatures, Remedy::CheckWeights],
            Self::GradientNotFinite { kept, .. } => or_go_on(vec![Remedy::Lower("train.lr"), Remedy::Set("train.precision=f32")], kept),
            Self::NotLearned { .. } => vec![Remedy::CheckLabels, Remedy::Set("train.lr"), Remedy::Raise("train.steps")],
            Self::Resume { .. } => vec![Remedy::GoOnLonger],
            Self::NoRoom { room, .. } => {
                let other = (!matches!(room, Room::Host { .. })).then_some(Remedy::UseCpu);
                std::iter::once(Remedy::SmallerNetwork).chain(other).collect()
            }
            Self::BatchTooLarge { divisible, .. } => {
                std::iter::once(Remedy::SmallerBatch).chain(divisible.then_some(Remedy::Raise("train.accumulate"))).collect()
            }
            Self::KernelsTooLarge { .. } => vec![Remedy::Data("data of fewer utterances to train on")],
            Self::NoWords { avoided_by, .. } => {
                avoided_by.map(Remedy::Set).into_iter().chain([Remedy::Data("data with transcripts")]).collect()
            }
            Self::EmptySplit { .. } => vec![Remedy::OtherSplit, Remedy::PrepareWith(Preparation::Split)],
            Self::Misfit(misfit) => misfit.remedies(),
            Self::Run { fault, .. } => fault.remedies(),
            Self::Missing { what } => vec![Remedy::Data(what)],
            Self::NoCross | Self::NoTimes => Vec::new(),
        }
    }
}
