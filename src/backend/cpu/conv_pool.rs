//! ConvBlock (1): `y[p] = act(max over r of (Σ_k W_k x[3p + r + k - 1] + b))`, r and k in 0..3, rows of one utterance.
//!
//! A convolution of three taps is one product for each utterance: row t of its patches is x[t - 1], x[t], x[t + 1], which lie one
//! after the other in x, once a row of zeros stands before and after the utterance; the weight `[out, in, 3]` is turned to
//! `[out, 3, in]`. Only rows that a whole window covers exist.
//! The way back: g is dy at the row that won its window and zero at the other two; `dW = gᵀ · patches`, `db = Σ g`, and
//! `dx[t] = Σ_k (g · W)[t + 1 - k, k]` gathers what the patches held of row t.

use std::borrow::Cow;
use std::ops::Range;

use super::linear::{activate, before};
use super::memory::{keep, unwritten, zeros};
use super::product::{Packed, View, add_product, column_sums, product_of, product_with_bias, slab};
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
        (y.clone(), ConvPoolKept { y, winners: winners.into(), packed: None })
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
/// Windows that one task goes through on the way forward: what it convolves stays in the nearest caches.
const WINDOWS: usize = 32;

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
    let (windows, words) = (offsets.output.last().map_or(0, |&rows| rows as usize), outputs.div_ceil(WINNERS));
    let padded = padded(x, offsets, inputs);
    let (mut y, mut winners) = (unwritten(windows * outputs), vec![0; windows * words]);
    let results = split(&mut y, offsets.output, outputs).zip(split(&mut winners, offsets.output, words));
    let blocks = offsets.padded().zip(results).flat_map(|(rows, (y, winners))| {
        let firsts = rows.step_by(WINDOWS * WINDOW);
        firsts.zip(y.chunks_mut(WINDOWS * outputs)).zip(winners.chunks_mut(WINDOWS * words))
    });
    blocks.collect::<Vec<_>>().par_chunks_mut(1).with_min_len(least(1, 1)).for_each(|blocks| {
        for ((first, y), winners) in blocks {
            let rows = y.len() / outputs * WINDOW;
            let patches = View::overlapping(&padded[*first * inputs..][..(rows + TAPS - 1) * inputs], columns, inputs);
            let convolved = product_with_bias(patches, &weight, bias);
            pool(&convolved, outputs, y, winners);
            keep(convolved);
            activate(y, activation);
        }
    });
    keep(padded);
    (y, winners)
}

/// `convolved: [3 · rows, outputs]` → the maxima `[rows, outputs]` and their winners.
fn pool<T: Real>(convolved: &[T], outputs: usize, y: &mut [T], winners: &mut [u32]) {
    let mut places = vec![0; outputs];
    let rows = y.chunks_exact_mut(outputs).zip(winners.chunks_exact_mut(outputs.div_ceil(WINNERS)));
    for ((y, winners), window) in rows.zip(convolved.chunks_exact(WINDOW * outputs)) {
        y.copy_from_slice(&window[..outputs]);
        places.fill(0);
        for (place, row) in (1..).zip(window.chunks_exact(outputs).skip(1)) {
            raise(row, place, y, &mut places);
        }
        for (word, places) in winners.iter_mut().zip(places.chunks(WINNERS)) {
            *word = places.iter().rev().fold(0, |word, &place| word << 2 | place);
        }
    }
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
    let padded = padded(saved.x, offsets, inputs);
    let patches = offsets.padded().zip(offsets.output.windows(2));
    let patches = patches.flat_map(|(rows, output)| rows.take((output[1] - output[0]) as usize * WINDOW));
    let patches: Vec<usize> = patches.collect();
    let gradients = ConvPoolGradients {
        x: wants_x.then(|| backward_input(&dy, saved.winners, offsets, &turned(weight, [inputs, TAPS]), [inputs, outputs])),
        weight: turned(&backward_weight(&dy, saved.winners, &patches, &padded, [inputs, outputs]), [TAPS, inputs]),
        bias: column_sums(&dy, outputs),
    };
    keep(padded);
    if let Cow::Owned(dy) = dy {
        keep(dy);
    }
    gradients
}

/// dW of the turned weight, `[outputs, 3 · inputs]`; `patches` are the rows of `padded` at which each patch begins. Some windows at a
/// time, so that their patches stay in the caches.
fn backward_weight<T: Real>(dy: &[T], winners: &[u32], patches: &[usize], padded: &[T], [inputs, outputs]: [usize; 2]) -> Vec<T> {
    let (columns, words) = (inputs * TAPS, outputs.div_ceil(WINNERS));
    let windows = slab(columns * WINDOW);
    let mut dweight = zeros(outputs * columns);
    let windows = dy.chunks(windows * outputs).zip(winners.chunks(windows * words)).zip(patches.chunks(windows * WINDOW));
    for ((dy, winners), patches) in windows {
        let g = unpool(dy, winners, outputs);
        let patches = Packed::of_rows(patches.len(), columns, |row| &padded[patches[row] * inputs..][..columns]);
        add_product(View::new(&g, outputs).transposed(), &patches, &mut dweight);
        keep(g);
    }
    dweight
}

