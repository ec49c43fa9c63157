//! Launches of [`Attention`] and its gradients.

use super::*;
use crate::backend::BackendError;
use crate::backend::ops::{Attention, AttentionKept, Differentiate};
use crate::base::numbers::MAX_HEAD_SIZE;
use crate::base::remedy::Remedy;
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
            remedy: Remedy::Raise("model.heads"),
        });
        Variant::Head64
    })
}

fn arguments(of: &Attention<Gpu, Tensor>) -> Args {
    let width = of.queries.columns();
    Args {
        query_rows: of.queries.rows() as u32,
        heads: of.heads as u32,
        head_size: (width / of.heads) as u32,
        width: width as u32,
        scale: of.scale,
        accumulate_first: 0,
        accumulate_second: 0,
        first_group_y: 0,
        first_group_z: 0,
    }
}

/// Whose rows a kernel's blocks are made of.
#[derive(Clone, Copy)]
enum Side {
    Queries,
    Keys,
}

/// The blocks of one side's rows, each with the rows of the other side that it meets, and the grid: a workgroup for each head of
/// each block.
fn blocks_of(side: Side, gpu: &Gpu, variant: Variant, of: &Attention<Gpu, Tensor>) -> (Words, [u32; 3]) {
    let block = variant.block();
    let (name, rows, others) = match side {
        Side::Queries => ("blocks of queries", &of.query_rows, &of.key_rows),
        Side::Keys => ("blocks of keys", &of.key_rows, &of.query_rows),
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
    (ranges, [of.heads as u32, count, 1])
}

impl Run<Attention<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Attention<Self, Tensor>) -> (Tensor, AttentionKept<Tensor>) {
        let (output, kept) = self.results(of);
        launch_forward(self, of, &kept);
        (output, kept)
    }

    /// One after the other, but what they give lies together.
    fn forward_together(&self, all: &[Attention<Self, Tensor>]) -> Option<Vec<(Tensor, AttentionKept<Tensor>)>> {
        let outputs = self.new_tensors(&all.iter().map(|of| of.queries.shape()).collect::<Vec<_>>());
        let sums = self.new_tensors(&all.iter().map(|of| [of.queries.rows(), of.heads]).collect::<Vec<_>>());
        let kept = outputs.into_iter().zip(sums).map(|(output, log_sum_exp)| AttentionKept { output, log_sum_exp });
        let launched = |(of, kept): (&Attention<Self, Tensor>, AttentionKept<Tensor>)| {
            launch_forward(self, of, &kept);
            (kept.output.clone(), kept)
        };
        Some(all.iter().zip(kept).map(launched).collect())
    }
}

fn launch_forward(gpu: &Gpu, of: &Attention<Gpu, Tensor>, kept: &AttentionKept<Tensor>) {
    let args = arguments(of);
    let variant = variant_for(gpu, args.head_size as usize);
    let (ranges, grid) = blocks_of(Side::Queries, gpu, variant, of);
    let AttentionKept { output, log_sum_exp } = kept;
    let launch = Forward { q: &of.queries, k: &of.keys, v: &of.values, ranges: &ranges, o: output, log_sum_exp };
    gpu.dispatch_variant(variant, &launch, args, grid, work(of));
}

impl Differentiate<Attention<Self, Tensor>> for Gpu {
    fn backward(
        &self,
        of: &Attention<Self, Tensor>,
        kept: &AttentionKept<Tensor>,
        dy: &Tensor,
        sinks: &Attention<Self, Option<Sink<Tensor>>>,
    ) {
        let args = arguments(of);
        let variant = variant_for(self, args.head_size as usize);
        let (q, k, v) = (&of.queries, &of.keys, &of.values);
        let [dq, dk, dv] = [(&sinks.queries, q), (&sinks.keys, k), (&sinks.values, v)].map(|(sink, like)| self.sink(sink, like));
        let rows = kept.log_sum_exp.len();
        let statistics = self.new_tensor([rows, 2]);
        let launch =
            Statistics { y_gradient: dy, saved_o: &kept.output, saved_log_sum_exp: &kept.log_sum_exp, statistics_out: &statistics };
        self.dispatch_variant(variant, &launch, args, flat_grid(rows, variant.workgroup()), None);

        // Each side's dispatch makes two of the four products, and the scores again.
        let half = ops::backward_work(of, sinks).share(0.5);
        let (ranges, grid) = blocks_of(Side::Queries, self, variant, of);
        let launch = BackwardQueries { q, k, v, ranges: &ranges, y_gradient: dy, statistics_in: &statistics, q_gradient: &dq.tensor };
        let accumulating = Args { accumulate_first: dq.accumulates(), ..args };
        self.dispatch_variant(variant, &launch, accumulating, grid, half);

        let (ranges, grid) = blocks_of(Side::Keys, self, variant, of);
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
        self.dispatch_variant(variant, &launch, accumulating, grid, half);
    }
}
