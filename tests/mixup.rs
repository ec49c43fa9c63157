//! Mixup against what it is defined as, in float64, and on every device.

use mcsan::backend::cpu::Cpu;
use mcsan::backend::ops::loss_scaling;
use mcsan::backend::{Storage, Write};
use mcsan::base::numbers::Precision;
use mcsan::base::philox::Stream;
use mcsan::config::{Settings, System};
use mcsan::dataset::{Dataset, HostMixup};
use mcsan::model::layers::Pass;
use mcsan::model::loss::LossOf;
use mcsan::model::mixing::Mixing;
use mcsan::model::{self, Dimensions, Model};
use mcsan::tape::{Mode, Tape};
use mcsan::train::{Session, Weights};

use crate::systems::{SMALL, data, small};

/// No permutation that is its own inverse.
const PARTNERS: [u32; 6] = [2, 0, 5, 3, 1, 4];

/// What a step computes with certain weights.
struct Computed {
    loss: f64,
    /// `[batch, classes]`
    logits: Vec<f64>,
    gradients: Vec<f64>,
}

/// Loss, logits and gradients of all utterances, mixed by `mixup`.
fn computed(settings: &Settings, data: &Dataset, weights: &[f32], mixup: Option<&HostMixup>) -> Computed {
    let cpu = Cpu::<f64>::new();
    let utterances = data.training();
    let session = Session::new(&cpu, settings, data, &utterances, Weights::Drawn).unwrap();
    let mut batch = session.batches.batch(&utterances).unwrap();
    batch.mixing = mixup.map(|mixup| Mixing::upload(&cpu, mixup, &data.labels));
    let model: Box<dyn Model<Cpu<f64>>> = model::build(settings, &Dimensions::of(data, &settings.model));
    let layout = model.parameters();
    let weights = cpu.upload(weights, [1, layout.len()]);
    let gradients = cpu.zeros([1, layout.len()]);
    let class_weights: Vec<f32> = (0..data.classes.len()).map(|class| 1.0 + class as f32 / 4.0).collect();
    let class_weights = cpu.upload(&class_weights, [1, data.classes.len()]);
    let scaling = cpu.upload(&loss_scaling(Precision::F32), [1, 3]);
    let mut tape = Tape::new(&cpu, Mode::Train);
    let bound = layout.bind(&mut tape, &weights, &gradients, Write::Set);
    let terms = Some(Vec::new());
    let mut pass = Pass { tape: &mut tape, parameters: &bound, dropout: None, watched: None, terms, mixing: None };
    let logits = model.forward(&mut pass, &batch);
    let (mixing, terms) = (pass.mixing, pass.terms.take().unwrap());
    let labels = batch.labels.as_ref();
    let of = LossOf { labels, class_weights: &class_weights, smoothing: 0.125, whole: None, scaling: &scaling, mixing };
    let (loss, starts) = of.sum(&tape, model.loss(), &logits, &terms);
    tape.backward(starts);
    let read = |tensor| pollster::block_on(cpu.read(tensor)).unwrap();
    Computed { loss: read(&loss)[0], logits: read(&logits.value), gradients: read(&gradients) }
}

/// The systems whose logits are mixed, small, without what is drawn, what compares utterances and what lets no gradient pass.
fn systems() -> impl Iterator<Item = Settings> {
    let still = ["mdre.loss=softmax", "liang.mmd=0", "liang.mse=0", "can.auxiliary=0.5"];
    let all = SMALL.map(|assignments| small(&[assignments, &still].concat()));
    all.into_iter().filter(|settings| settings.model.system != System::Cmkl)
}

fn drawn(settings: &Settings, data: &Dataset) -> Vec<f32> {
    model::parameters(settings, &Dimensions::of(data, &settings.model)).initial_values(5)
}

/// The cross-entropy of logits with class weights and smoothing as above, written down once more.
fn cross_entropy(logits: &[f64], labels: &[u32], classes: usize) -> f64 {
    let weight = |class: usize| 1.0 + class as f64 / 4.0;
    let of = |(logits, &label): (&[f64], &u32)| {
        let sum = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
        let all: f64 = logits.iter().enumerate().map(|(class, logit)| weight(class) * (sum - logit)).sum();
        0.875 * weight(label as usize) * (sum - logits[label as usize]) + 0.125 / classes as f64 * all
    };
    let total: f64 = labels.iter().map(|&label| weight(label as usize)).sum();
    logits.chunks(classes).zip(labels).map(of).sum::<f64>() / total
}

