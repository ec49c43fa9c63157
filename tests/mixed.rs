//! Training in mixed precision: near one in f32, its loss scale found by skipping, its state kept.

use std::path::PathBuf;

use mcsan::backend::{Backend, Storage, as_f32};
use mcsan::config::{Config, Settings};
use mcsan::dataset::Dataset;
use mcsan::model::{self, Dimensions};
use mcsan::train::batches::Batches;
use mcsan::train::checkpoint::Checkpoint;
use mcsan::train::run::{Start, files};
use mcsan::train::{Event, Outcome, Session, Trainer, Training, Weights};

fn small(more: &[&str]) -> (Dataset, Settings) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/small.dataset.safetensors");
    let fixed = ["model.hidden=20", "model.heads=2", "model.feed_forward=32", "data.normalise=none", "train.batch_size=4"];
    let assignments: Vec<String> = fixed.iter().chain(more).map(|text| text.to_string()).collect();
    (Dataset::load(&path).unwrap(), Config::default().assign(&assignments).unwrap().settings)
}

fn starting_weights(data: &Dataset, settings: &Settings) -> Vec<f32> {
    model::parameters(settings, &Dimensions::of(data, &settings.model)).initial_values(5)
}

fn session<'s, B: Backend>(backend: &'s B, data: &'s Dataset, settings: &Settings, weights: &[f32]) -> Session<'s, B> {
    Session::new(backend, settings, data, &data.training(), Weights::Given(weights)).unwrap()
}

const MIXED: &str = "train.precision=mixed";

#[test]
fn a_training_in_mixed_precision_ends_near_one_in_f32() {
    on_every_device!("mixed training", |backend, name| {
        let losses = |more: &[&str]| {
            let (data, settings) = small(&[&["train.epochs=10", "train.lr=0.01"], more].concat());
            pollster::block_on(Training { settings, ..Training::of(&data) }.run_on(backend, &mut |_| ())).unwrap().losses
        };
        let (full, mixed) = (losses(&[]), losses(&[MIXED]));
        assert_ne!(full, mixed, "{name}: f16 leaves its trace");
        let [first, full, mixed] = [full[0], full[full.len() - 1], mixed[mixed.len() - 1]];
        println!("{name}: loss from {first} to {full} in f32, {mixed} in mixed precision");
        assert!(full < 0.9 * first, "{name}: something is learned");
        assert!((mixed - full).abs() < 0.02 * full, "{name}: {mixed}, in f32 {full}");
    });
}

/// What a step leaves of the parameters, and what it says.
fn step<B: Backend>(trainer: &mut Trainer<'_, B>, batches: &Batches<'_, B>) -> (Vec<f32>, Outcome) {
    let pending = pollster::block_on(trainer.train_in_parts(batches, &[0, 1, 2, 3], 2)).unwrap();
    let outcome = pollster::block_on(trainer.outcome(pending)).unwrap();
    (pollster::block_on(trainer.network().read_weights()).unwrap(), outcome)
}

#[test]
fn a_step_whose_gradients_overflow_is_left_out_and_halves_the_loss_scale() {
    let (data, settings) = small(&[MIXED, "train.clip_norm=1"]);
    let parameters = starting_weights(&data, &settings);
    let moments = [vec![0.25; parameters.len()], vec![0.5; parameters.len()]];
    on_every_device!("overflow", |backend, name| {
        let session = session(backend, &data, &settings, &parameters);
        let batches = &session.batches;
        let started_at = |scale: f32, good: f32| {
            let mut trainer = session.trainer();
            trainer.resume(7, &moments, Some([scale, good, 0.0]));
            trainer
        };
        let mut trainer = started_at(2f32.powi(40), 12.0);
        let (after, outcome) = step(&mut trainer, batches);
        let scaling = outcome.scaling.unwrap();
        assert_eq!((scaling.scale, scaling.skipped), (2f32.powi(39), 1), "{name}");
        assert!(outcome.loss.is_finite(), "{name}: the loss itself is not scaled");
        assert_eq!(after, parameters, "{name}: parameters");
        assert_eq!(pollster::block_on(trainer.read_moments()).unwrap(), moments, "{name}: moments");
        assert_eq!(pollster::block_on(trainer.read_scaling()).unwrap(), [2f32.powi(39), 0.0, 1.0], "{name}");
        // It is halved until a step is good.
        let mut skipped = 1;
        let (after, outcome) = loop {
            let (after, outcome) = step(&mut trainer, batches);
            if outcome.scaling.unwrap().skipped == skipped {
                break (after, outcome);
            }
            skipped += 1;
            assert!(skipped < 40, "{name}: no step is good");
        };
        assert_eq!(outcome.scaling.unwrap().scale, 2f32.powi(40 - skipped as i32), "{name}");
        assert_ne!(after, parameters, "{name}: a good step");

        // The scale leaves no trace but rounding, and doubles after 2000 good steps.
        let [(small, _), (large, outcome)] = [64.0, 128.0].map(|scale| step(&mut started_at(scale, 1999.0), batches));
        assert_eq!(outcome.scaling.unwrap().scale, 256.0, "{name}");
        let distance = small.iter().zip(&large).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let moved = small.iter().zip(&parameters).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(distance < 0.1 * moved && moved > 0.0, "{name}: {distance} of {moved}");
    });
}

