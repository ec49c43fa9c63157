// `linear` in mixed precision: the same products by cooperative matrices, whose factors are f16 and whose sums
// are f32. Operands are rounded to f16 when they are brought into workgroup memory; all buffers stay f32.
//
// A workgroup computes a tile by four blocks, each held by a subgroup as fragments of SIZE × SIZE. Where its subgroups are
// fewer than four (wider than 32 invocations), they take the blocks in turns, for each of which the factors are loaded again; where
// they are more (down to 8 invocations), some help to load and compute the last block again, for nothing. Which subgroup it is,
// an invocation asks: nothing says that subgroups are invocations in a row, nor that they are full.

import super::interface::{args, x, weight, bias, y, y_gradient, gate, x_gradient, partial, products, product_at, own, take_term};
import package::shared::grid::in_grid;

enable f16;
enable wgpu_cooperative_matrix;

@if(size16) alias Left = coop_mat16x16<f16, A>;
@if(size16) alias Right = coop_mat16x16<f16, B>;
@if(size16) alias Sum = coop_mat16x16<f32, C>;
@if(size8) alias Left = coop_mat8x8<f16, A>;
@if(size8) alias Right = coop_mat8x8<f16, B>;
@if(size8) alias Sum = coop_mat8x8<f32, C>;

/// Rows and columns of a fragment
@if(size16) const SIZE: u32 = 16;
@if(size8) const SIZE: u32 = 8;
const WORKGROUP: u32 = 128;
/// Blocks of a tile, 2 × 2
const BLOCKS: u32 = 4;
/// Rows and columns of a block
const BLOCK: u32 = 32;
/// Fragments along a side of a block
const FRAGMENTS: u32 = BLOCK / SIZE;
const TILE_ROWS: u32 = 64;
const TILE_COLUMNS: u32 = 64;
/// Terms of the sum that one filling of the tiles covers
const DEPTH: u32 = 32;
/// Distance of two rows of a tile: fragments must start at multiples of 16 bytes, and their rows in different banks
const PITCH: u32 = DEPTH + 8;

/// Fragments that `results` holds: of all subgroups of at least 32 (SIZE 16) or 8 invocations
const SLOTS: u32 = 1024 / (SIZE * SIZE);

alias Sums = array<Sum, FRAGMENTS * FRAGMENTS>;

/// `left[row · PITCH + k]`
var<workgroup> left: array<f16, TILE_ROWS * PITCH>;
/// `right[column · PITCH + k]`
var<workgroup> right: array<f16, TILE_COLUMNS * PITCH>;
/// One fragment of the sums of each subgroup; those past the last slot share it, whose block they compute again
var<workgroup> results: array<f32, SLOTS * SIZE * SIZE>;

/// Gradient before the activation, zero outside the matrix.
fn gradient(row: u32, output: u32, end: u32) -> f16 {
    if (row >= end || output >= args.outputs) {
        return 0.0h;
    }
    let i = row * args.y_gradient_pitch + output;
    return f16(select(y_gradient[own.y_gradient + i], 0.0, args.relu != 0u && gate[own.gate + i] <= 0.0));
}

fn weight_at(output: u32, input: u32) -> f16 {
    if (output >= args.outputs || input >= args.inputs) {
        return 0.0h;
    }
    return f16(weight[own.weight + output * args.inputs + input]);
}

fn input_at(row: u32, input: u32, end: u32) -> f16 {
    if (row >= end || input >= args.inputs) {
        return 0.0h;
    }
    return f16(x[own.x + row * args.x_pitch + input]);
}

/// Adds a block's part of the product of the two tiles to `sums`.
fn multiply_tiles(block: u32, sums: ptr<function, Sums>) {
    let first_row = block / 2u * BLOCK;
    let first_column = block % 2u * BLOCK;
    for (var k = 0u; k < DEPTH; k += SIZE) {
        var columns: array<Right, FRAGMENTS>;
        for (var j = 0u; j < FRAGMENTS; j++) {
            columns[j] = coopLoad<Right>(&right[(first_column + j * SIZE) * PITCH + k], PITCH);
        }
        for (var i = 0u; i < FRAGMENTS; i++) {
            let rows = coopLoadT<Left>(&left[(first_row + i * SIZE) * PITCH + k], PITCH);
            for (var j = 0u; j < FRAGMENTS; j++) {
                let fragment = i * FRAGMENTS + j;
                (*sums)[fragment] = coopMultiplyAdd(rows, columns[j], (*sums)[fragment]);
            }
        }
    }
}

/// Puts a fragment of a subgroup's block where all invocations can read it.
fn show(subgroup: u32, fragment: u32, sums: ptr<function, Sums>) {
    coopStoreT((*sums)[fragment], &results[min(subgroup, SLOTS - 1u) * SIZE * SIZE], SIZE);
}

/// Row and column in the tile of element `part` of the results, the first of which belong to block `first`.
fn place_of(part: u32, first: u32, fragment: u32) -> vec2<u32> {
    let block = first + part / (SIZE * SIZE);
    let row = block / 2u * BLOCK + fragment / FRAGMENTS * SIZE + part / SIZE % SIZE;
    let column = block % 2u * BLOCK + fragment % FRAGMENTS * SIZE + part % SIZE;
    return vec2<u32>(row, column);
}

