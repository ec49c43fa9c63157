// A Fourier transform of real numbers in workgroup memory: even ones are taken for real parts and odd ones for imaginary parts of a
// transform of half the length, in place, from pairs in the order of their reversed bits. Who transforms calls `butterfly` for every
// number below a quarter of the length, stage by stage from 0 to log₂ - 2, with a barrier behind each.

const MAX_TRANSFORM: u32 = 1024;

/// Real and imaginary parts.
var<workgroup> spectrum: array<vec2<f32>, MAX_TRANSFORM / 2>;

/// Where the pair of the numbers 2i and 2i + 1 goes.
fn place_of_pair(i: u32, log2_transform: u32) -> u32 {
    return (reverseBits(i) >> 1u) >> (32u - log2_transform);
}

/// Product of complex numbers.
fn multiply(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

/// Which power of e^(-2πi / transform) turns a butterfly of a stage.
fn turn_of(number: u32, stage: u32, log2_transform: u32) -> u32 {
    return (number & ((1u << stage) - 1u)) << (log2_transform - 1u - stage);
}

fn butterfly(number: u32, stage: u32, turn: vec2<f32>) {
    let distance = 1u << stage;
    let upper = 2u * number - (number & (distance - 1u));
    let a = spectrum[upper];
    let turned = multiply(spectrum[upper + distance], turn);
    spectrum[upper] = a + turned;
    spectrum[upper + distance] = a - turned;
}

/// Bin k of the whole in x and y, and the conjugate of bin length - k in z and w: `length` is that of `spectrum`, k at most half of it,
/// `turn` its power of e^(-2πi / transform). E and O, the transforms of the even and the odd numbers, follow from Z = E + iO and the
/// symmetry of each; bin k is E + wO, and bin length - k the conjugate of E - wO.
fn bins_of(k: u32, length: u32, turn: vec2<f32>) -> vec4<f32> {
    let z = spectrum[k];
    let mirrored = spectrum[(length - k) & (length - 1u)];
    let even = 0.5 * vec2<f32>(z.x + mirrored.x, z.y - mirrored.y);
    let odd = 0.5 * vec2<f32>(z.y + mirrored.y, mirrored.x - z.x);
    let turned = multiply(odd, turn);
    return vec4<f32>(even + turned, even - turned);
}
