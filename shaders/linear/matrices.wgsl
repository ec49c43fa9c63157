// `linear` in mixed precision where all widths are multiples of four: the same products by the tiles of `shared/matrices_tile.wgsl`.
// Operands are rounded to f16 when they are brought into workgroup memory; all buffers stay f32. The next step's operands are under way
// while a step multiplies.
//
// naga refuses operations of cooperative matrices in a branch by what it does not know to be uniform, such as the number of subgroups, but
// not in a loop: there are loops of one turn or none.

import super::interface::{args, x, weight, bias, y, y_gradient, gate, x_gradient, partial, products, product_at, own, take_term};
import package::shared::grid::in_grid;
import package::shared::matrices_tile::{
    Sum, Sums, Brought, BroughtSquares, SIZE, WORKGROUP, BLOCKS, SIDE, TILE_ROWS, TILE_COLUMNS, DEPTH, FOURS, SIDE_STEP, SQUARES,
    SQUARE_STEP, results, first_four, first_square, put_left_fours, put_right_fours, put_left_squares, put_right_squares, sums_of_left,
    block_of, idles, corner, multiply_tiles, show, place_of, shown, shown_end, put_results, begin_with_row,
};

enable f16;
enable wgpu_cooperative_matrix;

// Of rows and columns past the last these take the last: such sums are not stored, and such terms are put as zeros.

/// x at four inputs of a row.
fn input_at(row: u32, input: u32, end: u32) -> vec4<f32> {
    return x[own.x / 4u + min(row, max(end, 1u) - 1u) * (args.x_pitch / 4u) + min(input, args.inputs - 4u) / 4u];
}

/// W at four inputs of an output.
fn weight_at(output: u32, input: u32) -> vec4<f32> {
    return weight[own.weight / 4u + min(output, args.outputs - 1u) * (args.inputs / 4u) + min(input, args.inputs - 4u) / 4u];
}

/// Where dy at four outputs of a row is, and what the activation made there.
fn gradient_place(row: u32, output: u32, end: u32) -> u32 {
    return min(row, max(end, 1u) - 1u) * (args.y_gradient_pitch / 4u) + min(output, args.outputs - 4u) / 4u;
}

fn gradient_at(place: u32) -> vec4<f32> {
    return y_gradient[own.y_gradient / 4u + place];
}

/// A gradient before the activation, by what the activation made.
fn gated(values: vec4<f32>, place: u32) -> vec4<f32> {
    return select(values, vec4<f32>(), gate[own.gate / 4u + place] <= vec4<f32>());
}

fn fours_of_inputs(lane: u32, first_row: u32, k: u32) -> Brought {
    let at = vec2<u32>(first_row, k) + first_four(lane);
    var values: Brought;
    for (var four = 0u; four < FOURS; four++) {
        values[four] = input_at(at.x + four * SIDE_STEP, at.y, own.rows);
    }
    return values;
}

fn fours_of_weights(lane: u32, first_output: u32, k: u32) -> Brought {
    let at = vec2<u32>(first_output, k) + first_four(lane);
    var values: Brought;
    for (var four = 0u; four < FOURS; four++) {
        values[four] = weight_at(at.x + four * SIDE_STEP, at.y);
    }
    return values;
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
    let tile = vec2<u32>(first_row, first_output);
    let is_whole = first_row + TILE_ROWS <= product.rows && first_output + TILE_COLUMNS <= args.outputs && args.relu == 0u;
    for (var first = 0u; first < BLOCKS; first += 2u * subgroups) {
        let block = block_of(first, subgroup);
        let other_block = block_of(first + subgroups, subgroup);
        var sums = Sums();
        var others = Sums();
        var rows = fours_of_inputs(lane, first_row, 0u);
        var columns = fours_of_weights(lane, first_output, 0u);
        if (args.has_bias != 0u) {
            for (var part = 4u * lane; part < SIZE * SIDE; part += 4u * WORKGROUP) {
                put_results(part, bias[(own.bias + min(first_output + part % SIDE, args.outputs - 4u)) / 4u]);
            }
            workgroupBarrier();
            begin_with_row(block, &sums);
            begin_with_row(other_block, &others);
        }
        for (var k = 0u; k < args.inputs; k += DEPTH) {
            put_left_fours(lane, rows, args.inputs - k);
            put_right_fours(lane, columns, args.inputs - k);
            workgroupBarrier();
            if (k + DEPTH < args.inputs) {
                rows = fours_of_inputs(lane, first_row, k + DEPTH);
                columns = fours_of_weights(lane, first_output, k + DEPTH);
            }
            multiply_tiles(block, subgroup, &sums);
            for (var turn = subgroups; turn < BLOCKS; turn += BLOCKS) {
                multiply_tiles(other_block, subgroup, &others);
            }
            workgroupBarrier();
        }
        store_outputs(lane, subgroup, subgroups, first, tile, is_whole, &sums);
        for (var turn = subgroups; turn < BLOCKS - first; turn += BLOCKS) {
            store_outputs(lane, subgroup, subgroups, first + subgroups, tile, is_whole, &others);
        }
    }
}

