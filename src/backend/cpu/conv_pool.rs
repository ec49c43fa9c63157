//! ConvBlock (1): `y[p] = act(max over r of (Σ_k W_k x[3p + r + k - 1] + b))`, r and k in 0..3, rows of one utterance.
//!
//! A convolution of three taps is one product for each utterance: row t of its patches is x[t - 1], x[t], x[t + 1], which lie one
//! after the other in x, once a row of zeros stands before and after the utterance; the weight `[out, in, 3]` is turned to
//! `[out, 3, in]`. Only rows that a whole window covers exist.
//! The way back: g is dy at the row that won its window and zero at the other two; `dW = gᵀ · patches`, `db = Σ g`, and
//! `dx[t] = Σ_k (g · W)[t + 1 - k, k]` gathers what the patches held of row t.

use std::ops::Range;

use super::linear::{activate, before};
use super::product::{Packed, View, add_product, column_sums, product, product_of};
use super::sequences::split;
use super::wide::{add, wide};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{ConvPool, ConvPoolKept, Differentiate, Run};
use crate::backend::{Matrix, Sink};
use crate::base::numbers::{Activation, POOL};
use crate::base::parallel::*;

impl<T: Real> Run<ConvPool<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &ConvPool<Self, CpuTensor<T>>) -> (CpuTensor<T>, ConvPoolKept<Self>) {
        let ConvPool { x, weight, bias, input, output, activation } = of;
        let offsets = PoolOffsets { input: &input.offsets, output: &output.offsets };
        let (y, winners) = forward(&x.values(), offsets, &weight.values(), &bias.values(), x.columns(), *activation);
        let y = CpuTensor::new(y, [output.rows(), bias.len()]);
        (y.clone(), ConvPoolKept { y, winners: winners.into() })
    }
}

impl<T: Real> Differentiate<ConvPool<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &ConvPool<Self, CpuTensor<T>>,
        kept: &ConvPoolKept<Self>,
        dy: &CpuTensor<T>,
        sinks: &ConvPool<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        let gradients = backward(
            &dy.values(),
            ConvPoolSaved { x: &of.x.values(), y: &kept.y.values(), winners: &kept.winners },
            PoolOffsets { input: &of.input.offsets, output: &of.output.offsets },
            &of.weight.values(),
            [of.x.columns(), dy.columns()],
            of.activation,
            sinks.x.is_some(),
        );
        Sink::store_in(&sinks.weight, gradients.weight);
        Sink::store_in(&sinks.bias, gradients.bias);
        if let Some(dx) = gradients.x {
            Sink::store_in(&sinks.x, dx);
        }
    }
}

const WINDOW: usize = POOL as usize;
const TAPS: usize = 3;
/// Winners in a word, 2 bits each.
const WINNERS: usize = 16;

/// Row offsets of the utterances before and after the pool, `[batch + 1]` each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolOffsets<'a> {
    pub input: &'a [u32],
    pub output: &'a [u32],
}

/// What the way back reads of the way forward: `x`, the result `y` and its winners.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvPoolSaved<'a, T> {
    pub x: &'a [T],
    pub y: &'a [T],
    pub winners: &'a [u32],
}

/// Gradients of a ConvBlock.
pub(crate) struct ConvPoolGradients<T> {
    /// `[input rows, inputs]`, where asked.
    pub x: Option<Vec<T>>,
    /// `[outputs, inputs · 3]`
    pub weight: Vec<T>,
    /// `[outputs]`
    pub bias: Vec<T>,
}

/// `x: [input rows, inputs]`, `weight: [outputs, inputs · 3]`, `bias: [outputs]` → `y: [output rows, outputs]` and its
/// winners.
pub(crate) fn forward<T: Real>(
    x: &[T],
    offsets: PoolOffsets,
    weight: &[T],
    bias: &[T],
    inputs: usize,
    activation: Activation,
) -> (Vec<T>, Vec<u32>) {
    let outputs = bias.len();
    let columns = inputs * TAPS;
    let weight = turned(weight, [inputs, TAPS]);
    let weight = Packed::new(View::new(&weight, columns).transposed());
    let windows = offsets.output.last().map_or(0, |&rows| rows as usize);
    let mut convolved = bias.repeat(windows * WINDOW);
    let padded = padded(x, offsets, inputs);
    let utterances = offsets.padded().zip(split(&mut convolved, offsets.output, WINDOW * outputs));
    utterances.collect::<Vec<_>>().par_chunks_mut(1).for_each(|utterances| {
        for (rows, convolved) in utterances {
            let patches = View::overlapping(&padded[rows.start * inputs..rows.end * inputs], columns, inputs);
            add_product(patches.rows(0..convolved.len() / outputs), &weight, convolved);
        }
    });
    let words = outputs.div_ceil(WINNERS);
    let (mut y, mut winners) = (vec![T::zero(); windows * outputs], vec![0; windows * words]);
    let rows = y.par_chunks_exact_mut(outputs).zip(winners.par_chunks_exact_mut(words));
    rows.zip(convolved.par_chunks_exact(WINDOW * outputs)).for_each(|((y, winners), window)| {
        y.copy_from_slice(&window[..outputs]);
        let mut places = vec![0u32; outputs];
        for (place, row) in (1..).zip(window.chunks_exact(outputs).skip(1)) {
            raise(row, place, y, &mut places);
        }
        for (word, places) in winners.iter_mut().zip(places.chunks(WINNERS)) {
            *word = places.iter().rev().fold(0, |word, &place| word << 2 | place);
        }
        activate(y, activation);
    });
    (y, winners)
}

