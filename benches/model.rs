//! The paper's network: training steps, inference, linear cost.

mod common;

use common::batches::{CLASSES, COEFFICIENTS, Shape, WORD_WIDTH};
use common::scaled;
use divan::Bencher;
use mcsan::backend::Backend;
use mcsan::config::Settings;
use mcsan::model::{Dimensions, Mcsan};
use mcsan::train::Trainer;

fn main() {
    divan::main();
}

fn trainer<B: Backend>(backend: &B) -> Trainer<'_, B> {
    let settings = Settings::default();
    let dimensions = Dimensions { coefficients: COEFFICIENTS, word_width: WORD_WIDTH, learned_words: None, classes: CLASSES };
    let parameters = Mcsan::new(&settings.model, &dimensions).layout().initial_values(0);
    Trainer::new(backend, &settings, &dimensions, &parameters, &[1.0; CLASSES])
}

/// Forward, backward, Adam, and the loss on the host.
fn step<B: Backend>(bencher: Bencher, backend: &B, shape: Shape) {
    let (mut trainer, batch) = (trainer(backend), shape.batch(backend));
    bencher.bench_local(|| {
        let pending = trainer.train_step(&batch);
        pollster::block_on(trainer.outcome(pending)).unwrap().loss
    });
}

/// Forward, and the logits on the host.
fn infer<B: Backend>(bencher: Bencher, backend: &B, shape: Shape) {
    let (trainer, batch) = (trainer(backend), shape.batch(backend));
    bencher.bench_local(|| pollster::block_on(backend.finish_read(trainer.infer(&batch))).unwrap());
}

const fn shape(batch: usize, frames: usize, ragged: bool) -> Shape {
    Shape { batch, frames, words: frames / 20, ragged }
}

/// A shape with the batch that `MCSAN_SCALE` leaves of it.
fn shrunk(shape: Shape) -> Shape {
    Shape { batch: scaled(shape.batch), ..shape }
}

const STEPS: [Shape; 4] = [shape(32, 1000, false), shape(32, 1000, true), shape(256, 1000, false), shape(256, 1000, true)];

#[divan::bench(args = STEPS, max_time = 10)]
fn training_step(bencher: Bencher, shape: Shape) {
    on_the_device!(|backend| step(bencher, backend, shrunk(shape)));
}

#[divan::bench(args = [shape(1, 450, false), shape(256, 1000, true)], max_time = 10)]
fn inference(bencher: Bencher, shape: Shape) {
    on_the_device!(|backend| infer(bencher, backend, shrunk(shape)));
}
