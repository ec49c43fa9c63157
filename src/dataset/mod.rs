//! The prepared data set: one safetensors file, its normalisation, and ragged batches of it.
//!
//! [`store`] reads and writes safetensors files of any content (checkpoints too), [`Dataset`] is the file that
//! `mcsan prepare` makes, [`Normalisation`] its z-score statistics and [`Batcher`] lays utterances out for the device.

mod batch;
mod error;
mod features;
mod file;
mod normalise;
mod order;
mod prepared;
mod replace;
mod shape;
pub mod sizes;
pub mod store;
mod validate;

pub use batch::{BatchStatistics, Batcher, HostBatch, SHORTEST_UTTERANCE};
pub use error::DatasetError;
pub use features::{FeatureRows, Spool};
pub use file::FORMAT;
pub use normalise::{Groups, Normalisation, Statistics};
pub use order::epoch_batches;
pub use prepared::{Dataset, UtteranceInfo};
pub use replace::replace_file;
pub use shape::{BatchShape, lengths};
