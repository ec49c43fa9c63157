//! Launch of [`crate::backend::Backend::attention_weights`].

use super::*;
use crate::backend::AttentionInputs;
use shader::attention_weights::{Args, Forward};

pub(in super::super) fn forward(gpu: &Gpu, inputs: &AttentionInputs<'_, Gpu>) -> Tensor {
    let (width, offsets) = (inputs.queries.columns(), inputs.weight_offsets());
    let count = offsets[offsets.len() - 1];
    let weights = gpu.new_tensor([count, 1]);
    let args = Args {
        query_rows: inputs.queries.rows() as u32,
        heads: inputs.heads as u32,
        head_size: (width / inputs.heads) as u32,
        width: width as u32,
        scale: inputs.scale,
    };
    let starts: Vec<u32> = offsets.iter().map(|&offset| offset as u32).collect();
    let launch = Forward {
        q: inputs.queries,
        k: inputs.keys,
        ranges: &paired_ranges(gpu, inputs.query_rows, inputs.key_rows),
        owners: &inputs.query_rows.owners,
        starts: &gpu.upload_list(&starts),
        weights: &weights,
    };
    // One workgroup for each query row and head.
    let flop = 2.0 * count as f64 * args.head_size as f64;
    gpu.dispatch(&launch, args, flat_grid(inputs.queries.rows() * inputs.heads, 1), flop);
    weights
}
