//! Terms of a product by WebAssembly's vectors, which have no fused addition.
//!
//! A product of two float32 is exact in float64, so that its sum with a third, taken there, is rounded once more to float32. The bits are those of
//! [`f32::mul_add`] but where the first rounding ends half-way between two float32, or where these lie closer than usual: what may
//! differ is left to `mul_add`, the C library's.

use std::arch::wasm32::{
    f32x4, f32x4_demote_f64x2_zero, f32x4_extract_lane, f64x2_abs, f64x2_add, f64x2_le, f64x2_mul, f64x2_ne, f64x2_promote_low_f32x4,
    f64x2_splat, i64x2_eq, i64x2_shuffle, i64x2_splat, v128, v128_and, v128_any_true, v128_or,
};

/// float32 of a vector.
const LANES: usize = 4;
/// The bits that a float64 has beyond a float32's, and what they are half-way between two.
const BEYOND: i64 = (1 << 29) - 1;
const HALFWAY: i64 = 1 << 28;

/// `sums += factors ⊗ values`, each sum rounded once.
#[inline(always)]
pub(super) fn add_term<const ROWS: usize, const COLUMNS: usize>(
    sums: &mut [[f32; COLUMNS]; ROWS],
    factors: [f32; ROWS],
    values: &[f32; COLUMNS],
) {
    const { assert!(COLUMNS.is_multiple_of(LANES)) };
    for part in 0..COLUMNS / LANES {
        let at = part * LANES;
        let of = four(values, at);
        let (of_low, of_high) = (low(of), high(of));
        for (sums, factor) in sums.iter_mut().zip(factors) {
            let (before, factors) = (four(sums, at), f64x2_splat(factor.into()));
            let low = f64x2_add(f64x2_mul(factors, of_low), low(before));
            let high = f64x2_add(f64x2_mul(factors, of_high), high(before));
            if v128_any_true(v128_or(may_differ(low), may_differ(high))) {
                add_each(&mut sums[at..at + LANES], factor, &values[at..at + LANES]);
                continue;
            }
            let sum = i64x2_shuffle::<0, 2>(f32x4_demote_f64x2_zero(low), f32x4_demote_f64x2_zero(high));
            sums[at] = f32x4_extract_lane::<0>(sum);
            sums[at + 1] = f32x4_extract_lane::<1>(sum);
            sums[at + 2] = f32x4_extract_lane::<2>(sum);
            sums[at + 3] = f32x4_extract_lane::<3>(sum);
        }
    }
}

/// Four numbers from the place `at` on.
#[inline(always)]
fn four(values: &[f32], at: usize) -> v128 {
    f32x4(values[at], values[at + 1], values[at + 2], values[at + 3])
}

/// The first two of four numbers as float64.
#[inline(always)]
fn low(four: v128) -> v128 {
    f64x2_promote_low_f32x4(four)
}

/// The last two.
#[inline(always)]
fn high(four: v128) -> v128 {
    f64x2_promote_low_f32x4(i64x2_shuffle::<1, 1>(four, four))
}

/// All bits of a sum that rounding twice may spoil.
#[inline(always)]
fn may_differ(sum: v128) -> v128 {
    let is_halfway = i64x2_eq(v128_and(sum, i64x2_splat(BEYOND)), i64x2_splat(HALFWAY));
    let is_tiny = f64x2_le(f64x2_abs(sum), f64x2_splat(f32::MIN_POSITIVE.into()));
    v128_or(is_halfway, v128_and(is_tiny, f64x2_ne(sum, f64x2_splat(0.0))))
}

#[cold]
fn add_each(sums: &mut [f32], factor: f32, values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum = factor.mul_add(value, *sum));
}
