// Products of `gru` for graphics hardware: what is multiplied lies on chip, a vector for each unit, and the weights stream from cache, four
// terms of a unit in a load (`shared/packed.wgsl`).

import super::interface::{args, recurrent};
import super::sequences::{UNITS, PARTS, WORKGROUP, MAX_HIDDEN, Slice, some_unit};
import package::shared::packed::{TERMS, fours_of};

/// What is multiplied, of each unit: the states, or the gradients of a gate; past the last unit zeros.
var<workgroup> factors: array<vec4<f32>, MAX_HIDDEN>;
/// The same of a second gate.
var<workgroup> second_factors: array<vec4<f32>, MAX_HIDDEN>;
/// Sums that each invocation made, for the other part's.
@if(to128) var<workgroup> exchanged: array<vec4<f32>, 2 * WORKGROUP>;

/// Sums of two gates.
struct Pair {
    first: vec4<f32>,
    second: vec4<f32>,
}

/// A sum, and what the terms from `k` on add by their weights.
fn with_four(sum: vec4<f32>, weights: vec4<f32>, numbers: mat4x4<f32>) -> vec4<f32> {
    let half = fma(numbers[1], vec4<f32>(weights.y), fma(numbers[0], vec4<f32>(weights.x), sum));
    return fma(numbers[3], vec4<f32>(weights.w), fma(numbers[2], vec4<f32>(weights.z), half));
}

fn factors_at(k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(factors[k], factors[k + 1u], factors[k + 2u], factors[k + 3u]);
}

fn second_factors_at(k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(second_factors[k], second_factors[k + 1u], second_factors[k + 2u], second_factors[k + 3u]);
}

/// Fours of terms of a turn of a product's loop, whose weights are fetched together: all parts take TERMS terms.
const TURN: u32 = TERMS / 4 / PARTS;

/// Where the weights of a gate's product begin for a unit, the first of the invocation's part of the terms.
fn weights_of(slice: Slice, gate: u32, unit: u32, lane: u32) -> u32 {
    let fours = fours_of(args.hidden);
    return slice.recurrent + (gate * fours + lane / UNITS * (fours / PARTS)) * args.hidden + some_unit(unit);
}

/// The product of the factors with a gate's weights.
fn product(slice: Slice, gate: u32, unit: u32, lane: u32) -> vec4<f32> {
    let pitch = args.hidden;
    let fours = fours_of(args.hidden) / PARTS;
    var at = weights_of(slice, gate, unit, lane);
    var k = lane / UNITS * fours * 4u;
    var sum = vec4<f32>();
    for (var taken = 0u; taken < fours; taken += TURN) {
        sum = with_four(sum, recurrent[at], factors_at(k));
        sum = with_four(sum, recurrent[at + pitch], factors_at(k + 4u));
        @if(!to128) {
            sum = with_four(sum, recurrent[at + 2u * pitch], factors_at(k + 8u));
            sum = with_four(sum, recurrent[at + 3u * pitch], factors_at(k + 12u));
        }
        at += TURN * pitch;
        k += TURN * 4u;
    }
    return whole(sum, lane);
}

/// The products of the same factors with two gates' weights.
fn products_of_one(slice: Slice, first: u32, second: u32, unit: u32, lane: u32) -> Pair {
    let pitch = args.hidden;
    let fours = fours_of(args.hidden) / PARTS;
    var at = weights_of(slice, first, unit, lane);
    let further = (second - first) * fours_of(args.hidden) * pitch;
    var k = lane / UNITS * fours * 4u;
    var sums = Pair();
    for (var taken = 0u; taken < fours; taken += TURN) {
        sums = with_same(sums, recurrent[at], recurrent[at + further], factors_at(k));
        sums = with_same(sums, recurrent[at + pitch], recurrent[at + further + pitch], factors_at(k + 4u));
        @if(!to128) {
            sums = with_same(sums, recurrent[at + 2u * pitch], recurrent[at + further + 2u * pitch], factors_at(k + 8u));
            sums = with_same(sums, recurrent[at + 3u * pitch], recurrent[at + further + 3u * pitch], factors_at(k + 12u));
        }
        at += TURN * pitch;
        k += TURN * 4u;
    }
    return whole_pair(sums, lane);
}

fn with_same(sums: Pair, first: vec4<f32>, second: vec4<f32>, numbers: mat4x4<f32>) -> Pair {
    return Pair(with_four(sums.first, first, numbers), with_four(sums.second, second, numbers));
}

/// The product of the factors with a gate's weights, and of the second factors with another one's.
fn products_of_two(slice: Slice, first: u32, second: u32, unit: u32, lane: u32) -> Pair {
    let pitch = args.hidden;
    let fours = fours_of(args.hidden) / PARTS;
    var at = weights_of(slice, first, unit, lane);
    var second_at = weights_of(slice, second, unit, lane);
    var k = lane / UNITS * fours * 4u;
    var sums = Pair();
    for (var taken = 0u; taken < fours; taken += TURN) {
        sums = with_both(sums, recurrent[at], recurrent[second_at], k);
        sums = with_both(sums, recurrent[at + pitch], recurrent[second_at + pitch], k + 4u);
        @if(!to128) {
            sums = with_both(sums, recurrent[at + 2u * pitch], recurrent[second_at + 2u * pitch], k + 8u);
            sums = with_both(sums, recurrent[at + 3u * pitch], recurrent[second_at + 3u * pitch], k + 12u);
        }
        at += TURN * pitch;
        second_at += TURN * pitch;
        k += TURN * 4u;
    }
    return whole_pair(sums, lane);
}

fn with_both(sums: Pair, first: vec4<f32>, second: vec4<f32>, k: u32) -> Pair {
    return Pair(with_four(sums.first, first, factors_at(k)), with_four(sums.second, second, second_factors_at(k)));
}

/// A sum over all terms from that over a part of them; the same bits in both parts. All invocations get here.
@if(to128) fn whole(sum: vec4<f32>, lane: u32) -> vec4<f32> {
    exchanged[lane] = sum;
    workgroupBarrier();
    return sum + exchanged[lane ^ UNITS];
}
@else fn whole(sum: vec4<f32>, lane: u32) -> vec4<f32> {
    return sum;
}

/// The same of two sums.
@if(to128) fn whole_pair(sums: Pair, lane: u32) -> Pair {
    exchanged[lane] = sums.first;
    exchanged[WORKGROUP + lane] = sums.second;
    workgroupBarrier();
    return Pair(sums.first + exchanged[lane ^ UNITS], sums.second + exchanged[WORKGROUP + (lane ^ UNITS)]);
}
@else fn whole_pair(sums: Pair, lane: u32) -> Pair {
    return sums;
}
