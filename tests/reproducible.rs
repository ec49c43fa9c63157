//! Same seed, data and device: the same bits. An utterance's result does not depend on what else is in the batch.

use std::path::PathBuf;

use crate::common::{assert_same, gpus, outputs};
use mcsan::backend::gpu::{Checking, Counters, Gpu, InjectedFault, SubmissionLimits, Timing};
use mcsan::backend::ops::Linear;
use mcsan::backend::{Matrix, Sink, Storage, Write, as_f32};
use mcsan::base::numbers::{Activation, Precision};
use mcsan::base::streams::AUDIO;
use mcsan::check::Kernel;
use mcsan::config::{Config, Settings};
use mcsan::dataset::{BatchShape, Dataset};
use mcsan::train::{Session, Training, Weights};

fn small() -> (Dataset, Settings) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/small.dataset.safetensors");
    let assignments = ["model.hidden=20", "model.heads=2", "model.feed_forward=32", "data.normalise=none"].map(String::from);
    (Dataset::load(&path).unwrap(), Config::default().assign(&assignments).unwrap().settings)
}

#[test]
fn an_utterance_has_the_same_logits_alone_and_in_any_batch_bit_for_bit() {
    let (data, settings) = small();
    let settings = Config::from(settings).assign(&["train.seed=5".into()]).unwrap().settings;
    on_every_device!("utterance independence", |backend, name| {
        let session = Session::new(backend, &settings, &data, &data.training(), Weights::Drawn).unwrap();
        let network = session.network();
        let logits = |utterances: &[usize]| {
            as_f32(pollster::block_on(backend.finish_read(network.infer(&session.batches.batch(utterances).unwrap()))).unwrap())
        };
        let together = logits(&[0, 1, 2, 3, 4, 5]);
        assert!(together.iter().all(|logit| logit.is_finite()) && together.iter().any(|logit| logit.abs() > 1e-3));
        for utterance in 0..6 {
            let expected = &together[utterance * 5..(utterance + 1) * 5];
            assert_eq!(logits(&[utterance]), expected, "{name}: utterance {utterance} alone");
        }
        let turned = logits(&[5, 4, 3, 2, 1, 0]);
        assert_eq!(turned[..5], together[25..], "{name}: the order of the batch");
    });
}

#[test]
fn training_twice_gives_the_same_bits_with_dropout_clipping_and_shuffling() {
    let (data, settings) = small();
    let more = ["model.dropout=0.2", "train.clip_norm=0.5", "train.batch_size=4", "train.epochs=3", "train.label_smoothing=0.1"];
    let settings = Config::from(settings).assign(&more.map(String::from)).unwrap().settings;
    on_every_device!("training twice", |backend, name| {
        let [first, second] = [0, 1].map(|_| {
            let finished =
                pollster::block_on(Training { settings: settings.clone(), ..Training::of(&data) }.run_on(backend, &mut |_| ())).unwrap();
            (finished.losses, finished.best.parameters)
        });
        assert_eq!(first.0.len(), 6);
        assert_eq!(first, second, "{name}");
        let mut other = settings.clone();
        other.train.seed = 1;
        let third = pollster::block_on(Training { settings: other, ..Training::of(&data) }.run_on(backend, &mut |_| ())).unwrap();
        assert_ne!(first.0, third.losses, "{name}: another seed");
    });
}

#[test]
fn features_that_the_device_keeps_give_the_same_bits_and_travel_once() {
    let data = BatchShape { batch: 24, frames: 300, words: 9, ragged: true }.dataset();
    let (_, mut settings) = small();
    settings.model.dropout = 0.2;
    let utterances: Vec<usize> = (0..24).collect();
    for (name, gpu) in gpus("kept features", &[Checking::Off]) {
        let [(without, brought), (with, taken)] = [false, true].map(|keeps| {
            let mut session = Session::new(&gpu, &settings, &data, &utterances, Weights::Drawn).unwrap();
            if keeps {
                pollster::block_on(session.batches.keep_on_device()).unwrap();
            }
            let mut trainer = session.trainer();
            let before = gpu.counters();
            let mut frames = 0;
            let outcomes = [&[3, 20, 7][..], &[0, 1], &[23, 4, 3, 9]].map(|utterances| {
                let batch = session.batches.batch(utterances).unwrap();
                frames += batch.frames(AUDIO).rows[0].rows() as u64;
                let pending = pollster::block_on(trainer.train_step(&batch)).unwrap();
                pollster::block_on(trainer.outcome(pending)).unwrap()
            });
            let results = outcomes.map(|outcome| (outcome.loss.to_bits(), outcome.logits));
            (results, [gpu.counters().uploaded_bytes - before.uploaded_bytes, 40 * 4 * frames])
        });
        assert_eq!(without, with, "{name}");
        // Beside what lays them out nothing is left of the features.
        let [[brought, features], [taken, _]] = [brought, taken];
        assert!(taken <= brought - features + 1000, "{name}: {brought} bytes with {features} of features, then {taken}");
    }
}

