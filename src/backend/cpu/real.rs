//! The number types that the reference computes in.

use std::iter::Sum;
use std::ops::{AddAssign, DivAssign, MulAssign, SubAssign};

use realfft::FftNum;
use realfft::num_traits::Float;

use super::product::View;

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

    /// `result = a · b` on the calling thread; `result: [a rows, b columns]`, row-major.
    ///
    /// Each element is summed in the order of k alone, whatever the number of rows and columns.
    fn gemm(a: View<Self>, b: View<Self>, result: &mut [Self]);

    /// A count as a number.
    fn count(count: usize) -> Self {
        Self::of(count as f64)
    }
}

macro_rules! real {
    ($type:ty, $gemm:path) => {
        impl Real for $type {
            fn of_f32(value: f32) -> Self {
                value as $type
            }

            fn of(value: f64) -> Self {
                value as $type
            }

            fn as_f32(self) -> f32 {
                self as f32
            }

            fn as_f64(self) -> f64 {
                self as f64
            }

            fn gemm(a: View<Self>, b: View<Self>, result: &mut [Self]) {
                let ([rows, depth], columns) = (a.shape(), b.shape()[1]);
                assert_eq!((b.shape()[0], result.len()), (depth, rows * columns), "shapes of a matrix product");
                let ([a_down, a_right], [b_down, b_right]) = (a.strides(), b.strides());
                // SAFETY: a view's strides keep every element of its shape inside its slice, the inner sizes agree and
                // `result` holds rows · columns elements, which alias nothing because the slice is borrowed mutably.
                unsafe {
                    $gemm(
                        rows,
                        depth,
                        columns,
                        1.0,
                        a.first(),
                        a_down,
                        a_right,
                        b.first(),
                        b_down,
                        b_right,
                        0.0,
                        result.as_mut_ptr(),
                        columns as isize,
                        1,
                    );
                }
            }
        }
    };
}

real!(f32, matrixmultiply::sgemm);
real!(f64, matrixmultiply::dgemm);
