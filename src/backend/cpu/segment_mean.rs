//! Means of segments of rows; on the way back `dx_i = Σ_s dy_s / n_s` over the segments s that row i lies in.

use super::memory::{copied, keep, unwritten};
use super::wide::{ENOUGH, add, add_rows};
use super::{Cpu, CpuTensor, Real};
use crate::backend::ops::{Differentiate, Run, SegmentMean, Segments};
use crate::backend::{Matrix, Sink};
use crate::base::parallel::*;

impl<T: Real> Run<SegmentMean<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &SegmentMean<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let means = forward(&of.x.values(), &of.segments.bounds, of.x.columns());
        (CpuTensor::new(means, [of.segments.count, of.x.columns()]), ())
    }
}

impl<T: Real> Differentiate<SegmentMean<Self, CpuTensor<T>>> for Cpu<T> {
    fn backward(
        &self,
        of: &SegmentMean<Self, CpuTensor<T>>,
        (): &(),
        dy: &CpuTensor<T>,
        sinks: &SegmentMean<Self, Option<Sink<CpuTensor<T>>>>,
    ) {
        if let Some(sink) = &sinks.x {
            let dx = backward(&dy.values(), &of.segments, of.x.columns());
            sink.store(dx);
        }
    }
}

/// `x: [rows, width]`, `bounds: [segments, 2]` → `[segments, width]`.
fn forward<T: Real>(x: &[T], bounds: &[u32], width: usize) -> Vec<T> {
    let mut means = unwritten(bounds.len() / 2 * width);
    let segments = means.par_chunks_exact_mut(width).zip(bounds.par_chunks_exact(2));
    segments.with_min_len(least(x.len() / (bounds.len() / 2).max(1), ENOUGH)).for_each(|(mean, bounds)| {
        mean.fill(T::zero());
        add_rows(&x[bounds[0] as usize * width..bounds[1] as usize * width], mean);
        divide(mean, bounds);
    });
    means
}

/// `dy: [segments, width]` → `dx: [rows, width]`.
fn backward<T: Real>(dy: &[T], segments: &Segments<Cpu<T>>, width: usize) -> Vec<T> {
    let mut shares = copied(dy);
    shares.chunks_exact_mut(width).zip(segments.bounds.chunks_exact(2)).for_each(|(share, bounds)| divide(share, bounds));
    let (offsets, covering) = (&*segments.covering_offsets, &*segments.covering);
    let mut dx = unwritten((offsets.len() - 1) * width);
    let rows = dx.par_chunks_exact_mut(width).zip(offsets.par_windows(2)).with_min_len(least(width, ENOUGH));
    rows.for_each(|(dx, places)| {
        let mut shares =
            covering[places[0] as usize..places[1] as usize].iter().map(|&segment| &shares[segment as usize * width..][..width]);
        match shares.next() {
            Some(first) => dx.copy_from_slice(first),
            None => dx.fill(T::zero()),
        }
        shares.for_each(|share| add(share, dx));
    });
    keep(shares);
    dx
}

/// By the rows of a segment.
fn divide<T: Real>(values: &mut [T], bounds: &[u32]) {
    let rows = T::count((bounds[1] - bounds[0]).max(1) as usize);
    values.iter_mut().for_each(|value| *value /= rows);
}
