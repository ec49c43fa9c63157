//! Adds the sinusoidal position embedding (Vaswani et al. 2017, 3.5): with t the row within its sequence, even columns 2i get
//! sin(t / 10000^(2i/d)), odd columns 2i + 1 the cosine. The gradient passes unchanged. Each element by itself, as IEEE 754 has it.

use super::{Operation, Shape, Sizes};
use crate::backend::{Matrix, Ragged, Storage, Work};

/// `[rows, d]` → the same shape.
pub struct PositionEmbedding<B: Storage, T> {
    /// `[rows, d]`
    pub x: T,
    /// The sequences.
    pub rows: Ragged<B>,
}

impl<B: Storage, T> Operation<B> for PositionEmbedding<B, T> {
    const KERNEL: &'static str = "position_embedding";
    type Operand = T;
    type On<U> = PositionEmbedding<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> PositionEmbedding<B, U> {
        PositionEmbedding { x: form(&self.x), rows: self.rows.clone() }
    }

    fn results(of: &PositionEmbedding<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised(of.x.shape()), ())
    }

    fn sizes(of: &PositionEmbedding<B, Shape>) -> Sizes {
        vec![("count", of.x.len())]
    }

    fn work(of: &PositionEmbedding<B, Shape>) -> Work {
        Work::elementwise(1.0, of.x.len(), 2 * of.x.len())
    }
}

/// The embedding of the first `positions` rows, `[positions, columns]`, computed in float64.
pub fn position_table(positions: usize, columns: usize) -> Vec<f32> {
    let value = |position: usize, column: usize| {
        let angle = position as f64 / 10_000f64.powf((column / 2 * 2) as f64 / columns as f64);
        (if column.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    (0..positions).flat_map(|position| (0..columns).map(move |column| value(position, column))).collect()
}
