// A grid of workgroups folded into two dimensions, since one holds at most 65535.

/// Number of a workgroup in a folded grid.
fn flat_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}

/// Where a workgroup stands in a grid of which a dispatch is a part: long work is sent in several, from these workgroups on.
fn in_grid(part: vec3<u32>, first_group_y: u32, first_group_z: u32) -> vec3<u32> {
    return part + vec3<u32>(0u, first_group_y, first_group_z);
}

/// Rows that an invocation of a `row_block` goes through: starting one costs software adapters more than a row does.
const BLOCK_ROWS: u32 = 16;

/// First row of a workgroup in a grid of columns and blocks of rows, whose blocks are folded.
fn first_row(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return (group.y + group.z * groups.y) * BLOCK_ROWS;
}
