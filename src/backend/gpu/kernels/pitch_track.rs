//! Launches of [`PitchTrack`]: a workgroup an utterance, forwards and back in dispatches of frames, since each waits for the one before.

use super::*;
use crate::backend::ops::PitchTrack;
use shader::pitch_track::{Args, CARRIED, Choose, Follow, Variant};

/// Frames of one dispatch: so many that llvmpipe, which leaves every loop after 65,535 turns of an invocation, takes them, some 2½ minutes.
const STEPS: u32 = 16_384;

impl Run<PitchTrack<Self, Tensor>> for Gpu {
    fn forward(&self, of: &PitchTrack<Self, Tensor>) -> (Tensor, ()) {
        let PitchTrack { candidates, frames } = of;
        let (contours, ()) = self.results(of);
        let batch = frames.batch();
        let variant = if self.is_software() { Variant::Software } else { Variant::Graphics };
        let before = self.new_tensor([frames.rows(), 1]);
        let carried = self.new_tensor([batch, CARRIED as usize]);
        let offsets = &frames.device_offsets;
        let longest = frames.longest() as u32;
        let stretches = (0..longest.div_ceil(STEPS)).map(|stretch| (stretch * STEPS, ((stretch + 1) * STEPS).min(longest)));
        // Half of the work forwards, half of it back.
        let part = |(first_step, end_step): (u32, u32)| work(of).share(0.5 * f64::from(end_step - first_step) / f64::from(longest));
        let args = |(first_step, end_step)| Args { batch: batch as u32, first_step, end_step };
        for stretch in stretches.clone() {
            let launch = Follow { offsets, candidates, before_out: &before, carried: &carried };
            self.dispatch_variant(variant, &launch, args(stretch), flat_grid(batch, 1), part(stretch));
        }
        for stretch in stretches.rev() {
            let launch = Choose { offsets, candidates, before: &before, carried: &carried, contours: &contours };
            self.dispatch_variant(variant, &launch, args(stretch), flat_grid(batch, 1), part(stretch));
        }
        (contours, ())
    }
}
