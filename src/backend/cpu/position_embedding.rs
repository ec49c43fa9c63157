//! Sinusoidal position embedding (Vaswani et al. 2017, 3.5), added: at row t of its sequence column 2i gets
//! `sin(t / 10000^(2i/d))` and column 2i + 1 the cosine. The gradient passes unchanged.

use super::Real;

const BASE: f64 = 10_000.0;

/// `x: [rows, columns]`, `offsets: [batch + 1]` → `[rows, columns]`.
pub fn forward<T: Real>(x: &[T], offsets: &[u32], columns: usize) -> Vec<T> {
    let longest = offsets.windows(2).map(|rows| rows[1] - rows[0]).max().unwrap_or(0);
    let table = table(longest as usize, columns);
    let positions = offsets.windows(2).flat_map(|rows| 0..(rows[1] - rows[0]) as usize);
    let added = x.chunks_exact(columns).zip(positions).flat_map(|(row, t)| row.iter().zip(&table[t * columns..]));
    added.map(|(&x, &position)| x + T::of(position)).collect()
}

/// The embedding of the first `length` positions, `[length, columns]`; in float64, because the angle of a late position
/// needs more digits than a float32 has.
pub fn table(length: usize, columns: usize) -> Vec<f64> {
    let rates: Vec<f64> = (0..columns).map(|column| BASE.powf(-((column / 2 * 2) as f64) / columns as f64)).collect();
    let angles = (0..length).flat_map(|t| rates.iter().map(move |rate| t as f64 * rate));
    angles.enumerate().map(|(i, angle)| if (i % columns).is_multiple_of(2) { angle.sin() } else { angle.cos() }).collect()
}
