//! Gradients of the reference against central differences in float64.
//!
//! The inputs are multiples of 2⁻¹⁶ and small, so the step of 2⁻¹⁶ is exact in the float32 that a backend takes. The
//! difference's own error is h²/6 of the third derivative, 4e-11, and rounding of the objective over h, 1e-10.

use mcsan::backend::cpu::Cpu;
use mcsan::base::numbers::{Activation, Precision};
use mcsan::base::philox::Stream;
use mcsan::check::cases::*;
use mcsan::check::differentiable::{Differentiable, Leaf, Trial};
use mcsan::check::{FINE as STEP, Inputs, Output, Source, read_all};

const RELATIVE: f64 = 1e-6;
/// Of the gradient's root mean square.
const OF_RMS: f64 = 1e-6;
/// Elements tried of a large input.
const TRIED: usize = 60;

/// Central difference of `objective` for elements all over an input, against `gradient`; says which differ.
fn differences(leaf: &Leaf, gradient: &[f64], mut objective: impl FnMut(usize, f32) -> f64) -> Vec<String> {
    assert_eq!(gradient.len(), leaf.values.len(), "gradient of {}", leaf.name);
    let rms = (gradient.iter().map(|value| value * value).sum::<f64>() / gradient.len() as f64).sqrt();
    assert!(rms > 1e-6, "the gradient of {} is near zero and proves nothing", leaf.name);
    let every = leaf.values.len().div_ceil(TRIED);
    (0..leaf.values.len())
        .step_by(every)
        .filter_map(|index| {
            let [above, below] = [STEP, -STEP].map(|step| objective(index, leaf.values[index] + step));
            let difference = (above - below) / f64::from(2.0 * STEP);
            let bound = OF_RMS * rms + RELATIVE * difference.abs();
            let wrong = (difference - gradient[index]).abs() > bound;
            wrong.then(|| format!("{}[{index}]: gradient {}, difference {difference}", leaf.name, gradient[index]))
        })
        .collect()
}

fn gradient_of<'a>(outputs: &'a [Output], leaf: &Leaf) -> &'a [f64] {
    let name = format!("gradient of {}", leaf.name);
    &outputs.iter().find(|output| output.name == name).unwrap_or_else(|| panic!("no {name}")).values
}

fn gradients_are_differences<D: Differentiable>(operation: &D) {
    let cpu = Cpu::<f64>::new();
    let trial = Trial::new(operation, &mut Source::new(17));
    let outputs = pollster::block_on(trial.run(&cpu)).unwrap();
    let mut failures = Vec::new();
    for (place, leaf) in trial.leaves.iter().enumerate() {
        let mut nudged = Trial::new(operation, &mut Source::new(17));
        failures.extend(differences(leaf, gradient_of(&outputs, leaf), |index, value| {
            nudged.leaves[place].values[index] = value;
            let objective = pollster::block_on(nudged.objective(&cpu)).unwrap();
            nudged.leaves[place].values[index] = leaf.values[index];
            objective
        }));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn embedding() {
    gradients_are_differences(&Embedding { rows: 12, words: 5, width: 3 });
}

#[test]
fn position_embedding() {
    gradients_are_differences(&PositionEmbedding { lengths: vec![3, 0, 5], width: 5 });
}

#[test]
fn conv_pool() {
    for activation in [Activation::None, Activation::Relu] {
        gradients_are_differences(&ConvPool { lengths: vec![13, 2, 0, 9], inputs: 5, outputs: 18, activation, spread: Spread::Even });
    }
}

#[test]
fn linear() {
    for (activation, bias) in [(Activation::None, Bias::Added), (Activation::Relu, Bias::Added), (Activation::Relu, Bias::None)] {
        gradients_are_differences(&Linear {
            rows: 9,
            inputs: 7,
            outputs: 6,
            bias,
            activation,
            spread: Spread::Even,
            precision: Precision::F32,
        });
    }
}

#[test]
fn bilstm() {
    gradients_are_differences(&Bilstm { lengths: vec![4, 0, 7, 1], inputs: 5, hidden: 6, gates: Gates::Usual, precision: Precision::F32 });
}

#[test]
fn attention() {
    let attention = Attention { queries: vec![3, 0, 4], keys: vec![5, 2, 0], width: 15, heads: 3, scores: Scores::Usual };
    gradients_are_differences(&attention);
    gradients_are_differences(&Attention { queries: vec![6, 2], keys: vec![1, 9], width: 8, heads: 1, scores: Scores::Usual });
}

#[test]
fn residual_norm() {
    gradients_are_differences(&ResidualNorm { rows: 6, width: 9, content: Rows::Even });
}

#[test]
fn global_max() {
    let streams = vec![(vec![4, 1, 7], 5), (vec![1, 6, 2], 3)];
    gradients_are_differences(&GlobalMax { streams, spread: Spread::Even });
}

#[test]
fn dropout() {
    gradients_are_differences(&Dropout { rows: 5, columns: 7, rate: 0.4, stream: Stream { seed: 3, stream: 8 }, first: 6 });
}

#[test]
fn cross_entropy() {
    let cpu = Cpu::<f64>::new();
    for (class_weights, smoothing) in [(ClassWeights::Equal, 0.0), (ClassWeights::Uneven, 0.0), (ClassWeights::Uneven, 0.1)] {
        let loss = CrossEntropy {
            batch: 7,
            classes: 5,
            amplitude: 3.0,
            class_weights,
            smoothing,
            total_weight: None,
            scale: 1.0,
            logits: Logits::Finite,
        };
        let logits = loss.logits(&mut Source::new(17));
        let outputs = |logits: &Leaf| pollster::block_on(read_all(&cpu, loss.record_for(logits, &Inputs::new(&cpu)))).unwrap();
        let mut nudged = logits.clone();
        let failures = differences(&logits, gradient_of(&outputs(&logits), &logits), |index, value| {
            nudged.values[index] = value;
            let objective = outputs(&nudged)[0].values[0];
            nudged.values[index] = logits.values[index];
            objective
        });
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
