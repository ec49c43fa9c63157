// What the products of `conv_pool` on graphics hardware read and write, four numbers at a time: as vec4s where inputs and outputs are
// multiples of four (`vec4`), else one by one.

import super::interface::{args, x, packed_weight, bias, y, y_gradient, x_gradient, partial};
import package::shared::components::component;
import package::shared::pooling::TAPS;

/// Which of a row's three parts a term belongs to, each `width` terms long; TAPS past the last.
fn tap_of(term: u32, width: u32) -> u32 {
    return u32(term >= width) + u32(term >= 2u * width) + u32(term >= 3u * width);
}

/// The edges of four rows in a word, four bits each. No row reaches what is past the last tap.
fn four_edges(of_rows: vec4<u32>) -> u32 {
    let ends = (of_rows | vec4<u32>(1u << TAPS)) << vec4<u32>(0u, 4u, 8u, 12u);
    return ends.x | ends.y | ends.z | ends.w;
}

/// A block of four rows of four terms from `term` on, each row's zero where it does not reach; the terms of a row lie in three
/// parts of `width`.
fn reached(rows: mat4x4<f32>, row_edges: u32, term: u32, width: u32) -> mat4x4<f32> {
    @if(vec4) let taps = vec4<u32>(tap_of(term, width));
    @else let taps = vec4<u32>(tap_of(term, width), tap_of(term + 1u, width), tap_of(term + 2u, width), tap_of(term + 3u, width));
    let ends = vec4<u32>(row_edges) >> taps;
    return mat4x4<f32>(
        select(vec4<f32>(), rows[0], (ends & vec4<u32>(1u)) == vec4<u32>()),
        select(vec4<f32>(), rows[1], (ends & vec4<u32>(16u)) == vec4<u32>()),
        select(vec4<f32>(), rows[2], (ends & vec4<u32>(256u)) == vec4<u32>()),
        select(vec4<f32>(), rows[3], (ends & vec4<u32>(4096u)) == vec4<u32>()),
    );
}

/// Numbers of an element of the buffers.
@if(vec4) const NUMBERS: u32 = 4;
@else const NUMBERS: u32 = 1;

// Of what lies outside a matrix these load something within: such sums are not stored, such terms count as zero, and so does
// what a row does not reach. Where rows begin, in elements, is computed before a loop whose terms are their columns; the three parts
// of row 0 begin before the first place, and numbers below zero are great ones.

/// Where the 3 · inputs numbers begin that rows read.
fn input_starts(rows: vec4<u32>) -> vec4<u32> {
    return (rows - 1u) * (args.inputs / NUMBERS);
}

/// Where the weights of four outputs from `output` on begin.
fn weight_starts(output: u32) -> vec4<u32> {
    return min(output + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(args.outputs - 1u)) * (TAPS * args.inputs / NUMBERS);
}

/// Four numbers from `term` on of each of four rows of x.
fn inputs_of(starts: vec4<u32>, term: u32) -> mat4x4<f32> {
    return mat4x4<f32>(input_quad(starts.x, term), input_quad(starts.y, term), input_quad(starts.z, term), input_quad(starts.w, term));
}

fn input_quad(start: u32, term: u32) -> vec4<f32> {
    return input_at(start + term / NUMBERS, args.input_rows * args.inputs / NUMBERS - 1u);
}

/// Four numbers of x from an element on, the last where it is none.
fn input_at(place: u32, last: u32) -> vec4<f32> {
    @if(vec4) {
        return x[min(place, last)];
    }
    @else {
        let at = min(place + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
        return vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]);
    }
}

/// Four gradients from an element on, the last where it is none.
fn gradient_at(place: u32, last: u32) -> vec4<f32> {
    @if(vec4) {
        return y_gradient[min(place, last)];
    }
    @else {
        let at = min(place + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
        return vec4<f32>(y_gradient[at.x], y_gradient[at.y], y_gradient[at.z], y_gradient[at.w]);
    }
}

/// Four of the `columns` weights from `first` on of each of four rows of packed weights.
fn weights_of(starts: vec4<u32>, first: u32, columns: u32) -> mat4x4<f32> {
    return mat4x4<f32>(
        weight_quad(starts.x, first, columns),
        weight_quad(starts.y, first, columns),
        weight_quad(starts.z, first, columns),
        weight_quad(starts.w, first, columns),
    );
}

fn weight_quad(start: u32, first: u32, columns: u32) -> vec4<f32> {
    @if(vec4) {
        return packed_weight[start + min(first, columns - 4u) / 4u];
    }
    @else {
        let at = start + min(first + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(columns - 1u));
        return vec4<f32>(packed_weight[at.x], packed_weight[at.y], packed_weight[at.z], packed_weight[at.w]);
    }
}

/// Four packed weights from an element on, the last where it is none.
fn weight_at(place: u32, last: u32) -> vec4<f32> {
    @if(vec4) {
        return packed_weight[min(place, last)];
    }
    @else {
        let at = min(place + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
        return vec4<f32>(packed_weight[at.x], packed_weight[at.y], packed_weight[at.z], packed_weight[at.w]);
    }
}

/// Stores a quad of the result from its maxima; returns it.
fn put_output(window: u32, output: u32, best: vec4<f32>) -> vec4<f32> {
    var values = best + bias_quad(output);
    if (args.relu != 0u) {
        values = select(values, vec4<f32>(), values < vec4<f32>());
    }
    let place = window * args.outputs + output;
    @if(vec4) {
        y[place / 4u] = values;
    }
    @else {
        for (var j = 0u; j < min(4u, args.outputs - output); j++) {
            y[place + j] = component(values, j);
        }
    }
    return values;
}

fn bias_quad(output: u32) -> vec4<f32> {
    @if(vec4) {
        return bias[output / 4u];
    }
    @else {
        let at = min(output + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(args.outputs - 1u));
        return vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    }
}

fn put_input_gradients(row: u32, input: u32, sums: mat4x4<f32>) {
    put_input_gradient(row, input, sums[0]);
    put_input_gradient(row + 1u, input, sums[1]);
    put_input_gradient(row + 2u, input, sums[2]);
    put_input_gradient(row + 3u, input, sums[3]);
}

fn put_input_gradient(row: u32, input: u32, sums: vec4<f32>) {
    if (row >= args.input_rows || input >= args.inputs) {
        return;
    }
    let place = row * args.inputs + input;
    @if(vec4) {
        if (args.accumulate != 0u) {
            x_gradient[place / 4u] += sums;
        } else {
            x_gradient[place / 4u] = sums;
        }
    }
    @else {
        for (var j = 0u; j < min(4u, args.inputs - input); j++) {
            if (args.accumulate != 0u) {
                x_gradient[place + j] += component(sums, j);
            } else {
                x_gradient[place + j] = component(sums, j);
            }
        }
    }
}

fn put_weight_gradients(slab: u32, output: u32, column: u32, sums: mat4x4<f32>) {
    put_weight_gradient(slab, output, column, sums[0]);
    put_weight_gradient(slab, output + 1u, column, sums[1]);
    put_weight_gradient(slab, output + 2u, column, sums[2]);
    put_weight_gradient(slab, output + 3u, column, sums[3]);
}

fn put_weight_gradient(slab: u32, output: u32, column: u32, sums: vec4<f32>) {
    if (output >= args.outputs) {
        return;
    }
    for (var j = 0u; j < 4u; j++) {
        let tap = tap_of(column + j, args.inputs);
        if (tap < TAPS) {
            partial[slab + (output * args.inputs + column + j - tap * args.inputs) * TAPS + tap] = component(sums, j);
        }
    }
}
