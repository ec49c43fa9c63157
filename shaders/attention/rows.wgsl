// The rows of `attention` for graphics hardware, as its kernels load and store them: four columns of a head at a time.

import super::interface::{
    args, q, k, v, o, saved_o, y_gradient, saved_log_sum_exp, statistics_out, q_gradient, k_gradient, v_gradient, begin,
};
import package::shared::numbers::is_nan;
@if(rounded || matrices) import package::shared::numbers::{round_to_f16, round_fraction};

/// Less than any score, and finite: a running maximum to start from.
const LOWEST: f32 = -3e38;
/// Score of what is no key: even beside LOWEST its weight is 0.
const NO_KEY: f32 = -3.4e38;
const LOG2_E: f32 = 1.44269504;
const LN_2: f32 = 0.69314718;

/// Element of column 4·quad of a head in a row.
fn place(row: u32, head: u32, quad: u32) -> u32 {
    return row * args.width + head * args.head_size + quad * 4u;
}

/// Columns of a head from column 4·quad on, at most four.
fn columns_of(quad: u32) -> u32 {
    return min(args.head_size, quad * 4u + 4u) - min(args.head_size, quad * 4u);
}

/// Places of four columns of a head in a row, past the head's end its last one's. Zeros are chosen afterwards: a loop that writes a
/// vector's component by the loop's variable takes FXC, DX12's older compiler, minutes to unroll.
fn places(row: u32, head: u32, quad: u32) -> vec4<u32> {
    let columns = quad * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    return place(row, head, 0u) + min(columns, vec4<u32>(args.head_size - 1u));
}

/// What was loaded from these places, zero past the head's end; rounded where a product takes it so.
fn taken(quad: u32, loaded: vec4<f32>) -> vec4<f32> {
    var values = loaded;
    @if(rounded) {
        values = vec4<f32>(round_to_f16(loaded.x), round_to_f16(loaded.y), round_to_f16(loaded.z), round_to_f16(loaded.w));
    }
    return select(vec4<f32>(), values, vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(columns_of(quad)));
}

fn load_q(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = begin.q + places(row, head, quad);
    return taken(quad, vec4<f32>(q[at.x], q[at.y], q[at.z], q[at.w]));
}

fn load_k(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = begin.k + places(row, head, quad);
    return taken(quad, vec4<f32>(k[at.x], k[at.y], k[at.z], k[at.w]));
}

fn load_v(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = begin.v + places(row, head, quad);
    return taken(quad, vec4<f32>(v[at.x], v[at.y], v[at.z], v[at.w]));
}

fn load_y_gradient(row: u32, head: u32, quad: u32) -> vec4<f32> {
    let at = begin.y_gradient + places(row, head, quad);
    return taken(quad, vec4<f32>(y_gradient[at.x], y_gradient[at.y], y_gradient[at.z], y_gradient[at.w]));
}

/// Stores the columns of a head that there are of four.
fn store_o(row: u32, head: u32, quad: u32, values: vec4<f32>) {
    let at = begin.o + place(row, head, quad);
    let columns = columns_of(quad);
    if (columns > 0u) {
        o[at] = values.x;
    }
    if (columns > 1u) {
        o[at + 1u] = values.y;
    }
    if (columns > 2u) {
        o[at + 2u] = values.z;
    }
    if (columns > 3u) {
        o[at + 3u] = values.w;
    }
}

/// 2^x of x <= 0 by the hardware: WGSL allows 3 + 2 |x| units in the last place, which are at most three of 2^0, the greatest weight.
fn power_of_two(x: f32) -> f32 {
    return select(exp2(x), x, is_nan(x));
}

/// The same to the nearest f16, but for denormal numbers, of which more bits are left.
@if(rounded || matrices) fn rounded_power_of_two(x: f32) -> f32 {
    return select(round_fraction(exp2(x)), x, is_nan(x));
}

/// A number of the output's gradient as products take it.
fn y_gradient_at(place: u32) -> f32 {
    @if(rounded || matrices) return round_to_f16(y_gradient[place]);
    @else return y_gradient[place];
}

/// Leaves what the way back needs of a row.
fn put_statistics(row: u32, head: u32) {
    let first = row * args.width + head * args.head_size;
    var delta = 0.0;
    for (var column = 0u; column < args.head_size; column++) {
        delta += y_gradient_at(begin.y_gradient + first + column) * saved_o[begin.o + first + column];
    }
    let i = row * args.heads + head;
    statistics_out[begin.statistics + i] = vec2<f32>(saved_log_sum_exp[begin.log_sum_exp + i], delta);
}

/// Stores the columns of a head that there are of four, added to what is there where the gradient accumulates.
fn store_q_gradient(row: u32, head: u32, quad: u32, values: vec4<f32>) {
    var sum = values;
    if (begin.accumulate_first) {
        let at = begin.q_gradient + places(row, head, quad);
        sum += vec4<f32>(q_gradient[at.x], q_gradient[at.y], q_gradient[at.z], q_gradient[at.w]);
    }
    let at = begin.q_gradient + place(row, head, quad);
    let columns = columns_of(quad);
    if (columns > 0u) {
        q_gradient[at] = sum.x;
    }
    if (columns > 1u) {
        q_gradient[at + 1u] = sum.y;
    }
    if (columns > 2u) {
        q_gradient[at + 2u] = sum.z;
    }
    if (columns > 3u) {
        q_gradient[at + 3u] = sum.w;
    }
}

/// The same of a key.
fn store_k_gradient(row: u32, head: u32, quad: u32, values: vec4<f32>) {
    var sum = values;
    if (begin.accumulate_first) {
        let at = begin.k_gradient + places(row, head, quad);
        sum += vec4<f32>(k_gradient[at.x], k_gradient[at.y], k_gradient[at.z], k_gradient[at.w]);
    }
    let at = begin.k_gradient + place(row, head, quad);
    let columns = columns_of(quad);
    if (columns > 0u) {
        k_gradient[at] = sum.x;
    }
    if (columns > 1u) {
        k_gradient[at + 1u] = sum.y;
    }
    if (columns > 2u) {
        k_gradient[at + 2u] = sum.z;
    }
    if (columns > 3u) {
        k_gradient[at + 3u] = sum.w;
    }
}

/// The same of a value.
fn store_v_gradient(row: u32, head: u32, quad: u32, values: vec4<f32>) {
    var sum = values;
    if (begin.accumulate_second) {
        let at = begin.v_gradient + places(row, head, quad);
        sum += vec4<f32>(v_gradient[at.x], v_gradient[at.y], v_gradient[at.z], v_gradient[at.w]);
    }
    let at = begin.v_gradient + place(row, head, quad);
    let columns = columns_of(quad);
    if (columns > 0u) {
        v_gradient[at] = sum.x;
    }
    if (columns > 1u) {
        v_gradient[at + 1u] = sum.y;
    }
    if (columns > 2u) {
        v_gradient[at + 2u] = sum.z;
    }
    if (columns > 3u) {
        v_gradient[at + 3u] = sum.w;
    }
}