#[test]
fn a_share_of_one_is_no_mixup() {
    let data = data();
    let whole = HostMixup { partners: PARTNERS.into(), share: 1.0 };
    for settings in systems() {
        let weights = drawn(&settings, &data);
        let [plain, mixed] = [None, Some(&whole)].map(|mixup| computed(&settings, &data, &weights, mixup));
        let system = settings.model.system;
        assert_eq!((plain.loss, &plain.logits), (mixed.loss, &mixed.logits), "{system}");
        let apart = plain.gradients.iter().zip(&mixed.gradients).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart < 1e-15, "{system}: {apart}");
    }
}

#[test]
fn logits_and_losses_are_those_of_mixed_vectors() {
    let data = data();
    let classes = data.classes.len();
    let mixup = HostMixup { partners: PARTNERS.into(), share: 0.75 };
    let of_partners: Vec<u32> = PARTNERS.iter().map(|&partner| data.labels[partner as usize]).collect();
    for settings in systems() {
        let system = settings.model.system;
        let weights = drawn(&settings, &data);
        let [plain, mixed] = [None, Some(&mixup)].map(|mixup| computed(&settings, &data, &weights, mixup));
        let row = |of: &Computed, utterance: usize| of.logits[utterance * classes..][..classes].to_vec();
        // Between two vectors a classifier of one layer is straight, one of several is not.
        let is_straight = !matches!(system, System::Mcsan | System::Mcsan3 | System::Liang);
        let mut bent = 0.0f64;
        for (own, partner) in PARTNERS.iter().enumerate() {
            let between = row(&plain, own).into_iter().zip(row(&plain, *partner as usize)).map(|(own, other)| 0.75 * own + 0.25 * other);
            bent = row(&mixed, own).into_iter().zip(between).map(|(mixed, between)| (mixed - between).abs()).fold(bent, f64::max);
        }
        assert_eq!(bent < 1e-12, is_straight, "{system}: {bent}");
        // Terms of the loss beside that of the classes are as they were: what they are is told from the loss without mixup.
        let others = plain.loss - cross_entropy(&plain.logits, &data.labels, classes);
        let [own, other] = [&data.labels, &of_partners].map(|labels| cross_entropy(&mixed.logits, labels, classes));
        let expected = 0.75 * own + 0.25 * other + others;
        assert!((mixed.loss - expected).abs() < 1e-12 * expected, "{system}: {} for {expected}", mixed.loss);
    }
}

#[test]
fn gradients_of_mixed_vectors_are_the_slopes_of_the_loss() {
    let data = data();
    let mixup = HostMixup { partners: PARTNERS.into(), share: 0.625 };
    for settings in systems() {
        let system = settings.model.system;
        let layout = model::parameters(&settings, &Dimensions::of(&data, &settings.model));
        let weights = drawn(&settings, &data);
        // CAN lets no gradient pass where one modality's weights are taken for the other.
        let first = if system == System::Can { layout.get("classifier.weight").unwrap().offset } else { 0 };
        let stream = Stream { seed: 9, stream: 1 };
        let step = |place: usize| if place < first { 0.0 } else { (stream.uniform(place as u64) - 0.5) / (1 << 18) as f32 };
        let moved = |sign: f32| weights.iter().enumerate().map(|(place, weight)| weight + sign * step(place)).collect::<Vec<f32>>();
        let (before, after) = (moved(-1.0), moved(1.0));
        let [lower, upper] = [&before, &after].map(|weights| computed(&settings, &data, weights, Some(&mixup)).loss);
        let gradients = computed(&settings, &data, &weights, Some(&mixup)).gradients;
        let ways = before.iter().zip(&after).map(|(before, after)| f64::from(*after) - f64::from(*before));
        let slope: f64 = gradients.iter().zip(ways).map(|(gradient, way)| gradient * way).sum();
        assert!((upper - lower - slope).abs() < 1e-3 * slope.abs(), "{system}: {} for {slope}", upper - lower);
    }
}

#[test]
fn a_training_with_mixup_is_the_same_on_every_device() {
    let data = data();
    for assignments in [SMALL[11], SMALL[3]] {
        let settings = small(&[assignments, &["train.mixup=0.4", "train.lr=0.01"]].concat());
        let utterances = data.training();
        let mut first: Option<Vec<f32>> = None;
        on_every_device!("a training with mixup", |backend, name| {
            let session = Session::new(backend, &settings, &data, &utterances, Weights::Drawn).unwrap();
            let mut trainer = session.trainer();
            let mut step = || {
                let pending = pollster::block_on(trainer.train_in_parts(&session.batches, &utterances, 1)).unwrap();
                pollster::block_on(trainer.outcome(pending)).unwrap().loss
            };
            let losses: Vec<f32> = (0..4).map(|_| step()).collect();
            let expected = first.get_or_insert_with(|| losses.clone());
            assert!(
                losses.iter().zip(&*expected).all(|(ours, theirs)| (ours - theirs).abs() < 1e-4 * theirs),
                "{name}: {losses:?}, {expected:?}"
            );
        });
    }
}
