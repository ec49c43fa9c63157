//! Barriers in control flow that is not uniform: found in each of many small shaders, and in none of ours.

use super::build::uniformity;
use super::{parse, variants};

/// A kernel with a body; `lane` differs among the invocations, everything else is the same for a workgroup.
pub fn kernel(body: &str) -> String {
    format!(
        "struct Args {{ count: u32, sizes: vec4<u32> }}
        @group(0) @binding(0) var<uniform> args: Args;
        @group(0) @binding(1) var<storage, read> fixed: array<u32>;
        @group(0) @binding(2) var<storage, read_write> changing: array<u32>;
        var<workgroup> shared_words: array<u32, 64>;
        var<workgroup> bound: u32;
        var<private> own: u32;

        fn synchronise() {{ workgroupBarrier(); }}
        fn guarded(limit: u32) {{ if (limit > 3u) {{ workgroupBarrier(); }} }}
        fn early(i: u32) -> u32 {{ if (i > 3u) {{ return 1u; }} return 2u; }}
        fn twice(i: u32) -> u32 {{ return 2u * i; }}
        fn step_up(counter: ptr<function, u32>) {{ *counter += 1u; }}

        @compute @workgroup_size(64)
        fn main(
            @builtin(workgroup_id) group: vec3<u32>,
            @builtin(num_workgroups) groups: vec3<u32>,
            @builtin(local_invocation_index) lane: u32,
            @builtin(global_invocation_id) place: vec3<u32>,
        ) {{
            {body}
        }}"
    )
}

fn checked(source: &str) -> Result<(), String> {
    uniformity::check(&parse(source).0, source)
}

pub const GOOD: [(&str, &str); 22] = [
    ("straight", "workgroupBarrier();"),
    ("uniform buffer", "if (args.count > 3u) { workgroupBarrier(); }"),
    ("component of a uniform buffer", "if (args.sizes.y > 3u) { storageBarrier(); }"),
    ("workgroup's number", "if (group.x * groups.y > 3u) { workgroupBarrier(); }"),
    ("read-only storage at a uniform index", "if (fixed[group.x + 1u] > 3u) { workgroupBarrier(); }"),
    ("workgroupUniformLoad", "let n = workgroupUniformLoad(&bound); for (var i = 0u; i < n; i++) { workgroupBarrier(); }"),
    ("loop over a uniform bound", "for (var i = 0u; i < args.count; i++) { workgroupBarrier(); }"),
    ("loop with a uniform exit", "var i = 0u; loop { if (i == args.count) { break; } workgroupBarrier(); i++; }"),
    ("loop with break if", "var i = 0u; loop { workgroupBarrier(); continuing { i++; break if i >= args.count; } }"),
    ("uniform early return", "if (group.x >= args.count) { return; } workgroupBarrier();"),
    ("after a branch that meets again", "if (lane > 3u) { changing[lane] = 1u; } workgroupBarrier();"),
    ("after a loop of each invocation", "for (var i = lane; i < 9u; i += 64u) { changing[i] = 1u; } workgroupBarrier();"),
    ("after a loop left at different times", "loop { if (changing[lane] > 3u) { break; } } workgroupBarrier();"),
    ("after a switch", "switch lane { case 0u: { changing[0] = 1u; } default: { } } workgroupBarrier();"),
    ("in a uniform switch", "switch args.count { case 0u: { workgroupBarrier(); } default: { } }"),
    ("in a function", "synchronise();"),
    ("in a function with a uniform argument", "guarded(args.count);"),
    ("after a function that returns early", "changing[lane] = early(lane); workgroupBarrier();"),
    ("a uniform result", "if (early(args.count) == twice(1u)) { workgroupBarrier(); }"),
    ("select by uniform values", "let end = select(fixed[0], 0u, group.x > 3u); for (var i = 0u; i < end; i++) { workgroupBarrier(); }"),
    ("a variable of uniform values", "var n = args.count; if (group.x > 1u) { n = 2u; } if (n > 3u) { workgroupBarrier(); }"),
    ("an array of uniform values", "var n = array<u32, 2>(); n[group.x % 2u] = 1u; if (n[0] > 0u) { workgroupBarrier(); }"),
];

