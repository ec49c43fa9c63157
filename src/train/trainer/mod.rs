//! One training step and one forward pass: the part of training that touches no file, thread or clock.

mod addition;
mod parts;
mod together;

use std::ops::Range;

use super::TrainError;
use super::batches::Batches;
use crate::backend::ops::{
    Accumulate, Adam, AdamStep, Average, ClipTensors, ClipValues, GradientNorm, LossScale, Sgd, StepSize, TensorTable, loss_scaling,
};
use crate::backend::{Backend, Matrix, Result, Storage, Write, as_f32};
use crate::base::numbers::Precision;
use crate::config::{Optimizer, Settings};
use crate::dataset::Augmentation;
use crate::model::layers::{Dropout, Pass};
use crate::model::loss::{LossOf, Whole};
use crate::model::{Batch, Network, Trained};
use crate::tape::Mode;

use addition::Addition;
pub(crate) use together::Missed;

/// A network with its gradients and the optimiser's state.
///
/// All weights lie in one buffer; gradients and both moments in three more of the same layout. Of parameters that are frozen
/// (`train.freeze`) gradients and moments stay zero, so that they have no part in a norm.
pub struct Trainer<'b, B: Backend> {
    backend: &'b B,
    network: Network<'b, B>,
    /// It with the average of its weights, where one is wanted.
    averaged: Option<Network<'b, B>>,
    settings: Settings,
    gradients: B::Tensor,
    moments: [B::Tensor; 2],
    /// Which parameters change, and how fast.
    trained: Trained,
    class_weights: B::Tensor,
    /// The same on the host.
    weights_of_classes: Vec<f32>,
    /// Where each parameter's gradient lies.
    tensors: TensorTable<B>,
    /// Stands for the gradients' norm where nothing is clipped.
    no_norm: B::Tensor,
    /// See [`LossScale`].
    scaling: B::Tensor,
    /// It after the last step, on its way to the host.
    last_scaling: Option<B::Readback>,
    /// Steps done.
    steps: u64,
    /// Those of them that were left out because a gradient overflowed, as far as is known.
    skipped: u64,
    /// Steps of the whole run, for the learning rate's schedule.
    planned_steps: u64,
    /// How often a plateau has made the learning rate less.
    reductions: u64,
    /// How the host adds as the device does, where ranks train together and it can.
    addition: Option<Addition>,
}

/// What the way forward and back of a batch, or of a part of one, gives besides gradients.
struct Differentiated<B: Backend> {
    /// `[1, 1]`
    loss: B::Tensor,
    /// `[batch, classes]`
    logits: B::Tensor,
    is_labelled: bool,
}

/// Loss and logits of the parts of a step.
enum Results<'r, B: Backend> {
    /// On the device.
    There(&'r [Differentiated<B>]),
    /// Of all ranks, which read them before.
    Known(Vec<(f32, Option<Vec<f32>>)>),
}

/// Buckets of the gradients, and who is told when one is whole.
type Told<'t> = (&'t [Range<usize>], &'t mut dyn FnMut(&Range<usize>));

/// Loss and logits of a part on their way to the host.
type Readbacks<B> = (<B as Storage>::Readback, Option<<B as Storage>::Readback>);

/// Results of a step on their way to the host: the loss of each part of its batch, and the logits of those with labels.
pub struct Pending<B: Backend> {
    parts: Vec<Readbacks<B>>,
    /// Those that are there already.
    known: Vec<(f32, Option<Vec<f32>>)>,
    /// What the step was done with.
    pub learning_rate: f64,
    /// In mixed precision, the loss scale after the step.
    scaling: Option<B::Readback>,
}

/// Results of a step.
pub struct Outcome {
    /// Of the batch, with class weights and smoothing, and the model's terms.
    pub loss: f32,
    /// `[batch, classes]` of the utterances with a label.
    pub logits: Vec<f32>,
    /// In mixed precision.
    pub scaling: Option<Scaling>,
}

/// The loss scale after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// What the loss is multiplied with before the way back.
    pub scale: f32,
    /// Steps of the run that were left out because a gradient overflowed.
    pub skipped: u64,
}

/// Loss, logits and gradients of one batch.
pub struct GradientReport {
    /// Of the batch, with class weights and smoothing.
    pub loss: f32,
    /// `[batch, classes]`
    pub logits: Vec<f32>,
    /// In the order of the model's parameters.
    pub gradients: Vec<f32>,
}

/// Adam's step after so many updates; at as many as 32 bits count its corrections are long 1.
fn adam_step(updates: u64) -> u32 {
    u32::try_from(updates).map_or(u32::MAX, |updates| updates.saturating_add(1))
}