fn store_output(sum: Sum, place: u32, pitch: u32) {
    coopStoreT(sum, &y[place], pitch);
}

/// Stores what there is of the blocks from `first` on: whole blocks as they are, others fragment by fragment.
fn store_outputs(
    lane: u32, subgroup: u32, subgroups: u32, first: u32, tile: vec2<u32>, is_whole: bool, sums: ptr<function, Sums>,
) {
    let at = tile + corner(block_of(first, subgroup));
    let pitch = args.outputs;
    let near = own.y + at.x * pitch + at.y;
    let far = near + SIZE;
    for (var whole = is_whole && idles(subgroup) == 0u; whole; whole = false) {
        store_output((*sums)[0], near, pitch);
        store_output((*sums)[1], far, pitch);
        store_output((*sums)[2], near + SIZE * pitch, pitch);
        store_output((*sums)[3], far + SIZE * pitch, pitch);
        store_output((*sums)[4], near + 2u * SIZE * pitch, pitch);
        store_output((*sums)[5], far + 2u * SIZE * pitch, pitch);
        store_output((*sums)[6], near + 3u * SIZE * pitch, pitch);
        store_output((*sums)[7], far + 3u * SIZE * pitch, pitch);
    }
    for (var fragment = select(0u, 8u, is_whole); fragment < 8u; fragment++) {
        show(subgroup, sums);
        workgroupBarrier();
        for (var part = 4u * lane; part < shown_end(first, subgroups); part += 4u * WORKGROUP) {
            let spot = tile + place_of(part, first, fragment);
            if (spot.x < own.rows && spot.y < args.outputs) {
                var values = shown(part);
                if (args.relu != 0u) {
                    values = select(values, vec4<f32>(), values < vec4<f32>());
                }
                let place = (own.y + spot.x * args.outputs + spot.y) / 4u * 4u;
                y[place] = values.x;
                y[place + 1u] = values.y;
                y[place + 2u] = values.z;
                y[place + 3u] = values.w;
            }
        }
        workgroupBarrier();
    }
}

/// Gradients before the activation: all are under way before the first gate is looked at.
fn fours_of_gradients(lane: u32, first_row: u32, k: u32) -> Brought {
    let at = vec2<u32>(first_row, k) + first_four(lane);
    var values: Brought;
    for (var four = 0u; four < FOURS; four++) {
        values[four] = gradient_at(gradient_place(at.x + four * SIDE_STEP, at.y, own.rows));
    }
    if (args.relu != 0u) {
        for (var four = 0u; four < FOURS; four++) {
            values[four] = gated(values[four], gradient_place(at.x + four * SIDE_STEP, at.y, own.rows));
        }
    }
    return values;
}

fn squares_of_weights(lane: u32, first_input: u32, k: u32) -> BroughtSquares {
    let at = vec2<u32>(first_input, k) + first_square(lane);
    var squares: BroughtSquares;
    for (var square = 0u; square < SQUARES; square++) {
        let side = at.x + square * SQUARE_STEP;
        squares[square] = mat4x4<f32>(
            weight_at(at.y, side),
            weight_at(at.y + 1u, side),
            weight_at(at.y + 2u, side),
            weight_at(at.y + 3u, side),
        );
    }
    return squares;
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
    let tile = vec2<u32>(first_row, first_input);
    let is_whole = first_row + TILE_ROWS <= product.rows && first_input + TILE_COLUMNS <= args.inputs && product.accumulate == 0u;
    for (var first = 0u; first < BLOCKS; first += 2u * subgroups) {
        let block = block_of(first, subgroup);
        let other_block = block_of(first + subgroups, subgroup);
        var sums = Sums();
        var others = Sums();
        for (var term = 0u; term <= product.more; term++) {
            take_term(product, term);
            var rows = fours_of_gradients(lane, first_row, 0u);
            var columns = squares_of_weights(lane, first_input, 0u);
            for (var k = 0u; k < args.outputs; k += DEPTH) {
                put_left_fours(lane, rows, args.outputs - k);
                put_right_squares(lane, columns, args.outputs - k);
                workgroupBarrier();
                if (k + DEPTH < args.outputs) {
                    rows = fours_of_gradients(lane, first_row, k + DEPTH);
                    columns = squares_of_weights(lane, first_input, k + DEPTH);
                }
                multiply_tiles(block, subgroup, &sums);
                for (var turn = subgroups; turn < BLOCKS; turn += BLOCKS) {
                    multiply_tiles(other_block, subgroup, &others);
                }
                workgroupBarrier();
            }
        }
        store_input_gradients(lane, subgroup, subgroups, first, tile, is_whole, &sums);
        for (var turn = subgroups; turn < BLOCKS - first; turn += BLOCKS) {
            store_input_gradients(lane, subgroup, subgroups, first + subgroups, tile, is_whole, &others);
        }
    }
}

