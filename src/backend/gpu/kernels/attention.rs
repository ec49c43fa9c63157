//! Launches of [`crate::backend::Backend::attention`] and its gradients.

use super::*;
use crate::backend::{AttentionInputs, AttentionSaved, BackendError, MAX_HEAD_SIZE};
use shader::attention::{Args, BLOCK, BackwardKeys, BackwardQueries, Forward, LANES, Statistics};

/// Head sizes of the shader's variants, in their order: first of those with tiles, then of the `lanes`.
const HEAD_SIZES: [usize; 4] = [8, 16, 32, 64];

/// The smallest variant that holds a head.
fn variant(gpu: &Gpu, head_size: usize) -> usize {
    let first = HEAD_SIZES.len() * lanes_or_tiles(gpu, &[head_size]);
    first
        + HEAD_SIZES.iter().position(|&size| head_size <= size).unwrap_or_else(|| {
            gpu.fail(BackendError::Limit {
                kernel: "attention",
                what: "the head size",
                needed: head_size as u64,
                limit: MAX_HEAD_SIZE as u64,
                mend: "raise model.heads",
            });
            HEAD_SIZES.len() - 1
        })
}

fn arguments(inputs: &AttentionInputs<'_, Gpu>) -> Args {
    let width = inputs.queries.columns();
    Args {
        query_rows: inputs.queries.rows() as u32,
        heads: inputs.heads as u32,
        head_size: (width / inputs.heads) as u32,
        width: width as u32,
        scale: inputs.scale,
        accumulate_first: 0,
        accumulate_second: 0,
    }
}

/// Multiply-adds of one pass over all pairs of queries and keys, times two.
fn flop(inputs: &AttentionInputs<'_, Gpu>) -> f64 {
    let pairs: f64 = inputs.query_rows.lengths().zip(inputs.key_rows.lengths()).map(|(q, k)| f64::from(q) * f64::from(k)).sum();
    2.0 * pairs * inputs.queries.columns() as f64
}

/// Whose rows are cut into blocks.
#[derive(Clone, Copy)]
enum Cut {
    Queries,
    Keys,
}

/// The blocks of one side's rows, each with the rows of the other side that it meets, and the grid: a workgroup for each head and block.
fn cut(gpu: &Gpu, variant: usize, inputs: &AttentionInputs<'_, Gpu>, cut: Cut) -> (Words, [u32; 3]) {
    let block = BLOCK[variant];
    let (name, rows, others) = match cut {
        Cut::Queries => ("blocks of queries", inputs.query_rows, inputs.key_rows),
        Cut::Keys => ("blocks of keys", inputs.key_rows, inputs.query_rows),
    };
    let list = gpu.derive_list(name, [&rows.device_offsets, &others.device_offsets], || {
        let pairs = rows.offsets.windows(2).zip(others.offsets.windows(2));
        let block_of = |[begin, end]: [u32; 2], [from, to]: [u32; 2]| match cut {
            Cut::Queries => [begin, end, from, to],
            Cut::Keys => [from, to, begin, end],
        };
        let cut = |(own, other): (&[u32], &[u32])| {
            let (end, other) = (own[1], [other[0], other[1]]);
            (own[0]..end).step_by(block as usize).flat_map(move |begin| block_of([begin, end.min(begin + block)], other))
        };
        pairs.flat_map(cut).collect()
    });
    let count = rows.lengths().map(|length| length.div_ceil(block)).sum();
    (list, [inputs.heads as u32, count, 1])
}

pub(in super::super) fn forward(gpu: &Gpu, inputs: &AttentionInputs<'_, Gpu>) -> AttentionSaved<Tensor> {
    let rows = inputs.queries.rows();
    let output = gpu.new_tensor(inputs.queries.shape());
    let log_sum_exp = gpu.new_tensor([rows, inputs.heads]);
    let args = arguments(inputs);
    let variant = variant(gpu, args.head_size as usize);
    let (ranges, grid) = cut(gpu, variant, inputs, Cut::Queries);
    let launch = Forward { q: inputs.queries, k: inputs.keys, v: inputs.values, ranges: &ranges, o: &output, log_sum_exp: &log_sum_exp };
    gpu.dispatch_variant(variant, &launch, args, grid, 2.0 * flop(inputs));
    AttentionSaved { output, log_sum_exp }
}

pub(in super::super) fn backward(
    gpu: &Gpu,
    dy: &Tensor,
    inputs: &AttentionInputs<'_, Gpu>,
    saved: &AttentionSaved<Tensor>,
    [dq, dk, dv]: [&Sink<Tensor>; 3],
) {
    let args = arguments(inputs);
    let variant = variant(gpu, args.head_size as usize);
    let (q, k, v) = (inputs.queries, inputs.keys, inputs.values);
    let rows = saved.log_sum_exp.len();
    let statistics = gpu.new_tensor([rows, 2]);
    let launch = Statistics { dy, saved_o: &saved.output, saved_log_sum_exp: &saved.log_sum_exp, statistics_out: &statistics };
    gpu.dispatch_variant(variant, &launch, args, flat_grid(rows, LANES[variant]), 2.0 * dy.len() as f64);

    let (ranges, grid) = cut(gpu, variant, inputs, Cut::Queries);
    let launch = BackwardQueries { q, k, v, ranges: &ranges, dy, statistics_in: &statistics, dq: &dq.tensor };
    let accumulating = Args { accumulate_first: dq.accumulates(), ..args };
    gpu.dispatch_variant(variant, &launch, accumulating, grid, 3.0 * flop(inputs));

    let (ranges, grid) = cut(gpu, variant, inputs, Cut::Keys);
    let launch = BackwardKeys { q, k, v, ranges: &ranges, dy, statistics_in: &statistics, dk: &dk.tensor, dv: &dv.tensor };
    let accumulating = Args { accumulate_first: dk.accumulates(), accumulate_second: dv.accumulates(), ..args };
    gpu.dispatch_variant(variant, &launch, accumulating, grid, 4.0 * flop(inputs));
}
