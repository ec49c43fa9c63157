//! The number types that the reference computes in.

use std::iter::Sum;
use std::ops::{AddAssign, DivAssign, MulAssign, SubAssign};

use realfft::FftNum;
use realfft::num_traits::Float;

use super::elementary;

/// f32, in which people without a driver train, or f64, which says what the shaders must compute.
pub trait Real: Float + FftNum + AddAssign + SubAssign + MulAssign + DivAssign + Sum + Default {
    /// The nearest number of this type.
    fn of_f32(value: f32) -> Self;

    /// The nearest number of this type.
    fn of(value: f64) -> Self;

    /// The number of this type, rounded.
    fn as_f32(self) -> f32;

    /// The number of this type, exactly.
    fn as_f64(self) -> f64;

    /// e^x; in float32 the module `elementary`'s, which loops can be vectorised over.
    fn exponential(self) -> Self;

    /// tanh x, likewise.
    fn hyperbolic_tangent(self) -> Self;

    /// A count as a number.
    fn count(count: usize) -> Self {
        Self::of(count as f64)
    }
}

macro_rules! real {
    ($type:ty, $exp:path, $tanh:path) => {
        impl Real for $type {
            #[inline(always)]
            fn of_f32(value: f32) -> Self {
                value as $type
            }

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $type
            }

            #[inline(always)]
            fn as_f32(self) -> f32 {
                self as f32
            }

            #[inline(always)]
            fn as_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn exponential(self) -> Self {
                $exp(self)
            }

            #[inline(always)]
            fn hyperbolic_tangent(self) -> Self {
                $tanh(self)
            }
        }
    };
}

real!(f32, elementary::exp, elementary::tanh);
real!(f64, f64::exp, f64::tanh);