/// `dy: [output rows, outputs]`; `wants_x` says whether the gradient of x is asked for.
pub(crate) fn backward<T: Real>(
    dy: &[T],
    saved: ConvPoolSaved<T>,
    offsets: PoolOffsets,
    weight: &[T],
    [inputs, outputs]: [usize; 2],
    activation: Activation,
    wants_x: bool,
) -> ConvPoolGradients<T> {
    let dy = before(activation, dy, saved.y);
    let g = unpool(&dy, saved.winners, outputs);
    let padded = padded(saved.x, offsets, inputs);
    let patches = offsets.padded().zip(offsets.output.windows(2));
    let patches = patches.flat_map(|(rows, output)| rows.take((output[1] - output[0]) as usize * WINDOW));
    let patches: Vec<usize> = patches.collect();
    let patches = Packed::of_rows(patches.len(), inputs * TAPS, |row| &padded[patches[row] * inputs..][..inputs * TAPS]);
    ConvPoolGradients {
        x: wants_x.then(|| {
            let dpatches = product(View::new(&g, outputs), View::new(&turned(weight, [inputs, TAPS]), inputs * TAPS));
            gather(&dpatches, offsets, saved.x.len(), inputs)
        }),
        weight: turned(&product_of(View::new(&g, outputs).transposed(), &patches), [TAPS, inputs]),
        bias: column_sums(&g, outputs),
    }
}

wide! {
    /// Raises each column's maximum to the value of the row at `place`: the earliest of equals stays, a NaN wins and stays.
    pub(super) fn raise<T: Real>(row: &[T], place: u32, highest: &mut [T], winners: &mut [u32]) {
        for ((highest, winner), &value) in highest.iter_mut().zip(winners).zip(row) {
            let higher = !highest.is_nan() & ((value > *highest) | value.is_nan());
            *highest = if higher { value } else { *highest };
            *winner = if higher { place } else { *winner };
        }
    }
}

/// `[.., rows, columns]` to `[.., columns, rows]`.
fn turned<T: Real>(weight: &[T], [rows, columns]: [usize; 2]) -> Vec<T> {
    let matrices = weight.chunks_exact(rows * columns);
    matrices.flat_map(|matrix| (0..columns).flat_map(move |column| matrix[column..].iter().step_by(columns))).copied().collect()
}

/// `[input rows + 2 · batch, inputs]`: x with a row of zeros before and after each utterance.
fn padded<T: Real>(x: &[T], offsets: PoolOffsets, inputs: usize) -> Vec<T> {
    let mut padded = Vec::with_capacity(x.len() + 2 * offsets.input.len() * inputs);
    for (input, _) in offsets.utterances() {
        padded.resize(padded.len() + inputs, T::zero());
        padded.extend_from_slice(&x[input.start * inputs..input.end * inputs]);
        padded.resize(padded.len() + inputs, T::zero());
    }
    padded
}

/// Gradient at each row of the convolution, `[3 · output rows, outputs]`: only winners have one.
fn unpool<T: Real>(dy: &[T], winners: &[u32], outputs: usize) -> Vec<T> {
    let mut g = vec![T::zero(); dy.len() * WINDOW];
    let words = outputs.div_ceil(WINNERS);
    let rows = dy.par_chunks_exact(outputs).zip(winners.par_chunks_exact(words));
    g.par_chunks_exact_mut(WINDOW * outputs).zip(rows).for_each(|(window, (dy, winners))| {
        for (column, &dy) in dy.iter().enumerate() {
            let winner = winners[column / WINNERS] >> (2 * (column % WINNERS)) & 3;
            window[winner as usize * outputs + column] = dy;
        }
    });
    g
}

/// `dx[t] = Σ_k dpatches[t + 1 - k, k]`, over the rows of the convolution that saw row t.
fn gather<T: Real>(dpatches: &[T], offsets: PoolOffsets, length: usize, inputs: usize) -> Vec<T> {
    let columns = inputs * TAPS;
    let mut dx = vec![T::zero(); length];
    for (input, output) in offsets.utterances() {
        let patches = &dpatches[output.start * WINDOW * columns..output.end * WINDOW * columns];
        dx[input.start * inputs..input.end * inputs].par_chunks_exact_mut(inputs).enumerate().for_each(|(row, dx)| {
            let rows = (0..TAPS).filter_map(|tap| Some((tap, (row + 1).checked_sub(tap)?)));
            for (tap, patch) in rows.filter(|&(_, patch)| patch * columns < patches.len()) {
                add(&patches[patch * columns + tap * inputs..][..inputs], dx);
            }
        });
    }
    dx
}

impl PoolOffsets<'_> {
    /// Rows of each utterance, before and after the pool.
    fn utterances(self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let rows = |pair: &[u32]| pair[0] as usize..pair[1] as usize;
        self.input.windows(2).map(rows).zip(self.output.windows(2).map(rows))
    }

    /// Rows of each utterance where one of zeros stands before and after it.
    fn padded(self) -> impl Iterator<Item = Range<usize>> {
        self.input.windows(2).enumerate().map(|(utterance, rows)| rows[0] as usize + 2 * utterance..rows[1] as usize + 2 * utterance + 2)
    }
}
