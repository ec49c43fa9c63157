//! A model with its weights on a device: all that inference needs.

use std::rc::Rc;

use super::layers::{Attended, Pass};
use super::{Batch, Model};
use crate::backend::ops::Accumulate;
use crate::backend::{Backend, Matrix, Result, Storage, Write, as_f32};
use crate::base::numbers::Precision;
use crate::tape::{Mode, Tape, Var};

/// What is computed of a batch.
type Compute<B> = for<'t, 'a> fn(&dyn Model<B>, &mut Pass<'t, 'a, B>, &'a Batch<B>) -> Var<B>;

/// What attends to what, where that is watched.
type Watched<B> = Option<Vec<Attended<<B as Storage>::Tensor>>>;

/// A model and its weights, in one buffer; it has neither gradients nor an optimiser's state.
pub struct Network<'b, B: Backend> {
    backend: &'b B,
    model: Rc<dyn Model<B>>,
    /// `[1, elements]`, in the order of [`Model::parameters`].
    pub(crate) weights: B::Tensor,
    precision: Precision,
}

impl<'b, B: Backend> Network<'b, B> {
    /// Puts the weights, a buffer in the order of [`Model::parameters`], on a device; products are in `precision`.
    pub fn new(backend: &'b B, model: Box<dyn Model<B>>, weights: &[f32], precision: Precision) -> Self {
        let weights = backend.upload(weights, [1, model.parameters().len()]);
        Self { backend, model: model.into(), weights, precision }
    }

    /// The same with a copy of the weights.
    pub(crate) fn copied(&self) -> Self {
        let weights = self.backend.zeros(self.weights.shape());
        self.backend.run(&Accumulate { x: self.weights.clone(), sum: weights.clone(), write: Write::Set });
        Self { backend: self.backend, model: self.model.clone(), weights, precision: self.precision }
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
        let (logits, _) = self.run(batch, None, |model, pass, batch| model.forward(pass, batch));
        self.backend.submit();
        logits
    }

    /// [`Model::features`] of a batch on their way to the host.
    pub fn infer_features(&self, batch: &Batch<B>) -> B::Readback {
        let (features, _) = self.run(batch, None, |model, pass, batch| model.features(pass, batch));
        self.backend.submit();
        features
    }

    /// As [`Network::infer`], and what attends to what, in the order of the pass.
    pub fn infer_watched(&self, batch: &Batch<B>) -> (B::Readback, Vec<Attended<B::Tensor>>) {
        let (logits, watched) = self.run(batch, Some(Vec::new()), |model, pass, batch| model.forward(pass, batch));
        (logits, watched.unwrap_or_default())
    }

    fn run(&self, batch: &Batch<B>, watched: Watched<B>, compute: Compute<B>) -> (B::Readback, Watched<B>) {
        let mut tape = self.tape(Mode::Infer);
        let parameters = self.model.parameters().bind_constant(&tape, &self.weights);
        let mut pass = Pass { tape: &mut tape, parameters: &parameters, dropout: None, watched, terms: None, mixing: None };
        let result = compute(&*self.model, &mut pass, batch);
        let watched = pass.watched.take();
        (self.backend.start_read(&result.value), watched)
    }

    /// Copies the weights to the host.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn read_weights(&self) -> Result<Vec<f32>> {
        Ok(as_f32(self.backend.read(&self.weights).await?))
    }
}
