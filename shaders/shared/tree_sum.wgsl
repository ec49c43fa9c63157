// Sum over the invocations of a workgroup.

const WORKGROUP: u32 = 256;

var<workgroup> sums: array<f32, WORKGROUP>;

/// Adds the invocations' values by halves; the order is the same on every device.
fn tree_sum(lane: u32, value: f32) -> f32 {
    sums[lane] = value;
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    return sums[0];
}
