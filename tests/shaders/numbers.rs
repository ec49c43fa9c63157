//! `shaders/shared/numbers.wgsl` against float64, over arguments of every magnitude.

use mcsan::backend::Storage;
use mcsan::backend::gpu::Checking;

use crate::common::gpus;

/// The functions, and where their values go: a row of five for each argument.
const WALK: &str = concat!(
    include_str!("../../shaders/shared/numbers.wgsl"),
    "
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn walk(@builtin(global_invocation_id) id: vec3u) {
    let i = id.x;
    y[5u * i] = exponential_by_exp2(x[i]);
    y[5u * i + 1u] = sigmoid(x[i]);
    y[5u * i + 2u] = sigmoid_by_exp2(x[i]);
    y[5u * i + 3u] = hyperbolic_tangent(x[i]);
    y[5u * i + 4u] = hyperbolic_tangent_by_exp2(x[i]);
}"
);

/// Every nine-thousandth number from 1e-10 to 1e10, its negative, and what is none; whole workgroups of them.
fn arguments() -> Vec<f32> {
    let sizes = (1e-10_f32.to_bits()..1e10_f32.to_bits()).step_by(9001).map(f32::from_bits);
    let mut all: Vec<f32> = sizes.flat_map(|size| [size, -size]).collect();
    all.extend([0.0, -0.0, f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY]);
    all.resize(all.len().next_multiple_of(64), f32::NAN);
    all
}

#[test]
fn exponentials_sigmoids_and_tanh_are_as_right_as_they_say() {
    let arguments = arguments();
    // Names, values and the largest errors, of 1.
    let of = |x: f64| {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        [
            ("exponential_by_exp2", x.min(0.0).exp(), 3.7e-7),
            ("sigmoid", sigmoid, 2e-7),
            ("sigmoid_by_exp2", sigmoid, 3e-7),
            ("hyperbolic_tangent", x.tanh(), 3e-7),
            ("hyperbolic_tangent_by_exp2", x.tanh(), 4e-7),
        ]
    };
    for (name, gpu) in &gpus("numbers", &[Checking::Off]) {
        let shader = gpu.compile(WALK, "walk");
        let x = gpu.upload(&arguments, [1, arguments.len()]);
        let y = gpu.uninitialised([arguments.len(), 5]);
        gpu.run(&shader, &[x.buffer(), y.buffer()], [arguments.len() as u32 / 64, 1, 1]);
        let values = pollster::block_on(gpu.read(&y)).unwrap();
        for (&x, values) in arguments.iter().zip(values.chunks_exact(5)) {
            for ((function, right, error), &value) in of(x.into()).into_iter().zip(values) {
                let is_right = if x.is_nan() { value.is_nan() } else { (f64::from(value) - right).abs() <= error };
                assert!(is_right, "{name}: {function}({x}) is {value}, not {right}");
            }
        }
    }
}
