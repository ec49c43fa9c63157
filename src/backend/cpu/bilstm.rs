//! One bidirectional LSTM layer (2,4) and the mean of its directions (3,5), or both side by side.
//!
//! i, f, o = σ(a), g = tanh(a) with `a = x · W_ihᵀ + b_ih + b_hh + h_{t-1} · W_hhᵀ`; `c_t = f c_{t-1} + i g`;
//! `h_t = o tanh(c_t)`; `y = (h_forward + h_reverse) / 2`, or `[h_forward, h_reverse]`. The reverse direction starts at each sequence's
//! last row.
//!
//! The inputs' part of a is one product for all rows. Then each group of a few sequences runs by itself, from the longest
//! to the shortest: those that are still running at step t are the first ones of a matrix, and a step is one product
//! `[running, H] · [H, 4H]`. The way back makes the gate gradients by the same loop in reverse; every other gradient is then
//! one product. In mixed precision h_{t-1}, the gates' gradients and all weights are rounded to f16 before they are multiplied.

use std::cmp::Reverse;
use std::ops::Range;

use super::linear::{nearest_f16, rounded};
use super::memory::{keep, unwritten, zeros};
use super::product::{Packed, View, add_product, column_sums, product, product_with_bias};
use super::sequences::{GROUP, row_of, sigmoid, split};
use super::wide::wide;
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Bilstm, Differentiate, Directions, LstmKept, LstmWeights, Run};
use crate::backend::{Matrix, Sink};
use crate::base::numbers::Precision;
use crate::base::parallel::*;

impl<T: Real> Run<Bilstm<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Bilstm<Self, CpuTensor<T>>) -> (CpuTensor<T>, LstmKept<CpuTensor<T>>) {
        let shape = shape(of);
        let weights = of.weights.map(CpuTensor::values);
        let computed = forward(&of.x.values(), shape, &weights.map(|values| &**values));
        let matrix = |values: Vec<T>, width: usize| CpuTensor::new(values, [of.x.rows(), width * shape.hidden]);
        let kept = LstmKept { gates: matrix(computed.gates, 8), cells: matrix(computed.cells, 2), previous: matrix(computed.previous, 2) };
        (CpuTensor::new(computed.y, [of.x.rows(), shape.columns()]), kept)
    }
}

impl<T: Real> Differentiate<Bilstm<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &Bilstm<Self, CpuTensor<T>>,
        kept: &LstmKept<CpuTensor<T>>,
        dy: &CpuTensor<T>,
        sinks: &Bilstm<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        let computed = {
            let weights = of.weights.map(CpuTensor::values);
            let (gates, cells, previous) = (kept.gates.values(), kept.cells.values(), kept.previous.values());
            let saved = LstmSaved { gates: &gates, cells: &cells, previous: &previous };
            backward(&dy.values(), &of.x.values(), shape(of), &weights.map(|values| &**values), saved, sinks.x.is_some())
        };
        let LstmWeights { input, recurrent, bias_input, bias_recurrent } = computed.weights;
        Sink::store_in(&sinks.weights.input, input);
        Sink::store_in(&sinks.weights.recurrent, recurrent);
        Sink::store_in(&sinks.weights.bias_input, bias_input);
        Sink::store_in(&sinks.weights.bias_recurrent, bias_recurrent);
        if let Some(dx) = computed.x {
            Sink::store_in(&sinks.x, dx);
        }
    }
}

fn shape<T: Real>(of: &Bilstm<Cpu<T>, CpuTensor<T>>) -> LstmShape<'_> {
    let hidden = of.weights.recurrent.columns();
    LstmShape { inputs: of.x.columns(), hidden, offsets: &of.rows.offsets, precision: of.precision, directions: of.directions }
}

const DIRECTIONS: usize = 2;
const GATES: usize = 4;

/// What a layer computes with: sizes and the sequences' rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LstmShape<'a> {
    pub inputs: usize,
    pub hidden: usize,
    /// `[batch + 1]`
    pub offsets: &'a [u32],
    /// Of the factors of all products.
    pub precision: Precision,
    /// What becomes of them.
    pub directions: Directions,
}

impl LstmShape<'_> {
    /// Columns of the result.
    fn columns(self) -> usize {
        self.directions.columns(self.hidden)
    }

    /// A direction's elements of a row of the result.
    fn outputs(self, direction: usize, row: usize) -> Range<usize> {
        let first = row * self.columns() + direction * self.directions.step(self.hidden);
        first..first + self.hidden
    }
}

