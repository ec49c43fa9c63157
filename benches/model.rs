//! The paper's network: training steps, inference, and how the cost of a step grows.

mod common;

use common::{counting, scaled};
use divan::Bencher;
use mcsan::backend::{Backend, Counting, Storage, Work};
use mcsan::config::{Normalise, Settings};
use mcsan::dataset::BatchShape;
use mcsan::dataset::Dataset;
use mcsan::model::Batch;
use mcsan::train::{Session, Weights};

fn main() {
    common::announce();
    divan::main();
}

const fn shape(batch: usize, frames: usize, ragged: bool) -> BatchShape {
    BatchShape { batch, frames, words: frames / 20, ragged }
}

const STEPS: [BatchShape; 4] = [shape(32, 1000, false), shape(32, 1000, true), shape(256, 1000, false), shape(256, 1000, true)];

/// Forward, backward, Adam, and the loss on the host.
#[divan::bench(args = STEPS, max_time = 10)]
fn training_step(bencher: Bencher, shape: BatchShape) {
    step(bencher, BatchShape { batch: scaled(shape.batch), ..shape });
}

/// Forward, and the logits on the host: the latency of one utterance, the throughput of many.
#[divan::bench(args = [shape(1, 450, false), shape(256, 1000, true)], max_time = 10)]
fn inference(bencher: Bencher, shape: BatchShape) {
    let shape = BatchShape { batch: scaled(shape.batch), ..shape };
    let data = shape.dataset();
    let work = work(&data, |session, batch| {
        session.network().infer(batch);
    });
    let bencher = counting(bencher, &work);
    on_the_device!(|backend| {
        let session = session(backend, &data);
        let (network, batch) = (session.network(), session.batches.batch(&data.training()).unwrap());
        bencher.bench_local(|| pollster::block_on(backend.finish_read(network.infer(&batch))).unwrap());
    });
}

#[divan::bench(args = [8, 16, 32, 64, 128, 256, 512, 1024], max_time = 5)]
fn step_by_batch(bencher: Bencher, batch: usize) {
    step(bencher, shape(scaled(batch), 1000, true));
}

#[divan::bench(args = [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000], max_time = 5)]
fn step_by_frames(bencher: Bencher, frames: usize) {
    step(bencher, shape(scaled(32), frames, true));
}

fn step(bencher: Bencher, shape: BatchShape) {
    let data = shape.dataset();
    let work = work(&data, |session, batch| drop(pollster::block_on(session.trainer().train_step(batch)).unwrap()));
    let bencher = counting(bencher, &work);
    on_the_device!(|backend| {
        let session = session(backend, &data);
        let (mut trainer, batch) = (session.trainer(), session.batches.batch(&data.training()).unwrap());
        bencher.bench_local(|| {
            let pending = pollster::block_on(trainer.train_step(&batch)).unwrap();
            pollster::block_on(trainer.outcome(pending)).unwrap().loss
        });
    });
}

/// What the operations ask for that are run on the one batch of a data set.
fn work(data: &Dataset, run: impl Fn(&Session<'_, Counting>, &Batch<Counting>)) -> Work {
    let counting = Counting::default();
    let session = session(&counting, data);
    let batch = session.batches.batch(&data.training()).unwrap();
    let before = counting.work();
    run(&session, &batch);
    counting.work() - before
}

/// The default model with its starting values, on a data set that is one batch.
fn session<'s, B: Backend>(backend: &'s B, data: &'s Dataset) -> Session<'s, B> {
    let mut settings = Settings::default();
    settings.data.normalise = Normalise::None;
    Session::new(backend, &settings, data, &data.training(), Weights::Drawn).unwrap()
}
