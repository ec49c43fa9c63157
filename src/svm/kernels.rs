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
/// Polynomials `(x·y / n + 1)^p`, n the columns, of degree 2, 3, ….
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

    /// That of some of the samples.
    fn part(&self, members: &[usize]) -> Self {
        let values = members.iter().flat_map(|&own| members.iter().map(move |&other| self.row(own)[other])).collect();
        Self { values, squares: members.iter().map(|&member| self.squares[member]).collect(), columns: self.columns }
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
        let mut each = [0.0; BASE_KERNELS];
        let (radials, polynomials) = each.split_at_mut(RADIAL);
        for (values, mut power, factor) in [(radials, 1.0, radial), (polynomials, base, base)] {
            for value in values {
                power *= factor;
                *value = power;
            }
        }
        each
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
    fn of(&self, pair: Pair) -> f32 {
        let [radial, base] = pair.bases(self.n);
        let (radials, polynomials) = self.factors.split_at(RADIAL);
        let horner = |factors: &[f32], x: f32| factors.iter().rev().fold(0.0, |sum, &factor| sum * x + factor);
        radial * horner(radials, radial) + base * base * horner(polynomials, base)
    }

    /// Adds that of one sample with others to `sums`, from their products and squares.
    pub(super) fn add(&self, own: f32, products: &[f32], squares: &[f32], sums: &mut [f32]) {
        for ((sum, &product), &square) in sums.iter_mut().zip(products).zip(squares) {
            *sum += self.of(Pair { product, squares: [own, square] });
        }
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

    /// The same kernels, divided by the same, of some of the samples.
    pub fn part(&self, members: &[usize]) -> Self {
        Self { grams: self.grams.iter().map(|gram| gram.part(members)).collect(), mean_diagonals: self.mean_diagonals.clone() }
    }

    /// The sum of the kernels with these weights.
    pub fn sum(&self, weights: &[f64]) -> KernelSum<'_> {
        let parts = self.grams.iter().zip(weights.chunks_exact(BASE_KERNELS)).zip(self.mean_diagonals.chunks_exact(BASE_KERNELS));
        KernelSum(parts.map(|((gram, weights), diagonals)| (gram, Mixture::new(weights, diagonals, gram.columns))).collect())
    }

    /// Of each kernel `Σ_c Σ_ij s_ci s_cj K(x_i, x_j)`; `factors`: s, `[classes][samples]`.
    pub(super) fn quadratic_forms(&self, factors: &[Vec<f64>]) -> Vec<f64> {
        let samples = factors.first().map_or(0, Vec::len);
        let used: Vec<usize> = (0..samples).filter(|&sample| factors.iter().any(|own| own[sample] != 0.0)).collect();
        let of_row = |&own: &usize| {
            let mut sums = vec![0.0; self.kernels()];
            for &other in &used {
                let factor: f64 = factors.iter().map(|of_class| of_class[own] * of_class[other]).sum();
                for (gram, sums) in self.grams.iter().zip(sums.chunks_exact_mut(BASE_KERNELS)) {
                    let pair = Pair { product: gram.row(own)[other], squares: [own, other].map(|one| gram.squares[one]) };
                    sums.iter_mut().zip(pair.each(gram.columns as f32)).for_each(|(sum, value)| *sum += factor * f64::from(value));
                }
            }
            sums
        };
        let rows: Vec<Vec<f64>> = used.par_iter().map(of_row).collect();
        let total = |kernel: usize| rows.iter().map(|row| row[kernel]).sum::<f64>() / self.mean_diagonals[kernel];
        (0..self.kernels()).map(total).collect()
    }
}

/// A sum of kernels: of each modality its products, and how they are mixed.
pub struct KernelSum<'f>(Vec<(&'f Gram, Mixture)>);

impl Kernel for KernelSum<'_> {
    fn samples(&self) -> usize {
        self.0.first().map_or(0, |(gram, _)| gram.squares.len())
    }

    fn diagonal(&self) -> Vec<f32> {
        let of = |sample: usize| {
            self.0.iter().map(move |(gram, mixture)| {
                let square = gram.squares[sample];
                mixture.of(Pair { product: square, squares: [square; 2] })
            })
        };
        (0..self.samples()).map(|sample| of(sample).sum()).collect()
    }

    fn row(&self, sample: usize) -> Vec<f32> {
        let mut row = vec![0.0; self.samples()];
        for (gram, mixture) in &self.0 {
            let parts = row.par_chunks_mut(PART).zip(gram.row(sample).par_chunks(PART)).zip(gram.squares.par_chunks(PART));
            parts.for_each(|((sums, products), squares)| mixture.add(gram.squares[sample], products, squares, sums));
        }
        row
    }
}
