//! One GRU layer of one or both directions, the reset gate before the product.
//!
//! r, u = σ(a), c = tanh(a) with `a = x · Wᵀ + b + h_{t-1} · W_hᵀ`, for c with `r h_{t-1}` in the place of h_{t-1};
//! `h_t = u h_{t-1} + (1 - u) c`. The reverse direction starts at each sequence's last row.
//!
//! As in `bilstm` the inputs' part of a is one product for all rows, and each group of a few sequences then runs by itself; a step
//! is two products, of which the second waits for the first. The way back makes the gate gradients by the same loop in reverse:
//! with g the gradient of h_t, `da_c = g (1 - u) (1 - c²)`, `da_u = g (h_{t-1} - c) u (1 - u)`, `q = da_c · W_c`,
//! `da_r = q h_{t-1} r (1 - r)`, and h_{t-1} is left `g u + q r + da_r · W_r + da_u · W_u`. Every other gradient is then one product.

use std::cmp::Reverse;
use std::ops::Range;

use super::linear::rounded;
use super::memory::{keep, unwritten};
use super::product::{Packed, View, add_product, column_sums, product, product_with_bias};
use super::sequences::{GROUP, row_of, sigmoid, split};
use super::wide::wide;
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, Gru, GruKept, GruWeights, Operation, Run};
use crate::backend::{Matrix, Sink};
use crate::base::numbers::Precision;
use crate::base::parallel::*;

impl<T: Real> Run<Gru<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Gru<Self, CpuTensor<T>>) -> (CpuTensor<T>, GruKept<CpuTensor<T>>) {
        let shape = GruShape::of(of);
        let weights = of.weights.map(CpuTensor::values);
        let GruForward { y, kept } = forward(&of.x.values(), shape, &weights.map(|values| &**values));
        let matrix = |values: Vec<T>, width: usize| CpuTensor::new(values, [of.x.rows(), width * shape.states()]);
        let kept = GruKept { gates: matrix(kept.gates, GATES), previous: matrix(kept.previous, 1), reset: matrix(kept.reset, 1) };
        (matrix(y, 1), kept)
    }
}

impl<T: Real> Differentiate<Gru<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &Gru<Self, CpuTensor<T>>,
        kept: &GruKept<CpuTensor<T>>,
        dy: &CpuTensor<T>,
        sinks: &Gru<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        let shape = GruShape::of(of);
        let computed = {
            let weights = of.weights.map(CpuTensor::values);
            let (gates, previous, reset) = (kept.gates.values(), kept.previous.values(), kept.reset.values());
            let saved = GruKept { gates: &*gates, previous: &*previous, reset: &*reset };
            let dgates = gate_gradients(&dy.values(), shape, weights.recurrent.as_ref(), &saved);
            let wanted = sinks.map(Option::is_some);
            let gradients = weight_gradients(&dgates, &of.x.values(), shape, &weights.input, &saved, &wanted);
            keep(dgates);
            gradients
        };
        let Gru { x, weights: GruWeights { input, recurrent, bias }, .. } = sinks;
        for (sink, gradient) in [x, input, recurrent, bias].into_iter().zip(computed) {
            if let Some(gradient) = gradient {
                Sink::store_in(sink, gradient);
            }
        }
    }
}

/// r, u, c
const GATES: usize = 3;

/// What a layer computes with: sizes and the sequences' rows.
#[derive(Debug, Clone, Copy)]
struct GruShape<'a> {
    inputs: usize,
    hidden: usize,
    directions: usize,
    /// `[batch + 1]`
    offsets: &'a [u32],
    /// Of the products over all rows.
    precision: Precision,
}

impl<'a> GruShape<'a> {
    fn of<T: Real>(of: &'a Gru<Cpu<T>, CpuTensor<T>>) -> Self {
        let (hidden, directions) = (of.weights.hidden(), of.weights.directions());
        Self { inputs: of.x.columns(), hidden, directions, offsets: &of.rows.offsets, precision: of.precision }
    }

    /// Columns of the states of all directions.
    fn states(self) -> usize {
        self.directions * self.hidden
    }

    /// A direction's recurrent weights of r and u `[2H, H]`, and of c `[H, H]`.
    fn recurrent_weights<T>(self, weights: &[T], direction: usize) -> [View<'_, T>; 2] {
        let (h, first) = (self.hidden, direction * GATES * self.hidden);
        [first..first + 2 * h, first + 2 * h..first + GATES * h].map(|rows| View::new(weights, h).rows(rows))
    }
}