fn store_input_gradient(sum: Sum, place: u32, pitch: u32) {
    coopStoreT(sum, &x_gradient[place], pitch);
}

/// Stores what there is of the blocks from `first` on: whole blocks as they are, others fragment by fragment.
fn store_input_gradients(
    lane: u32, subgroup: u32, subgroups: u32, first: u32, tile: vec2<u32>, is_whole: bool, sums: ptr<function, Sums>,
) {
    let at = tile + corner(block_of(first, subgroup));
    let pitch = args.inputs;
    let near = own.x_gradient + at.x * pitch + at.y;
    let far = near + SIZE;
    for (var whole = is_whole && idles(subgroup) == 0u; whole; whole = false) {
        store_input_gradient((*sums)[0], near, pitch);
        store_input_gradient((*sums)[1], far, pitch);
        store_input_gradient((*sums)[2], near + SIZE * pitch, pitch);
        store_input_gradient((*sums)[3], far + SIZE * pitch, pitch);
        store_input_gradient((*sums)[4], near + 2u * SIZE * pitch, pitch);
        store_input_gradient((*sums)[5], far + 2u * SIZE * pitch, pitch);
        store_input_gradient((*sums)[6], near + 3u * SIZE * pitch, pitch);
        store_input_gradient((*sums)[7], far + 3u * SIZE * pitch, pitch);
    }
    for (var fragment = select(0u, 8u, is_whole); fragment < 8u; fragment++) {
        show(subgroup, sums);
        workgroupBarrier();
        for (var part = 4u * lane; part < shown_end(first, subgroups); part += 4u * WORKGROUP) {
            let spot = tile + place_of(part, first, fragment);
            if (spot.x < own.rows && spot.y < args.inputs) {
                let place = (own.x_gradient + spot.x * args.inputs + spot.y) / 4u * 4u;
                var values = shown(part);
                if (own.accumulate != 0u) {
                    values += vec4<f32>(x_gradient[place], x_gradient[place + 1u], x_gradient[place + 2u], x_gradient[place + 3u]);
                }
                x_gradient[place] = values.x;
                x_gradient[place + 1u] = values.y;
                x_gradient[place + 2u] = values.z;
                x_gradient[place + 3u] = values.w;
            }
        }
        workgroupBarrier();
    }
}

fn squares_of_gradients(lane: u32, first_output: u32, k: u32, end: u32) -> BroughtSquares {
    let at = vec2<u32>(first_output, k) + first_square(lane);
    var squares: BroughtSquares;
    for (var square = 0u; square < SQUARES; square++) {
        let side = at.x + square * SQUARE_STEP;
        let places = vec4<u32>(
            gradient_place(at.y, side, end), gradient_place(at.y + 1u, side, end),
            gradient_place(at.y + 2u, side, end), gradient_place(at.y + 3u, side, end),
        );
        var values = mat4x4<f32>(gradient_at(places.x), gradient_at(places.y), gradient_at(places.z), gradient_at(places.w));
        if (args.relu != 0u) {
            values = mat4x4<f32>(
                gated(values[0], places.x), gated(values[1], places.y), gated(values[2], places.z), gated(values[3], places.w),
            );
        }
        squares[square] = values;
    }
    return squares;
}

