// Philox4x32-10 (Salmon et al., SC 2011); `src/base/philox.rs` is the same function.

/// High and low word of a 64-bit product, by 16-bit parts.
fn wide_product(a: u32, b: u32) -> vec2<u32> {
    let low_low = (a & 0xffffu) * (b & 0xffffu);
    let low_high = (a & 0xffffu) * (b >> 16u);
    let high_low = (a >> 16u) * (b & 0xffffu);
    let middle = (low_low >> 16u) + (low_high & 0xffffu) + (high_low & 0xffffu);
    let high = (a >> 16u) * (b >> 16u) + (low_high >> 16u) + (high_low >> 16u) + (middle >> 16u);
    return vec2<u32>(high, a * b);
}

/// Block of four random words for a 128-bit counter under a 64-bit key.
fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var state = counter;
    var round_key = key;
    for (var round = 0u; round < 10u; round++) {
        let even = wide_product(state.x, 0xD2511F53u);
        let odd = wide_product(state.z, 0xCD9E8D57u);
        state = vec4<u32>(odd.x ^ state.y ^ round_key.x, odd.y, even.x ^ state.w ^ round_key.y, even.y);
        round_key += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return state;
}

/// Random bits as a number in [0, 1).
fn unit(word: u32) -> f32 {
    return f32(word >> 8u) / 16777216.0;
}