/// Result of the way forward, `[rows, D · H]`, and what is kept for the way back.
struct GruForward<T> {
    y: Vec<T>,
    kept: GruKept<Vec<T>>,
}

/// One sequence's rows of the way forward.
struct Running<'a, T> {
    length: usize,
    /// `[length, D · 3H]`: pre-activations, which each step replaces by its gates.
    gates: &'a mut [T],
    /// `[length, D · H]`
    previous: &'a mut [T],
    /// `[length, D · H]`
    reset: &'a mut [T],
    /// `[length, D · H]`
    y: &'a mut [T],
}

/// One sequence's rows of the way back.
struct RunningBack<'a, T> {
    length: usize,
    /// `[length, D · 3H]`: gradients of the pre-activations.
    dgates: &'a mut [T],
    /// `[length, D · 3H]`
    gates: &'a [T],
    /// `[length, D · H]`
    previous: &'a [T],
    /// `[length, D · H]`
    dy: &'a [T],
}

/// `x: [rows, inputs]`, weights as in [`GruWeights`].
fn forward<T: Real>(x: &[T], shape: GruShape, weights: &GruWeights<&[T]>) -> GruForward<T> {
    let GruShape { inputs, directions, offsets, precision, .. } = shape;
    let [x, input] = [x, weights.input].map(|factor| rounded(factor.into(), precision));
    let (states, rows) = (shape.states(), offsets.last().map_or(0, |&rows| rows as usize));
    let mut gates = product_with_bias(View::new(&x, inputs), &Packed::new(View::new(&input, inputs).transposed()), weights.bias);
    let [mut previous, mut reset, mut y] = [(); 3].map(|()| unwritten(rows * states));
    let parts = split(&mut gates, offsets, GATES * states)
        .zip(split(&mut previous, offsets, states))
        .zip(split(&mut reset, offsets, states).zip(split(&mut y, offsets, states)));
    let sequences = parts.map(|((gates, previous), (reset, y))| Running { length: y.len() / states, gates, previous, reset, y });
    let mut sequences: Vec<_> = sequences.collect();
    sequences.sort_by_key(|sequence| Reverse(sequence.length));
    let recurrent = |direction| shape.recurrent_weights(weights.recurrent, direction).map(|weight| Packed::new(weight.transposed()));
    let recurrent: Vec<_> = (0..directions).map(recurrent).collect();
    sequences.par_chunks_mut(GROUP).with_min_len(least(1, 1)).for_each(|group| {
        for (direction, weights) in recurrent.iter().enumerate() {
            run(group, weights, shape, direction);
        }
    });
    GruForward { y, kept: GruKept { gates, previous, reset } }
}

/// A direction's elements of a row, those of its states.
fn own(shape: GruShape, direction: usize, row: usize) -> Range<usize> {
    let first = (row * shape.directions + direction) * shape.hidden;
    first..first + shape.hidden
}

/// The same of its gates.
fn own_gates(shape: GruShape, direction: usize, row: usize) -> Range<usize> {
    let states = own(shape, direction, row);
    GATES * states.start..GATES * states.end
}

fn run<T: Real>(group: &mut [Running<T>], [opening, candidate]: &[Packed<T>; 2], shape: GruShape, direction: usize) {
    let h = shape.hidden;
    let [mut hidden, mut reset] = [(); 2].map(|()| vec![T::zero(); group.len() * h]);
    let mut sums = vec![T::zero(); group.len() * 2 * h];
    for step in 0..group[0].length {
        let running = group.iter().take_while(|sequence| step < sequence.length).count();
        let opened = &mut sums[..running * 2 * h];
        opened.fill(T::zero());
        add_product(View::new(&hidden[..running * h], h), opening, opened);
        let states = hidden.chunks_exact(h).zip(reset.chunks_exact_mut(h));
        for ((sequence, (hidden, reset)), sums) in group[..running].iter_mut().zip(states).zip(opened.chunks_exact(2 * h)) {
            let row = row_of(direction, step, sequence.length);
            let states = own(shape, direction, row);
            open(sums, &mut sequence.gates[own_gates(shape, direction, row)], hidden, reset);
            sequence.previous[states.clone()].copy_from_slice(hidden);
            sequence.reset[states].copy_from_slice(reset);
        }
        let proposed = &mut sums[..running * h];
        proposed.fill(T::zero());
        add_product(View::new(&reset[..running * h], h), candidate, proposed);
        for ((sequence, hidden), sums) in group[..running].iter_mut().zip(hidden.chunks_exact_mut(h)).zip(proposed.chunks_exact(h)) {
            let row = row_of(direction, step, sequence.length);
            advance(sums, &mut sequence.gates[own_gates(shape, direction, row)], hidden);
            sequence.y[own(shape, direction, row)].copy_from_slice(hidden);
        }
    }
}