/// `weight: [outputs, 3 · inputs]`, the turned one → dx, of one utterance after the other.
fn backward_input<T: Real>(dy: &[T], winners: &[u32], offsets: PoolOffsets, weight: &[T], [inputs, outputs]: [usize; 2]) -> Vec<T> {
    let weight = Packed::new(View::new(weight, inputs * TAPS));
    let words = outputs.div_ceil(WINNERS);
    let mut dx = unwritten(offsets.input.last().map_or(0, |&rows| rows as usize) * inputs);
    let utterances = split(&mut dx, offsets.input, inputs).zip(offsets.utterances());
    utterances.collect::<Vec<_>>().par_chunks_mut(1).with_min_len(least(1, 1)).for_each(|utterances| {
        for (dx, (_, output)) in utterances {
            let g = unpool(&dy[output.start * outputs..output.end * outputs], &winners[output.start * words..output.end * words], outputs);
            let dpatches = product_of(View::new(&g, outputs), &weight);
            gather(&dpatches, inputs, dx);
            keep(dpatches);
            keep(g);
        }
    });
    dx
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

    /// The gradient of the rows at one place of a window: dy where that place won, else zero.
    fn hand_back<T: Real>(dy: &[T], winners: &[u32], place: u32, row: &mut [T]) {
        let ((row, row_rest), (dy, dy_rest)) = (row.as_chunks_mut::<WINNERS>(), dy.as_chunks::<WINNERS>());
        for ((row, dy), &word) in row.iter_mut().zip(dy).zip(winners) {
            hand_back_word(dy, word, place, row);
        }
        hand_back_word(dy_rest, winners[winners.len() - 1], place, row_rest);
    }
}

#[inline(always)]
fn hand_back_word<T: Real>(dy: &[T], word: u32, place: u32, row: &mut [T]) {
    for (column, (g, &dy)) in (0..).zip(row.iter_mut().zip(dy)) {
        *g = if word >> (2 * column) & 3 == place { dy } else { T::zero() };
    }
}

/// `[.., rows, columns]` to `[.., columns, rows]`.
fn turned<T: Real>(weight: &[T], [rows, columns]: [usize; 2]) -> Vec<T> {
    let mut turned = unwritten(weight.len());
    for (turned, matrix) in turned.chunks_exact_mut(rows * columns).zip(weight.chunks_exact(rows * columns)) {
        for (column, line) in turned.chunks_exact_mut(rows).enumerate() {
            line.iter_mut().zip(matrix.chunks_exact(columns)).for_each(|(to, from)| *to = from[column]);
        }
    }
    turned
}

/// `[input rows + 2 · batch, inputs]`: x with a row of zeros before and after each utterance.
fn padded<T: Real>(x: &[T], offsets: PoolOffsets, inputs: usize) -> Vec<T> {
    let mut padded = unwritten(x.len() + 2 * (offsets.input.len() - 1) * inputs);
    for (rows, (input, _)) in offsets.padded().zip(offsets.utterances()) {
        let rows = &mut padded[rows.start * inputs..rows.end * inputs];
        let (before, rest) = rows.split_at_mut(inputs);
        let (own, after) = rest.split_at_mut(input.len() * inputs);
        before.fill(T::zero());
        own.copy_from_slice(&x[input.start * inputs..input.end * inputs]);
        after.fill(T::zero());
    }
    padded
}

/// Gradient at each row of the convolution, `[3 · output rows, outputs]`: only winners have one.
fn unpool<T: Real>(dy: &[T], winners: &[u32], outputs: usize) -> Vec<T> {
    let mut g = unwritten(dy.len() * WINDOW);
    let rows = dy.chunks_exact(outputs).zip(winners.chunks_exact(outputs.div_ceil(WINNERS)));
    for (window, (dy, winners)) in g.chunks_exact_mut(WINDOW * outputs).zip(rows) {
        for (place, row) in (0..).zip(window.chunks_exact_mut(outputs)) {
            hand_back(dy, winners, place, row);
        }
    }
    g
}

/// `dx[t] = Σ_k dpatches[t + 1 - k, k]`, over the rows of the convolution that saw row t of the utterance.
fn gather<T: Real>(dpatches: &[T], inputs: usize, dx: &mut [T]) {
    let columns = inputs * TAPS;
    for (row, dx) in dx.chunks_exact_mut(inputs).enumerate() {
        dx.fill(T::zero());
        let rows = (0..TAPS).filter_map(|tap| Some((tap, (row + 1).checked_sub(tap)?)));
        for (tap, patch) in rows.filter(|&(_, patch)| patch * columns < dpatches.len()) {
            add(&dpatches[patch * columns + tap * inputs..][..inputs], dx);
        }
    }
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
