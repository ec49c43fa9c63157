//! The kernels of cMKL: of each modality five radial basis functions and three polynomials, each divided by its mean diagonal. All of them
//! follow from one product of the features with each other, which is all that is held.

use super::smo::Kernel;
use crate::backend::Storage;
use crate::backend::cpu::Cpu;
use crate::backend::ops::Linear;
use crate::base::numbers::{Activation, Precision};
use crate::base::parallel::*;
use crate::base::real::Real;

/// γ of the first radial basis function, `exp(-γ |x - y|²)`; the others have multiples of it, so that their values are its powers.
const GAMMA: f32 = 0.01;
/// Radial basis functions, of 1, 2, … times that γ.
const RADIAL: usize = 5;
/// Degrees of the polynomials `(x·y / n + 1)^p`, n the columns, are the lowest and those that follow.
const LOWEST_DEGREE: i32 = 2;
const POLYNOMIALS: usize = 3;
/// Kernels of a modality: the radial basis functions, then the polynomials.
pub const BASE_KERNELS: usize = RADIAL + POLYNOMIALS;

/// Rows of a product that are computed at a time.
const BLOCK: usize = 512;
/// Samples of a kernel's row that one core computes at a time.
const PART: usize = 2048;

/// `x yᵀ` of two matrices of `columns` columns, block of rows after block of rows: `each` gets the first row and `[block, rows of y]`.
pub(super) fn products(x: &[f32], y: &[f32], columns: usize, mut each: impl FnMut(usize, &[f32])) {
    let backend = Cpu::<f32>::new();
    let weight = backend.upload(y, [y.len() / columns, columns]);
    for (block, rows) in x.chunks(BLOCK * columns).enumerate() {
        let x = backend.upload(rows, [rows.len() / columns, columns]);
        let weight = weight.clone();
        let product = backend.run(&Linear { x, weight, bias: None, activation: Activation::None, precision: Precision::F32 });
        each(block * BLOCK, &product.values());
    }
}

/// Products of some samples' features with each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Gram {
    /// `[samples, samples]`
    values: Vec<f32>,
    /// `[samples]`
    squares: Vec<f32>,
    columns: usize,
}

impl Gram {
    /// Of features `[samples, columns]`.
    pub fn of(features: &[f32], columns: usize) -> Self {
        let samples = features.len() / columns;
        let mut values = Vec::with_capacity(samples * samples);
        products(features, features, columns, |_, block| values.extend_from_slice(block));
        let squares = (0..samples).map(|sample| values[sample * samples + sample]).collect();
        Self { values, squares, columns }
    }

    /// Bytes of one of so many samples.
    pub(super) fn bytes(samples: usize) -> u64 {
        (samples as u64).saturating_mul(samples as u64).saturating_mul(size_of::<f32>() as u64)
    }

    fn row(&self, sample: usize) -> &[f32] {
        let samples = self.squares.len();
        &self.values[sample * samples..(sample + 1) * samples]
    }
}

/// The linear kernel: the products as they are.
pub struct GramKernel<'g>(pub &'g Gram);

impl Kernel for GramKernel<'_> {
    fn samples(&self) -> usize {
        self.0.squares.len()
    }

    fn diagonal(&self) -> Vec<f32> {
        self.0.squares.clone()
    }

    fn row(&self, sample: usize) -> Vec<f32> {
        self.0.row(sample).to_vec()
    }
}

/// What a modality's kernels are computed from: `x·y`, `x·x` and `y·y`.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub product: f32,
    pub squares: [f32; 2],
}

impl Pair {
    /// The first radial basis function, and the polynomials' base; `n` is the number of columns.
    #[inline(always)]
    fn bases(self, n: f32) -> [f32; 2] {
        let distance = self.squares[0] + self.squares[1] - 2.0 * self.product;
        [(-GAMMA * distance.max(0.0)).exponential(), self.product / n + 1.0]
    }

    /// Every kernel, as it is before its division.
    fn each(self, n: f32) -> [f32; BASE_KERNELS] {
        let [radial, base] = self.bases(n);
        std::array::from_fn(|kernel| match kernel {
            0..RADIAL => radial.powi(kernel as i32 + 1),
            _ => base.powi((kernel - RADIAL) as i32 + LOWEST_DEGREE),
        })
    }
}

/// A sum of a modality's kernels: a polynomial in the first radial basis function and one in the polynomials' base.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mixture {
    factors: [f32; BASE_KERNELS],
    n: f32,
}

impl Mixture {
    /// With these weights, the kernels divided by these mean diagonals.
    pub(super) fn new(weights: &[f64], mean_diagonals: &[f64], columns: usize) -> Self {
        Self { factors: std::array::from_fn(|kernel| (weights[kernel] / mean_diagonals[kernel]) as f32), n: columns as f32 }
    }

