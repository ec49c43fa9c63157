// Dynamic loss scaling (Micikevicius et al. 2018, 3.2): gradients that are S times too large become true again, or, where
// they overflowed, the step is left out; S follows.

import package::shared::numbers::is_finite;

struct Args {
    /// Good steps after which S doubles
    patience: u32,
}

@group(0) @binding(0) var<uniform> args: Args;
/// Of the gradients, and the factor on them, 0 for no step
@group(0) @binding(1) var<storage, read_write> norm: array<f32>;
/// S, good steps since it changed, steps skipped
@group(0) @binding(2) var<storage, read_write> scaling: array<f32>;

@compute @workgroup_size(1)
fn update() {
    let scale = scaling[0];
    if (!is_finite(norm[0])) {
        norm[1] = 0.0;
        scaling[0] = scale * 0.5;
        scaling[1] = 0.0;
        scaling[2] += 1.0;
        return;
    }
    norm[0] /= scale;
    norm[1] /= scale;
    scaling[1] += 1.0;
    if (scaling[1] >= f32(args.patience)) {
        scaling[0] = scale * 2.0;
        scaling[1] = 0.0;
    }
}