#[test]
fn a_step_that_is_sent_while_it_is_recorded_gives_the_same_bits() {
    let (data, settings) = small();
    let Some((name, mut gpu)) = gpus("early submissions", &[Checking::Off]).into_iter().next() else { return };
    let train = |gpu: &Gpu| {
        let before = gpu.counters();
        let training = Training { settings: settings.clone(), ..Training::of(&data) };
        let finished = pollster::block_on(training.run_on(gpu, &mut |_| ())).unwrap();
        let since = gpu.counters();
        (finished.best.parameters, since.dispatches - before.dispatches, since.submissions - before.submissions)
    };
    let (parameters, dispatches, submissions) = train(&gpu);
    // What graphics hardware gets: a step is on its way before its 40th dispatch.
    gpu.limit_submissions(SubmissionLimits { seconds: f64::INFINITY, ..SubmissionLimits::HARDWARE });
    let early = train(&gpu);
    assert!(early.0 == parameters, "{name}");
    // The first training also needs some more dispatches for its sums over slabs, whose memory grows.
    assert!(early.1 <= dispatches && early.2 > submissions && early.2 >= early.1 / 39, "{name}: {} submissions of {}", early.2, early.1);
    let utterances = data.training();
    let session = Session::new(&gpu, &settings, &data, &utterances, Weights::Drawn).unwrap();
    let batch = session.batches.batch(&utterances).unwrap();
    gpu.start_profile(Timing::Timestamps, Box::new(|| 0.0));
    let pending = pollster::block_on(session.trainer().train_step(&batch)).unwrap();
    drop(pending);
    let executions = pollster::block_on(gpu.finish_profile()).unwrap();
    let ends: Vec<usize> = executions.submissions.iter().map(|submission| submission.end).collect();
    assert!(ends[0] < 40 && ends.len() > 1, "{name}: a step of {} dispatches is sent at {ends:?}", executions.runs.len());
}

/// The work itself is refused, as it would take a software adapter seconds; what it needs was uploaded by then.
#[test]
fn a_step_of_the_papers_batch_uploads_less_than_a_megabyte_where_the_device_keeps_the_features() {
    let data = BatchShape { batch: 256, frames: 1000, words: 50, ragged: true }.dataset();
    let (_, settings) = small();
    let utterances: Vec<usize> = (0..256).collect();
    let Some((name, mut gpu)) = gpus("uploads of a step", &[Checking::Off]).into_iter().next() else { return };
    gpu.limit_submissions(SubmissionLimits { seconds: f64::INFINITY, commands: usize::MAX });
    let [brought, kept] = [false, true].map(|keeps| {
        let mut session = Session::new(&gpu, &settings, &data, &utterances, Weights::Drawn).unwrap();
        if keeps {
            assert!(pollster::block_on(session.batches.keep_on_device()).unwrap().is_none());
        }
        let mut trainer = session.trainer();
        let before = gpu.counters();
        gpu.inject(InjectedFault::Refused, 0);
        let batch = session.batches.batch(&utterances).unwrap();
        let refused = pollster::block_on(trainer.train_step(&batch)).err().expect("the work is refused").to_string();
        let after = gpu.counters();
        assert!(after.dispatches - before.dispatches > 40, "{name}: {refused}");
        pollster::block_on(gpu.recover());
        after.uploaded_bytes - before.uploaded_bytes
    });
    println!("{name}: {brought} bytes, {kept} where the features are kept");
    // The features alone are 18 MB.
    assert!(brought > 18_000_000 && kept < 1_000_000, "{name}: {brought} and {kept} bytes");
}