/// What the weights of update `update` (from 1) count in their average: the first ones, which are far from where they will be, are
/// forgotten sooner.
fn average_share(decay: f64, update: u64) -> f32 {
    let update = update as f64;
    (1.0 - decay.min((1.0 + update) / (10.0 + update))) as f32
}

impl<'b, B: Backend> Trainer<'b, B> {
    /// Sets the optimiser of the settings up for a network.
    pub fn new(network: Network<'b, B>, settings: &Settings, class_weights: &[f32]) -> Self {
        let backend = network.backend();
        let shape = network.weights.shape();
        let parameters = network.model().parameters();
        let trained = Trained::of(&settings.train, parameters);
        let tensors = trained.parameters(parameters).map(|parameter| parameter.offset..parameter.offset + parameter.len());
        let tensors: Vec<_> = tensors.collect();
        let trainer = Self {
            backend,
            settings: settings.clone(),
            gradients: backend.zeros(shape),
            moments: [backend.zeros(shape), backend.zeros(shape)],
            trained,
            class_weights: backend.upload(class_weights, [1, class_weights.len()]),
            weights_of_classes: class_weights.to_vec(),
            tensors: TensorTable::new(backend, &tensors),
            no_norm: backend.upload(&[0.0, 1.0], [1, 2]),
            scaling: backend.upload(&loss_scaling(settings.train.precision), [1, 3]),
            last_scaling: None,
            averaged: (settings.train.average > 0.0).then(|| network.copied()),
            network,
            steps: 0,
            skipped: 0,
            planned_steps: u64::MAX,
            reductions: 0,
            addition: None,
        };
        // The zeros stand before any step that may fail and be forgotten.
        backend.submit();
        trainer
    }

    /// Says how many steps the run will have, for schedules that end.
    pub fn plan(&mut self, steps: u64) {
        self.planned_steps = steps;
    }

    /// Says how often a plateau has made the learning rate less: it is `train.plateau_factor` to that power of what the schedule says.
    pub fn reduce(&mut self, times: u64) {
        self.reductions = times;
    }

