// The arithmetic roof: chains of fused multiply-adds that depend on nothing but themselves, enough of them at once to hide
// their latency. What they converge to is stored, so that no compiler may leave them out.

struct Args {
    rounds: u32,
    factor: f32,
    summand: f32,
}

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;

const WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = vec4<f32>(args.factor);
    let summand = vec4<f32>(args.summand);
    var a = vec4<f32>(f32(id.x)) + vec4<f32>(0.0, 0.25, 0.5, 0.75);
    var b = a + 1.0;
    var c = a + 2.0;
    // The launch counts four multiply-adds on three vectors a round.
    for (var round = 0u; round < args.rounds; round++) {
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
    }
    results[id.x] = dot(a + b + c, vec4<f32>(1.0));
}