pub const BAD: [(&str, &str); 28] = [
    ("branch", "if (lane > 3u) { workgroupBarrier(); }"),
    ("else", "if (lane > 3u) { } else { workgroupBarrier(); }"),
    ("storage barrier", "if (lane > 3u) { storageBarrier(); }"),
    ("texture barrier", "if (lane > 3u) { textureBarrier(); }"),
    ("workgroupUniformLoad", "if (lane > 3u) { changing[0] = workgroupUniformLoad(&bound); }"),
    ("place of a workgroupUniformLoad", "changing[0] = workgroupUniformLoad(&shared_words[lane]);"),
    ("early return", "if (place.x >= args.count) { return; } workgroupBarrier();"),
    ("written storage", "if (changing[0] > 3u) { workgroupBarrier(); }"),
    ("read-only storage at an index of each", "if (fixed[lane] > 3u) { workgroupBarrier(); }"),
    ("workgroup memory", "if (bound > 3u) { workgroupBarrier(); }"),
    ("private memory", "if (own > 3u) { workgroupBarrier(); }"),
    ("loop of each", "for (var i = lane; i < 64u; i++) { workgroupBarrier(); }"),
    ("before a loop's exit", "loop { workgroupBarrier(); if (lane > 3u) { break; } }"),
    ("after continue", "for (var i = 0u; i < 4u; i++) { if (lane > i) { continue; } workgroupBarrier(); }"),
    ("before continue", "for (var i = 0u; i < 4u; i++) { workgroupBarrier(); if (lane > i) { continue; } }"),
    ("break if", "var i = lane; loop { workgroupBarrier(); continuing { i++; break if i > 64u; } }"),
    ("return out of a loop", "for (var i = 0u; i < 4u; i++) { if (lane > i) { return; } } workgroupBarrier();"),
    ("switch", "switch lane { case 0u: { workgroupBarrier(); } default: { } }"),
    ("a variable written by some", "var n = 0u; if (lane > 3u) { n = 1u; } if (n > 0u) { workgroupBarrier(); }"),
    ("a variable counted in a loop of each", "var n = 0u; loop { n++; if (lane < n) { break; } } if (n > 3u) { workgroupBarrier(); }"),
    ("a variable of values of each", "var n = 0u; n = lane; if (n > 0u) { workgroupBarrier(); }"),
    ("an array at an index of each", "var n = array<u32, 64>(); n[lane] = 1u; if (n[0] > 0u) { workgroupBarrier(); }"),
    ("a variable passed on", "var n = 0u; step_up(&n); if (n > 0u) { workgroupBarrier(); }"),
    ("a function in a branch", "if (lane > 3u) { synchronise(); }"),
    ("a function with an argument of each", "guarded(lane);"),
    ("a result of an argument of each", "if (twice(lane) > 3u) { workgroupBarrier(); }"),
    ("a result of an early return", "if (early(lane) > 1u) { workgroupBarrier(); }"),
    ("a value carried round a loop", "var a = 0u; var b = 0u; loop { if (a > 3u) { break; } workgroupBarrier(); a = b; b = lane; }"),
];

#[test]
fn barriers_in_uniform_control_flow_pass() {
    for (name, body) in GOOD {
        assert_eq!(checked(&kernel(body)), Ok(()), "{name}: {body}");
    }
}

#[test]
fn barriers_in_diverging_control_flow_are_found() {
    for (name, body) in BAD {
        let source = kernel(body);
        let failure = checked(&source).expect_err(&format!("{name} passes: {body}"));
        let line = failure.split_once(" in line ").and_then(|(_, rest)| rest.split(' ').next()).and_then(|line| line.parse::<usize>().ok());
        let line = source.lines().nth(line.unwrap_or_else(|| panic!("{name}: {failure}")) - 1).unwrap();
        assert!(line.contains("Barrier()") || line.contains("workgroupUniformLoad("), "{name}: {failure}");
    }
}

#[test]
fn what_is_the_same_within_a_subgroup_is_enough_for_its_own_operations() {
    let inputs = "@builtin(subgroup_id) subgroup: u32, @builtin(subgroup_invocation_id) place: u32";
    let kernel = |body: &str| {
        format!("@group(0) @binding(0) var<storage, read_write> y: array<u32>; @compute @workgroup_size(64) fn main({inputs}) {{ {body} }}")
    };
    for body in [
        "if (subgroup > 0u) { y[0] = subgroupAdd(place); }",
        "if (subgroupBroadcastFirst(place) > 0u) { y[0] = subgroupAdd(place); }",
        "if (subgroupMax(place) > 0u) { subgroupBarrier(); }",
    ] {
        assert_eq!(checked(&kernel(body)), Ok(()), "{body}");
    }
    for body in [
        "if (place > 0u) { y[0] = subgroupAdd(place); }",
        "if (subgroupExclusiveAdd(place) > 0u) { y[0] = subgroupAdd(1u); }",
        "if (place > 0u) { subgroupBarrier(); }",
        "if (subgroup > 0u) { workgroupBarrier(); }",
        "if (subgroupMax(place) > 0u) { workgroupBarrier(); }",
    ] {
        assert!(checked(&kernel(body)).is_err(), "{body}");
    }
}

#[test]
fn every_shader_has_its_barriers_in_uniform_control_flow() {
    for (shader, variant) in variants() {
        assert_eq!(checked(variant.source), Ok(()), "{}.{}", shader.name, variant.name);
    }
}
