// Exponentials that cannot overflow and are right to a rounding or two on every driver (WGSL allows its own exp an error
// that grows with the argument), and NaN told by its bits: drivers may assume that a computation makes none (Metal's with fast math,
// which wgpu leaves on), and then a comparison with one may come out either way. A NaN that lies in memory is seen by its bits anyway;
// of one that the same kernel made, nothing is sure there.

/// Below this argument e^x is taken for 0, above `HIGHEST_EXPONENT` for its value there.
const LOWEST_EXPONENT: f32 = -87.0;
const HIGHEST_EXPONENT: f32 = 88.0;
/// ln 2 in two parts; the first has so few bits that its product with an integer is exact.
const LN_2_HIGH: f32 = 0.693359375;
const LN_2_LOW: f32 = -2.12194440e-4;

/// A sum with a whole number n has n + 127, the exponent of 2^n, as its last bits.
const EXPONENT_LAST: f32 = 8388735.0;

/// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2, and e^r by its series; NaN stays NaN. Without a conversion to
/// integers, which software adapters do number by number.
fn exponential(x: f32) -> f32 {
    let bounded = select(x, HIGHEST_EXPONENT, x > HIGHEST_EXPONENT);
    let n = round(bounded * 1.44269504);
    let r = fma(n, -LN_2_LOW, fma(n, -LN_2_HIGH, bounded));
    var tail = fma(r, 1.0 / 5040.0, 1.0 / 720.0);
    tail = fma(r, tail, 1.0 / 120.0);
    tail = fma(r, tail, 1.0 / 24.0);
    tail = fma(r, tail, 1.0 / 6.0);
    tail = fma(r, tail, 1.0 / 2.0);
    let series = 1.0 + fma(r * r, tail, r);
    let power = bitcast<f32>(bitcast<u32>(n + EXPONENT_LAST) << 23u);
    return select(select(series * power, 0.0, x < LOWEST_EXPONENT), x, is_nan(x));
}

/// Beyond this magnitude tanh and the sigmoid are constant in float32.
const SATURATION: f32 = 30.0;

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

/// The nearest f16, ties to even; infinite from 65520 on. quantizeToF16 may take denormal ones for zero.
fn round_to_f16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let size = bits & 0x7fffffffu;
    // f32 has 13 bits more; a carry goes into the exponent, as it should.
    let normal = (size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u;
    let denormal = bitcast<u32>(round(abs(x) * 16777216.0) / 16777216.0);
    var rounded = select(normal, denormal, size < 0x38800000u);
    rounded = select(rounded, 0x7f800000u, rounded >= 0x47800000u);
    return select(bitcast<f32>(rounded | (bits & 0x80000000u)), x, is_nan(x));
}

/// The same but for denormal numbers, of which more bits are left.
fn round_normal_to_f16(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let size = bits & 0x7fffffffu;
    let normal = (size + 0xfffu + ((size >> 13u) & 1u)) & 0xffffe000u;
    let rounded = select(normal, 0x7f800000u, normal >= 0x47800000u);
    return select(bitcast<f32>(rounded | (bits & 0x80000000u)), x, is_nan(x));
}

/// The same of what is from zero to a few, but for denormal numbers, of which more bits are left.
fn round_fraction(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    return bitcast<f32>((bits + 0xfffu + ((bits >> 13u) & 1u)) & 0xffffe000u);
}

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

/// 1 / (1 + e^-x); NaN stays NaN.
fn sigmoid(x: f32) -> f32 {
    return select(1.0 / (1.0 + exponential(-clamp(x, -SATURATION, SATURATION))), x, is_nan(x));
}

/// tanh by e^-2|x|, by its series near zero where that would cancel; NaN stays NaN.
fn hyperbolic_tangent(x: f32) -> f32 {
    return tangent_by_decay(x, exponential(-2.0 * min(abs(x), SATURATION)));
}

/// tanh from e^-2|x|.
fn tangent_by_decay(x: f32, decay: f32) -> f32 {
    let size = min(abs(x), SATURATION);
    let far = (1.0 - decay) / (1.0 + decay);
    let square = x * x;
    let near = size * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0)))));
    let value = select(far, near, size < 0.3);
    return select(select(value, -value, x < 0.0), x, is_nan(x));
}

// The same by WGSL's exp2, which graphics hardware has as an instruction; variants for software adapters keep the series. Vulkan
// allows 2^y an error of 3 + 2|y| ULP, and rounding y itself adds |y| / 3. Below zero 2^y falls faster than that grows, so that
// nothing need be split off of y: the error is never more than 3.1 ULP of 1, 3.7e-7.
const LOG2_E: f32 = 1.44269504;

/// e^x for x <= 0, right to 3.7e-7; 0 below `LOWEST_EXPONENT`, 1 above zero. NaN stays NaN.
fn exponential_by_exp2(x: f32) -> f32 {
    let power = exp2(LOG2_E * clamp(x, LOWEST_EXPONENT, 0.0));
    return select(select(power, 0.0, x < LOWEST_EXPONENT), x, is_nan(x));
}

/// 1 / (1 + e^-x), right to 3e-7: an error of e^-x counts by σ(x) σ(-x). NaN stays NaN.
fn sigmoid_by_exp2(x: f32) -> f32 {
    return select(1.0 / (1.0 + exp2(-LOG2_E * clamp(x, -SATURATION, SATURATION))), x, is_nan(x));
}

/// tanh x, right to 4e-7, by its series to a rounding near zero. NaN stays NaN.
fn hyperbolic_tangent_by_exp2(x: f32) -> f32 {
    return tangent_by_decay(x, exp2(-2.0 * LOG2_E * min(abs(x), SATURATION)));
}

/// Of each of four.
fn sigmoids(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(sigmoid(x.x), sigmoid(x.y), sigmoid(x.z), sigmoid(x.w));
}

/// Of each of four.
fn hyperbolic_tangents(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(hyperbolic_tangent(x.x), hyperbolic_tangent(x.y), hyperbolic_tangent(x.z), hyperbolic_tangent(x.w));
}