fn squares_of_inputs(lane: u32, first_input: u32, k: u32, end: u32) -> BroughtSquares {
    let at = vec2<u32>(first_input, k) + first_square(lane);
    var squares: BroughtSquares;
    for (var square = 0u; square < SQUARES; square++) {
        let side = at.x + square * SQUARE_STEP;
        squares[square] = mat4x4<f32>(
            input_at(at.y, side, end),
            input_at(at.y + 1u, side, end),
            input_at(at.y + 2u, side, end),
            input_at(at.y + 3u, side, end),
        );
    }
    return squares;
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
    let tile = vec2<u32>(first_output, first_input);
    let first_row = group.z * product.slab_rows;
    let end = min(first_row + product.slab_rows, product.rows);
    let slab = product.partial + group.z * args.slab_pitch;
    let is_whole = first_output + TILE_ROWS <= args.outputs && first_input + TILE_COLUMNS <= args.inputs;
    // Of the outputs of its squares, over the rows that this invocation brings.
    let at = first_square(lane);
    var bias_sums: array<vec4<f32>, SQUARES>;
    for (var first = 0u; first < BLOCKS; first += 2u * subgroups) {
        let block = block_of(first, subgroup);
        let other_block = block_of(first + subgroups, subgroup);
        var sums = Sums();
        var others = Sums();
        bias_sums = array<vec4<f32>, SQUARES>();
        var rows = squares_of_gradients(lane, first_output, first_row, end);
        var columns = squares_of_inputs(lane, first_input, first_row, end);
        for (var k = first_row; k < end; k += DEPTH) {
            put_left_squares(lane, rows, end - k);
            put_right_squares(lane, columns, end - k);
            workgroupBarrier();
            if (group.x == 0u) {
                for (var square = 0u; square < SQUARES; square++) {
                    bias_sums[square] += sums_of_left(min(at.x + square * SQUARE_STEP, SIDE - 4u), at.y);
                }
            }
            if (k + DEPTH < end) {
                rows = squares_of_gradients(lane, first_output, k + DEPTH, end);
                columns = squares_of_inputs(lane, first_input, k + DEPTH, end);
            }
            multiply_tiles(block, subgroup, &sums);
            for (var turn = subgroups; turn < BLOCKS; turn += BLOCKS) {
                multiply_tiles(other_block, subgroup, &others);
            }
            workgroupBarrier();
        }
        store_weight_gradients(lane, subgroup, subgroups, first, slab, tile, is_whole, &sums);
        for (var turn = subgroups; turn < BLOCKS - first; turn += BLOCKS) {
            store_weight_gradients(lane, subgroup, subgroups, first + subgroups, slab, tile, is_whole, &others);
        }
    }
    for (var square = 0u; square < SQUARES; square++) {
        if (at.x + square * SQUARE_STEP < SIDE) {
            put_results(at.y / 4u * SIDE + at.x + square * SQUARE_STEP, bias_sums[square]);
        }
    }
    workgroupBarrier();
    for (var part = lane; part < min(SIDE, args.outputs - first_output) && group.x == 0u; part += WORKGROUP) {
        var sum = 0.0;
        for (var term = 0u; term < DEPTH / 4u; term++) {
            sum += results[term * SIDE + part];
        }
        partial[slab + args.outputs * args.inputs + first_output + part] = sum;
    }
}

fn store_weight_gradient(sum: Sum, place: u32, pitch: u32) {
    coopStoreT(sum, &partial[place], pitch);
}

/// Stores what there is of the blocks from `first` on: whole blocks as they are, others fragment by fragment.
fn store_weight_gradients(
    lane: u32, subgroup: u32, subgroups: u32, first: u32, slab: u32, tile: vec2<u32>, is_whole: bool, sums: ptr<function, Sums>,
) {
    let at = tile + corner(block_of(first, subgroup));
    let pitch = args.inputs;
    let near = slab + at.x * pitch + at.y;
    let far = near + SIZE;
    for (var whole = is_whole && idles(subgroup) == 0u; whole; whole = false) {
        store_weight_gradient((*sums)[0], near, pitch);
        store_weight_gradient((*sums)[1], far, pitch);
        store_weight_gradient((*sums)[2], near + SIZE * pitch, pitch);
        store_weight_gradient((*sums)[3], far + SIZE * pitch, pitch);
        store_weight_gradient((*sums)[4], near + 2u * SIZE * pitch, pitch);
        store_weight_gradient((*sums)[5], far + 2u * SIZE * pitch, pitch);
        store_weight_gradient((*sums)[6], near + 3u * SIZE * pitch, pitch);
        store_weight_gradient((*sums)[7], far + 3u * SIZE * pitch, pitch);
    }
    for (var fragment = select(0u, 8u, is_whole); fragment < 8u; fragment++) {
        show(subgroup, sums);
        workgroupBarrier();
        for (var part = 4u * lane; part < shown_end(first, subgroups); part += 4u * WORKGROUP) {
            let spot = tile + place_of(part, first, fragment);
            if (spot.x < args.outputs && spot.y < args.inputs) {
                let values = shown(part);
                let place = (slab + spot.x * args.inputs + spot.y) / 4u * 4u;
                partial[place] = values.x;
                partial[place + 1u] = values.y;
                partial[place + 2u] = values.z;
                partial[place + 3u] = values.w;
            }
        }
        workgroupBarrier();
    }
}
