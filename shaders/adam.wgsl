// Adam (Kingma & Ba 2015, algorithm 1) in PyTorch's form, with decoupled weight decay (Loshchilov & Hutter 2019):
// p -= lr λ p;  m = β₁ m + (1-β₁) g;  v = β₂ v + (1-β₂) g²;  p -= lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)

import package::shared::clipping::clip_factor;
import package::shared::grid::flat_group;

struct Args {
    /// Elements
    count: u32,
    /// lr / (1 - β₁ᵗ)
    step_size: f32,
    /// √(1 - β₂ᵗ)
    root_correction: f32,
    beta1: f32,
    /// 1 - β₁, from the host's float64: in float32 the difference would lose digits
    rest1: f32,
    beta2: f32,
    /// 1 - β₂
    rest2: f32,
    epsilon: f32,
    /// 1 - lr λ
    shrink: f32,
    clip_norm: f32,
}

/// What an invocation works on: four numbers where all sizes are multiples of four, which are then counted in fours.
@if(vec4) alias Element = vec4<f32>;
@if(scalar) alias Element = f32;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read_write> parameters: array<Element>;
@group(0) @binding(2) var<storage, read> gradients: array<Element>;
@group(0) @binding(3) var<storage, read_write> first_moment: array<Element>;
@group(0) @binding(4) var<storage, read_write> second_moment: array<Element>;
/// Of all gradients, and the factor on them, 0 for no step
@group(0) @binding(5) var<storage, read> norm: array<f32>;

const WORKGROUP: u32 = 256;

@compute @workgroup_size(WORKGROUP)
fn update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_group(group, groups) * WORKGROUP + lane;
    if (i >= args.count || norm[1] == 0.0) {
        return;
    }
    let g = gradients[i] * norm[1] * clip_factor(norm[0], args.clip_norm);
    let m = args.beta1 * first_moment[i] + args.rest1 * g;
    let v = args.beta2 * second_moment[i] + args.rest2 * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    parameters[i] = parameters[i] * args.shrink - args.step_size * m / (sqrt(v) / args.root_correction + args.epsilon);
}