/// Results of the way forward; the last three are kept for the way back.
pub(crate) struct LstmForward<T> {
    /// `[rows, H]`, or `[rows, 2H]`
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
pub(crate) struct LstmSaved<'a, T> {
    pub gates: &'a [T],
    pub cells: &'a [T],
    pub previous: &'a [T],
}

/// Gradients of a layer.
pub(crate) struct LstmGradients<T> {
    /// `[rows, inputs]`
    pub x: Option<Vec<T>>,
    pub weights: LstmWeights<Vec<T>>,
}

/// One sequence's rows of the way forward.
struct Running<'a, T> {
    length: usize,
    /// `[length, 2 · 4H]`: pre-activations, which each step replaces by its gates.
    gates: &'a mut [T],
    /// `[length, 2H]`
    cells: &'a mut [T],
    /// `[length, 2H]`
    previous: &'a mut [T],
    /// `[length, H]`, or `[length, 2H]`
    y: &'a mut [T],
}

/// One sequence's rows of the way back.
struct RunningBack<'a, T> {
    length: usize,
    /// `[length, 2 · 4H]`: gradients of the pre-activations.
    dgates: &'a mut [T],
    /// `[length, 2 · 4H]`
    gates: &'a [T],
    /// `[length, 2H]`
    cells: &'a [T],
    /// `[length, H]`, or `[length, 2H]`
    dy: &'a [T],
}

/// `x: [rows, inputs]`, weights as in [`LstmWeights`].
pub(crate) fn forward<T: Real>(x: &[T], shape: LstmShape, weights: &LstmWeights<&[T]>) -> LstmForward<T> {
    let LstmShape { inputs, hidden: h, offsets, precision, .. } = shape;
    let [x, input, recurrent] = [x, weights.input, weights.recurrent].map(|factor| rounded(factor.into(), precision));
    let rows = offsets.last().map_or(0, |&rows| rows as usize);
    let bias: Vec<T> = weights.bias_input.iter().zip(weights.bias_recurrent).map(|(&a, &b)| a + b).collect();
    let mut gates = product_with_bias(View::new(&x, inputs), &Packed::new(View::new(&input, inputs).transposed()), &bias);
    let [mut cells, mut previous] = [(); 2].map(|()| unwritten(rows * DIRECTIONS * h));
    let columns = shape.columns();
    let mut y = zeros(rows * columns);
    let parts = split(&mut gates, offsets, DIRECTIONS * GATES * h)
        .zip(split(&mut cells, offsets, DIRECTIONS * h))
        .zip(split(&mut previous, offsets, DIRECTIONS * h).zip(split(&mut y, offsets, columns)));
    let sequences = parts.map(|((gates, cells), (previous, y))| Running { length: y.len() / columns, gates, cells, previous, y });
    let mut sequences: Vec<_> = sequences.collect();
    sequences.sort_by_key(|sequence| Reverse(sequence.length));
    let recurrent = recurrent_weights(&recurrent, h).map(|weight| Packed::new(weight.transposed()));
    sequences.par_chunks_mut(GROUP).with_min_len(least(1, 1)).for_each(|group| {
        for (direction, weight) in recurrent.iter().enumerate() {
            run(group, weight, shape, direction);
        }
    });
    LstmForward { y, gates, cells, previous }
}

/// `dy` as y; `wants_x` says whether the gradient of x is asked for.
pub(crate) fn backward<T: Real>(
    dy: &[T],
    x: &[T],
    shape: LstmShape,
    weights: &LstmWeights<&[T]>,
    saved: LstmSaved<T>,
    wants_x: bool,
) -> LstmGradients<T> {
    let LstmShape { inputs, hidden: h, offsets, precision, .. } = shape;
    let columns = shape.columns();
    let width = DIRECTIONS * GATES * h;
    let mut dgates = unwritten(saved.gates.len());
    let sequences = split(&mut dgates, offsets, width).zip(offsets.windows(2)).map(|(dgates, rows)| {
        let [first, end] = [rows[0], rows[1]].map(|row| row as usize);
        RunningBack {
            length: end - first,
            dgates,
            gates: &saved.gates[first * width..end * width],
            cells: &saved.cells[first * DIRECTIONS * h..end * DIRECTIONS * h],
            dy: &dy[first * columns..end * columns],
        }
    });
    let mut sequences: Vec<_> = sequences.collect();
    sequences.sort_by_key(|sequence| Reverse(sequence.length));
    let recurrent = rounded(weights.recurrent.into(), precision);
    let recurrent = recurrent_weights(&recurrent, h).map(Packed::new);
    sequences.par_chunks_mut(GROUP).with_min_len(least(1, 1)).for_each(|group| {
        for (direction, weight) in recurrent.iter().enumerate() {
            run_back(group, weight, shape, direction);
        }
    });
    let dgates = rounded(dgates.into(), precision);
    let [x, input, previous] = [x, weights.input, saved.previous].map(|factor| rounded(factor.into(), precision));
    let g = View::new(&dgates, width);
    let recurrent = (0..DIRECTIONS).flat_map(|direction| {
        let previous = View::new(&previous, DIRECTIONS * h).columns(direction * h..(direction + 1) * h);
        product(g.columns(direction * GATES * h..(direction + 1) * GATES * h).transposed(), previous)
    });
    let bias = column_sums(&dgates, width);
    let gradients = LstmGradients {
        x: wants_x.then(|| product(g, View::new(&input, inputs))),
        weights: LstmWeights {
            input: product(g.transposed(), View::new(&x, inputs)),
            recurrent: recurrent.collect(),
            bias_input: bias.clone(),
            bias_recurrent: bias,
        },
    };
    keep(dgates.into_owned());
    gradients
}