#[test]
fn a_step_that_was_left_out_counts_neither_for_the_schedule_nor_for_adam() {
    let (data, settings) = small(&[MIXED, "train.warmup_steps=100", "model.dropout=0"]);
    let parameters = starting_weights(&data, &settings);
    let moments = [vec![0.0; parameters.len()], vec![0.0; parameters.len()]];
    on_every_device!("steps left out", |backend, name| {
        let batches = &session(backend, &data, &settings, &parameters).batches;
        let taken_up = |steps, parameters: &[f32], moments: &[Vec<f32>; 2], scaling| {
            let mut trainer = session(backend, &data, &settings, parameters).trainer();
            trainer.resume(steps, moments, Some(scaling));
            trainer
        };
        // The next step is sent before anyone looks at the last one's outcome, as in a training.
        let mut trainer = taken_up(0, &parameters, &moments, [2f32.powi(40), 0.0, 0.0]);
        let sent: Vec<_> =
            (0..40).map(|_| pollster::block_on(trainer.train_step(&batches.batch(&[0, 1, 2, 3]).unwrap())).unwrap()).collect();
        let rates: Vec<f64> = sent.iter().map(|pending| pending.learning_rate).collect();
        let outcomes: Vec<Outcome> = sent.into_iter().map(|pending| pollster::block_on(trainer.outcome(pending)).unwrap()).collect();
        let skipped = outcomes[39].scaling.unwrap().skipped;
        assert!(outcomes[skipped as usize - 1].scaling.unwrap().skipped == skipped && skipped < 38, "{name}: the first {skipped} alone");
        let after = pollster::block_on(trainer.network().read_weights()).unwrap();

        let mut straight = taken_up(0, &parameters, &moments, [2f32.powi(40 - skipped as i32), 0.0, 0.0]);
        for rate in &rates[skipped as usize..] {
            let pending = pollster::block_on(straight.train_step(&batches.batch(&[0, 1, 2, 3]).unwrap())).unwrap();
            assert_eq!(pending.learning_rate, *rate, "{name}");
        }
        assert_eq!(rates[..=skipped as usize], vec![rates[0]; skipped as usize + 1], "{name}: the warm-up has not begun");
        assert_eq!(pollster::block_on(straight.network().read_weights()).unwrap(), after, "{name}: as if there had been no others");

        // A run that goes on knows of them.
        let moments = pollster::block_on(trainer.read_moments()).unwrap();
        let scaling = pollster::block_on(trainer.read_scaling()).unwrap();
        let mut resumed = taken_up(40, &after, &moments, scaling);
        let [gone_on, not_stopped] = [&mut resumed, &mut trainer].map(|trainer| step(trainer, batches).0);
        assert_eq!(gone_on, not_stopped, "{name}");
    });
}

#[test]
fn a_run_in_mixed_precision_goes_on_bit_for_bit() {
    let (data, settings) = small(&[MIXED, "train.epochs=4", "model.dropout=0.2"]);
    let (_, shorter) = small(&[MIXED, "train.epochs=2", "model.dropout=0.2"]);
    on_every_device!("mixed resume", |backend, name| {
        let folder = tempfile::tempdir().unwrap();
        let [alone, run] = ["alone", "run"].map(|run| folder.path().join(run));
        let train = |settings: &Settings, folder: &std::path::Path, start| {
            let training = Training { settings: settings.clone(), out: Some(folder.to_owned()), start, ..Training::of(&data) };
            let mut skipped = 0;
            let mut count = |event: Event<'_>| skipped += u32::from(matches!(event, Event::Skipped { .. }));
            let finished = pollster::block_on(training.run_on(backend, &mut count)).unwrap();
            (finished.losses, finished.best.parameters, skipped)
        };
        let whole = train(&settings, &alone, Start::New);
        train(&shorter, &run, Start::New);
        assert_eq!(train(&settings, &run, Start::Resume), whole, "{name}");
        let [a, b] = [&alone, &run].map(|run| Checkpoint::load(&run.join(files::LAST)).unwrap());
        assert_eq!(a, b, "{name}");
        let [scale, good, skipped] = a.progress.unwrap().scaling.unwrap();
        assert_eq!(good + skipped, a.step as f32, "{name}: every step counts as one or the other ({scale})");
    });
}

#[test]
fn a_model_trained_in_mixed_precision_infers_in_it() {
    let (data, settings) = small(&[]);
    let (_, mixed) = small(&[MIXED]);
    let parameters = starting_weights(&data, &settings);
    on_every_device!("mixed inference", |backend, name| {
        let [full, mixed] = [&settings, &mixed].map(|settings| {
            let session = session(backend, &data, settings, &parameters);
            as_f32(
                pollster::block_on(backend.finish_read(session.network().infer(&session.batches.batch(&[0, 1, 2, 3]).unwrap()))).unwrap(),
            )
        });
        assert_ne!(full, mixed, "{name}");
        let size = full.iter().map(|logit| logit.abs()).fold(0.0, f32::max);
        assert!(full.iter().zip(&mixed).all(|(a, b)| (a - b).abs() < 0.01 * size), "{name}: {full:?} {mixed:?}");
    });
}
