// Exponentials that cannot overflow, and NaN told by its bits (drivers may assume that there is none).

/// Beyond this magnitude tanh and the sigmoid are constant in float32.
const SATURATION: f32 = 30.0;

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

/// 1 / (1 + e^-x); NaN stays NaN.
fn sigmoid(x: f32) -> f32 {
    return select(1.0 / (1.0 + exp(-clamp(x, -SATURATION, SATURATION))), x, is_nan(x));
}

/// tanh by e^-2|x|, by its series near zero where that would cancel; NaN stays NaN.
fn hyperbolic_tangent(x: f32) -> f32 {
    let size = min(abs(x), SATURATION);
    let decay = exp(-2.0 * size);
    let far = (1.0 - decay) / (1.0 + decay);
    let square = x * x;
    let near = size * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0)))));
    let value = select(far, near, size < 0.3);
    return select(select(value, -value, x < 0.0), x, is_nan(x));
}