    /// Of two samples.
    #[inline(always)]
    pub(super) fn of(&self, pair: Pair) -> f32 {
        let [radial, base] = pair.bases(self.n);
        let (radials, polynomials) = self.factors.split_at(RADIAL);
        let horner = |factors: &[f32], x: f32| factors.iter().rev().fold(0.0, |sum, &factor| sum * x + factor);
        radial * horner(radials, radial) + base * base * horner(polynomials, base)
    }
}

/// Every kernel of some samples: those of each modality, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelFamily {
    grams: Vec<Gram>,
    /// `[kernels]`: what each is divided by.
    mean_diagonals: Vec<f64>,
}

impl KernelFamily {
    /// Of the modalities' products, of the same samples.
    pub fn new(grams: Vec<Gram>) -> Self {
        let mean_diagonals = grams.iter().flat_map(|gram| {
            let n = gram.columns as f32;
            let mut sums = [0.0; BASE_KERNELS];
            for &square in &gram.squares {
                let each = Pair { product: square, squares: [square; 2] }.each(n);
                sums.iter_mut().zip(each).for_each(|(sum, value)| *sum += f64::from(value));
            }
            sums.map(|sum| sum / gram.squares.len() as f64)
        });
        Self { mean_diagonals: mean_diagonals.collect(), grams }
    }

    /// How many kernels there are.
    pub fn kernels(&self) -> usize {
        self.mean_diagonals.len()
    }

    /// `[kernels]`: what each is divided by.
    pub fn mean_diagonals(&self) -> &[f64] {
        &self.mean_diagonals
    }

    /// The sum of the kernels with these weights, over some of the samples.
    pub fn sum(&self, weights: &[f64], members: Vec<usize>) -> KernelSum<'_> {
        let parts = self.grams.iter().zip(weights.chunks_exact(BASE_KERNELS)).zip(self.mean_diagonals.chunks_exact(BASE_KERNELS));
        let mixtures = parts.map(|((gram, weights), diagonals)| Mixture::new(weights, diagonals, gram.columns)).collect();
        KernelSum { family: self, mixtures, members }
    }

    /// Of each kernel `Σ_c Σ_ij s_ci s_cj K(x_i, x_j)` over some samples; `factors`: s, `[classes][members]`.
    pub(super) fn quadratic_forms(&self, members: &[usize], factors: &[Vec<f64>]) -> Vec<f64> {
        let is_used = |place: &usize| factors.iter().any(|own| own[*place] != 0.0);
        let used: Vec<usize> = (0..members.len()).filter(is_used).collect();
        let of_row = |place: usize| {
            let mut sums = vec![0.0; self.kernels()];
            for &other in &used {
                let factor: f64 = factors.iter().map(|own| own[place] * own[other]).sum();
                if factor == 0.0 {
                    continue;
                }
                for (gram, sums) in self.grams.iter().zip(sums.chunks_exact_mut(BASE_KERNELS)) {
                    let [own, other] = [members[place], members[other]];
                    let pair = Pair { product: gram.row(own)[other], squares: [own, other].map(|one| gram.squares[one]) };
                    sums.iter_mut().zip(pair.each(gram.columns as f32)).for_each(|(sum, value)| *sum += factor * f64::from(value));
                }
            }
            sums
        };
        let rows: Vec<Vec<f64>> = used.par_iter().map(|&place| of_row(place)).collect();
        let total = |kernel: usize| rows.iter().map(|row| row[kernel]).sum::<f64>() / self.mean_diagonals[kernel];
        (0..self.kernels()).map(total).collect()
    }
}

/// A sum of kernels over some samples.
pub struct KernelSum<'f> {
    family: &'f KernelFamily,
    mixtures: Vec<Mixture>,
    members: Vec<usize>,
}

impl KernelSum<'_> {
    fn value(&self, own: usize, other: usize) -> f32 {
        let of = |(gram, mixture): (&Gram, &Mixture)| {
            mixture.of(Pair { product: gram.row(own)[other], squares: [own, other].map(|one| gram.squares[one]) })
        };
        self.family.grams.iter().zip(&self.mixtures).map(of).sum()
    }
}

impl Kernel for KernelSum<'_> {
    fn samples(&self) -> usize {
        self.members.len()
    }

    fn diagonal(&self) -> Vec<f32> {
        self.members.iter().map(|&member| self.value(member, member)).collect()
    }

    fn row(&self, sample: usize) -> Vec<f32> {
        let own = self.members[sample];
        let mut row = vec![0.0; self.members.len()];
        let parts = row.par_chunks_mut(PART).zip(self.members.par_chunks(PART));
        parts.for_each(|(row, others)| row.iter_mut().zip(others).for_each(|(value, &other)| *value = self.value(own, other)));
        row
    }
}
