// A component of a vector by a variable, as FXC, DX12's older compiler, must get it: for `values[i]` it multiplies all of them by a
// row of the identity, and one that is not finite makes NaN of the others.

fn component(values: vec4<f32>, i: u32) -> f32 {
    return select(select(values.x, values.y, i == 1u), select(values.z, values.w, i == 3u), i >= 2u);
}
