// Four floats in memory as two words of 64 bits. Software adapters load and store the components of a vector one after the
// other, address by address, and 64 bits cost no more there than 32.

alias Words = vec2<u64>;

fn floats(words: Words) -> vec4<f32> {
    let even = bitcast<vec2<f32>>(vec2<u32>(words));
    let odd = bitcast<vec2<f32>>(vec2<u32>(words >> vec2<u32>(32u)));
    return vec4<f32>(even.x, odd.x, even.y, odd.y);
}

fn words(floats: vec4<f32>) -> Words {
    let even = vec2<u64>(bitcast<vec2<u32>>(floats.xz));
    let odd = vec2<u64>(bitcast<vec2<u32>>(floats.yw));
    return even | (odd << vec2<u32>(32u));
}
