//! The columns that a linear machine goes by: of one machine a class against the rest, the sum of each column's weights by magnitude is
//! at least the columns' mean.

use super::kernels::{Gram, GramKernel};
use super::smo::{Rows, solve};
use super::{GoingOn, Interrupted};

/// C of the machines.
const C: f64 = 1.0;

/// Places of the columns that are kept of features `[samples, columns]`, rising; `signs`: `[classes][samples]`.
///
/// # Errors
/// [`Interrupted`]
pub fn select(features: &[f32], columns: usize, signs: &[Vec<f64>], going_on: GoingOn<'_>) -> Result<Vec<usize>, Interrupted> {
    let gram = Gram::of(features, columns);
    let kernel = GramKernel(&gram);
    let mut rows = Rows::of(&kernel);
    let mut importance = vec![0.0; columns];
    for own in signs {
        let solution = solve(&mut rows, own, C, None, going_on)?;
        let mut weights = vec![0.0; columns];
        for ((row, alpha), sign) in features.chunks_exact(columns).zip(&solution.alpha).zip(own).filter(|((_, alpha), _)| **alpha > 0.0) {
            weights.iter_mut().zip(row).for_each(|(weight, &x)| *weight += alpha * sign * f64::from(x));
        }
        importance.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight.abs());
    }
    let mean = importance.iter().sum::<f64>() / columns as f64;
    // The greatest is kept even where rounding lifts the mean of equals above all of them.
    let bound = importance.iter().copied().fold(0.0, f64::max).min(mean);
    Ok((0..columns).filter(|&column| importance[column] >= bound).collect())
}