    /// The network as it is by now.
    pub fn network(&self) -> &Network<'b, B> {
        &self.network
    }

    /// What is to be validated and kept: the network with the average of its weights where `train.average` asks for one.
    pub fn result(&self) -> &Network<'b, B> {
        self.averaged.as_ref().unwrap_or(&self.network)
    }

    /// The average of the weights, where there is one.
    pub fn averaged(&self) -> Option<&Network<'b, B>> {
        self.averaged.as_ref()
    }

    /// What the next step changes of its batch by chance, if anything.
    pub fn augmentation(&self) -> Option<Augmentation> {
        Augmentation::of(&self.settings, self.steps)
    }

    /// Steps done, those that were left out included.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Forward, backward and update of utterances with a label; does not wait for the device, in mixed precision for the step before this
    /// alone.
    ///
    /// # Errors
    /// What went wrong on the device, where it was waited for.
    pub async fn train_step(&mut self, batch: &Batch<B>) -> Result<Pending<B>> {
        let results = [self.differentiate(batch, &self.gradients, None, true, None)];
        self.update(Results::There(&results)).await
    }

    /// As [`Trainer::train_step`], the batch computed in `parts` parts of about as many utterances one after the other, in
    /// less memory. Their gradients are added, each divided by the weight of the whole batch, so the step is that of the whole
    /// batch to rounding, dropout included, unless the loss compares utterances.
    ///
    /// Utterances without label are a batch of their own, whose gradients are added.
    ///
    /// # Errors
    /// What went wrong on the device. Where the step does not count ([`Trainer::steps`]), nothing was updated, and after
    /// [`crate::backend::Storage::recover`] it may be tried again. Features that cannot be read.
    pub async fn train_in_parts(
        &mut self,
        batches: &Batches<'_, B>,
        utterances: &[usize],
        parts: usize,
    ) -> std::result::Result<Pending<B>, TrainError> {
        let (utterances, labelled) = batches.in_order(utterances);
        let results = self.differentiate_all(batches, &utterances, labelled, parts, self.augmentation().as_ref(), true)?;
        Ok(self.update(Results::There(&results)).await?)
    }

    fn clear_gradients(&self) {
        let (x, sum) = (self.backend.zeros(self.gradients.shape()), self.gradients.clone());
        self.backend.run(&Accumulate { x, sum, write: Write::Set });
    }

    /// Goes on from a state that was kept, with the weights given to [`Trainer::new`].
    pub fn resume(&mut self, steps: u64, moments: &[Vec<f32>; 2], scaling: Option<[f32; 3]>) {
        (self.steps, self.skipped, self.last_scaling) = (steps, 0, None);
        if let Some(scaling) = scaling {
            self.skipped = scaling[2] as u64;
            self.scaling = self.backend.upload(&scaling, [1, 3]);
        }
        self.moments = moments.each_ref().map(|moment| self.backend.upload(moment, self.network.weights.shape()));
    }

    /// Goes on from an average of the weights that was kept, where one is wanted.
    pub fn resume_average(&mut self, average: &[f32]) {
        if let Some(averaged) = &mut self.averaged {
            averaged.weights = self.backend.upload(average, self.network.weights.shape());
        }
    }

    /// Waits for a step's results.
    ///
    /// # Errors
    /// Whatever went wrong on the device since the last wait.
    pub async fn outcome(&self, pending: Pending<B>) -> Result<Outcome> {
        let mut outcome = Outcome { loss: 0.0, logits: Vec::new(), scaling: None };
        for (loss, logits) in pending.known {
            outcome.loss += loss;
            outcome.logits.extend(logits.into_iter().flatten());
        }
        for (loss, logits) in pending.parts {
            outcome.loss += as_f32(self.backend.finish_read(loss).await?)[0];
            if let Some(logits) = logits {
                outcome.logits.extend(as_f32(self.backend.finish_read(logits).await?));
            }
        }
        if let Some(scaling) = pending.scaling {
            let state = as_f32(self.backend.finish_read(scaling).await?);
            outcome.scaling = Some(Scaling { scale: state[0], skipped: state[2] as u64 });
        }
        Ok(outcome)
    }

    /// Loss, logits and gradients of a batch, without an update; utterances without label are a batch of their own.
    ///
    /// # Errors
    /// Whatever went wrong on the device. Features that cannot be read.
    pub async fn gradients(&mut self, batches: &Batches<'_, B>, utterances: &[usize]) -> std::result::Result<GradientReport, TrainError> {
        let (places, labelled) = batches.labelled_first(utterances);
        let ordered: Vec<usize> = places.iter().map(|&place| utterances[place]).collect();
        let results = self.differentiate_all(batches, &ordered, labelled, 1, None, false)?;
        let [scale, ..] = self.read_scaling().await?;
        let classes = self.weights_of_classes.len();
        let (mut loss, mut logits, mut places) = (0.0, vec![0.0; classes * utterances.len()], places.into_iter());
        for result in results {
            loss += as_f32(self.backend.read(&result.loss).await?)[0];
            for (row, place) in as_f32(self.backend.read(&result.logits).await?).chunks_exact(classes).zip(&mut places) {
                logits[place * classes..][..classes].copy_from_slice(row);
            }
        }
        let gradients = as_f32(self.backend.read(&self.gradients).await?);
        // A step leaves those of frozen parameters as they are.
        self.clear_gradients();
        Ok(GradientReport { loss, logits, gradients: gradients.into_iter().map(|gradient| gradient / scale).collect() })
    }

    /// Forward and backward; the gradients are in `gradients`, but for those that nothing reaches. `whole` is the batch that this is a
    /// part of; `as_trained` leaves out those of parameters that are not trained. `told` hears of each of its buckets, in their order, as
    /// soon as all work on the gradients there is recorded.
    fn differentiate(
        &self,
        batch: &Batch<B>,
        gradients: &B::Tensor,
        whole: Option<Whole>,
        as_trained: bool,
        told: Option<Told<'_>>,
    ) -> Differentiated<B> {
        let train = &self.settings.train;
        let model = self.network.model();
        let mut tape = self.network.tape(Mode::Train);
        let weights = &self.network.weights;
        let parameters = match as_trained {
            true => model.parameters().bind_trained(&mut tape, [weights, gradients], Write::Set, &self.trained),
            false => model.parameters().bind(&mut tape, weights, gradients, Write::Set),
        };
        let dropout = Some(Dropout::new(train.seed, self.steps));
        let mut pass = Pass { tape: &mut tape, parameters: &parameters, dropout, watched: None, terms: Some(Vec::new()), mixing: None };
        let logits = model.forward(&mut pass, batch);
        let (mixing, terms) = (pass.mixing, pass.terms.take().unwrap_or_default());
        let smoothing = train.label_smoothing as f32;
        let (class_weights, scaling) = (&self.class_weights, &self.scaling);
        let of = LossOf { labels: batch.labels.as_ref(), class_weights, smoothing, whole, scaling, mixing };
        let (loss, starts) = of.sum(&tape, model.loss(), &logits, &terms);
        match told {
            None => tape.backward(starts),
            Some((buckets, whole)) => {
                let left = |bucket: &Range<usize>| model.parameters().steps_left(bucket, &parameters, &tape);
                let left: Vec<usize> = buckets.iter().map(left).collect();
                let mut waiting = buckets.iter().zip(left).peekable();
                tape.backward_telling(starts, &mut |steps| {
                    while let Some((bucket, _)) = waiting.next_if(|(_, left)| steps <= *left) {
                        whole(bucket);
                    }
                })
            }
        };
        Differentiated { loss, logits: logits.value, is_labelled: batch.labels.is_some() }
    }

    /// Records the optimiser's step and sends all that was recorded, with copies of the loss and the logits of each part and,
    /// in mixed precision, of the scale. What takes memory comes before what changes weights: where there is none, nothing was
    /// updated, and the step does not count.
    ///
    /// A step that was left out counts neither for the learning rate's schedule nor for Adam's correction, and whether the last
    /// one was is known when it is done. Until then the device has this one's gradients to compute.
    async fn update(&mut self, results: Results<'_, B>) -> Result<Pending<B>> {
        let is_mixed = self.settings.train.precision == Precision::Mixed;
        if let Some(scaling) = self.last_scaling.take() {
            self.backend.submit();
            self.skipped = as_f32(self.backend.finish_read(scaling).await?)[2] as u64;
        }
        let updates = self.steps.saturating_sub(self.skipped);
        let train = &self.settings.train;
        let clips = train.clip_norm > 0.0;
        // One factor after the other: how a power is rounded is the platform's.
        let scheduled = train.learning_rate(updates, self.planned_steps);
        let learning_rate = (0..self.reductions).fold(scheduled, |rate, _| rate * train.plateau_factor);
        let size =
            StepSize { learning_rate, weight_decay: train.weight_decay, clip_norm: if clips { train.clip_norm } else { f64::INFINITY } };
        self.clip();
        let norm =
            if clips || is_mixed { self.backend.run(&GradientNorm { gradients: self.gradients.clone() }) } else { self.no_norm.clone() };
        let (parts, known) = match results {
            Results::There(results) => (results.iter().map(|part| self.read_results(part)).collect(), Vec::new()),
            Results::Known(known) => (Vec::new(), known),
        };
        if let Some(error) = self.backend.failure() {
            return Err(error);
        }
        self.steps += 1;
        if is_mixed {
            self.backend.run(&LossScale { norm: norm.clone(), scaling: self.scaling.clone() });
        }
        let [first, second] = &self.moments;
        for (range, factor) in self.trained.stretches(self.network.model().parameters()) {
            let [parameters, gradients, first_moment, second_moment] =
                [&self.network.weights, &self.gradients, first, second].map(|whole| whole.slice(range.start, [1, range.len()]));
            let (norm, size) = (norm.clone(), StepSize { learning_rate: learning_rate * factor, ..size });
            match train.optimizer {
                Optimizer::Sgd => self.backend.run(&Sgd { parameters, gradients, norm, size }),
                Optimizer::Adam => {
                    let step = AdamStep { size, beta1: train.beta1, beta2: train.beta2, epsilon: train.epsilon, step: adam_step(updates) };
                    self.backend.run(&Adam { parameters, gradients, first_moment, second_moment, norm, step });
                }
            }
        }
        if let Some(averaged) = &self.averaged {
            let [x, average] = [&self.network.weights, &averaged.weights].map(Clone::clone);
            self.backend.run(&Average { x, average, share: average_share(train.average, updates + 1) });
        }
        let [scaling, last_scaling] = [(); 2].map(|()| is_mixed.then(|| self.backend.start_read(&self.scaling)));
        self.last_scaling = last_scaling;
        self.backend.submit();
        match self.backend.failure() {
            Some(error) => Err(error),
            None => Ok(Pending { parts, known, learning_rate, scaling }),
        }
    }

    /// Asks for the results of a part.
    fn read_results(&self, part: &Differentiated<B>) -> Readbacks<B> {
        let loss = self.backend.start_read(&part.loss);
        (loss, part.is_labelled.then(|| self.backend.start_read(&part.logits)))
    }

    /// Clips gradients tensor by tensor and element by element, where that is wished.
    fn clip(&self) {
        let train = &self.settings.train;
        let gradients = || self.gradients.clone();
        if train.clip_tensors > 0.0 {
            self.backend.run(&ClipTensors { gradients: gradients(), tensors: self.tensors.clone(), limit: train.clip_tensors as f32 });
        }
        if train.clip_values > 0.0 {
            self.backend.run(&ClipValues { gradients: gradients(), limit: train.clip_values as f32 });
        }
    }

    /// Copies the loss scale's state to the host, see [`LossScale`].
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn read_scaling(&self) -> Result<[f32; 3]> {
        let state = as_f32(self.backend.read(&self.scaling).await?);
        Ok(std::array::from_fn(|place| state[place]))
    }

    /// Copies both moment buffers to the host.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn read_moments(&self) -> Result<[Vec<f32>; 2]> {
        let [first, second] = &self.moments;
        Ok([as_f32(self.backend.read(first).await?), as_f32(self.backend.read(second).await?)])
    }
}