/// `dy: [rows, D · H]` → the gradients of the pre-activations, `[rows, D · 3H]`.
fn gate_gradients<T: Real>(dy: &[T], shape: GruShape, recurrent: &[T], saved: &GruKept<&[T]>) -> Vec<T> {
    let (states, offsets) = (shape.states(), shape.offsets);
    let mut dgates = unwritten(saved.gates.len());
    let sequences = split(&mut dgates, offsets, GATES * states).zip(offsets.windows(2)).map(|(dgates, rows)| {
        let [first, end] = [rows[0], rows[1]].map(|row| row as usize);
        RunningBack {
            length: end - first,
            dgates,
            gates: &saved.gates[first * GATES * states..end * GATES * states],
            previous: &saved.previous[first * states..end * states],
            dy: &dy[first * states..end * states],
        }
    });
    let mut sequences: Vec<_> = sequences.collect();
    sequences.sort_by_key(|sequence| Reverse(sequence.length));
    let weights = |direction| shape.recurrent_weights(recurrent, direction).map(Packed::new);
    let recurrent: Vec<_> = (0..shape.directions).map(weights).collect();
    sequences.par_chunks_mut(GROUP).with_min_len(least(1, 1)).for_each(|group| {
        for (direction, weights) in recurrent.iter().enumerate() {
            run_back(group, weights, shape, direction);
        }
    });
    dgates
}

fn run_back<T: Real>(group: &mut [RunningBack<T>], [opening, candidate]: &[Packed<T>; 2], shape: GruShape, direction: usize) {
    let h = shape.hidden;
    // What step t + 1 sends back, longest sequence first; sequences that end at t get nothing.
    let mut carried = vec![T::zero(); group.len() * h];
    let [mut dcandidates, mut returned] = [(); 2].map(|()| vec![T::zero(); group.len() * h]);
    let mut dopened = vec![T::zero(); group.len() * 2 * h];
    for step in (0..group[0].length).rev() {
        let running = group.iter().take_while(|sequence| step < sequence.length).count();
        let states = carried.chunks_exact_mut(h).zip(dcandidates.chunks_exact_mut(h));
        for (sequence, (carried, dcandidate)) in group[..running].iter_mut().zip(states) {
            let row = row_of(direction, step, sequence.length);
            let (states, gates) = (own(shape, direction, row), own_gates(shape, direction, row));
            let inputs = [&sequence.previous[states.clone()], &sequence.dy[states]];
            retreat(&sequence.gates[gates.clone()], inputs, carried, &mut sequence.dgates[gates.clone()]);
            dcandidate.copy_from_slice(&sequence.dgates[gates][2 * h..]);
        }
        let returned = &mut returned[..running * h];
        returned.fill(T::zero());
        add_product(View::new(&dcandidates[..running * h], h), candidate, returned);
        let states = carried.chunks_exact_mut(h).zip(returned.chunks_exact(h)).zip(dopened.chunks_exact_mut(2 * h));
        for (sequence, ((carried, returned), dopened)) in group[..running].iter_mut().zip(states) {
            let row = row_of(direction, step, sequence.length);
            let gates = own_gates(shape, direction, row);
            let previous = &sequence.previous[own(shape, direction, row)];
            reset_back(&sequence.gates[gates.clone()], [previous, returned], carried, &mut sequence.dgates[gates.clone()]);
            dopened.copy_from_slice(&sequence.dgates[gates][..2 * h]);
        }
        add_product(View::new(&dopened[..running * 2 * h], 2 * h), opening, &mut carried[..running * h]);
    }
}

