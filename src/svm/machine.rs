//! One machine of several classes: chosen and scaled columns of two modalities, a learned sum of their kernels, and a machine for each
//! class against the rest, of which the greatest decision value says the class.

use super::kernels::{Gram, KernelFamily, Mixture, products};
use super::mkl::learn;
use super::scaling::Scaling;
use super::selection::select;
use super::smo::{KEPT_BYTES, Rows, Solution, solve};
use super::{GoingOn, Interrupted, one_against_the_rest};
use crate::base::memory::{self, Bytes};

/// C where nothing says which is best, and what it is chosen from.
const USUAL_C: f64 = 1.0;
const CHOICES_OF_C: [f64; 3] = [0.1, USUAL_C, 10.0];
/// Modalities: the network's features of the words, then the columns beside them.
const MODALITIES: u64 = 2;

/// Labelled features.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'s> {
    /// `[samples, columns]`: those of the first modality, then those of the second, which are chosen from.
    pub features: &'s [f32],
    /// Columns of the first modality.
    pub first: usize,
    /// Columns of the second modality.
    pub second: usize,
    /// `[samples]`: index into the classes.
    pub labels: &'s [u32],
}

/// How a machine is fitted.
#[derive(Clone, Copy)]
pub struct FitOptions<'o> {
    /// How many classes there are.
    pub classes: usize,
    /// C of the machines; without one the best of 0.1, 1 and 10 where there is a judge, else 1.
    pub c: Option<f64>,
    /// Samples that the kernels' weights are learned on at most, of each class its share.
    pub subset: usize,
    /// Asked now and then.
    pub going_on: GoingOn<'o>,
}

/// A fitted machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Of all columns.
    pub scaling: Scaling,
    /// Columns of the first modality.
    pub first: usize,
    /// Places of the columns that are used of the second modality, rising.
    pub chosen: Vec<u32>,
    /// Weights of the kernels, of sum 1.
    pub weights: Vec<f64>,
    /// What each kernel is divided by.
    pub mean_diagonals: Vec<f64>,
    /// C of the machines.
    pub c: f64,
    /// `[support vectors, first + chosen]`: scaled columns of the samples that any class's machine stands on.
    pub support: Vec<f32>,
    /// `[classes, support vectors]`: `αᵢ yᵢ`.
    pub coefficients: Vec<f32>,
    /// `[classes]`
    pub biases: Vec<f64>,
}

/// Refuses a fit that the host has no room for, and says what it takes at least: the features twice, a product of them for each modality,
/// another of the samples that the kernels' weights are learned on, and the rows of the kernel that are kept.
///
/// # Errors
/// What it would take, and what is free.
pub fn room(samples: usize, columns: usize, subset: usize) -> Result<Bytes, [Bytes; 2]> {
    let features = (samples as u64).saturating_mul(2 * (columns * size_of::<f32>()) as u64);
    let rows = Gram::bytes(samples).min(KEPT_BYTES as u64);
    let products = Gram::bytes(samples).saturating_add(Gram::bytes(subset.min(samples))).saturating_mul(MODALITIES);
    let needed = Bytes(products.saturating_add(features).saturating_add(rows));
    memory::room_for(needed).map(|()| needed).map_err(|free| [needed, free])
}