/// Each direction's `[4H, H]`.
fn recurrent_weights<T>(weights: &[T], hidden: usize) -> [View<'_, T>; DIRECTIONS] {
    [0, 1].map(|direction| View::new(weights, hidden).rows(direction * GATES * hidden..(direction + 1) * GATES * hidden))
}

fn run<T: Real>(group: &mut [Running<T>], recurrent: &Packed<T>, shape: LstmShape, direction: usize) {
    let (h, share) = (shape.hidden, T::of_f32(shape.directions.share()));
    let [mut cells, mut hidden] = [(); 2].map(|()| vec![T::zero(); group.len() * h]);
    let mut sums = vec![T::zero(); group.len() * GATES * h];
    for step in 0..group[0].length {
        let running = group.iter().take_while(|sequence| step < sequence.length).count();
        let sums = &mut sums[..running * GATES * h];
        sums.fill(T::zero());
        add_product(View::new(&hidden[..running * h], h), recurrent, sums);
        let states = cells.chunks_exact_mut(h).zip(hidden.chunks_exact_mut(h));
        for ((sequence, (cell, hidden)), sums) in group[..running].iter_mut().zip(states).zip(sums.chunks_exact(GATES * h)) {
            let row = row_of(direction, step, sequence.length);
            let own = (row * DIRECTIONS + direction) * h..(row * DIRECTIONS + direction + 1) * h;
            sequence.previous[own.clone()].copy_from_slice(hidden);
            advance(sums, &mut sequence.gates[own.start * GATES..own.end * GATES], cell, hidden);
            sequence.cells[own].copy_from_slice(cell);
            let outputs = &mut sequence.y[shape.outputs(direction, row)];
            outputs.iter_mut().zip(&*hidden).for_each(|(y, &hidden)| *y += share * hidden);
            round(hidden, shape.precision);
        }
    }
}

fn run_back<T: Real>(group: &mut [RunningBack<T>], recurrent: &Packed<T>, shape: LstmShape, direction: usize) {
    let (h, share) = (shape.hidden, T::of_f32(shape.directions.share()));
    // What step t + 1 sends back, longest sequence first; sequences that end at t get nothing.
    let [mut dcells, mut dhidden] = [(); 2].map(|()| vec![T::zero(); group.len() * h]);
    let mut running = Vec::with_capacity(group.len() * GATES * h);
    let none = vec![T::zero(); h];
    for step in (0..group[0].length).rev() {
        running.clear();
        let states = dcells.chunks_exact_mut(h).zip(dhidden.chunks_exact(h));
        for (sequence, (dcell, dhidden)) in group.iter_mut().take_while(|sequence| step < sequence.length).zip(states) {
            let row = row_of(direction, step, sequence.length);
            let of = |row: usize| (row * DIRECTIONS + direction) * h..(row * DIRECTIONS + direction + 1) * h;
            let own = of(row).start * GATES..of(row).end * GATES;
            let before = step.checked_sub(1).map_or(&none[..], |step| &sequence.cells[of(row_of(direction, step, sequence.length))]);
            let dgates = &mut sequence.dgates[own.clone()];
            let dy = &sequence.dy[shape.outputs(direction, row)];
            retreat(&sequence.gates[own], [before, &sequence.cells[of(row)], dy, dhidden], share, dcell, dgates);
            running.extend_from_slice(dgates);
        }
        round(&mut running, shape.precision);
        let dhidden = &mut dhidden[..running.len() / GATES];
        dhidden.fill(T::zero());
        add_product(View::new(&running, GATES * h), recurrent, dhidden);
    }
}

