//! What the host spends on a training step, on wgpu's device that does nothing: making a batch, recording, sending, reading the loss.
//! Kernels take no time there, and a driver's own share is missing. An item is a dispatch.
//!
//! `cargo bench --bench host --features noop`

use divan::Bencher;
use divan::counter::ItemsCount;
use mcsan::backend::gpu::{self, Feature, Gpu, Opening, SubmissionLimits};
use mcsan::config::{Normalise, Settings};
use mcsan::dataset::BatchShape;
use mcsan::train::{Session, Trainer, Weights};

/// The paper's batch, its lengths drawn.
const STEP: BatchShape = BatchShape { batch: 256, frames: 1000, words: 50, ragged: true };

fn main() {
    divan::main();
}

/// A device that runs what graphics hardware runs.
fn device() -> Gpu {
    let mut instance = wgpu::InstanceDescriptor { backends: wgpu::Backends::NOOP, ..gpu::instance() };
    instance.backend_options.noop =
        wgpu::NoopBackendOptions { enable: true, features: Some(wgpu::Features::IMMEDIATES), ..Default::default() };
    let adapter = pollster::block_on(gpu::find("auto", instance)).unwrap().expect("wgpu is built with its device that does nothing");
    let mut gpu = pollster::block_on(Gpu::open(&adapter, Opening { without: Feature::ALL.to_vec(), ..Opening::default() })).unwrap();
    // wgpu calls it a processor, whose work would be cut into hundreds of submissions.
    gpu.limit_submissions(SubmissionLimits { seconds: f64::INFINITY, ..SubmissionLimits::HARDWARE });
    gpu
}

/// All of a step, with the features on the device as in a training.
#[divan::bench(max_time = 10)]
fn training_step(bencher: Bencher) {
    step(bencher, true);
}

/// What it is from the batch on: recording and sending, and the loss.
#[divan::bench(max_time = 10)]
fn recording(bencher: Bencher) {
    step(bencher, false);
}

fn step(bencher: Bencher, makes_batch: bool) {
    let (gpu, data) = (device(), STEP.dataset());
    let utterances = data.training();
    let mut settings = Settings::default();
    settings.data.normalise = Normalise::None;
    let mut session = Session::new(&gpu, &settings, &data, &utterances, Weights::Drawn).unwrap();
    assert!(pollster::block_on(session.batches.keep_on_device()).unwrap().is_none());
    let mut trainer = session.trainer();
    let made = session.batches.batch(&utterances).unwrap();
    let one_step = |trainer: &mut Trainer<'_, Gpu>, makes_batch: bool| {
        let anew = makes_batch.then(|| session.batches.batch(&utterances).unwrap());
        let pending = pollster::block_on(trainer.train_step(anew.as_ref().unwrap_or(&made))).unwrap();
        pollster::block_on(trainer.outcome(pending)).unwrap().loss
    };
    // The first makes pipelines and memory.
    one_step(&mut trainer, true);
    let before = gpu.counters().dispatches;
    one_step(&mut trainer, true);
    let dispatches = ItemsCount::new(gpu.counters().dispatches - before);
    bencher.counter(dispatches).bench_local(|| one_step(&mut trainer, makes_batch));
}
