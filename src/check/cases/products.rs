//! What the cases of matrix products share: number format, activation, tolerance.

use crate::base::numbers::{Activation, Precision};
use crate::check::compare::Tolerance;

/// A product sums at most 512 terms, a weight's gradient a few hundred rows: a sum's rounding is some √n · 6e-8 of its
/// size, 1.5e-6, and its worst element among 1e5 five times that. Where few elements leave a sum that nearly cancels, rounding
/// is still that of its terms.
pub(super) const PRODUCT: Tolerance = Tolerance { floor: 3e-6, ..Tolerance::of_rms(1e-5) };

/// In mixed precision products are exact in f32, whose sums matrix units may round towards zero; devices may take for zero
/// what is denormal in f16, below 6e-5. Factors that were not rounded are 5e-4 off, and sums of them 3e-4.
pub(super) const MIXED_PRODUCT: Tolerance = Tolerance { floor: 6e-5, ..Tolerance::of_rms(3e-5) };

/// The same before a tanh: the gradient there, off by some 1e-6 of itself, may be rounded to the f16 beside it, which is 1.2e-4 away
/// from 1/8 on and 5e-4 from 1/2 on.
pub(super) const MIXED_TANGENT: Tolerance = Tolerance { floor: 5e-4, ..Tolerance::of_rms(2e-4) };

/// Results that so few numbers make may vanish by chance.
pub(super) const FEW: usize = 60;

/// Amplitude of weights.
pub(super) const WEIGHT: f32 = 0.25;

/// What a case's name says of the activation.
pub(super) const ACTIVATIONS: &[(&str, Activation)] = &[("relu", Activation::Relu), ("tanh", Activation::Tanh)];

/// What a case's name says of the number format.
pub(super) const PRECISIONS: &[(&str, Precision)] = &[("mixed", Precision::Mixed)];
