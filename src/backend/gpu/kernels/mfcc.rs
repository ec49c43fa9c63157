//! Launches of [`Mfcc`].

use super::*;
use crate::audio::mfcc::Padding;
use crate::backend::ops::Mfcc;
use shader::mfcc::{Args, CEPSTRA, Cepstrum, ENERGIES, Energy, MelBands, Peak, PowerSpectrum, Variant};

impl Run<Mfcc<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Mfcc<Self, Tensor>) -> (Tensor, ()) {
        let Mfcc { samples, utterances, frames, tables } = of;
        let settings = &tables.settings;
        let count = frames.rows();
        let [first_own, first_next] = settings.first_emphasis();
        let args = Args {
            frames: count as u32,
            transform: settings.transform as u32,
            log2_transform: settings.transform.ilog2(),
            hop: settings.hop as u32,
            window_begin: settings.window_begin() as u32,
            window_length: settings.window as u32,
            mel_bands: settings.mel_bands as u32,
            coefficients: settings.coefficients as u32,
            top_db: settings.top_db,
            mirrored: flag(settings.padding() == Padding::Reflection),
            pre_emphasis: settings.pre_emphasis,
            first_own,
            first_next,
            first_group_y: 0,
            first_group_z: 0,
        };
        let variant = if self.is_software() { Variant::Software } else { Variant::Graphics };
        let ranges = paired_ranges(self, utterances, frames);
        let shapes = shapes(of);
        if settings.is_spectrum() {
            let (result, ()) = self.results(of);
            let launch = PowerSpectrum {
                samples,
                ranges: &ranges,
                frame_owners: &frames.owners,
                window: &tables.window,
                twiddles: &tables.twiddles,
                result: &result,
            };
            self.dispatch_variant(variant, &launch, args, flat_grid(count, 1), shapes.power_spectra());
            return (result, ());
        }
        let decibels = self.new_tensor([count, settings.mel_bands]);
        let launch = MelBands {
            samples,
            ranges: &ranges,
            frame_owners: &frames.owners,
            window: &tables.window,
            twiddles: &tables.twiddles,
            mel: &tables.mel,
            mel_ranges: &tables.mel_ranges,
            decibels: &decibels,
        };
        self.dispatch_variant(variant, &launch, args, flat_grid(count, 1), shapes.mel_bands());

        let peaks = self.new_tensor([utterances.batch(), 1]);
        let launch = Peak { ranges: &ranges, mel_decibels: &decibels, peaks: &peaks };
        self.dispatch_variant(variant, &launch, args, [utterances.batch() as u32, 1, 1], None);

        let (result, ()) = self.results(of);
        let launch =
            Cepstrum { frame_owners: &frames.owners, mel_decibels: &decibels, utterance_peaks: &peaks, dct: &tables.dct, result: &result };
        self.dispatch_variant(variant, &launch, args, flat_grid(count, CEPSTRA), shapes.cepstra());
        if settings.energy {
            let launch = Energy { samples, ranges: &ranges, frame_owners: &frames.owners, result: &result };
            self.dispatch_variant(variant, &launch, args, flat_grid(count, ENERGIES), shapes.energies());
        }
        (result, ())
    }
}