/// Has factors be as products take them.
fn round<T: Real>(factors: &mut [T], precision: Precision) {
    match precision {
        Precision::F32 => {}
        Precision::Mixed => factors.iter_mut().for_each(|factor| *factor = nearest_f16(*factor)),
    }
}

wide! {
    /// One step of one sequence: adds the recurrent `sums: [4H]` to the pre-activations `gates: [4H]`, replaces them by the
    /// gates, and both states by the new ones.
    fn advance<T: Real>(sums: &[T], gates: &mut [T], cell: &mut [T], hidden: &mut [T]) {
        let h = cell.len();
        for (gate, &sum) in gates.iter_mut().zip(sums) {
            *gate += sum;
        }
        let [i, f, g, o] = quarters_mut(gates, h);
        for gates in [&mut *i, &mut *f, &mut *o] {
            gates.iter_mut().for_each(|a| *a = sigmoid(*a));
        }
        g.iter_mut().for_each(|a| *a = a.hyperbolic_tangent());
        for ((cell, (&i, &f)), &g) in cell.iter_mut().zip(i.iter().zip(&*f)).zip(&*g) {
            *cell = f * *cell + i * g;
        }
        for ((hidden, &cell), &o) in hidden.iter_mut().zip(&*cell).zip(&*o) {
            *hidden = o * cell.hyperbolic_tangent();
        }
    }

    /// One step back of one sequence: from c_{t-1}, c_t, dy, of which states count `share`, and what step t + 1 sent back to the
    /// gradients of the pre-activations; `dcell` becomes that of c_{t-1}.
    fn retreat<T: Real>(gates: &[T], inputs: [&[T]; 4], share: T, dcell: &mut [T], dgates: &mut [T]) {
        let (one, h) = (T::one(), dcell.len());
        let [[i, f], [g, o]] = [0, 2].map(|gate| [gate, gate + 1].map(|gate| &gates[gate * h..][..h]));
        let [di, df, dg, d_o] = quarters_mut(dgates, h);
        let [before, cells, dy, dhidden] = inputs.map(|values| &values[..h]);
        for unit in 0..h {
            let squashed = cells[unit].hyperbolic_tangent();
            let dh = share * dy[unit] + dhidden[unit];
            let dc = dcell[unit] + dh * o[unit] * (one - squashed * squashed);
            di[unit] = dc * g[unit] * i[unit] * (one - i[unit]);
            df[unit] = dc * before[unit] * f[unit] * (one - f[unit]);
            dg[unit] = dc * i[unit] * (one - g[unit] * g[unit]);
            d_o[unit] = dh * squashed * o[unit] * (one - o[unit]);
            dcell[unit] = dc * f[unit];
        }
    }
}

