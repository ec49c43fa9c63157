//! Sinusoidal position embedding (Vaswani et al. 2017, 3.5), added: at row t of its sequence column 2i gets
//! `sin(t / 10000^(2i/d))` and column 2i + 1 the cosine. The gradient passes unchanged.

use super::memory::copied;
use super::wide::add;
use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{PositionEmbedding, Run};

impl<T: Real> Run<PositionEmbedding<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &PositionEmbedding<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let PositionEmbedding { x, rows } = of;
        let longest = rows.offsets.windows(2).map(|rows| rows[1] - rows[0]).max().unwrap_or(0);
        let mut positions = self.positions.borrow_mut();
        let y = forward(&x.values(), &rows.offsets, positions.first(longest as usize, x.columns()), x.columns());
        (CpuTensor::new(y, x.shape()), ())
    }
}

const BASE: f64 = 10_000.0;

/// The embedding of as many positions as were asked for, which stays from call to call.
#[derive(Default)]
pub(super) struct Positions<T> {
    columns: usize,
    /// `[positions, columns]`
    table: Vec<T>,
}

impl<T: Real> Positions<T> {
    /// That of the first `length` positions and more.
    fn first(&mut self, length: usize, columns: usize) -> &[T] {
        if self.columns != columns || self.table.len() < length * columns {
            *self = Self { columns, table: table(length, columns).into_iter().map(T::of).collect() };
        }
        &self.table
    }
}

/// `x: [rows, columns]`, `offsets: [batch + 1]`, `table: [longest or more, columns]` → `[rows, columns]`.
fn forward<T: Real>(x: &[T], offsets: &[u32], table: &[T], columns: usize) -> Vec<T> {
    let mut y = copied(x);
    for rows in offsets.windows(2) {
        let (first, end) = (rows[0] as usize * columns, rows[1] as usize * columns);
        add(&table[..end - first], &mut y[first..end]);
    }
    y
}

/// The embedding of the first `length` positions, `[length, columns]`; in float64, because the angle of a late position
/// needs more digits than a float32 has.
pub(crate) fn table(length: usize, columns: usize) -> Vec<f64> {
    let rates: Vec<f64> = (0..columns).map(|column| BASE.powf(-((column / 2 * 2) as f64) / columns as f64)).collect();
    let angles = (0..length).flat_map(|t| rates.iter().map(move |rate| t as f64 * rate));
    angles.enumerate().map(|(i, angle)| if (i % columns).is_multiple_of(2) { angle.sin() } else { angle.cos() }).collect()
}
