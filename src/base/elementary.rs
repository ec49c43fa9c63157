//! Exponential and hyperbolic tangent without a branch or a call, so that loops over them become vector instructions, and
//! with the same bits whatever the processor and its C library.

/// Beyond these, e^x leaves the normal numbers of float32: it becomes infinity, or zero.
const HIGHEST: f32 = 88.722_84;
const LOWEST: f32 = -86.6;

/// `2ⁿ⁻¹` and `eʳ - 1` of `x = n ln 2 + r`, |r| ≤ ½ ln 2, the latter by Taylor's series to r⁷; half the power, because 2¹²⁸ is
/// no float32.
#[inline(always)]
fn reduced(x: f32) -> (f32, f32) {
    // ln 2 in two parts, of which the first has trailing zeros enough that n times it is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // A number this large has no bits for a fraction, so adding it rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let tail = 1.0 / 2.0 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5040.0)))));
    let half_power = f32::from_bits((shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(126)) << 23);
    (half_power, r + r * r * tail)
}

/// e^x to about one unit in the last place; NaN stays NaN.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let within = if x > HIGHEST { HIGHEST } else { x };
    let within = if within < LOWEST { LOWEST } else { within };
    let (half, rest) = reduced(within);
    let power = 2.0 * (half + half * rest);
    let power = if x > HIGHEST { f32::INFINITY } else { power };
    if x < LOWEST { 0.0 } else { power }
}

/// tanh x as `-m / (2 + m)`, `m = e^(-2|x|) - 1`, where nothing cancels; NaN stays NaN.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let twice = -2.0 * x.abs();
    let (half, rest) = reduced(if twice < LOWEST { LOWEST } else { twice });
    let m = (2.0 * half - 1.0) + 2.0 * half * rest;
    (-m / (2.0 + m)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest relative distance from float64 over numbers from -90 to 90 and small ones.
    fn worst(approximate: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let even = (-90_000..=90_000).map(|i| i as f32 * 1e-3);
        let small = (-2000i32..2000).map(|i| if i < 0 { -1.0f32 } else { 1.0 } * (-(i.abs() as f32) * 0.01).exp2());
        let distance = |x: f32| {
            let want = exact(f64::from(x));
            if want.abs() < 1e-37 || want > f64::from(f32::MAX) { 0.0 } else { ((f64::from(approximate(x)) - want) / want).abs() }
        };
        even.chain(small).map(distance).fold(0.0, f64::max)
    }

    #[test]
    fn they_are_within_a_few_roundings_of_the_exact_values() {
        let (exponential, tangent) = (worst(exp, f64::exp), worst(tanh, f64::tanh));
        assert!(exponential < 1e-7, "exp: {exponential:e}");
        assert!(tangent < 2e-7, "tanh: {tangent:e}");
    }

    #[test]
    fn the_ends_are_right() {
        assert_eq!(
            [exp(0.0), exp(f32::NEG_INFINITY), exp(-1e30), exp(f32::INFINITY), exp(89.0)],
            [1.0, 0.0, 0.0, f32::INFINITY, f32::INFINITY]
        );
        assert!(exp(88.72).is_finite() && exp(-86.5) > 0.0);
        assert_eq!([tanh(0.0), tanh(f32::INFINITY), tanh(-50.0)], [0.0, 1.0, -1.0]);
        assert!(exp(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
    }
}