@compute @workgroup_size(WORKGROUP)
fn forward(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_output = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    for (var first = 0u; first < BLOCKS; first += subgroups) {
        let block = min(first + subgroup, BLOCKS - 1u);
        var sums = Sums();
        for (var k = 0u; k < args.inputs; k += DEPTH) {
            for (var part = lane; part < TILE_ROWS * DEPTH; part += WORKGROUP) {
                let inner = part % DEPTH;
                let outer = part / DEPTH;
                left[outer * PITCH + inner] = input_at(first_row + outer, k + inner, product.rows);
                right[outer * PITCH + inner] = weight_at(first_output + outer, k + inner);
            }
            workgroupBarrier();
            multiply_tiles(block, &sums);
            workgroupBarrier();
        }
        for (var fragment = 0u; fragment < FRAGMENTS * FRAGMENTS; fragment++) {
            show(subgroup, fragment, &sums);
            workgroupBarrier();
            for (var part = lane; part < min(subgroups, BLOCKS - first) * SIZE * SIZE; part += WORKGROUP) {
                let place = place_of(part, first, fragment);
                let row = first_row + place.x;
                let output = first_output + place.y;
                if (row < product.rows && output < args.outputs) {
                    var value = results[part];
                    if (args.has_bias != 0u) {
                        value += bias[product.bias + output];
                    }
                    if (args.relu != 0u && value < 0.0) {
                        value = 0.0;
                    }
                    y[product.y + row * args.outputs + output] = value;
                }
            }
            workgroupBarrier();
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_input(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_input = group.x * TILE_COLUMNS;
    let first_row = group.y * TILE_ROWS;
    for (var first = 0u; first < BLOCKS; first += subgroups) {
        let block = min(first + subgroup, BLOCKS - 1u);
        var sums = Sums();
        for (var term = 0u; term <= product.more; term++) {
            take_term(product, term);
            for (var k = 0u; k < args.outputs; k += DEPTH) {
                for (var part = lane; part < TILE_ROWS * DEPTH; part += WORKGROUP) {
                    left[part / DEPTH * PITCH + part % DEPTH] = gradient(first_row + part / DEPTH, k + part % DEPTH, product.rows);
                    let input = part % TILE_COLUMNS;
                    let output = part / TILE_COLUMNS;
                    right[input * PITCH + output] = weight_at(k + output, first_input + input);
                }
                workgroupBarrier();
                multiply_tiles(block, &sums);
                workgroupBarrier();
            }
        }
        for (var fragment = 0u; fragment < FRAGMENTS * FRAGMENTS; fragment++) {
            show(subgroup, fragment, &sums);
            workgroupBarrier();
            for (var part = lane; part < min(subgroups, BLOCKS - first) * SIZE * SIZE; part += WORKGROUP) {
                let place = place_of(part, first, fragment);
                let row = first_row + place.x;
                let input = first_input + place.y;
                if (row < product.rows && input < args.inputs) {
                    let i = product.x_gradient + row * args.inputs + input;
                    if (product.accumulate != 0u) {
                        x_gradient[i] += results[part];
                    } else {
                        x_gradient[i] = results[part];
                    }
                }
            }
            workgroupBarrier();
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward_weight(
    @builtin(workgroup_id) group_of_part: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
) {
    let grid = in_grid(group_of_part, args.first_group_y, args.first_group_z);
    let product = products[product_at(grid.y)];
    own = product;
    let group = grid - vec3<u32>(0u, product.first_group, 0u);
    let first_input = group.x * TILE_COLUMNS;
    let first_output = group.y * TILE_ROWS;
    let first_row = group.z * product.slab_rows;
    let end = min(first_row + product.slab_rows, product.rows);
    let slab = product.partial + group.z * args.slab_pitch;
    // Of the tile's output `lane % TILE_ROWS`, over the rows that this invocation loads.
    var bias_sum = 0.0;
    for (var first = 0u; first < BLOCKS; first += subgroups) {
        let block = min(first + subgroup, BLOCKS - 1u);
        var sums = Sums();
        bias_sum = 0.0;
        for (var k = first_row; k < end; k += DEPTH) {
            for (var part = lane; part < TILE_ROWS * DEPTH; part += WORKGROUP) {
                let outer = part % TILE_ROWS;
                let inner = part / TILE_ROWS;
                let g = gradient(k + inner, first_output + outer, end);
                bias_sum += f32(g);
                left[outer * PITCH + inner] = g;
                right[outer * PITCH + inner] = input_at(k + inner, first_input + outer, end);
            }
            workgroupBarrier();
            multiply_tiles(block, &sums);
            workgroupBarrier();
        }
        for (var fragment = 0u; fragment < FRAGMENTS * FRAGMENTS; fragment++) {
            show(subgroup, fragment, &sums);
            workgroupBarrier();
            for (var part = lane; part < min(subgroups, BLOCKS - first) * SIZE * SIZE; part += WORKGROUP) {
                let place = place_of(part, first, fragment);
                let output = first_output + place.x;
                let input = first_input + place.y;
                if (output < args.outputs && input < args.inputs) {
                    partial[slab + output * args.inputs + input] = results[part];
                }
            }
            workgroupBarrier();
        }
    }
    results[lane] = bias_sum;
    workgroupBarrier();
    let output = first_output + lane;
    if (first_input == 0u && lane < TILE_ROWS && output < args.outputs) {
        partial[slab + args.outputs * args.inputs + output] = results[lane] + results[lane + TILE_ROWS];
    }
}
