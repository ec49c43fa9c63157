//! Launches of [`SegmentSoftmax`] and its gradient: a workgroup an utterance.

use super::*;
use crate::backend::ops::{Differentiate, SegmentSoftmax};
use shader::segment_softmax::{Args, Backward, Forward};

impl Run<SegmentSoftmax<Self, Tensor>> for Gpu {
    fn forward(&self, of: &SegmentSoftmax<Self, Tensor>) -> (Tensor, Tensor) {
        let (weights, kept) = self.results(of);
        let launch = Forward { offsets: &of.rows.device_offsets, x: &of.x, weights: &weights };
        self.dispatch(&launch, Args { accumulate: 0 }, [of.rows.batch() as u32, 1, 1], work(of));
        (weights, kept)
    }
}

impl Differentiate<SegmentSoftmax<Self, Tensor>> for Gpu {
    fn backward(
        &self,
        of: &SegmentSoftmax<Self, Tensor>,
        weights: &Tensor,
        dy: &Tensor,
        sinks: &SegmentSoftmax<Self, Option<Sink<Tensor>>>,
    ) {
        let Some(sink) = &sinks.x else { return };
        let launch = Backward { offsets: &of.rows.device_offsets, saved_weights: weights, y_gradient: dy, x_gradient: &sink.tensor };
        let args = Args { accumulate: sink.accumulates() };
        self.dispatch(&launch, args, [of.rows.batch() as u32, 1, 1], ops::backward_work(of, sinks));
    }
}
