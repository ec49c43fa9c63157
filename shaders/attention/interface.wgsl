// Scaled dot-product attention by heads (6–8, 15), the way of FlashAttention (Dao et al. 2022): scores live in registers,
// only the output and log Σ e^score are stored.
// forward            o = softmax(scale · q kᵀ) v
// statistics         δ = Σ_c do·o, stored beside the log-sum-exp
// backward_queries   dq = scale Σ_keys p (do·v - δ) k,        p = e^(scale q·k - log-sum-exp)
// backward_keys      dk = scale Σ_queries p (do·v - δ) q,     dv = Σ_queries p do
// q, o, dy, dq: [query rows, width], k, v, dk, dv: [key rows, width]; head h is the columns h·head_size ..
// A dispatch goes over several attentions of the same heads.

@if(software) import package::shared::words::Words;

struct Args {
    /// Of all attentions together
    query_rows: u32,
    heads: u32,
    head_size: u32,
    width: u32,
    scale: f32,
    /// How many
    attentions: u32,
    /// Of a part of a grid, see `shared/grid.wgsl`.
    first_group_y: u32,
    first_group_z: u32,
}

/// What a matrix is read and written by.
@if(software) alias Element = Words;
@else alias Element = f32;

@group(0) @binding(0) var<uniform> args: Args;
@group(0) @binding(1) var<storage, read> q: array<Element>;
@group(0) @binding(2) var<storage, read> k: array<Element>;
@group(0) @binding(3) var<storage, read> v: array<Element>;
/// [attentions, PLACES]: the `Places` of each; then [blocks] of (first query row, end, first key row, end): at most BLOCK queries and all
/// their utterance's keys, in `backward_keys` at most BLOCK keys and all their utterance's queries. In one buffer, since devices have
/// no more for `backward_keys`.
@group(0) @binding(4) var<storage, read> blocks: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> o: array<Element>;
/// [query rows, heads]
@group(0) @binding(6) var<storage, read_write> log_sum_exp: array<f32>;
@group(0) @binding(7) var<storage, read> y_gradient: array<Element>;
@group(0) @binding(8) var<storage, read> saved_o: array<Element>;
@group(0) @binding(9) var<storage, read> saved_log_sum_exp: array<f32>;
/// [query rows, heads] of (log-sum-exp, δ)
@group(0) @binding(10) var<storage, read_write> statistics_out: array<vec2<f32>>;
@group(0) @binding(11) var<storage, read> statistics_in: array<vec2<f32>>;
@group(0) @binding(12) var<storage, read_write> q_gradient: array<Element>;
@group(0) @binding(13) var<storage, read_write> k_gradient: array<Element>;
@group(0) @binding(14) var<storage, read_write> v_gradient: array<Element>;

/// Vectors that the `Places` of an attention take in `blocks`.
const PLACES: u32 = 4;

/// The elements at which an attention's matrices begin in what is bound, and which gradients are added to.
struct Places {
    q: u32,
    k: u32,
    v: u32,
    o: u32,
    y_gradient: u32,
    log_sum_exp: u32,
    statistics: u32,
    q_gradient: u32,
    k_gradient: u32,
    v_gradient: u32,
    accumulate_first: bool,
    accumulate_second: bool,
}

/// Those of the attention that a workgroup is of.
var<private> begin: Places;

/// Finds them, and returns the ranges of a block. The first of an attention's places is the number of its first block.
fn take_block(block: u32) -> vec4<u32> {
    var attention = 0u;
    while (attention + 1u < args.attentions && blocks[(attention + 1u) * PLACES].x <= block) {
        attention++;
    }
    let first = blocks[attention * PLACES];
    let second = blocks[attention * PLACES + 1u];
    let third = blocks[attention * PLACES + 2u];
    let fourth = blocks[attention * PLACES + 3u];
    begin = Places(
        first.y, first.z, first.w, second.x, second.y, second.z, second.w, third.x, third.y, third.z, fourth.x != 0u, fourth.y != 0u,
    );
    return blocks[args.attentions * PLACES + block];
}
