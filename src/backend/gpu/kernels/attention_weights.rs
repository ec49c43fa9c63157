//! Launch of [`AttentionWeights`].

use super::*;
use crate::backend::ops::AttentionWeights;
use shader::attention_weights::{Args, Forward};

impl Run<AttentionWeights<Self, Tensor>> for Gpu {
    fn forward(&self, of: &AttentionWeights<Self, Tensor>) -> (Tensor, ()) {
        let AttentionWeights(attention) = of;
        let width = attention.queries.columns();
        let (weights, ()) = self.results(of);
        let args = Args {
            query_rows: attention.queries.rows() as u32,
            heads: attention.heads as u32,
            head_size: (width / attention.heads) as u32,
            width: width as u32,
            scale: attention.scale,
        };
        let starts: Vec<u32> = attention.weight_offsets().iter().map(|&offset| offset as u32).collect();
        let launch = Forward {
            q: &attention.queries,
            k: &attention.keys,
            ranges: &paired_ranges(self, &attention.query_rows, &attention.key_rows),
            owners: &attention.query_rows.owners,
            starts: &self.upload_list(&starts),
            weights: &weights,
        };
        // One workgroup for each query row and head.
        self.dispatch(&launch, args, flat_grid(attention.queries.rows() * attention.heads, 1), work(of));
        (weights, ())
    }
}
