//! A machine as a part of a checkpoint: its matrices as tensors `machine.…`, its few numbers as JSON.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::dataset::store::{Store, StoreError, Tensor};
use crate::svm::{BASE_KERNELS, Machine, Scaling};

/// The metadata that say that there is one.
pub(super) const KEY: &str = "machine";

/// What is no matrix of it.
#[derive(Serialize, Deserialize)]
struct Numbers {
    weights: Vec<f64>,
    mean_diagonals: Vec<f64>,
    c: f64,
    biases: Vec<f64>,
}

/// Its places as the file has them.
pub(super) fn places(machine: &Machine) -> Vec<i32> {
    machine.chosen.iter().map(|&column| column as i32).collect()
}

/// Its tensors; `places`: [`places`] of it.
pub(super) fn tensors<'m>(machine: &'m Machine, places: &'m [i32]) -> Vec<Tensor<'m>> {
    let support = machine.support_vectors();
    let Scaling { lowest, range } = &machine.scaling;
    vec![
        Tensor::i32("machine.chosen", &[places.len()], places),
        Tensor::f32("machine.lowest", &[lowest.len()], lowest),
        Tensor::f32("machine.range", &[range.len()], range),
        Tensor::f32("machine.support", &[support, machine.first + places.len()], &machine.support),
        Tensor::f32("machine.coefficients", &[machine.biases.len(), support], &machine.coefficients),
    ]
}

/// Its numbers.
pub(super) fn numbers(machine: &Machine) -> String {
    let Machine { weights, mean_diagonals, c, biases, .. } = machine.clone();
    json!(Numbers { weights, mean_diagonals, c, biases }).to_string()
}

/// What is wrong with a file's machine.
pub(super) enum Fault {
    /// A tensor.
    Store(StoreError),
    /// Something else, in words.
    Broken(String),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads the machine of `first` and `second` columns and so many classes, whose numbers are in `text`.
///
/// # Errors
/// [`Fault`]
pub(super) fn read(store: &Store, text: &str, [first, second]: [usize; 2], classes: usize) -> Result<Machine, Fault> {
    let broken = |reason: String| Fault::Broken(format!("metadata '{KEY}' {reason}"));
    let numbers: Numbers = serde_json::from_str(text).map_err(|error| broken(format!("is not the JSON that it should be ({error})")))?;
    let Numbers { weights, mean_diagonals, c, biases } = numbers;
    let kernels = 2 * BASE_KERNELS;
    if [weights.len(), mean_diagonals.len(), biases.len()] != [kernels, kernels, classes] {
        return Err(broken(format!("is not of {kernels} kernels and {classes} classes")));
    }
    let is_positive = |number: &f64| *number > 0.0 && number.is_finite();
    if !(weights.iter().all(|weight| (0.0..=1.0).contains(weight)) && mean_diagonals.iter().all(is_positive) && is_positive(&c)) {
        return Err(broken("has a weight or a divisor that cannot be".into()));
    }
    if !biases.iter().all(|bias| bias.is_finite()) {
        return Err(broken("has a bias that is no number".into()));
    }
    let chosen = store.tensor("machine.chosen")?.integers()?;
    let is_rising = chosen.windows(2).all(|pair| pair[0] < pair[1]);
    let ends = chosen.first().zip(chosen.last());
    if !(is_rising && ends.is_some_and(|(&lowest, &highest)| lowest >= 0 && (highest as usize) < second)) {
        return Err(Fault::Broken(format!("tensor 'machine.chosen' is not of rising places of {second} columns")));
    }
    let floats = |name: &str, shape: &[usize]| store.tensor(name)?.shaped(shape)?.finite_floats();
    let [support, _] = store.tensor("machine.support")?.dimensions()?;
    let columns = first.saturating_add(second);
    let scaling = Scaling { lowest: floats("machine.lowest", &[columns])?, range: floats("machine.range", &[columns])? };
    if !scaling.range.iter().all(|&range| range > 0.0) {
        return Err(Fault::Broken("tensor 'machine.range' has a range that is not above 0".into()));
    }
    Ok(Machine {
        support: floats("machine.support", &[support, first + chosen.len()])?,
        coefficients: floats("machine.coefficients", &[classes, support])?,
        chosen: chosen.into_iter().map(|column| column as u32).collect(),
        scaling,
        first,
        weights,
        mean_diagonals,
        c,
        biases,
    })
}
