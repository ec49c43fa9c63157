//! Launch of [`Loudness`]: a workgroup a frame.

use super::*;
use crate::backend::ops::Loudness;
use shader::loudness::{Args, Forward, Variant};

impl Run<Loudness<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Loudness<Self, Tensor>) -> (Tensor, ()) {
        let Loudness { samples, utterances, frames, tables } = of;
        let (loudness, ()) = self.results(of);
        let variant = if self.is_software() { Variant::Software } else { Variant::Graphics };
        let launch = Forward {
            samples,
            ranges: &paired_ranges(self, utterances, frames),
            frame_owners: &frames.owners,
            window: &tables.window,
            twiddles: &tables.twiddles,
            bands: &tables.bands,
            band_ranges: &tables.ranges,
            loudness: &loudness,
        };
        let args = Args { frames: frames.rows() as u32, first_group_y: 0, first_group_z: 0 };
        self.dispatch_variant(variant, &launch, args, flat_grid(frames.rows(), 1), work(of));
        (loudness, ())
    }
}
