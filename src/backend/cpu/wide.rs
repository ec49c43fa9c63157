//! Loops over many numbers: compiled for the vector instructions that the processor has, with the same result on all.
//!
//! The compiler neither fuses nor reorders arithmetic by itself: partial sums and fused additions (`mul_add`) are written where they
//! are wanted, so the instructions change the time alone. Without FMA a fused addition is computed by the C library: slowly.

use super::Real;

/// Numbers that a sum or a maximum carries side by side.
const PARTIAL_SUMS: usize = 16;

/// Declares functions over `T: Real` that run with AVX2 and FMA where the processor has them. What they call must be inlined to profit.
macro_rules! wide {
    ($(
        $(#[$meta:meta])*
        $visibility:vis fn $name:ident<T: Real>($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        $visibility fn $name<T: Real>($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain<T: Real>($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn with_avx2<T: Real>($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                #[expect(unsafe_code)]
                if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has both.
                    return unsafe { with_avx2($($argument),*) };
                }
            }
            plain($($argument),*)
        }
    )*};
}
pub(super) use wide;

/// Sum of `values`, in [`PARTIAL_SUMS`] partial sums that are added in their order.
#[inline(always)]
pub(super) fn sum<T: Real>(values: impl ExactSizeIterator<Item = T>) -> T {
    let mut sums = [T::zero(); PARTIAL_SUMS];
    let mut values = values;
    while values.len() >= PARTIAL_SUMS {
        for sum in &mut sums {
            *sum += values.next().unwrap_or_else(T::zero);
        }
    }
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
    sums.into_iter().sum()
}

wide! {
    /// Adds the rows of `values: [rows, columns]`, in their order, to `sums: [columns]`.
    pub(super) fn add_rows<T: Real>(values: &[T], sums: &mut [T]) {
        for row in values.chunks_exact(sums.len().max(1)) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }

    /// `target += source`.
    pub(super) fn add<T: Real>(source: &[T], target: &mut [T]) {
        for (sum, &value) in target.iter_mut().zip(source) {
            *sum += value;
        }
    }
}