#[test]
fn the_cpu_reference_and_every_adapter_give_the_same_loss_curve_to_rounding() {
    let (data, mut settings) = small();
    (settings.train.epochs, settings.train.batch_size, settings.model.dropout) = (5, 3, 0.1);
    let mut reference: Option<Vec<f32>> = None;
    on_every_device!("loss curves", |backend, name| {
        let losses =
            pollster::block_on(Training { settings: settings.clone(), ..Training::of(&data) }.run_on(backend, &mut |_| ())).unwrap().losses;
        let reference = reference.get_or_insert_with(|| losses.clone());
        let apart = losses.iter().zip(reference.iter()).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f32::max);
        println!("{name}: {apart:.1e} from the CPU reference over {} steps", losses.len());
        // Ten steps of Adam amplify a rounding of 6e-8 a hundredfold at most on this model.
        assert!(apart < 1e-5, "{name}: {apart}");
    });
}

#[test]
fn gradients_that_lie_one_after_the_other_are_those_that_lie_apart() {
    let (rows, outputs, inputs) = (50, 64, 32);
    let weights = outputs * inputs;
    let values = |count: usize, step: usize| -> Vec<f32> { (0..count).map(|i| (i * step % 101) as f32 / 50.0 - 1.0).collect() };
    on_every_device!("gradients in place", |backend, name| {
        let dy = backend.upload(&values(rows * outputs, 37), [rows, outputs]);
        let x = backend.upload(&values(rows * inputs, 53), [rows, inputs]);
        let product = Linear {
            x,
            weight: backend.zeros([outputs, inputs]),
            bias: Some(backend.zeros([1, outputs])),
            activation: Activation::None,
            precision: Precision::F32,
        };
        let differentiate = |weight: &Sink<_>, bias: &Sink<_>| {
            let (weight, bias) = (Some(weight.clone()), Some(Some(bias.clone())));
            let sinks = Linear { x: None, weight, bias, activation: product.activation, precision: product.precision };
            backend.run_back(&product, &None, &dy, &sinks);
        };
        let read = |tensor: &_| as_f32(pollster::block_on(backend.read(tensor)).unwrap());
        let before = values(weights + outputs + 64, 29);
        for write in [Write::Set, Write::Add] {
            // With rows behind them that nobody may touch.
            let together = backend.upload(&before, [1, before.len()]);
            let weight = Sink { tensor: together.slice(0, [outputs, inputs]), write };
            let bias = Sink { tensor: together.slice(weights, [1, outputs]), write };
            differentiate(&weight, &bias);
            let together = read(&together);

            let weight = Sink { tensor: backend.upload(&before[..weights], [outputs, inputs]), write };
            let bias = Sink { tensor: backend.upload(&before[weights..weights + outputs], [1, outputs]), write };
            differentiate(&weight, &bias);
            let apart = [read(&weight.tensor), read(&bias.tensor), before[weights + outputs..].to_vec()].concat();
            assert!(together == apart, "{name}: {write:?}");
            assert_ne!(together[..weights], before[..weights], "{name}: {write:?}");
        }
    });
}

#[test]
fn work_that_is_sent_in_small_parts_gives_the_same_bits() {
    let uncut = gpus("cut work", &[Checking::Off]);
    let cut = gpus("cut work", &[Checking::Off]);
    // Of more frames than a row of the front-end's grid has workgroups.
    let long_recording = Kernel::Mfcc.case("samples=60000").unwrap();
    for ((name, uncut), (_, mut cut)) in uncut.into_iter().zip(cut) {
        cut.limit_submissions(SubmissionLimits { seconds: 1e-6, commands: usize::MAX });
        for kernel in [Kernel::Linear, Kernel::ConvPool, Kernel::Bilstm, Kernel::Attention, Kernel::Mfcc] {
            let before = [&uncut, &cut].map(Gpu::counters);
            let cases = kernel.cases();
            let more = (kernel == Kernel::Mfcc).then_some(&long_recording);
            for case in cases.iter().step_by(9).chain(more) {
                assert_same(&outputs(&cut, case), &outputs(&uncut, case), &format!("{name}: {case}"));
            }
            let dispatches = |gpu: &Gpu, before: Counters| gpu.counters().dispatches - before.dispatches;
            assert!(dispatches(&cut, before[1]) > dispatches(&uncut, before[0]), "{name}: {kernel:?} is not cut");
        }
    }
}
