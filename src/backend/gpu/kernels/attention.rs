//! Launches of [`crate::backend::Backend::attention`] and its gradients.

use super::*;
use crate::backend::{AttentionInputs, AttentionSaved, BackendError};
use crate::base::numbers::MAX_HEAD_SIZE;
use shader::attention::{Args, BackwardKeys, BackwardQueries, Forward, Statistics, Variant};

/// By the most columns of a head, from the smallest: the variants for graphics hardware and those for software adapters.
const GRAPHICS: [Variant; 4] = [Variant::Head8, Variant::Head16, Variant::Head32, Variant::Head64];
const SOFTWARE: [Variant; 4] = [Variant::SoftwareHead8, Variant::SoftwareHead16, Variant::SoftwareHead32, Variant::SoftwareHead64];

/// The smallest variant that holds a head.
fn variant_for(gpu: &Gpu, head_size: usize) -> Variant {
    let variants = if suits_software(gpu, &[head_size]) { SOFTWARE } else { GRAPHICS };
    variants.into_iter().find(|variant| head_size <= 4 * variant.quads() as usize).unwrap_or_else(|| {
        gpu.fail(BackendError::Limit {
            kernel: "attention",
            what: "the head size",
            needed: head_size as u64,
            limit: MAX_HEAD_SIZE as u64,
            remedy: "raise model.heads",
        });
        Variant::Head64
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

/// Whose rows a kernel's blocks are made of.
#[derive(Clone, Copy)]
enum Side {
    Queries,
    Keys,
}

/// The blocks of one side's rows, each with the rows of the other side that it meets, and the grid: a workgroup for each head of
/// each block.
fn blocks_of(side: Side, gpu: &Gpu, variant: Variant, inputs: &AttentionInputs<'_, Gpu>) -> (Words, [u32; 3]) {
    let block = variant.block();
    let (name, rows, others) = match side {
        Side::Queries => ("blocks of queries", inputs.query_rows, inputs.key_rows),
        Side::Keys => ("blocks of keys", inputs.key_rows, inputs.query_rows),
    };
    let ranges = gpu.derive_list(name, [&rows.device_offsets, &others.device_offsets], || {
        let mut ranges = Vec::new();
        for (own, other) in rows.offsets.windows(2).zip(others.offsets.windows(2)) {
            for begin in (own[0]..own[1]).step_by(block as usize) {
                let end = own[1].min(begin + block);
                ranges.extend(match side {
                    Side::Queries => [begin, end, other[0], other[1]],
                    Side::Keys => [other[0], other[1], begin, end],
                });
            }
        }
        ranges
    });
    let count = rows.lengths().map(|length| length.div_ceil(block)).sum();
    (ranges, [inputs.heads as u32, count, 1])
}

pub(in super::super) fn forward(gpu: &Gpu, inputs: &AttentionInputs<'_, Gpu>) -> AttentionSaved<Tensor> {
    let rows = inputs.queries.rows();
    let output = gpu.new_tensor(inputs.queries.shape());
    let log_sum_exp = gpu.new_tensor([rows, inputs.heads]);
    let args = arguments(inputs);
    let variant = variant_for(gpu, args.head_size as usize);
    let (ranges, grid) = blocks_of(Side::Queries, gpu, variant, inputs);
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
    let variant = variant_for(gpu, args.head_size as usize);
    let (q, k, v) = (inputs.queries, inputs.keys, inputs.values);
    let rows = saved.log_sum_exp.len();
    let statistics = gpu.new_tensor([rows, 2]);
    let launch = Statistics { y_gradient: dy, saved_o: &saved.output, saved_log_sum_exp: &saved.log_sum_exp, statistics_out: &statistics };
    gpu.dispatch_variant(variant, &launch, args, flat_grid(rows, variant.workgroup()), 2.0 * dy.len() as f64);

    let (ranges, grid) = blocks_of(Side::Queries, gpu, variant, inputs);
    let launch = BackwardQueries { q, k, v, ranges: &ranges, y_gradient: dy, statistics_in: &statistics, q_gradient: &dq.tensor };
    let accumulating = Args { accumulate_first: dq.accumulates(), ..args };
    gpu.dispatch_variant(variant, &launch, accumulating, grid, 3.0 * flop(inputs));

    let (ranges, grid) = blocks_of(Side::Keys, gpu, variant, inputs);
    let launch = BackwardKeys {
        q,
        k,
        v,
        ranges: &ranges,
        y_gradient: dy,
        statistics_in: &statistics,
        k_gradient: &dk.tensor,
        v_gradient: &dv.tensor,
    };
    let accumulating = Args { accumulate_first: dk.accumulates(), accumulate_second: dv.accumulates(), ..args };
    gpu.dispatch_variant(variant, &launch, accumulating, grid, 4.0 * flop(inputs));
}
