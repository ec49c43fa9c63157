//! Means of segments of rows, `y_s = Σ_i x_i / n` over the n rows of segment s; zeros where there is none. On the way back a row gets of
//! each segment that it lies in. A number that is not finite stays in its segments.

use super::{Differentiable, Operation, Shape, Sizes};
use crate::backend::{Matrix, Storage, Work};

/// → `[segments, d]`.
pub struct SegmentMean<B: Storage, T> {
    /// `[rows, d]`
    pub x: T,
    /// Which rows.
    pub segments: Segments<B>,
}

/// Segments of the rows of a matrix, as words are of an utterance's frames. A clone shares them.
pub struct Segments<B: Storage> {
    /// `[segments]` of (first row, end).
    pub bounds: B::Words,
    /// `[rows]` of (first segment that a row lies in, end).
    pub covering: B::Words,
    /// How many segments there are.
    pub count: usize,
    /// Rows of all segments, those in several counted as often.
    pub covered: usize,
}

impl<B: Storage> Segments<B> {
    /// Uploads the segments of a matrix of so many rows. Neither starts nor ends may fall; they may leave rows out and have some in common.
    pub fn new(backend: &B, starts: &[u32], ends: &[u32], rows: usize) -> Self {
        debug_assert!(starts.is_sorted() && ends.is_sorted() && ends.last().is_none_or(|&end| end as usize <= rows));
        let bounds: Vec<u32> = starts.iter().zip(ends).flat_map(|(&start, &end)| [start, end]).collect();
        // Those that begin up to a row and end after it follow each other, for both rise.
        let covering = (0..rows as u32).flat_map(|row| {
            let [first, end] = [ends.partition_point(|&end| end <= row), starts.partition_point(|&start| start <= row)];
            [first as u32, end as u32]
        });
        Self {
            bounds: backend.upload_words(&bounds),
            covering: backend.upload_words(&covering.collect::<Vec<_>>()),
            count: starts.len(),
            covered: starts.iter().zip(ends).map(|(start, end)| (end - start) as usize).sum(),
        }
    }
}

impl<B: Storage> Clone for Segments<B> {
    fn clone(&self) -> Self {
        let Self { bounds, covering, count, covered } = self;
        Self { bounds: bounds.clone(), covering: covering.clone(), count: *count, covered: *covered }
    }
}

impl<B: Storage, T> Operation<B> for SegmentMean<B, T> {
    const KERNEL: &'static str = "segment_mean";
    type Operand = T;
    type On<U> = SegmentMean<B, U>;
    type Output = B::Tensor;
    type Kept = ();

    fn map<U>(&self, mut form: impl FnMut(&T) -> U) -> SegmentMean<B, U> {
        SegmentMean { x: form(&self.x), segments: self.segments.clone() }
    }

    fn results(of: &SegmentMean<B, Shape>, on: &B) -> (B::Tensor, ()) {
        (on.uninitialised([of.segments.count, of.x.columns()]), ())
    }

    fn sizes(of: &SegmentMean<B, Shape>) -> Sizes {
        vec![("rows", of.x.rows()), ("width", of.x.columns()), ("segments", of.segments.count)]
    }

    fn work(of: &SegmentMean<B, Shape>) -> Work {
        let Segments { covered, count, .. } = of.segments;
        Work::elementwise(1.0, covered * of.x.columns(), (covered + count) * of.x.columns())
    }
}

impl<B: Storage, T> Differentiable<B> for SegmentMean<B, T> {
    fn backward_work(of: &SegmentMean<B, Shape>, _: &SegmentMean<B, bool>) -> Work {
        let Segments { covered, count, .. } = of.segments;
        Work::elementwise(2.0, covered * of.x.columns(), of.x.len() + count * of.x.columns())
    }
}
