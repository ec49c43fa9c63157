//! Loops over many numbers: compiled for the vector instructions that the processor has, with the same result on all.
//!
//! The compiler neither fuses nor reorders arithmetic by itself: partial sums and fused additions (`mul_add`) are written where they
//! are wanted, so the instructions change the time alone. Without FMA a fused addition is computed by the C library: slowly.

use super::Real;

/// Numbers that are worth a thread of their own where each is gone through once.
pub(super) const ENOUGH: usize = 1 << 16;
/// Numbers of a task where their order does not matter.
pub(super) const CHUNK: usize = 1 << 14;

/// Numbers that a sum or a maximum carries side by side.
const PARTIAL_SUMS: usize = 16;

/// Declares functions over `T: Real` that run with AVX-512, or with AVX2 and FMA, where the processor has them. What they call must be
/// inlined to profit. `REGISTER` is the bytes of a vector register there: what its size decides may be the order of the work, never
/// that of a sum.
macro_rules! wide {
    ($(
        $(#[$meta:meta])*
        $visibility:vis fn $name:ident<T: Real>($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block
    )*) => {$(
        $(#[$meta])*
        $visibility fn $name<T: Real>($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain<T: Real, const REGISTER: usize>($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
                fn with_avx512<T: Real>($($argument: $type),*) $(-> $result)? {
                    plain::<T, 64>($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn with_avx2<T: Real>($($argument: $type),*) $(-> $result)? {
                    plain::<T, 32>($($argument),*)
                }
                #[expect(unsafe_code)]
                match $crate::backend::cpu::wide::register() {
                    // SAFETY: the processor has them.
                    64 => return unsafe { with_avx512($($argument),*) },
                    // SAFETY: the processor has both.
                    32 => return unsafe { with_avx2($($argument),*) },
                    _ => {}
                }
            }
            plain::<T, 16>($($argument),*)
        }
    )*};
}
pub(super) use wide;

/// Bytes of the widest registers that the loops are compiled for and the processor has.
#[inline]
pub(super) fn register() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! has {
            ($($feature:tt)*) => { $(std::is_x86_feature_detected!($feature))&&* };
        }
        if has!("avx512f" "avx512bw" "avx512dq" "avx512vl" "fma") {
            return 64;
        }
        if has!("avx2" "fma") {
            return 32;
        }
    }
    16
}

/// Sum of what `term` makes of the values, in [`PARTIAL_SUMS`] partial sums that are added in their order.
#[inline(always)]
pub(super) fn sum_of<T: Real>(values: &[T], term: impl Fn(T) -> T) -> T {
    let mut sums = [T::zero(); PARTIAL_SUMS];
    let (chunks, rest) = values.as_chunks::<PARTIAL_SUMS>();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, &value)| *sum += term(value));
    }
    sums.iter_mut().zip(rest).for_each(|(sum, &value)| *sum += term(value));
    sums.into_iter().sum()
}

/// The largest value that is a number.
#[inline(always)]
pub(super) fn highest<T: Real>(values: &[T]) -> T {
    let higher = |highest: T, value: T| if value > highest { value } else { highest };
    let mut highest = [T::neg_infinity(); PARTIAL_SUMS];
    let (chunks, rest) = values.as_chunks::<PARTIAL_SUMS>();
    for chunk in chunks {
        highest.iter_mut().zip(chunk).for_each(|(highest, &value)| *highest = higher(*highest, value));
    }
    highest.iter_mut().zip(rest).for_each(|(highest, &value)| *highest = higher(*highest, value));
    highest.into_iter().fold(T::neg_infinity(), higher)
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

    /// `values *= factor`.
    pub(super) fn scale<T: Real>(values: &mut [T], factor: T) {
        values.iter_mut().for_each(|value| *value *= factor);
    }

    /// `target += source`.
    pub(super) fn add<T: Real>(source: &[T], target: &mut [T]) {
        for (sum, &value) in target.iter_mut().zip(source) {
            *sum += value;
        }
    }
}
