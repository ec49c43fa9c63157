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
    /// `[rows + 1]`: range in `covering` of each row.
    pub covering_offsets: B::Words,
    /// The segments that a row lies in, in rising order.
    pub covering: B::Words,
    /// How many segments there are.
    pub count: usize,
    /// Rows of all segments, those in several counted as often.
    pub covered: usize,
}

impl<B: Storage> Segments<B> {
    /// Uploads the segments of a matrix of so many rows. They may leave rows out, and have some in common.
    pub fn new(backend: &B, starts: &[u32], ends: &[u32], rows: usize) -> Self {
        let ranges = || starts.iter().zip(ends).map(|(&start, &end)| start..end);
        let mut offsets = vec![0u32; rows + 1];
        ranges().flatten().for_each(|row| offsets[row as usize + 1] += 1);
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        let mut next = offsets.clone();
        let mut covering = vec![0u32; offsets[rows] as usize];
        for (segment, range) in (0..).zip(ranges()) {
            for row in range {
                covering[next[row as usize] as usize] = segment;
                next[row as usize] += 1;
            }
        }
        Self {
            bounds: backend.upload_words(&ranges().flat_map(|range| [range.start, range.end]).collect::<Vec<_>>()),
            covering_offsets: backend.upload_words(&offsets),
            covering: backend.upload_words(&covering),
            count: starts.len(),
            covered: covering.len(),
        }
    }
}

impl<B: Storage> Clone for Segments<B> {
    fn clone(&self) -> Self {
        let Self { bounds, covering_offsets, covering, count, covered } = self;
        let [bounds, covering_offsets, covering] = [bounds, covering_offsets, covering].map(B::Words::clone);
        Self { bounds, covering_offsets, covering, count: *count, covered: *covered }
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
