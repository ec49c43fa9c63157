//! The network: parameters, layers, and a page for each system.
//!
//! A system is a type that lays its parameters out in its constructor and implements [`Model`]; [`build`] registers it with
//! a line. Nothing else names it: a [`Network`] holds any model, on any backend.

pub mod batch;
pub mod cost;
mod dimensions;
pub mod layers;
mod mcsan;
mod network;
pub mod parameters;

pub use batch::Batch;
pub use dimensions::Dimensions;
pub use network::Network;

use crate::backend::Backend;
use crate::backend::cpu::Cpu;
use crate::base::streams::{Reading, Readings};
use crate::config::Settings;
use crate::tape::Var;
use layers::Pass;
use parameters::Parameters;

/// A system: its parameters, the streams that it reads, and its way from a batch of them to the logits.
pub trait Model<B: Backend> {
    /// The parameters' names, shapes and places; the same on every backend.
    fn parameters(&self) -> &Parameters;

    /// The streams that it reads.
    fn reads(&self) -> Vec<Reading>;

    /// Logits `[batch, classes]` of a batch.
    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B>;
}

/// The model that the settings describe, for data of these dimensions: the register of the systems.
pub fn build<B: Backend>(settings: &Settings, dimensions: &Dimensions) -> Box<dyn Model<B>> {
    Box::new(mcsan::Mcsan::new(&settings.model, dimensions))
}

/// The parameters of the model that the settings describe.
pub fn parameters(settings: &Settings, dimensions: &Dimensions) -> Parameters {
    build::<Cpu<f32>>(settings, dimensions).parameters().clone()
}

/// What the model that the settings describe reads of a data set.
pub fn readings(settings: &Settings, dimensions: &Dimensions) -> Readings {
    Readings::new(&build::<Cpu<f32>>(settings, dimensions).reads(), settings.data.max_frames)
}
