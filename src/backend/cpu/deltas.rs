//! Differences over time: `(D x)_t = Σ_k taps_k · x_{t + k - width / 2}` for each column, within the utterance.

use super::{Cpu, CpuTensor, Real};
use crate::backend::Matrix;
use crate::backend::ops::{DeltaFilter, Deltas, Edges, Run};

impl<T: Real> Run<Deltas<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &Deltas<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let Deltas { x, frames, filter } = of;
        let y = forward(&x.values(), &frames.offsets, x.columns(), &filter.taps.values(), filter);
        (CpuTensor::new(y, [x.rows(), (1 + filter.orders) * x.columns()]), ())
    }
}

/// `x: [frames, columns]`, `offsets: [batch + 1]`, `taps: [filters, width]`; returns `[frames, (1 + orders) · columns]`.
pub(crate) fn forward<T: Real>(x: &[T], offsets: &[u32], columns: usize, taps: &[T], filter: &DeltaFilter<CpuTensor<T>>) -> Vec<T> {
    let width = filter.taps.columns();
    let filters: Vec<&[T]> = taps.chunks_exact(width).collect();
    let utterances = offsets.windows(2).map(|range| &x[range[0] as usize * columns..range[1] as usize * columns]);
    let utterances = utterances.flat_map(|x| {
        let first = filtered(x, columns, filters[0], filter.edges);
        let second = match (filter.orders, &filters[..]) {
            (1, _) => Vec::new(),
            (_, [only]) => filtered(&first, columns, only, filter.edges),
            (_, each) => filtered(x, columns, each[1], filter.edges),
        };
        let orders = [x.to_vec(), first, second];
        let frames = x.len() / columns;
        (0..frames).flat_map(move |t| {
            orders[..1 + filter.orders].iter().flat_map(move |order| order[t * columns..][..columns].to_vec()).collect::<Vec<T>>()
        })
    });
    utterances.collect()
}

/// One filter over one utterance, `[frames, columns]`.
fn filtered<T: Real>(x: &[T], columns: usize, taps: &[T], edges: Edges) -> Vec<T> {
    let (frames, width) = (x.len() / columns, taps.len());
    let frame_of = |t: usize, tap: usize| match edges {
        Edges::Shifted if frames >= width => t.saturating_sub(width / 2).min(frames - width) + tap,
        _ => (t + tap).saturating_sub(width / 2).min(frames - 1),
    };
    let places = (0..frames).flat_map(|t| (0..columns).map(move |column| (t, column)));
    places.map(|(t, column)| taps.iter().enumerate().map(|(tap, &weight)| weight * x[frame_of(t, tap) * columns + column]).sum()).collect()
}