/// The gradients of x, of both weights and of the bias, as far as they are wanted.
fn weight_gradients<T: Real>(
    dgates: &[T],
    x: &[T],
    shape: GruShape,
    input: &[T],
    saved: &GruKept<&[T]>,
    wanted: &Gru<Cpu<T>, bool>,
) -> [Option<Vec<T>>; 4] {
    let GruShape { inputs, hidden: h, directions, precision, .. } = shape;
    let states = shape.states();
    let dgates = rounded(dgates.into(), precision);
    let [x, input, previous, reset] = [x, input, saved.previous, saved.reset].map(|factor| rounded(factor.into(), precision));
    let g = View::new(&dgates, GATES * states);
    let recurrent = || {
        let of_direction = |direction: usize| {
            let [previous, reset] =
                [&previous, &reset].map(|states_of| View::new(states_of, states).columns(direction * h..(direction + 1) * h));
            let first = direction * GATES * h;
            let opening = product(g.columns(first..first + 2 * h).transposed(), previous);
            [opening, product(g.columns(first + 2 * h..first + GATES * h).transposed(), reset)].concat()
        };
        (0..directions).flat_map(of_direction).collect()
    };
    let GruWeights { input: wants_input, recurrent: wants_recurrent, bias: wants_bias } = wanted.weights;
    [
        wanted.x.then(|| product(g, View::new(&input, inputs))),
        wants_input.then(|| product(g.transposed(), View::new(&x, inputs))),
        wants_recurrent.then(recurrent),
        wants_bias.then(|| column_sums(&dgates, GATES * states)),
    ]
}

wide! {
    /// The first half of a step of one sequence: adds the recurrent `sums: [2H]` to the pre-activations of r and u in `gates: [3H]`,
    /// replaces them by the gates, and writes r h_{t-1}.
    fn open<T: Real>(sums: &[T], gates: &mut [T], hidden: &[T], reset: &mut [T]) {
        let h = hidden.len();
        for (gate, &sum) in gates.iter_mut().zip(sums) {
            *gate = sigmoid(*gate + sum);
        }
        for ((reset, &r), &hidden) in reset.iter_mut().zip(&gates[..h]).zip(hidden) {
            *reset = r * hidden;
        }
    }

    /// The second: likewise c, from `sums: [H]`; the state becomes the new one.
    fn advance<T: Real>(sums: &[T], gates: &mut [T], hidden: &mut [T]) {
        let h = hidden.len();
        let (opened, candidates) = gates[..GATES * h].split_at_mut(2 * h);
        for (candidate, &sum) in candidates.iter_mut().zip(sums) {
            *candidate = (*candidate + sum).hyperbolic_tangent();
        }
        for ((hidden, &u), &c) in hidden.iter_mut().zip(&opened[h..]).zip(&*candidates) {
            *hidden = u * *hidden + (T::one() - u) * c;
        }
    }

    /// The first half of a step back: from h_{t-1}, dy and what step t + 1 sent back to the gradients of u's and c's pre-activations;
    /// `carried` becomes g u.
    fn retreat<T: Real>(gates: &[T], inputs: [&[T]; 2], carried: &mut [T], dgates: &mut [T]) {
        let (one, h) = (T::one(), carried.len());
        let (u, c) = (&gates[h..2 * h], &gates[2 * h..GATES * h]);
        let (du, dc) = dgates[h..GATES * h].split_at_mut(h);
        let [previous, dy] = inputs.map(|values| &values[..h]);
        for unit in 0..h {
            let g = carried[unit] + dy[unit];
            dc[unit] = g * (one - u[unit]) * (one - c[unit] * c[unit]);
            du[unit] = g * (previous[unit] - c[unit]) * u[unit] * (one - u[unit]);
            carried[unit] = g * u[unit];
        }
    }

    /// The second: from h_{t-1} and q to the gradient of r's; `carried` gains q r.
    fn reset_back<T: Real>(gates: &[T], inputs: [&[T]; 2], carried: &mut [T], dgates: &mut [T]) {
        let h = carried.len();
        let (r, dr) = (&gates[..h], &mut dgates[..h]);
        let [previous, q] = inputs.map(|values| &values[..h]);
        for unit in 0..h {
            dr[unit] = q[unit] * previous[unit] * r[unit] * (T::one() - r[unit]);
            carried[unit] += q[unit] * r[unit];
        }
    }
}
