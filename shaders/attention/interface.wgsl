// Scaled dot-product attention by heads (6–8, 15), the way of FlashAttention (Dao et al. 2022): scores live in registers,
// only the output and log Σ e^score are stored.
// forward            o = softmax(scale · q kᵀ) v
// statistics         δ = Σ_c do·o, stored beside the log-sum-exp
// backward_queries   dq = scale Σ_keys p (do·v - δ) k,        p = e^(scale q·k - log-sum-exp)
// backward_keys      dk = scale Σ_queries p (do·v - δ) q,     dv = Σ_queries p do
// q, o, dy, dq: [query rows, width], k, v, dk, dv: [key rows, width]; head h is the columns h·head_size ..

@if(software) import package::shared::words::Words;

struct Args {
    query_rows: u32,
    heads: u32,
    head_size: u32,
    width: u32,
    scale: f32,
    accumulate_first: u32,
    accumulate_second: u32,
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
/// [blocks] of (first query row, end, first key row, end): at most BLOCK queries and all their utterance's keys; in
/// `backward_keys` at most BLOCK keys and all their utterance's queries
@group(0) @binding(4) var<storage, read> ranges: array<vec4<u32>>;
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
