//! Training goes on for hours in the memory that it took in the first minutes, whatever the shapes of its batches.

use mcsan::backend::gpu::{Counters, Gpu};
use mcsan::backend::{Backend, cpu::Cpu};
use mcsan::base::philox::Stream;
use mcsan::config::{Config, Settings};
use mcsan::dataset::{BatchShape, Dataset};
use mcsan::train::{Session, Weights};

use crate::common::gpus;

/// Steps where `MCSAN_SOAK_STEPS` does not say how many (`make soak`: 3,000).
const STEPS: u64 = 100;

fn steps() -> u64 {
    std::env::var("MCSAN_SOAK_STEPS").map_or(STEPS, |steps| steps.parse().expect("MCSAN_SOAK_STEPS is a number"))
}

fn small() -> (Dataset, Settings) {
    let data = BatchShape { batch: 48, frames: 300, words: 30, ragged: true }.dataset();
    let assignments = ["model.hidden=16", "model.heads=2", "model.feed_forward=16", "model.dropout=0.1", "data.normalise=none"];
    (data, Config::default().assign(&assignments.map(String::from)).unwrap().settings)
}

/// Bytes of memory that the process has in use, where the system says.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    Some(pages * 4096)
}

/// Trains on batches of 1 to 16 utterances that are drawn anew, and shows after every tenth of the way what is held.
fn soak<B: Backend>(backend: &B, mut held: impl FnMut() -> u64) {
    let (data, settings) = small();
    let session = Session::new(backend, &settings, &data, &data.training(), Weights::Drawn).unwrap();
    let mut trainer = session.trainer();
    let random = Stream { seed: 3, stream: 0 };
    let mut draws = 0..;
    let mut draw = |below: usize| (random.uniform(draws.next().unwrap()) * below as f32) as usize;
    let steps = steps();
    let mut seen = Vec::new();
    for step in 1..=steps {
        let utterances: Vec<usize> = (0..=draw(16)).map(|_| draw(data.len())).collect();
        let pending = pollster::block_on(trainer.train_in_parts(&session.batches, &utterances, 1 + draw(2))).unwrap();
        assert!(pollster::block_on(trainer.outcome(pending)).unwrap().loss.is_finite());
        if step % (steps / 10) == 0 {
            let megabytes = |bytes: u64| bytes as f64 / 1e6;
            println!("{step} steps: {:.2} MB held, {:.1} MB resident", megabytes(held()), megabytes(resident().unwrap_or(0)));
            seen.push(held());
        }
    }
    // A batch larger than all before it may come late, and takes what it needs.
    let (half, end) = (seen[4], seen[9]);
    assert!(end <= half + half / 4, "memory grows: {seen:?}");
}

#[test]
fn a_long_training_of_changing_shapes_holds_no_more_of_an_adapter_than_it_did_half_way() {
    for (name, gpu) in gpus("a long training", &[mcsan::backend::gpu::Checking::Off]).into_iter().take(1) {
        println!("on {name}");
        soak(&gpu, || Gpu::counters(&gpu).held_bytes);
        let Counters { allocations, dispatches, .. } = gpu.counters();
        println!("{dispatches} dispatches, {allocations} buffers made");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_training_of_changing_shapes_holds_no_more_of_the_reference_than_it_did_half_way() {
    if std::env::var_os("MCSAN_SOAK_STEPS").is_none() {
        println!("skipped: other tests share the process, whose memory this compares; 'make soak' runs it alone");
        return;
    }
    soak(&Cpu::<f32>::default(), || resident().expect("Linux tells what a process holds"));
}