/// i, f, g, o of `[4H]`.
#[inline(always)]
fn quarters_mut<T>(gates: &mut [T], h: usize) -> [&mut [T]; GATES] {
    let (left, right) = gates[..GATES * h].split_at_mut(2 * h);
    let ((i, f), (g, o)) = (left.split_at_mut(h), right.split_at_mut(h));
    [i, f, g, o]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::half;

    const H: usize = 3;
    const INPUTS: usize = 2;
    const LENGTH: usize = 4;

    fn f16(value: f64) -> f64 {
        f64::from(half::nearest(value as f32))
    }

    /// Numbers between -1 and 1 that f16 does not hold.
    fn drawn(count: usize, seed: f64) -> Vec<f64> {
        (0..count).map(|i| ((i as f64 + seed) * 78.233).sin()).collect()
    }

    fn dot(a: impl Iterator<Item = f64>, b: impl Iterator<Item = f64>) -> f64 {
        a.zip(b).map(|(a, b)| f16(a) * f16(b)).sum()
    }

    fn agree(what: &str, got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len(), "{what}");
        let distance = got.iter().zip(expected).map(|(got, expected)| (got - expected).abs()).fold(0.0, f64::max);
        assert!(distance < 1e-12, "{what}: {distance:e}");
    }

    /// A layer step by step and number by number, against all of it: one sequence, directions side by side.
    #[test]
    fn in_mixed_precision_every_factor_of_a_product_is_rounded_and_nothing_else() {
        let gates = GATES * H;
        let [x, dy] = [drawn(LENGTH * INPUTS, 0.5), drawn(LENGTH * 2 * H, 3.5)];
        let [input, recurrent] = [drawn(2 * gates * INPUTS, 7.25), drawn(2 * gates * H, 11.75)];
        let bias = drawn(2 * gates, 13.25);
        let weights = LstmWeights { input: &*input, recurrent: &*recurrent, bias_input: &*bias, bias_recurrent: &*bias };
        let offsets = [0, LENGTH as u32];
        let shape = |precision| LstmShape { inputs: INPUTS, hidden: H, offsets: &offsets, precision, directions: Directions::Joined };
        let forth = forward(&x, shape(Precision::Mixed), &weights);
        let saved = |of: &LstmForward<f64>| [of.gates.clone(), of.cells.clone(), of.previous.clone()];
        let [kept_gates, kept_cells, kept_previous] = saved(&forth);
        let kept = LstmSaved { gates: &kept_gates, cells: &kept_cells, previous: &kept_previous };
        let back = backward(&dy, &x, shape(Precision::Mixed), &weights, kept, true);

        let sigmoid = |a: f64| 1.0 / (1.0 + (-a).exp());
        let row = |matrix: &[f64], row: usize, width: usize| matrix[row * width..(row + 1) * width].to_vec();
        let [mut y, mut previous] = [vec![0.0; LENGTH * 2 * H], vec![0.0; LENGTH * 2 * H]];
        let [mut dx, mut dw, mut du, mut db] = [LENGTH * INPUTS, 2 * gates * INPUTS, 2 * gates * H, 2 * gates].map(|size| vec![0.0; size]);
        for direction in 0..2 {
            let [mut h, mut c] = [vec![vec![0.0; H]; LENGTH + 1], vec![vec![0.0; H]; LENGTH + 1]];
            let mut activated = vec![vec![0.0; gates]; LENGTH];
            let row_at = |t: usize| if direction == 0 { t } else { LENGTH - 1 - t };
            for t in 0..LENGTH {
                for (gate, value) in activated[t].iter_mut().enumerate() {
                    let weight = direction * gates + gate;
                    let a = dot(row(&x, row_at(t), INPUTS).into_iter(), row(&input, weight, INPUTS).into_iter())
                        + dot(h[t].iter().copied(), row(&recurrent, weight, H).into_iter())
                        + 2.0 * bias[weight];
                    *value = if gate / H == 2 { a.tanh() } else { sigmoid(a) };
                }
                for unit in 0..H {
                    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| activated[t][gate * H + unit]);
                    c[t + 1][unit] = f * c[t][unit] + i * g;
                    h[t + 1][unit] = o * c[t + 1][unit].tanh();
                    y[(row_at(t) * 2 + direction) * H + unit] = h[t + 1][unit];
                    previous[(row_at(t) * 2 + direction) * H + unit] = f16(h[t][unit]);
                }
            }
            let [mut dh, mut dc] = [vec![0.0; H], vec![0.0; H]];
            for t in (0..LENGTH).rev() {
                let mut da = vec![0.0; gates];
                for unit in 0..H {
                    let [i, f, g, o] = [0, 1, 2, 3].map(|gate| activated[t][gate * H + unit]);
                    let squashed = c[t + 1][unit].tanh();
                    let of_state = dy[(row_at(t) * 2 + direction) * H + unit] + dh[unit];
                    let of_cell = dc[unit] + of_state * o * (1.0 - squashed * squashed);
                    da[unit] = of_cell * g * i * (1.0 - i);
                    da[H + unit] = of_cell * c[t][unit] * f * (1.0 - f);
                    da[2 * H + unit] = of_cell * i * (1.0 - g * g);
                    da[3 * H + unit] = of_state * squashed * o * (1.0 - o);
                    dc[unit] = of_cell * f;
                }
                for unit in 0..H {
                    let column = (0..gates).map(|gate| recurrent[(direction * gates + gate) * H + unit]);
                    dh[unit] = dot(da.iter().copied(), column);
                }
                for (gate, &da) in da.iter().enumerate() {
                    let weight = direction * gates + gate;
                    db[weight] += f16(da);
                    for k in 0..INPUTS {
                        dx[row_at(t) * INPUTS + k] += f16(da) * f16(input[weight * INPUTS + k]);
                        dw[weight * INPUTS + k] += f16(da) * f16(x[row_at(t) * INPUTS + k]);
                    }
                    for (k, &h) in h[t].iter().enumerate() {
                        du[weight * H + k] += f16(da) * f16(h);
                    }
                }
            }
        }
        agree("y", &forth.y, &y);
        agree("previous states", &forth.previous, &previous);
        agree("gradient of x", &back.x.unwrap(), &dx);
        agree("gradient of W_ih", &back.weights.input, &dw);
        agree("gradient of W_hh", &back.weights.recurrent, &du);
        agree("gradient of a bias", &back.weights.bias_recurrent, &db);
        let full = forward(&x, shape(Precision::F32), &weights);
        assert!(full.y.iter().zip(&y).any(|(full, mixed)| (full - mixed).abs() > 1e-6), "rounding leaves its trace");
    }
}
