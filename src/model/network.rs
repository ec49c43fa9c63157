//! A model with its weights on a device: all that inference needs.

use super::layers::{Attended, Pass};
use super::{Batch, Model};
use crate::backend::{Backend, Result, Storage, as_f32};
use crate::base::numbers::Precision;
use crate::tape::{Mode, Tape};

/// What attends to what, where that is watched.
type Watched<B> = Option<Vec<Attended<<B as Storage>::Tensor>>>;

/// A model and its weights, in one buffer; it has neither gradients nor an optimiser's state.
pub struct Network<'b, B: Backend> {
    backend: &'b B,
    model: Box<dyn Model<B>>,
    /// `[1, elements]`, in the order of [`Model::parameters`].
    pub(crate) weights: B::Tensor,
    precision: Precision,
}

impl<'b, B: Backend> Network<'b, B> {
    /// Puts the weights, a buffer in the order of [`Model::parameters`], on a device; products are in `precision`.
    pub fn new(backend: &'b B, model: Box<dyn Model<B>>, weights: &[f32], precision: Precision) -> Self {
        let weights = backend.upload(weights, [1, model.parameters().len()]);
        Self { backend, model, weights, precision }
    }

    /// Where it computes.
    pub fn backend(&self) -> &'b B {
        self.backend
    }

    /// What it computes.
    pub fn model(&self) -> &dyn Model<B> {
        &*self.model
    }

    /// A tape for a pass of it.
    pub fn tape<'t>(&self, mode: Mode) -> Tape<'t, B>
    where
        'b: 't,
    {
        Tape::new(self.backend, mode).with_precision(self.precision)
    }

    /// Logits of a batch on their way to the host.
    pub fn infer(&self, batch: &Batch<B>) -> B::Readback {
        let (logits, _) = self.forward(batch, None);
        self.backend.submit();
        logits
    }

    /// [`Model::features`] of a batch on their way to the host.
    pub fn infer_features(&self, batch: &Batch<B>) -> B::Readback {
        let mut tape = self.tape(Mode::Infer);
        let parameters = self.model.parameters().bind_constant(&tape, &self.weights);
        let mut pass = Pass { tape: &mut tape, parameters: &parameters, dropout: None, watched: None, terms: None };
        let features = self.model.features(&mut pass, batch);
        let read = self.backend.start_read(&features.value);
        self.backend.submit();
        read
    }

    /// As [`Network::infer`], and what attends to what, in the order of the pass.
    pub fn infer_watched(&self, batch: &Batch<B>) -> (B::Readback, Vec<Attended<B::Tensor>>) {
        let (logits, watched) = self.forward(batch, Some(Vec::new()));
        (logits, watched.unwrap_or_default())
    }

    fn forward(&self, batch: &Batch<B>, watched: Watched<B>) -> (B::Readback, Watched<B>) {
        let mut tape = self.tape(Mode::Infer);
        let parameters = self.model.parameters().bind_constant(&tape, &self.weights);
        let mut pass = Pass { tape: &mut tape, parameters: &parameters, dropout: None, watched, terms: None };
        let logits = self.model.forward(&mut pass, batch);
        let watched = pass.watched.take();
        (self.backend.start_read(&logits.value), watched)
    }

    /// Copies the weights to the host.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn read_weights(&self) -> Result<Vec<f32>> {
        Ok(as_f32(self.backend.read(&self.weights).await?))
    }
}
