//! Support vector machines over several kernels, on the host: what cMKL classifies features with.
//!
//! [`solve`] finds a machine of two classes by sequential minimal optimisation, [`learn`] the weights of a sum of kernels by SimpleMKL,
//! [`select`] the columns that a linear machine goes by, and [`Machine::fit`] makes all of it one [`Machine`] of several classes. The same
//! samples give the same bits, on any number of cores. No library has this: those that there are hold every kernel whole, start each
//! machine from nothing and know no sums of kernels.

mod kernels;
mod machine;
mod mkl;
mod scaling;
mod selection;
mod smo;

use thiserror::Error;

pub use kernels::{BASE_KERNELS, Gram, GramKernel, KernelFamily, KernelSum};
pub use machine::{FitOptions, Machine, Samples, room};
pub use mkl::{Learned, learn};
pub use scaling::Scaling;
pub use selection::select;
pub use smo::{Kernel, Rows, Solution, solve};

/// Work that was given up because that was wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("stopped")]
pub struct Interrupted;

/// Asked now and then whether to go on.
pub type GoingOn<'g> = &'g dyn Fn() -> bool;

/// Refuses to go on where that is wished.
pub(crate) fn go_on(going_on: GoingOn<'_>) -> Result<(), Interrupted> {
    if going_on() { Ok(()) } else { Err(Interrupted) }
}

/// 1 for the samples of each class, -1 for the others: `[classes][samples]`.
pub(crate) fn one_against_the_rest(labels: &[u32], classes: usize) -> Vec<Vec<f64>> {
    let sign = |own: usize, label: u32| if label as usize == own { 1.0 } else { -1.0 };
    (0..classes).map(|class| labels.iter().map(|&label| sign(class, label)).collect()).collect()
}
