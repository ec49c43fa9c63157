//! Launch of [`PitchCandidates`]: a workgroup a frame.

use super::*;
use crate::audio::prosody::{PITCH, span};
use crate::backend::ops::PitchCandidates;
use shader::pitch_candidates::{Args, Forward, Variant};

impl Run<PitchCandidates<Self, Tensor>> for Gpu {
    fn forward(&self, of: &PitchCandidates<Self, Tensor>) -> (Tensor, ()) {
        let PitchCandidates { samples, utterances, frames, tables } = of;
        let (candidates, ()) = self.results(of);
        let variant = if self.is_software() { Variant::Software } else { Variant::Graphics };
        let launch = Forward {
            samples,
            ranges: &paired_ranges(self, utterances, frames),
            frame_owners: &frames.owners,
            window: &tables.window,
            twiddles: &tables.twiddles,
            octaves: &tables.octaves,
            places: &tables.places,
            candidates: &candidates,
        };
        let octaves_a_point = (span() / (PITCH.bins() - 1) as f64) as f32;
        let args = Args { frames: frames.rows() as u32, octaves_a_point, first_group_y: 0, first_group_z: 0 };
        self.dispatch_variant(variant, &launch, args, flat_grid(frames.rows(), 1), work(of));
        (candidates, ())
    }
}
