//! Launches of [`Mmd`]: a workgroup a row of either set.

use super::*;
use crate::backend::ops::Mmd;
use shader::mmd::{Args, Distances, Gradients, Pairs};

impl Run<Mmd<Tensor>> for Gpu {
    fn forward(&self, of: &Mmd<Tensor>) -> ((Tensor, [Tensor; 2]), ()) {
        let Mmd { first, second, scaling, weight, bandwidth } = of;
        let ((loss, [first_gradient, second_gradient]), ()) = self.results(of);
        let [rows, width] = first.shape();
        let args =
            Args { rows: rows as u32, width: width as u32, share: weight / (rows * rows) as f32, bandwidth: bandwidth.unwrap_or(0.0) };
        let [squares, slopes] = [(); 2].map(|()| self.new_tensor([2 * rows, 2 * rows]));
        let [square_sums, loss_sums] = [(); 2].map(|()| self.new_tensor([1, 2 * rows]));
        let groups = [2 * rows as u32, 1, 1];
        let launch = Distances { first, second, squares: &squares, square_sums: &square_sums };
        self.dispatch(&launch, args, groups, None);
        let launch = Pairs { saved_squares: &squares, saved_square_sums: &square_sums, slopes: &slopes, loss_sums: &loss_sums };
        self.dispatch(&launch, args, groups, None);
        let launch = Gradients {
            first,
            second,
            saved_slopes: &slopes,
            saved_loss_sums: &loss_sums,
            scaling,
            loss: &loss,
            first_gradient: &first_gradient,
            second_gradient: &second_gradient,
        };
        self.dispatch(&launch, args, groups, work(of));
        ((loss, [first_gradient, second_gradient]), ())
    }
}
