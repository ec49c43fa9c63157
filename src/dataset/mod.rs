//! The prepared data set: one safetensors file or several with an index, its normalisation, and ragged batches of it.
//!
//! [`store`] reads and writes safetensors files of any content (checkpoints too), [`Dataset`] is the file that
//! `mcsan prepare` makes, with any [`Streams`], [`Normalisation`] its z-score statistics and [`Batcher`] lays utterances out for
//! the device.

mod alignment;
mod augment;
mod batch;
pub(crate) mod doubles;
mod error;
mod features;
#[cfg(feature = "files")]
mod file;
mod fingerprint;
#[cfg(feature = "cli")]
mod joined;
#[cfg(feature = "files")]
mod look;
#[cfg(feature = "files")]
mod matrix_file;
mod mixup;
mod normalise;
mod order;
mod prepared;
#[cfg(feature = "files")]
mod replace;
mod shape;
#[cfg(feature = "files")]
pub(crate) mod shards;
#[cfg(feature = "files")]
mod spool;
#[cfg(feature = "files")]
pub mod store;
mod streams;
#[cfg(feature = "files")]
mod tensor_file;
mod validate;
#[cfg(feature = "files")]
mod vector_table;

pub use crate::base::utterances::NO_LABEL;
pub(crate) use alignment::{Aligned, covered};
pub use augment::Augmentation;
pub(crate) use batch::SHORTEST_UTTERANCE;
pub use batch::{BatchStatistics, Batcher, HostBatch, HostFrames, HostMasks, HostRows, HostStream, HostTokens, HostVectors};
pub use doubles::{About, Conflict, Doubles, Twin};
pub use error::DatasetError;
pub use features::{FeatureRows, FeatureType};
#[cfg(feature = "cli")]
pub(crate) use joined::LackedStream;
#[cfg(feature = "files")]
pub(crate) use look::{Unseen, Wanted};
#[cfg(feature = "files")]
pub use matrix_file::{FeatureMatrix, MatrixFileError};
pub use mixup::HostMixup;
#[cfg(feature = "onnx")]
pub(crate) use normalise::SMALLEST_DEVIATION;
pub use normalise::{Fitted, Groups, Normalisation, Statistics};
pub(crate) use order::{SHARDS, by_shards, epoch_batches};
pub(crate) use prepared::hop_seconds;
pub use prepared::{Dataset, Part, UtteranceInfo};
#[cfg(feature = "cli")]
pub(crate) use replace::folder_of;
#[cfg(all(feature = "files", not(target_arch = "wasm32")))]
pub(crate) use replace::make_file;
#[cfg(feature = "files")]
pub(crate) use replace::{replace_file, replace_file_if};
pub use shape::BatchShape;
pub(crate) use shape::lengths;
#[cfg(feature = "files")]
pub use shards::ShardFault;
#[cfg(feature = "files")]
pub use spool::Spool;
pub use streams::{DataStream, Frames, Streams, TokenLists, Vectors};
#[cfg(test)]
pub(crate) use tensor_file::READ;
#[cfg(feature = "files")]
pub(crate) use validate::check_classes;
#[cfg(feature = "files")]
pub use vector_table::{VectorTable, VectorTableError};
