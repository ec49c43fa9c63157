//! Launch of [`CrossEntropy`].

use super::*;
use crate::backend::ops::CrossEntropy;
use shader::cross_entropy::{Args, Forward};

impl Run<CrossEntropy<Self, Tensor>> for Gpu {
    fn forward(&self, of: &CrossEntropy<Self, Tensor>) -> ((Tensor, Tensor), ()) {
        let CrossEntropy { logits, class_weights, scaling, labels, smoothing, weight, total_weight } = of;
        let ((loss, gradient), ()) = self.results(of);
        let args = Args {
            batch: logits.rows() as u32,
            classes: logits.columns() as u32,
            smoothing: *smoothing,
            weight: *weight,
            total_weight: total_weight.unwrap_or(0.0),
        };
        let launch = Forward { logits, labels, class_weights, loss: &loss, gradient: &gradient, scaling };
        self.dispatch(&launch, args, [1, 1, 1], work(of));
        ((loss, gradient), ())
    }
}