impl Machine {
    /// Chooses columns, learns the kernels' weights on a part of the samples, and solves the machines on all of them; where there is a
    /// `judge`, for each C to choose from, of which the first stays that it gives the highest figure.
    ///
    /// # Errors
    /// [`Interrupted`]
    pub fn fit(samples: Samples<'_>, options: FitOptions<'_>, judge: Option<&mut dyn FnMut(&Self) -> f64>) -> Result<Self, Interrupted> {
        let Samples { features, first, second, labels } = samples;
        let FitOptions { classes, c, subset, going_on } = options;
        let scaling = Scaling::of(features, first + second);
        let signs = one_against_the_rest(labels, classes);
        let chosen = select(&scaling.apply(features, first..first + second), second, &signs, going_on)?;
        let columns = [(0..first).collect(), chosen.iter().map(|column| first + column).collect::<Vec<usize>>()];
        let gram = |columns: &Vec<usize>| Gram::of(&scaling.apply(features, columns.iter().copied()), columns.len());
        let family = KernelFamily::new(columns.iter().map(gram).collect());
        let members = spread_over_classes(labels, subset);
        let part = family.part(&members);
        let of_members: Vec<Vec<f64>> = signs.iter().map(|own| members.iter().map(|&member| own[member]).collect()).collect();
        let fit_with = |c: f64| {
            let weights = learn(&part, &of_members, c, going_on)?.weights;
            let sum = family.sum(&weights);
            let mut rows = Rows::of(&sum);
            let machines = signs.iter().map(|own| solve(&mut rows, own, c, None, going_on)).collect::<Result<Vec<_>, _>>()?;
            let is_support = |&sample: &usize| machines.iter().any(|machine: &Solution| machine.alpha[sample] > 0.0);
            let support: Vec<usize> = (0..labels.len()).filter(is_support).collect();
            let coefficient = |class: usize, sample: usize| (machines[class].alpha[sample] * signs[class][sample]) as f32;
            let row = |sample: usize| &features[sample * (first + second)..(sample + 1) * (first + second)];
            let used = columns.concat();
            Ok(Self {
                support: support.iter().flat_map(|&sample| scaling.apply(row(sample), used.iter().copied())).collect(),
                coefficients: (0..classes)
                    .flat_map(|class| support.iter().map(move |&sample| (class, sample)))
                    .map(|(class, sample)| coefficient(class, sample))
                    .collect(),
                biases: machines.iter().map(|machine| machine.bias).collect(),
                scaling: scaling.clone(),
                first,
                chosen: chosen.iter().map(|&column| column as u32).collect(),
                weights,
                mean_diagonals: family.mean_diagonals().to_vec(),
                c,
            })
        };
        let Some(judge) = judge.filter(|_| c.is_none()) else { return fit_with(c.unwrap_or(USUAL_C)) };
        let [first, others @ ..] = CHOICES_OF_C;
        let mut best = fit_with(first)?;
        let mut highest = judge(&best);
        for c in others {
            let machine = fit_with(c)?;
            let figure = judge(&machine);
            if figure > highest {
                (highest, best) = (figure, machine);
            }
        }
        Ok(best)
    }

    /// Columns of the features that it takes.
    pub fn columns(&self) -> usize {
        self.scaling.lowest.len()
    }

    /// How many samples it stands on.
    pub fn support_vectors(&self) -> usize {
        self.coefficients.len() / self.biases.len()
    }

    /// Decision values `[samples, classes]` of features `[samples, columns]`; NaN where a feature is not finite.
    pub fn decide(&self, features: &[f32]) -> Vec<f32> {
        let columns = self.columns();
        let places = [(0..self.first).collect(), self.chosen.iter().map(|&column| self.first + column as usize).collect::<Vec<usize>>()];
        let all = self.first + self.chosen.len();
        let of_support = |from: usize, to: usize| {
            self.support.chunks_exact(all).flat_map(move |row| row[from..to].iter().copied()).collect::<Vec<f32>>()
        };
        let support = [of_support(0, self.first), of_support(self.first, all)];
        let count = self.support_vectors();
        if count == 0 {
            // All samples were of one class.
            return features.chunks_exact(columns).flat_map(|_| self.biases.iter().map(|&bias| bias as f32)).collect();
        }
        let mut sums = vec![0f32; features.len() / columns * count];
        let kernels = self.weights.len() / places.len();
        for (modality, (places, support)) in places.iter().zip(&support).enumerate() {
            let own = modality * kernels..(modality + 1) * kernels;
            let mixture = Mixture::new(&self.weights[own.clone()], &self.mean_diagonals[own], places.len());
            let scaled = self.scaling.apply(features, places.iter().copied());
            let squares = |x: &[f32]| x.chunks_exact(places.len()).map(|row| row.iter().map(|x| x * x).sum()).collect::<Vec<f32>>();
            let [of_samples, of_support] = [squares(&scaled), squares(support)];
            products(&scaled, support, places.len(), |first, block| {
                for (place, row) in block.chunks_exact(count).enumerate() {
                    let sample = first + place;
                    mixture.add(of_samples[sample], row, &of_support, &mut sums[sample * count..(sample + 1) * count]);
                }
            });
        }
        let rows = features.chunks_exact(columns).zip(sums.chunks_exact(count));
        rows.flat_map(|(features, kernel)| {
            let is_finite = features.iter().all(|feature| feature.is_finite());
            self.coefficients.chunks_exact(count).zip(&self.biases).map(move |(coefficients, bias)| {
                let sum: f64 = coefficients.iter().zip(kernel).map(|(&coefficient, &k)| f64::from(coefficient) * f64::from(k)).sum();
                if is_finite { (sum + bias) as f32 } else { f32::NAN }
            })
        })
        .collect()
    }
}

/// At most so many samples, rising, of each class its share: as evenly spread over the samples in the order of their classes as can be.
fn spread_over_classes(labels: &[u32], most: usize) -> Vec<usize> {
    let mut ordered: Vec<usize> = (0..labels.len()).collect();
    ordered.sort_by_key(|&sample| labels[sample]);
    let count = most.min(ordered.len());
    let mut chosen: Vec<usize> = (0..count).map(|place| ordered[place * ordered.len() / count]).collect();
    chosen.sort_unstable();
    chosen
}
