//! One bidirectional LSTM layer (2,4) and the mean of its directions (3,5).
//!
//! i, f, o = σ(a), g = tanh(a) with `a = x · W_ihᵀ + b_ih + b_hh + h_{t-1} · W_hhᵀ`; `c_t = f c_{t-1} + i g`;
//! `h_t = o tanh(c_t)`; `y = (h_forward + h_reverse) / 2`. The reverse direction starts at each sequence's last row.
//!
//! Sequences are taken from the longest to the shortest, so those that are still running at step t are the first ones
//! of a matrix and a step is one product `[running, H] · [H, 4H]`. The way back makes the gate gradients by the same
//! loop in reverse; every other gradient is then one product.

use super::Real;
use super::linear::rounded;
use super::product::{View, column_sums, product};
use crate::backend::{LstmWeights, Precision};

const DIRECTIONS: usize = 2;
const GATES: usize = 4;

/// What a layer computes with: sizes and the sequences' rows.
#[derive(Debug, Clone, Copy)]
pub struct Layout<'a> {
    pub inputs: usize,
    pub hidden: usize,
    /// `[batch + 1]`
    pub offsets: &'a [u32],
    /// `[batch]`, from the longest to the shortest.
    pub by_length: &'a [u32],
    /// Of the products over all rows.
    pub precision: Precision,
}

/// Results of the way forward; the last three are kept for the way back.
pub struct Forward<T> {
    /// `[rows, H]`
    pub y: Vec<T>,
    /// `[rows, 2 · 4H]`: after their sigmoid or tanh.
    pub gates: Vec<T>,
    /// `[rows, 2H]`: c_t.
    pub cells: Vec<T>,
    /// `[rows, 2H]`: h_{t-1}.
    pub previous: Vec<T>,
}

/// What the way back reads of the way forward.
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a, T> {
    pub gates: &'a [T],
    pub cells: &'a [T],
    pub previous: &'a [T],
}

/// Gradients of a layer.
pub struct Gradients<T> {
    /// `[rows, inputs]`
    pub x: Option<Vec<T>>,
    pub weights: LstmWeights<Vec<T>>,
}

/// One direction's results, `[rows, 4H]`, then `[rows, H]` each.
struct Trace<T> {
    gates: Vec<T>,
    cells: Vec<T>,
    previous: Vec<T>,
    hidden: Vec<T>,
}

/// `x: [rows, inputs]`, weights as in [`LstmWeights`].
pub fn forward<T: Real>(x: &[T], layout: Layout, weights: &LstmWeights<&[T]>) -> Forward<T> {
    let [x, input] = [x, weights.input].map(|values| rounded(values.into(), layout.precision));
    let weights = LstmWeights { input: &*input, ..*weights };
    let (ahead, reverse) = rayon::join(|| run(&x, layout, &weights, 0), || run(&x, layout, &weights, 1));
    let half = T::of(0.5);
    Forward {
        y: ahead.hidden.iter().zip(&reverse.hidden).map(|(&ahead, &reverse)| half * (ahead + reverse)).collect(),
        gates: interleave(&ahead.gates, &reverse.gates, GATES * layout.hidden),
        cells: interleave(&ahead.cells, &reverse.cells, layout.hidden),
        previous: interleave(&ahead.previous, &reverse.previous, layout.hidden),
    }
}

/// `dy: [rows, H]`; `wants_x` says whether the gradient of x is asked for.
pub fn backward<T: Real>(dy: &[T], x: &[T], layout: Layout, weights: &LstmWeights<&[T]>, saved: Saved<T>, wants_x: bool) -> Gradients<T> {
    let Layout { inputs, hidden, .. } = layout;
    let width = GATES * hidden;
    let (ahead, reverse) = rayon::join(|| run_back(dy, layout, weights, saved, 0), || run_back(dy, layout, weights, saved, 1));
    let factor = |values| rounded(values, layout.precision);
    let dgates = factor(interleave(&ahead, &reverse, width).into());
    let [x, input, previous] = [x, weights.input, saved.previous].map(|values| factor(values.into()));
    let g = View::new(&dgates, DIRECTIONS * width);
    let recurrent = (0..DIRECTIONS).flat_map(|direction| {
        let previous = View::new(&previous, DIRECTIONS * hidden).columns(direction * hidden..(direction + 1) * hidden);
        product(g.columns(direction * width..(direction + 1) * width).transposed(), previous)
    });
    let bias = column_sums(&dgates, DIRECTIONS * width);
    Gradients {
        x: wants_x.then(|| product(g, View::new(&input, inputs))),
        weights: LstmWeights {
            input: product(g.transposed(), View::new(&x, inputs)),
            recurrent: recurrent.collect(),
            bias_input: bias.clone(),
            bias_recurrent: bias,
        },
    }
}

/// The rows that step `step` visits: one for each sequence that is still running, longest first.
fn visited(layout: Layout, direction: usize, step: usize) -> Vec<usize> {
    let ranges = layout.by_length.iter().map(|&u| (layout.offsets[u as usize] as usize, layout.offsets[u as usize + 1] as usize));
    let running = ranges.take_while(|(start, end)| step < end - start);
    running.map(|(start, end)| if direction == 0 { start + step } else { end - 1 - step }).collect()
}

