// A grid of workgroups folded into two dimensions, since one holds at most 65535.

/// Number of a workgroup in a folded grid.
fn flat_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}