/// Length of the longest sequence.
fn longest(layout: Layout) -> usize {
    layout.by_length.first().map_or(0, |&u| (layout.offsets[u as usize + 1] - layout.offsets[u as usize]) as usize)
}

fn run<T: Real>(x: &[T], layout: Layout, weights: &LstmWeights<&[T]>, direction: usize) -> Trace<T> {
    let Layout { inputs, hidden: h, .. } = layout;
    let own = direction * GATES * h..(direction + 1) * GATES * h;
    let recurrent = View::new(weights.recurrent, h).rows(own.clone()).transposed();
    // The pre-activations, which each step replaces by its gates.
    let mut gates = product(View::new(x, inputs), View::new(weights.input, inputs).rows(own.clone()).transposed());
    let biases: Vec<T> = weights.bias_input[own.clone()].iter().zip(&weights.bias_recurrent[own]).map(|(&a, &b)| a + b).collect();
    let rows = gates.len() / (GATES * h);
    let [mut cells, mut previous, mut hidden] = [(); 3].map(|()| vec![T::zero(); rows * h]);
    // States of the running sequences, longest first.
    let [mut last_cell, mut last_hidden] = [(); 2].map(|()| vec![T::zero(); layout.by_length.len() * h]);
    for step in 0..longest(layout) {
        let visited = visited(layout, direction, step);
        let sums = product(View::new(&last_hidden[..visited.len() * h], h), recurrent);
        for (place, &row) in visited.iter().enumerate() {
            let gates = &mut gates[row * GATES * h..(row + 1) * GATES * h];
            for ((gate, &sum), &bias) in gates.iter_mut().zip(&sums[place * GATES * h..]).zip(&biases) {
                *gate += bias + sum;
            }
            let (sigmoids, update) = gates.split_at_mut(2 * h);
            let (update, output) = update.split_at_mut(h);
            sigmoids.iter_mut().chain(&mut *output).for_each(|a| *a = sigmoid(*a));
            update.iter_mut().for_each(|a| *a = a.tanh());
            for unit in 0..h {
                let (state, at) = (place * h + unit, row * h + unit);
                previous[at] = last_hidden[state];
                cells[at] = sigmoids[h + unit] * last_cell[state] + sigmoids[unit] * update[unit];
                hidden[at] = output[unit] * cells[at].tanh();
                (last_cell[state], last_hidden[state]) = (cells[at], hidden[at]);
            }
        }
    }
    Trace { gates, cells, previous, hidden }
}

/// Gradients of one direction's pre-activations, `[rows, 4H]`.
fn run_back<T: Real>(dy: &[T], layout: Layout, weights: &LstmWeights<&[T]>, saved: Saved<T>, direction: usize) -> Vec<T> {
    let h = layout.hidden;
    let (one, half) = (T::one(), T::of(0.5));
    let recurrent = View::new(weights.recurrent, h).rows(direction * GATES * h..(direction + 1) * GATES * h);
    let mut dgates = vec![T::zero(); dy.len() * GATES];
    // What step t + 1 sends back, longest sequence first; sequences that end at t get nothing.
    let [mut dcell, mut dhidden] = [(); 2].map(|()| vec![T::zero(); layout.by_length.len() * h]);
    for step in (0..longest(layout)).rev() {
        let visited = visited(layout, direction, step);
        let mut running = Vec::with_capacity(visited.len() * GATES * h);
        for (place, &row) in visited.iter().enumerate() {
            let gates = &saved.gates[(row * DIRECTIONS + direction) * GATES * h..][..GATES * h];
            let dgates = &mut dgates[row * GATES * h..(row + 1) * GATES * h];
            // c_{t-1} lies in the row that the direction visited before.
            let before = (step > 0).then(|| if direction == 0 { row - 1 } else { row + 1 });
            for unit in 0..h {
                let [i, f, g, o] = [0, 1, 2, 3].map(|gate| gates[gate * h + unit]);
                let cell = |row: usize| saved.cells[(row * DIRECTIONS + direction) * h + unit];
                let (state, squashed) = (place * h + unit, cell(row).tanh());
                let dh = half * dy[row * h + unit] + dhidden[state];
                let dc = dcell[state] + dh * o * (one - squashed * squashed);
                dgates[unit] = dc * g * i * (one - i);
                dgates[h + unit] = dc * before.map_or(T::zero(), cell) * f * (one - f);
                dgates[2 * h + unit] = dc * i * (one - g * g);
                dgates[3 * h + unit] = dh * squashed * o * (one - o);
                dcell[state] = dc * f;
            }
            running.extend_from_slice(dgates);
        }
        dhidden[..visited.len() * h].copy_from_slice(&product(View::new(&running, GATES * h), recurrent));
    }
    dgates
}

/// 1 / (1 + e^-x); the exponential may overflow to infinity, which gives the right 0, and NaN stays NaN.
fn sigmoid<T: Real>(x: T) -> T {
    T::one() / (T::one() + (-x).exp())
}

/// Two matrices of `width` columns side by side.
fn interleave<T: Real>(left: &[T], right: &[T], width: usize) -> Vec<T> {
    let rows = left.chunks_exact(width).zip(right.chunks_exact(width));
    rows.flat_map(|(left, right)| left.iter().chain(right)).copied().collect()
}
